//! Keys as tones in the audio, heard and sent, and keys by message.

use std::f64::consts::TAU;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rtp::{Codec, Command, Event, Header, Law, Media, SessionId, Settings, Worker, g711, telephone_event};

use crate::digits::events;
use crate::world::{
    CALLEE, CALLER, EVENTS, Phone, Sent, World, assert_one_stream, callee_address, caller_address, library,
    media, settings,
};

const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f64; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
const KEYPAD: [&str; 4] = ["123A", "456B", "789C", "*0#D"];

/// A key for so many milliseconds, at -10 dBm0 a tone.
fn tones(key: char, milliseconds: u32) -> Vec<i16> {
    let row = KEYPAD.iter().position(|row| row.contains(key)).unwrap();
    let column = KEYPAD[row].find(key).unwrap();
    let sine = |hertz: f64, n: u32| 7200.0 * (TAU * hertz * f64::from(n) / 8000.0).sin();
    (0..8 * milliseconds).map(|n| (sine(ROWS[row], n) + sine(COLUMNS[column], n)) as i16).collect()
}

fn silence(milliseconds: usize) -> Vec<i16> {
    vec![0; 8 * milliseconds]
}

/// Keys one after the other, 100 ms each, and as long between them.
fn keyed(keys: &str) -> Vec<i16> {
    keys.chars().flat_map(|key| [tones(key, 100), silence(100)].concat()).collect()
}

/// What was agreed with someone who neither sends events nor takes them.
fn without_events(mut media: Media) -> Media {
    media.format.event_receive = None;
    media.format.event_send = None;
    media
}

fn says(phone: &mut Phone, world: &mut World, samples: &[i16]) {
    for samples in samples.chunks(160) {
        let payload: Vec<u8> = samples
            .iter()
            .map(|sample| g711::encode(phone.law.law().expect("it is G.711"), *sample))
            .collect();
        phone.send(world, &payload);
        phone.header.timestamp = phone.header.timestamp.wrapping_add(payload.len() as u32);
        world.run(20);
    }
}

/// Two who are bridged; `true`: takes and sends events.
fn bridged(caller: bool, callee: bool) -> World {
    let mut world = World::bridged(Codec::Pcmu);
    let parties = [
        (CALLER, media(caller_address(), Codec::Pcma), caller),
        (CALLEE, media(callee_address(), Codec::Pcmu), callee),
    ];
    for (session, media, events) in parties {
        let media = if events { media } else { without_events(media) };
        world.command(Command::Update { session, media });
    }
    world
}

/// The keys in what was sent, as another node would hear them.
fn keys_in(sent: &[Sent], law: Codec) -> String {
    let mut world = World::new();
    world.open(CALLER, without_events(media(caller_address(), law)));
    for sent in sent {
        world.run_until(sent.at);
        world.packet(CALLER, caller_address(), &sent.bytes);
    }
    world.digits(CALLER)
}

#[test]
fn a_caller_without_events_keys_in_the_audio_whatever_plays() {
    for law in [Codec::Pcma, Codec::Pcmu] {
        let mut world = World::new();
        world.open(CALLER, without_events(media(caller_address(), law)));
        world.play(CALLER, &[9], true);
        let mut caller = Phone { law, ..Phone::caller() };
        caller.header.payload_type = media(caller_address(), law).format.send.1;
        says(&mut caller, &mut world, &keyed("1234567890*#ABCD55"));
        assert_eq!(world.digits(CALLER), "1234567890*#ABCD55", "{law:?}");
    }
}

#[test]
fn where_events_were_agreed_or_it_is_turned_off_nobody_listens() {
    let mut world = World::with_call(Codec::Pcma);
    says(&mut Phone::caller(), &mut world, &keyed("12345"));
    assert_eq!(world.digits(CALLER), "");
    let settings = Settings { inband: false, ..settings() };
    world.worker = Worker::new(settings, Arc::new(library()), [42; 32]);
    world.open(CALLER, without_events(media(caller_address(), Codec::Pcma)));
    says(&mut Phone::caller(), &mut world, &keyed("12345"));
    assert_eq!(world.digits(CALLER), "");
}

