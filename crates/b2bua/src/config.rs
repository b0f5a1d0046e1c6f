//! What the switchboard must know: lines, trunks, limits. Read, checked and resolved by whoever starts it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use number::{Form, Number, NumberError, Plan};
use rtp::Codec;
use sip::Flow;
use stir::{Attestation, Verification};
use ua::{Credentials, Shown, TrunkId};

use crate::hook::Hooks;
use crate::interface::Language;
use crate::service::Service;

/// Everything configured.
#[derive(Debug, Clone)]
pub struct Config {
    /// Wall clock at `Instant::ZERO`, milliseconds since 1970: makes call ids sortable across restarts.
    pub epoch_ms: u64,
    /// Carriers, counted by `ua::TrunkId`.
    pub trunks: Vec<Trunk>,
    /// Our numbers.
    pub lines: Vec<Line>,
    /// SIP listeners and timers.
    pub ua: ua::Config,
    /// Our media addresses, in the order `rtp::Port::address` counts them.
    pub media: Vec<MediaAddress>,
    /// Codecs in order of liking.
    pub codecs: Vec<Codec>,
    /// Whether VoIP metrics are asked for, and told to whoever asks (RFC 3611 §4.7).
    pub xr: bool,
    /// What file names of recordings end with, after a dot: `wav`, `opus.sealed`.
    pub recordings: Box<str>,
    /// Whose calls are our own, to see whether calls can be taken: they are answered, hear music, and leave nothing.
    pub own: Option<SocketAddr>,
    /// Bounds.
    pub limits: Limits,
    /// What is dialled, how often and how much of it at once, over all lines.
    pub guards: Guards,
}

/// One address media sockets are bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaAddress {
    /// What the sockets are bound to.
    pub local: IpAddr,
    /// What session descriptions say.
    pub public: IpAddr,
    /// The RTP ports each worker holds, outermost by worker.
    pub ports: Vec<Vec<u16>>,
}

/// What is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Calls at once; beyond it 503.
    pub calls: usize,
    /// New calls in a second; beyond it 503.
    pub calls_per_second: u32,
    /// What calls are refused with that are too many, instead of 503: some carriers take that for the whole trunk.
    pub busy_status: u16,
    /// How long the message that asks for a call may have waited for us, and a command for the relay; while it is longer, calls are refused without a
    /// record and without state, which is what catching up costs least with. The order of magnitude is T1: a caller who
    /// hears nothing for so long asks again (RFC 3261 §17.1.1.2), and then there is more to do instead of less.
    pub delay: Duration,
    /// The same for the store, on whose durability every answer waits.
    pub store_delay: Duration,
    /// How long a port rests before it is used again.
    pub port_rest: Duration,
    /// How many numbers are remembered for lock-out.
    pub lockouts: usize,
}

/// A carrier.
#[derive(Debug, Clone, PartialEq)]
pub struct Trunk {
    /// Its name in records.
    pub name: Box<str>,
    /// Which addresses may call in; with a certificate or an account, none means any.
    pub allow: Vec<Network>,
    /// Names of which whoever calls in must have proved one by a certificate; none where it needs none.
    pub certificate: Vec<Box<str>>,
    /// Whether whoever calls in must prove an account of `ua::Config::accounts`. Without `allow` and `certificate` that is enough, from
    /// wherever it comes.
    pub inbound: bool,
    /// Where calls go out; nowhere while its name is not resolved.
    pub targets: Vec<Target>,
    /// Host (and port) for Request-URI and To: `sip.carrier.example`, `192.0.2.7:5060`.
    pub host: Box<str>,
    /// Which header names the caller.
    pub trust: Trust,
    /// What is believed of whether the caller is who that header says.
    pub verify: Verify,
    /// Host without port: `sip.carrier.example`.
    pub domain: Box<str>,
    /// How numbers are written to it and read from it.
    pub profile: Profile,
    /// Whether media by it is protected.
    pub srtp: SrtpPolicy,
    /// What its challenges are answered with.
    pub credentials: Option<Arc<Credentials>>,
    /// Whether we register there, so that it knows where to send calls.
    pub registration: Option<Registration>,
    /// How often it is asked whether it is there.
    pub ping: Option<Duration>,
    /// How long it may say nothing at all to a call before the next way is tried, where there is one. Default 4 s.
    pub attempt_timeout: Duration,
    /// Legs of calls at once, both ways; any number where there is none.
    pub max_calls: Option<usize>,
    /// New legs in a second, both ways.
    pub calls_per_second: Option<u32>,
}

/// How numbers are written to a trunk and read from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// How national forms are read and written.
    pub plan: Plan,
    /// How numbers are written.
    pub form: Form,
    /// Put before the callee's number: digits, `*`, `#`.
    pub prefix: Box<str>,
    /// Taken off the numbers it sends, where they begin with it.
    pub strip: Box<str>,
    /// Who stands in From.
    pub from: Sender,
    /// Where else our number is shown.
    pub shown: Vec<Shown>,
    /// Whether the callee is not to see our number.
    pub withheld: bool,
}

