//! What the phones' own octets prove: that each heard the other, and that nothing of either reached the other.

use std::collections::BTreeSet;
use std::net::IpAddr;

use phone::{Clothes, Datagram, Kind, Outcome, tone};
use sip::Message;

/// How far from the tone it was sent as a tone may be heard, in hertz and in dB.
const HERTZ: f32 = 3.0;
const DECIBELS: f32 = 3.0;
/// How loud a phone's tone is, in dB.
const SPOKEN: f32 = -10.0;
/// Where RTP's payload begins when there is nothing but a header.
const HEADER: usize = 12;

/// What one phone heard of the other.
pub(super) struct Hearing {
    pub(super) hertz: f32,
    pub(super) level: f32,
    pub(super) seconds: f32,
    /// Whether it is the other's voice.
    pub(super) is_right: bool,
}

impl Hearing {
    /// Measures what is expected to be a tone of `hertz`.
    pub(super) fn of(samples: &[i16], hertz: f32) -> Self {
        let (found, level) = tone::loudest(samples).unwrap_or((0.0, -120.0));
        #[expect(clippy::cast_precision_loss, reason = "a count of samples")]
        let seconds = samples.len() as f32 / 8_000.0;
        let is_right = (found - hertz).abs() <= HERTZ && (level - SPOKEN).abs() <= DECIBELS && seconds > 0.5;
        Self { hertz: found, level, seconds, is_right }
    }
}

