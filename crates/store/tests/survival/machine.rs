//! A disk whose power can be cut.
//!
//! The store lies on an ext4 in a file, by a loop device, on a second ext4, by another loop device. What the inner
//! file system writes reaches the page cache of the outer one and stays there until the inner one asks for its disk's
//! cache to be flushed: the outer page cache is the volatile cache of the inner disk. The cut is the outer file
//! system's own: `EXT4_IOC_SHUTDOWN` without flushing the log ends all writing at once and loses what was not
//! written back (it was made to simulate exactly that; xfstests uses it). Both page caches, and so both caches of a
//! real machine, are gone after it. Before it, half of the inner disk, drawn by lot, is written back, because a
//! disk's cache may well have written some of it and in any order.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Bytes of the inner disk.
const INNER: u64 = 192 << 20;
/// Bytes of the outer one.
const OUTER: u64 = 288 << 20;
/// What the disk's cache writes at once.
const STRIPE: u64 = 64 << 10;

/// A machine, in a mount namespace of our own: whatever happens, the system takes our mounts and loop devices away with us.
pub(crate) fn prepare() -> Result<Machine, String> {
    let ours = |result: i32, what: &str| {
        if result == 0 { Ok(()) } else { Err(format!("{what}: {}", io::Error::last_os_error())) }
    };
    // SAFETY: takes no pointer; this process has one thread here.
    ours(unsafe { libc::unshare(libc::CLONE_NEWNS) }, "no mount namespace")?;
    let (none, root) = (std::ptr::null(), c"/".as_ptr());
    // SAFETY: the target is a C string; the other pointers may be null where only the propagation is changed.
    let private = unsafe { libc::mount(none, root, none, libc::MS_REC | libc::MS_PRIVATE, none.cast()) };
    ours(private, "no private mounts")?;
    Machine::new()
}

pub(crate) struct Machine {
    dir: tempfile::TempDir,
    chance: u64,
}

impl Machine {
    fn new() -> Result<Self, String> {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).map_err(|e| e.to_string())?;
        let machine = Self { dir, chance: 1 };
        let make = |path: &Path, bytes: u64| File::create(path).and_then(|file| file.set_len(bytes));
        for mount in [machine.outer(), machine.inner()] {
            fs::create_dir(mount).map_err(|e| e.to_string())?;
        }
        make(&machine.path("outer.img"), OUTER).map_err(|e| e.to_string())?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(machine.path("outer.img")))?;
        mount(&machine.path("outer.img"), &machine.outer())?;
        // Really written, so that writing to the inner disk never needs the outer file system's journal.
        fs::write(machine.disk(), vec![0; INNER as usize]).map_err(|e| e.to_string())?;
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-E", "nodiscard"]).arg(machine.disk()))?;
        File::open(machine.disk()).and_then(|disk| disk.sync_all()).map_err(|e| e.to_string())?;
        mount(&machine.disk(), &machine.inner())?;
        Ok(machine)
    }

    /// Where a store may lie.
    pub(crate) fn store(&self, name: &str) -> PathBuf {
        self.inner().join(name)
    }

    /// Takes the power away. The child is still at it.
    pub(crate) fn cut(&mut self) {
        let disk = File::options().write(true).open(self.disk()).expect("the inner disk is there");
        for stripe in 0..INNER / STRIPE {
            self.chance =
                self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if self.chance >> 63 == 1 {
                let (offset, bytes) = ((stripe * STRIPE) as i64, STRIPE as i64);
                // SAFETY: takes no pointer; the file is open.
                let begun = unsafe {
                    libc::sync_file_range(disk.as_raw_fd(), offset, bytes, libc::SYNC_FILE_RANGE_WRITE)
                };
                assert_eq!(begun, 0, "{}", io::Error::last_os_error());
            }
        }
        drop(disk);
        // _IOR('X', 125, __u32) and EXT4_GOING_FLAGS_NOLOGFLUSH of linux/fs/ext4/ext4.h.
        const EXT4_IOC_SHUTDOWN: libc::c_ulong = 0x8004_587d;
        let no_log_flush: u32 = 2;
        let outer = File::open(self.outer()).expect("the outer disk is there");
        // SAFETY: the request reads one u32, which lives until it returns.
        let shut = unsafe { libc::ioctl(outer.as_raw_fd(), EXT4_IOC_SHUTDOWN as _, &raw const no_log_flush) };
        assert_eq!(shut, 0, "{}", io::Error::last_os_error());
    }

    /// Gives the power back: both file systems recover from their journals.
    pub(crate) fn start_again(&self) {
        self.stop();
        mount(&self.path("outer.img"), &self.outer()).expect("the outer file system recovers");
        mount(&self.disk(), &self.inner()).expect("the inner file system recovers");
    }

    fn stop(&self) {
        for mount in [self.inner(), self.outer()] {
            // Fails where it was never mounted.
            let _ = run(Command::new("umount").arg(mount));
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn outer(&self) -> PathBuf {
        self.path("outer")
    }

    fn inner(&self) -> PathBuf {
        self.path("inner")
    }

    fn disk(&self) -> PathBuf {
        self.outer().join("disk.img")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.stop();
    }
}

fn mount(image: &Path, at: &Path) -> Result<(), String> {
    run(Command::new("mount").args(["-t", "ext4", "-o", "loop"]).arg(image).arg(at))
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("{command:?}: {e}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{command:?}: {}", said.trim())) }
}
