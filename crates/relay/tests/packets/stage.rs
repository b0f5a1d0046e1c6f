//! A relay with one worker and what it says.

#[path = "../wire/mod.rs"]
mod wire;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use recording::Settings as Recordings;
use relay::{AtCards, Cards, Hook, Io, Relay, Settings, Usable};
use rtp::{
    Command, Direction, Format, Law, Library, Media, OpusWishes, Port, Remote, Report, SessionId, Statistics,
};

use crate::phone::{Phone, agreed};

/// Longer than a busy disk takes to sync.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pairs a stage asks for.
const PAIRS: u16 = 8;

/// Tests run at the same time: each has ports of its own.
static NEXT: AtomicU16 = AtomicU16::new(18_600);

pub(crate) struct Stage {
    pub(crate) relay: Relay,
    usable: Usable,
    addresses: Vec<IpAddr>,
    said: Receiver<Report>,
    /// Held: cards go with their namespace.
    _wire: Option<wire::Wire>,
}

fn ports() -> RangeInclusive<u16> {
    let first = NEXT.fetch_add(2 * PAIRS, Ordering::Relaxed);
    first..=first + 2 * PAIRS - 1
}

/// These tests are built once for each way to move packets.
fn io() -> Io {
    match env!("CARGO_CRATE_NAME") {
        "packets_io_uring" => Io::IoUring,
        "packets" => Io::Epoll,
        _ => Io::Auto,
    }
}

/// Has this thread, and those that it begins, be where there is a card that frames can be taken from. Voice goes by loopback
/// there, which has none: that the rest is as ever beside lanes.
fn beside_lanes() -> Option<wire::Wire> {
    if env!("CARGO_CRATE_NAME") != "packets_af_xdp" {
        return None;
    }
    let enter = || {
        let wire = wire::Wire::new()?;
        wire.ip(&wire.ours, "link set lo up")?;
        // SAFETY: the call takes numbers; only this thread is put elsewhere, and those it begins.
        let result = unsafe { libc::setns(wire.ours.as_raw_fd(), libc::CLONE_NEWNET) };
        if result == 0 { Ok(wire) } else { Err(std::io::Error::last_os_error()) }
    };
    match enter() {
        Ok(wire) => Some(wire),
        Err(error) => wire::untested(&error.to_string()),
    }
}

impl Stage {
    pub(crate) fn new(addresses: &[&str], library: Library, recordings: Recordings) -> Self {
        Self::telling(addresses, library, recordings, |_| {})
    }

    /// One of which every report is heard by `hear` first, on the thread that says it.
    pub(crate) fn telling(
        addresses: &[&str],
        library: Library,
        recordings: Recordings,
        hear: impl Fn(&Report) + Send + Sync + 'static,
    ) -> Self {
        let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().expect("an address")).collect();
        let (reports, said) = channel();
        let wire = beside_lanes();
        let cards = || Cards::Named(vec!["card".to_owned()]);
        let lanes = wire.as_ref().map(|_| AtCards { cards: cards(), hook: Hook::Auto });
        let settings = Settings {
            workers: 1,
            io: io(),
            shortcuts: None,
            lanes,
            max_wait: None,
            recordings,
            sessions: rtp::Settings {
                addresses: addresses.clone(),
                public: Vec::new(),
                ports: ports(),
                others: BTreeSet::new(),
                silence: Duration::from_secs(30),
                rtcp_interval: Duration::from_secs(5),
                inband: true,
            },
        };
        let say = move |report| {
            hear(&report);
            drop(reports.send(report));
        };
        let (relay, usable) = Relay::start(settings, &Arc::new(library), say).expect("the relay starts");
        assert_eq!(relay.has_lanes(), wire.is_some());
        Self { relay, usable, addresses, said, _wire: wire }
    }

    /// The `place`th port of an address, and where packets to it are sent.
    pub(crate) fn port(&self, address: u8, place: usize) -> (Port, SocketAddr) {
        let number = self.usable[usize::from(address)][0][place];
        let port = Port { worker: 0, address, number };
        (port, SocketAddr::new(self.addresses[usize::from(address)], number))
    }

    pub(crate) fn give(&mut self, command: Command) {
        self.relay.send(0, command);
        self.relay.flush();
    }

    /// Opens a session with a phone.
    pub(crate) fn open(&mut self, session: u32, port: Port, phone: &Phone, law: Law) {
        self.open_to(session, port, phone.address(), law);
    }

    /// Opens a session whose description names this address.
    pub(crate) fn open_to(&mut self, session: u32, port: Port, rtp: SocketAddr, law: Law) {
        let rtcp = SocketAddr::new(rtp.ip(), rtp.port() ^ 1);
        let format = agreed(law);
        let media = Media {
            remote: Some(Remote { rtp, rtcp }),
            format: Format {
                send: format,
                receive: [Some(format), None, None, None],
                also: [None; 3],
                event_send: None,
                event_receive: None,
                ptime: 20,
                longest: None,
                noise: false,
                opus: OpusWishes::default(),
            },
            direction: Direction::SendReceive,
            srtp: None,
            xr: false,
        };
        self.give(Command::Open { session: SessionId(session), port, media });
        self.settle();
    }

    /// Waits until all that was given is carried out.
    pub(crate) fn settle(&mut self) {
        // Commands are carried out in their order, and this one is answered.
        let nobody = SessionId(u32::MAX);
        self.give(Command::Close { session: nobody });
        self.until(|report| matches!(report, Report::Closed { session, .. } if *session == nobody));
    }

    /// Closes a session and says what passed through it.
    pub(crate) fn close(&mut self, session: u32) -> Statistics {
        let session = SessionId(session);
        self.give(Command::Close { session });
        let closed = self
            .until(|report| matches!(report, Report::Closed { session: closed, .. } if *closed == session));
        let Report::Closed { statistics, .. } = closed else { unreachable!("asked for") };
        statistics
    }

    /// The next report of a kind; others before it are dropped.
    pub(crate) fn until(&self, wanted: impl Fn(&Report) -> bool) -> Report {
        let end = Instant::now() + PATIENCE;
        loop {
            let report = self.said.recv_timeout(end.saturating_duration_since(Instant::now()));
            let report = report.expect("the report comes in time");
            if wanted(&report) {
                return report;
            }
        }
    }
}
