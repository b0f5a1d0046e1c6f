//! Challenges and credentials: WWW-Authenticate, Proxy-Authenticate, Authorization, Proxy-Authorization
//! (RFC 3261 §20.7, §20.44). One stands on a line: their commas divide parameters.

use std::borrow::Cow;

use super::list::Items;
use crate::grammar::{ascii, take_lws, take_token, trim, trim_start};
use crate::limits;
use crate::params::unquote;

/// A challenge, or credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Auth<'a> {
    /// `Digest`, in any case, or another scheme.
    pub scheme: &'a str,
    params: &'a [u8],
}

impl<'a> Auth<'a> {
    /// Reads a line. Every parameter must have a name and a value, and no name may come twice: of two nonces or
    /// realms another reader may take the other.
    pub(crate) fn read(line: &'a [u8]) -> Option<Self> {
        let (scheme, rest) = take_token(trim(line))?;
        let (blank, params) = take_lws(rest);
        let auth = Self { scheme: ascii(scheme), params };
        let sound = Items::new(std::iter::once(params)).enumerate().all(|(place, item)| {
            let name = split(item).map(|(name, _)| name).filter(|_| place < limits::PARAMS);
            name.is_some_and(|name| {
                !auth.iter().take(place).any(|(other, _)| other.eq_ignore_ascii_case(name))
            })
        });
        (sound && !blank.is_empty() && !params.is_empty()).then_some(auth)
    }

    /// The value of a parameter, its name in any case, without quotes.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'a, [u8]>> {
        self.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| unquote(value))
    }

    fn iter(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + use<'a> {
        Items::new(std::iter::once(self.params)).filter_map(split)
    }
}

fn split(param: &[u8]) -> Option<(&str, &[u8])> {
    let (name, rest) = take_token(param)?;
    let value = trim_start(trim_start(rest).strip_prefix(b"=")?);
    (!value.is_empty()).then(|| (ascii(name), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_in_any_case_and_without_quotes() {
        let line =
            br#"Digest  realm="a, \"b\"" , Nonce="x==",stale = TRUE, qop="auth,auth-int",algorithm=MD5"#;
        let auth = Auth::read(line).unwrap();
        assert_eq!(auth.scheme, "Digest");
        let get = |name| auth.get(name).map(|value| String::from_utf8(value.into_owned()).unwrap());
        assert_eq!(get("realm").as_deref(), Some("a, \"b\""));
        assert_eq!(get("nonce").as_deref(), Some("x=="));
        assert_eq!(get("stale").as_deref(), Some("TRUE"));
        assert_eq!(get("qop").as_deref(), Some("auth,auth-int"));
        assert_eq!(get("opaque"), None);
    }

    #[test]
    fn what_two_readers_could_read_in_two_ways_is_not_read() {
        for line in
            ["", "Digest", "Digest ", "Digest realm", "Digest realm=", "Digest nonce=a, nonce=b", "Digest =a"]
        {
            assert_eq!(Auth::read(line.as_bytes()), None, "{line}");
        }
        let params = |count: usize| (0..count).map(|i| format!("p{i}=x,")).collect::<String>();
        assert!(Auth::read(format!("Digest {}", params(limits::PARAMS)).as_bytes()).is_some());
        assert!(Auth::read(format!("Digest {}", params(limits::PARAMS + 1)).as_bytes()).is_none());
        assert!(Auth::read(b"NoOneKnowsThisScheme opaque-data=here").is_some());
    }
}
