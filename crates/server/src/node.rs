//! A running server: everything started in order, everything stopped in order.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use api::webhooks::{Deliverer, WebhookError};
use api::{Gate, Privacy};
use b2bua::{Behind, Control, Input, Switchboard};
use clock::Instant;
use number::Number;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use relay::Relay;
use store::{Quiet, Store, StoreError};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::asks::Desk;
use crate::callbacks::{self, Callbacks, Texts, Wish};
use crate::config::{self, Checked, Numbers};
use crate::entrance::Entrance;
use crate::hook::{self, Hooks};
use crate::housekeeping;
use crate::keeper::{Keeper, Knowledge};
use crate::known::{Cards, People};
use crate::metrics::Metrics;
use crate::perform::World;
use crate::prompts::{Prompts, PromptsError};
use crate::records::Scribe;
use crate::recovery::{self, Recovered};
use crate::resolve::{self, Dns};
use crate::self_call::{self, SelfCaller};
use crate::signalling::{self, Arrivals, Bind, Flows, Loop, Tls, Turn};
use crate::speech::{Speech, SpeechStartError};
use crate::supervisor;
use crate::time::Clock;
use crate::trace::{self, Shown, Told, Trace};
use crate::verifier::{Believed, BelievedError, Verifier};

/// Asks of the API waiting for an answer.
const ASKS: usize = 256;
/// After the drain: what is left of the calls is ended, and their last messages sent, within this.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Why a node did not start. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// A folder or file of ours.
    #[error("{}: {error}; check node.data_dir and who may write there", path.display())]
    Folder { path: PathBuf, error: io::Error },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The webhooks.
    #[error(transparent)]
    Webhooks(#[from] WebhookError),
    /// The prompts.
    #[error(transparent)]
    Prompts(#[from] PromptsError),
    /// The relay.
    #[error(transparent)]
    Relay(#[from] relay::StartError),
    /// Name servers.
    #[error("names cannot be looked up: {0}")]
    Dns(String),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] signalling::TlsError),
    /// Whom we believe of who calls.
    #[error(transparent)]
    Believed(#[from] BelievedError),
    /// An address to listen on.
    #[error("cannot listen on {address}: {error}; is another server running there? see {key}")]
    Listen { address: SocketAddr, error: io::Error, key: &'static str },
    /// Calling ourselves.
    #[error("no socket to call ourselves by: {0}; see node.self_call")]
    SelfCall(io::Error),
    /// Calling ourselves.
    #[error(
        "calls to ourselves, for node.self_call or systemd's WatchdogSec, need a udp:// address in sip.listen"
    )]
    NoSelfCall,
    /// What makes prompts of texts.
    #[error(transparent)]
    Speech(#[from] SpeechStartError),
    /// Hooks.
    #[error("hooks: {0}")]
    Hooks(#[from] reqwest::Error),
    /// A thread.
    #[error("the system gives no thread: {0}")]
    Thread(io::Error),
    /// A line's language.
    #[error("a line speaks a language that has no prompts; there are {}", .0.join(", "))]
    Language(Vec<String>),
}

/// A running server.
pub(crate) struct Node {
    checked: Checked,
    turns: mpsc::Sender<Turn>,
    board: thread::JoinHandle<()>,
    gate: Gate,
    store: Store,
    privacy: Privacy,
    prompts: Arc<Mutex<Prompts>>,
    usable: relay::Usable,
    config: Arc<Mutex<b2bua::Config>>,
    /// The configuration as it is shown.
    settings: Arc<RwLock<config::Shown>>,
    /// When parties are left in peace, by line.
    quiet: Arc<RwLock<BTreeMap<Number, Quiet>>>,
    draining: watch::Sender<bool>,
    stop: watch::Sender<bool>,
    /// Our certificate, and whom we believe.
    tls: watch::Sender<Option<Tls>>,
    verifier: Verifier,
    hooks: Hooks,
    cards: Arc<Cards>,
    dns: Dns,
    /// Names to be looked up.
    roads: watch::Sender<resolve::Roads>,
    tasks: JoinSet<()>,
    entrance: Entrance,
    epoch_ms: u64,
    /// Where our own calls come from.
    own: Option<SocketAddr>,
}

/// What the switchboard's thread is made of.
struct Parts {
    config: b2bua::Config,
    world: World,
    trace: Trace,
    /// What is listened on, and as whom; octets of the longest message that is taken.
    sip: (Vec<Bind>, watch::Receiver<Option<Tls>>, usize),
    turns: (mpsc::Sender<Turn>, mpsc::Receiver<Turn>),
    clock: Clock,
    /// Calls to be taken up again before anything else is.
    recovered: Recovered,
}

/// The switchboard's thread, our certificate as it knows it, and what it has to tell Homer, where that is to be told.
struct Board {
    thread: thread::JoinHandle<()>,
    tls: watch::Sender<Option<Tls>>,
    told: Option<mpsc::Receiver<Told>>,
}

impl Node {
    /// Starts everything, within a Tokio runtime. Calls are taken from the moment it returns.
    ///
    /// # Errors
    /// The first thing that could not be had.
    pub(crate) async fn start(checked: Checked) -> Result<Self, StartError> {
        let clock = Clock::start();
        let epoch_ms = clock.wall_ms(Instant::ZERO);
        folders(&checked)?;
        let privacy = privacy(checked.numbers, &checked.node.data_dir)?;
        let prompts = Prompts::load(&checked.prompts.dir)?;
        let languages = prompts.languages.clone();
        let store = open(&checked)?;
        let (asks, asked) = mpsc::channel(ASKS);
        let gate = Gate::new(store.clone(), checked.api(&languages, privacy.clone()), asks);
        let deliverer = deliverer(&checked, &gate)?;
        let scribe = scribe(&checked, clock, &privacy);
        let recovered = recovery::recover(&store, &scribe, checked.media.rtp_timeout)?;
        repair(&checked.recording.files)?;

        let turns = signalling::queue();
        let (relay, usable) = start_relay(&checked, &prompts, turns.0.clone())?;
        let prompts = Arc::new(Mutex::new(prompts));
        let mut config = checked
            .switchboard(epoch_ms, &usable, &languages)
            .ok_or_else(|| StartError::Language(languages.clone()))?;
        let metrics = Arc::new(Metrics::new(relay.meter()));
        let self_caller = self_caller(&checked)?;
        config.own = self_caller.as_ref().map(|(caller, _)| caller.address());
        let sender = turns.0.clone();
        let knowledge = Knowledge { languages, quiet: Arc::new(RwLock::new(checked.quiet())) };
        let verifier = verifier(&checked, sender.clone())?;
        let speech = Speech::start(checked.speech.clone())?;
        let (hooks, shared) = hooks(&checked, &speech, &config, &knowledge.languages, sender.clone())?;
        let (keepers, cards) = keepers(&checked, &store, &knowledge, &sender).map_err(StartError::Thread)?;
        let world = World::new(relay, keepers, &verifier, &hooks, scribe, &metrics, sender.clone());
        let dns = Dns::new(&checked.sip.nameservers).map_err(|error| StartError::Dns(error.to_string()))?;
        let Board { thread: board, tls, told } = start_board(&checked, &config, world, turns, recovered)?;
        // Calls that go on do not wait for names.
        if resolve::operators(&dns, &checked, &mut config.lines).await {
            let _ = sender.send(configured(config.clone())).await;
        }
        *shared.lock().unwrap_or_else(PoisonError::into_inner) = config;
        let mut node = Self {
            turns: sender,
            board,
            gate,
            store: store.clone(),
            privacy,
            prompts,
            usable,
            config: shared,
            settings: Arc::new(RwLock::new(checked.shown.clone())),
            quiet: Arc::clone(&knowledge.quiet),
            draining: watch::Sender::new(false),
            stop: watch::Sender::new(false),
            tls,
            verifier,
            hooks,
            cards,
            dns,
            roads: watch::Sender::new(resolve::Roads::of(&checked)),
            tasks: JoinSet::new(),
            entrance: Entrance::default(),
            epoch_ms,
            own: self_caller.as_ref().map(|(caller, _)| caller.address()),
            checked,
        };
        let (callbacks, texts) = node.keep_callbacks(&store, knowledge.clone(), &speech)?;
        let desk = node.desk(callbacks, Arc::clone(&metrics), store.clone(), knowledge, (speech, texts));
        node.tasks.spawn(desk.run(asked, node.stop.subscribe()));
        node.entrance = Entrance::open(&node.checked.http, &node.gate, &node.stop, &mut node.tasks).await?;
        node.spawn_tasks(store, deliverer, told.map(|told| (told, clock)));
        node.call_self(self_caller, metrics);
        Ok(node)
    }

    /// Takes up the callbacks that had not begun, and says how to reach whoever keeps them, and who makes what is heard.
    fn keep_callbacks(
        &mut self,
        store: &Store,
        knowledge: Knowledge,
        speech: &Speech,
    ) -> Result<(mpsc::Sender<Wish>, Texts), StartError> {
        let texts = self.texts(speech, &knowledge);
        let callbacks = Callbacks::recover(
            store.clone(),
            self.turns.clone(),
            knowledge,
            texts.clone(),
            callbacks::SETTLING,
        )?;
        let (wishes, wished) = callbacks::queue();
        self.tasks.spawn(callbacks.run(wished, self.draining.subscribe(), self.stop.subscribe()));
        Ok((wishes, texts))
    }

    /// Who makes what the sides of callbacks hear.
    fn texts(&self, speech: &Speech, knowledge: &Knowledge) -> Texts {
        let (config, languages) = (Arc::clone(&self.config), knowledge.languages.clone());
        let language_of = move |number| {
            let config = config.lock().unwrap_or_else(PoisonError::into_inner);
            let line = config.lines.iter().find(|line| line.number == number);
            let place = line.map_or(0, |line| usize::from(line.language.0));
            languages.get(place).cloned().unwrap_or_default()
        };
        Texts::new(speech.clone(), Arc::new(language_of))
    }

    /// Who answers the API.
    fn desk(
        &self,
        callbacks: mpsc::Sender<Wish>,
        metrics: Arc<Metrics>,
        store: Store,
        knowledge: Knowledge,
        (speech, texts): (Speech, Texts),
    ) -> Desk {
        Desk {
            turns: self.turns.clone(),
            callbacks,
            metrics,
            store,
            prompts: Arc::clone(&self.prompts),
            config: Arc::clone(&self.config),
            knowledge,
            hooks: self.hooks.clone(),
            speech,
            texts,
            draining: self.draining.subscribe(),
            settings: Arc::clone(&self.settings),
            shown: self.shown(),
        }
    }

    fn shown(&self) -> Shown {
        Shown { privacy: self.privacy.clone(), plan: self.checked.node.plan }
    }

    fn spawn_tasks(
        &mut self,
        store: Store,
        deliverer: Deliverer,
        told: Option<(mpsc::Receiver<Told>, Clock)>,
    ) {
        let mut stop = self.stop.subscribe();
        self.tasks.spawn(async move {
            deliverer
                .run(async move {
                    let _ = stop.wait_for(|stop| *stop).await;
                })
                .await;
        });
        let roads = self.roads.subscribe();
        self.tasks.spawn(resolve::run(self.dns.clone(), roads, self.turns.clone(), self.stop.subscribe()));
        if let (Some(homer), Some((told, clock))) = (self.checked.homer.clone(), told) {
            let stop = self.stop.subscribe();
            self.tasks.spawn(trace::tell_homer(homer, self.shown(), clock, told, stop));
        }
        let recordings = self.checked.recording.clone();
        self.tasks.spawn(housekeeping::run(store, recordings, self.stop.subscribe()));
    }

    fn call_self(&mut self, self_caller: Option<(SelfCaller, Duration)>, metrics: Arc<Metrics>) {
        if let Some((caller, every)) = self_caller {
            self.tasks.spawn(self_call::run(caller, every, metrics, self.stop.subscribe()));
        }
    }

    /// The address of the API, once it listens.
    pub(crate) fn http(&self) -> Option<SocketAddr> {
        self.entrance.address()
    }

    /// Takes what can change while calls go on; says what needs a restart.
    pub(crate) async fn reload(&mut self, next: Checked) -> Vec<&'static str> {
        let reload = self.checked.reloaded(next);
        let (languages, library) = self.reread_prompts(&reload.checked.prompts.dir);
        let _ = self.turns.send(Turn::Library(Arc::new(library))).await;
        self.checked = reload.checked;
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = self.checked.shown.clone();
        *self.quiet.write().unwrap_or_else(PoisonError::into_inner) = self.checked.quiet();
        self.reread_certificate();
        self.reread_believed();
        if let Err(error) = self.hooks.configure(&self.checked.hooks) {
            tracing::error!(%error, "hooks stay as they were");
        }
        if let Some(mut config) = self.checked.switchboard(self.epoch_ms, &self.usable, &languages) {
            let _ = resolve::operators(&self.dns, &self.checked, &mut config.lines).await;
            config.own = self.own;
            *self.config.lock().unwrap_or_else(PoisonError::into_inner) = config.clone();
            let _ = self.turns.send(configured(config)).await;
            self.roads.send_replace(resolve::Roads::of(&self.checked));
        }
        self.cards.configure(self.checked.console.card.clone());
        self.store.set_pool(&self.checked.pool());
        self.gate.configure(self.checked.api(&languages, self.privacy.clone())).await;
        reload.at_restart
    }

    /// Certificates are renewed in place. One that does not fit its key leaves things as they are.
    fn reread_certificate(&self) {
        if let Some(files) = &self.checked.sip.tls {
            match Tls::load(files) {
                Ok(tls) => drop(self.tls.send_replace(Some(tls))),
                Err(error) => tracing::error!(%error, "the certificate stays as it was"),
            }
        }
        self.entrance.reread(&self.checked.http);
    }

    /// Those who sign renew their certificates more often than we restart. Files that do not fit leave things as they are.
    fn reread_believed(&self) {
        match self.checked.identity.as_ref().map(Believed::load).transpose() {
            Ok(believed) => self.verifier.believe(believed),
            Err(error) => tracing::error!(%error, "whom we believe stays as it was"),
        }
    }

    /// Replacements may have come or gone. What cannot be played leaves things as they are.
    fn reread_prompts(&self, dir: &Path) -> (Vec<String>, rtp::Library) {
        let mut prompts = self.prompts.lock().unwrap_or_else(PoisonError::into_inner);
        match Prompts::load(dir) {
            Ok(fresh) => *prompts = fresh,
            Err(error) => tracing::error!(%error, "the prompts stay as they were"),
        }
        (prompts.languages.clone(), prompts.library())
    }

    /// Takes no new calls; comes back when the last one is over, or when `patience` or `hurry` ends it.
    pub(crate) async fn drain(&mut self, patience: Duration, hurry: impl Future<Output = ()>) {
        self.draining.send_replace(true);
        let _ = self.turns.send(Turn::Board(Input::Control(Control::Drain))).await;
        let (left, empty) = oneshot::channel();
        let _ = self.turns.send(Turn::LeaveWhenEmpty(left)).await;
        let mut empty = std::pin::pin!(empty);
        tokio::select! {
            _ = &mut empty => return,
            () = tokio::time::sleep(patience) => tracing::warn!("the drain took too long: calls are ended"),
            () = hurry => tracing::warn!("told to hurry: calls are ended"),
        }
        let _ = self.turns.send(Turn::Board(Input::Control(Control::EndAll))).await;
        let _ = tokio::time::timeout(LAST_WORDS, empty).await;
    }

    /// Stops everything. What was to be kept is on the disk when it returns.
    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        drop(self.turns);
        while self.tasks.join_next().await.is_some() {}
        drop(self.gate);
        // The relay finishes its recordings as the thread ends; one that still has calls is not waited for.
        let ended = tokio::task::spawn_blocking(move || self.board.join());
        let _ = tokio::time::timeout(LAST_WORDS, ended).await;
    }
}

