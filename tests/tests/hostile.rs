//! A set of messages that broke servers, each with the answer it must get here; and the tool that looks for servers to break.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};

use socket2::{Domain, Socket, Type};
use tests::config::{Config, LINE};
use tests::loopback::Loopback;
use tests::program::Bauta;
use tests::scene::{CLIENT, CODE, COURIER};
use tests::tool::{self, repository};
use tests::wait;

/// How often the set is sent while memory is looked at: what leaves no record, and all of it.
const ROUNDS: (usize, usize) = (40, 8);
/// Kilobytes that may be held more afterwards than before: without records nothing but what the allocator keeps; with them, of
/// which there are hundreds, what the store keeps of its disk.
const GROWTH: (u64, u64) = (1_000, 12_000);

/// What a message must get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    /// Nothing.
    Silence,
    /// This status, and the connection goes on.
    Status(u16),
    /// The connection is closed, after this status or without a word.
    Closed(Option<u16>),
    /// A stream that means something else by it: only that the program lives is asked.
    Anything,
}

impl Answer {
    fn read(word: &str) -> Self {
        let status = |word: &str| word.parse().unwrap_or_else(|fault| panic!("{word}: {fault}"));
        match word {
            "-" => Self::Silence,
            "?" => Self::Anything,
            "x" => Self::Closed(None),
            _ => word
                .strip_suffix('x')
                .map_or_else(|| Self::Status(status(word)), |word| Self::Closed(Some(status(word)))),
        }
    }
}

/// One message of the set.
struct Vector {
    name: String,
    octets: Vec<u8>,
    udp: Answer,
    tcp: Answer,
}

fn vectors() -> Vec<Vector> {
    let folder = repository().join("tests/vectors/hostile");
    let index = std::fs::read_to_string(folder.join("INDEX.tsv")).expect("the index");
    let vectors: Vec<Vector> = index
        .lines()
        .skip(1)
        .map(|line| {
            let [name, udp, tcp, _] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let octets = std::fs::read(folder.join(name)).unwrap_or_else(|fault| panic!("{name}: {fault}"));
            Vector { name: name.to_owned(), octets, udp: Answer::read(udp), tcp: Answer::read(tcp) }
        })
        .collect();
    assert!(vectors.len() >= 200, "{} messages", vectors.len());
    vectors
}

/// A question whose answer says that what was sent before has been dealt with.
fn ping(place: usize) -> String {
    format!(
        "OPTIONS sip:ping@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKping{place};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:p@h>;tag=p\r\nTo: <sip:ping@h>\r\nCall-ID: ping-{place}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
}

fn status(text: &str) -> Option<u16> {
    text.strip_prefix("SIP/2.0 ")?.split(' ').next()?.parse().ok()
}

/// Sends a message from this address and then the question; tells what came back before its answer.
fn by_udp(from: IpAddr, to: SocketAddr, octets: &[u8], place: usize) -> Answer {
    let socket = UdpSocket::bind((from, 0)).expect("a port");
    socket.set_read_timeout(Some(wait::SOON)).expect("a socket");
    socket.send_to(octets, to).expect("it can be sent");
    socket.send_to(ping(place).as_bytes(), to).expect("it can be sent");
    let (mut buffer, mut answer) = (vec![0; 65_535], Answer::Silence);
    loop {
        let (length, _) = socket.recv_from(&mut buffer).expect("the question is answered");
        let text = String::from_utf8_lossy(&buffer[..length]);
        let status = status(&text).unwrap_or_else(|| panic!("no answer: {text}"));
        if text.contains(&format!("Call-ID: ping-{place}\r\n")) {
            assert_eq!(status, 200, "{text}");
            return answer;
        }
        if status >= 200 {
            answer = Answer::Status(status);
        }
    }
}

/// The same over a connection, which may be closed.
fn by_tcp(from: IpAddr, to: SocketAddr, octets: &[u8], place: usize) -> Answer {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::new(from, 0).into()).expect("a port");
    socket.connect(&to.into()).expect("a connection");
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(wait::SOON)).expect("a socket");
    // Who is cut off in the middle of a word has been answered as well.
    let _ = stream.write_all(octets).and_then(|()| stream.write_all(ping(place).as_bytes()));
    let (mut heard, mut buffer) = (Vec::new(), [0; 4096]);
    let mut closed = false;
    while !closed && !String::from_utf8_lossy(&heard).contains(&format!("Call-ID: ping-{place}\r\n")) {
        match stream.read(&mut buffer) {
            Ok(0) => closed = true,
            Ok(length) => heard.extend_from_slice(&buffer[..length]),
            Err(fault) if fault.kind() == std::io::ErrorKind::ConnectionReset => closed = true,
            Err(fault) => panic!("neither answered nor closed: {fault}"),
        }
    }
    let heard = String::from_utf8_lossy(&heard).into_owned();
    let mut answers = heard.split_inclusive("\r\n\r\n").filter(|text| !text.contains("Call-ID: ping-"));
    let status = answers.find_map(|text| status(text).filter(|status| *status >= 200));
    match (closed, status) {
        (true, status) => Answer::Closed(status),
        (false, Some(status)) => Answer::Status(status),
        (false, None) => Answer::Silence,
    }
}

