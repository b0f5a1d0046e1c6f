//! What was added up, as points.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::histogram::ms_of_slot;
use super::{Point, Step, Total};
use crate::shared::Shared;
use crate::{Store, StoreError, Timestamp, changes, keys};

/// How far back it is looked for how many calls went on when the first point began: no call is longer.
const LONGEST_CALL: u64 = 86_400_000;

impl Total {
    fn point(&self, at: u64, trunk: &str, running: u32) -> Point {
        let delay = |of_hundred| self.delay.percentile(of_hundred).map(ms_of_slot);
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of two years are far from that")]
        let talk_seconds = self.talk_ms as f64 / 1000.0;
        #[expect(clippy::cast_precision_loss, reason = "a mean of hundredths")]
        let mos = (self.mos_count > 0).then(|| self.mos_sum as f64 / f64::from(self.mos_count));
        Point {
            at: Timestamp(at),
            trunk: trunk.to_owned(),
            calls: u64::from(self.came) + u64::from(self.dialled),
            answered: u64::from(self.came_answered) + u64::from(self.reached),
            dialled: u64::from(self.dialled),
            reached: u64::from(self.reached),
            post_dial_delay_p50_ms: delay(50),
            post_dial_delay_p95_ms: delay(95),
            talk_seconds,
            mos: mos.map(|mos| mos.round() / 100.0),
            mos_p5: self.mos.percentile(5).map(|slot| f64::from(slot) / 20.0),
            most_at_once: self.most.max(running),
        }
    }
}

impl Shared {
    fn totals(
        &self,
        step: Step,
        from: u64,
        to: u64,
        trunk: Option<&str>,
    ) -> impl Iterator<Item = Result<(u64, String, Total), StoreError>> {
        let from = Bound::Included(keys::total(step as u8, from, ""));
        let to = Bound::Excluded(keys::total(step as u8, to, ""));
        let wanted = trunk.map(str::to_owned);
        self.disk.range(from, to).filter_map(move |item| {
            let (key, value) = match item {
                Ok(item) => item,
                Err(error) => return Some(Err(error)),
            };
            let (at, trunk) = keys::read_total(&key)?;
            wanted
                .as_deref()
                .is_none_or(|wanted| wanted == trunk)
                .then(|| changes::unpack(&value).map(|total| (at, trunk.to_owned(), total)))
        })
    }

    fn statistics(
        &self,
        step: Step,
        from: Timestamp,
        to: Timestamp,
        trunk: Option<&str>,
    ) -> Result<Vec<Point>, StoreError> {
        let (from, to) = (step.of(from), to.0);
        // How many calls each trunk had when the time asked for began.
        let mut running: BTreeMap<String, u32> = BTreeMap::new();
        for item in self.totals(step, from.saturating_sub(LONGEST_CALL + step.millis()), from, trunk) {
            let (_, trunk, total) = item?;
            running.insert(trunk, total.running);
        }
        running.retain(|_, count| *count > 0);
        let mut points = Vec::new();
        let mut at = from;
        let found: Vec<_> = self.totals(step, from, to, trunk).collect::<Result<_, _>>()?;
        let mut found = found.into_iter().peekable();
        while at < to {
            let mut of_step: BTreeMap<String, Total> =
                running.keys().map(|trunk| (trunk.clone(), Total::default())).collect();
            let mut heard = Vec::new();
            while let Some((_, trunk, total)) = found.next_if(|(place, ..)| *place == at) {
                heard.push((trunk.clone(), total.running));
                of_step.insert(trunk, total);
            }
            points.extend(of_step.iter().map(|(trunk, total)| {
                total.point(at, trunk, running.get(trunk).copied().unwrap_or_default())
            }));
            running.extend(heard);
            running.retain(|_, count| *count > 0);
            at = match found.peek() {
                Some((next, ..)) if running.is_empty() => *next,
                None if running.is_empty() => break,
                Some(_) | None => at + step.millis(),
            };
        }
        Ok(points)
    }
}

impl Store {
    /// How trunks did from the step in which `from` lies to before `to`, by time, then name; one of them, if it is named. What
    /// nothing is known of is left out: then there was no call.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn statistics(
        &self,
        step: Step,
        from: Timestamp,
        to: Timestamp,
        trunk: Option<&str>,
    ) -> Result<Vec<Point>, StoreError> {
        self.shared().statistics(step, from, to, trunk)
    }
}
