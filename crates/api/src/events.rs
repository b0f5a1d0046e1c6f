//! `GET /v1/events`: events as they happen, by server-sent events (WHATWG HTML §9.2), resumed without loss.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
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
use crate::token::{Caller, Role};

/// Without an event, a comment is sent this often, so that proxies keep the connection and the dead are noticed.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Events read up at once.
const PIECE: usize = 256;
/// What every stream begins with: how soon a client comes back, milliseconds.
const GREETING: &str = "retry: 2000\n\n";

/// `GET /v1/events`
pub(crate) async fn stream(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let parameters = Parameters::read(query.as_deref(), &["types", "last_event_id"])?;
    let types = parameters.text("types").map(|types| types.split(',')).into_iter().flatten();
    let filter = Filter::parse(types)
        .map_err(|why| Problem::new(Fault::ParameterInvalid, why.to_string()).at("types"))?;
    let known = known(&headers, &parameters)?;
    let place = gate.stream_place().ok_or_else(|| Problem::new(Fault::TooManyStreams, "try again later"))?;
    // First the ear, then the past: what happens between the two is heard twice and told once.
    let live = gate.bus().subscribe();
    let open = gate.bus().open();
    let last = if known.is_some() { known } else { gate.last_event() };
    let behind = known.is_some();
    let listener = Listener {
        gate,
        filter,
        masks: caller.role == Role::Operator,
        live,
        open,
        last,
        behind,
        read: VecDeque::new(),
        greeted: false,
        _place: place,
    };
    let pieces = stream::unfold(listener, |mut listener| async move {
        let piece = listener.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(piece)), listener))
    });
    let headers = [
        (header::CONTENT_TYPE.as_str(), "text/event-stream"),
        // nginx holds answers back unless told not to.
        ("x-accel-buffering", "no"),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
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

/// One who listens.
struct Listener {
    gate: Gate,
    filter: Filter,
    /// Whether numbers are masked.
    masks: bool,
    live: broadcast::Receiver<Arc<Event>>,
    open: watch::Receiver<bool>,
    /// The last event told or passed over.
    last: Option<Ulid>,
    /// Whether events after `last` have to be read up in the store.
    behind: bool,
    /// Read up and not yet told.
    read: VecDeque<Event>,
    greeted: bool,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    /// What to send next; `None` ends the stream, and the client comes back with the last id.
    async fn next(&mut self) -> Option<String> {
        if !std::mem::replace(&mut self.greeted, true) {
            return Some(GREETING.to_owned());
        }
        let quiet = Instant::now() + HEARTBEAT;
        loop {
            while let Some(event) = self.read.pop_front() {
                if let Some(text) = self.tell(&event) {
                    return Some(text);
                }
            }
            if self.behind {
                if let Some(gap) = self.read_up().await? {
                    return Some(gap);
                }
                continue;
            }
            let heard = tokio::select! {
                biased;
                _ = self.open.wait_for(|open| !open) => return None,
                heard = self.live.recv() => heard,
                () = tokio::time::sleep_until(quiet) => return Some(": still here\n\n".to_owned()),
            };
            match heard {
                Ok(event) => {
                    if let Some(text) = self.tell(&event) {
                        return Some(text);
                    }
                }
                Err(RecvError::Lagged(_)) => self.behind = true,
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// Reads the next stretch of the log. A text if some of it is no longer kept.
    async fn read_up(&mut self) -> Option<Option<String>> {
        let last = self.last;
        let stretch = self.gate.store(move |store| store.events_after(last, PIECE)).await.ok()?;
        self.behind = !stretch.events.is_empty();
        self.read = stretch.events.into();
        let after = last.map(|last| last.to_string());
        Some(stretch.gap.then(|| format!("event: gap\ndata: {}\n\n", serde_json::json!({"after": after}))))
    }

    /// An event as text; `None` if it was told before or is not wanted.
    fn tell(&mut self, event: &Event) -> Option<String> {
        if self.last.is_some_and(|last| event.id <= last) {
            return None;
        }
        self.last = Some(event.id);
        if !self.filter.wants(&event.kind) {
            return None;
        }
        let event =
            if self.masks { Event { data: mask_json(&event.data), ..event.clone() } } else { event.clone() };
        // A line end would end the event early.
        let (data, _) = json::compact(&serde_json::to_string(&event).ok()?);
        Some(format!("id: {}\nevent: {}\ndata: {data}\n\n", event.id, event.kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::tests::gate;

    #[tokio::test(start_paused = true)]
    async fn a_quiet_stream_is_kept_alive_and_a_closed_one_ends() {
        let (gate, _dir, _asked) = gate();
        let mut listener = Listener {
            live: gate.bus().subscribe(),
            open: gate.bus().open(),
            _place: gate.stream_place().unwrap(),
            gate: gate.clone(),
            filter: Filter::default(),
            masks: false,
            last: None,
            behind: false,
            read: VecDeque::new(),
            greeted: false,
        };
        let began = Instant::now();
        assert_eq!(listener.next().await.as_deref(), Some(GREETING));
        for _ in 0..2 {
            assert_eq!(listener.next().await.as_deref(), Some(": still here\n\n"));
        }
        assert_eq!(began.elapsed(), HEARTBEAT * 2);
        gate.bus().close();
        assert_eq!(listener.next().await, None);
    }
}
