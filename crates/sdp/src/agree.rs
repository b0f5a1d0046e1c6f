//! Offer and answer made into one agreement (RFC 3264 §6, §7).

use std::fmt;
use std::net::SocketAddr;

use crate::address;
use crate::crypto::{Secured, Security};
use crate::description::{Connection, Description, Direction, Encoding, Kind, Protocol, Stream};
use crate::offer::{Capabilities, Layout, Offer, clamp_ptime};
use crate::{ClockRate, Codec, OpusWishes};

/// What two descriptions come to, from our side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// Where they take media; `None` while they hold us the old way, with `c=0.0.0.0` (RFC 3264 §8.4).
    pub remote: Option<Remote>,
    /// What we send and under which payload type: their favourite of ours.
    pub send: (Codec, u8),
    /// What else they take of ours, and under which payload type.
    pub also: [Option<(Codec, u8)>; 3],
    /// What may come in, by payload type, their favourite first.
    pub receive: [Option<(Codec, u8)>; 4],
    /// The payload type under which we send telephone-events, where they take them at the rate of what we send (RFC 4733 §2.1).
    pub event_send: Option<u8>,
    /// The payload type under which theirs come.
    pub event_receive: Option<u8>,
    /// How fast those are counted.
    pub event_rate: ClockRate,
    /// Whether both take comfort noise (RFC 3389).
    pub noise: bool,
    /// What they wish of the Opus we send.
    pub opus: OpusWishes,
    /// Milliseconds of audio in a packet that they ask for: 10, 20 … 60.
    pub ptime: u8,
    /// Milliseconds of audio they take in a packet at most (`a=maxptime`); 0: they do not say.
    pub maxptime: u32,
    /// Whether RTP and RTCP share one port, as they asked (RFC 5761 §5.1.1). We never ask for it: every carrier takes RTCP
    /// by the next port.
    pub mux: bool,
    /// Which ways media flows, from our side.
    pub direction: Direction,
    /// Whether both ask for VoIP metrics (RFC 3611 §5.2): then each tells the other.
    pub xr: bool,
    /// How media is protected; `None`: not at all.
    pub secured: Option<Secured>,
    /// The media lines of the dialog.
    pub layout: Layout,
}

/// Where they take media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remote {
    /// RTP.
    pub rtp: SocketAddr,
    /// RTCP: the next port, or what `a=rtcp` says (RFC 3605), or that of RTP where they share one.
    pub rtcp: SocketAddr,
}

/// Why there can be no agreement. Always 488 (RFC 3261 §21.4.26) where an answer was wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// No audio, or audio with port 0.
    NoAudio,
    /// Audio only by encrypted transports, where we have none: DTLS, or SDES while it is off.
    Secured,
    /// Audio in the clear, where it must be encrypted.
    Plain,
    /// Encrypted audio without a key we can use.
    Crypto,
    /// No codec in common.
    NoCodec,
    /// No address, or one media must not be sent to: multicast, broadcast and the like.
    Address,
    /// A host name where an address must stand.
    Host,
    /// A port media must not be sent to: below 1024, or without a next one for RTCP.
    Port,
    /// A media line with a word outside the registered ones, which could only be answered by repeating it.
    UnknownMedia,
    /// An answer whose media lines are not those of the offer.
    Mismatch,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAudio => "no audio stream",
            Self::Secured => "encrypted audio only",
            Self::Plain => "audio in the clear only",
            Self::Crypto => "no usable key for encrypted audio",
            Self::NoCodec => "no codec in common",
            Self::Address => "no address that can take media",
            Self::Host => "a host name instead of an address",
            Self::Port => "a port that cannot take media",
            Self::UnknownMedia => "an unknown kind of media",
            Self::Mismatch => "an answer that does not fit the offer",
        })
    }
}

impl std::error::Error for Refused {}

/// What we can agree to of `offer`: its first audio stream that suits us and is protected, else its first that suits us.
///
/// # Errors
/// Why there is no such stream: of several audio streams, what is wrong with the first.
pub fn answer(offer: &Description, capabilities: &Capabilities) -> Result<Agreed, Refused> {
    if offer.streams.iter().any(|stream| stream.kind == Kind::Unknown || stream.protocol == Protocol::Unknown)
    {
        return Err(Refused::UnknownMedia);
    }
    let (mut plain, mut refused) = (None, None);
    for (index, stream) in offer.streams.iter().enumerate() {
        match stream.answered(capabilities, Layout::of(offer, index)) {
            Ok(agreed) if agreed.secured.is_some() || capabilities.security == Security::Off => {
                return Ok(agreed);
            }
            Ok(agreed) => plain = plain.or(Some(agreed)),
            Err(Refused::NoAudio) => {}
            Err(other) => refused = refused.or(Some(other)),
        }
    }
    plain.ok_or(refused.unwrap_or(Refused::NoAudio))
}

