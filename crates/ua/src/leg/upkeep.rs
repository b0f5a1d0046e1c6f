//! Keeps a session up: refreshes it where that is ours to do, and notices where the other side does not (RFC 4028 §7.4, §10).
//! A refresh changes nothing: an UPDATE without a session description where they take one (RFC 3311), else a re-INVITE
//! that says our last description again, word for word.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sip::{Compose, Flow, Headers, Method, Name, Request, Response, Status};

use crate::body::Body;
use crate::compose::{ALLOW, Contact, SDP};
use crate::dialog::{Dialog, Outgoing};
use crate::interface::Letter;
use crate::session::{self, Granted, TIMER, Terms};
use crate::snapshot::Snapshot;
use crate::transaction::{Part, Sent, Start, TransactionId, User};
use crate::wires::Wires;

/// When a refresh that was refused is tried again, where the refusal does not say.
const AGAIN: Duration = Duration::from_secs(10);
/// When a session that was taken up again is refreshed, where that is ours to do: not all of them at once.
const SOON: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// What is known of a session beside its dialog.
#[derive(Debug)]
pub(crate) struct Upkeep {
    /// Our session description as it was said last.
    own: Bytes,
    /// Theirs.
    theirs: Option<Bytes>,
    /// Whether they take UPDATE.
    takes_update: bool,
    /// The least interval that a 422 of theirs asked for, in seconds.
    least: u32,
    terms: Option<Terms>,
    refresh: Option<Refresh>,
    acknowledged: Option<Acknowledged>,
}

/// What is kept of it so that it outlives us.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) own: Bytes,
    pub(crate) takes_update: bool,
    pub(crate) least: u32,
    /// The interval, and whether we refresh.
    pub(crate) terms: Option<(u32, bool)>,
}

/// A refresh of ours that waits for its answer.
#[derive(Debug)]
struct Refresh {
    transaction: TransactionId,
    is_invite: bool,
    /// It was refused with 422 before.
    is_raised: bool,
}

/// What is said again when the 2xx to our last re-INVITE comes again.
#[derive(Debug)]
struct Acknowledged {
    sequence: u32,
    flow: Flow,
    ack: Bytes,
}

/// What an answer to a refresh means to the leg.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The session goes on.
    Kept,
    /// It goes on, and they have answered our description with another than before.
    Changed(Bytes),
    /// They know nothing of it (RFC 3261 §12.2.1.2, RFC 4028 §10).
    Gone,
}

impl Upkeep {
    /// Of a session that a request or a response of theirs with these headers made.
    pub(crate) fn new(headers: &Headers, own: Bytes, theirs: Option<Bytes>) -> Self {
        let takes_update = headers.has_token(Name::Allow, Method::Update.as_str());
        Self { own, theirs, takes_update, least: 0, terms: None, refresh: None, acknowledged: None }
    }

    /// Of a session that went on without us. Where the next refresh is ours it comes soon, so that both sides know again
    /// how long the session stands; else whoever must refresh has the whole time again.
    pub(crate) fn restored(snapshot: &Snapshot, wires: &mut Wires<'_>) -> Self {
        let mut upkeep = Self {
            own: snapshot.own.clone(),
            theirs: None,
            takes_update: snapshot.takes_update,
            least: snapshot.least,
            terms: None,
            refresh: None,
            acknowledged: None,
        };
        let terms = snapshot.terms.map(|(interval, ours)| Terms::agreed(interval, ours));
        upkeep.agree(terms, wires);
        if terms.is_some_and(|terms| terms.ours) {
            let (least, most) = SOON;
            let pause = wires.chance.between(least, most);
            wires.arm(Letter::Refresh, pause);
        }
        upkeep
    }

    /// What is to be kept of it.
    pub(crate) fn kept(&self) -> Kept {
        Kept {
            own: self.own.clone(),
            takes_update: self.takes_update,
            least: self.least,
            terms: self.terms.map(|terms| (terms.interval(), terms.ours)),
        }
    }

    /// Whether a refresh of ours waits for its answer.
    pub(crate) fn is_open(&self) -> bool {
        self.refresh.is_some()
    }

