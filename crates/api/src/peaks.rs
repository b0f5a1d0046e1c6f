//! `/v1/recordings/{id}/peaks`: a recording as a waveform shows it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use recording::Peaks;
use serde::Serialize;

use crate::gate::Gate;
use crate::parameters::Parameters;
use crate::problem::{Fault, Problem};
use crate::recordings;

/// Parts unless the query says otherwise.
const USUAL: usize = 1_000;
const LEAST: usize = 100;
const MOST: usize = 4_000;

/// How loud a recording is.
#[derive(Debug, Serialize)]
pub(crate) struct Waveform {
    seconds: f64,
    channels: usize,
    /// Of the caller, then the callee.
    peaks: [Vec<f64>; 2],
}

/// Says that nobody waits any more, once it is dropped.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// `GET /v1/recordings/{id}/peaks`
pub(crate) async fn get(
    State(gate): State<Gate>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Waveform>, Problem> {
    let parameters = Parameters::read(query.as_deref(), &["points"])?;
    let points = match parameters.text("points").map(str::parse::<usize>) {
        None => USUAL,
        Some(Ok(points)) if (LEAST..=MOST).contains(&points) => points,
        Some(_) => {
            let detail = format!("from {LEAST} to {MOST}");
            return Err(Problem::new(Fault::ParameterInvalid, detail).at("points"));
        }
    };
    let (record, path) = recordings::find(&gate, &id).await?;
    let place = tokio::time::timeout(crate::ASK_TIMEOUT, gate.waveform_place()).await;
    let place =
        place.map_err(|_| Problem::new(Fault::Overloaded, "others are being drawn; try again shortly"))?;
    let opened = recordings::open(&gate, record.clone(), path).await?;
    let wanted = Arc::new(AtomicBool::new(true));
    let waiting = Waiting(Arc::clone(&wanted));
    let drawn = recordings::blocking(move || {
        let drawn = opened.peaks(points, || wanted.load(Ordering::Relaxed));
        // The place is free once the work is over, whether anybody waited for it or not.
        drop(place);
        drawn.map_err(|error| recordings::unreadable(&record, &error))
    })
    .await;
    drop(waiting);
    let Peaks { seconds, channels } =
        drawn?.ok_or_else(|| Problem::new(Fault::Internal, "it was not drawn to its end"))?;
    Ok(Json(Waveform { seconds, channels: channels.len(), peaks: channels }))
}
