//! `/v1/recordings`: what was said.

use std::io::SeekFrom;
use std::path::{Component, Path as FilePath, PathBuf};
use std::time::UNIX_EPOCH;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use crate::gate::Gate;
use crate::problem::{Fault, Problem};
use crate::range::{self, Asked};
use crate::records;

/// `GET /v1/recordings/{id}`
pub(crate) async fn get(
    State(gate): State<Gate>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let path = path(&gate, &id).await?;
    let mut file = File::open(&path).await.map_err(|error| unreadable(&error))?;
    let facts = file.metadata().await.map_err(|error| unreadable(&error))?;
    if !facts.is_file() {
        return Err(unknown());
    }
    let length = facts.len();
    let changed = facts.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let tag = format!("\"{length:x}-{:x}\"", changed.as_millis());
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if text(header::IF_NONE_MATCH).is_some_and(|tags| tags.split(',').any(|one| one.trim() == tag)) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    // A range of a file that is another by now would be a piece of nothing (RFC 9110 §13.1.5).
    let same = text(header::IF_RANGE).is_none_or(|known| known == tag);
    let asked = if same { range::asked(text(header::RANGE), length) } else { Asked::Whole };
    let (status, first, count) = match asked {
        Asked::Whole => (StatusCode::OK, 0, length),
        Asked::Part { first, last } => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
        Asked::Nothing => {
            let value = HeaderValue::from_str(&format!("bytes */{length}")).expect("digits and signs");
            let detail = format!("it has {length} bytes");
            return Err(
                Problem::new(Fault::RangeNotSatisfiable, detail).with_header(header::CONTENT_RANGE, value)
            );
        }
    };
    file.seek(SeekFrom::Start(first)).await.map_err(|error| unreadable(&error))?;
    let body = Body::from_stream(ReaderStream::with_capacity(file.take(count), 64 * 1024));
    let mut response = (
        status,
        [
            (header::CONTENT_TYPE, "audio/wav".to_owned()),
            (header::CONTENT_LENGTH, count.to_string()),
            (header::ACCEPT_RANGES, "bytes".to_owned()),
            (header::ETAG, tag),
        ],
        body,
    )
        .into_response();
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {first}-{}/{length}", first + count - 1);
        let value = HeaderValue::from_str(&range).expect("digits and signs");
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    Ok(response)
}

/// `DELETE /v1/recordings/{id}`
pub(crate) async fn delete(State(gate): State<Gate>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let path = path(&gate, &id).await?;
    match tokio::fs::remove_file(&path).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(error) => Err(unreadable(&error)),
    }
}

/// Where the recording of a call is. The path is never made of what was asked for: that only names a record, and the
/// record names a file.
async fn path(gate: &Gate, id: &str) -> Result<PathBuf, Problem> {
    let record = records::find(gate, id.strip_suffix(".wav").unwrap_or(id)).await?.ok_or_else(unknown)?;
    let name = record.recording.ok_or_else(unknown)?;
    within(&gate.settings().recordings, &name).ok_or_else(unknown)
}

/// A file of this directory itself, whatever a damaged record may say.
fn within(directory: &FilePath, name: &str) -> Option<PathBuf> {
    let mut components = FilePath::new(name).components();
    match (components.next(), components.next()) {
        (Some(Component::Normal(file)), None) => Some(directory.join(file)),
        _ => None,
    }
}

fn unknown() -> Problem {
    Problem::new(Fault::RecordingUnknown, "this call has no recording, or it was deleted")
}

fn unreadable(error: &std::io::Error) -> Problem {
    if error.kind() == std::io::ErrorKind::NotFound {
        return unknown();
    }
    tracing::error!(%error, "a recording cannot be read or removed");
    Problem::new(Fault::StoreFailed, "the recording cannot be reached; the log says why")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leaves_its_directory() {
        let within = |name| within(FilePath::new("/r"), name);
        assert_eq!(within("a.wav"), Some("/r/a.wav".into()));
        for name in ["", ".", "..", "../a", "/etc/passwd", "a/b", "a/../../b"] {
            assert_eq!(within(name), None, "{name}");
        }
    }
}
