//! What readers, the writer and whoever is told of events share.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use ulid::Ulid;

use crate::disk::Disk;
use crate::history::Place;
use crate::index::OrderIndex;
use crate::outbox::Outbox;
use crate::pair::Pool;
use crate::summaries::Summaries;
use crate::{Event, Options, StoreError, Webhook};

pub(crate) type Listener = Arc<dyn Fn(&[Event]) + Send + Sync>;

pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) disk: Disk,
    pub(crate) orders: OrderIndex,
    pub(crate) summaries: Summaries,
    pub(crate) pairs: RwLock<Pool>,
    /// How many contacts there are.
    pub(crate) contacts: AtomicUsize,
    /// Whether any of them, of the orders or of the pairs has a name.
    pub(crate) named: AtomicBool,
    pub(crate) outbox: Mutex<Outbox>,
    pub(crate) webhooks: RwLock<Arc<[Webhook]>>,
    /// Keys whose answer is being found, with the fingerprint of the request.
    pub(crate) claims: Mutex<BTreeMap<String, [u8; 32]>>,
    pub(crate) safe: Mutex<Safe>,
    pub(crate) listener: RwLock<Option<Listener>>,
    pub(crate) fault: OnceLock<StoreError>,
    pub(crate) closing: AtomicBool,
}

/// What is safe on the disk. Sled shows a write before that; nobody is to be told of a call that a power cut could
/// still undo.
#[derive(Debug, Default)]
pub(crate) struct Safe {
    /// The newest event.
    pub(crate) event: Option<Ulid>,
    /// After the newest record.
    pub(crate) records: Place,
    /// Records being written at this moment.
    pub(crate) settling: BTreeSet<Ulid>,
}

impl Shared {
    /// Notes whether anybody has a name.
    pub(crate) fn note_names(&self) {
        let any = self.contacts.load(Ordering::Relaxed) > 0;
        let any = any || self.pool(Pool::has_names) || self.orders.has_names();
        self.named.store(any, Ordering::Relaxed);
    }

    pub(crate) fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn safe(&self) -> MutexGuard<'_, Safe> {
        self.safe.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn claims(&self) -> MutexGuard<'_, BTreeMap<String, [u8; 32]>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn webhooks(&self) -> Arc<[Webhook]> {
        self.webhooks.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn listener(&self) -> Option<Listener> {
        self.listener.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("options", &self.options).finish_non_exhaustive()
    }
}
