//! Voice that goes one way for a while has a socket of its own beside the bound one, which nobody notices.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use rtp::{Codec, Command, Direction, Format, Law, Library, Media, OpusWishes, Remote, SessionId};

use crate::loopback::on_loopback;
use crate::phone::{LOUD, Phone, talk};
use crate::stage::Stage;

/// Packets after which both ways have their sockets, and some more.
const STEADY: u32 = 70;

/// Where the sockets on a port of ours are connected to.
fn connected(port: u16) -> Vec<u16> {
    let table =
        std::fs::read_to_string("/proc/thread-self/net/udp").expect("the system has a table of sockets");
    let number = |field: &str| u16::from_str_radix(field.split_once(':')?.1, 16).ok();
    let ends = table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        Some((number(fields.next()?)?, number(fields.next()?)?))
    });
    ends.filter(|(ours, theirs)| *ours == port && *theirs != 0).map(|(_, theirs)| theirs).collect()
}

/// Waits until the sockets on a port are connected to there: a worker on a busy machine reads late what has come.
fn await_connected(stage: &mut Stage, port: u16, to: &[u16]) {
    let start = Instant::now();
    while connected(port) != to {
        assert!(start.elapsed() < Duration::from_secs(20), "{:?} and not {to:?}", connected(port));
        stage.settle();
    }
}

fn bridged(stage: &mut Stage) -> [Phone; 2] {
    let phones = [(1, 440.0), (2, 1_000.0)].map(|(session, hertz)| {
        let (port, to) = stage.port(0, session as usize - 1);
        let phone = Phone::new("127.0.0.1", to, Law::Mu, hertz);
        stage.open(session, port, &phone, Law::Mu);
        phone
    });
    stage.give(Command::Bridge { first: SessionId(1), second: SessionId(2) });
    phones
}

fn media(rtp: SocketAddr) -> Media {
    let format = Format {
        send: (Codec::Pcmu, 0),
        receive: [Some((Codec::Pcmu, 0)), None, None, None],
        also: [None; 3],
        event_send: None,
        event_receive: None,
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

#[test]
fn strangers_are_counted_and_not_heard_beside_a_tie() {
    let mut stage = on_loopback(Library::default());
    let [mut one, mut two] = bridged(&mut stage);
    let (port, to) = stage.port(0, 0);
    talk(&mut [&mut one, &mut two], STEADY, |_, _| true);
    await_connected(&mut stage, port.number, &[one.address().port()]);
    let mut stranger = Phone::new("127.0.0.66", to, Law::Mu, 1_700.0);
    talk(&mut [&mut stranger, &mut one, &mut two], 30, |_, _| true);
    assert!((two.hears(440.0) - LOUD).abs() < 0.02, "{}", two.hears(440.0));
    assert!(two.hears(1_700.0) < 0.005, "{}", two.hears(1_700.0));
    assert!(stranger.heard.is_empty());
    let statistics = stage.close(1);
    assert_eq!((statistics.packets_received, statistics.foreign), (u64::from(STEADY) + 30, 30));
    // A ring lets go of it only as the worker waits for what comes next.
    await_connected(&mut stage, port.number, &[]);
}

#[test]
fn a_stream_that_moves_is_followed_and_its_tie_with_it() {
    let mut stage = on_loopback(Library::default());
    let [mut one, mut two] = bridged(&mut stage);
    let (port, to) = stage.port(0, 0);
    talk(&mut [&mut one, &mut two], STEADY, |_, _| true);
    await_connected(&mut stage, port.number, &[one.address().port()]);
    let mut moved = Phone::new("127.0.0.1", to, Law::Mu, 700.0);
    stage.give(Command::Update { session: SessionId(1), media: media(moved.address()) });
    stage.settle();
    talk(&mut [&mut moved, &mut two], STEADY, |_, _| true);
    await_connected(&mut stage, port.number, &[moved.address().port()]);
    assert!((moved.hears(1_000.0) - LOUD).abs() < 0.02, "{}", moved.hears(1_000.0));
    talk(&mut [&mut one, &mut two], 3, |_, _| true);
    let statistics = stage.close(1);
    assert_eq!((statistics.packets_received, statistics.foreign), (2 * u64::from(STEADY), 3));
}

#[test]
fn a_phone_that_comes_back_where_it_was_is_heard_and_hears() {
    let mut stage = on_loopback(Library::default());
    let [mut one, mut two] = bridged(&mut stage);
    let (port, _) = stage.port(0, 0);
    talk(&mut [&mut one, &mut two], STEADY, |_, _| true);
    await_connected(&mut stage, port.number, &[one.address().port()]);
    // What is sent meanwhile is refused (ICMP), which a connected socket is told.
    let address = one.address();
    let elsewhere = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
    drop(std::mem::replace(&mut one.socket, elsewhere));
    talk(&mut [&mut two], 5, |_, _| true);
    one.socket = UdpSocket::bind(address).expect("nobody else took its port");
    one.socket.set_read_timeout(Some(Duration::from_millis(1))).expect("a socket takes a timeout");
    one.heard.clear();
    let before = two.heard.len();
    talk(&mut [&mut one, &mut two], 20, |_, _| true);
    assert!(one.heard.len() >= 18 * 160, "{} samples", one.heard.len());
    assert!(two.heard.len() - before >= 18 * 160, "{} samples", two.heard.len() - before);
    assert_eq!(stage.close(1).packets_received, u64::from(STEADY) + 20);
}

#[test]
fn a_relay_that_ends_leaves_its_ports_free() {
    let mut stage = on_loopback(Library::default());
    let [mut one, mut two] = bridged(&mut stage);
    let ports = [0, 1].map(|place| stage.port(0, place).1);
    talk(&mut [&mut one, &mut two], STEADY, |_, _| true);
    for (port, phone) in ports.iter().zip([&one, &two]) {
        await_connected(&mut stage, port.port(), &[phone.address().port()]);
    }
    assert!(ports.iter().all(|port| UdpSocket::bind(port).is_err()), "nobody may bind beside them");
    drop(stage);
    for port in ports {
        UdpSocket::bind(port).expect("the port is free");
    }
}