#[test]
fn who_agrees_on_events_later_is_listened_to_no_longer() {
    let mut world = bridged(false, true);
    let mut caller = Phone::caller();
    says(&mut caller, &mut world, &keyed("1"));
    let media = media(caller_address(), Codec::Pcma);
    world.command(Command::Update { session: CALLER, media: without_events(media) });
    says(&mut caller, &mut world, &keyed("2"));
    world.command(Command::Update { session: CALLER, media });
    says(&mut caller, &mut world, &keyed("3"));
    assert_eq!(world.digits(CALLER), "12");
}

#[test]
fn tones_from_elsewhere_and_packets_doubled_or_overtaken_are_no_keys() {
    let mut world = World::new();
    world.open(CALLER, without_events(media(caller_address(), Codec::Pcma)));
    let mut stranger = Phone { address: "192.0.2.66:40000".parse().unwrap(), ..Phone::caller() };
    says(&mut stranger, &mut world, &keyed("5"));
    assert_eq!(world.digits(CALLER), "");
    let mut caller = Phone::caller();
    for (n, samples) in [keyed("55"), silence(200)].concat().chunks(160).enumerate() {
        let payload: Vec<u8> = samples.iter().map(|sample| g711::encode(Law::A, *sample)).collect();
        let before = caller.header;
        caller.send(&mut world, &payload);
        let after = caller.header;
        // Again, and the first of a press again much later.
        caller.header = before;
        caller.send(&mut world, &payload);
        caller.header = Header { timestamp: after.timestamp.wrapping_add(160), ..after };
        world.run(if n % 2 == 0 { 35 } else { 5 });
    }
    assert_eq!(world.digits(CALLER), "55");
}

#[test]
fn tones_go_on_as_one_event_and_are_not_heard_beside_it() {
    let mut world = bridged(false, true);
    let mut caller = Phone::caller();
    says(&mut caller, &mut world, &silence(100));
    says(&mut caller, &mut world, &tones('8', 300));
    says(&mut caller, &mut world, &silence(400));
    assert_eq!(world.digits(CALLER), "8");
    let sent = world.take_sent(CALLEE);
    assert_one_stream(&sent);
    let events = events(&sent);
    let (first, _) = events[0];
    assert!(first.marker && events[1..].iter().all(|(header, _)| !header.marker));
    assert!(events.iter().all(|(header, event)| header.timestamp == first.timestamp && event.code == 8));
    let ends: Vec<Event> = events.iter().map(|(_, event)| *event).filter(|event| event.end).collect();
    assert_eq!(ends.len(), 3);
    // As long as theirs, but for what it took to know it and to know that it was over.
    assert!(ends[0].duration.abs_diff(8 * 300) <= 8 * 40, "{:?}", ends[0]);
    let loud = |sent: &&Sent| {
        let is_audio = sent.header().payload_type != EVENTS;
        is_audio && sent.payload().iter().any(|octet| g711::decode(Law::Mu, *octet).abs() > 1000)
    };
    assert!(sent.iter().filter(loud).count() <= 2, "what came before it was known to be a key");
    assert_eq!(keys_in(&sent, Codec::Pcmu), "", "nobody hears it twice");
    let audio = sent.iter().rev().take_while(|sent| sent.header().payload_type != EVENTS).count();
    assert!(audio > 10, "their voice comes back");
}

#[test]
fn tones_to_someone_without_events_pass_as_they_are() {
    let mut world = bridged(false, false);
    let said = keyed("159#");
    says(&mut Phone::caller(), &mut world, &said);
    assert_eq!(world.digits(CALLER), "159#");
    let sent = world.take_sent(CALLEE);
    assert_eq!(sent.len(), said.len() / 160);
    assert_one_stream(&sent);
    let heard = sent.iter().flat_map(|sent| sent.payload().to_vec());
    for (heard, said) in heard.zip(said) {
        let heard = g711::decode(Law::Mu, heard);
        assert!(heard.abs_diff(said) <= 16 + said.unsigned_abs() / 8, "{heard} for {said}");
    }
    assert_eq!(keys_in(&sent, Codec::Pcmu), "159#");
}

