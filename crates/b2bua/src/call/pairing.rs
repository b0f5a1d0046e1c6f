//! A line of the pool is called: who calls, and what they dialled, say whom they reach. That is found out before the caller is
//! answered, so that a stranger can be refused at nobody's cost.

use std::sync::Arc;

use super::{Core, State, approving, consulting, dialling, directed, parting};
use crate::config::Answer;
use crate::desk::Desk;
use crate::interface::{Across, Callee, Finding, Happening, Output};
use crate::outcome;
use crate::record::Cause;
use crate::service::Strangers;

/// Whether the call goes anywhere is known: it is refused, or the caller hears it ring and is answered.
pub(crate) fn found(finding: Finding, strangers: Strangers, core: &mut Core, desk: &mut Desk<'_>) -> State {
    let pair = match finding {
        Finding::Pair(pair) => pair,
        // Whoever asks again may find us able to look.
        Finding::Failed => return core.overloaded(desk),
        Finding::Nothing
        | Finding::Several
        | Finding::Order(_)
        | Finding::Permitted
        | Finding::Forbidden(_) => return stranger(strangers, core, desk),
    };
    let record = &mut core.record;
    record.pair = Some(pair.id);
    record.number_found = true;
    record.caller_role = Some(pair.caller);
    record.data.clone_from(&pair.data);
    let matched = Happening::Paired { pair: pair.id, caller: pair.caller, data: pair.data.clone() };
    desk.notice(core.id(), matched);
    core.language = pair.language.unwrap_or(core.line.language);
    core.manner = pair.manner;
    let nobody = pair.across == Across::Nobody;
    if let Across::Party { shown, .. } = pair.across
        && shown != core.line.number
        && let Some(line) = core.config.lines.iter().find(|line| line.number == shown)
    {
        core.shown = Arc::new(line.clone());
    }
    core.pair = Some(pair);
    if nobody { stranger(strangers, core, desk) } else { consulting::ring(core, desk) }
}

/// The number connects this caller with nobody: the line's hook says what follows, where it has one.
fn stranger(strangers: Strangers, core: &mut Core, desk: &mut Desk<'_>) -> State {
    if let Some(hook) = core.line.hooks.strangers.clone() {
        return directed::begin(hook, core, desk);
    }
    match strangers {
        Strangers::Refuse => core.refuse(403, outcome::ours(Cause::NotConnected), desk),
        // Whoever is to be told must be answered.
        Strangers::Tell if core.line.answer == Answer::WhenAnswered => consulting::answer(core, desk),
        Strangers::Tell | Strangers::Operator => consulting::ring(core, desk),
    }
}

/// The caller is answered: the other one is called, or they are told that there is none.
pub(crate) fn connect(strangers: Strangers, core: &mut Core, desk: &mut Desk<'_>) -> State {
    if let Some(pair) = &core.pair {
        match pair.across {
            Across::Party { party, .. } => {
                desk.out.push(Output::PairCalled { pair: pair.id, caller: core.record.caller });
                return approving::begin(pair.caller, party.number, core, desk);
            }
            Across::Fallback(_) => return dialling::dial(Callee::Fallback, core, desk),
            Across::Nobody => {}
        }
    }
    if strangers == Strangers::Operator {
        core.record.operator_asked = true;
        desk.notice(core.id(), Happening::Operator);
        return dialling::dial(Callee::Operator, core, desk);
    }
    parting::not_connected(core, desk)
}