/// Timers run fast, so that what is over is forgotten soon.
fn program() -> (Loopback, Bauta) {
    let loopback = Loopback::claim();
    let config = Config::new(&loopback).set("sip.t1", "20ms").set("sip.t2", "80ms").set("sip.t4", "100ms");
    let config = config.set("sip.calls_per_second", 10_000).set("trace.calls", 10);
    let bauta = Bauta::start(&loopback, &config);
    bauta.put_order(CODE, COURIER, CLIENT, 3600);
    (loopback, bauta)
}

#[test]
fn each_message_of_the_set_gets_its_answer_from_a_trunk() {
    let (loopback, bauta) = program();
    let mut wrong = Vec::new();
    for (place, vector) in vectors().iter().enumerate() {
        let got = by_udp(loopback.carrier(), loopback.sip(), &vector.octets, place);
        if got != vector.udp {
            wrong.push(format!("{} by UDP: {got:?}, not {:?}", vector.name, vector.udp));
        }
        if vector.tcp == Answer::Anything {
            continue;
        }
        let other = again(&vector.octets, "stream");
        let got = by_tcp(loopback.carrier(), loopback.sip(), &other, 100_000 + place);
        if got != vector.tcp {
            wrong.push(format!("{} by TCP: {got:?}, not {:?}", vector.name, vector.tcp));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    bauta.assert_no_fault();
    assert!(bauta.records().iter().all(|record| record["answered_at"].is_null()), "a call was answered");
}

/// The same message as another call: another branch, another Call-ID.
fn again(octets: &[u8], name: &str) -> Vec<u8> {
    let octets = replaced(octets, b"z9hG4bKhostile", format!("z9hG4bK{name}x").as_bytes());
    replaced(&octets, b"Call-ID: hostile-", format!("Call-ID: {name}-").as_bytes())
}

fn replaced(octets: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    match octets.windows(from.len()).position(|part| part == from) {
        Some(at) => [&octets[..at], to, &octets[at + from.len()..]].concat(),
        None => octets.to_vec(),
    }
}

#[test]
fn a_stranger_gets_no_answer_to_any_of_them() {
    let (loopback, bauta) = program();
    let attacker = UdpSocket::bind((loopback.attacker(), 0)).expect("a port");
    attacker.set_nonblocking(true).expect("a socket");
    for (place, vector) in vectors().iter().enumerate() {
        attacker.send_to(&vector.octets, loopback.sip()).expect("it can be sent");
        if place % 20 == 0 {
            by_udp(loopback.carrier(), loopback.sip(), b"", place);
        }
    }
    by_udp(loopback.carrier(), loopback.sip(), b"", 200_000);
    let answer = attacker.recv_from(&mut [0; 2048]);
    assert!(answer.is_err(), "a stranger is answered");
    assert!(bauta.records().is_empty(), "a stranger makes no call");
    bauta.assert_no_fault();
}

fn kilobytes(bauta: &Bauta) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", bauta.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn the_set_again_and_again_leaves_the_program_alive_and_its_memory_flat() {
    let (loopback, bauta) = program();
    let vectors = vectors();
    let mut place = 0;
    let mut round = |with_calls: bool| {
        let chosen = |vector: &&Vector| with_calls || !vector.octets.starts_with(b"INVITE");
        for vector in vectors.iter().filter(chosen) {
            place += 1;
            let octets = again(&vector.octets, &format!("round{place}"));
            by_udp(loopback.carrier(), loopback.sip(), &octets, place);
        }
    };
    for (with_calls, rounds, growth) in [(false, ROUNDS.0, GROWTH.0), (true, ROUNDS.1, GROWTH.1)] {
        (0..2).for_each(|_| round(with_calls));
        let before = kilobytes(&bauta);
        (0..rounds).for_each(|_| round(with_calls));
        wait::until_true("flat memory", wait::LATER, || kilobytes(&bauta) < before + growth);
    }
    assert_a_call_is_taken(&bauta, &loopback);
    bauta.assert_no_fault();
}

fn assert_a_call_is_taken(bauta: &Bauta, loopback: &Loopback) {
    let peer = tests::peer::Peer::at("caller", loopback.carrier());
    let mut call = peer.dial(loopback.sip(), &tests::peer::call::Dial::new(COURIER, LINE));
    call.answered();
    call.hang_up();
    let answered = || bauta.records().iter().any(|record| !record["answered_at"].is_null());
    wait::until_true("the record of a call", wait::SOON, answered);
}

/// What a program of sipvicious (Debian package sipvicious) prints.
fn sipvicious(program: &str, arguments: &[&str]) -> String {
    let dir = tempfile::tempdir().expect("a directory can be made");
    let mut command = tool::command("timeout", "coreutils");
    drop(tool::command(program, "sipvicious"));
    let ran = command
        .arg("60")
        .arg(program)
        .args(arguments)
        .env("HOME", dir.path())
        .current_dir(dir.path())
        .output();
    let ran = ran.expect("it runs");
    String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr)
}

