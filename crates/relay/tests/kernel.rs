//! A relay whose plain packets the kernel sends on, between two network namespaces joined by a pair of virtual cards. Needs
//! root, the program `ip` and a kernel that takes programs; where they are missing there is nothing to test, and it says so.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::process::{Command as Program, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use relay::{AtCards, Cards, Hook, Io, Relay, Settings};
use rtp::{
    Codec, Command, Direction, Event, Format, Header, Library, Media, OpusWishes, Packet, PlayId, Port,
    Prompt, PromptId, Remote, Report, SessionId, Statistics,
};

const PATIENCE: Duration = Duration::from_secs(20);
const CALLER: SessionId = SessionId(1);
const CALLEE: SessionId = SessionId(2);
const EVENTS: u8 = 101;

/// Does something in a network namespace of its own, or in one that is held.
fn within<T: Send>(namespace: Option<&File>, what: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    let enter = || {
        // SAFETY: both calls take numbers; only this thread is put elsewhere, and it ends.
        let result = match namespace {
            Some(namespace) => unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) },
            None => unsafe { libc::unshare(libc::CLONE_NEWNET) },
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    std::thread::scope(|scope| scope.spawn(|| enter().and_then(|()| what())).join().expect("no panic"))
}

/// Two namespaces: ours, and that of the phones.
struct Wire {
    ours: File,
    theirs: File,
}

impl Wire {
    fn new() -> io::Result<Self> {
        let new = || within(None, || File::open("/proc/thread-self/ns/net"));
        let wire = Self { ours: new()?, theirs: new()? };
        let theirs = format!("/proc/{}/fd/{}", std::process::id(), wire.theirs.as_raw_fd());
        wire.ip(&wire.ours, &format!("link add card type veth peer name phones netns {theirs}"))?;
        for (side, card, ends) in [
            (&wire.ours, "card", ["10.7.0.1/24", "fd00:7::1/64"].as_slice()),
            (
                &wire.theirs,
                "phones",
                &["10.7.0.2/24", "10.7.0.3/24", "10.7.0.66/24", "fd00:7::2/64", "fd00:7::3/64"],
            ),
        ] {
            for end in ends {
                // Addresses of IPv6 are at once what they will be.
                let nodad = if end.contains(':') { " nodad" } else { "" };
                wire.ip(side, &format!("address add {end} dev {card}{nodad}"))?;
            }
            wire.ip(side, &format!("link set {card} up"))?;
        }
        Ok(wire)
    }

    fn ip(&self, side: &File, line: &str) -> io::Result<()> {
        let output =
            within(Some(side), || Program::new("ip").args(line.split(' ')).stdin(Stdio::null()).output())?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() { Ok(()) } else { Err(io::Error::other(format!("ip {line}: {said}"))) }
    }
}

fn untested<T>(why: &str) -> Option<T> {
    // Where stderr is closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "not tested: {why}");
    None
}

struct Phone {
    socket: UdpSocket,
    to: SocketAddr,
    header: Header,
    heard: Vec<(Header, Vec<u8>)>,
}

impl Phone {
    fn say(&mut self, payload: &[u8]) {
        let packet = [&self.header.write()[..], payload].concat();
        self.socket.send_to(&packet, self.to).expect("the card takes packets");
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.header.timestamp = self.header.timestamp.wrapping_add(160);
    }

    fn listen(&mut self) {
        let mut packet = [0; 1500];
        while let Ok((length, from)) = self.socket.recv_from(&mut packet) {
            assert_eq!(from, self.to, "from the port we send to");
            let Packet { header, payload } = Packet::parse(&packet[..length]).expect("RTP");
            assert_eq!(payload, 12..length, "nothing but a header of ours");
            self.heard.push((header, packet[payload].to_vec()));
        }
    }
}

struct Stage {
    wire: Wire,
    relay: Relay,
    said: Receiver<Report>,
    phones: [Phone; 2],
}

fn media(rtp: SocketAddr) -> Media {
    let format = Format {
        send: (Codec::Pcma, 8),
        receive: [Some((Codec::Pcma, 8)), None, None, None],
        also: [None; 3],
        event_send: Some(EVENTS),
        event_receive: Some(EVENTS),
        ptime: 20,
        longest: None,
        noise: false,
        opus: OpusWishes::default(),
    };
    let rtcp = SocketAddr::new(rtp.ip(), rtp.port() ^ 1);
    Media {
        remote: Some(Remote { rtp, rtcp }),
        format,
        direction: Direction::SendReceive,
        srtp: None,
        xr: false,
    }
}

