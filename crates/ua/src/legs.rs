//! All legs of a user agent, found by id, by our tag, and by the connection their other end was last heard on.

use std::collections::{BTreeSet, HashMap};

use sip::{Flow, Request};

use crate::chance::Token;
use crate::interface::LegId;
use crate::leg::State;
use crate::settings::Settings;
use crate::snapshot::{InviteSnapshot, Snapshot};

#[derive(Debug)]
struct Entry {
    state: State,
    tag: Token,
    /// Under which flow it is in `connections`.
    connection: Option<Flow>,
}

/// The table.
#[derive(Debug, Default)]
pub(crate) struct Legs {
    entries: HashMap<LegId, Entry>,
    tags: HashMap<Token, LegId>,
    connections: BTreeSet<(Flow, LegId)>,
}

impl Legs {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn has(&self, id: LegId) -> bool {
        self.entries.contains_key(&id)
    }

    /// The leg whose dialog this request belongs to: by our tag, and then by Call-ID and theirs (RFC 3261 §12.2.2).
    pub(crate) fn of(&self, request: &Request) -> Option<(LegId, Token)> {
        let headers = request.headers();
        let tag = Token::read(headers.to().tag()?.as_bytes())?;
        let id = *self.tags.get(&tag)?;
        let remote_tag = headers.from().tag().unwrap_or_default();
        self.entries.get(&id)?.state.knows(headers.call_id(), remote_tag).then_some((id, tag))
    }

    /// Adds a leg, unless it is over before it began.
    pub(crate) fn insert(&mut self, id: LegId, tag: Token, state: State) {
        self.tags.insert(tag, id);
        self.entries.insert(id, Entry { state: State::Gone, tag, connection: None });
        self.put(id, state);
    }

    /// What is to be kept of a leg, where it has a dialog.
    pub(crate) fn snapshot(&self, id: LegId, settings: &Settings) -> Option<Snapshot> {
        self.entries.get(&id)?.state.snapshot(settings)
    }

    /// What is to be kept of an INVITE of ours that has no final response.
    pub(crate) fn invite_snapshot(&self, id: LegId, settings: &Settings) -> Option<InviteSnapshot> {
        self.entries.get(&id)?.state.invite_snapshot(settings)
    }

    /// Takes the state of a leg out, to be put back.
    pub(crate) fn take(&mut self, id: LegId) -> Option<State> {
        self.entries.get_mut(&id).map(|entry| std::mem::replace(&mut entry.state, State::Gone))
    }

    /// Puts a state back, and forgets the leg if that is `Gone`.
    pub(crate) fn put(&mut self, id: LegId, state: State) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let connection = state.connection();
        if connection != entry.connection {
            if let Some(old) = entry.connection {
                self.connections.remove(&(old, id));
            }
            if let Some(new) = connection {
                self.connections.insert((new, id));
            }
            entry.connection = connection;
        }
        if matches!(state, State::Gone) {
            let tag = entry.tag;
            self.tags.remove(&tag);
            self.entries.remove(&id);
        } else {
            entry.state = state;
        }
    }

    /// The legs whose other end was last heard on this connection.
    pub(crate) fn on(&self, connection: Flow) -> Vec<LegId> {
        let range = (connection, LegId(0))..=(connection, LegId(u64::MAX));
        self.connections.range(range).map(|(_, id)| *id).collect()
    }
}
