//! A message for those who may not see telephone numbers. Nothing of it is copied: there are too many places for a number (names, reasons,
//! tokens, percent signs, other alphabets of digits), so only what is known for certain to be something else is told again.

use std::net::IpAddr;

use number::Plan;
use sip::{Message, Method};

/// Header fields that name people by addresses; their short forms have the same name here.
const PEOPLE: [(&str, &str); 12] = [
    ("from", "From"),
    ("f", "From"),
    ("to", "To"),
    ("t", "To"),
    ("contact", "Contact"),
    ("m", "Contact"),
    ("p-asserted-identity", "P-Asserted-Identity"),
    ("p-preferred-identity", "P-Preferred-Identity"),
    ("remote-party-id", "Remote-Party-ID"),
    ("diversion", "Diversion"),
    ("history-info", "History-Info"),
    ("refer-to", "Refer-To"),
];
/// Header fields that are small numbers.
const COUNTS: [(&str, &str); 7] = [
    ("max-forwards", "Max-Forwards"),
    ("expires", "Expires"),
    ("session-expires", "Session-Expires"),
    ("x", "Session-Expires"),
    ("min-se", "Min-SE"),
    ("retry-after", "Retry-After"),
    ("content-length", "Content-Length"),
];
/// More than any of those has.
const MOST: u32 = 99_999;
/// Encodings a session description may name.
const CODECS: [&str; 12] =
    ["PCMA", "PCMU", "G722", "G729", "GSM", "ILBC", "OPUS", "AMR", "AMR-WB", "CN", "RED", "TELEPHONE-EVENT"];
/// What says which way media goes (RFC 8866 §6.7).
const WAYS: [&str; 4] = ["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"];

/// A method, if it is one there is.
pub(super) fn method(method: &str) -> &str {
    // A name that is in no registry may be anything.
    match Method::parse(method.as_bytes()) {
        Some(Method::Other(_)) | None => "other",
        Some(_) => method,
    }
}

