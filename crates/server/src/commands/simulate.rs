//! `bauta simulate`: what would happen to a call, and why.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{self, Client, Refusal, print};
use crate::cli::{Exit, SimulateArgs};

/// What the server says would happen.
#[derive(Debug, Deserialize)]
struct Simulation {
    outcome: String,
    dialled: Option<Dialled>,
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
struct Dialled {
    callee: String,
    number: Option<String>,
    shown: String,
    trunk: String,
}

#[derive(Debug, Deserialize)]
struct Step {
    at_ms: u64,
    state: String,
    what: String,
    prompt: Option<String>,
}

/// Asks, and tells the steps.
pub(crate) fn run(args: &SimulateArgs) -> Exit {
    client::run(&args.server, async |client| simulate(&client, args).await)
}

async fn simulate(client: &Client, args: &SimulateArgs) -> Result<Exit, Refusal> {
    let from = (args.from != "anonymous").then_some(&args.from);
    let body = json!({ "from": from, "to": args.to, "digits": args.digits }).to_string();
    let url = client.path(&["v1", "simulate"]);
    let (_, answer) = client.ask::<Value>(Method::POST, url, Some(("application/json", body.into()))).await?;
    if args.server.json {
        print(answer)?;
        return Ok(Exit::Done);
    }
    let simulation: Simulation = serde_json::from_value(answer)
        .map_err(|error| Refusal::Failed(format!("the answer is no simulation: {error}")))?;
    for Step { at_ms, state, what, prompt } in simulation.steps {
        let (seconds, millis) = (at_ms / 1000, at_ms % 1000);
        let prompt = prompt.map(|prompt| format!(" [{prompt}]")).unwrap_or_default();
        print(format!("{seconds:>4}.{millis:03} s  {state:<12} {what}{prompt}"))?;
    }
    if let Some(Dialled { callee, number, shown, trunk }) = simulation.dialled {
        let number = number.map(|number| format!(" {number}")).unwrap_or_default();
        print(format!("dials the {callee}{number} by trunk {trunk}, who sees {shown}"))?;
    }
    print(format!("outcome: {}", simulation.outcome))?;
    Ok(Exit::Done)
}
