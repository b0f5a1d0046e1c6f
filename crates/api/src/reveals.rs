//! `POST /v1/reveals`: the whole numbers of one thing, for those who otherwise see them masked. Each time is in the audit log before
//! anything is shown.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use number::Number;
use serde::{Deserialize, Serialize};
use store::{CallbackSide, Order, Pair, Record};

use crate::audit::Subject;
use crate::body;
use crate::draft::NumberText;
use crate::gate::Gate;
use crate::live::LiveCall;
use crate::problem::{Fault, Problem};
use crate::token::Caller;
use crate::{callbacks, calls, contacts, orders, pairs, records};

/// The body of `POST /v1/reveals`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevealBody {
    kind: Kind,
    id: String,
    /// Of an order, where several lines have its code.
    line: Option<NumberText>,
}

/// What has numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Call,
    Record,
    Order,
    Pair,
    Callback,
    Contact,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Record => "record",
            Self::Order => "order",
            Self::Pair => "pair",
            Self::Callback => "callback",
            Self::Contact => "contact",
        }
    }
}

/// What is answered.
#[derive(Debug, Serialize)]
pub(crate) struct Revealed {
    numbers: Vec<Whole>,
}

/// A number, and whose it is there.
#[derive(Debug, Serialize)]
struct Whole {
    role: String,
    number: String,
}

/// `POST /v1/reveals`
pub(crate) async fn reveal(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let body: RevealBody = body::json(&headers, &body)?;
    if !caller.may_reveal {
        return Err(Problem::new(
            Fault::Forbidden,
            "the configuration does not say reveal = true of whoever asks",
        ));
    }
    let numbers = match body.kind {
        Kind::Call => of_call(calls::find(&gate, &body.id)?),
        Kind::Record => of_record(records::find(&gate, &body.id).await?.ok_or_else(records::unknown)?),
        Kind::Order => of_order(orders::find(&gate, &body.id, body.line).await?),
        Kind::Pair => of_pair(&pairs::find(&gate, &body.id).await?),
        Kind::Contact => vec![whole("contact", contacts::find(&gate, &body.id).await?.number)],
        Kind::Callback => {
            let callback = callbacks::find(&gate, &body.id).await?.callback;
            of_side("first", &callback.first).chain(of_side("second", &callback.second)).collect()
        }
    };
    let subject = Subject(format!("{}/{}", body.kind.word(), body.id));
    Ok((Extension(subject), Json(Revealed { numbers })).into_response())
}

fn whole(role: &str, number: Number) -> Whole {
    Whole { role: role.to_owned(), number: number.to_string() }
}

/// A number in the form records have it: where they have it masked or hashed, there is none to show.
fn kept(role: &str, number: Option<String>) -> Option<Whole> {
    let number = number.filter(|number| number.starts_with('+'))?;
    Some(Whole { role: role.to_owned(), number })
}

fn of_call(call: LiveCall) -> Vec<Whole> {
    [kept("caller", call.caller), kept("callee", call.callee)].into_iter().flatten().collect()
}

fn of_record(record: Record) -> Vec<Whole> {
    let claimed = record.identity.and_then(|identity| identity.claimed);
    let sides = [kept("caller", record.caller), kept("callee", record.callee), kept("claimed", claimed)];
    let tried = record.tried.into_iter().map(|tried| kept(&tried.side, tried.number));
    let mut numbers: Vec<Whole> = Vec::new();
    for whole in sides.into_iter().chain(tried).flatten() {
        if numbers.iter().all(|other| (&other.role, &other.number) != (&whole.role, &whole.number)) {
            numbers.push(whole);
        }
    }
    numbers
}

fn of_order(order: Order) -> Vec<Whole> {
    vec![whole("courier", order.courier.number), whole("client", order.client.number)]
}

fn of_pair(pair: &Pair) -> Vec<Whole> {
    let fallback = pair.fallback.map(|fallback| fallback.number);
    let others = [
        pair.b.as_ref().map(|b| whole("b", b.party.number)),
        fallback.map(|number| whole("fallback", number)),
        pair.last_caller.map(|number| whole("last-caller", number)),
    ];
    std::iter::once(whole("a", pair.a.party.number)).chain(others.into_iter().flatten()).collect()
}

fn of_side<'s>(role: &'static str, side: &'s CallbackSide) -> impl Iterator<Item = Whole> + 's {
    side.numbers.iter().map(move |one| whole(role, one.number))
}
