//! What stays the same through a call, and what any state can do with it.

use std::sync::Arc;
use std::time::Duration;

use clock::Instant;
use ivr::Prompt;
use rtp::{Command, Direction, Media, PlayId, PromptId, Sound, Statistics};
use ua::{LegCommand, Refusal, Why};

use super::directed::Plan;
use super::leg::Hold;
use super::outgoing::Outgoing;
use super::{Leg, Sides, State, Timer, Whose, closing};
use crate::belief::Asked;
use crate::config::{Config, Line, RecordNotice};
use crate::desk::{Desk, Told};
use crate::guards::Dialled;
use crate::hook::Connect;
use crate::interface::{CallId, Happening, Language, Manner, Order, Pair, Recording};
use crate::outcome;
use crate::record::{Cause, Outcome, Record};

/// How long the relay may take to close before the record is written without its figures.
pub(crate) const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Longer than any prompts in a row. Only a relay that is dead says nothing for so long, and then nobody talks either.
const HEARD_WITHIN: Duration = Duration::from_secs(1_200);

/// What a call is made of.
#[derive(Debug)]
pub(crate) struct Stuff {
    pub(crate) config: Arc<Config>,
    pub(crate) line: Arc<Line>,
    /// `None`: we begin the call, by this plan.
    pub(crate) caller: Option<Leg>,
    pub(crate) sides: Option<Box<Sides>>,
    pub(crate) record: Box<Record>,
    pub(crate) hops: u8,
    /// What is to be found out of the caller before the call arrives.
    pub(crate) asked: Option<Asked>,
}

/// The recording of a call, as far as the relay has not ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tape {
    No,
    Running,
    Paused { since: Instant },
}

/// How long two may talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// When they are warned.
    pub(crate) warns: Option<Instant>,
    /// When they have talked as long as they may.
    pub(crate) ends: Instant,
}

/// What stays the same through a call.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) config: Arc<Config>,
    pub(crate) line: Arc<Line>,
    /// What the caller hears: the line's, until the caller is known as a party who has their own.
    pub(crate) language: Language,
    /// `None`: we have begun the call, and the first side has not answered yet.
    pub(crate) caller: Option<Leg>,
    pub(crate) callee: Option<Leg>,
    /// The line whose number the callee sees, and by whose trunks they are called.
    pub(crate) shown: Arc<Line>,
    /// What is another for this call than for others of its line.
    pub(crate) manner: Manner,
    /// Those who are being called.
    pub(crate) outgoing: Vec<Outgoing>,
    /// What a callback is carried out by.
    pub(crate) sides: Option<Box<Sides>>,
    /// The order found last.
    pub(crate) order: Option<Box<Order>>,
    /// The pair the caller is of.
    pub(crate) pair: Option<Box<Pair>>,
    pub(crate) record: Box<Record>,
    /// Whether the relay still writes the recording.
    pub(crate) tape: Tape,
    pub(crate) hops: u8,
    /// The trunk the callee's leg goes by, where it has taken a place there.
    pub(crate) callee_trunk: Option<Box<str>>,
    /// How long they may talk, once they do.
    pub(crate) span: Option<Span>,
    /// What a hook said is to be done, where one is asked.
    pub(crate) plan: Option<Box<Plan>>,
    /// Whether the caller was told so.
    pub(crate) is_noticed: bool,
    /// What its legs count for.
    pub(crate) dialled: Vec<Dialled>,
    /// The caller is blocked, and heard out.
    pub(crate) is_blocked: bool,
}

impl Core {
    pub(crate) fn new(stuff: Stuff) -> Self {
        let Stuff { config, line, caller, sides, record, hops, .. } = stuff;
        let language = line.language;
        Self {
            config,
            shown: Arc::clone(&line),
            line,
            manner: Manner::default(),
            language,
            caller,
            callee: None,
            outgoing: Vec::new(),
            sides,
            order: None,
            pair: None,
            record,
            tape: Tape::No,
            hops,
            callee_trunk: None,
            span: None,
            plan: None,
            is_noticed: false,
            dialled: Vec::new(),
            is_blocked: false,
        }
    }

    /// The trunks in which this call has a place, but for those of whom is being called.
    pub(crate) fn seats(&self) -> impl Iterator<Item = &str> {
        let callers = Some(&*self.record.trunk).filter(|name| !name.is_empty());
        callers.into_iter().chain(self.callee_trunk.as_deref())
    }

    /// The worker on which all sessions of this call live; `None` while there is none.
    pub(crate) fn worker(&self) -> Option<u16> {
        let legs = self.caller.iter().chain(self.outgoing.iter().map(|outgoing| &outgoing.leg));
        legs.map(|leg| leg.port.worker).next()
    }

