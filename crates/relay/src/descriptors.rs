//! How many files this process may open.

use std::io;

/// Descriptors left for everything that is not a media socket: connections, files, the console.
const RESERVE: u64 = 512;

/// Makes room for `sockets` media sockets: raises the soft limit to the hard one where it has to. Says how many
/// descriptors are allowed in the end if they are too few.
pub(crate) fn make_room(sockets: usize) -> io::Result<Result<(), TooFew>> {
    let needed = u64::try_from(sockets).unwrap_or(u64::MAX).saturating_add(RESERVE);
    let limit = get()?;
    if limit.rlim_cur >= needed {
        return Ok(Ok(()));
    }
    if limit.rlim_max < needed {
        return Ok(Err(TooFew { needed, allowed: limit.rlim_max }));
    }
    set(libc::rlimit { rlim_cur: limit.rlim_max, ..limit })?;
    Ok(Ok(()))
}

/// More descriptors are needed than the hard limit allows.
#[derive(Debug)]
pub(crate) struct TooFew {
    pub(crate) needed: u64,
    pub(crate) allowed: u64,
}

fn get() -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live rlimit, which the call fills.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == 0 {
        Ok(limit)
    } else {
        Err(io::Error::last_os_error())
    }
}

fn set(limit: libc::rlimit) -> io::Result<()> {
    // SAFETY: the pointer is to a live rlimit, which the call reads.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_need_beyond_the_hard_limit_is_named() {
        let hard = get().unwrap().rlim_max;
        let too_few = make_room(usize::MAX).unwrap().unwrap_err();
        assert_eq!(too_few.allowed, hard);
        assert_eq!(too_few.needed, u64::MAX);
    }

    #[test]
    fn the_soft_limit_follows_the_need() {
        let hard = get().unwrap().rlim_max;
        set(libc::rlimit { rlim_cur: 256.min(hard), rlim_max: hard }).unwrap();
        make_room(0).unwrap().unwrap();
        assert_eq!(get().unwrap().rlim_cur, hard);
    }
}
