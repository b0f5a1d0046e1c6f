//! What a user agent is told and what it says. Above this file nobody sees a SIP header.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sip::{Flow, Transport};

use crate::digest::Credentials;

/// One leg: our half of one dialog, from the first INVITE to the last BYE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LegId(pub u64);

/// A trunk, by its place in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrunkId(pub u16);

/// Something that is done for a trunk outside of any call; whoever gives it its name uses none twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrandId(pub u32);

/// What an errand can be told. The first command makes it; after `Over` it is forgotten.
#[derive(Debug, Clone, PartialEq)]
pub enum ErrandCommand {
    /// Be registered, from now on; where it is that already, its flows and its trunk may change.
    Register(Box<Registering>),
    /// Ask again and again whether a trunk is there; where it does that already, anything may change.
    Ask(Box<Asking>),
    /// Do it no more. A registration ends its binding first.
    Stop,
}

/// How to be registered at a trunk (RFC 3261 §10).
#[derive(Debug, Clone, PartialEq)]
pub struct Registering {
    /// Which trunk calls to our binding come by.
    pub trunk: TrunkId,
    /// Where the registrar is: one after the other, as they fail. Never empty.
    pub flows: Vec<Flow>,
    /// Request-URI: `sip:carrier.example`.
    pub registrar: String,
    /// To and From, the address of record: `sip:74951234567@carrier.example`.
    pub aor: String,
    /// Seconds a binding is asked for, at least 1.
    pub expires: u32,
    /// What challenges are answered with.
    pub credentials: Option<Arc<Credentials>>,
}

/// How to ask whether a trunk is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Asking {
    /// Where it is: one after the other, as they do not answer. Never empty.
    pub flows: Vec<Flow>,
    /// Request-URI and To: `sip:carrier.example`.
    pub uri: String,
    /// From one question to the next; less where the last had no answer.
    pub every: Duration,
    /// How long an answer is waited for.
    pub patience: Duration,
}

/// What an errand reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrandEvent {
    /// Our address is bound. Said again where the routes have changed.
    Registered {
        /// For how long; it is renewed before.
        expires: Duration,
        /// What calls that go out are to be routed by (Service-Route, RFC 3608), in order.
        routes: Vec<String>,
    },
    /// It is not, or no more; another attempt follows.
    Unregistered {
        /// The status that refused it; `None`: nobody answered, it expired, or we ended it.
        status: Option<u16>,
    },
    /// Whoever was asked is there.
    Up,
    /// Whoever was asked is not.
    Down,
    /// The errand is done.
    Over,
}

/// What a user agent must know about where it runs.
#[derive(Debug, Clone)]
pub struct Config {
    /// Timers of RFC 3261 Table 4.
    pub timing: Timing,
    /// Our listeners, in the order `Flow::listener` counts them.
    pub listeners: Vec<Listener>,
    /// Value of `Server` and `User-Agent`; absent when empty.
    pub product: String,
    /// Most transactions alive at once; beyond it new requests are answered 503.
    pub transactions: usize,
    /// Session timers; `None`: they are neither offered nor granted.
    pub sessions: Option<Sessions>,
    /// What callers of some trunks must prove (RFC 3261 §22).
    pub accounts: Vec<Account>,
    /// Where they prove it: who we are to them.
    pub realm: String,
}

/// How sessions are kept up (RFC 4028): both sides hear of each other once in an interval, or the call is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sessions {
    /// The interval we ask for and the longest we grant, in seconds; at least `least`.
    pub interval: u32,
    /// The shortest interval we take, in seconds; at least 90.
    pub least: u32,
}

/// An account of ours: calls of its trunk come from whoever proves to know its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Whose calls they are then.
    pub trunk: TrunkId,
    /// Its name and its password, and whether it may be proved by MD5.
    pub credentials: Arc<Credentials>,
    /// Whether it may be proved by SHA-256. Some peers stumble over a challenge they do not understand, beside one that they do.
    pub sha256: bool,
}

/// Whose a message is, by where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A stranger's, who may answer our requests and speak inside a dialog, and is otherwise dropped without a word.
    Stranger,
    /// This trunk's.
    Trunk(TrunkId),
    /// A call is of whichever of these trunks its sender proves to be, by one of its accounts.
    Unproved {
        /// Which trunks that can be.
        of: Vec<TrunkId>,
        /// Whose address or certificate it is, if anyone's: only to that one anything but a call is answered.
        near: Option<TrunkId>,
        /// The time, since whenever.
        at: Duration,
    },
}

