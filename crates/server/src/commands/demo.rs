//! `bauta demo`: a whole call on loopback with nothing set up, seen from both phones, and what it proves.

mod ladder;
mod prompts;
mod proof;
mod stage;
mod tale;
mod verdict;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use phone::{Clothes, Does, Outcome, Phone, Report, Setup, Sound};
use reqwest::Method;
use serde_json::{Value, json};
use store::Record;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use self::ladder::{Ladder, Who};
use self::stage::{CLIENT, CODE, COURIER, Stage};
use self::tale::{Tale, Told};
use super::client::Client;
use super::loopback::LINE;
use crate::cli::{DemoArgs, Exit};

/// What the courier's phone says, in hertz.
const COURIER_TONE: f32 = 700.0;
/// What the client's phone says, in hertz.
const CLIENT_TONE: f32 = 1100.0;
/// Where the courier's phone is.
const COURIER_AT: &str = "127.0.0.11:0";
/// Where the client's phone is.
const CLIENT_AT: &str = "127.0.0.12:0";
/// How long a courier listens to the greeting before keying.
const LISTENS: Duration = Duration::from_millis(1600);
/// How long the client's phone rings.
const RINGS: Duration = Duration::from_millis(1200);
/// How long the two talk.
const TALK: Duration = Duration::from_secs(3);
/// The whole call, and then some.
const PATIENCE: Duration = Duration::from_secs(50);
/// From the end of the call to its record.
const RECORD_WITHIN: Duration = Duration::from_secs(10);

/// Runs the demo.
pub(crate) fn run(args: &DemoArgs) -> Exit {
    let _ =
        tracing_subscriber::fmt().with_max_level(tracing::Level::ERROR).with_writer(io::stderr).try_init();
    let played = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())
        .and_then(|runtime| runtime.block_on(play(args)));
    match played {
        Ok(true) => Exit::Done,
        Ok(false) => Exit::Failed,
        Err(why) => {
            // Where stderr is closed there is nobody to tell.
            let _ = writeln!(io::stderr().lock(), "the demo could not be played: {why}");
            Exit::Failed
        }
    }
}

/// Everything the call left.
struct Played {
    courier: Outcome,
    client: Outcome,
    /// Whom the client's phone showed.
    shown: Option<String>,
    record: Record,
    recording: Vec<u8>,
}

async fn play(args: &DemoArgs) -> Result<bool, String> {
    let text = |error: io::Error| error.to_string();
    std::fs::create_dir_all(&args.out).map_err(|error| format!("{}: {error}", args.out.display()))?;
    let folder = tempfile::Builder::new().prefix("bauta-demo-").tempdir().map_err(text)?;
    let (reports, said) = unbounded_channel();
    let client = Phone::bind(client_setup(), reports).await.map_err(text)?;
    let mut courier_setup = courier_setup();
    let callers = courier_setup.bind;
    let stage = Stage::set(folder.path(), &args.language, callers, client.address()).await?;
    courier_setup.does = Does::Dial {
        to: format!("sip:{LINE}@{}", stage.sip),
        server: stage.sip,
        keys: CODE.to_owned(),
        after: LISTENS,
    };
    let (reports, said_by_courier) = unbounded_channel();
    let courier = Phone::bind(courier_setup, reports).await.map_err(text)?;
    let said = Said { courier: said_by_courier, client: said };

    let mut tale = Tale::new(Ladder::begin(COURIER, LINE, CLIENT), &args.language)?;
    let api = Client::new(&stage.server).map_err(|refusal| refusal.to_string())?;
    let played = call(&api, (courier, client), said, &mut tale).await;
    let Stage { mut node, .. } = stage;
    node.drain(Duration::ZERO, async {}).await;
    node.stop().await;
    verdict::tell(&args.out, &played?, tale.ladder)
}

