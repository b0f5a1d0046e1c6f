//! `/v1/numbers`: the numbers that pairs are given, how they stand, and how many there should be.

use std::time::SystemTime;

use axum::extract::{RawQuery, State};
use axum::{Extension, Json};
use serde::Serialize;
use store::{Forecast, Mode, NumberStatus, PhoneStatus, Timestamp, numbers_needed};

use crate::gate::Gate;
use crate::parameters::Parameters;
use crate::privacy::last4;
use crate::problem::{Fault, Problem};
use crate::token::{Caller, Role};

/// The pool as it is answered.
#[derive(Debug, Serialize)]
pub(crate) struct PoolView {
    items: Vec<NumberView>,
    forecast: ForecastView,
    phone: Option<PhoneView>,
}

#[derive(Debug, Serialize)]
struct NumberView {
    number: String,
    reserved: bool,
    pairs: u32,
    phones: usize,
    resting: usize,
}

#[derive(Debug, Serialize)]
struct ForecastView {
    pairs: usize,
    created_last_hour: usize,
    created_last_day: usize,
    ended_last_hour: usize,
    ended_last_day: usize,
    busiest_phone_pairs: usize,
    busiest_phone_left: usize,
    exhausted_at: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
struct PhoneView {
    number: String,
    pairs: usize,
    left: usize,
}

impl NumberView {
    fn of(status: NumberStatus) -> Self {
        let NumberStatus { number, reserved, pairs, phones, resting } = status;
        Self { number: number.to_string(), reserved, pairs, phones, resting }
    }
}

impl ForecastView {
    fn of(forecast: Forecast) -> Self {
        let [created_last_hour, created_last_day] = forecast.created;
        let [ended_last_hour, ended_last_day] = forecast.ended;
        Self {
            pairs: forecast.live,
            created_last_hour,
            created_last_day,
            ended_last_hour,
            ended_last_day,
            busiest_phone_pairs: forecast.busiest,
            busiest_phone_left: forecast.busiest_left,
            exhausted_at: forecast.exhausted_at,
        }
    }
}

impl PhoneView {
    fn of(phone: PhoneStatus, caller: Caller) -> Self {
        let PhoneStatus { phone, pairs, left } = phone;
        let number = if caller.role == Role::Operator { last4(phone) } else { phone.to_string() };
        Self { number, pairs, left }
    }
}

/// `GET /v1/numbers`
pub(crate) async fn list(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Json<PoolView>, Problem> {
    let parameters = Parameters::read(query.as_deref(), &["phone"])?;
    let phone = parameters.number("phone", &gate.settings().plan)?;
    let now = Timestamp::from(SystemTime::now());
    let status = gate.store(move |store| Ok(store.pool_status(phone, now))).await?;
    Ok(Json(PoolView {
        items: status.numbers.into_iter().map(NumberView::of).collect(),
        forecast: ForecastView::of(status.forecast),
        phone: status.phone.map(|phone| PhoneView::of(phone, caller)),
    }))
}

/// How many numbers suffice, as it is answered.
#[derive(Debug, Serialize)]
pub(crate) struct PlanView {
    mode: &'static str,
    pairs_per_phone: u32,
    pairs: u32,
    /// How many suffice.
    numbers: u64,
    /// How many there are that are given freely.
    given: usize,
}

/// Most pairs a plan is made for.
const MOST: u32 = 1_000_000_000;

/// `GET /v1/numbers/plan`
pub(crate) async fn plan(
    State(gate): State<Gate>,
    RawQuery(query): RawQuery,
) -> Result<Json<PlanView>, Problem> {
    let known = ["pairs_per_phone", "pairs", "mode", "ttl_seconds", "cool_off_seconds"];
    let parameters = Parameters::read(query.as_deref(), &known)?;
    let count = |name: &str, default: Option<u32>| match (parameters.text(name), default) {
        (None, Some(default)) => Ok(default),
        (text, _) => match text.unwrap_or_default().parse() {
            Ok(count) if (1..=MOST).contains(&count) => Ok(count),
            Ok(_) | Err(_) => {
                Err(Problem::new(Fault::ParameterInvalid, format!("from 1 to {MOST}")).at(name))
            }
        },
    };
    let (mode, word) = match parameters.text("mode") {
        None | Some("one-number") => (Mode::OneNumber, "one-number"),
        Some("two-numbers") => (Mode::TwoNumbers, "two-numbers"),
        Some(_) => {
            let detail = "\"one-number\" or \"two-numbers\"";
            return Err(Problem::new(Fault::ParameterInvalid, detail).at("mode"));
        }
    };
    let (pairs_per_phone, pairs) = (count("pairs_per_phone", None)?, count("pairs", Some(MOST))?);
    let rest = f64::from(count("cool_off_seconds", Some(0))?) / f64::from(count("ttl_seconds", Some(1))?);
    let now = Timestamp::from(SystemTime::now());
    let status = gate.store(move |store| Ok(store.pool_status(None, now))).await?;
    Ok(Json(PlanView {
        mode: word,
        pairs_per_phone,
        pairs,
        numbers: numbers_needed(mode, pairs_per_phone, pairs, rest),
        given: status.numbers.iter().filter(|number| !number.reserved).count(),
    }))
}
