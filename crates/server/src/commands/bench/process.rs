//! What processes cost: processor time and memory (proc(5)).

use std::iter::Sum;
use std::ops::{Add, Sub};
use std::time::Duration;

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
    /// All of it by the kernel's samples, threads that have ended included.
    pub(super) fn sampled(&self) -> Duration {
        self.user + self.system
    }

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

/// Files, sockets and whatever else a process holds open.
pub(super) fn files(process: u32) -> Result<u64, String> {
    let path = format!("/proc/{process}/fd");
    let entries = std::fs::read_dir(&path).map_err(|error| format!("{path}: {error}"))?;
    Ok(entries.count() as u64)
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
        assert!(Spent::of(own).unwrap().total > Duration::ZERO);
        assert!(memory(own).unwrap() > 100_000);
        assert!(files(own).unwrap() > 2);
    }
}
