//! Reading a description (RFC 8866 §9), with what peers get wrong forgiven: missing lines, LF line ends, lines
//! in odd order, empty lines, spaces at the end.

use std::net::IpAddr;

use crate::address::literal;
use crate::crypto::Crypto;
use crate::description::{Connection, Description, Direction, Encoding, Kind, ParseError, Protocol, Stream};
use crate::{ClockRate, Codec, OpusWishes};

/// `a=rtpmap` and `a=fmtp` lines kept for one stream: twice what seven bits of payload type can name.
const MAX_MAPS: usize = 256;
/// `a=crypto` lines kept for one stream; nobody has so many suites.
const MAX_CRYPTO: usize = 16;
/// The payload type of comfort noise (RFC 3551 Table 4).
pub(crate) const NOISE: u8 = 13;
/// Payload types there are (RFC 3550 §5.1: seven bits).
const PAYLOAD_TYPES: usize = 128;

impl Description {
    /// Bytes in a description; what fits in one datagram.
    pub const MAX_BYTES: usize = 65_535;
    /// Bytes in a line.
    pub const MAX_LINE: usize = 8_192;
    /// Media lines.
    pub const MAX_STREAMS: usize = 64;

    /// Reads a description.
    ///
    /// Lines of types without meaning for a call are passed over, readable or not; `c=`, `m=` and the
    /// attributes of RFC 3264 count.
    ///
    /// # Errors
    /// When the bytes are no description, or one beyond the bounds above.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(ParseError::TooLarge);
        }
        let mut reader = Reader::default();
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let number = index + 1;
            if line.len() > Self::MAX_LINE {
                return Err(ParseError::LongLine(number));
            }
            // Some peers count a terminating NUL into the body.
            let line = line.strip_suffix(b"\0").unwrap_or(line).trim_ascii();
            if !line.is_empty() {
                reader.line(line, number)?;
            }
        }
        reader.finish()
    }
}

#[derive(Default)]
struct Reader {
    version: bool,
    session: Level,
    streams: Vec<(Stream, Level)>,
}

/// What may stand at session level and be overruled by a stream.
#[derive(Default)]
struct Level {
    connection: Option<Connection>,
    direction: Option<Direction>,
    ptime: Option<u32>,
    maxptime: Option<u32>,
    xr: Option<bool>,
}

impl Reader {
    fn line(&mut self, line: &[u8], number: usize) -> Result<(), ParseError> {
        let (&[kind, b'='], value) = line.split_first_chunk::<2>().ok_or(ParseError::Line(number))? else {
            return Err(ParseError::Line(number));
        };
        match kind {
            b'v' if self.streams.is_empty() => {
                if value.trim_ascii() != b"0" {
                    return Err(ParseError::Version);
                }
                self.version = true;
            }
            b'c' => {
                // The first one we can send to: several are for layered multicast (RFC 8866 §5.7).
                let slot = &mut self.level().connection;
                if !matches!(slot, Some(Connection::Address(_))) {
                    *slot = Some(connection(value));
                }
            }
            b'm' => {
                if self.streams.len() == Description::MAX_STREAMS {
                    return Err(ParseError::TooManyStreams);
                }
                let stream =
                    std::str::from_utf8(value).ok().and_then(media).ok_or(ParseError::Line(number))?;
                self.streams.push((stream, Level::default()));
            }
            b'a' => {
                if let Ok(value) = std::str::from_utf8(value) {
                    self.attribute(value);
                }
            }
            _ if kind.is_ascii_lowercase() => {}
            _ => return Err(ParseError::Line(number)),
        }
        Ok(())
    }

    fn level(&mut self) -> &mut Level {
        match self.streams.last_mut() {
            Some((_, level)) => level,
            None => &mut self.session,
        }
    }

