//! What the API asks of the node.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use api::{Ask, CallbackRefusal, Health, PromptInfo, PromptRefusal, Simulation, Sound, Trial};
use b2bua::{CallId, Finding, TrunkStatus};
use store::{Callback, NewEvent, Store, StoreError};
use tokio::sync::{mpsc, oneshot, watch};

use crate::callbacks::{Texts, Unspoken, Wish};
use crate::config;
use crate::hook::Hooks;
use crate::keeper;
use crate::metrics::{self, Metrics};
use crate::prompts::{Prompts, key_of};
use crate::signalling::Turn;
use crate::simulate::{Knowledge, simulate};
use crate::speech::Speech;
use crate::trace::Shown;

/// Whoever answers.
pub(crate) struct Desk {
    pub(crate) turns: mpsc::Sender<Turn>,
    /// Whoever keeps callbacks.
    pub(crate) callbacks: mpsc::Sender<Wish>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) store: Store,
    pub(crate) prompts: Arc<Mutex<Prompts>>,
    pub(crate) config: Arc<Mutex<b2bua::Config>>,
    pub(crate) knowledge: keeper::Knowledge,
    pub(crate) hooks: Hooks,
    pub(crate) speech: Speech,
    pub(crate) texts: Texts,
    pub(crate) draining: watch::Receiver<bool>,
    /// The configuration in force, as it is shown.
    pub(crate) settings: Arc<RwLock<config::Shown>>,
    /// How messages of a trace are shown.
    pub(crate) shown: Shown,
}

impl Desk {
    /// Answers until told to stop, or until nobody can ask any more.
    pub(crate) async fn run(self, mut asks: mpsc::Receiver<Ask>, mut stop: watch::Receiver<bool>) {
        let desk = Arc::new(self);
        loop {
            let ask = tokio::select! {
                ask = asks.recv() => ask,
                _ = stop.changed() => return,
            };
            let Some(ask) = ask else { return };
            match ask {
                Ask::HangUp { call, reply } => {
                    let (there, answer) = oneshot::channel();
                    let _ = desk.turns.send(Turn::HangUp(call, there)).await;
                    let _ = reply.send(answer.await.unwrap_or(false));
                }
                Ask::PauseRecording { call, paused, reply } => {
                    let _ = desk.turns.send(Turn::PauseRecording { call, paused, reply }).await;
                }
                // What its sides hear is spoken before it is accepted, and takes its time.
                Ask::Callback { callback, event, reply } => {
                    let desk = Arc::clone(&desk);
                    tokio::spawn(async move {
                        let _ = reply.send(desk.accept(callback, event).await);
                    });
                }
                Ask::CancelCallback { call, when, reply } => {
                    let _ = desk.callbacks.send(Wish::Cancel { call, when, reply }).await;
                }
                Ask::EraseTraces { number, reply } => {
                    let _ = desk.turns.send(Turn::EraseTraces(number, reply)).await;
                }
                Ask::Trace { call, plain, reply } => {
                    let _ = reply.send(desk.trace(call, plain).await);
                }
                Ask::Health(reply) => {
                    let _ = reply.send(desk.health());
                }
                Ask::Metrics(reply) => {
                    let mut families = desk.metrics.families();
                    families.extend(metrics::of_trunks(&desk.trunks().await));
                    families.extend(desk.hooks.families());
                    let _ = reply.send(families);
                }
                Ask::Settings(reply) => {
                    let sections = desk.settings.read().unwrap_or_else(PoisonError::into_inner).sections();
                    let _ = reply.send(sections);
                }
                Ask::Trunks(reply) => {
                    let _ = reply.send(desk.trunks().await);
                }
                // What is spoken takes its time.
                Ask::ReplacePrompt { language, key, sound: Sound::Text(text), reply } => {
                    let desk = Arc::clone(&desk);
                    tokio::spawn(async move { desk.replace_by_text(language, key, text, reply).await });
                }
                Ask::PreviewPrompt { language, text, reply } => {
                    let desk = Arc::clone(&desk);
                    tokio::spawn(async move {
                        let _ = reply.send(desk.speak(&language, &text).await);
                    });
                }
                // What reads files or thinks a call through must not hold up the others.
                ask @ (Ask::Simulate { .. }
                | Ask::Prompts(_)
                | Ask::Prompt { .. }
                | Ask::ReplacePrompt { .. }
                | Ask::RestorePrompt { .. }) => {
                    let desk = Arc::clone(&desk);
                    tokio::task::spawn_blocking(move || desk.answer(ask));
                }
            }
        }
    }

    /// The messages of a call; `plain` without any number.
    async fn trace(&self, call: CallId, plain: bool) -> Option<api::Trace> {
        let (kept, answer) = oneshot::channel();
        let _ = self.turns.send(Turn::Trace(call, kept)).await;
        let (kept, epoch_us) = answer.await.unwrap_or_default()?;
        Some(if plain { self.shown.plain(&kept, epoch_us) } else { self.shown.trace(&kept, epoch_us) })
    }

