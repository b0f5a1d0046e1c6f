//! The PASSporT (PASSporT, RFC 8225): who calls whom, and when, as somebody signed it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use number::Number;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::{Attestation, Fault, Field};

/// Octets of a signature by ES256 (RFC 7518 §3.4).
pub(crate) const SIGNATURE: usize = 64;

/// A PASSporT that was read; nothing in it is proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passport {
    /// Where the certificate is, by what was signed.
    pub(crate) certificate: Box<str>,
    /// When it was signed, in seconds since 1970.
    pub(crate) signed_at: u64,
    /// Who calls; none where that is no telephone number.
    pub(crate) from: Option<Number>,
    /// Who is called, as far as they are telephone numbers.
    pub(crate) to: Vec<Number>,
    /// How well the caller is known, in a PASSporT of the kind `shaken`.
    pub(crate) attestation: Option<Attestation>,
    /// By ES256.
    pub(crate) signature: [u8; SIGNATURE],
}

/// RFC 8225 §4. A name that stands twice is refused; one that is unknown may stand (RFC 7515 §4).
#[derive(Deserialize)]
struct Header<'a> {
    alg: &'a str,
    typ: &'a str,
    x5u: String,
    ppt: Option<String>,
    crit: Option<IgnoredAny>,
}

/// RFC 8225 §5, RFC 8588 §4.
#[derive(Deserialize)]
struct Claims {
    attest: Option<String>,
    dest: Destination,
    iat: u64,
    orig: Origin,
    origid: Option<String>,
}

/// RFC 8225 §5.2.1: one of them.
#[derive(Deserialize)]
struct Origin {
    tn: Option<String>,
    uri: Option<String>,
}

/// RFC 8225 §5.2.1: any number of either.
#[derive(Deserialize)]
struct Destination {
    #[serde(default)]
    tn: Vec<String>,
    #[serde(default)]
    uri: Vec<String>,
}

impl Passport {
    /// Reads the PASSporT of a header field. `None`: it is of a kind that says nothing of who calls, and is to be passed over
    /// (RFC 8224 §6.2 step 1).
    ///
    /// # Errors
    /// [`Fault::Unreadable`], [`Fault::Algorithm`].
    pub fn read(field: &Field<'_>) -> Result<Option<Self>, Fault> {
        let [header, claims, signature] = field.parts;
        let header = decode(header)?;
        let header: Header<'_> = serde_json::from_slice(&header).map_err(|_| Fault::Unreadable)?;
        let is_es256 = |algorithm: &str| algorithm == "ES256";
        if !is_es256(header.alg) || !field.algorithm.is_none_or(is_es256) {
            return Err(Fault::Algorithm);
        }
        let is_passport = header.typ.eq_ignore_ascii_case("passport");
        // RFC 7515 §4.1.11: what must be understood, and is not here.
        let is_plain = header.crit.is_none() && header.x5u == field.info;
        if !is_passport || !is_plain || field.kind.is_some_and(|kind| header.ppt.as_deref() != Some(kind)) {
            return Err(Fault::Unreadable);
        }
        let is_shaken = match header.ppt.as_deref() {
            None => false,
            Some("shaken") => true,
            Some(_) => return Ok(None),
        };
        let claims: Claims = serde_json::from_slice(&decode(claims)?).map_err(|_| Fault::Unreadable)?;
        if claims.orig.tn.is_some() == claims.orig.uri.is_some()
            || claims.dest.tn.is_empty() && claims.dest.uri.is_empty()
        {
            return Err(Fault::Unreadable);
        }
        let attestation = match (claims.attest.as_deref().and_then(Attestation::of), &claims.origid) {
            (Some(attestation), Some(_)) if is_shaken => Some(attestation),
            _ if is_shaken => return Err(Fault::Unreadable),
            _ => None,
        };
        Ok(Some(Self {
            certificate: header.x5u.into(),
            signed_at: claims.iat,
            from: claims.orig.tn.as_deref().and_then(number),
            to: claims.dest.tn.iter().filter_map(|text| number(text)).collect(),
            attestation,
            signature: decode(signature)?.try_into().map_err(|_| Fault::Unreadable)?,
        }))
    }
}

