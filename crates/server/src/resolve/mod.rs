//! Where trunks and operators are: names become addresses, again and again, and nobody waits for it.

mod dns;
mod locate;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use b2bua::{Control, Input, TrunkId};
use sip::{Flow, Transport};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

pub(crate) use dns::Dns;

use crate::config::{Checked, Destination, Listener, Operator};
use crate::signalling::{Names, Turn};
use locate::{Found, locate};

/// However short or long the records say that they are good for.
const SOONEST: Duration = Duration::from_secs(2);
const LATEST: Duration = Duration::from_secs(600);
/// A name that led nowhere is looked up again after this.
const AGAIN: Duration = Duration::from_secs(10);

/// What is to be resolved, and which of our listeners can reach it.
#[derive(Debug, Clone)]
pub(crate) struct Roads {
    trunks: Vec<(String, Destination)>,
    listeners: Vec<Listener>,
}

impl Roads {
    pub(crate) fn of(checked: &Checked) -> Self {
        Self {
            trunks: checked
                .trunks
                .iter()
                .map(|trunk| (trunk.name.clone(), trunk.destination.clone()))
                .collect(),
            listeners: checked.sip.listeners.clone(),
        }
    }
}

/// Where the operators that have SIP addresses are, for the lines of this configuration; whether there are any.
pub(crate) async fn operators(dns: &Dns, checked: &Checked, lines: &mut [b2bua::Line]) -> bool {
    let mut any = false;
    // The lines of one range have one operator.
    let mut before: Option<(&Destination, Option<Flow>)> = None;
    for (line, configured) in lines.iter_mut().zip(&checked.lines) {
        if let (Some(b2bua::Operator::Uri { flow: known, .. }), Some(Operator::Uri { destination, .. })) =
            (&mut line.operator, &configured.operator)
        {
            any = true;
            if let Some((_, flow)) = before.filter(|(same, _)| *same == destination) {
                *known = flow;
                continue;
            }
            let found = locate(dns, &checked.sip.listeners, destination).await.map(|found| found.targets);
            let mut targets = found.unwrap_or_else(|error| {
                tracing::warn!(line = %line.number, %error, "the operator's name leads nowhere");
                Vec::new()
            });
            targets.sort_by_key(|target| target.priority);
            *known = targets.first().map(|target| target.flow);
            before = Some((destination, *known));
        }
    }
    any
}

/// Where each trunk was found last, by TLS: whoever is there must prove the trunk's name, not that of a server behind
/// it (RFC 5922 §7.3).
#[derive(Debug, Default)]
struct Expected(BTreeMap<String, (String, Vec<SocketAddr>)>);

impl Expected {
    fn learn(&mut self, trunk: &str, destination: &Destination, found: &Found) {
        let by_tls = found.targets.iter().filter(|target| target.flow.transport == Transport::Tls);
        let peers = by_tls.map(|target| target.flow.peer).collect();
        self.0.insert(trunk.to_owned(), (destination.host.clone(), peers));
    }

    fn names(&self) -> Names {
        let mut names = Names::new();
        for (host, peers) in self.0.values() {
            for peer in peers {
                names.entry(*peer).or_default().insert(host.clone());
            }
        }
        names
    }
}

/// Looks up every name now and tells the switchboard, after those who open connections were told whom to expect.
/// When to look again; never, where nothing is a name. `None`: nobody listens any more.
async fn once(
    dns: &Dns,
    roads: &Roads,
    expected: &mut Expected,
    turns: &mpsc::Sender<Turn>,
) -> Option<Option<Instant>> {
    let mut searches = JoinSet::new();
    for (place, (_, destination)) in (0..).zip(&roads.trunks) {
        let (dns, listeners, destination) = (dns.clone(), roads.listeners.clone(), destination.clone());
        searches.spawn(async move { (place, locate(&dns, &listeners, &destination).await) });
    }
    expected.0.retain(|trunk, _| roads.trunks.iter().any(|(name, _)| name == trunk));
    let mut next: Option<Instant> = None;
    while let Some(searched) = searches.join_next().await {
        let Ok((place, found)) = searched else { continue };
        let (name, destination) = &roads.trunks[usize::from(place)];
        let again = match found {
            Ok(found) => {
                if found.targets.is_empty() {
                    tracing::warn!(
                        trunk = name,
                        "no listener of ours has the trunk's transport and address family"
                    );
                }
                expected.learn(name, destination, &found);
                turns.send(Turn::Expect(expected.names())).await.ok()?;
                let resolved = Control::Resolved { trunk: TrunkId(place), targets: found.targets };
                turns.send(Turn::Board(Input::Control(resolved))).await.ok()?;
                found.until
            }
            Err(error) => {
                tracing::warn!(trunk = name, %error, "the trunk's name leads nowhere; its last address stays");
                Some(Instant::now() + AGAIN)
            }
        };
        next = next.into_iter().chain(again).min();
    }
    Some(next)
}

/// Looks up every name again and again, as their records say, and those of a new configuration as soon as it is there.
pub(crate) async fn run(
    dns: Dns,
    mut roads: watch::Receiver<Roads>,
    turns: mpsc::Sender<Turn>,
    mut stop: watch::Receiver<bool>,
) {
    let mut expected = Expected::default();
    loop {
        let now = roads.borrow_and_update().clone();
        let next = tokio::select! {
            _ = stop.changed() => return,
            next = once(&dns, &now, &mut expected, &turns) => next,
        };
        let Some(next) = next else { return };
        let pause = next.map(|at| at.saturating_duration_since(Instant::now()).clamp(SOONEST, LATEST));
        tokio::select! {
            _ = stop.changed() => return,
            Ok(()) = roads.changed() => {}
            () = wait(pause) => {}
        }
    }
}

async fn wait(pause: Option<Duration>) {
    match pause {
        Some(pause) => tokio::time::sleep(pause).await,
        None => std::future::pending().await,
    }
}
