//! Whatever else a call has, through codecs that are not G.711: keys, recordings, noise, pauses, encryption.

use std::f64::consts::TAU;

use rtp::codec::opus;
use rtp::srtp::{MASTER_LENGTH, Receiver, Sender};
use rtp::{Codec, Command, Event, MasterKey, Media, OpusWishes, Srtp, Suite};

use crate::codecs::{HERTZ, Talker, between, heard, measure, only, tone};
use crate::world::{
    CALLEE, CALLER, EVENTS, Sent, Taped, World, assert_one_stream, callee_address, caller_address, media,
    payload_type,
};

/// The key 5, held for a tenth of a second out of each four.
fn key(time: f64) -> f64 {
    let sine = |hertz: f64| 6000.0 * (TAU * hertz * time).sin();
    if time % 0.4 < 0.1 { sine(770.0) + sine(1336.0) } else { 0.0 }
}

#[test]
fn keys_are_heard_in_the_audio_of_every_codec() {
    for codec in [Codec::G722, Codec::Opus] {
        let mut format = only(codec, 20);
        (format.event_send, format.event_receive) = (None, None);
        let mut world = World::new();
        world.open(CALLER, Media { format, ..media(caller_address(), Codec::Pcma) });
        let mut caller = Talker::new(CALLER, codec, 20);
        for _ in 0..100 {
            let payload = caller.payload(key);
            caller.send(&mut world, &payload);
            world.run(20);
        }
        assert_eq!(world.digits(CALLER), "55555", "{codec:?}");
    }
}

/// Whoever takes no events hears a key as tones, in the codec it agreed to.
#[test]
fn keys_are_sent_as_tones_in_every_codec() {
    for codec in [Codec::G722, Codec::Opus] {
        let mut format = only(codec, 20);
        (format.event_send, format.event_receive) = (None, None);
        let mut world = between(only(Codec::Pcma, 20), format);
        for digit in ['1', '9'] {
            world.command(Command::Press { session: CALLER, digit });
            world.run(300);
        }
        let sent = world.take_sent(CALLEE);
        assert_one_stream(&sent);
        let mut other = World::new();
        other.open(CALLER, Media { format, ..media(caller_address(), Codec::Pcma) });
        for sent in &sent {
            other.run_until(sent.at);
            other.packet(CALLER, caller_address(), &sent.bytes);
        }
        assert_eq!(other.digits(CALLER), "19", "{codec:?}");
    }
}

/// RFC 4733 §2.1: an event is counted as fast as the audio beside it.
#[test]
fn events_beside_opus_are_counted_in_its_timestamps() {
    let mut world = between(only(Codec::Pcma, 20), only(Codec::Opus, 20));
    let mut caller = Talker::new(CALLER, Codec::Pcma, 20);
    for _ in 0..10 {
        let payload = caller.payload(tone);
        caller.send(&mut world, &payload);
        world.run(20);
    }
    world.command(Command::Press { session: CALLER, digit: '7' });
    world.run(200);
    for _ in 0..10 {
        let payload = caller.payload(tone);
        caller.send(&mut world, &payload);
        world.run(20);
    }
    let sent = world.take_sent(CALLEE);
    assert_one_stream(&sent);
    let (events, audio): (Vec<Sent>, Vec<Sent>) =
        sent.into_iter().partition(|sent| sent.header().payload_type == EVENTS);
    let durations: Vec<u16> = events.iter().map(|sent| sent.event().duration).collect();
    assert_eq!(durations, [960, 1920, 2880, 3840, 4800, 4800, 4800, 4800]);
    let (before, after) = (audio[9].header().timestamp, audio[10].header().timestamp);
    assert!((4800..20_000).contains(&after.wrapping_sub(before)), "{}", after.wrapping_sub(before));

    // And theirs, however long: durations of 16 bits are used up in 1.4 s, then the next segment begins (§2.5.1.3).
    let mut callee = Talker::new(CALLEE, Codec::Opus, 20);
    let mut segment = callee.phone.header.timestamp;
    callee.phone.header.payload_type = EVENTS;
    for n in 1..=100_u32 {
        let duration = 960 * n - segment.wrapping_sub(u32::MAX - 5000);
        let event = Event { code: 3, end: n == 100, volume: 10, duration: duration as u16 };
        callee.phone.header.timestamp = segment;
        callee.phone.header.marker = n == 1;
        callee.phone.send(&mut world, &event.write());
        if duration + 960 > 65_535 {
            segment = segment.wrapping_add(duration);
        }
        world.run(20);
    }
    assert_eq!(world.digits(CALLEE), "3");
}

