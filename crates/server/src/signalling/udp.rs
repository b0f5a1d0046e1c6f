//! SIP over datagrams (RFC 3261 §18).

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::Bytes;
use sip::{Flow, Transport};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// Room in the kernel for bursts, in octets each way.
const KERNEL_BUFFER: usize = 4 << 20;

/// The largest datagram there is.
const LARGEST: usize = 65_535;

/// One socket we listen on.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: UdpSocket,
    place: u8,
}

impl Listener {
    /// Binds at once, so that a fault stops the start.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn bind(address: SocketAddr, place: u8) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        // The kernel gives what it allows; less than asked for is no fault.
        let _ = socket.set_recv_buffer_size(KERNEL_BUFFER);
        let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
        socket.bind(&address.into())?;
        Ok(Self { socket: UdpSocket::from_std(socket.into())?, place })
    }

    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_recv_ready(context)
    }

    /// Takes one datagram; `None` when there is none now.
    pub(crate) fn take(&self, buffer: &mut Buffer) -> Option<(Flow, Bytes)> {
        loop {
            match self.socket.try_recv_from(&mut buffer.0) {
                Ok((length, peer)) => {
                    let flow =
                        Flow { listener: self.place, transport: Transport::Udp, peer, connection: None };
                    return Some((flow, Bytes::copy_from_slice(&buffer.0[..length])));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                // An earlier datagram could not be delivered (ICMP): nothing about this one.
                Err(_) => {}
            }
        }
    }

    /// Sends one datagram. What the kernel has no room for is lost, as on any network.
    ///
    /// # Errors
    /// What the system says, full buffers aside.
    pub(crate) fn send(&self, peer: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        match self.socket.try_send_to(bytes, peer) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                // The reactor may not know yet that there is room: ask the kernel itself once.
                let again = self.socket.try_io(Interest::WRITABLE, || {
                    socket2::SockRef::from(&self.socket).send_to(bytes, &peer.into())
                });
                again.map(drop).or_else(|error| {
                    if error.kind() == io::ErrorKind::WouldBlock { Ok(()) } else { Err(error) }
                })
            }
            Err(error) => Err(error),
        }
    }
}

/// Where datagrams are received.
#[derive(Debug)]
pub(crate) struct Buffer(Box<[u8]>);

impl Default for Buffer {
    fn default() -> Self {
        Self(vec![0; LARGEST].into_boxed_slice())
    }
}
