//! `[[line]]`: our numbers and what they do.

use std::ops::RangeInclusive;
use std::time::Duration;

use ::sip::Uri;
use b2bua::{
    Answer, Attestation, Blocked, Choice, DialRules, EarlyMedia, HookFailure, Policy, RecordNotice,
    Strangers, Treatment,
};
use number::{Number, Plan};
use store::Quiet;
use toml::de::DeValue;

use super::address::{self, Destination};
use super::prompts::LANGUAGES;
use super::value;
use super::walk::{Given, Schema, Section, Walk};

pub(super) const SCHEMA: Schema = Schema {
    name: "line",
    keys: &[
        "number",
        "service",
        "strangers",
        "reserved",
        "trunk",
        "language",
        "operator",
        "unverified",
        "disproved",
        "attestation",
        "record",
        "record_notice",
        "record_refuse",
        "dial_allow",
        "dial_deny",
        "blocked",
        "quiet",
        "time_zone",
        "ask",
        "redial",
        "redial_window",
        "whisper",
        "confirm",
        "code_length",
        "code_attempts",
        "lockout",
        "hint_after",
        "input_timeout",
        "answer",
        "answer_after",
        "ring_timeout",
        "early_media",
        "hook",
        "answer_first",
        "hook_failure",
        "strangers_hook",
        "approval_hook",
        "approval_failure",
        "max_call",
        "warning",
    ],
    refused: &[],
};

/// Keys that say how callers are treated who are not verified.
pub(super) const POLICY: [&str; 3] = ["unverified", "disproved", "attestation"];

/// `[[line]]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    /// What both sides see.
    pub(crate) number: Number,
    /// How the route of a call is found.
    pub(crate) service: Service,
    /// By which trunks it calls out, by their places in `Checked::trunks`.
    pub(crate) trunks: Choice,
    /// What callers hear unless the order says otherwise.
    pub(crate) language: String,
    /// Whom `#` reaches.
    pub(crate) operator: Option<Operator>,
    /// What other programs have a say in.
    pub(crate) hooked: Hooked,
    /// When the parties of its calls are left in peace, unless their order says otherwise.
    pub(crate) quiet: Option<Quiet>,
    /// Everything else.
    pub(crate) manner: Manner,
}

/// What other programs have a say in, by the names of their `[[hook]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hooked {
    /// Whom a line asks of which hooks are the service.
    pub(crate) hook: Option<String>,
    /// Whether callers are answered before that.
    pub(crate) answers_first: bool,
    pub(crate) failure: HookFailure,
    /// Who looks after callers who are no party of anything.
    pub(crate) strangers: Option<String>,
    /// Who is asked before a caller is connected to the other party.
    pub(crate) approval: Option<String>,
    /// Whether they are connected where that says nothing.
    pub(crate) is_open: bool,
}

/// How the route of a call to a line is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// By the code of an order.
    Orders,
    /// Everyone reaches the operator.
    Reserve,
    /// By a hook.
    Hook,
    /// By the caller's number and the one dialled.
    Pairs {
        /// What becomes of those whom the number connects with nobody.
        strangers: Strangers,
        /// Whether it is given to those pairs alone that name it.
        reserved: bool,
    },
}

/// Keys of one service, which mean nothing where the line has another.
pub(super) const OF_ORDERS: [&str; 8] =
    ["ask", "redial", "redial_window", "whisper", "code_length", "code_attempts", "lockout", "hint_after"];
/// As above.
pub(super) const OF_PAIRS: [&str; 2] = ["strangers", "reserved"];

/// Whom `#` reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operator {
    /// A number, by the line's trunk.
    Number(Number),
    /// A SIP address, reached directly.
    Uri {
        /// As written.
        uri: Uri,
        /// Where it is, to be resolved.
        destination: Destination,
    },
}

