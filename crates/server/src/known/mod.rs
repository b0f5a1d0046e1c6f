//! Who the people in calls are: looked up beside the calls, on a thread of its own, so that no call waits for it, and told as `call.known`.

mod card;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, mpsc};
use std::thread;

use b2bua::{CallId, Callee, Happening, Notice, Side};
use number::Number;
use store::{Json, Known, Record, Somebody, Store, Timestamp, Ulid};

pub(crate) use card::Template;

use crate::records::{pair_ulid, ulid};
use crate::signalling::Turn;
use crate::time::wall_ms;

/// Questions that wait. What comes beyond is not looked up: a name is not worth more.
const QUESTIONS: usize = 1_024;

/// The template of links to cards, as the configuration has it now.
#[derive(Debug, Default)]
pub(crate) struct Cards {
    template: RwLock<Option<Template>>,
    /// Whether there is one, for whoever must not wait.
    any: AtomicBool,
}

impl Cards {
    /// Links are made of this from now on.
    pub(crate) fn configure(&self, template: Option<Template>) {
        self.any.store(template.is_some(), Ordering::Relaxed);
        *self.template.write().unwrap_or_else(PoisonError::into_inner) = template;
    }
}

/// Who somebody in a call is.
#[derive(Debug)]
pub(crate) struct Met {
    pub(crate) call: CallId,
    pub(crate) side: Side,
    pub(crate) number: Number,
    pub(crate) known: Known,
    pub(crate) card_url: Option<String>,
}

struct Question {
    call: CallId,
    side: Side,
    of: Somebody,
}

/// What is known of a call that goes on.
#[derive(Debug, Clone, Default)]
struct Call {
    line: Option<Number>,
    code: Option<Box<str>>,
    pair: Option<Ulid>,
    caller: Option<String>,
    callee: Option<String>,
}

/// The names of those who are in calls.
pub(crate) struct People {
    questions: mpsc::SyncSender<Question>,
    store: Store,
    cards: Arc<Cards>,
    calls: HashMap<CallId, Call>,
}

impl People {
    /// Starts the thread that looks people up.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(
        store: Store,
        cards: Arc<Cards>,
        turns: tokio::sync::mpsc::Sender<Turn>,
    ) -> std::io::Result<Self> {
        let (questions, asked) = mpsc::sync_channel(QUESTIONS);
        let (looked_up, templates) = (store.clone(), Arc::clone(&cards));
        let run = move || answer(&asked, &looked_up, &templates, &turns);
        thread::Builder::new().name("bauta-people".to_owned()).spawn(run)?;
        Ok(Self { questions, store, cards, calls: HashMap::new() })
    }

    /// What a call was said to be called before the node died.
    pub(crate) fn restore(&mut self, call: CallId, caller: Option<String>, callee: Option<String>) {
        self.calls.insert(call, Call { caller, callee, ..Call::default() });
    }

    /// Looks up whom something that happened is about, where anything could come of it.
    pub(crate) fn heard(&mut self, notice: &Notice) {
        let is_wanted = self.store.has_names() || self.cards.any.load(Ordering::Relaxed);
        if !is_wanted {
            return;
        }
        let id = notice.call;
        match &notice.what {
            Happening::Arrived { line, caller, .. } => {
                self.calls.insert(id, Call { line: Some(*line), ..Call::default() });
                self.ask(id, Side::Caller, *caller);
            }
            Happening::Originated { line, .. } => {
                self.calls.insert(id, Call { line: Some(*line), ..Call::default() });
            }
            Happening::Matched { code, .. } => {
                self.calls.entry(id).or_default().code = Some(code.as_str().into());
            }
            Happening::Paired { pair, .. } => {
                self.calls.entry(id).or_default().pair = Some(pair_ulid(*pair));
            }
            Happening::Dialling { callee, number, .. } => {
                let side = if *callee == Callee::First { Side::Caller } else { Side::Callee };
                self.ask(id, side, *number);
            }
            Happening::Restored(record) => {
                let call = self.calls.entry(id).or_default();
                call.line = record.line;
                call.code = record.code.map(|code| code.as_str().into());
                call.pair = record.pair.map(pair_ulid);
                self.ask(id, Side::Caller, record.caller);
                self.ask(id, Side::Callee, record.callee);
            }
            Happening::FirstAnswered { .. }
            | Happening::SecondAnswered { .. }
            | Happening::Asked
            | Happening::Code { .. }
            | Happening::Ringing
            | Happening::Bridged
            | Happening::Operator
            | Happening::HookFailed { .. }
            | Happening::RecordingPaused
            | Happening::RecordingResumed
            | Happening::Ended { .. } => {}
        }
    }

    fn ask(&self, id: CallId, side: Side, number: Option<Number>) {
        let (Some(call), Some(number)) = (self.calls.get(&id), number) else { return };
        let Call { line, code, pair, .. } = call.clone();
        let of = Somebody { number, line, code, pair };
        if self.questions.try_send(Question { call: id, side, of }).is_err() {
            tracing::debug!(call = %id, "too many are looked up already");
        }
    }

    /// Whether this is of a call that still goes on; its record has the name from now on.
    pub(crate) fn met(&mut self, met: &Met) -> bool {
        let Some(call) = self.calls.get_mut(&met.call) else { return false };
        let name = if met.side == Side::Caller { &mut call.caller } else { &mut call.callee };
        *name = met.known.name.as_deref().map(Record::short_name);
        true
    }

    /// Puts the names into what is kept of a call.
    pub(crate) fn name(&self, call: CallId, kept: &mut Record) {
        if let Some(call) = self.calls.get(&call) {
            kept.caller_name.clone_from(&call.caller);
            kept.callee_name.clone_from(&call.callee);
        }
    }

    /// The call is over.
    pub(crate) fn forget(&mut self, call: CallId) {
        self.calls.remove(&call);
    }
}

