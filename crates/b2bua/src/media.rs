//! One leg's session description: ours, and what was agreed with theirs. Only values pass from one leg to the
//! other: which codec is liked best.

use std::fmt;
use std::net::IpAddr;

use bytes::Bytes;
use rtp::{Codec, Direction, Format, MasterKey, Media, OpusWishes, Remote, Srtp};
use sdp::{Agreed, Capabilities, Description, Local, Offer, Secured, Security, Suite};

use crate::config::SrtpPolicy;
use crate::ids::Ids;
use crate::snapshot::MediaSnapshot;

/// What we ask for in offers, milliseconds.
const PTIME: u8 = 20;

/// Our side of a leg's descriptions.
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
    /// They have offered something else before they answered the call, and we have answered that. Another of those who ring may
    /// still answer the offer we made.
    Early { offer: Offer, agreed: Agreed },
    /// Both agree.
    Agreed(Agreed),
}

/// An offer of theirs that we can answer.
pub(crate) struct Answerable {
    description: Description,
    capabilities: Capabilities,
    agreed: Agreed,
}

impl Answerable {
    /// `None`: nothing both can speak, or not to be read.
    pub(crate) fn read(offer: &[u8], codecs: &[Codec], security: Security, xr: bool) -> Option<Self> {
        let description = Description::parse(offer).ok()?;
        let capabilities = Capabilities { noise: true, ..capabilities(codecs, None, security, xr) };
        let agreed = sdp::answer(&description, &capabilities).ok()?;
        Some(Self { description, capabilities, agreed })
    }

    /// Where they want media.
    pub(crate) fn peer(&self) -> Option<IpAddr> {
        self.agreed.remote.map(|remote| remote.rtp.ip())
    }
}

impl Session {
    /// A session that begins with our offer. Of `other`, which it is to be bridged with, it likes the codec best, so that packets
    /// pass as they are; and comfort noise is offered where `other` agreed to it.
    pub(crate) fn offering(
        local: Local,
        codecs: &[Codec],
        other: Option<&Self>,
        security: Security,
        xr: bool,
    ) -> Self {
        let liked = other.and_then(Self::codec);
        let noise = other.and_then(Self::agreed).is_some_and(|agreed| agreed.noise);
        let capabilities = Capabilities { noise, ..capabilities(codecs, liked, security, xr) };
        let offer = Offer::first(&capabilities);
        let said = sdp::write_offer(&local, &offer);
        Self { local, capabilities, state: State::Offered { offer, before: None }, said }
    }

    /// A session that begins with their offer.
    pub(crate) fn answering(local: Local, answerable: Answerable) -> Self {
        let Answerable { description, mut capabilities, agreed } = answerable;
        let said = sdp::write_answer(&local, &description, &agreed);
        capabilities.security = only_secured(capabilities.security, agreed.secured.as_ref());
        Self { local, capabilities, state: State::Agreed(agreed), said }
    }

    /// What is to be kept of it, once something is agreed; `local` is our media address. An offer of ours that waits for its
    /// answer is forgotten: what held before holds.
    pub(crate) fn snapshot(&self, local: IpAddr) -> Option<MediaSnapshot> {
        Some(MediaSnapshot {
            local,
            port: self.local.port,
            origin: (self.local.session, self.local.version),
            capabilities: self.capabilities.clone(),
            agreed: self.agreed()?.clone(),
        })
    }

    /// A session that was agreed on before, in which we `said` this last and are known as `public`.
    pub(crate) fn restored(kept: MediaSnapshot, public: IpAddr, said: Bytes) -> Self {
        let (session, version) = kept.origin;
        let local = Local { address: public, port: kept.port, session, version };
        Self { local, capabilities: kept.capabilities, state: State::Agreed(kept.agreed), said }
    }

    /// What we said last.
    pub(crate) fn said(&self) -> Bytes {
        self.said.clone()
    }