fn in_folder(path: &Path, error: io::Error) -> StartError {
    StartError::Folder { path: path.to_owned(), error }
}

fn folders(checked: &Checked) -> Result<(), StartError> {
    folder(&checked.node.data_dir)?;
    folder(&checked.recording.files.folder)
}

fn folder(path: &Path) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| in_folder(path, error))
}

/// The key that hashes numbers is made once and kept: with another one yesterday's records could not be found.
fn privacy(numbers: Numbers, data: &Path) -> Result<Privacy, StartError> {
    Ok(match numbers {
        Numbers::Full => Privacy::Full,
        Numbers::Last4 => Privacy::Last4,
        Numbers::Hashed => {
            let path = data.join("numbers.key");
            let key = match std::fs::read(&path) {
                Ok(key) => key,
                Err(error) if error.kind() == io::ErrorKind::NotFound => make_key(&path)?,
                Err(error) => return Err(in_folder(&path, error)),
            };
            Privacy::Hashed(key.into())
        }
    })
}

fn make_key(path: &Path) -> Result<Vec<u8>, StartError> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut key = vec![0; 32];
    ChaCha20Rng::from_os_rng().fill_bytes(&mut key);
    let write = || {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(&key)?;
        file.sync_all()
    };
    write().map_err(|error| in_folder(path, error))?;
    Ok(key)
}

