//! `bauta demo`: a whole call on loopback with nothing set up, seen from both phones, and what it proves.

mod ladder;
mod prompts;
mod proof;
mod stage;
mod tale;
mod verdict;

use std::fmt;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use phone::{Clothes, Does, Outcome, Phone, Report, Setup, Sound};
use reqwest::Method;
use serde_json::{Value, json};
use store::Record;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use self::ladder::{Ladder, Who};
use self::stage::{CODE, OFFICE, Stage};
use self::tale::{Tale, Told};
use super::client::Client;
use super::loopback::LINE;
use crate::cli::{DemoArgs, Exit};

/// One who plays.
#[derive(Debug, Clone, Copy)]
struct Actor {
    /// What they are called.
    word: &'static str,
    number: &'static str,
    /// Where their phone is.
    at: &'static str,
    /// What it says, in hertz.
    tone: f32,
    clothes: fn() -> Clothes,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {}", self.word)
    }
}

/// Who plays what.
#[derive(Debug, Clone, Copy)]
struct Cast {
    caller: Actor,
    callee: Actor,
    piece: Piece,
}

/// What is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// A code keyed joins two.
    Order,
    /// The number dialled joins two.
    Pair,
    /// Both are called, one after the other.
    Callback,
}

impl Piece {
    fn service(self) -> &'static str {
        match self {
            Self::Order | Self::Callback => "orders",
            Self::Pair => "pairs",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::Order => {
                "One number for everyone: a courier and a client talk, and neither learns the other's."
            }
            Self::Pair => {
                "A pair: two people talk through a number of yours, without a code, and neither learns the other's."
            }
            Self::Callback => {
                "A callback: a click calls one, then the other; each sees a number of yours, and neither learns the other's."
            }
        }
    }
}

impl Cast {
    /// The one across.
    fn other(&self, who: Who) -> Actor {
        match who {
            Who::Caller => self.callee,
            Who::Callee => self.caller,
        }
    }
}

const COURIER: Actor = Actor {
    word: "courier",
    number: "+79991111111",
    at: "127.0.0.11:0",
    tone: 700.0,
    clothes: courier_clothes,
};
const CLIENT: Actor = Actor {
    word: "client",
    number: "+79992222222",
    at: "127.0.0.12:0",
    tone: 1100.0,
    clothes: client_clothes,
};
/// How long a caller listens to the greeting before keying.
const LISTENS: Duration = Duration::from_millis(1600);
/// How long the callee's phone rings.
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
    cast: Cast,
    caller: Outcome,
    callee: Outcome,
    /// Whom the caller's phone showed, where it was called, and the callee's.
    shown: [Option<String>; 2],
    record: Record,
    recording: Vec<u8>,
}

async fn play(args: &DemoArgs) -> Result<bool, String> {
    if args.callback {
        let manager = Actor { word: "manager", ..COURIER };
        let cast = Cast { caller: manager, callee: CLIENT, piece: Piece::Callback };
        return act(&args.out, &args.language, cast).await;
    }
    if !args.pairs {
        let cast = Cast { caller: COURIER, callee: CLIENT, piece: Piece::Order };
        return act(&args.out, &args.language, cast).await;
    }
    let (a, b) = (Actor { word: "driver", ..COURIER }, Actor { word: "passenger", ..CLIENT });
    let there =
        act(&args.out.join("there"), &args.language, Cast { caller: a, callee: b, piece: Piece::Pair })
            .await?;
    let back = act(&args.out.join("back"), &args.language, Cast { caller: b, callee: a, piece: Piece::Pair })
        .await?;
    Ok(there && back)
}

