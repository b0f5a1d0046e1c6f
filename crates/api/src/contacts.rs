//! `/v1/contacts`: people whom operators know by name.

use std::time::SystemTime;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use store::{Contact, ContactChange, ContactFilter, ContactOutcome, NewContact, Store, Timestamp, Ulid};

use crate::body::{self, given};
use crate::draft::{NumberText, check_data, check_name};
use crate::etag;
use crate::gate::Gate;
use crate::interface::Settings;
use crate::page::{self, Listed};
use crate::parameters::Parameters;
use crate::privacy::{is_shown, last4, mask_json, shown_text};
use crate::problem::{Fault, Problem};
use crate::token::{Caller, Role};

/// A contact as it is answered.
#[derive(Debug, Serialize)]
pub(crate) struct ContactView {
    id: Ulid,
    name: String,
    number: String,
    note: Option<String>,
    data: Option<store::Json>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl ContactView {
    pub(crate) fn of(contact: Contact, caller: Caller) -> Self {
        let masks = caller.role == Role::Operator;
        Self {
            id: contact.id,
            name: shown_text(&contact.name, masks),
            number: if masks { last4(contact.number) } else { contact.number.to_string() },
            note: contact.note.map(|note| shown_text(&note, masks)),
            data: contact.data.map(|data| if masks { mask_json(&data) } else { data }),
            created_at: contact.created_at,
            updated_at: contact.updated_at,
        }
    }
}

/// The body of `POST /v1/contacts`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContactBody {
    name: String,
    number: NumberText,
    note: Option<String>,
    data: Option<Box<RawValue>>,
}

/// The body of `PATCH /v1/contacts/{id}`: what is left out stays, `null` takes away.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeBody {
    name: Option<String>,
    number: Option<NumberText>,
    #[serde(default, deserialize_with = "given")]
    note: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    data: Option<Option<Box<RawValue>>>,
}

impl ContactBody {
    fn check(self, settings: &Settings) -> Result<NewContact, Problem> {
        Ok(NewContact {
            name: check_name(&self.name, "name")?,
            number: check_number(&self.number, settings)?,
            note: self.note.map(check_note).transpose()?.flatten(),
            data: self.data.map(|data| check_data(&data, Contact::LONGEST_DATA)).transpose()?.flatten(),
        })
    }
}

impl ChangeBody {
    fn check(self, settings: &Settings) -> Result<ContactChange, Problem> {
        let data =
            self.data.map(|data| data.map(|data| check_data(&data, Contact::LONGEST_DATA)).transpose());
        let note = self.note.map(|note| note.map(check_note).transpose());
        Ok(ContactChange {
            name: self.name.map(|name| check_name(&name, "name")).transpose()?,
            number: self.number.map(|number| check_number(&number, settings)).transpose()?,
            note: note.transpose()?.map(Option::flatten),
            data: data.transpose()?.map(Option::flatten),
        })
    }
}

fn check_number(text: &NumberText, settings: &Settings) -> Result<number::Number, Problem> {
    let read = settings.plan.parse(&text.0);
    let number = read.map_err(|why| Problem::new(Fault::NumberInvalid, why.to_string()).at("number"))?;
    if settings.every_line.contains(&number) || settings.pool.ours.contains(&number) {
        return Err(
            Problem::new(Fault::NumberOurs, "this is a line of ours, and nobody's number").at("number")
        );
    }
    Ok(number)
}

/// An empty note is none.
fn check_note(note: String) -> Result<Option<Box<str>>, Problem> {
    if note.chars().count() > Contact::LONGEST_NOTE {
        let detail = format!("at most {} characters", Contact::LONGEST_NOTE);
        return Err(Problem::new(Fault::OutOfRange, detail).at("note"));
    }
    Ok((!note.trim().is_empty()).then(|| note.into()))
}

fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}

/// With its version as the entity tag (RFC 9110 §8.8.3).
fn answered(status: StatusCode, contact: Contact, caller: Caller) -> Response {
    let tag = etag::of_version(contact.version);
    (status, [(header::ETAG, tag)], Json(ContactView::of(contact, caller))).into_response()
}

fn kept(outcome: ContactOutcome) -> Result<Contact, Problem> {
    match outcome {
        ContactOutcome::Kept(contact) => Ok(*contact),
        ContactOutcome::Unknown | ContactOutcome::Removed => Err(unknown()),
        ContactOutcome::Changed => Err(etag::failed()),
        ContactOutcome::Taken(other) => {
            let detail = format!("it is that of the contact {other}: change that one");
            Err(Problem::new(Fault::ContactExists, detail).at("number"))
        }
        ContactOutcome::Full => {
            let detail = format!("{} at most; delete those nobody needs", Contact::MOST);
            Err(Problem::new(Fault::ContactsFull, detail))
        }
    }
}

