use super::*;

const A: u32 = 0x0A0A_0A0A;

/// One packet: when it came in milliseconds, sequence, timestamp, marker, code, end, duration.
#[derive(Debug, Clone, Copy)]
struct Came(u64, u16, u32, bool, u8, bool, u16);

fn see(presses: &mut Presses, ssrc: u32, came: Came) -> Sighting {
    let Came(at, sequence, timestamp, marker, code, end, duration) = came;
    let header = Header { marker, payload_type: 101, sequence, timestamp, ssrc };
    let event = Event { code, end, volume: 10, duration };
    presses.see(Instant(Duration::from_millis(at)), &header, &event, ClockRate::Hz8000)
}

/// The codes of the keys that went down, in order.
fn pressed(packets: &[Came]) -> Vec<u8> {
    let mut presses = Presses::default();
    let down = packets.iter().filter(|came| match see(&mut presses, A, **came) {
        Sighting::Down | Sighting::Tap => true,
        Sighting::Held | Sighting::Up | Sighting::Past => false,
    });
    down.map(|came| came.4).collect()
}

/// A press as RFC 4733 §2.5.1 wants it: every 20 ms, the end three times.
fn press(code: u8, at: u64, sequence: u16, timestamp: u32, packets: u16) -> Vec<Came> {
    (0..packets + 2)
        .map(|n| {
            let duration = 160 * (n + 1).min(packets);
            let last = n + 1 >= packets;
            Came(at + 20 * u64::from(n), sequence + n, timestamp, n == 0, code, last, duration)
        })
        .collect()
}

fn without(packets: Vec<Came>, lost: impl Fn(usize) -> bool) -> Vec<Came> {
    packets.into_iter().enumerate().filter(|(place, _)| !lost(*place)).map(|(_, came)| came).collect()
}

#[test]
fn a_press_by_the_book_is_one_press_with_a_beginning_and_an_end() {
    let mut presses = Presses::default();
    let sightings: Vec<_> =
        press(5, 0, 100, 8000, 4).into_iter().map(|came| see(&mut presses, A, came)).collect();
    use Sighting::{Down, Held, Up};
    assert_eq!(sightings, [Down, Held, Held, Up, Up, Up]);
}

#[test]
fn whatever_is_lost_of_a_press_it_is_one_press() {
    let whole = press(5, 0, 100, 8000, 6);
    for mask in 1..1u32 << whole.len() {
        let rest = without(whole.clone(), |place| mask & (1 << place) == 0);
        assert_eq!(pressed(&rest), [5], "{mask:b}");
    }
}

#[test]
fn whatever_is_lost_of_two_presses_of_one_key_without_a_gap_they_are_two() {
    // pjsua: no audio between packets, no gap between digits.
    let first = press(5, 0, 100, 8000, 6);
    let second = press(5, 160, 108, 8000 + 160 * 8, 6);
    for mask in 0..1u32 << 8 {
        for start in 0..6 {
            let mut packets = without(first.clone(), |place| place != 0 && mask & (1 << place) == 0);
            packets.extend(without(second.clone(), |place| place < start));
            assert_eq!(pressed(&packets), [5, 5], "{mask:b} {start}");
        }
    }
}

#[test]
fn a_key_pressed_again_after_only_the_first_packet_of_the_press_before_came() {
    let mut packets = vec![press(5, 0, 100, 8000, 6)[0]];
    packets.extend(press(5, 300, 120, 8000 + 2400, 6));
    assert_eq!(pressed(&packets), [5, 5]);
}

#[test]
fn an_end_alone_is_a_tap_once() {
    let mut presses = Presses::default();
    let ends = &press(5, 0, 100, 8000, 6)[5..];
    let sightings: Vec<_> = ends.iter().map(|came| see(&mut presses, A, *came)).collect();
    assert_eq!(sightings, [Sighting::Tap, Sighting::Up, Sighting::Up]);
}

