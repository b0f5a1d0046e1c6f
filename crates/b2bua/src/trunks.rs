//! How the trunks are: where each is reached, whether it can be used, how much of it is taken, and by which of them a
//! call goes out.

use std::collections::BTreeMap;
use std::time::Duration;

use clock::Instant;
use sip::Flow;
use ua::{Asking, ErrandCommand, ErrandEvent, ErrandId, Registering, TrunkId};

use crate::admission::Rate;
use crate::config::{Choice, Config, Target, Trunk};
use crate::ids::Ids;
use crate::interface::TrunkHappening;

/// How long an address is passed over that did not take a call, where there is another.
const SHUNNED: Duration = Duration::from_secs(30);
/// The longest that a trunk may tell us to send it nothing (Retry-After).
const LONGEST_SHUNNED: Duration = Duration::from_secs(600);
/// Most ways that are tried for one call.
const WAYS: usize = 8;
/// How long the answer to a question whether a trunk is there is waited for.
const PATIENCE: Duration = Duration::from_secs(4);

/// What the user agent is to be told.
pub(crate) type Commands = Vec<(ErrandId, ErrandCommand)>;

/// One way for a call to go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) trunk: TrunkId,
    pub(crate) flow: Flow,
}

/// Whether a trunk takes one more call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    Taken,
    Full,
}

/// How a trunk is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkStatus {
    /// Its name.
    pub name: Box<str>,
    /// Addresses it is reached at; 0 while its name is not resolved.
    pub addresses: usize,
    /// Whether it answers when asked; `None` where it is not asked, or was not long enough.
    pub up: Option<bool>,
    /// Whether we are registered there; `None` where that is not wanted, or not known yet.
    pub registered: Option<bool>,
    /// Legs of calls by it.
    pub calls: usize,
}

/// All trunks, by name: their places change with the configuration.
#[derive(Debug, Default)]
pub(crate) struct Trunks {
    standings: BTreeMap<Box<str>, Standing>,
    owners: BTreeMap<ErrandId, Box<str>>,
    errands: u32,
    /// Trunks we are not registered at any more, as that is not wanted any more.
    left: Vec<Box<str>>,
}

#[derive(Debug, Default)]
struct Standing {
    /// The best first.
    targets: Vec<Target>,
    registration: Option<Kept<Registering>>,
    ping: Option<Kept<Asking>>,
    registered: Option<bool>,
    routes: Vec<String>,
    up: Option<bool>,
    shunned: Vec<(Flow, Instant)>,
    calls: usize,
    rate: Rate,
}

/// An errand and what it was told.
#[derive(Debug)]
struct Kept<W> {
    id: ErrandId,
    wanted: W,
}

impl Standing {
    /// Nothing speaks against it.
    fn is_well(&self) -> bool {
        self.up != Some(false) && self.registered != Some(false)
    }

    fn is_shunned(&self, flow: Flow, now: Instant) -> bool {
        self.shunned.iter().any(|(other, until)| *other == flow && *until > now)
    }
}

impl Trunks {
    /// Takes a configuration: new trunks, trunks that are no more, and what is to be done for each.
    pub(crate) fn learn(&mut self, config: &Config) -> Commands {
        let mut commands = Commands::new();
        let mut before = std::mem::take(&mut self.standings);
        for (trunk, place) in config.trunks.iter().zip(0..) {
            let mut standing = before.remove(&trunk.name).unwrap_or_default();
            if !trunk.targets.is_empty() {
                standing.targets = ordered(trunk.targets.clone());
            }
            self.care(trunk, TrunkId(place), &mut standing, &mut commands);
            self.standings.insert(trunk.name.clone(), standing);
        }
        for (name, standing) in &mut before {
            if standing.registered == Some(true) {
                self.left.push(name.clone());
            }
            // Calls that still run by it are over one day; who counted them is gone.
            stop(standing, &mut commands);
        }
        commands
    }

