//! Where is measured: on loopback, or between two network namespaces joined by a pair of virtual network cards.
//!
//! The namespaces have no name: they are there as long as somebody holds their descriptors, and with them go the cards,
//! addresses and routes in them. However this program ends, nothing is left.

use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;
use std::process::{Command, Stdio};

use std::os::unix::process::CommandExt as _;

use super::super::process::Spent;
use super::machine::Cores;

/// Which end of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Generator,
    Relay,
}

/// Where is measured.
pub(super) enum Place {
    /// The second and third octet of its addresses.
    Loopback(u8, u8),
    Veth(Box<Veth>),
}

impl Place {
    /// An address of the relay, of 250.
    pub(super) fn relay(&self, number: u8) -> Ipv4Addr {
        match self {
            Self::Loopback(one, two) => Ipv4Addr::new(127, one % 64 + 1, *two, number + 1),
            Self::Veth(_) => Ipv4Addr::new(10, 0, 1, number + 1),
        }
    }

    /// The address of the first leg; those of the others follow it.
    pub(super) fn legs(&self) -> Ipv4Addr {
        match self {
            Self::Loopback(one, two) => Ipv4Addr::new(127, one % 64 + 128, *two, 1),
            Self::Veth(_) => Ipv4Addr::new(10, 128, 0, 1),
        }
    }

    /// Does something at one end: sockets made by it stay there.
    pub(super) fn at<T: Send>(
        &self,
        side: Side,
        what: impl FnOnce() -> io::Result<T> + Send,
    ) -> io::Result<T> {
        match self.namespace(side) {
            None => what(),
            Some(namespace) => apart(|| enter(namespace).and_then(|()| what())),
        }
    }

    /// The namespace a process at that end must be put into.
    pub(super) fn namespace(&self, side: Side) -> Option<RawFd> {
        match (self, side) {
            (Self::Loopback(..), _) => None,
            (Self::Veth(veth), Side::Generator) => Some(veth.generator.as_raw_fd()),
            (Self::Veth(veth), Side::Relay) => Some(veth.relay.as_raw_fd()),
        }
    }

    /// The relay's network card, where there is one.
    pub(super) fn card(&self) -> Option<&str> {
        match self {
            Self::Loopback(..) => None,
            Self::Veth(veth) => Some(&veth.card),
        }
    }

    /// What the system's threads spent on packets that come to the relay.
    pub(super) fn spent(&self) -> Result<Spent, String> {
        match self {
            Self::Loopback(..) => Ok(Spent::default()),
            Self::Veth(veth) => {
                let each = veth.receivers.iter().map(|thread| Spent::of(*thread));
                each.sum::<Result<Spent, String>>()
            }
        }
    }
}

/// Two namespaces with a wire between them.
pub(super) struct Veth {
    generator: File,
    relay: File,
    /// The cards of both.
    generator_card: String,
    card: String,
    /// The system's threads that take packets from the relay's card and carry them up to its sockets.
    receivers: Vec<u32>,
}

/// An address of a card as people write it.
fn words(mac: [u8; 6]) -> String {
    mac.map(|octet| format!("{octet:02x}")).join(":")
}

