//! A server to ask: a few calls, a few prompts, and moods.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use api::{
    Ask, CallbackRefusal, Dialled, Family, Health, Kind, PromptInfo, PromptRefusal, Sample, Simulation,
    Sound, Step, Trace, TraceLeg, TracedMessage, Trial, Value,
};
use b2bua::{Recording, Stage, TrunkStatus};
use store::{Callback, CallbackPrompt, NewEvent, Store};
use tokio::sync::mpsc;

/// What the server is and has.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) calls: BTreeSet<u128>,
    pub(crate) hung_up: Vec<u128>,
    /// Those of the calls that are recorded.
    pub(crate) recorded: BTreeSet<u128>,
    pub(crate) health: Health,
    /// Asks are dropped without an answer.
    pub(crate) silent: bool,
    /// Prompts that were replaced.
    pub(crate) prompts: BTreeMap<(String, String), Vec<u8>>,
    pub(crate) trials: Vec<Trial>,
    /// How far any callback has come.
    pub(crate) stage: Option<Stage>,
    pub(crate) store: Store,
}

pub(crate) type Shared = Arc<Mutex<Desk>>;

/// A text that nobody can speak.
pub(crate) const UNSPEAKABLE: &str = "(unspeakable)";

pub(crate) const SHIPPED: &[u8] = b"RIFF shipped";

pub(crate) fn open(mut asks: mpsc::Receiver<Ask>, store: Store) -> Shared {
    let desk = Desk {
        calls: BTreeSet::new(),
        hung_up: Vec::new(),
        recorded: BTreeSet::new(),
        health: Health { draining: false, calls: 3, faults: vec![] },
        silent: false,
        prompts: BTreeMap::new(),
        trials: Vec::new(),
        stage: Some(Stage::Waiting),
        store,
    };
    let shared = Arc::new(Mutex::new(desk));
    let desk = Arc::clone(&shared);
    tokio::spawn(async move {
        while let Some(ask) = asks.recv().await {
            let mut desk = desk.lock().unwrap();
            if !desk.silent {
                desk.answer(ask);
            }
        }
    });
    shared
}

impl Desk {
    fn accept(&self, callback: Callback, event: NewEvent) -> Result<(), CallbackRefusal> {
        match &callback.second.prompt {
            Some(CallbackPrompt::Text { text, .. }) if &**text == UNSPEAKABLE => {
                Err(CallbackRefusal::Unspoken { side: "second", why: "nobody speaks".to_owned() })
            }
            Some(_) | None => self.store.put_callback(callback, event).map_err(CallbackRefusal::Store),
        }
    }

    fn answer(&mut self, ask: Ask) {
        match ask {
            Ask::HangUp { call, reply } => {
                self.hung_up.push(call.0);
                let _ = reply.send(self.calls.remove(&call.0));
            }
            Ask::PauseRecording { call, paused, reply } => {
                let state = self.calls.contains(&call.0).then(|| match self.recorded.contains(&call.0) {
                    true if paused => Recording::Paused,
                    true => Recording::Running,
                    false => Recording::No,
                });
                let _ = reply.send(state);
            }
            Ask::Callback { callback, event, reply } => {
                let _ = reply.send(self.accept(*callback, event));
            }
            Ask::CancelCallback { reply, .. } => {
                let _ = reply.send(self.stage);
            }
            Ask::EraseTraces { reply, .. } => {
                let _ = reply.send((3, vec![b2bua::CallId(77)]));
            }
            Ask::Trace { call, plain, reply } => {
                let mut shown = trace();
                if plain {
                    shown.messages.iter_mut().for_each(|message| message.text = "plain".to_owned());
                }
                let _ = reply.send(self.calls.contains(&call.0).then_some(shown));
            }
            Ask::Simulate { trial, reply } => {
                self.trials.push(trial);
                let _ = reply.send(simulation());
            }
            Ask::Health(reply) => {
                let _ = reply.send(self.health.clone());
            }
            Ask::Metrics(reply) => {
                let _ = reply.send(vec![calls()]);
            }
            Ask::Settings(reply) => {
                let _ = reply.send(settings());
            }
            Ask::Trunks(reply) => {
                let _ = reply.send(trunks());
            }
            Ask::Prompts(reply) => {
                let _ = reply.send(vec![self.info("ru", "start"), self.info("en", "start")]);
            }
            Ask::Prompt { language, key, reply } => {
                let own = self.prompts.get(&(language.clone(), key.clone())).cloned();
                let known = known(&language, &key);
                let _ = reply.send(known.then(|| own.unwrap_or_else(|| SHIPPED.to_vec())));
            }
            Ask::ReplacePrompt { language, key, sound: Sound::Wav(wav), reply } => {
                let _ = reply.send(self.replace(&language, &key, &wav));
            }
            Ask::ReplacePrompt { language, key, sound: Sound::Text(text), reply } => {
                let spoken = spoken(&text);
                let _ = reply.send(spoken.and_then(|wav| self.replace(&language, &key, &wav)));
            }
            Ask::PreviewPrompt { language: _, text, reply } => {
                let _ = reply.send(spoken(&text));
            }
            Ask::RestorePrompt { language, key, reply } => {
                self.prompts.remove(&(language.clone(), key.clone()));
                let restored = known(&language, &key).then(|| self.info(&language, &key));
                let _ = reply.send(restored.ok_or(PromptRefusal::Unknown));
            }
        }
    }

