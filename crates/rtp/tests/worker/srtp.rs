//! Sessions whose packets are protected (RFC 3711), and what does not prove itself to them.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rtp::srtp::{LONGEST_LIFE, MASTER_LENGTH, Receiver, Sender};
use rtp::{
    Codec, Command, Compound, Header, Law, MasterKey, Media, Remote, Report, SessionId, Srtp, Statistics,
    Suite, g711,
};

use crate::world::{
    CALLEE, CALLER, Phone, Sent, World, assert_one_stream, callee_address, caller_address, media,
};

const LONG: Suite = Suite::AesCm128HmacSha1_80;
const SHORT: Suite = Suite::AesCm128HmacSha1_32;
const GCM: Suite = Suite::AeadAes128Gcm;
const LONG_GCM: Suite = Suite::AeadAes256Gcm;
const REPORT: [u8; 8] = [0x80, 201, 0, 1, 0xCA, 0x11, 0xE5, 0];

fn key(octet: u8) -> MasterKey {
    MasterKey([octet; MASTER_LENGTH])
}

/// The phone's keys as our side has them.
fn agreed(suite: Suite, octet: u8) -> Srtp {
    Srtp { suite, send: key(octet), receive: key(octet + 1), life: LONGEST_LIFE, rollovers: 0 }
}

fn secured(media: Media, srtp: Srtp) -> Media {
    Media { srtp: Some(srtp), ..media }
}

/// A phone that protects.
struct Secured {
    phone: Phone,
    sender: Sender,
    receiver: Receiver,
}

impl Secured {
    fn new(phone: Phone, srtp: Srtp) -> Self {
        let (sender, receiver) = (&srtp.receive, &srtp.send);
        Self {
            phone,
            sender: Sender::new(srtp.suite, sender),
            receiver: Receiver::new(srtp.suite, receiver, LONGEST_LIFE),
        }
    }

    /// The next packet as it goes out.
    fn protected(&mut self, payload: &[u8]) -> Vec<u8> {
        let header = &mut self.phone.header;
        let plain = [&header.write()[..], payload].concat();
        header.sequence = header.sequence.wrapping_add(1);
        header.timestamp = header.timestamp.wrapping_add(160);
        self.sender.protect(&plain, &mut [0; 1500]).unwrap().to_vec()
    }

    fn speak(&mut self, world: &mut World, level: i16) {
        let packet = self.protected(&[g711::encode(self.phone.law.law().expect("it is G.711"), level); 160]);
        world.packet(self.phone.session, self.phone.address, &packet);
        world.run(20);
    }

    fn press(&mut self, world: &mut World, code: u8) {
        let (law, started) = (self.phone.header.payload_type, self.phone.header.timestamp);
        self.phone.header.payload_type = crate::world::EVENTS;
        for n in 1..=6u16 {
            let event = rtp::Event { code, end: n > 3, volume: 10, duration: 160 * n };
            self.phone.header.timestamp = started;
            let packet = self.protected(&event.write());
            world.packet(self.phone.session, self.phone.address, &packet);
            world.run(20);
        }
        self.phone.header.payload_type = law;
        self.phone.header.timestamp = started.wrapping_add(160 * 6);
    }

    fn report(&mut self, world: &mut World) {
        let report = self.sender.protect_control(&REPORT, &mut [0; 1500]).unwrap().to_vec();
        let address = self.phone.address;
        world.control(self.phone.session, (address.ip(), address.port() + 1).into(), &report);
    }

    /// What was sent to it, as it hears it.
    fn heard(&mut self, world: &mut World) -> Vec<Sent> {
        let mut sent = world.take_sent(self.phone.session);
        for sent in &mut sent {
            let length = self.receiver.unprotect(&mut sent.bytes).expect("it is protected");
            sent.bytes.truncate(length);
        }
        sent
    }
}

/// The level of each packet that is audio.
fn levels(sent: &[Sent], law: Codec) -> Vec<i16> {
    let audio = sent.iter().filter(|sent| sent.payload().len() == 160);
    audio.map(|sent| g711::decode(law.law().expect("it is G.711"), sent.payload()[0]) / 900).collect()
}

