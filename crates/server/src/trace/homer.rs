//! Messages of calls told to a Homer server as they go, by HEP 3 (the Homer project's encapsulation protocol, revision 12):
//! one datagram each, the call's id as what belongs together. They go through [`Shown`] as whatever leaves a trace.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use api::TracedMessage;
use b2bua::CallId;
use clock::Instant;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};

use super::{Seen, Shown};
use crate::time::Clock;

/// Messages that wait to be told. What comes beyond it is not told: calls do not wait for whoever watches them.
const WAITING: usize = 4096;
/// After the server could not be found or reached it is looked for again.
const PAUSE: Duration = Duration::from_secs(10);
/// What goes into one datagram.
const LONGEST: usize = 65_000;

/// `trace.homer`: whom messages are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Homer {
    /// `host:port`.
    pub(crate) server: String,
    /// Our number among those that tell it things.
    pub(crate) id: u32,
    /// What it knows us by.
    pub(crate) key: Option<String>,
    /// The node's name.
    pub(crate) node: String,
}

/// A message of a call.
#[derive(Debug)]
pub(crate) struct Told {
    call: CallId,
    seen: Seen,
}

/// Where messages are put that are to be told.
#[derive(Debug, Clone)]
pub(crate) struct Ear(mpsc::Sender<Told>);

impl Ear {
    /// Never waits.
    pub(super) fn tell(&self, call: CallId, seen: &Seen) {
        let _ = self.0.try_send(Told { call, seen: seen.clone() });
    }
}

/// An ear, and what it hears.
pub(crate) fn ear() -> (Ear, mpsc::Receiver<Told>) {
    let (sender, told) = mpsc::channel(WAITING);
    (Ear(sender), told)
}