/// How a line treats its calls. What has no key of its own to fail cross checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manner {
    pub(crate) policy: Policy,
    pub(crate) record: bool,
    pub(crate) record_notice: RecordNotice,
    pub(crate) record_refuse: Option<char>,
    pub(crate) dial: DialRules,
    pub(crate) blocked: Blocked,
    pub(crate) ask_when_needed: bool,
    /// How far back a call counts for redial; `None`: no redial.
    pub(crate) redial: Option<Duration>,
    pub(crate) whisper: bool,
    pub(crate) confirm: bool,
    pub(crate) code_length: u8,
    pub(crate) code_attempts: u8,
    pub(crate) lockout: Duration,
    pub(crate) hint_after: Duration,
    pub(crate) input_timeout: Duration,
    pub(crate) answer: Answer,
    pub(crate) answer_after: Duration,
    pub(crate) ring_timeout: Duration,
    pub(crate) early_media: EarlyMedia,
    pub(crate) max_call: Duration,
    pub(crate) warning: Duration,
}

/// A line as far as it could be read; `None` is a fault already noted.
#[derive(Debug)]
pub(super) struct Draft<'d> {
    pub(super) section: Section<'d>,
    /// None where they are at fault.
    pub(super) numbers: Vec<Number>,
    pub(super) service: Service,
    /// The trunks' names, where they are written.
    pub(super) trunk: Given<Named>,
    language: String,
    pub(super) operator: Option<Operator>,
    pub(super) hooked: Hooked,
    quiet: Option<Quiet>,
    pub(super) manner: Manner,
}

impl Draft<'_> {
    /// A line for each of its numbers, if nothing was at fault.
    pub(super) fn finish(self, trunks: Option<Choice>) -> Option<Vec<Line>> {
        let trunks = trunks?;
        let line = |number| Line {
            number,
            service: self.service,
            trunks: trunks.clone(),
            language: self.language.clone(),
            operator: self.operator.clone(),
            hooked: self.hooked.clone(),
            quiet: self.quiet.clone(),
            manner: self.manner.clone(),
        };
        let lines: Vec<Line> = self.numbers.into_iter().map(line).collect();
        (!lines.is_empty()).then_some(lines)
    }
}

pub(super) fn read<'d>(
    walk: &mut Walk<'d>,
    root: &Section<'d>,
    plan: Plan,
    policy: &super::Policy,
) -> Vec<Draft<'d>> {
    let sections = walk.sections(root, &SCHEMA);
    let lines: Vec<Draft<'d>> =
        sections.into_iter().map(|section| one(walk, section, plan, policy)).collect();
    if lines.is_empty() && !root.has("line") {
        walk.fault(
            root.place("line"),
            "there is none: write a [[line]] for each number that is to be answered",
        );
    }
    lines
}

fn one<'d>(walk: &mut Walk<'d>, section: Section<'d>, plan: Plan, policy: &super::Policy) -> Draft<'d> {
    let numbers = match walk.list(&section, "number", |value| value::numbers(value, plan)) {
        Given::Absent => {
            walk.fault(section.place("number"), "is missing: the number people dial, one of its trunk's");
            Vec::new()
        }
        Given::Is(numbers) if numbers.is_empty() => {
            walk.fault(section.place("number"), "is empty: the number people dial, one of its trunk's");
            Vec::new()
        }
        Given::Is(numbers) => numbers.concat(),
        Given::Faulty => Vec::new(),
    };
    let service = walk.get(&section, "service", |value| value::word(value, SERVICES)).or(Service::Orders);
    let strangers =
        walk.get(&section, "strangers", |value| value::word(value, STRANGERS)).or(Strangers::Tell);
    let reserved = walk.get(&section, "reserved", value::flag).or(false);
    let service = match service {
        Service::Orders | Service::Hook | Service::Reserve => service,
        Service::Pairs { .. } => Service::Pairs { strangers, reserved },
    };
    let trunk = trunks(walk, &section);
    let language = walk.get(&section, "language", language).or("ru".to_owned());
    let operator = walk.get(&section, "operator", |value| operator(value, plan)).ok();
    if service == Service::Reserve && !section.has("operator") {
        let text =
            "is needed: whoever calls a line with service = \"reserve\" is put through to its operator";
        walk.fault(section.place("operator"), text);
    }
    let hooked = hooked(walk, &section, service, operator.is_some());
    let quiet = super::policy::quiet(walk, &section, policy.quiet.as_ref());
    let manner = manner(walk, &section, &policy.dial);
    late(walk, &section, service, &manner);
    Draft { section, numbers, service, trunk, language, operator, hooked, quiet, manner }
}