/// Caller and callee as given, bridged.
fn bridged(caller: Option<Srtp>, callee: Option<Srtp>) -> World {
    let mut world = World::new();
    world.open(CALLER, Media { srtp: caller, ..media(caller_address(), Codec::Pcma) });
    world.open(CALLEE, Media { srtp: callee, ..media(callee_address(), Codec::Pcmu) });
    world.command(Command::Bridge { first: CALLER, second: CALLEE });
    world
}

fn unproven(statistics: &Statistics) -> (u64, u64) {
    (statistics.packets_received, statistics.unproven)
}

#[test]
fn voice_and_keys_pass_between_any_two_kinds_of_legs() {
    for (one, other) in [(LONG, LONG), (LONG, SHORT), (SHORT, GCM), (GCM, LONG_GCM), (LONG_GCM, LONG)] {
        let (first, second) = (agreed(one, 1), agreed(other, 3));
        let mut world = bridged(Some(first), Some(second));
        let mut caller = Secured::new(Phone::caller(), first);
        let mut callee = Secured::new(Phone::callee(Codec::Pcmu), second);
        for _ in 0..10 {
            caller.speak(&mut world, 5000);
            callee.speak(&mut world, 8000);
        }
        caller.press(&mut world, 7);
        world.run(200);
        caller.speak(&mut world, 5000);
        assert_eq!(world.digits(CALLER), "7");
        let to_callee = callee.heard(&mut world);
        assert_one_stream(&to_callee);
        assert_eq!(levels(&to_callee, Codec::Pcmu), [5; 11]);
        let event = to_callee.iter().find(|sent| sent.payload().len() == 4).expect("the key went on");
        assert_eq!(event.event().code, 7);
        assert_eq!(levels(&caller.heard(&mut world), Codec::Pcma), [8; 10]);
        let statistics = world.close(CALLER);
        assert_eq!((statistics.srtp, unproven(&statistics)), (Some(one), (17, 0)));
        assert_eq!(world.close(CALLEE).srtp, Some(other));
    }
}

#[test]
fn a_secured_leg_and_a_plain_one_hear_each_other() {
    let srtp = agreed(LONG, 1);
    let mut world = bridged(Some(srtp), None);
    let mut caller = Secured::new(Phone::caller(), srtp);
    let mut callee = Phone::callee(Codec::Pcmu);
    for _ in 0..10 {
        caller.speak(&mut world, 5000);
        callee.speak(&mut world, 160, 8000);
    }
    assert_eq!(levels(&world.take_sent(CALLEE), Codec::Pcmu), [5; 10]);
    assert_eq!(levels(&caller.heard(&mut world), Codec::Pcma), [8; 10]);
    assert_eq!((world.close(CALLER).srtp, world.close(CALLEE).srtp), (Some(LONG), None));
}

#[test]
fn prompts_and_reports_are_protected_over_the_end_of_the_sequence() {
    let srtp = agreed(LONG, 1);
    let mut world = World::new();
    world.open(CALLER, secured(media(caller_address(), Codec::Pcma), srtp));
    let mut caller = Secured::new(Phone::caller(), srtp);
    world.play(CALLER, &[9], true);
    let mut packets = 0;
    for _ in 0..150 {
        world.run(10_000);
        caller.speak(&mut world, 0);
        let heard = caller.heard(&mut world);
        assert!(heard.iter().all(|sent| sent.payload()[0] == g711::encode(Law::A, 9000)));
        packets += heard.len();
    }
    assert!(packets > 70_000, "{packets}");
    assert!(world.wire.controls.len() > 200);
    caller.report(&mut world);
    world.close(CALLER);
    for sent in &mut world.wire.controls {
        assert!(!sent.bytes[8..].windows(4).any(|four| four == [0x81, 202, 0, 6]), "a CNAME in the clear");
        let length = caller.receiver.unprotect_control(&mut sent.bytes).expect("it is protected");
        Compound::parse(&sent.bytes[..length]).expect("it is RTCP");
    }
}

