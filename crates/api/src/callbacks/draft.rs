//! A callback or a plan as someone asks for it, checked.

use std::collections::BTreeMap;
use std::time::Duration;

use b2bua::{MOST_CANDIDATES, Prompt, Strategy};
use number::Number;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use store::{Callback, CallbackNumber, CallbackPrompt, CallbackSide, NotQuiet, Timestamp, Ulid, Window};

use crate::draft::{NumberText, check_data};
use crate::interface::Settings;
use crate::problem::{Fault, Problem};

/// Furthest in the future that a callback begins.
const FURTHEST: Duration = Duration::from_secs(30 * 86_400);
/// Longest a phone rings, seconds.
const LONGEST_RING: u32 = 180;
/// Longest two talk, seconds: a day.
const LONGEST_TALK: u32 = 86_400;

/// The body of `POST /v1/callbacks`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallbackBody {
    pub(crate) first: SideBody,
    pub(crate) second: SideBody,
    pub(crate) plan: Option<String>,
    pub(crate) at: Option<String>,
    pub(crate) window: Option<String>,
    pub(crate) time_zone: Option<String>,
    pub(crate) line: Option<NumberText>,
    pub(crate) max_seconds: Option<u32>,
    pub(crate) record: Option<bool>,
    pub(crate) data: Option<Box<RawValue>>,
}

/// The body of `PUT /v1/callback-plans/{name}`, and a plan as it is kept.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanBody {
    #[serde(default)]
    pub(crate) first: MannerBody,
    #[serde(default)]
    pub(crate) second: MannerBody,
    pub(crate) window: Option<String>,
    pub(crate) time_zone: Option<String>,
    pub(crate) line: Option<NumberText>,
    pub(crate) max_seconds: Option<u32>,
    pub(crate) record: Option<bool>,
}

/// One side: a number, several, or several with how they are called.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a number, a list of numbers, an object with numbers, or one with a contact")]
pub(crate) enum SideBody {
    One(NumberText),
    Contact(ContactBody),
    Several(Vec<NumberBody>),
    Whole(WholeBody),
}

/// Numbers, and how they are called.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WholeBody {
    numbers: Vec<NumberBody>,
    strategy: Option<StrategyWord>,
    ring_seconds: Option<u32>,
    line: Option<NumberText>,
    prompt: Option<PromptBody>,
    confirm: Option<bool>,
}

/// A number, alone or with how long it rings, or whose it is.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a number, or an object with number or contact, and ring_seconds")]
pub(crate) enum NumberBody {
    Bare(NumberText),
    Timed(TimedBody),
    Contact(ContactBody),
}

/// The number of a contact.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContactBody {
    contact: String,
    ring_seconds: Option<u32>,
}

/// Numbers of contacts, by their ids.
pub(crate) type Known = BTreeMap<String, Number>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimedBody {
    number: NumberText,
    ring_seconds: Option<u32>,
}

/// How one side is called, whoever is of it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MannerBody {
    strategy: Option<StrategyWord>,
    ring_seconds: Option<u32>,
    line: Option<NumberText>,
    prompt: Option<PromptBody>,
    confirm: Option<bool>,
}

/// What a side hears first: a prompt by its key, or a text.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged, expecting = "the key of a prompt, or an object with text and language")]
pub(crate) enum PromptBody {
    Key(String),
    Text(TextBody),
}

/// A text to be spoken.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TextBody {
    pub(crate) text: String,
    pub(crate) language: Option<String>,
}

impl PromptBody {
    fn check(&self, field: &str, settings: &Settings) -> Result<(), Problem> {
        match self {
            Self::Key(key) => check_key(key, field),
            Self::Text(TextBody { text, language }) => {
                check_text(text, &format!("{field}.text"))?;
                match language {
                    Some(language) if !settings.languages.contains(language) => {
                        let known = settings.languages.join(", ");
                        let problem = Problem::new(Fault::UnknownLanguage, format!("there are {known}"));
                        Err(problem.at(format!("{field}.language")))
                    }
                    Some(_) | None => Ok(()),
                }
            }
        }
    }

    fn kept(self) -> CallbackPrompt {
        match self {
            Self::Key(key) => CallbackPrompt::Key(key.into()),
            Self::Text(TextBody { text, language }) => {
                CallbackPrompt::Text { text: text.into(), language: language.map(Into::into) }
            }
        }
    }
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StrategyWord {
    InOrder,
    AtOnce,
    Random,
}

impl StrategyWord {
    fn word(self) -> &'static str {
        match self {
            Self::InOrder => Strategy::InOrder,
            Self::AtOnce => Strategy::AtOnce,
            Self::Random => Strategy::Random,
        }
        .word()
    }
}

