//! A callee who has not answered: heard by the caller, and nothing goes there. Then parted again.

use rtp::{Codec, Command, Direction, Media};

use crate::world::{CALLEE, CALLER, Phone, World, assert_one_stream, callee_address, media};

const BRIDGE: Command = Command::Bridge { first: CALLER, second: CALLEE };
const UNBRIDGE: Command = Command::Unbridge { first: CALLER, second: CALLEE };

/// As before an answer.
fn early() -> World {
    let mut world = World::with_call(Codec::Pcma);
    let media = Media { direction: Direction::ReceiveOnly, ..media(callee_address(), Codec::Pcma) };
    world.command(Command::Update { session: CALLEE, media });
    world.command(BRIDGE);
    world
}

#[test]
fn voice_and_keys_go_one_way_before_the_answer_and_both_after_it() {
    let mut world = early();
    let (mut caller, mut callee) = (Phone::caller(), Phone::callee(Codec::Pcma));
    caller.talk(&mut world, 3);
    caller.press(&mut world, 5, 5);
    callee.talk(&mut world, 3);
    assert_eq!((world.take_sent(CALLEE), world.take_sent(CALLER).len()), (vec![], 3));
    world.command(Command::Update { session: CALLEE, media: media(callee_address(), Codec::Pcma) });
    caller.talk(&mut world, 3);
    callee.talk(&mut world, 3);
    assert_eq!((world.take_sent(CALLEE).len(), world.take_sent(CALLER).len()), (3, 3));
}

#[test]
fn who_was_parted_hears_nothing_of_the_other_and_is_as_if_never_joined() {
    let mut world = early();
    let (mut caller, mut callee) = (Phone::caller(), Phone::callee(Codec::Pcma));
    callee.talk(&mut world, 5);
    world.command(UNBRIDGE);
    world.command(Command::Update { session: CALLEE, media: media(callee_address(), Codec::Pcma) });
    let heard = world.take_sent(CALLER).len();
    caller.talk(&mut world, 4);
    callee.talk(&mut world, 4);
    caller.press(&mut world, 5, 5);
    assert_eq!((heard, world.take_sent(CALLER), world.take_sent(CALLEE)), (5, vec![], vec![]));
    assert_eq!(world.digits(CALLER), "5");
    world.command(BRIDGE);
    callee.talk(&mut world, 2);
    let statistics = world.close(CALLEE);
    assert_eq!((statistics.packets_received, statistics.packets_while_joined), (11, 2));
    assert_eq!(world.close(CALLER).packets_while_joined, 0);
}

#[test]
fn music_early_media_music_and_the_answer_are_one_stream() {
    let mut world = early();
    let mut callee = Phone::callee(Codec::Pcma);
    world.play(CALLER, &[9], true);
    world.run(100);
    world.command(Command::Stop { session: CALLER });
    callee.talk(&mut world, 5);
    world.command(UNBRIDGE);
    world.play(CALLER, &[9], true);
    world.run(100);
    world.command(Command::Stop { session: CALLER });
    world.command(BRIDGE);
    callee.talk(&mut world, 5);
    assert_one_stream(&world.take_sent(CALLER));
}

#[test]
fn who_is_not_joined_is_not_parted() {
    let mut world = World::bridged(Codec::Pcma);
    let third = rtp::SessionId(3);
    world.open(third, media("192.0.2.13:60000".parse().unwrap(), Codec::Pcma));
    for (first, second) in [(CALLER, third), (third, CALLEE), (CALLER, rtp::SessionId(9))] {
        world.command(Command::Unbridge { first, second });
    }
    Phone::caller().talk(&mut world, 3);
    assert_eq!(world.take_sent(CALLEE).len(), 3);
}
