//! SIP over connections, TCP and TLS (RFC 3261 §18.3): accepted, opened, reused, kept alive, framed, bounded.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use sip::{Flow, Frame, Framer, Transport};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::Turn;
use super::tls::Tls;
use crate::seats::{Seat, Seats};

/// Messages waiting to be written on one connection; beyond it the connection is given up.
const WRITE_QUEUE: usize = 256;
/// A message begun must be whole within this.
const WHOLE_WITHIN: Duration = Duration::from_secs(10);
/// A connection on which nothing comes for this long is closed; the next request opens another.
const IDLE: Duration = Duration::from_secs(15 * 60);
/// A peer must take what we write within this.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// A peer must accept a connection within this: well below Timer B, so that the call is told in time.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Whoever connects by TLS must be done with that within this.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// How often we ask on a connection of ours whether the peer is still there (RFC 5626 §4.4.1: 95 to 120 s), and how much
/// later on some, so that not all are asked at once.
const PING: Duration = Duration::from_secs(95);
const PING_SPREAD: u32 = 25;
/// The answer must come within this (RFC 5626 §4.4.1).
const PONG_WITHIN: Duration = Duration::from_secs(10);
/// Connections at once.
const MOST: usize = 2_048;
/// Connections at once from one address.
const MOST_FROM_ONE: usize = 64;

/// What a connection says.
#[derive(Debug)]
pub(crate) enum StreamEvent {
    /// It is open and takes messages; whoever is there has proved these names.
    Opened { id: u32, flow: Flow, writer: mpsc::Sender<Bytes>, proved: Vec<Box<str>> },
    /// It could not be opened, or is gone.
    Closed(Flow),
}

/// All connections.
#[derive(Debug)]
pub(crate) struct Streams {
    turns: mpsc::Sender<Turn>,
    writers: HashMap<u32, mpsc::Sender<Bytes>>,
    by_peer: HashMap<(u8, SocketAddr), u32>,
    /// What each listener is bound to: what it opens comes from there.
    bound: HashMap<u8, IpAddr>,
    /// Messages for connections being opened.
    waiting: HashMap<(u8, SocketAddr), Vec<Bytes>>,
    /// Who is to be expected at an address, by TLS.
    expected: Names,
    tls: watch::Receiver<Option<Tls>>,
    counts: Arc<Counts>,
}

/// Names by address: trunks whose name leads there.
pub(crate) type Names = HashMap<SocketAddr, BTreeSet<String>>;

/// A connection that is to be opened.
struct Opening {
    flow: Flow,
    id: u32,
    /// The address of the listener it is opened for: the peer may know us by it alone.
    from: Option<IpAddr>,
    /// Who must be there, by TLS.
    names: Vec<String>,
    tls: Option<Tls>,
}

/// Who has how many connections, and the next one's number.
#[derive(Debug)]
struct Counts {
    seats: Arc<Seats>,
    next: AtomicU32,
}

impl Counts {
    fn seat(&self, source: IpAddr) -> Option<Seat> {
        self.seats.take(source)
    }

    fn next(&self) -> u32 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}

impl Streams {
    pub(crate) fn new(turns: mpsc::Sender<Turn>, tls: watch::Receiver<Option<Tls>>) -> Self {
        Self {
            turns,
            expected: Names::new(),
            tls,
            writers: HashMap::new(),
            by_peer: HashMap::new(),
            bound: HashMap::new(),
            waiting: HashMap::new(),
            counts: Arc::new(Counts { seats: Seats::new(MOST, MOST_FROM_ONE), next: AtomicU32::new(0) }),
        }
    }

