//! `/v1/settings`: the configuration in force.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::gate::Gate;
use crate::interface::{Ask, SettingsSection};
use crate::problem::Problem;

/// The configuration.
#[derive(Debug, Serialize)]
pub(crate) struct Configuration {
    sections: Vec<SettingsSection>,
}

/// `GET /v1/settings`
pub(crate) async fn get(State(gate): State<Gate>) -> Result<Json<Configuration>, Problem> {
    let sections = gate.ask(Ask::Settings).await?;
    Ok(Json(Configuration { sections }))
}