    /// Answers what a request of theirs says of session timers, and holds to it from now on.
    pub(crate) fn grant(&mut self, request: &Request, wires: &mut Wires<'_>) -> Option<Granted> {
        let granted = Granted::to(request.headers(), wires.settings.sessions, self.terms);
        self.agree(granted.map(Granted::terms), wires);
        granted
    }

    /// Notes what was said last, and by whom.
    pub(crate) fn describe(&mut self, own: &Bytes, theirs: Option<Bytes>) {
        self.own = own.clone();
        self.hear(theirs.as_ref());
    }

    /// Notes what they said last.
    pub(crate) fn hear(&mut self, theirs: Option<&Bytes>) {
        if let Some(theirs) = theirs {
            self.theirs = Some(theirs.clone());
        }
    }

    /// From now on these terms hold (RFC 4028 §7.2, §9).
    pub(crate) fn agree(&mut self, terms: Option<Terms>, wires: &mut Wires<'_>) {
        let had = std::mem::replace(&mut self.terms, terms);
        match terms {
            Some(terms) => {
                wires.arm(Letter::Unrefreshed, terms.patience());
                if terms.ours {
                    wires.arm(Letter::Refresh, terms.pause());
                } else if had.is_some_and(|had| had.ours) {
                    wires.disarm(Letter::Refresh);
                }
            }
            None => quiet(had, wires),
        }
    }

    /// The call ends.
    pub(crate) fn stop(&mut self, wires: &mut Wires<'_>) {
        quiet(self.terms.take(), wires);
        if let Some(refresh) = self.refresh.take() {
            wires.transactions.abandon(refresh.transaction);
        }
    }

    /// Whether a re-INVITE of ours is open, so that no offer of theirs can be answered (RFC 3261 §14.2).
    pub(crate) fn offers(&self) -> bool {
        self.refresh.as_ref().is_some_and(|refresh| refresh.is_invite)
    }

    /// It is time to refresh. While something of theirs is undone (`is_busy`) nothing is begun (§14.1).
    pub(crate) fn due(&mut self, dialog: &mut Dialog, is_busy: bool, wires: &mut Wires<'_>) {
        let Some(terms) = self.terms.filter(|terms| terms.ours && self.refresh.is_none()) else { return };
        if is_busy {
            let pause = crossing(dialog, wires);
            return wires.arm(Letter::Refresh, pause);
        }
        self.send(terms, dialog, false, Attempt::First, wires);
    }

    /// A response to a refresh.
    pub(crate) fn answered(
        &mut self,
        response: &Response,
        flow: Flow,
        dialog: &mut Dialog,
        wires: &mut Wires<'_>,
    ) -> Fate {
        let status = response.status();
        let Some(refresh) = self.refresh.take_if(|_| status.is_final()) else {
            self.acknowledge_again(response, wires);
            return Fate::Kept;
        };
        if status.is_success() {
            return self.refreshed(&refresh, response, flow, dialog, wires);
        }
        let Some(terms) = self.terms else { return Fate::Kept };
        if dialog.is_challenged(response, flow) {
            self.send(terms, dialog, refresh.is_raised, Attempt::Challenged, wires);
            return Fate::Kept;
        }
        match (status, session::least(status, response.headers())) {
            (Status::CALL_DOES_NOT_EXIST | Status::REQUEST_TIMEOUT, _) => return Fate::Gone,
            (_, Some(least)) if !refresh.is_raised => {
                self.least = least;
                self.send(terms.raised(least), dialog, true, Attempt::First, wires);
            }
            (Status::REQUEST_PENDING, _) => {
                let pause = crossing(dialog, wires);
                wires.arm(Letter::Refresh, pause);
            }
            _ => {
                // Where UPDATE is not to their liking, a re-INVITE may be.
                self.takes_update = false;
                let after = response.headers().retry_after();
                let pause = after.map_or(AGAIN, |seconds| Duration::from_secs(seconds.into()));
                wires.arm(Letter::Refresh, pause);
            }
        }
        Fate::Kept
    }