    /// What holds now. Before their first answer: what we hope for, with nowhere to send it.
    pub(crate) fn media(&self) -> Media {
        match &self.state {
            State::Agreed(agreed) | State::Offered { before: Some(agreed), .. } => media(agreed),
            State::Early { agreed, .. } => early(media(agreed)),
            State::Offered { before: None, .. } => {
                // Nothing is sent: whatever the codec is, it takes no room yet.
                let format = Format {
                    send: (Codec::Pcma, 8),
                    also: [None; 3],
                    receive: [None; 4],
                    event_send: None,
                    event_receive: None,
                    ptime: PTIME,
                    longest: None,
                    noise: false,
                    opus: OpusWishes::default(),
                };
                Media { remote: None, format, direction: Direction::SendReceive, srtp: None, xr: false }
            }
        }
    }

    /// The codec we send, once agreed.
    fn codec(&self) -> Option<Codec> {
        self.agreed().map(|agreed| codec(agreed.send.0))
    }

    fn agreed(&self) -> Option<&Agreed> {
        match &self.state {
            State::Agreed(agreed)
            | State::Early { agreed, .. }
            | State::Offered { before: Some(agreed), .. } => Some(agreed),
            State::Offered { before: None, .. } => None,
        }
    }

    fn secured(&self) -> Option<Secured> {
        self.agreed().and_then(|agreed| agreed.secured)
    }

    /// A full offer, for a peer who asks for one in mid-dialog (RFC 3261 §14.2).
    pub(crate) fn offer(&mut self) -> Bytes {
        let (offer, before) = match &self.state {
            State::Offered { offer, before } => (offer.clone(), before.clone()),
            State::Early { offer, agreed } => (offer.clone(), Some(agreed.clone())),
            State::Agreed(agreed) => (Offer::again(&self.capabilities, agreed), Some(agreed.clone())),
        };
        self.said = sdp::renew(&mut self.local, &self.said, |local| sdp::write_offer(local, &offer));
        self.state = State::Offered { offer, before };
        self.said()
    }

    /// Answers a new offer of theirs; `is_early`: before they have answered the call. `None`: nothing both can speak; what held goes on holding.
    pub(crate) fn answer(&mut self, offer: &[u8], is_early: bool, ids: &mut Ids) -> Option<(Media, Bytes)> {
        let description = Description::parse(offer).ok()?;
        let mut agreed = sdp::answer(&description, &self.capabilities).ok()?;
        let renews =
            |(before, now): (Secured, Secured)| (before.suite, before.theirs) != (now.suite, now.theirs);
        if self.secured().zip(agreed.secured).is_some_and(renews) {
            // Their direction begins anew. Whoever renews one renews both as a rule, and no key of ours may ever be used
            // from a beginning again.
            self.capabilities.security = Security::Required(ids.keys());
            agreed = sdp::answer(&description, &self.capabilities).ok()?;
        }
        self.said =
            sdp::renew(&mut self.local, &self.said, |local| sdp::write_answer(local, &description, &agreed));
        let before = std::mem::replace(&mut self.state, State::Agreed(agreed.clone()));
        self.agree(agreed.clone());
        if let (true, State::Offered { offer, before: None } | State::Early { offer, .. }) =
            (is_early, before)
        {
            self.state = State::Early { offer, agreed };
        }
        Some((self.media(), self.said()))
    }

    /// What comes from them before they have answered the call, by their answer to our offer, or by one of the answers of those
    /// who ring: none is final, so nothing is settled by it. Nothing is sent to them.
    pub(crate) fn hear_early(&self, answer: &[u8]) -> Option<Media> {
        match &self.state {
            State::Offered { offer, before: None } | State::Early { offer, .. } => {
                let description = Description::parse(answer).ok()?;
                Some(early(media(&sdp::read_answer(&description, offer).ok()?)))
            }
            State::Offered { before: Some(_), .. } | State::Agreed(_) => None,
        }
    }

