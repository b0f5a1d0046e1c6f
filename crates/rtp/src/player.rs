//! Prompts being played to one session, a packet at a time.

use std::sync::Arc;
use std::time::Duration;

use clock::Instant;

use crate::{Library, PlayId, Prompt, Sound};

/// Who is called later than this does not catch up, but goes on from now.
const BEHIND: Duration = Duration::from_millis(200);

/// A play that runs.
#[derive(Debug)]
pub(crate) struct Player {
    play: PlayId,
    library: Arc<Library>,
    prompts: Vec<Sound>,
    repeat: bool,
    /// Which prompt is next heard, and from which sample on.
    index: usize,
    offset: usize,
    next_at: Instant,
    talkspurt: bool,
}

/// What a player does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Send what was filled in.
    Send {
        /// When it was due.
        at: Instant,
        /// It does not follow what was sent before it.
        talkspurt: bool,
    },
    /// Nothing to be heard at this time, but the play goes on: an empty prompt is repeated.
    Rest,
    /// The play has come to its end.
    Finished(PlayId),
}

impl Player {
    /// A play whose first packet is due at the first moment from `now` on that lies on `phase` in the rhythm of
    /// `ptime` milliseconds.
    pub(crate) fn new(
        now: Instant,
        library: Arc<Library>,
        play: PlayId,
        prompts: Vec<Sound>,
        repeat: bool,
        rhythm: Rhythm,
    ) -> Self {
        let next_at = rhythm.next(now);
        Self { play, library, prompts, repeat, index: 0, offset: 0, next_at, talkspurt: true }
    }

    /// When the next packet is due.
    pub(crate) fn due_at(&self) -> Instant {
        self.next_at
    }

    /// Fills a packet that is due, all of `packet`, from what `of` takes of a prompt. `None`: none is due.
    pub(crate) fn step<T: Copy>(
        &mut self,
        now: Instant,
        rhythm: Rhythm,
        packet: &mut [T],
        silence: T,
        of: impl Fn(&Prompt) -> &[T],
    ) -> Option<Step> {
        if self.next_at > now {
            return None;
        }
        if now.since(self.next_at) > BEHIND {
            self.next_at = rhythm.next(now - rhythm.interval);
            self.talkspurt = true;
        }
        let at = self.next_at;
        let filled = self.fill(packet, of);
        if filled == 0 && !self.repeat {
            return Some(Step::Finished(self.play));
        }
        self.next_at = at + rhythm.interval;
        if filled == 0 {
            self.talkspurt = true;
            return Some(Step::Rest);
        }
        packet[filled..].fill(silence);
        let talkspurt = std::mem::take(&mut self.talkspurt);
        Some(Step::Send { at, talkspurt })
    }

    /// Copies what comes next, across the ends of prompts; says how much there was.
    fn fill<T: Copy>(&mut self, packet: &mut [T], of: impl Fn(&Prompt) -> &[T]) -> usize {
        let mut filled = 0;
        while filled < packet.len() {
            let Some(prompt) = self.prompts.get(self.index) else { break };
            let all = self.library.sound(prompt).map_or(&[][..], &of);
            let rest = all.get(self.offset..).unwrap_or_default();
            if rest.is_empty() {
                let is_last = self.index + 1 == self.prompts.len();
                if self.repeat && is_last && all.is_empty() {
                    break;
                }
                self.index += usize::from(!(self.repeat && is_last));
                self.offset = 0;
                continue;
            }
            let count = rest.len().min(packet.len() - filled);
            packet[filled..filled + count].copy_from_slice(&rest[..count]);
            filled += count;
            self.offset += count;
        }
        filled
    }
}

/// When a session sends the packets of its prompts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rhythm {
    pub(crate) interval: Duration,
    pub(crate) phase: Duration,
}

