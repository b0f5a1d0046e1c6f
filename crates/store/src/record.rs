//! What is kept of a call.

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::{Batch, Json, NewEvent, Outcome, Page, Store, StoreError, Timestamp};

/// One call, as programs and people see it: this is the JSON of `GET /v1/records`, of the event `record.written` and
/// of the columns of the export. Numbers are already as `privacy.numbers` allows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Record {
    /// The call.
    pub id: Ulid,
    /// Name of the node.
    pub node: String,
    /// Whether the node began the call itself: then the caller is who was called first.
    pub callback: bool,
    /// The line called, `+` E.164; none where what was dialled is no line of ours.
    pub line: Option<String>,
    /// What was dialled.
    pub dialled: String,
    /// Name of the trunk it came by; of a callback, by which its first side was called.
    pub trunk: String,
    /// Who called: `+` E.164, last four or hash. At most [`Record::LONGEST_NUMBER`] bytes.
    pub caller: Option<String>,
    /// What people call them, as far as was known during the call. At most [`Record::LONGEST_NAME`] bytes.
    pub caller_name: Option<String>,
    /// What became of verifying who called; none where the trunk's callers are not verified.
    pub identity: Option<IdentityRecord>,
    /// Whom we dialled last, likewise.
    pub callee: Option<String>,
    /// What people call them, likewise.
    pub callee_name: Option<String>,
    /// Name of the trunk by which they were dialled; none where nobody was, or straight at a SIP address.
    pub callee_trunk: Option<String>,
    /// Each number that was called, in the order they were.
    pub tried: Vec<TriedRecord>,
    /// When the INVITE came, or the node began the call.
    pub started_at: Timestamp,
    /// When we answered; of a callback, when its first side did.
    pub answered_at: Option<Timestamp>,
    /// When the two were joined.
    pub bridged_at: Option<Timestamp>,
    /// When it was over; none in a checkpoint.
    pub ended_at: Option<Timestamp>,
    /// From our answer to the end, seconds, to the millisecond.
    pub duration_seconds: f64,
    /// From the bridge to the end, seconds, to the millisecond.
    pub talk_seconds: f64,
    /// Whose voice came while they were joined: `both`, `caller`, `callee`, `neither`; none if they never were.
    pub heard: Option<String>,
    /// Who ended it: `caller`, `callee` or `us`.
    pub ended_by: Option<String>,
    /// Why it ended, in one word (`hung-up`, `no-answer` …); none in a checkpoint.
    pub cause: Option<String>,
    /// SIP status, where one was involved.
    pub sip_status: Option<u16>,
    /// Q.850 cause.
    pub q850: Option<u8>,
    /// The code keyed last.
    pub code: Option<String>,
    /// Codes keyed and looked up.
    pub attempts: u8,
    /// Whether an order was found.
    pub order_found: bool,
    /// Whether the caller's number was found on it.
    pub number_found: bool,
    /// The pair the caller is of.
    pub pair: Option<Ulid>,
    /// `courier` or `client`; of a pair `a` or `b`.
    pub caller_role: Option<String>,
    /// Whether the other party was joined.
    pub callee_reached: bool,
    /// Whether an operator was asked for.
    pub operator_asked: bool,
    /// Whether an operator was joined.
    pub operator_reached: bool,
    /// Whether the caller was locked out.
    pub locked_out: bool,
    /// File name of the recording.
    pub recording: Option<String>,
    /// How long the recording was paused, seconds, to the millisecond.
    pub recording_paused_seconds: f64,
    /// Who refused to be recorded: `caller` or `callee`.
    pub recording_refused_by: Option<String>,
    /// Why the recording is not whole.
    pub recording_fault: Option<String>,
    /// What was wrong last with what a hook said, why it said nothing, or why it vetoed the call.
    pub hook_fault: Option<String>,
    /// How often the call was carried over a death of the node.
    pub restored: u8,
    /// What the shop attached to the order or the pair.
    pub data: Option<Json>,
    /// Media of the caller's leg.
    pub caller_leg: Option<LegRecord>,
    /// Media of the callee's leg.
    pub callee_leg: Option<LegRecord>,
}

/// One number that was called. Written without what is missing: a record has only so much room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct TriedRecord {
    /// Whose place it was to take: `caller` or `callee`.
    pub side: String,
    /// The number, as [`Record::caller`]; an operator reached by SIP address has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// When it was called.
    pub dialled_at: Timestamp,
    /// How long after that it rang, seconds, to the millisecond.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rang_seconds: Option<f64>,
    /// From the call to the answer, or to the end if there was none, likewise.
    pub waiting_seconds: f64,
    /// From the answer to the end, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_seconds: Option<f64>,
    /// Why it was over, in one word; none in a checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// SIP status, where one was involved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sip_status: Option<u16>,
}

/// What became of verifying who called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct IdentityRecord {
    /// `passed`, `failed` or `none`.
    pub verdict: String,
    /// How well the caller is known: `A`, `B` or `C`; none where that was not said, or did not pass.
    pub attestation: Option<String>,
    /// Why it did not pass, in one word; none where it did, or nobody tried.
    pub fault: Option<String>,
    /// Who was said to call, where that is not believed; as [`Record::caller`].
    pub claimed: Option<String>,
}

