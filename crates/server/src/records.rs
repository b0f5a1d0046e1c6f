//! From the switchboard's records and notices to what is kept and told.

use api::Privacy;
use b2bua::{CallId, Happening, Notice, PairId, Record, Tried, TrunkHappening, TrunkNotice, Verification};
use clock::Instant;
use number::Number;
use rtp::{Statistics, quality};
use serde::Serialize;
use serde_json::{Value, json};
use store::{IdentityRecord, Json, LegRecord, NewEvent, Timestamp, TriedRecord, Ulid};

use crate::callbacks;
use crate::known::Met;
use crate::time::Clock;

/// What a record is written with.
#[derive(Debug, Clone)]
pub(crate) struct Scribe {
    pub(crate) clock: Clock,
    pub(crate) node: String,
    pub(crate) privacy: Privacy,
    /// Names of the trunks, by their place.
    pub(crate) trunks: Vec<String>,
}

pub(crate) fn ulid(call: CallId) -> Ulid {
    Ulid(call.0)
}

pub(crate) fn pair_ulid(pair: PairId) -> Ulid {
    Ulid(pair.0)
}

impl Scribe {
    fn at(&self, at: Instant) -> Timestamp {
        Timestamp(self.clock.wall_ms(at))
    }

    fn show(&self, number: Option<Number>) -> Option<String> {
        number.map(|number| self.privacy.show(number))
    }

    /// A record as it is kept.
    pub(crate) fn record(&self, record: &Record) -> store::Record {
        let outcome = record.outcome;
        store::Record {
            id: ulid(record.call),
            node: self.node.clone(),
            callback: record.callback,
            line: record.line.map(|line| line.to_string()),
            dialled: record.dialled.to_string(),
            trunk: record.trunk.to_string(),
            callee_trunk: record.callee_trunk.as_deref().map(str::to_owned),
            caller: self.show(record.caller),
            caller_name: None,
            identity: record.verification.map(|verification| self.identity(verification, record.claimed)),
            callee: self.show(record.callee),
            callee_name: None,
            tried: record.tried.iter().map(|tried| self.tried(tried)).collect(),
            started_at: self.at(record.started),
            answered_at: record.answered.map(|at| self.at(at)),
            bridged_at: record.bridged.map(|at| self.at(at)),
            ended_at: record.ended.map(|at| self.at(at)),
            duration_seconds: seconds(record.answered_for()),
            talk_seconds: seconds(record.talked_for()),
            heard: record.heard().map(|heard| heard.word().to_owned()),
            ended_by: outcome.map(|outcome| outcome.side.word().to_owned()),
            cause: outcome.map(|outcome| outcome.cause.word().to_owned()),
            sip_status: outcome.and_then(|outcome| outcome.status),
            q850: outcome.map(|outcome| outcome.q850),
            code: record.code.map(|code| code.as_str().to_owned()),
            attempts: record.attempts,
            order_found: record.order_found,
            number_found: record.number_found,
            pair: record.pair.map(pair_ulid),
            caller_role: record.caller_role.map(|role| role.word().to_owned()),
            callee_reached: record.callee_reached,
            operator_asked: record.operator_asked,
            operator_reached: record.operator_reached,
            locked_out: record.locked_out,
            recording: record.recording.as_deref().map(str::to_owned),
            recording_paused_seconds: seconds(record.recording_paused),
            recording_refused_by: record.recording_refused.map(|side| side.word().to_owned()),
            recording_fault: record.recording_fault.clone(),
            hook_fault: record.hook_fault.as_deref().map(str::to_owned),
            restored: record.restored,
            data: record.data.as_deref().and_then(|text| Json::parse(text).ok()),
            caller_leg: record.caller_media.as_ref().map(leg),
            callee_leg: record.callee_media.as_ref().map(leg),
        }
    }

    fn tried(&self, tried: &Tried) -> TriedRecord {
        TriedRecord {
            side: tried.side.word().to_owned(),
            number: self.show(tried.number),
            dialled_at: self.at(tried.dialled),
            rang_seconds: tried.rang.map(|at| seconds(at.since(tried.dialled))),
            waiting_seconds: seconds(tried.waited_for()),
            answered_seconds: tried.answered.map(|_| seconds(tried.answered_for())),
            cause: tried.outcome.map(|outcome| outcome.cause.word().to_owned()),
            sip_status: tried.outcome.and_then(|outcome| outcome.status),
        }
    }

    fn identity(&self, verification: Verification, claimed: Option<Number>) -> IdentityRecord {
        IdentityRecord {
            verdict: verification.verdict().word().to_owned(),
            attestation: verification.attestation().map(|attestation| attestation.word().to_owned()),
            fault: verification.fault().map(|fault| fault.word().to_owned()),
            claimed: self.show(claimed),
        }
    }

