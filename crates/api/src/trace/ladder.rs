//! A trace as a ladder: one column for us, one for each leg, time running down.

use std::fmt::Write as _;

use b2bua::{Attestation, IdentityFault};
use store::Timestamp;

use crate::interface::{Trace, TraceLeg, TracedMessage};

/// From one column to the next: room for an IPv4 address with its port, and for most labels.
const GAP: usize = 30;
/// Before the first column: the time and half a column's heading.
const MARGIN: usize = 26;

/// Draws it.
pub(super) fn draw(trace: &Trace) -> String {
    let columns = columns(trace);
    let mut text = String::new();
    heading(&mut text, &columns);
    if trace.lost > 0 {
        let _ = writeln!(text, "{} older messages were not kept", trace.lost);
    }
    if let Some(identity) = trace.identity {
        let why = identity.attestation().map(Attestation::word).or(identity.fault().map(IdentityFault::word));
        let why = why.map(|why| format!(", {why}")).unwrap_or_default();
        let _ = writeln!(text, "identity: {}{why}", identity.verdict().word());
    }
    for message in &trace.messages {
        text += &row(message, &columns);
    }
    text
}

/// Where lines stand: the caller, us, then every other leg in the order it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column<'t> {
    Us(&'t TracedMessage),
    Leg(&'t TracedMessage),
}

impl Column<'_> {
    fn names(self) -> [String; 2] {
        match self {
            Self::Us(message) => ["bauta".to_owned(), message.ours.to_string()],
            Self::Leg(message) => [message.leg.to_string(), message.theirs.to_string()],
        }
    }

    fn is_leg(self, leg: TraceLeg) -> bool {
        matches!(self, Self::Leg(message) if message.leg == leg)
    }
}

fn columns(trace: &Trace) -> Vec<Column<'_>> {
    let mut legs: Vec<Column<'_>> = Vec::new();
    for message in &trace.messages {
        if !legs.iter().any(|column| column.is_leg(message.leg)) {
            legs.push(Column::Leg(message));
        }
    }
    // We stand between the caller and the others; where the caller's messages are gone, before all.
    let place = usize::from(legs.first().is_some_and(|column| column.is_leg(TraceLeg::Caller)));
    if let Some(first) = trace.messages.first() {
        legs.insert(place, Column::Us(first));
    }
    legs
}

fn heading(text: &mut String, columns: &[Column<'_>]) {
    for line in 0..2 {
        let mut row = String::new();
        for (place, column) in columns.iter().enumerate() {
            let name = &column.names()[line];
            // In the middle of its column, but never into the one before.
            let begin = (MARGIN + place * GAP).saturating_sub(name.len() / 2);
            let pad = begin.saturating_sub(row.len()).max(usize::from(!row.is_empty()));
            row.extend(std::iter::repeat_n(' ', pad));
            row += name;
        }
        let _ = writeln!(text, "{row}");
    }
}

/// What stands on an arrow: `INVITE (SDP)`, `200 OK (INVITE)`.
fn label(message: &TracedMessage) -> String {
    let sdp = if has_sdp(&message.text) { " (SDP)" } else { "" };
    let method = &message.method;
    match message.status {
        None => format!("{method}{sdp}"),
        Some(status) => format!("{status} {method}{sdp}"),
    }
}

fn has_sdp(text: &str) -> bool {
    text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.starts_with("v=0"))
}

fn row(message: &TracedMessage, columns: &[Column<'_>]) -> String {
    let ours = columns.iter().position(|column| matches!(column, Column::Us(_))).unwrap_or_default();
    let theirs = columns.iter().position(|column| column.is_leg(message.leg)).unwrap_or_default();
    let (left, right) = (ours.min(theirs), ours.max(theirs));
    let to_right = (theirs == left) == message.incoming;
    let time = Timestamp(message.at_us / 1000).to_string();
    // Of 2026-11-20T08:15:30.250Z the time of day.
    let time = time.split('T').next_back().unwrap_or_default().trim_end_matches('Z');
    let mut row = format!("  {time:<width$}", width = MARGIN - 2);
    // Columns between the two lie under the arrow.
    for place in (0..=left).chain(right..columns.len()) {
        row.push('|');
        if place == left {
            row += &arrow(&label(message), (right - left) * GAP - 1, to_right);
        } else if place + 1 < columns.len() {
            row.extend(std::iter::repeat_n(' ', GAP - 1));
        }
    }
    row + "\n"
}

/// An arrow of this many characters with a label in it.
fn arrow(label: &str, width: usize, to_right: bool) -> String {
    let label: String = label.chars().take(width.saturating_sub(8)).collect();
    let line = format!("{:-^inner$}", format!(" {label} "), inner = width - 1);
    if to_right { line + ">" } else { format!("<{line}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::tests::trace;

    #[test]
    fn a_ladder_has_a_column_for_each_leg_and_us_in_between() {
        let drawn = draw(&trace());
        let expected =
            "                       caller                         bauta                       callee 1
                  198.51.100.7:5080              192.0.2.1:5060              [2001:db8::7]:5060
2 older messages were not kept
identity: passed, A
  08:15:30.250            |------- INVITE (SDP) ------->|                             |
  08:15:30.251            |<-------- 200 INVITE --------|                             |
  08:15:32.250            |                             |------- INVITE (SDP) ------->|
";
        assert_eq!(drawn, expected, "\n{drawn}");
    }

    #[test]
    fn an_arrow_over_another_leg_reaches_its_own_and_nothing_makes_nothing() {
        let mut trace = trace();
        let mut operator = trace.messages[2].clone();
        operator.leg = TraceLeg::Operator;
        operator.incoming = true;
        operator.status = Some(180);
        trace.messages.push(operator);
        let drawn = draw(&trace);
        let last = drawn.lines().last().unwrap();
        let row = format!("  08:15:32.250            |{}|<{:-^58}|", " ".repeat(29), " 180 INVITE (SDP) ");
        assert_eq!(last, row);
        trace.messages.clear();
        (trace.lost, trace.identity) = (0, None);
        assert_eq!(draw(&trace), "\n\n");
    }
}
