//! What a description says, as far as a call with one audio stream needs to know.

use std::fmt;
use std::net::IpAddr;

use crate::crypto::Crypto;
use crate::{ClockRate, Codec, OpusWishes};

/// A peer's session description, reduced to what may matter to us. Names, addresses and attributes that we have
/// no use for are not kept, so they cannot be passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    pub(crate) streams: Vec<Stream>,
}

/// One media line with its attributes; session-level values are already filled in (RFC 8866 §5.7, §6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stream {
    pub(crate) kind: Kind,
    pub(crate) protocol: Protocol,
    pub(crate) port: u16,
    /// Payload types in their order of preference. Empty where the transport is not RTP.
    pub(crate) formats: Vec<u8>,
    /// `a=rtpmap`, in order.
    pub(crate) maps: Vec<(u8, Encoding)>,
    /// `a=fmtp`, as far as it may be of Opus.
    pub(crate) wishes: Vec<(u8, OpusWishes)>,
    pub(crate) connection: Connection,
    /// Whether RTP and RTCP may come by one port: `a=rtcp-mux` (RFC 5761 §5.1.1).
    pub(crate) mux: bool,
    /// Whether they ask for VoIP metrics: `a=rtcp-xr` (RFC 3611 §5.1).
    pub(crate) xr: bool,
    /// `a=rtcp` (RFC 3605).
    pub(crate) rtcp: Option<(u16, Option<IpAddr>)>,
    /// `a=ptime`, milliseconds, 0 where absent.
    pub(crate) ptime: u32,
    /// `a=maxptime`, milliseconds, 0 where absent.
    pub(crate) maxptime: u32,
    pub(crate) direction: Direction,
    /// `a=crypto`, as far as we can honour it, in order.
    pub(crate) crypto: Vec<Crypto>,
    /// Whether there was any `a=crypto`.
    pub(crate) has_crypto: bool,
}

/// What a payload type means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// One of the codecs.
    Audio(Codec),
    /// Telephone-events (RFC 4733), counted so fast.
    Event(ClockRate),
    /// Comfort noise beside codecs of 8000 timestamps a second (RFC 3389).
    Noise,
    /// Anything else, telephone-events at other rates among it.
    Other,
}

/// `c=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connection {
    /// There is none.
    Absent,
    /// An address literal; IPv4-mapped IPv6 as IPv4 (RFC 5118 §4.9).
    Address(IpAddr),
    /// A host name, or nothing we can read.
    Other,
}

/// What a media line carries: the registered words of RFC 8866 §8.2.2 and T.38's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `audio`.
    Audio,
    /// `video`.
    Video,
    /// `text` (T.140).
    Text,
    /// `application`.
    Application,
    /// `message` (MSRP).
    Message,
    /// `image` (T.38).
    Image,
    /// A word not on this list: the description is refused, since its line could not be answered without
    /// repeating it.
    Unknown,
}

/// How a media line is carried: the registered words of RFC 8866 §8.2.4 that peers use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// `RTP/AVP`.
    RtpAvp,
    /// `RTP/AVPF` (RFC 4585).
    RtpAvpf,
    /// `RTP/SAVP` (RFC 3711).
    RtpSavp,
    /// `RTP/SAVPF` (RFC 5124).
    RtpSavpf,
    /// `UDP/TLS/RTP/SAVP` (RFC 5764).
    DtlsSavp,
    /// `UDP/TLS/RTP/SAVPF` (RFC 5764).
    DtlsSavpf,
    /// `udptl` (T.38).
    Udptl,
    /// `UDP/TLS/UDPTL` (RFC 7345).
    DtlsUdptl,
    /// `udp`.
    Udp,
    /// `TCP` (RFC 4145).
    Tcp,
    /// `TCP/MSRP` (RFC 4975).
    Msrp,
    /// `TCP/TLS/MSRP` (RFC 4975).
    Msrps,
    /// `TCP/BFCP` (RFC 8856).
    BfcpTcp,
    /// `TCP/TLS/BFCP` (RFC 8856).
    BfcpTls,
    /// `UDP/BFCP` (RFC 8856).
    BfcpUdp,
    /// `UDP/TLS/BFCP` (RFC 8856).
    BfcpDtls,
    /// `UDP/DTLS/SCTP` (RFC 8841).
    SctpUdp,
    /// `TCP/DTLS/SCTP` (RFC 8841).
    SctpTcp,
    /// `DTLS/SCTP` (drafts of RFC 8841).
    Sctp,
    /// A word not on this list: as `Kind::Unknown`.
    Unknown,
}