/// Whatever is not proved: in the clear, harmed, made with another key, played again.
fn strange_packets(known: &[u8]) -> Vec<Vec<u8>> {
    let header = Header { marker: false, payload_type: 8, sequence: 5001, timestamp: 7, ssrc: 0xCA11_E500 };
    let plain = [&header.write()[..], &[0xD5; 160]].concat();
    let stranger = Sender::new(LONG, &key(77)).protect(&plain, &mut [0; 1500]).unwrap().to_vec();
    let mut harmed = known.to_vec();
    harmed[40] ^= 1;
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut strange = vec![plain, stranger, harmed];
    strange.extend((0..known.len()).map(|length| known[..length].to_vec()));
    strange.extend((0..500).map(|_| {
        let mut bytes = vec![0; random.next_u32() as usize % 300];
        random.fill_bytes(&mut bytes);
        bytes
    }));
    strange
}

#[test]
fn nothing_is_learnt_counted_or_heard_of_a_packet_that_is_not_proved() {
    let srtp = agreed(LONG, 1);
    let mut world = bridged(Some(srtp), None);
    let mut caller = Secured::new(Phone::caller(), srtp);
    let known = caller.protected(&[0xD5; 160]);
    let strange = strange_packets(&known);
    // From another port of the same host, which the first packet would teach us.
    let elsewhere = (caller_address().ip(), 41_000).into();
    for bytes in &strange {
        world.packet(CALLER, elsewhere, bytes);
    }
    assert!(world.take_sent(CALLEE).is_empty());
    world.packet(CALLER, caller_address(), &known);
    assert_eq!(world.take_sent(CALLEE).len(), 1);
    // Nor later: what was heard before is not heard again, and a digit that is not proved is none.
    for bytes in strange.iter().chain([&known]) {
        world.packet(CALLER, caller_address(), bytes);
    }
    let mut phone = caller.phone.clone();
    phone.press(&mut world, 5, 5);
    assert!(world.take_sent(CALLEE).is_empty());
    assert_eq!(world.digits(CALLER), "");
    let statistics = world.close(CALLER);
    assert_eq!(unproven(&statistics), (1, 2 * strange.len() as u64 + 1 + 7));
    assert_eq!((statistics.bytes_received, statistics.lost, statistics.foreign), (160, 0, 0));
}

#[test]
fn whoever_cannot_prove_packets_does_not_keep_a_call_alive() {
    let srtp = agreed(SHORT, 1);
    let mut world = World::new();
    world.open(CALLER, secured(media(caller_address(), Codec::Pcma), srtp));
    let mut caller = Phone::caller();
    for _ in 0..31 {
        caller.talk(&mut world, 50);
        world.control(CALLER, "192.0.2.11:40001".parse().unwrap(), &REPORT);
    }
    let silent = |(_, report): &(_, Report)| *report == Report::Silent { session: CALLER };
    assert!(world.wire.reports.iter().any(silent));
    assert_eq!(unproven(&world.close(CALLER)), (0, 31 * 51));
}

#[test]
fn reports_are_learnt_from_once_they_are_proved() {
    let srtp = agreed(LONG, 1);
    let mut world = World::new();
    world.open(CALLER, secured(media(caller_address(), Codec::Pcma), srtp));
    world.control(CALLER, "192.0.2.11:41001".parse().unwrap(), &REPORT);
    let mut caller = Secured::new(Phone::caller(), srtp);
    caller.phone.address = "192.0.2.11:42000".parse().unwrap();
    caller.report(&mut world);
    world.run(10_000);
    assert!(world.wire.controls.iter().all(|sent| sent.to == "192.0.2.11:42001".parse().unwrap()));
    assert!(!world.wire.controls.is_empty());
    assert_eq!(world.close(CALLER).unproven, 1);
}

#[test]
fn a_new_description_with_the_same_keys_changes_nothing_and_one_with_new_keys_does() {
    let (before, after) = (agreed(LONG, 1), agreed(SHORT, 5));
    let mut world = bridged(Some(before), None);
    let mut caller = Secured::new(Phone::caller(), before);
    let known = caller.protected(&[0xD5; 160]);
    world.packet(CALLER, caller_address(), &known);
    let update = |world: &mut World, srtp| {
        let media = secured(media(caller_address(), Codec::Pcma), srtp);
        world.command(Command::Update { session: CALLER, media });
    };
    update(&mut world, before);
    world.packet(CALLER, caller_address(), &known);
    caller.speak(&mut world, 5000);
    assert_eq!(world.take_sent(CALLEE).len(), 2, "what was heard before is not heard again");
    update(&mut world, after);
    caller.speak(&mut world, 5000);
    assert!(world.take_sent(CALLEE).is_empty(), "the old key is no more");
    let mut caller = Secured::new(caller.phone, after);
    caller.speak(&mut world, 5000);
    Phone::callee(Codec::Pcmu).talk(&mut world, 3);
    assert_eq!(world.take_sent(CALLEE).len(), 1);
    assert_eq!(caller.heard(&mut world).len(), 3);
    let statistics = world.close(CALLER);
    assert_eq!((statistics.srtp, unproven(&statistics)), (Some(SHORT), (3, 2)));
}

