//! Reason (RFC 3326).

use std::borrow::Cow;

use crate::grammar::{ascii, number, take_token, trim};
use crate::params::Params;

/// Why a request was sent or a call refused, in the words of some protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason<'a> {
    /// `Q.850`, `SIP` or another, as written.
    pub protocol: &'a str,
    params: Params<'a>,
}

impl<'a> Reason<'a> {
    pub(crate) fn read(value: &'a [u8]) -> Option<Self> {
        let (protocol, rest) = take_token(trim(value))?;
        let (params, rest) = Params::read(rest)?;
        rest.is_empty().then(|| Self { protocol: ascii(protocol), params })
    }

    /// The cause in the protocol's numbers.
    #[must_use]
    pub fn cause(&self) -> Option<u32> {
        number(self.params.find("cause")?.value()?)
    }

    /// The Q.850 cause, 1 to 127, where the protocol is Q.850.
    #[must_use]
    pub fn q850(&self) -> Option<u8> {
        let cause = self.protocol.eq_ignore_ascii_case("Q.850").then(|| self.cause()).flatten()?;
        u8::try_from(cause).ok().filter(|cause| (1..=127).contains(cause))
    }

    /// The text, without quotes. It may hold anything about the other side.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'a, [u8]>> {
        self.params.get("text")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_q850_gives_a_q850_cause() {
        let cause = |value: &str| Reason::read(value.as_bytes()).and_then(|reason| reason.q850());
        assert_eq!(cause("Q.850;cause=16;text=\"Terminated; normally\""), Some(16));
        assert_eq!(cause("q.850 ; cause = 127"), Some(127));
        for none in [
            "SIP;cause=200;text=\"Call completed elsewhere\"",
            "Q.850",
            "Q.850;cause=0",
            "Q.850;cause=128",
            "Q.850;cause=x",
            ";cause=1",
        ] {
            assert_eq!(cause(none), None, "{none}");
        }
    }
}
