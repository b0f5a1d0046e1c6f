//! Asks hooks: other people's programs that decide what becomes of a call. Each question is a task of its own, bounded in time and
//! number, and whatever comes of it goes back as one input: a hook that is down, slow or wrong holds up nobody but its caller.

mod answer;
mod breaker;
mod question;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use answer::{Approval, Directions, Known, Made, Wish};
use api::webhooks::sign;
use api::{Family, Kind, Sample, Value};
use b2bua::{Advice, Advised, Config, Consultation, Input, Matter};
use breaker::Breaker;
use number::{Number, Plan};
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use serde_json::json;
use store::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use crate::metrics::Count;
use crate::records::event;
use crate::signalling::Turn;
use crate::speech::Speech;

/// Questions under way; more are failures at once.
const AT_ONCE: usize = 1_000;
/// Octets of an answer.
const LONGEST_ANSWER: usize = 64 * 1024;
/// Answers that may stand in for later ones.
const KEPT: usize = 10_000;

/// `[[hook]]`.
#[derive(Clone, PartialEq)]
pub(crate) struct Settings {
    /// Lines and answers name it so.
    pub(crate) name: String,
    /// Where questions are posted.
    pub(crate) url: Url,
    /// What they are signed with.
    pub(crate) secret: String,
    /// Patience, to the last octet of an answer.
    pub(crate) timeout: Duration,
    /// For how long an answer may stand in for later ones.
    pub(crate) keep: Duration,
}

/// Without the secret.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook")
            .field("name", &self.name)
            .field("url", &self.url.as_str())
            .field("timeout", &self.timeout)
            .field("keep", &self.keep)
            .finish_non_exhaustive()
    }
}

/// How a question ended, for counting.
#[derive(Debug, Clone, Copy)]
enum End {
    /// By an answer that can be done.
    Answered,
    /// By one that cannot.
    Wrong,
    /// By none.
    Failed,
    /// It was not asked: the hook is spared.
    Spared,
    /// An answer from before stood in.
    Repeated,
}

const WORDS: [&str; 5] = ["answered", "wrong", "failed", "spared", "repeated"];

/// One hook.
struct Hook {
    settings: Settings,
    client: Client,
    breaker: Mutex<Breaker>,
    ends: [Count; WORDS.len()],
}

/// Who was told what, and when.
type Kept = HashMap<(String, Number, Number), (Instant, Vec<Wish>)>;

struct Inner {
    hooks: Mutex<BTreeMap<String, Arc<Hook>>>,
    kept: Mutex<Kept>,
    room: Arc<Semaphore>,
    speech: Speech,
    config: Arc<Mutex<Config>>,
    languages: Vec<String>,
    plan: Plan,
    turns: mpsc::Sender<Turn>,
}

/// Whoever asks hooks.
#[derive(Clone)]
pub(crate) struct Hooks {
    inner: Arc<Inner>,
    runtime: Handle,
}

