//! Pairs: who reaches whom, which numbers they are given, how they end.

use std::time::Duration;

use number::Number;
use store::{
    Choice, Fallback, Mode, NewPair, Options, Pair, PairChange, PairDirection, PairFilter, PairRefusal,
    Party, PoolNumber, Preference, Prefix, Reached, Side, Store, Timestamp,
};

use crate::world::{NOW, World, at, number};

pub(crate) const POOL: [&str; 4] = ["+74950000001", "+74950000002", "+78120000003", "+78120000004"];
const ANNA: &str = "+79991111111";
const BORIS: &str = "+79992222222";
const CLARA: &str = "+79993333333";
const OFFICE: &str = "+79995555555";

pub(crate) fn pool(numbers: &[&str]) -> Vec<PoolNumber> {
    numbers.iter().map(|text| PoolNumber { number: number(text), reserved: false }).collect()
}

fn world(numbers: &[&str]) -> World {
    let world = World::new();
    world.store().set_pool(&pool(numbers));
    world
}

pub(crate) fn party(text: &str) -> Party {
    Party { number: number(text), language: None, name: None }
}

pub(crate) fn asked(a: &str, b: Option<&str>) -> NewPair {
    NewPair {
        mode: Mode::OneNumber,
        direction: PairDirection::Both,
        a: party(a),
        b: b.map(party),
        choice: Choice::default(),
        expires_at: at(60_000),
        sliding: None,
        cool_off: Duration::ZERO,
        fallback: None,
        max_call: None,
        ring_timeout: None,
        record: None,
        data: None,
    }
}

fn make(store: &Store, asked: NewPair, now: u64) -> Pair {
    store.create_pair(asked, at(now)).unwrap().unwrap()
}

/// Whom a caller reaches, and what is shown.
fn reaches(store: &Store, caller: &str, dialled: Number, now: u64) -> Option<(Side, String)> {
    let found = store.find_pair(dialled, Some(number(caller)), at(now)).unwrap()?;
    let reached = match found.reached {
        Reached::Party { party, shown } => format!("{} sees {shown}", party.number),
        Reached::Fallback(number) => format!("fallback {number}"),
        Reached::Nobody => "nobody".to_owned(),
    };
    Some((found.caller, reached))
}

fn kinds(store: &Store) -> Vec<String> {
    store.events_after(None, 100).unwrap().events.into_iter().map(|event| event.kind).collect()
}

#[test]
fn both_dial_and_see_one_number_and_others_are_strangers() {
    let world = world(&POOL);
    let pair = make(world.store(), asked(ANNA, Some(BORIS)), 0);
    let ours = pair.a.dials;
    assert_eq!(pair.b.as_ref().unwrap().dials, ours);
    assert_eq!(reaches(world.store(), ANNA, ours, 1), Some((Side::A, format!("{BORIS} sees {ours}"))));
    assert_eq!(reaches(world.store(), BORIS, ours, 1), Some((Side::B, format!("{ANNA} sees {ours}"))));
    assert_eq!(reaches(world.store(), CLARA, ours, 1), None);
    assert_eq!(reaches(world.store(), ANNA, number(POOL[1]), 1), None, "another number of the pool");
    assert_eq!(world.store().find_pair(ours, None, at(1)).unwrap(), None, "a caller who withholds theirs");
    assert_eq!(reaches(world.store(), ANNA, ours, 60_000), None, "expired");
}

#[test]
fn each_dials_and_sees_their_own_where_there_are_two() {
    let world = world(&POOL);
    let pair = make(world.store(), NewPair { mode: Mode::TwoNumbers, ..asked(ANNA, Some(BORIS)) }, 0);
    let (for_a, for_b) = (pair.a.dials, pair.b.as_ref().unwrap().dials);
    assert_ne!(for_a, for_b);
    assert_eq!(reaches(world.store(), ANNA, for_a, 1), Some((Side::A, format!("{BORIS} sees {for_b}"))));
    assert_eq!(reaches(world.store(), BORIS, for_b, 1), Some((Side::B, format!("{ANNA} sees {for_a}"))));
    assert_eq!(reaches(world.store(), ANNA, for_b, 1), None);
}

