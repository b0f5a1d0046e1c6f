//! Callers and callees: they write SIP as text, by the book unless told otherwise.

use bytes::Bytes;
use sip::Flow;

use crate::world::{CONTACT, Text, World};

pub(crate) fn sdp(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub(crate) fn with_body(lines: &str, body: Option<&str>) -> String {
    match body {
        Some(body) => {
            format!("{lines}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        }
        None => format!("{lines}Content-Length: 0\r\n\r\n"),
    }
}

/// Whoever called us: writes the requests of one dialog.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) call_id: String,
    pub(crate) tag: String,
    pub(crate) our_tag: Option<String>,
    pub(crate) sequence: u32,
    /// Of the last INVITE.
    pub(crate) invite_sequence: u32,
    pub(crate) via: String,
    pub(crate) contact: String,
    /// Branch of the last INVITE.
    pub(crate) branch: String,
}

impl Caller {
    pub(crate) fn new(world: &mut World) -> Self {
        let call_id = world.branch();
        Self {
            call_id: format!("{call_id}@caller"),
            tag: "a1".to_owned(),
            our_tag: None,
            sequence: 100,
            invite_sequence: 100,
            via: "SIP/2.0/UDP 198.51.100.7:5060;rport".to_owned(),
            contact: CONTACT.to_owned(),
            branch: String::new(),
        }
    }

    /// Notes the tag of a response of ours.
    pub(crate) fn learn(&mut self, response: &Text) {
        self.our_tag = Some(response.tag("To").to_owned());
    }

    pub(crate) fn invite(&mut self, world: &mut World, lines: &str, offer: Option<&str>) -> String {
        self.sequence += 1;
        self.invite_sequence = self.sequence;
        self.branch = world.branch();
        let branch = self.branch.clone();
        let lines = format!("{}{lines}", self.contact);
        self.write("INVITE", self.sequence, &branch, &with_body(&lines, offer))
    }

    /// The next request of the dialog, its headers and body given whole.
    pub(crate) fn request(&mut self, world: &mut World, method: &str, rest: &str) -> String {
        self.sequence += 1;
        let branch = world.branch();
        self.write(method, self.sequence, &branch, rest)
    }

    pub(crate) fn bare(&mut self, world: &mut World, method: &str) -> String {
        let rest = with_body(&self.contact, None);
        self.request(world, method, &rest)
    }

    pub(crate) fn update(&mut self, world: &mut World, offer: Option<&str>) -> String {
        let rest = with_body(&self.contact, offer);
        self.request(world, "UPDATE", &rest)
    }

    /// The ACK to a 2xx to the last INVITE.
    pub(crate) fn ack(&self, world: &mut World, rest: &str) -> String {
        let branch = world.branch();
        let rest = if rest.is_empty() { with_body("", None) } else { rest.to_owned() };
        self.write("ACK", self.invite_sequence, &branch, &rest)
    }

    /// The ACK to a refusal of the last INVITE.
    pub(crate) fn ack_refusal(&self) -> String {
        self.write("ACK", self.invite_sequence, &self.branch, &with_body("", None))
    }

    pub(crate) fn cancel(&self) -> String {
        let without_tag = Self { our_tag: None, ..self.clone() };
        without_tag.write("CANCEL", self.invite_sequence, &self.branch, &with_body("", None))
    }

    pub(crate) fn write(&self, method: &str, sequence: u32, branch: &str, rest: &str) -> String {
        let to_tag = self.our_tag.as_ref().map(|tag| format!(";tag={tag}")).unwrap_or_default();
        format!(
            "{method} sip:+74951234567@192.0.2.1:5060 SIP/2.0\r\n\
             Via: {};branch={branch}\r\n\
             Max-Forwards: 70\r\n\
             From: \"Canary\" <sip:+79991111111@198.51.100.7>;tag={}\r\n\
             To: <sip:+74951234567@192.0.2.1>{to_tag}\r\n\
             Call-ID: {}\r\n\
             CSeq: {sequence} {method}\r\n\
             {rest}",
            self.via, self.tag, self.call_id
        )
    }
}

/// Whoever we call: answers the INVITE, and writes requests.
#[derive(Debug, Clone)]
pub(crate) struct Callee {
    pub(crate) invite: Text,
    pub(crate) flow: Flow,
}

impl Callee {
    /// A response to the INVITE.
    pub(crate) fn respond(&self, status: u16, tag: &str, lines: &str, answer: Option<&str>) -> String {
        respond(&self.invite, status, tag, lines, answer)
    }

    /// A request of theirs inside the dialog with this tag.
    pub(crate) fn request(
        &self,
        world: &mut World,
        method: &str,
        tag: &str,
        sequence: u32,
        rest: &str,
    ) -> String {
        let branch = world.branch();
        format!(
            "{method} sip:192.0.2.1:5060 SIP/2.0\r\n\
             Via: SIP/2.0/UDP 198.51.100.7:5060;rport;branch={branch}\r\n\
             Max-Forwards: 70\r\n\
             From: {};tag={tag}\r\n\
             To: {}\r\n\
             Call-ID: {}\r\n\
             CSeq: {sequence} {method}\r\n\
             {rest}",
            self.invite.header("To"),
            self.invite.header("From"),
            self.invite.header("Call-ID"),
        )
    }
}

/// A response to a request of ours. Without a tag To is as it was.
pub(crate) fn respond(request: &Text, status: u16, tag: &str, lines: &str, body: Option<&str>) -> String {
    let to = request.header("To");
    let to = if tag.is_empty() || to.contains(";tag=") { to.to_owned() } else { format!("{to};tag={tag}") };
    let vias: String = request.all("Via").iter().map(|via| format!("Via: {via}\r\n")).collect();
    format!(
        "SIP/2.0 {status} Whatever +79993333333\r\n{vias}From: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\n{}",
        request.header("From"),
        request.header("Call-ID"),
        request.header("CSeq"),
        with_body(lines, body)
    )
}
