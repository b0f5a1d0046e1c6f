//! One worker per webhook: takes from the outbox what is due, posts it, and writes down what came of it.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::http::header;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, Url};
use store::{Batch, Delivery, Event, NewEvent, Store, StoreError, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::count::Attempt;
use super::signature::sign;
use super::{Post, Template, Webhook};
use crate::gate::Gate;
use crate::problem::Problem;

/// Before the store is asked again after it failed: a receiver must not be told the same in a tight loop because we
/// cannot write down that it was.
const STORE_PAUSE: Duration = Duration::from_secs(10);
/// For requests under way when the node stops.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// For the rest of an answer whose status is known: read so that the connection can be used again.
const DRAIN: Duration = Duration::from_secs(1);
/// Most bytes of an answer read.
const LONGEST_ANSWER: usize = 64 * 1024;

/// A webhook that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// Its address is none.
    #[error("webhook {name:?}: the url must begin with http:// or https:// and name a host")]
    Url {
        /// Name of the webhook.
        name: String,
    },
    /// The client cannot be made (no TLS roots, say).
    #[error("webhook {name:?}: {source}")]
    Client {
        /// Name of the webhook.
        name: String,
        /// Why not.
        source: reqwest::Error,
    },
    /// The store refuses these names.
    #[error("webhooks: {0}")]
    Store(#[from] StoreError),
}

/// All webhooks, known to the store and ready to be told.
#[derive(Debug)]
pub struct Deliverer {
    workers: Vec<Arc<Worker>>,
}

impl Deliverer {
    /// Makes these webhooks known to the gate's store: events are queued for them from now on.
    ///
    /// # Errors
    /// An address is none, or the store refuses a name.
    pub fn new(gate: &Gate, webhooks: Vec<Webhook>) -> Result<Self, WebhookError> {
        let names = webhooks.iter().map(known_as).collect();
        let workers = webhooks.into_iter().map(|webhook| Worker::new(gate, webhook).map(Arc::new));
        let workers = workers.collect::<Result<_, _>>()?;
        gate.store_handle().set_webhooks(names)?;
        Ok(Self { workers })
    }

    /// Delivers until `stop` is ready; requests under way then have five seconds.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (stopped, stopping) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for worker in self.workers {
            tasks.spawn(worker.run(stopping.clone()));
        }
        stop.await;
        stopped.send_replace(true);
        while tasks.join_next().await.is_some() {}
    }
}

fn known_as(webhook: &Webhook) -> store::Webhook {
    let filter = webhook.events.clone();
    store::Webhook { name: webhook.name.clone(), wants: Arc::new(move |kind| filter.wants(kind)) }
}

/// One webhook.
#[derive(Debug)]
struct Worker {
    gate: Gate,
    webhook: Webhook,
    url: Url,
    client: Client,
}

