//! Via (RFC 3261 §20.42, RFC 3581).

use std::net::{IpAddr, SocketAddr};

use crate::grammar::{Class, ascii, port, take_lws, take_token, trim, trim_start};
use crate::params::{Params, is_text};
use crate::span::Span;
use crate::uri::Host;

/// What a branch begins with where its sender follows RFC 3261 (§8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// One hop of the way a request came.
#[derive(Debug, Clone, Copy)]
pub struct Via<'a> {
    transport: &'a [u8],
    host: Host<'a>,
    port: Option<u16>,
    /// Protocol and sent-by as written.
    hop: &'a [u8],
    params: Params<'a>,
    /// The value of the branch; empty where it has none.
    branch: Option<&'a [u8]>,
}

/// The topmost Via of a message, kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeptVia {
    transport: Span,
    host: Span,
    port: Option<u16>,
    hop: Span,
    params: Span,
    branch: Option<Span>,
}

impl<'a> Via<'a> {
    /// Reads the first value of a line. Returns it and what follows its comma.
    pub(crate) fn read(line: &'a [u8]) -> Option<(Self, Option<&'a [u8]>)> {
        let line = trim_start(line);
        let (_, rest) = take_token(line)?;
        let (_, rest) = take_token(slash(rest)?)?;
        let (transport, rest) = take_token(slash(rest)?)?;
        let (blank, rest) = take_lws(rest);
        if blank.is_empty() {
            return None;
        }
        let (host, rest) = Host::take(rest)?;
        let (port, rest) = match trim_start(rest) {
            [b':', digits @ ..] => {
                let (digits, rest) = Class::DIGIT.take(trim_start(digits));
                (Some(port(digits)?), rest)
            }
            rest => (None, rest),
        };
        let hop = trim(&line[..line.len() - rest.len()]);
        let mut branch = None;
        let (params, rest) = Params::read_each(rest, |param| {
            if param.is("branch") {
                branch = Some(param.value_or_end());
            }
        })?;
        Some((Self { transport, host, port, hop, params, branch }, rest.strip_prefix(b",")))
    }

    pub(crate) fn keep(&self, head: &[u8]) -> KeptVia {
        let span = |part| Span::of(part, head);
        KeptVia {
            transport: span(self.transport),
            host: span(self.host.as_bytes()),
            port: self.port,
            hop: span(self.hop),
            params: span(self.params.as_bytes()),
            branch: self.branch.map(span),
        }
    }

    pub(crate) fn kept(via: &KeptVia, head: &'a [u8]) -> Self {
        Self {
            transport: via.transport.in_head(head),
            host: Host::checked(via.host.in_head(head)),
            port: via.port,
            hop: via.hop.in_head(head),
            params: Params::checked(via.params.in_head(head)),
            branch: via.branch.map(|branch| branch.in_head(head)),
        }
    }

    /// The transport as written: `UDP`, `TCP`, `TLS` or anything else.
    #[must_use]
    pub fn transport(&self) -> &'a str {
        ascii(self.transport)
    }

    /// The host of sent-by.
    #[must_use]
    pub fn host(&self) -> Host<'a> {
        self.host
    }

    /// The port of sent-by, if one is written.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// All parameters.
    #[must_use]
    pub fn params(&self) -> Params<'a> {
        self.params
    }

    /// The branch; `None` in messages of RFC 2543.
    #[must_use]
    pub fn branch(&self) -> Option<&'a str> {
        self.branch.filter(|branch| is_text(branch)).map(ascii)
    }

    /// Whether the branch is unique in space and time, as RFC 3261 asks (§8.1.1.7): it begins with the magic cookie.
    #[must_use]
    pub fn is_unique(&self) -> bool {
        self.branch().is_some_and(|branch| branch.starts_with(MAGIC_COOKIE))
    }

    /// The address `received` tells, with or without brackets (RFC 5118 §4.5).
    #[must_use]
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.params.find("received")?.text()?;
        text.parse().ok().or_else(|| Host::take(text.as_bytes())?.0.ip())
    }

    /// The `rport` parameter (RFC 3581): `None` without one, `Some(None)` where it asks for a value.
    #[must_use]
    pub fn rport(&self) -> Option<Option<u16>> {
        let param = self.params.find("rport")?;
        Some(param.value().and_then(port))
    }

    /// Whether each parameter that decides something is well formed. A branch of the magic cookie alone names no
    /// transaction (RFC 4475 §3.2.1).
    pub(crate) fn is_sound(&self) -> bool {
        self.branch.is_none_or(|branch| is_text(branch) && branch != MAGIC_COOKIE.as_bytes())
    }

    /// Writes the hop as a server must send it back: `received` and `rport` tell where the request came from
    /// (RFC 3261 §18.2.1, RFC 3581 §4), whatever its sender wrote there.
    pub(crate) fn write_answered(&self, source: SocketAddr, out: &mut Vec<u8>) {
        let ip = source.ip().to_canonical();
        let mut tell_address = self.host.ip().map(|host| host.to_canonical()) != Some(ip);
        out.extend_from_slice(self.hop);
        for param in self.params.iter() {
            if param.is("received") {
                continue;
            }
            out.push(b';');
            out.extend_from_slice(param.name().as_bytes());
            if param.is("rport") {
                tell_address = true;
                out.extend_from_slice(format!("={}", source.port()).as_bytes());
            } else if let Some(value) = param.value() {
                out.push(b'=');
                out.extend_from_slice(value);
            }
        }
        if tell_address {
            out.extend_from_slice(format!(";received={ip}").as_bytes());
        }
    }
}

