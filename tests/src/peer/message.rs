//! SIP messages as text (RFC 3261 §7), read leniently and written plainly.

use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};

/// A request or a response.
#[derive(Debug, Clone)]
pub struct Message {
    /// Request line or status line.
    pub start: String,
    /// Names in lower case and in long form, values trimmed.
    pub headers: Vec<(String, String)>,
    /// The body, as text.
    pub body: String,
    /// Who sent it.
    pub from: SocketAddr,
}

impl Message {
    /// Reads a whole message; `None` if it is none.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let start = lines.next().filter(|line| line.contains("SIP/2.0"))?.to_owned();
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| {
                (long(&name.trim().to_ascii_lowercase()).to_owned(), value.trim().to_owned())
            })
            .collect();
        let from = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        Some(Self { start, headers, body: body.to_owned(), from })
    }

    /// First value of a header, by its long name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// All values of a header.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// A header that every message has; empty where this one is broken.
    fn always(&self, name: &str) -> &str {
        self.header(name).unwrap_or_default()
    }

    /// Method of a request.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        self.status().is_none().then(|| self.start.split(' ').next().unwrap_or_default())
    }

    /// Request-URI of a request.
    #[must_use]
    pub fn uri(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }

    /// Whether it is a request with this method.
    #[must_use]
    pub fn is_request(&self, method: &str) -> bool {
        self.method() == Some(method)
    }

    /// Status of a response.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.split(' ').next()?.parse().ok()
    }

    /// Whether it is a response to a request with this method.
    #[must_use]
    pub fn answers(&self, method: &str) -> bool {
        self.status().is_some() && self.cseq_method() == method
    }

    /// Call-ID.
    #[must_use]
    pub fn call_id(&self) -> &str {
        self.always("call-id")
    }

    /// Number of CSeq; 0 where it has none that fits.
    #[must_use]
    pub fn cseq(&self) -> u32 {
        let number = self.always("cseq").split(' ').next().and_then(|number| number.parse().ok());
        number.unwrap_or_default()
    }

    /// Method of CSeq.
    #[must_use]
    pub fn cseq_method(&self) -> &str {
        self.always("cseq").rsplit(' ').next().unwrap_or_default()
    }

    /// Tag of To.
    #[must_use]
    pub fn to_tag(&self) -> Option<&str> {
        parameter(self.always("to"), "tag")
    }

    /// Tag of From.
    #[must_use]
    pub fn from_tag(&self) -> Option<&str> {
        parameter(self.always("from"), "tag")
    }

    /// User part of the URI in a header.
    #[must_use]
    pub fn user(&self, header: &str) -> Option<&str> {
        let value = self.header(header)?;
        let uri = value.split_once("sip:").or_else(|| value.split_once("tel:"))?.1;
        uri.split(['@', '>', ';']).next()
    }

    /// URI of Contact.
    #[must_use]
    pub fn contact(&self) -> Option<&str> {
        let value = self.header("contact")?;
        match value.split_once('<') {
            Some((_, rest)) => rest.split('>').next(),
            None => value.split(';').next(),
        }
    }

    /// What a retransmission has in common with the first: the transaction and, of a response, status and tag.
    #[must_use]
    pub fn identity(&self) -> String {
        let branch = parameter(self.always("via"), "branch").unwrap_or_default();
        let start = self.status().map_or(self.cseq_method().to_owned(), |status| {
            format!("{status} {} {} {}", self.cseq(), self.cseq_method(), self.to_tag().unwrap_or_default())
        });
        format!("{start} {branch} {}", self.call_id())
    }

    /// A response to this request. `tag` is added to To where it has none.
    #[must_use]
    pub fn answered(&self, status: &str, tag: Option<&str>, headers: &[String], body: &str) -> Vec<u8> {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for name in ["via", "record-route", "from", "to", "call-id", "cseq"] {
            for value in self.all(name) {
                let tag = tag.filter(|_| name == "to" && self.to_tag().is_none());
                let tag = tag.map(|tag| format!(";tag={tag}")).unwrap_or_default();
                write!(text, "{name}: {value}{tag}\r\n").expect("a string takes all");
            }
        }
        finish(text, headers, body)
    }
}

/// Adds headers, Content-Length and body to a start; a body is SDP unless a header says otherwise.
#[must_use]
pub(crate) fn finish(mut text: String, headers: &[String], body: &str) -> Vec<u8> {
    for header in headers {
        write!(text, "{header}\r\n").expect("a string takes all");
    }
    let is_typed = headers.iter().any(|header| header.starts_with("Content-Type:"));
    if !body.is_empty() && !is_typed {
        text.push_str("Content-Type: application/sdp\r\n");
    }
    write!(text, "Content-Length: {}\r\n\r\n{body}", body.len()).expect("a string takes all");
    text.into_bytes()
}

/// A parameter after the last `>` or of a bare value.
fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let after = value.rsplit_once('>').map_or(value, |(_, after)| after);
    let mut parts = after.split(';').filter_map(|part| part.trim().split_once('='));
    parts.find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// Compact forms (RFC 3261 §7.3.3).
fn long(name: &str) -> &str {
    match name {
        "v" => "via",
        "f" => "from",
        "t" => "to",
        "i" => "call-id",
        "m" => "contact",
        "l" => "content-length",
        "c" => "content-type",
        "k" => "supported",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &[u8] = b"INVITE sip:+7999@h SIP/2.0\r\nv: SIP/2.0/UDP a:5060;branch=z9hG4bKx\r\n\
        From: \"A\" <sip:+7495@h;user=phone>;tag=q\r\nTo: <sip:+7999@h>\r\ni: id@h\r\nCSeq: 7 INVITE\r\n\
        m: <sip:bauta@127.0.0.1:5060>\r\nl: 3\r\n\r\nv=0";

    #[test]
    fn a_message_is_read() {
        let message = Message::parse(INVITE).unwrap();
        assert_eq!((message.method(), message.status(), message.cseq()), (Some("INVITE"), None, 7));
        assert_eq!((message.from_tag(), message.to_tag()), (Some("q"), None));
        assert_eq!(
            (message.user("from"), message.contact()),
            (Some("+7495"), Some("sip:bauta@127.0.0.1:5060"))
        );
        assert_eq!(message.body, "v=0");
    }

    #[test]
    fn an_answer_belongs_to_its_request_and_has_a_tag() {
        let request = Message::parse(INVITE).unwrap();
        let answer = Message::parse(&request.answered("180 Ringing", Some("t"), &[], "")).unwrap();
        assert_eq!((answer.status(), answer.to_tag(), answer.call_id()), (Some(180), Some("t"), "id@h"));
        assert!(answer.answers("INVITE"));
        assert_ne!(answer.identity(), request.identity());
    }
}