/// What must not reach the other side.
pub(super) struct Canaries {
    /// Text, for SIP, RTP and RTCP.
    texts: BTreeSet<String>,
    /// Octets, for RTP and RTCP.
    octets: Vec<Vec<u8>>,
    /// Octets that may be in speech by chance: looked for where there is no speech.
    beside_speech: Vec<Vec<u8>>,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Search {
    pub(super) datagrams: usize,
    pub(super) bytes: usize,
    /// What leaked, in words.
    pub(super) leaks: BTreeSet<String>,
}

impl Canaries {
    /// Everything that is a phone's own, and everything in its dialog with the server.
    pub(super) fn of(number: &str, ip: IpAddr, clothes: &Clothes, outcome: &Outcome) -> Self {
        let number = number.trim_start_matches('+');
        let Clothes { display, subject, session, product, cname } = clothes;
        let mut texts = BTreeSet::from([number.to_owned(), number[1..].to_owned(), ip.to_string()]);
        texts.extend([display, subject, session, product, cname].map(Clone::clone));
        let traffic = &outcome.traffic;
        for datagram in traffic.sent.iter().chain(&traffic.received) {
            if datagram.kind == Kind::Sip
                && let Ok(message) = sip::parse(datagram.bytes.clone())
            {
                texts.extend(identifiers(&message));
            }
        }
        let ssrcs: BTreeSet<Vec<u8>> = of_kind(&traffic.sent, Kind::Rtp)
            .filter_map(|bytes| bytes.get(8..12))
            .map(<[u8]>::to_vec)
            .collect();
        let raw = match ip {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        Self { texts, octets: ssrcs.into_iter().collect(), beside_speech: vec![raw] }
    }

    pub(super) fn len(&self) -> usize {
        self.texts.len() + self.octets.len() + self.beside_speech.len()
    }

    /// Looks for all of them in everything the other side received.
    pub(super) fn search(&self, received: &[Datagram]) -> Search {
        let mut search = Search::default();
        for datagram in received {
            search.datagrams += 1;
            search.bytes += datagram.bytes.len();
            for text in self.texts.iter().filter(|text| has(&datagram.bytes, text.as_bytes())) {
                search.leaks.insert(format!("{text} in {:?}", datagram.kind));
            }
            let binary = datagram.kind != Kind::Sip;
            for octets in self.octets.iter().filter(|octets| binary && has(&datagram.bytes, octets)) {
                search.leaks.insert(format!("SSRC {octets:02x?} in {:?}", datagram.kind));
            }
            let quiet = match datagram.kind {
                Kind::Sip => &[],
                Kind::Rtp => &datagram.bytes[..HEADER.min(datagram.bytes.len())],
                Kind::Rtcp => &datagram.bytes[..],
            };
            for octets in self.beside_speech.iter().filter(|octets| has(quiet, octets)) {
                search.leaks.insert(format!("address {octets:?} in {:?}", datagram.kind));
            }
        }
        search
    }
}

/// Call-ID, tags, branches, and the name and number of a session.
fn identifiers(message: &Message) -> Vec<String> {
    let headers = message.headers();
    let mut found = vec![headers.call_id().to_owned()];
    found.extend([headers.from().tag(), headers.to().tag()].into_iter().flatten().map(str::to_owned));
    let branches = headers.vias().filter_map(|via| via.params().get("branch"));
    found.extend(branches.map(|branch| String::from_utf8_lossy(&branch).into_owned()));
    let body = String::from_utf8_lossy(message.body());
    let origin = body.lines().find_map(|line| line.strip_prefix("o="));
    found.extend(origin.and_then(|origin| origin.split(' ').nth(1)).map(str::to_owned));
    // What is no longer than a word is found by chance.
    found.retain(|word| word.len() >= 6);
    found
}

fn of_kind(datagrams: &[Datagram], kind: Kind) -> impl Iterator<Item = &[u8]> {
    datagrams.iter().filter(move |datagram| datagram.kind == kind).map(|datagram| &datagram.bytes[..])
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn datagram(kind: Kind, bytes: &[u8]) -> Datagram {
        Datagram { at: Instant::now(), kind, bytes: bytes.to_vec().into() }
    }

    fn canaries() -> Canaries {
        let clothes = Clothes {
            display: "Ivan".into(),
            subject: "Flowers".into(),
            session: "ivans".into(),
            product: "Phone/7".into(),
            cname: "ivan@home".into(),
        };
        let mut outcome = Outcome::default();
        let text =
            b"BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKzzz\r\nFrom: <sip:a@b>;tag=fromtag\r\n\
            To: <sip:c@d>;tag=totag1\r\nCall-ID: callid1\r\nCSeq: 1 BYE\r\n\r\n";
        outcome.traffic.sent.push(datagram(Kind::Sip, text));
        outcome.traffic.sent.push(datagram(Kind::Rtp, &[0x80, 8, 0, 1, 0, 0, 0, 1, 9, 8, 7, 6, 1]));
        Canaries::of("+79991112233", "127.0.0.11".parse().unwrap(), &clothes, &outcome)
    }

    #[test]
    fn every_canary_is_found_where_it_leaks() {
        let canaries = canaries();
        for text in
            ["9991112233", "127.0.0.11", "Ivan", "Flowers", "fromtag", "totag1", "callid1", "z9hG4bKzzz"]
        {
            let search = canaries.search(&[datagram(Kind::Sip, format!("X: <{text}>").as_bytes())]);
            assert!(!search.leaks.is_empty(), "{text}");
        }
        assert_eq!(canaries.search(&[datagram(Kind::Rtcp, b"..ivan@home..")]).leaks.len(), 1);
        assert_eq!(canaries.search(&[datagram(Kind::Rtp, &[0, 9, 8, 7, 6])]).leaks.len(), 1);
        assert_eq!(canaries.search(&[datagram(Kind::Rtcp, &[0, 127, 0, 0, 11])]).leaks.len(), 1);
        let clean = canaries.search(&[datagram(Kind::Sip, b"From: <sip:+78005550101@127.0.0.1>;tag=x")]);
        assert!(clean.leaks.is_empty() && clean.datagrams == 1 && clean.bytes == 40, "{clean:?}");
    }

    #[test]
    fn silence_and_another_tone_are_not_the_others_voice() {
        assert!(!Hearing::of(&[0; 8000], 700.0).is_right);
        assert!(!Hearing::of(&[], 700.0).is_right);
    }
}
