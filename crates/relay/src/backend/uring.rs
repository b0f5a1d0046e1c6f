//! One system call for everything that came and everything that goes (`io_uring(7)`): receives stay armed and fill
//! buffers of ours, sends wait in a ring until the worker waits.

mod buffers;
mod slots;
mod tempo;

use std::io;
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use io_uring::types::{CancelBuilder, Fd, RecvMsgOut, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};

use super::{Arrived, Backend, LARGEST};
use crate::bell::Bell;
use crate::lost::Counters;
use crate::outbox::Packets;
use crate::sockets::{Mouth, Place, Sockets};
use crate::ties::{Ties, Way};

use buffers::Buffers;
use slots::Slots;
use tempo::Tempo;

/// Requests that wait for the system call; more of them cost one more.
const REQUESTS: u16 = 1_024;
/// Answers there is room for. More of them wait in the kernel.
const ANSWERS: u32 = 8_192;
/// As many packets end a wait that gathers early.
const MANY: u32 = 64;
/// What an answer is about, in the upper bits of its name.
const KIND: u32 = 60;
/// The only group of buffers.
const GROUP: u16 = 0;

/// What an answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    /// A receive: which socket, and which of the receives it had.
    Receive { mouth: Mouth, turn: u32 },
    /// A send that failed.
    Send(Mouth),
    /// The bell.
    Bell,
    /// A receive was called off.
    Cancel,
}

impl Name {
    /// Bits 60 and 61: what; below them, of a receive, 28 bits of the turn and 32 of the socket; of a send, these.
    fn pack(self) -> u64 {
        match self {
            Self::Receive { mouth, turn } => {
                u64::from(turn & TURNS) << 32 | (mouth.key() & u64::from(u32::MAX))
            }
            Self::Send(mouth) => 1 << KIND | (mouth.key() & u64::from(u32::MAX)),
            Self::Bell => 2 << KIND,
            Self::Cancel => 3 << KIND,
        }
    }

    fn unpack(packed: u64) -> Option<Self> {
        let mouth = || Mouth::of_key(packed & u64::from(u32::MAX));
        match packed >> KIND {
            0 => Some(Self::Receive { mouth: mouth()?, turn: u32::try_from(packed >> 32).ok()? }),
            1 => Some(Self::Send(mouth()?)),
            2 => Some(Self::Bell),
            3 => Some(Self::Cancel),
            _ => None,
        }
    }
}

/// Turns are counted round this.
const TURNS: u32 = (1 << 28) - 1;

/// Whether a socket's receive is armed, and how many there were.
#[derive(Debug, Clone, Copy, Default)]
struct Ear {
    turn: u32,
    open: bool,
}

/// Completion rings as a backend.
pub(crate) struct Uring {
    // Before what the kernel may still write to: it goes first.
    ring: IoUring,
    buffers: Buffers,
    slots: Slots,
    /// What each receive says of itself: how much room an address has.
    envelope: Box<libc::msghdr>,
    sockets: Arc<Sockets>,
    ties: Ties,
    bell: Arc<Bell>,
    counters: Arc<Counters>,
    ears: Vec<Ear>,
    /// The buffer that was handed out last: the kernel has it back with the next answer.
    lent: Option<u16>,
    /// Receives that ended by themselves and are to be armed again.
    deaf: Vec<Mouth>,
    enabled: bool,
    tempo: Tempo,
    /// Whether the kernel knows a wait that gathers (Linux 6.12).
    can_gather: bool,
}

/// What a wait is told (`struct io_uring_getevents_arg`); the binding has no word for the third.
#[repr(C)]
struct WaitArguments {
    signals: u64,
    signals_size: u32,
    min_wait_us: u32,
    limit: *const Timespec,
}

// SAFETY: the pointers inside (buffers, slots, envelope) are to heap memory that only this value reaches.
unsafe impl Send for Uring {}

