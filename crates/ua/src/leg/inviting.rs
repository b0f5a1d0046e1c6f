//! Our INVITE waits for a final response (RFC 3261 §13.2.2). Meanwhile any number of early dialogs may come and go.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sip::{Flow, Method, Request, Response, Status, Uri};

use super::early::{Begun, EarlyDialogs, News};
use super::forks::Forks;
use super::{Cancelling, Established, Input, Mark, State, Upkeep};
use crate::body::Body;
use crate::chance::Token;
use crate::compose::Heading;
use crate::dialog::Dialog;
use crate::digest::{Digest, Lines};
use crate::interface::{Ending, Invite, LegCommand, LegEvent, Why};
use crate::session::{self, Asked};
use crate::settings::Settings;
use crate::snapshot::{Hop, InviteSnapshot};
use crate::transaction::{Part, TransactionId};
use crate::wires::Wires;

#[derive(Debug)]
pub(crate) struct Inviting {
    call: OwnInvite,
    early: EarlyDialogs,
    /// A CANCEL may be sent (§9.1).
    is_proceeding: bool,
    is_heard: bool,
    rings: bool,
}

/// Our INVITE, as long as it has no final response.
#[derive(Debug)]
pub(crate) struct OwnInvite {
    pub(crate) heading: Arc<Heading>,
    pub(crate) transaction: TransactionId,
    /// Where it was sent.
    pub(crate) home: Flow,
    pub(crate) retry: Box<Retry>,
}

/// What it takes to send an INVITE again: it was challenged, or asked for too short an interval.
#[derive(Debug)]
pub(crate) struct Retry {
    invite: Invite,
    /// `None` where there is nothing to answer a challenge with.
    pub(crate) digest: Option<Digest>,
    asked: Option<Asked>,
    /// It was refused with 422 before.
    is_raised: bool,
}

impl OwnInvite {
    /// The dialog a 2xx makes, acknowledged; it goes on from what was begun before.
    pub(crate) fn answered(
        self,
        response: &Response,
        flow: Flow,
        begun: &mut Begun,
        wires: &mut Wires<'_>,
    ) -> (Dialog, Forks) {
        let mut dialog = Dialog::asking(&self.heading, response, self.home, flow, self.retry.digest);
        begun.resume(&mut dialog);
        let sequences = std::mem::take(&mut begun.sequences);
        let forks = Forks::begin(self.heading, self.home, sequences, &dialog, wires);
        (dialog, forks)
    }
}

impl Inviting {
    /// Sends the INVITE, with `tag` in From. `Gone` if there is no such listener or no such address.
    pub(crate) fn begin(invite: &Invite, tag: Token, wires: &mut Wires<'_>) -> State {
        let Some(heading) = heading(invite, tag, wires).map(Arc::new) else {
            wires.ended(Ending::Unreachable);
            return State::Gone;
        };
        let asked = wires.settings.sessions.map(Asked::first);
        let transaction = send(invite, asked, &heading, wires);
        let digest = invite.credentials.as_ref().map(|credentials| Digest::new(credentials, invite.flow));
        let retry = Box::new(Retry { invite: invite.clone(), digest, asked, is_raised: false });
        let call = OwnInvite { heading, transaction, home: invite.flow, retry };
        let state = Self {
            call,
            early: EarlyDialogs::default(),
            is_proceeding: false,
            is_heard: false,
            rings: false,
        };
        State::Inviting(Box::new(state))
    }

    /// What is to be kept, so that the INVITE can be taken back: the message, made once more.
    pub(crate) fn snapshot(&self, settings: &Settings) -> InviteSnapshot {
        let OwnInvite { heading, home, retry, .. } = &self.call;
        let invite = heading.invite(&retry.invite, retry.asked, settings.product.as_deref());
        InviteSnapshot { home: Hop { listener: heading.place.listener(), peer: home.peer }, invite }
    }

    /// By what a change of it is noticed: each INVITE has a number of its own.
    pub(crate) fn mark(&self) -> Mark {
        let sequences = (self.call.heading.sequence, None);
        Mark { sequences, flow: self.call.home, open: (false, true), is_up: false }
    }

