//! The value of one Identity header field (RFC 8224 §4): a PASSporT and its parameters.
//!
//! `Identity: eyJ….eyJ….rq3…;info=<https://biloxi.example.org/biloxi.cer>;alg=ES256;ppt="shaken"`

use crate::Fault;

/// Octets of a value: those of a signed PASSporT are below a thousand.
const LONGEST: usize = 8_192;
/// Parameters of a value: three are known.
const MOST: usize = 16;

/// One Identity header field, cut into its parts; what they say is not read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// Header, payload and signature of the PASSporT, in base64url.
    pub(crate) parts: [&'a str; 3],
    /// Where the certificate is.
    pub(crate) info: &'a str,
    /// `alg`, where it is said.
    pub(crate) algorithm: Option<&'a str>,
    /// `ppt`, where it is said.
    pub(crate) kind: Option<&'a str>,
}

impl<'a> Field<'a> {
    /// Reads a value.
    ///
    /// # Errors
    /// [`Fault::Unreadable`]; [`Fault::Compact`] where header and payload are left out.
    pub fn parse(value: &'a [u8]) -> Result<Self, Fault> {
        let text = std::str::from_utf8(value).ok().filter(|text| text.is_ascii() && text.len() <= LONGEST);
        let text = text.ok_or(Fault::Unreadable)?;
        let end = text.find(';').ok_or(Fault::Unreadable)?;
        let (token, mut rest) = (trim(&text[..end]), &text[end..]);
        let (mut info, mut algorithm, mut kind) = (None, None, None);
        for _ in 0..MOST {
            let Some(after) = rest.strip_prefix(';') else { break };
            let (name, value, after) = parameter(after).ok_or(Fault::Unreadable)?;
            rest = after;
            let place = match name {
                _ if name.eq_ignore_ascii_case("info") => &mut info,
                _ if name.eq_ignore_ascii_case("alg") => &mut algorithm,
                _ if name.eq_ignore_ascii_case("ppt") => &mut kind,
                _ => continue,
            };
            // Of two values another reader may take the other.
            if place.replace(value).is_some() {
                return Err(Fault::Unreadable);
            }
        }
        let info = info.and_then(|info: &str| info.strip_prefix('<')?.strip_suffix('>'));
        let (Some(info), "") = (info, rest) else { return Err(Fault::Unreadable) };
        if token.starts_with("..") {
            return Err(Fault::Compact);
        }
        Ok(Self { parts: parts(token)?, info, algorithm: algorithm.map(bare), kind: kind.map(bare) })
    }
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Without quotes.
fn bare(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

fn parts(token: &str) -> Result<[&str; 3], Fault> {
    let mut parts = token.split('.');
    let mut next = || parts.next().filter(|part| !part.is_empty()).ok_or(Fault::Unreadable);
    let three = [next()?, next()?, next()?];
    if parts.next().is_some() { Err(Fault::Unreadable) } else { Ok(three) }
}

/// Name, value with its quotes or brackets, and what follows: nothing, or another parameter.
fn parameter(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.split_at(text.find(['=', ';']).unwrap_or(text.len()));
    let name = trim(name);
    if name.is_empty() || !name.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-._".contains(&octet))
    {
        return None;
    }
    let Some(rest) = rest.strip_prefix('=') else { return Some((name, "", rest)) };
    let rest = rest.trim_start_matches([' ', '\t']);
    let end = match rest.bytes().next()? {
        b'<' => rest.find('>')? + 1,
        b'"' => rest[1..].find('"')? + 2,
        _ => rest.find([';', ' ', '\t']).unwrap_or(rest.len()),
    };
    let (value, rest) = rest.split_at(end);
    let rest = rest.trim_start_matches([' ', '\t']);
    let is_whole = !value.contains('\\') && !value.bytes().any(|octet| octet.is_ascii_control());
    (is_whole && !value.is_empty() && (rest.is_empty() || rest.starts_with(';')))
        .then_some((name, value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Field<'_>, Fault> {
        Field::parse(text.as_bytes())
    }

    #[test]
    fn a_value_is_a_passport_and_its_parameters() {
        for text in [
            "h.p.s;info=<https://c.example/a.cer>;alg=ES256;ppt=shaken",
            "h.p.s; info=<https://c.example/a.cer> ;x ; y=1;PPT = \"shaken\"; Alg=\"ES256\"",
            " h.p.s\t;ppt=\"shaken\";alg=ES256;INFO=<https://c.example/a.cer>",
        ] {
            let field = parse(text).unwrap();
            assert_eq!((field.parts, field.info), (["h", "p", "s"], "https://c.example/a.cer"), "{text}");
            assert_eq!((field.algorithm, field.kind), (Some("ES256"), Some("shaken")), "{text}");
        }
        let bare = parse("h.p.s;info=<https://c.example/a;b=c>").unwrap();
        assert_eq!((bare.info, bare.algorithm, bare.kind), ("https://c.example/a;b=c", None, None));
    }

    #[test]
    fn what_is_no_such_value_is_refused() {
        let long = format!("{}.p.s;info=<https://c.example/a>", "h".repeat(LONGEST));
        let many = format!("h.p.s;info=<https://c.example/a>{}", ";x=1".repeat(MOST));
        for text in [
            "",
            ";",
            "h.p.s",
            "h.p.s;",
            "h.p;info=<u>",
            "h.p.s.t;info=<u>",
            "h..s;info=<u>",
            ".p.s;info=<u>",
            "h.p.;info=<u>",
            "h.p.s;alg=ES256",
            "h.p.s;info=u",
            "h.p.s;info=\"u\"",
            "h.p.s;info=<u",
            "h.p.s;info=",
            "h.p.s;info=<u>x",
            "h.p.s;info=<u>;",
            "h.p.s;;info=<u>",
            "h.p.s;=1;info=<u>",
            "h.p.s;info=<u>;info=<v>",
            "h.p.s;info=<u>;alg=ES256;alg=none",
            "h.p.s;info=<u>;ppt=\"sha\\ken\"",
            "h.p.s;info=<u>;ppt=\"shaken",
            "h.p.s;info=<u>,h.p.s;info=<u>",
            "\"base64 of an older RFC\"",
            "h.p.s;info=<\u{e9}>",
            &long,
            &many,
        ] {
            assert_eq!(parse(text), Err(Fault::Unreadable), "{text}");
        }
        assert_eq!(Field::parse(b"h.p.s;info=<\xff>"), Err(Fault::Unreadable));
    }

    #[test]
    fn the_compact_form_has_a_name_of_its_own() {
        assert_eq!(parse("..sig;info=<https://c.example/a>;alg=ES256"), Err(Fault::Compact));
    }
}
