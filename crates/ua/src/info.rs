//! Keys pressed, by SIP INFO: `application/dtmf-relay` and `application/dtmf`. Neither was ever standardised; this
//! reads what peers send.

use std::time::Duration;

use sip::Request;

use crate::interface::InfoDigit;

/// How long a key counts as pressed where nothing is said.
const ORDINARY: Duration = Duration::from_millis(250);

/// What an INFO says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Info {
    /// A key was pressed.
    Digit(InfoDigit),
    /// Nothing, or a signal that is no key (hook flash).
    Nothing,
    /// Of a type nobody here reads.
    Unsupported,
}

impl Info {
    pub(crate) fn read(request: &Request) -> Self {
        if request.body().is_empty() {
            return Self::Nothing;
        }
        let Some(media) = request.headers().content_type() else { return Self::Unsupported };
        let body = String::from_utf8_lossy(request.body());
        let pressed = if media.is("application", "dtmf-relay") {
            field(&body, "signal").map(|signal| (signal, duration(&body)))
        } else if media.is("application", "dtmf") {
            Some((field(&body, "signal").unwrap_or(body.trim()), duration(&body)))
        } else {
            return Self::Unsupported;
        };
        let pressed =
            pressed.and_then(|(signal, duration)| Some(InfoDigit { digit: digit(signal)?, duration }));
        pressed.map_or(Self::Nothing, Self::Digit)
    }
}

/// The value of `Name=value` or `Name: value`, wherever blanks stand and in any case.
fn field<'b>(body: &'b str, name: &str) -> Option<&'b str> {
    body.lines().find_map(|line| {
        let (other, value) = line.split_once(['=', ':'])?;
        other.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn duration(body: &str) -> Duration {
    field(body, "duration")
        .and_then(|value| value.parse().ok())
        .map_or(ORDINARY, |ms: u32| Duration::from_millis(ms.into()))
}

/// A key by its sign, or by its number in RFC 4733 §3.2 (10 is `*`).
fn digit(signal: &str) -> Option<char> {
    let mut signs = signal.chars();
    match (signs.next()?.to_ascii_uppercase(), signs.as_str()) {
        (sign @ ('0'..='9' | '*' | '#' | 'A'..='D'), "") => Some(sign),
        ('1', "0") => Some('*'),
        ('1', "1") => Some('#'),
        ('1', "2") => Some('A'),
        ('1', "3") => Some('B'),
        ('1', "4") => Some('C'),
        ('1', "5") => Some('D'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip::Message;

    fn read(media: &str, body: &str) -> Info {
        let media = if media.is_empty() { String::new() } else { format!("Content-Type: {media}\r\n") };
        let text = format!(
            "INFO sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INFO\r\n{media}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        match sip::parse(text.into()).unwrap() {
            Message::Request(request) => Info::read(&request),
            Message::Response(_) => unreachable!("a request was written"),
        }
    }

    fn pressed(digit: char, ms: u64) -> Info {
        Info::Digit(InfoDigit { digit, duration: Duration::from_millis(ms) })
    }

    #[test]
    fn every_way_to_write_a_key_is_read() {
        for (body, info) in [
            ("Signal=5\r\nDuration=160\r\n", pressed('5', 160)),
            ("Signal= 5\r\nDuration= 160\r\n", pressed('5', 160)),
            ("signal=5\nduration=100", pressed('5', 100)),
            ("SIGNAL = #", pressed('#', 250)),
            ("Signal: *\r\n", pressed('*', 250)),
            ("Signal=d\r\n", pressed('D', 250)),
            ("Signal=10\r\n", pressed('*', 250)),
            ("Signal=11\r\n", pressed('#', 250)),
            ("Signal=5\r\nDuration=soon\r\n", pressed('5', 250)),
        ] {
            assert_eq!(read("application/dtmf-relay", body), info, "{body:?}");
        }
        assert_eq!(read("Application/DTMF-Relay", "Signal=0"), pressed('0', 250));
        for body in ["7", "7\r\n", " 7 ", "Signal=7"] {
            assert_eq!(read("application/dtmf", body), pressed('7', 250), "{body:?}");
        }
    }

    #[test]
    fn signals_that_are_no_keys_say_nothing() {
        for body in [
            "",
            "Signal=hf\r\n",
            "Signal=16\r\n",
            "Signal=\r\n",
            "Signal=55\r\n",
            "nonsense",
            "Signal=\u{665}",
        ] {
            assert_eq!(read("application/dtmf-relay", body), Info::Nothing, "{body:?}");
        }
        assert_eq!(read("", ""), Info::Nothing);
    }

    #[test]
    fn other_types_are_unsupported() {
        assert_eq!(read("application/media_control+xml", "<x/>"), Info::Unsupported);
        assert_eq!(read("", "Signal=5"), Info::Unsupported);
    }
}