impl Profile {
    /// Reads a number it sends.
    #[must_use]
    pub fn read(&self, text: &str) -> Option<Number> {
        self.parse(text).ok()
    }

    /// As [`Self::read`], with the reason why it is none.
    pub(crate) fn parse(&self, text: &str) -> Result<Number, NumberError> {
        self.plan.parse(text.strip_prefix(&*self.strip).unwrap_or(text))
    }

    /// Writes a number for it.
    #[must_use]
    pub fn write(&self, number: Number) -> String {
        self.plan.write(number, self.form)
    }
}

/// Who stands in From.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sender {
    /// Our number at our address.
    Own,
    /// Our number at the carrier's host.
    AtCarrier,
    /// An account there: `sip:74951234567@carrier.example`.
    Account(Box<str>),
}

/// One place at which a trunk is reached (RFC 2782).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Where.
    pub flow: Flow,
    /// The least is tried first.
    pub priority: u32,
    /// Its share of the calls among those of one priority.
    pub weight: u16,
}

/// What is registered (RFC 3261 §10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The address of record: `sip:74951234567@carrier.example`.
    pub aor: Box<str>,
    /// Seconds a binding is asked for.
    pub expires: u32,
}

/// By which trunks a line calls out. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// The first that takes the call.
    InOrder(Vec<TrunkId>),
    /// Each call begins with another, drawn by weight; the rest are there if that does not take it.
    ByWeight(Vec<(TrunkId, u32)>),
}

/// Whether a leg's media is protected by SRTP, with keys in the session descriptions (RFC 4568).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SrtpPolicy {
    /// Never.
    Off,
    /// If the other side can.
    Offered,
    /// Always: there is no call without.
    Required,
}

/// A range of addresses (CIDR).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Any address of the range.
    pub address: IpAddr,
    /// Leading bits that count.
    pub prefix: u8,
}

impl Network {
    /// Whether `address` lies inside. An IPv4-mapped IPv6 address counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix.min(32))).unwrap_or(0);
                u32::from(ours) & mask == u32::from(theirs) & mask
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix.min(128))).unwrap_or(0);
                u128::from(ours) & mask == u128::from(theirs) & mask
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// Which header names the caller (RFC 3325 §5: only inside a trust domain).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// P-Asserted-Identity, else From.
    Asserted,
    /// Remote-Party-ID, else From.
    RemoteParty,
    /// From alone.
    From,
}

/// What is believed of whether a caller is who the signalling says. Where nothing is, nobody is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verify {
    /// What the carrier says it verified itself (`verstat`, 3GPP TS 24.229).
    pub verstat: bool,
    /// What an Identity header proves (RFC 8224), verified here.
    pub identity: bool,
}

impl Verify {
    /// Whether callers by this trunk are verified in any way.
    #[must_use]
    pub fn is_on(self) -> bool {
        self.verstat || self.identity
    }
}

/// What becomes of a caller who is not verified. The harder, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Treatment {
    /// The call is taken, and the number believed.
    Take,
    /// The call is taken, and the number is nobody's: no order is theirs, and an operator may help.
    Stranger,
    /// The call is refused before it is answered.
    Refuse,
}

/// How a line treats callers by trunks on which they are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Those of whom nobody says anything, and those who are known less well than `attestation`.
    pub unverified: Treatment,
    /// Those who are not who they say, as far as can be told.
    pub disproved: Treatment,
    /// How well a verified caller must be known at least; any will do where there is none.
    pub attestation: Option<Attestation>,
}

impl Policy {
    /// Takes everyone, and believes whoever is not disproved: the default.
    pub const LENIENT: Self =
        Self { unverified: Treatment::Take, disproved: Treatment::Stranger, attestation: None };

    /// What becomes of a caller of whom this is known.
    #[must_use]
    pub fn treatment(&self, verification: Verification) -> Treatment {
        match verification {
            Verification::Passed(attestation) if attestation >= self.attestation => Treatment::Take,
            Verification::Passed(_) | Verification::None(_) => self.unverified,
            Verification::Failed(_) => self.disproved,
        }
    }
}

/// One of our numbers and what it does.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The number: what both sides see.
    pub number: Number,
    /// By which trunks it calls out.
    pub trunks: Choice,
    /// What callers hear unless the order says otherwise.
    pub language: Language,
    /// Whom `#` reaches.
    pub operator: Option<Operator>,
    /// How callers who are not verified are treated.
    pub policy: Policy,
    /// Whether calls are recorded.
    pub record: bool,
    /// Who is told so before.
    pub record_notice: RecordNotice,
    /// The key by which whoever is told can refuse, `0` to `9`.
    pub record_refuse: Option<char>,
    /// Which numbers may be dialled.
    pub dial: DialRules,
    /// How blocked callers are treated.
    pub blocked: Blocked,
    /// Whether the callee hears who calls before they are joined. Default yes.
    pub whisper: bool,
    /// How long the callee has for pressing 1, which accepts the call; `None`: nothing need be pressed.
    pub confirm: Option<Duration>,
    /// When callers are answered.
    pub answer: Answer,
    /// How long callers hear it ring before they are answered, where that is not when the callee answers. Default not at all.
    pub answer_after: Duration,
    /// Our patience with the callee. Default 45 s.
    pub ring_timeout: Duration,
    /// What the caller hears before the callee has answered.
    pub early_media: EarlyMedia,
    /// How long two may talk. Default 2 h.
    pub max_call: Duration,
    /// How long before that they are warned. Default 60 s.
    pub warning: Duration,
    /// How the route of a call is found.
    pub service: Service,
    /// What other programs have a say in.
    pub hooks: Hooks,
}

