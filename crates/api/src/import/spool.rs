//! A body put aside in a file without a name, which goes away by itself.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::time::Duration;

use axum::body::Body;
use futures_util::StreamExt;
use http_body_util::Limited;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::body::{is_length_limit, too_large};
use crate::problem::{Fault, Problem};

/// Largest import, bytes.
const LONGEST: usize = 256 * 1024 * 1024;
/// For each piece of the body.
const PATIENCE: Duration = Duration::from_secs(30);

/// A whole body.
#[derive(Debug)]
pub(crate) struct Spooled {
    /// At its beginning.
    pub(crate) file: File,
    /// Of the request, the body included.
    pub(crate) fingerprint: [u8; 32],
}

/// Puts a body aside, adding it to the fingerprint of its request.
pub(crate) async fn spool(body: Body, mut fingerprint: Sha256) -> Result<Spooled, Problem> {
    let file = tokio::task::spawn_blocking(tempfile::tempfile).await.map_err(std::io::Error::other).flatten();
    let mut file = tokio::fs::File::from_std(file.map_err(|error| unwritable(&error))?);
    let mut pieces = Body::new(Limited::new(body, LONGEST)).into_data_stream();
    loop {
        let piece = match timeout(PATIENCE, pieces.next()).await {
            Ok(Some(Ok(piece))) => piece,
            Ok(Some(Err(error))) if is_length_limit(&error) => return Err(too_large(LONGEST)),
            Ok(Some(Err(_))) => {
                return Err(Problem::new(
                    Fault::BodyCut,
                    "the connection ended before the body; nothing was imported",
                ));
            }
            Ok(None) => break,
            Err(_) => {
                let detail = format!("each piece has {} seconds; nothing was imported", PATIENCE.as_secs());
                return Err(Problem::new(Fault::BodyTimeout, detail));
            }
        };
        fingerprint.update(&piece);
        file.write_all(&piece).await.map_err(|error| unwritable(&error))?;
    }
    file.flush().await.map_err(|error| unwritable(&error))?;
    let mut file = file.into_std().await;
    file.seek(SeekFrom::Start(0)).map_err(|error| unwritable(&error))?;
    Ok(Spooled { file, fingerprint: fingerprint.finalize().into() })
}

fn unwritable(error: &std::io::Error) -> Problem {
    tracing::error!(%error, "an import cannot be put aside");
    Problem::new(Fault::StoreFailed, "no room for the file; the log says why")
}
