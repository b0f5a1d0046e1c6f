//! Between the switchboard, which never waits, and the store, which may.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock, mpsc};
use std::thread;
use std::time::Duration;

use b2bua::{
    Across, CallId, Code, Finding, Forbidden, Input, Language, Manner, Order, Pair, PairId, Party, Query,
    Role,
};
use clock::Instant;
use number::Number;
use store::{Batch, Outcome, Quiet, Store, StoreError, Timestamp};

use crate::signalling::Turn;
use crate::time::wall_ms;

/// Questions waiting for the store. More calls than that ask at once only if the store hangs, and then they are
/// answered `Failed`.
const QUESTIONS: usize = 16_384;

/// What it takes to answer the switchboard in its words.
#[derive(Debug, Clone, Default)]
pub(crate) struct Knowledge {
    /// Those of the prompt library, in its order.
    pub(crate) languages: Vec<String>,
    /// When the parties of calls are left in peace, by line; changes with the configuration.
    pub(crate) quiet: Arc<RwLock<BTreeMap<Number, Quiet>>>,
}

type Question = (CallId, Query);

/// Asks the store, and hands it what is to be kept.
#[derive(Debug)]
pub(crate) struct Keeper {
    /// About a code: answered from the first moment on.
    by_code: mpsc::SyncSender<Question>,
    /// About a number: just after the start they wait until all orders were read once, and hold up nobody else.
    by_number: mpsc::SyncSender<Question>,
    store: Store,
    turns: tokio::sync::mpsc::Sender<Turn>,
    gathered: Gathered,
    /// Whole, and not yet with the store: it was full, or there was no time.
    waiting: VecDeque<Gathered>,
    /// Calls whose first checkpoint is not durable yet, in the order they came, and since when.
    beginning: VecDeque<(CallId, Instant)>,
    haste: Haste,
    /// When the last batch was handed over.
    last: Instant,
}

/// What becomes one commit.
#[derive(Debug, Default)]
struct Gathered {
    batch: Batch,
    /// Calls whose first checkpoint is in the batch.
    begun: Vec<CallId>,
}

/// How soon the batch must be handed over. Each costs the disk a synchronisation, so under load several calls share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Haste {
    /// There is nothing in it.
    None,
    /// Nobody waits for it.
    Some,
    /// A call waits to be answered, or a record to be told.
    Great,
}

impl Haste {
    /// How long after the last batch the next may go; `None` where there is nothing to hand over.
    fn pause(self) -> Option<Duration> {
        match self {
            Self::None => None,
            Self::Some => Some(Duration::from_millis(25)),
            Self::Great => Some(Duration::from_millis(4)),
        }
    }
}

