//! `/v1/prompts`: what callers hear.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::body;
use crate::gate::Gate;
use crate::interface::{Ask, PromptInfo, PromptRefusal, Sound};
use crate::page::Listed;
use crate::problem::{Fault, Problem};
use crate::{MAX_TEXT, SPEECH_TIMEOUT};

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
    body: Bytes,
) -> Result<Json<PromptInfo>, Problem> {
    let sound = if body::is_type(&headers, &WAV) {
        Sound::Wav(body)
    } else if body::is_type(&headers, &["application/json"]) {
        let SpokenBody { text } = body::parse(&body)?;
        Sound::Text(spoken(text)?)
    } else {
        let detail = "send a WAV file with Content-Type: audio/wav, or a text with application/json";
        return Err(Problem::new(Fault::ContentType, detail));
    };
    let ask = |reply| Ask::ReplacePrompt { language, key, sound, reply };
    let replaced = gate.ask_within(SPEECH_TIMEOUT, ask).await?;
    replaced.map(Json).map_err(refused)
}

/// A text in place of a recording.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SpokenBody {
    text: String,
}

/// A text to be heard.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PreviewBody {
    language: String,
    text: String,
}

/// `POST /v1/prompts:preview`: how a text sounds.
pub(crate) async fn preview(
    State(gate): State<Gate>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let PreviewBody { language, text } = body::json(&headers, &body)?;
    let text = spoken(text)?;
    if !gate.settings().languages.contains(&language) {
        let known = gate.settings().languages.join(", ");
        return Err(Problem::new(Fault::UnknownLanguage, format!("there are {known}")).at("language"));
    }
    let ask = |reply| Ask::PreviewPrompt { language, text, reply };
    let wav = gate.ask_within(SPEECH_TIMEOUT, ask).await?.map_err(refused)?;
    Ok(([(header::CONTENT_TYPE, "audio/wav")], wav).into_response())
}

fn spoken(text: String) -> Result<String, Problem> {
    if text.trim().is_empty() || text.chars().count() > MAX_TEXT {
        return Err(Problem::new(Fault::TextInvalid, format!("1 to {MAX_TEXT} characters")).at("text"));
    }
    Ok(text)
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
        PromptRefusal::Unspoken(why) => Problem::new(Fault::SpeechFailed, why),
        PromptRefusal::Unusable(why) => Problem::new(Fault::PromptUnusable, why),
        PromptRefusal::Failed(why) => {
            tracing::error!(why, "a prompt cannot be written");
            Problem::new(Fault::StoreFailed, why)
        }
    }
}
