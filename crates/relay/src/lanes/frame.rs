//! Ethernet frames with a datagram in them, read and written: what a socket's kernel does otherwise.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;

/// Octets of an Ethernet header, an IPv4 header without options (RFC 791), an IPv6 header (RFC 8200), a UDP header (RFC 768).
const ETHERNET: usize = 14;
const IPV4: usize = 20;
const IPV6: usize = 40;
const UDP: usize = 8;

/// The longest header before what a datagram carries.
pub(super) const LONGEST: usize = ETHERNET + IPV6 + UDP;

const UDP_IN_IP: u8 = 17;
/// Expedited forwarding (RFC 4594 §4.1), as our sockets have it.
const EXPEDITED: u8 = 46 << 2;
const HOPS: u8 = 64;

/// A datagram in a frame that came.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Came {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    /// Where in the frame lies what it carries. What lies behind is nobody's.
    pub(super) carried: Range<usize>,
}

/// Reads a frame. `None` for all that is no whole datagram, and for one that was damaged on its way.
///
/// A frame that never was on a wire, as from a container, may carry the sum of its pseudo header alone, left for a card to
/// complete. By that it is known, and taken: of frames that were damaged and that their card let pass, one of 65,535 looks so.
pub(super) fn read(frame: &[u8]) -> Option<Came> {
    let (from, to, udp, whole) = match frame.get(12..ETHERNET)? {
        [0x08, 0x00] => {
            let ip = frame.get(ETHERNET..ETHERNET + IPV4)?;
            let is_plain = ip[0] == 0x45 && ip[9] == UDP_IN_IP && (ip[6] & 0x3f, ip[7]) == (0, 0);
            if !is_plain || fold(sum(ip)) != 0xffff {
                return None;
            }
            let carried = usize::from(number(ip, 2)?).checked_sub(IPV4)?;
            let [from, to] =
                [12, 16].map(|at| ip[at..].first_chunk().map(|ip: &[u8; 4]| Ipv4Addr::from(*ip)));
            (IpAddr::V4(from?), IpAddr::V4(to?), ETHERNET + IPV4, (&ip[12..], carried))
        }
        [0x86, 0xdd] => {
            let ip = frame.get(ETHERNET..ETHERNET + IPV6)?;
            if ip[0] >> 4 != 6 || ip[6] != UDP_IN_IP {
                return None;
            }
            let carried = usize::from(number(ip, 4)?);
            let [from, to] =
                [8, 24].map(|at| ip[at..].first_chunk().map(|ip: &[u8; 16]| Ipv6Addr::from(*ip)));
            (IpAddr::V6(from?), IpAddr::V6(to?), ETHERNET + IPV6, (&ip[8..], carried))
        }
        _ => return None,
    };
    let (addresses, length) = whole;
    let datagram = frame.get(udp..udp + length)?;
    if datagram.len() < UDP || usize::from(number(datagram, 4)?) != length {
        return None;
    }
    let check = datagram[6..].first_chunk().copied().map(u16::from_ne_bytes)?;
    let pseudo = sum(addresses) + fixed(length);
    let is_whole = match check {
        0 => from.is_ipv4(),
        _ => fold(pseudo + sum(datagram)) == 0xffff || check == fold(pseudo),
    };
    let at = |ip, place| Some(SocketAddr::new(ip, number(datagram, place)?));
    is_whole.then_some(Came { from: at(from, 0)?, to: at(to, 2)?, carried: udp + UDP..udp + length })
}

/// What the headers of all frames from one place to another have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    octets: [u8; LONGEST],
    length: usize,
    /// Sums of the IPv4 header and of the datagram's part of it and its pseudo header, without lengths and what is carried.
    ip: u64,
    udp: u64,
}