impl Uring {
    /// Sets the rings up. They belong to the thread that waits first. `longest` is the longest that a packet may wait for others.
    ///
    /// # Errors
    /// The kernel is too old (6.1 is needed), or forbids it to this process.
    pub(crate) fn new(
        sockets: Arc<Sockets>,
        bell: Arc<Bell>,
        counters: Arc<Counters>,
        longest: Option<Duration>,
    ) -> io::Result<Self> {
        let ring = ring(REQUESTS, ANSWERS)?;
        let buffers = Buffers::register(&ring, GROUP)?;
        // SAFETY: all zeros is a valid msghdr: no address, no buffers, no flags.
        let mut envelope: Box<libc::msghdr> = Box::new(unsafe { mem::zeroed() });
        envelope.msg_namelen = buffers::NAME;
        Ok(Self {
            ring,
            buffers,
            slots: Slots::new(REQUESTS),
            envelope,
            ears: vec![Ear::default(); 4 * sockets.pairs()],
            bell,
            counters,
            lent: None,
            deaf: Vec::with_capacity(3 * sockets.pairs()),
            ties: Ties::new(Arc::clone(&sockets)),
            sockets,
            enabled: false,
            tempo: Tempo::new(Instant::now(), longest),
            can_gather: true,
        })
    }

    fn ear(&mut self, mouth: Mouth) -> Option<&mut Ear> {
        self.ears.get_mut(usize::try_from(mouth.key()).ok()?)
    }

    /// Not registered with the ring: registered files are let go some time after the process ended, and until then its
    /// ports cannot be bound again.
    fn file(&self, mouth: Mouth) -> Option<Fd> {
        let Mouth { place, connected } = mouth;
        let socket = if connected { self.ties.socket(place.pair) } else { self.sockets.socket(place) };
        socket.map(|socket| Fd(socket.as_raw_fd()))
    }

    /// Takes what comes to a socket from now on.
    fn open(&mut self, mouth: Mouth) -> io::Result<()> {
        let Some(ear) = self.ear(mouth) else { return Ok(()) };
        ear.open = true;
        ear.turn = ear.turn.wrapping_add(1) & TURNS;
        self.arm(mouth)
    }

    /// Takes nothing from a socket any more.
    fn close(&mut self, mouth: Mouth) -> io::Result<()> {
        let Some(ear) = self.ear(mouth).filter(|ear| ear.open) else { return Ok(()) };
        ear.open = false;
        let name = Name::Receive { mouth, turn: ear.turn };
        let cancel = opcode::AsyncCancel::new(name.pack()).build().flags(squeue::Flags::SKIP_SUCCESS);
        self.ask(&cancel.user_data(Name::Cancel.pack()))
    }

    /// Opens the tie of a pair.
    fn connect(&mut self, pair: u32) -> io::Result<()> {
        let mouth = Mouth::connected(pair);
        self.close(mouth)?;
        self.ties.open(pair)?;
        self.open(mouth)
    }

    fn arm(&mut self, mouth: Mouth) -> io::Result<()> {
        let Some(ear) = self.ear(mouth) else { return Ok(()) };
        let name = Name::Receive { mouth, turn: ear.turn };
        let Some(file) = self.file(mouth) else { return Ok(()) };
        let receive = opcode::RecvMsgMulti::new(file, &raw const *self.envelope, GROUP);
        self.ask(&receive.build().user_data(name.pack()))
    }

    fn watch_bell(&mut self) -> io::Result<()> {
        let events = libc::POLLIN.cast_unsigned().into();
        let poll = opcode::PollAdd::new(Fd(self.bell.as_raw_fd()), events).multi(true);
        self.ask(&poll.build().user_data(Name::Bell.pack()))
    }

    /// Puts a request into the ring; into the kernel too where the ring is full.
    fn ask(&mut self, request: &squeue::Entry) -> io::Result<()> {
        loop {
            // SAFETY: what the request points to (envelope, buffers, slot) lives as long as the ring, and a slot is not
            // written again before the system call that takes the request.
            if unsafe { self.ring.submission().push(request) }.is_ok() {
                return Ok(());
            }
            self.submit()?;
        }
    }

    /// Hands the requests to the kernel without waiting.
    fn submit(&mut self) -> io::Result<()> {
        self.enable()?;
        passed(self.ring.submit())?;
        self.clear_slots();
        Ok(())
    }