    /// They have answered the call, and what was agreed before that holds. `None`: nothing was.
    pub(crate) fn settle(&mut self) -> Option<Media> {
        if let State::Early { agreed, .. } = &self.state {
            self.state = State::Agreed(agreed.clone());
        }
        self.agreed().is_some().then(|| self.media())
    }

    /// Their answer to our offer. `None`: nothing both can speak. Without an offer of ours it changes nothing.
    pub(crate) fn read_answer(&mut self, answer: &[u8], ids: &mut Ids) -> Option<Media> {
        if let State::Offered { offer, .. } | State::Early { offer, .. } = &self.state {
            let description = Description::parse(answer).ok()?;
            let agreed = sdp::read_answer(&description, offer).ok()?;
            let before = self.secured().map(|secured| secured.suite);
            let now = agreed.secured.map(|secured| secured.suite);
            self.agree(agreed);
            if before.is_some() && before != now {
                self.forget_unused(ids);
            }
        }
        Some(self.media())
    }

    fn agree(&mut self, agreed: Agreed) {
        self.capabilities.security = only_secured(self.capabilities.security, agreed.secured.as_ref());
        self.state = State::Agreed(agreed);
    }

    /// The suite has changed: the key of the one before has been used, and may not be again from a beginning.
    fn forget_unused(&mut self, ids: &mut Ids) {
        if let Some(secured) = self.secured() {
            let keys = ids.keys().with(secured.suite, secured.ours);
            self.capabilities.security = Security::Required(keys);
        }
    }
}

impl fmt::Debug for Session {
    /// Without what we said: our keys are in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("state", &self.state).finish_non_exhaustive()
    }
}

/// A trunk's policy for one leg, with the leg's own keys.
pub(crate) fn security(policy: SrtpPolicy, ids: &mut Ids) -> Security {
    match policy {
        SrtpPolicy::Off => Security::Off,
        SrtpPolicy::Offered => Security::Offered(ids.keys()),
        SrtpPolicy::Required => Security::Required(ids.keys()),
    }
}

/// Media that is protected is never again in the clear.
fn only_secured(security: Security, secured: Option<&Secured>) -> Security {
    match security {
        Security::Offered(keys) if secured.is_some() => Security::Required(keys),
        Security::Off | Security::Offered(_) | Security::Required(_) => security,
    }
}

fn capabilities(codecs: &[Codec], liked: Option<Codec>, security: Security, xr: bool) -> Capabilities {
    let liked = liked.filter(|codec| codecs.contains(codec));
    let codecs = liked.into_iter().chain(codecs.iter().copied());
    let codecs = codecs.map(|codec| match codec {
        Codec::Pcmu => sdp::Codec::Pcmu,
        Codec::Pcma => sdp::Codec::Pcma,
        Codec::G722 => sdp::Codec::G722,
        Codec::Opus => sdp::Codec::Opus,
    });
    Capabilities { codecs: codecs.collect(), events: true, noise: false, ptime: PTIME, security, xr }
}

fn codec(codec: sdp::Codec) -> Codec {
    match codec {
        sdp::Codec::Pcmu => Codec::Pcmu,
        sdp::Codec::Pcma => Codec::Pcma,
        sdp::Codec::G722 => Codec::G722,
        sdp::Codec::Opus => Codec::Opus,
    }
}