/// Ends the recordings that a crash cut off.
fn repair(recordings: &recording::Settings) -> Result<(), StartError> {
    let found = recording::repair(recordings).map_err(|error| in_folder(&recordings.folder, error))?;
    for path in found.repaired {
        tracing::warn!(recording = %path.display(), "a recording broken off by a crash was made playable");
    }
    for (path, fault) in found.unreadable {
        tracing::error!(recording = %path.display(), %fault, "a recording cannot be read");
    }
    Ok(())
}

fn open(checked: &Checked) -> Result<Store, StartError> {
    let options = store::Options {
        node: checked.node.name.clone(),
        pairs_for: checked.pool.keep,
        records_for: checked.retention.records,
        events_for: checked.retention.events,
        audit_for: checked.retention.audit,
        ..store::Options::default()
    };
    let store = Store::open(&checked.node.data_dir.join("store"), options)?;
    store.set_pool(&checked.pool());
    Ok(store)
}

/// Made before anything happens that a webhook may want to know.
fn deliverer(checked: &Checked, gate: &Gate) -> Result<Deliverer, WebhookError> {
    Deliverer::new(gate, checked.receivers())
}

fn verifier(checked: &Checked, turns: mpsc::Sender<Turn>) -> Result<Verifier, StartError> {
    let believed = checked.identity.as_ref().map(Believed::load).transpose()?;
    Verifier::start(believed, turns).map_err(StartError::Thread)
}