    pub(crate) fn id(&self) -> CallId {
        self.record.call
    }

    /// Plays to one leg, in its language.
    pub(crate) fn play(
        &mut self,
        whose: Whose,
        language: Language,
        prompts: &[Prompt],
        repeat: bool,
        desk: &mut Desk<'_>,
    ) {
        let prompts = prompts.iter().map(|prompt| place(language, *prompt).into()).collect();
        self.hear(whose, prompts, repeat, desk);
    }

    /// Plays to one leg.
    pub(crate) fn hear(&mut self, whose: Whose, prompts: Vec<Sound>, repeat: bool, desk: &mut Desk<'_>) {
        // A caller who is not answered hears nothing of ours.
        let Some(leg) = self.leg_mut(whose).filter(|leg| leg.hold == Hold::Session) else { return };
        let play = desk.ids.play();
        leg.play = Some(play);
        if repeat {
            desk.disarm(Timer::Play(whose));
        } else {
            desk.arm(Timer::Play(whose), HEARD_WITHIN);
        }
        desk.media(leg.port.worker, Command::Play { session: leg.session, play, prompts, repeat });
    }

    /// Whom a hook named, while they are called or talked to.
    pub(crate) fn connecting(&self) -> Option<&Connect> {
        self.plan.as_ref()?.connecting()
    }

    /// Our patience with the callee.
    pub(crate) fn ring_timeout(&self) -> Duration {
        self.manner.ring_timeout.unwrap_or(self.line.ring_timeout)
    }

    /// How long two may talk.
    pub(crate) fn longest(&self) -> Duration {
        self.manner.max_call.unwrap_or(self.line.max_call)
    }

    /// Plays one prompt to the caller.
    pub(crate) fn say(&mut self, prompt: Prompt, desk: &mut Desk<'_>) {
        self.play(Whose::Caller, self.language, &[prompt], false, desk);
    }

    /// Whether this is the end of what the leg hears now, not of something replaced since.
    pub(crate) fn has_finished(&mut self, whose: Whose, play: PlayId, desk: &mut Desk<'_>) -> bool {
        let Some(leg) = self.leg_mut(whose).filter(|leg| leg.play == Some(play)) else { return false };
        leg.play = None;
        desk.disarm(Timer::Play(whose));
        true
    }

    /// Silence for one leg.
    pub(crate) fn stop(&mut self, whose: Whose, desk: &mut Desk<'_>) {
        desk.disarm(Timer::Play(whose));
        if let Some(leg) = self.leg_mut(whose) {
            leg.stop(desk);
        }
    }

    /// A key by SIP INFO.
    pub(crate) fn press(&mut self, whose: Whose, digit: char, desk: &mut Desk<'_>) {
        if let Some(leg) = self.leg_mut(whose) {
            leg.press(digit, desk);
        }
    }

    /// Their new offer, or their wish for ours; `is_early`: a callee's who has not answered.
    pub(crate) fn reoffered(
        &mut self,
        whose: Whose,
        offer: Option<&[u8]>,
        is_early: bool,
        desk: &mut Desk<'_>,
    ) {
        let Some(leg) = self.leg_mut(whose) else { return };
        let command = match leg.reoffered(offer, is_early, desk) {
            Some(sdp) => LegCommand::Accept(sdp),
            None => LegCommand::Refuse(Refusal { status: 488, retry_after: None }),
        };
        let id = leg.id;
        desk.leg(id, command);
    }

    /// Their answer to our offer. `false`: nothing both can speak.
    pub(crate) fn learn(&mut self, whose: Whose, answer: &[u8], desk: &mut Desk<'_>) -> bool {
        let Some(leg) = self.leg_mut(whose) else { return true };
        let Some(media) = leg.description.read_answer(answer, desk.ids) else { return false };
        leg.update(media, desk);
        true
    }

    /// They have answered the call, and say nothing of the session: what was agreed before holds. `false`: nothing was.
    pub(crate) fn settle_early(&mut self, name: u8, desk: &mut Desk<'_>) -> bool {
        let Some(leg) = self.leg_mut(Whose::Tried(name)) else { return false };
        let Some(media) = leg.description.settle() else { return false };
        leg.update(media, desk);
        true
    }

    /// The caller hears what comes from the side of somebody who has not answered, where anything may come.
    pub(crate) fn hear_early(&mut self, name: u8, media: Media, desk: &mut Desk<'_>) {
        let Some(leg) = self.leg_mut(Whose::Tried(name)) else { return };
        leg.update(media, desk);
        if media.direction != Direction::ReceiveOnly {
            return self.hush_early(name, desk);
        }
        let session = leg.session;
        if std::mem::replace(&mut leg.heard_early, true) {
            return;
        }
        self.stop(Whose::Caller, desk);
        if let Some(caller) = &self.caller {
            let join = Command::Bridge { first: caller.session, second: session };
            desk.media(caller.port.worker, join);
        }
    }