fn media(agreed: &Agreed) -> Media {
    let direction = match agreed.direction {
        sdp::Direction::SendReceive => Direction::SendReceive,
        sdp::Direction::SendOnly => Direction::SendOnly,
        sdp::Direction::ReceiveOnly => Direction::ReceiveOnly,
        sdp::Direction::Inactive => Direction::Inactive,
    };
    let known = |entry: Option<(sdp::Codec, u8)>| entry.map(|(known, format)| (codec(known), format));
    let sdp::OpusWishes { bit_rate, playback_rate, constant, correction, pauses, .. } = agreed.opus;
    let opus = OpusWishes {
        bit_rate: Some(bit_rate).filter(|most| *most > 0),
        playback_rate,
        constant,
        correction,
        pauses,
    };
    let format = Format {
        send: (codec(agreed.send.0), agreed.send.1),
        also: agreed.also.map(known),
        receive: agreed.receive.map(known),
        event_send: agreed.event_send,
        event_receive: agreed.event_receive,
        ptime: agreed.ptime,
        longest: u8::try_from(agreed.maxptime).ok().filter(|most| *most > 0),
        noise: agreed.noise,
        opus,
    };
    let remote = agreed.remote.map(|remote| Remote { rtp: remote.rtp, rtcp: remote.rtcp });
    Media { remote, format, direction, srtp: agreed.secured.as_ref().map(srtp), xr: agreed.xr }
}

/// What comes is heard, and nothing goes.
fn early(media: Media) -> Media {
    let direction = match media.direction {
        Direction::SendReceive | Direction::ReceiveOnly => Direction::ReceiveOnly,
        Direction::SendOnly | Direction::Inactive => Direction::Inactive,
    };
    Media { direction, ..media }
}

