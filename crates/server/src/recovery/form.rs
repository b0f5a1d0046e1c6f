//! How plain values of other crates are written down: one after the other, with nothing said between them. Whoever reads
//! must know what was written; what is cut short or means nothing reads as `None`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use clock::Instant;

/// Takes what is written.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) octets: Vec<u8>,
    /// What the wall clock showed at `Instant::ZERO`, in microseconds.
    pub(super) zero_us: u64,
}

/// Gives it back.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) octets: &'a [u8],
    /// As of `Writer`, by the clock of whoever reads.
    pub(super) zero_us: u64,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.octets.split_first_chunk()?;
        self.octets = rest;
        Some(*taken)
    }

    /// Octets, as many as are said before them.
    fn counted(&mut self) -> Option<&[u8]> {
        let count = usize::try_from(u64::read(self)?).ok()?;
        let (taken, rest) = self.octets.split_at_checked(count)?;
        self.octets = rest;
        Some(taken)
    }
}

/// What can be written down and read back.
pub(super) trait Form: Sized {
    fn write(&self, to: &mut Writer);
    fn read(from: &mut Reader<'_>) -> Option<Self>;
}

/// A struct by its fields in their order, which are all it has `but` for those that are empty in what is written; an enum by a
/// number for each of its variants, none used twice.
macro_rules! form {
    (struct $type:path { $($field:ident),* $(,)? } $(but { $($empty:ident),* $(,)? })?) => {
        impl Form for $type {
            fn write(&self, to: &mut Writer) {
                $(self.$field.write(to);)*
            }

            fn read(from: &mut Reader<'_>) -> Option<Self> {
                $(let $field = Form::read(from)?;)*
                Some(Self { $($field,)* $($($empty: Default::default(),)*)? })
            }
        }
    };
    (enum $type:ty { $($variant:ident = $number:literal),* $(,)? }) => {
        impl Form for $type {
            fn write(&self, to: &mut Writer) {
                let number: u8 = match self {
                    $(Self::$variant => $number,)*
                };
                number.write(to);
            }

            fn read(from: &mut Reader<'_>) -> Option<Self> {
                match u8::read(from)? {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}
pub(super) use form;

/// Seven bits in each octet, the lowest first; the highest bit says that more follow.
impl Form for u64 {
    fn write(&self, to: &mut Writer) {
        let mut rest = *self;
        while rest > 0x7F {
            to.octets.push(0x80 | (rest & 0x7F) as u8);
            rest >>= 7;
        }
        to.octets.push(rest as u8);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let [octet] = from.take()?;
            let bits = u64::from(octet & 0x7F);
            if bits << shift >> shift != bits {
                return None;
            }
            value |= bits << shift;
            if octet & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

impl Form for u8 {
    fn write(&self, to: &mut Writer) {
        to.octets.push(*self);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        from.take().map(|[octet]| octet)
    }
}

impl Form for u16 {
    fn write(&self, to: &mut Writer) {
        u64::from(*self).write(to);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        u64::read(from)?.try_into().ok()
    }
}

impl Form for u32 {
    fn write(&self, to: &mut Writer) {
        u64::from(*self).write(to);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        u64::read(from)?.try_into().ok()
    }
}

impl Form for u128 {
    fn write(&self, to: &mut Writer) {
        to.octets.extend(self.to_be_bytes());
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        from.take().map(Self::from_be_bytes)
    }
}

impl Form for bool {
    fn write(&self, to: &mut Writer) {
        u8::from(*self).write(to);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        match u8::read(from)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Form for Bytes {
    fn write(&self, to: &mut Writer) {
        (self.len() as u64).write(to);
        to.octets.extend_from_slice(self);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        from.counted().map(Self::copy_from_slice)
    }
}

impl Form for Box<str> {
    fn write(&self, to: &mut Writer) {
        (self.len() as u64).write(to);
        to.octets.extend_from_slice(self.as_bytes());
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        std::str::from_utf8(from.counted()?).ok().map(Self::from)
    }
}

impl Form for String {
    fn write(&self, to: &mut Writer) {
        (self.len() as u64).write(to);
        to.octets.extend_from_slice(self.as_bytes());
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Box::<str>::read(from).map(Self::from)
    }
}

impl<T: Form> Form for Option<T> {
    fn write(&self, to: &mut Writer) {
        self.is_some().write(to);
        if let Some(value) = self {
            value.write(to);
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        if bool::read(from)? { T::read(from).map(Some) } else { Some(None) }
    }
}

impl<T: Form> Form for Box<T> {
    fn write(&self, to: &mut Writer) {
        T::write(self, to);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        T::read(from).map(Self::new)
    }
}

impl<T: Form> Form for Vec<T> {
    fn write(&self, to: &mut Writer) {
        (self.len() as u64).write(to);
        self.iter().for_each(|value| value.write(to));
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let count = u64::read(from)?;
        // Each takes an octet at least: no more room is made than there can be values.
        (count <= from.octets.len() as u64).then_some(())?;
        (0..count).map(|_| T::read(from)).collect()
    }
}

impl<T: Form, const N: usize> Form for [T; N] {
    fn write(&self, to: &mut Writer) {
        self.iter().for_each(|value| value.write(to));
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let values: Vec<T> = (0..N).map(|_| T::read(from)).collect::<Option<_>>()?;
        values.try_into().ok()
    }
}

impl<A: Form, B: Form> Form for (A, B) {
    fn write(&self, to: &mut Writer) {
        self.0.write(to);
        self.1.write(to);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some((A::read(from)?, B::read(from)?))
    }
}

impl Form for IpAddr {
    fn write(&self, to: &mut Writer) {
        match self {
            Self::V4(ip) => {
                4_u8.write(to);
                to.octets.extend(ip.octets());
            }
            Self::V6(ip) => {
                6_u8.write(to);
                to.octets.extend(ip.octets());
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        match u8::read(from)? {
            4 => from.take::<4>().map(|octets| Ipv4Addr::from(octets).into()),
            6 => from.take::<16>().map(|octets| Ipv6Addr::from(octets).into()),
            _ => None,
        }
    }
}

impl Form for SocketAddr {
    fn write(&self, to: &mut Writer) {
        self.ip().write(to);
        self.port().write(to);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self::new(IpAddr::read(from)?, u16::read(from)?))
    }
}

/// To the millisecond.
impl Form for Duration {
    fn write(&self, to: &mut Writer) {
        u64::try_from(self.as_millis()).unwrap_or(u64::MAX).write(to);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        u64::read(from).map(Self::from_millis)
    }
}

/// By the wall clock: no other outlives the process. What was before the reader's clock began is when that began.
impl Form for Instant {
    fn write(&self, to: &mut Writer) {
        let since = u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX);
        to.zero_us.saturating_add(since).write(to);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let wall = u64::read(from)?;
        Some(Self(Duration::from_micros(wall.saturating_sub(from.zero_us))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &impl Form) -> Vec<u8> {
        let mut to = Writer { octets: Vec::new(), zero_us: 1_000_000 };
        value.write(&mut to);
        to.octets
    }

    fn read<T: Form>(octets: &[u8]) -> Option<T> {
        let mut from = Reader { octets, zero_us: 1_000_000 };
        T::read(&mut from).filter(|_| from.octets.is_empty())
    }

    #[test]
    fn numbers_read_back_and_those_too_great_do_not() {
        for number in [0, 1, 127, 128, 16_383, 16_384, u64::MAX - 1, u64::MAX] {
            assert_eq!(read(&written(&number)), Some(number));
        }
        assert_eq!(read::<u16>(&written(&65_536_u64)), None);
        assert_eq!(read::<u32>(&written(&u64::MAX)), None);
        assert_eq!(read::<u64>(&[0xFF; 10]), None, "more than 64 bits");
        assert_eq!(read::<u64>(&[0x80; 11]), None);
    }

    #[test]
    fn what_is_cut_short_or_means_nothing_is_not_read() {
        type All = (Vec<(Box<str>, Option<u128>)>, ([bool; 3], (SocketAddr, Instant)));
        let all: All = (
            vec![("ё".into(), Some(7)), ("".into(), None)],
            ([true, false, true], ("[2001:db8::1]:4000".parse().unwrap(), Instant(Duration::from_secs(9)))),
        );
        let octets = written(&all);
        assert_eq!(read(&octets), Some(all));
        for end in 0..octets.len() {
            assert_eq!(read::<All>(&octets[..end]), None, "{end}");
        }
        assert_eq!(read::<bool>(&[2]), None);
        assert_eq!(read::<IpAddr>(&[5, 1, 1, 1, 1]), None);
        assert_eq!(read::<Box<str>>(&[1, 0xFF]), None);
        assert_eq!(read::<Vec<u8>>(&written(&u64::MAX)), None);
    }

    #[test]
    fn times_go_by_the_wall_clock() {
        let octets = written(&Instant(Duration::from_secs(50)));
        let at = |zero_us| Instant::read(&mut Reader { octets: &octets, zero_us });
        assert_eq!(at(21_000_000), Some(Instant(Duration::from_secs(30))));
        assert_eq!(at(60_000_000), Some(Instant::ZERO), "before the clock began");
    }
}