impl Header {
    /// `None` for a family each.
    pub(super) fn new(macs: ([u8; 6], [u8; 6]), from: SocketAddr, to: SocketAddr) -> Option<Self> {
        let (ours, next_hop) = macs;
        let mut octets = [0; LONGEST];
        octets[..6].copy_from_slice(&next_hop);
        octets[6..12].copy_from_slice(&ours);
        let (udp, addresses) = match (from.ip(), to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                octets[12..ETHERNET].copy_from_slice(&[0x08, 0x00]);
                let ip = &mut octets[ETHERNET..ETHERNET + IPV4];
                // No fragment, and so no number either (RFC 6864 §4.1).
                ip[..10].copy_from_slice(&[0x45, EXPEDITED, 0, 0, 0, 0, 0x40, 0, HOPS, UDP_IN_IP]);
                ip[12..16].copy_from_slice(&from.octets());
                ip[16..].copy_from_slice(&to.octets());
                (ETHERNET + IPV4, ETHERNET + 12..ETHERNET + IPV4)
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                octets[12..ETHERNET].copy_from_slice(&[0x86, 0xdd]);
                let ip = &mut octets[ETHERNET..ETHERNET + IPV6];
                let class = [0x60 | EXPEDITED >> 4, (EXPEDITED & 0xf) << 4, 0, 0, 0, 0, UDP_IN_IP, HOPS];
                ip[..8].copy_from_slice(&class);
                ip[8..24].copy_from_slice(&from.octets());
                ip[24..].copy_from_slice(&to.octets());
                (ETHERNET + IPV6, ETHERNET + 8..ETHERNET + IPV6)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return None,
        };
        octets[udp..udp + 2].copy_from_slice(&from.port().to_be_bytes());
        octets[udp + 2..udp + 4].copy_from_slice(&to.port().to_be_bytes());
        let ip = sum(&octets[ETHERNET..udp]);
        let of_datagram = sum(&octets[addresses]) + sum(&octets[udp..udp + UDP]);
        Some(Self { octets, length: udp + UDP, ip, udp: of_datagram })
    }

    /// Octets of a frame that carries so many; `None` where it would be longer than the card takes.
    pub(super) fn around(&self, carried: usize, mtu: usize) -> Option<usize> {
        let length = self.length + carried;
        (length <= mtu.min(usize::from(u16::MAX)) + ETHERNET).then_some(length)
    }

    /// Writes a frame, of which [`Self::around`] said how long it is.
    pub(super) fn write(&self, carried: &[u8], frame: &mut [u8]) {
        let (header, rest) = frame.split_at_mut(self.length);
        header.copy_from_slice(&self.octets[..self.length]);
        rest.copy_from_slice(carried);
        let udp = self.length - UDP;
        let length = UDP + carried.len();
        let big = |length: usize| (length as u16).to_be_bytes();
        if udp == ETHERNET + IPV4 {
            let total = big(IPV4 + length);
            header[ETHERNET + 2..ETHERNET + 4].copy_from_slice(&total);
            let check = !fold(self.ip + u64::from(u16::from_ne_bytes(total)));
            header[ETHERNET + 10..ETHERNET + 12].copy_from_slice(&check.to_ne_bytes());
        } else {
            header[ETHERNET + 4..ETHERNET + 6].copy_from_slice(&big(length));
        }
        header[udp + 4..udp + 6].copy_from_slice(&big(length));
        let own = u64::from(u16::from_ne_bytes(big(length)));
        // A sum of zero would say that there is none (RFC 768).
        let check = match !fold(self.udp + own + fixed(length) + sum(carried)) {
            0 => 0xffff,
            check => check,
        };
        header[udp + 6..udp + 8].copy_from_slice(&check.to_ne_bytes());
    }
}

/// What of the pseudo header is neither address: the protocol and the length.
fn fixed(length: usize) -> u64 {
    let words = [u16::from(UDP_IN_IP), length as u16];
    words.map(|word| u64::from(word.to_be())).iter().sum()
}

fn number(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..)?.first_chunk().copied().map(u16::from_be_bytes)
}