impl Rhythm {
    /// The first moment from `now` on that lies in the rhythm.
    fn next(self, now: Instant) -> Instant {
        let interval = self.interval.as_nanos();
        let into = (now.0.as_nanos() + interval - self.phase.as_nanos() % interval) % interval;
        let wait = u64::try_from((interval - into) % interval).expect("less than an interval");
        now + Duration::from_nanos(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PromptId;

    const RHYTHM: Rhythm = Rhythm { interval: Duration::from_millis(20), phase: Duration::from_millis(7) };

    fn at(milliseconds: u64) -> Instant {
        Instant(Duration::from_millis(milliseconds))
    }

    /// Prompt n is n hundred samples of sound.
    fn player(prompts: &[u16], repeat: bool) -> Player {
        let library = (0..5).map(|count| Some(Prompt::new(&vec![1000; count * 100]))).collect();
        let prompts = prompts.iter().copied().map(|id| Sound::Prompt(PromptId(id))).collect();
        Player::new(at(0), Arc::new(Library::new(library)), PlayId(1), prompts, repeat, RHYTHM)
    }

    /// Samples of sound in each packet sent, and when the play finished.
    fn run(player: &mut Player, until: u64) -> (Vec<usize>, Option<u64>) {
        let mut sent = Vec::new();
        for time in 0..until {
            let mut packet = [0; 160];
            match player.step(at(time), RHYTHM, &mut packet, 0, Prompt::samples) {
                Some(Step::Send { .. }) => {
                    sent.push(packet.iter().filter(|sample| **sample != 0).count());
                }
                Some(Step::Finished(_)) => return (sent, Some(time)),
                Some(Step::Rest) | None => {}
            }
        }
        (sent, None)
    }

    #[test]
    fn packets_lie_on_the_phase_and_run_across_prompts() {
        let mut player = player(&[1, 3], false);
        assert_eq!(player.due_at(), at(7));
        assert_eq!(run(&mut player, 1000), (vec![160, 160, 80], Some(67)));
    }

    #[test]
    fn nothing_to_play_is_finished_when_its_first_packet_would_be_due() {
        assert_eq!(run(&mut player(&[], false), 1000), (vec![], Some(7)));
        assert_eq!(run(&mut player(&[0, 99], false), 1000), (vec![], Some(7)));
    }

    #[test]
    fn what_was_made_is_heard_among_prompts_whatever_the_library_has() {
        let made = Sound::Made(Arc::new(Prompt::new(&[1000; 250])));
        let prompts = vec![Sound::Prompt(PromptId(1)), made.clone(), Sound::Prompt(PromptId(9)), made];
        let library = Library::new(vec![None, Some(Prompt::new(&[1000; 100]))]);
        let mut player = Player::new(at(0), Arc::new(library), PlayId(1), prompts, false, RHYTHM);
        assert_eq!(run(&mut player, 1000), (vec![160, 160, 160, 120], Some(87)));
    }

    #[test]
    fn only_the_last_prompt_is_repeated_and_without_a_gap() {
        let (sent, finished) = run(&mut player(&[1, 3], true), 2007);
        assert_eq!(sent, vec![160; 100]);
        assert_eq!(finished, None);
    }

    #[test]
    fn an_empty_prompt_is_repeated_in_silence() {
        let (sent, finished) = run(&mut player(&[1, 0], true), 1000);
        assert_eq!((sent, finished), (vec![100], None));
        assert_eq!(run(&mut player(&[99], true), 1000), (vec![], None));
    }

    #[test]
    fn who_is_called_late_catches_up_and_very_late_goes_on_from_there() {
        let mut player = player(&[4], true);
        let mut packet = [0; 160];
        let mut sent = |now| {
            let steps = std::iter::from_fn(|| player.step(at(now), RHYTHM, &mut packet, 0, Prompt::samples));
            steps.collect::<Vec<_>>()
        };
        assert_eq!(sent(7).len(), 1);
        assert_eq!(sent(67).len(), 3);
        let late = sent(5000);
        assert_eq!(late, [Step::Send { at: at(4987), talkspurt: true }]);
    }

    #[test]
    fn the_rhythm_is_the_first_moment_from_now_on() {
        for (now, next) in [(0, 7), (7, 7), (8, 27), (26, 27), (27, 27), (28, 47)] {
            assert_eq!(RHYTHM.next(at(now)), at(next));
        }
        let long = Rhythm { phase: Duration::from_millis(59), ..RHYTHM };
        assert_eq!(long.next(at(0)), at(19));
    }
}