    /// Binds and accepts from now on.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn listen(&mut self, transport: Transport, address: SocketAddr, place: u8) -> io::Result<()> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(1024)?;
        let listener = TcpListener::from_std(socket.into())?;
        self.bound.insert(place, address.ip());
        let tls = (transport == Transport::Tls).then(|| self.tls.clone());
        tokio::spawn(accept(listener, place, tls, self.turns.clone(), Arc::clone(&self.counts)));
        Ok(())
    }

    /// Who is to be expected where, from now on. A connection over which someone more is expected than has proved to
    /// be there is closed: it was opened for another name.
    pub(crate) fn expect(&mut self, names: Names) {
        let before = std::mem::replace(&mut self.expected, names);
        for (peer, names) in &self.expected {
            if before.get(peer).is_none_or(|before| !names.is_subset(before)) {
                let ids = self.by_peer.iter().filter(|((_, other), _)| other == peer).map(|(_, id)| *id);
                for id in ids.collect::<Vec<_>>() {
                    self.writers.remove(&id);
                }
            }
        }
    }

    /// Sends on the flow's connection; where it has none or that is gone, on any to the peer, opened if need be.
    /// `false`: the connection takes no more.
    pub(crate) fn send(&mut self, flow: Flow, bytes: Bytes) -> bool {
        let key = (flow.listener, flow.peer);
        let known = flow.connection.filter(|id| self.writers.contains_key(id));
        let id = known.or_else(|| self.by_peer.get(&key).copied());
        if let Some(writer) = id.and_then(|id| self.writers.get(&id)) {
            return writer.try_send(bytes).is_ok();
        }
        if let Some(waiting) = self.waiting.get_mut(&key) {
            waiting.push(bytes);
            return waiting.len() <= WRITE_QUEUE;
        }
        let Some(seat) = self.counts.seat(flow.peer.ip()) else { return false };
        self.waiting.insert(key, vec![bytes]);
        let id = self.counts.next();
        let flow = Flow { connection: Some(id), ..flow };
        let opening = Opening {
            flow,
            id,
            from: self.bound.get(&flow.listener).copied(),
            // Without a name the address itself must be proved.
            names: self
                .expected
                .get(&flow.peer)
                .map_or_else(|| vec![flow.peer.ip().to_string()], |names| names.iter().cloned().collect()),
            tls: self.tls.borrow().clone(),
        };
        tokio::spawn(connect(opening, self.turns.clone(), seat));
        true
    }

    /// Learns what a connection said; gives back a flow that is lost.
    pub(crate) fn learn(&mut self, event: StreamEvent) -> Option<Flow> {
        match event {
            StreamEvent::Opened { id, flow, writer, .. } => {
                let key = (flow.listener, flow.peer);
                let taken = self.waiting.remove(&key).unwrap_or_default();
                let all = taken.into_iter().all(|bytes| writer.try_send(bytes).is_ok());
                self.writers.insert(id, writer);
                self.by_peer.insert(key, id);
                (!all).then_some(flow)
            }
            StreamEvent::Closed(flow) => {
                let key = (flow.listener, flow.peer);
                let id = flow.connection?;
                let was_open = self.writers.remove(&id).is_some();
                if self.by_peer.get(&key) == Some(&id) {
                    self.by_peer.remove(&key);
                }
                if !was_open {
                    self.waiting.remove(&key);
                    return Some(Flow { connection: None, ..flow });
                }
                Some(flow)
            }
        }
    }
}

async fn accept(
    listener: TcpListener,
    place: u8,
    tls: Option<watch::Receiver<Option<Tls>>>,
    turns: mpsc::Sender<Turn>,
    counts: Arc<Counts>,
) {
    let transport = if tls.is_some() { Transport::Tls } else { Transport::Tcp };
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of file descriptors: the connections there are must go on; try again when some are closed.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Some(seat) = counts.seat(peer.ip()) else { continue };
        // SIP messages are small and waited for.
        let _ = stream.set_nodelay(true);
        let id = counts.next();
        let flow = Flow { listener: place, transport, peer, connection: Some(id) };
        let link = Link { flow, id, turns: turns.clone(), is_ours: false, proved: Vec::new() };
        match tls.as_ref().map(|tls| tls.borrow().clone()) {
            None => drop(tokio::spawn(link.run(stream, seat))),
            Some(Some(tls)) => drop(tokio::spawn(shake(tls, stream, link, seat))),
            // Without a certificate there is nobody to connect to.
            Some(None) => {}
        }
    }
}

