//! Header field names (RFC 3261 §20, §7.3.3, and the IANA registry "Header Fields").

use std::fmt;

use crate::grammar::Class;

macro_rules! names {
    ($($name:ident $text:literal $compact:literal $how:ident,)*) => {
        /// The name of a header field that somebody here reads or writes, or that has a compact form. All other names
        /// are looked up by text with [`Headers::named`](crate::Headers::named).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "each is the registry's name")]
        pub enum Name {
            $($name,)*
        }

        const ALL: &[Entry] = &[$(Entry { name: Name::$name, text: $text, compact: $compact, how: Times::$how },)*];

        impl Name {
            /// How many names there are.
            pub(crate) const COUNT: usize = ALL.len();
        }
    };
}

struct Entry {
    name: Name,
    text: &'static str,
    /// The compact form (RFC 3261 §7.3.3), or a space.
    compact: char,
    how: Times,
}

/// How often a header field may stand in a message.
#[derive(PartialEq)]
enum Times {
    /// Once, by its definition, and its value decides something.
    Once,
    /// As a list, or it tells nothing that matters.
    Many,
}

names! {
    Accept "Accept" ' ' Many,
    AcceptContact "Accept-Contact" 'a' Many,
    AcceptEncoding "Accept-Encoding" ' ' Many,
    AcceptLanguage "Accept-Language" ' ' Many,
    AlertInfo "Alert-Info" ' ' Many,
    Allow "Allow" ' ' Many,
    AllowEvents "Allow-Events" 'u' Many,
    AuthenticationInfo "Authentication-Info" ' ' Once,
    Authorization "Authorization" ' ' Many,
    CallId "Call-ID" 'i' Once,
    CallInfo "Call-Info" ' ' Many,
    Contact "Contact" 'm' Many,
    ContentDisposition "Content-Disposition" ' ' Once,
    ContentEncoding "Content-Encoding" 'e' Many,
    ContentLanguage "Content-Language" ' ' Many,
    ContentLength "Content-Length" 'l' Once,
    ContentType "Content-Type" 'c' Once,
    CSeq "CSeq" ' ' Once,
    Date "Date" ' ' Many,
    Diversion "Diversion" ' ' Many,
    ErrorInfo "Error-Info" ' ' Many,
    Event "Event" 'o' Once,
    Expires "Expires" ' ' Once,
    From "From" 'f' Once,
    HistoryInfo "History-Info" ' ' Many,
    Identity "Identity" 'y' Many,
    IdentityInfo "Identity-Info" 'n' Many,
    InReplyTo "In-Reply-To" ' ' Many,
    Join "Join" ' ' Once,
    MaxForwards "Max-Forwards" ' ' Once,
    MimeVersion "MIME-Version" ' ' Many,
    MinExpires "Min-Expires" ' ' Once,
    MinSe "Min-SE" ' ' Once,
    Organization "Organization" ' ' Many,
    PAssertedIdentity "P-Asserted-Identity" ' ' Many,
    PCalledPartyId "P-Called-Party-ID" ' ' Many,
    PEarlyMedia "P-Early-Media" ' ' Many,
    PPreferredIdentity "P-Preferred-Identity" ' ' Many,
    Path "Path" ' ' Many,
    Priority "Priority" ' ' Many,
    Privacy "Privacy" ' ' Many,
    ProxyAuthenticate "Proxy-Authenticate" ' ' Many,
    ProxyAuthorization "Proxy-Authorization" ' ' Many,
    ProxyRequire "Proxy-Require" ' ' Many,
    RAck "RAck" ' ' Once,
    Reason "Reason" ' ' Many,
    RecordRoute "Record-Route" ' ' Many,
    ReferTo "Refer-To" 'r' Once,
    ReferredBy "Referred-By" 'b' Once,
    RejectContact "Reject-Contact" 'j' Many,
    RemotePartyId "Remote-Party-ID" ' ' Many,
    Replaces "Replaces" ' ' Once,
    ReplyTo "Reply-To" ' ' Many,
    RequestDisposition "Request-Disposition" 'd' Many,
    Require "Require" ' ' Many,
    RetryAfter "Retry-After" ' ' Once,
    Route "Route" ' ' Many,
    RSeq "RSeq" ' ' Once,
    Server "Server" ' ' Many,
    ServiceRoute "Service-Route" ' ' Many,
    SessionExpires "Session-Expires" 'x' Once,
    Subject "Subject" 's' Many,
    SubscriptionState "Subscription-State" ' ' Once,
    Supported "Supported" 'k' Many,
    Timestamp "Timestamp" ' ' Once,
    To "To" 't' Once,
    Unsupported "Unsupported" ' ' Many,
    UserAgent "User-Agent" ' ' Many,
    Via "Via" 'v' Many,
    Warning "Warning" ' ' Many,
    WwwAuthenticate "WWW-Authenticate" ' ' Many,
}

/// Octets of the longest name, in whole words.
const LONGEST: usize = 24;

/// A name as three words, each octet with the bit set that makes letters small. To compare them is to compare tokens in
/// any case: among the octets of a token, only those of one letter differ in nothing but this bit.
type Words = [u64; LONGEST / 8];

