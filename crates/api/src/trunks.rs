//! `/v1/trunks`: how the carriers are.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::gate::Gate;
use crate::interface::Ask;
use crate::page::Listed;
use crate::problem::Problem;

/// A trunk as the document has it.
#[derive(Serialize)]
pub(crate) struct Trunk {
    name: String,
    up: Option<bool>,
    registered: Option<bool>,
    addresses: usize,
    calls: usize,
}

/// `GET /v1/trunks`: all of them, on one page.
pub(crate) async fn list(State(gate): State<Gate>) -> Result<Json<Listed<Trunk>>, Problem> {
    let trunks = gate.ask(Ask::Trunks).await?.into_iter().map(|trunk| Trunk {
        name: trunk.name.into(),
        up: trunk.up,
        registered: trunk.registered,
        addresses: trunk.addresses,
        calls: trunk.calls,
    });
    Ok(Json(Listed { items: trunks.collect(), next_cursor: None }))
}
