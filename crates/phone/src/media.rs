//! A phone's voice: one RTP session (RFC 3550), 50 packets a second, keys by RFC 4733.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rtp::{Event, Header, Law, Packet, g711, telephone_event};
use sdp::{Agreed, Capabilities, Description, Local, Offer};
use tokio::net::UdpSocket;

use crate::capture::Heard;
use crate::traffic::{Kind, Traffic};
use crate::{Clothes, Setup, Sound};

/// Samples in a packet: 20 ms.
const PACKET: u32 = 160;
/// A key sounds for five packets, has its end in three (RFC 4733 §2.5.1.4), and rests for three.
const SOUNDS: u16 = 5;
const ENDS: u16 = 8;
const RESTS: u16 = 11;
/// Loudness of a key, in dB below 0 dBm0.
const VOLUME: u8 = 10;
/// Packets between reports: 2 s.
const REPORT_EVERY: u32 = 100;
/// Tries to find an even port whose next one is free as well (RFC 3550 §11).
const PORT_TRIES: usize = 64;

/// The codecs and the rest a phone can do.
fn capabilities() -> Capabilities {
    Capabilities {
        codecs: vec![sdp::Codec::Pcma, sdp::Codec::Pcmu],
        events: true,
        noise: false,
        ptime: 20,
        security: sdp::Security::Off,
        xr: false,
    }
}

/// A key being pressed.
struct Press {
    code: u8,
    timestamp: u32,
    packets: u16,
}

pub(crate) struct Media {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    local: Local,
    agreed: Option<Agreed>,
    offered: Option<Offer>,
    clothes: Option<Clothes>,
    says: Sound,
    said: usize,
    keys: VecDeque<char>,
    press: Option<Press>,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    packets: u32,
    ticks: u32,
    buffer: Box<[u8; 2048]>,
    pub(crate) heard: Heard,
    pub(crate) traffic: Traffic,
}

impl Media {
    pub(crate) async fn bind(ip: IpAddr, setup: &Setup) -> io::Result<Self> {
        let (rtp, rtcp) = ports(ip).await?;
        let mut chance = ChaCha20Rng::from_os_rng();
        let local = Local {
            address: ip,
            port: rtp.local_addr()?.port(),
            session: chance.next_u64() >> 1,
            version: 1,
        };
        Ok(Self {
            rtp,
            rtcp,
            local,
            agreed: None,
            offered: None,
            clothes: setup.clothes.clone(),
            says: setup.says.clone(),
            said: 0,
            keys: VecDeque::new(),
            press: None,
            ssrc: chance.next_u32(),
            sequence: 1,
            timestamp: chance.next_u32(),
            packets: 0,
            ticks: 0,
            buffer: Box::new([0; 2048]),
            heard: Heard::default(),
            traffic: Traffic::default(),
        })
    }

    /// Our offer.
    pub(crate) fn offer(&mut self) -> Bytes {
        let offer = match &self.agreed {
            Some(agreed) => Offer::again(&capabilities(), agreed),
            None => Offer::first(&capabilities()),
        };
        let text = self.dressed(sdp::write_offer(&self.local, &offer));
        self.offered = Some(offer);
        text
    }

    /// Takes the answer to our offer. Whether the two agree.
    pub(crate) fn answered(&mut self, answer: &[u8]) -> bool {
        let Some(offered) = &self.offered else { return false };
        let agreed =
            Description::parse(answer).ok().and_then(|answer| sdp::read_answer(&answer, offered).ok());
        self.agreed = agreed.or(self.agreed.take());
        self.agreed.is_some()
    }

    /// Our answer to an offer; `None` if there is nothing in it for us.
    pub(crate) fn answer(&mut self, offer: &[u8]) -> Option<Bytes> {
        let offer = Description::parse(offer).ok()?;
        let agreed = sdp::answer(&offer, &capabilities()).ok()?;
        if self.agreed.is_some() {
            self.local.version += 1;
        }
        let answer = sdp::write_answer(&self.local, &offer, &agreed);
        self.agreed = Some(agreed);
        Some(self.dressed(answer))
    }

    fn dressed(&self, description: Bytes) -> Bytes {
        self.clothes.as_ref().map_or(description.clone(), |clothes| clothes.describe(&description))
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.extend(keys.chars());
    }

    pub(crate) fn is_pressing(&self) -> bool {
        self.press.is_some() || !self.keys.is_empty()
    }

    /// The next 20 ms. A key that begins with them.
    pub(crate) fn tick(&mut self) -> Option<char> {
        let remote = self.agreed.as_ref()?.remote?;
        self.timestamp = self.timestamp.wrapping_add(PACKET);
        let event_type = self.agreed.as_ref().and_then(|agreed| agreed.event_send);
        let mut begun = None;
        if self.press.is_none()
            && let Some(key) = self.keys.pop_front()
            && let Some(code) = telephone_event::code(key)
        {
            begun = Some(key);
            self.press = Some(Press { code, timestamp: self.timestamp, packets: 0 });
        }
        match (self.press.take(), event_type) {
            (Some(press), Some(event_type)) => self.event(press, event_type, remote.rtp),
            (Some(_) | None, _) => self.voice(remote.rtp),
        }
        self.ticks += 1;
        if self.ticks % REPORT_EVERY == REPORT_EVERY / 4 {
            self.report(remote.rtcp);
        }
        begun
    }