#[test]
fn both_sides_are_recorded_whatever_they_speak() {
    for (caller, callee) in [
        (Codec::Opus, Codec::Opus),
        (Codec::G722, Codec::Opus),
        (Codec::Pcma, Codec::G722),
        (Codec::Opus, Codec::Pcmu),
    ] {
        let mut world = between(only(caller, 20), only(callee, 20));
        world.command(Command::Record { session: CALLER, name: "call.wav".into() });
        let mut talkers = [Talker::new(CALLER, caller, 20), Talker::new(CALLEE, callee, 20)];
        for _ in 0..150 {
            for (talker, hertz) in talkers.iter_mut().zip([500.0, 700.0]) {
                let payload = talker.payload(|time| 8000.0 * (TAU * hertz * time).sin());
                talker.send(&mut world, &payload);
            }
            world.run(20);
        }
        world.close(CALLER);
        let pairs: Vec<[i16; 2]> = world.wire.taped.iter().fold(Vec::new(), |mut all, (_, taped)| {
            if let Taped::Samples(samples) = taped {
                all.extend(samples);
            }
            all
        });
        assert!((23_000..24_500).contains(&pairs.len()), "{}", pairs.len());
        for (side, hertz) in [(0, 500.0), (1, 700.0)] {
            let samples: Vec<i16> = pairs[4000..20_000].iter().map(|pair| pair[side]).collect();
            let tone = measure(8000.0, &samples, hertz);
            let louder = 20.0 * (tone.amplitude / 8000.0).log10();
            assert!(
                (tone.hertz - hertz).abs() < 0.5 && louder.abs() < 1.0,
                "{caller:?} {callee:?}: {tone:?}"
            );
            assert!(tone.clean > 25.0, "{caller:?} {callee:?}: {tone:?}");
        }
    }
}

fn power(samples: &[i16]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len().max(1) as f64
}

/// A second of a tone, a second in which nothing is said, a second of the tone. Before the pause the phone says how loud it
/// is; `None`: it says nothing of it.
fn paused(world: &mut World, caller: &mut Talker, level: Option<u8>) {
    for second in 0..3 {
        for n in 0..50 {
            let payload = caller.payload(tone);
            if second != 1 {
                caller.phone.header.marker = n == 0;
                caller.send(world, &payload);
            } else {
                if let Some(level) = level.filter(|_| n == 0) {
                    let audio = std::mem::replace(&mut caller.phone.header.payload_type, 13);
                    caller.phone.send(world, &[level]);
                    caller.phone.header.payload_type = audio;
                }
                caller.phone.header.timestamp = caller.phone.header.timestamp.wrapping_add(caller.step());
            }
            world.run(20);
        }
    }
}

