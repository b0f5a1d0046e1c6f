use super::*;
use crate::{Port, Report};
use std::net::SocketAddr;

#[derive(Default)]
struct Tape {
    pairs: Vec<[i16; 2]>,
    ended: bool,
}

impl Sink for Tape {
    fn send(&mut self, _: Port, _: SocketAddr, _: &[u8]) {
        panic!("a recorder sends nothing");
    }

    fn send_control(&mut self, _: Port, _: SocketAddr, _: &[u8]) {
        panic!("a recorder sends nothing");
    }

    fn report(&mut self, _: Report) {
        panic!("whoever writes reports");
    }

    fn record(&mut self, _: SessionId, recording: Recording<'_>) {
        match recording {
            Recording::Samples(pairs) => self.pairs.extend_from_slice(pairs),
            Recording::End => self.ended = true,
            Recording::Begin { .. } => panic!("the session says so"),
        }
    }
}

fn at(milliseconds: u64) -> Instant {
    Instant(Duration::from_millis(milliseconds))
}

/// 20 ms of one level, and where it begins in which stream.
fn packet(n: u32) -> ((u32, u32), [i16; 160]) {
    ((1, 160 * n), [LOUD; 160])
}

const LOUD: i16 = 32_256;

/// Records two seconds in which these packets come, and says where each side was loud: first and one past last.
fn record(packets: &[(u64, Side, u32)]) -> [Vec<(usize, usize)>; 2] {
    let mut tape = Tape::default();
    let mut recorder = Recorder::new(at(0), SessionId(1));
    for time in 0..2000 {
        for (_, side, n) in packets.iter().filter(|(when, _, _)| *when == time) {
            let (stream, samples) = packet(*n);
            recorder.put(at(time), *side, stream, samples.into_iter(), &mut tape);
        }
        recorder.tick(at(time), &mut tape);
        // Behind by the delay and at most a chunk.
        let behind = time as usize * 8 - tape.pairs.len().min(time as usize * 8);
        assert!(behind <= (DELAY + 2 * CHUNK) as usize, "{behind} at {time}");
    }
    recorder.finish(at(2000), &mut tape);
    assert!(tape.ended);
    assert_eq!(tape.pairs.len(), 16_000);
    [0, 1].map(|channel| {
        let mut spans = Vec::new();
        for (place, pair) in tape.pairs.iter().enumerate().filter(|(_, pair)| pair[channel] != 0) {
            assert_eq!(pair[channel], LOUD);
            match spans.last_mut() {
                Some((_, end)) if *end == place => *end = place + 1,
                _ => spans.push((place, place + 1)),
            }
        }
        spans
    })
}

#[test]
fn each_side_lies_where_it_was_said_and_silence_between() {
    let [left, right] = record(&[(100, Side::Left, 0), (120, Side::Left, 1), (510, Side::Right, 40)]);
    assert_eq!(left, [(640, 960)]);
    assert_eq!(right, [(3920, 4080)]);
}

#[test]
fn jitter_reordering_and_doubles_leave_no_seam() {
    let times = [100, 155, 150, 160, 260, 200, 220, 220, 240];
    let numbers = [0, 2, 1, 3, 4, 5, 6, 6, 7];
    let packets: Vec<_> = times.into_iter().zip(numbers).map(|(time, n)| (time, Side::Left, n)).collect();
    assert_eq!(record(&packets)[0], [(640, 640 + 8 * 160)]);
}

#[test]
fn what_is_lost_is_silence_of_its_length() {
    let [left, _] = record(&[(100, Side::Left, 0), (140, Side::Left, 2)]);
    assert_eq!(left, [(640, 800), (960, 1120)]);
}

#[test]
fn a_timestamp_that_jumped_is_put_where_it_came() {
    let [left, _] =
        record(&[(100, Side::Left, 0), (120, Side::Left, 9_000_000), (140, Side::Left, 9_000_001)]);
    assert_eq!(left, [(640, 1120)]);
}

#[test]
fn what_was_said_while_the_recording_began_lies_at_its_beginning() {
    let [left, _] = record(&[(10, Side::Left, 0)]);
    assert_eq!(left, [(0, 160)]);
}

#[test]
fn nobody_asking_for_seconds_loses_nothing() {
    let mut tape = Tape::default();
    let mut recorder = Recorder::new(at(0), SessionId(1));
    let (stream, samples) = packet(0);
    recorder.put(at(100), Side::Left, stream, samples.into_iter(), &mut tape);
    let (stream, samples) = packet(400);
    recorder.put(at(8100), Side::Right, stream, samples.into_iter(), &mut tape);
    recorder.finish(at(9000), &mut tape);
    assert_eq!(tape.pairs.len(), 72_000);
    assert!(tape.pairs[640..800].iter().all(|pair| pair[0] != 0 && pair[1] == 0));
    assert!(tape.pairs[64_640..64_800].iter().all(|pair| pair[0] == 0 && pair[1] != 0));
    assert_eq!(tape.pairs.iter().filter(|pair| **pair != [0, 0]).count(), 320);
}