/// One call, on a server of its own.
async fn act(out: &Path, language: &str, cast: Cast) -> Result<bool, String> {
    let text = |error: io::Error| error.to_string();
    std::fs::create_dir_all(out).map_err(|error| format!("{}: {error}", out.display()))?;
    let folder = tempfile::Builder::new().prefix("bauta-demo-").tempdir().map_err(text)?;
    let (reports, said) = unbounded_channel();
    let callee = Phone::bind(setup(cast.callee, cast.caller, RINGS), reports).await.map_err(text)?;
    let rings = if cast.piece == Piece::Callback { RINGS } else { Duration::ZERO };
    let mut setup = setup(cast.caller, cast.callee, rings);
    setup.talk = Some(TALK);
    let (reports, said_by_caller) = unbounded_channel();
    let (stage, caller) = if cast.piece == Piece::Callback {
        let caller = Phone::bind(setup, reports).await.map_err(text)?;
        let phones = [caller.address(), callee.address()];
        (Stage::set(folder.path(), language, cast.piece, phones).await?, caller)
    } else {
        let stage = Stage::set(folder.path(), language, cast.piece, [setup.bind, callee.address()]).await?;
        setup.does = Does::Dial {
            to: format!("sip:{LINE}@{}", stage.sip),
            server: stage.sip,
            keys: if cast.piece == Piece::Order { CODE.to_owned() } else { String::new() },
            after: LISTENS,
        };
        (stage, Phone::bind(setup, reports).await.map_err(text)?)
    };
    let said = Said { caller: said_by_caller, callee: said };

    let names = |actor: Actor| [actor.word, actor.number];
    let ladder = Ladder::begin(cast.piece.about(), names(cast.caller), LINE, names(cast.callee));
    let mut tale = Tale::new(ladder, language, cast)?;
    let api = Client::new(&stage.server).map_err(|refusal| refusal.to_string())?;
    let played = call(&api, (caller, callee), said, &mut tale, cast).await;
    let Stage { mut node, .. } = stage;
    node.drain(Duration::ZERO, async {}).await;
    node.stop().await;
    verdict::tell(out, &played?, tale.ladder)
}

/// A phone that answers after so long.
fn setup(own: Actor, other: Actor, after: Duration) -> Setup {
    Setup {
        bind: address(own.at),
        number: own.number.to_owned(),
        clothes: Some((own.clothes)()),
        says: Sound::Tone(own.tone),
        listen_for: Some(other.tone),
        talk: None,
        patience: PATIENCE,
        account: None,
        does: Does::Answer { after, refuse: None, keys: String::new() },
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
    caller: UnboundedReceiver<Report>,
    callee: UnboundedReceiver<Report>,
}

/// Puts the order or makes the pair, lets the phones play, and fetches what is left of it.
async fn call(
    api: &Client,
    (caller, callee): (Phone, Phone),
    mut said: Said,
    tale: &mut Tale,
    cast: Cast,
) -> Result<Played, String> {
    let text = |refusal: super::client::Refusal| refusal.to_string();
    let party = |actor: Actor| json!({ "number": actor.number });
    let (method, path, body) = match cast.piece {
        Piece::Order => {
            let body = json!({ "courier": party(COURIER), "client": party(CLIENT) });
            (Method::PUT, api.path(&["v1", "orders", CODE]), body)
        }
        Piece::Pair => {
            let body = json!({ "a": party(COURIER), "b": party(CLIENT) });
            (Method::POST, api.path(&["v1", "pairs"]), body)
        }
        Piece::Callback => {
            let first = json!({ "numbers": [cast.caller.number], "line": OFFICE, "prompt": "wait-client" });
            let body = json!({ "line": LINE, "first": first, "second": cast.callee.number });
            (Method::POST, api.path(&["v1", "callbacks"]), body)
        }
    };
    let mut events = api.send(Method::GET, api.path(&["v1", "events"]), None).await.map_err(text)?;

    tale.ladder.start();
    let callee = tokio::spawn(callee.run());
    let body = Some(("application/json", body.to_string().into()));
    // Whoever dials must find what joins them there, and whoever is called must be there.
    let caller = if cast.piece == Piece::Callback {
        let caller = tokio::spawn(caller.run());
        let _: (_, Value) = api.ask(method, path, body).await.map_err(text)?;
        caller
    } else {
        let _: (_, Value) = api.ask(method, path, body).await.map_err(text)?;
        tokio::spawn(caller.run())
    };
    let deadline = tokio::time::Instant::now() + PATIENCE + RECORD_WITHIN;
    let mut beat = tokio::time::interval(Duration::from_millis(100));
    let mut phones = 2;
    // Told of a record, the phones over: then all is told.
    while !(tale.call.is_some() && phones == 0) {
        tokio::select! {
            Some(report) = said.caller.recv() => phones -= tale.report(Who::Caller, report),
            Some(report) = said.callee.recv() => phones -= tale.report(Who::Callee, report),
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
    let (caller, callee) = (over(caller.await)?, over(callee.await)?);
    let id = tale.call.take().unwrap_or_default();
    let (_, record) = api.ask(Method::GET, api.path(&["v1", "records", &id]), None).await.map_err(text)?;
    let recording = api.send(Method::GET, api.path(&["v1", "recordings", &id]), None).await.map_err(text)?;
    let recording = recording.bytes().await.map_err(|error| error.to_string())?.to_vec();
    Ok(Played { cast, caller, callee, shown: std::mem::take(&mut tale.shown), record, recording })
}
