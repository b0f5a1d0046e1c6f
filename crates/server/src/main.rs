//! The binary `bauta`.

mod asks;
mod callbacks;
mod cli;
mod commands;
mod config;
mod entrance;
mod hook;
mod housekeeping;
mod keeper;
mod known;
mod metrics;
mod node;
mod perform;
mod prompts;
mod records;
mod recovery;
mod resolve;
mod seats;
mod self_call;
mod serve;
mod signalling;
mod simulate;
mod speech;
mod supervisor;
mod time;
mod trace;
mod verifier;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    cli::Cli::parse().run().into()
}
