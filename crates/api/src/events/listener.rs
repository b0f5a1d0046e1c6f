//! One who listens to events: what they have heard, what they missed, and whether they still may.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use store::{Event, Ulid};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast, watch};
use tokio::time::Instant;

use crate::filter::Filter;
use crate::gate::Gate;
use crate::json;
use crate::parameters::Parameters;
use crate::privacy::mask_json;
use crate::problem::{Fault, Problem};
use crate::sign_in::Right;
use crate::token::{Caller, Role};

/// Without an event, a sign of life is due this often, so that proxies keep the connection and the dead are noticed.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);
/// Whoever listens is asked again this often whether their time is over.
const ASKED: Duration = Duration::from_secs(30);
/// Events read up at once.
const PIECE: usize = 256;

/// What is told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// An event as one line of JSON.
    Event { id: Ulid, kind: String, json: String },
    /// Events after this one are no longer kept.
    Gap(Option<Ulid>),
    /// Nothing, for a while.
    Quiet,
    /// There is no more.
    Over(Over),
}

/// Why there is no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// The node stops, or the store fails: whoever listens comes back with the last id.
    Stopping,
    /// Whoever listens may no longer.
    Forbidden,
}

/// One who listens.
pub(super) struct Listener {
    gate: Gate,
    filter: Filter,
    /// Whether numbers are masked.
    masks: bool,
    right: Right,
    live: broadcast::Receiver<Arc<Event>>,
    open: watch::Receiver<bool>,
    sign_ins: watch::Receiver<()>,
    /// When the right was to be asked for again.
    ask_at: Instant,
    /// The last event told or passed over.
    last: Option<Ulid>,
    /// Whether events after `last` have to be read up in the store.
    behind: bool,
    /// Read up and not yet told.
    read: VecDeque<Event>,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    /// From the parameters `types` and `last_event_id`, or the header that browsers send by themselves.
    pub(super) fn new(
        gate: Gate,
        caller: Caller,
        right: Right,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<Self, Problem> {
        let parameters = Parameters::read(query, &["types", "last_event_id"])?;
        let types = parameters.text("types").map(|types| types.split(',')).into_iter().flatten();
        let filter = Filter::parse(types)
            .map_err(|why| Problem::new(Fault::ParameterInvalid, why.to_string()).at("types"))?;
        let known = known(headers, &parameters)?;
        let place =
            gate.stream_place().ok_or_else(|| Problem::new(Fault::TooManyStreams, "try again later"))?;
        // First the ear, then the past: what happens between the two is heard twice and told once.
        let live = gate.bus().subscribe();
        Ok(Self {
            live,
            open: gate.bus().open(),
            sign_ins: gate.sign_ins(),
            ask_at: Instant::now() + ASKED,
            last: if known.is_some() { known } else { gate.last_event() },
            behind: known.is_some(),
            read: VecDeque::new(),
            filter,
            masks: caller.role == Role::Operator,
            right,
            gate,
            _place: place,
        })
    }

    /// Turns `false` once the node stops.
    pub(super) fn open(&self) -> watch::Receiver<bool> {
        self.open.clone()
    }

    /// What to tell next. Nothing is lost where this is given up half way and called again.
    pub(super) async fn next(&mut self) -> Told {
        let quiet = Instant::now() + HEARTBEAT;
        loop {
            if self.ask_at <= Instant::now() {
                if !self.right.holds(&self.gate).await {
                    return Told::Over(Over::Forbidden);
                }
                self.ask_at = Instant::now() + ASKED;
            }
            while let Some(event) = self.read.pop_front() {
                if let Some(told) = self.tell(&event) {
                    return told;
                }
            }
            if self.behind {
                match self.read_up().await {
                    Some(Some(gap)) => return gap,
                    Some(None) => continue,
                    None => return Told::Over(Over::Stopping),
                }
            }
            let heard = tokio::select! {
                biased;
                _ = self.open.wait_for(|open| !open) => return Told::Over(Over::Stopping),
                _ = self.sign_ins.changed() => {
                    self.ask_at = Instant::now();
                    continue;
                }
                () = tokio::time::sleep_until(self.ask_at) => continue,
                heard = self.live.recv() => heard,
                () = tokio::time::sleep_until(quiet) => return Told::Quiet,
            };
            match heard {
                Ok(event) => {
                    if let Some(told) = self.tell(&event) {
                        return told;
                    }
                }
                Err(RecvError::Lagged(_)) => self.behind = true,
                Err(RecvError::Closed) => return Told::Over(Over::Stopping),
            }
        }
    }

    /// Reads the next stretch of the log; whether some of it is no longer kept.
    async fn read_up(&mut self) -> Option<Option<Told>> {
        let last = self.last;
        let stretch = self.gate.store(move |store| store.events_after(last, PIECE)).await.ok()?;
        self.behind = !stretch.events.is_empty();
        self.read = stretch.events.into();
        Some(stretch.gap.then_some(Told::Gap(last)))
    }

    /// `None` if it was told before or is not wanted.
    fn tell(&mut self, event: &Event) -> Option<Told> {
        if self.last.is_some_and(|last| event.id <= last) {
            return None;
        }
        self.last = Some(event.id);
        if !self.filter.wants(&event.kind) {
            return None;
        }
        let event =
            if self.masks { Event { data: mask_json(&event.data), ..event.clone() } } else { event.clone() };
        // A line end would end an event of a stream early.
        let (json, _) = json::compact(&serde_json::to_string(&event).ok()?);
        Some(Told::Event { id: event.id, kind: event.kind, json })
    }
}

/// The last event a client has: from the header a browser sends by itself, else from the parameter.
fn known(headers: &HeaderMap, parameters: &Parameters) -> Result<Option<Ulid>, Problem> {
    let header = headers.get("last-event-id").map(|value| value.to_str().unwrap_or("?"));
    let Some(text) = header.filter(|id| !id.is_empty()).or(parameters.text("last_event_id")) else {
        return Ok(None);
    };
    Ulid::from_string(text)
        .map(Some)
        .map_err(|_| Problem::new(Fault::ParameterInvalid, "the id of an event of ours").at("Last-Event-ID"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::tests::gate;
    use crate::sign_in::Person;

    fn listener(gate: &Gate) -> Listener {
        let person = Person::of_token(&gate.settings().tokens[0]);
        Listener::new(gate.clone(), person.caller, person.right(), None, &HeaderMap::new()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_stream_is_kept_alive_and_a_closed_one_ends() {
        let (gate, _dir, _asked) = gate();
        let mut listener = listener(&gate);
        let began = Instant::now();
        for _ in 0..4 {
            assert_eq!(listener.next().await, Told::Quiet);
        }
        assert_eq!(began.elapsed(), HEARTBEAT * 4);
        gate.bus().close();
        assert_eq!(listener.next().await, Told::Over(Over::Stopping));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_no_longer_known_hears_no_more() {
        let (gate, _dir, _asked) = gate();
        let mut listener = listener(&gate);
        let mut settings = (*gate.settings()).clone();
        gate.configure(settings.clone()).await;
        assert_eq!(listener.next().await, Told::Quiet);
        settings.tokens.clear();
        gate.configure(settings).await;
        assert_eq!(listener.next().await, Told::Over(Over::Forbidden));
    }
}