/// What hooks are asked with.
pub(crate) struct Equipment {
    pub(crate) speech: Speech,
    /// As the switchboard knows it: our lines.
    pub(crate) config: Arc<Mutex<Config>>,
    pub(crate) languages: Vec<String>,
    pub(crate) plan: Plan,
    pub(crate) turns: mpsc::Sender<Turn>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hooks {
    /// Within a Tokio runtime, on which questions are asked.
    ///
    /// # Errors
    /// There is no TLS to ask with.
    pub(crate) fn start(settings: &[Settings], equipment: Equipment) -> Result<Self, reqwest::Error> {
        let Equipment { speech, config, languages, plan, turns } = equipment;
        let hooks = Self {
            inner: Arc::new(Inner {
                hooks: Mutex::default(),
                kept: Mutex::default(),
                room: Arc::new(Semaphore::new(AT_ONCE)),
                speech,
                config,
                languages,
                plan,
                turns,
            }),
            runtime: Handle::current(),
        };
        hooks.configure(settings)?;
        Ok(hooks)
    }

    /// Asks these from now on. Of one that is as it was all that is known stays known.
    ///
    /// # Errors
    /// There is no TLS to ask with.
    pub(crate) fn configure(&self, settings: &[Settings]) -> Result<(), reqwest::Error> {
        let mut hooks = locked(&self.inner.hooks);
        let mut next = BTreeMap::new();
        for settings in settings {
            let same = hooks.get(&settings.name).filter(|hook| hook.settings == *settings);
            let hook = match same {
                Some(hook) => Arc::clone(hook),
                None => Arc::new(Hook::new(settings.clone())?),
            };
            next.insert(settings.name.clone(), hook);
        }
        *hooks = next;
        Ok(())
    }

    /// Asks one question; answered by an input.
    pub(crate) fn ask(&self, asked: Box<Consultation>) {
        let inner = Arc::clone(&self.inner);
        self.runtime.spawn(async move {
            let call = asked.call;
            let advice = match Arc::clone(&inner.room).try_acquire_owned() {
                Ok(_room) => inner.ask(&asked).await,
                Err(_) => Advice::failed("too many questions are under way"),
            };
            if let Some(fault) = &advice.fault {
                tracing::warn!(%call, hook = &*asked.hook, fault = &**fault, "hook");
            }
            let _ = inner.turns.send(Turn::Board(Input::Advised { call, advice: Box::new(advice) })).await;
        });
    }

    /// What is counted.
    pub(crate) fn families(&self) -> [Family; 2] {
        let hooks = locked(&self.inner.hooks);
        let (mut ends, mut rests) = (Vec::new(), Vec::new());
        for (name, hook) in &*hooks {
            for (word, count) in WORDS.iter().zip(&hook.ends) {
                let labels = vec![("hook", name.clone()), ("result", (*word).to_owned())];
                ends.push(Sample { labels, value: Value::Number(count.get()) });
            }
            let is_spared = f64::from(u8::from(locked(&hook.breaker).rests()));
            rests.push(Sample { labels: vec![("hook", name.clone())], value: Value::Number(is_spared) });
        }
        [
            Family {
                name: "bauta_hook_questions",
                help: "Questions to hooks, by what they came to.",
                kind: Kind::Counter,
                samples: ends,
            },
            Family {
                name: "bauta_hook_resting",
                help: "Whether a hook is spared because it does not answer.",
                kind: Kind::Gauge,
                samples: rests,
            },
        ]
    }
}

impl Hook {
    fn new(settings: Settings) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            // A redirect would carry a signed question to an address nobody configured.
            .redirect(Policy::none())
            .no_proxy()
            .timeout(settings.timeout)
            .user_agent(concat!("Bauta/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { settings, client, breaker: Mutex::default(), ends: Default::default() })
    }

    fn count(&self, end: End) {
        self.ends[end as usize].add(1);
    }

    /// Posts a question and reads the whole answer. Why there is none, without the address, which may have a secret in it.
    async fn post(&self, body: Vec<u8>) -> Result<Vec<u8>, String> {
        let unix = Timestamp::from(SystemTime::now()).0 / 1000;
        let request = self
            .client
            .post(self.settings.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("Bauta-Signature", sign(self.settings.secret.as_bytes(), unix, &body))
            .body(body);
        let mut response = request.send().await.map_err(|error| self.failure(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(format!("it answered {}", status.as_u16()));
        }
        let mut answer = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.failure(&error))? {
            if answer.len() + piece.len() > LONGEST_ANSWER {
                return Err(format!("its answer has more than {LONGEST_ANSWER} octets"));
            }
            answer.extend_from_slice(&piece);
        }
        Ok(answer)
    }

    fn failure(&self, error: &reqwest::Error) -> String {
        if error.is_timeout() {
            format!("no whole answer within {} ms", self.settings.timeout.as_millis())
        } else if error.is_connect() {
            "no connection".to_owned()
        } else {
            "the connection ended before the answer did".to_owned()
        }
    }
}

impl Inner {
    async fn ask(&self, asked: &Consultation) -> Advice {
        let Some(hook) = locked(&self.hooks).get(&*asked.hook).cloned() else {
            return Advice::failed("there is no [[hook]] of this name");
        };
        if !locked(&hook.breaker).admits(Instant::now()) {
            hook.count(End::Spared);
            return self.otherwise(&hook, asked, "it is spared, because it did not answer".to_owned()).await;
        }
        let body = question::body(asked, &self.languages).to_string().into_bytes();
        let answer = match hook.post(body).await {
            Ok(answer) => answer,
            Err(why) => {
                hook.count(End::Failed);
                if locked(&hook.breaker).failed(Instant::now()) {
                    tracing::error!(hook = hook.settings.name, why, "a hook is spared for a while");
                }
                return self.otherwise(&hook, asked, why).await;
            }
        };
        if locked(&hook.breaker).answered() {
            self.recovered(&hook).await;
        }
        match self.read(asked, &answer).await {
            Ok((advice, wishes)) => {
                hook.count(End::Answered);
                self.keep(&hook, asked, wishes);
                advice
            }
            Err(why) => {
                hook.count(End::Wrong);
                self.otherwise(&hook, asked, format!("its answer cannot be followed: {why}")).await
            }
        }
    }

    async fn recovered(&self, hook: &Hook) {
        tracing::info!(hook = hook.settings.name, "a hook answers again");
        let told = json!({ "hook": hook.settings.name });
        let event = event("hook.recovered", Timestamp::from(SystemTime::now()), None, &told);
        let _ = self.turns.send(Turn::Event(Box::new(event))).await;
    }

    async fn read(&self, asked: &Consultation, answer: &[u8]) -> Result<(Advice, Vec<Wish>), String> {
        match asked.matter {
            Matter::Approval { .. } => {
                let approval: Approval = api::read_json(answer)?;
                let verdict =
                    if approval.approve { Advised::Approved } else { Advised::Vetoed(approval.cause()) };
                Ok((Advice { verdict, fault: None }, Vec::new()))
            }
            Matter::Directions { .. } => {
                let directions: Directions = api::read_json(answer)?;
                Ok((self.carry_out(asked, &directions.actions).await?, directions.actions))
            }
        }
    }

    /// What is to be done, its texts spoken.
    async fn carry_out(&self, asked: &Consultation, wishes: &[Wish]) -> Result<Advice, String> {
        let (lines, has_operator) = self.lines(asked);
        let hooks: Vec<String> = locked(&self.hooks).keys().cloned().collect();
        let known = Known {
            plan: self.plan,
            lines: &lines,
            hooks: &hooks,
            languages: &self.languages,
            language: asked.language,
            has_operator,
        };
        // Nothing is spoken of what will not be done.
        answer::actions(wishes, known, &Made::new())?;
        let (mut made, mut fault) = (Made::new(), None);
        for (text, spoken) in self.speech.all(answer::texts(wishes, known)).await {
            match spoken {
                Ok(prompt) => drop(made.insert(text, prompt)),
                Err(error) => fault = Some(format!("a text is left out: {error}").into()),
            }
        }
        Ok(Advice { verdict: Advised::Do(answer::actions(wishes, known, &made)?), fault })
    }

    /// Our numbers, and whether the one called has an operator.
    fn lines(&self, asked: &Consultation) -> (Vec<Number>, bool) {
        let config = locked(&self.config);
        let called = config.lines.iter().find(|line| Some(line.number) == asked.record.line);
        let has_operator = called.is_some_and(|line| line.operator.is_some());
        (config.lines.iter().map(|line| line.number).collect(), has_operator)
    }

    /// What this caller was told before, where that may stand in; else that nothing can be done.
    async fn otherwise(&self, hook: &Hook, asked: &Consultation, why: String) -> Advice {
        if let Some(wishes) = self.kept(hook, asked)
            && let Ok(advice) = self.carry_out(asked, &wishes).await
        {
            hook.count(End::Repeated);
            let fault = format!("{why}; what it said before is done");
            return Advice { fault: Some(fault.into()), ..advice };
        }
        Advice::failed(why)
    }

    /// Only the first answer of a call says what such a call is to begin with, and only for the same caller: what one may reach
    /// is not for another.
    fn place(hook: &Hook, asked: &Consultation) -> Option<(String, Number, Number)> {
        let is_first = matches!(asked.matter, Matter::Directions { question: 1, .. });
        let (line, caller) = (asked.record.line?, asked.record.caller?);
        is_first.then(|| (hook.settings.name.clone(), line, caller))
    }

    fn keep(&self, hook: &Hook, asked: &Consultation, wishes: Vec<Wish>) {
        let may_repeat = matches!(asked.matter, Matter::Directions { may_repeat: true, .. });
        let Some(place) = Self::place(hook, asked).filter(|_| may_repeat) else { return };
        let (mut kept, now) = (locked(&self.kept), Instant::now());
        if kept.len() >= KEPT {
            kept.retain(|_, (at, _)| now.saturating_duration_since(*at) < hook.settings.keep);
        }
        if kept.len() < KEPT {
            kept.insert(place, (now, wishes));
        }
    }

    fn kept(&self, hook: &Hook, asked: &Consultation) -> Option<Vec<Wish>> {
        let may_repeat = matches!(asked.matter, Matter::Directions { may_repeat: true, .. });
        let place = Self::place(hook, asked).filter(|_| may_repeat)?;
        let kept = locked(&self.kept);
        let (at, wishes) = kept.get(&place)?;
        (at.elapsed() < hook.settings.keep).then(|| wishes.clone())
    }
}
