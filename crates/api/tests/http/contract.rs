//! Every answer is held against `docs/openapi.json`: status, type, headers and schema.

use std::sync::OnceLock;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method};
use serde_json::{Value, json};

/// The document as checked in.
pub(crate) fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    let text = include_str!("../../../../docs/openapi.json");
    DOCUMENT.get_or_init(|| serde_json::from_str(text).unwrap())
}

/// The pattern a path belongs to, and its operation.
fn operation(method: &Method, path: &str) -> Option<(&'static str, &'static Value)> {
    let method = if method == Method::HEAD { "get".to_owned() } else { method.as_str().to_lowercase() };
    let paths = document()["paths"].as_object().unwrap();
    let fits = |pattern: &str| {
        let (pattern, path): (Vec<&str>, Vec<&str>) =
            (pattern.split('/').collect(), path.split('/').collect());
        pattern.len() == path.len()
            && pattern.iter().zip(&path).all(|(want, is)| {
                match want.strip_prefix('{').and_then(|want| want.split_once('}')) {
                    Some((_, verb)) => {
                        !is.is_empty() && is.ends_with(verb) && is.contains(':') != verb.is_empty()
                    }
                    None => want == is,
                }
            })
    };
    let (pattern, item) = paths.iter().find(|(pattern, _)| fits(pattern))?;
    Some((pattern, item.get(&method)?))
}

/// Fails unless this answer is one the document allows.
pub(crate) fn check(method: &Method, path: &str, status: u16, headers: &HeaderMap, body: &Bytes) {
    let Some((pattern, operation)) = operation(method, path) else {
        assert!(matches!(status, 404 | 405), "{method} {path} is not described and answered {status}");
        return check_json(&schema("Problem"), body, path);
    };
    let described = &operation["responses"][status.to_string()];
    assert!(described.is_object(), "{method} {pattern} answered {status}, which is not described: {body:?}");
    let described = resolved(described);
    for (name, header) in described.get("headers").and_then(Value::as_object).into_iter().flatten() {
        assert!(
            headers.contains_key(name.to_lowercase()),
            "{method} {pattern} {status} without {name}: {header}"
        );
    }
    let Some(content) = described.get("content").and_then(Value::as_object) else {
        return assert!(body.is_empty(), "{method} {pattern} {status} has a body: {body:?}");
    };
    let kind = headers["content-type"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let media = content.get(&kind).unwrap_or_else(|| panic!("{method} {pattern} {status} is {kind}"));
    if kind.ends_with("json") && method != Method::HEAD {
        check_json(&media["schema"], body, pattern);
    }
    if let Some(codes) = described.get("x-codes") {
        let problem: Value = serde_json::from_slice(body).unwrap();
        let known = codes.as_array().unwrap().contains(&problem["code"]);
        assert!(known, "{method} {pattern} {status} has {}, described are {codes}", problem["code"]);
    }
}

fn resolved(answer: &'static Value) -> &'static Value {
    match answer.get("$ref").and_then(Value::as_str) {
        Some(reference) => document().pointer(reference.trim_start_matches('#')).unwrap(),
        None => answer,
    }
}

/// A reference to a schema by its name.
pub(crate) fn schema(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// Fails unless the text fits the schema.
pub(crate) fn check_json(schema: &Value, body: &[u8], whose: &str) {
    let value: Value = serde_json::from_slice(body).unwrap_or_else(|why| panic!("{whose}: {why}: {body:?}"));
    let mut whole = schema.clone();
    whole["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    whole["components"] = document()["components"].clone();
    let validator = jsonschema::validator_for(&whole).unwrap();
    let faults: Vec<String> =
        validator.iter_errors(&value).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert!(faults.is_empty(), "{whose}: {faults:?} in {value}");
}
