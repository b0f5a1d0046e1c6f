//! Which session is on which port.

use crate::Port;

/// A place for each pair of ports of an address.
const PAIRS: usize = 1 << 15;
const NOBODY: u32 = u32::MAX;

/// The slot of the session on each port: found without searching, once for each packet.
#[derive(Debug)]
pub(crate) struct Ports {
    /// By address; taken when the first session of an address opens.
    slots: Vec<Box<[u32]>>,
}

impl Ports {
    /// A table for so many addresses.
    pub(crate) fn new(addresses: usize) -> Self {
        Self { slots: (0..addresses).map(|_| Box::default()).collect() }
    }

    /// Who is there.
    pub(crate) fn find(&self, port: Port) -> Option<usize> {
        let slot = *self.slots.get(usize::from(port.address))?.get(usize::from(port.number) / 2)?;
        (slot != NOBODY).then_some(slot as usize)
    }

    /// Puts a session there, or nobody. `false`: we have no such address.
    pub(crate) fn set(&mut self, port: Port, slot: Option<usize>) -> bool {
        let Some(slots) = self.slots.get_mut(usize::from(port.address)) else { return false };
        if slots.is_empty() {
            *slots = vec![NOBODY; PAIRS].into_boxed_slice();
        }
        let slot = slot.map_or(NOBODY, |slot| u32::try_from(slot).expect("fewer sessions than ports"));
        slots[usize::from(port.number) / 2] = slot;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_an_address_and_a_pair_of_numbers() {
        let port = |address, number| Port { worker: 0, address, number };
        let mut ports = Ports::new(2);
        assert!(ports.set(port(1, 65534), Some(7)));
        assert_eq!(ports.find(port(1, 65534)), Some(7));
        assert_eq!(ports.find(port(1, 65532)), None);
        assert_eq!(ports.find(port(0, 65534)), None);
        assert!(ports.set(port(1, 65534), None));
        assert_eq!(ports.find(port(1, 65534)), None);
    }

    #[test]
    fn an_address_we_do_not_have_has_nobody() {
        let mut ports = Ports::new(1);
        let elsewhere = Port { worker: 0, address: 1, number: 4000 };
        assert!(!ports.set(elsewhere, Some(1)));
        assert_eq!(ports.find(elsewhere), None);
    }
}
