//! Events as they become durable: the store announces each, in order; whoever listens hears it from here.

use std::sync::{Arc, Mutex, PoisonError};

use store::{Event, Store};
use tokio::sync::{broadcast, watch};

use crate::live::Live;

/// Events a slow listener may be behind before it has to read up in the store.
const BACKLOG: usize = 1024;

/// Where events are heard. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bus(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    live: Mutex<Live>,
    events: broadcast::Sender<Arc<Event>>,
    open: watch::Sender<bool>,
    nudge: watch::Sender<()>,
}

impl Bus {
    /// Hears every event of this store from now on, in the order of their ids. A store has one such listener.
    #[must_use]
    pub fn on(store: &Store) -> Self {
        let inner = Arc::new(Inner {
            live: Mutex::new(Live::beginning(store.last_event())),
            events: broadcast::Sender::new(BACKLOG),
            open: watch::Sender::new(true),
            nudge: watch::Sender::new(()),
        });
        let announcer = Arc::downgrade(&inner);
        store.listen(move |events| {
            if let Some(inner) = announcer.upgrade() {
                inner.announce(events);
            }
        });
        Self(inner)
    }

    /// Ends every event stream, now and later: the node stops.
    pub fn close(&self) {
        self.0.open.send_replace(false);
    }

    /// Tells whoever delivers that there may be something to deliver.
    pub(crate) fn nudge(&self) {
        self.0.nudge.send_replace(());
    }

    /// Changes whenever there may be something to deliver.
    pub(crate) fn nudges(&self) -> watch::Receiver<()> {
        self.0.nudge.subscribe()
    }

    /// Events from now on. One that lags more than [`BACKLOG`] behind is told so.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.0.events.subscribe()
    }

    /// Turns `false` once the node stops.
    pub(crate) fn open(&self) -> watch::Receiver<bool> {
        self.0.open.subscribe()
    }

    /// Reads the table of live calls.
    pub(crate) fn live<T>(&self, read: impl FnOnce(&Live) -> T) -> T {
        read(&self.0.live.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inner {
    /// On the store's thread: must not wait.
    fn announce(&self, events: &[Event]) {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        events.iter().for_each(|event| live.apply(event));
        drop(live);
        for event in events {
            // Nobody listening is no fault.
            let _ = self.events.send(Arc::new(event.clone()));
        }
        self.nudge.send_replace(());
    }
}
