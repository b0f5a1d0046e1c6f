//! `[[hook]]`, `[speech]`, and what lines say of hooks.

use std::time::Duration;

use b2bua::{Approval, HookFailure, HookLine, Service};

use super::*;
use crate::speech::Voice;

const HOOK: &str = "[[hook]]\nname = \"shop\"\nurl = \"https://shop.example/calls\"\n\
                    secret = \"0123456789abcdef0123456789abcdef\"\n";

/// What the line says more, and whatever stands in sections of its own.
fn with(line: &str, sections: &str) -> String {
    format!("{LEAST}{line}\n{HOOK}{sections}")
}

fn line(text: &str) -> b2bua::Line {
    good(text).lines[0].answered(&["en".to_owned(), "ru".to_owned()]).unwrap()
}

#[test]
fn a_line_is_given_to_a_hook() {
    let line = line(&with(
        "service = \"hook\"\nhook = \"shop\"\nanswer_first = true\nhook_failure = \"refuse\"",
        "",
    ));
    assert_eq!(line.service, Service::Hook(HookLine { hook: "shop".into(), answers_first: true }));
    assert_eq!(
        (line.hooks.failure, line.hooks.strangers, line.hooks.approval),
        (HookFailure::Refuse, None, None)
    );
}

#[test]
fn a_line_of_orders_may_have_hooks_for_strangers_and_for_matches() {
    let keys = "strangers_hook = \"shop\"\napproval_hook = \"shop\"\napproval_failure = \"open\"\noperator = \"+78005550199\"";
    let hooks = line(&with(keys, "")).hooks;
    assert_eq!(hooks.failure, HookFailure::Reserve);
    assert_eq!(hooks.strangers.as_deref(), Some("shop"));
    assert_eq!(hooks.approval, Some(Approval { hook: "shop".into(), is_open: true }));
}

#[test]
fn what_lines_say_of_hooks_must_fit() {
    for (keys, why) in [
        ("service = \"hook\"", "line[0].hook: is missing: which [[hook]]"),
        ("service = \"hook\"\nhook = \"other\"", "there is no [[hook]] \"other\"; there are: shop"),
        ("hook = \"shop\"", "means nothing without service = \"hook\""),
        ("strangers_hook = \"other\"", "there is no [[hook]] \"other\""),
        ("approval_hook = \"other\"", "there is no [[hook]] \"other\""),
        ("hook_failure = \"reserve\"", "there is nobody in reserve"),
        ("hook_failure = \"pray\"", "line[0].hook_failure"),
        (
            "service = \"hook\"\nhook = \"shop\"\napproval_hook = \"shop\"",
            "means nothing with service = \"hook\"",
        ),
    ] {
        let told = faults(&with(keys, ""));
        assert!(told.len() == 1 && told[0].contains(why), "{keys}: {told:#?}");
    }
}

#[test]
fn a_hook_has_a_name_an_address_and_a_secret_of_its_own() {
    let hooks = good(&with("", "timeout = \"0.5s\"\nkeep = 0\n")).hooks;
    assert_eq!((hooks[0].timeout, hooks[0].keep), (Duration::from_millis(500), Duration::ZERO));
    assert!(!format!("{hooks:?}").contains("0123456789abcdef"));
    let hooks = good(&with("", "")).hooks;
    assert_eq!((hooks[0].timeout, hooks[0].keep), (Duration::from_secs(3), Duration::from_secs(600)));
    for (sections, why) in [
        (HOOK, "another [[hook]] has this name"),
        ("timeout = \"16s\"\n", "hook[0].timeout"),
        ("[[hook]]\n", "hook[1].name: is missing"),
    ] {
        let told = faults(&with("", sections));
        assert!(told.iter().any(|fault| fault.contains(why)), "{sections}: {told:#?}");
    }
}

#[test]
fn what_speaks_is_a_program_that_is_there_or_a_service() {
    let voice = |section: &str| good(&format!("{LEAST}[speech]\n{section}")).speech.voice;
    let program = vec!["sh".to_owned(), "-c".to_owned()];
    assert_eq!(voice("command = [\"sh\", \"-c\"]\n"), Some(Voice::Program(program)));
    let url = "https://speech.example/{language}".to_owned();
    let spoken = voice("url = \"https://speech.example/{language}\"\ntoken = \"theirs\"\n");
    assert_eq!(spoken, Some(Voice::Service { url, token: Some("theirs".to_owned()) }));
    assert!(!format!("{spoken:?}").contains("theirs"));
    for (section, why) in [
        ("command = [\"no-such-program\"]", "speech.command[0]: there is no program"),
        ("command = []", "speech.command: is empty"),
        ("command = \"sh\"\nurl = \"https://speech.example/\"", "speech.url: there is command as well"),
        ("url = \"ftp://speech.example/\"", "speech.url: ftp: cannot be posted to"),
        ("command = \"sh\"\ntoken = \"theirs\"", "speech.token: means nothing without url"),
    ] {
        let told = faults(&format!("{LEAST}[speech]\n{section}\n"));
        assert!(told.len() == 1 && told[0].contains(why), "{section}: {told:#?}");
    }
}
