//! baresip as a phone (Debian package baresip-core), told what to do over its control socket.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::tool::{self, Running};
use crate::wav::Wav;
use crate::{tone, wait, wav};

/// Where all of them are: baresip sends voice from an unbound socket, which on loopback means from here.
const HOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A phone.
#[derive(Debug)]
pub struct Baresip {
    _running: Running,
    dir: tempfile::TempDir,
    address: SocketAddr,
    control: TcpStream,
    /// Octets of what it hears, in a second of its file.
    octets: u64,
    read: Vec<u8>,
    events: Vec<Value>,
}

/// What a phone does when it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answering {
    /// Answers at once.
    Auto,
    /// Rings until told.
    Manual,
}

/// Which codecs a phone has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaking {
    /// Both laws.
    G711,
    /// G.722 alone.
    G722,
    /// Opus alone.
    Opus,
}

impl Speaking {
    fn codecs(self) -> &'static str {
        match self {
            Self::G711 => "PCMA/8000/1,PCMU/8000/1",
            Self::G722 => "G722/16000/1",
            Self::Opus => "opus/48000/2",
        }
    }

    /// Octets in a second of the file in which it keeps what it hears: 16 bits a sample.
    fn octets(self) -> u64 {
        match self {
            Self::G711 => 16_000,
            Self::G722 => 32_000,
            Self::Opus => 192_000,
        }
    }
}

