//! A trace as a capture file (draft-ietf-opsawg-pcap): each message in an IP packet of its own, made up around it. Whatever it came by,
//! it is shown in UDP: a whole message in one packet is what a reader of SIP wants to see.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::interface::{Trace, TracedMessage};

/// Packets begin with the IP header, of either version (LINKTYPE_RAW).
const RAW: u32 = 101;
/// Octets of a packet that are kept at most; also the longest an IP packet can be.
const SNAP: usize = 65_535;
const UDP: u8 = 17;
const UDP_HEADER: usize = 8;
const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;

/// Writes it.
pub(super) fn write(trace: &Trace) -> Vec<u8> {
    let mut file = Vec::new();
    // Microseconds, version 2.4, no offset from UTC.
    for word in [0xA1B2_C3D4, 4 << 16 | 2, 0, 0, 65_535, RAW] {
        file.extend_from_slice(&u32::to_le_bytes(word));
    }
    for message in &trace.messages {
        let packet = packet(message);
        let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
        let seconds = u32::try_from(message.at_us / 1_000_000).unwrap_or(u32::MAX);
        let micros = u32::try_from(message.at_us % 1_000_000).expect("below a million");
        for word in [seconds, micros, length, length] {
            file.extend_from_slice(&word.to_le_bytes());
        }
        file.extend_from_slice(&packet);
    }
    file
}

fn packet(message: &TracedMessage) -> Vec<u8> {
    let (from, to) =
        if message.incoming { (message.theirs, message.ours) } else { (message.ours, message.theirs) };
    match (from.ip(), to.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let udp = datagram(&message.text, IPV4_HEADER, from, to);
            let mut packet = ipv4(source, destination, udp.len());
            packet.extend_from_slice(&udp);
            packet
        }
        (source, destination) => {
            let udp = datagram(&message.text, IPV6_HEADER, from, to);
            let mut packet = ipv6(wide(source), wide(destination), udp.len());
            packet.extend_from_slice(&udp);
            packet
        }
    }
}

fn wide(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// With a checksum, which IPv6 demands (RFC 8200 §8.1).
fn datagram(text: &str, ip_header: usize, from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    let text = &text.as_bytes()[..text.len().min(SNAP - ip_header - UDP_HEADER)];
    let length = short(UDP_HEADER + text.len());
    let mut udp = Vec::with_capacity(UDP_HEADER + text.len());
    for field in [from.port(), to.port(), length, 0] {
        udp.extend_from_slice(&field.to_be_bytes());
    }
    udp.extend_from_slice(text);
    let mut pseudo = Vec::new();
    for address in [from.ip(), to.ip()] {
        match (address, ip_header) {
            (IpAddr::V4(address), IPV4_HEADER) => pseudo.extend_from_slice(&address.octets()),
            (address, _) => pseudo.extend_from_slice(&wide(address).octets()),
        }
    }
    pseudo.extend_from_slice(&[0, UDP]);
    pseudo.extend_from_slice(&length.to_be_bytes());
    // Zero would say that there is none (RFC 768).
    let sum = match checksum(&[&pseudo, &udp]) {
        0 => u16::MAX,
        sum => sum,
    };
    udp[6..8].copy_from_slice(&sum.to_be_bytes());
    udp
}

/// RFC 791 §3.1.
fn ipv4(source: Ipv4Addr, destination: Ipv4Addr, payload: usize) -> Vec<u8> {
    let mut header = vec![0x45, 0];
    header.extend_from_slice(&short(IPV4_HEADER + payload).to_be_bytes());
    header.extend_from_slice(&[0, 0, 0x40, 0, 64, UDP, 0, 0]);
    header.extend_from_slice(&source.octets());
    header.extend_from_slice(&destination.octets());
    let sum = checksum(&[&header]);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    header
}

/// RFC 8200 §3.
fn ipv6(source: Ipv6Addr, destination: Ipv6Addr, payload: usize) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0];
    header.extend_from_slice(&short(payload).to_be_bytes());
    header.extend_from_slice(&[UDP, 64]);
    header.extend_from_slice(&source.octets());
    header.extend_from_slice(&destination.octets());
    header
}

fn short(length: usize) -> u16 {
    u16::try_from(length).expect("cut to what fits")
}

/// The Internet checksum (RFC 1071) of parts of which all but the last are of even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let pairs = parts.iter().flat_map(|part| part.chunks(2));
    let words = pairs.map(|pair| u64::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])));
    let mut sum: u64 = words.sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::tests::trace;

    fn word(octets: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(octets[at..at + 4].try_into().unwrap())
    }

    /// Packets with their times, by the format alone.
    fn read(mut file: &[u8]) -> Vec<(u64, Vec<u8>)> {
        assert_eq!(file[..8], [0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0]);
        assert_eq!((word(file, 16), word(file, 20)), (65_535, 101));
        file = &file[24..];
        let mut packets = Vec::new();
        while !file.is_empty() {
            let at = u64::from(word(file, 0)) * 1_000_000 + u64::from(word(file, 4));
            let length = word(file, 8) as usize;
            assert_eq!(word(file, 12) as usize, length);
            packets.push((at, file[16..16 + length].to_vec()));
            file = &file[16 + length..];
        }
        packets
    }

    #[test]
    fn each_message_is_a_packet_of_its_own() {
        let trace = trace();
        let packets = read(&write(&trace));
        let times: Vec<u64> = packets.iter().map(|(at, _)| *at).collect();
        assert_eq!(times, trace.messages.iter().map(|message| message.at_us).collect::<Vec<_>>());
        let first = &packets[0].1;
        assert_eq!(first[0], 0x45);
        assert_eq!(usize::from(u16::from_be_bytes([first[2], first[3]])), first.len());
        assert_eq!(checksum(&[&first[..20]]), 0, "a header with its checksum sums up to nothing");
        assert_eq!((&first[12..16], &first[16..20]), (&[198, 51, 100, 7][..], &[192, 0, 2, 1][..]));
        assert_eq!(u16::from_be_bytes([first[20], first[21]]), 5080);
        assert_eq!(u16::from_be_bytes([first[22], first[23]]), 5060);
        assert_eq!(&first[28..], trace.messages[0].text.as_bytes());
        let back = &packets[1].1;
        assert_eq!(back[12..16], [192, 0, 2, 1]);
        let last = &packets[2].1;
        assert_eq!(
            (last[0], last[6], usize::from(u16::from_be_bytes([last[4], last[5]]))),
            (0x60, 17, last.len() - 40)
        );
        let length = u16::from_be_bytes([last[4], last[5]]).to_be_bytes();
        let pseudo = [&last[8..40], &[0, 17], &length[..]].concat();
        assert_eq!(checksum(&[&pseudo, &last[40..]]), 0);
        assert_eq!(&last[48..], trace.messages[2].text.as_bytes());
    }

    #[test]
    fn what_does_not_fit_into_a_packet_is_cut() {
        let mut trace = trace();
        for message in &mut trace.messages {
            message.text = "x".repeat(70_000);
        }
        let lengths: Vec<usize> = read(&write(&trace)).iter().map(|(_, packet)| packet.len()).collect();
        assert_eq!(lengths, [65_535; 3]);
    }
}