/// Adds octets up for a checksum (RFC 1071), in whose words the order of octets does not matter as long as it is one: this
/// machine's. The sum of what a frame can hold is far from where it would overflow.
fn sum(octets: &[u8]) -> u64 {
    let (words, rest) = octets.as_chunks::<4>();
    let sum: u64 = words.iter().map(|word| u64::from(u32::from_ne_bytes(*word))).sum();
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    sum + u64::from(u32::from_ne_bytes(last))
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACS: ([u8; 6], [u8; 6]) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);

    fn frame(from: &str, to: &str, carried: &[u8]) -> Vec<u8> {
        let header = Header::new(MACS, from.parse().unwrap(), to.parse().unwrap()).unwrap();
        let mut frame = vec![0xee; header.around(carried.len(), 1_500).unwrap()];
        header.write(carried, &mut frame);
        frame
    }

    fn both() -> [(&'static str, &'static str); 2] {
        [("192.0.2.1:4000", "198.51.100.7:5002"), ("[2001:db8::1]:4000", "[2001:db8:1::7]:5002")]
    }

    #[test]
    fn what_is_written_is_read() {
        for (from, to) in both() {
            for length in [0, 1, 2, 3, 12, 171, 172, 1_440] {
                let carried: Vec<u8> = (0..length).map(|octet| (octet * 7) as u8).collect();
                let frame = frame(from, to, &carried);
                let came = read(&frame).unwrap();
                assert_eq!((came.from, came.to), (from.parse().unwrap(), to.parse().unwrap()));
                assert_eq!(frame[came.carried], carried);
            }
        }
    }

    #[test]
    fn a_frame_is_as_the_standards_have_it() {
        let carried = *b"voice";
        let v4 = frame("192.0.2.1:4000", "198.51.100.7:5002", &carried);
        let expected: [&[u8]; 6] = [
            &[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0],
            &[0x45, 0xb8, 0, 33, 0, 0, 0x40, 0, 64, 17, 0x4d, 0xd8],
            &[192, 0, 2, 1, 198, 51, 100, 7],
            &[0x0f, 0xa0, 0x13, 0x8a, 0, 13],
            // c000+0201+c633+6407 of the addresses, 11+d, fa0+138a+d, 766f+6963+6500: folded and turned over.
            &[0xab, 0x9a],
            b"voice",
        ];
        assert_eq!(v4, expected.concat());
        let v6 = frame("[2001:db8::1]:4000", "[2001:db8:1::7]:5002", &carried);
        assert_eq!(v6[12..22], [0x86, 0xdd, 0x6b, 0x80, 0, 0, 0, 13, 17, 64]);
    }

    #[test]
    fn damage_is_noticed_and_nothing_behind_the_datagram_is_read() {
        for (from, to) in both() {
            let good = frame(from, to, &[0xd5; 172]);
            // Addresses of cards, class, hops and flow of IPv6 are under no checksum.
            let v6 = from.starts_with('[');
            let unread = |at: usize| at < 12 || v6 && (15..18).contains(&at) || v6 && at == 21;
            for at in (0..good.len()).filter(|at| !unread(*at)) {
                let mut bad = good.clone();
                bad[at] ^= 0x10;
                // Of IPv6 the lower half of this octet is class.
                let is_class = v6 && at == 14;
                assert!(is_class || read(&bad).is_none(), "{from}: octet {at}");
            }
            for length in 0..good.len() {
                assert_eq!(read(&good[..length]), None, "cut to {length}");
            }
            let mut padded = good.clone();
            padded.extend_from_slice(b"whose is this");
            assert_eq!(read(&padded), read(&good));
        }
    }

    #[test]
    fn sums_that_a_card_would_complete_and_those_that_are_left_out_are_taken() {
        for (from, to) in both() {
            let mut frame = frame(from, to, &[0x80; 20]);
            let v4 = !from.starts_with('[');
            let udp = if v4 { ETHERNET + IPV4 } else { ETHERNET + IPV6 };
            let addresses = if v4 { ETHERNET + 12..udp } else { ETHERNET + 8..udp };
            let partial = fold(sum(&frame[addresses]) + fixed(28));
            frame[udp + 6..udp + 8].copy_from_slice(&partial.to_ne_bytes());
            assert!(read(&frame).is_some());
            frame[udp + 6..udp + 8].copy_from_slice(&[0, 0]);
            // IPv6 has to have one (RFC 8200 §8.1).
            assert_eq!(read(&frame).is_some(), v4);
        }
    }

    #[test]
    fn a_sum_of_zero_is_written_as_its_other_form() {
        let seek = (0..=u16::MAX).find(|word| {
            let frame = frame("192.0.2.1:4000", "198.51.100.7:5002", &word.to_be_bytes());
            frame[40..42] == [0xff, 0xff]
        });
        let word = seek.expect("one of all words makes the sum zero");
        let frame = frame("192.0.2.1:4000", "198.51.100.7:5002", &word.to_be_bytes());
        assert!(read(&frame).is_some());
    }

    #[test]
    fn what_is_longer_than_the_card_takes_is_no_frame() {
        let header =
            Header::new(MACS, "192.0.2.1:4000".parse().unwrap(), "192.0.2.2:5".parse().unwrap()).unwrap();
        assert_eq!(header.around(1_472, 1_500), Some(1_514));
        assert_eq!(header.around(1_473, 1_500), None);
        let mixed = Header::new(MACS, "192.0.2.1:4000".parse().unwrap(), "[2001:db8::1]:5".parse().unwrap());
        assert_eq!(mixed, None);
    }
}
