//! Streams, cut at every octet.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use sip::{Frame, Framer, FramingError, Message, limits, parse};

const OPTIONS: &[u8] =
    b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP c;branch=z9hG4bK1\r\nFrom: <sip:c@d>;tag=1\r\n\
To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length:\r\n  4\r\n\r\n\r\n\r\n";

fn frames(framer: &mut Framer) -> Vec<Result<Frame, FramingError>> {
    std::iter::from_fn(|| framer.next_frame()).collect()
}

fn pushed_whole(stream: &[u8]) -> Vec<Result<Frame, FramingError>> {
    let mut framer = Framer::new();
    framer.push(stream);
    frames(&mut framer)
}

fn message(octets: &[u8]) -> Result<Frame, FramingError> {
    Ok(Frame::Message(octets.to_vec().into()))
}

/// Messages, pings, a pong, and line ends that are a body.
fn stream() -> (Vec<u8>, Vec<Result<Frame, FramingError>>) {
    let compact = b"SIP/2.0 200 OK\r\nL \t: 3\r\n\r\nabc";
    let parts = [OPTIONS, b"\r\n\r\n", b"\r\n", OPTIONS, compact, b"\r\n\r\n\r\n\r\n", compact];
    let expected = vec![
        message(OPTIONS),
        Ok(Frame::Ping),
        message(OPTIONS),
        message(compact),
        Ok(Frame::Ping),
        Ok(Frame::Ping),
        message(compact),
    ];
    (parts.concat(), expected)
}

#[test]
fn a_stream_is_cut_alike_wherever_it_is_split() {
    let (stream, expected) = stream();
    assert_eq!(pushed_whole(&stream), expected);
    for split in 1..stream.len() {
        let mut framer = Framer::new();
        let mut found = Vec::new();
        for part in [&stream[..split], &stream[split..]] {
            framer.push(part);
            found.extend(frames(&mut framer));
        }
        assert_eq!(found, expected, "split at {split}");
    }
    for size in 1..20 {
        let mut framer = Framer::new();
        let found: Vec<_> = stream
            .chunks(size)
            .flat_map(|part| {
                framer.push(part);
                frames(&mut framer)
            })
            .collect();
        assert_eq!(found, expected, "in parts of {size}");
        assert!(!framer.is_unfinished());
    }
}

#[test]
fn what_is_cut_out_can_be_read() {
    let frames = pushed_whole(OPTIONS);
    let [Ok(Frame::Message(octets))] = &frames[..] else { panic!("{frames:?}") };
    let Ok(Message::Request(request)) = parse(octets.clone()) else { panic!("{octets:?}") };
    assert_eq!(&request.body()[..], b"\r\n\r\n");
}

#[test]
fn a_pong_is_silence() {
    let mut framer = Framer::new();
    framer.push(b"\r\n");
    assert_eq!(framer.next_frame(), None);
    assert!(!framer.is_unfinished());
    framer.push(b"OPTIONS");
    assert_eq!(framer.next_frame(), None);
    assert!(framer.is_unfinished());
}

#[test]
fn faults_end_the_stream_once_and_for_all() {
    for (head, error) in [
        ("Via: x", FramingError::NoContentLength),
        ("Content-Length: -1", FramingError::ContentLength),
        ("Content-Length: 1 0", FramingError::ContentLength),
        ("Content-Length: 99999999999999999999", FramingError::ContentLength),
        ("Content-Length:", FramingError::ContentLength),
        ("Content-Length: 0\r\nl: 4", FramingError::ContentLength),
        ("Content-Length: 4\r\nContent-Length: 4", FramingError::ContentLength),
        ("X: a\nContent-Length: 0", FramingError::LineEnd),
        ("X: a\rContent-Length: 0", FramingError::LineEnd),
        ("X: a\r\n\nContent-Length: 0", FramingError::LineEnd),
        ("Content-Length: 65535", FramingError::TooLong),
        ("Content-Length: 4294967295", FramingError::TooLong),
    ] {
        let mut framer = Framer::new();
        framer.push(format!("OPTIONS sip:a@b SIP/2.0\r\n{head}\r\n\r\n").as_bytes());
        assert_eq!(frames(&mut framer), [Err(error)], "{head}");
        framer.push(OPTIONS);
        assert_eq!(frames(&mut framer), [], "nothing comes after {head}");
    }
}

#[test]
fn what_never_ends_is_given_up_at_the_limit() {
    let mut framer = Framer::new();
    let line = b"X-Flood: xxxxxxxxxxxxxxxxxxxxx\r\n";
    let mut pushed = 0;
    let error = loop {
        framer.push(line);
        pushed += line.len();
        match framer.next_frame() {
            None => assert!(pushed < limits::MESSAGE + line.len(), "{pushed} octets without an end"),
            Some(frame) => break frame,
        }
    };
    assert_eq!(error, Err(FramingError::TooLong));
    assert!(pushed >= limits::MESSAGE);
}

#[test]
fn octets_that_nobody_takes_are_not_gathered() {
    let mut framer = Framer::new();
    for _ in 0..3 {
        framer.push(&vec![b'x'; limits::MESSAGE]);
    }
    assert_eq!(frames(&mut framer), [Err(FramingError::TooLong)]);
}

#[test]
fn a_message_of_the_whole_limit_passes() {
    let head = "OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 65000\r\n";
    let padding = limits::MESSAGE - 65_000 - head.len() - "X: \r\n\r\n".len();
    let mut stream = format!("{head}X: {}\r\n\r\n", "x".repeat(padding)).into_bytes();
    stream.resize(limits::MESSAGE, b'y');
    assert_eq!(pushed_whole(&stream), [message(&stream)]);
}

#[test]
fn answers_to_our_pings_do_not_add_up_to_a_ping_of_theirs() {
    let mut framer = Framer::new();
    for _ in 0..3 {
        framer.push(b"\r\n");
        assert_eq!(framer.next_frame(), None);
        assert!(framer.take_pong());
    }
    assert!(!framer.take_pong());
    framer.push(b"\r\n\r\n");
    assert_eq!(framer.next_frame(), Some(Ok(Frame::Ping)));
    framer.push(b"\r\nOPTIONS");
    assert_eq!(framer.next_frame(), None);
    assert!(!framer.take_pong(), "a message has begun");
}
