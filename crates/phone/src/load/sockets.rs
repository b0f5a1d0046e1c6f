//! The four sockets of the load.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use bytes::Bytes;
use socket2::SockRef;

use super::Load;
use super::chance::Chance;

/// Which of the sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    CallerSip,
    CalleeSip,
    CallerMedia,
    CalleeMedia,
}

const ALL: [Which; 4] = [Which::CallerSip, Which::CalleeSip, Which::CallerMedia, Which::CalleeMedia];

pub(super) struct Sockets {
    sockets: [UdpSocket; 4],
    buffer: Vec<u8>,
    next: usize,
    chance: Chance,
}

impl Sockets {
    pub(super) fn bind(load: &Load) -> io::Result<Self> {
        let socket = |ip, port| {
            let socket = UdpSocket::bind(SocketAddr::new(ip, port))?;
            socket.set_nonblocking(true)?;
            let _ = SockRef::from(&socket).set_recv_buffer_size(8 << 20);
            io::Result::Ok(socket)
        };
        let sockets = [
            socket(load.callers, 0)?,
            socket(load.callees, load.callee_port)?,
            socket(load.callers, 0)?,
            socket(load.callees, 0)?,
        ];
        Ok(Self { sockets, buffer: vec![0; 65_535], next: 0, chance: Chance::new(load.loss) })
    }

    pub(super) fn address(&self, which: Which) -> SocketAddr {
        self.sockets[which as usize].local_addr().expect("a bound socket has an address")
    }

    /// What is lost here is lost as on any network.
    pub(super) fn send(&mut self, which: Which, to: SocketAddr, bytes: &[u8]) {
        if self.chance.loses() {
            return;
        }
        let _ = self.sockets[which as usize].send_to(bytes, to);
    }

    /// Datagrams thrown away so far.
    pub(super) fn thrown_away(&self) -> u64 {
        self.chance.thrown_away
    }

    /// Takes one datagram, from each socket in turn.
    pub(super) fn take(&mut self) -> Option<(Which, SocketAddr, Bytes)> {
        for _ in 0..ALL.len() {
            let which = ALL[self.next];
            while let Ok((length, from)) = self.sockets[which as usize].recv_from(&mut self.buffer) {
                if self.chance.loses() {
                    continue;
                }
                return Some((which, from, Bytes::copy_from_slice(&self.buffer[..length])));
            }
            self.next = (self.next + 1) % ALL.len();
        }
        None
    }

    /// Until something comes, at most so long.
    pub(super) fn wait(&self, most: Duration) -> io::Result<()> {
        let mut polled = self.sockets.each_ref().map(|socket| libc::pollfd {
            fd: socket.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        });
        let timeout = libc::timespec {
            tv_sec: most.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: most.subsec_nanos().into(),
        };
        // SAFETY: `polled` is an array of its stated length and `timeout` a valid time; both outlive the call.
        let ready = unsafe { libc::ppoll(polled.as_mut_ptr(), 4, &raw const timeout, std::ptr::null()) };
        if ready < 0 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
        Ok(())
    }
}