#[test]
fn events_to_someone_without_them_are_tones_in_place_of_the_audio() {
    for ptime in [10, 20, 30, 60] {
        let mut world = bridged(true, false);
        let mut media = without_events(media(callee_address(), Codec::Pcmu));
        media.format.ptime = ptime;
        world.command(Command::Update { session: CALLEE, media });
        let mut caller = Phone::caller();
        caller.talk(&mut world, 10);
        // The same key again and again, with little between, and shorter than what is sent for it.
        for code in [5, 5, 5, 11, 0] {
            caller.press(&mut world, code, 2);
            caller.talk(&mut world, 1);
        }
        caller.press(&mut world, 9, 30);
        caller.talk(&mut world, 40);
        assert_eq!(world.digits(CALLER), "555#09");
        let sent = world.take_sent(CALLEE);
        assert_one_stream(&sent);
        assert!(events(&sent).is_empty());
        assert_eq!(keys_in(&sent, Codec::Pcmu), "555#09", "{ptime}");
        let markers = sent.iter().filter(|sent| sent.header().marker).count();
        assert!((7..=14).contains(&markers), "{markers}: each press, and the voice behind it");
    }
}

#[test]
fn a_key_held_long_sounds_as_long() {
    let mut world = bridged(true, false);
    let mut caller = Phone::caller();
    caller.press(&mut world, 5, 50);
    caller.talk(&mut world, 40);
    let sent = world.take_sent(CALLEE);
    let loud = sent
        .iter()
        .filter(|sent| sent.payload().iter().any(|octet| g711::decode(Law::Mu, *octet).abs() > 10_000));
    let loud = loud.count();
    assert!((50..=53).contains(&loud), "{loud}");
}

#[test]
fn a_prompt_that_begins_during_tones_ends_them_first() {
    let mut world = bridged(true, false);
    let mut caller = Phone::caller();
    caller.header.payload_type = EVENTS;
    caller.send(&mut world, &Event { code: 5, end: false, volume: 10, duration: 160 }.write());
    world.run(70);
    world.play(CALLEE, &[1], false);
    world.run(300);
    let sent = world.take_sent(CALLEE);
    assert_one_stream(&sent);
    assert_eq!(sent.len(), 4 + 1 + 5, "four that sound, one in which it fades, the prompt");
}

fn message(world: &mut World, session: SessionId, digit: char) {
    world.command(Command::Press { session, digit });
}

#[test]
fn a_key_by_message_goes_on_as_the_other_side_understands_it() {
    let mut world = bridged(true, true);
    for digit in "4#".chars() {
        message(&mut world, CALLER, digit);
        world.run(400);
    }
    message(&mut world, CALLER, 'x');
    world.run(400);
    assert_eq!(world.digits(CALLER), "4#");
    let events = events(&world.take_sent(CALLEE));
    let ends: Vec<u8> = events.iter().filter(|(_, event)| event.end).map(|(_, event)| event.code).collect();
    assert_eq!(ends, [4, 4, 4, 11, 11, 11]);
    let mut world = bridged(true, false);
    for digit in "4#".chars() {
        message(&mut world, CALLER, digit);
        world.run(400);
    }
    assert_eq!(keys_in(&world.take_sent(CALLEE), Codec::Pcmu), "4#");
}

#[test]
fn before_the_bridge_a_key_by_message_is_told_and_sent_to_nobody() {
    let mut world = World::with_call(Codec::Pcma);
    message(&mut world, CALLER, '7');
    message(&mut world, SessionId(99), '7');
    world.run(400);
    assert_eq!(world.digits(CALLER), "7");
    assert_eq!(world.take_sent(CALLEE), []);
}

