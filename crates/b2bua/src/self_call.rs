//! A call from ourselves to ourselves, which proves that calls can be answered and heard: it is answered at once, hears
//! music until it hangs up, and leaves no record, no event and no trace. Nothing can be keyed in it and nobody be reached.

use clock::Instant;
use ivr::Prompt;
use rtp::{Codec, Command, Port, PromptId, SessionId};
use sdp::Local;
use ua::{Incoming, LegCommand, LegId, Refusal};

use crate::config::{Config, SrtpPolicy};
use crate::ids::Ids;
use crate::interface::Output;
use crate::media::{self, Answerable, Session};
use crate::ports::Ports;

/// Where there is nothing to answer with.
const NOT_ACCEPTABLE: Refusal = Refusal { status: 488, retry_after: None };

/// A call that goes on.
#[derive(Debug)]
pub(crate) struct SelfCall {
    pub(crate) leg: LegId,
    session: SessionId,
    port: Port,
}

impl SelfCall {
    /// Answers it, or says with what it is refused.
    pub(crate) fn begin(
        (now, leg): (Instant, LegId),
        incoming: &Incoming,
        config: &Config,
        (ids, ports): (&mut Ids, &mut Ports),
        out: &mut Vec<Output>,
    ) -> Result<(Self, LegCommand), Refusal> {
        let security = media::security(SrtpPolicy::Off, ids);
        let offer = incoming.offer.as_deref().ok_or(NOT_ACCEPTABLE)?;
        let offer = Answerable::read(offer, &[Codec::Pcma], security, false).ok_or(NOT_ACCEPTABLE)?;
        let peer = offer.peer().ok_or(NOT_ACCEPTABLE)?;
        let full = Refusal { status: config.limits.busy_status, retry_after: None };
        let address = ports.address_for(peer).ok_or(NOT_ACCEPTABLE)?;
        let port = ports.take(now, address).ok_or(full)?;
        let public = config.media[usize::from(address)].public;
        let local = Local { address: public, port: port.number, session: ids.number(), version: 1 };
        let description = Session::answering(local, offer);
        let session = ids.session();
        let say = |command| Output::Media { worker: port.worker, command };
        out.push(say(Command::Open { session, port, media: description.media() }));
        let prompts = vec![PromptId(Prompt::Music.index()).into()];
        out.push(say(Command::Play { session, play: ids.play(), prompts, repeat: true }));
        Ok((Self { leg, session, port }, LegCommand::Accept(description.said())))
    }

    /// Closes what it had. The port is free once the relay says that it has closed.
    pub(crate) fn end(self, out: &mut Vec<Output>) -> (SessionId, Port) {
        let command = Command::Close { session: self.session };
        out.push(Output::Media { worker: self.port.worker, command });
        (self.session, self.port)
    }
}
