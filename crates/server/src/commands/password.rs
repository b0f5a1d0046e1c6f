//! `bauta password`: the hash of a password, for `[[http.user]]`.

use std::io::{self, IsTerminal as _, Read as _, Write as _};

use crate::cli::Exit;

/// Characters a password must have at least.
const SHORTEST: usize = 10;
/// Octets read of standard input.
const LONGEST: u64 = 1024;

/// Asks twice at a terminal, reads standard input elsewhere; writes one line.
pub(crate) fn run() -> Exit {
    let asked = if io::stdin().is_terminal() { ask() } else { read() };
    match asked.and_then(checked) {
        Ok(password) => {
            let written = writeln!(io::stdout().lock(), "{}", api::password_hash(&password));
            if written.is_ok() { Exit::Done } else { Exit::Failed }
        }
        Err(why) => {
            let _ = writeln!(io::stderr().lock(), "{why}");
            Exit::Failed
        }
    }
}

fn ask() -> Result<String, String> {
    let prompt =
        |text| rpassword::prompt_password(text).map_err(|error| format!("the terminal fails: {error}"));
    let password = prompt("Password: ")?;
    if prompt("Once more: ")? == password { Ok(password) } else { Err("the two differ".to_owned()) }
}

fn read() -> Result<String, String> {
    let mut text = String::new();
    let failed = |error| format!("standard input cannot be read: {error}");
    io::stdin().lock().take(LONGEST + 2).read_to_string(&mut text).map_err(failed)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

fn checked(password: String) -> Result<String, String> {
    if password.chars().count() < SHORTEST {
        return Err(format!("a password has at least {SHORTEST} characters"));
    }
    if password.len() as u64 > LONGEST || password.contains(['\n', '\r']) {
        return Err(format!("a password is one line of at most {LONGEST} octets"));
    }
    Ok(password)
}