    /// What became of trunks by a configuration, to be told to others.
    pub(crate) fn news(&mut self) -> Vec<(Box<str>, TrunkHappening)> {
        let left = self.left.drain(..);
        left.map(|name| (name, TrunkHappening::Unregistered { status: None })).collect()
    }

    /// Takes where a trunk is now.
    pub(crate) fn resolved(&mut self, config: &Config, place: TrunkId, targets: Vec<Target>) -> Commands {
        let mut commands = Commands::new();
        let Some(trunk) = config.trunks.get(usize::from(place.0)) else { return commands };
        let mut standing = self.standings.remove(&trunk.name).unwrap_or_default();
        standing.targets = ordered(targets);
        self.care(trunk, place, &mut standing, &mut commands);
        self.standings.insert(trunk.name.clone(), standing);
        commands
    }

    /// Registers where that is wanted, and asks where that is.
    fn care(&mut self, trunk: &Trunk, place: TrunkId, standing: &mut Standing, commands: &mut Commands) {
        // Names are lost for a while: whatever was begun goes on where it was.
        let begun = standing.registration.as_ref().map(|kept| &kept.wanted.flows);
        let begun = begun.or(standing.ping.as_ref().map(|kept| &kept.wanted.flows));
        let flows: Vec<Flow> = match standing.targets.as_slice() {
            [] => begun.cloned().unwrap_or_default(),
            targets => targets.iter().map(|target| target.flow).collect(),
        };
        if flows.is_empty() {
            return;
        }
        let wanted = trunk.registration.as_ref().map(|registration| Registering {
            trunk: place,
            flows: flows.clone(),
            registrar: format!("sip:{}", trunk.host),
            aor: registration.aor.to_string(),
            expires: registration.expires,
            credentials: trunk.credentials.clone(),
        });
        let stays = |old: &Registering, new: &Registering| {
            (&old.registrar, &old.aor, old.expires, &old.credentials)
                == (&new.registrar, &new.aor, new.expires, &new.credentials)
        };
        let old = standing.registration.take();
        let old = old.and_then(|old| {
            if wanted.as_ref().is_some_and(|wanted| stays(&old.wanted, wanted)) {
                return Some(old);
            }
            // Another binding is another errand: what is heard of this one no longer counts.
            commands.push((old.id, ErrandCommand::Stop));
            self.owners.remove(&old.id);
            if standing.registered == Some(true) {
                self.left.push(trunk.name.clone());
            }
            (standing.registered, standing.routes) = (None, Vec::new());
            None
        });
        if let Some(wanted) = wanted {
            let id = old.as_ref().map_or_else(|| self.errand(&trunk.name), |old| old.id);
            if old.is_none_or(|old| old.wanted != wanted) {
                commands.push((id, ErrandCommand::Register(Box::new(wanted.clone()))));
            }
            standing.registration = Some(Kept { id, wanted });
        }
        let wanted = trunk.ping.map(|every| Asking {
            flows,
            uri: format!("sip:{}", trunk.host),
            every,
            patience: PATIENCE.min(every),
        });
        let old = standing.ping.take();
        match (old, wanted) {
            (old, Some(wanted)) => {
                let id = old.as_ref().map_or_else(|| self.errand(&trunk.name), |old| old.id);
                if old.is_none_or(|old| old.wanted != wanted) {
                    commands.push((id, ErrandCommand::Ask(Box::new(wanted.clone()))));
                }
                standing.ping = Some(Kept { id, wanted });
            }
            (Some(old), None) => {
                commands.push((old.id, ErrandCommand::Stop));
                self.owners.remove(&old.id);
                standing.up = None;
            }
            (None, None) => {}
        }
    }

    fn errand(&mut self, name: &str) -> ErrandId {
        self.errands += 1;
        let id = ErrandId(self.errands);
        self.owners.insert(id, name.into());
        id
    }

    /// Ends every errand.
    pub(crate) fn stop(&mut self) -> Commands {
        let mut commands = Commands::new();
        for standing in self.standings.values_mut() {
            stop(standing, &mut commands);
        }
        commands
    }