#[test]
fn a_key_whose_life_is_over_says_nothing_more_until_there_is_a_new_one() {
    let (worn, fresh) = (Srtp { life: 5, ..agreed(GCM, 1) }, agreed(GCM, 5));
    let mut world = bridged(Some(worn), None);
    let mut caller = Secured::new(Phone::caller(), worn);
    for _ in 0..8 {
        caller.speak(&mut world, 5000);
    }
    // The same description again gives the key no second life.
    world.command(Command::Update {
        session: CALLER,
        media: secured(media(caller_address(), Codec::Pcma), worn),
    });
    caller.speak(&mut world, 5000);
    let heard = |world: &mut World| levels(&world.take_sent(CALLEE), Codec::Pcmu).len();
    assert_eq!(heard(&mut world), 5);
    world.command(Command::Update {
        session: CALLER,
        media: secured(media(caller_address(), Codec::Pcma), fresh),
    });
    let mut caller = Secured::new(caller.phone, fresh);
    caller.speak(&mut world, 5000);
    assert_eq!(heard(&mut world), 1);
    assert_eq!(unproven(&world.close(CALLER)), (6, 4));
}

#[test]
fn a_phone_that_changes_its_source_is_heard_on() {
    let srtp = agreed(LONG, 1);
    let mut world = bridged(Some(srtp), None);
    let mut caller = Secured::new(Phone::caller(), srtp);
    for ssrc in 1..=5 {
        caller.phone.header = Header { ssrc, sequence: (9999 * ssrc) as u16, ..caller.phone.header };
        for _ in 0..5 {
            caller.speak(&mut world, 5000);
        }
    }
    let sent = world.take_sent(CALLEE);
    assert_one_stream(&sent);
    assert_eq!(sent.len(), 25);
}

#[test]
fn a_leg_on_which_anything_went_in_the_clear_is_not_said_to_have_been_protected() {
    let plain = |session: SessionId| match session {
        CALLER => media(caller_address(), Codec::Pcma),
        _ => media(callee_address(), Codec::Pcmu),
    };
    let srtp = agreed(LONG, 1);
    let mut world = bridged(None, None);
    Phone::caller().speak(&mut world, 160, 5000);
    for session in [CALLER, CALLEE] {
        world.command(Command::Update { session, media: secured(plain(session), srtp) });
        assert_eq!(world.close(session).srtp, None);
    }
    // Where nothing had gone yet, all of it is.
    world.open(CALLER, Media { remote: None, ..plain(CALLER) });
    world.command(Command::Update { session: CALLER, media: secured(plain(CALLER), srtp) });
    assert_eq!(world.close(CALLER).srtp, Some(LONG));
}

#[test]
fn reports_that_share_the_port_are_protected_as_well() {
    let srtp = agreed(LONG, 1);
    let mut world = World::new();
    let mut shared = secured(media(caller_address(), Codec::Pcma), srtp);
    shared.remote = Some(Remote { rtp: caller_address(), rtcp: caller_address() });
    world.open(CALLER, shared);
    let mut caller = Secured::new(Phone::caller(), srtp);
    caller.speak(&mut world, 5000);
    // One in the clear, and one that proves itself.
    world.packet(CALLER, caller_address(), &REPORT);
    let report = caller.sender.protect_control(&REPORT, &mut [0; 1500]).unwrap().to_vec();
    world.packet(CALLER, caller_address(), &report);
    world.run(10_000);
    assert!(world.wire.controls.is_empty() && !world.wire.shared.is_empty());
    for sent in &mut world.wire.shared {
        let length = caller.receiver.unprotect_control(&mut sent.bytes).expect("it is protected");
        Compound::parse(&sent.bytes[..length]).expect("it is RTCP");
    }
    assert_eq!(unproven(&world.close(CALLER)), (1, 1));
}