/// A line whose callers are answered only when the callee has answered has nothing to say to them before.
fn late<'d>(walk: &mut Walk<'d>, section: &Section<'d>, service: Service, manner: &Manner) {
    if manner.answer == Answer::AtOnce {
        return;
    }
    if matches!(service, Service::Orders | Service::Hook) {
        let text = "\"when-answered\" is for lines with service = \"pairs\" or \"reserve\": others speak to callers before anybody is called";
        walk.fault(section.place("answer"), text);
    }
    for key in ["answer_after", "early_media"].into_iter().filter(|key| section.has(key)) {
        let text = "means nothing with answer = \"when-answered\": callers hear their own network's ringing";
        walk.fault(section.place(key), text);
    }
    if manner.record_notice != RecordNotice::Off {
        let text = "needs answer = \"at-once\": callers are told before anybody is called";
        walk.fault(section.place("record_notice"), text);
    }
    // RFC 3261 §16.6: a proxy waits for three minutes.
    if manner.ring_timeout > Duration::from_secs(150) {
        let text = "is at most 150s with answer = \"when-answered\": carriers give up who wait for longer";
        walk.fault(section.place("ring_timeout"), text);
    }
}

fn hooked<'d>(walk: &mut Walk<'d>, section: &Section<'d>, service: Service, has_operator: bool) -> Hooked {
    let hook = walk.get(section, "hook", value::name);
    match (service, &hook) {
        (Service::Hook, Given::Absent) => {
            let text = "is missing: which [[hook]] says what becomes of calls?";
            walk.fault(section.place("hook"), text);
        }
        (Service::Orders | Service::Pairs { .. } | Service::Reserve, Given::Is(_)) => {
            let text =
                "means nothing without service = \"hook\"; strangers_hook and approval_hook are for others";
            walk.fault(section.place("hook"), text);
        }
        (Service::Hook, Given::Is(_) | Given::Faulty)
        | (Service::Orders | Service::Pairs { .. } | Service::Reserve, Given::Absent | Given::Faulty) => {}
    }
    let failure = walk.get(section, "hook_failure", |value| value::word(value, FAILURES));
    if failure == Given::Is(HookFailure::Reserve) && !has_operator {
        let text = "is \"reserve\", and there is nobody in reserve: write operator, or \"refuse\"";
        walk.fault(section.place("hook_failure"), text);
    }
    let strangers = walk.get(section, "strangers_hook", value::name).ok();
    let approval = walk.get(section, "approval_hook", value::name).ok();
    let is_open = walk.get(section, "approval_failure", |value| value::word(value, OPEN)).or(false);
    let of_orders = ["strangers_hook", "approval_hook", "approval_failure"];
    for key in of_orders.into_iter().filter(|key| service == Service::Hook && section.has(key)) {
        walk.fault(
            section.place(key),
            "means nothing with service = \"hook\": the hook decides about all calls",
        );
    }
    let answers_first = walk.get(section, "answer_first", value::flag).or(false);
    Hooked {
        hook: hook.ok(),
        answers_first,
        failure: failure.or(HookFailure::default()),
        strangers,
        approval,
        is_open,
    }
}

const FAILURES: &[(&str, Result<HookFailure, &str>)] = &[
    ("reserve", Ok(HookFailure::Reserve)),
    ("last-good", Ok(HookFailure::LastGood)),
    ("refuse", Ok(HookFailure::Refuse)),
];

const OPEN: &[(&str, Result<bool, &str>)] = &[("open", Ok(true)), ("closed", Ok(false))];

/// Trunks as they are written: one, several in order, or each with its weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    InOrder(Vec<String>),
    ByWeight(Vec<(String, u32)>),
}

impl Named {
    pub(super) fn names(&self) -> Vec<&str> {
        match self {
            Self::InOrder(names) => names.iter().map(String::as_str).collect(),
            Self::ByWeight(weights) => weights.iter().map(|(name, _)| name.as_str()).collect(),
        }
    }
}