/// Media of one leg.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct LegRecord {
    /// RTP packets received.
    pub packets_received: u64,
    /// Payload bytes received.
    pub bytes_received: u64,
    /// RTP packets sent.
    pub packets_sent: u64,
    /// Payload bytes sent.
    pub bytes_sent: u64,
    /// Packets expected and not received (RFC 3550 §6.4.1, may be negative where some came twice).
    pub lost: i64,
    /// Interarrival jitter, milliseconds (RFC 3550 §6.4.1).
    pub jitter_ms: f64,
    /// Fraction lost as the peer reports it, 0 to 1.
    pub remote_loss: Option<f64>,
    /// Round trip by RTCP, milliseconds.
    pub round_trip_ms: Option<f64>,
    /// Share of our packets that came too late to be played, as the peer's VoIP metrics say (RFC 3611 §4.7), 0 to 1.
    pub remote_discard: Option<f64>,
    /// Share of our packets lost or discarded within bursts, as they say.
    pub remote_burst_density: Option<f64>,
    /// How long such bursts last in the mean, milliseconds.
    pub remote_burst_ms: Option<u16>,
    /// Rating R, 0 to 100, as they say.
    pub remote_rating: Option<u8>,
    /// Mean opinion score of conversing, else of listening, 1 to 5, as they say.
    pub remote_mos: Option<f64>,
    /// Packets dropped because they came from elsewhere than was agreed.
    pub foreign: u64,
    /// Packets dropped because SRTP did not prove them theirs and new.
    pub unproven: u64,
    /// Name of the codec.
    pub codec: Option<String>,
    /// Name of the crypto-suite (RFC 4568 §6.2) all of it was protected by; none where anything went in the clear.
    pub srtp: Option<String>,
    /// Mean opinion score 1 to 5, estimated by whoever fills the record.
    pub mos: Option<f32>,
}

/// A call that was in progress when the node died.
#[derive(Debug, Clone, PartialEq)]
pub struct Unfinished {
    /// Its record as it stood.
    pub record: Record,
    /// What it takes to let it go on; empty where that was not kept.
    pub snapshot: Vec<u8>,
}

/// Which records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordFilter {
    /// Started at this moment or later.
    pub from: Option<Timestamp>,
    /// Started before this moment.
    pub to: Option<Timestamp>,
    /// With this caller or callee, in the form records have it.
    pub number: Option<String>,
    /// With this code.
    pub code: Option<String>,
    /// With this cause.
    pub cause: Option<String>,
}

impl Record {
    /// Most bytes of [`Record::caller`] and [`Record::callee`].
    pub const LONGEST_NUMBER: usize = 80;

    /// Most bytes of [`Record::caller_name`] and [`Record::callee_name`]: a record has only so much room.
    pub const LONGEST_NAME: usize = 128;

    /// Without what may be long: who was tried, and what the shop attached. For a record that would not be kept as it is.
    #[must_use]
    pub fn brief(self) -> Self {
        Self { tried: Vec::new(), data: None, ..self }
    }

    /// A name as it stands in records: so much of it as there is room for.
    #[must_use]
    pub fn short_name(name: &str) -> String {
        let mut short = name.to_owned();
        while short.len() > Self::LONGEST_NAME {
            short.pop();
        }
        short
    }
}

pub(crate) fn check(record: &Record) -> Result<(), StoreError> {
    let fits = |texts: [&Option<String>; 2], longest: usize| {
        texts.into_iter().flatten().all(|text| text.len() <= longest)
    };
    if !fits([&record.caller, &record.callee], Record::LONGEST_NUMBER) {
        return Err(StoreError::Refused("a number in the record is too long"));
    }
    if !fits([&record.caller_name, &record.callee_name], Record::LONGEST_NAME) {
        return Err(StoreError::Refused("a name in the record is too long"));
    }
    Ok(())
}

impl Store {
    /// Keeps a call in progress as it stands, so that a crash leaves a record, and beside it what it takes to let the call go
    /// on, as the caller wrote it; one above 5 400 bytes is left out. Later ones replace earlier ones; one that comes after the
    /// call was finished changes nothing. Waits for the disk.
    ///
    /// # Errors
    /// The record is too large (5 400 bytes of JSON), or the disk refused.
    pub fn checkpoint(&self, record: &Record, snapshot: &[u8]) -> Result<(), StoreError> {
        self.apply(Batch::new().checkpoint(record, snapshot)).map(|_| ())
    }

    /// Keeps the record of a finished call for good, removes its checkpoint and appends these events, all or nothing.
    /// Waits for the disk. Whether this was the first time; if not, nothing is changed and no event is appended.
    ///
    /// # Errors
    /// The record (5 400 bytes of JSON) or an event is too large, or the disk refused.
    pub fn finish(&self, record: &Record, events: Vec<NewEvent>) -> Result<bool, StoreError> {
        let outcomes = self.apply(Batch::new().finish(record, events))?;
        Ok(matches!(outcomes[..], [Outcome::Finished(true)]))
    }

    /// Calls that were in progress when the node died, oldest first.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn unfinished(&self) -> Result<Vec<Unfinished>, StoreError> {
        self.shared().unfinished()
    }

    /// When a batch last said that the node was alive ([`Batch::alive`]).
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn last_alive(&self) -> Result<Option<Timestamp>, StoreError> {
        self.shared().last_alive()
    }

    /// One record, once it is safe on the disk.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn record(&self, call: Ulid) -> Result<Option<Record>, StoreError> {
        self.shared().record(call)
    }

    /// Records that are safe on the disk, the last written first; at most `limit`, 1 to 1000. With `from`, a record
    /// written while the clock was set back by more than a day can be missed.
    ///
    /// # Errors
    /// The cursor is not one of this list, or the disk cannot be read.
    pub fn records(
        &self,
        filter: &RecordFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Record>, StoreError> {
        self.shared().records(filter, cursor, crate::page_size(limit))
    }
}
