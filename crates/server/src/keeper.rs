//! Between the switchboard, which never waits, and the store, which may.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use b2bua::{CallId, Code, Finding, Input, Language, Order, Party, Query};
use clock::Instant;
use store::{Batch, Store, StoreError, Timestamp};

use crate::signalling::Turn;
use crate::time::wall_ms;

/// Questions waiting for the store. More calls than that ask at once only if the store hangs, and then they are
/// answered `Failed`.
const QUESTIONS: usize = 16_384;

/// Asks the store, and hands it what is to be kept.
#[derive(Debug)]
pub(crate) struct Keeper {
    questions: mpsc::SyncSender<(CallId, Query)>,
    store: Store,
    turns: tokio::sync::mpsc::Sender<Turn>,
    batch: Batch,
    /// Calls whose first checkpoint is in the batch.
    begun: Vec<CallId>,
    haste: Haste,
    /// When the last batch was handed over.
    last: Instant,
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
    /// Starts the thread that asks.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(
        store: Store,
        languages: Vec<String>,
        turns: tokio::sync::mpsc::Sender<Turn>,
    ) -> std::io::Result<Self> {
        let (questions, asked) = mpsc::sync_channel(QUESTIONS);
        let answers = turns.clone();
        let asking = store.clone();
        thread::Builder::new().name("bauta-keeper".to_owned()).spawn(move || {
            while let Ok((call, query)) = asked.recv() {
                let finding = find(&asking, &languages, query).unwrap_or_else(|error| {
                    tracing::error!(%error, "the store could not be asked");
                    Finding::Failed
                });
                if answers.blocking_send(Turn::Board(Input::Found { call, finding })).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self {
            questions,
            store,
            turns,
            batch: Batch::new(),
            begun: Vec::new(),
            haste: Haste::None,
            last: Instant::ZERO,
        })
    }

    /// Asks; `false` if the store is too far behind.
    pub(crate) fn ask(&self, call: CallId, query: Query) -> bool {
        self.questions.try_send((call, query)).is_ok()
    }

    /// Adds something to be kept that nobody waits for.
    pub(crate) fn keep(&mut self, add: impl FnOnce(Batch) -> Batch) {
        self.batch = add(std::mem::take(&mut self.batch));
        self.haste = self.haste.max(Haste::Some);
    }

    /// Adds something to be kept soon.
    pub(crate) fn keep_soon(&mut self, add: impl FnOnce(Batch) -> Batch) {
        self.keep(add);
        self.haste = Haste::Great;
    }

    /// This call may be answered once what is to be kept now is.
    pub(crate) fn begin(&mut self, call: CallId) {
        self.begun.push(call);
    }

    /// When `flush` will have something to do.
    pub(crate) fn due(&self) -> Option<Instant> {
        Some(self.last + self.haste.pause()?)
    }

    /// Hands everything gathered to the store, if it is time. Where the store takes no more, it stays for the next time.
    pub(crate) fn flush(&mut self, now: Instant) {
        if self.due().is_none_or(|due| now < due) {
            return;
        }
        self.last = now;
        let (batch, begun) = (std::mem::take(&mut self.batch), std::mem::take(&mut self.begun));
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
        match committed {
            Ok(()) => self.haste = Haste::None,
            Err(batch) => {
                self.batch = batch;
                self.begun = begun;
            }
        }
    }
}

/// Asks the store, in the words of the switchboard.
pub(crate) fn find(store: &Store, languages: &[String], query: Query) -> Result<Finding, StoreError> {
    let now = Timestamp(wall_ms());
    let one = |order: Option<store::Order>| {
        order.and_then(|order| translate(order, languages)).map_or(Finding::Nothing, Finding::Order)
    };
    Ok(match query {
        Query::Code { line, code } => one(store.find_code(line, code.as_str(), now)?),
        Query::Party { line, number } => match store.find_party(line, number, now)? {
            store::PartyFinding::None => Finding::Nothing,
            store::PartyFinding::One(order) => one(Some(*order)),
            store::PartyFinding::Several => Finding::Several,
        },
        Query::Redial { line, number, within } => one(store.find_redial(line, number, within, now)?),
        Query::Nothing => Finding::Nothing,
    })
}

fn translate(order: store::Order, languages: &[String]) -> Option<Box<Order>> {
    let party = |party: &store::Party| Party {
        number: party.number,
        language: party.language.as_ref().and_then(|name| {
            let place = languages.iter().position(|known| **known == **name)?;
            u8::try_from(place).ok().map(Language)
        }),
    };
    Some(Box::new(Order {
        code: Code::parse(&order.code)?,
        courier: party(&order.courier),
        client: party(&order.client),
        data: order.data.as_ref().map(|data| data.as_str().into()),
    }))
}
