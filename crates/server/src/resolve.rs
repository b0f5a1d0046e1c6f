//! Where trunks and operators are: names become addresses, again and again, and nobody waits for it.

use std::net::SocketAddr;
use std::time::Duration;

use b2bua::{Control, Input, TrunkId};
use sip::{Flow, Transport};
use tokio::net::lookup_host;
use tokio::sync::{mpsc, watch};

use crate::config::{Checked, Destination, Listener, Operator};
use crate::signalling::{Names, Turn};

/// How often names are looked up again.
const EVERY: Duration = Duration::from_secs(30);

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

/// The flow to an address: by the first of our listeners of its transport and family.
fn flow(listeners: &[Listener], destination: &Destination, peer: SocketAddr) -> Option<Flow> {
    let transport = destination.transport.unwrap_or(Transport::Udp);
    let fits =
        |listener: &Listener| listener.transport == transport && listener.address.is_ipv4() == peer.is_ipv4();
    let listener = u8::try_from(listeners.iter().position(fits)?).ok()?;
    Some(Flow { listener, transport, peer, connection: None })
}

/// Where the operators that have SIP addresses are, for the lines of this configuration.
pub(crate) async fn operators(checked: &Checked, lines: &mut [b2bua::Line]) {
    for (line, configured) in lines.iter_mut().zip(&checked.lines) {
        if let (Some(b2bua::Operator::Uri { flow: known, .. }), Some(Operator::Uri { destination, .. })) =
            (&mut line.operator, &configured.operator)
        {
            let found = find(&checked.sip.listeners, destination).await.unwrap_or_else(|error| {
                tracing::warn!(line = %line.number, %error, "the operator's name leads nowhere");
                Vec::new()
            });
            *known = found.first().copied();
        }
    }
}

/// Where a destination is now; nowhere if no listener of ours can reach it.
async fn find(listeners: &[Listener], destination: &Destination) -> std::io::Result<Vec<Flow>> {
    let port = destination.port.unwrap_or_else(|| destination.transport.unwrap_or(Transport::Udp).port());
    if let Some(ip) = destination.address() {
        return Ok(flow(listeners, destination, SocketAddr::new(ip, port)).into_iter().collect());
    }
    let peers = lookup_host((destination.host.as_str(), port)).await?;
    Ok(peers.filter_map(|peer| flow(listeners, destination, peer)).collect())
}

/// Looks up every name now and tells the switchboard, after those who open connections to them were told whom to expect.
async fn once(roads: &Roads, expected: &mut Names, turns: &mpsc::Sender<Turn>) {
    for ((name, destination), place) in roads.trunks.iter().zip(0..) {
        let found = match find(&roads.listeners, destination).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(trunk = name, %error, "the trunk's name leads nowhere; its last address stays");
                continue;
            }
        };
        if found.is_empty() {
            tracing::warn!(trunk = name, "no listener of ours has the trunk's transport and address family");
        }
        if destination.transport == Some(Transport::Tls) {
            for flow in &found {
                expected.entry(flow.peer).or_default().insert(destination.host.clone());
            }
            if turns.send(Turn::Expect(expected.clone())).await.is_err() {
                return;
            }
        }
        let resolved = Control::Resolved { trunk: TrunkId(place), flows: found };
        if turns.send(Turn::Board(Input::Control(resolved))).await.is_err() {
            return;
        }
    }
}

/// Looks up every name again and again, those of a new configuration as soon as it is there.
pub(crate) async fn run(
    mut roads: watch::Receiver<Roads>,
    turns: mpsc::Sender<Turn>,
    mut stop: watch::Receiver<bool>,
) {
    // A name stays expected where it once led: connections there are still open.
    let mut expected = Names::new();
    loop {
        let now = roads.borrow_and_update().clone();
        once(&now, &mut expected, &turns).await;
        tokio::select! {
            _ = stop.changed() => return,
            Ok(()) = roads.changed() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