    /// It hears our music again.
    pub(crate) fn hush_early(&mut self, name: u8, desk: &mut Desk<'_>) {
        if self.hush(name, desk) {
            self.play(Whose::Caller, self.language, &[Prompt::Music], true, desk);
        }
    }

    /// This leg has ended by itself.
    pub(crate) fn is_down(&mut self, whose: Whose) {
        if let Some(leg) = self.leg_mut(whose) {
            leg.up = false;
        }
    }

    pub(crate) fn checkpoint(&self, desk: &mut Desk<'_>) {
        desk.told.push(Told::Stale);
    }

    /// Ends the callee's leg and its media; the call goes on.
    pub(crate) fn end_callee(&mut self, why: Why, desk: &mut Desk<'_>) {
        let Some(callee) = &mut self.callee else { return };
        if std::mem::take(&mut callee.up) {
            desk.leg(callee.id, LegCommand::End(why));
        }
        callee.release(desk);
    }

    /// The one way a call ends.
    pub(crate) fn finish(&mut self, outcome: Outcome, desk: &mut Desk<'_>) -> State {
        let why = outcome::why(&outcome);
        self.leave_all(&outcome, desk);
        self.end_callee(why, desk);
        if let Some(caller) = &mut self.caller
            && std::mem::take(&mut caller.up)
        {
            desk.leg(caller.id, LegCommand::End(why));
        }
        self.settle(outcome, desk)
    }

    /// As `finish`, but the caller, who was never answered, is refused with this status.
    pub(crate) fn refuse(&mut self, status: u16, outcome: Outcome, desk: &mut Desk<'_>) -> State {
        if let Some(caller) = &mut self.caller
            && std::mem::take(&mut caller.up)
        {
            let retry_after = (outcome.cause == Cause::Overloaded).then_some(ua::RetryAfter(5));
            desk.leg(caller.id, LegCommand::Refuse(Refusal { status, retry_after }));
        }
        self.settle(Outcome { status: Some(status), ..outcome }, desk)
    }

    /// A caller who was not answered learns by a status alone that nobody is to be had: busy and declined are told, of the rest only that
    /// it was for now. What else the callee's network says of them is theirs.
    pub(crate) fn turn_away(&mut self, outcome: Outcome, desk: &mut Desk<'_>) -> State {
        self.leave_all(&outcome, desk);
        self.end_callee(outcome::why(&outcome), desk);
        let status = if outcome.cause == Cause::Busy {
            486
        } else if matches!(outcome.cause, Cause::Declined | Cause::Blocked | Cause::Refused) {
            603
        } else {
            480
        };
        if let Some(caller) = &mut self.caller
            && std::mem::take(&mut caller.up)
        {
            desk.leg(caller.id, LegCommand::Refuse(Refusal { status, retry_after: None }));
        }
        self.settle(outcome, desk)
    }

    /// The caller is refused because we are too busy; where we have begun the call, it is ended.
    pub(crate) fn overloaded(&mut self, desk: &mut Desk<'_>) -> State {
        if self.record.callback {
            return self.finish(outcome::ours(Cause::Overloaded), desk);
        }
        self.refuse(self.config.limits.busy_status, outcome::ours(Cause::Overloaded), desk)
    }

    fn settle(&mut self, outcome: Outcome, desk: &mut Desk<'_>) -> State {
        let cause = if self.is_blocked { Cause::Blocked } else { outcome.cause };
        let outcome = Outcome { cause, ..outcome };
        for timer in Timer::ALL {
            desk.disarm(timer);
        }
        if let Some(caller) = &mut self.caller {
            caller.release(desk);
        }
        self.count_pause(desk);
        for name in 0..self.record.tried.len() {
            self.give_up(u8::try_from(name).unwrap_or(u8::MAX), outcome, desk);
        }
        self.record.ended = Some(desk.now);
        self.record.outcome = Some(outcome);
        self.account(desk);
        desk.notice(self.id(), Happening::Ended { outcome });
        desk.arm(Timer::Close, CLOSE_WITHIN);
        closing::advance(self, desk)
    }

    /// A call in which a code was keyed and nothing matched counts towards lock-out; one that matched ends the row.
    fn account(&self, desk: &mut Desk<'_>) {
        let record = &self.record;
        if record.number_found {
            desk.lockouts.matched(record.caller);
        } else if record.attempts > 0
            && !record.locked_out
            && !self.is_blocked
            && let Some(orders) = self.line.service.orders()
        {
            desk.lockouts.failed(desk.now, record.caller, orders.script.code_attempts, orders.lockout);
        }
    }

