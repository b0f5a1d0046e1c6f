//! `bauta pair`: pairs of a running server.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::client::{self, Client, Refusal, print};
use crate::cli::{Exit, ServerArgs};
use crate::config::duration;

const JSON: &str = "application/json";

/// `bauta pair`.
#[derive(Debug, Args)]
pub(crate) struct PairArgs {
    #[command(subcommand)]
    command: PairCommand,
    #[command(flatten)]
    server: ServerArgs,
}

/// What can be done with pairs.
#[derive(Debug, Subcommand)]
enum PairCommand {
    /// Let two people reach each other through numbers of the pool.
    Create(CreateArgs),
    /// Show one pair.
    Get(IdArgs),
    /// Show all pairs, or those of a number.
    List(ListArgs),
    /// End one pair; running calls go on.
    Close(IdArgs),
}

/// `bauta pair create`.
#[derive(Debug, Args)]
struct CreateArgs {
    /// The number of the first.
    #[arg(long, value_name = "NUMBER")]
    a: String,
    /// The number of the second [default: anyone who calls reaches the first].
    #[arg(long, value_name = "NUMBER")]
    b: Option<String>,
    /// The language the first hears, if not the line's.
    #[arg(long, value_name = "LANGUAGE")]
    a_language: Option<String>,
    /// The language the second hears, if not the line's.
    #[arg(long, value_name = "LANGUAGE", requires = "b")]
    b_language: Option<String>,
    /// A number for each, instead of one for both.
    #[arg(long, requires = "b")]
    two_numbers: bool,
    /// Exactly this number of the pool for both.
    #[arg(long, value_name = "NUMBER", conflicts_with = "two_numbers")]
    number: Option<String>,
    /// Numbers that begin so, country code first, as long as there are any.
    #[arg(long, value_name = "DIGITS")]
    prefix: Option<String>,
    /// The number these two had before, if it is free.
    #[arg(long)]
    sticky: bool,
    /// How long it lives: 45m, 12h, 10d [default: 10d].
    #[arg(long, value_name = "TIME")]
    ttl: Option<String>,
    /// Each call moves its end so far ahead again.
    #[arg(long, requires = "ttl")]
    sliding: bool,
    /// Until when it lives, as RFC 3339.
    #[arg(long, value_name = "WHEN", conflicts_with = "ttl")]
    expires_at: Option<String>,
    /// Anything, as JSON; comes back in records and events.
    #[arg(long, value_name = "JSON")]
    data: Option<String>,
}

/// Which pair.
#[derive(Debug, Args)]
struct IdArgs {
    /// Its id.
    id: String,
}

/// `bauta pair list`.
#[derive(Debug, Args)]
struct ListArgs {
    /// Only those of this number: a party's, or one of the pool.
    #[arg(long, value_name = "NUMBER")]
    number: Option<String>,
    /// Ended ones as well.
    #[arg(long)]
    all: bool,
    /// At most so many.
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
}

/// Does what was asked.
pub(crate) fn run(args: &PairArgs) -> Exit {
    let json = args.server.json;
    client::run(&args.server, async |client| match &args.command {
        PairCommand::Create(args) => create(&client, args, json).await,
        PairCommand::Get(args) => get(&client, args, json).await,
        PairCommand::List(args) => list(&client, args, json).await,
        PairCommand::Close(args) => close(&client, args, json).await,
    })
}

/// A pair as the server tells it; what is not for people stays in the JSON.
#[derive(Debug, Deserialize)]
struct Pair {
    id: String,
    state: String,
    a: Member,
    b: Option<Member>,
    expires_at: String,
}

#[derive(Debug, Deserialize)]
struct Member {
    number: String,
    dials: String,
}

fn told(pair: &Value) -> Result<String, Refusal> {
    let pair: Pair = serde_json::from_value(pair.clone())
        .map_err(|error| Refusal::Failed(format!("the answer is no pair: {error}")))?;
    let Pair { id, state, a, b, expires_at } = pair;
    let b = b.map_or("anyone".to_owned(), |b| format!("b {} dials {}", b.number, b.dials));
    Ok(format!("{id} {state} a {} dials {} {b} until {expires_at}", a.number, a.dials))
}

async fn create(client: &Client, args: &CreateArgs, json: bool) -> Result<Exit, Refusal> {
    let body = body(args)?.to_string();
    let url = client.path(&["v1", "pairs"]);
    let (_, pair) = client.ask::<Value>(Method::POST, url, Some((JSON, body.into()))).await?;
    if json {
        print(pair)?
    } else {
        print(format!("created {}", told(&pair)?))?
    }
    Ok(Exit::Done)
}

/// What is sent, with what was left out left out.
fn body(args: &CreateArgs) -> Result<Value, Refusal> {
    let party = |number: &str, language: &Option<String>| match language {
        Some(language) => json!({ "number": number, "language": language }),
        None => json!({ "number": number }),
    };
    let mut body = Map::new();
    body.insert("a".to_owned(), party(&args.a, &args.a_language));
    if let Some(b) = &args.b {
        body.insert("b".to_owned(), party(b, &args.b_language));
    }
    if args.two_numbers {
        body.insert("mode".to_owned(), json!("two-numbers"));
    }
    if args.sticky {
        body.insert("choice".to_owned(), json!("sticky"));
    }
    if let Some(ttl) = &args.ttl {
        let ttl = duration::parse(ttl).map_err(|why| Refusal::Wrong(format!("--ttl: {why}")))?;
        body.insert("ttl_seconds".to_owned(), json!(ttl.as_secs()));
    }
    if args.sliding {
        body.insert("sliding".to_owned(), json!(true));
    }
    let texts = [("number", &args.number), ("prefix", &args.prefix), ("expires_at", &args.expires_at)];
    let given = texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text.as_ref()?))));
    body.extend(given);
    if let Some(data) = &args.data {
        let data =
            serde_json::from_str(data).map_err(|why| Refusal::Wrong(format!("--data is no JSON: {why}")))?;
        body.insert("data".to_owned(), data);
    }
    Ok(Value::Object(body))
}

async fn get(client: &Client, args: &IdArgs, json: bool) -> Result<Exit, Refusal> {
    let url = client.path(&["v1", "pairs", &args.id]);
    let (_, pair) = client.ask::<Value>(Method::GET, url, None).await?;
    if json {
        print(pair)?
    } else {
        print(told(&pair)?)?
    }
    Ok(Exit::Done)
}

async fn close(client: &Client, args: &IdArgs, json: bool) -> Result<Exit, Refusal> {
    let id = &args.id;
    client.send(Method::DELETE, client.path(&["v1", "pairs", id]), None).await?;
    if json {
        print(json!({ "id": id, "closed": true }))?
    } else {
        print(format!("closed {id}"))?
    }
    Ok(Exit::Done)
}

/// Every pair, page by page; as JSON one object on each line.
async fn list(client: &Client, args: &ListArgs, json: bool) -> Result<Exit, Refusal> {
    let given = [("number", args.number.as_deref()), ("state", (!args.all).then_some("live"))];
    client
        .each(
            &["v1", "pairs"],
            &given,
            args.limit,
            |pair| if json { print(pair) } else { print(told(pair)?) },
        )
        .await
}
