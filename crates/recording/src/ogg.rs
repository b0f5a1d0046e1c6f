//! Opus packets in Ogg pages (RFC 3533, RFC 7845).

use std::io::{self, Write};

use ogg::writing::{PacketWriteEndInfo, PacketWriter};

use crate::RATE;
use crate::opus::{Encoder, PACKET};

/// Granule positions count 48 kHz (RFC 7845 §4).
pub(crate) const GRANULES: u64 = 48_000 / RATE as u64;
/// Packets on a page: a second.
const PAGE: u32 = 50;
/// Where a page's header says what kind it is, where its last packet ends, its checksum, and how many lengths follow (RFC 3533 §6).
const KIND: usize = 5;
const POSITION: std::ops::Range<usize> = 6..14;
const CHECKSUM: std::ops::Range<usize> = 22..26;
const SEGMENTS: usize = 26;
/// Octets of a page's header before those lengths.
const PAGE_HEADER: usize = 27;
/// The bit of `KIND` that says: the last page of its stream.
const END: u8 = 4;

/// A stream that grows.
pub(crate) struct Stream<W: Write> {
    pages: PacketWriter<'static, W>,
    serial: u32,
    encoder: Encoder,
    pre_skip: u64,
    /// Frames said, and those of them that wait for a whole packet.
    frames: u64,
    waiting: Vec<[i16; 2]>,
    packets: u64,
    on_page: u32,
}

impl<W: Write> Stream<W> {
    /// Begins a stream with its two headers, each on a page of its own.
    pub(crate) fn begin(medium: W, serial: u32) -> io::Result<Self> {
        let mut encoder = Encoder::new()?;
        let pre_skip = u64::from(encoder.lookahead()?) * GRANULES;
        let mut pages = PacketWriter::new(medium);
        pages.write_packet(head(pre_skip), serial, PacketWriteEndInfo::EndPage, 0)?;
        pages.write_packet(tags(), serial, PacketWriteEndInfo::EndPage, 0)?;
        let waiting = Vec::with_capacity(PACKET);
        Ok(Self { pages, serial, encoder, pre_skip, frames: 0, waiting, packets: 0, on_page: 0 })
    }

    /// Adds frames, left and right.
    pub(crate) fn add(&mut self, frames: &[[i16; 2]]) -> io::Result<()> {
        for frame in frames {
            self.waiting.push(*frame);
            self.frames += 1;
            if self.waiting.len() == PACKET {
                self.on_page += 1;
                let ends = self.on_page == PAGE;
                self.packet(if ends {
                    PacketWriteEndInfo::EndPage
                } else {
                    PacketWriteEndInfo::NormalPacket
                })?;
                if ends {
                    self.on_page = 0;
                }
            }
        }
        Ok(())
    }

    /// Ends the stream with its last frame: what the last packet holds beyond it is not played (RFC 7845 §4.4).
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        let end = self.pre_skip + self.frames * GRANULES;
        loop {
            self.waiting.resize(PACKET, [0; 2]);
            let is_last = (self.packets + 1) * PACKET as u64 * GRANULES >= end;
            if is_last {
                return self.write(PacketWriteEndInfo::EndStream, end);
            }
            self.packet(PacketWriteEndInfo::NormalPacket)?;
        }
    }

    pub(crate) fn medium(&mut self) -> &mut W {
        self.pages.inner_mut()
    }

    pub(crate) fn into_medium(self) -> W {
        self.pages.into_inner()
    }

    fn packet(&mut self, ending: PacketWriteEndInfo) -> io::Result<()> {
        let position = (self.packets + 1) * PACKET as u64 * GRANULES;
        self.write(ending, position)
    }

    fn write(&mut self, ending: PacketWriteEndInfo, position: u64) -> io::Result<()> {
        let frames = self.waiting.first_chunk().expect("a packet is written when there is one");
        let packet = self.encoder.encode(frames)?.to_vec();
        self.pages.write_packet(packet, self.serial, ending, position)?;
        self.waiting.clear();
        self.packets += 1;
        Ok(())
    }
}

