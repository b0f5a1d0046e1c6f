//! Key presses we send: each as an event of our own, or as tones, however the other side's came.

use std::time::Duration;

use clock::Instant;

use super::Event;
use crate::codec::ClockRate;

/// The shortest press we send: no receiver misses a tenth of a second.
const SHORTEST: u16 = 800;
/// Presses waiting for those before them; a person does not get that far ahead.
const WAITING: usize = 16;
/// Ends are sent three times (RFC 4733 §2.5.1.4).
const ENDS: u8 = 3;
/// Behind tones there is silence for so many milliseconds at least, or two presses would be one: a half more than a
/// receiver must hear as a pause (ITU-T Q.24).
const PAUSE: u8 = 60;
/// Their key counts as let go when nothing was heard of it for so long (§2.5.2.2 says three packets).
const LOST: Duration = Duration::from_millis(150);
/// Loudness of the tone, in dB below 0 dBm0 (§2.3.4).
const VOLUME: u8 = 10;

/// The presses a session still has to send.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    sounding: Option<Sounding>,
    waiting: [u8; WAITING],
    count: usize,
    /// When the last press was last said to be held; `None` once it was let go.
    held: Option<Instant>,
}

#[derive(Debug)]
struct Sounding {
    code: u8,
    timestamp: Option<u32>,
    duration: u16,
    ends: u8,
    /// Something else is to be heard: it ends with one packet.
    cut: bool,
    next_at: Instant,
}

/// How the other side takes presses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As events, whose durations are counted so fast. In 16 bits there is room for 8.2 s of 8000, and for 1.4 s of 48,000 a
    /// second, and that is how long a press lasts at most.
    Events(ClockRate),
    /// As tones in the audio.
    Tones,
}

impl Manner {
    /// How many packets the end of a press takes.
    fn ends(self, ptime: u8) -> u8 {
        match self {
            Self::Events(_) => ENDS,
            Self::Tones => PAUSE.div_ceil(ptime),
        }
    }

    /// The longest press, where 8000 are a second.
    fn longest(self) -> u16 {
        match self {
            Self::Events(rate) => (u32::from(u16::MAX) / rate.factor()) as u16,
            Self::Tones => u16::MAX,
        }
    }
}

/// One packet to be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) event: Event,
    /// `None`: the event begins with this packet, and `Keys::began` wants to know at which timestamp.
    pub(crate) timestamp: Option<u32>,
    /// The first packet of its end.
    pub(crate) ends: bool,
    /// No packet of this press follows.
    pub(crate) last: bool,
}

impl Keys {
    /// A key went down.
    pub(crate) fn down(&mut self, now: Instant, code: u8) {
        self.held = Some(now);
        if self.sounding.is_none() {
            self.sounding = Some(Sounding::new(now, code));
        } else if let Some(place) = self.waiting.get_mut(self.count) {
            *place = code;
            self.count += 1;
        }
    }

    /// It is still down.
    pub(crate) fn held(&mut self, now: Instant) {
        if self.held.is_some() {
            self.held = Some(now);
        }
    }

    /// The press being sent turns out to be this key still held.
    pub(crate) fn again(&mut self, now: Instant, code: u8) {
        let is_sounding =
            self.sounding.as_ref().is_some_and(|sounding| sounding.code == code && sounding.ends == 0);
        if is_sounding && self.count == 0 {
            self.held = Some(now);
        }
    }

    /// It was let go.
    pub(crate) fn up(&mut self) {
        self.held = None;
    }

    /// Something else is to be heard now: nothing more is begun, and what sounds has its end due at once.
    pub(crate) fn cut(&mut self) {
        self.count = 0;
        self.held = None;
        self.sounding = self.sounding.take().filter(|sounding| sounding.timestamp.is_some());
        if let Some(sounding) = &mut self.sounding {
            sounding.cut = true;
            sounding.next_at = Instant::ZERO;
        }
    }

    /// Whether a press is being sent.
    pub(crate) fn is_sounding(&self) -> bool {
        self.sounding.is_some()
    }

    /// When the next packet is due.
    pub(crate) fn due_at(&self) -> Option<Instant> {
        self.sounding.as_ref().map(|sounding| sounding.next_at)
    }

    /// The packet due by `now`, with one packet in each `ptime` milliseconds.
    pub(crate) fn due(&mut self, now: Instant, ptime: u8, manner: Manner) -> Option<Due> {
        let is_held = self.count == 0 && self.held.is_some_and(|at| now.since(at) < LOST);
        let sounding = self.sounding.as_mut().filter(|sounding| sounding.next_at <= now)?;
        let step = u16::from(ptime) * 8;
        let longer = sounding.duration.checked_add(step).filter(|longer| *longer <= manner.longest());
        let longer = longer.filter(|_| sounding.ends == 0 && !sounding.cut);
        match longer.filter(|_| is_held || sounding.duration < SHORTEST) {
            Some(longer) => sounding.duration = longer,
            None => sounding.ends += 1,
        }
        sounding.next_at = sounding.next_at + Duration::from_millis(ptime.into());
        let event = Event {
            code: sounding.code,
            end: sounding.ends > 0,
            volume: VOLUME,
            duration: sounding.duration,
        };
        let due = Due {
            event,
            timestamp: sounding.timestamp,
            ends: sounding.ends == 1,
            last: sounding.ends > 0 && (sounding.cut || sounding.ends >= manner.ends(ptime)),
        };
        if due.last {
            let next_at = sounding.next_at;
            self.sounding = self.take().map(|code| Sounding::new(next_at, code));
        }
        Some(due)
    }