impl Stage {
    /// A call between two phones; `None` where the kernel cannot have it.
    fn new(ours: &str, phones: [&str; 2]) -> Option<Self> {
        let wire = match Wire::new() {
            Ok(wire) => wire,
            Err(error) => {
                return untested(&error.to_string());
            }
        };
        let ours: IpAddr = ours.parse().expect("an address");
        let settings = Settings {
            workers: 1,
            io: Io::Auto,
            shortcuts: Some(AtCards { cards: Cards::OfAddresses, hook: Hook::Auto }),
            lanes: None,
            recordings: recording::Settings::wav("/nowhere".into()),
            sessions: rtp::Settings {
                addresses: vec![ours],
                public: Vec::new(),
                ports: 20_000..=20_009,
                others: BTreeSet::new(),
                silence: Duration::from_secs(30),
                rtcp_interval: Duration::from_secs(5),
                inband: true,
            },
        };
        let (reports, said) = channel();
        let library = Arc::new(Library::new(vec![Some(Prompt::new(&[1000; 1600]))]));
        let started = within(Some(&wire.ours), || {
            Relay::start(settings, &library, move |report| drop(reports.send(report)))
                .map_err(io::Error::other)
        });
        let (mut relay, usable) = started.expect("the relay starts");
        if !relay.has_shortcuts() {
            return untested("the kernel takes no programs here");
        }
        let mut number = 0;
        let phones = phones.map(|address| {
            let address: IpAddr = address.parse().expect("an address");
            let bind = || UdpSocket::bind((address, 0));
            let socket = within(Some(&wire.theirs), bind).expect("there is a free port");
            socket.set_nonblocking(true).expect("sockets can be made so");
            let port = Port { worker: 0, address: 0, number: usable[0][0][number as usize] };
            number += 1;
            let rtp = socket.local_addr().expect("it is bound");
            relay.send(0, Command::Open { session: SessionId(number), port, media: media(rtp) });
            let header = Header {
                marker: false,
                payload_type: 8,
                sequence: 65_500,
                timestamp: u32::MAX - 20_000,
                ssrc: number,
            };
            Phone { socket, to: SocketAddr::new(ours, port.number), header, heard: Vec::new() }
        });
        relay.send(0, Command::Bridge { first: CALLER, second: CALLEE });
        let mut stage = Self { wire, relay, said, phones };
        // What is closed is answered, after all before it is done.
        stage.close(SessionId(99));
        Some(stage)
    }

    /// Both talk at the pace of life until something holds, so many packets at least.
    fn talk(&mut self, least: usize, mut until: impl FnMut(&Relay) -> bool) {
        let began = Instant::now();
        for packet in 1.. {
            for (octet, phone) in (1..).zip(&mut self.phones) {
                phone.say(&[octet; 160]);
            }
            while began.elapsed() < Duration::from_millis(20) * packet {
                self.phones.iter_mut().for_each(Phone::listen);
                std::thread::yield_now();
            }
            if packet as usize >= least && until(&self.relay) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "it does not come to hold");
        }
    }

    /// Until the kernel has both sides of it.
    fn settle(&mut self) {
        self.talk(1, |relay| relay.meter().shortcuts() == 2);
    }

    fn report(&self, wanted: impl Fn(&Report) -> bool) -> Report {
        loop {
            let report = self.said.recv_timeout(PATIENCE).expect("the report comes in time");
            if wanted(&report) {
                return report;
            }
        }
    }

    fn close(&mut self, session: SessionId) -> Statistics {
        self.relay.send(0, Command::Close { session });
        self.relay.flush();
        let is =
            |report: &Report| matches!(report, Report::Closed { session: closed, .. } if *closed == session);
        let Report::Closed { statistics, .. } = self.report(is) else { unreachable!("asked for") };
        statistics
    }

    /// That each heard one stream without a gap, of the other's voice.
    fn assert_one_stream(&self) {
        for phone in &self.phones {
            for pair in phone.heard.windows(2) {
                let [(one, _), (next, _)] = pair else { unreachable!("two") };
                assert_eq!(next.ssrc, one.ssrc);
                assert_eq!(next.sequence, one.sequence.wrapping_add(1));
                assert!(next.timestamp.wrapping_sub(one.timestamp).cast_signed() >= 0);
            }
        }
    }
}

