//! Opening the store, handing it writes, closing it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::disk::Disk;
use crate::index::OrderIndex;
use crate::outbox::Outbox;
use crate::pair::Pool;
use crate::shared::{Safe, Shared};
use crate::summaries::Summaries;
use crate::writer::{Job, Writer};
use crate::{Batch, Outcome, StoreError, keys};

/// Most batches that wait to be written.
const QUEUE: usize = 4_096;

/// The store of this node. Cheap to clone; the last one dropped writes what waits and closes it.
#[derive(Debug, Clone)]
pub struct Store {
    handle: Arc<Handle>,
}

/// How the store is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Name of this node, as it stands in events. At most [`Options::LONGEST_NODE`] bytes of it are used.
    pub node: String,
    /// Bytes of pages kept in memory. What holds them takes about twice that.
    pub cache_bytes: u64,
    /// Events kept for streams that resume.
    pub events: u64,
    /// Events that may wait for one webhook; beyond it the oldest become dead letters.
    pub outbox: u64,
    /// Dead letters kept per webhook; beyond it the oldest are dropped and counted.
    pub dead_letters: u64,
    /// How long records are kept.
    pub records_for: Duration,
    /// How long a pair is known after its end, so that it can be opened again and its numbers chosen or avoided for the same
    /// two.
    pub pairs_for: Duration,
    /// How long events are kept at most, where not only their number bounds them.
    pub events_for: Option<Duration>,
    /// How long is kept who looked at what.
    pub audit_for: Duration,
    /// How long a number that was called is remembered for redial; no redial window is longer.
    pub redial_for: Duration,
}

/// How the store stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreStatus {
    /// Orders kept, expired ones not yet swept included; `None` just after opening, until they are read.
    pub orders: Option<u64>,
    /// Bytes on the disk.
    pub disk_bytes: u64,
}

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    jobs: Option<SyncSender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

/// A batch on its way.
pub(crate) struct Ticket(Receiver<Result<Vec<Outcome>, StoreError>>);

impl Options {
    /// Most bytes of [`Options::node`].
    pub const LONGEST_NODE: usize = 64;
}

impl Default for Options {
    fn default() -> Self {
        Self {
            node: "bauta".to_owned(),
            cache_bytes: 64 << 20,
            events: 100_000,
            outbox: 100_000,
            dead_letters: 100_000,
            records_for: Duration::from_secs(400 * 86_400),
            pairs_for: crate::pair::KEPT,
            events_for: None,
            audit_for: Duration::from_secs(400 * 86_400),
            redial_for: Duration::from_secs(86_400),
        }
    }
}

impl Store {
    /// Opens the store in this directory, or makes one.
    ///
    /// # Errors
    /// Another process has it, it cannot be read, it is of a later version, or the directory cannot be used.
    pub fn open(dir: &Path, options: Options) -> Result<Self, StoreError> {
        let disk = Disk::open(dir, options.cache_bytes)?;
        let mut node = options.node;
        while node.len() > Options::LONGEST_NODE {
            node.pop();
        }
        let contacts = disk.prefixed(keys::CONTACT_NUMBERS).try_fold(0, |sum, item| item.map(|_| sum + 1))?;
        let first = disk.prefixed(keys::BLOCKS).next().transpose()?;
        let first = first.and_then(|(key, _)| keys::read_block(&key)).unwrap_or_default();
        let shared = Arc::new(Shared {
            summaries: Summaries::from(first),
            options: Options { node, ..options },
            outbox: Mutex::new(Outbox::read(&disk)?),
            pairs: RwLock::new(Pool::read(&disk, options.pairs_for)?),
            contacts: AtomicUsize::new(contacts),
            named: AtomicBool::new(contacts > 0),
            disk,
            orders: OrderIndex::new(),
            webhooks: RwLock::new(Arc::new([])),
            claims: Mutex::default(),
            safe: Mutex::new(Safe::default()),
            listener: RwLock::default(),
            fault: OnceLock::new(),
            closing: AtomicBool::new(false),
        });
        let writer = Writer::new(Arc::clone(&shared))?;
        let (jobs, waiting) = sync_channel(QUEUE);
        let thread = |name: &str, work: Box<dyn FnOnce() + Send>| {
            let started = std::thread::Builder::new().name(name.to_owned()).spawn(work);
            started.map_err(|e| StoreError::Failed(format!("no thread: {e}")))
        };
        let loading = Arc::clone(&shared);
        let load = move || {
            let stop = || loading.closing.load(Ordering::Relaxed);
            // Were it to die silently, those who wait for the index would wait for ever.
            let loaded = catch_unwind(AssertUnwindSafe(|| loading.orders.load(&loading.disk, stop)));
            loaded.unwrap_or_else(|_| loading.orders.fail());
            loading.note_names();
            // A block without a summary is read.
            if let Err(error) = loading.summaries.load(&loading.disk, stop) {
                tracing::error!(%error, "searches of records take their time");
            }
        };
        let threads = vec![
            thread("store-write", Box::new(move || writer.run(&waiting)))?,
            thread("store-load", Box::new(load))?,
        ];
        Ok(Self { handle: Arc::new(Handle { shared, jobs: Some(jobs), threads }) })
    }

