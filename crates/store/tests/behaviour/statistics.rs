//! What is added up of records agrees with the records, whatever the order, the batches and the deaths.

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use store::{Batch, LegRecord, Point, Record, Step, Timestamp, TriedRecord, Ulid};

use crate::world::{NOW, World, call};

const TRUNKS: [&str; 3] = ["main", "spare", "third"];

/// A call of which everything is drawn by lot.
fn draw(lot: &mut ChaCha20Rng, n: u128, began: u64) -> Record {
    let mut of = |most: u64| lot.next_u64() % most;
    let started = Timestamp(began);
    let dialled = of(4) > 0;
    let trunk = TRUNKS[of(3) as usize].to_owned();
    let callee_trunk = dialled.then(|| TRUNKS[of(3) as usize].to_owned());
    let reached = dialled && of(3) > 0;
    let tried = (0..if dialled { 1 + of(2) } else { 0 }).map(|place| TriedRecord {
        side: "callee".to_owned(),
        dialled_at: started,
        rang_seconds: (of(4) > 0).then(|| of(9_000) as f64 / 1000.0),
        waiting_seconds: of(20_000) as f64 / 1000.0,
        answered_seconds: (reached && place == 0).then_some(7.0),
        ..TriedRecord::default()
    });
    let tried = tried.collect();
    let leg = |of: u64| Some(LegRecord { mos: (of > 0).then(|| of as f32 / 100.0), ..LegRecord::default() });
    Record {
        id: Ulid(call(n).0),
        trunk,
        callee_trunk,
        tried,
        started_at: started,
        answered_at: (of(5) > 0).then_some(started),
        ended_at: Some(Timestamp(began + of(4_000_000))),
        talk_seconds: if reached { of(600_000) as f64 / 1000.0 } else { 0.0 },
        caller_leg: leg(of(450)),
        callee_leg: dialled.then(|| leg(of(450))).flatten(),
        ..Record::default()
    }
}

/// As [`Sums`], with milliseconds and every score.
type Drawn = (u64, u64, u64, u64, u64, Vec<f64>);

/// What must stand in a point but for percentiles and calls at once: calls, answered, dialled, reached, seconds, scores.
type Sums = (u64, u64, u64, u64, f64, Option<f64>);

fn hundredths(mos: f32) -> f64 {
    (f64::from(mos) * 100.0).round()
}

fn expected(records: &[Record], step: Step) -> BTreeMap<(u64, String), Sums> {
    let mut sums: BTreeMap<(u64, String), Drawn> = BTreeMap::new();
    for record in records {
        let at = record.started_at.0 - record.started_at.0 % step.millis();
        let second = record.callee_trunk.as_deref();
        for trunk in TRUNKS.iter().filter(|trunk| record.trunk == **trunk || second == Some(**trunk)) {
            let sum = sums.entry((at, (*trunk).to_owned())).or_default();
            sum.4 += (record.talk_seconds * 1000.0).round() as u64;
            if record.trunk == **trunk {
                sum.0 += 1;
                sum.1 += u64::from(record.answered_at.is_some());
                sum.5.extend(record.caller_leg.as_ref().and_then(|leg| leg.mos).map(hundredths));
            }
            if second == Some(*trunk) {
                sum.0 += record.tried.len() as u64;
                sum.2 += record.tried.len() as u64;
                let reached = record.tried.iter().filter(|tried| tried.answered_seconds.is_some()).count();
                sum.1 += reached as u64;
                sum.3 += reached as u64;
                sum.5.extend(record.callee_leg.as_ref().and_then(|leg| leg.mos).map(hundredths));
            }
        }
    }
    let mean = |scores: &[f64]| {
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        (!scores.is_empty()).then(|| mean.round() / 100.0)
    };
    let sum = |(key, (calls, answered, dialled, reached, talk, scores)): (_, Drawn)| {
        (key, (calls, answered, dialled, reached, talk as f64 / 1000.0, mean(&scores)))
    };
    sums.into_iter().map(sum).collect()
}

fn found(points: Vec<Point>) -> BTreeMap<(u64, String), Sums> {
    let busy = points.into_iter().filter(|point| point.calls > 0 || point.talk_seconds > 0.0);
    busy.map(|p| {
        let sums = (p.calls, p.answered, p.dialled, p.reached, p.talk_seconds, p.mos);
        ((p.at.0, p.trunk), sums)
    })
    .collect()
}

#[test]
fn minutes_hours_and_days_are_what_the_records_say_however_they_were_written() {
    let mut world = World::new();
    let mut lot = ChaCha20Rng::seed_from_u64(7);
    let mut records = Vec::new();
    let mut batch = Batch::new();
    for n in 0..600_u64 {
        let record = draw(&mut lot, u128::from(n), NOW.0 + n * 140_000);
        if lot.next_u32() % 3 > 0 {
            let open = Record { ended_at: None, talk_seconds: 0.0, ..record.clone() };
            batch = batch.checkpoint(&open, &[]);
        }
        batch = batch.finish(&record, vec![]);
        if lot.next_u32() % 4 == 0 {
            // Whoever writes it again adds nothing.
            batch = batch.finish(&record, vec![]);
        }
        records.push(record);
        if batch.len() > (lot.next_u32() % 9) as usize {
            world.store().apply(std::mem::take(&mut batch)).unwrap();
        }
        if lot.next_u32() % 60 == 0 {
            world.reopen();
        }
    }
    world.store().apply(batch).unwrap();
    let store = world.reopen();
    let end = Timestamp(NOW.0 + 86_400_000 * 3);
    for step in Step::ALL {
        let points = store.statistics(step, NOW, end, None).unwrap();
        assert!(points.windows(2).all(|two| (two[0].at, &two[0].trunk) < (two[1].at, &two[1].trunk)));
        assert_eq!(found(points), expected(&records, step), "{step:?}");
        let one = found(store.statistics(step, NOW, end, Some("main")).unwrap());
        let mut of_one = expected(&records, step);
        of_one.retain(|(_, trunk), _| trunk == "main");
        assert_eq!(one, of_one);
    }
}

