//! One leg's session description: ours, and what was agreed with theirs. Only values pass from one leg to the
//! other: which codec is liked best.

use std::net::IpAddr;

use bytes::Bytes;
use rtp::{Codec, Direction, Format, Media, Remote};
use sdp::{Agreed, Capabilities, Description, Local, Offer};

/// What we ask for in offers, milliseconds.
const PTIME: u8 = 20;

/// Our side of a leg's descriptions.
#[derive(Debug)]
pub(crate) struct Session {
    local: Local,
    capabilities: Capabilities,
    state: State,
    /// What we said last.
    said: Bytes,
}

#[derive(Debug)]
enum State {
    /// We offered and wait for their answer. `before` is what held until then.
    Offered { offer: Offer, before: Option<Agreed> },
    /// Both agree.
    Agreed(Agreed),
}

/// An offer of theirs that we can answer.
pub(crate) struct Answerable {
    description: Description,
    agreed: Agreed,
}

impl Answerable {
    /// `None`: nothing both can speak, or not to be read.
    pub(crate) fn read(offer: &[u8], codecs: &[Codec]) -> Option<Self> {
        let description = Description::parse(offer).ok()?;
        let agreed = sdp::answer(&description, &capabilities(codecs, None)).ok()?;
        Some(Self { description, agreed })
    }

    /// Where they want media.
    pub(crate) fn peer(&self) -> Option<IpAddr> {
        self.agreed.remote.map(|remote| remote.rtp.ip())
    }
}

impl Session {
    /// A session that begins with our offer. `liked` comes first if we have it.
    pub(crate) fn offering(local: Local, codecs: &[Codec], liked: Option<Codec>) -> Self {
        let capabilities = capabilities(codecs, liked);
        let offer = Offer::first(&capabilities);
        let said = sdp::write_offer(&local, &offer);
        Self { local, capabilities, state: State::Offered { offer, before: None }, said }
    }

    /// A session that begins with their offer.
    pub(crate) fn answering(local: Local, codecs: &[Codec], answerable: Answerable) -> Self {
        let Answerable { description, agreed } = answerable;
        let said = sdp::write_answer(&local, &description, &agreed);
        Self { local, capabilities: capabilities(codecs, None), state: State::Agreed(agreed), said }
    }

    /// What we said last.
    pub(crate) fn said(&self) -> Bytes {
        self.said.clone()
    }

    /// What holds now. Before their first answer: what we hope for, with nowhere to send it.
    pub(crate) fn media(&self) -> Media {
        match &self.state {
            State::Agreed(agreed) | State::Offered { before: Some(agreed), .. } => media(agreed),
            State::Offered { before: None, .. } => {
                let first = self.capabilities.codecs.first().copied().unwrap_or(sdp::Codec::Pcma);
                let format = Format {
                    send: (codec(first), first.payload_type()),
                    receive: [None; 4],
                    event_send: None,
                    event_receive: None,
                    ptime: PTIME,
                };
                Media { remote: None, format, direction: Direction::SendReceive }
            }
        }
    }

    /// The codec we send, once agreed.
    pub(crate) fn codec(&self) -> Option<Codec> {
        match &self.state {
            State::Agreed(agreed) | State::Offered { before: Some(agreed), .. } => Some(codec(agreed.send.0)),
            State::Offered { before: None, .. } => None,
        }
    }

    /// A full offer, for a peer who asks for one in mid-dialog (RFC 3261 §14.2).
    pub(crate) fn offer(&mut self) -> Bytes {
        let (offer, before) = match &self.state {
            State::Offered { offer, before } => (offer.clone(), before.clone()),
            State::Agreed(agreed) => (Offer::again(&self.capabilities, agreed), Some(agreed.clone())),
        };
        self.said = sdp::renew(&mut self.local, &self.said, |local| sdp::write_offer(local, &offer));
        self.state = State::Offered { offer, before };
        self.said()
    }

    /// Answers a new offer of theirs. `None`: nothing both can speak; what held goes on holding.
    pub(crate) fn answer(&mut self, offer: &[u8]) -> Option<(Media, Bytes)> {
        let description = Description::parse(offer).ok()?;
        let agreed = sdp::answer(&description, &self.capabilities).ok()?;
        self.said =
            sdp::renew(&mut self.local, &self.said, |local| sdp::write_answer(local, &description, &agreed));
        let media = media(&agreed);
        self.state = State::Agreed(agreed);
        Some((media, self.said()))
    }

    /// Their answer to our offer. `None`: nothing both can speak. Without an offer of ours it changes nothing.
    pub(crate) fn read_answer(&mut self, answer: &[u8]) -> Option<Media> {
        if let State::Offered { offer, .. } = &self.state {
            let description = Description::parse(answer).ok()?;
            self.state = State::Agreed(sdp::read_answer(&description, offer).ok()?);
        }
        Some(self.media())
    }
}

fn capabilities(codecs: &[Codec], liked: Option<Codec>) -> Capabilities {
    let liked = liked.filter(|codec| codecs.contains(codec));
    let codecs = liked.into_iter().chain(codecs.iter().copied());
    let codecs = codecs.map(|codec| match codec {
        Codec::Pcmu => sdp::Codec::Pcmu,
        Codec::Pcma => sdp::Codec::Pcma,
    });
    Capabilities { codecs: codecs.collect(), events: true, ptime: PTIME }
}

fn codec(codec: sdp::Codec) -> Codec {
    match codec {
        sdp::Codec::Pcmu => Codec::Pcmu,
        sdp::Codec::Pcma => Codec::Pcma,
    }
}

fn media(agreed: &Agreed) -> Media {
    let direction = match agreed.direction {
        sdp::Direction::SendReceive => Direction::SendReceive,
        sdp::Direction::SendOnly => Direction::SendOnly,
        sdp::Direction::ReceiveOnly => Direction::ReceiveOnly,
        sdp::Direction::Inactive => Direction::Inactive,
    };
    let format = Format {
        send: (codec(agreed.send.0), agreed.send.1),
        receive: agreed.receive.map(|entry| entry.map(|(law, payload_type)| (codec(law), payload_type))),
        event_send: agreed.event_send,
        event_receive: agreed.event_receive,
        ptime: agreed.ptime,
    };
    let remote = agreed.remote.map(|remote| Remote { rtp: remote.rtp, rtcp: remote.rtcp });
    Media { remote, format, direction }
}
