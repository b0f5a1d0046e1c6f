//! What a hook answered: read, checked, and made into what the switchboard does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use b2bua::{Action, Connect, Gather, Language, Prompt, Speech};
use number::{Number, Plan};
use serde::Deserialize;

use crate::speech::Text;

/// Actions in one answer.
const ACTIONS: usize = 20;
/// Prompts and texts in one action.
const SAYINGS: usize = 10;
/// Characters of one text.
const LONGEST_TEXT: usize = 1_000;
/// Keys gathered at once.
const KEYS: u8 = 32;
/// Characters of why it vetoes.
const LONGEST_CAUSE: usize = 100;

/// An answer to what is to be done.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Directions {
    pub(super) actions: Vec<Wish>,
}

/// An answer to whether it may be done.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Approval {
    pub(super) approve: bool,
    cause: Option<String>,
}

impl Approval {
    /// Why not, as far as it says so; what would garble a log is left out.
    pub(super) fn cause(&self) -> Option<Box<str>> {
        let cause = self.cause.as_deref()?;
        let plain = cause.chars().filter(|letter| !letter.is_control());
        Some(plain.take(LONGEST_CAUSE).collect())
    }
}

/// An action as it is written.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Wish {
    Reject {
        status: u16,
    },
    Play {
        say: Vec<Saying>,
    },
    Gather {
        #[serde(default)]
        say: Vec<Saying>,
        count: u8,
        #[serde(default = "hash")]
        finish: String,
        #[serde(default = "eight")]
        timeout_seconds: u64,
        #[serde(default = "yes")]
        barge_in: bool,
    },
    Connect {
        number: String,
        shown: Option<String>,
        ring_timeout_seconds: Option<u64>,
        max_call_seconds: Option<u64>,
        #[serde(default)]
        whisper: Vec<Saying>,
        #[serde(default)]
        confirm: bool,
    },
    Record {
        on: bool,
    },
    Redirect {
        hook: String,
    },
    Operator {},
    Hangup {},
}

fn hash() -> String {
    "#".to_owned()
}

fn eight() -> u64 {
    8
}

fn yes() -> bool {
    true
}

/// A prompt by its key, or a text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Saying {
    prompt: Option<String>,
    text: Option<String>,
    language: Option<String>,
}

/// What an answer is held against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) plan: Plan,
    /// Our numbers.
    pub(super) lines: &'a [Number],
    /// Names of the hooks.
    pub(super) hooks: &'a [String],
    /// In the order the switchboard counts them.
    pub(super) languages: &'a [String],
    /// What the call is in.
    pub(super) language: Language,
    /// Whether the line called has an operator.
    pub(super) has_operator: bool,
}

/// What was made of texts; what is missing could not be made.
pub(super) type Made = BTreeMap<Text, Arc<rtp::Prompt>>;

