//! Which of our media ports are free.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use clock::Instant;
use rtp::Port;

use crate::config::MediaAddress;

/// The free ports of every worker on every media address. A port that was used rests before it is given
/// again, so that late packets of one call never enter another.
#[derive(Debug)]
pub(crate) struct Ports {
    free: Vec<Vec<VecDeque<Free>>>,
    locals: Vec<IpAddr>,
    rest: Duration,
    taken: usize,
}

#[derive(Debug, Clone, Copy)]
struct Free {
    number: u16,
    from: Instant,
}

impl Ports {
    /// `chance` is asked once for each port: they are given in no order that can be foretold.
    pub(crate) fn new(media: &[MediaAddress], rest: Duration, mut chance: impl FnMut() -> u64) -> Self {
        let mut shuffled = |numbers: &[u16]| {
            let mut drawn: Vec<_> = numbers.iter().map(|number| (chance(), *number)).collect();
            drawn.sort_unstable();
            drawn.into_iter().map(|(_, number)| Free { number, from: Instant::ZERO }).collect()
        };
        Self {
            free: media
                .iter()
                .map(|address| address.ports.iter().map(|worker| shuffled(worker)).collect())
                .collect(),
            locals: media.iter().map(|address| address.local).collect(),
            rest,
            taken: 0,
        }
    }

    /// The media address of the same family as `peer`.
    pub(crate) fn address_for(&self, peer: IpAddr) -> Option<u8> {
        let family = peer.to_canonical().is_ipv4();
        let place = self.locals.iter().position(|local| local.is_ipv4() == family)?;
        u8::try_from(place).ok()
    }

    /// A port for a new call, from the worker that has most to give.
    pub(crate) fn take(&mut self, now: Instant, address: u8) -> Option<Port> {
        let workers = self.free.get(usize::from(address))?;
        let (worker, _) = workers.iter().enumerate().max_by_key(|(_, free)| free.len())?;
        self.take_beside(now, address, u16::try_from(worker).ok()?)
    }

    /// A port of a given worker: both sessions of a bridge belong to one.
    pub(crate) fn take_beside(&mut self, now: Instant, address: u8, worker: u16) -> Option<Port> {
        let free = self.free.get_mut(usize::from(address))?.get_mut(usize::from(worker))?;
        free.front().filter(|port| port.from <= now)?;
        let number = free.pop_front()?.number;
        self.taken += 1;
        Some(Port { worker, address, number })
    }

    /// Takes these ports of these addresses, for the two sides of a call that goes on: both, from one worker.
    pub(crate) fn take_again(&mut self, wanted: [(u8, u16); 2]) -> Option<[Port; 2]> {
        let workers = self.free.first()?.len();
        let worker = (0..workers).find(|worker| {
            let has = |(address, number): (u8, u16)| {
                let free = self.free.get(usize::from(address)).and_then(|workers| workers.get(*worker));
                free.is_some_and(|free| free.iter().any(|port| port.number == number))
            };
            wanted[0] != wanted[1] && wanted.into_iter().all(has)
        })?;
        for (address, number) in wanted {
            self.free[usize::from(address)][worker].retain(|port| port.number != number);
            self.taken += 1;
        }
        let worker = u16::try_from(worker).ok()?;
        Some(wanted.map(|(address, number)| Port { worker, address, number }))
    }

    /// Takes a port back.
    pub(crate) fn give(&mut self, now: Instant, port: Port) {
        let worker =
            self.free.get_mut(usize::from(port.address)).and_then(|a| a.get_mut(usize::from(port.worker)));
        if let Some(free) = worker {
            free.push_back(Free { number: port.number, from: now + self.rest });
            self.taken -= 1;
        }
    }

    /// Ports in use.
    pub(crate) fn taken(&self) -> usize {
        self.taken
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn ports() -> Ports {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let media = [MediaAddress { local, public: local, ports: vec![vec![4000], vec![5000, 5002]] }];
        Ports::new(&media, Duration::from_secs(5), || 0)
    }

    #[test]
    fn a_new_call_goes_to_the_worker_with_most_free_ports() {
        let mut ports = ports();
        assert_eq!(ports.take(Instant::ZERO, 0).map(|port| port.worker), Some(1));
    }

    #[test]
    fn a_port_rests_before_it_is_given_again() {
        let mut ports = ports();
        let port = ports.take_beside(Instant::ZERO, 0, 0).unwrap();
        assert_eq!(ports.take_beside(Instant::ZERO, 0, 0), None);
        ports.give(Instant::ZERO, port);
        assert_eq!(ports.take_beside(Instant(Duration::from_secs(4)), 0, 0), None);
        assert_eq!(ports.take_beside(Instant(Duration::from_secs(5)), 0, 0), Some(port));
        assert_eq!(ports.taken(), 1);
    }

    #[test]
    fn the_ports_of_a_call_that_goes_on_are_taken_together_or_not_at_all() {
        let mut ports = ports();
        for wanted in [[(0, 4000), (0, 5000)], [(0, 5000), (0, 5000)], [(0, 5000), (1, 5002)], [(0, 6000); 2]]
        {
            assert_eq!(ports.take_again(wanted), None, "{wanted:?}");
        }
        assert_eq!(ports.taken(), 0);
        let port = |number| Port { worker: 1, address: 0, number };
        assert_eq!(ports.take_again([(0, 5002), (0, 5000)]), Some([port(5002), port(5000)]));
        assert_eq!(ports.take_again([(0, 5002), (0, 5000)]), None, "they are in use");
        assert_eq!(ports.taken(), 2);
        ports.give(Instant::ZERO, port(5000));
        assert_eq!(ports.taken(), 1);
    }

    #[test]
    fn the_address_follows_the_family_of_the_peer() {
        let ports = ports();
        assert_eq!(ports.address_for("192.0.2.1".parse().unwrap()), Some(0));
        assert_eq!(ports.address_for("2001:db8::1".parse().unwrap()), None);
    }
}