fn slash(text: &[u8]) -> Option<&[u8]> {
    trim_start(text).strip_prefix(b"/").map(trim_start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Via<'_> {
        Via::read(line.as_bytes()).unwrap().0
    }

    #[test]
    fn lws_may_stand_between_all_parts() {
        let line =
            b"SIP  / 2.0  / TCP     spindle.example.com : 5070  ;  branch  =   z9hG4bK9ikj8  , SIP/2.0/UDP b";
        let (via, rest) = Via::read(line).unwrap();
        assert_eq!(
            (via.transport(), via.host().as_str(), via.port()),
            ("TCP", "spindle.example.com", Some(5070))
        );
        assert_eq!(via.branch(), Some("z9hG4bK9ikj8"));
        assert!(via.is_unique());
        assert_eq!(rest, Some(&b" SIP/2.0/UDP b"[..]));
    }

    #[test]
    fn received_is_read_with_and_without_brackets() {
        for text in ["2001:db8::9:255", "[2001:db8::9:255]"] {
            let line = format!("SIP/2.0/UDP [2001:db8::9:1];received={text};branch=z9hG4bKas3");
            assert_eq!(read(&line).received(), Some("2001:db8::9:255".parse().unwrap()));
        }
        assert_eq!(read("SIP/2.0/UDP a;received=b").received(), None);
    }

    #[test]
    fn rport_asks_or_tells() {
        assert_eq!(read("SIP/2.0/UDP a").rport(), None);
        assert_eq!(read("SIP/2.0/UDP a;rport").rport(), Some(None));
        assert_eq!(read("SIP/2.0/UDP a;RPORT=5062").rport(), Some(Some(5062)));
    }

    #[test]
    fn an_answered_hop_tells_the_source_and_nothing_its_sender_made_up() {
        let answered = |line: &str, source: &str| {
            let mut out = Vec::new();
            read(line).write_answered(source.parse().unwrap(), &mut out);
            String::from_utf8(out).unwrap()
        };
        for (line, source, written) in [
            (
                "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1",
                "192.0.2.1:5060",
                "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1",
            ),
            (
                "SIP/2.0/UDP 10.1.1.1:4540;rport;branch=z9hG4bK1",
                "192.0.2.1:9988",
                "SIP/2.0/UDP 10.1.1.1:4540;rport=9988;branch=z9hG4bK1;received=192.0.2.1",
            ),
            (
                "SIP/2.0/UDP 192.0.2.1 ; rport",
                "192.0.2.1:7",
                "SIP/2.0/UDP 192.0.2.1;rport=7;received=192.0.2.1",
            ),
            (
                "SIP/2.0/TCP a.example;received=203.0.113.9;x=\"y\"",
                "192.0.2.1:7",
                "SIP/2.0/TCP a.example;x=\"y\";received=192.0.2.1",
            ),
            (
                "SIP/2.0/UDP [2001:db8::1]",
                "[2001:db8::2]:7",
                "SIP/2.0/UDP [2001:db8::1];received=2001:db8::2",
            ),
            ("SIP/2.0/UDP 192.0.2.1", "[::ffff:192.0.2.1]:7", "SIP/2.0/UDP 192.0.2.1"),
        ] {
            assert_eq!(answered(line, source), written);
        }
    }

    #[test]
    fn malformed_hops_are_not_read() {
        for line in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0 a",
            "SIP/2.0/UDP  ",
            "SIP/2.0/UDP a b",
            "SIP/2.0/UDP a:",
            "SIP/2.0/UDP a:70000",
            "SIP/2.0/UDP 192.0.2.15;;,;,,",
            "SIP/2.0/UDP 2001:db8::1",
        ] {
            assert!(Via::read(line.as_bytes()).is_none(), "{line}");
        }
    }

    #[test]
    fn a_branch_of_the_cookie_alone_is_unsound() {
        for (line, sound) in [
            ("SIP/2.0/UDP a", true),
            ("SIP/2.0/UDP a;branch=1", true),
            ("SIP/2.0/UDP a;branch=z9hG4bK1", true),
            ("SIP/2.0/UDP a;branch=z9hG4bK", false),
            ("SIP/2.0/UDP a;branch", false),
            ("SIP/2.0/UDP a;branch=\"x\"", false),
        ] {
            assert_eq!(read(line).is_sound(), sound, "{line}");
        }
    }
}
