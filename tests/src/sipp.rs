//! sipp as a carrier (Debian package sip-tester). It writes SIP as its scenario says and checks what comes back.

use std::net::{IpAddr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;

use crate::g711::Law;
use crate::loopback::SIP_PORT;
use crate::tool::{self, Running};

/// The file of keys as tones.
const TONES: &str = "keys.alaw";

/// A running sipp.
#[derive(Debug)]
pub struct Sipp {
    running: Running,
    dir: tempfile::TempDir,
}

/// How sipp is to send keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// By `play_dtmf`: payload type 96, twenty packets of payload type 97 first, timestamps of events overlapping.
    Played,
    /// From its recorded packets: another SSRC, one sequence number for all three ends, sequence and timestamp
    /// jumping back from one key to the next, durations counted at 16 kHz. Payload type 101.
    Recorded,
    /// As tones in the voice, with no telephone events in the offer.
    Tones,
}

impl Keys {
    /// The payload type of its telephone events.
    fn events(self) -> Option<u8> {
        match self {
            Self::Played => Some(96),
            Self::Recorded => Some(101),
            Self::Tones => None,
        }
    }
}

impl Sipp {
    /// Calls `service` at `server` from this address: waits, keys a code, talks a tone, hangs up. One call a process,
    /// because `play_dtmf` sends the keys of all calls from the port of the first.
    #[must_use]
    pub fn call(at: SocketAddr, server: SocketAddr, service: &str, call: &Caller) -> Self {
        Self::prove(at, server, service, call, &[])
    }

    /// The same, with more header lines.
    #[must_use]
    pub fn prove(at: SocketAddr, server: SocketAddr, service: &str, call: &Caller, more: &[String]) -> Self {
        let keys = match call.keys {
            Keys::Played => format!(
                "<nop><action><exec play_dtmf=\"{}\"/></action></nop><pause milliseconds=\"{}\"/>",
                call.code,
                400 * call.code.len() + 500
            ),
            Keys::Recorded => call.code.chars().map(recorded).collect(),
            Keys::Tones => format!(
                "<nop><action><exec rtp_stream=\"resume\"/></action></nop>\
                 <nop><action><exec rtp_stream=\"{TONES},1,8,PCMA/8000\"/></action></nop>\
                 <pause milliseconds=\"{}\"/>\
                 <nop><action><exec rtp_stream=\"@VOICE@,-1,8,PCMA/8000\"/></action></nop>",
                200 * call.code.len()
            ),
        };
        let (event_type, events) = call.keys.events().map_or(<(String, String)>::default(), |event_type| {
            let lines =
                format!("\n      a=rtpmap:{event_type} telephone-event/8000\n      a=fmtp:{event_type} 0-15");
            (format!(" {event_type}"), lines)
        });
        let patience = call.patience.as_millis().to_string();
        let talk = call.talk.as_millis().to_string();
        let replace = [
            ("@FROM@", call.from),
            ("@KEYS@", &keys),
            ("@PATIENCE@", &patience),
            ("@TALK@", &talk),
            ("@MORE@", &indented(more)),
            ("@EVENT_TYPE@", &event_type),
            ("@EVENTS@", &events),
        ];
        let options = ["-s".to_owned(), service.to_owned(), server.to_string()];
        let tones = Law::A.encode_all(&crate::tone::keys(call.code));
        Self::start("carrier_calls.xml", at, call.hertz, 1, &replace, &[(TONES, &tones)], &options)
    }

    /// Calls `service` at `server` with these header lines, and is refused with this status.
    #[must_use]
    pub fn be_refused(
        at: SocketAddr,
        server: SocketAddr,
        service: &str,
        from: &str,
        more: &[String],
        status: u16,
    ) -> Self {
        let options = ["-s".to_owned(), service.to_owned(), server.to_string()];
        let (more, status) = (indented(more), status.to_string());
        let replace = [("@FROM@", from), ("@MORE@", &*more), ("@STATUS@", &*status)];
        Self::start("carrier_is_refused.xml", at, 440.0, 1, &replace, &[], &options)
    }

    /// Waits for `count` calls at port 5060 of `at`, rings, answers each and talks a tone.
    #[must_use]
    pub fn be_called(at: IpAddr, hertz: f64, ring: Duration, count: u32) -> Self {
        let ring = ring.as_millis().to_string();
        Self::start(
            "carrier_is_called.xml",
            SocketAddr::new(at, SIP_PORT),
            hertz,
            count,
            &[("@RING@", &ring)],
            &[],
            &[],
        )
    }