impl Worker {
    fn new(gate: &Gate, webhook: Webhook) -> Result<Self, WebhookError> {
        let name = || webhook.name.clone();
        let url = Url::parse(&webhook.url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| WebhookError::Url { name: name() })?;
        let client = Client::builder()
            // A redirect would carry a signed event to an address nobody configured.
            .redirect(Policy::none())
            .no_proxy()
            .timeout(webhook.timeout)
            .user_agent(concat!("Bauta/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|source| WebhookError::Client { name: name(), source })?;
        Ok(Self { gate: gate.clone(), webhook, url, client })
    }

    async fn run(self: Arc<Self>, mut stopping: watch::Receiver<bool>) {
        let mut nudges = self.gate.bus().nudges();
        let mut under_way = JoinSet::new();
        loop {
            nudges.borrow_and_update();
            let wait = self.offer(&mut under_way).await;
            let wait = async {
                match wait {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            let settled = tokio::select! {
                biased;
                _ = stopping.wait_for(|stop| *stop) => break,
                Some(settled) = under_way.join_next() => settled.unwrap_or(Ok(())),
                _ = nudges.changed() => Ok(()),
                () = wait => Ok(()),
            };
            if settled.is_err() {
                tokio::select! {
                    _ = stopping.wait_for(|stop| *stop) => break,
                    () = tokio::time::sleep(STORE_PAUSE) => {}
                }
            }
        }
        let last = async { while under_way.join_next().await.is_some() {} };
        // What is cut off here is told again after the restart.
        let _ = timeout(LAST_WORDS, last).await;
    }

    /// Begins what is due, as far as there is room. How long until more is due, if that is known; whatever else
    /// happens before comes with a nudge or when a request ends.
    async fn offer(self: &Arc<Self>, under_way: &mut JoinSet<Result<(), Problem>>) -> Option<Duration> {
        let room = self.webhook.at_once.saturating_sub(under_way.len());
        if room == 0 {
            return None;
        }
        let (name, now) = (self.webhook.name.clone(), Timestamp::from(SystemTime::now()));
        let Ok(due) = self.gate.store(move |store| store.outbox_due(&name, now, room)).await else {
            return Some(STORE_PAUSE);
        };
        for delivery in due {
            under_way.spawn(Arc::clone(self).attempt(delivery));
        }
        let next = self.gate.store_handle().outbox_next(&self.webhook.name)?;
        // What is due already and was not offered waits for a request under way.
        if next > now { Some(next.since(now)) } else { under_way.is_empty().then_some(STORE_PAUSE) }
    }

    /// One attempt. An error if what came of it could not be written down.
    async fn attempt(self: Arc<Self>, delivery: Delivery) -> Result<(), Problem> {
        let said = match &self.webhook.post {
            Post::Event { secret } => self.post(&delivery, secret).await,
            Post::Notice(template) => match self.notify(&delivery, template).await {
                // There is nobody to tell any more.
                Ok(false) => return self.gate.store(move |store| store.delivered(delivery)).await,
                Ok(true) => Ok(()),
                Err(why) => Err(why),
            },
        };
        let now = Timestamp::from(SystemTime::now());
        let name = &self.webhook.name;
        let deliveries = self.gate.deliveries();
        let Err(error) = said else {
            deliveries.count(name, Attempt::Delivered);
            let told = self.told(&delivery.event, "notice.sent", now);
            return self
                .gate
                .store(move |store| settled(store, Batch::new().delivered(delivery), told))
                .await;
        };
        deliveries.count(name, Attempt::Failed);
        let end = delivery.since.after(self.webhook.schedule.give_up());
        if now >= end {
            deliveries.count(name, Attempt::GivenUp);
            tracing::warn!(webhook = name, event = %delivery.event.id, error, "an event was given up");
            let told = self.told(&delivery.event, "notice.failed", now);
            let dead = Batch::new().dead(delivery, &error, now);
            return self.gate.store(move |store| settled(store, dead, told)).await;
        }
        let wait =
            self.webhook.schedule.wait(delivery.attempts.saturating_add(1), &delivery.event.id.to_string());
        // The last attempt is when the time is up.
        let next = now.after(wait).min(end);
        tracing::debug!(webhook = name, event = %delivery.event.id, error, "an event will be told again");
        self.gate.store(move |store| store.failed(delivery, next, &error)).await
    }

    /// Tells a party of a new order. `false`: the order is gone, or was not new.
    async fn notify(&self, delivery: &Delivery, template: &Template) -> Result<bool, String> {
        let (event, now) = (delivery.event.clone(), Timestamp::from(SystemTime::now()));
        let order = self.gate.store(move |store| Template::order(store, &event, now)).await;
        match order.map_err(|problem| problem.detail)? {
            Some(order) => self.send(template.request(&self.client, &order)).await.map(|()| true),
            None => Ok(false),
        }
    }

    /// What is told of a notice.
    fn told(&self, event: &Event, kind: &str, now: Timestamp) -> Option<NewEvent> {
        match &self.webhook.post {
            Post::Event { .. } => None,
            Post::Notice(template) => template.event(event, kind, now),
        }
    }

    /// Posts one event. Why it was not taken, without the address, which may have a secret in it.
    async fn post(&self, delivery: &Delivery, secret: &[u8]) -> Result<(), String> {
        let body = serde_json::to_vec(&delivery.event).map_err(|error| error.to_string())?;
        let unix = Timestamp::from(SystemTime::now()).0 / 1000;
        let request = self
            .client
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("Bauta-Event-Id", delivery.event.id.to_string())
            .header("Bauta-Signature", sign(secret, unix, &body))
            .body(body);
        self.send(request).await
    }

    /// Sends a request, and waits until it is known whether it was taken.
    async fn send(&self, request: RequestBuilder) -> Result<(), String> {
        let response = request.send().await.map_err(|error| self.failure(&error))?;
        let status = response.status();
        let _ = timeout(DRAIN, drain(response)).await;
        if status.is_success() { Ok(()) } else { Err(format!("answered {}", status.as_u16())) }
    }

    fn failure(&self, error: &reqwest::Error) -> String {
        if error.is_timeout() {
            format!("no answer within {} ms", self.webhook.timeout.as_millis())
        } else if error.is_connect() {
            "no connection".to_owned()
        } else {
            "the connection ended before an answer".to_owned()
        }
    }
}

/// What came of a delivery, and what is told of it, together or not at all.
fn settled(store: &Store, batch: Batch, told: Option<NewEvent>) -> Result<(), StoreError> {
    let batch = told.into_iter().fold(batch, Batch::event);
    store.apply(batch).map(|_| ())
}

async fn drain(mut response: Response) {
    let mut read = 0;
    while let Ok(Some(piece)) = response.chunk().await {
        read += piece.len();
        if read > LONGEST_ANSWER {
            return;
        }
    }
}