    /// Why the store no longer writes, or cannot find orders by number, if so: the node is then not ready.
    #[must_use]
    pub fn fault(&self) -> Option<StoreError> {
        self.shared().fault.get().cloned().or_else(|| self.shared().orders.failure())
    }

    /// How the store stands.
    #[must_use]
    pub fn status(&self) -> StoreStatus {
        StoreStatus {
            orders: self.shared().orders.len().map(|orders| orders as u64),
            disk_bytes: self.shared().disk.size(),
        }
    }

    /// Writes a batch and waits for the disk. One outcome per write, in order.
    ///
    /// # Errors
    /// Something in it cannot be kept, or the disk refused; then nothing of it was written.
    pub fn apply(&self, batch: Batch) -> Result<Vec<Outcome>, StoreError> {
        self.start(batch)?.wait()
    }

    /// Writes a batch without waiting: `done` is called on the store's own thread when it is safe on the disk or has
    /// failed, and must not wait itself; for a batch in which something cannot be kept it is called at once. For async
    /// code, let it send to a `oneshot`.
    ///
    /// # Errors
    /// The queue is full: the batch comes back, `done` is not called.
    pub fn commit(
        &self,
        batch: Batch,
        done: impl FnOnce(Result<Vec<Outcome>, StoreError>) + Send + 'static,
    ) -> Result<(), Batch> {
        if let Some(fault) = batch.fault {
            done(Err(fault));
            return Ok(());
        }
        let jobs = self.handle.jobs.as_ref().expect("taken only when the last store is dropped");
        match jobs.try_send(Job { batch, done: Box::new(done) }) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => Err(job.batch),
        }
    }

    /// Hands a batch over, waiting only for room in the queue.
    pub(crate) fn start(&self, batch: Batch) -> Result<Ticket, StoreError> {
        if let Some(fault) = batch.fault {
            return Err(fault);
        }
        let (answer, ticket) = sync_channel(1);
        let done = Box::new(move |outcomes| {
            // Nobody waits any more where an import stopped at an earlier batch.
            let _ = answer.send(outcomes);
        });
        let jobs = self.handle.jobs.as_ref().expect("taken only when the last store is dropped");
        jobs.send(Job { batch, done }).map_err(|_| gone())?;
        Ok(Ticket(ticket))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }
}

impl Ticket {
    pub(crate) fn wait(self) -> Result<Vec<Outcome>, StoreError> {
        self.0.recv().unwrap_or_else(|_| Err(gone()))
    }
}

fn gone() -> StoreError {
    StoreError::Failed("the thread that writes is gone".to_owned())
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        drop(self.jobs.take());
        for thread in self.threads.drain(..) {
            // The last store may be dropped by an answer, on the store's own thread.
            if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
    }
}
