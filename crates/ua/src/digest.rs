//! Answers to challenges (RFC 3261 §22; RFC 7616; RFC 8760): whose they are, to whom they are given, and how often.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use md5::Md5;
use sha2::{Sha256, Sha512_256};
use sip::{Auth, Compose, Flow, Method, Name, Response, Status};

use crate::chance::Chance;

/// What we are known by at one trunk. Its password shows itself in no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user's name.
    pub username: Box<str>,
    /// The shared secret.
    pub password: Box<str>,
    /// The only realm that is answered; any where it is `None`.
    pub realm: Option<Box<str>>,
    /// Whether a challenge that knows nothing better than MD5 is answered.
    pub md5: bool,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Header fields with credentials, as they go into one request.
pub(crate) type Lines = Vec<(Name, String)>;

/// How challenges are answered within one dialog, or for one registration. They are answered only to the address
/// the first request went to: whoever else asks gets nothing, or anyone on the way could have us compute for them.
#[derive(Debug, Clone)]
pub(crate) struct Digest {
    credentials: Arc<Credentials>,
    home: IpAddr,
    known: Vec<Known>,
}

/// The last challenge of one challenger, and what became of it.
#[derive(Debug, Clone)]
struct Known {
    by: Challenger,
    challenge: Challenge,
    /// How often its nonce was used (nc).
    uses: u32,
    /// How often the request at hand was challenged by this one.
    asked: u8,
}

/// Who wants to know who we are (RFC 3261 §22.2, §22.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Challenger {
    EndServer,
    Proxy,
}

impl Challenger {
    fn of(status: Status) -> Option<Self> {
        match status.code() {
            401 => Some(Self::EndServer),
            407 => Some(Self::Proxy),
            _ => None,
        }
    }

    fn asks(self) -> Name {
        match self {
            Self::EndServer => Name::WwwAuthenticate,
            Self::Proxy => Name::ProxyAuthenticate,
        }
    }

    fn hears(self) -> Name {
        match self {
            Self::EndServer => Name::Authorization,
            Self::Proxy => Name::ProxyAuthorization,
        }
    }
}

/// Hash functions, the weakest first (RFC 8760 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Algorithm {
    Md5,
    Sha256,
    Sha512,
}

impl Algorithm {
    const ALL: [Self; 3] = [Self::Md5, Self::Sha256, Self::Sha512];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
            Self::Sha512 => "SHA-512-256",
        }
    }

    pub(crate) fn hash(self, parts: &[&[u8]]) -> String {
        match self {
            Self::Md5 => hash::<Md5>(parts),
            Self::Sha256 => hash::<Sha256>(parts),
            Self::Sha512 => hash::<Sha512_256>(parts),
        }
    }
}

/// The hash of these parts with colons between them, in hexadecimal digits.
fn hash<H: sha2::Digest>(parts: &[&[u8]]) -> String {
    let mut hash = H::new();
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            hash.update(b":");
        }
        hash.update(part);
    }
    let mut text = String::new();
    for octet in hash.finalize() {
        text.extend(
            [octet >> 4, octet & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])),
        );
    }
    text
}

/// What is protected beside the credentials (RFC 7616 §3.4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protection {
    /// No qop: the rules of RFC 2069.
    Old,
    Auth,
    AuthInt,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    /// Whether the challenge names its algorithm: then the answer does.
    is_named: bool,
    protection: Protection,
    stale: bool,
}

