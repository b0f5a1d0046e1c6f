//! The program under a supervisor as systemd is: what it tells it, and what makes it stop telling that it is well.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use tests::config::{ADMIN, Config};
use tests::frozen::Frozen;
use tests::loopback::Loopback;
use tests::program::Bauta;
use tests::wait;

/// Within what time it must say that it is well.
const PATIENCE: Duration = Duration::from_secs(2);

/// The program, and what it says to its supervisor.
struct Place {
    bauta: Bauta,
    supervisor: UnixDatagram,
    _folder: tempfile::TempDir,
}

impl Place {
    fn open() -> Self {
        let folder = tempfile::tempdir().expect("a directory can be made");
        let path = folder.path().join("notify");
        let supervisor = UnixDatagram::bind(&path).expect("a socket can be bound");
        let environment = [
            ("NOTIFY_SOCKET", path.to_string_lossy().into_owned()),
            ("WATCHDOG_USEC", PATIENCE.as_micros().to_string()),
        ];
        let environment = environment.map(|(key, value)| (key.to_owned(), value)).into();
        let loopback = Loopback::claim();
        let bauta = Bauta::start_in(environment, &loopback, &Config::new(&loopback));
        Self { bauta, supervisor, _folder: folder }
    }

    /// The next thing it says, if it says something within this time.
    fn said(&self, within: Duration) -> Option<String> {
        self.supervisor.set_read_timeout(Some(within)).expect("a time above zero");
        let mut buffer = [0; 4096];
        let length = self.supervisor.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..length].to_vec()).expect("it speaks UTF-8"))
    }

    /// Waits until it says a line that begins so.
    fn hears(&self, line: &str) -> String {
        loop {
            let said = self.said(wait::SOON).unwrap_or_else(|| panic!("it never said {line}"));
            if said.lines().any(|one| one.starts_with(line)) {
                return said;
            }
        }
    }

    /// What it said before is not meant.
    fn forget(&self) {
        while self.said(Duration::from_millis(1)).is_some() {}
    }

    fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.bauta.http_as(ADMIN, "GET", "/metrics", None);
        let text = text.as_str().expect("metrics are text").to_owned();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}"));
        line.rsplit(' ').next().and_then(|value| value.parse().ok()).expect("a number")
    }

    fn is_ready(&self) -> bool {
        self.bauta.http("GET", "/readyz", None).0 == 200
    }
}

#[test]
fn it_tells_how_it_is_and_calls_itself_without_a_trace() {
    let mut place = Place::open();
    place.hears("READY=1");
    for _ in 0..3 {
        place.hears("WATCHDOG=1");
    }
    assert!(place.metric("bauta_self_calls_total{outcome=\"heard\"}") >= 3.0);
    assert_eq!(place.metric("bauta_self_calls_total{outcome=\"failed\"}"), 0.0);
    assert_eq!(place.bauta.records().len(), 0);
    let (_, events) = place.bauta.http("GET", "/v1/events?limit=10", None);
    assert!(!events.to_string().contains("call."), "{events}");
    place.bauta.signal(libc::SIGHUP);
    assert!(place.hears("RELOADING=1").contains("\nMONOTONIC_USEC="));
    place.hears("READY=1");
    place.bauta.signal(libc::SIGTERM);
    place.hears("STOPPING=1");
    assert!(place.bauta.wait(wait::LATER).success());
    place.bauta.assert_no_fault();
}

/// It says that it is well, then these threads stand still: nothing more is said until they go on.
fn frozen(threads: &str) {
    let place = Place::open();
    place.hears("WATCHDOG=1");
    let frozen = Frozen::threads(place.bauta.id(), threads);
    // What was under way may still come to its end.
    let _ = place.said(PATIENCE);
    place.forget();
    assert_eq!(place.said(2 * PATIENCE), None, "while {threads} stands still");
    drop(frozen);
    place.hears("WATCHDOG=1");
    wait::until_true("it to be ready again", wait::SOON, || place.is_ready());
    assert!(place.metric("bauta_self_calls_total{outcome=\"failed\"}") >= 1.0);
}

#[test]
fn it_is_not_well_while_no_call_is_answered() {
    frozen("bauta-board");
}

#[test]
fn it_is_not_well_while_no_voice_flows() {
    frozen("relay-");
}