impl Source {
    /// Whose address or certificate it is, if anyone's.
    pub(crate) fn near(&self) -> Option<TrunkId> {
        match self {
            Self::Stranger => None,
            Self::Trunk(trunk) => Some(*trunk),
            Self::Unproved { near, .. } => *near,
        }
    }
}

impl From<Option<TrunkId>> for Source {
    fn from(trunk: Option<TrunkId>) -> Self {
        trunk.map_or(Self::Stranger, Self::Trunk)
    }
}

/// T1, T2 and T4 (RFC 3261 Table 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Round-trip estimate, 500 ms.
    pub t1: Duration,
    /// Longest pause between retransmissions, 4 s.
    pub t2: Duration,
    /// How long a message stays in the network, 5 s.
    pub t4: Duration,
}

impl Timing {
    /// 64*T1: how long a transaction waits for an answer, and how long a leg that is over answers for itself.
    #[must_use]
    pub fn patience(self) -> Duration {
        self.t1 * 64
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

/// One of our listeners as peers should see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its transport.
    pub transport: Transport,
    /// Host and port for Via and Contact: `192.0.2.1:5060`, `[2001:db8::1]:5060`.
    pub public: String,
}

/// Everything that can happen to a user agent.
#[derive(Debug, Clone)]
pub enum Input {
    /// One SIP message.
    Message {
        /// Where it came from.
        flow: Flow,
        /// Whose that is.
        source: Source,
        /// The whole message.
        bytes: Bytes,
    },
    /// A connection is gone, or nothing could be sent to the peer.
    FlowLost(Flow),
    /// A timer of ours is due.
    Fired(Timer),
    /// A leg is told something.
    Command(LegId, LegCommand),
    /// An errand is told something.
    Errand(ErrandId, ErrandCommand),
    /// From now on a trunk that asks whether we are there (OPTIONS outside a dialog) is told 503 with Retry-After, so
    /// that it sends its calls elsewhere; `None` ends that. A call that comes all the same is still `Offered`: who
    /// refuses it can tell of it.
    Unavailable(Option<RetryAfter>),
    /// From now on a call that comes is refused like this, without state (RFC 3261 §8.2.7) and without being `Offered`: it
    /// costs the least there is, so that whoever is behind can catch up. `None` ends that.
    Shed(Option<Refusal>),
    /// New addresses or timers; running legs keep theirs where they are in use.
    Configure(Box<Config>),
}

/// Seconds for a Retry-After header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryAfter(pub u16);

/// Everything a user agent can do.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send these octets on this flow.
    Send {
        /// Whose they are; `None`: of no leg.
        leg: Option<LegId>,
        /// Where to.
        flow: Flow,
        /// A whole message.
        bytes: Bytes,
    },
    /// The message that is being handled is this leg's. Said once of a message, before what follows from it, and also of
    /// one that was seen before; never of one that is nobody's.
    Heard(LegId),
    /// Set or move a timer.
    Arm(Timer, Duration),
    /// Forget a timer.
    Disarm(Timer),
    /// What `UserAgent::snapshot` or `UserAgent::invite_snapshot` says of this leg is not what it said before.
    Changed(LegId),
    /// A leg says something.
    Event(LegId, LegEvent),
    /// An errand says something.
    Errand(ErrandId, ErrandEvent),
    /// Something was dropped or answered by the user agent itself.
    Counted(Counted),
}

/// Which timer: opaque to everyone but the user agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timer {
    pub(crate) owner: Owner,
    pub(crate) letter: Letter,
}

/// Whose timer it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Owner {
    Transaction(u64),
    Leg(LegId),
    Errand(ErrandId),
}

/// The timers of RFC 3261 Table 4 and RFC 6026 by their letters, and those of a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Letter {
    A,
    B,
    D,
    E,
    F,
    G,
    H,
    I,
    J,
    K,
    L,
    M,
    /// Resend our 2xx (§13.3.1.4).
    Retransmit2xx,
    /// Give up waiting for the ACK to our 2xx (§13.3.1.4).
    Ack,
    /// Refresh 1xx once a minute (§13.3.1.1).
    Refresh1xx,
    /// Resend our reliable provisional response (RFC 3262 §3).
    Retransmit1xx,
    /// Give up waiting for its PRACK (RFC 3262 §3).
    Prack,
    /// Give up waiting for the answer to an INVITE that was cancelled (§9.1).
    Cancelled,
    /// How long a leg that is over still answers for itself.
    Tombstone,
    /// Refresh the session (RFC 4028 §7.4).
    Refresh,
    /// The session was not refreshed in time (RFC 4028 §10).
    Unrefreshed,
    /// What an errand does next.
    Errand,
    /// A binding has expired (§10.3).
    Expiry,
}

