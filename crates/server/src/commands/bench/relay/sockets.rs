//! One socket that is many parties: every leg has an address of its own, all of them behind one port.
//!
//! A socket that is bound to a port of all addresses takes what comes to any of them, and the system says to which
//! (`IP_PKTINFO`, ip(7)); going out, the same words say from which. So a thousand legs need no thousand sockets.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;

use libc::{c_int, c_void};
use socket2::SockRef;

/// Packets in one system call.
pub(super) const BATCH: usize = 64;
/// Octets of the packets sent: a header and 20 ms of G.711.
pub(super) const PACKET: usize = 172;
/// Room for a packet that comes in; a longer one is cut and then not what was sent.
const ROOM: usize = 256;
/// Room for what the system says of a packet: its time, its address, what was dropped before it.
const CONTROL: usize = 128;
/// Octets asked of the system for what comes in while the thread does not run.
const BUFFER: usize = 8 << 20;
/// Where RTP ports are looked for: below those the relays get.
const PORTS: std::ops::Range<u16> = 2_000..9_990;

/// A port for RTP on every address, and the next for RTCP, which nobody reads.
pub(super) struct Port {
    rtp: UdpSocket,
    _rtcp: UdpSocket,
    number: u16,
}

impl Port {
    /// Takes the first free pair at or after a place among the ports.
    pub(super) fn bind(place: u16) -> io::Result<Self> {
        let count = PORTS.len() as u16 / 2;
        let mut fault = io::ErrorKind::AddrInUse.into();
        for offset in 0..count {
            let number = PORTS.start + (place % count + offset) % count * 2;
            match Self::pair(number) {
                Ok(port) => return Ok(port),
                Err(error) => fault = error,
            }
        }
        Err(fault)
    }

    fn pair(number: u16) -> io::Result<Self> {
        let rtp = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, number))?;
        let rtcp = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, number + 1))?;
        rtp.set_nonblocking(true)?;
        // Where the system gives less, the drops it counts say so.
        let _ = SockRef::from(&rtp).set_recv_buffer_size(BUFFER);
        for (level, option) in [
            (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS),
            (libc::SOL_SOCKET, libc::SO_RXQ_OVFL),
            (libc::IPPROTO_IP, libc::IP_PKTINFO),
        ] {
            switch_on(&rtp, level, option)?;
        }
        Ok(Self { rtp, _rtcp: rtcp, number })
    }

    pub(super) fn number(&self) -> u16 {
        self.number
    }
}

fn switch_on(socket: &UdpSocket, level: c_int, option: c_int) -> io::Result<()> {
    let one: c_int = 1;
    // SAFETY: the pointer and the length are those of a live integer, which the call reads.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const one).cast(), size::<c_int>())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn size<T>() -> libc::socklen_t {
    size_of::<T>() as libc::socklen_t
}

/// A packet that came.
pub(super) struct Arrival<'a> {
    pub(super) bytes: &'a [u8],
    /// Nanoseconds of the system's clock when the system had it.
    pub(super) at: u64,
    pub(super) from: SocketAddrV4,
    pub(super) to: Ipv4Addr,
}

/// Room for a message each way, in whose control buffer headers can lie.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL]);

#[derive(Clone, Copy)]
struct Room {
    bytes: [u8; ROOM],
    control: Control,
    address: libc::sockaddr_in,
    vector: libc::iovec,
}

/// What the system calls are pointed at, used again and again.
pub(super) struct Batch {
    rooms: Box<[Room]>,
    headers: Box<[libc::mmsghdr]>,
    filled: usize,
    /// Dropped by the system for want of room, as it last counted for each port.
    dropped: Vec<u32>,
}

// SAFETY: the pointers are to the boxes of this same value, made anew before each call that follows them.
unsafe impl Send for Batch {}

