//! The media sockets: bound once at the start, used by one session after another.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use rtp::Port;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::StartError;
use crate::descriptors;

/// DSCP "expedited forwarding", the class of voice (RFC 4594 §4.1), in the place the octet has it.
const EXPEDITED: u32 = 46 << 2;

/// Bytes a socket holds for us; the system doubles it for its own needs and counts some 770 for a packet.
const BUFFER: usize = 64 * 1024;

/// Sockets of a pair: two that are bound, and the one that is connected where packets go one way for a while.
const EACH: usize = 3;

/// The two sockets of a port pair.
pub(crate) struct Pair {
    pub(crate) port: Port,
    pub(crate) rtp: UdpSocket,
    pub(crate) rtcp: UdpSocket,
}

/// Which ports sessions may be opened on: by address (as `Settings::addresses` counts them), then by worker, the
/// RTP ports in ascending order.
pub type Usable = Vec<Vec<Vec<u16>>>;

/// Ports that somebody holds are tried again for so long, with pauses of so much: the system takes a moment to give back those of
/// a program that was killed while io_uring read from them, and they are just the ones whose calls are to go on.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);

/// Binds every pair of `range` on every address and deals them out to `workers` in contiguous parts. A pair that
/// somebody else holds on any address, and goes on holding, is left out there.
pub(crate) fn bind(
    addresses: &[IpAddr],
    range: &RangeInclusive<u16>,
    workers: u16,
) -> Result<(Vec<Vec<Pair>>, Usable), StartError> {
    let numbers = even_ports(range);
    let sockets = numbers.len() * addresses.len() * EACH;
    if let Err(too_few) = descriptors::make_room(sockets).map_err(StartError::Limit)? {
        return Err(StartError::Descriptors { sockets, needed: too_few.needed, allowed: too_few.allowed });
    }
    let mut pairs: Vec<Vec<Pair>> = (0..workers).map(|_| Vec::new()).collect();
    let mut usable: Usable = vec![vec![Vec::new(); usize::from(workers)]; addresses.len()];
    let began = Instant::now();
    for (index, address) in addresses.iter().enumerate() {
        for (place, &number) in numbers.iter().enumerate() {
            let worker = place * usize::from(workers) / numbers.len();
            let Some((rtp, rtcp)) = patiently(*address, number, began)? else { continue };
            let port = Port {
                worker: u16::try_from(worker).expect("below the number of workers"),
                address: u8::try_from(index).map_err(|_| StartError::Addresses(addresses.len()))?,
                number,
            };
            pairs[worker].push(Pair { port, rtp, rtcp });
            usable[index][worker].push(number);
        }
    }
    for (address, workers) in addresses.iter().zip(&usable) {
        if workers.iter().any(Vec::is_empty) {
            return Err(StartError::NoPorts {
                address: *address,
                first: *range.start(),
                last: *range.end(),
                workers: workers.len(),
            });
        }
    }
    Ok((pairs, usable))
}

/// Ports of the range that are not bound, each after the place of its address: another program holds them, or the other
/// one of their pair.
pub(crate) fn others(range: &RangeInclusive<u16>, usable: &Usable) -> BTreeSet<(usize, u16)> {
    let mut others = BTreeSet::new();
    for (place, workers) in usable.iter().enumerate() {
        let held: BTreeSet<u16> = workers.iter().flatten().copied().collect();
        let unbound = even_ports(range).into_iter().filter(|port| !held.contains(port));
        others.extend(unbound.flat_map(|port| [(place, port), (place, port + 1)]));
    }
    others
}

/// The even ports whose next port is also in the range (RFC 3550 §11).
fn even_ports(range: &RangeInclusive<u16>) -> Vec<u16> {
    range.clone().filter(|port| port % 2 == 0 && *port > 0 && range.contains(&(port + 1))).collect()
}

/// `None` if somebody holds one of the two, and still does when patience with all of them is at its end.
fn patiently(
    address: IpAddr,
    number: u16,
    began: Instant,
) -> Result<Option<(UdpSocket, UdpSocket)>, StartError> {
    loop {
        let bound = bind_pair(address, number)?;
        if bound.is_some() || began.elapsed() >= PATIENCE {
            return Ok(bound);
        }
        thread::sleep(PAUSE);
    }
}

