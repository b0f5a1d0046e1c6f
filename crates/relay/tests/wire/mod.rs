//! Two network namespaces joined by a pair of virtual cards. Needs root and the program `ip`.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::process::{Command as Program, Stdio};

/// Does something in a network namespace of its own, or in one that is held.
pub(crate) fn within<T: Send>(
    namespace: Option<&File>,
    what: impl FnOnce() -> io::Result<T> + Send,
) -> io::Result<T> {
    let enter = || {
        // SAFETY: both calls take numbers; only this thread is put elsewhere, and it ends.
        let result = match namespace {
            Some(namespace) => unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) },
            None => unsafe { libc::unshare(libc::CLONE_NEWNET) },
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    std::thread::scope(|scope| scope.spawn(|| enter().and_then(|()| what())).join().expect("no panic"))
}

/// Two namespaces: ours, and that of the phones.
pub(crate) struct Wire {
    pub(crate) ours: File,
    pub(crate) theirs: File,
}

impl Wire {
    pub(crate) fn new() -> io::Result<Self> {
        let new = || within(None, || File::open("/proc/thread-self/ns/net"));
        let wire = Self { ours: new()?, theirs: new()? };
        let theirs = format!("/proc/{}/fd/{}", std::process::id(), wire.theirs.as_raw_fd());
        wire.ip(&wire.ours, &format!("link add card type veth peer name phones netns {theirs}"))?;
        for (side, card, ends) in [
            (&wire.ours, "card", ["10.7.0.1/24", "fd00:7::1/64"].as_slice()),
            (
                &wire.theirs,
                "phones",
                &["10.7.0.2/24", "10.7.0.3/24", "10.7.0.66/24", "fd00:7::2/64", "fd00:7::3/64"],
            ),
        ] {
            for end in ends {
                // Addresses of IPv6 are at once what they will be.
                let nodad = if end.contains(':') { " nodad" } else { "" };
                wire.ip(side, &format!("address add {end} dev {card}{nodad}"))?;
            }
            wire.ip(side, &format!("link set {card} up"))?;
        }
        Ok(wire)
    }

    /// Runs `ip` at a side.
    pub(crate) fn ip(&self, side: &File, line: &str) -> io::Result<()> {
        let output =
            within(Some(side), || Program::new("ip").args(line.split(' ')).stdin(Stdio::null()).output())?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() { Ok(()) } else { Err(io::Error::other(format!("ip {line}: {said}"))) }
    }
}

pub(crate) fn untested<T>(why: &str) -> Option<T> {
    // Where stderr is closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "not tested: {why}");
    None
}