/// Presses a key of so many milliseconds by its media and by message, so long after its beginning.
fn both_ways(world: &mut World, caller: &mut Phone, events: bool, key: char, message_at: usize) {
    let code = telephone_event::code(key).unwrap();
    let said = [tones(key, 200), silence(200)].concat();
    let start = caller.header.timestamp;
    for (n, samples) in said.chunks(160).enumerate() {
        if n == message_at {
            message(world, CALLER, key);
        }
        if events && n < 13 {
            let audio = caller.header;
            let event = Event { code, end: n > 9, volume: 10, duration: 160 * (n.min(9) as u16 + 1) };
            caller.header = Header { payload_type: EVENTS, timestamp: start, marker: n == 0, ..audio };
            caller.send(world, &event.write());
            caller.header = Header {
                sequence: caller.header.sequence,
                timestamp: audio.timestamp.wrapping_add(160),
                ..audio
            };
            world.run(20);
        } else {
            let samples = if events { &[0; 160][..] } else { samples };
            says(caller, world, samples);
        }
    }
}

#[test]
fn a_key_that_comes_by_two_ways_is_one_key_whoever_takes_it() {
    for (from, to) in [(true, true), (true, false), (false, true), (false, false)] {
        for message_at in [0, 1, 4, 12, 18] {
            let mut world = bridged(from, to);
            let mut caller = Phone::caller();
            for key in "5577".chars() {
                both_ways(&mut world, &mut caller, from, key, message_at);
            }
            let what = format!("{from} to {to}, message at {message_at}");
            assert_eq!(world.digits(CALLER), "5577", "{what}");
            let sent = world.take_sent(CALLEE);
            assert_one_stream(&sent);
            let told = if to {
                let firsts = events(&sent).into_iter().filter(|(header, _)| header.marker);
                let told = firsts.filter_map(|(_, event)| telephone_event::key(event.code)).collect();
                assert_eq!(keys_in(&sent, Codec::Pcmu), "", "{what}");
                told
            } else {
                keys_in(&sent, Codec::Pcmu)
            };
            assert_eq!(told, "5577", "{what}");
        }
    }
}

/// The samples of a recording of the project's.
fn recording(path: &Path) -> Vec<i16> {
    let bytes = std::fs::read(path).unwrap();
    let data = bytes.windows(4).position(|word| word == b"data").unwrap() + 8;
    bytes[data..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

#[test]
fn keys_are_heard_above_the_echo_of_what_plays() {
    let prompt = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../prompts/ru/start.wav");
    let keys = "1234567890*#12345";
    let said: Vec<i16> =
        keyed(keys).iter().zip(recording(&prompt)).map(|(key, echo)| key + echo / 4).collect();
    assert_eq!(said.len(), keyed(keys).len(), "the prompt is long enough");
    let mut world = World::new();
    world.open(CALLER, without_events(media(caller_address(), Codec::Pcma)));
    says(&mut Phone::caller(), &mut world, &said);
    assert_eq!(world.digits(CALLER), keys);
}

#[test]
fn no_prompt_and_no_music_has_a_key_in_it() {
    let mut heard = Duration::ZERO;
    for language in ["ru", "en"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../prompts").join(language);
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "wav") {
                continue;
            }
            let samples = recording(&path);
            heard += Duration::from_millis(samples.len() as u64 / 8);
            // As it is, as its echo, and louder than it should be.
            for (law, gain) in
                [(Codec::Pcma, 1.0), (Codec::Pcmu, 1.0), (Codec::Pcma, 0.1), (Codec::Pcmu, 3.0)]
            {
                let samples: Vec<i16> =
                    samples.iter().map(|sample| (f64::from(*sample) * gain) as i16).collect();
                let mut world = World::new();
                world.open(CALLER, without_events(media(caller_address(), law)));
                let mut caller = Phone { law, ..Phone::caller() };
                caller.header.payload_type = media(caller_address(), law).format.send.1;
                says(&mut caller, &mut world, &samples);
                assert_eq!(world.digits(CALLER), "", "{} {law:?} {gain}", path.display());
            }
        }
    }
    assert!(heard > Duration::from_secs(120), "{heard:?}");
}