/// `None` if somebody holds one of the two.
fn bind_pair(address: IpAddr, number: u16) -> Result<Option<(UdpSocket, UdpSocket)>, StartError> {
    let bind = |number| match socket(SocketAddr::new(address, number)) {
        Ok(socket) => Ok(Some(socket)),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(None),
        Err(error) => Err(StartError::Bind { address: SocketAddr::new(address, number), error }),
    };
    let Some(rtp) = bind(number)? else { return Ok(None) };
    Ok(bind(number + 1)?.map(|rtcp| (rtp, rtcp)))
}

/// A second socket on the port of a bound one, which is connected.
///
/// Both must allow it (`SO_REUSEPORT`). The bound one does only while it happens, so that nobody else can bind beside it: a
/// program of another user never could, and one of ours, started twice, is to fail.
pub(crate) fn connected(bound: &UdpSocket, to: SocketAddr) -> io::Result<UdpSocket> {
    let address = bound.local_addr()?;
    let socket = unbound(address)?;
    let beside = SockRef::from(bound);
    beside.set_reuse_port(true)?;
    let done = socket.set_reuse_port(true).and_then(|()| socket.bind(&address.into()));
    beside.set_reuse_port(false)?;
    done?;
    socket.connect(&to.into())?;
    Ok(socket.into())
}

fn socket(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = unbound(address)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn unbound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Three seconds of voice, not more: while no session is open nobody empties this.
    socket.set_recv_buffer_size(BUFFER)?;
    // A network that takes no class of service still takes the packets.
    let _ = match address {
        SocketAddr::V4(_) => socket.set_tos_v4(EXPEDITED),
        SocketAddr::V6(_) => socket.set_tclass_v6(EXPEDITED),
    };
    never_fragment(&socket, address);
    Ok(socket)
}