    fn voice(&mut self, to: SocketAddr) {
        let Some((codec, payload_type)) = self.agreed.as_ref().map(|agreed| agreed.send) else { return };
        let Some(law) = law(codec) else { return };
        let marker = self.said == 0;
        let samples = (self.said..self.said + PACKET as usize).map(|place| self.says.sample(place));
        let payload: Vec<u8> = samples.map(|sample| g711::encode(law, sample)).collect();
        self.said += PACKET as usize;
        self.send(to, (marker, payload_type, self.timestamp), &payload);
    }

    /// One packet of a key. The rest after it is silence on the wire.
    fn event(&mut self, press: Press, payload_type: u8, to: SocketAddr) {
        let packets = press.packets + 1;
        if packets <= ENDS {
            let duration = packets.min(SOUNDS) * 160;
            let event = Event { code: press.code, end: packets > SOUNDS, volume: VOLUME, duration };
            self.send(to, (packets == 1, payload_type, press.timestamp), &event.write());
        }
        if packets < RESTS {
            self.press = Some(Press { packets, ..press });
        }
    }

    fn send(&mut self, to: SocketAddr, kind: (bool, u8, u32), payload: &[u8]) {
        let (marker, payload_type, timestamp) = kind;
        self.sequence = self.sequence.wrapping_add(1);
        let header = Header { marker, payload_type, sequence: self.sequence, timestamp, ssrc: self.ssrc };
        let mut packet = header.write().to_vec();
        packet.extend_from_slice(payload);
        self.packets += 1;
        self.traffic.sent(Kind::Rtp, &packet);
        let _ = self.rtp.try_send_to(&packet, to);
    }

    /// A sender report and who sends it (RFC 3550 §6.4.1, §6.5).
    fn report(&mut self, to: SocketAddr) {
        let name = self.clothes.as_ref().map_or("phone", |clothes| &clothes.cname);
        let name = name.as_bytes()[..name.len().min(64)].to_vec();
        let mut packet = vec![0x80, 200, 0, 6];
        let octets = self.packets.wrapping_mul(PACKET);
        for word in [self.ssrc, self.ticks / 50, 0, self.timestamp, self.packets, octets] {
            packet.extend(word.to_be_bytes());
        }
        // Chunks end with one to four zeros, on a word (§6.5).
        let length = (4 + 2 + name.len()) / 4 + 1;
        packet.extend([0x81, 202, 0]);
        packet.push(u8::try_from(length).unwrap_or(u8::MAX));
        packet.extend(self.ssrc.to_be_bytes());
        packet.push(1);
        packet.push(u8::try_from(name.len()).unwrap_or(0));
        packet.extend(&name);
        packet.resize(28 + 4 + length * 4, 0);
        self.traffic.sent(Kind::Rtcp, &packet);
        let _ = self.rtcp.try_send_to(&packet, to);
    }

    /// Voice that came next; keys and reports are kept and passed over.
    pub(crate) async fn next(&mut self) -> io::Result<(Law, Bytes)> {
        loop {
            let mut reports = [0; 2048];
            tokio::select! {
                came = self.rtp.recv_from(&mut *self.buffer) => {
                    let bytes = Bytes::copy_from_slice(&self.buffer[..came?.0]);
                    self.traffic.received(Kind::Rtp, bytes.clone());
                    if let Some(voice) = self.hear(&bytes) {
                        return Ok(voice);
                    }
                }
                came = self.rtcp.recv_from(&mut reports) => {
                    self.traffic.received(Kind::Rtcp, Bytes::copy_from_slice(&reports[..came?.0]));
                }
            }
        }
    }

    fn hear(&mut self, bytes: &Bytes) -> Option<(Law, Bytes)> {
        let packet = Packet::parse(bytes).ok()?;
        let codecs = self.agreed.as_ref()?.receive;
        let (codec, _) =
            codecs.into_iter().flatten().find(|(_, number)| *number == packet.header.payload_type)?;
        let law = law(codec)?;
        let octets = bytes.slice(packet.payload);
        self.heard.take(&packet.header, law, &octets);
        Some((law, octets))
    }
}

/// A phone can do no other.
fn law(codec: sdp::Codec) -> Option<Law> {
    match codec {
        sdp::Codec::Pcmu => Some(Law::Mu),
        sdp::Codec::Pcma => Some(Law::A),
        sdp::Codec::G722 | sdp::Codec::Opus => None,
    }
}

async fn ports(ip: IpAddr) -> io::Result<(UdpSocket, UdpSocket)> {
    let mut odd = Vec::new();
    for _ in 0..PORT_TRIES {
        let rtp = UdpSocket::bind(SocketAddr::new(ip, 0)).await?;
        let port = rtp.local_addr()?.port();
        if port.is_multiple_of(2)
            && let Ok(rtcp) = UdpSocket::bind(SocketAddr::new(ip, port + 1)).await
        {
            return Ok((rtp, rtcp));
        }
        // Held until the search is over, so that the system gives another one.
        odd.push(rtp);
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, "no two free ports side by side"))
}
