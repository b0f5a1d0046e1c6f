//! Callbacks and their plans: kept until they are over, found by number, put by whoever knows the version.

use store::{
    Callback, CallbackEnd, CallbackNumber, CallbackPlan, CallbackSide, Erasure, Json, PlanPut, Precondition,
    Record, StoreError,
};

use crate::world::{CLIENT, COURIER, LINE, NOW, STRANGER, World, at, call, event, number, record};

fn side(numbers: &[&str]) -> CallbackSide {
    let one = |text: &&str| CallbackNumber { number: number(text), ring_seconds: Some(20) };
    CallbackSide {
        numbers: numbers.iter().map(one).collect(),
        strategy: "in-order".into(),
        line: number(LINE),
        prompt: None,
        confirm: false,
    }
}

fn callback(n: u128, first: &str, second: &str) -> Callback {
    Callback {
        id: call(n),
        created_at: at(n as u64),
        at: at(n as u64),
        window: None,
        plan: None,
        line: number(LINE),
        first: side(&[first]),
        second: side(&[second]),
        max_seconds: Some(60),
        record: None,
        data: Some(Json::parse("{\"id\":1}").unwrap()),
        end: None,
    }
}

fn put(world: &World, callback: Callback) {
    let n = callback.id.0 & 0xFFFF;
    world.store().put_callback(callback, event("callback.created", Some(n))).unwrap();
}

fn waiting(world: &World) -> Vec<u128> {
    let found = world.store().waiting_callbacks().unwrap();
    found.iter().map(|found| found.callback.id.0 & 0xFFFF).collect()
}

fn finished(n: u128) -> Record {
    Record { callback: true, cause: Some("hung-up".into()), ..record(n) }
}

#[test]
fn a_callback_waits_until_its_call_is_over_and_outlives_the_node() {
    let mut world = World::new();
    put(&world, callback(1, COURIER, CLIENT));
    put(&world, callback(2, COURIER, CLIENT));
    world.reopen();
    assert_eq!(waiting(&world), [1, 2]);
    let found = world.store().callback(call(1)).unwrap().unwrap();
    assert_eq!((found.callback, found.record), (callback(1, COURIER, CLIENT), None));
    let begun = Record { ended_at: None, ..finished(1) };
    world.store().checkpoint(&begun, b"snapshot").unwrap();
    assert_eq!(world.store().callback(call(1)).unwrap().unwrap().record, Some(begun));
    world.store().finish(&finished(1), vec![]).unwrap();
    assert_eq!(world.store().callback(call(1)).unwrap().unwrap().record, Some(finished(1)));
    world.reopen();
    assert_eq!(waiting(&world), [2]);
}

#[test]
fn a_callback_that_never_began_is_ended_once() {
    let world = World::new();
    put(&world, callback(1, COURIER, CLIENT));
    let end = |cause: &str| {
        let end = CallbackEnd { at: at(9), cause: cause.into() };
        world.store().end_callback(call(1), end, event("callback.ended", Some(1))).unwrap()
    };
    assert!(end("cancelled"));
    assert!(!end("missed"));
    let found = world.store().callback(call(1)).unwrap().unwrap();
    assert_eq!(found.callback.end.map(|end| end.cause), Some("cancelled".into()));
    assert!(waiting(&world).is_empty());
    let events = world.store().events_after(None, 10).unwrap().events;
    let kinds: Vec<_> = events.iter().map(|event| &*event.kind).collect();
    assert_eq!(kinds, ["callback.created", "callback.ended"]);
}

#[test]
fn callbacks_are_listed_by_number_the_last_first() {
    let world = World::new();
    for n in 1..=6 {
        let second = if n % 2 == 0 { CLIENT } else { STRANGER };
        put(&world, callback(n, COURIER, second));
    }
    let page = |of: Option<&str>, cursor: Option<&str>| {
        let page = world.store().callbacks(of.map(number), cursor, 2).unwrap();
        let names: Vec<_> = page.items.iter().map(|found| found.callback.id.0 & 0xFFFF).collect();
        (names, page.next)
    };
    let (first, next) = page(Some(CLIENT), None);
    assert_eq!(first, [6, 4]);
    let (second, next) = page(Some(CLIENT), next.as_deref());
    assert_eq!((second, next.is_some()), (vec![2], false));
    assert_eq!(page(Some(COURIER), None).0, [6, 5]);
    assert!(page(Some("+79990000000"), None).0.is_empty());
    let wrong = world.store().callbacks(None, Some("no cursor"), 2);
    assert_eq!(wrong, Err(StoreError::Cursor));
}

