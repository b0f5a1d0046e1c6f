//! What every route needs: the store, the settings, the way to the server, the events.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use store::{OutboxStatus, Store, StoreError, Ulid};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use crate::attempts::Attempts;
use crate::bus::Bus;
use crate::interface::{Ask, Settings};
use crate::problem::{Fault, Problem};
use crate::rate::Rates;
use crate::sign_in;
use crate::traffic::Traffic;
use crate::webhooks::Deliveries;

/// Requests under way at once, without event streams.
const REQUESTS: usize = 256;
/// Imports at once.
const IMPORTS: usize = 2;
/// Recordings drawn at once: each has a core for as long as it takes.
const WAVEFORMS: usize = 2;
/// Event streams at once.
const STREAMS: usize = 256;

/// The API, ready to be served. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    settings: RwLock<Arc<Settings>>,
    asks: mpsc::Sender<Ask>,
    bus: Bus,
    places: Arc<Semaphore>,
    imports: Arc<Semaphore>,
    waveforms: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    traffic: Traffic,
    deliveries: Arc<Deliveries>,
    rates: Rates,
    attempts: Attempts,
    sign_ins: watch::Sender<()>,
}

impl Gate {
    /// Over this store, whose one listener it becomes; what only the server can do goes to `asks`.
    #[must_use]
    pub fn new(store: Store, settings: Settings, asks: mpsc::Sender<Ask>) -> Self {
        let bus = Bus::on(&store);
        Self(Arc::new(Inner {
            store,
            settings: RwLock::new(Arc::new(settings)),
            asks,
            bus,
            places: Arc::new(Semaphore::new(REQUESTS)),
            imports: Arc::new(Semaphore::new(IMPORTS)),
            waveforms: Arc::new(Semaphore::new(WAVEFORMS)),
            streams: Arc::new(Semaphore::new(STREAMS)),
            traffic: Traffic::default(),
            deliveries: Arc::default(),
            rates: Rates::default(),
            attempts: Attempts::default(),
            sign_ins: watch::Sender::new(()),
        }))
    }

    /// Takes new settings for requests that begin from now on. Whoever they no longer know is signed out.
    pub async fn configure(&self, settings: Settings) {
        let proofs = sign_in::proofs(&settings);
        *self.0.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
        // That it failed is logged; no request of theirs is answered any more in any case.
        let _ = self.store(move |store| store.end_other_sign_ins(&proofs)).await;
        self.sign_ins_changed();
    }

    /// Where the store's events are heard.
    #[must_use]
    pub fn bus(&self) -> &Bus {
        &self.0.bus
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.0.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn rates(&self) -> &Rates {
        &self.0.rates
    }

    pub(crate) fn attempts(&self) -> &Attempts {
        &self.0.attempts
    }

    /// Somebody signed in or out, or the configuration knows others: whoever listens finds out whether they still may.
    pub(crate) fn sign_ins_changed(&self) {
        self.0.sign_ins.send_replace(());
    }

    /// Changes whenever somebody who listens may no longer be allowed to.
    pub(crate) fn sign_ins(&self) -> watch::Receiver<()> {
        self.0.sign_ins.subscribe()
    }

    pub(crate) fn traffic(&self) -> &Traffic {
        &self.0.traffic
    }

    /// What is counted of webhooks; shared with whoever delivers.
    #[must_use]
    pub fn deliveries(&self) -> &Arc<Deliveries> {
        &self.0.deliveries
    }

    pub(crate) fn store_handle(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn last_event(&self) -> Option<Ulid> {
        self.0.store.last_event()
    }

    pub(crate) fn store_fault(&self) -> Option<StoreError> {
        self.0.store.fault()
    }

    pub(crate) fn outbox_status(&self, webhook: &str) -> OutboxStatus {
        self.0.store.outbox_status(webhook)
    }

    /// A place among the requests under way; `None` when all are taken.
    pub(crate) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.places).try_acquire_owned().ok()
    }