    /// A notice as an event.
    pub(crate) fn event(&self, notice: &Notice) -> NewEvent {
        let (kind, data) = match &notice.what {
            Happening::Arrived { line, trunk, caller, verification, claimed } => (
                "call.arrived",
                json!({
                    "line": line.to_string(),
                    "trunk": self.trunks.get(usize::from(trunk.0)),
                    "caller": self.show(*caller),
                    "identity": verification.map(|verification| self.identity(verification, *claimed)),
                }),
            ),
            Happening::Originated { line, data } => {
                ("call.originated", json!({ "line": line.to_string(), "data": attached(data.as_deref()) }))
            }
            Happening::FirstAnswered { number } => {
                ("callback.first-answered", json!({ "number": self.show(*number) }))
            }
            Happening::SecondAnswered { number } => {
                ("callback.second-answered", json!({ "number": self.show(*number) }))
            }
            Happening::Asked => ("call.asked", json!({})),
            Happening::Code { code, found } => {
                ("call.code", json!({ "code": code.as_str(), "order_found": found }))
            }
            Happening::Matched { code, caller, data } => (
                "call.matched",
                json!({ "code": code.as_str(), "caller_role": caller.word(), "data": attached(data.as_deref()) }),
            ),
            Happening::Paired { pair, caller, data } => (
                "call.matched",
                json!({ "pair": pair_ulid(*pair), "caller_role": caller.word(), "data": attached(data.as_deref()) }),
            ),
            Happening::Dialling { callee, number, shown } => {
                let shown = shown.to_string();
                let callee_role = callee.word();
                (
                    "call.dialling",
                    json!({ "callee_role": callee_role, "callee": self.show(*number), "shown": shown }),
                )
            }
            Happening::Ringing => ("call.ringing", json!({})),
            Happening::Bridged => ("call.bridged", json!({})),
            Happening::Operator => ("call.operator", json!({})),
            Happening::HookFailed { hook, fault } => ("hook.failed", json!({ "hook": hook, "fault": fault })),
            Happening::Restored(record) => ("call.restored", self.restored(record)),
            Happening::RecordingPaused => ("recording.paused", json!({})),
            Happening::RecordingResumed => ("recording.resumed", json!({})),
            Happening::Ended { outcome } => (
                "call.ended",
                json!({
                    "ended_by": outcome.side.word(),
                    "cause": outcome.cause.word(),
                    "sip_status": outcome.status,
                    "q850": outcome.q850,
                }),
            ),
        };
        event(kind, self.at(notice.at), Some(ulid(notice.call)), &data)
    }

    /// Who somebody in a call is, as an event.
    pub(crate) fn met(&self, at: Instant, met: &Met) -> NewEvent {
        let data = json!({
            "party": met.side.word(),
            "number": self.privacy.show(met.number),
            "name": met.known.name,
            "contact": met.known.contact,
            "code": met.known.code,
            "role": met.known.role,
            "card_url": met.card_url,
        });
        event("call.known", self.at(at), Some(ulid(met.call)), &data)
    }

    /// A call that goes on, for those who know nothing of it.
    fn restored(&self, record: &Record) -> Value {
        let operator = record.operator_asked.then_some("operator").or(record.callback.then_some("second"));
        json!({
            "line": record.line.map(|line| line.to_string()),
            "trunk": record.trunk,
            "caller": self.show(record.caller),
            "callee": self.show(record.callee),
            "callee_role": operator.or(record.caller_role.map(|role| role.other().word())),
            "code": record.code.map(|code| code.as_str().to_owned()),
            "pair": record.pair.map(pair_ulid),
            "caller_role": record.caller_role.map(b2bua::Role::word),
            "started_at": self.at(record.started),
            "bridged_at": record.bridged.map(|at| self.at(at)),
            "restored": record.restored,
        })
    }

    /// What happened to a trunk, as an event.
    pub(crate) fn trunk_event(&self, notice: &TrunkNotice) -> NewEvent {
        let trunk = &notice.trunk;
        let (kind, data) = match notice.what {
            TrunkHappening::Registered { expires } => {
                ("trunk.registered", json!({ "trunk": trunk, "expires_seconds": expires.as_secs() }))
            }
            TrunkHappening::Unregistered { status } => {
                ("trunk.unregistered", json!({ "trunk": trunk, "sip_status": status }))
            }
            TrunkHappening::Up => ("trunk.up", json!({ "trunk": trunk })),
            TrunkHappening::Down => ("trunk.down", json!({ "trunk": trunk })),
        };
        event(kind, self.at(notice.at), None, &data)
    }

    /// What is told once a record is kept.
    pub(crate) fn after(&self, at: Instant, record: &store::Record) -> Vec<NewEvent> {
        self.told(self.at(at), record)
    }

    /// As `after`, by the wall clock.
    pub(crate) fn told(&self, at: Timestamp, record: &store::Record) -> Vec<NewEvent> {
        let mut events = vec![event("record.written", at, Some(record.id), record)];
        if record.callback {
            let cause = record.cause.as_deref().unwrap_or_default();
            let by = record.ended_by.as_deref().unwrap_or_default();
            let data = callbacks::ended(by, cause, record.talk_seconds);
            events.push(event("callback.ended", at, Some(record.id), &data));
        }
        if let Some(recording) = &record.recording {
            let data = json!({ "recording": recording, "fault": record.recording_fault });
            events.push(event("recording.ready", at, Some(record.id), &data));
        }
        events
    }
}

