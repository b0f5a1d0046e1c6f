//! `/v1/prompts`: what callers hear.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use crate::body;
use crate::gate::Gate;
use crate::interface::{Ask, PromptInfo, PromptRefusal};
use crate::page::Listed;
use crate::problem::{Fault, Problem};

/// How a WAV file is called: RFC 2361 names none of these, and each is in use.
const WAV: [&str; 5] =
    ["audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave", "application/octet-stream"];

/// `GET /v1/prompts`: the whole library, on one page.
pub(crate) async fn list(State(gate): State<Gate>) -> Result<Json<Listed<PromptInfo>>, Problem> {
    let items = gate.ask(Ask::Prompts).await?;
    Ok(Json(Listed { items, next_cursor: None }))
}

/// `GET /v1/prompts/{language}/{key}`
pub(crate) async fn get(
    State(gate): State<Gate>,
    Path((language, key)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let wav = gate.ask(|reply| Ask::Prompt { language, key, reply }).await?.ok_or_else(unknown)?;
    Ok(([(header::CONTENT_TYPE, "audio/wav")], wav).into_response())
}

/// `PUT /v1/prompts/{language}/{key}`
pub(crate) async fn replace(
    State(gate): State<Gate>,
    Path((language, key)): Path<(String, String)>,
    headers: HeaderMap,
    wav: Bytes,
) -> Result<Json<PromptInfo>, Problem> {
    if !body::is_type(&headers, &WAV) {
        return Err(Problem::new(Fault::ContentType, "send a WAV file with Content-Type: audio/wav"));
    }
    let replaced = gate.ask(|reply| Ask::ReplacePrompt { language, key, wav, reply }).await?;
    replaced.map(Json).map_err(refused)
}

/// `DELETE /v1/prompts/{language}/{key}`
pub(crate) async fn restore(
    State(gate): State<Gate>,
    Path((language, key)): Path<(String, String)>,
) -> Result<Json<PromptInfo>, Problem> {
    let restored = gate.ask(|reply| Ask::RestorePrompt { language, key, reply }).await?;
    restored.map(Json).map_err(refused)
}

fn unknown() -> Problem {
    Problem::new(Fault::PromptUnknown, "GET /v1/prompts lists languages and keys")
}

fn refused(refusal: PromptRefusal) -> Problem {
    match refusal {
        PromptRefusal::Unknown => unknown(),
        PromptRefusal::Unusable(why) => Problem::new(Fault::PromptUnusable, why),
        PromptRefusal::Failed(why) => {
            tracing::error!(why, "a prompt cannot be written");
            Problem::new(Fault::StoreFailed, why)
        }
    }
}
