//! How loud a recording is from moment to moment, as a waveform shows it. It is read and decoded piece by piece: an hour takes no more
//! memory than a minute.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use ogg::reading::{OggReadError, PacketReader};

use crate::opus::Decoder;
use crate::{Format, OpenError, Opened, RATE, ogg as pages, wav};

/// Octets read at a time.
const PIECE: usize = 64 * 1024;
/// Packets decoded between two looks at whether anybody still waits: a second.
const PACKETS: usize = 50;

/// How loud a recording is.
#[derive(Debug, Clone, PartialEq)]
pub struct Peaks {
    /// How long it is, seconds.
    pub seconds: f64,
    /// Of the caller and the callee: the loudest sample of each of so many equal parts, 0 to 1, to three places.
    pub channels: [Vec<f64>; 2],
}

/// Parts of a recording, and the loudest sample of each.
struct Parts {
    /// Frames of the whole.
    total: u64,
    /// The next frame.
    at: u64,
    loudest: [Vec<u16>; 2],
}

impl Parts {
    fn new(total: u64, points: usize) -> Self {
        let count = usize::try_from(total).map_or(points, |total| total.min(points));
        Self { total, at: 0, loudest: [vec![0; count], vec![0; count]] }
    }

    fn is_full(&self) -> bool {
        self.at >= self.total
    }

    fn add(&mut self, [left, right]: [i16; 2]) {
        if self.is_full() {
            return;
        }
        let count = self.loudest[0].len() as u64;
        let part = (self.at * count / self.total) as usize;
        for (loudest, sample) in self.loudest.iter_mut().zip([left, right]) {
            loudest[part] = loudest[part].max(sample.unsigned_abs());
        }
        self.at += 1;
    }

    fn peaks(self) -> Peaks {
        let part = |loudest: u16| (f64::from(loudest) / 32_768.0 * 1000.0).round() / 1000.0;
        #[expect(clippy::cast_precision_loss, reason = "a recording has far fewer frames")]
        let seconds = (self.total as f64 / f64::from(RATE) * 1000.0).round() / 1000.0;
        Peaks { seconds, channels: self.loudest.map(|channel| channel.into_iter().map(part).collect()) }
    }
}

impl Opened {
    /// How loud it is, in at most `points` parts. `None` as soon as `wanted` says that nobody waits any more.
    ///
    /// # Errors
    /// The file cannot be read, or is not what was written.
    pub fn peaks(&self, points: usize, wanted: impl Fn() -> bool) -> Result<Option<Peaks>, OpenError> {
        match self.format() {
            Format::Wav => self.peaks_of_wav(points, &wanted),
            Format::Opus => self.peaks_of_opus(points, &wanted),
        }
    }

    fn peaks_of_wav(&self, points: usize, wanted: &dyn Fn() -> bool) -> Result<Option<Peaks>, OpenError> {
        if !wav::is_ours(&self.read_at(0, wav::HEADER)?) {
            return Err(OpenError::Damaged("it has no header of ours"));
        }
        let begin = wav::HEADER as u64;
        let total = self.length().saturating_sub(begin) / wav::FRAME;
        let mut parts = Parts::new(total, points);
        while !parts.is_full() {
            if !wanted() {
                return Ok(None);
            }
            let octets = self.read_at(begin + parts.at * wav::FRAME, PIECE)?;
            if octets.len() < wav::FRAME as usize {
                break;
            }
            for frame in octets.chunks_exact(wav::FRAME as usize) {
                let sample = |at| i16::from_le_bytes([frame[at], frame[at + 1]]);
                parts.add([sample(0), sample(2)]);
            }
        }
        Ok(Some(parts.peaks()))
    }

    fn peaks_of_opus(&self, points: usize, wanted: &dyn Fn() -> bool) -> Result<Option<Peaks>, OpenError> {
        const NO_STREAM: OpenError = OpenError::Damaged("it is no Ogg stream of ours");
        let length = self.length();
        let tail = length.min(2 * pages::LONGEST_PAGE);
        let end = self.read_all(length - tail, tail)?;
        let reading = Reading { opened: self, at: 0, fault: None };
        let mut packets = PacketReader::new(BufReader::with_capacity(PIECE, reading));
        let head = match packets.read_packet() {
            Ok(Some(head)) => head.data,
            Ok(None) => return Err(NO_STREAM),
            Err(error) => return Err(fault(error, packets.into_inner().into_inner())),
        };
        let pre_skip = pages::pre_skip(&head).ok_or(NO_STREAM)?;
        let granules = pages::last_position(&end).unwrap_or_default().saturating_sub(pre_skip);
        let mut skipped = pre_skip / pages::GRANULES;
        let mut parts = Parts::new(granules / pages::GRANULES, points);
        let mut decoder = Decoder::new()?;
        // The second packet is the comment header.
        for count in 0_usize.. {
            if count.is_multiple_of(PACKETS) && !wanted() {
                return Ok(None);
            }
            if parts.is_full() {
                break;
            }
            let packet = match packets.read_packet() {
                Ok(Some(packet)) => packet.data,
                Ok(None) => break,
                // A crash may have cut the last page.
                Err(OggReadError::ReadError(error)) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(fault(error, packets.into_inner().into_inner())),
            };
            if count == 0 {
                continue;
            }
            for frame in decoder.decode(&packet)? {
                if skipped > 0 {
                    skipped -= 1;
                } else {
                    parts.add(*frame);
                }
            }
        }
        Ok(Some(parts.peaks()))
    }

    fn read_all(&self, offset: u64, count: u64) -> Result<Vec<u8>, OpenError> {
        let mut octets = Vec::new();
        while (octets.len() as u64) < count {
            let more = self.read_at(offset + octets.len() as u64, (count as usize) - octets.len())?;
            if more.is_empty() {
                break;
            }
            octets.extend(more);
        }
        Ok(octets)
    }
}

/// Why an Ogg stream cannot be read: the file's own fault, if there is one.
fn fault(error: OggReadError, reading: Reading<'_>) -> OpenError {
    match (reading.fault, error) {
        (Some(fault), _) => fault,
        (None, OggReadError::ReadError(error)) => OpenError::File(error),
        (None, _) => OpenError::Damaged("a page of it is not one that was written"),
    }
}

/// A recording as a stream.
struct Reading<'o> {
    opened: &'o Opened,
    at: u64,
    fault: Option<OpenError>,
}

impl Read for Reading<'_> {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        match self.opened.read_at(self.at, octets.len()) {
            Ok(read) => {
                octets[..read.len()].copy_from_slice(&read);
                self.at += read.len() as u64;
                Ok(read.len())
            }
            Err(fault) => {
                let told = io::Error::other(fault.to_string());
                self.fault = Some(fault);
                Err(told)
            }
        }
    }
}

impl Seek for Reading<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.opened.length().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