impl Batch {
    /// For calls on so many ports.
    pub(super) fn new(ports: usize) -> Self {
        // SAFETY: all zeros are valid octets, addresses, vectors and headers.
        let (room, header): (Room, libc::mmsghdr) = unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
        Self {
            rooms: vec![room; BATCH].into(),
            headers: vec![header; BATCH].into(),
            filled: 0,
            dropped: vec![0; ports],
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.filled == BATCH
    }

    /// Puts a packet to those that go next. There must be room.
    pub(super) fn push(&mut self, from: Ipv4Addr, to: SocketAddrV4) -> &mut [u8; PACKET] {
        let room = &mut self.rooms[self.filled];
        self.filled += 1;
        room.address = address(to);
        let info = libc::in_pktinfo {
            ipi_ifindex: 0,
            ipi_spec_dst: libc::in_addr { s_addr: u32::from(from).to_be() },
            ipi_addr: libc::in_addr { s_addr: 0 },
        };
        let header = libc::cmsghdr {
            cmsg_len: control_length::<libc::in_pktinfo>(),
            cmsg_level: libc::IPPROTO_IP,
            cmsg_type: libc::IP_PKTINFO,
        };
        // SAFETY: the control buffer is aligned for a header and has room for it and what follows it.
        unsafe {
            let control = room.control.0.as_mut_ptr().cast::<libc::cmsghdr>();
            control.write(header);
            libc::CMSG_DATA(control).cast::<libc::in_pktinfo>().write_unaligned(info);
        }
        room.bytes.first_chunk_mut().expect("a room is larger than a packet")
    }

    /// Sends what was put. Says how many packets the system took.
    pub(super) fn send(&mut self, port: &Port) -> usize {
        let filled = std::mem::take(&mut self.filled);
        // SAFETY: no more than a number.
        let control = unsafe { libc::CMSG_SPACE(size::<libc::in_pktinfo>()) } as usize;
        self.point(filled, PACKET, control);
        let mut taken = 0;
        let mut rest = &mut self.headers[..filled];
        while !rest.is_empty() {
            // SAFETY: `point` made the headers point into the rooms, which outlive the call; it writes only headers.
            let sent = unsafe {
                libc::sendmmsg(port.rtp.as_raw_fd(), rest.as_mut_ptr(), rest.len() as libc::c_uint, 0)
            };
            // Only the first can have failed; it is lost, the rest is tried.
            let sent = usize::try_from(sent).unwrap_or(0);
            taken += sent;
            rest = &mut rest[sent.max(1)..];
        }
        taken
    }

    /// Hands over all that waits, at most what comes in `BATCH` calls. Says how many packets the system had no room for.
    pub(super) fn receive(&mut self, port: &Port, place: usize, mut take: impl FnMut(Arrival<'_>)) -> u32 {
        let mut dropped = self.dropped[place];
        for _ in 0..BATCH {
            self.point(BATCH, ROOM, CONTROL);
            // SAFETY: as in `send`; the call writes into the rooms, for which it has their true lengths.
            let count = unsafe {
                libc::recvmmsg(
                    port.rtp.as_raw_fd(),
                    self.headers.as_mut_ptr(),
                    BATCH as libc::c_uint,
                    libc::MSG_DONTWAIT,
                    std::ptr::null_mut(),
                )
            };
            let count = usize::try_from(count).unwrap_or(0);
            for (room, header) in self.rooms.iter().zip(&self.headers[..count]) {
                let said = said(&header.msg_hdr);
                dropped = said.dropped.unwrap_or(dropped);
                let length = (header.msg_len as usize).min(ROOM);
                let from = SocketAddrV4::new(
                    u32::from_be(room.address.sin_addr.s_addr).into(),
                    u16::from_be(room.address.sin_port),
                );
                take(Arrival { bytes: &room.bytes[..length], at: said.at, from, to: said.to });
            }
            if count < BATCH {
                break;
            }
        }
        dropped.wrapping_sub(std::mem::replace(&mut self.dropped[place], dropped))
    }

    fn point(&mut self, count: usize, length: usize, control: usize) {
        for (room, header) in self.rooms[..count].iter_mut().zip(&mut self.headers) {
            room.vector = libc::iovec { iov_base: room.bytes.as_mut_ptr().cast(), iov_len: length };
            header.msg_len = 0;
            header.msg_hdr.msg_name = (&raw mut room.address).cast();
            header.msg_hdr.msg_namelen = size::<libc::sockaddr_in>();
            header.msg_hdr.msg_iov = &raw mut room.vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = room.control.0.as_mut_ptr().cast::<c_void>();
            header.msg_hdr.msg_controllen = control as _;
        }
    }
}

fn control_length<T>() -> usize {
    // SAFETY: no more than a number.
    unsafe { libc::CMSG_LEN(size::<T>()) as usize }
}

fn address(of: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: of.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(*of.ip()).to_be() },
        sin_zero: [0; 8],
    }
}