impl Veth {
    /// Addresses of the generator's card and the relay's, of those that everybody may give out.
    pub(super) const MACS: ([u8; 6], [u8; 6]) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);

    /// The number of the generator's card, for whoever is in its namespace.
    pub(super) fn generator_card(&self) -> io::Result<u32> {
        let name = std::ffi::CString::new(self.generator_card.as_str())?;
        // SAFETY: the pointer is to a text that outlives the call.
        let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
        if index == 0 { Err(io::Error::last_os_error()) } else { Ok(index) }
    }

    /// Makes them. `queues` is how many threads of the system may take packets at a time, `gather` for how many microseconds the
    /// relay's card keeps interrupts back.
    pub(super) fn new(
        queues: u16,
        generator_cores: &Cores,
        relay_cores: &Cores,
        gather: Option<u32>,
    ) -> Result<Self, String> {
        let namespace = || {
            apart(|| {
                // SAFETY: the call takes a number; only this thread is put elsewhere, and it ends.
                done(unsafe { libc::unshare(libc::CLONE_NEWNET) })?;
                File::open("/proc/thread-self/ns/net")
            })
            .map_err(|error| format!("--veth makes network namespaces, for which one must be root: {error}"))
        };
        let (generator, relay) = (namespace()?, namespace()?);
        // Names a thread of the system can be found by: no other process has ours.
        let id = std::process::id() % 1_000_000;
        let (here, there) = (format!("g{id}"), format!("r{id}"));
        let queues = format!("numrxqueues {queues} numtxqueues {queues}");
        let peer = format!("/proc/{}/fd/{}", std::process::id(), relay.as_raw_fd());
        let veth = Self {
            generator,
            relay,
            generator_card: here.clone(),
            card: there.clone(),
            receivers: Vec::new(),
        };
        for (side, line) in [
            (
                Side::Generator,
                format!(
                    "link add {here} address {} {queues} type veth peer name {there} address {} {queues} netns {peer}",
                    words(Self::MACS.0),
                    words(Self::MACS.1)
                ),
            ),
            (Side::Generator, format!("address add 10.0.0.254/24 dev {here}")),
            (Side::Relay, format!("address add 10.0.0.1/24 dev {there}")),
        ] {
            veth.ip(side, &line)?;
        }
        for (side, card) in [(Side::Generator, &here), (Side::Relay, &there)] {
            veth.ip(side, "link set lo up")?;
            veth.receive_by_threads(side, card, gather.filter(|_| side == Side::Relay))?;
        }
        // Whole networks of addresses at each end, without a word for each of them.
        for (side, line) in [
            (Side::Generator, "route add local 10.128.0.0/9 dev lo"),
            (Side::Generator, "route add 10.0.1.0/24 via 10.0.0.1"),
            (Side::Relay, "route add local 10.0.1.0/24 dev lo"),
            (Side::Relay, "route add 10.128.0.0/9 via 10.0.0.254"),
        ] {
            veth.ip(side, line)?;
        }
        let mut receivers = Vec::new();
        for (card, cores) in [(&here, generator_cores), (&there, relay_cores)] {
            receivers = threads_of(card)?;
            for thread in &receivers {
                let put = cores.before().put(thread.cast_signed());
                put.map_err(|error| format!("{card}: its thread cannot be put on its cores: {error}"))?;
            }
        }
        Ok(Self { receivers, ..veth })
    }

    fn at<T: Send>(&self, side: Side, what: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        let namespace = match side {
            Side::Generator => self.generator.as_raw_fd(),
            Side::Relay => self.relay.as_raw_fd(),
        };
        apart(|| enter(namespace).and_then(|()| what()))
    }

    fn ip(&self, side: Side, line: &str) -> Result<(), String> {
        let run = || {
            let program = find("ip").unwrap_or_else(|| "ip".into());
            Command::new(program).args(line.split(' ')).stdin(Stdio::null()).output()
        };
        let output = self.at(side, run).map_err(|error| format!("ip (package iproute2): {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() { Ok(()) } else { Err(format!("ip {line}: {}", said.trim())) }
    }

    /// Lets threads of the system, whose cost can be told, take packets from a card, and puts it to work.
    fn receive_by_threads(&self, side: Side, card: &str, gather: Option<u32>) -> Result<(), String> {
        // Only with generic receive offload a virtual card has a queue that is polled (NAPI), and packets are put into
        // it only by a card that hands on no segments for others to cut.
        let set = || switch(card, RECEIVE_OFFLOAD, 1).and_then(|()| switch(card, SEGMENTATION_OFFLOAD, 0));
        self.at(side, set).map_err(|error| format!("{card}: its offloads cannot be set: {error}"))?;
        self.ip(side, &format!("link set {card} up"))?;
        self.at(side, || {
            // What /sys shows of cards depends on who mounted it.
            // SAFETY: the call takes a number; only this thread is put elsewhere, and it ends.
            done(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
            mount(c"none", c"/", c"", libc::MS_REC | libc::MS_PRIVATE)?;
            mount(c"bench", c"/sys", c"sysfs", 0)?;
            if let Some(gather) = gather {
                std::fs::write(format!("/sys/class/net/{card}/napi_defer_hard_irqs"), "2")?;
                let nanoseconds = u64::from(gather) * 1_000;
                std::fs::write(format!("/sys/class/net/{card}/gro_flush_timeout"), nanoseconds.to_string())?;
            }
            std::fs::write(format!("/sys/class/net/{card}/threaded"), "1")
        })
        .map_err(|error| format!("{card}: its queue cannot be given a thread: {error}"))
    }
}

/// On a thread of its own, which takes with it what it changes of itself.
fn apart<T: Send>(what: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    let result = std::thread::scope(|scope| scope.spawn(what).join());
    result.unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))
}

