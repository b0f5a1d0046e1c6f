//! Rings and frames that the kernel shares with us (`AF_XDP`; <https://docs.kernel.org/networking/af_xdp.html>).
//!
//! A frame is a piece of one memory, and at any time one side's. Four rings hand them over: we give empty ones to be filled and
//! take those that came; we give those that are to go and take back those that went. The kernel gives back nothing but what it
//! was given, so that whoever holds the number of a frame is the only one who looks into it.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::bell::owned;

/// Octets of a frame's piece of memory. The kernel leaves 256 of them free before what came.
pub(super) const PIECE: usize = 2_048;

/// Memory that goes with its last owner.
struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: it is memory that lives as long as this value, from whichever thread it is reached.
unsafe impl Send for Mapping {}
// SAFETY: as above; how it may be reached is the affair of whoever holds it.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Of a socket's ring, or of nothing: then it is all zeros.
    fn new(socket: Option<(RawFd, libc::off_t)>, length: usize) -> io::Result<Self> {
        let (descriptor, offset, flags) = match socket {
            Some((descriptor, offset)) => (descriptor, offset, libc::MAP_SHARED | libc::MAP_POPULATE),
            None => (-1, 0, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE),
        };
        let rights = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at a place the system picks.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), length, rights, flags, descriptor, offset) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("memory at address zero"))?;
        Ok(Self { start, length })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `new`, to which nothing outlives `self`.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}

/// The number of a frame that is ours. There is one of each.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame(u32);

impl Frame {
    /// Of which number.
    pub(super) fn number(&self) -> u32 {
        self.0
    }

    fn address(&self) -> u64 {
        u64::from(self.0) * PIECE as u64
    }

    /// Whose piece an address lies in, and how far in.
    fn of(address: u64) -> (Self, usize) {
        let piece = PIECE as u64;
        (Self(u32::try_from(address / piece).unwrap_or(u32::MAX)), (address % piece) as usize)
    }
}

/// All frames of a queue.
pub(super) struct Memory {
    mapping: Mapping,
    count: u32,
}

impl Memory {
    /// Makes so many, and says their numbers.
    pub(super) fn new(count: u32) -> io::Result<(Self, impl Iterator<Item = Frame>)> {
        let mapping = Mapping::new(None, count as usize * PIECE)?;
        Ok((Self { mapping, count }, (0..count).map(Frame)))
    }

    /// So many octets of a frame, from one on; `None` where there are none.
    pub(super) fn octets<'f>(
        &'f self,
        frame: &'f mut Frame,
        at: usize,
        length: usize,
    ) -> Option<&'f mut [u8]> {
        if frame.0 >= self.count || at.checked_add(length)? > PIECE {
            return None;
        }
        let start = frame.0 as usize * PIECE + at;
        // SAFETY: it lies within the mapping, which outlives the answer, and is ours alone as long as the frame is borrowed: the
        // kernel does not reach frames that it was not given.
        Some(unsafe { std::slice::from_raw_parts_mut(self.mapping.start.as_ptr().add(start), length) })
    }
}

/// One end of a ring that is ours. `T` is what the kernel has in it, of which every pattern of bits is one.
struct Ring<T> {
    mapping: Mapping,
    offsets: libc::xdp_ring_offset,
    size: u32,
    entries: PhantomData<T>,
}

impl<T: Copy> Ring<T> {
    fn new(socket: RawFd, place: libc::off_t, offsets: libc::xdp_ring_offset, size: u32) -> io::Result<Self> {
        let length =
            usize::try_from(offsets.desc).map_err(io::Error::other)? + size as usize * size_of::<T>();
        Ok(Self {
            mapping: Mapping::new(Some((socket, place)), length)?,
            offsets,
            size,
            entries: PhantomData,
        })
    }

    fn at(&self, offset: u64) -> *mut u8 {
        // SAFETY: the kernel says where in its mapping these are.
        unsafe { self.mapping.start.as_ptr().add(offset as usize) }
    }

    fn producer(&self) -> &AtomicU32 {
        // SAFETY: the kernel keeps an aligned number there, which both sides reach as an atomic.
        unsafe { AtomicU32::from_ptr(self.at(self.offsets.producer).cast()) }
    }

    fn consumer(&self) -> &AtomicU32 {
        // SAFETY: as above.
        unsafe { AtomicU32::from_ptr(self.at(self.offsets.consumer).cast()) }
    }

    fn entry(&self, number: u32) -> *mut T {
        let place = (number & (self.size - 1)) as usize;
        // SAFETY: entries begin at this offset, and the ring has `size` of them, a power of two.
        unsafe { self.at(self.offsets.desc).cast::<T>().add(place) }
    }
}

/// A ring that we fill.
struct Giving<T> {
    ring: Ring<T>,
    given: u32,
    /// What the kernel had taken when that was last looked at.
    taken: u32,
}

