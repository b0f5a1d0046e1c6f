//! What leaves of a message that was kept: nothing that proves who somebody is or opens what they say, and telephone numbers as
//! `privacy.numbers` has them.

use std::net::Ipv4Addr;

use api::{Privacy, TracedMessage};
use number::{Number, Plan};
use sip::Message;

use super::{Kept, Seen, plain};

/// Header fields whose values stand for a password (RFC 3261 §22, RFC 7616 §3.5): who has many of them can try passwords. And
/// PASSporTs that prove who calls (RFC 8224 §12.1): whoever has a fresh one can say so as well, and in base64 no number can be masked.
const SECRET: [&str; 6] = [
    "authorization",
    "proxy-authorization",
    "authentication-info",
    "proxy-authentication-info",
    "identity",
    "y",
];
/// Lines of a session description that hold keys (RFC 4568, RFC 8866 §5.12, RFC 8839 §5.4).
const KEYS: [&str; 3] = ["a=crypto:", "k=", "a=ice-pwd:"];
/// Header fields that are numbers, and never telephone numbers.
const COUNTS: [&str; 11] = [
    "cseq",
    "max-forwards",
    "expires",
    "session-expires",
    "x",
    "min-se",
    "retry-after",
    "rseq",
    "rack",
    "timestamp",
    "date",
];
/// What stands where something was cut out.
const CUT: &str = "(cut)";
/// Digits in a row from which on they are taken for a telephone number.
const LEAST: usize = 7;

/// How messages are shown.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) privacy: Privacy,
    /// Whose national numbers are understood.
    pub(crate) plan: Plan,
}

impl Shown {
    /// What is kept of a call as it may leave. `epoch_us`: what the wall clock showed at `Instant::ZERO`.
    pub(crate) fn trace(&self, kept: &Kept, epoch_us: u64) -> api::Trace {
        let messages = kept.messages.iter().filter_map(|seen| self.message(seen, epoch_us)).collect();
        api::Trace { messages, lost: kept.lost, identity: kept.identity }
    }

    /// As [`Self::trace`], for those who may not see telephone numbers.
    pub(crate) fn plain(&self, kept: &Kept, epoch_us: u64) -> api::Trace {
        let message = |seen: &Seen| {
            let read = sip::parse(seen.bytes.clone()).ok()?;
            let shown = self.message(seen, epoch_us)?;
            let method = plain::method(&shown.method).to_owned();
            Some(TracedMessage { method, text: plain::told(&read, self.plan), ..shown })
        };
        let messages = kept.messages.iter().filter_map(message).collect();
        api::Trace { messages, lost: kept.lost, identity: kept.identity }
    }

    pub(super) fn message(&self, seen: &Seen, epoch_us: u64) -> Option<TracedMessage> {
        // Of what cannot be read nothing can be cut; no leg has such a message.
        let message = sip::parse(seen.bytes.clone()).ok()?;
        let (method, status) = match &message {
            Message::Request(request) => (request.method(), None),
            Message::Response(response) => {
                (&response.headers().cseq().method, Some(response.status().code()))
            }
        };
        Some(TracedMessage {
            at_us: epoch_us.saturating_add(u64::try_from(seen.at.0.as_micros()).unwrap_or(u64::MAX)),
            leg: seen.leg,
            incoming: seen.incoming,
            transport: seen.transport.as_str(),
            ours: seen.ours,
            theirs: seen.theirs,
            method: method.as_str().to_owned(),
            status,
            text: self.text(&message, &String::from_utf8_lossy(&seen.bytes)),
        })
    }

    fn text(&self, message: &Message, whole: &str) -> String {
        let body = self.body(&String::from_utf8_lossy(message.body()));
        let start = whole.trim_start_matches(['\r', '\n']).lines().next().unwrap_or_default();
        let mut text = self.masked(start) + "\r\n";
        for (name, value) in message.headers().iter() {
            let lower = name.to_ascii_lowercase();
            let value = String::from_utf8_lossy(value);
            let value = match lower.as_str() {
                secret if SECRET.contains(&secret) => CUT.to_owned(),
                "content-length" | "l" => body.len().to_string(),
                count if COUNTS.contains(&count) => value.into_owned(),
                _ => self.masked(&value),
            };
            text += &format!("{name}: {value}\r\n");
        }
        text + "\r\n" + &body
    }

    fn body(&self, body: &str) -> String {
        let line = |line: &str| {
            let end = line.trim_end_matches(['\r', '\n']).len();
            let lower = line.trim_start().to_ascii_lowercase();
            match KEYS.into_iter().find(|key| lower.starts_with(key)) {
                Some(key) => format!("{key}{CUT}{}", &line[end..]),
                None => self.masked(line),
            }
        };
        body.split_inclusive(['\r', '\n']).map(line).collect()
    }

    /// The text with whatever may be a telephone number masked: rather too much than too little.
    fn masked(&self, text: &str) -> String {
        if self.privacy == Privacy::Full {
            return text.to_owned();
        }
        let mut masked = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(begin) = rest.find(|c: char| c == '+' || c.is_ascii_digit()) {
            masked += &rest[..begin];
            rest = &rest[begin..];
            let part = |(at, c): (usize, char)| c.is_ascii_digit() || "-.()".contains(c) || at == 0;
            let run = rest.char_indices().take_while(|place| part(*place)).count();
            let run = rest[..run].trim_end_matches(|c: char| !c.is_ascii_digit() && c != '+');
            masked += &self.run(run);
            rest = &rest[run.len()..];
        }
        masked + rest
    }