/// Which ways media flows, from the writer's side (RFC 3264 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Both ways (`sendrecv`).
    SendReceive,
    /// The writer sends only (`sendonly`).
    SendOnly,
    /// The writer receives only (`recvonly`).
    ReceiveOnly,
    /// Neither way (`inactive`).
    Inactive,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] =
        [Self::Audio, Self::Video, Self::Text, Self::Application, Self::Message, Self::Image];

    /// The word of the media line; empty for `Unknown`, which is never written.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Text => "text",
            Self::Application => "application",
            Self::Message => "message",
            Self::Image => "image",
            Self::Unknown => "",
        }
    }
}

impl Protocol {
    pub(crate) const ALL: [Self; 19] = [
        Self::RtpAvp,
        Self::RtpAvpf,
        Self::RtpSavp,
        Self::RtpSavpf,
        Self::DtlsSavp,
        Self::DtlsSavpf,
        Self::Udptl,
        Self::DtlsUdptl,
        Self::Udp,
        Self::Tcp,
        Self::Msrp,
        Self::Msrps,
        Self::BfcpTcp,
        Self::BfcpTls,
        Self::BfcpUdp,
        Self::BfcpDtls,
        Self::SctpUdp,
        Self::SctpTcp,
        Self::Sctp,
    ];

    /// The word of the media line; empty for `Unknown`, which is never written.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::RtpAvp => "RTP/AVP",
            Self::RtpAvpf => "RTP/AVPF",
            Self::RtpSavp => "RTP/SAVP",
            Self::RtpSavpf => "RTP/SAVPF",
            Self::DtlsSavp => "UDP/TLS/RTP/SAVP",
            Self::DtlsSavpf => "UDP/TLS/RTP/SAVPF",
            Self::Udptl => "udptl",
            Self::DtlsUdptl => "UDP/TLS/UDPTL",
            Self::Udp => "udp",
            Self::Tcp => "TCP",
            Self::Msrp => "TCP/MSRP",
            Self::Msrps => "TCP/TLS/MSRP",
            Self::BfcpTcp => "TCP/BFCP",
            Self::BfcpTls => "TCP/TLS/BFCP",
            Self::BfcpUdp => "UDP/BFCP",
            Self::BfcpDtls => "UDP/TLS/BFCP",
            Self::SctpUdp => "UDP/DTLS/SCTP",
            Self::SctpTcp => "TCP/DTLS/SCTP",
            Self::Sctp => "DTLS/SCTP",
            Self::Unknown => "",
        }
    }

    /// A format that may stand on a refused line of this transport; nobody reads it (RFC 3264 §6).
    pub(crate) fn any_format(self) -> &'static str {
        match self {
            Self::RtpAvp
            | Self::RtpAvpf
            | Self::RtpSavp
            | Self::RtpSavpf
            | Self::DtlsSavp
            | Self::DtlsSavpf => "0",
            Self::Udptl | Self::DtlsUdptl => "t38",
            Self::SctpUdp | Self::SctpTcp => "webrtc-datachannel",
            Self::Sctp => "5000",
            Self::Udp
            | Self::Tcp
            | Self::Msrp
            | Self::Msrps
            | Self::BfcpTcp
            | Self::BfcpTls
            | Self::BfcpUdp
            | Self::BfcpDtls
            | Self::Unknown => "*",
        }
    }

    /// Whether formats are RTP payload types.
    pub(crate) fn is_rtp(self) -> bool {
        self.word().contains("RTP/")
    }
}

impl Direction {
    pub(crate) const ALL: [Self; 4] = [Self::SendReceive, Self::SendOnly, Self::ReceiveOnly, Self::Inactive];

    /// The attribute (RFC 8866 §6.7).
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::SendReceive => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::ReceiveOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// The same flow from the other side (RFC 3264 §6.1).
    #[must_use]
    pub fn mirrored(self) -> Self {
        match self {
            Self::SendReceive => Self::SendReceive,
            Self::SendOnly => Self::ReceiveOnly,
            Self::ReceiveOnly => Self::SendOnly,
            Self::Inactive => Self::Inactive,
        }
    }
}

/// Why bytes are no session description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParseError {
    /// No `v=0` before the first media line.
    Version,
    /// This line (counted from 1) cannot be read.
    Line(usize),
    /// This line is longer than `Description::MAX_LINE`.
    LongLine(usize),
    /// More than `Description::MAX_BYTES` bytes.
    TooLarge,
    /// More than `Description::MAX_STREAMS` media lines.
    TooManyStreams,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version => f.write_str("no v=0 at the beginning"),
            Self::Line(n) => write!(f, "line {n} of the description cannot be read"),
            Self::LongLine(n) => write!(f, "line {n} of the description is too long"),
            Self::TooLarge => f.write_str("the description is too long"),
            Self::TooManyStreams => f.write_str("the description has too many media lines"),
        }
    }
}

impl std::error::Error for ParseError {}
