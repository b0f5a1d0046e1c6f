//! A question to a hook, as it is posted.

use b2bua::{Consultation, Matter};
use serde_json::{Value, json};

/// The body. Numbers stand in full whatever `privacy.numbers` says: who decides about a call must know whose it is.
pub(super) fn body(asked: &Consultation, languages: &[String]) -> Value {
    let record = &asked.record;
    let number = |number: Option<number::Number>| number.map(|number| number.to_string());
    let identity = record.verification.map(|verification| {
        json!({
            "verdict": verification.verdict().word(),
            "attestation": verification.attestation().map(b2bua::Attestation::word),
            "claimed": number(record.claimed),
        })
    });
    let data = record.data.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let mut body = json!({
        "hook": asked.hook,
        "call": asked.call.to_string(),
        "line": number(record.line),
        "trunk": record.trunk,
        "caller": number(record.caller),
        "identity": identity,
        "answered": record.answered.is_some(),
        "language": languages.get(usize::from(asked.language.0)),
        "code": record.code.map(|code| code.as_str().to_owned()),
        "data": data,
    });
    let rest = match &asked.matter {
        Matter::Directions { question, digits, last, may_repeat: _ } => json!({
            "matter": "directions",
            "question": question,
            "digits": digits,
            "last": last.map(|done| json!({ "action": done.action, "result": done.result })),
        }),
        Matter::Approval { caller, callee } => json!({
            "matter": "approval",
            "caller_role": caller.word(),
            "callee": callee.to_string(),
        }),
    };
    if let (Some(body), Value::Object(rest)) = (body.as_object_mut(), rest) {
        body.extend(rest);
    }
    body
}
