//! How many calls are tried one after the other, and what is concluded from all of them.

/// So many steps at most.
const MOST: usize = 16;
/// The share of lost packets a call does not survive well.
pub(super) const TOO_LOSSY: f64 = 0.01;
/// The share of its cores at which a relay is full.
const FULL: f64 = 0.95;
/// The share at which doubling would leap too far.
const NEAR: f64 = 0.4;
/// The share a machine is planned with.
pub(super) const PLANNED: f64 = 0.7;

/// Which numbers of calls are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Steps {
    These(Vec<u32>),
    /// More and more, from so many on.
    UntilSaturated(u32),
}

/// What decides about the next step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Load {
    pub(super) calls: u32,
    /// The share of its cores.
    pub(super) busy: f64,
    pub(super) loss: f64,
    pub(super) generator_bound: bool,
}

impl Steps {
    /// The next number of calls after those.
    pub(super) fn next(&self, done: &[Load]) -> Option<u32> {
        match self {
            Self::These(calls) => calls.get(done.len()).copied(),
            Self::UntilSaturated(first) => {
                let Some(last) = done.last() else { return Some(*first) };
                let full = last.loss > TOO_LOSSY || last.busy >= FULL || last.generator_bound;
                let further = last.calls.saturating_add((last.calls / 3).max(1));
                let next = if last.busy < NEAR { last.calls.saturating_mul(2) } else { further };
                (!full && done.len() < MOST).then_some(next)
            }
        }
    }
}

/// How many calls keep that share of the cores busy: between the two steps that have it between them, and none of what
/// is below it lossy.
pub(super) fn calls_at(share: f64, loads: &[Load]) -> Option<f64> {
    let mut loads: Vec<&Load> = loads.iter().collect();
    loads.sort_by_key(|load| load.calls);
    loads.windows(2).find_map(|pair| {
        let [below, above] = pair else { return None };
        let holds = below.busy <= share && share < above.busy;
        let part = (share - below.busy) / (above.busy - below.busy);
        let calls = f64::from(below.calls) + part * f64::from(above.calls.saturating_sub(below.calls));
        (holds && below.loss <= TOO_LOSSY).then_some(calls)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(calls: u32, busy: f64, loss: f64) -> Load {
        Load { calls, busy, loss, generator_bound: false }
    }

    #[test]
    fn calls_double_while_there_is_room_and_grow_by_a_third_after_that() {
        let steps = Steps::UntilSaturated(50);
        assert_eq!(steps.next(&[]), Some(50));
        assert_eq!(steps.next(&[load(50, 0.1, 0.0)]), Some(100));
        assert_eq!(steps.next(&[load(300, 0.5, 0.0)]), Some(400));
        assert_eq!(steps.next(&[load(1, 0.5, 0.0)]), Some(2));
    }

    #[test]
    fn it_ends_with_loss_a_full_core_a_weak_generator_or_patience() {
        let steps = Steps::UntilSaturated(50);
        assert_eq!(steps.next(&[load(100, 0.5, 0.02)]), None);
        assert_eq!(steps.next(&[load(100, 0.96, 0.0)]), None);
        assert_eq!(steps.next(&[Load { generator_bound: true, ..load(100, 0.5, 0.0) }]), None);
        assert_eq!(steps.next(&[load(100, 0.1, 0.0); MOST]), None);
    }

    #[test]
    fn those_that_are_named_are_all_done() {
        let steps = Steps::These(vec![5, 7]);
        assert_eq!(steps.next(&[]), Some(5));
        assert_eq!(steps.next(&[load(5, 1.0, 1.0)]), Some(7));
        assert_eq!(steps.next(&[load(5, 1.0, 1.0); 2]), None);
    }

    #[test]
    fn capacity_lies_between_the_steps_around_it() {
        let loads = [load(400, 0.8, 0.0), load(100, 0.4, 0.0), load(200, 0.6, 0.0)];
        let calls = calls_at(PLANNED, &loads).unwrap();
        assert!((calls - 300.0).abs() < 1e-6, "{calls}");
        assert_eq!(calls_at(0.6, &loads).map(f64::round), Some(200.0), "a step itself");
    }

    #[test]
    fn capacity_is_not_guessed() {
        assert_eq!(calls_at(PLANNED, &[]), None);
        assert_eq!(calls_at(PLANNED, &[load(100, 0.5, 0.0), load(200, 0.6, 0.0)]), None, "not reached");
        assert_eq!(calls_at(PLANNED, &[load(100, 0.8, 0.0), load(200, 0.9, 0.0)]), None, "begun above");
        assert_eq!(calls_at(PLANNED, &[load(100, 0.6, 0.02), load(200, 0.8, 0.0)]), None, "not without loss");
    }
}
