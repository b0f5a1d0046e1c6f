//! Two sessions that hear each other.

use rtp::{Codec, Command, Direction, Header, Law, g711};

use crate::world::{
    CALLEE, CALLER, Phone, World, assert_one_stream, callee_address, caller_address, media, port,
};

#[test]
fn prompt_peer_prompt_and_peer_are_one_stream() {
    let mut world = World::with_call(Codec::Pcma);
    let mut callee = Phone::callee(Codec::Pcma);
    world.play(CALLER, &[1], false);
    world.run(200);
    world.play(CALLER, &[9], true);
    world.run(315);
    world.command(Command::Stop { session: CALLER });
    world.command(Command::Bridge { first: CALLER, second: CALLEE });
    callee.talk(&mut world, 20);
    // An overlay, and back by itself.
    world.play(CALLER, &[1], false);
    callee.talk(&mut world, 20);
    let sent = world.take_sent(CALLER);
    assert_one_stream(&sent);
    assert!(sent.iter().all(|sent| sent.to == caller_address() && sent.port == port(CALLER)));
    let levels: Vec<i16> = sent.iter().map(|sent| g711::decode(Law::A, sent.payload()[0]) / 900).collect();
    let mut changes = levels.clone();
    changes.dedup();
    assert_eq!(changes, [1, 9, 5, 1, 5]);
    // The first packet of each: a marker, and only there.
    for (place, sent) in sent.iter().enumerate() {
        let switches = place == 0 || levels[place] != levels[place - 1];
        assert_eq!(sent.header().marker, switches, "{place}");
    }
    // The media clock ran through it all: what was sent last lies where its time says.
    let (first, last) = (&sent[0], &sent[sent.len() - 1]);
    let passed = last.header().timestamp.wrapping_sub(first.header().timestamp);
    let time = last.at.since(first.at).as_millis() as u32 * 8;
    assert!(passed.abs_diff(time) <= 160, "{passed} in {time}");
}

#[test]
fn packets_go_out_at_once_both_ways_each_in_its_law() {
    let mut world = World::bridged(Codec::Pcmu);
    let (mut caller, mut callee) = (Phone::caller(), Phone::callee(Codec::Pcmu));
    world.run(3);
    caller.speak(&mut world, 160, 5000);
    callee.speak(&mut world, 240, -7000);
    let to_callee = world.take_sent(CALLEE);
    let to_caller = world.take_sent(CALLER);
    assert_eq!((to_callee.len(), to_caller.len()), (1, 1));
    assert_eq!((to_callee[0].to, to_callee[0].header().payload_type), (callee_address(), 0));
    assert_eq!((to_caller[0].to, to_caller[0].header().payload_type), (caller_address(), 8));
    let levels =
        |law: Law, payload: &[u8]| payload.iter().map(|octet| g711::decode(law, *octet)).collect::<Vec<_>>();
    let to_callee = levels(Law::Mu, to_callee[0].payload());
    assert!(
        to_callee.len() == 160 && to_callee.iter().all(|level| (level - 5000).abs() < 200),
        "{to_callee:?}"
    );
    let to_caller = levels(Law::A, to_caller[0].payload());
    assert!(
        to_caller.len() == 240 && to_caller.iter().all(|level| (level + 7000).abs() < 300),
        "{to_caller:?}"
    );
}

#[test]
fn nothing_of_a_header_crosses_over() {
    let mut world = World::bridged(Codec::Pcma);
    let mut caller = Phone::caller();
    let mut bytes = caller.header.write().to_vec();
    // Padding, extension, two contributing sources.
    bytes[0] = 0xB2;
    bytes.extend_from_slice(b"CANACANB\xBE\xDE\x00\x02CANCCAND");
    bytes.extend_from_slice(&[0x11; 160]);
    bytes.extend_from_slice(b"CAN\x04");
    world.packet(CALLER, caller_address(), &bytes);
    caller.header.sequence += 1;
    caller.header.timestamp += 160;
    caller.speak(&mut world, 160, 1);
    let sent = world.take_sent(CALLEE);
    assert_eq!(sent[0].bytes.len(), 172);
    assert_eq!(sent[0].payload(), [0x11; 160]);
    for sent in &sent {
        assert!(!sent.bytes.windows(3).any(|octets| octets == b"CAN"));
        let header = sent.header();
        assert_ne!(header.ssrc, caller.header.ssrc);
        assert_ne!(header.sequence, caller.header.sequence);
        assert_ne!(header.timestamp, caller.header.timestamp);
    }
}

