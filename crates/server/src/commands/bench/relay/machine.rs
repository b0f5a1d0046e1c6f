//! Cores and priorities.

use std::io;
use std::time::Duration;

/// Where threads may run, and how urgent they are.
#[derive(Debug, Clone, Default)]
pub(super) struct Cores {
    /// Numbers of cores; any if empty.
    numbers: Vec<usize>,
    /// Priority under `SCHED_FIFO` (sched(7)); none where the usual turns are taken.
    urgency: Option<i32>,
}

impl Cores {
    /// Wherever the system likes.
    #[cfg(test)]
    pub(super) fn any() -> Self {
        Self::default()
    }

    pub(super) fn new(numbers: &[usize], urgency: Option<i32>) -> Self {
        Self { numbers: numbers.to_vec(), urgency }
    }

    /// The same, a little more urgent.
    pub(super) fn before(&self) -> Self {
        Self { numbers: self.numbers.clone(), urgency: self.urgency.map(|urgency| urgency + 10) }
    }

    /// The same, in the usual turns: the system stops what is urgent for a while if it never rests.
    pub(super) fn in_turn(&self) -> Self {
        Self { numbers: self.numbers.clone(), urgency: None }
    }

    /// Puts the calling thread there.
    pub(super) fn occupy(&self) -> Result<(), String> {
        self.put(0).map_err(|error| format!("a thread of the generator cannot be put on its cores: {error}"))
    }

    /// Puts a thread there: its number, 0 for the calling one. Allocates nothing: may be done between fork and exec.
    pub(super) fn put(&self, thread: libc::pid_t) -> io::Result<()> {
        if !self.numbers.is_empty() {
            // SAFETY: all zeros is the empty set.
            let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
            for core in &self.numbers {
                // SAFETY: the set is a live one; `available` gives no number beyond it.
                unsafe { libc::CPU_SET(*core, &mut set) };
            }
            // SAFETY: the pointer and the length are those of a live set.
            done(unsafe { libc::sched_setaffinity(thread, size_of_val(&set), &raw const set) })?;
        }
        if let Some(urgency) = self.urgency {
            let parameter = libc::sched_param { sched_priority: urgency };
            // SAFETY: the pointer is to a live parameter.
            done(unsafe { libc::sched_setscheduler(thread, libc::SCHED_FIFO, &raw const parameter) })?;
        }
        Ok(())
    }

    /// Cores this process may use.
    pub(super) fn available() -> io::Result<Vec<usize>> {
        // SAFETY: all zeros is the empty set.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: the pointer and the length are those of a live set, which the call fills.
        done(unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) })?;
        let most = libc::CPU_SETSIZE as usize;
        // SAFETY: the set is a live one and no number is beyond it.
        Ok((0..most).filter(|core| unsafe { libc::CPU_ISSET(*core, &set) }).collect())
    }
}

fn done(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Waits; the system's usual slack of 50 µs would be half of what is waited for here.
pub(super) fn sleep(time: Duration) {
    thread_local!(static EXACT: () = {
        // SAFETY: the call takes numbers only, and changes this thread alone.
        unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1, 0, 0, 0) };
    });
    EXACT.with(|()| std::thread::sleep(time));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_put_where_it_may_run() {
        let available = Cores::available().unwrap();
        let last = *available.last().unwrap();
        std::thread::spawn(move || {
            Cores::new(&[last], None).occupy().unwrap();
            assert_eq!(Cores::available().unwrap(), [last]);
        })
        .join()
        .unwrap();
    }
}