impl<T: Copy> Giving<T> {
    fn new(ring: Ring<T>) -> Self {
        let given = ring.producer().load(Ordering::Relaxed);
        let taken = ring.consumer().load(Ordering::Acquire);
        Self { ring, given, taken }
    }

    /// Puts one in, for `publish`; whether there was room.
    fn put(&mut self, entry: T) -> bool {
        if self.given.wrapping_sub(self.taken) >= self.ring.size {
            self.taken = self.ring.consumer().load(Ordering::Acquire);
            if self.given.wrapping_sub(self.taken) >= self.ring.size {
                return false;
            }
        }
        // SAFETY: the place is within the ring, and the kernel does not read it before it is published.
        unsafe { self.ring.entry(self.given).write(entry) };
        self.given = self.given.wrapping_add(1);
        true
    }

    /// Lets the kernel have what was put in.
    fn publish(&self) {
        self.ring.producer().store(self.given, Ordering::Release);
    }

    /// Whether the kernel has taken all of it.
    fn is_taken(&self) -> bool {
        self.ring.consumer().load(Ordering::Acquire) == self.given
    }
}

/// A ring that the kernel fills.
struct Taking<T> {
    ring: Ring<T>,
    taken: u32,
    /// What there was when that was last looked at.
    given: u32,
}

impl<T: Copy> Taking<T> {
    fn new(ring: Ring<T>) -> Self {
        let taken = ring.consumer().load(Ordering::Relaxed);
        let given = ring.producer().load(Ordering::Acquire);
        Self { ring, taken, given }
    }

    /// The next one. It is the ring's until `release`.
    fn next(&mut self) -> Option<T> {
        if self.taken == self.given {
            self.given = self.ring.producer().load(Ordering::Acquire);
            if self.taken == self.given {
                return None;
            }
        }
        // SAFETY: the place is within the ring, and the kernel has written it and does not write it again before it is released.
        let entry = unsafe { self.ring.entry(self.taken).read() };
        self.taken = self.taken.wrapping_add(1);
        Some(entry)
    }

    /// Lets the kernel use the places of what was taken again.
    fn release(&self) {
        self.ring.consumer().store(self.taken, Ordering::Release);
    }

    fn waiting(&self) -> u32 {
        self.ring.producer().load(Ordering::Acquire).wrapping_sub(self.taken)
    }
}

/// What is shared by all sockets of a queue: empty frames on their way to the kernel, and those that went on their way back.
pub(super) struct Supply {
    empty: Giving<u64>,
    gone: Taking<u64>,
}

impl Supply {
    /// Gives frames to be filled; those there is no room for stay.
    pub(super) fn give(&mut self, frames: &mut Vec<Frame>) {
        while let Some(frame) = frames.pop() {
            if !self.empty.put(frame.address()) {
                frames.push(frame);
                break;
            }
        }
        self.empty.publish();
    }

    /// Takes back the frames that went.
    pub(super) fn take(&mut self, mut each: impl FnMut(Frame)) {
        while let Some(address) = self.gone.next() {
            each(Frame::of(address).0);
        }
        self.gone.release();
    }
}

/// Where the kernel has the parts of each ring.
fn offsets(socket: &OwnedFd) -> io::Result<libc::xdp_mmap_offsets> {
    // SAFETY: all zeros are such offsets.
    let mut offsets: libc::xdp_mmap_offsets = unsafe { std::mem::zeroed() };
    let mut size = size::<libc::xdp_mmap_offsets>();
    // SAFETY: the pointers are to live values, of which the call fills the first.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_XDP,
            libc::XDP_MMAP_OFFSETS,
            (&raw mut offsets).cast(),
            &raw mut size,
        )
    };
    done(result)?;
    if size == size_of::<libc::xdp_mmap_offsets>() as libc::socklen_t {
        Ok(offsets)
    } else {
        Err(io::Error::other("the kernel is older than 5.4"))
    }
}

fn size<T>() -> libc::socklen_t {
    size_of::<T>() as libc::socklen_t
}

fn done(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn set<T>(socket: &OwnedFd, option: libc::c_int, value: &T) -> io::Result<()> {
    let value = std::ptr::from_ref(value).cast();
    // SAFETY: the pointer and the size are those of a live value, which the call reads.
    done(unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_XDP, option, value, size::<T>()) })
}

/// How many frames each ring of a socket holds; powers of two.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) come: u32,
    pub(super) go: u32,
}

/// A socket at a queue of a card.
pub(super) struct Socket {
    socket: OwnedFd,
    come: Taking<libc::xdp_desc>,
    go: Giving<libc::xdp_desc>,
}