#[test]
fn with_two_numbers_left_both_parties_get_one_each() {
    // Both like the first one best.
    let world = world(&POOL[..2]);
    let two = NewPair { mode: Mode::TwoNumbers, ..asked(ANNA, Some(BORIS)) };
    let first = make(world.store(), two.clone(), 0);
    let second = make(world.store(), two.clone(), 0);
    assert_eq!((first.a.dials, first.b.unwrap().dials), (second.b.unwrap().dials, second.a.dials));
    assert_ne!(first.a.dials, second.a.dials);
    assert_eq!(world.store().create_pair(two, at(0)), Ok(Err(PairRefusal::NoNumber)));
}

#[test]
fn a_direction_shuts_the_other() {
    let world = world(&POOL);
    for (direction, a_may) in [(PairDirection::AToB, true), (PairDirection::BToA, false)] {
        let pair = make(world.store(), NewPair { direction, ..asked(ANNA, Some(BORIS)) }, 0);
        let nobody = |caller| reaches(world.store(), caller, pair.a.dials, 1).unwrap().1 == "nobody";
        assert_eq!((nobody(ANNA), nobody(BORIS)), (!a_may, a_may), "{direction:?}");
    }
}

#[test]
fn anyone_reaches_a_party_alone_who_reaches_whoever_called_last() {
    let world = world(&POOL[..1]);
    let store = world.store();
    let pair = make(store, asked(ANNA, None), 0);
    let ours = pair.a.dials;
    assert_eq!(reaches(store, ANNA, ours, 1), Some((Side::A, "nobody".to_owned())));
    for caller in [BORIS, CLARA] {
        assert_eq!(reaches(store, caller, ours, 1), Some((Side::B, format!("{ANNA} sees {ours}"))));
        store.apply(store::Batch::new().pair_called(pair.id, Some(number(caller)), at(2))).unwrap();
        assert_eq!(reaches(store, ANNA, ours, 3), Some((Side::A, format!("{caller} sees {ours}"))));
    }
    let withheld = store.find_pair(ours, None, at(3)).unwrap().unwrap();
    assert_eq!(withheld.caller, Side::B);
    assert_eq!(store.create_pair(asked(BORIS, Some(CLARA)), at(3)), Ok(Err(PairRefusal::NoNumber)));
}

#[test]
fn a_number_serves_a_phone_once_and_rests_after() {
    let world = world(&POOL[..2]);
    let store = world.store();
    let rests = NewPair { cool_off: Duration::from_secs(10), ..asked(ANNA, Some(BORIS)) };
    let first = make(store, rests, 0);
    let second = make(store, asked(ANNA, Some(CLARA)), 0);
    assert_ne!(first.a.dials, second.a.dials);
    assert_eq!(store.create_pair(asked(ANNA, Some(OFFICE)), at(0)), Ok(Err(PairRefusal::NoNumber)));
    let other = make(store, asked(OFFICE, Some("+79997777777")), 0);
    assert!([first.a.dials, second.a.dials].contains(&other.a.dials), "other phones share numbers");
    store.close_pair(first.id, None, at(1_000)).unwrap().unwrap();
    let another = asked(ANNA, Some("+79998888888"));
    assert_eq!(store.create_pair(another.clone(), at(10_999)), Ok(Err(PairRefusal::NoNumber)));
    let again = make(store, another, 11_000);
    assert_eq!(again.a.dials, first.a.dials);
}