fn courier_setup() -> Setup {
    Setup {
        bind: address(COURIER_AT),
        number: COURIER.to_owned(),
        clothes: Some(courier_clothes()),
        says: Sound::Tone(COURIER_TONE),
        listen_for: Some(CLIENT_TONE),
        talk: Some(TALK),
        patience: PATIENCE,
        account: None,
        does: Does::Answer { after: Duration::ZERO, refuse: None, keys: String::new() },
    }
}

fn client_setup() -> Setup {
    Setup {
        bind: address(CLIENT_AT),
        number: CLIENT.to_owned(),
        clothes: Some(client_clothes()),
        says: Sound::Tone(CLIENT_TONE),
        listen_for: Some(COURIER_TONE),
        talk: None,
        patience: PATIENCE,
        account: None,
        does: Does::Answer { after: RINGS, refuse: None, keys: String::new() },
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("the addresses above are addresses")
}

fn courier_clothes() -> Clothes {
    clothes("Ivan Courier", "Speedy Parcels", "courier-ivan", "CourierPhone/4.2", "ivan@courier.example")
}

fn client_clothes() -> Clothes {
    clothes("Olga Client", "Olga at home", "client-olga", "ClientPhone/9.1", "olga@client.example")
}

fn clothes(display: &str, subject: &str, session: &str, product: &str, cname: &str) -> Clothes {
    Clothes {
        display: display.to_owned(),
        subject: subject.to_owned(),
        session: session.to_owned(),
        product: product.to_owned(),
        cname: cname.to_owned(),
    }
}

/// What the phones say while they are at it.
struct Said {
    courier: UnboundedReceiver<Report>,
    client: UnboundedReceiver<Report>,
}

/// Puts the order, lets the phones play, and fetches what is left of it.
async fn call(
    api: &Client,
    (courier, client): (Phone, Phone),
    mut said: Said,
    tale: &mut Tale,
) -> Result<Played, String> {
    let text = |refusal: super::client::Refusal| refusal.to_string();
    let order = json!({ "courier": { "number": COURIER }, "client": { "number": CLIENT } }).to_string();
    let put = Some(("application/json", order.into()));
    let _: (_, Value) = api.ask(Method::PUT, api.path(&["v1", "orders", CODE]), put).await.map_err(text)?;
    let mut events = api.send(Method::GET, api.path(&["v1", "events"]), None).await.map_err(text)?;

    tale.ladder.start();
    let client = tokio::spawn(client.run());
    let courier = tokio::spawn(courier.run());
    let deadline = tokio::time::Instant::now() + PATIENCE + RECORD_WITHIN;
    let mut beat = tokio::time::interval(Duration::from_millis(100));
    let mut phones = 2;
    // Told of a record, the phones over: then all is told.
    while !(tale.call.is_some() && phones == 0) {
        tokio::select! {
            Some(report) = said.courier.recv() => phones -= tale.report(Who::Courier, report),
            Some(report) = said.client.recv() => phones -= tale.report(Who::Client, report),
            chunk = events.chunk() => match chunk {
                Ok(Some(chunk)) => tale.chunk(&chunk),
                Ok(None) | Err(_) => return Err("the stream of events broke off".to_owned()),
            },
            _ = beat.tick() => tale.tell(Told::SoFar),
            () = tokio::time::sleep_until(deadline) => return Err("the call never came to its end".to_owned()),
        }
    }
    tale.tell(Told::All);
    let over = |joined: Result<io::Result<Outcome>, tokio::task::JoinError>| {
        joined.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    };
    let (courier, client) = (over(courier.await)?, over(client.await)?);
    let id = tale.call.take().unwrap_or_default();
    let (_, record) = api.ask(Method::GET, api.path(&["v1", "records", &id]), None).await.map_err(text)?;
    let recording = api.send(Method::GET, api.path(&["v1", "recordings", &id]), None).await.map_err(text)?;
    let recording = recording.bytes().await.map_err(|error| error.to_string())?.to_vec();
    Ok(Played { courier, client, shown: tale.shown.take(), record, recording })
}
