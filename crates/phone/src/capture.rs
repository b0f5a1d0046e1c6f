//! What a phone heard, sample by sample, each where its timestamp puts it.

use rtp::{Header, Law, g711};

use crate::tone;

/// Most samples kept: an hour.
const KEPT: usize = 3600 * 8_000;
/// What a tone is looked for in: 100 ms.
const WINDOW: usize = 800;

/// What was heard.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    /// 8000 a second from the first packet on; silence where nothing came.
    pub samples: Vec<i16>,
    /// Packets of voice.
    pub packets: usize,
    /// From which sample on the tone it waited for was there.
    pub tone_from: Option<usize>,
    base: Option<(u32, u32)>,
    offset: usize,
}

impl Heard {
    /// Takes the voice of one packet.
    pub(crate) fn take(&mut self, header: &Header, law: Law, octets: &[u8]) {
        self.packets += 1;
        let (_, first) = match self.base {
            Some(base) if base.0 == header.ssrc => base,
            // Another stream begins where the last one ended.
            Some(_) | None => {
                self.offset = self.samples.len();
                *self.base.insert((header.ssrc, header.timestamp))
            }
        };
        let start = self.offset.saturating_add(header.timestamp.wrapping_sub(first) as usize);
        let end = start.saturating_add(octets.len());
        // What came late by more than was kept, and what jumps ahead by hours, has no place.
        if end > KEPT {
            return;
        }
        if self.samples.len() < end {
            self.samples.resize(end, 0);
        }
        for (sample, octet) in self.samples[start..end].iter_mut().zip(octets) {
            *sample = g711::decode(law, *octet);
        }
    }

    /// Whether the tone is there now, for the first time.
    pub(crate) fn begins(&mut self, hertz: f32) -> bool {
        let Some(start) = self.samples.len().checked_sub(WINDOW) else { return false };
        let begins = self.tone_from.is_none() && tone::is_heard(&self.samples[start..], hertz);
        if begins {
            self.tone_from = Some(start);
        }
        begins
    }

    /// What was heard from the moment the tone was there, without its first and last tenth of a second.
    #[must_use]
    pub fn talk(&self) -> &[i16] {
        let from = self.tone_from.map_or(self.samples.len(), |from| from + WINDOW);
        self.samples.get(from..self.samples.len().saturating_sub(WINDOW)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(timestamp: u32, ssrc: u32) -> Header {
        Header { marker: false, payload_type: 8, sequence: 0, timestamp, ssrc }
    }

    #[test]
    fn voice_stands_where_its_timestamp_says_whatever_order_it_came_in() {
        let mut heard = Heard::default();
        let loud = [g711::encode(Law::A, 8000); 160];
        for timestamp in [u32::MAX - 159, 320, 160] {
            heard.take(&header(timestamp, 1), Law::A, &loud);
        }
        assert_eq!(heard.samples.len(), 640);
        assert!(heard.samples[160..320].iter().all(|sample| *sample == 0));
        assert!(heard.samples[320..].iter().all(|sample| *sample > 7000));
        heard.take(&header(7, 2), Law::A, &loud);
        assert_eq!(heard.samples.len(), 800);
        heard.take(&header(6, 2), Law::A, &loud);
        assert_eq!((heard.samples.len(), heard.packets), (800, 5));
    }
}