fn a_call_goes_by_the_kernel(ours: &str, phones: [&str; 2]) {
    let Some(mut stage) = Stage::new(ours, phones) else { return };
    stage.settle();
    stage.talk(60, |_| true);
    assert_eq!(stage.relay.meter().shortcuts(), 2, "and stays there");

    // A key: to us, and to the other phone in our words.
    for n in 1..=6_u16 {
        let event = Event { code: 5, end: n > 3, volume: 10, duration: 160 * n.min(4) };
        stage.phones[0].header.payload_type = EVENTS;
        stage.phones[0].header.timestamp =
            stage.phones[0].header.timestamp.wrapping_sub(if n == 1 { 0 } else { 160 });
        stage.phones[0].say(&event.write());
    }
    stage.phones[0].header.payload_type = 8;
    let pressed = stage.report(|report| matches!(report, Report::Digit { .. }));
    assert_eq!(pressed, Report::Digit { session: CALLER, digit: '5' });
    stage.settle();
    let keys = stage.phones[1].heard.iter().filter(|(header, _)| header.payload_type == EVENTS).count();
    assert!(keys >= 3, "{keys} packets of a key");

    // A prompt to one side goes on where the kernel was.
    stage.relay.send(
        0,
        Command::Play { session: CALLEE, play: PlayId(1), prompts: vec![PromptId(0)], repeat: false },
    );
    stage.relay.flush();
    stage.talk(20, |_| true);
    stage.report(|report| matches!(report, Report::Finished { .. }));
    stage.settle();
    stage.talk(5, |_| true);
    stage.assert_one_stream();

    let said = stage.phones.each_ref().map(|phone| u64::from(phone.header.sequence.wrapping_sub(65_500)));
    let heard = stage.phones.each_ref().map(|phone| phone.heard.len() as u64);
    let [one, two] = [CALLER, CALLEE].map(|session| stage.close(session));
    assert_eq!([one.packets_received, two.packets_received], said);
    assert_eq!([one.packets_sent, two.packets_sent], heard);
    assert_eq!((one.lost, two.lost, one.foreign), (0, 0, 0));
    assert!(one.jitter_ms < 20.0, "{}", one.jitter_ms);
    assert_eq!(stage.relay.meter().shortcuts(), 0);
}

#[test]
fn a_call_goes_by_the_kernel_and_comes_back_for_a_key_and_a_prompt() {
    a_call_goes_by_the_kernel("10.7.0.1", ["10.7.0.2", "10.7.0.3"]);
}

#[test]
fn so_does_a_call_by_ipv6() {
    a_call_goes_by_the_kernel("fd00:7::1", ["fd00:7::2", "fd00:7::3"]);
}

#[test]
fn a_stranger_is_neither_passed_on_nor_takes_the_call_from_the_kernel() {
    let Some(mut stage) = Stage::new("10.7.0.1", ["10.7.0.2", "10.7.0.3"]) else { return };
    stage.settle();
    let bind = || UdpSocket::bind("10.7.0.66:0");
    let stranger = within(Some(&stage.wire.theirs), bind).expect("there is a free port");
    stranger.set_nonblocking(true).expect("sockets can be made so");
    for n in 0..100_u16 {
        let header =
            Header { sequence: stage.phones[0].header.sequence.wrapping_add(n), ..stage.phones[0].header };
        let packet = [&header.write()[..], &[0x99; 160]].concat();
        stranger.send_to(&packet, stage.phones[0].to).expect("the card takes packets");
    }
    stage.talk(30, |_| true);
    assert_eq!(stage.relay.meter().shortcuts(), 2);
    assert!(stage.phones[1].heard.iter().all(|(_, payload)| payload[0] == 1), "only the caller");
    assert!(stranger.recv(&mut [0; 9]).is_err(), "it is not answered");
    assert_eq!(stage.close(CALLER).foreign, 100);
}

#[test]
fn a_call_that_is_closed_is_passed_on_no_more() {
    let Some(mut stage) = Stage::new("10.7.0.1", ["10.7.0.2", "10.7.0.3"]) else { return };
    stage.settle();
    stage.close(CALLEE);
    stage.phones.iter_mut().for_each(Phone::listen);
    let heard = stage.phones.each_ref().map(|phone| phone.heard.len());
    stage.talk(10, |_| true);
    assert_eq!(stage.phones.each_ref().map(|phone| phone.heard.len()), heard);
    assert_eq!(stage.relay.meter().shortcuts(), 0);
}