#[test]
fn sipvicious_finds_no_server_from_elsewhere_and_no_number_or_password_from_a_trunk() {
    let (loopback, bauta) = program();
    let server = loopback.server().to_string();
    let (attacker, carrier) = (loopback.attacker().to_string(), loopback.carrier().to_string());
    let found = |text: &str| text.contains(&format!("{server}:5060"));

    let scanned = sipvicious("svmap", &["-b", &attacker, &server]);
    assert!(!found(&scanned), "{scanned}");
    let scanned = sipvicious("svmap", &["-b", &carrier, &server]);
    assert!(found(&scanned), "the scan works where it is answered: {scanned}");

    for method in ["OPTIONS", "REGISTER", "INVITE"] {
        let numbers = sipvicious("svwar", &["-b", &carrier, "-m", method, "-e", "100-140", &server]);
        assert!(numbers.contains("found nothing"), "{method}: {numbers}");
    }
    let cracked = sipvicious("svcrack", &["-b", &carrier, "-u", "100", "-r", "1000-1040", &server]);
    assert!(cracked.contains("found nothing"), "{cracked}");
    assert_a_call_is_taken(&bauta, &loopback);
    bauta.assert_no_fault();
}

#[test]
fn the_set_says_where_each_of_its_messages_is_from() {
    let folder = repository().join("tests/vectors/hostile");
    let index = std::fs::read_to_string(folder.join("INDEX.tsv")).expect("the index");
    let listed: BTreeSet<&str> = index.lines().skip(1).filter_map(|line| line.split('\t').next()).collect();
    let there =
        std::fs::read_dir(&folder).expect("the set").map(|entry| entry.expect("an entry").file_name());
    let there: BTreeSet<String> =
        there.map(|name| name.to_string_lossy().into_owned()).filter(|name| name.ends_with(".dat")).collect();
    assert_eq!(there.iter().map(String::as_str).collect::<BTreeSet<_>>(), listed);
    assert!(index.lines().all(|line| line.split('\t').nth(3).is_some_and(|source| !source.is_empty())));
}
