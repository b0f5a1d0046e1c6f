//! What pairs cost: making them one at a time and from many threads, finding one among many, opening the store.
//! `cargo bench -p store --bench pairs`, or with the number of pairs: `cargo bench -p store --bench pairs -- 10000`.
#![expect(clippy::print_stdout, reason = "results go to standard output")]

use std::time::{Duration, Instant};

use number::Number;
use store::{
    Batch, Choice, Mode, NewPair, Options, Pair, PairDirection, Party, PoolNumber, Store, Timestamp,
};

const NOW: Timestamp = Timestamp(1_795_000_000_000);
/// Numbers of the pool.
const POOL: u64 = 1_000;

fn main() {
    let count = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(100_000);
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let store = open(dir.path());
    let pairs = fill(&store, count);
    println!("{count} live pairs on {POOL} numbers");
    find(&store, &pairs);
    create(&store, count);
    create_at_once(&store, count + 10_000);
    drop(store);
    let begun = Instant::now();
    let store = open(dir.path());
    println!("opened with {} pairs in {:.0?}", store.pairs_kept(), begun.elapsed());
}

fn open(dir: &std::path::Path) -> Store {
    let store = Store::open(dir, Options::default()).expect("it opens");
    let numbers = (0..POOL).map(|n| PoolNumber { number: number(78_005_000_000 + n), reserved: false });
    store.set_pool(&numbers.collect::<Vec<_>>());
    store
}

fn number(digits: u64) -> Number {
    Number::parse(&digits.to_string()).expect("a number")
}

/// The `n`th pair that is asked for: a driver has some twenty, a passenger one.
fn asked(n: u64) -> NewPair {
    let party = |digits| Party { number: number(digits), language: None, name: None };
    NewPair {
        mode: if n.is_multiple_of(4) { Mode::TwoNumbers } else { Mode::OneNumber },
        direction: PairDirection::Both,
        a: party(79_990_000_000 + n * 7_919 % 5_003),
        b: Some(party(79_000_000_000 + n)),
        choice: Choice::default(),
        expires_at: Timestamp(NOW.0 + 864_000_000),
        sliding: None,
        cool_off: Duration::from_secs(3_600),
        fallback: None,
        max_call: None,
        ring_timeout: None,
        record: None,
        data: None,
    }
}

/// Many in each batch, so that the disk is not what is waited for.
fn fill(store: &Store, count: u64) -> Vec<Pair> {
    let begun = Instant::now();
    let mut pairs = Vec::new();
    for from in (0..count).step_by(500) {
        let batch =
            (from..count.min(from + 500)).fold(Batch::new(), |batch, n| batch.create_pair(asked(n), NOW));
        for outcome in store.apply(batch).expect("it is written") {
            let store::Outcome::Pair(made) = outcome else { continue };
            pairs.push(*made.expect("there are numbers enough"));
        }
    }
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    println!("made in batches of 500, durably: {rate:.0}/s");
    pairs
}

fn find(store: &Store, pairs: &[Pair]) {
    let mut took: Vec<Duration> = (0..100_000)
        .map(|n| {
            let pair = &pairs[n * 7_919 % pairs.len()];
            let caller = if n % 2 == 0 { Some(&pair.a) } else { pair.b.as_ref() };
            let caller = caller.expect("both are there");
            let begun = Instant::now();
            let found = store.find_pair(caller.dials, Some(caller.party.number), NOW).expect("readable");
            let took = begun.elapsed();
            assert_eq!(found.map(|found| found.pair.id), Some(pair.id));
            took
        })
        .collect();
    println!("find a caller's pair: {}", spread(&mut took));
    let mut took: Vec<Duration> = (0..100_000)
        .map(|n| {
            let begun = Instant::now();
            let found = store.find_pair(number(78_005_000_000 + n % POOL), Some(number(79_111_111_111)), NOW);
            assert_eq!(found, Ok(None));
            begun.elapsed()
        })
        .collect();
    println!("find that a stranger has none: {}", spread(&mut took));
}

fn create(store: &Store, from: u64) {
    let begun = Instant::now();
    let mut took: Vec<Duration> = (from..from + 500)
        .map(|n| {
            let begun = Instant::now();
            store.create_pair(asked(n), NOW).expect("written").expect("there are numbers enough");
            begun.elapsed()
        })
        .collect();
    let rate = 500.0 / begun.elapsed().as_secs_f64();
    println!("make one at a time, durably: {rate:.0}/s, {}", spread(&mut took));
}

fn create_at_once(store: &Store, from: u64) {
    const THREADS: u64 = 16;
    const EACH: u64 = 250;
    let begun = Instant::now();
    let mut took: Vec<Duration> = std::thread::scope(|threads| {
        let work = |thread: u64| {
            let make = move |n: u64| {
                let begun = Instant::now();
                let made = store.create_pair(asked(from + thread * EACH + n), NOW).expect("written");
                made.expect("there are numbers enough");
                begun.elapsed()
            };
            threads.spawn(move || (0..EACH).map(make).collect::<Vec<_>>())
        };
        let workers: Vec<_> = (0..THREADS).map(work).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("it works")).collect()
    });
    let rate = (THREADS * EACH) as f64 / begun.elapsed().as_secs_f64();
    println!("make from {THREADS} threads, durably: {rate:.0}/s, {}", spread(&mut took));
}

fn spread(took: &mut [Duration]) -> String {
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100];
    format!("p50 {:.1?}, p99 {:.1?}, max {:.1?} of {}", at(50), at(99), at(100), took.len())
}
