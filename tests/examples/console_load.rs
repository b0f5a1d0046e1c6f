//! What 10,000 events a minute are to a browser that shows them: `cargo run --release -p tests --example console_load -- SECONDS`. It puts
//! orders at that pace, each of which is an event, first with the board open and then with the journal, and says what it cost.
#![expect(clippy::print_stdout, reason = "results go to standard output")]

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::browser::{Browser, Look};
use tests::config::ADMIN;
use tests::console::Console;
use tests::scene::Scene;
use tests::wait;

/// Between two events: 10,000 a minute.
const PAUSE: Duration = Duration::from_millis(6);
/// Between two looks at what the page holds.
const LOOKED: Duration = Duration::from_secs(10);

const WATCH: &str = "window.tasks = []; window.frames = 0; \
    (function frame() { window.frames += 1; requestAnimationFrame(frame); })(); \
    new PerformanceObserver((list) => list.getEntries().forEach((entry) => window.tasks.push(entry.duration))) \
        .observe({ entryTypes: ['longtask'] });";

fn main() {
    let seconds = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(60);
    let scene = Scene::brief(|config| config);
    for view in ["live", "journal"] {
        let console = Console::admin(&scene.loopback, Look::DESK);
        let browser = &console.browser;
        console.go(view);
        browser.command("Performance.enable", json!({ "timeDomain": "threadTicks" }));
        browser.run(WATCH, &[]);
        let (before, began) = (metric(browser, "TaskDuration"), Instant::now());
        let mut heap = vec![held(browser)];
        let mut put = 0_u32;
        while began.elapsed() < Duration::from_secs(seconds) {
            scene.bauta.put_order(
                &format!("{:05}", put % 90_000 + 10_000),
                "79991111111",
                "79992222222",
                600,
            );
            put += 1;
            wait::until_true("the next", wait::SOON, || began.elapsed() >= PAUSE * put);
            if began.elapsed() > LOOKED * u32::try_from(heap.len()).expect("few") {
                heap.push(held(browser));
            }
        }
        let frames = browser.run("return window.frames", &[]).as_f64().expect("a number");
        let tasks = browser.run("return window.tasks.map(Math.round)", &[]);
        let work = (metric(browser, "TaskDuration") - before) * 1_000.0 / frames;
        let minutes = began.elapsed().as_secs_f64() / 60.0;
        println!(
            "{view}: {put} events, {:.0} a minute; {:.0} frames a second, {work:.1} ms of processor time for each; \
             tasks over 50 ms: {tasks}; heap {heap:?} KB",
            f64::from(put) / minutes,
            frames / minutes / 60.0,
        );
        let (_, seen) = scene.bauta.http_as(ADMIN, "GET", "/healthz", None);
        assert!(seen.is_object(), "it lives: {seen}");
    }
}

fn metric(browser: &Browser, name: &str) -> f64 {
    let all = browser.command("Performance.getMetrics", json!({}));
    let metrics = all["metrics"].as_array().cloned().unwrap_or_default();
    metrics
        .iter()
        .find(|metric| metric["name"] == name)
        .and_then(|metric| metric["value"].as_f64())
        .expect("it is told")
}

/// What the page's scripts hold, KB.
fn held(browser: &Browser) -> u64 {
    for _ in 0..2 {
        browser.command("HeapProfiler.collectGarbage", json!({}));
    }
    let value: Value = browser.run("return Math.round(performance.memory.usedJSHeapSize / 1024)", &[]);
    value.as_u64().expect("a number")
}
