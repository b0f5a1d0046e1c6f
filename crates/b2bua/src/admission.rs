//! Whether a new call is taken, and as what.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use clock::Instant;
use number::Number;
use sdp::Local;
use ua::{Incoming, LegId};

use crate::belief;
use crate::call::{Leg, Stuff};
use crate::caller;
use crate::config::{Config, Line, Trunk};
use crate::ids::Ids;
use crate::media::{self, Answerable, Session};
use crate::outcome;
use crate::ports::Ports;
use crate::record::{Cause, Outcome, Record};

/// What of a dialled text is kept in a record.
const DIALLED: usize = 32;

/// New calls in the running second.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    since: Instant,
    calls: u32,
}

impl Rate {
    /// Counts one more; `false` if that is too many.
    pub(crate) fn admits(&mut self, now: Instant, most: u32) -> bool {
        if now.since(self.since) >= Duration::from_secs(1) {
            *self = Self { since: now, calls: 0 };
        }
        self.calls = self.calls.saturating_add(1);
        self.calls <= most
    }
}

/// A call that is not taken: the status it is refused with and the record that remains of it.
#[derive(Debug)]
pub(crate) struct Rejected {
    pub(crate) status: u16,
    /// Whether it would be taken at another time.
    pub(crate) may_try_again: bool,
    pub(crate) record: Box<Record>,
}

/// What admission looks at.
pub(crate) struct Gate<'a> {
    pub(crate) now: Instant,
    pub(crate) config: &'a Arc<Config>,
    pub(crate) lines: &'a std::collections::BTreeMap<Number, Arc<Line>>,
    pub(crate) ids: &'a mut Ids,
    pub(crate) ports: &'a mut Ports,
}

impl Gate<'_> {
    /// Takes a call or says why not.
    pub(crate) fn admit(&mut self, leg: LegId, incoming: &Incoming) -> Result<Stuff, Rejected> {
        let (line, mut record) = self.meet(incoming);
        let Some(line) = line else { return Err(self.reject(record, Cause::UnknownLine)) };
        // A call that shows one of our own numbers has come round to us (RFC 5393 §1: loops across B2BUAs).
        if record.caller.is_some_and(|caller| self.lines.contains_key(&caller)) {
            return Err(self.reject(record, Cause::Loop));
        }
        let asked = match belief::ask(&mut record, &line, incoming, self.config) {
            Ok(asked) => asked,
            Err(status) => {
                let outcome = Outcome { status: Some(status), ..outcome::ours(Cause::Unverified) };
                return Err(self.rejected(record, outcome));
            }
        };
        let (codecs, xr) = (&self.config.codecs, self.config.xr);
        let trunk = &self.config.trunks[usize::from(incoming.trunk.0)];
        let security = media::security(trunk.srtp, self.ids);
        let offer = match incoming.offer.as_deref().map(|offer| Answerable::read(offer, codecs, security, xr))
        {
            Some(None) => return Err(self.reject(record, Cause::NotAcceptable)),
            Some(Some(answerable)) => Some(answerable),
            None => None,
        };
        // The family their session speaks; where they did not say, the one their signalling does.
        let peer = offer.as_ref().and_then(Answerable::peer).unwrap_or(incoming.flow.peer.ip());
        let Some((port, address)) = self.port(peer) else {
            return Err(self.reject(record, Cause::Overloaded));
        };
        let public = self.config.media[usize::from(address)].public;
        let local = Local { address: public, port: port.number, session: self.ids.number(), version: 1 };
        let description = match offer {
            Some(answerable) => Session::answering(local, answerable),
            None => Session::offering(local, codecs, None, security, xr),
        };
        let caller = Leg::new(leg, self.ids.session(), port, description);
        let config = Arc::clone(self.config);
        Ok(Stuff { config, line, caller: Some(caller), sides: None, record, hops: incoming.hops, asked })
    }

    /// Takes no call, whatever it is: a limit is reached, or we drain.
    pub(crate) fn overloaded(&mut self, incoming: &Incoming) -> Rejected {
        let (_, record) = self.meet(incoming);
        self.reject(record, Cause::Overloaded)
    }

    /// What is known of any call: the line, if it is for one, and how its record begins.
    fn meet(&mut self, incoming: &Incoming) -> (Option<Arc<Line>>, Box<Record>) {
        let trunk = &self.config.trunks[usize::from(incoming.trunk.0)];
        let line = self.line(incoming);
        let record = self.record(incoming, trunk, line.as_ref().map(|line| line.number));
        (line, record)
    }

    /// The line called: by the Request-URI, or where that names an account or what we registered, by what tells the
    /// number dialled then.
    fn line(&self, incoming: &Incoming) -> Option<Arc<Line>> {
        let profile = &self.config.trunks[usize::from(incoming.trunk.0)].profile;
        let called_party = incoming.called_party.as_deref();
        std::iter::once(&*incoming.called)
            .chain(called_party)
            .chain(std::iter::once(&*incoming.to))
            .filter_map(|text| profile.read(text))
            .find_map(|number| self.lines.get(&number).cloned())
    }

    fn port(&mut self, peer: IpAddr) -> Option<(rtp::Port, u8)> {
        let address = self.ports.address_for(peer)?;
        Some((self.ports.take(self.now, address)?, address))
    }

    fn record(&mut self, incoming: &Incoming, trunk: &Trunk, line: Option<Number>) -> Box<Record> {
        let dialled: String = incoming
            .called
            .chars()
            .filter(|c| c.is_ascii_digit() || matches!(c, '+' | '*' | '#'))
            .take(DIALLED)
            .collect();
        Box::new(Record {
            line,
            dialled: dialled.into(),
            trunk: trunk.name.clone(),
            caller: caller::number(&incoming.identity, trunk.trust, &trunk.profile),
            ..Record::begin(self.ids.call(self.now), self.now)
        })
    }

    fn reject(&self, record: Box<Record>, cause: Cause) -> Rejected {
        let mut outcome = outcome::ours(cause);
        if cause == Cause::Overloaded {
            outcome.status = Some(self.config.limits.busy_status);
        }
        self.rejected(record, outcome)
    }

    fn rejected(&self, mut record: Box<Record>, outcome: Outcome) -> Rejected {
        let may_try_again = outcome.cause == Cause::Overloaded;
        record.ended = Some(self.now);
        record.outcome = Some(outcome);
        Rejected { status: outcome.status.unwrap_or(480), may_try_again, record }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_beyond_the_rate_are_not_admitted_until_the_second_is_over() {
        let mut rate = Rate::default();
        let at = |ms| Instant(Duration::from_millis(ms));
        assert!(rate.admits(at(0), 2) && rate.admits(at(500), 2));
        assert!(!rate.admits(at(999), 2));
        assert!(rate.admits(at(1000), 2));
    }
}