    fn attribute(&mut self, attribute: &str) {
        let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
        let name = name.trim_ascii();
        let value = value.trim_ascii();
        if let Some(direction) = direction(name) {
            self.level().direction.get_or_insert(direction);
        } else if name.eq_ignore_ascii_case("ptime") {
            self.level().ptime = milliseconds(value);
        } else if name.eq_ignore_ascii_case("maxptime") {
            self.level().maxptime = milliseconds(value);
        } else if name.eq_ignore_ascii_case("rtcp-xr") {
            self.level().xr = Some(asks_for_voip_metrics(value));
        } else if let Some((stream, _)) = self.streams.last_mut() {
            if name.eq_ignore_ascii_case("rtpmap") {
                if let Some(map) = rtpmap(value)
                    && stream.maps.len() < MAX_MAPS
                {
                    stream.maps.push(map);
                }
            } else if name.eq_ignore_ascii_case("fmtp") {
                if let Some((format, parameters)) = value.split_once(|c: char| c.is_ascii_whitespace())
                    && let Some(format) = payload_type(format)
                    && stream.wishes.len() < MAX_MAPS
                {
                    stream.wishes.push((format, OpusWishes::parse(parameters)));
                }
            } else if name.eq_ignore_ascii_case("rtcp") {
                stream.rtcp = rtcp(value);
            } else if name.eq_ignore_ascii_case("rtcp-mux") {
                stream.mux = true;
            } else if name.eq_ignore_ascii_case("crypto") {
                stream.has_crypto = true;
                if let Some(line) = Crypto::parse(value)
                    && stream.crypto.len() < MAX_CRYPTO
                {
                    stream.crypto.push(line);
                }
            }
        }
    }

    fn finish(self) -> Result<Description, ParseError> {
        if !self.version {
            return Err(ParseError::Version);
        }
        let session = self.session;
        let streams = self
            .streams
            .into_iter()
            .map(|(stream, level)| Stream {
                connection: level.connection.or(session.connection).unwrap_or(Connection::Absent),
                direction: level.direction.or(session.direction).unwrap_or(Direction::SendReceive),
                ptime: level.ptime.or(session.ptime).unwrap_or(0),
                maxptime: level.maxptime.or(session.maxptime).unwrap_or(0),
                xr: level.xr.or(session.xr).unwrap_or(false),
                ..stream
            })
            .collect();
        Ok(Description { streams })
    }
}

/// `a=rtcp-xr` names the reports its writer wants to have (RFC 3611 §5.1).
fn asks_for_voip_metrics(value: &str) -> bool {
    value.split_ascii_whitespace().any(|report| report.eq_ignore_ascii_case("voip-metrics"))
}

fn connection(value: &[u8]) -> Connection {
    let address = std::str::from_utf8(value).ok().and_then(|value| {
        let mut words = value.split_ascii_whitespace();
        words.next().filter(|network| network.eq_ignore_ascii_case("IN"))?;
        words.next()?;
        literal(words.next()?)
    });
    address.map_or(Connection::Other, Connection::Address)
}

fn media(value: &str) -> Option<Stream> {
    let mut words = value.split_ascii_whitespace();
    let kind = kind(words.next()?);
    let port = words.next()?.split('/').next()?.parse().ok()?;
    let protocol = protocol(words.next()?);
    let mut formats = Vec::new();
    if protocol.is_rtp() {
        for format in words.filter_map(payload_type) {
            if !formats.contains(&format) {
                formats.push(format);
            }
        }
    }
    Some(Stream {
        kind,
        protocol,
        port,
        formats,
        maps: Vec::new(),
        wishes: Vec::new(),
        connection: Connection::Absent,
        mux: false,
        xr: false,
        rtcp: None,
        ptime: 0,
        maxptime: 0,
        direction: Direction::SendReceive,
        crypto: Vec::new(),
        has_crypto: false,
    })
}

fn payload_type(text: &str) -> Option<u8> {
    text.parse().ok().filter(|format| usize::from(*format) < PAYLOAD_TYPES)
}

fn kind(word: &str) -> Kind {
    Kind::ALL.into_iter().find(|kind| kind.word().eq_ignore_ascii_case(word)).unwrap_or(Kind::Unknown)
}

fn protocol(word: &str) -> Protocol {
    Protocol::ALL
        .into_iter()
        .find(|protocol| protocol.word().eq_ignore_ascii_case(word))
        .unwrap_or(Protocol::Unknown)
}

fn direction(name: &str) -> Option<Direction> {
    Direction::ALL.into_iter().find(|direction| direction.word().eq_ignore_ascii_case(name))
}