    fn replace(&mut self, language: &str, key: &str, wav: &[u8]) -> Result<PromptInfo, PromptRefusal> {
        if !known(language, key) {
            return Err(PromptRefusal::Unknown);
        }
        if !wav.starts_with(b"RIFF") {
            return Err(PromptRefusal::Unusable("not a RIFF file".into()));
        }
        self.prompts.insert((language.into(), key.into()), wav.into());
        Ok(self.info(language, key))
    }

    fn info(&self, language: &str, key: &str) -> PromptInfo {
        let replaced = self.prompts.contains_key(&(language.into(), key.into()));
        PromptInfo {
            language: language.into(),
            key: key.into(),
            text: "Hello.".into(),
            seconds: 1.25,
            replaced,
        }
    }
}

/// What is spoken of a text; nobody speaks `mute`.
fn spoken(text: &str) -> Result<Vec<u8>, PromptRefusal> {
    if text == "mute" {
        return Err(PromptRefusal::Unspoken("nothing speaks here".into()));
    }
    Ok(format!("RIFF {text}").into_bytes())
}

fn known(language: &str, key: &str) -> bool {
    matches!(language, "ru" | "en") && key == "start"
}

fn trace() -> Trace {
    let message = |incoming, status, text: &str| TracedMessage {
        at_us: 1_795_162_530_250_000,
        leg: TraceLeg::Caller,
        incoming,
        transport: "UDP",
        ours: "192.0.2.1:5060".parse().unwrap(),
        theirs: "198.51.100.7:5060".parse().unwrap(),
        method: "INVITE".into(),
        status,
        text: text.into(),
    };
    let messages = vec![
        message(true, None, "INVITE sip:a@b SIP/2.0\r\n\r\n"),
        message(false, Some(486), "SIP/2.0 486 Busy Here\r\n\r\n"),
    ];
    Trace { messages, lost: 0, identity: Some(b2bua::IdentityFault::Signature.into()) }
}

fn simulation() -> Simulation {
    let dialled = Dialled {
        callee: "client".into(),
        number: Some("+79992222222".into()),
        shown: "+74950000001".into(),
        trunk: "carrier".into(),
    };
    let step = Step {
        at_ms: 0,
        state: "arriving".into(),
        what: "the call is answered".into(),
        prompt: Some("start".into()),
    };
    Simulation { outcome: "connected".into(), dialled: Some(dialled), steps: vec![step] }
}

fn calls() -> Family {
    let sample = Sample { labels: vec![("line", "one".into())], value: Value::Number(3.0) };
    Family { name: "bauta_calls", help: "Calls now.", kind: Kind::Gauge, samples: vec![sample] }
}

fn settings() -> Vec<api::SettingsSection> {
    let setting =
        |key: &str, value: &str, default| api::Setting { key: key.to_owned(), value: value.into(), default };
    let keys = vec![setting("name", "south", false), setting("country", "RU", true)];
    vec![api::SettingsSection { section: "node".to_owned(), keys }]
}

fn trunks() -> Vec<TrunkStatus> {
    let trunk = |name: &str, up, registered| TrunkStatus {
        name: name.into(),
        addresses: 2,
        up,
        registered,
        calls: 3,
    };
    vec![trunk("main", Some(true), None), trunk("backup", None, Some(false))]
}