    /// An errand says something; gives what that means to others, and of which trunk.
    pub(crate) fn said(
        &mut self,
        errand: ErrandId,
        event: ErrandEvent,
    ) -> Option<(Box<str>, TrunkHappening)> {
        let name = self.owners.get(&errand)?.clone();
        if event == ErrandEvent::Over {
            self.owners.remove(&errand);
        }
        let standing = self.standings.get_mut(&name)?;
        let happening = match event {
            ErrandEvent::Registered { expires, routes } => {
                standing.routes = routes;
                // New routes for the same binding are no news to anyone else.
                if standing.registered.replace(true) == Some(true) {
                    return None;
                }
                TrunkHappening::Registered { expires }
            }
            ErrandEvent::Unregistered { status } => {
                standing.routes.clear();
                standing.registered = Some(false);
                TrunkHappening::Unregistered { status }
            }
            ErrandEvent::Up => {
                standing.up = Some(true);
                standing.shunned.clear();
                TrunkHappening::Up
            }
            ErrandEvent::Down => {
                standing.up = Some(false);
                TrunkHappening::Down
            }
            ErrandEvent::Over => return None,
        };
        Some((name, happening))
    }

    /// The ways a call can take, the best first. Trunks that are down, not registered at, or did not take a call a
    /// moment ago are passed over; where there are no others, they are what there is.
    pub(crate) fn ways(&self, now: Instant, choice: &Choice, config: &Config, ids: &mut Ids) -> Vec<Way> {
        let order = match choice {
            Choice::InOrder(trunks) => trunks.clone(),
            Choice::ByWeight(weights) => drawn(weights.clone(), ids),
        };
        let known = order.iter().filter_map(|trunk| {
            let name = &config.trunks.get(usize::from(trunk.0))?.name;
            Some((*trunk, self.standings.get(name)?))
        });
        let all: Vec<(Way, &Standing)> = known
            .flat_map(|(trunk, standing)| {
                let flows = balanced(&standing.targets, ids);
                flows.into_iter().map(move |flow| (Way { trunk, flow }, standing))
            })
            .collect();
        let good =
            |(way, standing): &&(Way, &Standing)| standing.is_well() && !standing.is_shunned(way.flow, now);
        let mut ways: Vec<Way> = all.iter().filter(good).map(|(way, _)| *way).collect();
        if ways.is_empty() {
            ways = all.iter().map(|(way, _)| *way).collect();
        }
        ways.truncate(WAYS);
        ways
    }

    /// What a call that goes out by this trunk is to be routed by.
    pub(crate) fn routes(&self, trunk: &str) -> Vec<String> {
        self.standings.get(trunk).map(|standing| standing.routes.clone()).unwrap_or_default()
    }

    /// Passes this address over for a while.
    pub(crate) fn shun(&mut self, now: Instant, trunk: &str, flow: Flow, told: Option<Duration>) {
        let Some(standing) = self.standings.get_mut(trunk) else { return };
        standing.shunned.retain(|(other, until)| *other != flow && *until > now);
        standing.shunned.push((flow, now + told.unwrap_or(SHUNNED).min(LONGEST_SHUNNED)));
    }

    /// Takes a place for one more call by this trunk.
    pub(crate) fn take(&mut self, now: Instant, trunk: &Trunk) -> Room {
        let Some(standing) = self.standings.get_mut(&trunk.name) else { return Room::Full };
        let has_place = trunk.max_calls.is_none_or(|most| standing.calls < most);
        let in_time = trunk.calls_per_second.is_none_or(|most| has_place && standing.rate.admits(now, most));
        if !(has_place && in_time) {
            return Room::Full;
        }
        standing.calls += 1;
        Room::Taken
    }

    /// A call that goes on has its place, however many there are.
    pub(crate) fn take_again(&mut self, trunk: &str) {
        if let Some(standing) = self.standings.get_mut(trunk) {
            standing.calls += 1;
        }
    }