    /// Hands the requests to the kernel and waits for answers.
    fn submit_and_wait(&mut self, limit: Option<&Timespec>) -> io::Result<usize> {
        const GET_EVENTS: u32 = 1;
        const EXTENDED: u32 = 1 << 3;
        let requests = u32::try_from(self.ring.submission().len()).map_err(io::Error::other)?;
        let together_us = self.tempo.together_us(Instant::now());
        loop {
            let min_wait_us = if self.can_gather { together_us } else { 0 };
            let arguments = WaitArguments {
                signals: 0,
                signals_size: 0,
                min_wait_us,
                limit: limit.map_or(ptr::null(), ptr::from_ref),
            };
            let want = if min_wait_us == 0 { 1 } else { MANY };
            // SAFETY: the arguments have the kernel's layout and outlive the call, as does the limit.
            let waited = unsafe {
                self.ring.submitter().enter(requests, want, GET_EVENTS | EXTENDED, Some(&arguments))
            };
            match waited {
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) && min_wait_us > 0 => {
                    self.can_gather = false;
                }
                Ok(_) | Err(_) => return waited,
            }
        }
    }

    /// A send that may not wait is carried out, or fails, within the system call that takes it: then its slot is free.
    fn clear_slots(&mut self) {
        if self.ring.submission().is_empty() {
            self.slots.clear();
        }
    }

    /// The rings belong to the thread that enables them.
    fn enable(&mut self) -> io::Result<()> {
        if !self.enabled {
            self.ring.submitter().register_enable_rings()?;
            self.enabled = true;
            self.watch_bell()?;
        }
        Ok(())
    }

    /// Where a packet came from, and where it lies in the buffer that is now lent.
    fn received(
        &mut self,
        answer: &cqueue::Entry,
        mouth: Mouth,
        turn: u32,
    ) -> Option<(SocketAddr, Range<usize>)> {
        let is_live = self.ear(mouth).is_some_and(|ear| ear.open && ear.turn == turn);
        if is_live && !cqueue::more(answer.flags()) {
            self.deaf.push(mouth);
        }
        let buffer = cqueue::buffer_select(answer.flags())?;
        self.lent = Some(buffer);
        self.tempo.count();
        let length = usize::try_from(answer.result()).ok().filter(|_| is_live)?;
        let whole = self.buffers.get(buffer).get(..length)?;
        let message = RecvMsgOut::parse(whole, &self.envelope).ok()?;
        let from = address(message.name_data())?;
        let payload = message.payload_data().len();
        if message.is_payload_truncated() || payload >= LARGEST {
            self.counters.oversized();
            return None;
        }
        Some((from, length - payload..length))
    }

    fn return_lent(&mut self) {
        if let Some(buffer) = self.lent.take() {
            self.buffers.give(buffer);
        }
    }

    /// Puts one packet into the ring.
    fn post(&mut self, place: Place, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        if self.slots.are_full() || self.ring.submission().is_full() {
            self.submit()?;
        }
        let Some(way) = self.ties.way(place, to) else { return Ok(()) };
        // What cannot go at once is lost: late voice is worse than none. Only failures are answered.
        let at_once = libc::MSG_DONTWAIT.cast_unsigned();
        let full = io::ErrorKind::WouldBlock;
        let (send, connected) = match way {
            Way::Bound(socket) => {
                let message = self.slots.fill(to, bytes).ok_or(full)?;
                (opcode::SendMsg::new(Fd(socket.as_raw_fd()), message).flags(at_once).build(), false)
            }
            Way::Connected(socket) => {
                let bytes = self.slots.fill_plain(bytes).ok_or(full)?;
                let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
                let send = opcode::Send::new(Fd(socket.as_raw_fd()), bytes.as_ptr(), length);
                (send.flags(at_once.cast_signed()).build(), true)
            }
        };
        let send = send.flags(squeue::Flags::SKIP_SUCCESS);
        self.ask(&send.user_data(Name::Send(Mouth { place, connected }).pack()))
    }
}

/// Whether the kernel has what is needed, and lets this process have it.
pub(super) fn is_available() -> bool {
    ring(1, 2).is_ok()
}

fn ring(requests: u16, answers: u32) -> io::Result<IoUring> {
    IoUring::builder()
        .setup_r_disabled()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_submit_all()
        .setup_cqsize(answers)
        .build(requests.into())
}

impl Drop for Uring {
    /// Receives hold their sockets until they are called off and that is answered; closing the ring would do both, but
    /// some time later.
    fn drop(&mut self) {
        let soon = Timespec::from(Duration::from_secs(1));
        let at_once = Timespec::from(Duration::ZERO);
        if self.enabled
            && self.ring.submitter().register_sync_cancel(Some(soon), CancelBuilder::any()).is_ok()
        {
            // Answers are only given inside a system call of ours.
            let _ = self.ring.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&at_once));
        }
    }
}

/// Answers wait to be read (they are, in the next round), time is up, or a signal came: nothing to complain of.
fn passed(result: io::Result<usize>) -> io::Result<()> {
    match result {
        Ok(_) => Ok(()),
        Err(error) => match error.raw_os_error() {
            Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(()),
            Some(_) | None => Err(error),
        },
    }
}

