//! Runs a scenario many times: `scenarios NAME TIMES`. Without arguments it names them all.
//!
//! What a scenario does before its first round is the same for any number of rounds, so that the difference between
//! two runs is the cost of the rounds alone. `benches/instructions` counts it.

mod scenario;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

use scenario::{SCENARIOS, Scenario};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let written = match &arguments[..] {
        [] => SCENARIOS.iter().try_for_each(|scenario| writeln!(io::stdout(), "{}", scenario.name)),
        [name, times] => match (SCENARIOS.iter().find(|scenario| scenario.name == name), times.parse()) {
            (Some(scenario), Ok(times)) => run(scenario, times),
            (None, _) => return wrong(&format!("no scenario {name}")),
            (_, Err(_)) => return wrong(&format!("{times} is no number of rounds")),
        },
        _ => return wrong("usage: scenarios [NAME TIMES]"),
    };
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(scenario: &Scenario, times: u64) -> io::Result<()> {
    let start = Instant::now();
    (scenario.run)(times);
    let nanoseconds = start.elapsed().as_nanos() / u128::from(times.max(1));
    writeln!(io::stdout(), "{nanoseconds} ns a round")
}

fn wrong(what: &str) -> ExitCode {
    // Where stderr is gone, the exit code is all that can be told.
    let _ = writeln!(io::stderr(), "{what}");
    ExitCode::from(2)
}