/// The message, told again.
pub(super) fn told(message: &Message, plan: Plan) -> String {
    let mut text = match message {
        Message::Request(request) => {
            let to = people(request.uri().as_str(), plan);
            format!("{} {to} SIP/2.0\r\n", method(request.method().as_str()))
        }
        Message::Response(response) => format!("SIP/2.0 {}\r\n", response.status().code()),
    };
    let mut is_sdp = false;
    for (name, value) in message.headers().iter() {
        let (name, value) = (name.to_ascii_lowercase(), String::from_utf8_lossy(value));
        let known = |list: &[(&str, &'static str)]| {
            list.iter().find(|(known, _)| *known == name).map(|(_, shown)| *shown)
        };
        if let Some(shown) = known(&PEOPLE) {
            text += &format!("{shown}: {}\r\n", people(&value, plan));
        } else if let Some(shown) = known(&COUNTS) {
            let digits = value.trim().split(';').next().and_then(|count| count.parse().ok());
            if let Some(count) = digits.filter(|count: &u32| *count <= MOST) {
                text += &format!("{shown}: {count}\r\n");
            }
        } else if name == "reason" {
            text += &reason(&value);
        } else if name == "content-type" || name == "c" {
            is_sdp = value.trim().to_ascii_lowercase().starts_with("application/sdp");
            text += if is_sdp { "Content-Type: application/sdp\r\n" } else { "" };
        }
    }
    text += "\r\n";
    if is_sdp {
        text.extend(String::from_utf8_lossy(message.body()).lines().filter_map(line));
    }
    text
}

/// The addresses of a value, each as the last four digits of its number, if it has one.
fn people(value: &str, plan: Plan) -> String {
    let lower = value.to_ascii_lowercase();
    let mut found = Vec::new();
    let mut rest = 0;
    while let Some((at, scheme)) = ["sip:", "sips:", "tel:"]
        .into_iter()
        .filter_map(|scheme| lower[rest..].find(scheme).map(|at| (rest + at, scheme)))
        .min()
    {
        let begin = at + scheme.len();
        let end =
            lower[begin..].find(['@', '>', ';', '?', ',', ' ', '"']).map_or(lower.len(), |end| begin + end);
        // What has no @ behind it is a host, except after tel:.
        let is_user = scheme == "tel:" || lower[end..].starts_with('@');
        let number = is_user.then(|| plan.parse(&lower[begin..end]).ok()).flatten();
        let shown = number.map_or_else(|| "***".to_owned(), |number| format!("***{:04}", number.last4()));
        found.push(format!("<{scheme}{shown}>"));
        rest = end;
    }
    if found.is_empty() { "***".to_owned() } else { found.join(", ") }
}

/// Why a call ended, without words (RFC 3326).
fn reason(value: &str) -> String {
    let lower = value.to_ascii_lowercase();
    let protocol = ["sip", "q.850"].into_iter().find(|protocol| lower.trim_start().starts_with(protocol));
    let digits =
        lower.split_once("cause=").map(|(_, rest)| rest.split(';').next().unwrap_or_default().trim());
    match (protocol, digits.and_then(|digits| digits.parse::<u16>().ok()).filter(|cause| *cause <= 999)) {
        (Some(protocol), Some(cause)) => format!("Reason: {};cause={cause}\r\n", protocol.to_uppercase()),
        (_, _) => String::new(),
    }
}

/// A line of a session description.
fn line(line: &str) -> Option<String> {
    let line = line.trim_end();
    if line == "v=0" || WAYS.contains(&line) {
        return Some(format!("{line}\r\n"));
    }
    if let Some(address) = line.strip_prefix("c=IN IP4 ").or_else(|| line.strip_prefix("c=IN IP6 ")) {
        let address: IpAddr = address.parse().ok()?;
        return Some(format!("c=IN {} {address}\r\n", if address.is_ipv4() { "IP4" } else { "IP6" }));
    }
    if let Some(media) = line.strip_prefix("m=") {
        let mut words = media.split(' ');
        let kind = ["audio", "video", "image", "text"].into_iter().find(|kind| words.next() == Some(kind))?;
        let port: u16 = words.next()?.parse().ok()?;
        return Some(format!("m={kind} {port}\r\n"));
    }
    let (_, encoding) = line.strip_prefix("a=rtpmap:")?.split_once(' ')?;
    let name = encoding.split('/').next()?.to_uppercase();
    CODECS.contains(&name.as_str()).then(|| format!("a=rtpmap {name}\r\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number of ten and of eleven digits in whatever form there is, in every place of a message.
    const FORMS: [&str; 12] = [
        "+79991112233",
        "89991112233",
        "9991112233",
        "8 999 111 22 33",
        "+7 (999) 111-22-33",
        "7.999.111.22.33",
        "%2B%37%39%39%39%31%31%31%32%32%33%33",
        "3.3.2.2.1.1.1.9.9.9.7.e164.arpa",
        "KzcNOTk5MTExMjIzMw==",
        "2b3739393931313132323333",
        "семь девятьсот девяносто девять",
        "７９９９１１１２２３３",
    ];

    /// All that is left of `form` beyond what is told of everybody.
    fn leaks(told: &str, form: &str) -> bool {
        let digits: String = told.chars().filter(char::is_ascii_digit).collect();
        told.contains(form)
            || digits.contains("999111")
            || digits.contains("1112233")
            || told.contains("９９９")
    }

    fn tell(text: String) -> String {
        told(&sip::parse(text.into()).unwrap(), Plan::of("RU").unwrap())
    }

    fn message(headers: &str, body: &str) -> String {
        format!(
            "INVITE sip:bob@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK1\r\n\
             From: <sip:a@198.51.100.7>;tag=1\r\nTo: <sip:b@192.0.2.1>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\
             Max-Forwards: 70\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    #[test]
    fn a_number_shows_in_no_header_whatever_its_form() {
        let names = [
            "P-Asserted-Identity",
            "P-Preferred-Identity",
            "Remote-Party-ID",
            "Diversion",
            "History-Info",
            "Refer-To",
            "Referred-By",
            "P-Called-Party-ID",
            "P-Charging-Vector",
            "P-Access-Network-Info",
            "Contact",
            "m",
            "Subject",
            "s",
            "User-Agent",
            "Server",
            "Organization",
            "Call-Info",
            "Alert-Info",
            "Error-Info",
            "Reply-To",
            "Route",
            "Record-Route",
            "Warning",
            "Reason",
            "Identity",
            "y",
            "User-to-User",
            "Geolocation",
            "Date",
            "Timestamp",
            "Allow",
            "Supported",
            "k",
            "Require",
            "In-Reply-To",
            "Replaces",
            "Authorization",
            "Retry-After",
            "Session-Expires",
            "Expires",
            "Accept",
            "Accept-Language",
            "MIME-Version",
            "X-Number",
            "X-79991112233",
        ];
        let mut told_of = 0;
        for name in names {
            for form in FORMS {
                let values = [
                    form.to_owned(),
                    format!("\"{form}\" <sip:{form}@{form}.example;user={form}>;x={form}"),
                    format!("<tel:{form};phone-context={form}>"),
                    format!("SIP;cause=200;text=\"{form}\""),
                    format!("70;{form}"),
                ];
                for value in values {
                    // What is no message is of no leg, and not shown.
                    let text = message(&format!("{name}: {value}\r\n"), "");
                    let Ok(parsed) = sip::parse(text.into()) else { continue };
                    told_of += 1;
                    let told = told(&parsed, Plan::of("RU").unwrap());
                    assert!(!leaks(&told, form), "{name}: {value} is told as\n{told}");
                }
            }
        }
        assert!(told_of > 2_000, "most of these are messages: {told_of}");
    }

    #[test]
    fn a_number_shows_in_no_line_of_a_body() {
        for form in FORMS {
            for kind in ["application/sdp", "application/isup", "text/plain", "multipart/mixed;boundary=x"] {
                for field in [
                    "o=",
                    "s=",
                    "i=",
                    "u=tel:",
                    "e=",
                    "p=",
                    "c=IN IP4 ",
                    "b=AS:",
                    "m=audio ",
                    "a=rtpmap:8 ",
                    "a=",
                    "a=fmtp:8 ",
                    "a=sendrecv",
                    "a=label:",
                    "k=clear:",
                    "v=",
                    "",
                ] {
                    let body = format!("v=0\r\n{field}{form}\r\na=sendrecv\r\n");
                    let told = tell(message(&format!("Content-Type: {kind}\r\n"), &body));
                    assert!(!leaks(&told, form), "{kind} {field}{form} is told as\n{told}");
                }
            }
        }
    }

    #[test]
    fn a_number_shows_in_no_first_line() {
        for form in FORMS.into_iter().filter(|form| !form.contains(' ')) {
            for start in [
                format!("INVITE sip:{form}@192.0.2.1;user=phone SIP/2.0"),
                format!("INVITE tel:{form} SIP/2.0"),
                format!("INVITE sip:{form}.example SIP/2.0"),
                format!("SIP/2.0 404 no {form}"),
            ] {
                let text = message("", "").replacen("INVITE sip:bob@192.0.2.1 SIP/2.0", &start, 1);
                let Ok(parsed) = sip::parse(text.into()) else { continue };
                let told = told(&parsed, Plan::of("RU").unwrap());
                assert!(!leaks(&told, form), "{start} is told as\n{told}");
            }
        }
    }

    #[test]
    fn what_is_no_number_is_told() {
        let body = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=x\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
                    m=audio 20000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";
        let headers = "P-Asserted-Identity: \"A\" <sip:+79991112233@carrier>, <tel:+79991112233>\r\n\
                       Reason: Q.850 ;cause=16;text=\"x\"\r\nSession-Expires: 1800;refresher=uac\r\nContent-Type: application/sdp\r\n";
        let told = tell(message(headers, body));
        let expected = format!(
            "INVITE <sip:***> SIP/2.0\r\nFrom: <sip:***>\r\nTo: <sip:***>\r\nMax-Forwards: 70\r\n\
             P-Asserted-Identity: <sip:***2233>, <tel:***2233>\r\nReason: Q.850;cause=16\r\nSession-Expires: 1800\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n\
             v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 20000\r\na=rtpmap PCMA\r\na=rtpmap TELEPHONE-EVENT\r\na=sendrecv\r\n",
            body.len()
        );
        assert_eq!(told, expected);
        assert_eq!((method("INVITE"), method("X79991112233")), ("INVITE", "other"));
    }
}