/// The texts of an answer that [`actions`] takes.
pub(super) fn texts(wishes: &[Wish], known: Known<'_>) -> Vec<Text> {
    let sayings = wishes.iter().flat_map(|wish| match wish {
        Wish::Play { say } | Wish::Gather { say, .. } => say.as_slice(),
        Wish::Connect { whisper, .. } => whisper,
        Wish::Reject { .. }
        | Wish::Record { .. }
        | Wish::Redirect { .. }
        | Wish::Operator {}
        | Wish::Hangup {} => &[],
    });
    let mut texts: Vec<Text> = sayings.filter_map(|saying| saying.text(known)).collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// What the switchboard does. Why not, otherwise: where, and what would be right, without what was written there.
pub(super) fn actions(wishes: &[Wish], known: Known<'_>, made: &Made) -> Result<Vec<Action>, String> {
    if wishes.is_empty() || wishes.len() > ACTIONS {
        return Err(format!("actions: 1 to {ACTIONS} are needed"));
    }
    let mut actions: Vec<Action> = Vec::new();
    for (place, wish) in wishes.iter().enumerate() {
        let at = |what: String| format!("actions[{place}].{what}");
        if let Some(last) = actions.last().filter(|last| last.is_last()) {
            return Err(format!("actions[{place}]: nothing follows {}", last.word()));
        }
        actions.push(action(wish, known, made).map_err(at)?);
    }
    Ok(actions)
}

fn action(wish: &Wish, known: Known<'_>, made: &Made) -> Result<Action, String> {
    Ok(match wish {
        Wish::Reject { status } if (400..700).contains(status) => Action::Reject { status: *status },
        Wish::Reject { .. } => return Err("status: 400 to 699".to_owned()),
        Wish::Play { say } if say.is_empty() => return Err("say: something is needed".to_owned()),
        Wish::Play { say } => Action::Play(speeches("say", say, known, made)?),
        Wish::Gather { say, count, finish, timeout_seconds, barge_in } => {
            if !(1..=KEYS).contains(count) {
                return Err(format!("count: 1 to {KEYS}"));
            }
            Action::Gather(Gather {
                say: speeches("say", say, known, made)?,
                count: *count,
                finish: key(finish)?,
                timeout: seconds("timeout_seconds", *timeout_seconds, 120)?,
                barge_in: *barge_in,
            })
        }
        Wish::Connect { number, shown, ring_timeout_seconds, max_call_seconds, whisper, confirm } => {
            let time = |name, given: &Option<u64>, most| given.map(|given| seconds(name, given, most));
            Action::Connect(Box::new(Connect {
                number: foreign(number, known)?,
                shown: shown.as_deref().map(|shown| ours(shown, known)).transpose()?,
                ring_timeout: time("ring_timeout_seconds", ring_timeout_seconds, 300).transpose()?,
                max_call: time("max_call_seconds", max_call_seconds, 86_400).transpose()?,
                whisper: speeches("whisper", whisper, known, made)?,
                confirm: *confirm,
            }))
        }
        Wish::Record { on } => Action::Record(*on),
        Wish::Redirect { hook } if known.hooks.contains(hook) => Action::Redirect(hook.as_str().into()),
        Wish::Redirect { .. } => return Err("hook: there is no [[hook]] of this name".to_owned()),
        Wish::Operator {} if known.has_operator => Action::Operator,
        Wish::Operator {} => return Err("action: this line has no operator".to_owned()),
        Wish::Hangup {} => Action::HangUp,
    })
}

/// Whoever is called is nobody of ours: the call would come back.
fn foreign(text: &str, known: Known<'_>) -> Result<Number, String> {
    let number = known.plan.parse(text).map_err(|_| "number: this is no telephone number".to_owned())?;
    if known.lines.contains(&number) {
        return Err("number: this is a line of this server, to which the call would come back".to_owned());
    }
    Ok(number)
}

fn ours(text: &str, known: Known<'_>) -> Result<Number, String> {
    let number = known.plan.parse(text).ok().filter(|number| known.lines.contains(number));
    number.ok_or_else(|| "shown: only lines of this server may be shown".to_owned())
}

fn key(text: &str) -> Result<Option<char>, String> {
    let mut keys = text.chars();
    match (keys.next(), keys.next()) {
        (None, _) => Ok(None),
        (Some(key @ ('0'..='9' | '*' | '#')), None) => Ok(Some(key)),
        (Some(_), _) => Err("finish: one of 0 to 9, * and #, or empty".to_owned()),
    }
}

fn seconds(name: &str, given: u64, most: u64) -> Result<Duration, String> {
    let is_fit = (1..=most).contains(&given);
    is_fit.then(|| Duration::from_secs(given)).ok_or_else(|| format!("{name}: 1 to {most}"))
}

fn speeches(name: &str, say: &[Saying], known: Known<'_>, made: &Made) -> Result<Vec<Speech>, String> {
    if say.len() > SAYINGS {
        return Err(format!("{name}: at most {SAYINGS}"));
    }
    let mut speeches = Vec::new();
    for (place, saying) in say.iter().enumerate() {
        let speech = saying.speech(known, made).map_err(|why| format!("{name}[{place}].{why}"))?;
        speeches.extend(speech);
    }
    Ok(speeches)
}

impl Saying {
    fn place(&self, known: Known<'_>) -> Result<Option<Language>, String> {
        let Some(language) = &self.language else { return Ok(None) };
        let place = known.languages.iter().position(|known| known == language);
        let place = place.and_then(|place| u8::try_from(place).ok());
        place.map(|place| Some(Language(place))).ok_or_else(|| "language: there is no such one".to_owned())
    }

    /// The text, and the language it is spoken in.
    fn text(&self, known: Known<'_>) -> Option<Text> {
        let own = self.place(known).ok()?.unwrap_or(known.language);
        Some((known.languages.get(usize::from(own.0))?.clone(), self.text.clone()?))
    }

    /// `None`: its text could not be made.
    fn speech(&self, known: Known<'_>, made: &Made) -> Result<Option<Speech>, String> {
        let language = self.place(known)?;
        match (&self.prompt, &self.text) {
            (Some(key), None) => {
                let prompt = Prompt::ALL.into_iter().find(|prompt| prompt.key() == key);
                let prompt = prompt.ok_or_else(|| "prompt: there is no such one".to_owned())?;
                Ok(Some(Speech::Prompt(prompt, language)))
            }
            (None, Some(text)) if text.trim().is_empty() || text.chars().count() > LONGEST_TEXT => {
                Err(format!("text: 1 to {LONGEST_TEXT} characters"))
            }
            (None, Some(_)) => {
                let found = self.text(known).and_then(|text| made.get(&text).cloned());
                Ok(found.map(Speech::Made))
            }
            (Some(_), Some(_)) | (None, None) => Err("prompt: either this or text".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Action>, String> {
        read_with(text, &Made::new())
    }

    fn read_with(text: &str, made: &Made) -> Result<Vec<Action>, String> {
        let number = |text| Number::parse(text).unwrap();
        let known = Known {
            plan: Plan::of("RU").unwrap(),
            lines: &[number("+74951234567"), number("+74950000000")],
            hooks: &["shop".to_owned()],
            languages: &["en".to_owned(), "ru".to_owned()],
            language: Language(1),
            has_operator: true,
        };
        let directions: Directions = api::read_json(text.as_bytes())?;
        actions(&directions.actions, known, made)
    }

    #[test]
    fn each_action_is_read_with_its_defaults() {
        let made = Arc::new(rtp::Prompt::new(&[1; 8]));
        let texts = Made::from([(("ru".to_owned(), "Привет".to_owned()), Arc::clone(&made))]);
        let text = r#"{"actions": [
            {"action": "record", "on": false},
            {"action": "play", "say": [{"prompt": "start", "language": "en"}, {"text": "Привет"}]},
            {"action": "connect", "number": "8 (999) 111-22-33", "shown": "+74950000000", "ring_timeout_seconds": 20,
             "max_call_seconds": 600, "whisper": [{"prompt": "client-calling"}], "confirm": true},
            {"action": "gather", "count": 4}
        ]}"#;
        let number = |text| Number::parse(text).unwrap();
        let second = Duration::from_secs(1);
        let connect = Connect {
            number: number("+79991112233"),
            shown: Some(number("+74950000000")),
            ring_timeout: Some(second * 20),
            max_call: Some(second * 600),
            whisper: vec![Speech::Prompt(Prompt::ClientCalling, None)],
            confirm: true,
        };
        let gather = Gather { say: vec![], count: 4, finish: Some('#'), timeout: second * 8, barge_in: true };
        let said = vec![Speech::Prompt(Prompt::Start, Some(Language(0))), Speech::Made(made)];
        let expected = vec![
            Action::Record(false),
            Action::Play(said),
            Action::Connect(Box::new(connect)),
            Action::Gather(gather),
        ];
        assert_eq!(read_with(text, &texts).unwrap(), expected);
        let last = |text: &str| read(&format!(r#"{{"actions": [{text}]}}"#)).unwrap().pop().unwrap();
        assert_eq!(last(r#"{"action": "reject", "status": 603}"#), Action::Reject { status: 603 });
        assert_eq!(last(r#"{"action": "redirect", "hook": "shop"}"#), Action::Redirect("shop".into()));
        assert_eq!(last(r#"{"action": "operator"}"#), Action::Operator);
        assert_eq!(last(r#"{"action": "hangup"}"#), Action::HangUp);
        assert_eq!(last(r#"{"action": "play", "say": [{"text": "lost"}]}"#), Action::Play(vec![]));
    }

    #[test]
    fn what_cannot_be_done_is_named_and_never_quoted() {
        for (text, why) in [
            ("", "EOF"),
            ("hello 79991112233", "expected value"),
            ("[]", "expected struct Directions"),
            ("{}", "actions is needed"),
            (r#"{"actions": [], "to": "79991112233"}"#, "known here: actions"),
            (r#"{"actions": []}"#, "actions: 1 to 20 are needed"),
            (r#"{"actions": [{"action": "call", "number": "79991112233"}]}"#, "expected one of"),
            (r#"{"actions": [{"action": "operator", "number": "79991112233"}]}"#, "known here"),
            (r#"{"actions": [{"action": "reject", "status": "79991112233"}]}"#, "expected u16"),
            (r#"{"actions": [{"action": "reject", "status": 302}]}"#, "actions[0].status: 400 to 699"),
            (
                r#"{"actions": [{"action": "connect", "number": "79991112233x"}]}"#,
                "actions[0].number: this is no",
            ),
            (r#"{"actions": [{"action": "connect", "number": "74951234567"}]}"#, "would come back"),
            (
                r#"{"actions": [{"action": "connect", "number": "79991112233", "shown": "79991112244"}]}"#,
                "actions[0].shown: only lines of this server",
            ),
            (r#"{"actions": [{"action": "gather", "count": 0}]}"#, "actions[0].count: 1 to 32"),
            (r#"{"actions": [{"action": "gather", "count": 1, "finish": "x"}]}"#, "actions[0].finish"),
            (r#"{"actions": [{"action": "gather", "count": 1, "timeout_seconds": 121}]}"#, "1 to 120"),
            (r#"{"actions": [{"action": "play", "say": []}]}"#, "actions[0].say: something"),
            (
                r#"{"actions": [{"action": "play", "say": [{"prompt": "79991112233"}]}]}"#,
                "say[0].prompt: there",
            ),
            (r#"{"actions": [{"action": "play", "say": [{}]}]}"#, "say[0].prompt: either"),
            (r#"{"actions": [{"action": "play", "say": [{"text": " "}]}]}"#, "say[0].text: 1 to 1000"),
            (
                r#"{"actions": [{"action": "play", "say": [{"text": "x", "language": "xx"}]}]}"#,
                "say[0].language",
            ),
            (r#"{"actions": [{"action": "redirect", "hook": "other"}]}"#, "no [[hook]] of this name"),
            (
                r#"{"actions": [{"action": "hangup"}, {"action": "hangup"}]}"#,
                "actions[1]: nothing follows hangup",
            ),
        ] {
            let told = read(text).unwrap_err();
            assert!(told.contains(why), "{text}: {told}");
            assert!(!told.contains("7999"), "{text}: {told}");
        }
        let many = [r#"{"action": "record", "on": true}"#; 21].join(",");
        assert!(read(&format!(r#"{{"actions": [{many}]}}"#)).unwrap_err().contains("1 to 20"));
        let sayings = [r#"{"prompt": "start"}"#; 11].join(",");
        let text = format!(r#"{{"actions": [{{"action": "play", "say": [{sayings}]}}]}}"#);
        assert!(read(&text).unwrap_err().contains("at most 10"));
    }

    #[test]
    fn a_cause_is_cut_and_has_nothing_that_garbles_a_log() {
        let approval: Approval =
            api::read_json(format!(r#"{{"approve": false, "cause": "a\n{}"}}"#, "x".repeat(200)).as_bytes())
                .unwrap();
        assert_eq!(approval.cause().unwrap().len(), 100);
        assert!(!approval.cause().unwrap().contains('\n'));
    }
}
