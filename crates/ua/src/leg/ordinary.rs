//! Requests inside a dialog that are answered alike in every state: OPTIONS and INFO, and what they may bring.

use sip::{Name, Status};

use super::pending::Pending;
use crate::compose::{ALLOW, Contact, SDP};
use crate::info::Info;
use crate::interface::LegEvent;
use crate::place::Place;
use crate::screen::{Kind, Refused};
use crate::session::Granted;
use crate::wires::Wires;

/// OPTIONS (RFC 3261 §11.2): what we can, as outside of a dialog.
pub(crate) fn options(pending: &Pending, place: &Place, wires: &mut Wires<'_>) {
    let response = wires
        .answer(pending, Status::OK)
        .header(Name::Contact, Contact::beside(place, &pending.request.uri()))
        .header(Name::Allow, ALLOW)
        .header(Name::Accept, SDP)
        .header(Name::Supported, wires.settings.supported())
        .end();
    wires.respond(pending, Status::OK, response);
}

/// INFO: a key, or nothing (an empty INFO asks whether we are there).
pub(crate) fn info(pending: &Pending, wires: &mut Wires<'_>) {
    match Info::read(&pending.request) {
        Info::Digit(digit) => {
            wires.reply(pending, Status::OK);
            wires.say(LegEvent::Digit(digit));
        }
        Info::Nothing => wires.reply(pending, Status::OK),
        Info::Unsupported => {
            refuse(pending, &Refused::info(), wires);
        }
    }
}

/// Whatever does not hold to the rules of every request.
pub(crate) fn refuse(pending: &Pending, refused: &Refused, wires: &mut Wires<'_>) {
    let response = refused.explain(wires.answer(pending, refused.status)).end();
    wires.respond(pending, refused.status, response);
}

/// UPDATE without a session description: a refresh (RFC 3311 §5.2, RFC 4028 §9).
pub(crate) fn refresh(pending: &Pending, place: &Place, granted: Option<Granted>, wires: &mut Wires<'_>) {
    let response = wires.description(pending, Status::OK, place, None, granted);
    wires.respond(pending, Status::OK, response);
}

/// What a dialog that is ending or over still says: 200 to a BYE, 481 to anything else (§15.1.2).
pub(crate) fn farewell(kind: Kind, pending: &Pending, wires: &mut Wires<'_>) {
    let status = match kind {
        Kind::Bye => Status::OK,
        Kind::Invite | Kind::Options | Kind::Info | Kind::Update | Kind::Prack => Status::CALL_DOES_NOT_EXIST,
    };
    wires.reply(pending, status);
}
