//! `POST /v1/orders:import`: many orders at once, as CSV or NDJSON. Rows that are right are kept, rows that are
//! wrong are named.

mod columns;
mod lines;
mod rows;
mod spool;

use std::time::SystemTime;

use axum::extract::{RawQuery, Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};

use crate::body;
use crate::gate::Gate;
use crate::idempotency;
use crate::parameters::Parameters;
use crate::problem::{Fault, Problem};
use crate::token::Caller;
use rows::{Format, Summary};

/// `POST /v1/orders:import`
pub(crate) async fn import(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let (head, body) = request.into_parts();
    let format = if body::is_type(&head.headers, &["text/csv"]) {
        Format::Csv
    } else if body::is_type(
        &head.headers,
        &["application/x-ndjson", "application/ndjson", "application/jsonl"],
    ) {
        Format::Ndjson
    } else {
        let detail = "send Content-Type: text/csv or application/x-ndjson";
        return Err(Problem::new(Fault::ContentType, detail));
    };
    let _place =
        gate.import_place().ok_or_else(|| Problem::new(Fault::Overloaded, "other imports are under way"))?;
    // The whole file first: a body that is cut off imports nothing, and a slow one holds no thread.
    let spooled = spool::spool(body, idempotency::begun(&head.method, &head.uri)).await?;
    let work = {
        let gate = gate.clone();
        async move {
            match take(&gate, spooled.file, format).await {
                Ok(summary) => Json(summary).into_response(),
                Err(problem) => problem.into_response(),
            }
        }
    };
    match idempotency::key(&head.headers)? {
        Some(key) => idempotency::once(&gate, caller, key, spooled.fingerprint, work).await,
        None => Ok(work.await),
    }
}

/// Takes all rows, on a thread that may block.
async fn take(gate: &Gate, file: std::fs::File, format: Format) -> Result<Summary, Problem> {
    let settings = gate.settings();
    let store = gate.store_handle().clone();
    let taken = tokio::task::spawn_blocking(move || {
        let keep = |orders| store.put_orders(orders, SystemTime::now().into());
        rows::take(std::io::BufReader::new(file), format, &settings, &keep)
    });
    taken.await.unwrap_or_else(|panic| {
        tracing::error!(%panic, "an import panicked");
        Err(Problem::new(Fault::Internal, "the fault is logged"))
    })
}