#[test]
fn any_packet_size_is_passed_on_as_it_is() {
    let mut world = World::bridged(Codec::Pcma);
    let mut caller = Phone::caller();
    let sizes = [240, 1, 159, 161, 80, 480, 1400, 160];
    for size in sizes {
        caller.speak(&mut world, size, 5000);
        world.run(size as u64 / 8);
    }
    // An empty one, too: it is not passed on and leaves no gap.
    caller.speak(&mut world, 0, 0);
    caller.speak(&mut world, 160, 5000);
    let sent = world.take_sent(CALLEE);
    assert_one_stream(&sent);
    let lengths: Vec<_> = sent.iter().map(|sent| sent.payload().len()).collect();
    assert_eq!(lengths, [240, 1, 159, 161, 80, 480, 1400, 160, 160]);
    assert_eq!(world.close(CALLER).packets_received, 10);
}

#[test]
fn a_stream_of_theirs_may_begin_anew_in_any_way() {
    let changes: [fn(&mut Header); 4] = [
        |header| header.ssrc ^= 0x5555,
        |header| header.sequence = header.sequence.wrapping_add(20_000),
        |header| header.sequence = header.sequence.wrapping_sub(30),
        |header| header.timestamp = header.timestamp.wrapping_sub(500_000),
    ];
    for (which, change) in changes.into_iter().enumerate() {
        let mut world = World::bridged(Codec::Pcma);
        let mut caller = Phone::caller();
        caller.talk(&mut world, 50);
        change(&mut caller.header);
        caller.talk(&mut world, 50);
        let sent = world.take_sent(CALLEE);
        assert_one_stream(&sent);
        assert!(
            sent.len() >= 98,
            "{which}: two packets at most are the price of certainty, not {}",
            100 - sent.len()
        );
    }
}

#[test]
fn packets_that_were_overtaken_keep_their_place_and_doubles_are_dropped() {
    let mut world = World::bridged(Codec::Pcma);
    let mut caller = Phone::caller();
    let start = caller.header;
    for (place, n) in [0u16, 1, 3, 2, 2, 4, 6, 7, 5, 7].into_iter().enumerate() {
        caller.header.sequence = start.sequence.wrapping_add(n);
        caller.header.timestamp = start.timestamp.wrapping_add(160 * u32::from(n));
        caller.speak(&mut world, 160, 100 * place as i16);
        world.run(20);
    }
    let sent = world.take_sent(CALLEE);
    let first = sent[0].header();
    let places: Vec<_> =
        sent.iter().map(|sent| sent.header().sequence.wrapping_sub(first.sequence)).collect();
    assert_eq!(places, [0, 1, 3, 2, 4, 6, 7, 5]);
    for sent in &sent {
        let n = u32::from(sent.header().sequence.wrapping_sub(first.sequence));
        assert_eq!(sent.header().timestamp.wrapping_sub(first.timestamp), 160 * n);
    }
}

#[test]
fn what_is_on_hold_is_sent_nothing_and_goes_on_after_it() {
    for held in [Direction::ReceiveOnly, Direction::Inactive] {
        let mut world = World::bridged(Codec::Pcma);
        let mut caller = Phone::caller();
        caller.talk(&mut world, 5);
        let agreed = media(callee_address(), Codec::Pcma);
        let on_hold = rtp::Media { direction: held, ..agreed };
        world.command(Command::Update { session: CALLEE, media: on_hold });
        let before = world.take_sent(CALLEE);
        caller.talk(&mut world, 20);
        world.play(CALLEE, &[3], false);
        caller.talk(&mut world, 20);
        assert_eq!(world.take_sent(CALLEE), [], "{held:?}");
        assert!(
            world.wire.reports.iter().any(|(_, report)| matches!(report, rtp::Report::Finished { .. })),
            "a play nobody hears comes to its end all the same"
        );
        world.command(Command::Update { session: CALLEE, media: agreed });
        caller.talk(&mut world, 5);
        let after = world.take_sent(CALLEE);
        assert!(after[0].header().marker);
        assert_one_stream(&[before, after].concat());
    }
}

