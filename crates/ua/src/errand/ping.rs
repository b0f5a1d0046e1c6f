//! Asking a trunk whether it is there (OPTIONS, RFC 3261 §11), again and again.

use std::sync::Arc;
use std::time::Duration;

use sip::{Compose, Flow, Method, Name, NameAddr, Status, Uri};

use super::{Input, Wires};
use crate::compose::{CSeq, Contact, HOPS, SDP, via};
use crate::interface::{Asking, ErrandCommand, ErrandEvent, Letter};
use crate::transaction::{Sent, Start, TransactionId, User};

/// So many questions in a row without an answer, or with one, before a trunk counts as down, or as up again.
const IN_A_ROW: u8 = 2;
/// After a question without an answer the next one does not wait longer than this.
const DOUBT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Ping {
    wanted: Asking,
    uri: Uri,
    /// Which of the flows is asked.
    at: usize,
    /// The question that waits for its answer.
    asked: Option<TransactionId>,
    /// What was said last: up or down.
    said: Option<bool>,
    /// Answers that contradict what was said, in a row.
    doubts: u8,
}

impl Ping {
    /// Asks for the first time; `None` where there is nowhere to ask or no address to ask for.
    pub(crate) fn begin(wanted: Asking, wires: &mut Wires<'_>) -> Option<Box<Self>> {
        let uri = Uri::parse(&wanted.uri).ok()?;
        wanted.flows.first()?;
        let mut ping = Box::new(Self { wanted, uri, at: 0, asked: None, said: None, doubts: 0 });
        ping.ask(wires);
        Some(ping)
    }

    pub(crate) fn handle(mut self: Box<Self>, input: Input, wires: &mut Wires<'_>) -> Option<Box<Self>> {
        match input {
            Input::Command(ErrandCommand::Ask(wanted)) => {
                let flow = self.flow();
                if !wanted.flows.is_empty() {
                    self.wanted = *wanted;
                    self.at = self.wanted.flows.iter().position(|other| *other == flow).unwrap_or(0);
                }
            }
            Input::Command(ErrandCommand::Stop) => {
                self.forget(wires);
                wires.disarm(Letter::Errand);
                return None;
            }
            Input::Response(response, _) if response.status().is_final() => {
                self.asked = None;
                self.learn(is_there(response.status()), wires);
            }
            Input::Unanswered => {
                self.asked = None;
                self.learn(false, wires);
            }
            Input::Fired(Letter::Errand) if self.asked.is_some() => {
                self.forget(wires);
                self.learn(false, wires);
            }
            Input::Fired(Letter::Errand) => self.ask(wires),
            Input::Command(ErrandCommand::Register(_))
            | Input::Response(..)
            | Input::Fired(_)
            | Input::FlowLost(_) => {}
        }
        Some(self)
    }

    fn flow(&self) -> Flow {
        self.wanted.flows[self.at]
    }

    fn forget(&mut self, wires: &mut Wires<'_>) {
        if let Some(transaction) = self.asked.take() {
            wires.transactions.abandon(transaction);
        }
    }

    fn ask(&mut self, wires: &mut Wires<'_>) {
        let flow = self.flow();
        wires.arm(Letter::Errand, self.wanted.patience);
        let Some(place) = wires.settings.place(flow.listener).map(Arc::clone) else { return };
        let Ok(from) = Uri::parse(&place.contact) else { return };
        let (branch, tag, call_id) = (wires.chance.token(), wires.chance.token(), wires.chance.token());
        let method = Method::Options;
        let bytes = Compose::request(&method, &self.uri)
            .header(Name::Via, via(&place, &branch))
            .header(Name::MaxForwards, HOPS)
            .header(Name::From, NameAddr { display: None, uri: from.parts(), tag: Some(tag.as_str()) })
            .header(Name::To, NameAddr { display: None, uri: self.uri.parts(), tag: None })
            .header(Name::CallId, call_id.as_str())
            .header(Name::CSeq, CSeq(1, &method))
            .header(Name::Contact, Contact::beside(&place, &self.uri.parts()))
            .header(Name::Accept, SDP)
            .maybe(Name::UserAgent, wires.settings.product.as_deref())
            .end();
        let user = User::Errand(wires.errand);
        let start = Start { user, flow, place, method: Sent::Options, branch, bytes };
        self.asked = Some(wires.transactions.request(start, wires.settings.timing, wires.out));
    }

    fn learn(&mut self, is_there: bool, wires: &mut Wires<'_>) {
        self.doubts = if self.said == Some(is_there) { 0 } else { self.doubts.saturating_add(1) };
        // The first answer is news at once; silence may be one lost datagram.
        let enough = if self.said.is_none() && is_there { 1 } else { IN_A_ROW };
        if self.doubts >= enough {
            self.said = Some(is_there);
            self.doubts = 0;
            wires.say(if is_there { ErrandEvent::Up } else { ErrandEvent::Down });
        }
        if !is_there {
            self.at = (self.at + 1) % self.wanted.flows.len().max(1);
        }
        let every = if is_there { self.wanted.every } else { self.wanted.every.min(DOUBT) };
        let pause = wires.chance.between(every * 9 / 10, every * 11 / 10);
        wires.arm(Letter::Errand, pause);
    }
}

/// Whether whoever says this takes calls. What it thinks of the question does not matter.
fn is_there(status: Status) -> bool {
    !matches!(status.code(), 408 | 500 | 502..=504)
}
