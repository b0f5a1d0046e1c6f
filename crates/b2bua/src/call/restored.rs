//! The node died while both talked, and is back: their voices come to the same ports as before. And what is kept of a call,
//! so that this can be.

use std::time::Duration;

use rtp::{Command, Media, Srtp};
use ua::UserAgent;

use super::{Call, Core, Leg, Span, State, talking};
use crate::desk::Desk;
use crate::interface::Happening;
use crate::snapshot::{Hearing, Joined, Snapshot};

/// Most packets that a side sends in a second.
const PACKETS: u64 = 100;

/// Joins the two again.
pub(super) fn begin(span: Span, core: &mut Core, desk: &mut Desk<'_>) -> State {
    let spoken = core.record.answered.map_or(Duration::ZERO, |answered| desk.now.since(answered));
    let first = core.caller.as_ref().map(|leg| leg.session);
    for leg in core.caller.iter_mut().chain(&mut core.callee) {
        let media = leg.description.media();
        leg.open(Media { srtp: media.srtp.map(|srtp| joining(srtp, spoken)), ..media }, desk);
        if let Some(first) = first.filter(|first| *first != leg.session) {
            desk.media(leg.port.worker, Command::Bridge { first, second: leg.session });
        }
    }
    talking::watch(span, core, desk);
    desk.notice(core.id(), Happening::Restored(core.record.clone()));
    core.checkpoint(desk);
    State::Talking
}

/// What we send begins anew, as another source (RFC 3711 §3.2.3); what they send goes on, and how often its numbers have begun
/// anew so far nobody knows (§3.3.1).
fn joining(srtp: Srtp, spoken: Duration) -> Srtp {
    let rollovers = spoken.as_secs() * PACKETS / (1 << 16) + 1;
    Srtp { rollovers: u16::try_from(rollovers).unwrap_or(u16::MAX), ..srtp }
}

impl Call {
    /// What is to be kept of it; `None` once its record is written, and while it is not even known who calls.
    pub(crate) fn snapshot(&self, agent: &UserAgent) -> Option<Snapshot> {
        let core = &self.core;
        if core.record.outcome.is_some() || matches!(self.state, State::Verifying(_)) {
            return None;
        }
        let dialog = |leg: &Leg| agent.snapshot(leg.id).filter(|_| leg.up).map(Box::new);
        let inviting = core.outgoing.iter().filter(|outgoing| outgoing.leg.up);
        let hearing = inviting.clone().filter_map(|outgoing| {
            let dialog = agent.snapshot(outgoing.leg.id)?;
            Some(Hearing { trunk: outgoing.trunk.clone(), dialog })
        });
        Some(Snapshot {
            record: core.record.clone(),
            caller: core.caller.as_ref().and_then(dialog),
            callee: core.callee.as_ref().and_then(dialog),
            inviting: inviting.filter_map(|outgoing| agent.invite_snapshot(outgoing.leg.id)).collect(),
            hearing: hearing.collect(),
            callee_trunk: core.callee_trunk.clone(),
            joined: self.joined().map(Box::new),
        })
    }

    fn joined(&self) -> Option<Joined> {
        let Core { span: Some(span), caller: Some(caller), callee: Some(callee), .. } = &self.core else {
            return None;
        };
        let State::Talking = self.state else { return None };
        let media = |leg: &Leg| {
            let address = &self.core.config.media[usize::from(leg.port.address)];
            leg.description.snapshot(address.local)
        };
        let (caller, callee) = (media(caller)?, media(callee)?);
        Some(Joined { caller, callee, warns: span.warns, ends: span.ends })
    }
}
