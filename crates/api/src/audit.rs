//! Who looked at what: written down before the answer goes out. And `/v1/audit`, where that is read.

use std::time::SystemTime;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{Method, StatusCode};
use number::Number;
use store::{AuditEntry, NewAudit, Store};

use crate::gate::Gate;
use crate::page::Listed;
use crate::parameters::Parameters;
use crate::privacy::last4;
use crate::problem::Problem;
use crate::token::{Caller, Role};

/// What is written down of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Noted {
    /// Whole numbers are shown: to whoever sees them masked, nothing is.
    Shown,
    /// Something was done or heard.
    Done,
}

/// What is written down, in one word, by method and path.
const NOTED: &[(Method, &str, Noted, &str)] = &[
    (Method::GET, "/v1/orders", Noted::Shown, "orders.listed"),
    (Method::GET, "/v1/orders/{code}", Noted::Shown, "order.read"),
    (Method::GET, "/v1/contacts", Noted::Shown, "contacts.listed"),
    (Method::GET, "/v1/contacts/{id}", Noted::Shown, "contact.read"),
    (Method::DELETE, "/v1/contacts/{id}", Noted::Done, "contact.deleted"),
    (Method::GET, "/v1/calls", Noted::Shown, "calls.listed"),
    (Method::GET, "/v1/calls/{id}", Noted::Shown, "call.read"),
    (Method::GET, "/v1/calls/{id}/trace", Noted::Done, "trace.read"),
    (Method::DELETE, "/v1/calls/{id}", Noted::Done, "call.hung-up"),
    (Method::POST, "/v1/calls/{id}/recording", Noted::Done, "recording.switched"),
    (Method::GET, "/v1/records", Noted::Shown, "records.listed"),
    (Method::GET, "/v1/records/{id}", Noted::Shown, "record.read"),
    (Method::GET, "/v1/recordings/{id}", Noted::Done, "recording.heard"),
    (Method::GET, "/v1/recordings/{id}/peaks", Noted::Done, "recording.drawn"),
    (Method::DELETE, "/v1/recordings/{id}", Noted::Done, "recording.deleted"),
    (Method::PUT, "/v1/prompts/{language}/{key}", Noted::Done, "prompt.replaced"),
    (Method::DELETE, "/v1/prompts/{language}/{key}", Noted::Done, "prompt.restored"),
    (Method::GET, "/v1/blocks", Noted::Shown, "blocks.listed"),
    (Method::GET, "/v1/blocks/{id}", Noted::Shown, "block.read"),
    (Method::POST, "/v1/blocks", Noted::Done, "block.put"),
    (Method::DELETE, "/v1/blocks/{id}", Noted::Done, "block.lifted"),
    (Method::GET, "/v1/people/{number}", Noted::Done, "person.exported"),
    (Method::DELETE, "/v1/people/{number}", Noted::Done, "person.erased"),
    (Method::GET, "/v1/events", Noted::Shown, "events.listened"),
    (Method::GET, "/v1/ws", Noted::Shown, "events.listened"),
    (Method::POST, "/v1/reveals", Noted::Done, "number.revealed"),
    (Method::DELETE, "/v1/session", Noted::Done, "session.ended"),
    (Method::GET, "/v1/webhooks/{name}/dead-letters", Noted::Shown, "dead-letters.listed"),
    (Method::GET, "/v1/audit", Noted::Done, "audit.read"),
];

/// What is to be written down of a request, but for how it was answered.
pub(crate) struct Note {
    what: &'static str,
    subject: Option<String>,
    number: Option<String>,
}

impl Note {
    /// `None`: nothing is, of this one. `pattern` is the path as the router has it.
    pub(crate) fn of(
        gate: &Gate,
        method: &Method,
        pattern: &str,
        uri: &axum::http::Uri,
        caller: Caller,
    ) -> Option<Self> {
        let (.., noted, what) = NOTED.iter().find(|(noted, path, ..)| noted == method && *path == pattern)?;
        if *noted == Noted::Shown && caller.role == Role::Operator {
            return None;
        }
        let plan = &gate.settings().plan;
        let mask = |text: &str| plan.parse(text).ok().map(last4);
        let mut subject = Vec::new();
        let mut number = None;
        for (name, part) in pattern.split('/').zip(uri.path().split('/')) {
            match name {
                "{number}" => number = mask(&part.replace("%2B", "+").replace("%2b", "+")),
                _ if name.starts_with('{') => subject.push(part.to_owned()),
                _ => {}
            }
        }
        let asked = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
            .find(|(name, _)| name == "number")
            .and_then(|(_, text)| mask(text.trim()));
        let subject = (!subject.is_empty()).then(|| subject.join("/"));
        Some(Self { what, subject, number: number.or(asked) })
    }

    /// The same, about this number: what a body says is not known before it is read.
    pub(crate) fn about(mut self, number: Option<Number>) -> Self {
        self.number = self.number.or(number.map(last4));
        self
    }

    /// The same, of this thing.
    pub(crate) fn of_subject(mut self, subject: Option<Subject>) -> Self {
        self.subject = self.subject.or(subject.map(|subject| subject.0));
        self
    }

    /// Written down, durably.
    pub(crate) async fn write(self, gate: &Gate, who: String, status: StatusCode) -> Result<(), Problem> {
        let Self { what, subject, number } = self;
        let at = SystemTime::now().into();
        let new = NewAudit { at, who, what, subject, number, status: status.as_u16() };
        gate.store(move |store| store.append_audit(new)).await
    }
}

/// What an answer is about, where the path does not say so.
#[derive(Debug, Clone)]
pub(crate) struct Subject(pub(crate) String);

/// About whom an answer is, where neither path nor query say so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About(pub(crate) Number);

/// `GET /v1/audit`
pub(crate) async fn list(
    State(gate): State<Gate>,
    RawQuery(query): RawQuery,
) -> Result<Json<Listed<AuditEntry>>, Problem> {
    let parameters = Parameters::read(query.as_deref(), &["limit", "cursor"])?;
    let (limit, cursor) = (parameters.limit()?, parameters.text("cursor").map(str::to_owned));
    let page = gate.store(move |store: &Store| store.audit(cursor.as_deref(), limit)).await?;
    Ok(Json(Listed::of(page, |entry| entry)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::routes;

    #[test]
    fn what_is_noted_are_routes() {
        let routes = routes();
        for (method, path, ..) in NOTED {
            assert!(routes.iter().any(|route| route.method == method && route.path == *path), "{path}");
        }
    }
}