    /// Takes back an INVITE that was sent before our time. It is sent again, as one that had no answer in time, since nobody
    /// knows what came back: whatever they say to it says what must be done (RFC 3261 §9.1, §17.2.1).
    pub(crate) fn withdrawing(
        heading: Heading,
        home: Flow,
        invite: &Request,
        bytes: Bytes,
        why: Why,
        wires: &mut Wires<'_>,
    ) -> State {
        let heading = Arc::new(heading);
        let timing = wires.settings.timing;
        let user = (wires.leg, Part::Invite);
        let transaction = wires.transactions.invite(user, home, &heading, bytes, timing, wires.out);
        let text = |uri: &Uri| uri.as_str().to_owned();
        let invite = Invite {
            flow: home,
            uri: text(&heading.uri),
            to: text(&heading.to),
            from: text(&heading.from),
            routes: heading.routes.iter().map(text).collect(),
            own: text(&heading.own),
            shown: Vec::new(),
            withheld: false,
            offer: invite.body().clone(),
            hops: 0,
            credentials: None,
        };
        let retry = Box::new(Retry { invite, digest: None, asked: None, is_raised: true });
        let call = OwnInvite { heading, transaction, home, retry };
        Cancelling::begin(call, EarlyDialogs::default(), false, why, wires)
    }

    /// Whatever their tag is: a request can overtake the response that makes its early dialog.
    pub(crate) fn knows(&self, call_id: &str) -> bool {
        *self.call.heading.call_id == *call_id
    }

    pub(crate) fn handle(mut self: Box<Self>, input: Input, wires: &mut Wires<'_>) -> State {
        match input {
            Input::Command(LegCommand::End(why)) => {
                Cancelling::begin(self.call, self.early, self.is_proceeding, why, wires)
            }
            Input::Command(LegCommand::Accept(sdp)) => {
                self.early.accept(sdp, &self.call, wires);
                State::Inviting(self)
            }
            Input::Command(LegCommand::Refuse(refusal)) => {
                self.early.refuse(refusal, wires);
                State::Inviting(self)
            }
            Input::Response(Part::Invite, response, flow) => self.response(&response, flow, wires),
            Input::Response(Part::Prack, response, flow) => {
                self.early.answered(&response, flow, &mut self.call, wires);
                State::Inviting(self)
            }
            Input::Unanswered(Part::Invite) => {
                self.early.end(wires);
                wires.ended(Ending::Unreachable);
                State::Gone
            }
            Input::Request(kind, request) => {
                self.early.request(kind, request, &self.call, wires);
                State::Inviting(self)
            }
            Input::Unanswerable(transaction) => {
                self.early.withdraw(transaction);
                State::Inviting(self)
            }
            Input::Command(_)
            | Input::Ack(..)
            | Input::Cancel(_)
            | Input::Response(..)
            | Input::Unanswered(_)
            | Input::Settled
            | Input::Fired(_)
            | Input::ConnectionLost => State::Inviting(self),
        }
    }

    fn response(mut self: Box<Self>, response: &Response, flow: Flow, wires: &mut Wires<'_>) -> State {
        let status = response.status();
        if status.is_provisional() {
            if !std::mem::replace(&mut self.is_proceeding, true)
                && !std::mem::replace(&mut self.is_heard, true)
            {
                wires.say(LegEvent::Trying);
            }
            self.provisional(response, flow, wires);
            return State::Inviting(self);
        }
        if status.is_success() {
            return self.reached(response, flow, wires);
        }
        // Whatever becomes of the INVITE, no early dialog of this one goes on.
        self.early.end(wires);
        if self.call.is_sent_again(response, flow, wires) {
            // Another request, of which nothing has been heard yet.
            self.early = EarlyDialogs::default();
            self.is_proceeding = false;
            return State::Inviting(self);
        }
        wires.ended(match status {
            Status::REQUEST_TIMEOUT => Ending::Unreachable,
            _ => Ending::Refused {
                status: status.code(),
                q850: response.headers().q850(),
                retry_after: response
                    .headers()
                    .retry_after()
                    .map(|seconds| Duration::from_secs(seconds.into())),
            },
        });
        State::Gone
    }

