//! `bauta recording`: recordings without a server.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use recording::{Ending, Keyring, OpenError, Opened};

use crate::cli::{DecryptArgs, Exit, RecordingArgs, RecordingCommand};
use crate::config::key_from_file;

/// Octets read at a time.
const PIECE: usize = 1 << 20;

/// Does what is asked and says how it went.
pub(crate) fn run(args: &RecordingArgs) -> Exit {
    let RecordingCommand::Decrypt(args) = &args.command;
    let keys = args.key_file.iter().map(|file| key_from_file(file)).collect::<Result<_, _>>();
    let (ending, fault) = match keys.map(Keyring::new) {
        Ok(keys) => match decrypt(args, &keys) {
            Ok(ending) => (Some(ending), None),
            Err(fault) => (None, Some(format!("{}: {fault}", args.file.display()))),
        },
        Err(fault) => (None, Some(fault)),
    };
    let (told, exit) = match (ending, fault) {
        (Some(Ending::Whole), _) => (None, Exit::Done),
        (Some(Ending::BrokenOff), _) => {
            (Some("the recording broke off; what there is of it is written".to_owned()), Exit::Done)
        }
        (Some(Ending::Missing), _) => {
            let text = "the recording has no end: it still grows, or was cut off by a crash or by somebody; \
                        what there is of it is written";
            (Some(text.to_owned()), Exit::Failed)
        }
        (None, fault) => (fault, Exit::Failed),
    };
    if let Some(told) = told {
        // Where nobody reads, the exit code still tells.
        let _ = writeln!(io::stderr().lock(), "{told}");
    }
    exit
}

/// Nothing is left of what turned out to be damaged on the way.
fn decrypt(args: &DecryptArgs, keys: &Keyring) -> Result<Ending, String> {
    let opened = Opened::open(&args.file, keys).map_err(|error| error.to_string())?;
    write(&opened, &args.out).map_err(|error| {
        if !matches!(&error, OpenError::File(error) if error.kind() == io::ErrorKind::AlreadyExists) {
            let _ = std::fs::remove_file(&args.out);
        }
        format!("cannot be written to {}: {error}", args.out.display())
    })?;
    Ok(opened.ending())
}

/// Into a new file, which is its owner's alone: somebody speaks in it.
fn write(opened: &Opened, out: &Path) -> Result<(), OpenError> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(out)?;
    let mut place = 0;
    while place < opened.length() {
        let piece = opened.read_at(place, PIECE)?;
        file.write_all(&piece)?;
        place += piece.len() as u64;
    }
    Ok(file.sync_all()?)
}