/// Answers questions until nobody can ask any more.
fn answer(
    asked: &mpsc::Receiver<Question>,
    store: &Store,
    cards: &Cards,
    turns: &tokio::sync::mpsc::Sender<Turn>,
) {
    while let Ok(Question { call, side, of }) = asked.recv() {
        let known = match store.known(&of, Timestamp(wall_ms())) {
            Ok(known) => known,
            Err(error) => {
                tracing::error!(%error, "the store could not be asked who somebody is");
                continue;
            }
        };
        let template = cards.template.read().unwrap_or_else(PoisonError::into_inner);
        let card_url = template.as_ref().and_then(|template| {
            template.fill(&card::Values {
                code: known.code.as_deref().or(of.code.as_deref()),
                role: known.role,
                line: of.line,
                call: ulid(call),
                contact: known.contact,
                data: known.data.iter().map(Json::as_str).collect(),
            })
        });
        drop(template);
        if known.name.is_none() && known.contact.is_none() && card_url.is_none() {
            continue;
        }
        let met = Met { call, side, number: of.number, known, card_url };
        if turns.blocking_send(Turn::Met(Box::new(met))).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use b2bua::TrunkId;
    use clock::Instant;
    use store::{NewContact, Options};

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    fn arrived(call: u128) -> Notice {
        let what = Happening::Arrived {
            line: number("+74950000001"),
            trunk: TrunkId(0),
            caller: Some(number("+79991112233")),
            verification: None,
            claimed: None,
        };
        Notice { call: CallId(call), at: Instant::ZERO, what }
    }

    fn people() -> (tempfile::TempDir, People, Arc<Cards>, tokio::sync::mpsc::Receiver<Turn>) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::default()).unwrap();
        let (turns, told) = crate::signalling::queue();
        let cards = Arc::<Cards>::default();
        (dir, People::start(store, Arc::clone(&cards), turns).unwrap(), cards, told)
    }

    fn put_contact(people: &People) {
        let new = NewContact { number: number("+79991112233"), name: "Ann".into(), note: None, data: None };
        people.store.create_contact(new, Timestamp(1)).unwrap();
    }

    #[test]
    fn where_nothing_can_come_of_it_nobody_is_looked_up() {
        let (_dir, mut people, cards, _told) = people();
        people.heard(&arrived(1));
        assert!(people.calls.is_empty());
        cards.configure(Template::parse("https://crm/{code}").ok());
        people.heard(&arrived(2));
        assert_eq!(people.calls.len(), 1);
        cards.configure(None);
        people.heard(&arrived(3));
        assert_eq!(people.calls.len(), 1);
        put_contact(&people);
        people.heard(&arrived(4));
        assert_eq!(people.calls.len(), 2);
    }

    #[test]
    fn who_is_met_is_named_in_the_record_and_nobody_is_told_of_a_call_that_is_over() {
        let (_dir, mut people, _cards, mut told) = people();
        put_contact(&people);
        people.heard(&arrived(7));
        let Some(Turn::Met(met)) = told.blocking_recv() else { panic!("it is told who calls") };
        assert_eq!((met.call, met.side, met.known.name.as_deref()), (CallId(7), Side::Caller, Some("Ann")));
        assert!(people.met(&met));
        let mut kept = Record::default();
        people.name(CallId(7), &mut kept);
        assert_eq!((kept.caller_name.as_deref(), kept.callee_name), (Some("Ann"), None));
        people.forget(CallId(7));
        assert!(!people.met(&met));
    }
}
