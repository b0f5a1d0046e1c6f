//! The process that is measured, whichever relay it is.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use super::super::process::{self, Spent};
use super::inside::{Order, Passed, Word};
use super::machine::Cores;
use super::ng::Control;
use super::place::{Place, Side, prepare};
use crate::cli::Backend;

/// Calls on one address: four ports each, and some may be somebody else's.
const CALLS: u32 = 12_000;
/// Where the ports of the relays begin, and how many more there are than are needed.
const FIRST_PORT: u16 = 10_000;
const SPARE: u32 = 400;
/// For rtpengine to be there.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// Which relay is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Bauta(Backend),
    Rtpengine(PathBuf),
}

impl Kind {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Bauta(backend) => backend.name(),
            Self::Rtpengine(_) => "rtpengine",
        }
    }

    /// What exactly it is.
    pub(super) fn version(&self) -> String {
        match self {
            Self::Bauta(_) => format!("bauta {}", env!("CARGO_PKG_VERSION")),
            Self::Rtpengine(program) => version(program).unwrap_or_else(|| "rtpengine".to_owned()),
        }
    }
}

/// "Version: 10.5.3.5-1" on one of its two outputs.
fn version(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let number = said.lines().find_map(|line| line.split("ersion: ").nth(1))?;
    Some(format!("rtpengine {}, userspace", number.split_whitespace().next()?))
}

/// How a relay is to be run.
pub(super) struct Way<'a> {
    pub(super) place: &'a Place,
    pub(super) cores: &'a Cores,
    pub(super) workers: u16,
    /// The longest that relays of ours let a packet wait for others, where that is said.
    pub(super) max_wait: Option<Duration>,
}

/// A relay in a process of its own, which ends with this.
pub(super) struct Subject {
    process: Process,
    talk: Talk,
    /// Memory before the first call.
    idle: u64,
}

enum Talk {
    Bauta(Lines),
    Rtpengine(Control),
}

struct Lines {
    orders: ChildStdin,
    words: BufReader<ChildStdout>,
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It keeps nothing.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Subject {
    /// Starts it with room for so many calls.
    pub(super) fn start(kind: &Kind, way: &Way<'_>, calls: u32) -> Result<Self, String> {
        let (process, talk) = match kind {
            Kind::Bauta(backend) => bauta(*backend, way, calls)?,
            Kind::Rtpengine(program) => rtpengine(program, way, calls)?,
        };
        let idle = process::memory(process.0.id())?;
        Ok(Self { process, talk, idle })
    }

    /// Makes calls between legs that take media there. Says where each leg sends to.
    pub(super) fn join(&mut self, remotes: &[SocketAddrV4]) -> Result<Vec<SocketAddrV4>, String> {
        match &mut self.talk {
            Talk::Rtpengine(control) => {
                let calls = (0..).zip(remotes.as_chunks().0);
                let joined = calls.map(|(call, parties)| control.join(call, *parties));
                Ok(joined.collect::<Result<Vec<_>, _>>()?.concat())
            }
            Talk::Bauta(lines) => {
                lines.tell(&remotes)?;
                match lines.hear()? {
                    Word::Targets(targets) => Ok(targets),
                    word @ (Word::Ready | Word::Passed(_)) => Err(format!("the relay says {word:?}")),
                }
            }
        }
    }

    /// Processor time so far.
    pub(super) fn spent(&self) -> Result<Spent, String> {
        Spent::of(self.process.0.id())
    }

    /// Octets of memory before the first call, and what the calls take besides.
    pub(super) fn memory(&self) -> Result<(u64, u64), String> {
        let now = process::memory(self.process.0.id())?;
        Ok((self.idle, now.saturating_sub(self.idle)))
    }

    /// Ends the calls. Says what passed, if the relay tells.
    pub(super) fn end(self) -> Result<Option<Passed>, String> {
        match self.talk {
            Talk::Rtpengine(_) => Ok(None),
            Talk::Bauta(mut lines) => {
                lines.tell(&())?;
                match lines.hear()? {
                    Word::Passed(passed) => Ok(Some(passed)),
                    word @ (Word::Ready | Word::Targets(_)) => Err(format!("the relay says {word:?}")),
                }
            }
        }
    }
}

impl Lines {
    fn tell(&mut self, what: &impl serde::Serialize) -> Result<(), String> {
        let line = serde_json::to_string(what).map_err(|error| error.to_string())?;
        writeln!(self.orders, "{line}").map_err(|error| format!("the relay takes no orders: {error}"))
    }

