//! What a callback is carried out by: its two sides, with the lines they see.

use std::collections::BTreeMap;
use std::sync::Arc;

use number::Number;

use super::Whose;
use crate::callback::{Callback, Calling, MOST_CANDIDATES};
use crate::config::Line;
use crate::interface::Callee;

/// A callback, with everything it names found.
#[derive(Debug, Clone)]
pub(crate) struct Sides {
    pub(crate) first: Side,
    pub(crate) second: Side,
}

/// One side.
#[derive(Debug, Clone)]
pub(crate) struct Side {
    pub(crate) calling: Calling,
    /// The line they see.
    pub(crate) shown: Arc<Line>,
}

impl Sides {
    /// The sides, and the callback's line. `None`: a line is missing, or a side has nobody, or too many.
    pub(crate) fn find(
        callback: &Callback,
        lines: &BTreeMap<Number, Arc<Line>>,
    ) -> Option<(Self, Arc<Line>)> {
        let side = |calling: &Calling| {
            let shown = Arc::clone(lines.get(&calling.shown)?);
            let is_some = (1..=MOST_CANDIDATES).contains(&calling.candidates.len());
            is_some.then(|| Side { calling: calling.clone(), shown })
        };
        let sides = Self { first: side(&callback.first)?, second: side(&callback.second)? };
        Some((sides, Arc::clone(lines.get(&callback.line)?)))
    }

    /// The side this callee is of; `None`: of none.
    pub(crate) fn side(&self, callee: Callee) -> Option<&Side> {
        match callee {
            Callee::First => Some(&self.first),
            Callee::Second => Some(&self.second),
            Callee::Party(_) | Callee::Fallback | Callee::Operator | Callee::Named => None,
        }
    }
}

impl Callee {
    /// Whose place they take.
    pub(crate) fn place(self) -> Whose {
        match self {
            Self::First => Whose::Caller,
            Self::Second | Self::Party(_) | Self::Fallback | Self::Operator | Self::Named => Whose::Callee,
        }
    }
}
