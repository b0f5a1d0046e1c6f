//! Calls of our own, which prove that calls can be taken.

use b2bua::{Control, Input};
use sim::{Act, CallerPlan, Weather, World};

use crate::order_call::ivr_prompts::MUSIC;
use crate::worlds::{COURIER, LINE, seconds, with_order};

/// A world that takes who calls in it for ourselves.
fn own() -> World {
    let mut config = sim::config();
    config.own = Some("192.0.2.11:5060".parse().expect("an address"));
    with_order(World::new(config, Weather::FAIR, 1))
}

fn call() -> CallerPlan {
    CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(20), Act::HangUp)
}

#[test]
fn it_is_answered_hears_music_and_leaves_nothing() {
    let mut world = own();
    world.caller(seconds(0), call());
    world.run_for(seconds(10));
    let gauges = world.board.gauges();
    assert_eq!((gauges.calls, gauges.legs, gauges.ports), (0, 1, 1));
    world.run_until_quiet();
    world.assert_clean();
    assert_eq!(world.statuses(), [Some(200)]);
    assert_eq!(world.played(), [[MUSIC]], "whatever is keyed");
    assert_eq!((world.audit.records.len(), world.audit.happened.len(), world.last_call()), (0, 0, None));
}

#[test]
fn there_is_one_at_a_time_and_none_while_we_drain() {
    let mut world = own();
    world.caller(seconds(0), call());
    world.caller(seconds(5), call());
    world.caller(seconds(60), call());
    world.run_for(seconds(90));
    world.feed(Input::Control(Control::Drain));
    world.caller(seconds(1), call());
    world.run_until_quiet();
    world.assert_clean();
    assert_eq!(world.statuses(), [Some(200), Some(503), Some(200), Some(503)]);
}

#[test]
fn without_voice_it_is_refused() {
    let mut world = own();
    world.caller(seconds(0), CallerPlan { offers: false, ..call() });
    world.run_until_quiet();
    world.assert_clean();
    assert_eq!(world.statuses(), [Some(488)]);
}