/// When callers are answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Answer {
    /// Before anybody is called: they hear prompts and music.
    #[default]
    AtOnce,
    /// When the callee has answered and taken the call: they hear it ring where it rings, and whoever is not reached is refused. Only
    /// where nothing is to be keyed: pairs and [`crate::Service::Reserve`].
    WhenAnswered,
}

/// Who is told that a call is recorded, before it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RecordNotice {
    /// Nobody; calls are recorded from the answer on.
    #[default]
    Off,
    /// The caller; calls are recorded from then on.
    Caller,
    /// The caller, and the callee before they are joined; calls are recorded once they are.
    Both,
}

/// What becomes of a caller who is blocked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Blocked {
    /// The call is refused before it is answered (603); where it is a pair that is blocked, the caller is told that the call
    /// cannot be put through.
    #[default]
    Refuse,
    /// The caller hears what any stranger hears, while nothing is looked up and nobody is called; of a pair, that the other
    /// is not available.
    HearOut,
}

/// What international numbers begin with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix(Box<str>);

impl Prefix {
    /// Reads `+7495` or `7495`: one to fifteen digits, the first not zero.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        let is_prefix = (1..=15).contains(&digits.len())
            && digits.bytes().all(|octet| octet.is_ascii_digit())
            && !digits.starts_with('0');
        is_prefix.then(|| Self(digits.into()))
    }

    /// How many digits of this number it matches; `None`: the number begins otherwise.
    fn matches(&self, digits: &str) -> Option<usize> {
        digits.starts_with(&*self.0).then_some(self.0.len())
    }
}

/// With its plus: `+7495`.
impl std::fmt::Display for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "+{}", self.0)
    }
}

/// Which numbers may be dialled: the longest prefix that matches decides. Where nothing is allowed by name, all is that is
/// not denied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DialRules {
    /// These may be.
    pub allow: Vec<Prefix>,
    /// These may not; none of them stands in `allow` as well.
    pub deny: Vec<Prefix>,
}

impl DialRules {
    /// Whether this number may be dialled.
    #[must_use]
    pub fn allows(&self, number: Number) -> bool {
        let digits = number.as_u64().to_string();
        let longest =
            |prefixes: &[Prefix]| prefixes.iter().filter_map(|prefix| prefix.matches(&digits)).max();
        match (longest(&self.allow), longest(&self.deny)) {
            (None, None) => self.allow.is_empty(),
            (allowed, denied) => allowed > denied,
        }
    }
}

/// Numbers that cost alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostClass {
    /// Its name.
    pub name: Box<str>,
    /// What its numbers begin with; of several classes the one with the longest prefix is a number's.
    pub prefixes: Vec<Prefix>,
    /// Calls at once.
    pub max_calls: Option<usize>,
    /// Calls within 24 hours from the first.
    pub max_calls_a_day: Option<u32>,
}

impl CostClass {
    /// This number's.
    #[must_use]
    pub fn of(classes: &[Self], number: Number) -> Option<&Self> {
        let digits = number.as_u64().to_string();
        let longest = |class: &Self| class.prefixes.iter().filter_map(|prefix| prefix.matches(&digits)).max();
        let matching = classes.iter().filter_map(|class| Some((longest(class)?, class)));
        matching.max_by_key(|(length, _)| *length).map(|(_, class)| class)
    }
}

/// What bounds the calls that are dialled, over all lines; none where there is no figure. An operator is no party: of an
/// operator's number there may be as many calls as there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guards {
    /// Classes of numbers.
    pub classes: Vec<CostClass>,
    /// Calls at once to one party's number.
    pub callee_max_calls: Option<usize>,
    /// Calls at once of one caller's number that have somebody dialled.
    pub caller_max_calls: Option<usize>,
    /// Calls to one party's number within an hour from the first.
    pub callee_calls_per_hour: Option<u32>,
    /// Calls of one caller's number within an hour from the first.
    pub caller_calls_per_hour: Option<u32>,
}

/// What a caller hears while the callee is being called (RFC 3960).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EarlyMedia {
    /// Our music, whatever comes from the callee's side.
    Ours,
    /// What comes from there, once a description has come; until then our music. Nothing goes there before the answer.
    Pass,
}

/// Whom `#` reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operator {
    /// A number, by the line's trunk.
    Number(Number),
    /// A SIP address, reached directly (an office exchange).
    Uri {
        /// Request-URI and To.
        uri: Box<str>,
        /// Where it is; `None` while its name is not resolved.
        flow: Option<Flow>,
    },
}
