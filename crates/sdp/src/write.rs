//! Writing our descriptions (RFC 8866 §5, RFC 3264 §5, §6): every byte is of our making.

use std::fmt::Write;
use std::net::IpAddr;

use bytes::Bytes;

use crate::agree::Agreed;
use crate::codec::OUR_OPUS;
use crate::crypto::{Crypto, Secured};
use crate::description::{Description, Direction, Kind, Protocol};
use crate::offer::{Layout, Offer};
use crate::parse::NOISE;
use crate::{ClockRate, Codec};

/// Our side of a dialog's descriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local {
    /// Where we take media.
    pub address: IpAddr,
    /// The RTP port; RTCP is the next.
    pub port: u16,
    /// Session id of `o=`: random, one per dialog. It and the version are written in 63 bits (RFC 3264 §5).
    pub session: u64,
    /// Version of `o=`: one more with each description that differs from the last (RFC 3264 §8); see `renew`.
    pub version: u64,
}

/// Writes an offer.
#[must_use]
pub fn write_offer(local: &Local, offer: &Offer) -> Bytes {
    let audio = Audio {
        formats: &offer.codecs,
        events: &offer.events,
        noise: offer.noise,
        ptime: offer.ptime,
        mux: false,
        xr: offer.xr,
        direction: Direction::SendReceive,
        crypto: &offer.crypto,
    };
    write(local, &offer.layout, &audio)
}

/// Writes the answer to `offer` that says `agreed`.
///
/// `t=` is always `0 0`, whatever theirs says: RFC 3264 §6 would have theirs repeated, which passes 128 bits of
/// a peer's choice to whoever sees the answer, and says nothing for a call.
#[must_use]
pub fn write_answer(local: &Local, offer: &Description, agreed: &Agreed) -> Bytes {
    let formats: Vec<_> = agreed.receive.iter().flatten().copied().collect();
    let event = agreed.event_receive.map(|event| (event, agreed.event_rate));
    let crypto = agreed.secured.as_ref().map(Secured::said);
    let audio = Audio {
        formats: &formats,
        events: event.as_slice(),
        noise: agreed.noise,
        ptime: agreed.ptime,
        mux: agreed.mux,
        xr: agreed.xr,
        direction: agreed.direction,
        crypto: crypto.as_slice(),
    };
    write(local, &Layout::of(offer, agreed.layout.audio), &audio)
}

/// Writes a description again: `last` if nothing has changed since, otherwise a new one under the next version
/// (RFC 3264 §8: the version is the same exactly if the description is).
pub fn renew(local: &mut Local, last: &Bytes, write: impl Fn(&Local) -> Bytes) -> Bytes {
    let now = write(local);
    if now == *last {
        return now;
    }
    local.version = local.version.wrapping_add(1);
    write(local)
}

struct Audio<'a> {
    formats: &'a [(Codec, u8)],
    events: &'a [(u8, ClockRate)],
    noise: bool,
    ptime: u8,
    mux: bool,
    xr: bool,
    direction: Direction,
    crypto: &'a [Crypto],
}

fn write(local: &Local, layout: &Layout, audio: &Audio<'_>) -> Bytes {
    let mut text = String::with_capacity(480);
    describe(&mut text, local, layout, audio).expect("a string takes all that is written to it");
    text.into()
}

fn describe(text: &mut String, local: &Local, layout: &Layout, audio: &Audio<'_>) -> std::fmt::Result {
    let family = if local.address.is_ipv4() { "IP4" } else { "IP6" };
    let address = local.address;
    let [session, version] = [local.session, local.version].map(|number| number & i64::MAX.unsigned_abs());
    write!(text, "v=0\r\no=- {session} {version} IN {family} {address}\r\ns=-\r\n")?;
    write!(text, "c=IN {family} {address}\r\nt=0 0\r\n")?;
    for (index, &(kind, protocol)) in layout.lines.iter().enumerate() {
        if index == layout.audio {
            accepted(text, local.port, protocol, audio)?;
        } else {
            refused(text, kind, protocol)?;
        }
    }
    Ok(())
}

fn accepted(text: &mut String, port: u16, protocol: Protocol, audio: &Audio<'_>) -> std::fmt::Result {
    write!(text, "m={} {port} {}", Kind::Audio.word(), protocol.word())?;
    let voices = audio.formats.iter().map(|(_, format)| *format);
    let noise = audio.noise.then_some(NOISE);
    for format in voices.chain(noise).chain(audio.events.iter().map(|(format, _)| *format)) {
        write!(text, " {format}")?;
    }
    text.push_str("\r\n");
    for (codec, format) in audio.formats {
        write!(text, "a=rtpmap:{format} {}\r\n", codec.map())?;
        if *codec == Codec::Opus {
            write!(text, "a=fmtp:{format} {OUR_OPUS}\r\n")?;
        }
    }
    if audio.noise {
        write!(text, "a=rtpmap:{NOISE} CN/8000\r\n")?;
    }
    for (event, rate) in audio.events {
        let rate = rate.hertz();
        write!(text, "a=rtpmap:{event} telephone-event/{rate}\r\na=fmtp:{event} 0-15\r\n")?;
    }
    if audio.mux {
        text.push_str("a=rtcp-mux\r\n");
    }
    if audio.xr {
        text.push_str("a=rtcp-xr:voip-metrics\r\n");
    }
    for line in audio.crypto {
        write!(text, "a=crypto:{line}\r\n")?;
    }
    write!(text, "a=ptime:{}\r\na={}\r\n", audio.ptime, audio.direction.word())
}

fn refused(text: &mut String, kind: Kind, protocol: Protocol) -> std::fmt::Result {
    write!(text, "m={} 0 {} {}\r\n", kind.word(), protocol.word(), protocol.any_format())
}
