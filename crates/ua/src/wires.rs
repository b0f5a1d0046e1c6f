//! What a leg works with while it handles one input.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sip::{Compose, Flow, Method, Name, Status};

use crate::chance::Chance;
use crate::compose::{ALLOW, Contact, Q850, SDP};
use crate::dialog::{Dialog, Outgoing};
use crate::interface::{Ending, LegEvent, LegId, Letter, Output, Owner, RetryAfter, Timer, Why};
use crate::leg::Pending;
use crate::place::Place;
use crate::session::Granted;
use crate::settings::Settings;
use crate::transaction::{Part, Sent, Start, Transactions, User};

/// The way from a leg to the world: transactions, chance, settings, and the list of what must be done.
pub(crate) struct Wires<'a> {
    pub(crate) leg: LegId,
    pub(crate) transactions: &'a mut Transactions,
    pub(crate) chance: &'a mut Chance,
    pub(crate) settings: &'a Settings,
    pub(crate) out: &'a mut Vec<Output>,
}

impl Wires<'_> {
    pub(crate) fn say(&mut self, event: LegEvent) {
        self.out.push(Output::Event(self.leg, event));
    }

    pub(crate) fn ended(&mut self, ending: Ending) {
        self.say(LegEvent::Ended(ending));
    }

    pub(crate) fn arm(&mut self, letter: Letter, after: Duration) {
        self.out.push(Output::Arm(Timer { owner: Owner::Leg(self.leg), letter }, after));
    }

    pub(crate) fn disarm(&mut self, letter: Letter) {
        self.out.push(Output::Disarm(Timer { owner: Owner::Leg(self.leg), letter }));
    }

    /// Sends what belongs to no transaction: an ACK to a 2xx.
    pub(crate) fn send(&mut self, flow: Flow, bytes: Bytes) {
        self.out.push(Output::Send { leg: Some(self.leg), flow, bytes });
    }

    /// The listener of ours that this flow came in by.
    pub(crate) fn place(&self, flow: Flow) -> Option<&Arc<Place>> {
        self.settings.place(flow.listener)
    }

    /// Begins a response.
    pub(crate) fn answer(&self, pending: &Pending, status: Status) -> Compose {
        let tag = Some(pending.tag.as_str());
        Compose::answer(&pending.request, status, tag, pending.flow.peer)
            .maybe(Name::Server, self.settings.product.as_deref())
    }

    /// Begins a response that makes a dialog or refreshes one (RFC 3261 §12.1.1).
    pub(crate) fn in_dialog(&self, pending: &Pending, status: Status, place: &Place) -> Compose {
        let mut compose = self.answer(pending, status);
        if pending.request.headers().to().tag().is_none() {
            compose = compose.copied(&pending.request, Name::RecordRoute);
        }
        compose
            .header(Name::Contact, Contact::beside(place, &pending.request.uri()))
            .header(Name::Allow, ALLOW)
    }

    /// The response that makes a dialog or refreshes one, with a session description where there is one,
    /// and what is granted of session timers (RFC 3261 §12.1.1, §13.3.1; RFC 3311 §5.2).
    pub(crate) fn description(
        &self,
        pending: &Pending,
        status: Status,
        place: &Place,
        sdp: Option<&Bytes>,
        granted: Option<Granted>,
    ) -> Bytes {
        let mut compose = self.in_dialog(pending, status, place);
        if status.is_success() {
            compose = compose.header(Name::Supported, self.settings.supported());
        }
        if let Some(granted) = granted {
            compose = granted.write(compose);
        }
        match sdp {
            Some(sdp) => compose.body(SDP, sdp),
            None => compose.end(),
        }
    }

    /// Sends a response.
    pub(crate) fn respond(&mut self, pending: &Pending, status: Status, response: Bytes) {
        self.transactions.respond(pending.transaction, status.code(), response, self.out);
    }

    /// Sends a response that is nothing but its status.
    pub(crate) fn reply(&mut self, pending: &Pending, status: Status) {
        let response = self.answer(pending, status).end();
        self.respond(pending, status, response);
    }

    /// Refuses for the moment: the other side may try again after a pause (RFC 3261 §14.2, RFC 3311 §5.2).
    pub(crate) fn not_now(&mut self, pending: &Pending) {
        let status = Status::SERVER_INTERNAL_ERROR;
        let pause: RetryAfter = self.chance.retry_after();
        let response = self.answer(pending, status).header(Name::RetryAfter, pause).end();
        self.respond(pending, status, response);
    }

    /// Says that an INVITE has come, so that it is not sent again. At once and not after 200 ms
    /// (RFC 3261 §17.2.1): whatever decides about the call may take longer, and then it is too late.
    pub(crate) fn trying(&mut self, pending: &Pending) {
        let status = Status::TRYING;
        let response = Compose::answer(&pending.request, status, None, pending.flow.peer).end();
        self.respond(pending, status, response);
    }

    /// Sends a BYE.
    pub(crate) fn bye(&mut self, dialog: &mut Dialog, why: Option<Why>, part: Part) {
        let outgoing = dialog.request(&Method::Bye, self.chance);
        self.send_bye(outgoing, dialog, why, part);
    }

    /// Sends a BYE that was challenged once more, with credentials.
    pub(crate) fn bye_again(&mut self, dialog: &mut Dialog, why: Option<Why>, part: Part) {
        let outgoing = dialog.again(&Method::Bye, self.chance);
        self.send_bye(outgoing, dialog, why, part);
    }

    fn send_bye(&mut self, outgoing: Outgoing, dialog: &Dialog, why: Option<Why>, part: Part) {
        let compose = outgoing.compose.maybe(Name::Reason, why.and_then(Q850::of));
        let compose = compose.maybe(Name::UserAgent, self.settings.product.as_deref());
        let start = Start {
            user: User::Leg(self.leg, part),
            flow: outgoing.flow,
            place: Arc::clone(dialog.place()),
            method: Sent::Bye,
            branch: outgoing.branch,
            bytes: compose.end(),
        };
        self.transactions.request(start, self.settings.timing, self.out);
    }
}