impl CallbackBody {
    /// The contacts it names, each with its field.
    pub(crate) fn contacts(&self) -> Vec<(String, String)> {
        let sides = [("first", &self.first), ("second", &self.second)];
        let named = |(which, side): (&'static str, &SideBody)| match side {
            SideBody::One(_) => Vec::new(),
            SideBody::Contact(body) => vec![(format!("{which}.contact"), body.contact.clone())],
            SideBody::Several(numbers) | SideBody::Whole(WholeBody { numbers, .. }) => {
                let contact = |(place, number): (usize, &NumberBody)| match number {
                    NumberBody::Contact(body) => {
                        Some((format!("{which}.numbers[{place}].contact"), body.contact.clone()))
                    }
                    NumberBody::Bare(_) | NumberBody::Timed(_) => None,
                };
                numbers.iter().take(MOST_CANDIDATES).enumerate().filter_map(contact).collect()
            }
        };
        sides.into_iter().flat_map(named).collect()
    }
}

impl SideBody {
    fn split(self) -> (Vec<NumberBody>, MannerBody) {
        match self {
            Self::One(number) => (vec![NumberBody::Bare(number)], MannerBody::default()),
            Self::Contact(contact) => (vec![NumberBody::Contact(contact)], MannerBody::default()),
            Self::Several(numbers) => (numbers, MannerBody::default()),
            Self::Whole(WholeBody { numbers, strategy, ring_seconds, line, prompt, confirm }) => {
                (numbers, MannerBody { strategy, ring_seconds, line, prompt, confirm })
            }
        }
    }
}

impl MannerBody {
    /// What is not said here is as `otherwise` has it.
    fn or(self, otherwise: Self) -> Self {
        Self {
            strategy: self.strategy.or(otherwise.strategy),
            ring_seconds: self.ring_seconds.or(otherwise.ring_seconds),
            line: self.line.or(otherwise.line),
            prompt: self.prompt.or(otherwise.prompt),
            confirm: self.confirm.or(otherwise.confirm),
        }
    }

    fn check(&self, which: &str, settings: &Settings) -> Result<Option<Number>, Problem> {
        check_range(self.ring_seconds, LONGEST_RING, &format!("{which}.ring_seconds"))?;
        if let Some(prompt) = &self.prompt {
            prompt.check(&format!("{which}.prompt"), settings)?;
        }
        let line = self.line.as_ref();
        line.map(|line| check_line(&line.0, &format!("{which}.line"), settings)).transpose()
    }
}

impl PlanBody {
    /// Everything that can be wrong with a plan.
    pub(crate) fn check(&self, settings: &Settings) -> Result<(), Problem> {
        self.first.check("first", settings)?;
        self.second.check("second", settings)?;
        if let Some(line) = &self.line {
            check_line(&line.0, "line", settings)?;
        }
        check_window(self.window.as_deref(), self.time_zone.as_deref())?;
        check_range(self.max_seconds, LONGEST_TALK, "max_seconds")
    }
}

/// Everything that can be wrong with a callback; `plan`: what holds where it says nothing; `known`: whom it names.
pub(crate) fn check(
    body: CallbackBody,
    plan: PlanBody,
    known: &Known,
    settings: &Settings,
    now: Timestamp,
) -> Result<Callback, Problem> {
    let line = match body.line.or(plan.line) {
        Some(line) => check_line(&line.0, "line", settings)?,
        None => only_line(settings)?,
    };
    let side = |body: SideBody, plan: MannerBody, which: &str| {
        let (numbers, manner) = body.split();
        let manner = manner.or(plan);
        let shown = manner.check(which, settings)?;
        Ok::<_, Problem>(CallbackSide {
            numbers: check_numbers(numbers, manner.ring_seconds, which, (settings, known))?,
            strategy: manner.strategy.map_or(Strategy::InOrder.word(), StrategyWord::word).into(),
            line: shown.unwrap_or(line),
            prompt: manner.prompt.map(PromptBody::kept),
            confirm: manner.confirm.unwrap_or(false),
        })
    };
    let first = side(body.first, plan.first, "first")?;
    let second = side(body.second, plan.second, "second")?;
    if first.numbers.iter().any(|one| second.numbers.iter().any(|other| one.number == other.number)) {
        let detail = "nobody can be called to talk to themselves";
        return Err(Problem::new(Fault::SameNumber, detail).at("second"));
    }
    // A plan's zone is that of the plan's hours.
    let (hours, zone) = match (&body.window, &body.time_zone) {
        (None, None) => (plan.window, plan.time_zone),
        (Some(_), _) | (_, Some(_)) => (body.window, body.time_zone),
    };
    let window = check_window(hours.as_deref(), zone.as_deref())?;
    let max_seconds = body.max_seconds.or(plan.max_seconds);
    check_range(max_seconds, LONGEST_TALK, "max_seconds")?;
    let data = body.data.map(|data| check_data(&data, Callback::LONGEST_DATA)).transpose()?.flatten();
    Ok(Callback {
        id: Ulid::from_parts(now.0, Ulid::generate().random()),
        created_at: now,
        at: check_at(body.at.as_deref(), now)?,
        window,
        plan: body.plan.map(Into::into),
        line,
        first,
        second,
        max_seconds,
        record: body.record.or(plan.record),
        data,
        end: None,
    })
}

