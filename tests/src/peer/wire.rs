//! The SIP socket of a peer.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Mutex;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::Transport;
use crate::link::Link;
use crate::wait;

/// How long a read waits before the reader looks whether the peer is over.
const TICK: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(crate) enum Wire {
    Udp { socket: UdpSocket, out: Mutex<Link>, back: Mutex<Link> },
    Tcp { listener: TcpListener, streams: Mutex<Vec<Stream>> },
}

#[derive(Debug)]
pub(crate) struct Stream {
    peer: SocketAddr,
    socket: TcpStream,
    read: Vec<u8>,
}

impl Wire {
    pub(crate) fn bind(address: SocketAddr, transport: Transport, link: &Link) -> Self {
        match transport {
            Transport::Udp => {
                let socket = UdpSocket::bind(address).unwrap_or_else(|fault| panic!("{address}: {fault}"));
                socket.set_read_timeout(Some(TICK)).expect("a socket takes a time-out");
                Self::Udp { socket, out: Mutex::new(link.fork(1)), back: Mutex::new(link.fork(2)) }
            }
            Transport::Tcp => {
                let listener =
                    TcpListener::bind(address).unwrap_or_else(|fault| panic!("{address}: {fault}"));
                listener.set_nonblocking(true).expect("a socket can be made non-blocking");
                Self::Tcp { listener, streams: Mutex::default() }
            }
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        let address = match self {
            Self::Udp { socket, .. } => socket.local_addr(),
            Self::Tcp { listener, .. } => listener.local_addr(),
        };
        address.expect("a bound socket has an address")
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Udp { .. } => "UDP",
            Self::Tcp { .. } => "TCP",
        }
    }

    pub(crate) fn is_reliable(&self) -> bool {
        match self {
            Self::Udp { .. } => false,
            Self::Tcp { .. } => true,
        }
    }

    /// Sends a message. What the other side does not take is lost, as on any network.
    pub(crate) fn send(&self, to: SocketAddr, bytes: &[u8]) {
        match self {
            Self::Udp { socket, out, .. } => {
                if out.lock().expect("the link is only drawn from").passes() {
                    drop(socket.send_to(bytes, to));
                }
            }
            Self::Tcp { streams, .. } => {
                let mut streams = streams.lock().expect("streams are only read and written");
                if !streams.iter().any(|stream| stream.peer == to) {
                    streams.push(connect(self.address().ip(), to));
                }
                let stream = streams.iter_mut().find(|stream| stream.peer == to).expect("just connected");
                stream.socket.set_nonblocking(false).expect("a socket can be made blocking");
                drop(stream.socket.write_all(bytes));
                stream.socket.set_nonblocking(true).expect("a socket can be made non-blocking");
            }
        }
    }

    /// Ends every connection.
    pub(crate) fn hang_up(&self) {
        match self {
            Self::Udp { .. } => {}
            Self::Tcp { streams, .. } => streams.lock().expect("streams are only read and written").clear(),
        }
    }

    /// What has come, after a tick at most.
    pub(crate) fn receive(&self) -> Vec<(SocketAddr, Vec<u8>)> {
        match self {
            Self::Udp { socket, back, .. } => {
                let mut buffer = [0; 65_536];
                let Ok((length, from)) = socket.recv_from(&mut buffer) else { return Vec::new() };
                let passes = back.lock().expect("the link is only drawn from").passes();
                if passes { vec![(from, buffer[..length].to_vec())] } else { Vec::new() }
            }
            Self::Tcp { listener, streams } => {
                let mut messages = Vec::new();
                {
                    let mut streams = streams.lock().expect("streams are only read and written");
                    while let Ok((socket, peer)) = listener.accept() {
                        socket.set_nonblocking(true).expect("a socket can be made non-blocking");
                        streams.push(Stream { peer, socket, read: Vec::new() });
                    }
                    streams.retain_mut(|stream| stream.read(&mut messages));
                }
                if messages.is_empty() {
                    wait::pause(TICK);
                }
                messages
            }
        }
    }
}

/// A connection from this address, because that is what an allow list looks at.
fn connect(from: IpAddr, to: SocketAddr) -> Stream {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))
        .expect("a socket can be made");
    socket.bind(&SocketAddr::new(from, 0).into()).expect("our address is ours");
    socket.connect(&to.into()).unwrap_or_else(|fault| panic!("no connection to {to}: {fault}"));
    socket.set_nonblocking(true).expect("a socket can be made non-blocking");
    Stream { peer: to, socket: socket.into(), read: Vec::new() }
}

impl Stream {
    /// Reads what is there; false when the other side has closed.
    fn read(&mut self, messages: &mut Vec<(SocketAddr, Vec<u8>)>) -> bool {
        let mut buffer = [0; 16_384];
        let open = loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => break false,
                Ok(length) => self.read.extend_from_slice(&buffer[..length]),
                Err(fault) => break fault.kind() == ErrorKind::WouldBlock,
            }
        };
        while let Some(length) = framed(&self.read) {
            let message = self.read.drain(..length).collect();
            messages.push((self.peer, message));
        }
        open
    }
}

/// Length of the first message, if all of it is there (RFC 3261 §18.3).
fn framed(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let body = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:").or_else(|| line.strip_prefix("l:")))
        .map_or(0, |value| value.trim().parse().expect("Content-Length is a number"));
    (bytes.len() >= head + body).then_some(head + body)
}