/// Whoever asks other programs what to do with calls, and what it knows of our lines: to be kept as the switchboard's is.
fn hooks(
    checked: &Checked,
    speech: &Speech,
    config: &b2bua::Config,
    languages: &[String],
    turns: mpsc::Sender<Turn>,
) -> Result<(Hooks, Arc<Mutex<b2bua::Config>>), reqwest::Error> {
    let shared = Arc::new(Mutex::new(config.clone()));
    let equipment = hook::Equipment {
        speech: speech.clone(),
        config: Arc::clone(&shared),
        languages: languages.to_vec(),
        plan: checked.node.plan,
        turns,
    };
    Ok((Hooks::start(&checked.hooks, equipment)?, shared))
}

/// Whoever calls us from time to time, and how often: as configured, or so that the watchdog's patience is never at its end.
fn self_caller(checked: &Checked) -> Result<Option<(SelfCaller, Duration)>, StartError> {
    let half = |patience: Duration| patience / 2;
    let wanted = checked.node.self_call.into_iter().chain(supervisor::patience().map(half)).min();
    let Some(every) = wanted else { return Ok(None) };
    let caller = SelfCaller::beside(&checked.sip.listeners).map_err(StartError::SelfCall)?;
    caller.map_or(Err(StartError::NoSelfCall), |caller| Ok(Some((caller, every))))
}