    /// Calls `service` at `server` with session timers, which it refreshes, and hangs up.
    #[must_use]
    pub fn refresh(at: SocketAddr, server: SocketAddr, service: &str, from: &str) -> Self {
        let options = ["-s".to_owned(), service.to_owned(), server.to_string()];
        Self::start("carrier_refreshes.xml", at, 440.0, 1, &[("@FROM@", from)], &[], &options)
    }

    /// Waits for a call at port 5060 of `at`, asks for a longer session, answers and talks a tone.
    #[must_use]
    pub fn want_longer_sessions(at: IpAddr, hertz: f64) -> Self {
        let at = SocketAddr::new(at, SIP_PORT);
        Self::start("carrier_wants_longer_sessions.xml", at, hertz, 1, &[], &[], &[])
    }

    /// Goes through another scenario of `interop/sipp` as whoever calls `service` at `server`, with more options of its own.
    #[must_use]
    pub fn caller(scenario: &str, at: SocketAddr, server: SocketAddr, from: &str, more: &[&str]) -> Self {
        let service = crate::config::LINE.to_owned();
        let mut options = vec!["-s".to_owned(), service, server.to_string()];
        options.extend(more.iter().map(|option| (*option).to_owned()));
        Self::start(scenario, at, 440.0, 1, &[("@FROM@", from)], &[], &options)
    }

    /// Goes through another scenario of `interop/sipp` as whoever is called at port 5060 of `at`.
    #[must_use]
    pub fn callee(scenario: &str, at: IpAddr) -> Self {
        Self::start(scenario, SocketAddr::new(at, SIP_PORT), 1000.0, 1, &[], &[], &[])
    }

    fn start(
        scenario: &str,
        at: SocketAddr,
        hertz: f64,
        count: u32,
        replace: &[(&str, &str)],
        files: &[(&str, &[u8])],
        options: &[String],
    ) -> Self {
        let dir = tempfile::tempdir().expect("a directory can be made");
        let voice = dir.path().join("voice.alaw");
        std::fs::write(&voice, Law::A.encode_all(&crate::tone::sine(hertz, 10.0)))
            .expect("the disk has room");
        let mut text = std::fs::read_to_string(tool::interop("sipp").join(scenario)).expect("a scenario");
        for (place, value) in replace {
            text = text.replace(place, value);
        }
        text = text.replace("@VOICE@", &voice.to_string_lossy());
        for (name, octets) in files {
            std::fs::write(dir.path().join(name), octets).expect("the disk has room");
        }
        std::fs::write(dir.path().join("scenario.xml"), text).expect("the disk has room");
        let mut command = tool::command("sipp", "sip-tester");
        command
            .args(["-sf", "scenario.xml", "-nostdin", "-timeout", "90s", "-timeout_error"])
            .args(["-trace_err", "-error_file", "errors", "-trace_msg", "-message_file", "messages"])
            .args(["-i", &at.ip().to_string(), "-mi", &at.ip().to_string(), "-p", &at.port().to_string()])
            // Far enough apart for as many calls as a test makes.
            .args(["-mp", &(16_000 + (at.port() - SIP_PORT) * 100).to_string()])
            .args(["-m", &count.to_string(), "-l", &count.to_string(), "-r", &count.to_string()])
            .args(options)
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self { running: Running::start(command), dir }
    }

    /// Every message that came and went so far, as it notes them.
    #[must_use]
    pub fn messages(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("messages")).unwrap_or_default()
    }

    /// Waits until all its calls are over.
    ///
    /// # Panics
    /// If one of them did not go as the scenario says.
    pub fn succeed(mut self) {
        let status = self.running.wait(Duration::from_secs(100));
        let read = |name: &str| std::fs::read_to_string(self.dir.path().join(name)).unwrap_or_default();
        assert!(status.success(), "sipp: {status}\n{}\n{}", read("errors"), read("messages"));
    }
}

/// Header lines as they stand in a scenario.
fn indented(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n      {line}")).collect()
}

/// A caller of sipp's.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// Number, in digits.
    pub from: &'a str,
    /// What is keyed.
    pub code: &'a str,
    /// How.
    pub keys: Keys,
    /// From the answer to the first key.
    pub patience: Duration,
    /// From the last key to the hang-up.
    pub talk: Duration,
    /// The voice.
    pub hertz: f64,
}

/// The action that sends a recorded key, and the pause it takes.
fn recorded(key: char) -> String {
    let name = match key {
        '*' => "star".to_owned(),
        '#' => "pound".to_owned(),
        digit => digit.to_string(),
    };
    format!(
        "<nop><action><exec play_pcap_audio=\"/usr/share/sip-tester/dtmf_2833_{name}.pcap\"/></action></nop>\
         <pause milliseconds=\"700\"/>"
    )
}
