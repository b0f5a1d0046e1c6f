//! A phone: sends a tone, packet by packet, and keeps what it hears.

use std::f64::consts::TAU;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use rtp::{Codec, Law, g711};

/// What a packet carries: 20 ms.
pub(crate) const PACKET: usize = 160;
const PACKET_TIME: Duration = Duration::from_millis(20);
/// How loud a tone is sent: a quarter of full scale.
pub(crate) const LOUD: f64 = 0.25;

pub(crate) struct Phone {
    pub(crate) socket: UdpSocket,
    /// Where it sends to.
    to: SocketAddr,
    law: Law,
    hertz: f64,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    /// All samples heard, in the order they came.
    pub(crate) heard: Vec<i16>,
    /// Payload types heard.
    pub(crate) formats: Vec<u8>,
    /// Synchronisation sources heard.
    pub(crate) sources: Vec<u32>,
}

/// What is agreed of a law.
pub(crate) fn agreed(law: Law) -> (Codec, u8) {
    match law {
        Law::Mu => (Codec::Pcmu, 0),
        Law::A => (Codec::Pcma, 8),
    }
}

impl Phone {
    /// A phone of that address that sends to `to`.
    pub(crate) fn new(address: &str, to: SocketAddr, law: Law, hertz: f64) -> Self {
        let address: IpAddr = address.parse().expect("an address");
        let socket = UdpSocket::bind((address, 0)).expect("loopback has a free port");
        let patience = Some(Duration::from_millis(1));
        socket.set_read_timeout(patience).expect("a socket takes a timeout");
        Self {
            socket,
            to,
            law,
            hertz,
            sequence: 65_530,
            timestamp: 4_294_967_000,
            ssrc: 0x5eed_0000 + hertz as u32,
            heard: Vec::new(),
            formats: Vec::new(),
            sources: Vec::new(),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("a bound socket has an address")
    }

    /// Sends the next 20 ms, of its tone or of silence.
    pub(crate) fn say(&mut self, loud: bool) {
        let (_, format) = agreed(self.law);
        let mut packet = vec![0x80, format];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(self.timestamp.to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        for place in 0..PACKET {
            let at = f64::from(self.timestamp.wrapping_add(place as u32)) / 8_000.0;
            let sample = if loud { (TAU * self.hertz * at).sin() * LOUD * 32_767.0 } else { 0.0 };
            packet.push(g711::encode(self.law, sample as i16));
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(PACKET as u32);
        self.send(&packet);
    }

    pub(crate) fn send(&self, bytes: &[u8]) {
        self.socket.send_to(bytes, self.to).expect("loopback takes packets");
    }

    /// Takes at most one packet, waiting a millisecond for it. Says whether there was one.
    pub(crate) fn listen(&mut self) -> bool {
        let mut packet = [0; 1_500];
        let Ok((length, from)) = self.socket.recv_from(&mut packet) else { return false };
        assert_eq!(from, self.to, "from the port we send to");
        assert!(length > 12 && packet[0] == 0x80, "plain RTP: no padding, extension or contributing sources");
        let (format, source) =
            (packet[1] & 0x7f, u32::from_be_bytes([packet[8], packet[9], packet[10], packet[11]]));
        let law = if format == 8 { Law::A } else { Law::Mu };
        self.heard.extend(packet[12..length].iter().map(|octet| g711::decode(law, *octet)));
        self.formats.push(format);
        if self.sources.last() != Some(&source) {
            self.sources.push(source);
        }
        true
    }

    /// How loud a tone is in what was heard after the first 100 ms.
    pub(crate) fn hears(&self, hertz: f64) -> f64 {
        loudness(self.heard.get(5 * PACKET..).unwrap_or_default(), hertz)
    }
}

/// Everybody talks, `packets` times 20 ms, at the pace of life, and listens meanwhile. `loud` says who is not silent
/// in which packet.
pub(crate) fn talk(phones: &mut [&mut Phone], packets: u32, loud: impl Fn(usize, u32) -> bool) {
    let start = Instant::now();
    for packet in 0..packets {
        for (number, phone) in phones.iter_mut().enumerate() {
            phone.say(loud(number, packet));
        }
        while start.elapsed() < PACKET_TIME * (packet + 1) {
            for phone in phones.iter_mut() {
                phone.listen();
            }
        }
    }
}

/// Amplitude of one tone, full scale being 1, by Goertzel's algorithm.
pub(crate) fn loudness(samples: &[i16], hertz: f64) -> f64 {
    let coefficient = 2.0 * (TAU * hertz / 8_000.0).cos();
    let (mut one, mut two) = (0.0, 0.0);
    for sample in samples {
        (one, two) = (f64::from(*sample) + coefficient * one - two, one);
    }
    let power = one * one + two * two - coefficient * one * two;
    2.0 * power.max(0.0).sqrt() / samples.len().max(1) as f64 / 32_768.0
}