impl Backend for Uring {
    fn listen(&mut self, place: Place) -> io::Result<()> {
        self.open(Mouth::bound(place))
    }

    fn ignore(&mut self, place: Place) -> io::Result<()> {
        if !place.control {
            self.close(Mouth::connected(place.pair))?;
            self.ties.close(place.pair);
        }
        self.close(Mouth::bound(place))
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.enable()?;
        self.return_lent();
        while let Some(mouth) = self.deaf.pop() {
            if self.ear(mouth).is_some_and(|ear| ear.open) {
                self.arm(mouth)?;
            }
        }
        let limit = timeout.map(|timeout| Timespec::from(super::whole_milliseconds(timeout)));
        passed(self.submit_and_wait(limit.as_ref()))?;
        self.clear_slots();
        Ok(())
    }

    fn next(&mut self) -> Option<Arrived<'_>> {
        loop {
            self.return_lent();
            let answer = self.ring.completion().next()?;
            match Name::unpack(answer.user_data()) {
                Some(Name::Receive { mouth, turn }) => {
                    let Some((from, payload)) = self.received(&answer, mouth, turn) else { continue };
                    let bytes = &mut self.buffers.get_mut(self.lent?)[payload];
                    return Some(Arrived::Packet { place: mouth.place, from, bytes });
                }
                Some(Name::Send(Mouth { place, connected })) => {
                    if connected {
                        self.ties.failed(place.pair);
                    }
                    self.counters.sent(Err(io::Error::from_raw_os_error(answer.result().wrapping_neg())));
                }
                Some(Name::Bell) => {
                    self.bell.answer();
                    if !cqueue::more(answer.flags())
                        && let Err(error) = self.watch_bell()
                    {
                        tracing::error!(%error, "a relay worker cannot be woken");
                    }
                    return Some(Arrived::Bell);
                }
                Some(Name::Cancel) | None => {}
            }
        }
    }

    fn send(&mut self, packets: &Packets) {
        for (place, to, bytes) in packets.iter() {
            if let Err(error) = self.post(place, to, bytes) {
                self.counters.sent(Err(error));
            }
        }
        if let Some(pair) = self.ties.ripe()
            && let Err(error) = self.connect(pair)
        {
            tracing::debug!(%error, "no socket can be tied");
        }
    }
}

/// An address as the kernel wrote it (ip(7), ipv6(7)).
fn address(octets: &[u8]) -> Option<SocketAddr> {
    let family = u16::from_ne_bytes(*octets.first_chunk()?);
    let port = u16::from_be_bytes(*octets.get(2..)?.first_chunk()?);
    match i32::from(family) {
        libc::AF_INET => {
            let ip = Ipv4Addr::from(*octets.get(4..)?.first_chunk::<4>()?);
            Some(SocketAddrV4::new(ip, port).into())
        }
        libc::AF_INET6 => {
            let flow = u32::from_be_bytes(*octets.get(4..)?.first_chunk()?);
            let ip = Ipv6Addr::from(*octets.get(8..)?.first_chunk::<16>()?);
            let scope = u32::from_ne_bytes(*octets.get(24..)?.first_chunk()?);
            Some(SocketAddrV6::new(ip, port, flow, scope).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        let mouth = |pair, control, connected| Mouth { place: Place { pair, control }, connected };
        let receive = |mouth, turn| Name::Receive { mouth, turn };
        for name in [
            receive(mouth(0, false, false), 0),
            receive(mouth(0, false, true), 1),
            receive(mouth(32_767, true, false), TURNS),
            Name::Send(mouth(7, true, false)),
            Name::Send(mouth(32_767, false, true)),
            Name::Bell,
            Name::Cancel,
        ] {
            assert_eq!(Name::unpack(name.pack()), Some(name));
        }
    }

    #[test]
    fn addresses_are_read_as_the_kernel_writes_them() {
        for text in ["192.0.2.7:4000", "[2001:db8::7%3]:4000"] {
            let expected: SocketAddr = text.parse().unwrap();
            let raw = socket2::SockAddr::from(expected);
            // SAFETY: the pointer and the length are those of a live socket address.
            let octets = unsafe { std::slice::from_raw_parts(raw.as_ptr().cast::<u8>(), raw.len() as usize) };
            assert_eq!(address(octets), Some(expected));
        }
        assert_eq!(address(&[0; 28]), None);
        assert_eq!(address(&[2]), None);
    }
}