impl Challenge {
    /// `None` where it is not understood, or lacks what it must have.
    fn read(auth: &Auth<'_>) -> Option<Self> {
        if !auth.scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let text = |name| auth.get(name).and_then(|value| String::from_utf8(value.into_owned()).ok());
        let named = text("algorithm");
        let algorithm = match &named {
            Some(word) => Algorithm::ALL.into_iter().find(|one| word.eq_ignore_ascii_case(one.word()))?,
            None => Algorithm::Md5,
        };
        let protection = match text("qop") {
            None => Protection::Old,
            Some(words) => {
                let has = |word: &str| words.split(',').any(|one| one.trim().eq_ignore_ascii_case(word));
                match (has("auth"), has("auth-int")) {
                    (true, _) => Protection::Auth,
                    (false, true) => Protection::AuthInt,
                    (false, false) => return None,
                }
            }
        };
        Some(Self {
            realm: text("realm")?,
            nonce: text("nonce")?,
            opaque: text("opaque"),
            algorithm,
            is_named: named.is_some(),
            protection,
            stale: text("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }
}

impl Digest {
    /// For requests to the address of `home`.
    pub(crate) fn new(credentials: &Arc<Credentials>, home: Flow) -> Self {
        Self { credentials: Arc::clone(credentials), home: home.peer.ip(), known: Vec::new() }
    }

    /// A new request begins: it may be challenged though the one before was not, or its nonce has become too old.
    pub(crate) fn begin(&mut self) {
        for known in &mut self.known {
            known.asked = 0;
        }
    }

    /// Whether the request that got this response is to be sent again with credentials. A request is answered for
    /// once, and once more where the challenger says that only the nonce was too old: whoever refuses a right answer
    /// with ever new nonces would keep us busy for ever.
    pub(crate) fn learn(&mut self, response: &Response, from: Flow) -> bool {
        let Some(by) = Challenger::of(response.status()).filter(|_| from.peer.ip() == self.home) else {
            return false;
        };
        let offered = response.headers().auths(by.asks()).filter_map(|auth| Challenge::read(&auth));
        let wanted = offered.filter(|challenge| self.answers(challenge));
        // Of several the strongest; of equals the first (RFC 8760 §2.4).
        let Some(challenge) =
            wanted.reduce(|best, next| if next.algorithm > best.algorithm { next } else { best })
        else {
            return false;
        };
        let Some(known) = self.known.iter_mut().find(|known| known.by == by) else {
            self.known.push(Known { by, challenge, uses: 0, asked: 1 });
            return true;
        };
        let is_new = known.challenge.nonce != challenge.nonce;
        let is_answered = match known.asked {
            0 => is_new || challenge.stale,
            1 => challenge.stale,
            _ => false,
        };
        if is_answered {
            if is_new {
                known.uses = 0;
            }
            known.challenge = challenge;
            known.asked += 1;
        }
        is_answered
    }

    fn answers(&self, challenge: &Challenge) -> bool {
        let realm = self.credentials.realm.as_deref();
        realm.is_none_or(|realm| realm == challenge.realm)
            && (self.credentials.md5 || challenge.algorithm != Algorithm::Md5)
    }

    /// The credentials for a request that goes to `to`, none where nobody has asked for any yet.
    pub(crate) fn lines(
        &mut self,
        method: &Method,
        uri: &str,
        body: &[u8],
        to: Flow,
        chance: &mut Chance,
    ) -> Lines {
        if to.peer.ip() != self.home {
            return Lines::new();
        }
        let credentials = &self.credentials;
        let known = self.known.iter_mut();
        known
            .map(|known| {
                known.uses = known.uses.saturating_add(1);
                let cnonce = chance.token();
                let request = Asked { method: method.as_str(), uri, body };
                (
                    known.by.hears(),
                    answer(credentials, &known.challenge, known.uses, cnonce.as_str(), &request),
                )
            })
            .collect()
    }
}

/// Writes credentials into a request.
pub(crate) fn with(compose: Compose, lines: &Lines) -> Compose {
    lines.iter().fold(compose, |compose, (name, value)| compose.header(*name, value))
}

/// What proves an account: never a password itself (RFC 7616 §3.4.1).
pub(crate) struct Proof<'a> {
    pub(crate) username: &'a str,
    pub(crate) password: &'a str,
    pub(crate) realm: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) algorithm: Algorithm,
}

impl Proof<'_> {
    /// The response for a request whose method and URI hash to `asked`; `qop` with count and cnonce, where there is one.
    pub(crate) fn response(&self, qop: Option<(&str, &str, &str)>, asked: &str) -> String {
        let hash = |parts: &[&[u8]]| self.algorithm.hash(parts);
        let user = hash(&[self.username.as_bytes(), self.realm.as_bytes(), self.password.as_bytes()]);
        let (user, nonce, asked) = (user.as_bytes(), self.nonce.as_bytes(), asked.as_bytes());
        match qop {
            None => hash(&[user, nonce, asked]),
            Some((qop, count, cnonce)) => {
                hash(&[user, nonce, count.as_bytes(), cnonce.as_bytes(), qop.as_bytes(), asked])
            }
        }
    }
}

struct Asked<'a> {
    method: &'a str,
    uri: &'a str,
    body: &'a [u8],
}