static WORDS: [Words; Name::COUNT] = {
    let mut words = [[0; LONGEST / 8]; Name::COUNT];
    let mut i = 0;
    while i < ALL.len() {
        words[i] = self::words(ALL[i].text.as_bytes());
        i += 1;
    }
    words
};

const fn words(text: &[u8]) -> Words {
    const SMALL: u64 = 0x2020_2020_2020_2020;
    let mut room = [0; LONGEST];
    room.split_at_mut(text.len()).0.copy_from_slice(text);
    let [a, b, c] = *room.as_chunks::<8>().0 else { unreachable!() };
    [u64::from_le_bytes(a) | SMALL, u64::from_le_bytes(b) | SMALL, u64::from_le_bytes(c) | SMALL]
}

/// Open addressing: the place of each name in `ALL`, plus one, at its hash or in the free place after it. The
/// multiplier is chosen so that none of today's names has to go to another's place.
static SLOTS: [u8; 256] = slots();

const fn hash(words: &Words, length: usize) -> u8 {
    let mixed = words[0] ^ words[1].rotate_left(19) ^ words[2].rotate_left(37) ^ length as u64;
    (mixed.wrapping_mul(0x95cf_e6fc_37db_5931) >> 56) as u8
}

const fn slots() -> [u8; 256] {
    let mut slots = [0; 256];
    let mut i = 0;
    while i < ALL.len() {
        let mut at = hash(&words(ALL[i].text.as_bytes()), ALL[i].text.len());
        while slots[at as usize] != 0 {
            at = at.wrapping_add(1);
        }
        slots[at as usize] = i as u8 + 1;
        i += 1;
    }
    slots
}

/// The place of each compact form in `ALL`, plus one, from `a`.
static COMPACT: [u8; 26] = compact();

const fn compact() -> [u8; 26] {
    let mut table = [0; 26];
    let mut i = 0;
    while i < ALL.len() {
        if ALL[i].compact != ' ' {
            table[(ALL[i].compact as u8 - b'a') as usize] = i as u8 + 1;
        }
        i += 1;
    }
    table
}

impl Name {
    /// The name this text writes, in any case, long or compact.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        Class::TOKEN.is_all_of(text).then(|| Self::of_token(text)).flatten()
    }

    /// The name this token writes.
    pub(crate) fn of_token(token: &[u8]) -> Option<Self> {
        if let [letter] = token {
            let place = COMPACT.get(usize::from(letter.to_ascii_lowercase().checked_sub(b'a')?))?;
            return Some(ALL[usize::from(place.checked_sub(1)?)].name);
        }
        if token.len() > LONGEST {
            return None;
        }
        let words = words(token);
        let mut at = hash(&words, token.len());
        loop {
            let place = usize::from(SLOTS[usize::from(at)].checked_sub(1)?);
            if WORDS[place] == words && ALL[place].text.len() == token.len() {
                return Some(ALL[place].name);
            }
            at = at.wrapping_add(1);
        }
    }

    /// The long form as registered.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        ALL[self as usize].text
    }

    /// Whether a second header field of this name makes the message malformed (RFC 3261 §7.3.1).
    pub(crate) fn is_single(self) -> bool {
        ALL[self as usize].how == Times::Once
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_in_every_case() {
        for entry in ALL {
            for text in [entry.text.to_owned(), entry.text.to_lowercase(), entry.text.to_uppercase()] {
                assert_eq!(Name::parse(text.as_bytes()), Some(entry.name), "{text}");
            }
            assert_eq!(entry.name.as_str(), entry.text);
        }
    }

    #[test]
    fn every_registered_compact_form_reads() {
        let registered = [
            ("a", "Accept-Contact"),
            ("b", "Referred-By"),
            ("c", "Content-Type"),
            ("d", "Request-Disposition"),
            ("e", "Content-Encoding"),
            ("f", "From"),
            ("i", "Call-ID"),
            ("j", "Reject-Contact"),
            ("k", "Supported"),
            ("l", "Content-Length"),
            ("m", "Contact"),
            ("n", "Identity-Info"),
            ("o", "Event"),
            ("r", "Refer-To"),
            ("s", "Subject"),
            ("t", "To"),
            ("u", "Allow-Events"),
            ("v", "Via"),
            ("x", "Session-Expires"),
            ("y", "Identity"),
        ];
        for (compact, long) in registered {
            assert_eq!(Name::parse(compact.as_bytes()), Name::parse(long.as_bytes()), "{compact}");
            assert_eq!(Name::parse(compact.to_uppercase().as_bytes()), Name::parse(compact.as_bytes()));
            assert!(Name::parse(long.as_bytes()).is_some());
        }
    }

    #[test]
    fn every_name_is_found_at_its_hash() {
        for (place, entry) in ALL.iter().enumerate() {
            let text = entry.text.as_bytes();
            let slot = SLOTS[usize::from(hash(&words(text), text.len()))];
            assert_eq!(usize::from(slot), place + 1, "{}", entry.text);
        }
    }

    #[test]
    fn other_text_is_no_name() {
        for text in
            ["", "q", "g", "1", "{", "C%6Fntact", "Contact ", "Viax", "X-Foo", "Call\rID", "Max_Forwards"]
        {
            assert_eq!(Name::parse(text.as_bytes()), None, "{text}");
        }
    }
}