fn srtp(secured: &Secured) -> Srtp {
    let suite = match secured.suite {
        Suite::AesCm128HmacSha1_80 => rtp::Suite::AesCm128HmacSha1_80,
        Suite::AesCm128HmacSha1_32 => rtp::Suite::AesCm128HmacSha1_32,
        Suite::AeadAes128Gcm => rtp::Suite::AeadAes128Gcm,
        Suite::AeadAes256Gcm => rtp::Suite::AeadAes256Gcm,
    };
    let (send, receive) = (MasterKey(secured.ours.0), MasterKey(secured.theirs.0));
    Srtp { suite, send, receive, life: secured.life, rollovers: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEIRS: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
    const THEIR_NEXT: &str = "NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj";

    fn offer(suite: &str, key: &str) -> String {
        format!(
            "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/SAVP 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_{suite} inline:{key}\r\n"
        )
    }

    fn local() -> Local {
        Local { address: IpAddr::from([198, 51, 100, 1]), port: 20_000, session: 1, version: 1 }
    }

    fn answering(ids: &mut Ids) -> Session {
        let security = security(SrtpPolicy::Offered, ids);
        let answerable = Answerable::read(offer("80", THEIRS).as_bytes(), &[Codec::Pcma], security, false);
        Session::answering(local(), answerable.expect("we can speak it"))
    }

    fn srtp(session: &Session) -> Srtp {
        session.media().srtp.expect("it is encrypted")
    }

    #[test]
    fn the_same_offer_again_is_answered_by_the_same_answer() {
        let mut ids = Ids::new([7; 32], 0);
        let mut session = answering(&mut ids);
        let said = session.said();
        let (media, again) =
            session.answer(offer("80", THEIRS).as_bytes(), false, &mut ids).expect("as before");
        assert_eq!((Some(srtp(&session)), again), (media.srtp, said));
    }

    #[test]
    fn whoever_renews_their_key_or_changes_the_suite_gets_a_new_one_of_ours() {
        let mut ids = Ids::new([7; 32], 0);
        let mut session = answering(&mut ids);
        let mut known = vec![srtp(&session).send];
        // Back to what was before, too: no key is used from a beginning again.
        for (suite, key) in [("80", THEIR_NEXT), ("32", THEIR_NEXT), ("80", THEIR_NEXT), ("80", THEIRS)] {
            session.answer(offer(suite, key).as_bytes(), false, &mut ids).expect("we can speak it");
            assert!(!known.contains(&srtp(&session).send), "{suite} {key}");
            known.push(srtp(&session).send);
        }
    }

    #[test]
    fn our_offers_have_the_key_in_use_and_no_other_that_ever_was() {
        let mut ids = Ids::new([7; 32], 0);
        let mut session = answering(&mut ids);
        let first = srtp(&session).send;
        session.offer();
        // They choose the other suite, then the first again.
        for (suite, tag) in [("32", 4), ("80", 1)] {
            let answer = offer(suite, THEIRS).replace("crypto:1", &format!("crypto:{tag}"));
            session.read_answer(answer.as_bytes(), &mut ids).expect("we can speak it");
            session.offer();
        }
        session.read_answer(offer("80", THEIRS).as_bytes(), &mut ids).expect("we can speak it");
        assert_ne!(srtp(&session).send, first);
    }

    #[test]
    fn what_is_encrypted_is_not_offered_nor_answered_in_the_clear() {
        let mut ids = Ids::new([7; 32], 0);
        let mut session = answering(&mut ids);
        let plain = "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 8\r\n";
        assert_eq!(session.answer(plain.as_bytes(), false, &mut ids), None);
        let offered = session.offer();
        assert!(String::from_utf8_lossy(&offered).contains("RTP/SAVP 8"), "{offered:?}");
        assert_eq!(session.read_answer(plain.as_bytes(), &mut ids), None);
        assert!(session.media().srtp.is_some());
    }

    const ALL: [Codec; 4] = [Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus];
    const CALLERS: &str = "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 9 8 13 101\r\n\
        a=rtpmap:101 telephone-event/8000\r\na=maxptime:40\r\n";

    fn called() -> Session {
        let answerable = Answerable::read(CALLERS.as_bytes(), &ALL, Security::Off, false);
        Session::answering(local(), answerable.expect("we can speak it"))
    }

    #[test]
    fn what_the_caller_speaks_is_offered_first_and_noise_where_it_has_that() {
        let offer = |other: Option<&Session>, codecs: &[Codec]| {
            let said = Session::offering(local(), codecs, other, Security::Off, false).said();
            let text = String::from_utf8(said.to_vec()).expect("we write ASCII");
            text.lines().find(|line| line.starts_with("m=")).map(str::to_owned).expect("it has a stream")
        };
        let caller = called();
        assert_eq!(offer(Some(&caller), &ALL), "m=audio 20000 RTP/AVP 9 8 0 96 13 101 102");
        assert_eq!(offer(Some(&caller), &ALL[..2]), "m=audio 20000 RTP/AVP 8 0 13 101");
        assert_eq!(offer(None, &ALL), "m=audio 20000 RTP/AVP 8 0 9 96 101 102");
    }

    #[test]
    fn what_was_agreed_is_what_the_relay_is_told() {
        let format = called().media().format;
        let (g722, pcma) = (Some((Codec::G722, 9)), Some((Codec::Pcma, 8)));
        assert_eq!((Some(format.send), format.also[0], format.also[1]), (g722, pcma, None));
        assert_eq!(format.receive, [g722, pcma, None, None]);
        assert_eq!((format.longest, format.noise, format.event_send), (Some(40), true, Some(101)));
        let mut callee = Session::offering(local(), &ALL, None, Security::Off, false);
        let answer = "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 96\r\na=rtpmap:96 opus/48000/2\r\n\
            a=fmtp:96 maxaveragebitrate=20000;maxplaybackrate=16000;useinbandfec=1;usedtx=1;cbr=1\r\n";
        let mut ids = Ids::new([7; 32], 0);
        let format = callee.read_answer(answer.as_bytes(), &mut ids).expect("we can speak it").format;
        assert_eq!((format.send, format.longest, format.noise), ((Codec::Opus, 96), None, false));
        let wishes = OpusWishes {
            bit_rate: Some(20_000),
            playback_rate: 16_000,
            constant: true,
            correction: true,
            pauses: true,
        };
        assert_eq!(format.opus, wishes);
    }

    #[test]
    fn a_session_does_not_show_its_keys() {
        let mut ids = Ids::new([7; 32], 0);
        let session = answering(&mut ids);
        let shown = format!("{session:?}");
        assert!(shown.contains("Key(..)") && !shown.contains("inline"), "{shown}");
    }
}
