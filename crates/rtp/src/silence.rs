//! Whether the other side still speaks.

use std::time::Duration;

use clock::Instant;

/// So many times as long may nothing come from someone who said that nothing is said: comfort noise may be told once for a
/// whole pause (RFC 3389 §4).
const IN_A_PAUSE: u32 = 4;

/// How long nothing came, while something should.
#[derive(Debug)]
pub(crate) struct Silence {
    limit: Duration,
    state: State,
}

#[derive(Debug)]
enum State {
    /// On hold, or nobody there yet.
    Expected,
    /// Something should come.
    Waiting { last: Instant, check_at: Instant, pauses: bool, told: bool },
}

impl Silence {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, state: State::Expected }
    }

    /// Something should come from now on, or go on coming.
    pub(crate) fn wait(&mut self, now: Instant) {
        match self.state {
            State::Waiting { .. } => {}
            State::Expected => {
                let check_at = now + self.limit;
                self.state = State::Waiting { last: now, check_at, pauses: false, told: false };
            }
        }
    }

    /// Nothing need come any more.
    pub(crate) fn expect(&mut self) {
        self.state = State::Expected;
    }

    /// A valid packet came.
    pub(crate) fn broken(&mut self, now: Instant) {
        if let State::Waiting { last, told, .. } = &mut self.state {
            *last = now;
            *told = false;
        }
    }

    /// What came said that nothing is said from now on, or that something is again.
    pub(crate) fn pauses(&mut self, is_pause: bool) {
        if let State::Waiting { pauses, .. } = &mut self.state {
            *pauses = is_pause;
        }
    }

    /// When to look again.
    pub(crate) fn due_at(&self) -> Option<Instant> {
        match self.state {
            State::Expected => None,
            State::Waiting { check_at, .. } => Some(check_at),
        }
    }

    /// Whether it is to be told now that nothing came: once, until something comes.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        let State::Waiting { last, check_at, pauses, told } = &mut self.state else { return false };
        if *check_at > now {
            return false;
        }
        let limit = if *pauses { self.limit * IN_A_PAUSE } else { self.limit };
        let silent = now.since(*last) >= limit;
        // Each packet only notes its time; whoever looks finds out when to look next.
        *check_at = if silent { now + limit } else { *last + limit };
        silent && !std::mem::replace(told, silent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant(Duration::from_secs(seconds))
    }

    /// At which seconds it is told, with packets at these.
    fn told(silence: &mut Silence, packets: &[u64]) -> Vec<u64> {
        let mut told = Vec::new();
        for second in 0..200 {
            if packets.contains(&second) {
                silence.broken(at(second));
            }
            if silence.due_at().is_some_and(|due| due <= at(second)) && silence.is_due(at(second)) {
                told.push(second);
            }
        }
        told
    }

    #[test]
    fn it_is_told_once_also_if_nothing_ever_came() {
        let mut silence = Silence::new(Duration::from_secs(30));
        silence.wait(at(0));
        assert_eq!(told(&mut silence, &[]), [30]);
    }

    #[test]
    fn it_is_told_again_after_packets_came_again() {
        let mut silence = Silence::new(Duration::from_secs(30));
        silence.wait(at(0));
        assert_eq!(told(&mut silence, &[10, 20, 55, 56]), [50, 86]);
    }

    #[test]
    fn a_pause_may_last_four_times_as_long() {
        let mut silence = Silence::new(Duration::from_secs(30));
        silence.wait(at(0));
        silence.broken(at(10));
        silence.pauses(true);
        assert_eq!(told(&mut silence, &[]), [130]);
        silence.broken(at(200));
        silence.pauses(false);
        assert!((200..230).all(|second| !silence.is_due(at(second))));
    }

    #[test]
    fn on_hold_it_is_expected_and_waiting_begins_anew() {
        let mut silence = Silence::new(Duration::from_secs(30));
        assert_eq!(told(&mut silence, &[]), [0; 0]);
        silence.wait(at(100));
        silence.wait(at(110));
        assert_eq!(silence.due_at(), Some(at(130)));
        silence.expect();
        assert_eq!(silence.due_at(), None);
        silence.wait(at(300));
        assert!(!silence.is_due(at(329)));
        assert!(silence.is_due(at(330)));
    }
}
