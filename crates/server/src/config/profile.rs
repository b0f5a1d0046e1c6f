//! `[[trunk]]`: how numbers are written to it and read from it, and what shows ours.

use b2bua::{Profile, Sender, Shown};
use number::{Form, Plan};
use toml::de::DeValue;

use super::account::Account;
use super::value;
use super::walk::{Given, Section, Walk};

/// `plan` is the one of this machine's country.
pub(super) fn read<'d>(walk: &mut Walk<'d>, section: &Section<'d>, account: &Account, plan: Plan) -> Profile {
    let country = |value: &DeValue<'_>| Plan::of(&value::text(value)?).map_err(|unknown| unknown.to_string());
    let plan = walk.get(section, "country", country).or(plan);
    let form = walk.get(section, "format", |value| value::word(value, FORMS)).or(Form::Plus);
    let prefix = walk.get(section, "prefix", dialled).or(String::new());
    let strip = walk.get(section, "strip", dialled).or(String::new());
    let from = walk.get(section, "from", |value| value::word(value, SENDERS)).or(Who::Number);
    let from = match (from, &account.aor) {
        (Who::Number, _) => Sender::Own,
        (Who::AtCarrier, _) => Sender::AtCarrier,
        (Who::Account, Some(aor)) => Sender::Account(aor.as_str().into()),
        (Who::Account, None) => {
            walk.fault(section.place("from"), "which account? Write username, or aor = \"sip:user@host\"");
            Sender::Own
        }
    };
    let shown = match walk.list(section, "present", |value| value::word(value, SHOWN)) {
        Given::Is(shown) => shown,
        Given::Absent | Given::Faulty => Vec::new(),
    };
    if shown.iter().enumerate().any(|(place, header)| shown[..place].contains(header)) {
        walk.fault(section.place("present"), "names a header twice");
    }
    let withheld = walk.get(section, "withhold", value::flag).or(false);
    Profile { plan, form, prefix: prefix.into(), strip: strip.into(), from, shown, withheld }
}

/// Who stands in From, before it is known as whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Number,
    AtCarrier,
    Account,
}

const FORMS: &[(&str, Result<Form, &str>)] = &[
    ("plus", Ok(Form::Plus)),
    ("digits", Ok(Form::Digits)),
    ("national", Ok(Form::National)),
    ("significant", Ok(Form::Significant)),
];

const SENDERS: &[(&str, Result<Who, &str>)] =
    &[("number", Ok(Who::Number)), ("number-at-carrier", Ok(Who::AtCarrier)), ("account", Ok(Who::Account))];

const SHOWN: &[(&str, Result<Shown, &str>)] = &[
    ("asserted", Ok(Shown::Asserted)),
    ("preferred", Ok(Shown::Preferred)),
    ("remote-party-id", Ok(Shown::RemoteParty)),
    ("diversion", Ok(Shown::Diversion)),
];

/// Something dialled before a number.
fn dialled(value: &DeValue<'_>) -> Result<String, String> {
    let text = value::text(value)?;
    let plain = text.bytes().all(|octet| octet.is_ascii_digit() || matches!(octet, b'*' | b'#'));
    if plain && text.len() <= 16 {
        Ok(text)
    } else {
        Err(format!("{:?} cannot be dialled; write up to 16 digits, * and #", value::shortened(&text)))
    }
}
