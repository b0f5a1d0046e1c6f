//! `bauta order`: orders of a running server.

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::client::{self, Client, Refusal, print};
use super::import;
use crate::cli::{Exit, ListArgs, NameArgs, OrderArgs, OrderCommand, PutArgs};
use crate::config::duration;

const JSON: &str = "application/json";

/// Does what was asked.
pub(crate) fn run(args: &OrderArgs) -> Exit {
    let json = args.server.json;
    client::run(&args.server, async |client| match &args.command {
        OrderCommand::Put(args) => put(&client, args, json).await,
        OrderCommand::Get(args) => get(&client, args, json).await,
        OrderCommand::List(args) => list(&client, args, json).await,
        OrderCommand::Rm(args) => remove(&client, args, json).await,
        OrderCommand::Import(args) => import::run(&client, args, json).await,
    })
}

/// An order as the server tells it; what is not for people stays in the JSON.
#[derive(Debug, Deserialize)]
struct Order {
    code: String,
    line: Option<String>,
    courier: Party,
    client: Party,
    expires_at: String,
}

#[derive(Debug, Deserialize)]
struct Party {
    number: String,
}

fn told(order: &Value) -> Result<String, Refusal> {
    let order: Order = serde_json::from_value(order.clone())
        .map_err(|error| Refusal::Failed(format!("the answer is no order: {error}")))?;
    let Order { code, line, courier, client, expires_at } = order;
    let line = line.map(|line| format!(" line {line}")).unwrap_or_default();
    Ok(format!("{code} courier {} client {}{line} until {expires_at}", courier.number, client.number))
}

async fn put(client: &Client, args: &PutArgs, json: bool) -> Result<Exit, Refusal> {
    let body = body(args)?.to_string();
    let url = client.path(&["v1", "orders", &args.code]);
    let (status, order) = client.ask::<Value>(Method::PUT, url, Some((JSON, body.into()))).await?;
    if json {
        print(order)?;
    } else {
        let done = if status == StatusCode::CREATED { "created" } else { "replaced" };
        print(format!("{done} {}", told(&order)?))?;
    }
    Ok(Exit::Done)
}

/// What is sent, with what was left out left out.
fn body(args: &PutArgs) -> Result<Value, Refusal> {
    let party = |number: &str, language: &Option<String>| {
        let mut party = Map::from_iter([("number".to_owned(), json!(number))]);
        if let Some(language) = language {
            party.insert("language".to_owned(), json!(language));
        }
        Value::Object(party)
    };
    let mut body = Map::new();
    body.insert("courier".to_owned(), party(&args.courier, &args.courier_language));
    body.insert("client".to_owned(), party(&args.client, &args.client_language));
    if let Some(ttl) = &args.ttl {
        let ttl = duration::parse(ttl).map_err(|why| Refusal::Wrong(format!("--ttl: {why}")))?;
        body.insert("ttl_seconds".to_owned(), json!(ttl.as_secs()));
    }
    if let Some(expires_at) = &args.expires_at {
        body.insert("expires_at".to_owned(), json!(expires_at));
    }
    if let Some(line) = &args.line {
        body.insert("line".to_owned(), json!(line));
    }
    if let Some(data) = &args.data {
        let data =
            serde_json::from_str(data).map_err(|why| Refusal::Wrong(format!("--data is no JSON: {why}")))?;
        body.insert("data".to_owned(), data);
    }
    Ok(Value::Object(body))
}

fn named(client: &Client, args: &NameArgs) -> reqwest::Url {
    let mut url = client.path(&["v1", "orders", &args.code]);
    if let Some(line) = &args.line {
        url.query_pairs_mut().append_pair("line", line);
    }
    url
}

async fn get(client: &Client, args: &NameArgs, json: bool) -> Result<Exit, Refusal> {
    let (_, order) = client.ask::<Value>(Method::GET, named(client, args), None).await?;
    if json {
        print(order)?
    } else {
        print(told(&order)?)?
    }
    Ok(Exit::Done)
}

async fn remove(client: &Client, args: &NameArgs, json: bool) -> Result<Exit, Refusal> {
    client.send(Method::DELETE, named(client, args), None).await?;
    let code = &args.code;
    if json {
        print(json!({ "code": code, "removed": true }))?
    } else {
        print(format!("removed {code}"))?
    }
    Ok(Exit::Done)
}

/// Every order, page by page; as JSON one object on each line.
async fn list(client: &Client, args: &ListArgs, json: bool) -> Result<Exit, Refusal> {
    let given = [("line", args.line.as_deref()), ("number", args.number.as_deref())];
    client
        .each(
            &["v1", "orders"],
            &given,
            args.limit,
            |order| if json { print(order) } else { print(told(order)?) },
        )
        .await
}