    /// Where in the stream the press that sounds began.
    pub(crate) fn began(&mut self, timestamp: u32) {
        if let Some(sounding) = &mut self.sounding {
            sounding.timestamp = Some(timestamp);
        }
    }

    fn take(&mut self) -> Option<u8> {
        let first = *self.waiting[..self.count].first()?;
        self.waiting.copy_within(1..self.count, 0);
        self.count -= 1;
        Some(first)
    }
}

impl Sounding {
    fn new(now: Instant, code: u8) -> Self {
        Self { code, timestamp: None, duration: 0, ends: 0, cut: false, next_at: now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Instant {
        Instant(Duration::from_millis(milliseconds))
    }

    /// Everything sent up to a time, as (code, duration, end).
    fn run(keys: &mut Keys, from: u64, until: u64) -> Vec<(u8, u16, bool)> {
        let mut sent = Vec::new();
        for time in from..=until {
            while let Some(due) = keys.due(at(time), 20, Manner::Events(ClockRate::Hz8000)) {
                if due.timestamp.is_none() {
                    keys.began(1);
                }
                sent.push((due.event.code, due.event.duration, due.event.end));
            }
        }
        sent
    }

    #[test]
    fn a_short_tap_lasts_a_tenth_of_a_second_and_ends_three_times() {
        let mut keys = Keys::default();
        keys.down(at(0), 5);
        keys.up();
        let sent = run(&mut keys, 0, 1000);
        let durations: Vec<u16> = sent.iter().map(|(_, duration, _)| *duration).collect();
        assert_eq!(durations, [160, 320, 480, 640, 800, 800, 800, 800]);
        assert_eq!(sent.iter().filter(|(_, _, end)| *end).count(), 3);
        assert!(!keys.is_sounding());
    }

    #[test]
    fn a_held_key_sounds_until_it_is_let_go() {
        let mut keys = Keys::default();
        keys.down(at(0), 5);
        let mut sent = Vec::new();
        for time in (0..400).step_by(20) {
            keys.held(at(time));
            sent.extend(run(&mut keys, time, time + 19));
        }
        keys.up();
        sent.extend(run(&mut keys, 400, 1000));
        assert_eq!(sent.last(), Some(&(5, 3200, true)));
    }

    #[test]
    fn a_key_of_which_nothing_is_heard_any_more_is_let_go() {
        let mut keys = Keys::default();
        keys.down(at(0), 5);
        let sent = run(&mut keys, 0, 2000);
        assert_eq!(sent.last(), Some(&(5, 1280, true)));
    }

    #[test]
    fn presses_too_fast_for_us_wait_for_each_other() {
        let mut keys = Keys::default();
        for code in 1..=3 {
            keys.down(at(0), code);
            keys.up();
        }
        let sent = run(&mut keys, 0, 2000);
        let ends: Vec<u8> = sent.iter().filter(|(_, _, end)| *end).map(|(code, _, _)| *code).collect();
        assert_eq!(ends, [1, 1, 1, 2, 2, 2, 3, 3, 3]);
    }

    #[test]
    fn more_presses_than_can_wait_are_dropped() {
        let mut keys = Keys::default();
        for _ in 0..100 {
            keys.down(at(0), 1);
            keys.up();
        }
        let sent = run(&mut keys, 0, 10_000);
        assert_eq!(sent.iter().filter(|(_, _, end)| *end).count(), 3 * (WAITING + 1));
    }

    #[test]
    fn a_press_cut_short_still_ends_once() {
        let mut keys = Keys::default();
        keys.down(at(0), 5);
        keys.down(at(0), 6);
        run(&mut keys, 0, 30);
        keys.cut();
        assert_eq!(run(&mut keys, 31, 1000), [(5, 320, true)]);
        keys.down(at(2000), 7);
        keys.cut();
        assert_eq!(run(&mut keys, 2000, 3000), [], "it had not begun");
    }

    #[test]
    fn a_press_known_by_another_way_first_lasts_as_long_as_the_key_is_held() {
        let mut keys = Keys::default();
        keys.down(at(0), 5);
        keys.up();
        let mut sent = run(&mut keys, 0, 60);
        keys.again(at(60), 6);
        assert_eq!(keys.held, None, "another key");
        keys.again(at(60), 5);
        for time in (60..300).step_by(20) {
            keys.held(at(time));
            sent.extend(run(&mut keys, time + 1, time + 20));
        }
        keys.up();
        sent.extend(run(&mut keys, 301, 1000));
        assert_eq!(sent.last(), Some(&(5, 2560, true)));
        keys.again(at(1000), 5);
        assert!(!keys.is_sounding());
    }

    #[test]
    fn tones_have_a_pause_behind_them_whatever_the_packets() {
        for (ptime, ends) in [(10, 6), (20, 3), (30, 2), (60, 1)] {
            let mut keys = Keys::default();
            keys.down(at(0), 5);
            keys.up();
            let mut due = Vec::new();
            for time in 0..1000 {
                due.extend(keys.due(at(time), ptime, Manner::Tones));
            }
            assert_eq!(due.iter().filter(|due| due.event.end).count(), ends, "{ptime}");
            assert_eq!(due.iter().filter(|due| due.ends).count(), 1);
            assert!(due.last().unwrap().last && !keys.is_sounding());
        }
    }

    #[test]
    fn a_key_held_for_ever_ends_where_durations_do() {
        let mut keys = Keys::default();
        keys.down(at(0), 5);
        let mut sent = Vec::new();
        for time in (0..20_000).step_by(20) {
            keys.held(at(time));
            sent.extend(run(&mut keys, time, time + 19));
        }
        assert_eq!(sent.last(), Some(&(5, 65_440, true)));
        assert!(!keys.is_sounding());
    }
}
