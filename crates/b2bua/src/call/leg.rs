//! What a call knows of one leg.

use bytes::Bytes;
use rtp::{Command, Media, PlayId, Port, SessionId};
use ua::LegId;

use crate::desk::Desk;
use crate::media::Session;

/// What of the relay a leg holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// A port on which no session runs yet.
    Port,
    /// A session.
    Session,
    /// A session that was told to close: the port is free once the relay says that it has.
    Closing,
    Nothing,
}

/// One leg and its media.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) id: LegId,
    /// Until the leg says it ended.
    pub(crate) up: bool,
    pub(crate) session: SessionId,
    pub(crate) port: Port,
    pub(crate) hold: Hold,
    /// What we last said of this session, and what was agreed.
    pub(crate) description: Session,
    /// What the leg hears from us now.
    pub(crate) play: Option<PlayId>,
    /// It is a callee's who has not answered, and the caller hears what comes from there.
    pub(crate) heard_early: bool,
}

impl Leg {
    pub(crate) fn new(id: LegId, session: SessionId, port: Port, description: Session) -> Self {
        Self { id, up: true, session, port, hold: Hold::Port, description, play: None, heard_early: false }
    }

    pub(crate) fn open(&mut self, media: Media, desk: &mut Desk<'_>) {
        self.hold = Hold::Session;
        let command = Command::Open { session: self.session, port: self.port, media };
        desk.media(self.port.worker, command);
    }

    /// Gives back what of the relay it holds. A session is closed first; the relay says when.
    pub(crate) fn release(&mut self, desk: &mut Desk<'_>) {
        match self.hold {
            Hold::Port => {
                self.hold = Hold::Nothing;
                desk.ports.give(desk.now, self.port);
            }
            Hold::Session => {
                self.hold = Hold::Closing;
                desk.media(self.port.worker, Command::Close { session: self.session });
            }
            Hold::Closing | Hold::Nothing => {}
        }
    }

    /// They say that they pressed a key. Only the relay knows whether it heard the same press; it reports each once.
    pub(crate) fn press(&self, digit: char, desk: &mut Desk<'_>) {
        if self.hold == Hold::Session {
            desk.media(self.port.worker, Command::Press { session: self.session, digit });
        }
    }

    pub(crate) fn update(&self, media: Media, desk: &mut Desk<'_>) {
        desk.media(self.port.worker, Command::Update { session: self.session, media });
    }

    pub(crate) fn stop(&mut self, desk: &mut Desk<'_>) {
        if self.play.take().is_some() {
            desk.media(self.port.worker, Command::Stop { session: self.session });
        }
    }

    /// Answers what they offered, or offers where they asked us to; `is_early`: before they have answered the call. `None`: nothing both can speak.
    pub(crate) fn reoffered(
        &mut self,
        offer: Option<&[u8]>,
        is_early: bool,
        desk: &mut Desk<'_>,
    ) -> Option<Bytes> {
        let Some(offer) = offer else { return Some(self.description.offer()) };
        let (media, answer) = self.description.answer(offer, is_early, desk.ids)?;
        self.update(media, desk);
        Some(answer)
    }
}