    fn reached(self, response: &Response, flow: Flow, wires: &mut Wires<'_>) -> State {
        let headers = response.headers();
        let mut begun = self.early.reached(headers.to().tag().unwrap_or_default(), wires);
        let said = begun.said.take();
        let sdp = match Body::read(headers, response.body()).description() {
            // What the 2xx repeats has not been the answer any more since then.
            _ if said.is_some() => None,
            Some(sdp) => Some(sdp),
            None => begun.sdp.take(),
        };
        let theirs = sdp.clone().or_else(|| begun.sdp.take());
        let own = said.unwrap_or_else(|| self.call.retry.invite.offer.clone());
        let mut upkeep = Upkeep::new(headers, own, theirs);
        let (dialog, forks) = self.call.answered(response, flow, &mut begun, wires);
        upkeep.agree(session::agreed(headers, wires.settings.sessions), wires);
        wires.say(LegEvent::Answered { sdp });
        Established::reached(dialog, forks, begun.reoffer, upkeep)
    }

    fn provisional(&mut self, response: &Response, flow: Flow, wires: &mut Wires<'_>) {
        let status = response.status();
        if status == Status::TRYING {
            return;
        }
        let sdp = Body::read(response.headers(), response.body()).description();
        let news = self.early.hear(response, flow, sdp.as_ref(), &mut self.call, wires);
        match (news, sdp) {
            (News::Old, _) | (News::Known, Some(_)) => {}
            (News::Described, Some(sdp)) => wires.say(LegEvent::Progressed { sdp }),
            // A fork that has ended rings no more (RFC 6228).
            (_, None) if status == Status::EARLY_DIALOG_TERMINATED => {}
            (_, None) => {
                if !std::mem::replace(&mut self.rings, true) {
                    wires.say(LegEvent::Ringing);
                }
            }
        }
    }
}

impl OwnInvite {
    /// Where it was challenged and that can be answered, or a longer interval helps, the INVITE goes out once more: the
    /// next in sequence of the same Call-ID (RFC 3261 §22.2, §8.1.3.5; RFC 4028 §7.3).
    fn is_sent_again(&mut self, response: &Response, flow: Flow, wires: &mut Wires<'_>) -> bool {
        let Retry { invite, digest, asked, is_raised } = &mut *self.retry;
        if response.status() == Status::SESSION_INTERVAL_TOO_SMALL {
            let before = asked.filter(|_| !*is_raised);
            let Some(more) = before.and_then(|before| Asked::after(response.headers(), before)) else {
                return false;
            };
            *asked = Some(more);
            *is_raised = true;
        } else if !digest.as_mut().is_some_and(|digest| digest.learn(response, flow)) {
            return false;
        }
        let old = &self.heading;
        let credentials = match digest {
            Some(digest) => {
                digest.lines(&Method::Invite, old.uri.as_str(), &invite.offer, self.home, wires.chance)
            }
            None => Lines::new(),
        };
        let heading = Arc::new(Heading {
            uri: old.uri.clone(),
            place: Arc::clone(&old.place),
            branch: wires.chance.token(),
            from: old.from.clone(),
            tag: old.tag,
            to: old.to.clone(),
            call_id: old.call_id.clone(),
            sequence: old.sequence + 1,
            credentials,
            own: old.own.clone(),
            routes: old.routes.clone(),
        });
        self.transaction = send(invite, *asked, &heading, wires);
        self.heading = heading;
        true
    }
}

fn send(
    invite: &Invite,
    asked: Option<Asked>,
    heading: &Arc<Heading>,
    wires: &mut Wires<'_>,
) -> TransactionId {
    let bytes = heading.invite(invite, asked, wires.settings.product.as_deref());
    let timing = wires.settings.timing;
    wires.transactions.invite((wires.leg, Part::Invite), invite.flow, heading, bytes, timing, wires.out)
}

fn heading(invite: &Invite, tag: Token, wires: &mut Wires<'_>) -> Option<Heading> {
    Some(Heading {
        uri: address(&invite.uri)?,
        place: Arc::clone(wires.place(invite.flow)?),
        branch: wires.chance.token(),
        from: address(&invite.from)?,
        tag,
        to: address(&invite.to)?,
        call_id: wires.chance.token().as_str().into(),
        sequence: wires.chance.first_sequence(),
        credentials: Lines::new(),
        own: address(&invite.own)?,
        routes: invite.routes.iter().map(|route| address(route)).collect::<Option<_>>()?,
    })
}

/// A URI, or the one inside the brackets of a name-addr.
fn address(text: &str) -> Option<Uri> {
    let inside = || text.split_once('<')?.1.split_once('>').map(|(uri, _)| uri);
    Uri::parse(text).ok().or_else(|| Uri::parse(inside()?).ok())
}
