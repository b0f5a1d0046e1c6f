//! `/v1/orders`: a code bound to two parties until it expires.

use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use b2bua::Code;
use number::Number;
use serde::Serialize;
use store::{Lines, Order, OrderFilter, Precondition, Put, Removal, Store, StoreError, Timestamp};

use crate::body;
use crate::draft::{self, NumberText, OrderBody};
use crate::etag;
use crate::gate::Gate;
use crate::interface::Settings;
use crate::order_patch::OrderPatch;
use crate::page::{self, Listed};
use crate::parameters::Parameters;
use crate::privacy::{is_shown, last4, mask_json, shown_text};
use crate::problem::{Fault, Problem};
use crate::token::{Caller, Role};

/// An order as it is answered.
#[derive(Debug, Serialize)]
pub(crate) struct OrderView {
    code: Box<str>,
    line: Option<String>,
    courier: PartyView,
    client: PartyView,
    expires_at: Timestamp,
    created_at: Timestamp,
    updated_at: Timestamp,
    data: Option<store::Json>,
    max_calls: Option<u32>,
}

#[derive(Debug, Serialize)]
struct PartyView {
    number: String,
    name: Option<String>,
    language: Option<Box<str>>,
    quiet: Option<String>,
    time_zone: Option<String>,
}

impl OrderView {
    pub(crate) fn of(order: Order, caller: Caller) -> Self {
        let masks = caller.role == Role::Operator;
        let limits = order.limits;
        let party = |party: store::Party, quiet: Option<store::Quiet>| PartyView {
            number: if masks { last4(party.number) } else { party.number.to_string() },
            name: party.name.map(|name| shown_text(&name, masks)),
            language: party.language,
            quiet: quiet.as_ref().map(store::Quiet::hours),
            time_zone: quiet.as_ref().and_then(store::Quiet::zone).map(str::to_owned),
        };
        Self {
            code: order.code,
            line: order.line.map(|line| line.to_string()),
            courier: party(order.courier, limits.courier_quiet),
            client: party(order.client, limits.client_quiet),
            expires_at: order.expires_at,
            created_at: order.created_at,
            updated_at: order.updated_at,
            data: order.data.map(|data| if masks { mask_json(&data) } else { data }),
            max_calls: limits.max_calls,
        }
    }
}

/// `PUT /v1/orders/{code}`
pub(crate) async fn put(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    Path(code): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let body: OrderBody = body::json(&headers, &body)?;
    let now = Timestamp::from(SystemTime::now());
    let order = draft::check(&code, body, &gate.settings(), now)?;
    let precondition = etag::precondition(&headers)?;
    let (put, kept) = gate.store(move |store| keep(store, order, precondition, now)).await?;
    let location = match kept.line {
        Some(line) => format!("/v1/orders/{}?line=%2B{}", kept.code, line.as_u64()),
        None => format!("/v1/orders/{}", kept.code),
    };
    let status = match put {
        Put::Created => StatusCode::CREATED,
        Put::Replaced => StatusCode::OK,
        Put::Refused => return Err(etag::failed()),
    };
    let location = HeaderValue::from_str(&location).expect("digits and percent signs can stand in a header");
    let tag = etag::of(&kept);
    Ok((status, [(header::LOCATION, location), (header::ETAG, tag)], Json(OrderView::of(kept, caller)))
        .into_response())
}

/// The order is read back because the store knows when it was first put.
fn keep(
    store: &Store,
    order: Order,
    precondition: Precondition,
    now: Timestamp,
) -> Result<(Put, Order), StoreError> {
    let put = store.put_order_if(order.clone(), precondition, now)?;
    let kept = store.order(order.line, &order.code, now)?;
    Ok((put, kept.unwrap_or(order)))
}

/// `GET /v1/orders/{code}`
pub(crate) async fn get(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    Path(code): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked = Asked::read(&code, query.as_deref(), &gate.settings())?;
    let now = Timestamp::from(SystemTime::now());
    let found = gate.store(move |store| asked.find(store, now)).await?;
    let order = found.order()?;
    let tag = [(header::ETAG, etag::of(&order))];
    if etag::is_known(&headers, &order) {
        return Ok((StatusCode::NOT_MODIFIED, tag).into_response());
    }
    Ok((tag, Json(OrderView::of(order, caller))).into_response())
}

/// The live order of this code, and of this line where it is said.
pub(crate) async fn find(gate: &Gate, code: &str, line: Option<NumberText>) -> Result<Order, Problem> {
    let settings = gate.settings();
    let line = line.map(|line| draft::check_line(&line.0, &settings)).transpose()?;
    let asked = Asked::of(code, line, &settings)?;
    let now = Timestamp::from(SystemTime::now());
    gate.store(move |store| asked.find(store, now)).await?.order()
}

