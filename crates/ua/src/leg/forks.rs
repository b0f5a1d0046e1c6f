//! The 2xx responses to our INVITE after the first: the same again, or from another fork (RFC 3261 §13.2.2.4). They
//! can come for 64*T1, whatever has become of the leg.

use std::sync::Arc;

use bytes::Bytes;
use sip::{Flow, Response};

use crate::compose::Heading;
use crate::dialog::Dialog;
use crate::transaction::Part;
use crate::wires::Wires;

/// Most forks of one INVITE that are acknowledged and ended. More are left to find out by themselves.
pub(crate) const FORKS: usize = 8;

/// What must be said again to each fork that says its 2xx again.
#[derive(Debug)]
pub(crate) struct Forks {
    heading: Arc<Heading>,
    home: Flow,
    acknowledged: Vec<Acknowledged>,
    /// How far we have counted in the early dialogs, by their tags.
    begun: Vec<(Box<str>, u32)>,
}

#[derive(Debug)]
struct Acknowledged {
    tag: Box<str>,
    flow: Flow,
    ack: Bytes,
}

impl Forks {
    /// Acknowledges the first 2xx, which made this dialog.
    pub(crate) fn begin(
        heading: Arc<Heading>,
        home: Flow,
        begun: Vec<(Box<str>, u32)>,
        dialog: &Dialog,
        wires: &mut Wires<'_>,
    ) -> Self {
        let mut forks = Self { heading, home, acknowledged: Vec::with_capacity(1), begun };
        forks.acknowledge(dialog, wires);
        forks
    }

    /// A further 2xx.
    pub(crate) fn another(&mut self, response: &Response, flow: Flow, wires: &mut Wires<'_>) {
        let tag = response.headers().to().tag().unwrap_or_default();
        if let Some(known) = self.acknowledged.iter().find(|known| *known.tag == *tag) {
            wires.send(known.flow, known.ack.clone());
        } else if self.acknowledged.len() < FORKS {
            let mut dialog = Dialog::asking(&self.heading, response, self.home, flow, None);
            if let Some((_, sequence)) = self.begun.iter().find(|(known, _)| **known == *tag) {
                dialog.go_on(*sequence, None);
            }
            self.acknowledge(&dialog, wires);
            wires.bye(&mut dialog, None, Part::Unattended);
        }
    }

    fn acknowledge(&mut self, dialog: &Dialog, wires: &mut Wires<'_>) {
        let outgoing = dialog.ack(wires.chance);
        let ack = outgoing.compose.end();
        wires.send(outgoing.flow, ack.clone());
        self.acknowledged.push(Acknowledged { tag: dialog.remote_tag().into(), flow: outgoing.flow, ack });
    }
}