#[test]
fn numbers_are_chosen_as_asked() {
    let mut numbers = pool(&POOL);
    numbers.push(PoolNumber { number: number("+74950000009"), reserved: true });
    let world = World::new();
    let store = world.store();
    store.set_pool(&numbers);
    let with = |choice, a, b| NewPair { choice, ..asked(a, Some(b)) };
    let prefix = |digits, strict| Choice { prefix: Some(Prefix { digits, strict }), ..Choice::default() };
    let dials =
        |choice, a, b, now| store.create_pair(with(choice, a, b), at(now)).unwrap().map(|pair| pair.a.dials);

    let first = dials(Choice::default(), ANNA, BORIS, 0).unwrap();
    let sticky = Choice { preference: Preference::Sticky, ..Choice::default() };
    let avoid = Choice { preference: Preference::AvoidSticky, ..Choice::default() };
    assert_ne!(dials(sticky, BORIS, ANNA, 0).unwrap(), first, "it serves the two already");
    for pair in store.pairs(&PairFilter::default(), at(0), None, 10).unwrap().items {
        store.close_pair(pair.id, None, at(1)).unwrap().unwrap();
    }
    let had: Vec<Number> = store
        .pairs(&PairFilter { number: Some(number(ANNA)), live: Some(false) }, at(1), None, 10)
        .unwrap()
        .items
        .iter()
        .map(|pair| pair.a.dials)
        .collect();
    assert_eq!(dials(sticky, ANNA, BORIS, 2).unwrap(), had[0], "the newest they had");
    let fresh = dials(avoid, ANNA, BORIS, 2).unwrap();
    assert!(!had.contains(&fresh));

    assert!(dials(prefix(7812, true), CLARA, OFFICE, 2).unwrap().to_string().starts_with("+7812"));
    assert!(dials(prefix(7812, true), CLARA, OFFICE, 2).unwrap().to_string().starts_with("+7812"));
    assert_eq!(dials(prefix(7812, true), CLARA, OFFICE, 2), Err(PairRefusal::NoNumber));
    assert!(dials(prefix(7812, false), CLARA, OFFICE, 2).unwrap().to_string().starts_with("+7495"));
    let named = |text| Choice { named: [Some(number(text)); 2], ..Choice::default() };
    assert_eq!(dials(named("+74950000009"), CLARA, OFFICE, 2), Ok(number("+74950000009")));
    assert_eq!(
        dials(named("+74950000009"), CLARA, BORIS, 2),
        Err(PairRefusal::NumberBusy(number("+74950000009")))
    );
    assert_eq!(
        dials(named("+70000000000"), CLARA, BORIS, 2),
        Err(PairRefusal::NotInPool(number("+70000000000")))
    );
    dials(Choice::default(), CLARA, OFFICE, 2).unwrap();
    assert_eq!(
        dials(Choice::default(), CLARA, OFFICE, 2),
        Err(PairRefusal::NoNumber),
        "reserved ones are not given"
    );
    assert_eq!(dials(Choice::default(), CLARA, CLARA, 2), Err(PairRefusal::SameNumber));
    assert_eq!(dials(Choice::default(), CLARA, POOL[0], 2), Err(PairRefusal::PartyInPool(number(POOL[0]))));
}

#[test]
fn the_same_two_have_their_number_again_though_it_rests() {
    let world = world(&POOL);
    let store = world.store();
    let rests = NewPair { cool_off: Duration::from_secs(1000), ..asked(ANNA, Some(BORIS)) };
    let first = make(store, rests.clone(), 0);
    store.close_pair(first.id, None, at(1)).unwrap().unwrap();
    let sticky = Choice { preference: Preference::Sticky, ..Choice::default() };
    let again = make(store, NewPair { choice: sticky, ..rests.clone() }, 2);
    assert_eq!(again.a.dials, first.a.dials);
    assert_ne!(make(store, NewPair { choice: sticky, ..asked(ANNA, Some(CLARA)) }, 2).a.dials, first.a.dials);
    // Whoever is found is the live pair, not the one that rests.
    assert_eq!(store.find_pair(again.a.dials, Some(number(ANNA)), at(3)).unwrap().unwrap().pair.id, again.id);
    assert_eq!(
        store.reopen_pair(first.id, at(9_000), None, at(3)),
        Ok(Err(PairRefusal::NumberBusy(first.a.dials)))
    );
}

