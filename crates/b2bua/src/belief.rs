//! Whether a caller's number is believed: what the carrier says of it, what an Identity header proves, and what the line makes
//! of that.

use stir::{Question, Verification};
use ua::{Incoming, TrunkId};

use crate::caller;
use crate::config::{Config, Line, Treatment};
use crate::record::Record;

/// What is still to be found out about a caller.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) question: Box<Question>,
    /// What the carrier says.
    pub(crate) said: Verification,
    /// By which trunk the call came.
    pub(crate) trunk: TrunkId,
}

/// What is to be asked of a new call, if anything; where nothing is, the record says what is known.
///
/// # Errors
/// The status to refuse it with.
pub(crate) fn ask(
    record: &mut Record,
    line: &Line,
    incoming: &Incoming,
    config: &Config,
) -> Result<Option<Asked>, u16> {
    let trunk = &config.trunks[usize::from(incoming.trunk.0)];
    if !trunk.verify.is_on() {
        return Ok(None);
    }
    let said = if trunk.verify.verstat {
        caller::verstat(&incoming.identity, record.caller, &trunk.profile)
    } else {
        Verification::None(None)
    };
    let identities = incoming.identity.identities.as_slice();
    match record.caller.filter(|_| trunk.verify.identity && !identities.is_empty()) {
        Some(from) => {
            let question = Box::new(Question { identities: identities.to_vec(), from, to: line.number });
            Ok(Some(Asked { question, said, trunk: incoming.trunk }))
        }
        None => settle(record, line, said).map(|()| None),
    }
}

/// Writes what is known of the caller into the record, who has no number there unless it is believed.
///
/// # Errors
/// The status to refuse the call with (RFC 8224 §6.2.2, RFC 5079 §5 for whoever has no number at all).
pub(crate) fn settle(record: &mut Record, line: &Line, verification: Verification) -> Result<(), u16> {
    record.verification = Some(verification);
    let treatment = line.policy.treatment(verification);
    let is_anonymous = record.caller.is_none();
    if treatment != Treatment::Take {
        record.claimed = record.caller.take();
    }
    match (treatment, verification) {
        (Treatment::Take | Treatment::Stranger, _) => Ok(()),
        (Treatment::Refuse, _) if is_anonymous => Err(433),
        (Treatment::Refuse, Verification::Passed(_)) => Err(403),
        (Treatment::Refuse, Verification::Failed(fault) | Verification::None(Some(fault))) => {
            Err(fault.status())
        }
        (Treatment::Refuse, Verification::None(None)) => Err(428),
    }
}
