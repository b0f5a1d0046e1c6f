//! A relay whose plain packets the kernel sends on, and one that takes frames from its card itself, between two network namespaces
//! joined by a pair of virtual cards. Needs root, the program `ip` and a kernel that takes programs; where they are missing there
//! is nothing to test, and it says so.

mod wire;

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use relay::{AtCards, Cards, Hook, Io, Relay, Settings};
use rtp::srtp::{Receiver as Unsealing, Sender as Sealing};
use rtp::{
    Codec, Command, Direction, Event, Format, Header, Law, Library, MasterKey, Media, OpusWishes, Packet,
    PlayId, Port, Prompt, PromptId, Remote, Report, SessionId, Srtp, Statistics, Suite, g711,
};

use wire::{Wire, untested, within};

const PATIENCE: Duration = Duration::from_secs(20);
const CALLER: SessionId = SessionId(1);
const CALLEE: SessionId = SessionId(2);
const EVENTS: u8 = 101;

/// What is agreed with a phone.
#[derive(Debug, Clone, Copy)]
struct Agreed {
    law: Law,
    srtp: Option<Srtp>,
}

const PLAIN: Agreed = Agreed { law: Law::A, srtp: None };

/// Most packets of a key: more than any test sends.
const LIFE: u64 = 1 << 31;

struct Phone {
    socket: UdpSocket,
    to: SocketAddr,
    header: Header,
    sealed: Option<(Sealing, Unsealing)>,
    heard: Vec<(Header, Vec<u8>)>,
}

impl Phone {
    fn say(&mut self, payload: &[u8]) {
        let packet = [&self.header.write()[..], payload].concat();
        let mut room = [0; 1_500];
        let packet = match &mut self.sealed {
            Some((sealing, _)) => sealing.protect(&packet, &mut room).expect("a new packet"),
            None => &packet,
        };
        self.socket.send_to(packet, self.to).expect("the card takes packets");
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.header.timestamp = self.header.timestamp.wrapping_add(160);
    }

    fn listen(&mut self) {
        let mut packet = [0; 1500];
        while let Ok((length, from)) = self.socket.recv_from(&mut packet) {
            assert_eq!(from, self.to, "from the port we send to");
            let length = match &mut self.sealed {
                Some((_, unsealing)) => unsealing.unprotect(&mut packet[..length]).expect("proved, and new"),
                None => length,
            };
            let Packet { header, payload } = Packet::parse(&packet[..length]).expect("RTP");
            assert_eq!(payload, 12..length, "nothing but a header of ours");
            self.heard.push((header, packet[payload].to_vec()));
        }
    }
}

/// Who has the packets of a call, past the system's sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// The kernel, which sends them on.
    Shortcuts,
    /// The relay, as frames.
    Lanes,
}

struct Stage {
    by: By,
    wire: Wire,
    relay: Relay,
    said: Receiver<Report>,
    phones: [Phone; 2],
}

fn format_of(law: Law) -> (Codec, u8) {
    match law {
        Law::A => (Codec::Pcma, 8),
        Law::Mu => (Codec::Pcmu, 0),
    }
}

fn media(rtp: SocketAddr, agreed: Agreed) -> Media {
    let codec = format_of(agreed.law);
    let format = Format {
        send: codec,
        receive: [Some(codec), None, None, None],
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
        srtp: agreed.srtp,
        xr: false,
    }
}

impl Stage {
    /// A plain call between two phones; `None` where the kernel cannot have it.
    fn new(by: By, ours: &str, phones: [&str; 2]) -> Option<Self> {
        Self::agreed(by, ours, phones, [PLAIN; 2])
    }