fn check_numbers(
    numbers: Vec<NumberBody>,
    ring_seconds: Option<u32>,
    which: &str,
    (settings, known): (&Settings, &Known),
) -> Result<Vec<CallbackNumber>, Problem> {
    if !(1..=MOST_CANDIDATES).contains(&numbers.len()) {
        let detail = format!("from 1 to {MOST_CANDIDATES} numbers");
        return Err(Problem::new(Fault::OutOfRange, detail).at(format!("{which}.numbers")));
    }
    let mut checked: Vec<CallbackNumber> = Vec::with_capacity(numbers.len());
    for (place, body) in numbers.into_iter().enumerate() {
        let field = format!("{which}.numbers[{place}]");
        let parse = |text: &NumberText| {
            let read = settings.plan.parse(&text.0);
            read.map_err(|why| Problem::new(Fault::NumberInvalid, why.to_string()).at(&*field))
        };
        let (number, own) = match body {
            NumberBody::Bare(text) => (parse(&text)?, None),
            NumberBody::Timed(TimedBody { number, ring_seconds }) => (parse(&number)?, ring_seconds),
            NumberBody::Contact(ContactBody { contact, ring_seconds }) => {
                let unknown =
                    || Problem::new(Fault::UnknownContact, "GET /v1/contacts lists them").at(&*field);
                (*known.get(&contact).ok_or_else(unknown)?, ring_seconds)
            }
        };
        check_range(own, LONGEST_RING, &format!("{field}.ring_seconds"))?;
        if settings.every_line.contains(&number) {
            let detail = "this is a line of ours: the call would come back to us";
            return Err(Problem::new(Fault::NumberInvalid, detail).at(&*field));
        }
        if checked.iter().any(|one| one.number == number) {
            return Err(Problem::new(Fault::SameNumber, "it stands there twice").at(&*field));
        }
        checked.push(CallbackNumber { number, ring_seconds: own.or(ring_seconds) });
    }
    Ok(checked)
}

fn check_line(text: &str, field: &str, settings: &Settings) -> Result<Number, Problem> {
    let line = settings
        .plan
        .parse(text)
        .map_err(|why| Problem::new(Fault::NumberInvalid, why.to_string()).at(field))?;
    if settings.every_line.contains(&line) {
        return Ok(line);
    }
    Err(Problem::new(Fault::UnknownLine, "no line has this number").at(field))
}

/// The line of a node that has but one.
fn only_line(settings: &Settings) -> Result<Number, Problem> {
    let mut lines = settings.every_line.iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => Ok(*line),
        (_, _) => {
            let detail = "this node has several lines; say whose manner the callback has";
            Err(Problem::new(Fault::MissingField, detail).at("line"))
        }
    }
}

fn check_key(key: &str, field: &str) -> Result<(), Problem> {
    if Prompt::ALL.iter().any(|prompt| prompt.key() == key) {
        return Ok(());
    }
    Err(Problem::new(Fault::UnknownPrompt, "GET /v1/prompts lists them").at(field))
}

/// What no voice can say would only be heard as nothing, or not be spoken at all.
fn check_text(text: &str, field: &str) -> Result<(), Problem> {
    let is_said = |letter: char| !letter.is_control() || matches!(letter, '\n' | '\t');
    let length = text.chars().count();
    if !text.trim().is_empty() && length <= CallbackPrompt::LONGEST_TEXT && text.chars().all(is_said) {
        return Ok(());
    }
    let detail = format!("1 to {} characters that can be said", CallbackPrompt::LONGEST_TEXT);
    Err(Problem::new(Fault::TextInvalid, detail).at(field))
}

fn check_range(value: Option<u32>, most: u32, field: &str) -> Result<(), Problem> {
    if value.is_none_or(|value| (1..=most).contains(&value)) {
        return Ok(());
    }
    Err(Problem::new(Fault::OutOfRange, format!("from 1 to {most}")).at(field))
}

fn check_window(hours: Option<&str>, zone: Option<&str>) -> Result<Option<Window>, Problem> {
    let wrong = |detail: &str, field: &str| Problem::new(Fault::WindowInvalid, detail).at(field);
    let Some(hours) = hours else {
        let nothing = "means nothing without window beside it";
        return zone.map_or(Ok(None), |_| Err(wrong(nothing, "time_zone")));
    };
    Window::parse(hours, zone).map(Some).map_err(|why| match why {
        NotQuiet::Hours => wrong("hours are written \"09:00-21:00\"", "window"),
        NotQuiet::Zone => wrong(&why.to_string(), "time_zone"),
    })
}

fn check_at(at: Option<&str>, now: Timestamp) -> Result<Timestamp, Problem> {
    let Some(at) = at else { return Ok(now) };
    let at: Timestamp = at
        .parse()
        .map_err(|_| Problem::new(Fault::WrongType, "a time is written 2026-01-31T12:00:00Z").at("at"))?;
    if at < now || now.after(FURTHEST) < at {
        let detail = "a callback begins now, or within thirty days";
        return Err(Problem::new(Fault::OutOfRange, detail).at("at"));
    }
    Ok(at)
}