impl Keeper {
    /// Starts the threads that ask.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(
        store: Store,
        knowledge: Knowledge,
        turns: tokio::sync::mpsc::Sender<Turn>,
    ) -> std::io::Result<Self> {
        let asker = |name: &str| {
            let (questions, asked) = mpsc::sync_channel(QUESTIONS);
            let (store, knowledge, turns) = (store.clone(), knowledge.clone(), turns.clone());
            let run = move || answer(&asked, &store, &knowledge, &turns);
            thread::Builder::new().name(name.to_owned()).spawn(run)?;
            Ok::<_, std::io::Error>(questions)
        };
        Ok(Self {
            by_code: asker("bauta-codes")?,
            by_number: asker("bauta-numbers")?,
            store,
            turns,
            gathered: Gathered::default(),
            waiting: VecDeque::new(),
            beginning: VecDeque::new(),
            haste: Haste::None,
            last: Instant::ZERO,
        })
    }

    /// Asks; `false` if the store is too far behind.
    pub(crate) fn ask(&self, call: CallId, query: Query) -> bool {
        let questions = match query {
            // Pairs are read before the first call comes.
            Query::Code { .. }
            | Query::Pair { .. }
            | Query::Caller { .. }
            | Query::Permit { .. }
            | Query::Nothing => &self.by_code,
            Query::Party { .. } | Query::Redial { .. } => &self.by_number,
        };
        questions.try_send((call, query)).is_ok()
    }

    /// Adds something to be kept that nobody waits for. What the store would refuse is left out, and takes nothing else with it:
    /// `false` then.
    pub(crate) fn keep(&mut self, what: Batch) -> bool {
        if let Some(error) = what.fault() {
            tracing::error!(%error, "the store would not keep what happened");
            return false;
        }
        if self.gathered.batch.len() + what.len() > Batch::LONGEST {
            self.waiting.push_back(std::mem::take(&mut self.gathered));
        }
        self.gathered.batch = std::mem::take(&mut self.gathered.batch).and(what);
        self.haste = self.haste.max(Haste::Some);
        true
    }

    /// Adds something to be kept soon, as `keep` does.
    pub(crate) fn keep_soon(&mut self, what: Batch) -> bool {
        let is_kept = self.keep(what);
        self.haste = Haste::Great;
        is_kept
    }

    /// Adds the first checkpoint of a call, which may be answered once it is kept.
    pub(crate) fn begin(&mut self, now: Instant, call: CallId, what: Batch) {
        if self.keep_soon(what) {
            self.gathered.begun.push(call);
            self.beginning.push_back((call, now));
        } else {
            let _ = self.turns.try_send(Turn::Board(Input::Begun { call, kept: false }));
        }
    }

    /// The first checkpoint of a call is durable, or will not be.
    pub(crate) fn begun(&mut self, call: CallId) {
        if let Some(place) = self.beginning.iter().position(|(beginning, _)| *beginning == call) {
            self.beginning.remove(place);
        }
    }

    /// How long the oldest call waits for its first checkpoint to be durable.
    pub(crate) fn behind(&self, now: Instant) -> Duration {
        self.beginning.front().map_or(Duration::ZERO, |(_, since)| now.since(*since))
    }

    /// When `flush` will have something to do.
    pub(crate) fn due(&self) -> Option<Instant> {
        Some(self.last + self.haste.pause()?)
    }

    /// Hands everything gathered to the store, if it is time. What the store has no room for stays for the next time.
    pub(crate) fn flush(&mut self, now: Instant) {
        if self.due().is_none_or(|due| now < due) {
            return;
        }
        self.last = now;
        self.waiting.push_back(std::mem::take(&mut self.gathered));
        while let Some(gathered) = self.waiting.pop_front() {
            if let Err(gathered) = self.commit(gathered) {
                self.waiting.push_front(gathered);
                return;
            }
        }
        self.haste = Haste::None;
    }

    fn commit(&self, Gathered { batch, begun }: Gathered) -> Result<(), Gathered> {
        let (turns, told) = (self.turns.clone(), begun.clone());
        let committed = self.store.commit(batch, move |outcome| {
            let kept = outcome.is_ok();
            if let Err(error) = outcome {
                tracing::error!(%error, "the store could not keep what happened");
            }
            for call in told {
                // The queue is full only if the loop is dead: then nobody waits for this either.
                let _ = turns.try_send(Turn::Board(Input::Begun { call, kept }));
            }
        });
        committed.map_err(|batch| Gathered { batch, begun })
    }
}

/// Answers questions until nobody can ask any more.
fn answer(
    asked: &mpsc::Receiver<Question>,
    store: &Store,
    knowledge: &Knowledge,
    turns: &tokio::sync::mpsc::Sender<Turn>,
) {
    while let Ok((call, query)) = asked.recv() {
        let finding = find(store, knowledge, query).unwrap_or_else(|error| {
            tracing::error!(%error, "the store could not be asked");
            Finding::Failed
        });
        if let (Query::Permit { line, code: Some(code), .. }, Finding::Permitted) = (query, &finding)
            && has_limit(store, line, code)
        {
            reserve(store, turns, call, line, code);
            continue;
        }
        if turns.blocking_send(Turn::Board(Input::Found { call, finding })).is_err() {
            return;
        }
    }
}

/// Whether the order has only so many calls.
fn has_limit(store: &Store, line: Number, code: Code) -> bool {
    let order = store.find_code(line, code.as_str(), Timestamp(wall_ms()));
    // What cannot be read now is found out when a call is reserved.
    order.map_or(true, |order| order.is_some_and(|order| order.limits.max_calls.is_some()))
}