/// Someone connects by TLS.
async fn shake(tls: Tls, stream: TcpStream, link: Link, seat: Seat) {
    match timeout(HANDSHAKE_WITHIN, tls.accept(stream)).await {
        Ok(Ok((stream, proved))) => Link { proved, ..link }.run(stream, seat).await,
        Ok(Err(error)) => tracing::debug!(peer = %link.flow.peer, %error, "TLS came to nothing"),
        Err(_) => tracing::debug!(peer = %link.flow.peer, "TLS took too long"),
    }
}

/// Opens a connection from the listener's address.
async fn open(opening: &Opening) -> io::Result<TcpStream> {
    let peer = opening.flow.peer;
    let socket = if peer.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(from) = opening.from.filter(|from| !from.is_unspecified() && from.is_ipv4() == peer.is_ipv4())
    {
        socket.bind(SocketAddr::new(from, 0))?;
    }
    let stream = socket.connect(peer).await?;
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

async fn connect(opening: Opening, turns: mpsc::Sender<Turn>, seat: Seat) {
    let Opening { flow, id, .. } = opening;
    let link = Link { flow, id, turns: turns.clone(), is_ours: true, proved: Vec::new() };
    let opened = async {
        let stream = open(&opening).await?;
        match (flow.transport, &opening.tls) {
            (Transport::Tls, Some(tls)) => {
                tls.connect(stream, &opening.names).await.map(|stream| Opened::Tls(Box::new(stream)))
            }
            (Transport::Tls, None) => Err(io::Error::other("there is no certificate")),
            (Transport::Tcp | Transport::Udp, _) => Ok(Opened::Tcp(stream)),
        }
    };
    let error = match timeout(CONNECT_WITHIN, opened).await {
        Ok(Ok(Opened::Tcp(stream))) => return link.run(stream, seat).await,
        // Who is there was expected there, and is known by its address as anyone else.
        Ok(Ok(Opened::Tls(stream))) => {
            let proved = opening.names.iter().map(|name| name.as_str().into()).collect();
            return Link { proved, ..link }.run(*stream, seat).await;
        }
        Ok(Err(error)) => error,
        Err(_) => io::Error::from(io::ErrorKind::TimedOut),
    };
    tracing::warn!(peer = %flow.peer, transport = flow.transport.as_str(), %error, "a connection could not be opened");
    let _ = turns.send(Turn::Stream(StreamEvent::Closed(flow))).await;
}

enum Opened {
    Tcp(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

/// One connection.
struct Link {
    flow: Flow,
    id: u32,
    turns: mpsc::Sender<Turn>,
    /// We opened it, so we keep it alive (RFC 5626 §4.4).
    is_ours: bool,
    proved: Vec<Box<str>>,
}

impl Link {
    async fn run<S: AsyncRead + AsyncWrite>(self, stream: S, seat: Seat) {
        let Self { flow, id, turns, is_ours, proved } = self;
        let (writer, waiting) = mpsc::channel(WRITE_QUEUE);
        let (pong, ping) = (writer.clone(), writer.clone());
        if turns.send(Turn::Stream(StreamEvent::Opened { id, flow, writer, proved })).await.is_err() {
            return;
        }
        let pulse = Pulse::default();
        let (reading, writing) = tokio::io::split(stream);
        tokio::select! {
            () = read(reading, flow, &turns, pong, &pulse) => {}
            () = write(writing, waiting) => {}
            () = keep(ping, &pulse, id), if is_ours => {}
        }
        drop(seat);
        let _ = turns.send(Turn::Stream(StreamEvent::Closed(flow))).await;
    }
}

/// Whether the other end of a connection lives.
#[derive(Debug, Default)]
struct Pulse {
    /// How often something was heard.
    heard: AtomicU64,
    /// A ping of ours waits for its answer.
    is_asked: AtomicBool,
}

/// Asks again and again whether the peer is there (RFC 5626 §3.5.1); comes back when one that used to answer does not.
async fn keep(writer: mpsc::Sender<Bytes>, pulse: &Pulse, id: u32) {
    let pause = PING + Duration::from_secs((id % PING_SPREAD).into());
    let mut answers = false;
    loop {
        tokio::time::sleep(pause).await;
        let before = pulse.heard.load(Ordering::Relaxed);
        pulse.is_asked.store(true, Ordering::Relaxed);
        if writer.try_send(Bytes::from_static(b"\r\n\r\n")).is_err() {
            return;
        }
        tokio::time::sleep(PONG_WITHIN).await;
        match pulse.heard.load(Ordering::Relaxed) != before {
            true => answers = true,
            // Not everyone knows the question.
            false if answers => return,
            false => {}
        }
    }
}

/// Until the peer closes, falls silent, or sends what is no SIP.
async fn read<S: AsyncRead>(
    mut stream: ReadHalf<S>,
    flow: Flow,
    turns: &mpsc::Sender<Turn>,
    pong: mpsc::Sender<Bytes>,
    pulse: &Pulse,
) {
    let mut framer = Framer::new();
    let mut buffer = vec![0; 8_192];
    loop {
        let patience = if framer.is_unfinished() { WHOLE_WITHIN } else { IDLE };
        let Ok(Ok(length @ 1..)) = timeout(patience, stream.read(&mut buffer)).await else { return };
        pulse.heard.fetch_add(1, Ordering::Relaxed);
        framer.push(&buffer[..length]);
        while let Some(frame) = framer.next_frame() {
            match frame {
                Ok(Frame::Message(bytes)) => {
                    if turns.send(Turn::Message(flow, bytes)).await.is_err() {
                        return;
                    }
                }
                // RFC 5626 §3.5.1: a double CRLF is answered with a single one.
                Ok(Frame::Ping) => {
                    if pong.try_send(Bytes::from_static(b"\r\n")).is_err() {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
        if pulse.is_asked.load(Ordering::Relaxed) && framer.take_pong() {
            pulse.is_asked.store(false, Ordering::Relaxed);
        }
    }
}

async fn write<S: AsyncWrite>(mut stream: WriteHalf<S>, mut waiting: mpsc::Receiver<Bytes>) {
    while let Some(bytes) = waiting.recv().await {
        match timeout(WRITE_WITHIN, stream.write_all(&bytes)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
        // Through the layers that keep something back.
        if stream.flush().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use tokio::io::DuplexStream;
    use tokio::time::Instant;

    /// A connection of ours in virtual time: its other end, and what it says.
    async fn link() -> (DuplexStream, mpsc::Receiver<Turn>) {
        let (ours, theirs) = tokio::io::duplex(4096);
        let (turns, mut said) = mpsc::channel(16);
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 5060));
        let flow = Flow { listener: 0, transport: Transport::Tcp, peer, connection: Some(0) };
        let seat = Seats::new(1, 1).take(peer.ip()).unwrap();
        let link = Link { flow, id: 0, turns, is_ours: true, proved: Vec::new() };
        tokio::spawn(link.run(ours, seat));
        assert!(matches!(said.recv().await, Some(Turn::Stream(StreamEvent::Opened { .. }))));
        (theirs, said)
    }

    async fn next(stream: &mut DuplexStream) -> Vec<u8> {
        let mut buffer = vec![0; 64];
        let length = stream.read(&mut buffer).await.unwrap();
        buffer.truncate(length);
        buffer
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_used_to_answer_and_does_no_more_is_given_up() {
        let (mut theirs, mut said) = link().await;
        let began = Instant::now();
        for _ in 0..3 {
            assert_eq!(next(&mut theirs).await, b"\r\n\r\n");
            theirs.write_all(b"\r\n").await.unwrap();
        }
        assert_eq!(next(&mut theirs).await, b"\r\n\r\n");
        assert!(matches!(said.recv().await, Some(Turn::Stream(StreamEvent::Closed(_)))));
        assert_eq!(began.elapsed().as_secs(), 4 * (PING + PONG_WITHIN).as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_know_the_question_is_kept_until_it_has_been_silent_for_long() {
        let (mut theirs, mut said) = link().await;
        let began = Instant::now();
        let asked = async {
            let mut asked = 0;
            while next(&mut theirs).await == b"\r\n\r\n" {
                asked += 1;
            }
            asked
        };
        assert_eq!(asked.await, 8);
        assert!(matches!(said.recv().await, Some(Turn::Stream(StreamEvent::Closed(_)))));
        assert_eq!(began.elapsed(), IDLE);
    }
}
