//! `GET /v1/ws`: events by WebSocket (RFC 6455), one to a message.

use std::time::Duration;

use axum::Extension;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use tokio::time::{Instant, MissedTickBehavior};

use super::listener::{HEARTBEAT, Listener, Over, Told};
use crate::gate::Gate;
use crate::problem::{Fault, Problem};
use crate::sign_in::Right;
use crate::token::Caller;

/// Octets of a message that comes: nothing but pings, pongs and a last word is expected.
const LONGEST: usize = 1024;
/// Messages that may come between two of our pings.
const CHATTER: u32 = 32;
/// Whoever is not heard for so long is gone.
const GONE: Duration = Duration::from_secs(45);
/// For the last word, once the node stops.
const LAST_WORD: Duration = Duration::from_secs(2);

/// `GET /v1/ws`
pub(crate) async fn socket(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    Extension(right): Extension<Right>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|_| {
        Problem::new(Fault::UpgradeNeeded, "ask as WebSocket clients do (RFC 6455 §4.1)")
            .with_header(header::UPGRADE, HeaderValue::from_static("websocket"))
    })?;
    let listener = Listener::new(gate, caller, right, query.as_deref(), &headers)?;
    let upgrade = upgrade.max_message_size(LONGEST).max_frame_size(LONGEST);
    Ok(upgrade.on_upgrade(move |socket| run(socket, listener)))
}

/// To its end, which comes soon after the node was told to stop, whether or not the other side reads.
async fn run(socket: WebSocket, listener: Listener) {
    let mut open = listener.open();
    let stopped = async {
        let _ = open.wait_for(|open| !open).await;
        tokio::time::sleep(LAST_WORD).await;
    };
    tokio::select! {
        () = talk(socket, listener) => {}
        () = stopped => {}
    }
}

async fn talk(mut socket: WebSocket, mut listener: Listener) {
    let mut pings = tokio::time::interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut heard_at, mut chatter) = (Instant::now(), 0);
    let last = loop {
        let message = tokio::select! {
            told = listener.next() => match told {
                Told::Event { json, .. } => Message::Text(json.into()),
                Told::Gap(after) => {
                    let after = after.map(|after| after.to_string());
                    Message::Text(serde_json::json!({"type": "gap", "after": after}).to_string().into())
                }
                Told::Quiet => continue,
                Told::Over(Over::Stopping) => break (close_code::AWAY, "the node stops"),
                Told::Over(Over::Forbidden) => break (close_code::POLICY, "not allowed any more"),
            },
            heard = socket.recv() => {
                heard_at = Instant::now();
                chatter += 1;
                match heard {
                    Some(Ok(Message::Text(_) | Message::Binary(_))) => {
                        break (close_code::UNSUPPORTED, "nothing is expected here");
                    }
                    _ if chatter > CHATTER => break (close_code::POLICY, "too much at once"),
                    // What a ping or a last word wants is said by the library.
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_))) => continue,
                    Some(Err(_)) | None => return,
                }
            }
            _ = pings.tick() => {
                if heard_at.elapsed() > GONE {
                    return;
                }
                chatter = 0;
                Message::Ping(axum::body::Bytes::new())
            }
        };
        if socket.send(message).await.is_err() {
            return;
        }
    };
    let (code, reason) = last;
    let _ = socket.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await;
}
