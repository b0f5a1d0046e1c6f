//! RTCP packets (RFC 3550 §6): what we write, and the little we read. Nothing of theirs is ever passed on: names, tools,
//! places and reasons in it belong to one party only.

use crate::voip_metrics::{self, VoipMetrics};

/// Octets enough for anything we write.
const ROOM: usize = 160;
/// Nothing longer is read: what an Ethernet frame carries over IPv4 and UDP.
const MAX_LENGTH: usize = 1472;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
const APPLICATION: u8 = 204;
const EXTENDED: u8 = 207;
/// The last type that RFC 5761 §4 leaves to RTCP; the first is 192.
const LAST_TYPE: u8 = 223;
const CNAME: u8 = 1;

/// What a sender report says of its sender (§6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    /// The time, as seconds since 1900 in 32.32 bits; senders without a clock count from elsewhere.
    pub ntp: u64,
    /// The same moment as a timestamp of the stream.
    pub timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Their payload octets.
    pub octets: u32,
}

/// What a report says of one stream (§6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportBlock {
    /// Of whom.
    pub ssrc: u32,
    /// Since the report before, in 1/256.
    pub fraction_lost: u8,
    /// Since the beginning: 24 bits with sign.
    pub lost: i32,
    /// The highest sequence number that came, its wraps counted in the upper 16 bits.
    pub highest: u32,
    /// Interarrival jitter, in samples.
    pub jitter: u32,
    /// The middle 32 bits of `ntp` in the last sender report of that stream; 0 if none came.
    pub last_report: u32,
    /// Since it came, in 1/65536 s.
    pub delay: u32,
}

/// A compound packet whose lengths were all found right (§6.1, §A.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compound<'a>(&'a [u8]);

/// Why octets are no compound packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// Shorter than its lengths say, or longer.
    #[error("lengths do not add up")]
    Length,
    /// Longer than what is read.
    #[error("longer than {MAX_LENGTH} octets")]
    TooLong,
    /// A version other than 2.
    #[error("not version 2")]
    Version,
    /// It does not begin with a sender or receiver report.
    #[error("does not begin with a report")]
    Order,
    /// A type RTCP does not have.
    #[error("no type of RTCP")]
    Type,
    /// Padding in another packet than the last, or of a wrong length.
    #[error("padding does not fit")]
    Padding,
}

/// One packet of a compound packet.
struct Part<'a> {
    count: u8,
    kind: u8,
    /// Behind its header, without padding.
    body: &'a [u8],
}

impl<'a> Compound<'a> {
    /// Checks and reads a compound packet.
    ///
    /// # Errors
    /// Where RFC 3550 §A.2 says that this is none, or what it counts does not fit into it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ControlError> {
        if bytes.len() > MAX_LENGTH {
            return Err(ControlError::TooLong);
        }
        let mut rest = bytes;
        let mut first = true;
        while first || !rest.is_empty() {
            let (part, after) = Part::parse(rest, first)?;
            part.check(first)?;
            rest = after;
            first = false;
        }
        Ok(Self(bytes))
    }

    /// What the sender says of what it sends: who it is, and what; `None` where it sends nothing.
    #[must_use]
    pub fn sender(&self) -> Option<(u32, SenderInfo)> {
        self.parts().find(|part| part.kind == SENDER_REPORT).map(|part| {
            let info = SenderInfo {
                ntp: (u64::from(word(part.body, 1)) << 32) | u64::from(word(part.body, 2)),
                timestamp: word(part.body, 3),
                packets: word(part.body, 4),
                octets: word(part.body, 5),
            };
            (word(part.body, 0), info)
        })
    }

    /// What it says of the streams it receives.
    pub fn blocks(&self) -> impl Iterator<Item = ReportBlock> + 'a {
        self.parts().flat_map(|part| {
            let blocks = part.blocks_at().map(|start| part.body[start..].chunks_exact(24));
            blocks.into_iter().flatten().take(part.count.into()).map(ReportBlock::read)
        })
    }

    /// What its extended reports say of voice (RFC 3611 §4.7). What of them cannot be read is passed over.
    pub fn voip_metrics(&self) -> impl Iterator<Item = VoipMetrics> + 'a {
        let extended = self.parts().filter(|part| part.kind == EXTENDED);
        extended.flat_map(|part| Blocks(part.body.get(4..).unwrap_or_default())).filter_map(|(kind, body)| {
            Some(body).filter(|_| kind == voip_metrics::BLOCK_TYPE).and_then(VoipMetrics::read)
        })
    }

    fn parts(&self) -> impl Iterator<Item = Part<'a>> + use<'a> {
        let mut rest = self.0;
        let mut first = true;
        std::iter::from_fn(move || {
            let (part, after) = Part::parse(rest, std::mem::take(&mut first)).ok()?;
            rest = after;
            Some(part)
        })
    }
}

/// The blocks of an extended report, each its type and what is behind its header (RFC 3611 §3); none after one that is longer
/// than there is.
struct Blocks<'a>(&'a [u8]);

impl<'a> Iterator for Blocks<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let ([kind, _, high, low], rest) = self.0.split_first_chunk()?;
        let length = 4 * usize::from(u16::from_be_bytes([*high, *low]));
        let (body, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*kind, body))
    }
}

