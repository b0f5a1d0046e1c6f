//! Reading a URI.

use std::fmt;

use memchr::memchr;

use super::escape::{is_well_escaped, same_ignoring_case};
use super::{Host, Places, Scheme, UriRef};
use crate::grammar::{Class, ascii, port};
use crate::limits;

/// Why a text is no URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UriFault {
    /// Longer than [`limits::LINE`](crate::limits::LINE).
    TooLong,
    /// An octet that cannot stand in a URI, or a `%` without two hexadecimal digits.
    Octet,
    /// No scheme, or nothing after it.
    Scheme,
    /// No host where the scheme has one, or not one of the forms of a host.
    Host,
    /// Not a port.
    Port,
    /// A parameter without a name, one that comes twice, or too many.
    Parameter,
    /// A header without a name.
    Header,
}

impl fmt::Display for UriFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the URI is too long",
            Self::Octet => "an octet that cannot stand in a URI",
            Self::Scheme => "no scheme, or nothing after it",
            Self::Host => "no host",
            Self::Port => "not a port",
            Self::Parameter => "a parameter without a name, twice, or too many",
            Self::Header => "a header without a name",
        })
    }
}

impl std::error::Error for UriFault {}

/// The signs that divide a URI, where they are.
#[derive(Default)]
struct Marks {
    /// The first colon: the end of the scheme.
    colon: Option<usize>,
    /// The colon after it, before any `@`.
    user_colon: Option<usize>,
    at: Option<usize>,
    second_at: bool,
    /// The first question mark after the `@`.
    question: Option<usize>,
    escapes: bool,
}

impl Marks {
    /// One pass over the octets that can stand in a URI; the rest is where it ends.
    fn find(octets: &[u8]) -> (Self, usize) {
        let mut marks = Self::default();
        let mut place = 0;
        loop {
            place += Class::PLAIN_URI.run(&octets[place..]);
            match octets.get(place) {
                Some(octet) if Class::URI.has(*octet) => marks.add(*octet, place),
                Some(_) | None => return (marks, place),
            }
            place += 1;
        }
    }

    fn add(&mut self, octet: u8, place: usize) {
        match octet {
            b':' if self.colon.is_none() => self.colon = Some(place),
            b':' if self.at.is_none() && self.user_colon.is_none() => self.user_colon = Some(place),
            b'@' => {
                self.second_at = self.at.is_some();
                self.at = self.at.or(Some(place));
                self.question = None;
            }
            b'?' if self.question.is_none() => self.question = Some(place),
            b'%' => self.escapes = true,
            _ => {}
        }
    }
}

/// Reads a URI that fills the whole text.
pub(super) fn whole(text: &[u8]) -> Result<UriRef<'_>, UriFault> {
    let (marks, end) = Marks::find(text);
    if end < text.len() { Err(UriFault::Octet) } else { divided(text, &marks) }
}

/// Splits off a URI that ends before the first octet that cannot stand in one.
pub(super) fn take(text: &[u8]) -> Result<(UriRef<'_>, &[u8]), UriFault> {
    let (marks, end) = Marks::find(text);
    let (octets, rest) = text.split_at(end);
    Ok((divided(octets, &marks)?, rest))
}

fn divided<'a>(octets: &'a [u8], marks: &Marks) -> Result<UriRef<'a>, UriFault> {
    if octets.len() > limits::LINE {
        return Err(UriFault::TooLong);
    }
    let colon = marks.colon.ok_or(UriFault::Scheme)?;
    let scheme = scheme(&octets[..colon])?;
    let start = colon + 1;
    if start == octets.len() {
        return Err(UriFault::Scheme);
    }
    let places = match scheme {
        Scheme::Other => places([start, start, start, start, octets.len(), octets.len()]),
        Scheme::Tel | Scheme::Sip | Scheme::Sips if marks.escapes && !is_well_escaped(octets) => {
            return Err(UriFault::Octet);
        }
        Scheme::Tel => tel(octets, start)?,
        Scheme::Sip | Scheme::Sips => sip(octets, start, marks)?,
    };
    Ok(UriRef { octets, scheme, places })
}

fn places(at: [usize; 6]) -> Places {
    let [user, user_end, host, host_end, params, headers] =
        at.map(|at| u16::try_from(at).expect("a URI is no longer than a line"));
    Places { user, user_end, host, host_end, params, headers }
}

fn scheme(text: &[u8]) -> Result<Scheme, UriFault> {
    if text == b"sip" {
        return Ok(Scheme::Sip);
    }
    let well_formed = text.first().is_some_and(u8::is_ascii_alphabetic)
        && text.iter().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'-' | b'.'));
    if !well_formed {
        return Err(UriFault::Scheme);
    }
    Ok(if text.eq_ignore_ascii_case(b"sip") {
        Scheme::Sip
    } else if text.eq_ignore_ascii_case(b"sips") {
        Scheme::Sips
    } else if text.eq_ignore_ascii_case(b"tel") {
        Scheme::Tel
    } else {
        Scheme::Other
    })
}

fn tel(octets: &[u8], start: usize) -> Result<Places, UriFault> {
    let end = memchr(b';', octets).unwrap_or(octets.len());
    if end == start {
        return Err(UriFault::Host);
    }
    check_params(&octets[end..])?;
    Ok(places([start, end, start, start, end, octets.len()]))
}

