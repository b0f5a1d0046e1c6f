//! One relay thread: its sockets, its queue of events, its machine.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use clock::Instant;
use rtp::{Command, Library, Port, Progress, Report, SessionId, Sink};

use crate::backend::{Arrived, Backend};
use crate::bell::Bell;
use crate::kernel::Ways;
use crate::lost::Counters;
use crate::outbox::Outbox;
use crate::sockets::{Place, Sockets};

/// What a worker is told.
#[expect(clippy::large_enum_variant, reason = "nearly all of them are commands")]
pub(crate) enum Order {
    /// For the machine.
    Command(Command),
    /// Prompts come from here from now on.
    Library(Arc<Library>),
}

/// What the loop drives: `rtp::Worker`, or what a test puts in its place.
pub(crate) trait Machine {
    fn command(&mut self, now: Instant, command: Command, sink: &mut impl Sink);
    fn packet(&mut self, now: Instant, port: Port, from: SocketAddr, bytes: &mut [u8], sink: &mut impl Sink);
    fn control_packet(
        &mut self,
        now: Instant,
        port: Port,
        from: SocketAddr,
        bytes: &[u8],
        sink: &mut impl Sink,
    );
    fn tick(&mut self, now: Instant, sink: &mut impl Sink);
    fn next_wake(&self) -> Option<Instant>;
    fn library(&mut self, library: Arc<Library>);
    fn progress(&mut self, port: Port, progress: &Progress);
    fn is_report(&self, port: Port, bytes: &[u8]) -> bool;
}

impl Machine for rtp::Worker {
    fn command(&mut self, now: Instant, command: Command, sink: &mut impl Sink) {
        Self::command(self, now, command, sink);
    }

    fn packet(&mut self, now: Instant, port: Port, from: SocketAddr, bytes: &mut [u8], sink: &mut impl Sink) {
        Self::packet(self, now, port, from, bytes, sink);
    }

    fn control_packet(
        &mut self,
        now: Instant,
        port: Port,
        from: SocketAddr,
        bytes: &[u8],
        sink: &mut impl Sink,
    ) {
        Self::control_packet(self, now, port, from, bytes, sink);
    }

    fn tick(&mut self, now: Instant, sink: &mut impl Sink) {
        Self::tick(self, now, sink);
    }

    fn next_wake(&self) -> Option<Instant> {
        Self::next_wake(self)
    }

    fn library(&mut self, library: Arc<Library>) {
        Self::library(self, library);
    }

    fn progress(&mut self, port: Port, progress: &Progress) {
        Self::progress(self, port, progress);
    }

    fn is_report(&self, port: Port, bytes: &[u8]) -> bool {
        Self::is_report(self, port, bytes)
    }
}

/// One relay thread.
pub(crate) struct Worker<B, M, F> {
    make: F,
    library: Arc<Library>,
    machine: M,
    outbox: Outbox,
    sockets: Arc<Sockets>,
    backend: B,
    /// Where the kernel sends plain packets on by itself.
    ways: Option<Ways>,
    inbox: Receiver<Order>,
    bell: Arc<Bell>,
    counters: Arc<Counters>,
    began: std::time::Instant,
    /// The pair of each open session.
    open: BTreeMap<SessionId, u32>,
    /// The open session of each pair.
    held: BTreeMap<u32, SessionId>,
}

/// What a worker is given, its machine aside.
pub(crate) struct Equipment<B> {
    pub(crate) backend: B,
    pub(crate) ways: Option<Ways>,
    pub(crate) sockets: Arc<Sockets>,
    pub(crate) outbox: Outbox,
    pub(crate) inbox: Receiver<Order>,
    pub(crate) bell: Arc<Bell>,
    pub(crate) counters: Arc<Counters>,
}

impl<B: Backend, M: Machine, F: Fn(Arc<Library>) -> M> Worker<B, M, F> {
    pub(crate) fn new(make: F, library: Arc<Library>, equipment: Equipment<B>) -> Self {
        let Equipment { backend, mut ways, sockets, outbox, inbox, bell, counters } = equipment;
        if let Some(ways) = &mut ways {
            ways.begin_time();
        }
        Self {
            machine: make(Arc::clone(&library)),
            make,
            library,
            outbox,
            sockets,
            backend,
            ways,
            inbox,
            bell,
            counters,
            began: std::time::Instant::now(),
            open: BTreeMap::new(),
            held: BTreeMap::new(),
        }
    }