/// `"main"`, `["main", "backup"]`, `{ main = 3, backup = 1 }`.
fn trunks<'d>(walk: &mut Walk<'d>, section: &Section<'d>) -> Given<Named> {
    let weights = |value: &DeValue<'_>| {
        let Some(table) = value.as_table() else { return Ok(None) };
        let weight =
            |(name, weight): (&toml::Spanned<std::borrow::Cow<'_, str>>, &toml::Spanned<DeValue<'_>>)| {
                let number = value::integer(weight.get_ref(), 0..=1000)
                    .map_err(|why| format!("{}: {why}", name.get_ref()))?;
                Ok((name.get_ref().to_string(), u32::try_from(number).expect("at most 1000")))
            };
        table.iter().map(weight).collect::<Result<Vec<_>, String>>().map(Some)
    };
    let named = match walk.get(section, "trunk", weights) {
        Given::Is(Some(weights)) => Named::ByWeight(weights),
        Given::Is(None) => match walk.list(section, "trunk", value::name) {
            Given::Is(names) => Named::InOrder(names),
            Given::Absent => return Given::Absent,
            Given::Faulty => return Given::Faulty,
        },
        Given::Absent => return Given::Absent,
        Given::Faulty => return Given::Faulty,
    };
    let names = named.names();
    let twice = names.iter().enumerate().find(|(place, name)| names[..*place].contains(name));
    let wrong = match twice {
        _ if names.is_empty() => "is empty: name the trunk this line calls out by".to_owned(),
        Some((_, name)) => format!("{name:?} stands here twice"),
        None => return Given::Is(named),
    };
    walk.fault(section.place("trunk"), wrong);
    Given::Faulty
}

const SERVICES: &[(&str, Result<Service, &str>)] = &[
    ("orders", Ok(Service::Orders)),
    ("pairs", Ok(Service::Pairs { strangers: Strangers::Tell, reserved: false })),
    ("hook", Ok(Service::Hook)),
    ("reserve", Ok(Service::Reserve)),
    ("scenario", Err("is not available yet")),
];

const STRANGERS: &[(&str, Result<Strangers, &str>)] = &[
    ("tell", Ok(Strangers::Tell)),
    ("refuse", Ok(Strangers::Refuse)),
    ("operator", Ok(Strangers::Operator)),
];

const ASK: &[(&str, Result<bool, &str>)] = &[("always", Ok(false)), ("when-needed", Ok(true))];

const EARLY: &[(&str, Result<EarlyMedia, &str>)] =
    &[("ours", Ok(EarlyMedia::Ours)), ("pass", Ok(EarlyMedia::Pass))];

fn language(value: &DeValue<'_>) -> Result<String, String> {
    value::word(value, &LANGUAGES.map(|language| (language, Ok(language.to_owned()))))
}

fn operator(value: &DeValue<'_>, plan: Plan) -> Result<Operator, String> {
    let uri = value.as_str().filter(|text| text.contains(':'));
    match uri {
        Some(uri) => address::operator(uri).map(|(uri, destination)| Operator::Uri { uri, destination }),
        None => value::number(value, plan)
            .map(Operator::Number)
            .map_err(|why| format!("{why}; or as a SIP address, \"sip:desk@192.0.2.20\"")),
    }
}

fn manner<'d>(walk: &mut Walk<'d>, section: &Section<'d>, dial: &DialRules) -> Manner {
    let mut time = |key, range: RangeInclusive<Duration>, default| {
        walk.get(section, key, |value| value::duration(value, range)).or(default)
    };
    let second = Duration::from_secs(1);
    let script = ivr::Settings::default();
    let hint_after = time("hint_after", Duration::ZERO..=second * 60, script.hint_after);
    let input_timeout = time("input_timeout", second..=second * 120, script.input_timeout);
    let answer_after = time("answer_after", Duration::ZERO..=second * 60, Duration::ZERO);
    let ring_timeout = time("ring_timeout", second..=second * 300, second * 45);
    let max_call = time("max_call", second..=second * 86_400, second * 7200);
    let warning = time("warning", Duration::ZERO..=second * 3600, (second * 60).min(max_call / 2));
    let lockout = time("lockout", Duration::ZERO..=second * 86_400, second * 600);
    let redial_window = time("redial_window", second..=second * 86_400, second * 7200);
    if warning >= max_call {
        let key = if section.has("warning") { "warning" } else { "max_call" };
        walk.fault(section.place(key), "the warning comes before max_call has passed, so it must be shorter");
    }
    let redial = walk.get(section, "redial", value::flag).or(false);
    if section.has("redial_window") && !redial {
        walk.warn(section.place("redial_window"), "means nothing without redial = true");
    }
    let policy = policy(walk, section);
    let dial = super::policy::dial(walk, section, dial);
    let blocked = walk.get(section, "blocked", |value| value::word(value, BLOCKED)).or(Blocked::Refuse);
    let (record, record_notice, record_refuse) = recording(walk, section);
    let confirm = walk.get(section, "confirm", value::flag).or(false);
    if confirm && record_refuse == Some('1') {
        walk.fault(
            section.place("record_refuse"),
            "with confirm = true the key 1 accepts the call; take another",
        );
    }
    let mut small = |key, most, default| {
        let read = walk.get(section, key, |value| value::integer(value, 1..=most));
        read.ok().map_or(default, |number| u8::try_from(number).expect("the ranges end below 256"))
    };
    Manner {
        policy,
        code_length: small("code_length", 12, script.code_length),
        code_attempts: small("code_attempts", 20, script.code_attempts),
        record,
        record_notice,
        record_refuse,
        dial,
        blocked,
        ask_when_needed: walk.get(section, "ask", |value| value::word(value, ASK)).or(false),
        whisper: walk.get(section, "whisper", value::flag).or(true),
        confirm,
        redial: redial.then_some(redial_window),
        lockout,
        hint_after,
        input_timeout,
        answer: walk.get(section, "answer", |value| value::word(value, ANSWERS)).or(Answer::AtOnce),
        answer_after,
        ring_timeout,
        early_media: walk.get(section, "early_media", |value| value::word(value, EARLY)).or(EarlyMedia::Ours),
        max_call,
        warning,
    }
}