/// Voice fits into any packet, and one that may not be fragmented needs no number to be put together by (RFC 6864 §4.1),
/// which costs the kernel a twentieth of sending it. Where this cannot be said the packets go all the same.
fn never_fragment(socket: &Socket, address: SocketAddr) {
    let (level, option, value) = match address {
        SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE),
        SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_PROBE),
    };
    let size = libc::socklen_t::try_from(size_of_val(&value)).expect("a number is small");
    // SAFETY: the pointer and the size are those of a live number, which the call reads; the socket is open.
    unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), size) };
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    /// Ports nobody else is likely to want: below the range from which the system picks, and not those of a program of ours as it is shipped.
    fn range(first: u16, pairs: u16) -> RangeInclusive<u16> {
        first..=first + 2 * pairs - 1
    }

    #[test]
    fn pairs_are_even_and_whole() {
        assert_eq!(even_ports(&(1001..=1006)), [1002, 1004]);
        assert_eq!(even_ports(&(1000..=1000)), [] as [u16; 0]);
        assert_eq!(even_ports(&(65_532..=65_535)), [65_532, 65_534]);
    }

    #[test]
    fn ports_are_dealt_out_and_those_of_others_left_out() {
        let taken = UdpSocket::bind("127.0.0.1:18403").unwrap();
        let (pairs, usable) = bind(&[LOOPBACK], &range(18_400, 5), 2).unwrap();
        assert_eq!(usable, [[vec![18_400, 18_404], vec![18_406, 18_408]]]);
        assert_eq!(pairs.len(), 2);
        let others = others(&range(18_400, 5), &usable);
        assert_eq!(others, BTreeSet::from([(0, 18_402), (0, 18_403)]));
        let second = &pairs[1][0];
        assert_eq!(second.port, Port { worker: 1, address: 0, number: 18_406 });
        assert_eq!(second.rtp.local_addr().unwrap(), SocketAddr::new(LOOPBACK, 18_406));
        assert_eq!(second.rtcp.local_addr().unwrap(), SocketAddr::new(LOOPBACK, 18_407));
        drop(taken);
    }

    #[test]
    fn a_port_that_is_given_back_in_time_is_had_and_patience_has_an_end() {
        let taken = UdpSocket::bind("127.0.0.1:18490").unwrap();
        let long_ago = Instant::now().checked_sub(2 * PATIENCE).unwrap();
        assert!(patiently(LOOPBACK, 18_490, long_ago).unwrap().is_none());
        let (tries, tried) = std::sync::mpsc::channel();
        let trying = thread::spawn(move || {
            tries.send(()).unwrap();
            patiently(LOOPBACK, 18_490, Instant::now()).unwrap().is_some()
        });
        tried.recv().unwrap();
        drop(taken);
        assert!(trying.join().unwrap());
    }

    #[test]
    fn a_connected_socket_has_what_comes_from_there_and_the_bound_one_the_rest() {
        for (bound_to, reached_at) in [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "::1")] {
            let (pairs, _) = bind(&[bound_to.parse().unwrap()], &range(18_480, 1), 1).unwrap();
            let bound = &pairs[0][0].rtp;
            let here = SocketAddr::new(reached_at.parse().unwrap(), 18_480);
            let [known, stranger] = [(); 2].map(|()| UdpSocket::bind((reached_at, 0)).unwrap());
            known.send_to(b"before", here).unwrap();
            let tie = connected(bound, known.local_addr().unwrap()).unwrap();
            known.send_to(b"known", here).unwrap();
            stranger.send_to(b"stranger", here).unwrap();
            tie.send(b"answer").unwrap();
            let heard = |socket: &UdpSocket| {
                let mut buffer = [0; 16];
                let packets = std::iter::from_fn(|| Some(socket.recv_from(&mut buffer).ok()?.1));
                packets.collect::<Vec<_>>()
            };
            let [of_known, of_stranger] = [&known, &stranger].map(|socket| socket.local_addr().unwrap());
            assert_eq!(heard(bound), [of_known, of_stranger], "{bound_to}");
            assert_eq!(heard(&tie), [of_known], "{bound_to}");
            let mut buffer = [0; 16];
            assert_eq!(known.recv_from(&mut buffer).unwrap(), (6, here), "{bound_to}");
            let again = connected(bound, known.local_addr().unwrap());
            assert!(again.is_ok(), "one that is not closed yet is not in the way");
            assert_eq!(UdpSocket::bind(here).err().map(|error| error.kind()), Some(io::ErrorKind::AddrInUse));
            drop((tie, again));
            known.send_to(b"after", here).unwrap();
            assert_eq!(heard(bound), [of_known], "{bound_to}");
        }
    }

    #[test]
    fn as_many_pairs_as_workers_are_enough() {
        for workers in 1..=5 {
            let (_pairs, usable) = bind(&[LOOPBACK], &range(18_460, 5), workers).unwrap();
            let counts: Vec<_> = usable[0].iter().map(Vec::len).collect();
            assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
        }
    }

    #[test]
    fn a_worker_without_a_port_is_an_error_that_names_the_range() {
        let error = bind(&[LOOPBACK], &range(18_420, 1), 2).err().unwrap();
        let text = error.to_string();
        assert!(text.contains("127.0.0.1") && text.contains("18420") && text.contains('2'), "{text}");
    }

    #[test]
    fn an_address_that_is_not_ours_is_named() {
        let error = bind(&["192.0.2.1".parse().unwrap()], &range(18_430, 1), 1).err().unwrap();
        assert!(error.to_string().contains("192.0.2.1:18430"), "{error}");
    }

    #[test]
    fn ipv6_has_its_own_sockets() {
        let loopback6 = "::1".parse().unwrap();
        let (pairs, usable) = bind(&[LOOPBACK, loopback6], &range(18_440, 1), 1).unwrap();
        assert_eq!(usable, [[vec![18_440]], [vec![18_440]]]);
        assert_eq!(pairs[0][1].rtp.local_addr().unwrap(), SocketAddr::new(loopback6, 18_440));
    }

    #[test]
    fn more_sockets_than_the_system_allows_is_an_error_that_says_what_to_do() {
        let many = vec![LOOPBACK; 255];
        let error = bind(&many, &(1024..=65_535), 1).err();
        let hard = descriptors::make_room(usize::MAX).unwrap().unwrap_err().allowed;
        // 255 addresses of 64 512 ports; some systems do allow that many.
        if hard < 16_450_560 {
            let text = error.unwrap().to_string();
            assert!(text.contains(&hard.to_string()) && text.contains("LimitNOFILE"), "{text}");
        }
    }
}
