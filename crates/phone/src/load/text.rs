//! What the load writes and reads of SIP.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use sip::{Name, Request};

use super::Load;
use super::call::Call;
use super::sockets::{Sockets, Which};

/// Who the load is.
pub(super) struct Party {
    server: SocketAddr,
    caller: SocketAddr,
    line: String,
    caller_sdp: String,
    callee_sdp: String,
    numbers: Vec<String>,
    orders: HashMap<String, usize>,
}

impl Party {
    pub(super) fn of(load: &Load, sockets: &Sockets) -> Self {
        let numbers: Vec<String> = load.orders.iter().map(|(caller, _)| caller.clone()).collect();
        Self {
            server: load.server,
            caller: sockets.address(Which::CallerSip),
            line: load.line.clone(),
            caller_sdp: sdp(sockets.address(Which::CallerMedia)),
            callee_sdp: sdp(sockets.address(Which::CalleeMedia)),
            orders: numbers.iter().enumerate().map(|(place, number)| (callee_of(number), place)).collect(),
            numbers,
        }
    }

    pub(super) fn callee_sdp(&self) -> &str {
        &self.callee_sdp
    }

    /// Which order the callee with this number belongs to.
    pub(super) fn caller_of(&self, callee: &str) -> Option<usize> {
        self.orders.get(callee).copied()
    }

    /// What tells one run from the next: a server remembers the dialogs of the last for a while.
    fn run(&self) -> u16 {
        self.caller.port()
    }

    fn from(&self, place: usize) -> String {
        let number = &self.numbers[place % self.numbers.len()];
        format!("<sip:{number}@{}>;tag=l{place}", self.caller)
    }

    pub(super) fn invite(&self, place: usize, caller: &str) -> Bytes {
        let (server, here, line, sdp) = (self.server, self.caller, &self.line, &self.caller_sdp);
        let (from, run) = (self.from(place), self.run());
        Bytes::from(format!(
            "INVITE sip:{line}@{server} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKl{place}i{run};rport\r\n\
             Max-Forwards: 70\r\nFrom: {from}\r\nTo: <sip:{line}@{server}>\r\nCall-ID: l{place}@load{run}\r\n\
             CSeq: 1 INVITE\r\nContact: <sip:{caller}@{here}>\r\n\
             Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        ))
    }

    /// An ACK of a refusal, or a CANCEL: both carry the INVITE's branch (RFC 3261 §9.1, §17.1.1.3). `to` is as the refusal
    /// says, or as the INVITE did.
    pub(super) fn of_invite(&self, method: &str, place: usize, to: Option<&[u8]>) -> Bytes {
        let (server, here, line, from, run) =
            (self.server, self.caller, &self.line, self.from(place), self.run());
        let to = to.map_or_else(|| format!("<sip:{line}@{server}>").into(), String::from_utf8_lossy);
        Bytes::from(format!(
            "{method} sip:{line}@{server} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKl{place}i{run};rport\r\n\
             Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: l{place}@load{run}\r\nCSeq: 1 {method}\r\n\
             Content-Length: 0\r\n\r\n"
        ))
    }

    pub(super) fn in_dialog(&self, method: &str, place: usize, cseq: u32, call: &Call) -> Bytes {
        let (here, run, from, to, target) =
            (self.caller, self.run(), self.from(place), &call.to, &call.target);
        Bytes::from(format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKl{place}{method}{run};rport\r\n\
             Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: l{place}@load{run}\r\nCSeq: {cseq} {method}\r\n\
             Content-Length: 0\r\n\r\n"
        ))
    }
}

/// The number of the callee across from a caller of the load, who differs from it in the eighth digit from the end
/// alone. `caller` is `+` E.164 of eight digits or more.
#[must_use]
pub fn callee_of(caller: &str) -> String {
    let place = caller.chars().count().saturating_sub(8);
    let turned = |digit: char| if digit == '1' { '2' } else { '1' };
    caller.chars().enumerate().map(|(at, digit)| if at == place { turned(digit) } else { digit }).collect()
}

fn sdp(media: SocketAddr) -> String {
    let (ip, port) = (media.ip(), media.port());
    let family = if ip.is_ipv6() { "IP6" } else { "IP4" };
    format!(
        "v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8 101\r\n\
         a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n"
    )
}

/// The call a Call-ID of ours names.
pub(super) fn place_of(call_id: &str) -> Option<usize> {
    let (place, _) = call_id.strip_prefix('l')?.split_once("@load")?;
    place.parse().ok()
}

/// An answer to a request.
pub(super) fn answer(request: &Request, status: u16, tag: &str, sdp: Option<&str>) -> Bytes {
    let headers = request.headers();
    let mut text = format!("SIP/2.0 {status} Load\r\n");
    let mut line = |name: &str, value: &[u8]| {
        text.push_str(name);
        text.push_str(": ");
        text.push_str(&String::from_utf8_lossy(value));
        text.push_str("\r\n");
    };
    for via in headers.all(Name::Via) {
        line("Via", via);
    }
    line("From", headers.first(Name::From).unwrap_or_default());
    let mut to = headers.first(Name::To).unwrap_or_default().to_vec();
    if headers.to().tag().is_none() && !tag.is_empty() {
        to.extend(format!(";tag={tag}").bytes());
    }
    line("To", &to);
    line("Call-ID", headers.call_id().as_bytes());
    line("CSeq", headers.first(Name::CSeq).unwrap_or_default());
    if let Some(sdp) = sdp {
        line("Contact", format!("<{}>", request.uri().as_str()).as_bytes());
        line("Content-Type", b"application/sdp");
        text.push_str(&format!("Content-Length: {}\r\n\r\n{sdp}", sdp.len()));
    } else {
        text.push_str("Content-Length: 0\r\n\r\n");
    }
    Bytes::from(text)
}

/// Where a session description takes audio.
pub(super) fn media_of(sdp: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(sdp).ok()?;
    let address = text.lines().find_map(|line| line.strip_prefix("c=IN IP"))?;
    let ip: IpAddr = address.split(' ').nth(1)?.trim().parse().ok()?;
    let audio = text.lines().find_map(|line| line.strip_prefix("m=audio "))?;
    let port = audio.split(' ').next()?.parse().ok()?;
    Some(SocketAddr::new(ip, port))
}