    /// Digits and what stands between them.
    fn run(&self, run: &str) -> String {
        let digits: String = run.chars().filter(char::is_ascii_digit).collect();
        if digits.len() < LEAST || run.parse::<Ipv4Addr>().is_ok() {
            return run.to_owned();
        }
        let international = || Number::parse(&format!("+{digits}")).ok();
        let number = if run.starts_with('+') {
            international()
        } else {
            self.plan.parse(&digits).ok().or_else(international)
        };
        number.map_or_else(|| "***".to_owned(), |number| self.privacy.show(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Limits, Trace};
    use b2bua::{CallId, LegId};
    use bytes::Bytes;
    use clock::Instant;
    use sip::{Flow, Transport};

    const INVITE: &str = "INVITE sip:89992222222@192.0.2.100:5060;user=phone SIP/2.0\r\n\
        Via: SIP/2.0/UDP 198.51.100.107:5060;branch=z9hG4bK1;rport\r\n\
        From: \"8 999\" <sip:+79991111111@198.51.100.7>;tag=1\r\n\
        To: <tel:+7-999-222-22-22>\r\n\
        Call-ID: a-79991111111\r\n\
        CSeq: 1234567890 INVITE\r\n\
        Max-Forwards: 70\r\n\
        Proxy-Authorization: Digest username=\"u\",\r\n response=\"deadbeef\"\r\n\
        authorization:Digest response=\"deadbeef\"\r\n\
        Content-Type: application/sdp\r\n\
        Content-Length: 121\r\n\r\n\
        v=0\r\no=- 1 1 IN IP4 198.51.100.107\r\ns=-\r\nt=0 0\r\n\
        a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0\r\nA=CRYPTO:2 c2VjcmV0\r\n";

    fn shown(privacy: Privacy) -> TracedMessage {
        let limits = Limits { calls: 1, messages: 1, keep: std::time::Duration::ZERO };
        let mut trace = Trace::new(limits, vec!["192.0.2.1:5060".parse().unwrap()], None);
        let peer = "198.51.100.7:5060".parse().unwrap();
        let flow = Flow { listener: 0, transport: Transport::Udp, peer, connection: None };
        let at = Instant(std::time::Duration::from_micros(5));
        trace.belongs(LegId(1), CallId(1), None);
        trace.heard(LegId(1), at, flow, &Bytes::from_static(INVITE.as_bytes()));
        let shown = Shown { privacy, plan: Plan::of("RU").unwrap() };
        shown.trace(&trace.of(CallId(1)).unwrap(), 1_000).messages.remove(0)
    }

    #[test]
    fn credentials_and_keys_are_cut_out_whatever_the_setting_is() {
        for privacy in [Privacy::Full, Privacy::Last4] {
            let message = shown(privacy);
            assert_eq!((message.at_us, message.method.as_str(), message.status), (1_005, "INVITE", None));
            let text = message.text;
            assert!(!text.contains("deadbeef") && !text.contains("c2VjcmV0"), "{text}");
            for line in [
                "Proxy-Authorization: (cut)\r\n",
                "authorization: (cut)\r\n",
                "a=crypto:(cut)\r\na=crypto:(cut)\r\n",
            ] {
                assert!(text.contains(line), "{text}");
            }
            let body = text.split_once("\r\n\r\n").unwrap().1;
            assert!(text.contains(&format!("Content-Length: {}\r\n", body.len())), "{text}");
            assert!(sip::parse(text.into()).is_ok());
        }
    }

    #[test]
    fn numbers_are_masked_as_the_setting_says_in_every_form_and_nothing_else_is() {
        let text = shown(Privacy::Full).text;
        assert!(
            text.contains("INVITE sip:89992222222@") && text.contains("<tel:+7-999-222-22-22>"),
            "{text}"
        );
        let text = shown(Privacy::Last4).text;
        for line in [
            "INVITE sip:***2222@192.0.2.100:5060;user=phone SIP/2.0\r\n",
            "Via: SIP/2.0/UDP 198.51.100.107:5060;branch=z9hG4bK1;rport\r\n",
            "<sip:***1111@198.51.100.7>;tag=1\r\n",
            "To: <tel:***2222>\r\n",
            "Call-ID: a-***1111\r\n",
            "CSeq: 1234567890 INVITE\r\n",
            "o=- 1 1 IN IP4 198.51.100.107\r\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        let key = Privacy::Hashed(b"key".as_slice().into());
        let hashed = key.show(Number::parse("+79992222222").unwrap());
        let text = shown(key).text;
        assert_eq!(text.matches(&hashed).count(), 2, "the same number is the same word: {text}");
        assert!(!text.contains("9992222222") && !text.contains("222-22-22"), "{text}");
    }

    #[test]
    fn digits_are_masked_wherever_they_stand() {
        let shown = Shown { privacy: Privacy::Last4, plan: Plan::of("RU").unwrap() };
        for (text, masked) in [
            ("", ""),
            ("+", "+"),
            ("+ +1", "+ +1"),
            ("8(999)111-22-33, 123456", "***2233, 123456"),
            ("é+79991112233é", "é***2233é"),
            ("192.0.2.1:5060 [2001:db8::1]", "192.0.2.1:5060 [2001:db8::1]"),
            ("00000000000000000000000", "***"),
        ] {
            assert_eq!(shown.masked(text), masked);
        }
    }
}