#[test]
fn who_holds_us_is_not_heard() {
    for held in [Direction::SendOnly, Direction::Inactive] {
        let mut world = World::bridged(Codec::Pcma);
        let on_hold = rtp::Media { direction: held, ..media(caller_address(), Codec::Pcma) };
        world.command(Command::Update { session: CALLER, media: on_hold });
        Phone::caller().talk(&mut world, 5);
        assert_eq!(world.take_sent(CALLEE), [], "{held:?}");
    }
}

#[test]
fn comfort_noise_and_what_was_not_agreed_are_not_passed_on_and_leave_no_gap() {
    let mut world = World::bridged(Codec::Pcma);
    let mut caller = Phone::caller();
    for payload_type in [8, 13, 8, 97, 8, 8] {
        caller.header.payload_type = payload_type;
        caller.speak(&mut world, 160, 5000);
        world.run(20);
    }
    let sent = world.take_sent(CALLEE);
    assert_eq!(sent.len(), 4);
    assert_one_stream(&sent);
    assert_eq!(world.close(CALLER).packets_received, 6);
}

#[test]
fn a_bridge_made_anew_parts_the_one_before() {
    let mut world = World::bridged(Codec::Pcma);
    let third = rtp::SessionId(3);
    world.open(third, media("192.0.2.13:60000".parse().unwrap(), Codec::Pcma));
    world.command(Command::Bridge { first: CALLER, second: third });
    Phone::caller().talk(&mut world, 3);
    Phone::callee(Codec::Pcma).talk(&mut world, 3);
    assert_eq!(world.take_sent(third).len(), 3);
    assert_eq!((world.take_sent(CALLEE), world.take_sent(CALLER)), (vec![], vec![]));
    world.command(Command::Bridge { first: CALLER, second: CALLER });
    Phone::caller().talk(&mut world, 3);
    assert_eq!(world.take_sent(CALLER), [], "nobody is bridged with himself");
}

#[test]
fn the_end_of_one_session_leaves_the_other_open() {
    let mut world = World::bridged(Codec::Pcma);
    let mut caller = Phone::caller();
    caller.talk(&mut world, 3);
    world.close(CALLEE);
    let count = world.wire.sent.len();
    caller.talk(&mut world, 3);
    assert_eq!(world.wire.sent.len(), count);
    world.play(CALLER, &[1], false);
    world.run(200);
    assert_eq!(world.take_sent(CALLER).len(), 5);
}

#[test]
fn a_flood_is_cut_to_what_a_phone_may_send() {
    let mut world = World::bridged(Codec::Pcma);
    let mut caller = Phone::caller();
    for _ in 0..20_000 {
        caller.speak(&mut world, 8, 5000);
    }
    assert!(world.take_sent(CALLEE).len() < 500);
}

#[test]
fn who_echoes_all_we_send_is_heard() {
    // A test phone sends our own packets back, SSRC and all.
    let mut world = World::with_call(Codec::Pcma);
    world.play(CALLEE, &[9], true);
    world.run(200);
    world.command(Command::Stop { session: CALLEE });
    world.command(Command::Bridge { first: CALLER, second: CALLEE });
    world.take_sent(CALLEE);
    let mut caller = Phone::caller();
    for _ in 0..10 {
        caller.speak(&mut world, 160, 5000);
        for sent in world.take_sent(CALLEE) {
            world.packet(CALLEE, callee_address(), &sent.bytes);
        }
        world.run(20);
    }
    let back = world.take_sent(CALLER);
    assert_eq!(back.len(), 10);
    assert_one_stream(&back);
}