#[test]
fn calls_move_a_sliding_end_and_no_other() {
    let world = world(&POOL);
    let store = world.store();
    let sliding = NewPair { sliding: Some(Duration::from_secs(60)), ..asked(ANNA, Some(BORIS)) };
    let (sliding, fixed) = (make(store, sliding, 0), make(store, asked(ANNA, Some(CLARA)), 0));
    for pair in [&sliding, &fixed] {
        store.apply(store::Batch::new().pair_called(pair.id, Some(number(ANNA)), at(50_000))).unwrap();
    }
    assert!(reaches(store, ANNA, sliding.a.dials, 109_999).is_some());
    assert_eq!(reaches(store, ANNA, fixed.a.dials, 60_000), None);
    assert_eq!(store.sweep_pairs(at(60_000), 10), Ok(1));
    assert_eq!(reaches(store, ANNA, sliding.a.dials, 110_000), None);
    store.apply(store::Batch::new().pair_called(sliding.id, None, at(110_000))).unwrap();
    assert_eq!(reaches(store, ANNA, sliding.a.dials, 110_001), None, "what has ended stays ended");
    assert_eq!(store.sweep_pairs(at(110_000), 10), Ok(1));
    assert_eq!(kinds(store), ["pair.created", "pair.created", "pair.expired", "pair.expired"]);
}

#[test]
fn after_the_end_callers_reach_the_fallback_for_a_while() {
    let world = world(&POOL);
    let store = world.store();
    let fallback = Some(Fallback { number: number(OFFICE), within: Duration::from_secs(10) });
    let pair = make(store, NewPair { fallback, ..asked(ANNA, Some(BORIS)) }, 0);
    let ours = pair.a.dials;
    let office = Some((Side::A, format!("fallback {OFFICE}")));
    assert_eq!(reaches(store, ANNA, ours, 60_000), office);
    store.sweep_pairs(at(60_001), 10).unwrap();
    assert_eq!(reaches(store, ANNA, ours, 69_999), office);
    assert_eq!(reaches(store, CLARA, ours, 69_999), None);
    assert_eq!(reaches(store, ANNA, ours, 70_000), None);
    let named = Choice { named: [Some(ours); 2], ..Choice::default() };
    let next = NewPair { choice: named, expires_at: at(100_000), ..asked(ANNA, Some(CLARA)) };
    assert_eq!(store.create_pair(next.clone(), at(69_999)), Ok(Err(PairRefusal::NumberBusy(ours))));
    make(store, next, 70_000);
}

