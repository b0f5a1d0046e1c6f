use super::*;
use crate::chance::Chance;
use crate::codec::ClockRate;

fn at(milliseconds: u64) -> Instant {
    Instant(Duration::from_millis(milliseconds))
}

fn ours() -> (Control, Stream) {
    let identity = Chance::new([3; 32]).identity();
    let identity = Identity { sequence: 65_000, ..identity };
    (Control::new(&identity, at(0)), Stream::new(at(0), &identity, ClockRate::Hz8000))
}

/// A compound packet of theirs with this block.
fn theirs(block: Option<ReportBlock>, ntp: u64) -> Vec<u8> {
    let info = SenderInfo { ntp, timestamp: 0, packets: 0, octets: 0 };
    Writer::new(77, Some(info), block).cname(77, &[b'x'; 16]).octets().to_vec()
}

fn block(ssrc: u32) -> ReportBlock {
    ReportBlock { ssrc, fraction_lost: 0, lost: 0, highest: 65_000, jitter: 0, last_report: 0, delay: 0 }
}

#[test]
fn who_sent_since_the_last_report_sends_a_sender_report() {
    let (mut control, mut stream) = ours();
    let is_sender = |control: &mut Control, stream: &Stream, time| {
        let report = control.report(at(time), stream, None, None, at(time + 5000));
        Compound::parse(report.octets()).unwrap().sender().is_some()
    };
    assert!(!is_sender(&mut control, &stream, 0));
    stream.prompt(at(100), 8, true, 160);
    assert!(is_sender(&mut control, &stream, 5000));
    assert!(!is_sender(&mut control, &stream, 10_000));
    assert_eq!(control.due_at(), at(15_000));
}

#[test]
fn who_never_sent_anything_does_not_take_leave() {
    let (mut control, mut stream) = ours();
    assert!(control.farewell(at(0), &stream, None, None).is_none());
    stream.prompt(at(0), 8, true, 160);
    assert!(control.farewell(at(0), &stream, None, None).is_some());
}

#[test]
fn our_block_answers_their_sender_report() {
    let (mut control, stream) = ours();
    let report = theirs(None, 0x1111_2222_3333_4444);
    control.hear(at(1000), stream.ssrc(), &Compound::parse(&report).unwrap());
    let reception = Reception { ssrc: 77, fraction_lost: 0, lost: 0, highest: 9, jitter: 0 };
    let said = control.report(at(3500), &stream, Some(reception), None, at(9000));
    let block = Compound::parse(said.octets()).unwrap().blocks().next().unwrap();
    assert_eq!((block.ssrc, block.last_report, block.delay), (77, 0x2222_3333, 5 << 15));
}

#[test]
fn the_round_trip_is_what_they_did_not_keep() {
    let (mut control, mut stream) = ours();
    stream.prompt(at(0), 8, true, 160);
    let said = control.report(at(1000), &stream, None, None, at(9000));
    let (_, info) = Compound::parse(said.octets()).unwrap().sender().unwrap();
    let answer = ReportBlock { last_report: middle(info.ntp), delay: 65_536, ..block(stream.ssrc()) };
    control.hear(at(2080), stream.ssrc(), &Compound::parse(&theirs(Some(answer), 0)).unwrap());
    assert!((control.round_trip_ms().unwrap() - 80.0).abs() < 0.1);
    // What cannot be true changes nothing: an answer to a report of the future, or from very long ago.
    for last_report in [middle(info.ntp).wrapping_add(9 << 16), middle(info.ntp).wrapping_sub(99 << 16)] {
        let answer = ReportBlock { last_report, ..answer };
        control.hear(at(2080), stream.ssrc(), &Compound::parse(&theirs(Some(answer), 0)).unwrap());
        assert!((control.round_trip_ms().unwrap() - 80.0).abs() < 0.1);
    }
}

#[test]
fn their_loss_is_told_of_our_stream_only() {
    let (mut control, stream) = ours();
    let other = ReportBlock { lost: 500, highest: 65_999, ..block(stream.ssrc() ^ 1) };
    control.hear(at(0), stream.ssrc(), &Compound::parse(&theirs(Some(other), 0)).unwrap());
    assert_eq!(control.remote_loss(), None);
    // 1000 packets from 65000 on, across the wrap, a quarter of them lost.
    let ours = ReportBlock { lost: 250, highest: 0x1_0000 + 463, ..block(stream.ssrc()) };
    control.hear(at(0), stream.ssrc(), &Compound::parse(&theirs(Some(ours), 0)).unwrap());
    assert_eq!(control.remote_loss(), Some(0.25));
    let doubled = ReportBlock { lost: -4, ..ours };
    control.hear(at(0), stream.ssrc(), &Compound::parse(&theirs(Some(doubled), 0)).unwrap());
    assert_eq!(control.remote_loss(), Some(0.0));
}