fn sip(octets: &[u8], start: usize, marks: &Marks) -> Result<Places, UriFault> {
    // A second `@` could make two readers see two hosts.
    if marks.second_at {
        return Err(UriFault::Host);
    }
    let (user_end, host) = match marks.at {
        None => (start, start),
        Some(at) => (marks.user_colon.unwrap_or(at), at + 1),
    };
    let (name, rest) = Host::take(&octets[host..]).ok_or(UriFault::Host)?;
    let host_end = host + name.as_bytes().len();
    let mut params = host_end;
    if let [b':', digits @ ..] = rest {
        let length = Class::DIGIT.run(digits);
        port(&digits[..length]).ok_or(UriFault::Port)?;
        params += 1 + length;
    }
    let headers = match octets.get(params) {
        None => params,
        Some(b';' | b'?') => marks.question.unwrap_or(octets.len()),
        Some(_) if params > host_end => return Err(UriFault::Port),
        Some(_) => return Err(UriFault::Host),
    };
    check_params(&octets[params..headers])?;
    if headers < octets.len() {
        check_headers(&octets[headers + 1..])?;
    }
    Ok(places([start, user_end, host, host_end, params, headers]))
}

/// No parameter may come twice (RFC 3261 §19.1.1).
fn check_params(params: &[u8]) -> Result<(), UriFault> {
    let Some(params) = params.strip_prefix(b";") else { return Ok(()) };
    if !params.contains(&b';') {
        return if matches!(params, [] | [b'=', ..]) { Err(UriFault::Parameter) } else { Ok(()) };
    }
    let mut names = [&params[..0]; limits::PARAMS];
    for (count, param) in params.split(|octet| *octet == b';').enumerate() {
        let name = param.split(|octet| *octet == b'=').next().unwrap_or_default();
        let repeated = names.iter().take(count).any(|other| same_ignoring_case(ascii(other), ascii(name)));
        if name.is_empty() || repeated {
            return Err(UriFault::Parameter);
        }
        *names.get_mut(count).ok_or(UriFault::Parameter)? = name;
    }
    Ok(())
}

fn check_headers(headers: &[u8]) -> Result<(), UriFault> {
    let mut headers = headers.split(|octet| *octet == b'&');
    let named = headers.all(|header| memchr(b'=', header).is_some_and(|at| at > 0));
    if named { Ok(()) } else { Err(UriFault::Header) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> UriRef<'_> {
        UriRef::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn all_parts_of_a_sip_uri_are_told_apart() {
        let uri = uri("sip:alice;day=1:secret@[2001:db8::9:1]:5070;transport=tcp;lr?Subject=a%20b&Priority=");
        assert_eq!(uri.scheme(), Scheme::Sip);
        assert_eq!(uri.user(), Some("alice;day=1"));
        assert_eq!(uri.password(), Some("secret"));
        assert_eq!(uri.host().map(|host| host.as_str()), Some("[2001:db8::9:1]"));
        assert_eq!(uri.port(), Some(5070));
        assert_eq!(uri.params().iter().collect::<Vec<_>>(), [("transport", Some("tcp")), ("lr", None)]);
        assert_eq!(uri.params().get("LR"), Some(""));
        assert_eq!(uri.headers().collect::<Vec<_>>(), [("Subject", "a%20b"), ("Priority", "")]);
    }

    #[test]
    fn numbers_and_their_parameters_are_found_in_both_schemes() {
        let sip = uri("sip:+7%39%39;phone-context=example.com;npdi;rn=+7495@gw.example.com;user=phone");
        assert_eq!(sip.number().as_deref(), Some(&b"+799"[..]));
        assert_eq!(sip.number_params().get("rn"), Some("+7495"));
        assert!(sip.number_params().has("npdi") && !sip.params().has("npdi"));
        assert_eq!(sip.params().get("user"), Some("phone"));
        let tel = uri("tel:911;phone-context=+1");
        assert_eq!(
            (tel.scheme(), tel.number().as_deref(), tel.host()),
            (Scheme::Tel, Some(&b"911"[..]), None)
        );
        assert_eq!(tel.number_params().get("Phone-Context"), Some("+1"));
        assert_eq!(uri("sip:*21#@example.com").number().as_deref(), Some(&b"*21#"[..]));
    }

    #[test]
    fn other_schemes_are_kept_as_text() {
        let other = uri("soap.beep://192.0.2.103:3002");
        assert_eq!((other.scheme(), other.as_str()), (Scheme::Other, "soap.beep://192.0.2.103:3002"));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_no_uri() {
        for (text, fault) in [
            ("sip:alice@a@b", UriFault::Host),
            ("sip:alice@a;x=b@c", UriFault::Host),
            ("sip:2001:db8::10", UriFault::Port),
            ("sip:a:65536", UriFault::Port),
            ("sip:a:", UriFault::Port),
            ("sip:a/b", UriFault::Host),
            ("sip:", UriFault::Scheme),
            ("alice", UriFault::Scheme),
            ("1a:b", UriFault::Scheme),
            ("tel:", UriFault::Scheme),
            ("tel:;x", UriFault::Host),
            ("sip:a;;b", UriFault::Parameter),
            ("sip:a;=b", UriFault::Parameter),
            ("sip:a;Lr;%6cR", UriFault::Parameter),
            ("tel:1;ext=1;ext=1", UriFault::Parameter),
            ("sip:a?b", UriFault::Header),
            ("sip:a?", UriFault::Header),
            ("sip:a b", UriFault::Octet),
            ("sip:a%4@b", UriFault::Octet),
            ("sip:<a>", UriFault::Octet),
            ("sip:a\r\n", UriFault::Octet),
            ("sip:\u{e9}@b", UriFault::Octet),
        ] {
            assert_eq!(UriRef::parse(text.as_bytes()).err(), Some(fault), "{text}");
        }
    }
}
