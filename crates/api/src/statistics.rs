//! `/v1/statistics`: how trunks did.

use std::time::SystemTime;

use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Serialize;
use store::{Point, Step, Store, Timestamp};

use crate::gate::Gate;
use crate::parameters::Parameters;
use crate::problem::{Fault, Problem};

/// Most points of one trunk in an answer: two days of minutes.
const MOST: u64 = 3_000;

/// How trunks did.
#[derive(Debug, Serialize)]
pub(crate) struct Statistics {
    from: Timestamp,
    to: Timestamp,
    step: &'static str,
    points: Vec<PointView>,
}

/// A point as it is answered.
#[derive(Debug, Serialize)]
struct PointView {
    at: Timestamp,
    trunk: String,
    calls: u64,
    answered: u64,
    dialled: u64,
    reached: u64,
    /// To four places; `None` where nobody was called.
    answer_seizure_ratio: Option<f64>,
    post_dial_delay_p50_ms: Option<u64>,
    post_dial_delay_p95_ms: Option<u64>,
    talk_seconds: f64,
    mos: Option<f64>,
    mos_p5: Option<f64>,
    most_at_once: u32,
}

impl From<Point> for PointView {
    fn from(point: Point) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a share of far fewer calls")]
        let ratio = || (point.reached as f64 / point.dialled as f64 * 10_000.0).round() / 10_000.0;
        Self {
            answer_seizure_ratio: (point.dialled > 0).then(ratio),
            at: point.at,
            trunk: point.trunk,
            calls: point.calls,
            answered: point.answered,
            dialled: point.dialled,
            reached: point.reached,
            post_dial_delay_p50_ms: point.post_dial_delay_p50_ms,
            post_dial_delay_p95_ms: point.post_dial_delay_p95_ms,
            talk_seconds: point.talk_seconds,
            mos: point.mos,
            mos_p5: point.mos_p5,
            most_at_once: point.most_at_once,
        }
    }
}

/// `GET /v1/statistics`
pub(crate) async fn get(
    State(gate): State<Gate>,
    RawQuery(query): RawQuery,
) -> Result<Json<Statistics>, Problem> {
    let parameters = Parameters::read(query.as_deref(), &["from", "to", "step", "trunk"])?;
    let step = match parameters.text("step") {
        None => Step::Hour,
        Some(word) => Step::ALL.into_iter().find(|step| step.word() == word).ok_or_else(|| {
            let words = Step::ALL.map(Step::word).join(", ");
            Problem::new(Fault::ParameterInvalid, format!("one of {words}")).at("step")
        })?,
    };
    let now = Timestamp::from(SystemTime::now());
    // Of what is to come nothing is known.
    let to = parameters.time("to")?.unwrap_or(now).min(Timestamp(now.0 + 1));
    let day = Timestamp(to.0.saturating_sub(86_400_000));
    let from = parameters.time("from")?.unwrap_or(day);
    if to.0.saturating_sub(from.0) / step.millis() > MOST {
        let detail = format!("at most {MOST} steps: take a longer step, or less time");
        return Err(Problem::new(Fault::ParameterInvalid, detail).at("from"));
    }
    let trunk = parameters.text("trunk").map(str::to_owned);
    let read = move |store: &Store| store.statistics(step, from, to, trunk.as_deref());
    let points = gate.store(read).await?.into_iter().map(PointView::from).collect();
    Ok(Json(Statistics { from, to, step: step.word(), points }))
}