/// The first socket of a queue, with what all of them share. `supply`: how many frames its two rings hold; powers of two.
pub(super) fn first(
    memory: &Memory,
    supply: (u32, u32),
    sizes: Sizes,
    card: u32,
    queue: u32,
) -> io::Result<(Socket, Supply)> {
    let socket = open()?;
    // SAFETY: all zeros is such a request.
    let mut request: libc::xdp_umem_reg = unsafe { std::mem::zeroed() };
    request.addr = memory.mapping.start.as_ptr().expose_provenance() as u64;
    request.len = memory.mapping.length as u64;
    request.chunk_size = PIECE as u32;
    set(&socket, libc::XDP_UMEM_REG, &request)?;
    set(&socket, libc::XDP_UMEM_FILL_RING, &supply.0)?;
    set(&socket, libc::XDP_UMEM_COMPLETION_RING, &supply.1)?;
    let offsets = offsets(&socket)?;
    let place = |place: libc::c_ulonglong| libc::off_t::try_from(place).map_err(io::Error::other);
    let descriptor = socket.as_raw_fd();
    let (empty, gone) =
        (place(libc::XDP_UMEM_PGOFF_FILL_RING)?, place(libc::XDP_UMEM_PGOFF_COMPLETION_RING)?);
    let supply = Supply {
        empty: Giving::new(Ring::new(descriptor, empty, offsets.fr, supply.0)?),
        gone: Taking::new(Ring::new(descriptor, gone, offsets.cr, supply.1)?),
    };
    let address = address(card, queue, None);
    Ok((Socket::bind(socket, sizes, &address)?, supply))
}

/// A further one.
pub(super) fn further(first: &Socket, sizes: Sizes, card: u32, queue: u32) -> io::Result<Socket> {
    Socket::bind(open()?, sizes, &address(card, queue, Some(&first.socket)))
}

fn open() -> io::Result<OwnedFd> {
    // SAFETY: no pointers; a valid descriptor is ours alone.
    unsafe { owned(libc::socket(libc::AF_XDP, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0)) }
}

/// Frames are copied: where a card wrote into ours itself, all that comes to its queue would have to find room there.
fn address(card: u32, queue: u32, shared: Option<&OwnedFd>) -> libc::sockaddr_xdp {
    libc::sockaddr_xdp {
        sxdp_family: libc::AF_XDP as u16,
        sxdp_flags: if shared.is_some() { libc::XDP_SHARED_UMEM } else { libc::XDP_COPY },
        sxdp_ifindex: card,
        sxdp_queue_id: queue,
        sxdp_shared_umem_fd: shared.map_or(0, |socket| socket.as_raw_fd() as u32),
    }
}

impl Socket {
    fn bind(socket: OwnedFd, sizes: Sizes, address: &libc::sockaddr_xdp) -> io::Result<Self> {
        set(&socket, libc::XDP_RX_RING, &sizes.come)?;
        set(&socket, libc::XDP_TX_RING, &sizes.go)?;
        let offsets = offsets(&socket)?;
        let descriptor = socket.as_raw_fd();
        let come = Taking::new(Ring::new(descriptor, libc::XDP_PGOFF_RX_RING, offsets.rx, sizes.come)?);
        let go = Giving::new(Ring::new(descriptor, libc::XDP_PGOFF_TX_RING, offsets.tx, sizes.go)?);
        let (pointer, length) = (std::ptr::from_ref(address).cast(), size::<libc::sockaddr_xdp>());
        // SAFETY: the pointer and the length are those of a live address, which the call reads.
        done(unsafe { libc::bind(descriptor, pointer, length) })?;
        Ok(Self { socket, come, go })
    }

    /// The next frame that came: where in it, and how many octets.
    pub(super) fn next(&mut self) -> Option<(Frame, usize, usize)> {
        let came = self.come.next()?;
        let (frame, at) = Frame::of(came.addr);
        Some((frame, at, came.len as usize))
    }

    /// Frames may come into the places of those that were taken.
    pub(super) fn release(&self) {
        self.come.release();
    }

    /// How many have come beyond what was taken.
    pub(super) fn waiting(&self) -> u32 {
        self.come.waiting()
    }

    /// Puts a frame in that is to go, of so many octets; gives it back where there is no room.
    pub(super) fn put(&mut self, frame: Frame, length: usize) -> Result<(), Frame> {
        let entry = libc::xdp_desc { addr: frame.address(), len: length as u32, options: 0 };
        if self.go.put(entry) { Ok(()) } else { Err(frame) }
    }

    /// Has the kernel send what was put in: in one call some dozens at most.
    ///
    /// # Errors
    /// What the system says. What is left then goes with the next.
    pub(super) fn send(&self) -> io::Result<()> {
        self.go.publish();
        while !self.go.is_taken() {
            let before = self.go.ring.consumer().load(Ordering::Acquire);
            // SAFETY: no octets and no address are pointed at.
            let sent = unsafe {
                libc::sendto(
                    self.socket.as_raw_fd(),
                    std::ptr::null(),
                    0,
                    libc::MSG_DONTWAIT,
                    std::ptr::null(),
                    0,
                )
            };
            let went_on = self.go.ring.consumer().load(Ordering::Acquire) != before;
            if sent < 0 && !went_on {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}
