//! Callbacks that wait for their time, and whether anybody of them may be called then. One task owns them, so that whoever cancels one and whoever begins it never cross.

mod texts;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use b2bua::{
    CallId, Calling, Candidate, Cause, Control, Finding, Forbidden, Input, Query, Speech as Said, Stage,
    Strategy, When,
};
use number::Number;
use serde_json::json;
use store::{
    Callback, CallbackEnd, CallbackSide, FoundCallback, NewEvent, Store, StoreError, Timestamp, Ulid,
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{self, JoinError, JoinSet};

use self::texts::Heard;
pub(crate) use self::texts::{Texts, Unspoken};
use crate::keeper::{self, Knowledge};
use crate::records::event;
use crate::signalling::Turn;
use crate::time::wall_ms;

/// How late a callback may begin: after that nobody waits for it any more.
pub(crate) const LATE: Duration = Duration::from_secs(120);
/// What was to begin while the node was away begins so long after it is back: names of trunks are looked up meanwhile.
pub(crate) const SETTLING: Duration = Duration::from_secs(3);
/// Wishes waiting to be handled.
const WISHES: usize = 256;

/// What is wished of whoever keeps callbacks.
#[derive(Debug)]
pub(crate) enum Wish {
    /// Keep one, and begin it when it is time.
    Begin { callback: Box<Callback>, event: NewEvent, reply: oneshot::Sender<Result<(), StoreError>> },
    /// End one that has not come too far.
    Cancel { call: CallId, when: When, reply: oneshot::Sender<Option<Stage>> },
}

/// The way to whoever keeps callbacks.
pub(crate) fn queue() -> (mpsc::Sender<Wish>, mpsc::Receiver<Wish>) {
    mpsc::channel(WISHES)
}

/// Callbacks that wait.
pub(crate) struct Callbacks {
    store: Store,
    turns: mpsc::Sender<Turn>,
    knowledge: Knowledge,
    texts: Texts,
    /// By when they are to begin.
    waiting: BTreeMap<(Timestamp, Ulid), Callback>,
    /// Those whose time has come: who of them may be called is asked, and what they hear is made.
    readying: JoinSet<Ready>,
    /// Which they are, but for those that were cancelled meanwhile.
    due: HashMap<task::Id, Ulid>,
}

impl Callbacks {
    /// Those that were accepted and have not begun. One that has a record was begun before the node died, and is ended or goes on
    /// as any call does.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) fn recover(
        store: Store,
        turns: mpsc::Sender<Turn>,
        knowledge: Knowledge,
        texts: Texts,
        settling: Duration,
    ) -> Result<Self, StoreError> {
        let found = store.waiting_callbacks()?;
        let settled = Timestamp(wall_ms()).after(settling);
        let waiting = found.into_iter().filter(|found| found.record.is_none());
        let waiting = waiting.map(|FoundCallback { callback, .. }| {
            ((callback.begins_at().max(settled), callback.id), callback)
        });
        Ok(Self {
            store,
            turns,
            knowledge,
            texts,
            waiting: waiting.collect(),
            readying: JoinSet::new(),
            due: HashMap::new(),
        })
    }

    /// Until told to stop. While we drain nothing begins: it waits for the node that comes after.
    pub(crate) async fn run(
        mut self,
        mut wishes: mpsc::Receiver<Wish>,
        draining: watch::Receiver<bool>,
        mut stop: watch::Receiver<bool>,
    ) {
        loop {
            let now = Timestamp(wall_ms());
            let is_open = !*draining.borrow();
            let next = self.waiting.keys().next().filter(|_| is_open).map(|(at, _)| at.since(now));
            tokio::select! {
                wish = wishes.recv() => match wish {
                    Some(wish) => self.wished(wish).await,
                    None => return,
                },
                () = pause(next) => self.ready_due().await,
                Some(ready) = self.readying.join_next_with_id() => self.begin(ready, is_open).await,
                _ = stop.changed() => return,
            }
        }
    }

    async fn wished(&mut self, wish: Wish) {
        match wish {
            Wish::Begin { callback, event, reply } => {
                let kept = (*callback).clone();
                let done = self.stored(move |store| store.put_callback(kept, event)).await;
                if done.is_ok() {
                    self.waiting.insert((callback.begins_at(), callback.id), *callback);
                }
                let _ = reply.send(done);
            }
            Wish::Cancel { call, when, reply } => {
                let id = Ulid(call.0);
                let waited = self.waiting.extract_if(.., |key, _| key.1 == id).count();
                let readied = self.due.extract_if(|_, due| *due == id).count();
                if waited + readied > 0 {
                    self.end(id, "cancelled").await;
                    let _ = reply.send(Some(Stage::Waiting));
                } else {
                    let _ = self.turns.send(Turn::Cancel { call, when, reply }).await;
                }
            }
        }
    }

    /// Those whose time has come are made ready, each by a task of its own: what they hear may take long to be spoken.
    async fn ready_due(&mut self) {
        let now = Timestamp(wall_ms());
        while let Some(first) = self.waiting.first_entry().filter(|first| first.key().0 <= now) {
            let callback = first.remove();
            // Its hours may have ended while the node was not there.
            if now.since(callback.begins_at()) > LATE || callback.opens(now) > now {
                tracing::warn!(callback = %callback.id, "a callback was missed: the node was not there when it was to begin");
                self.end(callback.id, "missed").await;
                continue;
            }
            let (store, knowledge, texts) = (self.store.clone(), self.knowledge.clone(), self.texts.clone());
            let id = callback.id;
            let task = self.readying.spawn(ready(store, knowledge, texts, callback));
            self.due.insert(task.id(), id);
        }
    }

    /// One is ready. What was cancelled meanwhile never begins; while we drain it waits for the node that comes after.
    async fn begin(&mut self, ready: Result<(task::Id, Ready), JoinError>, is_open: bool) {
        let task = ready.as_ref().map_or_else(JoinError::id, |(task, _)| *task);
        let Some(id) = self.due.remove(&task) else { return };
        match ready {
            Ok((_, Ready::Yes(_))) if !is_open => {}
            Ok((_, Ready::Yes(callback))) => {
                let originate = Control::Originate(callback);
                let _ = self.turns.send(Turn::Board(Input::Control(originate))).await;
            }
            Ok((_, Ready::No(cause))) => self.end(id, cause).await,
            Ok((_, Ready::Erased)) => {}
            Err(panic) => {
                tracing::error!(%panic, callback = %id, "making a callback ready panicked");
                self.end(id, Cause::Fault.word()).await;
            }
        }
    }

    /// One that never began never will.
    async fn end(&self, id: Ulid, cause: &'static str) {
        let at = Timestamp(wall_ms());
        let told = event("callback.ended", at, Some(id), &ended("us", cause, 0.0));
        let end = CallbackEnd { at, cause: cause.into() };
        if let Err(error) = self.stored(move |store| store.end_callback(id, end, told).map(|_| ())).await {
            tracing::error!(%error, callback = %id, "the store could not keep that a callback ended");
        }
    }

    /// Writes, off the threads that must not wait.
    async fn stored(
        &self,
        work: impl FnOnce(&Store) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), StoreError> {
        let store = self.store.clone();
        let done = tokio::task::spawn_blocking(move || work(&store)).await;
        done.unwrap_or_else(|panic| Err(StoreError::Failed(panic.to_string())))
    }
}

