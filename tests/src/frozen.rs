//! Threads of a program that stand still while the others go on, as in a deadlock.

use std::path::Path;
use std::{fs, io, ptr};

/// A thread that stands still until this is dropped.
#[derive(Debug)]
pub struct Frozen {
    thread: libc::pid_t,
}

impl Frozen {
    /// Stops the threads of a process whose name begins so. The process must be a child of ours.
    ///
    /// # Panics
    /// If there is none, or it cannot be stopped.
    #[must_use]
    pub fn threads(process: u32, name: &str) -> Vec<Self> {
        let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("the process runs");
        let named =
            |path: &Path| fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.starts_with(name));
        let frozen: Vec<Self> = tasks
            .map(|task| task.expect("threads can be listed").path())
            .filter(|path| named(path))
            .map(|path| path.file_name().and_then(|id| id.to_str()?.parse().ok()).expect("a thread's number"))
            .map(Self::stop)
            .collect();
        assert!(!frozen.is_empty(), "no thread is called {name}");
        frozen
    }

    fn stop(thread: libc::pid_t) -> Self {
        trace(libc::PTRACE_SEIZE, thread);
        trace(libc::PTRACE_INTERRUPT, thread);
        // SAFETY: waitpid(2) may be given no place for the status.
        let stopped = unsafe { libc::waitpid(thread, ptr::null_mut(), libc::__WALL) };
        assert_eq!(stopped, thread, "{}", io::Error::last_os_error());
        Self { thread }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        trace(libc::PTRACE_DETACH, self.thread);
    }
}

fn trace(request: libc::c_uint, thread: libc::pid_t) {
    let nothing = ptr::null_mut::<libc::c_void>();
    // SAFETY: none of the three requests touches memory of ours: address and data are not used or zero.
    let result = unsafe { libc::ptrace(request, thread, nothing, nothing) };
    assert_eq!(result, 0, "ptrace {request}: {}", io::Error::last_os_error());
}