/// What a leg reports, in words that are not SIP's. After `LegCommand::End` it says only `Ended`, and after `Ended`
/// nothing more.
#[derive(Debug, Clone, PartialEq)]
pub enum LegEvent {
    /// A new caller leg: an INVITE from a trunk. Answer with `Ring`, `Progress`, `Accept`, `Refuse` or `End`.
    Offered(Box<Incoming>),
    /// Something came back to our INVITE: whoever is next has it. Said once, before anything else of a callee's leg
    /// but its end.
    Trying,
    /// The callee rings (180 and other provisional responses above 100 without a session description, but for 199).
    /// Said once.
    Ringing,
    /// The callee's side sent early media (a provisional response with a session description). Said again when the
    /// description or the fork it comes from is another one.
    Progressed {
        /// Their answer.
        sdp: Bytes,
    },
    /// The callee answered; the ACK is sent.
    Answered {
        /// Their answer. `None` if neither the 2xx nor an earlier response carried one, and where another offer of theirs
        /// was accepted in this early dialog: then what was agreed last holds.
        sdp: Option<Bytes>,
    },
    /// The ACK to our 2xx came, to that of the first INVITE or of a re-INVITE, or the PRACK to a reliable 183 that made
    /// the offer. `sdp` is their answer, where we made the offer; a re-INVITE before the ACK stands for it. Said as well when a refresh of ours, which says our
    /// description again, was answered with another than before.
    Confirmed {
        /// Their answer to our offer.
        sdp: Option<Bytes>,
    },
    /// A re-INVITE, or an UPDATE or PRACK with a description. Answer with `Accept` (an answer, or a full offer when
    /// `offer` is absent) or `Refuse`; there is never more than one to decide. If it is taken back before the
    /// decision, that decision does nothing.
    Reoffered {
        /// Their offer; absent in an offerless re-INVITE (RFC 3261 §14.2).
        offer: Option<Bytes>,
    },
    /// A key pressed, by SIP INFO.
    Digit(InfoDigit),
    /// The leg is over.
    Ended(Ending),
}

/// One key by SIP INFO (`application/dtmf-relay`, `application/dtmf`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InfoDigit {
    /// `0`-`9`, `*`, `#`, `A`-`D`.
    pub digit: char,
    /// As signalled; 250 ms where nothing was said.
    pub duration: Duration,
}

/// How a leg came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The other side sent BYE.
    HungUp {
        /// Q.850 cause of a Reason header (RFC 3326), if any.
        q850: Option<u8>,
    },
    /// The caller cancelled before we answered.
    Cancelled,
    /// The callee's side refused (3xx to 6xx).
    Refused {
        /// Status code, 300 to 699.
        status: u16,
        /// Q.850 cause of a Reason header (RFC 3326), if any.
        q850: Option<u8>,
        /// When to try again, where the response says.
        retry_after: Option<Duration>,
    },
    /// Nothing came back (Timer B or F, a 408 to an INVITE, a lost flow), or there is nothing to send to.
    Unreachable,
    /// Our 2xx was never acknowledged (RFC 3261 §13.3.1.4), and the leg was ended with BYE; or a reliable provisional
    /// response was not (RFC 3262 §3), and the leg was refused.
    NeverAcknowledged,
    /// The dialog is unknown to the other side (481, 408 or nothing to a request of ours, §12.2.1.2).
    Gone,
    /// Whoever had to refresh the session did not, or could not (RFC 4028 §10); the leg was ended with BYE.
    Unrefreshed,
    /// We said `End` or `Refuse`, and it is done. After an `End` it may also be `Gone` or `Unreachable`: what came of
    /// our BYE.
    Ordered,
}

/// What a leg can be told. What means nothing to it, as it stands or because it is over, it passes over in silence.
#[derive(Debug, Clone, PartialEq)]
pub enum LegCommand {
    /// Make this new leg a callee's: send an INVITE. Only with a `LegId` from `UserAgent::next_leg`.
    Invite(Box<Invite>),
    /// Send 180, reliably to a caller who requires that (RFC 3262).
    Ring,
    /// Send 183 with our session description, reliably to a caller who knows of that (RFC 3262).
    Progress(Bytes),
    /// Accept what was offered last (INVITE, re-INVITE, UPDATE or PRACK) with this session description.
    Accept(Bytes),
    /// Refuse what was offered last. Refusing the first INVITE ends the leg; refusing a re-INVITE or UPDATE leaves it
    /// as it was.
    Refuse(Refusal),
    /// End the leg, in whatever state: CANCEL, BYE or a final response; the leg knows which, and when. A 200 that crosses our CANCEL is
    /// acknowledged and ended inside the leg.
    End(Why),
}

