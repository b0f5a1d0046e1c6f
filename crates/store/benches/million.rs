//! What a million orders cost: importing, opening, finding, memory. `cargo bench -p store`, or with the number of
//! orders: `cargo bench -p store -- 100000`.
#![expect(clippy::print_stdout, reason = "results go to standard output")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use number::Number;
use store::{Json, NewEvent, Options, Order, Party, Record, Store, Timestamp, Ulid};

const NOW: Timestamp = Timestamp(1_795_000_000_000);

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["import", dir, count] => import(Path::new(dir), count.parse().expect("a number")),
        ["use", dir, count] => make_use(Path::new(dir), count.parse().expect("a number")),
        [] => all(1_000_000),
        [count] => all(count.parse().expect("a number of orders")),
        _ => println!("usage: million [ORDERS]"),
    }
}

/// Imports in one process that is killed, uses in another.
fn all(count: u64) {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let child = |what: &str| {
        let mut child = Command::new(std::env::current_exe().expect("this bench has a path"))
            .args([what, &dir.path().join("store").to_string_lossy(), &count.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        for line in BufReader::new(child.stdout.take().expect("it is piped")).lines() {
            match line.expect("text").as_str() {
                "done" => break,
                line => println!("{line}"),
            }
        }
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
    };
    for what in ["import", "use", "use"] {
        println!("--- {what}, then kill -9");
        child(what);
    }
}

fn order(n: u64) -> Order {
    let scattered = scatter(n);
    let party = |number: u64| Party {
        number: Number::parse(&number.to_string()).expect("a number"),
        language: None,
        name: None,
    };
    Order {
        limits: store::OrderLimits::default(),
        code: format!("{:07}", scattered % 10_000_000).into(),
        line: Some(line(n)),
        courier: party(79_990_000_000 + scattered % 20_000),
        client: party(79_000_000_000 + scatter(n + 1) % 100_000_000),
        expires_at: Timestamp(NOW.0 + 1_000_000 + scatter(n + 2) % 864_000_000),
        created_at: NOW,
        updated_at: NOW,
        data: Some(Json::parse(r#"{"shop":"42"}"#).expect("it is JSON")),
    }
}

fn line(n: u64) -> Number {
    Number::parse(&(74_950_000_000 + n % 50).to_string()).expect("a number")
}

/// Spreads numbers out (the finaliser of MurmurHash3).
fn scatter(n: u64) -> u64 {
    let n = (n ^ n >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let n = (n ^ n >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    n ^ n >> 33
}

fn import(dir: &Path, count: u64) {
    let store = Store::open(dir, Options::default()).expect("it opens");
    let begun = Instant::now();
    let importing = AtomicBool::new(true);
    let mut found = std::thread::scope(|threads| {
        let finder = threads.spawn(|| {
            let mut took = Vec::new();
            for n in 0.. {
                if !importing.load(Ordering::Relaxed) {
                    break;
                }
                let order = order(scatter(n) % 1_000);
                took.push(timed(|| {
                    store.find_code(order.line.expect("it has one"), &order.code, NOW).expect("readable")
                }));
                std::thread::sleep(Duration::from_millis(1));
            }
            took
        });
        for from in (0..count).step_by(10_000) {
            store
                .put_orders((from..count.min(from + 10_000)).map(order).collect(), NOW)
                .expect("it is written");
        }
        importing.store(false, Ordering::Relaxed);
        finder.join().expect("it finds")
    });
    println!("imported {count} orders durably in {:.1?}, {}", begun.elapsed(), memory());
    println!("  found meanwhile: {}", spread(&mut found));
    println!("  on the disk: {} MB", store.status().disk_bytes >> 20);
    println!("done");
    std::thread::park();
}

fn make_use(dir: &Path, count: u64) {
    let begun = Instant::now();
    let store = Store::open(dir, Options::default()).expect("it opens");
    println!("opened in {:.0?}, {}", begun.elapsed(), memory());
    let first = order(0);
    store.find_code(line(0), &first.code, NOW).expect("readable").expect("it is there");
    println!("first code found {:.0?} after the start, {}", begun.elapsed(), memory());
    store.find_party(line(0), first.client.number, NOW).expect("readable");
    println!("first number found {:.0?} after the start, {}", begun.elapsed(), memory());

    let mut took: Vec<_> = (0..100_000)
        .map(|n| {
            let order = order(scatter(n + 7) % count);
            timed(|| store.find_code(order.line.expect("it has one"), &order.code, NOW).expect("readable"))
        })
        .collect();
    println!("find a code: {}, {}", spread(&mut took), memory());
    let mut took: Vec<_> = (0..20_000)
        .map(|n| {
            let order = order(scatter(n + 9) % count);
            timed(|| {
                store.find_party(order.line.expect("it has one"), order.client.number, NOW).expect("readable")
            })
        })
        .collect();
    println!("find a party: {}", spread(&mut took));
    let mut took: Vec<_> =
        (0..1_000).map(|n| timed(|| store.put_order(order(count + n), NOW).expect("written"))).collect();
    println!("put an order, one at a time, durably: {}", spread(&mut took));
    finish_calls(&store);
    sweep(&store);
    println!("done");
    std::thread::park();
}

fn finish_calls(store: &Store) {
    const THREADS: u64 = 16;
    const EACH: u64 = 250;
    let begun = Instant::now();
    let mut took: Vec<Duration> = std::thread::scope(|threads| {
        let work = |thread: u64| {
            let finish = move |n: u64| {
                let id = Ulid::from_parts(
                    NOW.0 + scatter(std::process::id().into()),
                    u128::from(thread * EACH + n),
                );
                let record =
                    Record { id, started_at: NOW, caller: Some("+79990000000".into()), ..Record::default() };
                let data = Json::of(&record).expect("it is JSON");
                let event = NewEvent { kind: "record.written".to_owned(), at: NOW, call: Some(id), data };
                timed(|| store.finish(&record, vec![event]).expect("written"))
            };
            threads.spawn(move || (0..EACH).map(finish).collect::<Vec<_>>())
        };
        let workers: Vec<_> = (0..THREADS).map(work).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("it works")).collect()
    });
    let rate = (THREADS * EACH) as f64 / begun.elapsed().as_secs_f64();
    println!("finish calls from {THREADS} threads: {rate:.0}/s, {}", spread(&mut took));
}

fn sweep(store: &Store) {
    let later = Timestamp(NOW.0 + 1_000_000 + 86_400_000);
    let (begun, mut swept) = (Instant::now(), 0);
    loop {
        let portion = store.sweep(later, 256).expect("written").len();
        swept += portion;
        if portion < 256 {
            break;
        }
    }
    println!("swept {swept} expired orders, each with its event, in {:.1?}, {}", begun.elapsed(), memory());
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let begun = Instant::now();
    std::hint::black_box(work());
    begun.elapsed()
}

fn spread(took: &mut [Duration]) -> String {
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100];
    format!("p50 {:.1?}, p99 {:.1?}, max {:.1?} of {}", at(50), at(99), at(100), took.len())
}

fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kb = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0)
    };
    format!("resident {} MB (most {}), {:.1} s of CPU so far", kb("VmRSS:") >> 10, kb("VmHWM:") >> 10, cpu())
}

/// Seconds this process has computed: what a busy machine does not change.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // proc(5): after the name in parentheses, `utime` and `stime` are the 12th and 13th, in hundredths of a second.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    fields.iter().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