    /// How the trunks are; none where the switchboard is gone.
    async fn trunks(&self) -> Vec<TrunkStatus> {
        let (reply, answer) = oneshot::channel();
        let _ = self.turns.send(Turn::Trunks(reply)).await;
        answer.await.unwrap_or_default()
    }

    fn health(&self) -> Health {
        let store = self.store.fault().map(|fault| format!("the store no longer writes: {fault}"));
        let deaf = self.metrics.self_call_failed();
        let own = deaf.then(|| "a call to ourselves failed; the log says how".to_owned());
        Health {
            draining: *self.draining.borrow(),
            calls: self.metrics.calls_now(),
            faults: store.into_iter().chain(own).collect(),
        }
    }

    /// Accepts a callback, if what its sides are to hear can be spoken.
    async fn accept(&self, callback: Box<Callback>, event: NewEvent) -> Result<(), CallbackRefusal> {
        let spoken = self.texts.speak(&callback).await;
        spoken.map_err(|Unspoken { side, why }| CallbackRefusal::Unspoken { side, why: why.to_string() })?;
        let (reply, kept) = oneshot::channel();
        let _ = self.callbacks.send(Wish::Begin { callback, event, reply }).await;
        let lost = || Err(StoreError::Failed("whoever keeps callbacks is gone".to_owned()));
        kept.await.unwrap_or_else(|_| lost()).map_err(CallbackRefusal::Store)
    }

    /// A text as a WAV file.
    async fn speak(&self, language: &str, text: &str) -> Result<Vec<u8>, PromptRefusal> {
        let unspoken = |error: &dyn std::fmt::Display| PromptRefusal::Unspoken(error.to_string());
        let samples = self.speech.samples(language, text).await.map_err(|error| unspoken(&error))?;
        relay::write_wav(&samples).map_err(|error| unspoken(&error))
    }

    async fn replace_by_text(
        self: Arc<Self>,
        language: String,
        key: String,
        text: String,
        reply: oneshot::Sender<Result<PromptInfo, PromptRefusal>>,
    ) {
        if !self.prompts.lock().unwrap_or_else(PoisonError::into_inner).has(&language, &key) {
            return drop(reply.send(Err(PromptRefusal::Unknown)));
        }
        let wav = match self.speak(&language, &text).await {
            Ok(wav) => wav,
            Err(refusal) => return drop(reply.send(Err(refusal))),
        };
        let replace = move || {
            let mut prompts = self.prompts.lock().unwrap_or_else(PoisonError::into_inner);
            let replaced = prompts.replace(&language, &key, &wav, Some(&text));
            self.play_from(&prompts);
            replaced
        };
        // Who asked is told by the time that passes, should it not come to its end.
        if let Ok(replaced) = tokio::task::spawn_blocking(replace).await {
            let _ = reply.send(replaced);
        }
    }

    fn answer(&self, ask: Ask) {
        let mut prompts = self.prompts.lock().unwrap_or_else(PoisonError::into_inner);
        match ask {
            Ask::Simulate { trial, reply } => {
                let _ = reply.send(self.simulate(&trial, &prompts));
            }
            Ask::Prompts(reply) => {
                let _ = reply.send(prompts.list());
            }
            Ask::Prompt { language, key, reply } => {
                let _ = reply.send(prompts.wav(&language, &key));
            }
            Ask::ReplacePrompt { language, key, sound: Sound::Wav(wav), reply } => {
                let replaced = prompts.replace(&language, &key, &wav, None);
                self.play_from(&prompts);
                let _ = reply.send(replaced);
            }
            Ask::RestorePrompt { language, key, reply } => {
                let restored = prompts.restore(&language, &key);
                self.play_from(&prompts);
                let _ = reply.send(restored);
            }
            Ask::HangUp { .. }
            | Ask::ReplacePrompt { sound: Sound::Text(_), .. }
            | Ask::PreviewPrompt { .. }
            | Ask::PauseRecording { .. }
            | Ask::Callback { .. }
            | Ask::CancelCallback { .. }
            | Ask::Trace { .. }
            | Ask::EraseTraces { .. }
            | Ask::Health(_)
            | Ask::Metrics(_)
            | Ask::Settings(_)
            | Ask::Trunks(_) => {}
        }
    }

    /// The relay plays from these from now on.
    fn play_from(&self, prompts: &Prompts) {
        let _ = self.turns.blocking_send(Turn::Library(Arc::new(prompts.library())));
    }

    fn simulate(&self, trial: &Trial, prompts: &Prompts) -> Simulation {
        let config = self.config.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut find = |query| keeper::find(&self.store, &self.knowledge, query).unwrap_or(Finding::Failed);
        let length = |prompt| prompts.length(prompt);
        let mut knowledge = Knowledge { find: &mut find, length: &length, key: &key_of };
        simulate(config, trial, &mut knowledge)
    }
}
