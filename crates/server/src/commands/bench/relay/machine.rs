//! Cores, priorities and what processes cost.

use std::io;
use std::iter::Sum;
use std::ops::{Add, Sub};
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

/// Processor time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Spent {
    /// All of it, exact: the scheduler's own count.
    pub(super) total: Duration,
    /// In the program itself, and in the system for it: the kernel's samples at each tick.
    pub(super) user: Duration,
    pub(super) system: Duration,
}

impl Sub for Spent {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            total: self.total.saturating_sub(earlier.total),
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
        }
    }
}

impl Add for Spent {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            total: self.total + other.total,
            user: self.user + other.user,
            system: self.system + other.system,
        }
    }
}

impl Sum for Spent {
    fn sum<I: Iterator<Item = Self>>(each: I) -> Self {
        each.fold(Self::default(), Add::add)
    }
}

impl Spent {
    /// The share of the program itself.
    pub(super) fn user_share(&self) -> f64 {
        let both = self.user + self.system;
        if both.is_zero() { 0.0 } else { self.user.as_secs_f64() / both.as_secs_f64() }
    }

    /// What a process and all its threads spent so far.
    pub(super) fn of(process: u32) -> Result<Self, String> {
        let tasks = format!("/proc/{process}/task");
        let tasks = std::fs::read_dir(&tasks).map_err(|error| format!("{tasks}: {error}"))?;
        // A thread that ends meanwhile took its time with it.
        let total = tasks
            .filter_map(Result::ok)
            .filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok())
            .filter_map(|text| text.split(' ').next()?.parse().ok())
            .map(Duration::from_nanos)
            .sum();
        let (user, system) = ticks(&read(process, "stat")?).ok_or("/proc tells no processor time")?;
        Ok(Self { total, user, system })
    }
}

fn time(ticks: u64) -> Duration {
    // SAFETY: sysconf takes any name and touches no memory of ours.
    let second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    Duration::from_millis(ticks * 1000 / u64::try_from(second).unwrap_or(100))
}

/// User and system time of a line of /proc/PID/stat. The name, in parentheses, may hold anything; fields are counted
/// behind it (proc(5): utime is the 14th).
fn ticks(stat: &str) -> Option<(Duration, Duration)> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11).map(str::parse::<u64>);
    let (user, system) = (fields.next()?.ok()?, fields.next()?.ok()?);
    Some((time(user), time(system)))
}

/// Time that cores of this machine were wanted for and not given by the one that lends them, all together so far.
pub(super) fn stolen() -> Result<Duration, String> {
    let text = std::fs::read_to_string("/proc/stat").map_err(|error| format!("/proc/stat: {error}"))?;
    // proc(5): user, nice, system, idle, iowait, irq, softirq, steal.
    let ticks = text.lines().next().and_then(|line| line.split_whitespace().nth(8)?.parse().ok());
    Ok(time(ticks.unwrap_or(0)))
}

/// Resident memory of a process, in octets.
pub(super) fn memory(process: u32) -> Result<u64, String> {
    let status = read(process, "status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.map(|kilobytes| kilobytes * 1024).ok_or_else(|| format!("/proc/{process} tells no memory"))
}

fn read(process: u32, what: &str) -> Result<String, String> {
    let path = format!("/proc/{process}/{what}");
    std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let line = "7 (a ) 9 b) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20";
        let (user, system) = ticks(line).unwrap();
        assert_eq!(user, system * 3);
        assert_eq!(ticks("7 (cut) S 1 2"), None);
        let spent = Spent { total: user + system, user, system };
        assert!((spent.user_share() - 0.75).abs() < 1e-9);
        assert_eq!((spent - spent).user_share().to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn this_process_spends_and_holds_something() {
        let own = std::process::id();
        let before = Spent::of(own).unwrap();
        assert!(before.total > Duration::ZERO);
        assert!(memory(own).unwrap() > 100_000);
        assert!(Spent::of(own).unwrap().total >= before.total);
    }

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
