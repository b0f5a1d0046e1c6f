//! A card's queues, and what of each is a worker's.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::Duration;

use crate::kernel::Card;

use super::rings::{self, Frame, Memory, Sizes, Socket, Supply};

/// Queues of a card that are taken; frames of further ones go up. As the program has it.
pub(super) const QUEUES: u32 = 64;

/// Empty frames of a queue, and the places for those that came, of each worker.
const COME: u32 = 2_048;
/// Frames in which a worker sends.
const GO: u32 = 1_024;
/// A worker takes those that went back when it has fewer than so many.
const FEW: usize = GO as usize / 2;

/// How often a queue is tried that somebody has, and how long between.
const TRIES: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(50);

/// A queue of a card. The kernel gives what comes to a queue to sockets of that queue alone, and these share their frames.
pub(super) struct Queue {
    memory: Memory,
    /// Nobody waits for it: whoever does not get it at once comes again.
    common: Mutex<Common>,
}

struct Common {
    supply: Supply,
    /// Frames that went, by worker that sends here.
    gone: Vec<Vec<Frame>>,
}

impl Queue {
    fn common(&self) -> Option<MutexGuard<'_, Common>> {
        match self.common.try_lock() {
            Ok(common) => Some(common),
            // Numbers are moved one by one: whoever panicked broke nothing.
            Err(TryLockError::Poisoned(common)) => Some(common.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// What of a queue is a worker's.
pub(super) struct End {
    queue: Arc<Queue>,
    socket: Socket,
    /// Which of the workers that send by this queue it is.
    sender: Option<usize>,
    /// Frames to send in.
    free: Vec<Frame>,
    /// Frames that were read, and are to be empty ones again.
    read: Vec<Frame>,
}

impl End {
    pub(super) fn memory(&self) -> &Memory {
        &self.queue.memory
    }

    /// The next frame that came: where in it, and how many octets.
    pub(super) fn next(&mut self) -> Option<(Frame, usize, usize)> {
        self.socket.next()
    }

    /// How many frames wait.
    pub(super) fn waiting(&self) -> u32 {
        self.socket.waiting()
    }

    /// A frame was read.
    pub(super) fn give_back(&mut self, frame: Frame) {
        self.read.push(frame);
    }

    /// Lets the kernel have frames that were read, and takes back those that went if few are left.
    pub(super) fn settle(&mut self) {
        self.socket.release();
        let is_short = self.sender.is_some() && self.free.len() < FEW;
        if self.read.is_empty() && !is_short {
            return;
        }
        let Some(mut common) = self.queue.common() else { return };
        common.supply.give(&mut self.read);
        if let Some(sender) = self.sender.filter(|_| is_short) {
            let Common { supply, gone } = &mut *common;
            supply.take(|frame| {
                let sender = (frame.number().saturating_sub(COME) / GO) as usize;
                if let Some(gone) = gone.get_mut(sender) {
                    gone.push(frame);
                }
            });
            self.free.append(&mut gone[sender]);
        }
    }

    /// Puts a frame of so many octets in to be sent; whether there was room.
    pub(super) fn post(&mut self, length: usize, write: impl FnOnce(&mut [u8])) -> bool {
        let Some(mut frame) = self.free.pop() else { return false };
        let Some(octets) = self.queue.memory.octets(&mut frame, 0, length) else {
            self.free.push(frame);
            return false;
        };
        write(octets);
        match self.socket.put(frame, length) {
            Ok(()) => true,
            Err(frame) => {
                self.free.push(frame);
                false
            }
        }
    }

    /// Has go what was put in.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn send(&self) -> io::Result<()> {
        self.socket.send()
    }
}

impl AsRawFd for End {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// Makes rings for so many workers at each queue of a card; says what is each worker's, by queue.
///
/// # Errors
/// What the system says.
pub(super) fn all(card: &Card, workers: u32) -> io::Result<Vec<Vec<End>>> {
    let count = channels(&card.name).unwrap_or(1).clamp(1, QUEUES);
    let mut all: Vec<Vec<End>> = (0..workers).map(|_| Vec::new()).collect();
    for queue in 0..count {
        for (ends, end) in all.iter_mut().zip(open(card.index, (queue, count), workers)?) {
            ends.push(end);
        }
    }
    Ok(all)
}

/// Makes the rings of one queue, of so many, for each worker. Workers send by the queues in turn.
fn open(card: u32, (number, count): (u32, u32), workers: u32) -> io::Result<Vec<End>> {
    let senders: Vec<u32> = (0..workers).filter(|worker| worker % count == number).collect();
    let go = GO * senders.len() as u32;
    let (memory, mut frames) = Memory::new(COME + go)?;
    let sizes = Sizes { come: COME, go: GO };
    let supplies = (COME, go.next_power_of_two().max(2));
    let (first, mut supply) = patiently(|| rings::first(&memory, supplies, sizes, card, number))?;
    supply.give(&mut frames.by_ref().take(COME as usize).collect());
    let mut sockets = Vec::from([first]);
    for _ in 1..workers {
        sockets.push(rings::further(&sockets[0], sizes, card, number)?);
    }
    // Room for all there are: none is made later.
    let gone = senders.iter().map(|_| Vec::with_capacity(GO as usize)).collect();
    let queue = Arc::new(Queue { memory, common: Mutex::new(Common { supply, gone }) });
    let ends = (0..).zip(sockets).map(|(worker, socket)| {
        let sender = senders.iter().position(|sender| *sender == worker);
        let mut free = Vec::with_capacity(GO as usize);
        if sender.is_some() {
            free.extend(frames.by_ref().take(GO as usize));
        }
        End { queue: Arc::clone(&queue), socket, sender, free, read: Vec::with_capacity(COME as usize) }
    });
    Ok(ends.collect())
}

/// The rings of a process that ended are let go of some time after.
fn patiently<T>(mut open: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..TRIES {
        match open() {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => std::thread::sleep(BETWEEN),
            result @ (Ok(_) | Err(_)) => return result,
        }
    }
    open()
}

/// How many queues a card has for what comes (ethtool(8)); `None` where it does not tell: it has one.
fn channels(card: &str) -> Option<u32> {
    const ETHTOOL_GCHANNELS: u32 = 0x3c;
    /// `struct ethtool_channels`.
    #[repr(C)]
    #[derive(Default)]
    struct Channels {
        command: u32,
        most: [u32; 4],
        incoming: u32,
        outgoing: u32,
        other: u32,
        combined: u32,
    }
    let mut channels = Channels { command: ETHTOOL_GCHANNELS, ..Channels::default() };
    // SAFETY: all zeros is a valid request.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (octet, letter) in request.ifr_name.iter_mut().zip(card.bytes().take(libc::IFNAMSIZ - 1)) {
        *octet = letter as libc::c_char;
    }
    request.ifr_ifru.ifru_data = (&raw mut channels).cast();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
    // SAFETY: the request and what it points to outlive the call, which fills the latter.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut request) };
    (result == 0).then_some(channels.incoming + channels.combined)
}