/// Takes one of the order's calls, and answers when it is taken: many may ask for the last at the same time.
fn reserve(store: &Store, turns: &tokio::sync::mpsc::Sender<Turn>, call: CallId, line: Number, code: Code) {
    let batch = Batch::new().reserve_call(line, code.as_str(), Timestamp(wall_ms()));
    let told = turns.clone();
    // The queue is full only if the loop is dead: then nobody waits for this either.
    let tell = move |finding| drop(told.try_send(Turn::Board(Input::Found { call, finding })));
    let answer = tell.clone();
    let taken = store.commit(batch, move |outcomes| match outcomes.as_deref() {
        Ok([Outcome::Reserved(true)]) => answer(Finding::Permitted),
        Ok(_) => answer(Finding::Forbidden(Forbidden::UsedUp)),
        Err(error) => {
            tracing::error!(%error, "the store could not take one of an order's calls");
            answer(Finding::Failed);
        }
    });
    if taken.is_err() {
        tell(Finding::Failed);
    }
}

/// Asks the store, in the words of the switchboard.
pub(crate) fn find(store: &Store, knowledge: &Knowledge, query: Query) -> Result<Finding, StoreError> {
    let now = Timestamp(wall_ms());
    let one = |order: Option<store::Order>| {
        order
            .and_then(|order| translate(order, &knowledge.languages))
            .map_or(Finding::Nothing, Finding::Order)
    };
    Ok(match query {
        Query::Code { line, code } => one(store.find_code(line, code.as_str(), now)?),
        Query::Party { line, number } => match store.find_party(line, number, now)? {
            store::PartyFinding::None => Finding::Nothing,
            store::PartyFinding::One(order) => one(Some(*order)),
            store::PartyFinding::Several => Finding::Several,
        },
        Query::Redial { line, number, within } => one(store.find_redial(line, number, within, now)?),
        Query::Pair { line, number } => {
            let found = store.find_pair(line, number, now)?;
            found.map_or(Finding::Nothing, |found| pair(found, &knowledge.languages))
        }
        Query::Caller { line, caller } => {
            let is_blocked = store.is_blocked(line, Some(caller), None, now)?;
            if is_blocked { Finding::Forbidden(Forbidden::Blocked) } else { Finding::Permitted }
        }
        Query::Permit { line, caller, callee, code } => {
            let forbidden = forbidden(store, knowledge, (line, caller, callee), code, now)?;
            forbidden.map_or(Finding::Permitted, Finding::Forbidden)
        }
        Query::Nothing => Finding::Nothing,
    })
}

/// Why this callee is not to be called now. The order's own hours come before the line's.
fn forbidden(
    store: &Store,
    knowledge: &Knowledge,
    (line, caller, callee): (Number, Option<Number>, Number),
    code: Option<Code>,
    now: Timestamp,
) -> Result<Option<Forbidden>, StoreError> {
    if store.is_blocked(line, caller, Some(callee), now)? {
        return Ok(Some(Forbidden::Blocked));
    }
    let spent = code.map(|code| store.find_spent(line, code.as_str(), now)).transpose()?.flatten();
    let most = spent.as_ref().and_then(|spent| spent.order.limits.max_calls);
    if let (Some(spent), Some(most)) = (&spent, most)
        && spent.calls >= most
    {
        return Ok(Some(Forbidden::UsedUp));
    }
    let own = spent.and_then(|spent| {
        let limits = spent.order.limits;
        if spent.order.courier.number == callee { limits.courier_quiet } else { limits.client_quiet }
    });
    let is_quiet = |quiet: &Quiet| quiet.is_now(callee, now);
    let quiet = match &own {
        Some(quiet) => is_quiet(quiet),
        None => {
            knowledge.quiet.read().unwrap_or_else(PoisonError::into_inner).get(&line).is_some_and(is_quiet)
        }
    };
    Ok(quiet.then_some(Forbidden::Quiet))
}

fn translate(order: store::Order, languages: &[String]) -> Option<Box<Order>> {
    Some(Box::new(Order {
        code: Code::parse(&order.code)?,
        courier: party(&order.courier, languages),
        client: party(&order.client, languages),
        data: order.data.as_ref().map(|data| data.as_str().into()),
    }))
}