/// Puts the calling thread into a network namespace. Allocates nothing: may be done between fork and exec.
pub(super) fn enter(namespace: RawFd) -> io::Result<()> {
    // SAFETY: the call takes numbers only.
    done(unsafe { libc::setns(namespace, libc::CLONE_NEWNET) })
}

fn done(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn mount(
    source: &std::ffi::CStr,
    target: &std::ffi::CStr,
    kind: &std::ffi::CStr,
    flags: libc::c_ulong,
) -> io::Result<()> {
    // SAFETY: all pointers are to texts that outlive the call; no data is given.
    done(unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, std::ptr::null()) })
}

/// Commands of linux/ethtool.h: `gro` and `tso`.
const RECEIVE_OFFLOAD: u32 = 0x2c;
const SEGMENTATION_OFFLOAD: u32 = 0x1f;

/// Switches a property of a card, as ethtool does.
fn switch(card: &str, command: u32, data: u32) -> io::Result<()> {
    /// `struct ethtool_value` of linux/ethtool.h.
    #[repr(C)]
    struct Value {
        command: u32,
        data: u32,
    }
    let socket = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let mut value = Value { command, data };
    // SAFETY: all zeros is a valid request.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (octet, letter) in request.ifr_name.iter_mut().zip(card.bytes().take(libc::IFNAMSIZ - 1)) {
        *octet = letter as libc::c_char;
    }
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: the request and the value it points to outlive the call.
    done(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut request) })
}

/// The system's threads that take packets from a card: "napi/CARD-NUMBER".
fn threads_of(card: &str) -> Result<Vec<u32>, String> {
    let name = format!("napi/{card}-");
    let entries = std::fs::read_dir("/proc").map_err(|error| format!("/proc: {error}"))?;
    let found: Vec<u32> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|process| {
            let comm = std::fs::read_to_string(format!("/proc/{process}/comm"));
            comm.is_ok_and(|comm| comm.starts_with(&name))
        })
        .collect();
    if found.is_empty() { Err(format!("{card}: the system gave its queue no thread")) } else { Ok(found) }
}

/// A program by its name, also where only administrators look.
pub(super) fn find(program: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(std::path::PathBuf::from);
    std::env::split_paths(&path).chain(usual).map(|folder| folder.join(program)).find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Has a process begin at one end, on its cores, with all the open files it may have, and end with this program.
pub(super) fn prepare(command: &mut Command, place: &Place, cores: &Cores) {
    let namespace = place.namespace(Side::Relay);
    let cores = cores.clone();
    let begin = move || {
        // SAFETY: the call takes numbers only.
        done(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) })?;
        if let Some(namespace) = namespace {
            enter(namespace)?;
        }
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the pointers are to a live limit.
        unsafe {
            done(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit))?;
            limit.rlim_cur = limit.rlim_max;
            done(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit))?;
        }
        cores.put(0)
    };
    // SAFETY: it makes system calls only; it neither allocates nor locks.
    unsafe { command.pre_exec(begin) };
}
