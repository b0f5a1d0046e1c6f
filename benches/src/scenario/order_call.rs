//! One whole order call through the switchboard: a courier dials, keys a code of five digits, the client is called,
//! answers and hears who calls, both are joined, the courier hangs up, the record is written.
//!
//! Only the switchboard runs in a round. What the carrier, the store and the relay say is on a tape, made before the first
//! round by playing their parts against a switchboard of the same seed: it chooses the same tags and branches again, so
//! that the tape fits any number of times.

mod outside;

use std::hint::black_box;
use std::time::Duration;

use b2bua::{Config, Gauges, Input, Switchboard, Trust};
use clock::Instant;
use number::Number;

use self::outside::{CARRIER, LINE, Outside, STEPS};

/// Calls on the tape, all of them under way at once.
const CALLS: usize = 50;
/// How far apart they are in each step.
const APART: Duration = Duration::from_millis(1);
const SEED: [u8; 32] = [5; 32];

/// Does as many rounds, up to the next whole tape of 50 calls. Each tape gets a new switchboard, which is counted too.
pub(crate) fn run(rounds: u64) {
    let config = config();
    let tape = tape(&config);
    let mut out = Vec::new();
    for _ in 0..rounds.div_ceil(CALLS as u64) {
        let mut board = Switchboard::new(config.clone(), SEED);
        for (now, input) in &tape {
            board.handle(*now, black_box(input).clone(), &mut out);
            black_box(&mut out).clear();
        }
        assert_over(&board);
    }
}

/// Everything that happens to a switchboard in these calls, timers included.
fn tape(config: &Config) -> Vec<(Instant, Input)> {
    let mut board = Switchboard::new(config.clone(), SEED);
    let mut calls: Vec<Outside> = (0..CALLS).map(Outside::new).collect();
    let mut tape = Vec::new();
    let mut out = Vec::new();
    let mut now = Instant::ZERO;
    for step in STEPS {
        for call in &mut calls {
            now = now + APART;
            let input = call.say(step);
            tape.push((now, input.clone()));
            board.handle(now, input, &mut out);
            out.drain(..).for_each(|output| call.hear(output));
        }
    }
    for call in &calls {
        call.assert_complete();
    }
    while let Some(at) = board.next_wake() {
        tape.push((at, Input::Wake));
        board.handle(at, Input::Wake, &mut out);
        assert_eq!(out.drain(..).next(), None, "nothing is left to be said");
    }
    assert_over(&board);
    tape
}

fn assert_over(board: &Switchboard) {
    let nothing = Gauges { calls: 0, legs: 0, transactions: 0, ports: 0, timers: 0, errands: 0 };
    assert_eq!(board.gauges(), nothing, "every call is over");
}

/// The line and trunk of the simulated world, as the carrier of these calls knows them; calls are recorded.
fn config() -> Config {
    let mut config = sim::config();
    config.lines[0].number = Number::parse(LINE).expect("the line has a number");
    let trunk = &mut config.trunks[0];
    trunk.trust = Trust::Asserted;
    trunk.host = CARRIER.to_string().into();
    for range in &mut trunk.allow {
        range.address = CARRIER.ip();
    }
    for target in &mut trunk.targets {
        target.flow.peer = CARRIER;
    }
    config
}
