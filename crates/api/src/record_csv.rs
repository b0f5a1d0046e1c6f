//! Records as rows of CSV (RFC 4180), for spreadsheets.

use std::fmt::Display;

use store::{LegRecord, Record, TriedRecord};

/// Name of a column, and what stands in it.
type Column<T> = (&'static str, fn(&T) -> String);

/// The columns of a record, before those of its legs.
const COLUMNS: [Column<Record>; 44] = [
    ("id", |r| r.id.to_string()),
    ("node", |r| r.node.clone()),
    ("line", |r| text(r.line.as_ref())),
    ("dialled", |r| r.dialled.clone()),
    ("trunk", |r| r.trunk.clone()),
    ("caller", |r| text(r.caller.as_ref())),
    ("callee", |r| text(r.callee.as_ref())),
    ("identity.verdict", |r| text(r.identity.as_ref().map(|identity| &identity.verdict))),
    ("identity.attestation", |r| {
        text(r.identity.as_ref().and_then(|identity| identity.attestation.as_ref()))
    }),
    ("identity.fault", |r| text(r.identity.as_ref().and_then(|identity| identity.fault.as_ref()))),
    ("identity.claimed", |r| text(r.identity.as_ref().and_then(|identity| identity.claimed.as_ref()))),
    ("callee_trunk", |r| text(r.callee_trunk.as_ref())),
    ("started_at", |r| r.started_at.to_string()),
    ("answered_at", |r| text(r.answered_at.as_ref())),
    ("bridged_at", |r| text(r.bridged_at.as_ref())),
    ("ended_at", |r| text(r.ended_at.as_ref())),
    ("duration_seconds", |r| r.duration_seconds.to_string()),
    ("talk_seconds", |r| r.talk_seconds.to_string()),
    ("heard", |r| text(r.heard.as_ref())),
    ("ended_by", |r| text(r.ended_by.as_ref())),
    ("cause", |r| text(r.cause.as_ref())),
    ("sip_status", |r| text(r.sip_status.as_ref())),
    ("q850", |r| text(r.q850.as_ref())),
    ("code", |r| text(r.code.as_ref())),
    ("attempts", |r| r.attempts.to_string()),
    ("order_found", |r| r.order_found.to_string()),
    ("number_found", |r| r.number_found.to_string()),
    ("pair", |r| r.pair.map(|pair| pair.to_string()).unwrap_or_default()),
    ("caller_role", |r| text(r.caller_role.as_ref())),
    ("callee_reached", |r| r.callee_reached.to_string()),
    ("operator_asked", |r| r.operator_asked.to_string()),
    ("operator_reached", |r| r.operator_reached.to_string()),
    ("locked_out", |r| r.locked_out.to_string()),
    ("recording", |r| text(r.recording.as_ref())),
    ("recording_paused_seconds", |r| r.recording_paused_seconds.to_string()),
    ("recording_refused_by", |r| text(r.recording_refused_by.as_ref())),
    ("recording_fault", |r| text(r.recording_fault.as_ref())),
    ("hook_fault", |r| text(r.hook_fault.as_ref())),
    ("restored", |r| r.restored.to_string()),
    ("data", |r| r.data.as_ref().map(|data| data.as_str().to_owned()).unwrap_or_default()),
    ("callback", |r| r.callback.to_string()),
    ("caller_name", |r| text(r.caller_name.as_ref())),
    ("callee_name", |r| text(r.callee_name.as_ref())),
    ("tried", |r| r.tried.iter().map(tried).collect::<Vec<_>>().join("; ")),
];

/// The columns of each leg; the name of the leg stands before, with a dot.
const LEG_COLUMNS: [Column<LegRecord>; 18] = [
    ("packets_received", |l| l.packets_received.to_string()),
    ("bytes_received", |l| l.bytes_received.to_string()),
    ("packets_sent", |l| l.packets_sent.to_string()),
    ("bytes_sent", |l| l.bytes_sent.to_string()),
    ("lost", |l| l.lost.to_string()),
    ("jitter_ms", |l| l.jitter_ms.to_string()),
    ("remote_loss", |l| text(l.remote_loss.as_ref())),
    ("round_trip_ms", |l| text(l.round_trip_ms.as_ref())),
    ("remote_discard", |l| text(l.remote_discard.as_ref())),
    ("remote_burst_density", |l| text(l.remote_burst_density.as_ref())),
    ("remote_burst_ms", |l| text(l.remote_burst_ms.as_ref())),
    ("remote_rating", |l| text(l.remote_rating.as_ref())),
    ("remote_mos", |l| text(l.remote_mos.as_ref())),
    ("foreign", |l| l.foreign.to_string()),
    ("unproven", |l| l.unproven.to_string()),
    ("codec", |l| text(l.codec.as_ref())),
    ("srtp", |l| text(l.srtp.as_ref())),
    ("mos", |l| text(l.mos.as_ref())),
];

/// Whose place, number, seconds waited and answered, cause.
fn tried(tried: &TriedRecord) -> String {
    let answered = tried.answered_seconds.unwrap_or_default();
    let (number, cause) = (text(tried.number.as_ref()), text(tried.cause.as_ref()));
    format!("{} {number} {} {answered} {cause}", tried.side, tried.waiting_seconds)
}

/// Name of a leg, and where it is.
type Leg = (&'static str, fn(&Record) -> Option<&LegRecord>);

/// The legs of a record.
const LEGS: [Leg; 2] = [("caller_leg", |r| r.caller_leg.as_ref()), ("callee_leg", |r| r.callee_leg.as_ref())];

/// Rows, after the row of names if `head`.
pub(crate) fn write(records: &[Record], head: bool) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let rows = head.then(names).into_iter().chain(records.iter().map(row));
    for row in rows {
        writer.write_record(row).expect("a row in memory can be written");
    }
    writer.into_inner().expect("rows in memory can be written")
}

fn names() -> Vec<String> {
    let legs =
        LEGS.iter().flat_map(|(leg, _)| LEG_COLUMNS.iter().map(move |(name, _)| format!("{leg}.{name}")));
    COLUMNS.iter().map(|(name, _)| (*name).to_owned()).chain(legs).collect()
}

fn row(record: &Record) -> Vec<String> {
    let legs = LEGS.iter().flat_map(|(_, leg)| {
        let leg = leg(record);
        LEG_COLUMNS.iter().map(move |(_, cell)| leg.map(cell).unwrap_or_default())
    });
    COLUMNS.iter().map(|(_, cell)| cell(record)).chain(legs).map(harmless).collect()
}

fn text(value: Option<&impl Display>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

/// A spreadsheet takes a cell that begins so for a formula, which may call out: an apostrophe makes it text. Plain
/// numbers, the plus sign of E.164 included, can do nothing and stay as they are.
fn harmless(cell: String) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let number = cell.trim_start_matches(['+', '-']).bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if formula && !number { format!("'{cell}") } else { cell }
}

#[cfg(test)]
mod tests {
    use store::Json;

    use super::*;

    #[test]
    fn every_field_of_a_record_has_a_column() {
        let leg = Some(LegRecord::default());
        let identity = Some(store::IdentityRecord::default());
        let record = Record { identity, caller_leg: leg.clone(), callee_leg: leg, ..Record::default() };
        let value = serde_json::to_value(&record).unwrap();
        let mut expected = Vec::new();
        for (name, value) in value.as_object().unwrap() {
            match value.as_object() {
                Some(leg) => expected.extend(leg.keys().map(|field| format!("{name}.{field}"))),
                None => expected.push(name.clone()),
            }
        }
        let mut names = names();
        names.sort_unstable();
        expected.sort_unstable();
        assert_eq!(names, expected);
    }

    #[test]
    fn cells_are_quoted_where_needed_and_never_formulas() {
        let record = Record {
            trunk: "=cmd|' /C calc'!A0".into(),
            node: "-2+3".into(),
            dialled: "@x".into(),
            caller: Some("+79991112233".into()),
            data: Some(Json::parse(r#"{"a":"b,c"}"#).unwrap()),
            ..Record::default()
        };
        let text = String::from_utf8(write(&[record], true)).unwrap();
        let mut lines = text.split("\r\n");
        assert!(lines.next().unwrap().starts_with("id,node,line,dialled,trunk,"));
        let row = lines.next().unwrap();
        assert!(row.contains(",'-2+3,,'@x,'=cmd|' /C calc'!A0,+79991112233,"), "{row}");
        assert!(row.contains(r#""{""a"":""b,c""}""#), "{row}");
        assert_eq!(lines.next(), Some(""));
    }
}
