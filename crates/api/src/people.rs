//! `/v1/people/{number}`: everything kept of a number, shown or erased.

use std::time::SystemTime;

use axum::extract::{Path, RawQuery, State};
use axum::{Extension, Json};
use number::Number;
use serde::Serialize;
use store::{
    Erased, Erasure, OrderFilter, PairFilter, Record, RecordFilter, Store, StoreError, Timestamp, Ulid,
};

use crate::blocks::BlockView;
use crate::contacts::ContactView;
use crate::gate::Gate;
use crate::interface::Ask;
use crate::orders::OrderView;
use crate::page;
use crate::pairs::PairView;
use crate::parameters::Parameters;
use crate::privacy::{Privacy, last4};
use crate::problem::{Fault, Problem};
use crate::recordings;
use crate::token::Caller;

/// Most of each kind in an export, beside records, which come by pages.
const MOST: usize = 1_000;

/// What is kept of a number.
#[derive(Debug, Serialize)]
pub(crate) struct Export {
    number: String,
    orders: Vec<OrderView>,
    pairs: Vec<PairView>,
    contact: Option<ContactView>,
    blocks: Vec<BlockView>,
    redials: Vec<Redial>,
    /// Of this page.
    records: Vec<Record>,
    /// For the next page of records; `null` after the last.
    next_cursor: Option<String>,
}

/// That the number was called.
#[derive(Debug, Serialize)]
struct Redial {
    line: String,
    called_at: Timestamp,
}

/// What was erased, and what could not be.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    number: String,
    erased: Counts,
    kept: Vec<Kept>,
}

#[derive(Debug, Serialize)]
struct Counts {
    #[serde(flatten)]
    store: Erased,
    recordings: u64,
    /// Calls whose SIP messages were kept in memory.
    traces: u64,
}

/// Something that could not be erased.
#[derive(Debug, Serialize)]
struct Kept {
    what: &'static str,
    why: &'static str,
    id: Option<Ulid>,
}

fn read(gate: &Gate, text: &str) -> Result<Number, Problem> {
    let read = gate.settings().plan.parse(text);
    read.map_err(|why| Problem::new(Fault::NumberInvalid, why.to_string()).at("number"))
}

/// As records have it. The last four digits are many people's.
fn shown(privacy: &Privacy, number: Number) -> Option<String> {
    (*privacy != Privacy::Last4).then(|| privacy.show(number))
}

fn records_of(shown: Option<String>) -> RecordFilter {
    // What no record has finds none.
    RecordFilter { number: Some(shown.unwrap_or_default()), ..RecordFilter::default() }
}

