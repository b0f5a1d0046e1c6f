//! Programs of others that the tests need.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use crate::{program, wait};

/// The repository.
#[must_use]
pub fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the repository").to_path_buf()
}

/// A file below `tests/interop`.
#[must_use]
pub fn interop(name: &str) -> PathBuf {
    repository().join("tests/interop").join(name)
}

/// Where tests/run installs packages that are no system's: generators of clients, what builds the console.
///
/// # Panics
/// If they are not there.
#[must_use]
pub fn installed(what: &str) -> PathBuf {
    let profile = program::binary();
    let target = profile.parent().and_then(Path::parent).expect("the program lies in target/PROFILE");
    let path =
        std::env::var_os("BAUTA_CLIENTS").map_or_else(|| target.join("clients"), PathBuf::from).join(what);
    assert!(path.exists(), "{} is missing: tests/run installs it", path.display());
    path
}

/// A command for a program that must be installed.
///
/// # Panics
/// If it is not, with the command that installs it.
#[must_use]
pub fn command(program: &str, package: &str) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
    assert!(
        found,
        "{program} is missing: apt-get install --no-install-recommends {package} (tests/run does it)"
    );
    Command::new(program)
}

/// A program that is ended when the test is.
#[derive(Debug)]
pub struct Running {
    child: Child,
    name: String,
}

impl Running {
    /// Starts it.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(mut command: Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.spawn().unwrap_or_else(|fault| panic!("{name} does not start: {fault}"));
        Self { child, name }
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended, and how.
    ///
    /// # Panics
    /// If the system does not know.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be asked")
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If that does not come within `patience`.
    pub fn wait(&mut self, patience: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        wait::until(&what, patience, || self.ended())
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// If it is gone.
    pub fn signal(&self, signal: i32) {
        let id = i32::try_from(self.child.id()).expect("process ids are small");
        // SAFETY: kill(2) touches no memory of ours, and the child is not yet reaped, so the id is its own.
        let result = unsafe { libc::kill(id, signal) };
        assert_eq!(result, 0, "{} can be signalled", self.name);
    }

    /// Sends a signal to it and its children, where it was started in a group of its own. Nobody may be left to hear it.
    pub fn signal_group(&self, signal: i32) {
        let id = i32::try_from(self.child.id()).expect("process ids are small");
        // SAFETY: kill(2) touches no memory of ours, and the child is not yet reaped, so its group is its own.
        let _ = unsafe { libc::kill(-id, signal) };
    }

    /// What is written to its standard input.
    pub fn stdin(&mut self) -> Option<&mut std::process::ChildStdin> {
        self.child.stdin.as_mut()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already ended is as good as killed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
