//! The configuration as it is used: with the texts that are written into every message made once.

use std::sync::Arc;

use sip::Flow;

use crate::challenge::Accounts;
use crate::compose::{ALL, RELIABLE};
use crate::interface::{Config, Listener, Sessions, Timing};
use crate::place::Place;
use crate::snapshot::Hop;

/// What everybody in here may look at.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) timing: Timing,
    /// Our listeners. A dialog holds on to its own, so that it keeps the address it has told its peer.
    places: Vec<Arc<Place>>,
    /// Value of Server and User-Agent, if any.
    pub(crate) product: Option<Box<str>>,
    /// Most transactions at once.
    pub(crate) transactions: usize,
    /// Session timers, where there are any.
    pub(crate) sessions: Option<Sessions>,
    /// What callers of some trunks must prove.
    pub(crate) accounts: Accounts,
    /// Where they prove it.
    pub(crate) realm: Box<str>,
}

impl Settings {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            timing: config.timing,
            places: config.listeners.iter().map(|listener| Arc::new(Place::new(listener))).collect(),
            product: (!config.product.is_empty()).then(|| config.product.as_str().into()),
            transactions: config.transactions,
            sessions: config.sessions,
            accounts: config.accounts.as_slice().into(),
            realm: config.realm.as_str().into(),
        }
    }

    /// The extensions we know (RFC 3261 §20.37).
    pub(crate) fn supported(&self) -> &'static str {
        if self.sessions.is_some() { ALL } else { RELIABLE }
    }

    /// A way that was kept, if its listener is still there.
    pub(crate) fn hop(&self, hop: &Hop) -> Option<(Arc<Place>, Flow)> {
        let (listener, place) = self.find(&hop.listener)?;
        let flow = Flow { listener, transport: place.transport, peer: hop.peer, connection: None };
        Some((Arc::clone(place), flow))
    }

    /// The listener that is known by this, and its place among ours.
    fn find(&self, listener: &Listener) -> Option<(u8, &Arc<Place>)> {
        let is_it =
            |place: &Arc<Place>| place.transport == listener.transport && *place.public == *listener.public;
        let at = self.places.iter().position(is_it)?;
        Some((u8::try_from(at).ok()?, &self.places[at]))
    }

    /// The listener a flow came in by; `None` if the configuration has no such listener.
    pub(crate) fn place(&self, listener: u8) -> Option<&Arc<Place>> {
        self.places.get(usize::from(listener))
    }
}