fn on(trunk: &str, n: u128, began: u64) -> Record {
    Record {
        trunk: trunk.to_owned(),
        started_at: Timestamp(began),
        ended_at: None,
        ..crate::world::record(n)
    }
}

#[test]
fn calls_at_once_are_counted_from_the_first_checkpoint_to_the_record_and_through_a_death() {
    const MINUTE: u64 = 60_000;
    let mut world = World::new();
    let hour = NOW.0 - NOW.0 % 3_600_000 + 3_600_000;
    let begin = |world: &World, n: u128, at: u64| {
        world.store().checkpoint(&on("main", n, hour + at), &[]).unwrap();
    };
    let end = |world: &World, n: u128, began: u64, at: u64| {
        let ended_at = Some(Timestamp(hour + at));
        world.store().finish(&Record { ended_at, ..on("main", n, hour + began) }, vec![]).unwrap();
    };
    begin(&world, 1, 0);
    begin(&world, 2, 10_000);
    begin(&world, 2, 10_000);
    world.reopen();
    begin(&world, 3, 20_000);
    end(&world, 2, 10_000, 30_000);
    end(&world, 3, 20_000, 4 * MINUTE + 5);
    begin(&world, 4, 4 * MINUTE + 7);
    world.reopen();
    end(&world, 4, 4 * MINUTE + 7, 4 * MINUTE + 8);
    // This one was never taken: it was at once with nobody.
    end(&world, 5, 4 * MINUTE + 9, 4 * MINUTE + 9);
    end(&world, 1, 0, 6 * MINUTE + 1);
    let store = world.reopen();
    let most = |step, from: u64, to: u64| {
        let points = store.statistics(step, Timestamp(hour + from), Timestamp(hour + to), None).unwrap();
        points.iter().map(|point| ((point.at.0 - hour) / MINUTE, point.most_at_once)).collect::<Vec<_>>()
    };
    assert_eq!(most(Step::Minute, 0, 60 * MINUTE), [(0, 3), (1, 2), (2, 2), (3, 2), (4, 2), (5, 1), (6, 1)]);
    assert_eq!(most(Step::Minute, 2 * MINUTE, 4 * MINUTE), [(2, 2), (3, 2)], "they began before");
    assert_eq!(most(Step::Hour, 0, 600 * MINUTE), [(0, 3)]);
}

#[test]
fn a_call_is_on_its_second_trunk_once_it_is_dialled_by_it() {
    let world = World::new();
    let hour = NOW.0 - NOW.0 % 3_600_000;
    let one = on("main", 1, hour);
    world.store().checkpoint(&one, &[]).unwrap();
    let tried = vec![TriedRecord { dialled_at: Timestamp(hour + 60_000), ..TriedRecord::default() }];
    let two = Record { callee_trunk: Some("spare".to_owned()), tried, ..one };
    world.store().checkpoint(&two, &[]).unwrap();
    let points = world.store().statistics(Step::Minute, Timestamp(hour), Timestamp(hour + 120_000), None);
    let points: Vec<_> = points
        .unwrap()
        .into_iter()
        .map(|point| (point.at.0 - hour, point.trunk, point.most_at_once))
        .collect();
    assert_eq!(points, [(0, "main".into(), 1), (60_000, "main".into(), 1), (60_000, "spare".into(), 1)]);
}

#[test]
fn percentiles_are_near_and_points_are_forgotten_in_time() {
    let mut world = World::new();
    let delays = (1..=100_u64).rev();
    for (n, delay) in delays.enumerate() {
        let tried = TriedRecord {
            side: "callee".to_owned(),
            rang_seconds: Some(delay as f64 / 10.0),
            ..TriedRecord::default()
        };
        let record = Record {
            callee_trunk: Some("main".to_owned()),
            tried: vec![tried],
            callee_leg: Some(LegRecord { mos: Some(delay as f32 / 25.0), ..LegRecord::default() }),
            ended_at: Some(NOW),
            ..on("main", n as u128, NOW.0)
        };
        world.store().finish(&record, vec![]).unwrap();
    }
    let store = world.reopen();
    let later = |ms: u64| Timestamp(NOW.0 + ms);
    let point = store.statistics(Step::Day, NOW, later(1), None).unwrap().remove(0);
    let (half, most) = (point.post_dial_delay_p50_ms.unwrap(), point.post_dial_delay_p95_ms.unwrap());
    assert!((4_700..=5_000).contains(&half) && (8_900..=9_500).contains(&most), "{point:?}");
    assert_eq!((point.mos_p5, point.mos), (Some(0.2), Some(2.02)));
    let points = |step| store.statistics(step, NOW, later(1), None).unwrap().len();
    for (days, kept) in [(1, [1, 1, 1]), (3, [0, 1, 1]), (92, [0, 0, 1]), (732, [0, 0, 0])] {
        store.sweep(later(days * 86_400_000), 1_000).unwrap();
        assert_eq!(Step::ALL.map(points), kept, "after {days} days");
    }
    // A record that comes long after its minute was forgotten brings none back.
    let late = Record { ended_at: Some(later(3 * 86_400_000)), ..on("main", 999, NOW.0) };
    store.finish(&late, vec![]).unwrap();
    assert_eq!(Step::ALL.map(points), [0, 1, 1]);
}