/// Whole milliseconds; RFC 8866 §6.4 allows a fraction, which no packet of G.711 needs.
fn milliseconds(value: &str) -> Option<u32> {
    let whole = value.split(|c: char| !c.is_ascii_digit()).next()?;
    whole.parse().ok()
}

fn rtpmap(value: &str) -> Option<(u8, Encoding)> {
    let (format, encoding) = value.split_once(|c: char| c.is_ascii_whitespace())?;
    let format = payload_type(format)?;
    let mut parts = encoding.trim_ascii().split('/');
    let name = parts.next()?;
    let rate = parts.next().unwrap_or("");
    let channels = parts.next();
    let rate = ClockRate::ALL.into_iter().find(|known| rate == known.hertz().to_string());
    let one_channel = channels.is_none_or(|channels| channels == "1");
    let encoding = match rate {
        Some(rate) if one_channel && name.eq_ignore_ascii_case("telephone-event") => Encoding::Event(rate),
        Some(ClockRate::Hz8000) if one_channel && name.eq_ignore_ascii_case("CN") => Encoding::Noise,
        Some(rate) => Codec::ALL
            .into_iter()
            .filter(|codec| codec.clock_rate() == rate && (one_channel || *codec == Codec::Opus))
            .find(|codec| codec.map().split('/').next().is_some_and(|known| known.eq_ignore_ascii_case(name)))
            .map_or(Encoding::Other, Encoding::Audio),
        None => Encoding::Other,
    };
    Some((format, encoding))
}

fn rtcp(value: &str) -> Option<(u16, Option<IpAddr>)> {
    let mut words = value.split_ascii_whitespace();
    let port = words.next()?.parse().ok()?;
    Some((port, words.nth(2).and_then(literal)))
}

impl Stream {
    /// What is wished of the Opus under a payload type.
    pub(crate) fn wishes(&self, format: u8) -> OpusWishes {
        self.wishes
            .iter()
            .find(|(of, _)| *of == format)
            .map_or_else(OpusWishes::default, |(_, wishes)| *wishes)
    }