    /// Gives it back.
    pub(crate) fn give(&mut self, trunk: &str) {
        if let Some(standing) = self.standings.get_mut(trunk) {
            standing.calls = standing.calls.saturating_sub(1);
        }
    }

    /// How each trunk is, in the order of the configuration.
    pub(crate) fn status(&self, config: &Config) -> Vec<TrunkStatus> {
        let known = config.trunks.iter().filter_map(|trunk| {
            let standing = self.standings.get(&trunk.name)?;
            Some(TrunkStatus {
                name: trunk.name.clone(),
                addresses: standing.targets.len(),
                up: standing.up,
                registered: standing.registered,
                calls: standing.calls,
            })
        });
        known.collect()
    }
}

fn stop(standing: &mut Standing, commands: &mut Commands) {
    let registration = standing.registration.take().map(|kept| kept.id);
    let ping = standing.ping.take().map(|kept| kept.id);
    commands.extend(registration.into_iter().chain(ping).map(|id| (id, ErrandCommand::Stop)));
}

/// The best first; of equals those with the larger share.
fn ordered(mut targets: Vec<Target>) -> Vec<Target> {
    targets.sort_by_key(|target| (target.priority, std::cmp::Reverse(target.weight), target.flow));
    targets
}

/// All of them by priority, and within one drawn by weight (RFC 2782).
fn balanced(targets: &[Target], ids: &mut Ids) -> Vec<Flow> {
    let groups = targets.chunk_by(|one, next| one.priority == next.priority);
    let weighed = |group: &[Target]| group.iter().map(|target| (target.flow, target.weight.into())).collect();
    groups.flat_map(|group| drawn(weighed(group), ids)).collect()
}

/// All of them, each as likely to be next as its weight among those that are left; without any weight in their order.
fn drawn<T: Copy>(mut left: Vec<(T, u32)>, ids: &mut Ids) -> Vec<T> {
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let sum: u64 = left.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let mut at = if sum == 0 { 0 } else { ids.number() % sum };
        let chosen = left.iter().position(|(_, weight)| {
            let weight = u64::from(*weight);
            let is_here = at < weight;
            at = at.saturating_sub(weight);
            is_here
        });
        order.push(left.remove(chosen.unwrap_or(0)).0);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_weighs_more_comes_first_more_often_and_everything_comes_once() {
        let mut ids = Ids::new([3; 32], 0);
        let weights = [(TrunkId(0), 3), (TrunkId(1), 1), (TrunkId(2), 0)];
        let mut first = [0; 3];
        for _ in 0..1000 {
            let mut order = drawn(weights.to_vec(), &mut ids);
            first[usize::from(order[0].0)] += 1;
            order.sort();
            assert_eq!(order, [TrunkId(0), TrunkId(1), TrunkId(2)]);
        }
        assert!((700..800).contains(&first[0]) && first[2] == 0, "{first:?}");
    }

    #[test]
    fn targets_come_by_priority_and_share_by_weight() {
        let flow = |last: u8| Flow {
            listener: 0,
            transport: sip::Transport::Udp,
            peer: ([192, 0, 2, last], 5060).into(),
            connection: None,
        };
        let target = |last, priority, weight| Target { flow: flow(last), priority, weight };
        let targets =
            ordered(vec![target(4, 20, 0), target(1, 10, 60), target(2, 10, 20), target(3, 10, 20)]);
        let mut ids = Ids::new([3; 32], 0);
        let mut first = [0; 3];
        for _ in 0..1000 {
            let order = balanced(&targets, &mut ids);
            assert_eq!((order.len(), order[3]), (4, flow(4)));
            let place = [1, 2, 3].into_iter().position(|last| order[0] == flow(last)).unwrap();
            first[place] += 1;
        }
        assert!(
            (550..650).contains(&first[0]) && first[1..].iter().all(|n| (150..250).contains(n)),
            "{first:?}"
        );
    }
}