/// A final response that refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// 400 to 699; anything that does not refuse becomes 480.
    pub status: u16,
    /// When to try again: with 503, and with 480, 486, 500, 600 and 603 (RFC 3261 §20.33).
    pub retry_after: Option<RetryAfter>,
}

/// Why we end a leg: a Q.850 cause in the Reason header (RFC 3326), a number only, and the status where a final
/// response does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Why {
    /// Q.850 cause, 1 to 127.
    pub q850: u8,
    /// Status for a caller leg that was not yet answered.
    pub status: u16,
}

/// An INVITE that came in, reduced to values.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    /// Whose address it came from.
    pub trunk: TrunkId,
    /// Where it came from: tells which of our addresses the caller's side can reach.
    pub flow: Flow,
    /// User part of the Request-URI, unescaped; or the number of a tel URI.
    pub called: String,
    /// P-Called-Party-ID (RFC 7315 §4.2): the number dialled, where a registrar put our Contact in its place.
    pub called_party: Option<String>,
    /// User part of To, unescaped: the number dialled, where the Request-URI names an account.
    pub to: String,
    /// What the headers say about who calls.
    pub identity: Identity,
    /// The session offered; absent in a late offer.
    pub offer: Option<Bytes>,
    /// Hops left (RFC 3261 §8.1.1.6); 70 where the header was absent.
    pub hops: u8,
}

/// Who calls, as each header has it. Which of them to believe is the trunk's setting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// From.
    pub from: Option<Named>,
    /// P-Asserted-Identity (RFC 3325), each value.
    pub asserted: Vec<Named>,
    /// Remote-Party-ID with party=calling or none said, the first.
    pub remote_party: Option<Named>,
    /// Privacy asks to withhold the identity (`id`, `user`, `header`, RFC 3323; `full`), or Remote-Party-ID says
    /// privacy=full.
    pub withheld: bool,
    /// Identity (RFC 8224), the first values, as they came: nothing of them is read here.
    pub identities: Vec<Box<[u8]>>,
}

/// Whom one header names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The user part of a sip URI or the number of a tel URI, unescaped; `anonymous` where the URI is the one of RFC 3323
    /// §4.1.1.3, whatever its user part is.
    pub user: String,
    /// What the carrier says of having verified it (`verstat`, 3GPP TS 24.229 §7.2A.20), as written.
    pub verstat: Option<String>,
}

/// An INVITE to be composed, from a closed list of values.
#[derive(Debug, Clone, PartialEq)]
pub struct Invite {
    /// Where to send it.
    pub flow: Flow,
    /// Request-URI, whole: `sip:+79992222222@192.0.2.7:5060;user=phone`.
    pub uri: String,
    /// To, without tag.
    pub to: String,
    /// From, without tag: our number at our host.
    pub from: String,
    /// The way it must take behind `flow`: URIs for Route, in order.
    pub routes: Vec<String>,
    /// Our number, to be shown in other headers than From.
    pub own: String,
    /// Those headers.
    pub shown: Vec<Shown>,
    /// Ask not to show our number to the callee (Privacy: id, RFC 3323, RFC 3325 §9.3).
    pub withheld: bool,
    /// The session we offer.
    pub offer: Bytes,
    /// Max-Forwards.
    pub hops: u8,
    /// What challenges are answered with, to the address of `flow` and to nobody else; without them a challenge is a
    /// refusal.
    pub credentials: Option<Arc<Credentials>>,
}

/// A header that shows our number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// P-Asserted-Identity (RFC 3325 §9.1).
    Asserted,
    /// P-Preferred-Identity (RFC 3325 §9.2).
    Preferred,
    /// Remote-Party-ID, as trunks have it that are older than RFC 3325.
    RemoteParty,
    /// Diversion (RFC 5806): the call is shown as one that our number passes on.
    Diversion,
}

/// What was dropped or answered without a leg; for metrics and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Not a SIP message.
    Garbage,
    /// A request from an address no trunk allows, or one that is heard no more for a while.
    Stranger,
    /// A call whose sender named a wrong account or a wrong password.
    Unproved,
    /// A request answered by the user agent itself with this status (OPTIONS 200 or 503, 400, 405, 481, 483, 501,
    /// 505; 503 where there is no room for another transaction).
    Answered(u16),
    /// A response or an ACK that matched nothing.
    Stray,
    /// A retransmission, absorbed.
    Retransmission,
    /// A call that was refused as `Input::Shed` has it.
    Shed,
}