#[test]
fn noise_goes_to_whoever_takes_it_and_is_made_for_others() {
    let noisy = |codec, noise| {
        let mut format = only(codec, 20);
        format.noise = noise;
        format
    };
    // Who takes it is told.
    let mut world = between(noisy(Codec::Pcma, true), noisy(Codec::Pcmu, true));
    paused(&mut world, &mut Talker::new(CALLER, Codec::Pcma, 20), Some(50));
    let sent = world.take_sent(CALLEE);
    assert_one_stream(&sent);
    let noise: Vec<_> = sent.iter().filter(|sent| sent.header().payload_type == 13).collect();
    assert_eq!((noise.len(), noise[0].payload(), sent.len()), (1, &[50][..], 101));
    // Who does not hears it, from the moment the voice ends to the moment it begins.
    for codec in Codec::ALL {
        let mut world = between(noisy(Codec::Pcma, true), noisy(codec, false));
        paused(&mut world, &mut Talker::new(CALLER, Codec::Pcma, 20), Some(50));
        let sent = world.take_sent(CALLEE);
        assert_one_stream(&sent);
        assert!(sent.len().abs_diff(150) <= 1, "{codec:?}: {}", sent.len());
        let (rate, samples) = heard(codec, &sent);
        let second = rate as usize;
        let quiet =
            10.0 * (power(&samples[second * 11 / 10..second * 19 / 10]) / 32_768.0_f64.powi(2)).log10();
        assert!((quiet + 50.0).abs() < 4.0, "{codec:?}: {quiet}");
        let last = measure(rate, &samples[second * 22 / 10..second * 29 / 10], HERTZ);
        assert!(last.clean > 20.0, "{codec:?}: {last:?}");
        // What was said in the end comes when it came: nothing drifts.
        let (first, end) = (sent[0].header().timestamp, sent[sent.len() - 1].header().timestamp);
        let step = codec.clock_rate().hertz() / 50;
        assert!(end.wrapping_sub(first).abs_diff(149 * step) <= 2 * step, "{codec:?}");
    }
}

/// Who sends nothing while nothing is said, and says nothing of it (RFC 3551 §4.1).
#[test]
fn a_pause_of_which_nothing_is_said_is_as_long_there_and_then_a_talkspurt_begins() {
    for (from, to) in [(Codec::Pcma, Codec::G722), (Codec::G722, Codec::Opus), (Codec::Opus, Codec::Pcma)] {
        let mut world = between(only(from, 20), only(to, 30));
        paused(&mut world, &mut Talker::new(CALLER, from, 20), None);
        let sent = world.take_sent(CALLEE);
        assert_one_stream(&sent);
        let marked: Vec<usize> = (0..sent.len()).filter(|place| sent[*place].header().marker).collect();
        assert_eq!(marked.len(), 2, "{from:?} {to:?}: {marked:?}");
        let [first, second] = [0, marked[1]].map(|place| sent[place].header().timestamp);
        let rate = to.clock_rate().hertz();
        assert!(second.wrapping_sub(first).abs_diff(2 * rate) <= rate / 20, "{from:?} {to:?}");
    }
}

/// Opus says nothing while nothing is said (`usedtx`): others hear a quiet room, and no hole.
#[test]
fn pauses_of_opus_are_heard_as_quiet() {
    let mut world = between(only(Codec::Opus, 20), only(Codec::Pcma, 20));
    let mut caller = Talker::new(CALLER, Codec::Opus, 20);
    let mut encoder = opus::Encoder::new(OpusWishes { pauses: true, ..OpusWishes::default() }).unwrap();
    let mut was_said = true;
    let mut sent_to_us = 0;
    for n in 0..300_usize {
        let quiet = (60..240).contains(&n);
        let mut samples = [0; 320];
        for (place, sample) in samples.iter_mut().enumerate() {
            let time = (320 * n + place) as f64 / 16_000.0;
            *sample = if quiet { 0 } else { tone(time) as i16 };
        }
        let mut room = [0; 480];
        let length = encoder.encode(&samples, &mut room);
        // One packet says that nothing follows, as browsers do it.
        let payload = match length {
            Some(length) => room[..length].to_vec(),
            None => vec![room[0] & 0xF8],
        };
        if length.is_some() || was_said {
            sent_to_us += 1;
            caller.send(&mut world, &payload);
        } else {
            caller.phone.header.timestamp = caller.phone.header.timestamp.wrapping_add(960);
        }
        was_said = length.is_some();
        world.run(20);
    }
    assert!(sent_to_us < 220, "it pauses: {sent_to_us}");
    let sent = world.take_sent(CALLEE);
    assert_one_stream(&sent);
    assert!(sent.len().abs_diff(300) <= 4, "{}", sent.len());
    let (rate, samples) = heard(Codec::Pcma, &sent);
    assert!(power(&samples[8000 * 2..8000 * 4]).sqrt() < 100.0);
    let last = measure(rate, &samples[8000 * 5..samples.len() - 800], HERTZ);
    assert!(last.clean > 25.0, "{last:?}");
    assert!(sent.iter().skip(1).filter(|sent| sent.header().marker).count() <= 2);
}