fn read_id(text: &str) -> Result<Ulid, Problem> {
    Ulid::from_string(text).map_err(|_| unknown())
}

fn unknown() -> Problem {
    Problem::new(Fault::ContactUnknown, "GET /v1/contacts lists them")
}

/// `POST /v1/contacts`
pub(crate) async fn create(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let body: ContactBody = body::json(&headers, &body)?;
    let asked = body.check(&gate.settings())?;
    let contact = kept(gate.store(move |store| store.create_contact(asked, now())).await?)?;
    let location = HeaderValue::from_str(&format!("/v1/contacts/{}", contact.id));
    let location = location.expect("letters and digits can stand in a header");
    let mut response = answered(StatusCode::CREATED, contact, caller);
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// `GET /v1/contacts/{id}`
pub(crate) async fn get(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    Ok(answered(StatusCode::OK, find(&gate, &id).await?, caller))
}

/// A contact by its id.
pub(crate) async fn find(gate: &Gate, id: &str) -> Result<Contact, Problem> {
    let id = read_id(id)?;
    gate.store(move |store| store.contact(id)).await?.ok_or_else(unknown)
}

/// `PATCH /v1/contacts/{id}`
pub(crate) async fn change(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let (id, wanted) = (read_id(&id)?, etag::precondition(&headers)?);
    let body: ChangeBody = body::json(&headers, &body)?;
    let change = body.check(&gate.settings())?;
    let changed = gate.store(move |store| store.change_contact(id, change, wanted, now())).await?;
    Ok(answered(StatusCode::OK, kept(changed)?, caller))
}

/// `DELETE /v1/contacts/{id}`
pub(crate) async fn delete(
    State(gate): State<Gate>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let (id, wanted) = (read_id(&id)?, etag::precondition(&headers)?);
    let removed = gate.store(move |store| store.remove_contact(id, wanted)).await?;
    if removed == ContactOutcome::Removed {
        Ok(StatusCode::NO_CONTENT)
    } else {
        kept(removed).and(Err(unknown()))
    }
}

/// `GET /v1/contacts`
pub(crate) async fn list(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Json<Listed<ContactView>>, Problem> {
    let parameters = Parameters::read(query.as_deref(), &["query", "limit", "cursor"])?;
    let filter = match parameters.text("query").map(str::trim).filter(|text| !text.is_empty()) {
        None => ContactFilter::Any,
        // A whole number finds whose it is; a part of one finds nothing, or it could be found out digit by digit.
        Some(text) => {
            let number = parameters.number("query", &gate.settings().plan);
            number.ok().flatten().map_or_else(|| ContactFilter::Text(text.to_owned()), ContactFilter::Number)
        }
    };
    let (limit, cursor) = (parameters.limit()?, parameters.text("cursor").map(str::to_owned));
    let masks = caller.role == Role::Operator;
    let read = move |store: &Store| {
        page::filled(cursor, limit, |cursor, limit| {
            let mut page = store.contacts(&filter, cursor, limit)?;
            if let ContactFilter::Text(text) = &filter {
                let ends = |contact: &Contact| format!("{:04}", contact.number.last4()) == *text;
                page.items.retain(|contact| !masks || ends(contact) || is_shown(&contact.name, text));
            }
            Ok(page)
        })
    };
    let page = gate.store(read).await?;
    Ok(Json(Listed::of(page, |contact| ContactView::of(contact, caller))))
}

/// The numbers of these contacts, by their ids.
pub(crate) async fn numbers(
    gate: &Gate,
    ids: Vec<(String, String)>,
) -> Result<std::collections::BTreeMap<String, number::Number>, Problem> {
    let find = move |store: &Store| {
        let found = ids.into_iter().map(|(field, id)| {
            let contact = Ulid::from_string(&id).map_or(Ok(None), |id| store.contact(id))?;
            Ok((field, id, contact))
        });
        found.collect::<Result<Vec<_>, _>>()
    };
    let found = gate.store(find).await?.into_iter().map(|(field, id, contact)| match contact {
        Some(contact) => Ok((id, contact.number)),
        None => Err(Problem::new(Fault::UnknownContact, "GET /v1/contacts lists them").at(field)),
    });
    found.collect()
}
