use super::*;
use crate::chance::Chance;
use std::time::Duration;

fn at(milliseconds: u64) -> Instant {
    Instant(Duration::from_millis(milliseconds))
}

/// A stream that begins at time zero with sequence 65534 and a timestamp about to wrap.
fn stream() -> Stream {
    let identity = Chance::new([1; 32]).identity();
    let identity = Identity { ssrc: 1, sequence: 65534, timestamp: 0u32.wrapping_sub(160), ..identity };
    Stream::new(at(0), &identity, ClockRate::Hz8000)
}

fn theirs(sequence: u16, timestamp: u32) -> Header {
    Header { marker: false, payload_type: 8, sequence, timestamp, ssrc: 99 }
}

fn numbers(header: Header) -> (u16, u32, bool) {
    (header.sequence, header.timestamp.wrapping_add(160), header.marker)
}

#[test]
fn prompt_silence_prompt_is_one_stream_on_the_media_clock() {
    let mut stream = stream();
    assert_eq!(numbers(stream.prompt(at(0), 8, true, 160)), (65534, 0, true));
    assert_eq!(numbers(stream.prompt(at(20), 8, false, 160)), (65535, 160, false));
    // A second later.
    assert_eq!(numbers(stream.prompt(at(1020), 8, true, 160)), (0, 8160, true));
    // At once: it still begins where the one before ends.
    assert_eq!(numbers(stream.prompt(at(1025), 8, true, 160)), (1, 8320, true));
}

#[test]
fn the_peer_follows_the_prompt_and_a_prompt_the_peer() {
    let mut stream = stream();
    stream.prompt(at(0), 8, true, 160);
    let place = |n| if n == 0 { Place::First } else { Place::Ahead(1) };
    for n in 0..3u16 {
        let incoming = theirs(5000 + n, 777_000 + 160 * u32::from(n));
        let header = stream.forward(at(100 + 20 * u64::from(n)), &incoming, place(n), 160).unwrap();
        assert_eq!(numbers(header), (65535u16.wrapping_add(n), 800 + 160 * u32::from(n), n == 0));
        assert_eq!(header.ssrc, 1);
    }
    assert_eq!(numbers(stream.prompt(at(160), 8, true, 160)), (2, 1280, true));
    let back = stream.forward(at(180), &theirs(5004, 777_640), Place::Ahead(1), 160).unwrap();
    assert_eq!(numbers(back), (3, 1440, true));
}

#[test]
fn what_was_lost_is_a_gap_and_what_was_overtaken_keeps_its_place() {
    let mut stream = stream();
    stream.forward(at(0), &theirs(10, 0), Place::First, 160).unwrap();
    let third = stream.forward(at(40), &theirs(12, 320), Place::Ahead(2), 160).unwrap();
    assert_eq!(numbers(third), (0, 320, false));
    let second = stream.forward(at(41), &theirs(11, 160), Place::Late, 160).unwrap();
    assert_eq!(numbers(second), (65535, 160, false));
    let fourth = stream.forward(at(60), &theirs(13, 480), Place::Ahead(1), 160).unwrap();
    assert_eq!(numbers(fourth), (1, 480, false));
    assert_eq!(stream.forward(at(60), &theirs(13, 480), Place::Double, 160), None);
    assert_eq!(stream.packets, 4);
}

#[test]
fn what_was_said_before_the_switch_has_no_place_after_it() {
    let mut stream = stream();
    stream.forward(at(0), &theirs(10, 1600), Place::First, 160).unwrap();
    assert_eq!(stream.forward(at(1), &theirs(9, 1440), Place::Late, 160), None);
    stream.prompt(at(20), 8, true, 160);
    assert_eq!(stream.forward(at(21), &theirs(10, 1600), Place::Late, 160), None);
}

#[test]
fn a_late_packet_with_a_timestamp_of_another_time_has_no_place() {
    let mut stream = stream();
    stream.forward(at(0), &theirs(10, 0), Place::First, 160).unwrap();
    stream.forward(at(40), &theirs(12, 320), Place::Ahead(2), 160).unwrap();
    for timestamp in [321, 9_000_000, 0u32.wrapping_sub(1)] {
        assert_eq!(stream.forward(at(41), &theirs(11, timestamp), Place::Late, 160), None);
    }
}