impl<'a> Part<'a> {
    /// Reads one packet off the front; says what follows it.
    fn parse(bytes: &'a [u8], first: bool) -> Result<(Self, &'a [u8]), ControlError> {
        let [flags, kind, high, low] = *bytes.first_chunk().ok_or(ControlError::Length)?;
        if flags >> 6 != 2 {
            return Err(ControlError::Version);
        }
        let length = 4 * usize::from(u16::from_be_bytes([high, low]));
        let (body, rest) = bytes[4..].split_at_checked(length).ok_or(ControlError::Length)?;
        let body = if flags & 0x20 == 0 { body } else { Self::without_padding(body, rest, first)? };
        Ok((Self { count: flags & 0x1F, kind, body }, rest))
    }

    /// §6.4.1: only the last packet of a compound may be padded, by a multiple of four octets.
    fn without_padding(body: &'a [u8], rest: &[u8], first: bool) -> Result<&'a [u8], ControlError> {
        let padding = body.last().copied().map_or(0, usize::from);
        if first || !rest.is_empty() || padding == 0 || padding % 4 != 0 || padding > body.len() {
            return Err(ControlError::Padding);
        }
        Ok(&body[..body.len() - padding])
    }

    /// Whether what it counts fits into it.
    fn check(&self, first: bool) -> Result<(), ControlError> {
        let count = usize::from(self.count);
        let least = match self.kind {
            SENDER_REPORT => 24 + 24 * count,
            RECEIVER_REPORT => 4 + 24 * count,
            kind if first && (192..=LAST_TYPE).contains(&kind) => return Err(ControlError::Order),
            // A source with no item still takes a word for itself and one for the end of its list.
            DESCRIPTION => 8 * count,
            BYE => 4 * count,
            APPLICATION => 8,
            192..=LAST_TYPE => 0,
            _ => return Err(ControlError::Type),
        };
        if self.body.len() < least { Err(ControlError::Length) } else { Ok(()) }
    }

    fn blocks_at(&self) -> Option<usize> {
        match self.kind {
            SENDER_REPORT => Some(24),
            RECEIVER_REPORT => Some(4),
            _ => None,
        }
    }
}

impl ReportBlock {
    fn read(bytes: &[u8]) -> Self {
        let second = word(bytes, 1);
        Self {
            ssrc: word(bytes, 0),
            fraction_lost: (second >> 24) as u8,
            lost: (second << 8).cast_signed() >> 8,
            highest: word(bytes, 2),
            jitter: word(bytes, 3),
            last_report: word(bytes, 4),
            delay: word(bytes, 5),
        }
    }
}

fn word(bytes: &[u8], index: usize) -> u32 {
    let octets = bytes.get(4 * index..4 * index + 4).and_then(|octets| octets.first_chunk());
    u32::from_be_bytes(*octets.expect("Part::check saw that the counted words are there"))
}

/// A compound packet being written.
#[derive(Debug)]
pub(crate) struct Writer {
    octets: [u8; ROOM],
    length: usize,
}

impl Writer {
    /// Begins with the report every compound begins with: a sender report if we sent, else a receiver report.
    pub(crate) fn new(ssrc: u32, sender: Option<SenderInfo>, block: Option<ReportBlock>) -> Self {
        let mut writer = Self { octets: [0; ROOM], length: 0 };
        let count = u8::from(block.is_some());
        let kind = if sender.is_some() { SENDER_REPORT } else { RECEIVER_REPORT };
        let words = 1 + if sender.is_some() { 5 } else { 0 } + 6 * u16::from(count);
        writer.header(count, kind, words);
        writer.word(ssrc);
        if let Some(info) = sender {
            let ntp = [(info.ntp >> 32) as u32, info.ntp as u32];
            for word in ntp.into_iter().chain([info.timestamp, info.packets, info.octets]) {
                writer.word(word);
            }
        }
        if let Some(block) = block {
            let lost = u32::from(block.fraction_lost) << 24 | (block.lost.cast_unsigned() & 0x00FF_FFFF);
            for word in [block.ssrc, lost, block.highest, block.jitter, block.last_report, block.delay] {
                writer.word(word);
            }
        }
        writer
    }

    /// Adds a source description of nothing but the CNAME (§6.5.1).
    pub(crate) fn cname(mut self, ssrc: u32, cname: &[u8; 16]) -> Self {
        // One source: its SSRC, an item of two octets and the name, and zeros up to a whole word.
        self.header(1, DESCRIPTION, 6);
        self.word(ssrc);
        self.put(&[CNAME, cname.len() as u8]);
        self.put(cname);
        self.put(&[0; 2]);
        self
    }

    /// Adds an extended report of how voice came in (RFC 3611 §2, §4.7).
    pub(crate) fn voip_metrics(mut self, ssrc: u32, metrics: &VoipMetrics) -> Self {
        let words = voip_metrics::LENGTH / 4;
        self.header(0, EXTENDED, 2 + words as u16);
        self.word(ssrc);
        self.put(&[voip_metrics::BLOCK_TYPE, 0, 0, words as u8]);
        self.put(&metrics.write());
        self
    }

    /// Adds a farewell without a reason (§6.6).
    pub(crate) fn bye(mut self, ssrc: u32) -> Self {
        self.header(1, BYE, 1);
        self.word(ssrc);
        self
    }

    pub(crate) fn octets(&self) -> &[u8] {
        &self.octets[..self.length]
    }

    fn header(&mut self, count: u8, kind: u8, words: u16) {
        self.put(&[0x80 | count, kind]);
        self.put(&words.to_be_bytes());
    }

    fn word(&mut self, word: u32) {
        self.put(&word.to_be_bytes());
    }

    fn put(&mut self, octets: &[u8]) {
        self.octets[self.length..self.length + octets.len()].copy_from_slice(octets);
        self.length += octets.len();
    }
}

#[cfg(test)]
#[path = "rtcp_tests.rs"]
mod tests;
