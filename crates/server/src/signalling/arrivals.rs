//! Messages that are here and not handled yet: those of calls that there are first, and how long the others wait.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use clock::Instant;
use sip::Flow;

/// Messages that wait at once. What comes beyond it waits where it came from.
const MOST: usize = 16_384;

/// So many messages that look like those of a dialog go first; then comes one of the others, where there is one. Anyone can
/// make messages look so: however many there are, new calls have their share.
const IN_A_ROW: u32 = 8;

/// A message, and since when it is here.
#[derive(Debug)]
struct Arrival {
    flow: Flow,
    bytes: Bytes,
    since: Instant,
}

/// A message whose turn it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) flow: Flow,
    pub(super) bytes: Bytes,
    /// How long it waited, if it is none of a dialog: new calls are what can be refused.
    pub(super) waited: Option<Duration>,
}

/// All that wait. Within a dialog they keep their order, and so do a call and its CANCEL.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    /// Responses and requests within a dialog.
    ongoing: VecDeque<Arrival>,
    /// Everything else.
    fresh: VecDeque<Arrival>,
    /// How many of the first kind went before those that wait.
    in_a_row: u32,
}

impl Arrivals {
    pub(super) fn is_empty(&self) -> bool {
        self.ongoing.is_empty() && self.fresh.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.ongoing.len() + self.fresh.len() >= MOST
    }

    pub(super) fn push(&mut self, since: Instant, flow: Flow, bytes: Bytes) {
        let lane = if is_ongoing(&bytes) { &mut self.ongoing } else { &mut self.fresh };
        lane.push_back(Arrival { flow, bytes, since });
    }

    pub(super) fn pop(&mut self, now: Instant) -> Option<Next> {
        let is_their_turn = self.in_a_row >= IN_A_ROW && !self.fresh.is_empty();
        if !is_their_turn && let Some(Arrival { flow, bytes, .. }) = self.ongoing.pop_front() {
            self.in_a_row = self.in_a_row.saturating_add(1);
            return Some(Next { flow, bytes, waited: None });
        }
        self.in_a_row = 0;
        let Arrival { flow, bytes, since } = self.fresh.pop_front()?;
        Some(Next { flow, bytes, waited: Some(now.since(since)) })
    }
}

/// Whether a message looks like a response, or a request whose To has a tag: then it can only be of something that there
/// is. Whoever makes it look so gains a better place in the queue and nothing else.
fn is_ongoing(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"SIP/2.0 ") {
        return true;
    }
    let lines = bytes.split(|octet| *octet == b'\n').skip(1).take_while(|line| !matches!(line, [] | [b'\r']));
    let names_to = |line: &&[u8]| {
        let name = line.split(|octet| matches!(octet, b':' | b' ' | b'\t')).next().unwrap_or_default();
        name.eq_ignore_ascii_case(b"to") || name.eq_ignore_ascii_case(b"t")
    };
    let has_tag = |line: &[u8]| line.windows(5).any(|text| text.eq_ignore_ascii_case(b";tag="));
    lines.into_iter().find(names_to).is_some_and(has_tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip::Transport;

    fn flow() -> Flow {
        let peer = "192.0.2.1:5060".parse().expect("an address");
        Flow { listener: 0, transport: Transport::Udp, peer, connection: None }
    }

    fn at(ms: u64) -> Instant {
        Instant(Duration::from_millis(ms))
    }

    const INVITE: &str =
        "INVITE sip:a@b SIP/2.0\r\nFrom: <sip:c@d>;tag=1\r\nTo: <sip:a@b>\r\n\r\na=to:;tag=9";
    const CANCEL: &str = "CANCEL sip:a@b SIP/2.0\r\nFrom: <sip:c@d>;tag=1\r\nTo: <sip:a@b>\r\n\r\n";
    const BYE: &str = "BYE sip:a@b SIP/2.0\r\nt : <sip:a@b>;TAG=2\r\nFrom: <sip:c@d>;tag=1\r\n\r\n";
    const ANSWER: &str = "SIP/2.0 200 OK\r\n\r\n";

    #[test]
    fn what_is_of_a_dialog_goes_first_and_the_rest_in_its_order() {
        let mut arrivals = Arrivals::default();
        for (ms, text) in (0..).zip([INVITE, CANCEL, BYE, ANSWER]) {
            arrivals.push(at(ms), flow(), Bytes::from_static(text.as_bytes()));
        }
        let order: Vec<_> = std::iter::from_fn(|| arrivals.pop(at(10)))
            .map(|next| (next.bytes, next.waited.map(|waited| waited.as_millis())))
            .collect();
        let expected = [(BYE, None), (ANSWER, None), (INVITE, Some(10)), (CANCEL, Some(9))];
        assert_eq!(order, expected.map(|(text, waited)| (Bytes::from(text), waited)));
        assert!(arrivals.is_empty());
    }

    #[test]
    fn whoever_makes_messages_look_so_does_not_keep_calls_out() {
        let mut arrivals = Arrivals::default();
        for _ in 0..1000 {
            arrivals.push(at(0), flow(), Bytes::from_static(BYE.as_bytes()));
        }
        for _ in 0..10 {
            arrivals.push(at(0), flow(), Bytes::from_static(INVITE.as_bytes()));
        }
        let next = |arrivals: &mut Arrivals| arrivals.pop(at(0)).is_some_and(|next| next.waited.is_some());
        let calls = (0..90).filter(|_| next(&mut arrivals)).count();
        assert_eq!(calls, 10);
    }

    #[test]
    fn there_is_an_end_to_how_many_wait() {
        let mut arrivals = Arrivals::default();
        for _ in 0..MOST {
            assert!(!arrivals.is_full());
            arrivals.push(at(0), flow(), Bytes::from_static(INVITE.as_bytes()));
        }
        assert!(arrivals.is_full());
        assert!(arrivals.pop(at(0)).is_some() && !arrivals.is_full());
    }

    #[test]
    fn garbage_is_nothing_of_a_dialog() {
        for text in ["", "\r\n\r\n", "INVITE", "INVITE\r\nTo", "To: ;tag=1", "x\n\nTo: ;tag=1"] {
            assert!(!is_ongoing(text.as_bytes()), "{text:?}");
        }
    }
}