#[test]
fn callbacks_past_their_keeping_are_forgotten_unless_they_wait() {
    let world = World::new();
    put(&world, callback(1, COURIER, CLIENT));
    put(&world, callback(2, COURIER, CLIENT));
    world.store().finish(&finished(1), vec![]).unwrap();
    let later = NOW.after(std::time::Duration::from_secs(500 * 86_400));
    world.store().sweep(later, 100).unwrap();
    assert_eq!(world.store().callback(call(1)).unwrap(), None);
    assert_eq!(waiting(&world), [2]);
}

#[test]
fn callbacks_to_an_erased_number_are_gone_and_others_are_not() {
    let world = World::new();
    put(&world, callback(1, COURIER, CLIENT));
    put(&world, callback(2, COURIER, STRANGER));
    put(&world, callback(3, CLIENT, STRANGER));
    world.store().finish(&finished(3), vec![]).unwrap();
    let erasure =
        Erasure { number: number(CLIENT), shown: Some(CLIENT.into()), records: false, blocks: false };
    assert_eq!(world.store().erase(&erasure).unwrap().callbacks, 2);
    assert_eq!((world.store().callback(call(1)).unwrap(), waiting(&world)), (None, vec![2]));
    assert_eq!(world.store().erase(&erasure).unwrap().callbacks, 0);
}

#[test]
fn what_is_too_long_is_refused() {
    let world = World::new();
    let long = Callback {
        data: Some(Json::parse(&format!("\"{}\"", "x".repeat(600))).unwrap()),
        ..callback(1, COURIER, CLIENT)
    };
    let refused = world.store().put_callback(long, event("callback.created", Some(1)));
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    assert!(waiting(&world).is_empty());
}

fn plan(name: &str, ms: u64) -> CallbackPlan {
    let settings = Json::parse("{\"record\":true}").unwrap();
    CallbackPlan { name: name.into(), version: 0, updated_at: at(ms), settings }
}

#[test]
fn of_two_who_put_a_plan_only_one_who_knows_the_version_does() {
    let world = World::new();
    let put = |ms, wanted| world.store().put_callback_plan(plan("sales", ms), wanted).unwrap();
    let PlanPut::Created(first) = put(1, Precondition::Absent) else { panic!("there was none") };
    assert_eq!(put(2, Precondition::Absent), PlanPut::Changed);
    let PlanPut::Replaced(second) = put(1, Precondition::Is(first.version)) else { panic!("it is known") };
    assert!(second.version > first.version);
    assert_eq!(put(3, Precondition::Is(first.version)), PlanPut::Changed);
    assert!(matches!(put(4, Precondition::None), PlanPut::Replaced(_)));
    let remove = |wanted| world.store().remove_callback_plan("sales", wanted).unwrap();
    assert_eq!(remove(Precondition::Is(first.version)), PlanPut::Changed);
    assert_eq!(remove(Precondition::None), PlanPut::Removed);
    assert_eq!(remove(Precondition::None), PlanPut::Unknown);
    assert_eq!(world.store().callback_plan("sales").unwrap(), None);
}

#[test]
fn plans_are_listed_by_name() {
    let mut world = World::new();
    for name in ["b", "a", "c"] {
        world.store().put_callback_plan(plan(name, 1), Precondition::None).unwrap();
    }
    world.reopen();
    let page = world.store().callback_plans(None, 2).unwrap();
    let names = |page: &store::Page<CallbackPlan>| {
        page.items.iter().map(|plan| plan.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!((names(&page), page.next.as_deref()), (vec!["a".to_owned(), "b".to_owned()], Some("b")));
    let rest = world.store().callback_plans(page.next.as_deref(), 2).unwrap();
    assert_eq!((names(&rest), rest.next), (vec!["c".to_owned()], None));
}