    fn hear(&mut self) -> Result<Word, String> {
        let mut line = String::new();
        self.words.read_line(&mut line).map_err(|error| error.to_string())?;
        // What kept it is on standard error already.
        serde_json::from_str(&line).map_err(|_| "the relay under test ended; why is above".to_owned())
    }
}

fn bauta(backend: Backend, way: &Way<'_>, calls: u32) -> Result<(Process, Talk), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.args(["bench", "relay-process"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    prepare(&mut command, way.place, way.cores);
    let mut child =
        command.spawn().map_err(|error| format!("the relay under test did not start: {error}"))?;
    let (orders, words) = (child.stdin.take(), child.stdout.take());
    let process = Process(child);
    let (Some(orders), Some(words)) = (orders, words) else { return Err("a pipe is missing".to_owned()) };
    let mut lines = Lines { orders, words: BufReader::new(words) };
    lines.tell(&Order {
        backend,
        workers: way.workers,
        addresses: addresses(way.place, calls),
        ports: ports(calls),
        card: way.place.card().map(str::to_owned),
        max_wait: way.max_wait,
    })?;
    match lines.hear()? {
        Word::Ready => Ok((process, Talk::Bauta(lines))),
        word @ (Word::Targets(_) | Word::Passed(_)) => Err(format!("the relay says {word:?}")),
    }
}

fn rtpengine(program: &Path, way: &Way<'_>, calls: u32) -> Result<(Process, Talk), String> {
    let address = way.place.relay(0);
    let bind = || UdpSocket::bind((address, 0));
    let at = |error: std::io::Error| format!("{address}: {error}");
    let free = way.place.at(Side::Relay, || bind()?.local_addr()).map_err(at)?;
    let SocketAddr::V4(control) = free else { return Err(format!("{free} is not of IPv4")) };
    let (first, last) = ports(calls);
    let mut command = Command::new(program);
    command.args(["--config-file=none", "--foreground", "--log-stderr", "--log-level=2", "--table=-1"]);
    command.arg(format!("--num-threads={}", way.workers));
    command.arg(format!("--listen-ng={control}"));
    command.args([format!("--port-min={first}"), format!("--port-max={last}")]);
    command.args(addresses(way.place, calls).iter().map(|address| format!("--interface=bench/{address}")));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    prepare(&mut command, way.place, way.cores);
    let child = command.spawn().map_err(|error| format!("{}: {error}", program.display()))?;
    let mut process = Process(child);
    let socket = way.place.at(Side::Relay, bind).map_err(at)?;
    let mut control = Control::new(socket, control).map_err(at)?;
    let began = Instant::now();
    while !control.ping() {
        if let Ok(Some(status)) = process.0.try_wait() {
            return Err(format!("{} ended with {status}", program.display()));
        }
        if began.elapsed() > READY_WITHIN {
            return Err(format!("{} does not answer", program.display()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok((process, Talk::Rtpengine(control)))
}

fn addresses(place: &Place, calls: u32) -> Vec<Ipv4Addr> {
    let count = calls.div_ceil(CALLS).clamp(1, 250) as u8;
    (0..count).map(|number| place.relay(number)).collect()
}

/// The first and last port on each address.
fn ports(calls: u32) -> (u16, u16) {
    let count = calls.min(CALLS) * 4 + SPARE;
    (FIRST_PORT, (u32::from(FIRST_PORT) + count - 1).min(65_535) as u16)
}