/// What `answer` makes of `offered`. Codecs we did not offer are passed over.
///
/// # Errors
/// When the other side refused the stream, or answered something we cannot do.
pub fn read_answer(answer: &Description, offered: &Offer) -> Result<Agreed, Refused> {
    let stream = answer.streams.get(offered.layout.audio).ok_or(Refused::Mismatch)?;
    let remote = stream.remote(false)?;
    let secured = stream.read_secured(offered)?;
    let mut heard = Heard::default();
    let mut receive = Receive::default();
    for &format in &stream.formats {
        // A payload type without a map means what our offer said it means.
        match stream.encoding(format).or_else(|| offered.encoding(format)) {
            Some(Encoding::Audio(codec)) => {
                if let Some((_, ours)) = offered.codecs.iter().find(|(known, _)| *known == codec) {
                    heard.voices.add(codec, format);
                    receive.add(codec, *ours);
                }
            }
            Some(Encoding::Event(rate)) if offered.events.iter().any(|(_, known)| *known == rate) => {
                heard.events.push((format, rate));
            }
            Some(Encoding::Noise) => heard.noise |= offered.noise,
            Some(Encoding::Event(_) | Encoding::Other) | None => {}
        }
    }
    // Some peers answer with one law and send the other of the offer.
    for (codec, format) in offered.codecs.iter().filter(|(codec, _)| codec.is_law()) {
        receive.add(*codec, *format);
    }
    let send = heard.voices.0[0].ok_or(Refused::NoCodec)?;
    let event = heard.event(send.0);
    let ours =
        |rate: ClockRate| offered.events.iter().find(|(_, known)| *known == rate).map(|(format, _)| *format);
    let mut layout = offered.layout.clone();
    layout.taken |= Layout::of(answer, offered.layout.audio).taken;
    Ok(Agreed {
        remote,
        send,
        also: heard.voices.also(),
        receive: receive.0,
        event_send: event.filter(|(_, rate)| *rate == send.0.clock_rate()).map(|(format, _)| format),
        event_receive: event.and_then(|(_, rate)| ours(rate)),
        event_rate: event.map_or(send.0.clock_rate(), |(_, rate)| rate),
        noise: heard.noise && send.0.clock_rate() == ClockRate::Hz8000,
        opus: stream.wishes(send.1),
        ptime: stream.packet_time(send),
        maxptime: stream.maxptime,
        mux: false,
        direction: stream.our_direction(),
        xr: offered.xr && stream.xr,
        secured,
        layout,
    })
}

/// What a stream says it takes, of what we can do.
#[derive(Default)]
struct Heard {
    voices: Receive,
    events: Vec<(u8, ClockRate)>,
    noise: bool,
}

impl Heard {
    /// Their telephone-events: those that are counted as fast as the timestamps of a codec, or else others.
    fn event(&self, codec: Codec) -> Option<(u8, ClockRate)> {
        let fitting = self.events.iter().find(|(_, rate)| *rate == codec.clock_rate());
        fitting.or(self.events.first()).copied()
    }
}

impl Offer {
    fn encoding(&self, format: u8) -> Option<Encoding> {
        let event = self.events.iter().find(|(known, _)| *known == format);
        let voice = self.codecs.iter().find(|(_, known)| *known == format);
        event.map(|(_, rate)| Encoding::Event(*rate)).or(voice.map(|(codec, _)| Encoding::Audio(*codec)))
    }
}

/// Payload types that may come in.
#[derive(Default)]
struct Receive([Option<(Codec, u8)>; 4]);

impl Receive {
    fn add(&mut self, codec: Codec, format: u8) {
        if !self.0.contains(&Some((codec, format)))
            && let Some(free) = self.0.iter_mut().find(|slot| slot.is_none())
        {
            *free = Some((codec, format));
        }
    }

    /// All but the first.
    fn also(&self) -> [Option<(Codec, u8)>; 3] {
        let [_, also @ ..] = self.0;
        also
    }
}

impl Stream {
    fn answered(&self, capabilities: &Capabilities, layout: Layout) -> Result<Agreed, Refused> {
        let remote = self.remote(self.mux)?;
        let secured = self.answered_secured(&capabilities.security)?;
        let mut heard = Heard::default();
        for &format in &self.formats {
            match self.encoding(format) {
                Some(Encoding::Audio(codec)) if capabilities.codecs.contains(&codec) => {
                    heard.voices.add(codec, format);
                }
                Some(Encoding::Event(rate)) if capabilities.events => heard.events.push((format, rate)),
                Some(Encoding::Noise) => heard.noise |= capabilities.noise,
                Some(Encoding::Audio(_) | Encoding::Event(_) | Encoding::Other) | None => {}
            }
        }
        let send = heard.voices.0[0].ok_or(Refused::NoCodec)?;
        let event = heard.event(send.0);
        Ok(Agreed {
            remote,
            send,
            also: heard.voices.also(),
            receive: heard.voices.0,
            event_send: event.filter(|(_, rate)| *rate == send.0.clock_rate()).map(|(format, _)| format),
            event_receive: event.map(|(format, _)| format),
            event_rate: event.map_or(send.0.clock_rate(), |(_, rate)| rate),
            noise: heard.noise && send.0.clock_rate() == ClockRate::Hz8000,
            opus: self.wishes(send.1),
            ptime: self.packet_time(send),
            maxptime: self.maxptime,
            mux: self.mux,
            direction: self.our_direction(),
            xr: capabilities.xr && self.xr,
            secured,
            layout,
        })
    }

