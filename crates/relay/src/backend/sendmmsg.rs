//! Several packets from one socket in one system call (sendmmsg(2)).

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use socket2::SockAddr;

/// What the system call wants to be pointed at, kept for the next time.
pub(crate) struct Batch {
    addresses: Vec<SockAddr>,
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

// SAFETY: the pointers in `vectors` and `headers` are made and used within one call of `send`, never kept.
unsafe impl Send for Batch {}

impl Batch {
    /// Room for this many packets without allocation.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            addresses: Vec::with_capacity(most),
            vectors: Vec::with_capacity(most),
            headers: Vec::with_capacity(most),
        }
    }

    /// Sends packets in their order, each with one result. A packet that fails does not keep the next from going;
    /// once the socket is full, all further ones fail.
    pub(crate) fn send<'a>(
        &mut self,
        socket: &UdpSocket,
        packets: impl Iterator<Item = (SocketAddr, &'a [u8])>,
        mut done: impl FnMut(io::Result<()>),
    ) {
        self.addresses.clear();
        self.vectors.clear();
        self.headers.clear();
        for (to, bytes) in packets {
            self.addresses.push(to.into());
            let base = bytes.as_ptr().cast_mut().cast();
            self.vectors.push(libc::iovec { iov_base: base, iov_len: bytes.len() });
        }
        for (address, vector) in self.addresses.iter().zip(&mut self.vectors) {
            // SAFETY: all zeros is a valid mmsghdr: no address, no buffers, no flags.
            let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
            header.msg_hdr.msg_name = address.as_ptr().cast_mut().cast();
            header.msg_hdr.msg_namelen = address.len();
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            self.headers.push(header);
        }
        let mut rest = self.headers.as_mut_slice();
        while !rest.is_empty() {
            let count = u32::try_from(rest.len()).unwrap_or(u32::MAX);
            // SAFETY: the headers point to addresses, vectors and, through these, packets that outlive the call;
            // the call reads them and writes only the headers.
            let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), rest.as_mut_ptr(), count, 0) };
            let taken = match usize::try_from(sent) {
                Ok(sent) => {
                    (0..sent).for_each(|_| done(Ok(())));
                    sent
                }
                // Only the first of the packets can have failed: after a success its count is returned.
                Err(_) => {
                    done(Err(io::Error::last_os_error()));
                    1
                }
            };
            rest = &mut rest[taken.max(1)..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_go_out_in_order_and_a_bad_one_does_not_stop_the_rest() {
        let [from, to] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        let there = to.local_addr().unwrap();
        let wrong: SocketAddr = "[2001:db8::1]:9".parse().unwrap();
        let mut results = Vec::new();
        let packets = [(there, "one"), (wrong, "lost"), (there, "two"), (there, "three")];
        let packets = packets.map(|(to, text)| (to, text.as_bytes()));
        Batch::new(4).send(&from, packets.into_iter(), |result| results.push(result.is_ok()));
        assert_eq!(results, [true, false, true, true]);
        let mut buffer = [0; 16];
        for expected in ["one", "two", "three"] {
            let (length, source) = to.recv_from(&mut buffer).unwrap();
            assert_eq!((&buffer[..length], source), (expected.as_bytes(), from.local_addr().unwrap()));
        }
    }
}