/// RFC 7616 §3.4.
fn answer(
    credentials: &Credentials,
    challenge: &Challenge,
    uses: u32,
    cnonce: &str,
    request: &Asked<'_>,
) -> String {
    let Challenge { realm, nonce, opaque, algorithm, protection, .. } = challenge;
    let count = format!("{uses:08x}");
    let hash = |parts: &[&[u8]]| algorithm.hash(parts);
    let plain: [&[u8]; 2] = [request.method.as_bytes(), request.uri.as_bytes()];
    let (qop, asked) = match protection {
        Protection::Old => (None, hash(&plain)),
        Protection::Auth => (Some("auth"), hash(&plain)),
        Protection::AuthInt => {
            let body = hash(&[request.body]);
            (Some("auth-int"), hash(&[plain[0], plain[1], body.as_bytes()]))
        }
    };
    let (username, password) = (&*credentials.username, &*credentials.password);
    let proof = Proof { username, password, realm, nonce, algorithm: *algorithm };
    let response = proof.response(qop.map(|qop| (qop, count.as_str(), cnonce)), &asked);
    let mut text = format!(
        "Digest username={}, realm={}, nonce={}, uri={}, response=\"{response}\"",
        quoted(&credentials.username),
        quoted(realm),
        quoted(nonce),
        quoted(request.uri)
    );
    if challenge.is_named {
        text.push_str(", algorithm=");
        text.push_str(algorithm.word());
    }
    if let Some(opaque) = opaque {
        text.push_str(", opaque=");
        text.push_str(&quoted(opaque));
    }
    if let Some(qop) = qop {
        text.push_str(&format!(", qop={qop}, nc={count}, cnonce=\"{cnonce}\""));
    }
    text
}