#[test]
fn a_second_without_a_packet_doubles_nothing() {
    let mut packets = press(5, 0, 100, 8000, 100);
    packets.retain(|came| !(60..1060).contains(&came.0));
    assert_eq!(pressed(&packets), [5]);
    // Its packets were held back and come at once.
    let mut packets = press(5, 0, 100, 8000, 60);
    for came in packets.iter_mut().filter(|came| (60..1060).contains(&came.0)) {
        came.0 = 1060;
    }
    packets.extend(press(5, 1280, 162, 8000 + 160 * 62, 6));
    assert_eq!(pressed(&packets), [5, 5]);
    // Of three ends the last two come very late.
    let mut packets = press(5, 0, 100, 8000, 6);
    for came in &mut packets[6..] {
        came.0 += 1200;
    }
    assert_eq!(pressed(&packets), [5]);
}

#[test]
fn the_first_packet_may_say_zero_and_be_sent_thrice() {
    let packets = [
        Came(0, 1, 8000, true, 7, false, 0),
        Came(20, 2, 8000, true, 7, false, 0),
        Came(40, 3, 8000, true, 7, false, 0),
        Came(60, 4, 8000, false, 7, false, 480),
        Came(80, 5, 8000, false, 7, true, 640),
    ];
    assert_eq!(pressed(&packets), [7]);
}

#[test]
fn without_markers_and_with_markers_on_every_packet() {
    for marker in [false, true] {
        let mut packets = press(1, 0, 1, 8000, 6);
        packets.extend(press(1, 200, 11, 8000 + 1600, 6));
        packets.extend(press(2, 400, 21, 8000 + 3200, 6));
        for came in &mut packets {
            came.3 = marker;
        }
        assert_eq!(pressed(&packets), [1, 1, 2], "{marker}");
    }
}

#[test]
fn durations_in_other_units_are_believed_in_nothing() {
    for factor in [0, 2, 6] {
        let mut packets = press(1, 0, 1, 8000, 6);
        packets.extend(press(1, 200, 11, 8000 + 1600, 6));
        for came in &mut packets {
            came.6 *= factor;
        }
        assert_eq!(pressed(&packets), [1, 1], "{factor}");
    }
}

#[test]
fn a_timestamp_that_moves_with_every_packet() {
    // The duration grows with it; the ends stand still or move on.
    for ends_move in [false, true] {
        let mut packets = press(3, 0, 1, 8000, 8);
        for (n, came) in (0..).zip(&mut packets) {
            came.2 += 160 * if ends_move { n } else { n.min(7) };
        }
        assert_eq!(pressed(&packets), [3], "{ends_move}");
        for lost in 0..8 {
            assert_eq!(pressed(&without(packets.clone(), |place| place == lost)), [3], "{lost}");
        }
        let mut again = packets.clone();
        again.extend(
            packets
                .iter()
                .map(|came| Came(came.0 + 300, came.1 + 20, came.2 + 2400, came.3, 3, came.5, came.6)),
        );
        assert_eq!(pressed(&again), [3, 3]);
    }
}

#[test]
fn a_timestamp_that_moves_while_the_duration_stays() {
    let mut packets: Vec<_> =
        (0..60).map(|n| Came(20 * n, n as u16, 8000 + 160 * n as u32, n == 0, 3, false, 160)).collect();
    packets.push(Came(1200, 60, 8000 + 9600, false, 3, true, 9600));
    packets.push(Came(1220, 61, 8000 + 9760, false, 3, true, 9600));
    assert_eq!(pressed(&packets), [3]);
    packets.retain(|came| !(100..1100).contains(&came.0));
    assert_eq!(pressed(&packets), [3], "a second of it lost");
}

#[test]
fn timestamps_closer_than_durations_are_long() {
    // sipp's play_dtmf: events 400 apart that last 1600 each, the first packet zero.
    let mut packets = Vec::new();
    for (place, code) in (0..).zip([1u8, 1, 2, 1, 1]) {
        let mut event = press(code, 300 * place, 100 + 20 * place as u16, 8000 + 400 * place as u32, 10);
        for came in &mut event {
            came.6 -= 160;
        }
        packets.extend(event);
    }
    assert_eq!(pressed(&packets), [1, 1, 2, 1, 1]);
}