    /// A place among the imports; `None` when all are taken.
    pub(crate) fn import_place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.imports).try_acquire_owned().ok()
    }

    /// A place among the recordings that are drawn, once there is one.
    pub(crate) async fn waveform_place(&self) -> OwnedSemaphorePermit {
        let place = Arc::clone(&self.0.waveforms).acquire_owned().await;
        place.expect("nobody closes the semaphore")
    }

    /// A place among the event streams; `None` when all are taken.
    pub(crate) fn stream_place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.streams).try_acquire_owned().ok()
    }

    /// Comes back when nobody listens any more.
    pub(crate) async fn streams_over(&self) {
        let all = u32::try_from(STREAMS).expect("a few hundred");
        let _ = self.0.streams.acquire_many(all).await;
    }

    /// Asks the server, and waits no longer than [`crate::ASK_TIMEOUT`].
    pub(crate) async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Result<T, Problem> {
        self.ask_within(crate::ASK_TIMEOUT, ask).await
    }

    /// Asks the server, and waits no longer than this.
    pub(crate) async fn ask_within<T>(
        &self,
        patience: Duration,
        ask: impl FnOnce(oneshot::Sender<T>) -> Ask,
    ) -> Result<T, Problem> {
        let (reply, answer) = oneshot::channel();
        let asked = async {
            self.0.asks.send(ask(reply)).await.ok()?;
            answer.await.ok()
        };
        let answered = tokio::time::timeout(patience, asked).await;
        answered.ok().flatten().ok_or_else(|| Problem::new(Fault::ServerSilent, "try again shortly"))
    }

    /// Does blocking work on the store, off the threads that serve connections.
    pub(crate) async fn store<T, F>(&self, work: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    {
        let store = self.0.store.clone();
        let done = tokio::task::spawn_blocking(move || work(&store)).await;
        match done {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(store_failed(&error)),
            Err(panic) => {
                tracing::error!(%panic, "work on the store panicked");
                Err(Problem::new(Fault::Internal, "the fault is logged"))
            }
        }
    }
}

fn store_failed(error: &StoreError) -> Problem {
    match error {
        StoreError::Cursor => {
            Problem::new(Fault::CursorInvalid, "use next_cursor of the page before").at("cursor")
        }
        StoreError::Busy => Problem::new(Fault::Overloaded, "try again shortly"),
        StoreError::Locked { .. }
        | StoreError::Unreadable { .. }
        | StoreError::Format { .. }
        | StoreError::Directory { .. }
        | StoreError::Failed(_)
        | StoreError::Read(_)
        | StoreError::Refused(_) => {
            tracing::error!(%error, "the store failed");
            Problem::new(Fault::StoreFailed, "try again shortly; the log says why")
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use number::{Number, Plan};
    use tempfile::TempDir;

    use super::*;
    use crate::{Privacy, Role, Token};

    /// A gate over an empty store, which goes away with its directory; nobody answers what it asks.
    pub(crate) fn gate() -> (Gate, TempDir, mpsc::Receiver<Ask>) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), store::Options::default()).unwrap();
        let (asks, asked) = mpsc::channel(1);
        let settings = Settings {
            plan: Plan::of("RU").unwrap(),
            tokens: vec![Token::new("secret", Role::Admin)],
            users: vec![],
            console: crate::ConsoleSettings::default(),
            proxies: vec![],
            lines: [(Number::parse("+74950000001").unwrap(), 5)].into(),
            pool: crate::PoolSettings::default(),
            every_line: [Number::parse("+74950000001").unwrap()].into(),
            languages: vec!["ru".into()],
            webhooks: vec![],
            recordings: recording::Settings::wav(dir.path().into()),
            privacy: Privacy::Full,
        };
        (Gate::new(store, settings, asks), dir, asked)
    }

    #[tokio::test(start_paused = true)]
    async fn an_ask_that_is_not_answered_ends_in_time() {
        let (gate, _dir, _asked) = gate();
        let began = tokio::time::Instant::now();
        // The second waits for room in the channel.
        for _ in 0..2 {
            let answer = gate.ask(Ask::Health).await;
            assert_eq!(answer.unwrap_err().fault, Fault::ServerSilent);
        }
        assert_eq!(began.elapsed(), crate::ASK_TIMEOUT * 2);
    }
}