/// `PATCH /v1/orders/{code}`
pub(crate) async fn change(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    Path(code): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    /// Who changes an order at the same time is let go first so often.
    const AGAIN: usize = 8;
    let precondition = etag::precondition(&headers)?;
    let patch: OrderPatch = body::json(&headers, &body)?;
    let asked = Arc::new(Asked::read(&code, query.as_deref(), &gate.settings())?);
    for _ in 0..AGAIN {
        let now = Timestamp::from(SystemTime::now());
        let asked = Arc::clone(&asked);
        let before = gate.store(move |store| asked.find(store, now)).await?.order()?;
        let version = before.version();
        if !precondition.holds(Some(version)) {
            return Err(etag::failed());
        }
        let order = patch.apply(before, &gate.settings(), now)?;
        let unchanged = Precondition::Is(version);
        if let (Put::Replaced, kept) = gate.store(move |store| keep(store, order, unchanged, now)).await? {
            let tag = [(header::ETAG, etag::of(&kept))];
            return Ok((tag, Json(OrderView::of(kept, caller))).into_response());
        }
    }
    Err(etag::failed())
}

/// `DELETE /v1/orders/{code}`
pub(crate) async fn delete(
    State(gate): State<Gate>,
    Path(code): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let precondition = etag::precondition(&headers)?;
    let asked = Asked::read(&code, query.as_deref(), &gate.settings())?;
    let now = Timestamp::from(SystemTime::now());
    let found = gate.store(move |store| asked.find(store, now)).await?;
    let order = found.order()?;
    let remove = move |store: &Store| store.remove_order_if(order.line, &order.code, precondition, now);
    match gate.store(remove).await? {
        Removal::Removed => Ok(StatusCode::NO_CONTENT),
        Removal::Unknown => Err(unknown()),
        Removal::Refused => Err(etag::failed()),
    }
}

/// An order named by its code, and by its line if one is given.
#[derive(Debug)]
struct Asked {
    code: Code,
    line: Option<Number>,
    lines: Vec<Number>,
}

/// What a name stands for.
enum Found {
    None,
    One(Box<Order>),
    Several,
}

impl Asked {
    fn read(code: &str, query: Option<&str>, settings: &Settings) -> Result<Self, Problem> {
        let parameters = Parameters::read(query, &["line"])?;
        Self::of(code, parameters.number("line", &settings.plan)?, settings)
    }

    fn of(code: &str, line: Option<Number>, settings: &Settings) -> Result<Self, Problem> {
        let code = Code::parse(code)
            .ok_or_else(|| Problem::new(Fault::CodeInvalid, "a code is 1 to 12 decimal digits").at("code"))?;
        Ok(Self { code, line, lines: settings.lines.keys().copied().collect() })
    }

    /// With a line, exactly that order; without, the order of no line, else the only one there is.
    fn find(&self, store: &Store, now: Timestamp) -> Result<Found, StoreError> {
        let code = self.code.as_str();
        if let Some(order) = store.order(self.line, code, now)? {
            return Ok(Found::One(Box::new(order)));
        }
        let mut found = Found::None;
        for line in self.lines.iter().filter(|_| self.line.is_none()) {
            if let Some(order) = store.order(Some(*line), code, now)? {
                if matches!(found, Found::One(_)) {
                    return Ok(Found::Several);
                }
                found = Found::One(Box::new(order));
            }
        }
        Ok(found)
    }
}

impl Found {
    fn order(self) -> Result<Order, Problem> {
        match self {
            Self::None => Err(unknown()),
            Self::One(order) => Ok(*order),
            Self::Several => {
                Err(Problem::new(Fault::LineNeeded, "several lines have such an order; add ?line=")
                    .at("line"))
            }
        }
    }
}

fn unknown() -> Problem {
    Problem::new(Fault::OrderUnknown, "no live order has this code")
}

/// `GET /v1/orders`
pub(crate) async fn list(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Json<Listed<OrderView>>, Problem> {
    let parameters =
        Parameters::read(query.as_deref(), &["line", "number", "code", "name", "limit", "cursor"])?;
    let settings = gate.settings();
    let lines = match parameters.text("line") {
        None => Lines::Any,
        Some("none") => Lines::Only(None),
        Some(_) => Lines::Only(parameters.number("line", &settings.plan)?),
    };
    let code = parameters.text("code").map(|code| {
        let wrong = || Problem::new(Fault::CodeInvalid, "the first digits of a code, 1 to 12").at("code");
        Code::parse(code).map(|code| code.as_str().to_owned()).ok_or_else(wrong)
    });
    let filter = OrderFilter {
        lines,
        number: parameters.number("number", &settings.plan)?,
        code: code.transpose()?,
        name: parameters.text("name").map(str::to_owned),
    };
    let (limit, cursor) = (parameters.limit()?, parameters.text("cursor").map(str::to_owned));
    let now = Timestamp::from(SystemTime::now());
    let masks = caller.role == Role::Operator;
    let read = move |store: &Store| {
        page::filled(cursor, limit, |cursor, limit| {
            let mut page = store.orders(&filter, now, cursor, limit)?;
            if let Some(wanted) = filter.name.as_deref().filter(|_| masks) {
                let is_shown =
                    |party: &store::Party| party.name.as_deref().is_some_and(|name| is_shown(name, wanted));
                page.items.retain(|order| is_shown(&order.courier) || is_shown(&order.client));
            }
            Ok(page)
        })
    };
    let page = gate.store(read).await?;
    Ok(Json(Listed::of(page, |order| OrderView::of(order, caller))))
}
