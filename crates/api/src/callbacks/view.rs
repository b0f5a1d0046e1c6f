//! A callback as it is answered.

use b2bua::Stage;
use number::Number;
use serde::Serialize;
use store::{
    Callback, CallbackPrompt, CallbackSide, FoundCallback, Json, Record, Timestamp, TriedRecord, Ulid,
};

use super::draft::{PromptBody, TextBody};
use crate::privacy::{last4, mask_json, masked};
use crate::token::{Caller, Role};

/// A callback and what became of it.
#[derive(Debug, Serialize)]
pub(crate) struct CallbackView {
    id: Ulid,
    /// A word of `b2bua::Stage`.
    state: &'static str,
    created_at: Timestamp,
    at: Timestamp,
    window: Option<String>,
    time_zone: Option<String>,
    /// When it begins, or began to be carried out.
    begins_at: Timestamp,
    plan: Option<Box<str>>,
    line: String,
    first: SideView,
    second: SideView,
    max_seconds: Option<u32>,
    record: Option<bool>,
    data: Option<Json>,
    /// Each number that was called.
    tried: Vec<TriedRecord>,
    answered_at: Option<Timestamp>,
    bridged_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    talk_seconds: f64,
    cause: Option<String>,
    ended_by: Option<String>,
    recording: Option<String>,
}

#[derive(Debug, Serialize)]
struct SideView {
    numbers: Vec<NumberView>,
    strategy: Box<str>,
    line: String,
    prompt: Option<PromptBody>,
    confirm: bool,
}

#[derive(Debug, Serialize)]
struct NumberView {
    number: String,
    ring_seconds: Option<u32>,
}

impl CallbackView {
    pub(crate) fn of(found: FoundCallback, caller: Caller) -> Self {
        let masks = caller.role == Role::Operator;
        let FoundCallback { callback, record } = found;
        let stage = stage(&callback, record.as_ref());
        let record = record.unwrap_or_default();
        let (ended_at, cause, ended_by) = match &callback.end {
            Some(end) => (Some(end.at), Some(end.cause.to_string()), Some("us".to_owned())),
            None => (record.ended_at, record.cause, record.ended_by),
        };
        let tried = record.tried.into_iter().map(|tried| TriedRecord {
            number: tried.number.map(|number| if masks { masked(&number) } else { number }),
            ..tried
        });
        Self {
            id: callback.id,
            state: stage.word(),
            created_at: callback.created_at,
            at: callback.at,
            window: callback.window.as_ref().map(store::Window::hours),
            time_zone: callback.window.as_ref().and_then(store::Window::zone).map(str::to_owned),
            begins_at: callback.begins_at(),
            plan: callback.plan,
            line: callback.line.to_string(),
            first: SideView::of(callback.first, masks),
            second: SideView::of(callback.second, masks),
            max_seconds: callback.max_seconds,
            record: callback.record,
            data: callback.data.map(|data| if masks { mask_json(&data) } else { data }),
            tried: tried.collect(),
            answered_at: record.answered_at,
            bridged_at: record.bridged_at,
            ended_at,
            talk_seconds: record.talk_seconds,
            cause,
            ended_by,
            recording: record.recording,
        }
    }
}

impl SideView {
    fn of(side: CallbackSide, masks: bool) -> Self {
        let show = |number: Number| if masks { last4(number) } else { number.to_string() };
        let numbers = side.numbers.into_iter();
        let numbers =
            numbers.map(|one| NumberView { number: show(one.number), ring_seconds: one.ring_seconds });
        Self {
            numbers: numbers.collect(),
            strategy: side.strategy,
            line: side.line.to_string(),
            prompt: side.prompt.map(|prompt| prompt_view(prompt, masks)),
            confirm: side.confirm,
        }
    }
}

/// Whoever may not see numbers sees no digit of a text: any may be somebody's.
fn prompt_view(prompt: CallbackPrompt, masks: bool) -> PromptBody {
    match prompt {
        CallbackPrompt::Key(key) => PromptBody::Key(key.into()),
        CallbackPrompt::Text { text, language } => {
            let text = if masks { text.replace(char::is_numeric, "*") } else { text.into() };
            PromptBody::Text(TextBody { text, language: language.map(Into::into) })
        }
    }
}

/// How far it has come, as far as is kept.
pub(super) fn stage(callback: &Callback, record: Option<&Record>) -> Stage {
    let Some(record) = record else {
        return if callback.end.is_some() { Stage::Ended } else { Stage::Waiting };
    };
    let is_there = |tried: &TriedRecord| tried.answered_seconds.is_some() && tried.cause.is_none();
    if record.cause.is_some() {
        Stage::Ended
    } else if record.bridged_at.is_some() {
        Stage::Talking
    } else if record.tried.iter().any(is_there) {
        Stage::FirstAnswered
    } else if record.tried.iter().any(|tried| tried.rang_seconds.is_some()) {
        Stage::Ringing
    } else if record.tried.is_empty() {
        Stage::Waiting
    } else {
        Stage::Dialling
    }
}