#[test]
fn a_pause_in_their_speech_is_a_pause_in_ours_and_a_jump_of_their_clock_is_none() {
    let mut stream = stream();
    stream.forward(at(0), &theirs(10, 0), Place::First, 160).unwrap();
    let after_pause = stream.forward(at(5000), &theirs(11, 40_000), Place::Ahead(1), 160).unwrap();
    assert_eq!(numbers(after_pause), (65535, 40_000, false));
    for (n, jump) in [900_000_000u32, 5, 700_000].into_iter().enumerate() {
        let n = n as u16;
        let now = at(5020 + 20 * u64::from(n));
        let after_jump = stream.forward(now, &theirs(12 + n, jump), Place::Ahead(1), 160).unwrap();
        assert_eq!(numbers(after_jump), (n, 40_160 + 160 * u32::from(n), true));
    }
}

#[test]
fn a_gap_too_long_to_be_a_loss_closes_up() {
    let mut stream = stream();
    stream.forward(at(0), &theirs(10, 0), Place::First, 160).unwrap();
    let far = stream.forward(at(20), &theirs(10 + MAX_GAP + 1, 160), Place::Ahead(MAX_GAP + 1), 160).unwrap();
    assert_eq!(numbers(far), (65535, 160, true));
}

#[test]
fn a_stream_of_theirs_that_begins_anew_goes_on_in_ours() {
    let mut stream = stream();
    stream.forward(at(0), &theirs(10, 0), Place::First, 160).unwrap();
    let other = Header { ssrc: 100, ..theirs(60_000, 5) };
    let header = stream.forward(at(20), &other, Place::First, 160).unwrap();
    assert_eq!((numbers(header), header.ssrc), ((65535, 160, true), 1));
}

#[test]
fn packets_of_theirs_not_passed_on_leave_no_gap() {
    let mut stream = stream();
    stream.forward(at(0), &theirs(10, 0), Place::First, 160).unwrap();
    stream.skip(&theirs(11, 160), Place::Ahead(1));
    stream.skip(&theirs(13, 160), Place::Ahead(2));
    // 12 was lost, 11 and 13 were no audio.
    let next = stream.forward(at(80), &theirs(14, 640), Place::Ahead(1), 160).unwrap();
    assert_eq!(numbers(next), (0, 640, false));
    assert_eq!(stream.forward(at(81), &theirs(12, 320), Place::Late, 160), None, "its place is not known");
}

#[test]
fn a_jump_to_a_packet_not_passed_on_is_no_jump_of_ours() {
    let mut stream = stream();
    stream.forward(at(0), &theirs(10, 0), Place::First, 160).unwrap();
    stream.skip(&theirs(2010, 160), Place::Ahead(2000));
    let next = stream.forward(at(40), &theirs(2011, 320), Place::Ahead(1), 160).unwrap();
    assert_eq!(numbers(next), (65535, 320, true));
}

#[test]
fn who_was_not_passed_on_for_a_while_goes_on_without_the_gap() {
    let mut stream = stream();
    stream.forward(at(0), &theirs(10, 0), Place::First, 160).unwrap();
    // Meanwhile its packets went elsewhere: each is one ahead of the one before, but not of what we know.
    let next = stream.forward(at(20_000), &theirs(1010, 160_000), Place::Ahead(1), 160).unwrap();
    assert_eq!(numbers(next), (65535, 160_000, true));
    assert_eq!(stream.forward(at(20_000), &theirs(1009, 159_840), Place::Late, 160), None);
}

#[test]
fn a_key_press_stands_still_in_time_and_audio_follows_after_it() {
    let mut stream = stream();
    stream.forward(at(0), &theirs(10, 0), Place::First, 160).unwrap();
    let first = stream.event(at(20), 101, None);
    assert_eq!(numbers(first), (65535, 160, true));
    let second = stream.event(at(40), 101, Some(first.timestamp));
    assert_eq!(numbers(second), (0, 160, false));
    stream.event_ended(first.timestamp, 800);
    let audio = stream.forward(at(45), &theirs(13, 480), Place::Ahead(3), 160).unwrap();
    assert_eq!(numbers(audio), (1, 960, true));
}

#[test]
fn a_report_finds_the_timestamp_of_any_moment() {
    let mut stream = stream();
    assert_eq!(stream.timestamp_at(at(20)), 0);
    stream.forward(at(20), &theirs(10, 4_000), Place::First, 160).unwrap();
    assert_eq!(stream.timestamp_at(at(1020)), 8000);
}