/// What keeps messages, and what it has to tell Homer, where that is to be told.
fn trace(checked: &Checked, config: &b2bua::Config) -> (Trace, Option<mpsc::Receiver<Told>>) {
    let ours = config.ua.listeners.iter().map(|listener| listener.public.parse());
    let (ear, told) = checked.homer.as_ref().map(|_| trace::ear()).unzip();
    (Trace::new(checked.trace, ours.collect::<Result<_, _>>().expect("written from addresses"), ear), told)
}

fn scribe(checked: &Checked, clock: Clock, privacy: &Privacy) -> Scribe {
    Scribe {
        clock,
        node: checked.node.name.clone(),
        privacy: privacy.clone(),
        trunks: checked.trunks.iter().map(|trunk| trunk.name.clone()).collect(),
    }
}

/// Whoever asks the store for the switchboard: what it decides by, and how people are called.
fn keepers(
    checked: &Checked,
    store: &Store,
    knowledge: &Knowledge,
    turns: &mpsc::Sender<Turn>,
) -> std::io::Result<((Keeper, People), Arc<Cards>)> {
    let cards = Arc::<Cards>::default();
    cards.configure(checked.console.card.clone());
    let keeper = Keeper::start(store.clone(), knowledge.clone(), turns.clone())?;
    let people = People::start(store.clone(), Arc::clone(&cards), turns.clone())?;
    Ok(((keeper, people), cards))
}