/// The identification header (RFC 7845 §5.1), channel mapping family 1: left and right are streams of their own.
fn head(pre_skip: u64) -> Vec<u8> {
    let mut head = b"OpusHead\x01\x02".to_vec();
    let pre_skip = u16::try_from(pre_skip).expect("a look-ahead is some milliseconds");
    head.extend_from_slice(&pre_skip.to_le_bytes());
    head.extend_from_slice(&RATE.to_le_bytes());
    // No gain; family 1: two streams, none of them coupled, the first left and the second right.
    head.extend_from_slice(&[0, 0, 1, 2, 0, 0, 1]);
    head
}

/// The comment header (RFC 7845 §5.2): who encoded, and nothing of the call.
fn tags() -> Vec<u8> {
    let vendor = b"bauta";
    let mut tags = b"OpusTags".to_vec();
    tags.extend_from_slice(&5_u32.to_le_bytes());
    tags.extend_from_slice(vendor);
    tags.extend_from_slice(&0_u32.to_le_bytes());
    tags
}

/// What a file holds whole.
#[derive(Debug)]
pub(crate) struct Pages {
    /// Octets up to the end of its last whole page.
    pub(crate) length: usize,
    /// Where that page begins.
    pub(crate) last: usize,
}

/// Walks the pages of a stream of ours. `None`: it is none.
pub(crate) fn pages(octets: &[u8]) -> Option<Pages> {
    let mut pages = None;
    let mut start = 0;
    while let Some(length) = page(octets.get(start..)?) {
        pages = Some(Pages { length: start + length, last: start });
        start += length;
    }
    let first = octets.get(PAGE_HEADER + 1..PAGE_HEADER + 9)?;
    pages.filter(|_| first == b"OpusHead")
}

/// Granules before the first frame, as the identification header says (RFC 7845 §5.1). `None`: it is none of ours.
pub(crate) fn pre_skip(head: &[u8]) -> Option<u64> {
    let of_two = head.strip_prefix(b"OpusHead\x01\x02")?;
    of_two.first_chunk().map(|skip| u64::from(u16::from_le_bytes(*skip)))
}

/// The granule position of the last whole page of these octets, the last of a file.
pub(crate) fn last_position(octets: &[u8]) -> Option<u64> {
    let starts = octets.windows(4).enumerate().rev().filter(|(_, window)| window == b"OggS");
    let mut pages = starts.filter_map(|(start, _)| page(&octets[start..]).map(|_| &octets[start..]));
    pages.find_map(|page| page.get(POSITION)?.try_into().ok().map(u64::from_le_bytes))
}

/// Octets a page can have (RFC 3533 §6).
pub(crate) const LONGEST_PAGE: u64 = 65_307;

/// Whether these octets, the last of a file, close with a whole page that ends its stream.
pub(crate) fn ends(octets: &[u8]) -> bool {
    let starts = octets.windows(4).enumerate().rev().filter(|(_, window)| window == b"OggS");
    let mut pages = starts.map(|(start, _)| &octets[start..]);
    pages.any(|rest| page(rest) == Some(rest.len()) && rest[KIND] & END != 0)
}

/// Octets of the page these begin with, if all of it is there.
fn page(octets: &[u8]) -> Option<usize> {
    let header = octets.get(..PAGE_HEADER).filter(|header| header.starts_with(b"OggS"))?;
    let lengths = octets.get(PAGE_HEADER..PAGE_HEADER + usize::from(header[SEGMENTS]))?;
    let length = PAGE_HEADER + lengths.len() + lengths.iter().copied().map(usize::from).sum::<usize>();
    (octets.len() >= length).then_some(length)
}

/// Lets this page end its stream.
pub(crate) fn set_end(page: &mut [u8]) {
    page[KIND] |= END;
    page[CHECKSUM].fill(0);
    let sum = checksum(page);
    page[CHECKSUM].copy_from_slice(&sum.to_le_bytes());
}

/// CRC of a page: generator 0x04c11db7, nothing reflected, beginning and ending with zero (RFC 3533 §6).
fn checksum(octets: &[u8]) -> u32 {
    octets.iter().fold(0, |sum, octet| {
        (0..8).fold(sum ^ u32::from(*octet) << 24, |sum: u32, _| {
            if sum & 0x8000_0000 == 0 { sum << 1 } else { sum << 1 ^ 0x04c1_1db7 }
        })
    })
}
