//! Whole files, read as the program reads them.

mod faults;
mod hooks;
mod identity;
mod keys;
mod secrets;
mod shipped;

use std::path::Path;

use super::*;

/// The least that is a configuration.
const LEAST: &str = r#"
[sip]
public_address = "192.0.2.1"
[[trunk]]
name = "main"
uri = "sip:192.0.2.7"
numbers = ["+78005550101"]
[[line]]
number = "+78005550101"
"#;

fn outcome(text: &str) -> Outcome {
    parse(text, Path::new("bauta.toml"), &|_| None)
}

#[track_caller]
fn good(text: &str) -> Checked {
    outcome(text).checked.unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// Each fault as `line key: text`.
fn faults(text: &str) -> Vec<String> {
    let told = |remark: &Remark| {
        let line = remark.position.map_or(0, |position| position.line);
        format!("{line} {}: {}", remark.key, remark.text)
    };
    outcome(text).checked.err().unwrap_or_default().iter().map(told).collect()
}

/// The one fault `LEAST` has once it is changed.
#[track_caller]
fn fault(change: impl FnOnce(&mut String)) -> String {
    let mut text = LEAST.to_owned();
    change(&mut text);
    let faults = faults(&text);
    assert_eq!(faults.len(), 1, "{faults:#?}\n{text}");
    faults[0].clone()
}
