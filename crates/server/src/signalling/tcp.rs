//! SIP over connections (RFC 3261 §18.3): accepted, opened, reused, framed, bounded.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sip::{Flow, Frame, Framer, Transport};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::Turn;

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
/// Connections at once.
const MOST: usize = 2_048;
/// Connections at once from one address.
const MOST_FROM_ONE: usize = 64;

/// What a connection says.
#[derive(Debug)]
pub(crate) enum StreamEvent {
    /// It is open and takes messages.
    Opened { id: u32, flow: Flow, writer: mpsc::Sender<Bytes> },
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
    counts: Arc<Counts>,
}

/// Who has how many connections, and the next one's number.
#[derive(Debug, Default)]
struct Counts {
    by_source: Mutex<HashMap<IpAddr, usize>>,
    next: std::sync::atomic::AtomicU32,
}

/// A place among the connections, given back when dropped.
struct Seat {
    counts: Arc<Counts>,
    source: IpAddr,
}

impl Counts {
    fn seat(self: &Arc<Self>, source: IpAddr) -> Option<Seat> {
        let mut by_source = self.by_source.lock().unwrap_or_else(PoisonError::into_inner);
        let total: usize = by_source.values().sum();
        let count = by_source.entry(source).or_default();
        if total >= MOST || *count >= MOST_FROM_ONE {
            return None;
        }
        *count += 1;
        Some(Seat { counts: Arc::clone(self), source })
    }

    fn next(&self) -> u32 {
        self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut by_source = self.counts.by_source.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_source.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                by_source.remove(&self.source);
            }
        }
    }
}

impl Streams {
    pub(crate) fn new(turns: mpsc::Sender<Turn>) -> Self {
        Self {
            turns,
            writers: HashMap::new(),
            by_peer: HashMap::new(),
            bound: HashMap::new(),
            waiting: HashMap::new(),
            counts: Arc::default(),
        }
    }

    /// Binds and accepts from now on.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn listen(&mut self, address: SocketAddr, place: u8) -> io::Result<()> {
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
        tokio::spawn(accept(listener, place, self.turns.clone(), Arc::clone(&self.counts)));
        Ok(())
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
        let from = self.bound.get(&flow.listener).copied();
        tokio::spawn(connect(from, flow, id, self.turns.clone(), seat));
        true
    }

    /// Learns what a connection said; gives back a flow that is lost.
    pub(crate) fn learn(&mut self, event: StreamEvent) -> Option<Flow> {
        match event {
            StreamEvent::Opened { id, flow, writer } => {
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

async fn accept(listener: TcpListener, place: u8, turns: mpsc::Sender<Turn>, counts: Arc<Counts>) {
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of file descriptors: the connections there are must go on; try again when some are closed.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Some(seat) = counts.seat(peer.ip()) else { continue };
        let id = counts.next();
        let flow = Flow { listener: place, transport: Transport::Tcp, peer, connection: Some(id) };
        tokio::spawn(run(stream, flow, id, turns.clone(), seat));
    }
}

/// Opens a connection, from the address the listener has: the peer may know us by it alone.
async fn open(from: Option<IpAddr>, peer: SocketAddr) -> io::Result<TcpStream> {
    let socket = if peer.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(from) = from.filter(|from| !from.is_unspecified() && from.is_ipv4() == peer.is_ipv4()) {
        socket.bind(SocketAddr::new(from, 0))?;
    }
    socket.connect(peer).await
}

async fn connect(from: Option<IpAddr>, flow: Flow, id: u32, turns: mpsc::Sender<Turn>, seat: Seat) {
    match timeout(CONNECT_WITHIN, open(from, flow.peer)).await {
        Ok(Ok(stream)) => run(stream, flow, id, turns, seat).await,
        Ok(Err(_)) | Err(_) => {
            let _ = turns.send(Turn::Stream(StreamEvent::Closed(flow))).await;
        }
    }
}

async fn run(stream: TcpStream, flow: Flow, id: u32, turns: mpsc::Sender<Turn>, seat: Seat) {
    // SIP messages are small and waited for.
    let _ = stream.set_nodelay(true);
    let (writer, waiting) = mpsc::channel(WRITE_QUEUE);
    let pong = writer.clone();
    if turns.send(Turn::Stream(StreamEvent::Opened { id, flow, writer })).await.is_err() {
        return;
    }
    let (mut reading, writing) = stream.into_split();
    tokio::select! {
        () = read(&mut reading, flow, &turns, pong) => {}
        () = write(writing, waiting) => {}
    }
    drop(seat);
    let _ = turns.send(Turn::Stream(StreamEvent::Closed(flow))).await;
}

/// Until the peer closes, falls silent, or sends what is no SIP.
async fn read(
    stream: &mut tokio::net::tcp::OwnedReadHalf,
    flow: Flow,
    turns: &mpsc::Sender<Turn>,
    pong: mpsc::Sender<Bytes>,
) {
    let mut framer = Framer::new();
    let mut buffer = vec![0; 8_192];
    loop {
        let patience = if framer.is_unfinished() { WHOLE_WITHIN } else { IDLE };
        let Ok(Ok(length @ 1..)) = timeout(patience, stream.read(&mut buffer)).await else { return };
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
    }
}

async fn write(mut stream: tokio::net::tcp::OwnedWriteHalf, mut waiting: mpsc::Receiver<Bytes>) {
    while let Some(bytes) = waiting.recv().await {
        match timeout(WRITE_WITHIN, stream.write_all(&bytes)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}