fn decode(part: &str) -> Result<Vec<u8>, Fault> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Fault::Unreadable)
}

/// A telephone number in canonical form, digits alone (RFC 8224 §8.3); some signers write a plus.
fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    digits.bytes().all(|octet| octet.is_ascii_digit()).then(|| Number::parse(digits).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = r#"{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"https://c.example/a"}"#;
    const CLAIMS: &str = r#"{"attest":"B","dest":{"tn":["12155551213","+12155551214"]},"iat":1443208345,"orig":{"tn":"12155551212"},"origid":"123e4567-e89b-12d3-a456-426655440000"}"#;

    fn read(header: &str, claims: &str) -> Result<Option<Passport>, Fault> {
        signed(header, claims, &[7; SIGNATURE], "")
    }

    fn signed(
        header: &str,
        claims: &str,
        signature: &[u8],
        parameters: &str,
    ) -> Result<Option<Passport>, Fault> {
        let part = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
        let (header, claims) = (part(header.as_bytes()), part(claims.as_bytes()));
        let value = format!("{header}.{claims}.{};info=<https://c.example/a>{parameters}", part(signature));
        Field::parse(value.as_bytes()).and_then(|field| Passport::read(&field))
    }

    #[test]
    fn a_passport_says_who_calls_whom_and_when() {
        let passport = read(HEADER, CLAIMS).unwrap().unwrap();
        assert_eq!(&*passport.certificate, "https://c.example/a");
        assert_eq!((passport.signed_at, passport.attestation), (1_443_208_345, Some(Attestation::Partial)));
        assert_eq!(passport.from.unwrap().to_string(), "+12155551212");
        assert_eq!(
            passport.to.iter().map(Number::to_string).collect::<Vec<_>>(),
            ["+12155551213", "+12155551214"]
        );
        assert_eq!(signed(HEADER, CLAIMS, &[7; 64], ";alg=ES256;ppt=shaken").unwrap().unwrap(), passport);
        let bare = HEADER.replace(r#""ppt":"shaken","#, "");
        assert_eq!(read(&bare, CLAIMS).unwrap().unwrap().attestation, None);
    }

    #[test]
    fn a_passport_of_another_kind_is_passed_over() {
        let other = HEADER.replace("shaken", "div");
        assert_eq!(read(&other, "anything"), Ok(None));
        assert_eq!(signed(&other, CLAIMS, &[7; 64], ";ppt=div"), Ok(None));
    }

    #[test]
    fn another_algorithm_is_refused() {
        for other in ["none", "HS256", "ES384", "es256", ""] {
            assert_eq!(read(&HEADER.replace("ES256", other), CLAIMS), Err(Fault::Algorithm), "{other}");
        }
        assert_eq!(signed(HEADER, CLAIMS, &[7; 64], ";alg=none"), Err(Fault::Algorithm));
    }

    #[test]
    fn a_header_that_is_not_to_the_letter_is_refused() {
        for header in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"alg":"ES256","alg":"ES256","typ":"passport","x5u":"https://c.example/a"}"#,
            r#"{"alg":"ES256","typ":"JWT","x5u":"https://c.example/a"}"#,
            r#"{"alg":"ES256","typ":"passport","x5u":"https://c.example/b"}"#,
            r#"{"alg":"ES256","typ":"passport"}"#,
            r#"{"alg":["ES256"],"typ":"passport","x5u":"https://c.example/a"}"#,
            r#"{"alg":"ES256","typ":"passport","x5u":"https://c.example/a","crit":["b64"],"b64":false}"#,
            r#"{"alg":"ES256","typ":"passport","x5u":"https://c.example/a"} "#.trim_end_matches("} "),
            r#"{"alg":"ES256","typ":"passport","x5u":"https://c.example/a"}}"#,
        ] {
            assert_eq!(read(header, CLAIMS), Err(Fault::Unreadable), "{header}");
        }
        let deep =
            format!("{},\"x\":{}{}}}", HEADER.trim_end_matches('}'), "[".repeat(4000), "]".repeat(4000));
        assert_eq!(read(&deep, CLAIMS), Err(Fault::Unreadable), "deep nesting");
        assert_eq!(signed(HEADER, CLAIMS, &[7; 64], ";ppt=div"), Err(Fault::Unreadable));
        let bare = HEADER.replace(r#""ppt":"shaken","#, "");
        assert_eq!(signed(&bare, CLAIMS, &[7; 64], ";ppt=shaken"), Err(Fault::Unreadable));
    }

    #[test]
    fn claims_that_are_not_to_the_letter_are_refused() {
        let change = |from: &str, to: &str| {
            assert!(CLAIMS.contains(from), "{from}");
            CLAIMS.replace(from, to)
        };
        for claims in [
            String::new(),
            "{}".to_owned(),
            change(r#""attest":"B","#, ""),
            change(r#""attest":"B""#, r#""attest":"D""#),
            change(r#""attest":"B""#, r#""attest":"b""#),
            change(r#""attest":"B""#, r#""attest":["B"]"#),
            change(r#""attest":"B""#, r#""attest":"C","attest":"A""#),
            change(r#","origid":"123e4567-e89b-12d3-a456-426655440000""#, ""),
            change("1443208345", "\"1443208345\""),
            change("1443208345", "1443208345.5"),
            change("1443208345", "-1"),
            change("1443208345", "1e999"),
            change(r#"["12155551213","+12155551214"]"#, r#""12155551213""#),
            change(r#"["12155551213","+12155551214"]"#, "[]"),
            change(r#"{"tn":"12155551212"}"#, r#"{"tn":["12155551212"]}"#),
            change(r#"{"tn":"12155551212"}"#, r#"{"tn":"12155551212","tn":"12155551299"}"#),
            change(r#"{"tn":"12155551212"}"#, r#"{"tn":"12155551212","uri":"sip:a@b"}"#),
            change(r#"{"tn":"12155551212"}"#, "{}"),
            change(r#""orig":"#, r#""orig":{"tn":"12155551299"},"orig":"#),
        ] {
            assert_eq!(read(HEADER, &claims), Err(Fault::Unreadable), "{claims}");
        }
    }

    #[test]
    fn what_is_no_number_in_canonical_form_is_nobodys() {
        for wrong in ["anonymous", "0", "", "+", "1215555121２", "1-215-555-1212", "++12155551212"] {
            let claims = CLAIMS.replace(r#""tn":"12155551212""#, &format!("\"tn\":\"{wrong}\""));
            assert_eq!(read(HEADER, &claims).unwrap().unwrap().from, None, "{wrong}");
        }
        let uri = CLAIMS.replace(r#""tn":"12155551212""#, r#""uri":"sip:alice@example.com""#);
        assert_eq!(read(HEADER, &uri).unwrap().unwrap().from, None);
    }

    #[test]
    fn a_signature_has_its_length_and_base64_no_liberties() {
        for length in [0, 63, 65, 70, 72] {
            assert_eq!(signed(HEADER, CLAIMS, &vec![7; length], ""), Err(Fault::Unreadable), "{length}");
        }
        for value in ["e30=.e30.AAAA", "e30.e3+.AAAA", "e30.e3 0.AAAA", "e31.e30.AAAA"] {
            let value = format!("{value};info=<https://c.example/a>");
            let field = Field::parse(value.as_bytes()).unwrap();
            assert_eq!(Passport::read(&field), Err(Fault::Unreadable), "{value}");
        }
    }
}
