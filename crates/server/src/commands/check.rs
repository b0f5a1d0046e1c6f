//! `bauta check`: all faults of a configuration at once.

use std::io::{self, Write};

use serde::Serialize;

use crate::cli::{CheckArgs, Exit};
use crate::config::{self, Checked, Remark};

/// What a program reads.
#[derive(Debug, Serialize)]
struct Told<'a> {
    file: String,
    ok: bool,
    faults: &'a [Remark],
    warnings: &'a [Remark],
}

/// Reads the configuration, says what is wrong with it and opens nothing.
pub(crate) fn run(args: &CheckArgs) -> Exit {
    let file = &args.config.config;
    let outcome = config::load(file);
    let faults = outcome.checked.as_ref().err().map_or(&[][..], Vec::as_slice);
    let written = if args.json {
        let told = Told {
            file: file.display().to_string(),
            ok: outcome.checked.is_ok(),
            faults,
            warnings: &outcome.warnings,
        };
        let text = serde_json::to_string_pretty(&told).expect("texts and numbers are JSON");
        writeln!(io::stdout().lock(), "{text}")
    } else {
        tell(&outcome, &file.display().to_string())
    };
    match (written, outcome.checked) {
        // Nobody reads any more: there is nobody to tell either.
        (Err(_), _) => Exit::Failed,
        (Ok(()), Ok(_)) => Exit::Done,
        (Ok(()), Err(_)) => Exit::Wrong,
    }
}

fn tell(outcome: &config::Outcome, file: &str) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    for warning in &outcome.warnings {
        writeln!(stderr, "warning: {warning}")?;
    }
    match &outcome.checked {
        Ok(checked) => writeln!(io::stdout().lock(), "{file}: no faults; {}", summary(checked)),
        Err(faults) => {
            for fault in faults {
                writeln!(stderr, "{fault}")?;
            }
            writeln!(stderr, "{file}: {}", counted(faults.len(), "fault"))
        }
    }
}

fn summary(checked: &Checked) -> String {
    [
        counted(checked.sip.listeners.len(), "listener"),
        counted(checked.trunks.len(), "trunk"),
        counted(checked.lines.len(), "line"),
        counted(checked.http.tokens.len(), "token"),
        counted(checked.webhooks.len(), "webhook"),
    ]
    .join(", ")
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
