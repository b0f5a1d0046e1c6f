//! What happened, as rows of the ladder: from what the phones report and the events the server tells.

use std::time::{Instant, SystemTime};

use phone::{Ending, Report, What};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::ladder::{self, Ladder, Row, Who};
use super::prompts::Ear;
use super::{Cast, Piece};

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// What nothing can come before any more.
    SoFar,
    /// Everything.
    All,
}

/// The call as it is told.
pub(super) struct Tale {
    pub(super) ladder: Ladder,
    /// The call, once its record and its recording are kept.
    pub(super) call: Option<String>,
    /// Whom the caller's phone showed, where it was called, and the callee's.
    pub(super) shown: [Option<String>; 2],
    cast: Cast,
    ears: [Ear; 2],
    hung_up: Option<Who>,
    stream: Vec<u8>,
    /// When the caller's phone last did something that makes the server do something.
    said: Instant,
    /// The same moment by both clocks.
    clocks: (SystemTime, Instant),
}

impl Tale {
    pub(super) fn new(ladder: Ladder, language: &str, cast: Cast) -> Result<Self, String> {
        let ear = Ear::new(language)?;
        Ok(Self {
            ladder,
            call: None,
            shown: [None, None],
            cast,
            ears: [ear.clone(), ear],
            hung_up: None,
            stream: Vec::new(),
            said: Instant::now(),
            clocks: (SystemTime::now(), Instant::now()),
        })
    }

    pub(super) fn tell(&mut self, told: Told) {
        self.ladder.draw(match told {
            Told::SoFar => Instant::now().checked_sub(ladder::PATIENCE),
            Told::All => None,
        });
    }

    /// Takes what a phone reports. One if that was its last word.
    pub(super) fn report(&mut self, who: Who, report: Report) -> usize {
        let Report { at, what } = report;
        let row = match what {
            What::Registered { .. } => Row::From(who, "200 OK".to_owned()),
            What::Unregistered { status } => Row::From(
                who,
                status.map_or_else(|| "not registered".to_owned(), |status| status.to_string()),
            ),
            What::Invited { to } => Row::To(who, format!("INVITE {}", user(&to))),
            What::Ringing => Row::From(who, "180 Ringing".to_owned()),
            What::Answered => Row::From(who, "200 OK".to_owned()),
            What::Called { from, .. } => {
                let row = Row::From(who, format!("INVITE from {from}"));
                self.shown[who.place()] = Some(from);
                row
            }
            What::Rang => Row::To(who, "180 Ringing".to_owned()),
            What::Accepted => Row::To(who, "200 OK".to_owned()),
            What::Refused(status) => Row::To(who, status.to_string()),
            What::Key(key) => {
                self.said = at;
                Row::To(who, format!("key {key}"))
            }
            What::Voice { octets, .. } => {
                if let Some((began, text)) = self.ear(who).hear(at, &octets) {
                    self.ladder.add(began, Row::Prompt(who, text));
                }
                return 0;
            }
            What::Tone { hertz } => {
                Row::Notes(who, format!("hears the {}, {hertz} Hz", self.cast.other(who).word))
            }
            What::HangsUp => {
                self.hung_up = Some(who);
                self.said = at;
                Row::To(who, "BYE".to_owned())
            }
            What::Ended(ending) => {
                if self.hung_up != Some(who) {
                    self.ladder.add(at, Row::From(who, ended(ending)));
                }
                return 1;
            }
        };
        self.ladder.add(at, row);
        0
    }

    fn ear(&mut self, who: Who) -> &mut Ear {
        &mut self.ears[who.place()]
    }

    /// Takes a piece of the stream of server-sent events.
    pub(super) fn chunk(&mut self, chunk: &[u8]) {
        self.stream.extend_from_slice(chunk);
        while let Some(end) = self.stream.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = self.stream.drain(..end + 2).collect();
            let text = String::from_utf8_lossy(&event);
            let data = text.lines().find_map(|line| line.strip_prefix("data: "));
            if let Some(event) = data.and_then(|data| serde_json::from_str(data).ok()) {
                self.event(&event);
            }
        }
    }

    fn event(&mut self, event: &Value) {
        let data = &event["data"];
        let word = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        let row = match event["type"].as_str().unwrap_or_default() {
            "call.code" => {
                let found = if data["order_found"] == true { "found" } else { "unknown" };
                Row::Decides(format!("order {}: {found}", word(&data["code"])))
            }
            "call.matched" if self.cast.piece == Piece::Pair => {
                Row::Decides(format!("a pair: the caller is {}", word(&data["caller_role"])))
            }
            "call.matched" => Row::Decides(format!("the caller is its {}", word(&data["caller_role"]))),
            "call.dialling" if self.cast.piece != Piece::Order => {
                let (role, shown) = (word(&data["callee_role"]), word(&data["shown"]));
                Row::Decides(format!("calls {role}, shows {shown}"))
            }
            "call.dialling" => Row::Decides(format!("calls the {}", word(&data["callee_role"]))),
            "call.bridged" => Row::Joins,
            "call.ended" => {
                Row::Decides(format!("over: {}, by {}", word(&data["cause"]), word(&data["ended_by"])))
            }
            "recording.ready" => {
                self.call = Some(word(&event["call"]));
                return;
            }
            _ => return,
        };
        self.ladder.add(self.moment(&event["at"]), row);
    }

    /// When that was by the clock of the ladder.
    fn moment(&self, at: &Value) -> Instant {
        let (wall, here) = self.clocks;
        let at = at.as_str().and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
        let since = at.and_then(|at| SystemTime::from(at).duration_since(wall).ok());
        // Events have whole milliseconds; what made one happen came before it.
        (here + since.unwrap_or_default()).max(self.said)
    }
}

fn user(uri: &str) -> &str {
    uri.trim_start_matches("sip:").split('@').next().unwrap_or(uri)
}

fn ended(ending: Ending) -> String {
    match ending {
        Ending::HungUp { .. } => "BYE".to_owned(),
        Ending::Cancelled => "CANCEL".to_owned(),
        Ending::Refused { status, .. } => status.to_string(),
        Ending::Unreachable => "nothing any more".to_owned(),
        Ending::NeverAcknowledged => "no ACK".to_owned(),
        Ending::Gone => "481".to_owned(),
        Ending::Unrefreshed => "no refresh".to_owned(),
        Ending::Ordered => "200 OK".to_owned(),
    }
}
