//! What is done for a trunk outside of any call: being registered there, and asking whether it is there.

mod ping;
mod registration;

use std::collections::BTreeMap;
use std::time::Duration;

use sip::{Flow, Request, Response};

use crate::chance::{Chance, Token};
use crate::interface::{ErrandCommand, ErrandEvent, ErrandId, Letter, Output, Owner, Timer, TrunkId};
use crate::settings::Settings;
use crate::transaction::Transactions;

use ping::Ping;
use registration::Registration;

/// What can happen to an errand.
#[derive(Debug)]
pub(crate) enum Input {
    Command(ErrandCommand),
    /// A final response to its request, and where it came from.
    Response(Box<Response>, Flow),
    /// No response came in time, or none can come.
    Unanswered,
    Fired(Letter),
    /// A connection is gone.
    FlowLost(Flow),
}

#[derive(Debug)]
enum Errand {
    Registration(Box<Registration>),
    Ping(Box<Ping>),
}

/// All errands of a user agent.
#[derive(Debug, Default)]
pub(crate) struct Errands(BTreeMap<ErrandId, Errand>);

/// The way from an errand to the world.
pub(crate) struct Wires<'a> {
    pub(crate) errand: ErrandId,
    pub(crate) transactions: &'a mut Transactions,
    pub(crate) chance: &'a mut Chance,
    pub(crate) settings: &'a Settings,
    pub(crate) out: &'a mut Vec<Output>,
}

impl Wires<'_> {
    fn say(&mut self, event: ErrandEvent) {
        self.out.push(Output::Errand(self.errand, event));
    }

    fn arm(&mut self, letter: Letter, after: Duration) {
        self.out.push(Output::Arm(Timer { owner: Owner::Errand(self.errand), letter }, after));
    }

    fn disarm(&mut self, letter: Letter) {
        self.out.push(Output::Disarm(Timer { owner: Owner::Errand(self.errand), letter }));
    }
}

impl Errands {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The trunk at which we are registered under the user this request is for: whoever knows it has it from there.
    pub(crate) fn trunk_of(&self, request: &Request) -> Option<TrunkId> {
        let uri = request.uri();
        let contact = Token::read(uri.user()?.as_bytes())?;
        self.0.values().find_map(|errand| match errand {
            Errand::Registration(registration) => registration.trunk_of(contact),
            Errand::Ping(_) => None,
        })
    }

    /// Gives an input to an errand, which a command may make and its end removes.
    pub(crate) fn tell(&mut self, input: Input, wires: &mut Wires<'_>) {
        let id = wires.errand;
        let next = match (self.0.remove(&id), input) {
            (None, Input::Command(ErrandCommand::Register(wanted))) => {
                Registration::begin(*wanted, wires).map(Errand::Registration)
            }
            (None, Input::Command(ErrandCommand::Ask(wanted))) => {
                Ping::begin(*wanted, wires).map(Errand::Ping)
            }
            (None, _) => return,
            (Some(Errand::Registration(registration)), input) => {
                registration.handle(input, wires).map(Errand::Registration)
            }
            (Some(Errand::Ping(ping)), input) => ping.handle(input, wires).map(Errand::Ping),
        };
        match next {
            Some(errand) => {
                self.0.insert(id, errand);
            }
            None => wires.say(ErrandEvent::Over),
        }
    }

    /// Everyone, for a connection that is gone concerns whoever used it.
    pub(crate) fn ids(&self) -> Vec<ErrandId> {
        self.0.keys().copied().collect()
    }
}