    /// Runs until whoever gives the orders is gone.
    pub(crate) fn run(mut self) {
        loop {
            match catch_unwind(AssertUnwindSafe(|| self.work())) {
                Ok(()) => return,
                // The machine may be broken: what it held is lost, its calls are ended, the rest goes on.
                Err(_) => self.begin_anew(),
            }
        }
    }

    fn work(&mut self) {
        loop {
            let now = self.now();
            let look = self.ways.as_ref().and_then(Ways::next_look);
            let wake = self.machine.next_wake().into_iter().chain(look).min();
            let patience = wake.map(|at| at.since(now));
            if let Err(error) = self.backend.wait(patience) {
                tracing::error!(%error, "a relay worker cannot wait for packets");
                return;
            }
            let now = self.now();
            let rung = self.packets(now);
            if rung && self.orders(now).is_break() {
                self.backend.send(&self.outbox.packets);
                // A backend may send as it waits.
                if let Err(error) = self.backend.wait(Some(Duration::ZERO)) {
                    tracing::error!(%error, "a relay worker's last packets did not go out");
                }
                return;
            }
            self.look_after_ways(now);
            if self.machine.next_wake().is_some_and(|at| at <= now) {
                self.machine.tick(now, &mut self.outbox);
            }
            self.backend.send(&self.outbox.packets);
            self.outbox.packets.clear();
            self.outbox.settle();
            self.take_shortcuts(now);
        }
    }

    /// Gives the kernel what the machine offered, after the last packet before is on its way.
    fn take_shortcuts(&mut self, now: Instant) {
        let Some(ways) = &mut self.ways else { return self.outbox.shortcuts.clear() };
        for shortcut in self.outbox.shortcuts.drain(..) {
            let pairs = self.sockets.place(shortcut.from).zip(self.sockets.place(shortcut.to));
            if let Some((from, to)) = pairs {
                ways.begin(now, from, to, &shortcut);
            }
        }
    }

    fn look_after_ways(&mut self, now: Instant) {
        let Some(ways) = &mut self.ways else { return };
        ways.look(now, |pair, progress| {
            if let Some(port) = self.sockets.port(pair) {
                self.machine.progress(port, progress);
            }
        });
    }

    /// Takes packets that come to a pair back from the kernel, and what was offered of them.
    fn take_back(&mut self, pair: u32) {
        let Some(port) = self.sockets.port(pair) else { return };
        self.outbox.shortcuts.retain(|shortcut| shortcut.from != port);
        if let Some(progress) = self.ways.as_mut().and_then(|ways| ways.end(pair)) {
            self.machine.progress(port, &progress);
        }
    }

    /// Takes back all that comes to a pair and goes out of it.
    fn take_all_back(&mut self, pair: u32) {
        self.take_back(pair);
        if let Some(from) = self.ways.as_ref().and_then(|ways| ways.into(pair)) {
            self.take_back(from);
        }
        if let Some(port) = self.sockets.port(pair) {
            self.outbox.shortcuts.retain(|shortcut| shortcut.to != port);
        }
    }

    fn now(&self) -> Instant {
        Instant(self.began.elapsed())
    }

    /// Takes the packets that came; says whether there are orders too.
    fn packets(&mut self, now: Instant) -> bool {
        let mut rung = false;
        while let Some(arrived) = self.backend.next() {
            match arrived {
                Arrived::Bell => rung = true,
                Arrived::Packet { place, from, bytes } => {
                    let Some(port) = self.sockets.port(place.pair) else { continue };
                    if place.control {
                        self.machine.control_packet(now, port, from, bytes, &mut self.outbox);
                        continue;
                    }
                    // What comes up of such a source is what the kernel does not know what to do with.
                    if let Some(ways) = &mut self.ways
                        && ways.has(place.pair, from)
                        && !self.machine.is_report(port, bytes)
                        && let Some(progress) = ways.end(place.pair)
                    {
                        self.machine.progress(port, &progress);
                    }
                    self.outbox.shortcuts.retain(|shortcut| shortcut.from != port);
                    self.machine.packet(now, port, from, bytes, &mut self.outbox);
                }
            }
        }
        rung
    }

    /// Carries out what waits; breaks when there will be no more.
    fn orders(&mut self, now: Instant) -> ControlFlow<()> {
        loop {
            let order = match self.inbox.try_recv() {
                Ok(order) => order,
                Err(TryRecvError::Empty) => return ControlFlow::Continue(()),
                Err(TryRecvError::Disconnected) => return ControlFlow::Break(()),
            };
            self.counters.order();
            match order {
                Order::Command(command) => self.command(now, command),
                Order::Library(library) => {
                    self.library = Arc::clone(&library);
                    self.machine.library(library);
                }
            }
        }
    }