/// What the system says beside a packet.
struct Said {
    at: u64,
    to: Ipv4Addr,
    dropped: Option<u32>,
}

fn said(header: &libc::msghdr) -> Said {
    let mut said = Said { at: 0, to: Ipv4Addr::UNSPECIFIED, dropped: None };
    // SAFETY: the header is one the system filled: its control buffer holds headers, each followed by what it names.
    unsafe {
        let mut next = libc::CMSG_FIRSTHDR(header);
        while let Some(control) = next.as_ref() {
            let data = libc::CMSG_DATA(next);
            match (control.cmsg_level, control.cmsg_type) {
                (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS) => {
                    let time = data.cast::<libc::timespec>().read_unaligned();
                    said.at = nanos(time);
                }
                (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => {
                    said.dropped = Some(data.cast::<u32>().read_unaligned());
                }
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info = data.cast::<libc::in_pktinfo>().read_unaligned();
                    said.to = u32::from_be(info.ipi_addr.s_addr).into();
                }
                _ => {}
            }
            next = libc::CMSG_NXTHDR(header, next);
        }
    }
    said
}

fn nanos(time: libc::timespec) -> u64 {
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

/// The clock by which the system stamps packets, in nanoseconds.
pub(super) fn clock() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live timespec, which the call fills.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut time) };
    nanos(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_tells_from_whom_to_whom_and_when() {
        let [one, other] = [Port::bind(0).unwrap(), Port::bind(0).unwrap()];
        assert_ne!(one.number(), other.number());
        let [from, to] = [Ipv4Addr::new(127, 201, 3, 4), Ipv4Addr::new(127, 202, 5, 6)];
        let mut batch = Batch::new(1);
        let before = clock();
        for value in [7, 8] {
            batch.push(from, SocketAddrV4::new(to, other.number())).fill(value);
        }
        assert_eq!(batch.send(&one), 2);
        let mut values = Vec::new();
        let mut batch = Batch::new(1);
        while values.len() < 2 {
            let dropped = batch.receive(&other, 0, |arrival| {
                assert_eq!((arrival.from, arrival.to), (SocketAddrV4::new(from, one.number()), to));
                assert!((before..=clock()).contains(&arrival.at));
                assert_eq!(arrival.bytes.len(), PACKET);
                values.push(arrival.bytes[PACKET - 1]);
            });
            assert_eq!(dropped, 0);
        }
        assert_eq!(values, [7, 8]);
    }

    #[test]
    fn what_there_was_no_room_for_is_counted() {
        let [one, other] = [Port::bind(100).unwrap(), Port::bind(100).unwrap()];
        SockRef::from(&other.rtp).set_recv_buffer_size(4096).unwrap();
        let here = Ipv4Addr::LOCALHOST;
        let mut batch = Batch::new(1);
        let mut flood = || {
            while !batch.is_full() {
                batch.push(here, SocketAddrV4::new(here, other.number()));
            }
            assert_eq!(batch.send(&one), BATCH);
        };
        let mut came = 0;
        let mut reader = Batch::new(1);
        flood();
        let mut dropped = reader.receive(&other, 0, |_| came += 1);
        // The count comes with a packet: the next one that fits.
        flood();
        dropped += reader.receive(&other, 0, |_| came += 1);
        assert!(dropped > 0 && came > 0, "{dropped} dropped, {came} came");
        assert!(dropped as usize + came <= 2 * BATCH);
    }
}