#[test]
fn a_pair_is_changed_closed_and_opened_again() {
    let world = world(&POOL[..1]);
    let store = world.store();
    let pair = make(store, NewPair { cool_off: Duration::from_secs(5), ..asked(ANNA, Some(BORIS)) }, 0);
    let ours = pair.a.dials;
    let clara = PairChange { b: Some(Some(party(CLARA))), ..PairChange::default() };
    assert_eq!(store.change_pair(pair.id, clara.clone(), Some(7), at(1)), Ok(Err(PairRefusal::Changed(1))));
    let changed = store.change_pair(pair.id, clara, Some(1), at(1)).unwrap().unwrap();
    assert_eq!((changed.version, changed.b.unwrap().dials), (2, ours));
    assert_eq!(reaches(store, ANNA, ours, 2), Some((Side::A, format!("{CLARA} sees {ours}"))));
    assert_eq!(reaches(store, BORIS, ours, 2), None);
    // The number rests for whoever left.
    assert_eq!(store.create_pair(asked(BORIS, Some(OFFICE)), at(2)), Ok(Err(PairRefusal::NoNumber)));
    let beside = make(store, asked(BORIS, Some(OFFICE)), 5_001);
    let boris = PairChange { a: Some(party(BORIS)), ..PairChange::default() };
    assert_eq!(store.change_pair(pair.id, boris, None, at(5_002)), Ok(Err(PairRefusal::NumberBusy(ours))));
    assert_eq!(reaches(store, BORIS, ours, 5_003), Some((Side::A, format!("{OFFICE} sees {ours}"))));

    store.close_pair(pair.id, None, at(6_000)).unwrap().unwrap();
    assert_eq!(reaches(store, ANNA, ours, 6_001), None);
    assert_eq!(store.close_pair(pair.id, None, at(6_001)), Ok(Err(PairRefusal::Ended)));
    let change = PairChange { expires_at: Some(at(90_000)), ..PairChange::default() };
    assert_eq!(store.change_pair(pair.id, change, None, at(6_001)), Ok(Err(PairRefusal::Ended)));
    assert_eq!(store.reopen_pair(beside.id, at(90_000), None, at(6_002)), Ok(Err(PairRefusal::Live)));
    let again = store.reopen_pair(pair.id, at(90_000), None, at(6_002)).unwrap().unwrap();
    assert_eq!((again.expires_at, again.ended), (at(90_000), None));
    assert_eq!(reaches(store, CLARA, ours, 6_003), Some((Side::B, format!("{ANNA} sees {ours}"))));
    let told = ["pair.created", "pair.changed", "pair.created", "pair.closed", "pair.changed"];
    assert_eq!(kinds(store), told);
    assert_eq!(store.close_pair(store::Ulid(7), None, at(6_003)), Ok(Err(PairRefusal::Unknown)));
}

#[test]
fn a_second_party_comes_and_goes() {
    let world = world(&POOL[..1]);
    let store = world.store();
    let pair = make(store, asked(ANNA, None), 0);
    let ours = pair.a.dials;
    let b = |b: Option<&str>| PairChange { b: Some(b.map(party)), ..PairChange::default() };
    store.change_pair(pair.id, b(Some(BORIS)), None, at(1)).unwrap().unwrap();
    assert_eq!(reaches(store, CLARA, ours, 2), None);
    let other = make(store, asked(CLARA, Some(OFFICE)), 2);
    assert_eq!(other.a.dials, ours);
    assert_eq!(store.change_pair(pair.id, b(None), None, at(3)), Ok(Err(PairRefusal::NumberBusy(ours))));
    store.close_pair(other.id, None, at(4)).unwrap().unwrap();
    store.change_pair(pair.id, b(None), None, at(5)).unwrap().unwrap();
    assert_eq!(reaches(store, CLARA, ours, 6), Some((Side::B, format!("{ANNA} sees {ours}"))));
    let two = NewPair { mode: Mode::TwoNumbers, ..asked(ANNA, None) };
    assert_eq!(store.create_pair(two, at(6)), Ok(Err(PairRefusal::NeedsB)));
}

#[test]
fn pairs_outlive_a_restart_and_are_forgotten_in_the_end() {
    let mut world = World::with(Options { pairs_for: Duration::from_secs(100), ..Options::default() });
    world.store().set_pool(&pool(&POOL));
    let pair = make(world.store(), asked(ANNA, Some(BORIS)), 0);
    world.reopen().set_pool(&pool(&POOL));
    let store = world.store();
    assert!(reaches(store, ANNA, pair.a.dials, 1).is_some());
    assert_ne!(make(store, asked(ANNA, Some(CLARA)), 1).a.dials, pair.a.dials);
    let left = store.pool_status(Some(number(ANNA)), at(2)).phone.unwrap();
    assert_eq!((left.pairs, left.left), (2, 2));
    assert_eq!(store.sweep_pairs(at(60_000), 10), Ok(2));
    assert_eq!((store.sweep_pairs(at(159_999), 10), store.pairs_kept()), (Ok(0), 2));
    assert_eq!((store.sweep_pairs(at(160_000), 10), store.pairs_kept()), (Ok(2), 0));
    assert_eq!(store.pair(pair.id), Ok(None));
    assert!(world.reopen().pairs(&PairFilter::default(), NOW, None, 10).unwrap().items.is_empty());
}

