//! Session descriptions as text (RFC 4566).

use std::net::{IpAddr, SocketAddr};

use crate::g711::Law;

/// What a peer says of its voice.
#[derive(Debug, Clone)]
pub struct Voice {
    /// The laws it speaks, best first.
    pub laws: Vec<Law>,
    /// Payload type of telephone events; none: it cannot send any.
    pub events: Option<u8>,
    /// Lines added at the end.
    pub extra: Vec<String>,
}

impl Default for Voice {
    fn default() -> Self {
        Self { laws: vec![Law::A, Law::Mu], events: Some(101), extra: Vec::new() }
    }
}

impl Voice {
    /// The description of a peer called `name` whose RTP socket is at `rtp`.
    #[must_use]
    pub fn describe(&self, name: &str, version: u32, rtp: SocketAddr) -> String {
        let family = if rtp.is_ipv4() { "IP4" } else { "IP6" };
        let mut types: Vec<u8> = self.laws.iter().map(|law| law.payload_type()).collect();
        types.extend(self.events);
        let types: Vec<String> = types.iter().map(u8::to_string).collect();
        let mut lines = vec![
            "v=0".to_owned(),
            format!("o=canary-{name} 77{version} {version} IN {family} {}", rtp.ip()),
            format!("s=canary-{name} session"),
            format!("c=IN {family} {}", rtp.ip()),
            "t=0 0".to_owned(),
            format!("m=audio {} RTP/AVP {}", rtp.port(), types.join(" ")),
        ];
        lines.extend(
            self.laws.iter().map(|law| format!("a=rtpmap:{} {}/8000", law.payload_type(), law.name())),
        );
        if let Some(events) = self.events {
            lines.push(format!("a=rtpmap:{events} telephone-event/8000"));
            lines.push(format!("a=fmtp:{events} 0-15"));
        }
        lines.push("a=ptime:20".to_owned());
        lines.push(format!("a=tool:canary-{name}"));
        lines.extend(self.extra.iter().cloned());
        lines.iter().map(|line| format!("{line}\r\n")).collect()
    }
}

/// What the other side says of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remote {
    /// Where it wants RTP.
    pub rtp: SocketAddr,
    /// The law it likes best.
    pub law: Law,
    /// Payload type it wants telephone events with.
    pub events: Option<u8>,
}

/// Reads a description; `None` if it refuses audio.
///
/// # Panics
/// If it has no audio at all.
#[must_use]
pub fn read(sdp: &str) -> Option<Remote> {
    let lines = || sdp.lines().map(str::trim);
    let host: IpAddr = lines()
        .find_map(|line| line.strip_prefix("c=IN IP4 ").or_else(|| line.strip_prefix("c=IN IP6 ")))
        .and_then(|host| host.parse().ok())
        .unwrap_or_else(|| panic!("no address in {sdp}"));
    let media =
        lines().find_map(|line| line.strip_prefix("m=audio ")).unwrap_or_else(|| panic!("no audio in {sdp}"));
    let mut fields = media.split(' ');
    let port: u16 =
        fields.next().and_then(|port| port.parse().ok()).unwrap_or_else(|| panic!("no port in {sdp}"));
    let types: Vec<u8> = fields.skip(1).filter_map(|field| field.parse().ok()).collect();
    let law =
        types.iter().find_map(|kind| [Law::A, Law::Mu].into_iter().find(|law| law.payload_type() == *kind));
    let events = lines()
        .filter_map(|line| line.strip_prefix("a=rtpmap:"))
        .find_map(|map| map.strip_suffix(" telephone-event/8000"))
        .and_then(|kind| kind.parse().ok());
    (port != 0).then(|| Remote {
        rtp: SocketAddr::new(host, port),
        law: law.unwrap_or_else(|| panic!("no G.711 in {sdp}")),
        events,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_read_as_written() {
        let rtp = "127.0.0.1:4000".parse().unwrap();
        let remote = read(&Voice::default().describe("a", 1, rtp));
        assert_eq!(remote, Some(Remote { rtp, law: Law::A, events: Some(101) }));
    }
}
