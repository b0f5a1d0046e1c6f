//! Whether frames wake a worker, or it comes for them.

use std::time::{Duration, Instant};

/// A worker comes for so many frames at a time, which share what coming costs.
const TOGETHER: u32 = 16;
/// The longest it lets pass between two times where nobody says otherwise: no packet waits longer, and a network adds ten times as
/// much. However many come, a third of that passes.
const LONGEST: Duration = Duration::from_micros(300);
/// Over so long packets are counted.
const WINDOW: Duration = Duration::from_millis(10);
/// So many packets in a window make coming for them cheaper than being woken, whatever the card does: 80 in a millisecond.
const RUSH: u32 = 800;
/// So many do with a card that keeps its interrupts back: 20 in a millisecond, six in a pause.
const WORTH: u32 = 200;
/// Whether the card does is tried so often, in windows, where it would change anything.
const TRIED: u32 = 100;

/// How frames came of late.
#[derive(Debug)]
pub(super) struct Pace {
    since: Instant,
    packets: u32,
    /// How many of them were there only once they were asked for.
    asked_for: u32,
    /// Windows since it was last tried.
    windows: u32,
    pause: Option<Duration>,
    longest: Duration,
}

impl Pace {
    /// `longest` is the longest that a packet may wait for others; `None`: as long as is right for most. Zero: the worker never comes
    /// for frames.
    pub(super) fn new(now: Instant, longest: Option<Duration>) -> Self {
        let longest = longest.unwrap_or(LONGEST);
        Self { since: now, packets: 0, asked_for: 0, windows: 0, pause: None, longest }
    }

    /// So many packets came, of which so many only when they were asked for.
    pub(super) fn count(&mut self, packets: u32, asked_for: u32) {
        self.packets = self.packets.saturating_add(packets);
        self.asked_for = self.asked_for.saturating_add(asked_for);
    }

    /// How often the worker comes for frames from now on; `None`: they wake it.
    pub(super) fn pause(&mut self, now: Instant) -> Option<Duration> {
        let passed = now.saturating_duration_since(self.since);
        if passed < WINDOW {
            return self.pause;
        }
        let whole = u128::from(self.packets) * WINDOW.as_nanos() / passed.as_nanos();
        let in_window = u32::try_from(whole).unwrap_or(u32::MAX);
        // A card that keeps its interrupts back brings frames when it is asked.
        let is_quiet = self.pause.is_some() && self.asked_for > self.packets / 2;
        self.windows = self.windows.saturating_add(1);
        let is_tried = self.windows >= TRIED;
        let comes = in_window >= RUSH || in_window >= WORTH && (is_quiet || is_tried);
        self.pause = (comes && !self.longest.is_zero()).then(|| self.pause_for(in_window));
        if is_tried {
            self.windows = 0;
        }
        (self.since, self.packets, self.asked_for) = (now, 0, 0);
        self.pause
    }

    /// In which as many packets come as are to come together, so many coming in a window.
    fn pause_for(&self, in_window: u32) -> Duration {
        (WINDOW * TOGETHER / in_window.max(1)).clamp(self.longest / 3, self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In how many of 1000 windows a worker comes for frames, of so many packets in each, of which the card brings this share
    /// when it is asked.
    fn comes(packets: u32, asked_for: u32) -> usize {
        let begin = Instant::now();
        let mut pace = Pace::new(begin, None);
        let each = (1..=1_000).filter(|window| {
            let asked_for = if pace.pause.is_some() { asked_for } else { 0 };
            pace.count(packets, asked_for);
            pace.pause(begin + WINDOW * *window).is_some()
        });
        each.count()
    }

    #[test]
    fn few_packets_wake_the_worker() {
        assert_eq!([comes(0, 0), comes(199, 199)], [0, 0]);
    }

    #[test]
    fn it_comes_for_many_whatever_the_card_does() {
        assert_eq!([comes(800, 0), comes(5_000, 5_000)], [1_000, 1_000]);
    }

    #[test]
    fn between_these_the_card_decides_and_is_tried_once_in_a_second() {
        assert_eq!(comes(400, 0), 10);
        assert!(comes(400, 300) > 900);
    }

    #[test]
    fn it_comes_as_often_as_is_wished() {
        let begin = Instant::now();
        let after = |packets, wished| {
            let mut pace = Pace::new(begin, Some(Duration::from_micros(wished)));
            pace.count(packets, packets);
            pace.pause(begin + WINDOW)
        };
        assert_eq!(after(5_000, 0), None);
        assert_eq!([after(800, 90), after(9_000, 90)], [90, 30].map(|us| Some(Duration::from_micros(us))));
    }

    #[test]
    fn a_rush_that_is_over_is_over() {
        let begin = Instant::now();
        let mut pace = Pace::new(begin, None);
        pace.count(2_000, 0);
        let [often, between, seldom] = [100, 160, 300].map(Duration::from_micros);
        assert_eq!(pace.pause(begin + WINDOW), Some(often));
        assert_eq!(pace.pause(begin + WINDOW * 3 / 2), Some(often));
        pace.count(300, 300);
        assert_eq!(pace.pause(begin + 2 * WINDOW), Some(seldom));
        pace.count(1_000, 1_000);
        assert_eq!(pace.pause(begin + 3 * WINDOW), Some(between));
        assert_eq!(pace.pause(begin + 4 * WINDOW), None);
    }
}