    fn command(&mut self, now: Instant, command: Command) {
        for session in command.sessions().into_iter().flatten() {
            if let Some(pair) = self.open.get(&session).copied() {
                self.take_all_back(pair);
            }
        }
        match command {
            Command::Open { session, port, .. } => self.open(session, port),
            Command::Close { session } => self.close(session),
            Command::Update { .. }
            | Command::Play { .. }
            | Command::Stop { .. }
            | Command::Bridge { .. }
            | Command::Unbridge { .. }
            | Command::PauseRecording { .. }
            | Command::Press { .. }
            | Command::Record { .. } => {}
        }
        self.machine.command(now, command, &mut self.outbox);
    }

    /// Listens to a pair, from an empty queue on.
    fn open(&mut self, session: SessionId, port: Port) {
        let Some(pair) = self.sockets.place(port) else {
            tracing::error!(session = session.0, ?port, "a session is opened on a port that is not held");
            return;
        };
        // Opening anew closes what is still open on the port or under the name.
        self.close(session);
        if let Some(other) = self.held.get(&pair).copied() {
            self.close(other);
        }
        self.sockets.empty(pair);
        for place in Place::both(pair) {
            if let Err(error) = self.backend.listen(place) {
                tracing::error!(session = session.0, ?port, %error, "a session's socket cannot be listened to");
            }
        }
        self.open.insert(session, pair);
        self.held.insert(pair, session);
    }

    /// Listens no more: until the pair is opened again, what comes fills the socket's queue and costs nothing.
    fn close(&mut self, session: SessionId) {
        let Some(pair) = self.open.remove(&session) else { return };
        self.take_all_back(pair);
        self.held.remove(&pair);
        for place in Place::both(pair) {
            if let Err(error) = self.backend.ignore(place) {
                tracing::error!(session = session.0, %error, "a session's socket cannot be let go");
            }
        }
    }