/// Whether a callback begins.
#[derive(Debug)]
enum Ready {
    /// As the switchboard is told it.
    Yes(Box<b2bua::Callback>),
    /// It does not, for this cause.
    No(&'static str),
    /// Nothing is known of it any more.
    Erased,
}

/// Leaves out whoever is blocked or to be left in peace, as if they had called each other; and makes what each side hears.
async fn ready(store: Store, knowledge: Knowledge, texts: Texts, callback: Callback) -> Ready {
    let id = callback.id;
    let fault = Ready::No(Cause::Fault.word());
    let asked = task::spawn_blocking(move || permitted(&store, &knowledge, callback));
    let callback = match asked.await {
        Ok(Ok(Permitted::Yes(callback))) => callback,
        Ok(Ok(Permitted::No(cause))) => return Ready::No(cause),
        Ok(Ok(Permitted::Erased)) => return Ready::Erased,
        Ok(Err(error)) => {
            tracing::error!(%error, callback = %id, "the store could not be asked who may be called");
            return fault;
        }
        Err(panic) => {
            tracing::error!(%panic, callback = %id, "asking who may be called panicked");
            return fault;
        }
    };
    match texts.speak(&callback).await {
        Ok(heard) => Ready::Yes(Box::new(translate(&callback, heard))),
        Err(Unspoken { side, why }) => {
            tracing::error!(%why, callback = %id, side, "what a side of a callback is to hear was not spoken");
            Ready::No("unspoken")
        }
    }
}

/// Whether a callback may begin.
#[derive(Debug)]
enum Permitted {
    /// With those who may be called.
    Yes(Box<Callback>),
    /// A side has nobody who may be, for this cause.
    No(&'static str),
    /// Nothing is known of it any more.
    Erased,
}

fn permitted(store: &Store, knowledge: &Knowledge, mut callback: Callback) -> Result<Permitted, StoreError> {
    if store.callback(callback.id)?.is_none() {
        return Ok(Permitted::Erased);
    }
    let mut cause = None;
    let mut may = |line, caller: Option<Number>, callee| {
        let query = Query::Permit { line, caller, callee, code: None };
        cause = match keeper::find(store, knowledge, query)? {
            Finding::Forbidden(Forbidden::Quiet) => Some(Cause::QuietHours),
            Finding::Forbidden(Forbidden::Blocked | Forbidden::UsedUp) => Some(Cause::Blocked),
            Finding::Permitted => return Ok(true),
            Finding::Nothing | Finding::Several | Finding::Order(_) | Finding::Pair(_) | Finding::Failed => {
                Some(Cause::Fault)
            }
        };
        Ok::<_, StoreError>(false)
    };
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for one in &callback.first.numbers {
        if may(callback.first.line, None, one.number)? {
            first.push(*one);
        }
    }
    for one in &callback.second.numbers {
        let mut all = true;
        for caller in &first {
            all &= may(callback.second.line, Some(caller.number), one.number)?;
        }
        if all {
            second.push(*one);
        }
    }
    if first.is_empty() || second.is_empty() {
        return Ok(Permitted::No(cause.unwrap_or(Cause::Blocked).word()));
    }
    (callback.first.numbers, callback.second.numbers) = (first, second);
    Ok(Permitted::Yes(Box::new(callback)))
}

/// The data of `callback.ended`.
pub(crate) fn ended(by: &str, cause: &str, talk_seconds: f64) -> serde_json::Value {
    json!({ "ended_by": by, "cause": cause, "talk_seconds": talk_seconds })
}

async fn pause(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// In the words of the switchboard.
fn translate(callback: &Callback, heard: Heard) -> b2bua::Callback {
    b2bua::Callback {
        call: CallId(callback.id.0),
        line: callback.line,
        first: calling(&callback.first, heard.first),
        second: calling(&callback.second, heard.second),
        max_call: callback.max_seconds.map(seconds),
        record: callback.record,
        data: callback.data.as_ref().map(|data| data.as_str().into()),
    }
}

fn calling(side: &CallbackSide, prompt: Option<Said>) -> Calling {
    let candidates = side.numbers.iter();
    let candidates =
        candidates.map(|one| Candidate { number: one.number, ring_timeout: one.ring_seconds.map(seconds) });
    let strategy = Strategy::ALL.into_iter().find(|strategy| strategy.word() == &*side.strategy);
    Calling {
        candidates: candidates.collect(),
        strategy: strategy.unwrap_or(Strategy::InOrder),
        shown: side.line,
        prompt,
        confirm: side.confirm,
    }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

#[cfg(test)]
mod tests {
    use store::{CallbackNumber, CallbackPrompt, Options};

    use super::*;

    fn callback(n: u128, at: Timestamp) -> Callback {
        let side = |text, strategy: &str| CallbackSide {
            numbers: vec![CallbackNumber { number: Number::parse(text).unwrap(), ring_seconds: Some(9) }],
            strategy: strategy.into(),
            line: Number::parse("+74950000001").unwrap(),
            prompt: Some(CallbackPrompt::Key("start".into())),
            confirm: true,
        };
        Callback {
            id: Ulid(n),
            created_at: at,
            at,
            window: None,
            plan: None,
            line: Number::parse("+74950000001").unwrap(),
            first: side("+79991111111", "random"),
            second: side("+79992222222", "at-once"),
            max_seconds: Some(60),
            record: Some(true),
            data: None,
            end: None,
        }
    }

    fn knowledge() -> Knowledge {
        Knowledge { languages: Vec::new(), quiet: std::sync::Arc::default() }
    }

    /// Texts are spoken by this program.
    fn texts(dir: &std::path::Path, program: &[&str]) -> Texts {
        let words = program.iter().map(|word| (*word).to_owned()).collect();
        let speech = crate::speech::Speech::start(crate::speech::Settings {
            voice: Some(crate::speech::Voice::Program(words)),
            timeout: Duration::from_secs(20),
            folder: dir.join("speech"),
            most: 1 << 20,
        });
        Texts::new(speech.unwrap(), std::sync::Arc::new(|_| "ru".to_owned()))
    }

    fn created() -> NewEvent {
        event("callback.created", Timestamp(wall_ms()), None, &json!({}))
    }

    #[test]
    fn what_is_kept_is_what_the_switchboard_is_told() {
        let said = Said::Prompt(b2bua::Prompt::Start, None);
        let heard = Heard { first: Some(said.clone()), second: None };
        let told = translate(&callback(7, Timestamp(1)), heard);
        assert_eq!((told.call, told.max_call), (CallId(7), Some(Duration::from_secs(60))));
        assert_eq!((told.first.strategy, told.second.strategy), (Strategy::Random, Strategy::AtOnce));
        assert_eq!((told.first.prompt, told.first.confirm), (Some(said), true));
        assert_eq!(told.second.candidates[0].ring_timeout, Some(Duration::from_secs(9)));
    }

    /// A store with one callback for now, one long ago, one that has begun, one for later; then the node comes back.
    #[tokio::test(flavor = "multi_thread")]
    async fn after_a_restart_what_had_not_begun_is_begun_or_missed_and_never_lost() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::default()).unwrap();
        let now = Timestamp(wall_ms());
        let times = [now, now.before(LATE * 2), now, now.after(LATE)];
        for (n, at) in (1..).zip(times) {
            store.put_callback(callback(n, at), created()).unwrap();
        }
        let begun = store::Record { id: Ulid(3), callback: true, ..store::Record::default() };
        store.checkpoint(&begun, &[]).unwrap();
        let (turns, mut told) = crate::signalling::queue();
        let (wishes, wished) = queue();
        let (stop, draining) = (watch::Sender::new(false), watch::Sender::new(false));
        let texts = texts(dir.path(), &["false"]);
        let callbacks = Callbacks::recover(store.clone(), turns, knowledge(), texts, Duration::ZERO).unwrap();
        let running = tokio::spawn(callbacks.run(wished, draining.subscribe(), stop.subscribe()));
        let first = told.recv().await.unwrap();
        let Turn::Board(Input::Control(Control::Originate(first))) = first else { panic!("{first:?}") };
        assert_eq!(first.call, CallId(1));
        let (reply, found) = oneshot::channel();
        wishes.send(Wish::Cancel { call: CallId(4), when: When::NotRinging, reply }).await.unwrap();
        assert_eq!(found.await.unwrap(), Some(Stage::Waiting));
        let cause = |n| store.callback(Ulid(n)).unwrap().unwrap().callback.end.map(|end| end.cause);
        assert_eq!((cause(2).as_deref(), cause(4).as_deref()), (Some("missed"), Some("cancelled")));
        assert_eq!((cause(1), cause(3)), (None, None));
        // What has begun is the switchboard's.
        let (reply, _found) = oneshot::channel();
        wishes.send(Wish::Cancel { call: CallId(1), when: When::Any, reply }).await.unwrap();
        let asked = told.recv().await.unwrap();
        assert!(matches!(asked, Turn::Cancel { call: CallId(1), when: When::Any, .. }), "{asked:?}");
        stop.send_replace(true);
        running.await.unwrap();
    }

    #[test]
    fn whoever_is_blocked_is_left_out_and_what_was_erased_never_begins() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::default()).unwrap();
        let now = Timestamp(wall_ms());
        let asked = |n| permitted(&store, &knowledge(), callback(n, now)).unwrap();
        assert!(matches!(asked(1), Permitted::Erased));
        store.put_callback(callback(1, now), created()).unwrap();
        assert!(matches!(asked(1), Permitted::Yes(_)));
        let block = store::Block {
            id: Ulid(1),
            number: Number::parse("+79992222222").unwrap(),
            other: Some(Number::parse("+79991111111").unwrap()),
            line: None,
            direction: store::Direction::Both,
            reason: None,
            expires_at: None,
            created_at: now,
        };
        store.put_block(block).unwrap();
        assert!(matches!(asked(1), Permitted::No("blocked")));
    }