    pub(crate) fn closed(&mut self, whose: Whose, statistics: Statistics, desk: &mut Desk<'_>) {
        let Some(leg) = self.leg_mut(whose).filter(|leg| matches!(leg.hold, Hold::Session | Hold::Closing))
        else {
            return;
        };
        leg.hold = Hold::Nothing;
        let port = leg.port;
        desk.ports.give(desk.now, port);
        match whose {
            Whose::Caller => self.record.caller_media = Some(statistics),
            Whose::Callee | Whose::Tried(_) => self.record.callee_media = Some(statistics),
        }
    }

    /// Whether the call is to be recorded, and is not yet.
    pub(crate) fn is_to_be_recorded(&self) -> bool {
        let record = &self.record;
        let wanted = self.manner.record.unwrap_or(self.line.record);
        wanted && record.recording.is_none() && record.recording_refused.is_none()
    }

    /// Records from now on what is said, where the call is to be recorded and nobody refused.
    pub(crate) fn begin_recording(&mut self, desk: &mut Desk<'_>) {
        if !self.is_to_be_recorded() {
            return;
        }
        let Some(caller) = &self.caller else { return };
        let name: Box<str> = format!("{}.{}", self.record.call, self.config.recordings).into();
        self.record.recording = Some(name.clone());
        self.tape = Tape::Running;
        desk.media(caller.port.worker, Command::Record { session: caller.session, name });
        // Whoever looks for it after a crash looks in the record.
        self.checkpoint(desk);
    }

    /// Whether what is said is recorded.
    pub(crate) fn is_recorded(&self) -> Recording {
        match self.tape {
            _ if self.record.outcome.is_some() => Recording::No,
            Tape::No => Recording::No,
            Tape::Running => Recording::Running,
            Tape::Paused { .. } => Recording::Paused,
        }
    }

    /// Records from now on, or leaves out what is said from now on, wherever the call stands. A recording that broke off is
    /// not begun again. `false`: whoever calls a line that tells people so was not told, and is not recorded.
    pub(crate) fn record_from_now(&mut self, records: bool, desk: &mut Desk<'_>) -> bool {
        let is_answered = self.record.answered.is_some();
        let notice = self.line.record_notice;
        if records && is_answered && notice != RecordNotice::Off && !self.is_noticed {
            return false;
        }
        self.manner.record = Some(records);
        match self.tape {
            // Where both are told it begins when both have been.
            Tape::No if records && is_answered && notice != RecordNotice::Both => self.begin_recording(desk),
            Tape::No => {}
            Tape::Running | Tape::Paused { .. } => self.pause_recording(!records, desk),
        }
        true
    }

    /// Leaves out of the recording what is said from now on, or takes it in again.
    pub(crate) fn pause_recording(&mut self, paused: bool, desk: &mut Desk<'_>) {
        let what = match (self.tape, paused) {
            (Tape::Running, true) => {
                self.tape = Tape::Paused { since: desk.now };
                Happening::RecordingPaused
            }
            (Tape::Paused { .. }, false) => {
                self.count_pause(desk);
                Happening::RecordingResumed
            }
            (Tape::No, _) | (Tape::Running, false) | (Tape::Paused { .. }, true) => return,
        };
        if let Some(caller) = &self.caller {
            let session = caller.session;
            desk.media(caller.port.worker, Command::PauseRecording { session, paused });
        }
        desk.notice(self.id(), what);
    }

    /// A pause is over: the record counts it.
    fn count_pause(&mut self, desk: &Desk<'_>) {
        if let Tape::Paused { since } = self.tape {
            self.record.recording_paused += desk.now.since(since);
            self.tape = Tape::Running;
        }
    }

    pub(crate) fn recorded(&mut self, fault: Option<String>, desk: &Desk<'_>) {
        self.count_pause(desk);
        self.tape = Tape::No;
        self.record.recording_fault = fault;
    }

    pub(crate) fn leg_mut(&mut self, whose: Whose) -> Option<&mut Leg> {
        match whose {
            Whose::Caller => self.caller.as_mut(),
            Whose::Callee => self.callee.as_mut(),
            Whose::Tried(name) => {
                let outgoing = self.outgoing.iter_mut().find(|outgoing| outgoing.name == name)?;
                Some(&mut outgoing.leg)
            }
        }
    }
}

/// Where a prompt lies in the library.
pub(crate) fn place(language: Language, prompt: Prompt) -> PromptId {
    PromptId(u16::from(language.0) * PROMPTS_PER_LANGUAGE + prompt.index())
}

/// How many places of the prompt library each language has.
pub const PROMPTS_PER_LANGUAGE: u16 = 64;

const _: () = assert!(Prompt::COUNT <= PROMPTS_PER_LANGUAGE);