    /// Puts a new machine in the place of one that panicked. Its sessions have gone silent for good; closing them is
    /// answered by any machine.
    fn begin_anew(&mut self) {
        tracing::error!(sessions = self.open.len(), "a relay worker panicked; its sessions are lost");
        self.outbox.abandon();
        self.machine = (self.make)(Arc::clone(&self.library));
        // Orders may still wait behind the one that it panicked at.
        self.bell.ring();
        while let Some(session) = self.open.first_key_value().map(|(session, _)| *session) {
            self.close(session);
            self.outbox.report(Report::Silent { session });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{Epoll, Uring};
    use crate::ports;
    use crate::recorder::{Recorder, Say};
    use rtp::{Codec, Direction, Format, Media, OpusWishes, Statistics};
    use std::net::{IpAddr, Ipv4Addr, UdpSocket};
    use std::sync::mpsc::{SyncSender, channel, sync_channel};

    const PATIENCE: Duration = Duration::from_secs(10);

    /// Sends every packet back, and panics at one of them. Says a digit when a session is open.
    struct Echo;

    impl Machine for Echo {
        fn command(&mut self, _: Instant, command: Command, sink: &mut impl Sink) {
            match command {
                Command::Open { session, .. } => sink.report(Report::Digit { session, digit: '#' }),
                Command::Close { session } => {
                    let statistics = Statistics { packets_sent: 1, ..Statistics::default() };
                    sink.report(Report::Closed { session, statistics });
                }
                Command::Update { .. }
                | Command::Play { .. }
                | Command::Stop { .. }
                | Command::Bridge { .. }
                | Command::Unbridge { .. }
                | Command::PauseRecording { .. }
                | Command::Press { .. }
                | Command::Record { .. } => {}
            }
        }

        fn packet(
            &mut self,
            _: Instant,
            port: Port,
            from: SocketAddr,
            bytes: &mut [u8],
            sink: &mut impl Sink,
        ) {
            assert_ne!(bytes, b"panic");
            sink.send(port, from, bytes);
        }

        fn control_packet(
            &mut self,
            _: Instant,
            port: Port,
            from: SocketAddr,
            bytes: &[u8],
            sink: &mut impl Sink,
        ) {
            sink.send_control(port, from, bytes);
        }

        fn tick(&mut self, _: Instant, _: &mut impl Sink) {}

        fn next_wake(&self) -> Option<Instant> {
            None
        }

        fn library(&mut self, _: Arc<Library>) {}

        fn progress(&mut self, _: Port, _: &Progress) {}

        fn is_report(&self, _: Port, _: &[u8]) -> bool {
            false
        }
    }

    /// Ends the worker also where the test fails.
    struct Orders {
        sender: Option<SyncSender<Order>>,
        bell: Arc<Bell>,
    }

    impl Orders {
        fn give(&self, command: Command) {
            self.sender
                .as_ref()
                .expect("taken only when dropped")
                .send(Order::Command(command))
                .expect("the worker runs");
            self.bell.ring();
        }
    }

    impl Drop for Orders {
        fn drop(&mut self) {
            self.sender = None;
            self.bell.ring();
        }
    }

    fn peer() -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
        socket
    }

    fn answer(peer: &UdpSocket, number: u16, text: &str) -> String {
        peer.send_to(text.as_bytes(), (Ipv4Addr::LOCALHOST, number)).expect("loopback takes packets");
        let mut buffer = [0; 64];
        let (length, from) = peer.recv_from(&mut buffer).expect("an answer");
        assert_eq!(from.port(), number);
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn a_panic_ends_the_sessions_it_met_and_nothing_else() {
        a_panic_ends_the_sessions_it_met(21_500, |sockets, bell| {
            Epoll::new(sockets, bell, Arc::default()).unwrap()
        });
        a_panic_ends_the_sessions_it_met(21_520, |sockets, bell| {
            Uring::new(sockets, bell, Arc::default(), None).unwrap()
        });
    }

    fn a_panic_ends_the_sessions_it_met<B: Backend + Send + 'static>(
        first: u16,
        make: impl FnOnce(Arc<Sockets>, Arc<Bell>) -> B,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (reports, said) = channel();
        let say: Say = Arc::new(move |report| reports.send(report).unwrap());
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let (mut pairs, usable) = ports::bind(&[loopback], &(first..=first + 19), 1).unwrap();
        let number = usable[0][0][0];
        let port = Port { worker: 0, address: 0, number };
        let recorder = Recorder::start(&recording::Settings::wav(folder.path().to_owned()), &say).unwrap();
        let sockets = Arc::new(Sockets::new(pairs.remove(0)));
        let outbox = Outbox::new(Arc::clone(&sockets), recorder.feed(), say);
        let (orders, inbox) = sync_channel(16);
        let bell = Arc::new(Bell::new().unwrap());
        let backend = make(Arc::clone(&sockets), Arc::clone(&bell));
        let (bell_of, counters) = (Arc::clone(&bell), Arc::default());
        let equipment = Equipment { backend, ways: None, sockets, outbox, inbox, bell: bell_of, counters };
        let worker = Worker::new(|_| Echo, Arc::default(), equipment);
        let thread = std::thread::spawn(move || worker.run());
        let orders = Orders { sender: Some(orders), bell };
        let format = Format {
            send: (Codec::Pcmu, 0),
            receive: [None; 4],
            also: [None; 3],
            event_send: None,
            event_receive: None,
            ptime: 20,
            longest: None,
            noise: false,
            opus: OpusWishes::default(),
        };
        let media = Media { remote: None, format, direction: Direction::SendReceive, srtp: None, xr: false };
        let peer = peer();

        let opened = |session| Report::Digit { session, digit: '#' };

        orders.give(Command::Open { session: SessionId(1), port, media });
        assert_eq!(said.recv_timeout(PATIENCE), Ok(opened(SessionId(1))));
        assert_eq!(answer(&peer, number, "hello"), "hello");
        assert_eq!(answer(&peer, number + 1, "report"), "report");
        peer.send_to(b"panic", (loopback, number)).unwrap();
        assert_eq!(said.recv_timeout(PATIENCE), Ok(Report::Silent { session: SessionId(1) }));
        orders.give(Command::Close { session: SessionId(1) });
        let statistics = Statistics { packets_sent: 1, ..Statistics::default() };
        assert_eq!(said.recv_timeout(PATIENCE), Ok(Report::Closed { session: SessionId(1), statistics }));

        orders.give(Command::Open { session: SessionId(2), port, media });
        assert_eq!(said.recv_timeout(PATIENCE), Ok(opened(SessionId(2))));
        assert_eq!(answer(&peer, number, "again"), "again");
        orders.give(Command::Close { session: SessionId(2) });
        assert_eq!(said.recv_timeout(PATIENCE), Ok(Report::Closed { session: SessionId(2), statistics }));
        drop(orders);
        thread.join().unwrap();
    }
}
