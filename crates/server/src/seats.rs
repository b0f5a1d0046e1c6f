//! Places among connections: so many in all, and so many of one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// The places there are, and who has how many.
#[derive(Debug)]
pub(crate) struct Seats {
    by_source: Mutex<HashMap<IpAddr, usize>>,
    most: usize,
    most_of_one: usize,
}

/// A place, given back when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Arc<Seats>,
    source: IpAddr,
}

impl Seats {
    pub(crate) fn new(most: usize, most_of_one: usize) -> Arc<Self> {
        Arc::new(Self { by_source: Mutex::default(), most, most_of_one })
    }

    /// A place for this address; `None` where there is none for it.
    pub(crate) fn take(self: &Arc<Self>, source: IpAddr) -> Option<Seat> {
        let mut by_source = self.by_source.lock().unwrap_or_else(PoisonError::into_inner);
        let total: usize = by_source.values().sum();
        let count = by_source.get(&source).copied().unwrap_or_default();
        if total >= self.most || count >= self.most_of_one {
            return None;
        }
        by_source.insert(source, count + 1);
        Some(Seat { seats: Arc::clone(self), source })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut by_source = self.seats.by_source.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_source.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                by_source.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_so_many_places_in_all_and_so_many_for_one() {
        let seats = Seats::new(3, 2);
        let [one, other, third] = [1, 2, 3].map(|last| IpAddr::from([192, 0, 2, last]));
        let first = seats.take(one).unwrap();
        let _second = seats.take(one).unwrap();
        assert!(seats.take(one).is_none());
        let _third = seats.take(other).unwrap();
        assert!(seats.take(third).is_none());
        assert_eq!(seats.by_source.lock().unwrap().len(), 2, "who has none is not remembered");
        drop(first);
        assert!(seats.take(third).is_some());
    }
}