/// Whether calls are recorded, who is told, and by which key they refuse.
fn recording<'d>(walk: &mut Walk<'d>, section: &Section<'d>) -> (bool, RecordNotice, Option<char>) {
    let record = walk.get(section, "record", value::flag).or(false);
    let notice =
        walk.get(section, "record_notice", |value| value::word(value, NOTICES)).or(RecordNotice::Off);
    let refuse = walk
        .get(section, "record_refuse", |value| {
            let text = value::text(value)?;
            let mut keys = text.chars().filter(char::is_ascii_digit);
            keys.next().filter(|_| text.len() == 1).ok_or_else(|| "is one digit, such as \"9\"".to_owned())
        })
        .ok();
    if section.has("record_notice") && !record {
        walk.warn(section.place("record_notice"), "means nothing without record = true");
    }
    if refuse.is_some() && notice == RecordNotice::Off {
        let text = "means nothing without record_notice: nobody would know of it";
        walk.fault(section.place("record_refuse"), text);
    }
    (record, notice, refuse)
}

const NOTICES: &[(&str, Result<RecordNotice, &str>)] =
    &[("off", Ok(RecordNotice::Off)), ("caller", Ok(RecordNotice::Caller)), ("both", Ok(RecordNotice::Both))];

const ANSWERS: &[(&str, Result<Answer, &str>)] =
    &[("at-once", Ok(Answer::AtOnce)), ("when-answered", Ok(Answer::WhenAnswered))];

const BLOCKED: &[(&str, Result<Blocked, &str>)] =
    &[("refuse", Ok(Blocked::Refuse)), ("hear-out", Ok(Blocked::HearOut))];

/// Whoever is disproved fares no better than whoever is unknown.
fn policy<'d>(walk: &mut Walk<'d>, section: &Section<'d>) -> Policy {
    let mut treatment =
        |key, default| walk.get(section, key, |value| value::word(value, TREATMENTS)).or(default);
    let unverified = treatment("unverified", Policy::LENIENT.unverified);
    let disproved = treatment("disproved", Policy::LENIENT.disproved.max(unverified));
    if disproved < unverified {
        let text =
            "callers who are not who they say would fare better than those of whom nobody says anything";
        walk.fault(section.place("disproved"), text);
    }
    let attestation = walk.get(section, "attestation", |value| value::word(value, ATTESTATIONS)).ok();
    Policy { unverified, disproved, attestation }
}

const TREATMENTS: &[(&str, Result<Treatment, &str>)] = &[
    ("take", Ok(Treatment::Take)),
    ("stranger", Ok(Treatment::Stranger)),
    ("refuse", Ok(Treatment::Refuse)),
];

const ATTESTATIONS: &[(&str, Result<Attestation, &str>)] =
    &[("A", Ok(Attestation::Full)), ("B", Ok(Attestation::Partial)), ("C", Ok(Attestation::Gateway))];
