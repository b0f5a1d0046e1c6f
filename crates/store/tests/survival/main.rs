//! What was acknowledged is there after `kill -9` and after a power cut.
//!
//! A child process writes and says on its standard output what was acknowledged; it is killed, or its disk loses
//! power, at some acknowledgement; then everything it was promised is looked for.

mod kill;
mod ledger;
mod machine;
mod power;
mod writer;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", dir, first] => writer::write(Path::new(dir), number(first)),
        ["write-without-synchronising", dir, first] => writer::write_plainly(Path::new(dir), number(first)),
        // `cargo test -- --list` and filters of other tests.
        ["--list", ..] => {}
        _ => {
            kill::nothing_acknowledged_is_lost_by_kill_9();
            match machine::prepare() {
                Ok(mut machine) => {
                    power::a_store_that_only_flushes_is_caught_losing(&mut machine);
                    power::a_disk_that_fails_ends_all_writing_and_the_store_says_so(&mut machine);
                    power::nothing_acknowledged_is_lost_by_a_power_cut(&mut machine);
                }
                Err(why) => {
                    eprintln!(
                        "\n*** SKIPPED: what a power cut does to the store was NOT tested here: {why}."
                    );
                    eprintln!("*** It needs root, loop devices and mkfs.ext4.\n");
                }
            }
        }
    }
    ExitCode::SUCCESS
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}
