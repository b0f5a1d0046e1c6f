//! `/v1/recordings`: what was said.

use std::path::{Component, Path as FilePath, PathBuf};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use recording::{Ending, OpenError, Opened};
use store::Record;

use crate::gate::Gate;
use crate::problem::{Fault, Problem};
use crate::range::{self, Asked};
use crate::records;

/// Octets read at a time.
const PIECE: usize = 64 * 1024;

/// `GET /v1/recordings/{id}`
pub(crate) async fn get(
    State(gate): State<Gate>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (record, path) = find(&gate, &id).await?;
    let opened = open(&gate, record, path).await?;
    let length = opened.length();
    let tag = format!("\"{length:x}-{:x}\"", opened.changed().as_millis());
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
    let media_type = opened.format().media_type();
    let mut response = (
        status,
        [
            (header::CONTENT_TYPE, media_type.to_owned()),
            (header::CONTENT_LENGTH, count.to_string()),
            (header::ACCEPT_RANGES, "bytes".to_owned()),
            (header::ETAG, tag),
        ],
        Body::from_stream(pieces(opened, first, count).await?),
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
    let (record, path) = find(&gate, &id).await?;
    match tokio::fs::remove_file(&path).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(error) => Err(unreadable(&record, &error.into())),
    }
}

/// Removes the recording of a call, if there is one. Whether there was.
pub(crate) async fn remove(gate: &Gate, record: &Record) -> Result<bool, Problem> {
    let folder = &gate.settings().recordings.folder;
    let Some(path) = record.recording.as_deref().and_then(|name| within(folder, name)) else {
        return Ok(false);
    };
    match tokio::fs::remove_file(&path).await {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(unreadable(record, &error.into())),
    }
}

/// The record of a call and where its recording is. The path is never made of what was asked for: that only names a
/// record, and the record names a file.
pub(crate) async fn find(gate: &Gate, id: &str) -> Result<(Record, PathBuf), Problem> {
    // The id may be asked for as the file is called.
    let call = id.split_once('.').map_or(id, |(call, _)| call);
    let record = records::find(gate, call).await?.ok_or_else(unknown)?;
    let name = record.recording.as_deref().ok_or_else(unknown)?;
    let path = within(&gate.settings().recordings.folder, name).ok_or_else(unknown)?;
    Ok((record, path))
}

/// A file of this directory itself, whatever a damaged record may say.
fn within(directory: &FilePath, name: &str) -> Option<PathBuf> {
    let mut components = FilePath::new(name).components();
    match (components.next(), components.next()) {
        (Some(Component::Normal(file)), None) => Some(directory.join(file)),
        _ => None,
    }
}

/// Opens a recording and holds it against its record: one that was whole is whole, and no other stands in its place.
pub(crate) async fn open(gate: &Gate, record: Record, path: PathBuf) -> Result<Opened, Problem> {
    let settings = gate.settings();
    blocking(move || {
        let held = Opened::open(&path, &settings.recordings.keys).and_then(|opened| {
            if !record.recording.as_deref().is_some_and(|name| opened.is_of(name)) {
                return Err(OpenError::Damaged("it is the recording of another call"));
            }
            if opened.ending() != Ending::Whole && record.recording_fault.is_none() {
                return Err(OpenError::Damaged("its end is missing, and the record knows nothing of that"));
            }
            Ok(opened)
        });
        held.map_err(|error| unreadable(&record, &error))
    })
    .await
}

/// So many octets from `first` on. The first piece is read before anything is answered; should a later one turn out to be
/// damaged, the answer breaks off before its length is reached.
async fn pieces(
    opened: Opened,
    first: u64,
    count: u64,
) -> Result<impl Stream<Item = Result<Bytes, OpenError>>, Problem> {
    let opened = Arc::new(opened);
    let end = first + count;
    let begun = read(Arc::clone(&opened), first, end).await;
    let begun = begun.map_err(|_| Problem::new(Fault::RecordingUnreadable, "the log says why"))?;
    Ok(stream::try_unfold((Some(begun), first), move |(ready, place)| {
        let opened = Arc::clone(&opened);
        async move {
            let piece = match ready {
                Some(piece) => piece,
                None => read(opened, place, end).await?,
            };
            let next = place + piece.len() as u64;
            Ok((!piece.is_empty()).then(|| (piece, (None, next))))
        }
    }))
}

async fn read(opened: Arc<Opened>, place: u64, end: u64) -> Result<Bytes, OpenError> {
    let count = usize::try_from(end - place).map_or(PIECE, |left| left.min(PIECE));
    let read = tokio::task::spawn_blocking(move || opened.read_at(place, count)).await;
    let read = read.unwrap_or_else(|panic| Err(std::io::Error::other(panic).into()));
    read.map(Bytes::from).inspect_err(|error| tracing::error!(%error, place, "a recording cannot be read"))
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| {
        tracing::error!(%panic, "work on a recording panicked");
        Err(Problem::new(Fault::Internal, "the fault is logged"))
    })
}

fn unknown() -> Problem {
    Problem::new(Fault::RecordingUnknown, "this call has no recording")
}

pub(crate) fn unreadable(record: &Record, error: &OpenError) -> Problem {
    match error {
        OpenError::File(error) if error.kind() == std::io::ErrorKind::NotFound => {
            match &record.recording_fault {
                Some(fault) => {
                    Problem::new(Fault::RecordingUnknown, format!("it may never have been written: {fault}"))
                }
                None => Problem::new(
                    Fault::RecordingDeleted,
                    "it was deleted, by someone or after the days recordings are kept; its record stays",
                ),
            }
        }
        OpenError::File(_) | OpenError::NoKey(_) | OpenError::Damaged(_) => {
            tracing::error!(call = %record.id, %error, "a recording cannot be read or removed");
            let detail = match error {
                OpenError::NoKey(_) => {
                    "it is sealed with a key this server does not have; the log says which"
                }
                OpenError::Damaged(_) => "it was damaged or tampered with; the log says how",
                OpenError::File(_) => "the file cannot be reached; the log says why",
            };
            Problem::new(Fault::RecordingUnreadable, detail)
        }
    }
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
