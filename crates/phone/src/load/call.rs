//! One call of the load.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip::Response;

use super::text;

/// T1: what nobody answered is said again then (RFC 3261 §17.1.1.1).
pub(super) const T1: Duration = Duration::from_millis(500);
/// T2: the longest pause between saying something again, but for INVITE.
pub(super) const T2: Duration = Duration::from_secs(4);
/// 64*T1: how long anything is said again, and how long a call that is over answers for itself.
pub(super) const PATIENCE: Duration = Duration::from_secs(32);

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Calling,
    Keying,
    Dialling,
    Answered,
    Joined,
    Ending,
    /// It failed; what is up at the server is being taken down.
    Leaving,
    Over,
}

/// What a caller asks for, each at most once in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Invite,
    Cancel,
    Bye,
}

/// Something said that waits for an answer, and is said again until it comes.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) bytes: Bytes,
    pub(super) since: Instant,
    /// How often it was said again.
    pub(super) again: u32,
}

impl Said {
    pub(super) fn new(bytes: Bytes, since: Instant) -> Self {
        Self { bytes, since, again: 0 }
    }

    /// Until it is said again after now; `None` where it has waited long enough. An INVITE's pause only doubles (Timer A
    /// of RFC 3261 §17.1.1.2), others' end at T2 (Timer E, and §13.3.1.4 for a 200).
    pub(super) fn pause(&mut self, now: Instant, most: Duration) -> Option<Duration> {
        self.again += 1;
        (now - self.since < PATIENCE).then(|| (T1 * (1 << self.again.min(6))).min(most))
    }
}

impl Stage {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Calling => "no answer from the server",
            Self::Keying => "keying",
            Self::Dialling => "the callee was never called",
            Self::Answered => "never joined",
            Self::Joined => "joined",
            Self::Ending => "never ended",
            Self::Leaving => "leaving",
            Self::Over => "over",
        }
    }
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) stage: Stage,
    pub(super) began: Instant,
    pub(super) keyed_at: Instant,
    pub(super) code: String,
    pub(super) keyed: usize,
    /// The request that waits for an answer.
    pub(super) waiting: Option<(Asked, Said)>,
    /// Whether the server said anything of the INVITE: before it does, nothing can be cancelled (RFC 3261 §9.1).
    pub(super) provisional: bool,
    /// The callee's 200 that waits for its ACK, and the INVITE's Call-ID.
    pub(super) answer: Option<Said>,
    pub(super) callee_id: String,
    /// To with the server's tag, and its Contact.
    pub(super) to: String,
    pub(super) target: String,
    pub(super) caller_media: Option<SocketAddr>,
    pub(super) callee_media: Option<SocketAddr>,
    pub(super) bye_answered: bool,
    pub(super) callee_gone: bool,
    /// When the callee, and the caller, last heard something while they were joined.
    heard: [Option<Instant>; 2],
    /// The longest that one of them heard nothing.
    pub(super) gap: Duration,
    sequence: u16,
    timestamp: u32,
}

impl Call {
    pub(super) fn new(began: Instant, code: String) -> Self {
        Self {
            stage: Stage::Calling,
            began,
            keyed_at: began,
            code,
            keyed: 0,
            waiting: None,
            provisional: false,
            answer: None,
            callee_id: String::new(),
            to: String::new(),
            target: String::new(),
            caller_media: None,
            callee_media: None,
            bye_answered: false,
            callee_gone: false,
            heard: [None; 2],
            gap: Duration::ZERO,
            sequence: 1,
            timestamp: 8_000,
        }
    }

    /// What the server's 200 says.
    pub(super) fn learn(&mut self, response: &Response) {
        let headers = response.headers();
        self.to = String::from_utf8_lossy(headers.first(sip::Name::To).unwrap_or_default()).into_owned();
        if let Some(contact) = headers.contact() {
            contact.uri().as_str().clone_into(&mut self.target);
        }
        self.caller_media = text::media_of(response.body());
    }

    /// The callee hears something, or the caller.
    pub(super) fn hears(&mut self, now: Instant, by_caller: bool) {
        if self.stage == Stage::Joined {
            let last = self.heard[usize::from(by_caller)].replace(now);
            self.gap = last.map_or(self.gap, |last| self.gap.max(now - last));
        }
    }

    /// Whether the server and the caller have a dialog.
    pub(super) fn is_up(&self) -> bool {
        !self.target.is_empty()
    }

    /// One key as a phone sends it (RFC 4733 §2.5.1.4): its beginning, and its end three times.
    pub(super) fn press(&mut self, event: u8) -> [Vec<u8>; 4] {
        self.timestamp += 1600;
        let packet = |call: &mut Self, marker: bool, end: bool, duration: u16| {
            call.sequence = call.sequence.wrapping_add(1);
            let mut bytes = header(if marker { 0x80 | 101 } else { 101 }, call.sequence, call.timestamp);
            bytes.extend([event, if end { 0x80 | 10 } else { 10 }]);
            bytes.extend(duration.to_be_bytes());
            bytes
        };
        [
            packet(self, true, false, 160),
            packet(self, false, true, 800),
            packet(self, false, true, 800),
            packet(self, false, true, 800),
        ]
    }

    /// 20 ms of A-law that say whose they are.
    pub(super) fn voice(&mut self, place: usize) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(160);
        let mut bytes = header(8, self.sequence, self.timestamp);
        bytes.extend(MARK);
        bytes.extend((place as u64).to_be_bytes());
        bytes.resize(172, 0xD5);
        bytes
    }
}

const MARK: [u8; 8] = [0x55, 0xAA, 0x55, 0xAA, 0x12, 0x34, 0x56, 0x78];

fn header(kind: u8, sequence: u16, timestamp: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(172);
    bytes.extend([0x80, kind]);
    bytes.extend(sequence.to_be_bytes());
    bytes.extend(timestamp.to_be_bytes());
    bytes.extend(0x0BAD_CAFE_u32.to_be_bytes());
    bytes
}

/// Whose voice a packet carries.
pub(super) fn place_in(packet: &[u8]) -> Option<usize> {
    let payload = packet.get(12..28)?;
    if payload[..8] != MARK {
        return None;
    }
    let place = u64::from_be_bytes(payload[8..].try_into().ok()?);
    usize::try_from(place).ok()
}