#[test]
fn lists_go_by_age_in_pages() {
    let world = world(&POOL);
    let store = world.store();
    let made: Vec<Pair> =
        (0..4).map(|n| make(store, asked(&format!("+7999000000{n}"), Some(BORIS)), n)).collect();
    let page = |cursor: Option<&str>| store.pairs(&PairFilter::default(), at(9), cursor, 3).unwrap();
    let first = page(None);
    assert_eq!(first.items.iter().map(|pair| pair.id).collect::<Vec<_>>()[..1], [made[3].id]);
    let second = page(first.next.as_deref());
    assert_eq!((second.items.len(), second.next), (1, None));
    let of = |name: Number| {
        store.pairs(&PairFilter { number: Some(name), live: Some(true) }, at(9), None, 9).unwrap().items.len()
    };
    assert_eq!(
        (of(number(BORIS)), of(made[2].a.dials), of(number("+79990000001")), of(number(CLARA))),
        (4, 1, 1, 0)
    );
    assert!(store.pairs(&PairFilter::default(), at(9), Some("no"), 3).is_err());
}

#[test]
fn many_who_ask_at_once_are_never_given_the_same() {
    let numbers: Vec<String> = (0..40).map(|n| format!("+749500010{n:02}")).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let world = world(&numbers);
    let store = world.store();
    // Eight threads at the same ten couriers: a courier can have forty pairs and is asked for forty-eight.
    let made: Vec<Result<Pair, PairRefusal>> = std::thread::scope(|threads| {
        let ask = |thread: u64| {
            let each = move |n: u64| {
                let courier = format!("+7999000000{}", n % 10);
                let client = format!("+79{:09}", 100_000 + thread * 1_000 + n);
                store.create_pair(asked(&courier, Some(&client)), at(1)).unwrap()
            };
            threads.spawn(move || (0..60).map(each).collect::<Vec<_>>())
        };
        let threads: Vec<_> = (0..8).map(ask).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let refused = made.iter().filter(|made| **made == Err(PairRefusal::NoNumber)).count();
    assert_eq!((made.len(), refused), (480, 80));
    let mut held: Vec<(Number, Number)> =
        made.iter().flatten().map(|pair| (pair.a.party.number, pair.a.dials)).collect();
    held.sort_unstable();
    held.dedup();
    assert_eq!(held.len(), 400);
    assert_eq!(store.pool_status(None, Timestamp(NOW.0 + 2)).forecast.live, 400);
}

#[test]
fn whoever_is_erased_is_in_no_pair_any_more() {
    let world = world(&POOL[..3]);
    let store = world.store();
    let fallback = Some(Fallback { number: number(CLARA), within: Duration::from_secs(9) });
    let theirs = make(store, asked(CLARA, Some(BORIS)), 0);
    let other = make(store, NewPair { fallback, ..asked(ANNA, Some(OFFICE)) }, 0);
    let alone = make(store, asked("+79997777777", None), 0);
    store.apply(store::Batch::new().pair_called(alone.id, Some(number(CLARA)), at(1))).unwrap();
    let erasure = store::Erasure {
        number: number(CLARA),
        shown: Some(CLARA.to_owned()),
        records: false,
        blocks: false,
    };
    assert_eq!(store.erase(&erasure).unwrap().pairs, 3);
    assert_eq!(store.pair(theirs.id), Ok(None));
    assert_eq!(store.pair(other.id).unwrap().unwrap().fallback, None);
    assert_eq!(store.pair(alone.id).unwrap().unwrap().last_caller, None);
    assert_eq!(reaches(store, BORIS, theirs.a.dials, 2), None);
    let named = Choice { named: [Some(theirs.a.dials); 2], ..Choice::default() };
    make(store, NewPair { choice: named, ..asked(BORIS, Some("+79996666666")) }, 2);
    assert_eq!(store.erase(&erasure).unwrap().pairs, 0);
}