    /// What `format` means: as its `a=rtpmap` says, else as RFC 3551 Table 4 does. `None` for a dynamic payload
    /// type without a map.
    pub(crate) fn encoding(&self, format: u8) -> Option<Encoding> {
        let mapped = self.maps.iter().find(|(mapped, _)| *mapped == format).map(|(_, encoding)| *encoding);
        mapped.or(match format {
            0 => Some(Encoding::Audio(Codec::Pcmu)),
            8 => Some(Encoding::Audio(Codec::Pcma)),
            9 => Some(Encoding::Audio(Codec::G722)),
            NOISE => Some(Encoding::Noise),
            1..=7 | 10..=95 => Some(Encoding::Other),
            96.. => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Description {
        Description::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn missing_lines_and_bare_line_feeds_are_forgiven() {
        let description = parse("v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\n");
        assert_eq!(description.streams[0].port, 4000);
        assert_eq!(description.streams[0].connection, Connection::Address("192.0.2.1".parse().unwrap()));
    }

    #[test]
    fn odd_order_empty_lines_and_a_final_nul_are_forgiven() {
        let description = parse(
            "o=- 1 1 IN IP4 x\r\n\r\na=sendonly\r\nv=0 \r\nm=audio 4000 RTP/AVP 0\r\na=ptime:30 \r\n\0",
        );
        assert_eq!(description.streams[0].direction, Direction::SendOnly);
        assert_eq!(description.streams[0].ptime, 30);
    }

    #[test]
    fn a_stream_overrules_its_session() {
        let description = parse(
            "v=0\r\nc=IN IP4 192.0.2.1\r\na=inactive\r\nm=audio 4000 RTP/AVP 0\r\nc=IN IP4 192.0.2.2\r\na=sendrecv\r\n\
             m=audio 4002 RTP/AVP 0\r\n",
        );
        assert_eq!(description.streams[0].connection, Connection::Address("192.0.2.2".parse().unwrap()));
        assert_eq!(description.streams[0].direction, Direction::SendReceive);
        assert_eq!(description.streams[1].connection, Connection::Address("192.0.2.1".parse().unwrap()));
        assert_eq!(description.streams[1].direction, Direction::Inactive);
    }

    #[test]
    fn of_several_connections_the_first_literal_counts() {
        let description = parse(
            "v=0\r\nm=audio 4000 RTP/AVP 0\r\nc=IN IP4 media.example\r\nc=IN IP4 192.0.2.2\r\nc=IN IP4 192.0.2.3\r\n",
        );
        assert_eq!(description.streams[0].connection, Connection::Address("192.0.2.2".parse().unwrap()));
    }

    #[test]
    fn payload_types_beyond_seven_bits_are_passed_over() {
        let description =
            parse("v=0\r\nm=audio 4000 RTP/AVP 8 8 128 4294967296 -1 x 101\r\na=rtpmap:300 PCMU/8000\r\n");
        assert_eq!(description.streams[0].formats, [8, 101]);
        assert!(description.streams[0].maps.is_empty());
    }

    #[test]
    fn events_are_known_at_the_rates_of_our_codecs() {
        let stream = &parse(
            "v=0\r\nm=audio 4000 RTP/AVP 99 100 101\r\na=rtpmap:99 telephone-event/48000\r\n\
             a=rtpmap:100 telephone-event/16000\r\na=rtpmap:101 Telephone-Event/8000/1\r\n",
        )
        .streams[0];
        assert_eq!(stream.encoding(99), Some(Encoding::Event(ClockRate::Hz48000)));
        assert_eq!(stream.encoding(100), Some(Encoding::Other));
        assert_eq!(stream.encoding(101), Some(Encoding::Event(ClockRate::Hz8000)));
        assert_eq!(stream.encoding(102), None);
    }

    #[test]
    fn codecs_and_noise_are_known_by_their_maps_and_without() {
        let stream = &parse(
            "v=0\r\nm=audio 4000 RTP/AVP 9 13 96 97 98 99 100\r\na=rtpmap:96 opus/48000/2\r\n\
             a=rtpmap:97 OPUS/48000\r\na=rtpmap:98 opus/8000/2\r\na=rtpmap:99 G722/16000\r\n\
             a=rtpmap:100 PCMA/8000/2\r\na=fmtp:96 useinbandfec=1;usedtx=1\r\na=fmtp:97\r\n",
        )
        .streams[0];
        let encodings = [9, 13, 96, 97, 98, 99, 100].map(|format| stream.encoding(format));
        let opus = Some(Encoding::Audio(Codec::Opus));
        let other = Some(Encoding::Other);
        let g722 = Some(Encoding::Audio(Codec::G722));
        assert_eq!(encodings, [g722, Some(Encoding::Noise), opus, opus, other, other, other]);
        assert!(stream.wishes(96).correction && stream.wishes(96).pauses);
        assert_eq!(stream.wishes(97), OpusWishes::default());
    }

    #[test]
    fn what_is_no_description_is_named() {
        let error = |text: &str| Description::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error(""), ParseError::Version);
        assert_eq!(error("v=1\r\n"), ParseError::Version);
        assert_eq!(error("m=audio 4000 RTP/AVP 0\r\nv=0\r\n"), ParseError::Version);
        assert_eq!(error("v=0\r\nm=audio 70000 RTP/AVP 0\r\n"), ParseError::Line(2));
        assert_eq!(error("v=0\r\nm=audio\r\n"), ParseError::Line(2));
        assert_eq!(error("v=0\r\nhello\r\n"), ParseError::Line(2));
        assert_eq!(error("v=0\r\nX\r\n"), ParseError::Line(2));
    }

    #[test]
    fn bounds_hold() {
        let long = format!("v=0\r\na={}\r\n", "x".repeat(Description::MAX_LINE));
        assert_eq!(Description::parse(long.as_bytes()), Err(ParseError::LongLine(2)));
        let many = format!("v=0\r\n{}", "m=audio 4000 RTP/AVP 0\r\n".repeat(Description::MAX_STREAMS + 1));
        assert_eq!(Description::parse(many.as_bytes()), Err(ParseError::TooManyStreams));
        let large = vec![b'\n'; Description::MAX_BYTES + 1];
        assert_eq!(Description::parse(&large), Err(ParseError::TooLarge));
    }
}