    /// The same, with that agreed with each.
    fn agreed(by: By, ours: &str, phones: [&str; 2], agreed: [Agreed; 2]) -> Option<Self> {
        let wire = match Wire::new() {
            Ok(wire) => wire,
            Err(error) => {
                return untested(&error.to_string());
            }
        };
        let ours: IpAddr = ours.parse().expect("an address");
        let reached_at = match ours {
            IpAddr::V4(ip) if ip.is_unspecified() => "10.7.0.1".parse().expect("an address"),
            IpAddr::V6(ip) if ip.is_unspecified() => "fd00:7::1".parse().expect("an address"),
            named @ (IpAddr::V4(_) | IpAddr::V6(_)) => named,
        };
        let at = |taker| (by == taker).then_some(AtCards { cards: Cards::OfAddresses, hook: Hook::Auto });
        let settings = Settings {
            workers: 1,
            io: Io::Auto,
            shortcuts: at(By::Shortcuts),
            lanes: at(By::Lanes),
            max_wait: None,
            recordings: recording::Settings::wav("/nowhere".into()),
            sessions: rtp::Settings {
                addresses: vec![ours],
                public: vec![reached_at],
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
        if !(relay.has_shortcuts() || relay.has_lanes()) {
            return untested("the kernel takes no programs here");
        }
        let mut number = 0;
        let phones = phones.map(|address| {
            let address: IpAddr = address.parse().expect("an address");
            let bind = || UdpSocket::bind((address, 0));
            let socket = within(Some(&wire.theirs), bind).expect("there is a free port");
            socket.set_nonblocking(true).expect("sockets can be made so");
            let port = Port { worker: 0, address: 0, number: usable[0][0][number as usize] };
            let agreed = agreed[number as usize];
            number += 1;
            let rtp = socket.local_addr().expect("it is bound");
            relay.send(0, Command::Open { session: SessionId(number), port, media: media(rtp, agreed) });
            let header = Header {
                marker: false,
                payload_type: format_of(agreed.law).1,
                sequence: 65_500,
                timestamp: u32::MAX - 20_000,
                ssrc: number,
            };
            // What we send with they receive with, and the other way round.
            let sealed = agreed.srtp.map(|srtp| {
                let sealing = Sealing::new(srtp.suite, &srtp.receive);
                (sealing, Unsealing::new(srtp.suite, &srtp.send, LIFE))
            });
            let to = SocketAddr::new(reached_at, port.number);
            Phone { socket, to, header, sealed, heard: Vec::new() }
        });
        relay.send(0, Command::Bridge { first: CALLER, second: CALLEE });
        let mut stage = Self { by, wire, relay, said, phones };
        // What is closed is answered, after all before it is done.
        stage.close(SessionId(99));
        Some(stage)
    }

    /// How many legs' packets go past the sockets.
    fn past(&self) -> u64 {
        let meter = self.relay.meter();
        match self.by {
            By::Shortcuts => meter.shortcuts(),
            By::Lanes => meter.lanes(),
        }
    }

    /// Datagrams that came to sockets of our side.
    fn at_sockets(&self) -> u64 {
        let read = || {
            ["snmp", "snmp6"]
                .map(|table| std::fs::read_to_string(format!("/proc/thread-self/net/{table}")))
                .into_iter()
                .collect()
        };
        let tables: Vec<String> = within(Some(&self.wire.ours), read).expect("the system counts");
        let v4 = tables[0].lines().filter_map(|line| line.strip_prefix("Udp: ")).nth(1);
        let v4 = v4.and_then(|line| line.split(' ').next()).map(str::to_owned);
        let v6 = tables[1].lines().find_map(|line| line.strip_prefix("Udp6InDatagrams")).map(str::to_owned);
        [v4, v6]
            .map(|number| number.expect("a line of datagrams").trim().parse::<u64>().expect("a number"))
            .iter()
            .sum()
    }

    /// Both talk at the pace of life until something holds, so many packets at least.
    fn talk(&mut self, least: usize, mut until: impl FnMut(&Self) -> bool) {
        let began = Instant::now();
        for packet in 1.. {
            for (octet, phone) in (1..).zip(&mut self.phones) {
                phone.say(&[octet; 160]);
            }
            while began.elapsed() < Duration::from_millis(20) * packet {
                self.phones.iter_mut().for_each(Phone::listen);
                std::thread::yield_now();
            }
            if packet as usize >= least && until(self) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "it does not come to hold");
        }
    }

    /// Until both sides go past the sockets.
    fn settle(&mut self) {
        self.talk(1, |stage| stage.past() == 2);
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

    /// How much each heard in the end, what was still under way included.
    fn heard_at_last(&mut self, sent: [u64; 2]) -> [u64; 2] {
        let began = Instant::now();
        loop {
            self.phones.iter_mut().for_each(Phone::listen);
            let heard = self.phones.each_ref().map(|phone| phone.heard.len() as u64);
            if heard == sent || began.elapsed() > PATIENCE {
                return heard;
            }
            std::thread::yield_now();
        }
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

fn a_call_goes_past_the_sockets(by: By, ours: &str, phones: [&str; 2]) {
    let Some(mut stage) = Stage::new(by, ours, phones) else { return };
    stage.settle();
    let before = stage.at_sockets();
    stage.talk(60, |_| true);
    assert_eq!(stage.past(), 2, "and stays there");
    assert_eq!(stage.at_sockets(), before, "past the sockets");

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
    stage.talk(20, |stage| stage.past() == 2);
    let keys = stage.phones[1].heard.iter().filter(|(header, _)| header.payload_type == EVENTS).count();
    assert!(keys >= 3, "{keys} packets of a key");

    // A prompt to one side goes on where the kernel was.
    stage.relay.send(
        0,
        Command::Play { session: CALLEE, play: PlayId(1), prompts: vec![PromptId(0).into()], repeat: false },
    );
    stage.relay.flush();
    stage.talk(20, |_| true);
    stage.report(|report| matches!(report, Report::Finished { .. }));
    stage.settle();
    stage.talk(5, |_| true);
    stage.assert_one_stream();

    let said = stage.phones.each_ref().map(|phone| u64::from(phone.header.sequence.wrapping_sub(65_500)));
    let [one, two] = [CALLER, CALLEE].map(|session| stage.close(session));
    let heard = stage.heard_at_last([one.packets_sent, two.packets_sent]);
    assert_eq!([one.packets_received, two.packets_received], said);
    assert_eq!([one.packets_sent, two.packets_sent], heard);
    assert_eq!((one.lost, two.lost, one.foreign), (0, 0, 0));
    assert!(one.jitter_ms < 20.0, "{}", one.jitter_ms);
    assert_eq!(stage.past(), 0);
}

#[test]
fn a_call_goes_by_the_kernel_and_comes_back_for_a_key_and_a_prompt() {
    a_call_goes_past_the_sockets(By::Shortcuts, "10.7.0.1", ["10.7.0.2", "10.7.0.3"]);
}

#[test]
fn so_does_a_call_by_ipv6() {
    a_call_goes_past_the_sockets(By::Shortcuts, "fd00:7::1", ["fd00:7::2", "fd00:7::3"]);
}

#[test]
fn a_call_goes_by_lanes_with_a_key_and_a_prompt() {
    a_call_goes_past_the_sockets(By::Lanes, "10.7.0.1", ["10.7.0.2", "10.7.0.3"]);
}

#[test]
fn so_does_a_call_by_ipv6_by_lanes() {
    a_call_goes_past_the_sockets(By::Lanes, "fd00:7::1", ["fd00:7::2", "fd00:7::3"]);
}

#[test]
fn so_does_one_where_sockets_are_bound_to_all_addresses() {
    a_call_goes_past_the_sockets(By::Lanes, "0.0.0.0", ["10.7.0.2", "10.7.0.3"]);
    a_call_goes_past_the_sockets(By::Lanes, "::", ["fd00:7::2", "fd00:7::3"]);
}

/// One side is encrypted and of another law: the worker does what it does with packets of sockets.
#[test]
fn an_encrypted_call_that_is_converted_goes_by_lanes() {
    for suite in Suite::ALL {
        let [send, receive] = [0x5a, 0xa5].map(|octet| MasterKey([octet; 44]));
        let srtp = Srtp { suite, send, receive, life: LIFE, rollovers: 0 };
        let agreed = [Agreed { law: Law::A, srtp: Some(srtp) }, Agreed { law: Law::Mu, srtp: None }];
        let ends = ["10.7.0.2", "10.7.0.3"];
        let Some(mut stage) = Stage::agreed(By::Lanes, "10.7.0.1", ends, agreed) else { return };
        stage.settle();
        let before = stage.at_sockets();
        stage.talk(30, |_| true);
        assert_eq!(
            (stage.past(), stage.at_sockets()),
            (2, before),
            "{suite:?}: past the sockets, and stays there"
        );
        stage.assert_one_stream();
        let said = stage.phones.each_ref().map(|phone| u64::from(phone.header.sequence.wrapping_sub(65_500)));
        let [one, two] = [CALLER, CALLEE].map(|session| stage.close(session));
        let heard = stage.heard_at_last([one.packets_sent, two.packets_sent]);
        assert_eq!([one.packets_received, two.packets_received], said, "{suite:?}");
        assert_eq!([one.packets_sent, two.packets_sent], heard, "{suite:?}");
        assert_eq!((one.lost, two.lost, one.foreign), (0, 0, 0));
        for (listener, said, [of, to]) in [(1, 1, [Law::A, Law::Mu]), (0, 2, [Law::Mu, Law::A])] {
            let octet = g711::encode(to, g711::decode(of, said));
            let voice =
                stage.phones[listener].heard.iter().skip(10).filter(|(_, payload)| !payload.is_empty());
            let (mut voice, format) = (voice.peekable(), format_of(to).1);
            assert!(voice.peek().is_some());
            for (header, payload) in voice {
                assert_eq!(header.payload_type, format);
                assert_eq!(payload, &[octet; 160], "{suite:?}");
            }
        }
    }
}

/// Who has not the key is not heard, whatever address they write from: their packets come by the lane, and go nowhere.
#[test]
fn a_packet_that_is_not_proved_goes_nowhere_by_lanes() {
    let [send, receive, other] = [0x5a, 0xa5, 0x11].map(|octet| MasterKey([octet; 44]));
    let srtp = Srtp { suite: Suite::AesCm128HmacSha1_80, send, receive, life: LIFE, rollovers: 0 };
    let agreed = [Agreed { law: Law::A, srtp: Some(srtp) }, PLAIN];
    let Some(mut stage) = Stage::agreed(By::Lanes, "10.7.0.1", ["10.7.0.2", "10.7.0.3"], agreed) else {
        return;
    };
    stage.settle();
    let (heard, forged) = (stage.phones[1].heard.len(), 50);
    let phone = &mut stage.phones[0];
    let (header, forger) = (phone.header, Sealing::new(srtp.suite, &other));
    let real = std::mem::replace(&mut phone.sealed.as_mut().expect("it is encrypted").0, forger);
    for _ in 0..forged {
        phone.say(&[0x99; 160]);
    }
    phone.header = header;
    phone.sealed.as_mut().expect("it is encrypted").0 = real;
    stage.talk(30, |_| true);
    assert_eq!(stage.past(), 2);
    let voice = &stage.phones[1].heard[heard..];
    assert!(voice.iter().all(|(_, payload)| payload[0] == 1), "only the caller");
    let said = u64::from(stage.phones[0].header.sequence.wrapping_sub(65_500));
    let statistics = stage.close(CALLER);
    assert_eq!((statistics.packets_received, statistics.lost), (said, 0), "nothing of them is counted");
}

fn a_stranger(by: By) {
    let Some(mut stage) = Stage::new(by, "10.7.0.1", ["10.7.0.2", "10.7.0.3"]) else { return };
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
    assert_eq!(stage.past(), 2);
    assert!(stage.phones[1].heard.iter().all(|(_, payload)| payload[0] == 1), "only the caller");
    assert!(stranger.recv(&mut [0; 9]).is_err(), "it is not answered");
    assert_eq!(stage.close(CALLER).foreign, 100);
}

#[test]
fn a_stranger_is_neither_passed_on_nor_takes_the_call_from_the_kernel() {
    a_stranger(By::Shortcuts);
}

#[test]
fn a_stranger_is_not_heard_beside_a_lane() {
    a_stranger(By::Lanes);
}

fn a_closed_call(by: By) {
    let Some(mut stage) = Stage::new(by, "10.7.0.1", ["10.7.0.2", "10.7.0.3"]) else { return };
    stage.settle();
    stage.close(CALLEE);
    stage.phones.iter_mut().for_each(Phone::listen);
    let heard = stage.phones.each_ref().map(|phone| phone.heard.len());
    stage.talk(10, |_| true);
    assert_eq!(stage.phones.each_ref().map(|phone| phone.heard.len()), heard);
    // The other side's packets still come by its lane, and go nowhere.
    assert_eq!(stage.past(), u64::from(by == By::Lanes));
    stage.close(CALLER);
    assert_eq!(stage.past(), 0);
}

#[test]
fn a_call_that_is_closed_is_passed_on_no_more() {
    a_closed_call(By::Shortcuts);
}

#[test]
fn nor_is_one_that_had_lanes() {
    a_closed_call(By::Lanes);
}

#[test]
fn a_call_whose_way_changes_goes_by_sockets_until_the_new_one_is_known() {
    let Some(mut stage) = Stage::new(By::Lanes, "10.7.0.1", ["10.7.0.2", "10.7.0.3"]) else { return };
    stage.settle();
    // Another card behind the same addresses: what is sent to the old one is taken by nobody.
    stage
        .wire
        .ip(&stage.wire.theirs, "link set phones address 02:00:00:00:00:77")
        .expect("cards take addresses");
    stage.wire.ip(&stage.wire.ours, "neighbour flush dev card").expect("neighbours can be forgotten");
    stage.talk(1, |stage| stage.past() == 0);
    stage.settle();
    let heard = stage.phones.each_ref().map(|phone| phone.heard.len());
    stage.talk(20, |_| true);
    for (phone, before) in stage.phones.iter().zip(heard) {
        assert!(phone.heard.len() >= before + 18, "{} packets", phone.heard.len() - before);
    }
}