#[test]
fn numbers_that_jump_back_from_press_to_press() {
    // Recordings played one after the other: 4, 2, 4, 4, the same packets for the same key.
    let four = press(4, 0, 8128, 37120, 7);
    let two = press(2, 0, 8042, 23200, 7);
    let at = |packets: &[Came], time: u64| {
        packets
            .iter()
            .map(|came| Came(came.0 + time, came.1, came.2, came.3, came.4, came.5, came.6))
            .collect()
    };
    let pieces: [Vec<Came>; 4] = [at(&four, 0), at(&two, 500), at(&four, 1000), at(&four, 1250)];
    assert_eq!(pressed(&pieces.concat()), [4, 2, 4, 4]);
    // And so if the first packets of the last were lost.
    let mut lossy = pieces;
    lossy[3].drain(..2);
    assert_eq!(pressed(&lossy.concat()), [4, 2, 4, 4]);
}

#[test]
fn a_stream_of_its_own_for_each_press() {
    let mut presses = Presses::default();
    for ssrc in [1, 2, 3] {
        let first = see(&mut presses, ssrc, Came(u64::from(ssrc) * 10, 1, 8000, true, 5, false, 160));
        assert_eq!(first, Sighting::Down);
    }
}

#[test]
fn a_long_press_goes_on_in_a_second_segment() {
    // §2.5.1.3: the duration full, then a timestamp that much later.
    for full in [65_440u16, 65_535] {
        let mut packets = Vec::new();
        for n in 0..900u32 {
            let since = 160 * (n + 1);
            let (segment, within) = (since / u32::from(full), since % u32::from(full));
            let timestamp = 8000 + segment * u32::from(full);
            packets.push(Came(20 * u64::from(n), n as u16, timestamp, n == 0, 9, n == 899, within as u16));
        }
        assert_eq!(pressed(&packets), [9], "{full}");
        packets.retain(|came| !(7900..8600).contains(&came.0));
        assert_eq!(pressed(&packets), [9], "{full}, the seam lost");
    }
}

#[test]
fn a_duration_that_wraps_where_a_segment_should_begin() {
    let mut packets: Vec<_> = (0..900u32)
        .map(|n| Came(20 * u64::from(n), n as u16, 8000, n == 0, 9, false, (160 * (n + 1)) as u16))
        .collect();
    assert_eq!(pressed(&packets), [9]);
    packets.retain(|came| !(7800..8600).contains(&came.0));
    assert_eq!(pressed(&packets), [9], "the wrap lost");
}

#[test]
fn packets_out_of_order_and_doubled() {
    let mut packets = press(1, 0, 1, 8000, 6);
    packets.extend(press(2, 160, 9, 8000 + 1280, 6));
    packets.extend(press(1, 320, 17, 8000 + 2560, 6));
    let times: Vec<u64> = packets.iter().map(|came| came.0).collect();
    for place in 0..packets.len() - 3 {
        let mut shuffled = packets.clone();
        shuffled[place..place + 3].reverse();
        let mut doubled: Vec<Came> = shuffled.iter().flat_map(|came| [*came, *came]).collect();
        for (place, came) in doubled.iter_mut().enumerate() {
            came.0 = times[place / 2];
        }
        let keys = pressed(&doubled);
        assert_eq!(keys, [1, 2, 1], "from {place}");
    }
}

#[test]
fn the_end_of_a_press_that_comes_during_the_next_is_of_the_past() {
    let mut presses = Presses::default();
    let first = press(1, 0, 1, 8000, 6);
    for came in &first[..6] {
        see(&mut presses, A, *came);
    }
    let second = press(1, 140, 9, 8000 + 1280, 6);
    assert_eq!(see(&mut presses, A, second[0]), Sighting::Down);
    let Came(_, sequence, timestamp, marker, code, end, duration) = first[7];
    let late = Came(150, sequence, timestamp, marker, code, end, duration);
    assert_eq!(see(&mut presses, A, late), Sighting::Past);
    assert_eq!(see(&mut presses, A, second[1]), Sighting::Held);
}

#[test]
fn numbers_that_wrap_during_a_press() {
    let mut packets = press(1, 0, 0, u32::MAX - 100, 6);
    for came in &mut packets {
        came.1 = came.1.wrapping_add(65533);
    }
    packets.extend(press(1, 200, 6, 1500, 6));
    assert_eq!(pressed(&packets), [1, 1]);
}
