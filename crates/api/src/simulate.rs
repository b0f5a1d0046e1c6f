//! `POST /v1/simulate`: what would happen to a call, and why.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde::Deserialize;

use crate::body;
use crate::draft::NumberText;
use crate::gate::Gate;
use crate::interface::{Ask, Simulation, Trial};
use crate::privacy::masked;
use crate::problem::{Fault, Problem};
use crate::token::{Caller, Role};

/// Most keys pressed.
const LONGEST: usize = 64;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrialBody {
    /// Absent or `null` for a caller who withholds the number.
    from: Option<NumberText>,
    to: NumberText,
    #[serde(default)]
    digits: String,
}

/// `POST /v1/simulate`
pub(crate) async fn simulate(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Simulation>, Problem> {
    let TrialBody { from, to, digits } = body::json(&headers, &body)?;
    let plan = gate.settings().plan;
    let read = |text: &NumberText, field: &str| {
        plan.parse(&text.0).map_err(|why| Problem::new(Fault::NumberInvalid, why.to_string()).at(field))
    };
    let from = from.map(|text| read(&text, "from")).transpose()?;
    let to = read(&to, "to")?;
    if digits.len() > LONGEST || !digits.bytes().all(|b| b.is_ascii_digit() || b == b'*' || b == b'#') {
        let detail = format!("at most {LONGEST} of 0-9, * and #");
        return Err(Problem::new(Fault::DigitsInvalid, detail).at("digits"));
    }
    let mut simulation = gate.ask(|reply| Ask::Simulate { trial: Trial { from, to, digits }, reply }).await?;
    if caller.role == Role::Operator
        && let Some(dialled) = &mut simulation.dialled
    {
        dialled.number = dialled.number.as_deref().map(masked);
    }
    Ok(Json(simulation))
}