    /// How we protect this stream of an offer.
    fn answered_secured(&self, security: &Security) -> Result<Option<Secured>, Refused> {
        let chosen = security.chosen(&self.crypto);
        match (self.is_secured(), security) {
            (true, Security::Off) => Err(Refused::Secured),
            (true, _) => chosen.map(Some).ok_or(Refused::Crypto),
            (false, Security::Required(_)) => chosen.map(Some).ok_or(Refused::Plain),
            (false, Security::Off | Security::Offered(_)) => Ok(chosen),
        }
    }

    /// How they protect this stream of an answer. Whoever answers with keys means to encrypt, whatever the transport is
    /// called; where those are of no use there is no falling back.
    fn read_secured(&self, offered: &Offer) -> Result<Option<Secured>, Refused> {
        if offered.crypto.is_empty() {
            return if self.is_secured() { Err(Refused::Secured) } else { Ok(None) };
        }
        match offered.crypto.iter().find_map(|line| line.answered(&self.crypto)) {
            Some(secured) => Ok(Some(secured)),
            None if self.has_crypto || self.is_secured() => Err(Refused::Crypto),
            None if offered.secured_only => Err(Refused::Plain),
            None => Ok(None),
        }
    }

    /// Whether its transport is SRTP with keys in the description.
    fn is_secured(&self) -> bool {
        matches!(self.protocol, Protocol::RtpSavp | Protocol::RtpSavpf)
    }

    /// Where this stream takes media, if it is one we can speak; `None` within for a hold by `c=0.0.0.0`.
    fn remote(&self, mux: bool) -> Result<Option<Remote>, Refused> {
        if self.kind != Kind::Audio || self.port == 0 {
            return Err(Refused::NoAudio);
        }
        match self.protocol {
            Protocol::RtpAvp | Protocol::RtpAvpf | Protocol::RtpSavp | Protocol::RtpSavpf => {}
            Protocol::DtlsSavp | Protocol::DtlsSavpf => return Err(Refused::Secured),
            Protocol::Udptl
            | Protocol::DtlsUdptl
            | Protocol::Udp
            | Protocol::Tcp
            | Protocol::Msrp
            | Protocol::Msrps
            | Protocol::BfcpTcp
            | Protocol::BfcpTls
            | Protocol::BfcpUdp
            | Protocol::BfcpDtls
            | Protocol::SctpUdp
            | Protocol::SctpTcp
            | Protocol::Sctp => return Err(Refused::NoAudio),
            Protocol::Unknown => return Err(Refused::UnknownMedia),
        }
        let host = match self.connection {
            Connection::Absent => return Err(Refused::Address),
            Connection::Other => return Err(Refused::Host),
            Connection::Address(host) if host.is_unspecified() => return Ok(None),
            Connection::Address(host) => host,
        };
        address::usable(host)?;
        let rtp = SocketAddr::new(host, address::port(self.port)?);
        if mux {
            return Ok(Some(Remote { rtp, rtcp: rtp }));
        }
        let named = self.rtcp.and_then(|(port, at)| {
            let rtcp = SocketAddr::new(at.unwrap_or(host), address::port(port).ok()?);
            (address::usable(rtcp.ip()).is_ok() && rtcp.is_ipv4() == rtp.is_ipv4() && rtcp != rtp)
                .then_some(rtcp)
        });
        let next = rtp.port().checked_add(1).map(|port| SocketAddr::new(host, port));
        let rtcp = named.or(next).ok_or(Refused::Port)?;
        Ok(Some(Remote { rtp, rtcp }))
    }

    /// What they ask for, where they forbid it not themselves.
    fn packet_time(&self, (codec, format): (Codec, u8)) -> u8 {
        let least = if codec == Codec::Opus { self.wishes(format).least.min(60) } else { 0 };
        let ptime = u32::from(clamp_ptime(self.ptime)).max(least.next_multiple_of(10));
        let most = if self.maxptime == 0 { ptime } else { self.maxptime };
        clamp_ptime(ptime.min(most))
    }

    /// Their direction seen from here; whoever names no address to send to receives nothing.
    fn our_direction(&self) -> Direction {
        let ours = self.direction.mirrored();
        let held = matches!(self.connection, Connection::Address(host) if host.is_unspecified());
        match ours {
            Direction::SendReceive if held => Direction::ReceiveOnly,
            Direction::SendOnly if held => Direction::Inactive,
            Direction::SendReceive | Direction::SendOnly | Direction::ReceiveOnly | Direction::Inactive => {
                ours
            }
        }
    }
}