/// A quoted-string (RFC 3261 §25.1).
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        if matches!(letter, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip::{Message, Transport};

    const HOME: Flow = Flow {
        listener: 0,
        transport: Transport::Udp,
        peer: std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7)), 5060),
        connection: None,
    };

    fn digest(realm: Option<&str>, md5: bool) -> Digest {
        let credentials = Credentials {
            username: "Mufasa".into(),
            password: "Circle of Life".into(),
            realm: realm.map(Into::into),
            md5,
        };
        Digest::new(&Arc::new(credentials), HOME)
    }

    fn response(status: u16, lines: &[&str]) -> Response {
        let challenges: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let text = format!(
            "SIP/2.0 {status} No\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n{challenges}\r\n"
        );
        match sip::parse(text.into()).unwrap() {
            Message::Response(response) => response,
            Message::Request(_) => unreachable!("a response was written"),
        }
    }

    fn asks(nonce: &str, more: &str) -> Response {
        response(401, &[&format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"{nonce}\"{more}")])
    }

    /// The parameters of the only credentials.
    fn given(digest: &mut Digest) -> String {
        let mut chance = Chance::new([1; 32]);
        let lines = digest.lines(&Method::Invite, "sip:a@b", b"", HOME, &mut chance);
        assert_eq!(lines.len(), 1);
        lines[0].1.clone()
    }

    #[test]
    fn answers_are_those_of_the_examples_in_rfc_7616() {
        let challenge = |algorithm, nonce: &str| Challenge {
            realm: "http-auth@example.org".into(),
            nonce: nonce.into(),
            opaque: Some("FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS".into()),
            algorithm,
            is_named: true,
            protection: Protection::Auth,
            stale: false,
        };
        let credentials = digest(None, true).credentials;
        let request = Asked { method: "GET", uri: "/dir/index.html", body: b"" };
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        // RFC 7616 §3.9.1.
        for (algorithm, expected) in [
            (Algorithm::Md5, "response=\"8ca523f5e9506fed4657c9700eebdbec\", algorithm=MD5"),
            (
                Algorithm::Sha256,
                "response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\", algorithm=SHA-256",
            ),
        ] {
            let challenge = challenge(algorithm, "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v");
            let text = answer(&credentials, &challenge, 1, cnonce, &request);
            assert!(text.contains(expected), "{text}");
            assert!(text.ends_with(&format!("qop=auth, nc=00000001, cnonce=\"{cnonce}\"")), "{text}");
        }
        // FIPS 180-4: RFC 7616 §3.9.2 has errata, so the function alone.
        assert_eq!(
            hash::<Sha512_256>(&[b"abc"]),
            "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"
        );
    }

    #[test]
    fn without_qop_there_is_neither_count_nor_cnonce_and_with_auth_int_the_body_counts() {
        let mut old = digest(None, true);
        assert!(old.learn(&asks("n", ""), HOME));
        let text = given(&mut old);
        assert!(!text.contains("nc=") && !text.contains("qop") && !text.contains("algorithm"), "{text}");
        let mut whole = digest(None, true);
        assert!(whole.learn(&asks("n", ", qop=\"auth-int\""), HOME));
        let mut with_body = whole.clone();
        let said = |digest: &mut Digest, body| {
            digest.lines(&Method::Invite, "sip:a@b", body, HOME, &mut Chance::new([1; 32])).remove(0).1
        };
        let (one, other) = (said(&mut whole, b"v=0"), said(&mut with_body, b"v=1"));
        assert!(one.contains("qop=auth-int") && one != other, "{one}");
    }

    #[test]
    fn of_several_challenges_the_strongest_that_is_understood_is_answered() {
        let several = response(
            407,
            &[
                "Proxy-Authenticate: Digest realm=\"r\", nonce=\"a\", qop=\"auth\", algorithm=MD5",
                "Proxy-Authenticate: Digest realm=\"r\", nonce=\"b\", qop=\"auth\", algorithm=SHA-256",
                "Proxy-Authenticate: Digest realm=\"r\", nonce=\"c\", qop=\"auth\", algorithm=SHA3-512",
                "Proxy-Authenticate: Bearer realm=\"r\"",
            ],
        );
        let mut digest = digest(None, true);
        assert!(digest.learn(&several, HOME));
        let mut chance = Chance::new([1; 32]);
        let lines = digest.lines(&Method::Invite, "sip:a@b", b"", HOME, &mut chance);
        assert_eq!(lines[0].0, Name::ProxyAuthorization);
        assert!(lines[0].1.contains("nonce=\"b\"") && lines[0].1.contains("algorithm=SHA-256"), "{lines:?}");
    }

    #[test]
    fn another_realm_another_address_and_md5_where_it_is_forbidden_get_nothing() {
        assert!(!digest(Some("R"), true).learn(&asks("n", ""), HOME), "the realm counts by the letter");
        assert!(digest(Some("r"), true).learn(&asks("n", ""), HOME));
        assert!(!digest(None, false).learn(&asks("n", ", algorithm=MD5"), HOME));
        assert!(!digest(None, false).learn(&asks("n", ""), HOME));
        assert!(digest(None, false).learn(&asks("n", ", algorithm=SHA-256, qop=\"auth\""), HOME));
        let elsewhere = Flow { peer: "203.0.113.1:5060".parse().unwrap(), ..HOME };
        let mut digest = digest(None, true);
        assert!(!digest.learn(&asks("n", ""), elsewhere));
        assert!(digest.learn(&asks("n", ""), HOME));
        let mut chance = Chance::new([1; 32]);
        assert_eq!(digest.lines(&Method::Bye, "sip:a@b", b"", elsewhere, &mut chance), []);
    }

    #[test]
    fn a_request_is_answered_for_once_and_once_more_where_the_nonce_was_stale() {
        let mut digest = digest(None, true);
        assert!(digest.learn(&asks("1", ", qop=\"auth\""), HOME));
        assert!(given(&mut digest).contains("nc=00000001"));
        assert!(!digest.learn(&asks("2", ", qop=\"auth\""), HOME), "a new nonce alone is no reason");
        assert!(digest.learn(&asks("2", ", qop=\"auth\", stale=TRUE"), HOME));
        assert!(given(&mut digest).contains("nonce=\"2\""));
        assert!(!digest.learn(&asks("3", ", qop=\"auth\", stale=true"), HOME), "nor for ever");
    }

    #[test]
    fn the_next_request_uses_the_nonce_again_and_takes_a_new_one_though_nobody_says_stale() {
        let mut digest = digest(None, true);
        assert!(digest.learn(&asks("1", ", qop=\"auth\""), HOME));
        given(&mut digest);
        digest.begin();
        let text = given(&mut digest);
        assert!(text.contains("nonce=\"1\"") && text.contains("nc=00000002"), "{text}");
        assert!(
            !digest.clone().learn(&asks("1", ", qop=\"auth\""), HOME),
            "the same nonce: it is the password"
        );
        assert!(digest.learn(&asks("2", ", qop=\"auth\""), HOME));
        assert!(given(&mut digest).contains("nc=00000001"));
    }

    #[test]
    fn what_stands_in_quotes_is_escaped_and_no_debug_shows_the_password() {
        assert_eq!(quoted(r#"a"b\c"#), r#""a\"b\\c""#);
        assert!(!format!("{:?}", digest(None, true)).contains("Circle"));
    }
}