/// Tells what is heard, until told to stop.
pub(crate) async fn run(
    homer: Homer,
    shown: Shown,
    clock: Clock,
    mut told: mpsc::Receiver<Told>,
    mut stop: watch::Receiver<bool>,
) {
    let mut socket = None;
    let mut looked = None;
    loop {
        let told = tokio::select! {
            told = told.recv() => told,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let Some(told) = told else { return };
        if socket.is_none() && looked.is_none_or(|at: tokio::time::Instant| at.elapsed() >= PAUSE) {
            looked = Some(tokio::time::Instant::now());
            match connected(&homer.server).await {
                Ok(found) => socket = Some(found),
                Err(error) => {
                    tracing::warn!(server = homer.server, %error, "Homer cannot be told of messages")
                }
            }
        }
        let Some(connected) = &socket else { continue };
        let epoch_us = clock.wall_us(Instant::ZERO);
        let Some(message) = shown.message(&told.seen, epoch_us) else { continue };
        // Who is not there says so by ICMP, which comes with the next one.
        if connected.send(&homer.datagram(told.call, &message)).await.is_err() {
            socket = None;
        }
    }
}

async fn connected(server: &str) -> io::Result<UdpSocket> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name leads nowhere");
    for address in tokio::net::lookup_host(server).await? {
        let any: SocketAddr = if address.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
        let socket = UdpSocket::bind(any).await?;
        match socket.connect(address).await {
            Ok(()) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl Homer {
    /// One message in its envelope: chunks of vendor 0, each with its type and whole length.
    fn datagram(&self, call: CallId, message: &TracedMessage) -> Vec<u8> {
        let (from, to) =
            if message.incoming { (message.theirs, message.ours) } else { (message.ours, message.theirs) };
        let text = &message.text.as_bytes()[..message.text.len().min(LONGEST)];
        let seconds = u32::try_from(message.at_us / 1_000_000).unwrap_or(u32::MAX);
        let micros = u32::try_from(message.at_us % 1_000_000).expect("below a million");
        let mut chunks = Vec::with_capacity(text.len() + 160);
        let mut chunk = |kind: u16, content: &[u8]| {
            let length = u16::try_from(6 + content.len()).expect("nothing is longer than a datagram");
            chunks.extend_from_slice(&[0, 0]);
            chunks.extend_from_slice(&kind.to_be_bytes());
            chunks.extend_from_slice(&length.to_be_bytes());
            chunks.extend_from_slice(content);
        };
        // Address families as Linux and the protocol number them; 6 and 17 are TCP and UDP.
        let family = if from.is_ipv4() && to.is_ipv4() { 2 } else { 10 };
        chunk(1, &[family]);
        chunk(2, &[if message.transport == "UDP" { 17 } else { 6 }]);
        for (place, address) in [(0, from.ip()), (1, to.ip())] {
            match (family, address) {
                (2, IpAddr::V4(address)) => chunk(3 + place, &address.octets()),
                (_, IpAddr::V4(address)) => chunk(5 + place, &address.to_ipv6_mapped().octets()),
                (_, IpAddr::V6(address)) => chunk(5 + place, &address.octets()),
            }
        }
        chunk(7, &from.port().to_be_bytes());
        chunk(8, &to.port().to_be_bytes());
        chunk(9, &seconds.to_be_bytes());
        chunk(10, &micros.to_be_bytes());
        // SIP.
        chunk(11, &[1]);
        chunk(12, &self.id.to_be_bytes());
        if let Some(key) = &self.key {
            chunk(14, key.as_bytes());
        }
        chunk(17, call.to_string().as_bytes());
        chunk(19, self.node.as_bytes());
        chunk(15, text);
        let length = u16::try_from(6 + chunks.len()).expect("the text is bounded, the rest is short");
        let mut datagram = b"HEP3".to_vec();
        datagram.extend_from_slice(&length.to_be_bytes());
        datagram.extend_from_slice(&chunks);
        datagram
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::TraceLeg;

    fn message(ours: &str, theirs: &str, text: String) -> TracedMessage {
        TracedMessage {
            at_us: 1_700_000_000_123_456,
            leg: TraceLeg::Caller,
            incoming: true,
            transport: "UDP",
            ours: ours.parse().unwrap(),
            theirs: theirs.parse().unwrap(),
            method: "INVITE".to_owned(),
            status: None,
            text,
        }
    }

    /// What an envelope holds, by type.
    fn open(datagram: &[u8]) -> std::collections::BTreeMap<u16, Vec<u8>> {
        assert_eq!(&datagram[..4], b"HEP3");
        assert_eq!(usize::from(u16::from_be_bytes([datagram[4], datagram[5]])), datagram.len());
        let (mut rest, mut chunks) = (&datagram[6..], std::collections::BTreeMap::new());
        while let [0, 0, kind0, kind1, long0, long1, ..] = *rest {
            let length = usize::from(u16::from_be_bytes([long0, long1]));
            chunks.insert(u16::from_be_bytes([kind0, kind1]), rest[6..length].to_vec());
            rest = &rest[length..];
        }
        assert_eq!(rest, b"");
        chunks
    }

    fn homer(key: Option<&str>) -> Homer {
        let (server, node) = ("127.0.0.1:9060".to_owned(), "south".to_owned());
        Homer { server, id: 7, key: key.map(str::to_owned), node }
    }

    #[test]
    fn an_envelope_says_all_that_is_around_a_message() {
        let message =
            message("198.51.100.1:5060", "192.0.2.9:5062", "INVITE sip:a@b SIP/2.0\r\n\r\n".to_owned());
        let chunks = open(&homer(Some("secret")).datagram(CallId(1), &message));
        assert_eq!((chunks[&1].as_slice(), chunks[&2].as_slice()), (&[2][..], &[17][..]));
        assert_eq!(
            (chunks[&3].as_slice(), chunks[&4].as_slice()),
            (&[192, 0, 2, 9][..], &[198, 51, 100, 1][..])
        );
        assert_eq!(
            (chunks[&7].as_slice(), chunks[&8].as_slice()),
            (&5062_u16.to_be_bytes()[..], &5060_u16.to_be_bytes()[..])
        );
        assert_eq!(chunks[&9], 1_700_000_000_u32.to_be_bytes());
        assert_eq!(chunks[&10], 123_456_u32.to_be_bytes());
        assert_eq!((chunks[&11].as_slice(), chunks[&12].as_slice()), (&[1][..], &[0, 0, 0, 7][..]));
        assert_eq!((chunks[&14].as_slice(), chunks[&19].as_slice()), (&b"secret"[..], &b"south"[..]));
        assert_eq!(chunks[&17], CallId(1).to_string().as_bytes());
        assert_eq!(chunks[&15], message.text.as_bytes());
    }

    #[test]
    fn addresses_of_the_newer_kind_and_messages_that_are_too_long_fit() {
        let message = message("[2001:db8::1]:5060", "[2001:db8::2]:5060", "x".repeat(70_000));
        let chunks = open(&homer(None).datagram(CallId(1), &message));
        assert_eq!(chunks[&1], [10]);
        assert_eq!((chunks[&5].len(), chunks[&6].len(), chunks[&15].len()), (16, 16, LONGEST));
        assert!(!chunks.contains_key(&14) && !chunks.contains_key(&3));
    }
}
