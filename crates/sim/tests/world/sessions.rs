//! Long calls: sessions are refreshed on both legs (RFC 4028), and end where one side is not there any more.

use b2bua::{Cause, Side};
use sim::{Act, CalleePlan, CallerPlan, Reaction, World};

use crate::worlds::{CLIENT, COURIER, LINE, seconds, with_order, world};

/// A call in which each side does this so many seconds after it began, if anything.
fn call(caller: Option<(u64, Act)>, callee: Option<(u64, Act)>) -> World {
    let mut world = with_order(world());
    let mut plan = CalleePlan::new(Reaction::Answer(seconds(1)));
    if let Some((after, act)) = callee {
        plan = plan.doing(seconds(after), act);
    }
    world.callee(CLIENT, plan);
    let mut plan = CallerPlan::keying(COURIER, LINE, "12345");
    if let Some((after, act)) = caller {
        plan = plan.doing(seconds(after), act);
    }
    world.caller(seconds(0), plan);
    world.run_until_quiet();
    world.assert_clean();
    assert_eq!(world.bridges(), 1);
    world
}

fn ended(world: &World) -> (Side, Cause, u64) {
    let [record] = &*world.audit.records else { panic!("{:?}", world.audit.records) };
    let outcome = record.outcome.expect("a record has its outcome");
    let answered = record.answered.expect("it was answered");
    let ended = record.ended.expect("it has ended");
    (outcome.side, outcome.cause, (ended.0 - answered.0).as_secs())
}

#[test]
fn a_call_of_an_hour_is_refreshed_on_both_legs_and_not_disturbed() {
    let world = call(Some((3600, Act::HangUp)), None);
    let (side, cause, lasted) = ended(&world);
    assert_eq!((side, cause), (Side::Caller, Cause::HungUp));
    assert!((3590..=3600).contains(&lasted), "{lasted}");
    for (peer, messages) in &world.received {
        let refreshes = messages.iter().filter(|bytes| {
            let text = String::from_utf8_lossy(bytes);
            text.starts_with("INVITE ") && text.contains("Session-Expires: 1800;refresher=uac")
        });
        // At a quarter, half and three quarters of the hour.
        assert_eq!(refreshes.count(), 3, "{peer}");
    }
}

#[test]
fn a_caller_who_is_not_there_any_more_ends_the_call() {
    let (side, cause, lasted) = ended(&call(Some((1000, Act::Vanish)), None));
    assert_eq!((side, cause), (Side::Caller, Cause::SignallingLost));
    assert!((1800..=1840).contains(&lasted), "{lasted}");
}

#[test]
fn a_callee_who_is_not_there_any_more_ends_the_call() {
    let (side, cause, lasted) = ended(&call(None, Some((1000, Act::Vanish))));
    assert_eq!((side, cause), (Side::Callee, Cause::SignallingLost));
    assert!((1800..=1880).contains(&lasted), "{lasted}");
}