impl Baresip {
    /// A phone with this number, whose voice is a tone.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(number: &str, hertz: f64, answering: Answering) -> Self {
        Self::with(number, hertz, answering, Speaking::G711, "")
    }

    /// A phone that encrypts its voice as `mediaenc` says: `srtp` if the other side can, `srtp-mand` always.
    #[must_use]
    pub fn encrypting(number: &str, hertz: f64, answering: Answering, mediaenc: &str) -> Self {
        Self::with(number, hertz, answering, Speaking::G711, &format!(";mediaenc={mediaenc}"))
    }

    /// A phone that answers challenges, where it calls from.
    #[must_use]
    pub fn proving(number: &str, hertz: f64, username: &str, password: &str) -> Self {
        let parameters = format!(";auth_user={username};auth_pass={password}");
        Self::with(number, hertz, Answering::Manual, Speaking::G711, &parameters)
    }

    /// A phone that has no other codec.
    #[must_use]
    pub fn speaking(number: &str, hertz: f64, answering: Answering, speaking: Speaking) -> Self {
        Self::with(number, hertz, answering, speaking, "")
    }

    fn with(number: &str, hertz: f64, answering: Answering, speaking: Speaking, parameters: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory can be made");
        let first = free_ports();
        let (address, listener) = (SocketAddr::from((HOST, first)), SocketAddr::from((HOST, first + 2)));
        let path = |name: &str| dir.path().join(name);
        wav::write(&path("voice.wav"), &tone::sine(hertz, 120.0));
        std::fs::create_dir(path("heard")).expect("the disk has room");
        let template = std::fs::read_to_string(tool::interop("baresip/config")).expect("a template");
        let config = template
            .replace("@ADDRESS@", &address.to_string())
            .replace("@CONTROL@", &listener.to_string())
            .replace("@DIR@", &dir.path().to_string_lossy());
        let mode = match answering {
            Answering::Auto => "auto",
            Answering::Manual => "manual",
        };
        let account = format!(
            "<sip:+{number}@{address}>;regint=0;answermode={mode};audio_codecs={}{parameters}\n",
            speaking.codecs(),
        );
        for (name, text) in [("config", config), ("accounts", account), ("contacts", String::new())] {
            std::fs::write(path(name), text).expect("the disk has room");
        }
        let log = std::fs::File::create(path("log")).expect("the disk has room");
        let mut command = tool::command("baresip", "baresip-core");
        command
            .args(["-4", "-s", "-f"])
            .arg(dir.path())
            .stdin(Stdio::null())
            .stderr(log.try_clone().expect("a file can be shared"))
            .stdout(log);
        let running = Running::start(command);
        let control =
            wait::until("baresip's control socket", wait::SOON, || TcpStream::connect(listener).ok());
        control.set_read_timeout(Some(Duration::from_millis(50))).expect("a socket takes a time-out");
        let octets = speaking.octets();
        Self { _running: running, dir, address, control, octets, read: Vec::new(), events: Vec::new() }
    }

    /// Where it takes calls.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the phone has printed, SIP messages included.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read(self.dir.path().join("log"))
            .map(|log| String::from_utf8_lossy(&log).into_owned())
            .unwrap_or_default()
    }

    /// Gives a command (its menu's words) and does not wait.
    ///
    /// # Panics
    /// If the phone is gone.
    pub fn command(&mut self, command: &str, parameter: &str) {
        let text = json!({ "command": command, "params": parameter }).to_string();
        let mut framed = String::new();
        write!(framed, "{}:{text},", text.len()).expect("a string takes all");
        self.control.write_all(framed.as_bytes()).expect("the phone listens");
    }

    /// Calls.
    pub fn dial(&mut self, uri: &str) {
        self.command("dial", uri);
    }

    /// Presses keys one after the other, each when the one before is over.
    pub fn press(&mut self, keys: &str) {
        for key in keys.chars() {
            self.command("sndcode", &key.to_string());
            // A key lasts 180 ms, and the phone joins what is pressed meanwhile.
            wait::pause(Duration::from_millis(350));
        }
    }

    /// Waits until it has heard so many seconds more.
    pub fn hear_more(&self, seconds: u64) {
        let length = || self.heard_file().and_then(|file| file.metadata().ok()).map_or(0, |data| data.len());
        let enough = length() + seconds * self.octets;
        wait::until_true("more to hear", wait::LATER, || length() >= enough);
    }

    fn heard_file(&self) -> Option<PathBuf> {
        self.heard_files().next()
    }

    /// It begins another when its voice begins again, as after hold.
    fn heard_files(&self) -> impl Iterator<Item = PathBuf> {
        let files = std::fs::read_dir(self.dir.path().join("heard")).into_iter().flatten();
        let paths = files.filter_map(Result::ok).map(|entry| entry.path());
        paths.filter(|path| path.to_string_lossy().ends_with("-dec.wav"))
    }

    /// For how many seconds it has heard this tone so far, by G.711.
    #[must_use]
    pub fn hears(&self, hertz: f64) -> f64 {
        let files = self.heard_files().filter_map(|path| wav::so_far(&path));
        files.map(|heard| tone::seconds(&heard.channels[0], heard.rate, hertz)).sum()
    }

    /// Waits until its log has this.
    pub fn await_log(&self, text: &str) {
        wait::until_true(text, wait::LATER, || self.log().contains(text));
    }

    /// Waits for an event of this type (`CALL_ESTABLISHED`, `CALL_CLOSED` …), each counted once.
    ///
    /// # Panics
    /// If none comes.
    pub fn await_event(&mut self, kind: &str) -> Value {
        wait::until(kind, wait::LATER, || {
            self.take_events();
            let at = self.events.iter().position(|event| event["type"] == kind)?;
            Some(self.events.remove(at))
        })
    }

    fn take_events(&mut self) {
        let mut buffer = [0; 4096];
        if let Ok(length) = self.control.read(&mut buffer) {
            self.read.extend_from_slice(&buffer[..length]);
        }
        while let Some((text, used)) = netstring(&self.read) {
            self.events
                .extend(serde_json::from_str(&text).ok().filter(|event: &Value| event["event"] == true));
            self.read.drain(..used);
        }
    }

    /// What it has heard, once the call is over.
    ///
    /// # Panics
    /// If it heard nothing.
    #[must_use]
    pub fn heard(&self) -> Wav {
        // It closes its recording a moment after the call.
        let whole = || self.heard_file().filter(|file| wav::is_closed(file));
        wav::read(&wait::until("what the phone heard", wait::LATER, whole))
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what baresip said:\n{}", self.log());
        }
    }
}

/// The first of four ports that are free: SIP, SIP over TLS, control.
fn free_ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Another test process begins somewhere else.
    let start = u16::try_from(std::process::id() % 1500).expect("below 1500") * 4;
    (0..1500)
        // Below the ports that media has by default, and those the system gives to connections: one that asks too
        // early would else meet itself.
        .map(|_| 6000 + (start + NEXT.fetch_add(4, Ordering::Relaxed)) % 6000)
        .find(|first| {
            let streams = (0..3).all(|at| TcpListener::bind((HOST, first + at)).is_ok());
            streams && UdpSocket::bind((HOST, *first)).is_ok()
        })
        .expect("some ports are free")
}

/// The first whole netstring, and how many octets it takes.
fn netstring(bytes: &[u8]) -> Option<(String, usize)> {
    let colon = bytes.iter().position(|byte| *byte == b':')?;
    let length: usize = std::str::from_utf8(&bytes[..colon]).ok()?.parse().ok()?;
    let text = bytes.get(colon + 1..colon + 1 + length)?;
    Some((String::from_utf8_lossy(text).into_owned(), colon + length + 2))
}