fn party(party: &store::Party, languages: &[String]) -> Party {
    let language = party.language.as_ref().and_then(|name| {
        let place = languages.iter().position(|known| **known == **name)?;
        u8::try_from(place).ok().map(Language)
    });
    Party { number: party.number, language }
}

fn pair(found: store::PairFinding, languages: &[String]) -> Finding {
    let store::PairFinding { pair, caller, reached } = found;
    let own = match caller {
        store::Side::A => Some(&pair.a),
        store::Side::B => pair.b.as_ref(),
    };
    Finding::Pair(Box::new(Pair {
        id: PairId(pair.id.0),
        caller: match caller {
            store::Side::A => Role::A,
            store::Side::B => Role::B,
        },
        language: own.and_then(|own| party(&own.party, languages).language),
        across: match reached {
            store::Reached::Party { party: other, shown } => {
                Across::Party { party: party(&other, languages), shown }
            }
            store::Reached::Fallback(number) => Across::Fallback(number),
            store::Reached::Nobody => Across::Nobody,
        },
        manner: Manner { max_call: pair.max_call, ring_timeout: pair.ring_timeout, record: pair.record },
        data: pair.data.as_ref().map(|data| data.as_str().into()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::{Json, NewEvent, Options};

    #[test]
    fn more_than_one_commit_takes_is_kept_whole() {
        let many = 2 * Batch::LONGEST + 500;
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::default()).unwrap();
        let (turns, mut told) = crate::signalling::queue();
        let mut keeper = Keeper::start(store.clone(), Knowledge::default(), turns).unwrap();
        let event = |at: usize| NewEvent {
            kind: "call.asked".to_owned(),
            at: Timestamp(1_000 + at as u64),
            call: None,
            data: Json::parse("{}").unwrap(),
        };
        for at in 1..many {
            assert!(keeper.keep(Batch::new().event(event(at))));
        }
        let second = |seconds| Instant(Duration::from_secs(seconds));
        keeper.begin(second(1), CallId(7), Batch::new().event(event(many)));
        keeper.flush(second(1));
        let said = told.blocking_recv();
        assert!(matches!(said, Some(Turn::Board(Input::Begun { call: CallId(7), kept: true }))), "{said:?}");
        assert_eq!(keeper.behind(second(3)), Duration::from_secs(2));
        keeper.begun(CallId(8));
        assert_eq!(keeper.behind(second(3)), Duration::from_secs(2));
        keeper.begun(CallId(7));
        assert_eq!(keeper.behind(second(3)), Duration::ZERO);
        let mut kept = store.events_after(None, many).unwrap().events;
        while let Some(last) = kept.last() {
            let more = store.events_after(Some(last.id), many).unwrap().events;
            if more.is_empty() {
                break;
            }
            kept.extend(more);
        }
        assert_eq!(kept.len(), many);
        assert_eq!(keeper.due(), None);
    }

    #[test]
    fn what_the_store_refuses_takes_nothing_else_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::default()).unwrap();
        let (turns, mut told) = crate::signalling::queue();
        let mut keeper = Keeper::start(store.clone(), Knowledge::default(), turns).unwrap();
        let event = |kind: &str| {
            let data = Json::parse("{}").unwrap();
            Batch::new().event(NewEvent { kind: kind.to_owned(), at: Timestamp(1_000), call: None, data })
        };
        let too_long = "x".repeat(100);
        keeper.begin(Instant::ZERO, CallId(7), event("call.asked"));
        assert!(!keeper.keep(event(&too_long)));
        keeper.begin(Instant::ZERO, CallId(8), event(&too_long));
        keeper.flush(Instant(Duration::from_secs(1)));
        let begun = [told.blocking_recv(), told.blocking_recv()].map(|said| match said {
            Some(Turn::Board(Input::Begun { call, kept })) => (call, kept),
            other => panic!("{other:?}"),
        });
        assert_eq!(begun, [(CallId(8), false), (CallId(7), true)]);
        assert_eq!(store.events_after(None, 9).unwrap().events.len(), 1);
    }
}
