//! The hooks of this world: what they say, one answer after the other.

use std::collections::VecDeque;

use b2bua::{Advice, Advised, Consultation};

/// Whoever is asked what to do.
#[derive(Debug, Clone, Default)]
pub struct Hooks {
    says: VecDeque<Advice>,
    is_silent: bool,
    /// What they were asked, in order.
    pub asked: Vec<Consultation>,
}

impl Hooks {
    /// Says this next, after what it has to say already. Who has nothing to say fails.
    pub fn say(&mut self, verdict: Advised) {
        self.says.push_back(Advice { verdict, fault: None });
    }

    /// The answer, where one comes.
    pub(crate) fn answer(&mut self, consultation: Consultation) -> Option<Advice> {
        self.asked.push(consultation);
        let next = self.says.pop_front();
        let said = next.unwrap_or_else(|| Advice::failed("it has nothing more to say"));
        (!self.is_silent).then_some(said)
    }

    /// From now on nobody hears anything of them.
    pub(crate) fn silence(&mut self) {
        self.is_silent = true;
    }
}

/// Something else than was asked for.
pub(crate) fn wrong(advice: &Advice) -> Advice {
    let verdict = match advice.verdict {
        Advised::Do(_) | Advised::Nothing => Advised::Approved,
        Advised::Approved | Advised::Vetoed(_) => Advised::Do(Vec::new()),
    };
    Advice { verdict, fault: None }
}
