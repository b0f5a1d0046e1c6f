use std::f64::consts::TAU;

use super::*;

fn voice(count: usize) -> Vec<i16> {
    let line = |n: f64, harmonic: f64| (TAU * 150.0 * harmonic * n / 16_000.0).sin() / harmonic;
    (0..count).map(|n| (4000.0 * (1..30).map(|h| line(n as f64, f64::from(h))).sum::<f64>()) as i16).collect()
}

fn packets(wishes: OpusWishes, frame: usize, samples: &[i16]) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(wishes).unwrap();
    let mut room = [0; 480];
    let made = samples
        .chunks_exact(frame)
        .map(|frame| encoder.encode(frame, &mut room).map_or(Vec::new(), |length| room[..length].to_vec()));
    made.collect()
}

fn power(samples: &[i16]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len() as f64
}

#[test]
fn packets_of_every_length_we_make_come_back_as_long_and_as_loud() {
    let voice = voice(16_000);
    for milliseconds in [10, 20, 40, 60] {
        let mut decoder = Decoder::new().unwrap();
        let mut heard = Vec::new();
        for packet in packets(OpusWishes::default(), 16 * milliseconds, &voice) {
            assert_eq!(length(&packet), 48 * milliseconds as u32);
            let mut samples = [0; LONGEST];
            let count = decoder.decode(&packet, &mut samples);
            assert_eq!(count, 16 * milliseconds);
            heard.extend_from_slice(&samples[..count]);
        }
        let louder = 10.0 * (power(&heard[4000..]) / power(&voice[4000..])).log10();
        assert!(louder.abs() < 2.0, "{milliseconds} ms: {louder}");
    }
}

#[test]
fn the_other_sides_wishes_are_followed() {
    let voice = voice(32_000);
    let rate = |wishes: OpusWishes| {
        let packets = packets(wishes, 320, &voice);
        packets[10..].iter().map(Vec::len).sum::<usize>() * 8 * 50 / (packets.len() - 10)
    };
    let usual = rate(OpusWishes::default());
    assert!((12_000..=32_000).contains(&usual), "{usual}");
    let little = rate(OpusWishes { bit_rate: Some(10_000), ..OpusWishes::default() });
    assert!((5000..=13_000).contains(&little), "{little}");
    let constant = packets(OpusWishes { constant: true, ..OpusWishes::default() }, 320, &voice);
    assert!(constant.iter().all(|packet| packet.len() == constant[0].len()));
    // The bandwidth is in the first octet (RFC 6716 §3.1): configurations below 4 are narrow ones.
    let narrow = packets(OpusWishes { playback_rate: 8000, ..OpusWishes::default() }, 320, &voice);
    assert!(narrow[20..].iter().all(|packet| packet[0] >> 3 < 4), "{:?}", narrow[20][0] >> 3);
    let pauses = OpusWishes { pauses: true, ..OpusWishes::default() };
    let silent = packets(pauses, 320, &[0; 32_000]);
    assert!(silent[60..].iter().filter(|packet| packet.is_empty()).count() > 20);
    let speaks = packets(OpusWishes::default(), 320, &[0; 32_000]);
    assert!(speaks.iter().all(|packet| !packet.is_empty()));
}

#[test]
fn what_was_lost_is_told_by_the_packet_after_it_where_that_was_wished() {
    // Syllables: what does not change is taken for the noise of a room, and not said twice.
    let loudness = |n: usize| 0.05 + (TAU * 4.0 * n as f64 / 16_000.0).sin().max(0.0);
    let syllables = voice(64_000).into_iter().enumerate();
    let voice: Vec<i16> = syllables.map(|(n, sample)| (f64::from(sample) * loudness(n)) as i16).collect();
    let corrected = |correction: bool| {
        let wishes = OpusWishes { correction, ..OpusWishes::default() };
        let packets = packets(wishes, 320, &voice);
        let mut told = 0;
        for lost in (10..190).step_by(3) {
            let (mut whole, mut lossy) = (Decoder::new().unwrap(), Decoder::new().unwrap());
            let (mut said, mut heard) = ([0; 320], [0; 320]);
            for packet in &packets[..lost] {
                whole.decode(packet, &mut said);
                lossy.decode(packet, &mut heard);
            }
            whole.decode(&packets[lost], &mut said);
            if lossy.correct(&packets[lost + 1], &mut heard) > 0 {
                let louder = 10.0 * (power(&heard) / power(&said)).log10();
                assert!(louder.abs() < 3.0, "{lost}: {louder}");
                told += 1;
            }
        }
        told
    };
    assert_eq!(corrected(false), 0);
    assert!(corrected(true) > 20, "{}", corrected(true));
}

/// Neither a pause nor a change to music and back is louder than what was said.
#[test]
fn nothing_roars() {
    let voice = voice(32_000);
    let packets = packets(OpusWishes::default(), 320, &voice);
    let mut decoder = Decoder::new().unwrap();
    let mut samples = [0; LONGEST];
    let loudest = voice.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
    for (place, packet) in packets.iter().enumerate() {
        let toc = packet[0];
        // Nothing said, in one frame, in two, and in one of two; and music: silence (RFC 6716 §2.1.9).
        let others: [&[u8]; 5] = [&[toc], &[toc | 1], &[toc | 2, 0, 1, 2, 3], &[toc, 7], &[0xF8, 0xFF, 0xFE]];
        let other = others[place % 5];
        assert_eq!(pauses(other), place % 5 < 4, "{other:x?}");
        let count = decoder.decode(other, &mut samples);
        assert_eq!(count == 0, pauses(other));
        assert!(samples[..count].iter().all(|sample| sample.unsigned_abs() < 2 * loudest / 3));
        assert_eq!(decoder.decode(packet, &mut samples), 320);
        assert!(
            samples[..320].iter().all(|sample| u32::from(sample.unsigned_abs()) < 2 * u32::from(loudest))
        );
    }
}

/// Nothing that can come makes it fail, whatever came before.
#[test]
fn any_octets_are_decoded_or_refused() {
    let mut chance = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = move || {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        chance
    };
    let mut decoder = Decoder::new().unwrap();
    let mut samples = [0; LONGEST];
    for _ in 0..20_000 {
        let count = (next() % 120) as usize;
        let octets: Vec<u8> = (0..count).map(|_| next() as u8).collect();
        match next() % 8 {
            0 => assert!([0, 160, 320].contains(&decoder.correct(&octets, &mut samples[..320]))),
            _ => {
                let heard = decoder.decode(&octets, &mut samples);
                assert!(heard <= LONGEST && (heard == 0 || length(&octets) == heard as u32 * TIMESTAMPS));
            }
        }
    }
}
