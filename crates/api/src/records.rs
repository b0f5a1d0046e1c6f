//! `/v1/records`: what became of calls.

use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use b2bua::{Cause, Code};
use futures_util::stream;
use store::{Record, RecordFilter, Store, Ulid};

use crate::calls::call_id;
use crate::gate::Gate;
use crate::interface::Settings;
use crate::page::{self, Listed};
use crate::parameters::Parameters;
use crate::privacy::{mask_json, mask_text, masked};
use crate::problem::{Fault, Problem};
use crate::record_csv;
use crate::token::{Caller, Role};

/// Rows read from the store for each piece of an export.
const PIECE: usize = 500;

/// `GET /v1/records`
pub(crate) async fn list(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let known = ["from", "to", "number", "code", "cause", "limit", "cursor"];
    let parameters = Parameters::read(query.as_deref(), &known)?;
    let filter = filter(&parameters, &gate.settings())?;
    let limit = parameters.limit()?;
    let cursor = parameters.text("cursor").map(str::to_owned);
    if wants_csv(&headers) {
        let rows = parameters.text("limit").map(|_| limit);
        return export(gate, Export { filter, cursor, rows, caller, head: true }).await;
    }
    let read = move |store: &Store| {
        page::filled(cursor, limit, |cursor, limit| store.records(&filter, cursor, limit))
    };
    let page = gate.store(read).await?;
    Ok(Json(Listed::of(page, |record| shown(record, caller))).into_response())
}

/// `GET /v1/records/{id}`
pub(crate) async fn get(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Record>, Problem> {
    find(&gate, &id).await?.map(|record| Json(shown(record, caller))).ok_or_else(unknown)
}

pub(crate) fn unknown() -> Problem {
    Problem::new(Fault::RecordUnknown, "no call with this id has ended; running ones are in /v1/calls")
}

/// The record of a call, if it has ended and is still kept.
pub(crate) async fn find(gate: &Gate, id: &str) -> Result<Option<Record>, Problem> {
    match call_id(id) {
        Some(call) => gate.store(move |store| store.record(Ulid(call.0))).await,
        None => Ok(None),
    }
}

fn filter(parameters: &Parameters, settings: &Settings) -> Result<RecordFilter, Problem> {
    let code = parameters.text("code").map(|code| {
        let wrong = || Problem::new(Fault::CodeInvalid, "a code is 1 to 12 decimal digits").at("code");
        Code::parse(code).ok_or_else(wrong)
    });
    let cause = parameters.text("cause").map(|word| {
        let words: Vec<&str> = Cause::ALL.iter().map(|cause| cause.word()).collect();
        let wrong =
            || Problem::new(Fault::ParameterInvalid, format!("one of {}", words.join(", "))).at("cause");
        words.contains(&word).then(|| word.to_owned()).ok_or_else(wrong)
    });
    Ok(RecordFilter {
        from: parameters.time("from")?,
        to: parameters.time("to")?,
        number: parameters.number("number", &settings.plan)?.map(|number| settings.privacy.show(number)),
        code: code.transpose()?.map(|code| code.as_str().to_owned()),
        cause: cause.transpose()?,
    })
}

fn shown(mut record: Record, caller: Caller) -> Record {
    if caller.role == Role::Operator {
        record.caller = record.caller.as_deref().map(masked);
        record.callee = record.callee.as_deref().map(masked);
        record.caller_name = record.caller_name.as_deref().map(mask_text);
        record.callee_name = record.callee_name.as_deref().map(mask_text);
        for tried in &mut record.tried {
            tried.number = tried.number.as_deref().map(masked);
        }
        if let Some(identity) = &mut record.identity {
            identity.claimed = identity.claimed.as_deref().map(masked);
        }
        record.data = record.data.as_ref().map(mask_json);
        for tried in &mut record.tried {
            tried.number = tried.number.as_deref().map(masked);
        }
        if let Some(identity) = &mut record.identity {
            identity.claimed = identity.claimed.as_deref().map(masked);
        }
    }
    record
}

/// Whether the first type named in `Accept` is CSV.
fn wants_csv(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let first = accept.split([',', ';']).next().unwrap_or_default().trim();
    first.eq_ignore_ascii_case("text/csv")
}

/// How far an export has come.
struct Export {
    filter: RecordFilter,
    cursor: Option<String>,
    /// Rows still wanted; `None` for all there are.
    rows: Option<usize>,
    caller: Caller,
    head: bool,
}

/// All records that match, piece by piece: one piece is read when the one before was taken, so that a slow reader
/// holds no thread and little memory.
async fn export(gate: Gate, mut export: Export) -> Result<Response, Problem> {
    // The first piece is read before the answer begins, so that a bad cursor is still a problem document.
    let (first, more) = piece(&gate, &mut export).await?;
    let rest = stream::try_unfold((gate, more.then_some(export)), |(gate, export)| async move {
        let Some(mut export) = export else { return Ok(None) };
        let read = piece(&gate, &mut export).await;
        let (text, more) = read.map_err(|problem| std::io::Error::other(problem.detail))?;
        Ok::<_, std::io::Error>(Some((text, (gate, more.then_some(export)))))
    });
    let first = stream::iter([Ok(first)]);
    let body = Body::from_stream(futures_util::StreamExt::chain(first, rest));
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"records.csv\""),
        (header::VARY, "accept"),
    ];
    Ok((headers, body).into_response())
}

/// The next rows as CSV, and whether there are more.
async fn piece(gate: &Gate, export: &mut Export) -> Result<(Bytes, bool), Problem> {
    let limit = export.rows.map_or(PIECE, |rows| rows.min(PIECE));
    let (filter, cursor) = (export.filter.clone(), export.cursor.take());
    let page = gate.store(move |store| store.records(&filter, cursor.as_deref(), limit)).await?;
    let records: Vec<Record> = page.items.into_iter().map(|record| shown(record, export.caller)).collect();
    let text = record_csv::write(&records, std::mem::take(&mut export.head));
    export.rows = export.rows.map(|rows| rows.saturating_sub(records.len()));
    export.cursor = page.next;
    Ok((text.into(), export.cursor.is_some() && export.rows != Some(0)))
}
