//! `bauta callback`: callbacks of a running server.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::client::{self, Client, Refusal, print};
use crate::cli::{CallbackArgs, CallbackCommand, CallbackListArgs, CancelArgs, CreateArgs, Exit};

const JSON: &str = "application/json";

/// Does what was asked.
pub(crate) fn run(args: &CallbackArgs) -> Exit {
    let json = args.server.json;
    client::run(&args.server, async |client| match &args.command {
        CallbackCommand::Create(args) => create(&client, args, json).await,
        CallbackCommand::Get { id } => get(&client, id, json).await,
        CallbackCommand::List(args) => list(&client, args, json).await,
        CallbackCommand::Cancel(args) => cancel(&client, args, json).await,
    })
}

/// A callback as the server tells it; what is not for people stays in the JSON.
#[derive(Debug, Deserialize)]
struct Callback {
    id: String,
    state: String,
    tried: Vec<Tried>,
    talk_seconds: f64,
    cause: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Tried {
    side: String,
    number: Option<String>,
    waiting_seconds: f64,
    cause: Option<String>,
}

fn told(callback: &Value) -> Result<String, Refusal> {
    let callback: Callback = serde_json::from_value(callback.clone())
        .map_err(|error| Refusal::Failed(format!("the answer is no callback: {error}")))?;
    let Callback { id, state, tried, talk_seconds, cause } = callback;
    let cause = cause.map(|cause| format!(" {cause} after {talk_seconds} s")).unwrap_or_default();
    let mut text = format!("{id} {state}{cause}");
    for Tried { side, number, waiting_seconds, cause } in tried {
        let (number, cause) = (number.unwrap_or_default(), cause.unwrap_or_default());
        text.push_str(&format!("\n  {side} {number} waited {waiting_seconds} s {cause}"));
    }
    Ok(text)
}

async fn create(client: &Client, args: &CreateArgs, json: bool) -> Result<Exit, Refusal> {
    let url = client.path(&["v1", "callbacks"]);
    let body = body(args)?.to_string();
    let (_, callback) = client.ask::<Value>(Method::POST, url, Some((JSON, body.into()))).await?;
    shown(&callback, json)
}

/// What is sent, with what was left out left out.
fn body(args: &CreateArgs) -> Result<Value, Refusal> {
    let side = |numbers: &[String], strategy: &Option<String>| {
        let mut side = Map::from_iter([("numbers".to_owned(), json!(numbers))]);
        if let Some(strategy) = strategy {
            side.insert("strategy".to_owned(), json!(strategy));
        }
        Value::Object(side)
    };
    let mut body = Map::new();
    body.insert("first".to_owned(), side(&args.first, &args.first_strategy));
    body.insert("second".to_owned(), side(&args.second, &args.second_strategy));
    let texts = [("line", &args.line), ("plan", &args.plan), ("at", &args.at)];
    for (name, value) in texts {
        if let Some(value) = value {
            body.insert(name.to_owned(), json!(value));
        }
    }
    if let Some(longest) = args.longest {
        body.insert("max_seconds".to_owned(), json!(longest.as_secs()));
    }
    if let Some(data) = &args.data {
        let data =
            serde_json::from_str(data).map_err(|why| Refusal::Wrong(format!("--data is no JSON: {why}")))?;
        body.insert("data".to_owned(), data);
    }
    Ok(Value::Object(body))
}

fn shown(callback: &Value, json: bool) -> Result<Exit, Refusal> {
    if json {
        print(callback)?
    } else {
        print(told(callback)?)?
    }
    Ok(Exit::Done)
}

async fn get(client: &Client, id: &str, json: bool) -> Result<Exit, Refusal> {
    let url = client.path(&["v1", "callbacks", id]);
    let (_, callback) = client.ask::<Value>(Method::GET, url, None).await?;
    shown(&callback, json)
}

async fn list(client: &Client, args: &CallbackListArgs, json: bool) -> Result<Exit, Refusal> {
    let given = [("number", args.number.as_deref())];
    client.each(&["v1", "callbacks"], &given, args.limit, |callback| shown(callback, json).map(drop)).await
}

/// What became of the wish to cancel.
#[derive(Debug, Deserialize)]
struct Cancelled {
    cancelled: bool,
    found: String,
}

async fn cancel(client: &Client, args: &CancelArgs, json: bool) -> Result<Exit, Refusal> {
    let mut url = client.path(&["v1", "callbacks", &args.id]);
    url.query_pairs_mut().append_pair("when", &args.when);
    let (_, answer) = client.ask::<Value>(Method::DELETE, url, None).await?;
    let Cancelled { cancelled, found } = serde_json::from_value(answer.clone())
        .map_err(|error| Refusal::Failed(format!("the answer cannot be read: {error}")))?;
    if json {
        print(answer)?;
    } else {
        let done = if cancelled { "cancelled" } else { "not cancelled" };
        print(format!("{done}: it was {found}"))?;
    }
    Ok(if cancelled { Exit::Done } else { Exit::Failed })
}