/// `GET /v1/people/{number}`
pub(crate) async fn export(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Export>, Problem> {
    let parameters = Parameters::read(query.as_deref(), &["limit", "cursor"])?;
    let (limit, cursor) = (parameters.limit()?, parameters.text("cursor").map(str::to_owned));
    let number = read(&gate, &number)?;
    let filter = records_of(shown(&gate.settings().privacy, number));
    let now = Timestamp::from(SystemTime::now());
    let collect = move |store: &Store| {
        let of = OrderFilter { number: Some(number), ..OrderFilter::default() };
        let orders = page::filled(None, MOST, |cursor, limit| store.orders(&of, now, cursor, limit))?;
        let of = PairFilter { number: Some(number), live: None };
        let pairs = page::filled(None, MOST, |cursor, limit| store.pairs(&of, now, cursor, limit))?;
        let blocks =
            page::filled(None, MOST, |cursor, limit| store.blocks(Some(number), now, cursor, limit))?;
        let (contact, redials) = (store.contact_of(number)?, store.redials_of(number)?);
        let records = page::filled(cursor, limit, |cursor, limit| store.records(&filter, cursor, limit))?;
        Ok((orders, pairs, contact, blocks, redials, records))
    };
    let (orders, pairs, contact, blocks, redials, records) = gate.store(collect).await?;
    Ok(Json(Export {
        number: number.to_string(),
        orders: orders.items.into_iter().map(|order| OrderView::of(order, caller)).collect(),
        pairs: pairs.items.into_iter().map(|pair| PairView::of(pair, caller, now)).collect(),
        contact: contact.map(|contact| ContactView::of(contact, caller)),
        blocks: blocks.items.into_iter().map(|block| BlockView::of(block, caller)).collect(),
        redials: redials
            .into_iter()
            .map(|(line, called_at)| Redial { line: line.to_string(), called_at })
            .collect(),
        records: records.items,
        next_cursor: records.next,
    }))
}

/// `DELETE /v1/people/{number}`
pub(crate) async fn erase(
    State(gate): State<Gate>,
    Path(number): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Report>, Problem> {
    let parameters = Parameters::read(query.as_deref(), &["records", "blocks"])?;
    let choice = |name: &str, words: [&str; 2]| match parameters.text(name) {
        None => Ok(false),
        Some(word) if word == words[0] => Ok(false),
        Some(word) if word == words[1] => Ok(true),
        Some(_) => {
            Err(Problem::new(Fault::ParameterInvalid, format!("one of {}", words.join(", "))).at(name))
        }
    };
    let (records, blocks) = (choice("records", ["keep", "delete"])?, choice("blocks", ["keep", "delete"])?);
    let number = read(&gate, &number)?;
    let shown = shown(&gate.settings().privacy, number);
    let mut kept = Vec::new();
    let recordings = erase_recordings(&gate, shown.clone(), &mut kept).await?;
    if shown.is_none() {
        let why = "records and events have the last four digits only, which are those of others too";
        kept.push(Kept { what: "records", why, id: None });
    }
    let erasure = Erasure { number, shown: shown.clone(), records, blocks };
    let work = move |store: &Store| {
        let erased = store.erase(&erasure)?;
        let running = shown.map_or(Ok(Vec::new()), |shown| store.running_with(&shown))?;
        let listed = store.blocks(Some(number), SystemTime::now().into(), None, 1)?;
        Ok::<_, StoreError>((erased, running, !listed.items.is_empty()))
    };
    let (erased, mut running, has_blocks) = gate.store(work).await?;
    // They have whole numbers, whatever records have.
    let (traces, traced) = gate.ask(|reply| Ask::EraseTraces { number, reply }).await?;
    running.extend(traced.into_iter().map(|call| Ulid(call.0)));
    running.sort_unstable();
    running.dedup();
    let call = |id| Kept { what: "call", why: "it is going on; erase again once it has ended", id: Some(id) };
    kept.extend(running.into_iter().map(call));
    if has_blocks {
        kept.push(Kept { what: "blocks", why: "lifted only with blocks=delete", id: None });
    }
    let why = "who did what about the last four digits is kept until privacy.audit_days have passed";
    kept.push(Kept { what: "audit", why, id: None });
    let erased = Counts { store: erased, recordings, traces };
    Ok(Json(Report { number: last4(number), erased, kept }))
}

/// Removes the recordings of every record with this number, while the records still say which they are.
async fn erase_recordings(gate: &Gate, shown: Option<String>, kept: &mut Vec<Kept>) -> Result<u64, Problem> {
    let Some(shown) = shown else { return Ok(0) };
    let filter = records_of(Some(shown));
    let (mut cursor, mut count) = (None::<String>, 0);
    loop {
        let (filter, from) = (filter.clone(), cursor.take());
        let page = gate.store(move |store| store.records(&filter, from.as_deref(), MOST)).await?;
        for record in page.items {
            match recordings::remove(gate, &record).await {
                Ok(removed) => count += u64::from(removed),
                Err(_) => {
                    let why = "its file could not be removed; the log says why";
                    kept.push(Kept { what: "recording", why, id: Some(record.id) });
                }
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(count);
        }
    }
}