/// What comes a while after a prompt or a key has the timestamp of its time.
#[test]
fn what_is_converted_follows_nothing_that_was_said_long_before() {
    for codec in [Codec::Opus, Codec::G722, Codec::Pcmu] {
        let mut world = between(only(Codec::Pcma, 20), only(codec, 20));
        let mut caller = Talker::new(CALLER, Codec::Pcma, 20);
        let rate = codec.clock_rate().hertz();
        let mut say = |world: &mut World| {
            let payload = caller.payload(tone);
            caller.send(world, &payload);
        };
        let talk = |world: &mut World| world.take_sent(CALLEE);
        say(&mut world);
        let mut before = talk(&mut world)[0].header();
        for other in ["prompt", "key"] {
            match other {
                "prompt" => world.play(CALLEE, &[2], false),
                _ => world.command(Command::Press { session: CALLER, digit: '4' }),
            }
            world.run(2000);
            let sent = talk(&mut world);
            assert!(!sent.is_empty());
            say(&mut world);
            let after = talk(&mut world)[0].header();
            let passed = after.timestamp.wrapping_sub(before.timestamp);
            assert!(after.marker && passed.abs_diff(2 * rate) <= rate / 20, "{codec:?} {other}: {passed}");
            before = after;
        }
    }
}

#[test]
fn long_packets_of_opus_are_encrypted_like_others() {
    let key = |octet| MasterKey([octet; MASTER_LENGTH]);
    let srtp = Srtp {
        suite: Suite::AesCm128HmacSha1_80,
        send: key(1),
        receive: key(2),
        life: rtp::srtp::LONGEST_LIFE,
        rollovers: 0,
    };
    for (from, to) in [(Codec::Opus, Codec::Opus), (Codec::Pcma, Codec::Opus), (Codec::Opus, Codec::G722)] {
        let mut world = between(only(from, 20), only(to, 60));
        for (session, address, codec, ptime) in
            [(CALLER, caller_address(), from, 20), (CALLEE, callee_address(), to, 60)]
        {
            let agreed =
                Media { format: only(codec, ptime), srtp: Some(srtp), ..media(address, Codec::Pcma) };
            world.command(Command::Update { session, media: agreed });
        }
        let (mut ours, mut theirs) =
            (Sender::new(srtp.suite, &srtp.receive), Receiver::new(srtp.suite, &srtp.send, srtp.life));
        let mut caller = Talker::new(CALLER, from, 20);
        for _ in 0..120 {
            let payload = caller.payload(tone);
            let plain = [&caller.phone.header.write()[..], &payload].concat();
            let mut room = [0; 1500];
            let packet = ours.protect(&plain, &mut room).unwrap();
            world.packet(CALLER, caller_address(), packet);
            caller.withhold();
            world.run(20);
        }
        let sent: Vec<Sent> = world
            .take_sent(CALLEE)
            .into_iter()
            .map(|mut sent| {
                let length = theirs.unprotect(&mut sent.bytes).expect("it is ours");
                sent.bytes.truncate(length);
                sent
            })
            .collect();
        assert_one_stream(&sent);
        assert!(sent.iter().all(|sent| sent.header().payload_type == payload_type(to)));
        let (rate, samples) = heard(to, &sent);
        let tone = measure(rate, &samples[(rate * 0.3) as usize..], HERTZ);
        assert!((tone.hertz - HERTZ).abs() < 0.5 && tone.clean > 25.0, "{from:?} {to:?}: {tone:?}");
    }
}