    /// Hours that begin so many minutes after now.
    fn hours(now: Timestamp, after: u64) -> Option<store::Window> {
        let minute = |minutes: u64| format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60);
        let begin = now.0 / 60_000 + after;
        store::Window::parse(&format!("{}-{}", minute(begin), minute(begin + 600)), Some("UTC")).ok()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_comes_before_the_hours_waits_and_who_missed_them_never_begins() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::default()).unwrap();
        let now = Timestamp(wall_ms());
        for (n, window) in [(1, hours(now, 300)), (2, hours(now, 1_440 - 300)), (3, hours(now, 300))] {
            store.put_callback(Callback { window, ..callback(n, now) }, created()).unwrap();
        }
        let (turns, mut told) = crate::signalling::queue();
        let (wishes, wished) = queue();
        let (stop, draining) = (watch::Sender::new(false), watch::Sender::new(false));
        let texts = texts(dir.path(), &["false"]);
        let mut callbacks =
            Callbacks::recover(store.clone(), turns, knowledge(), texts, Duration::ZERO).unwrap();
        assert_eq!(callbacks.waiting.len(), 3);
        assert!(callbacks.waiting.keys().all(|(at, id)| (at.since(now) > LATE) == (id.0 != 2)));
        // It is looked at when its hours are over: the node slept.
        let late = callbacks.waiting.pop_last().unwrap().1;
        let late = Callback { id: Ulid(3), ..late };
        callbacks.waiting.insert((now, Ulid(3)), late);
        let running = tokio::spawn(callbacks.run(wished, draining.subscribe(), stop.subscribe()));
        let begun = told.recv().await.unwrap();
        let Turn::Board(Input::Control(Control::Originate(begun))) = begun else { panic!("{begun:?}") };
        assert_eq!(begun.call, CallId(2));
        let (reply, found) = oneshot::channel();
        wishes.send(Wish::Cancel { call: CallId(1), when: When::NotRinging, reply }).await.unwrap();
        assert_eq!(found.await.unwrap(), Some(Stage::Waiting));
        let cause = |n| store.callback(Ulid(n)).unwrap().unwrap().callback.end.map(|end| end.cause);
        assert_eq!((cause(1).as_deref(), cause(3).as_deref()), (Some("cancelled"), Some("missed")));
        stop.send_replace(true);
        running.await.unwrap();
    }

    /// One whose text cannot be spoken ends; one whose text takes its time holds up nobody, and can be cancelled.
    #[tokio::test(flavor = "multi_thread")]
    async fn texts_are_spoken_before_anybody_is_rung() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::default()).unwrap();
        let wav = dir.path().join("voice.wav");
        std::fs::write(&wav, relay::write_wav(&[5; 8]).unwrap()).unwrap();
        let script = "case \"$(cat)\" in never) exit 1;; slow) exec sleep 60;; esac; cat \"$0\"";
        let texts = texts(dir.path(), &["sh", "-c", script, wav.to_str().unwrap()]);
        let now = Timestamp(wall_ms());
        let saying = |n, text: &str| {
            let mut callback = callback(n, now);
            callback.second.prompt = Some(CallbackPrompt::Text { text: text.into(), language: None });
            store.put_callback(callback, created()).unwrap();
        };
        saying(1, "never");
        saying(2, "slow");
        saying(3, "hello");
        let (turns, mut told) = crate::signalling::queue();
        let (wishes, wished) = queue();
        let (stop, draining) = (watch::Sender::new(false), watch::Sender::new(false));
        let callbacks = Callbacks::recover(store.clone(), turns, knowledge(), texts, Duration::ZERO).unwrap();
        let running = tokio::spawn(callbacks.run(wished, draining.subscribe(), stop.subscribe()));
        let begun = told.recv().await.unwrap();
        let Turn::Board(Input::Control(Control::Originate(begun))) = begun else { panic!("{begun:?}") };
        assert_eq!(begun.call, CallId(3));
        assert_eq!(begun.first.prompt, Some(Said::Prompt(b2bua::Prompt::Start, None)));
        let Some(Said::Made(made)) = &begun.second.prompt else { panic!("{begun:?}") };
        assert_eq!(made.samples(), [5; 8]);
        let (reply, found) = oneshot::channel();
        wishes.send(Wish::Cancel { call: CallId(2), when: When::NotRinging, reply }).await.unwrap();
        assert_eq!(found.await.unwrap(), Some(Stage::Waiting));
        let cause = |n| store.callback(Ulid(n)).unwrap().unwrap().callback.end.map(|end| end.cause);
        assert_eq!(cause(2).as_deref(), Some("cancelled"));
        while cause(1).is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(cause(1).as_deref(), Some("unspoken"));
        stop.send_replace(true);
        running.await.unwrap();
        assert!(told.try_recv().is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn while_the_node_drains_nothing_begins_and_all_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::default()).unwrap();
        let (turns, mut told) = crate::signalling::queue();
        let (wishes, wished) = queue();
        let (stop, draining) = (watch::Sender::new(false), watch::Sender::new(true));
        let texts = texts(dir.path(), &["false"]);
        let callbacks = Callbacks::recover(store.clone(), turns, knowledge(), texts, Duration::ZERO).unwrap();
        let running = tokio::spawn(callbacks.run(wished, draining.subscribe(), stop.subscribe()));
        let (reply, done) = oneshot::channel();
        let asked = Box::new(callback(1, Timestamp(wall_ms())));
        wishes.send(Wish::Begin { callback: asked, event: created(), reply }).await.unwrap();
        done.await.unwrap().unwrap();
        stop.send_replace(true);
        running.await.unwrap();
        assert!(told.try_recv().is_err());
        assert_eq!(store.waiting_callbacks().unwrap().len(), 1);
    }
}