/// To the millisecond.
fn seconds(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

/// An event about anything.
pub(crate) fn event(kind: &str, at: Timestamp, call: Option<Ulid>, data: &impl Serialize) -> NewEvent {
    let data = Json::of(data).expect("what we make has a JSON form");
    NewEvent { kind: kind.to_owned(), at, call, data }
}

fn attached(data: Option<&str>) -> Value {
    data.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null)
}

fn leg(statistics: &Statistics) -> LegRecord {
    let remote = statistics.remote_metrics;
    LegRecord {
        packets_received: statistics.packets_received,
        bytes_received: statistics.bytes_received,
        packets_sent: statistics.packets_sent,
        bytes_sent: statistics.bytes_sent,
        lost: i64::try_from(statistics.lost).unwrap_or(i64::MAX),
        jitter_ms: f64::from(statistics.jitter_ms),
        remote_loss: statistics.remote_loss.map(f64::from),
        round_trip_ms: statistics.round_trip_ms.map(f64::from),
        remote_discard: remote.map(|remote| f64::from(remote.discard) / 256.0),
        remote_burst_density: remote.map(|remote| f64::from(remote.burst_density) / 256.0),
        remote_burst_ms: remote.map(|remote| remote.burst_ms),
        remote_rating: remote.and_then(|remote| remote.rating),
        remote_mos: remote
            .and_then(|remote| remote.conversing.or(remote.listening))
            .map(|tenths| f64::from(tenths) / 10.0),
        foreign: statistics.foreign,
        unproven: statistics.unproven,
        codec: statistics.codec.map(|codec| codec.name().to_owned()),
        srtp: statistics.srtp.map(|suite| suite.word().to_owned()),
        mos: mos(statistics),
    }
}

/// Mean opinion score 1 to 4.5 of what came in, with the delay that the network is known to add. `None` where nothing came.
fn mos(statistics: &Statistics) -> Option<f32> {
    let expected = statistics.packets_received + statistics.lost;
    if statistics.packets_received == 0 || !statistics.codec.is_none_or(quality::is_rated) {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than single precision")]
    let lost = statistics.lost as f32 / expected as f32;
    let delay = quality::delay_ms(statistics.round_trip_ms, statistics.jitter_ms);
    Some((quality::score(quality::rating(lost, delay)) * 100.0).round() / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_voice_is_not_rated_as_a_narrow_one() {
        let with = |codec| Statistics { packets_received: 1000, codec: Some(codec), ..Statistics::default() };
        assert!(mos(&with(rtp::Codec::Pcma)).is_some());
        assert_eq!((mos(&with(rtp::Codec::G722)), mos(&with(rtp::Codec::Opus))), (None, None));
    }

    #[test]
    fn what_was_dropped_and_how_it_was_protected_is_told() {
        let suite = Some(rtp::Suite::AeadAes256Gcm);
        let told = leg(&Statistics { foreign: 3, unproven: 4, srtp: suite, ..Statistics::default() });
        assert_eq!((told.remote_mos, told.remote_burst_ms), (None, None));
        assert_eq!((told.foreign, told.unproven), (3, 4));
        assert_eq!(told.srtp.as_deref(), Some("AEAD_AES_256_GCM"));
    }

    #[test]
    fn what_they_say_of_our_voice_is_told_as_they_say_it() {
        let metrics = rtp::VoipMetrics {
            ssrc: 1,
            loss: 3,
            discard: 64,
            burst_density: 128,
            gap_density: 0,
            burst_ms: 700,
            gap_ms: 9000,
            round_trip_ms: 50,
            end_system_ms: 60,
            rating: Some(80),
            listening: Some(42),
            conversing: Some(39),
        };
        let told = |remote_metrics| leg(&Statistics { remote_metrics, ..Statistics::default() });
        let all = told(Some(metrics));
        assert_eq!((all.remote_discard, all.remote_burst_density), (Some(0.25), Some(0.5)));
        assert_eq!(
            (all.remote_burst_ms, all.remote_rating, all.remote_mos),
            (Some(700), Some(80), Some(3.9))
        );
        let listening = told(Some(rtp::VoipMetrics { conversing: None, ..metrics }));
        assert_eq!(listening.remote_mos, Some(4.2));
    }

    #[test]
    fn the_score_is_good_without_loss_and_falls_with_it() {
        let with = |lost| Statistics { packets_received: 1000 - lost, lost, ..Statistics::default() };
        assert!(mos(&with(0)).unwrap() > 4.3);
        assert!(mos(&with(50)).unwrap() < 3.0);
        assert_eq!(mos(&Statistics::default()), None);
    }
}