    fn refreshed(
        &mut self,
        refresh: &Refresh,
        response: &Response,
        flow: Flow,
        dialog: &mut Dialog,
        wires: &mut Wires<'_>,
    ) -> Fate {
        dialog.retarget(response.headers());
        if dialog.flow().transport.is_reliable() {
            dialog.hear(flow, wires.place(flow));
        }
        if refresh.is_invite {
            let outgoing = dialog.ack(wires.chance);
            let ack = outgoing.compose.end();
            wires.send(outgoing.flow, ack.clone());
            let sequence = response.headers().cseq().number;
            self.acknowledged = Some(Acknowledged { sequence, flow: outgoing.flow, ack });
        }
        self.agree(session::agreed(response.headers(), wires.settings.sessions), wires);
        let answer = Body::read(response.headers(), response.body()).description();
        match answer.filter(|answer| refresh.is_invite && self.theirs.as_ref() != Some(answer)) {
            Some(answer) => {
                self.theirs = Some(answer.clone());
                Fate::Changed(answer)
            }
            None => Fate::Kept,
        }
    }

    /// A 2xx to our re-INVITE comes again until its ACK is there (RFC 3261 §13.2.2.4).
    fn acknowledge_again(&self, response: &Response, wires: &mut Wires<'_>) {
        let cseq = response.headers().cseq();
        let is_it = |known: &&Acknowledged| {
            response.status().is_success() && cseq.method == Method::Invite && known.sequence == cseq.number
        };
        if let Some(known) = self.acknowledged.as_ref().filter(is_it) {
            wires.send(known.flow, known.ack.clone());
        }
    }

    fn send(
        &mut self,
        terms: Terms,
        dialog: &mut Dialog,
        is_raised: bool,
        attempt: Attempt,
        wires: &mut Wires<'_>,
    ) {
        let least = self.least.max(wires.settings.sessions.map_or(0, |sessions| sessions.least));
        let place = Arc::clone(dialog.place());
        let target = dialog.target().clone();
        let target = target.parts();
        let product = wires.settings.product.as_deref();
        let ask = |compose: Compose| {
            let compose =
                compose.header(Name::Contact, Contact::beside(&place, &target)).header(Name::Allow, ALLOW);
            let compose = compose.header(Name::Supported, TIMER);
            terms.asked(least).write(compose).maybe(Name::UserAgent, product)
        };
        let timing = wires.settings.timing;
        let transaction = if self.takes_update {
            let outgoing = match attempt {
                Attempt::First => dialog.request(&Method::Update, wires.chance),
                Attempt::Challenged => dialog.again(&Method::Update, wires.chance),
            };
            let start = Start {
                user: User::Leg(wires.leg, Part::Refresh),
                flow: outgoing.flow,
                place: Arc::clone(&place),
                method: Sent::Update,
                branch: outgoing.branch,
                bytes: ask(outgoing.compose).end(),
            };
            wires.transactions.request(start, timing, wires.out)
        } else {
            let is_new = matches!(attempt, Attempt::First);
            let (Outgoing { compose, flow, .. }, heading) = dialog.reinvite(&self.own, is_new, wires.chance);
            let bytes = ask(compose).body(SDP, &self.own);
            let user = (wires.leg, Part::Refresh);
            wires.transactions.invite(user, flow, &Arc::new(heading), bytes, timing, wires.out)
        };
        self.refresh = Some(Refresh { transaction, is_invite: !self.takes_update, is_raised });
    }
}

/// Whether a request is sent because it is time, or once more with credentials.
#[derive(Debug, Clone, Copy)]
enum Attempt {
    First,
    Challenged,
}

fn quiet(had: Option<Terms>, wires: &mut Wires<'_>) {
    let Some(had) = had else { return };
    wires.disarm(Letter::Unrefreshed);
    if had.ours {
        wires.disarm(Letter::Refresh);
    }
}

/// How long whoever met with a request of the other side waits: the owner of the Call-ID longer (RFC 3261 §14.1).
fn crossing(dialog: &Dialog, wires: &mut Wires<'_>) -> Duration {
    let (least, most) = if dialog.owns_call_id() { (2100, 4000) } else { (0, 2000) };
    let ten = wires.chance.between(Duration::from_millis(least / 10), Duration::from_millis(most / 10));
    ten * 10
}
