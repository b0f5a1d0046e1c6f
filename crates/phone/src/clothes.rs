//! What a phone says about itself beyond what a call needs: all that a server which hides people must not pass on.

use bytes::Bytes;

/// Names in headers and session descriptions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clothes {
    /// Display name in Contact and P-Asserted-Identity; printable ASCII without `"`.
    pub display: String,
    /// Subject and Organization; likewise.
    pub subject: String,
    /// User name and session name of session descriptions: letters, digits, hyphens.
    pub session: String,
    /// User-Agent and Server; a product token.
    pub product: String,
    /// CNAME in RTCP (RFC 3550 §6.5.1).
    pub cname: String,
}

impl Clothes {
    /// Puts the names into a message that says how its sender is reached (one with a Contact).
    pub(crate) fn dress(&self, number: &str, message: &Bytes) -> Bytes {
        const MARK: &str = "\r\nContact: <sip:";
        let Ok(text) = std::str::from_utf8(message) else { return message.clone() };
        let Some(start) = text.find(MARK) else { return message.clone() };
        let rest = &text[start + MARK.len()..];
        let Some(end) = rest.find("\r\n") else { return message.clone() };
        let (address, after) = rest.split_at(end);
        let host = address.trim_end_matches('>');
        let Self { display, subject, .. } = self;
        Bytes::from(format!(
            "{}\r\nContact: \"{display}\" <sip:{number}@{address}\r\n\
             P-Asserted-Identity: \"{display}\" <sip:{number}@{host}>\r\n\
             Subject: {subject}\r\nOrganization: {subject}{after}",
            &text[..start]
        ))
    }

    /// Puts the names into a session description.
    pub(crate) fn describe(&self, description: &Bytes) -> Bytes {
        let text = String::from_utf8_lossy(description);
        let session = &self.session;
        let text = text.replacen("o=- ", &format!("o={session} "), 1);
        Bytes::from(text.replacen("s=-\r\n", &format!("s={session}\r\n"), 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clothes() -> Clothes {
        let word = |word: &str| word.to_owned();
        Clothes {
            display: word("Ivan"),
            subject: word("Flowers"),
            session: word("ivan"),
            product: word("Ivanphone"),
            cname: word("ivan@home"),
        }
    }

    #[test]
    fn a_message_with_a_contact_tells_everything() {
        let bare = "INVITE sip:1@h SIP/2.0\r\nContact: <sip:192.0.2.1:5060>\r\nAllow: BYE\r\n\r\n";
        let dressed = clothes().dress("+7999", &Bytes::from(bare));
        let text = String::from_utf8(dressed.to_vec()).unwrap();
        assert!(text.contains("\r\nContact: \"Ivan\" <sip:+7999@192.0.2.1:5060>\r\n"), "{text}");
        assert!(text.contains("\r\nP-Asserted-Identity: \"Ivan\" <sip:+7999@192.0.2.1:5060>\r\n"), "{text}");
        assert!(text.ends_with("Organization: Flowers\r\nAllow: BYE\r\n\r\n"), "{text}");
        let ack = Bytes::from("ACK sip:1@h SIP/2.0\r\n\r\n");
        assert_eq!(clothes().dress("1", &ack), ack);
    }

    #[test]
    fn a_description_has_the_names() {
        let described =
            clothes().describe(&Bytes::from("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n"));
        assert_eq!(described, "v=0\r\no=ivan 1 1 IN IP4 192.0.2.1\r\ns=ivan\r\nt=0 0\r\n");
    }
}
