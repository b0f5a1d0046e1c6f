//! When each session wants to be called next.

use clock::Instant;

const NOWHERE: usize = usize::MAX;

/// One deadline for each slot at most: a binary heap that knows where each slot stands in it. Moving a deadline takes
/// no memory, unlike in `clock::Timers`: a prompt moves its own with every packet.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    heap: Vec<(Instant, usize)>,
    places: Vec<usize>,
}

impl Deadlines {
    /// Makes room for a slot, so that setting its deadline never takes memory.
    pub(crate) fn admit(&mut self, slot: usize) {
        if slot >= self.places.len() {
            self.places.resize(slot + 1, NOWHERE);
        }
        self.heap.reserve(self.places.len() - self.heap.len());
    }

    /// Sets, moves or takes away the deadline of an admitted slot.
    pub(crate) fn set(&mut self, slot: usize, at: Option<Instant>) {
        match (at, self.places[slot]) {
            (Some(at), NOWHERE) => {
                self.heap.push((at, slot));
                self.places[slot] = self.heap.len() - 1;
                self.settle(self.heap.len() - 1);
            }
            (Some(at), place) => {
                self.heap[place].0 = at;
                self.settle(place);
            }
            (None, NOWHERE) => {}
            (None, place) => {
                self.heap.swap_remove(place);
                self.places[slot] = NOWHERE;
                if let Some((_, moved)) = self.heap.get(place) {
                    self.places[*moved] = place;
                    self.settle(place);
                }
            }
        }
    }

    /// The earliest.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.first().map(|(at, _)| *at)
    }

    /// Whose deadline has come by `now`. Its deadline stays until it is set anew.
    pub(crate) fn due(&self, now: Instant) -> Option<usize> {
        self.heap.first().filter(|(at, _)| *at <= now).map(|(_, slot)| *slot)
    }

    /// Moves one entry up or down to where it belongs.
    fn settle(&mut self, mut place: usize) {
        while place > 0 && self.heap[place] < self.heap[(place - 1) / 2] {
            self.swap(place, (place - 1) / 2);
            place = (place - 1) / 2;
        }
        loop {
            let children = [2 * place + 1, 2 * place + 2];
            let below = children.into_iter().filter(|child| *child < self.heap.len());
            match below.min_by_key(|child| self.heap[*child]) {
                Some(child) if self.heap[child] < self.heap[place] => {
                    self.swap(place, child);
                    place = child;
                }
                Some(_) | None => return,
            }
        }
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.heap.swap(one, other);
        self.places[self.heap[one].1] = one;
        self.places[self.heap[other].1] = other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{RngCore, SeedableRng};
    use std::time::Duration;

    fn at(milliseconds: u64) -> Instant {
        Instant(Duration::from_millis(milliseconds))
    }

    #[test]
    fn it_agrees_with_a_sorted_list_whatever_is_set() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut deadlines = Deadlines::default();
        let mut list = vec![None; 50];
        for slot in 0..list.len() {
            deadlines.admit(slot);
        }
        for _ in 0..10_000 {
            let slot = random.next_u32() as usize % list.len();
            let time = (random.next_u32() % 4 != 0).then(|| at((random.next_u32() % 1000).into()));
            list[slot] = time;
            deadlines.set(slot, time);
            let first = list.iter().enumerate().filter_map(|(slot, at)| at.map(|at| (at, slot))).min();
            assert_eq!(deadlines.next(), first.map(|(at, _)| at));
            assert_eq!(deadlines.due(at(1000)), first.map(|(_, slot)| slot));
        }
    }

    #[test]
    fn nothing_is_due_before_its_time() {
        let mut deadlines = Deadlines::default();
        deadlines.admit(3);
        deadlines.set(3, Some(at(5)));
        assert_eq!(deadlines.due(at(4)), None);
        assert_eq!(deadlines.due(at(5)), Some(3));
        deadlines.set(3, None);
        assert_eq!(deadlines.due(at(5)), None);
    }
}