fn configured(config: b2bua::Config) -> Turn {
    Turn::Board(Input::Control(Control::Configure(Box::new(config))))
}

fn start_relay(
    checked: &Checked,
    prompts: &Prompts,
    turns: mpsc::Sender<Turn>,
) -> Result<(Relay, relay::Usable), StartError> {
    let settings = relay::Settings {
        workers: workers(checked.media.workers),
        io: checked.media.backend,
        shortcuts: checked.media.shortcuts.clone(),
        lanes: checked.media.lanes.clone(),
        max_wait: checked.media.max_wait,
        recordings: checked.recording.files.clone(),
        sessions: checked.relay(),
    };
    // A worker that has something to say while the loop is far behind waits for it: that is all the pressure there is.
    let say = move |report| {
        let _ = turns.blocking_send(Turn::Board(Input::Report(report)));
    };
    let (relay, usable) = Relay::start(settings, &Arc::new(prompts.library()), say)?;
    tracing::info!(
        backend = relay.io().word(),
        lanes = relay.has_lanes(),
        shortcuts = relay.has_shortcuts(),
        "media"
    );
    Ok((relay, usable))
}

/// As many as configured; one for each core where nothing is.
fn workers(configured: usize) -> u16 {
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let workers = if configured == 0 { cores() } else { configured };
    u16::try_from(workers).unwrap_or(u16::MAX)
}

fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    ChaCha20Rng::from_os_rng().fill_bytes(&mut seed);
    seed
}

fn binds(checked: &Checked) -> Vec<Bind> {
    let listeners = checked.sip.listeners.iter();
    listeners.map(|listener| Bind { transport: listener.transport, address: listener.address }).collect()
}

/// The switchboard, which takes up what was left before it hears anything.
fn start_board(
    checked: &Checked,
    config: &b2bua::Config,
    world: World,
    turns: (mpsc::Sender<Turn>, mpsc::Receiver<Turn>),
    recovered: Recovered,
) -> Result<Board, StartError> {
    let (trace, told) = trace(checked, config);
    let tls = watch::Sender::new(checked.sip.tls.as_ref().map(Tls::load).transpose()?);
    let thread = spawn_board(Parts {
        config: config.clone(),
        trace,
        sip: (binds(checked), tls.subscribe(), checked.sip.max_message),
        turns,
        clock: world.scribe.clock,
        world,
        recovered,
    })?;
    Ok(Board { thread, tls, told })
}

/// The switchboard's thread: bound to its sockets before this returns.
fn spawn_board(parts: Parts) -> Result<thread::JoinHandle<()>, StartError> {
    let (bound, outcome) = std::sync::mpsc::channel();
    let run = move || {
        let Parts { config, world, trace, sip: (binds, tls, longest), turns, clock, recovered } = parts;
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = bound.send(Err(StartError::Thread(error)));
                return;
            }
        };
        runtime.block_on(async move {
            let (sender, receiver) = turns;
            match Flows::bind(&binds, tls, sender) {
                Ok(flows) => {
                    let board = Switchboard::new(config, seed());
                    let (arrivals, behind) = (Arrivals::default(), Behind::default());
                    let turns = receiver;
                    let mut turning =
                        Loop { board, world, trace, flows, turns, clock, longest, arrivals, behind };
                    turning.restore(recovered);
                    let _ = bound.send(Ok(()));
                    turning.run().await;
                }
                Err((address, error)) => {
                    let _ = bound.send(Err(StartError::Listen { address, error, key: "sip.listen" }));
                }
            }
        });
    };
    let thread =
        thread::Builder::new().name("bauta-board".to_owned()).spawn(run).map_err(StartError::Thread)?;
    match outcome.recv() {
        Ok(bound) => bound.map(|()| thread),
        Err(_) => Err(StartError::Thread(io::Error::other("the switchboard's thread ended at once"))),
    }
}
