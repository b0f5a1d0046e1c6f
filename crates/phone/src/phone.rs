//! A phone that follows its script through one call.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::MissedTickBehavior;
use ua::{Ending, ErrandEvent, Incoming, Invite, LegCommand, LegEvent, LegId, Refusal, Why};

use crate::media::Media;
use crate::signalling::{Said, Signalling};
use crate::{Does, Heard, Report, Setup, Traffic, What};

/// Between two packets.
const PACKET: Duration = Duration::from_millis(20);
/// A phone stays so long after the end: what crosses it is answered, and kept.
const LINGERS: Duration = Duration::from_millis(300);
/// It waits so long for its own hang-up to be done (64*T1).
const PATIENCE: Duration = Duration::from_secs(32);
/// Busy here, for a second call.
const BUSY: u16 = 486;
/// Not acceptable here: no voice both can.
const NOT_ACCEPTABLE: u16 = 488;
/// Normal clearing (Q.850).
const NORMAL: Why = Why { q850: 16, status: 480 };

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Whether the carrier took its registration.
    pub registered: bool,
    /// Whether there was an answer, whoever gave it.
    pub answered: bool,
    /// How the call ended; `None` if there was none.
    pub ending: Option<Ending>,
    /// What was heard.
    pub heard: Heard,
    /// All that was sent and received.
    pub traffic: Traffic,
}

/// Where a phone's call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// No call yet, or no answer.
    Waiting,
    /// Ours to answer once it has rung long enough.
    Rings(Instant),
    /// Answered; keys are pressed when their time has come.
    Listens(Instant),
    /// All keys are pressed since then, or the tone was heard since then.
    Talks(Instant),
    /// Takes back that it is registered since then.
    Leaves(Instant),
    /// Told to end since then.
    Ends(Instant),
    /// Over since then.
    Over(Instant),
}

/// A phone.
pub struct Phone {
    setup: Setup,
    signalling: Signalling,
    media: Media,
    reports: UnboundedSender<Report>,
    leg: Option<LegId>,
    offer: Option<Bytes>,
    stage: Stage,
    registered: bool,
    /// Whether a REGISTER was sent whose binding is not taken back yet.
    is_registering: bool,
    answered: bool,
    ending: Option<Ending>,
}

impl Phone {
    /// Takes its sockets, within a Tokio runtime. From then on it can be called.
    ///
    /// # Errors
    /// The address is taken, or is none of this machine's.
    pub async fn bind(setup: Setup, reports: UnboundedSender<Report>) -> io::Result<Self> {
        let socket = std::net::UdpSocket::bind(setup.bind)?;
        Self::over(socket, setup, reports).await
    }

    /// As `bind`, but takes SIP by a socket that is there already.
    ///
    /// # Errors
    /// The socket cannot be used, or no other can be had at its address.
    pub async fn over(
        socket: std::net::UdpSocket,
        setup: Setup,
        reports: UnboundedSender<Report>,
    ) -> io::Result<Self> {
        let signalling = Signalling::over(socket, &setup)?;
        let media = Media::bind(signalling.address.ip(), &setup).await?;
        Ok(Self {
            setup,
            signalling,
            media,
            reports,
            leg: None,
            offer: None,
            stage: Stage::Waiting,
            registered: false,
            is_registering: false,
            answered: false,
            ending: None,
        })
    }

    /// Where it takes SIP.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.signalling.address
    }

    /// Follows the script to the end of the call.
    ///
    /// # Errors
    /// A socket broke.
    pub async fn run(mut self) -> io::Result<Outcome> {
        let began = Instant::now();
        self.begin();
        let mut beat = tokio::time::interval(PACKET);
        beat.set_missed_tick_behavior(MissedTickBehavior::Burst);
        loop {
            tokio::select! {
                said = self.signalling.next() => {
                    match said? {
                        Said::Leg(leg, event) => self.hear_from(leg, event),
                        Said::Errand(event) => self.registrar_says(&event),
                    }
                    continue;
                }
                voice = self.media.next() => {
                    let (law, octets) = voice?;
                    self.say(What::Voice { law, octets });
                    self.listen();
                    continue;
                }
                _ = beat.tick() => {}
            }
            if self.beat(began) {
                break;
            }
        }
        Ok(Outcome {
            registered: self.registered,
            answered: self.answered,
            ending: self.ending,
            heard: self.media.heard,
            traffic: self.signalling.traffic.with(self.media.traffic),
        })
    }

    fn say(&self, what: What) {
        // Nobody listens: then nobody wants to know.
        let _ = self.reports.send(Report { at: Instant::now(), what });
    }

    fn tell(&mut self, command: LegCommand) {
        if let Some(leg) = self.leg {
            self.signalling.tell(leg, command);
        }
    }

    fn begin(&mut self) {
        match &self.setup.does {
            Does::Dial { to, server, .. } => self.dial(to.clone(), *server),
            Does::Answer { .. } | Does::Register => {
                if let Some(account) = &self.setup.account {
                    self.is_registering = true;
                    self.signalling.register(account);
                }
            }
        }
    }

    fn registrar_says(&mut self, event: &ErrandEvent) {
        match event {
            ErrandEvent::Registered { expires, .. } => {
                self.registered = true;
                self.say(What::Registered { expires: *expires });
                if matches!(self.setup.does, Does::Register) {
                    self.leave();
                }
            }
            ErrandEvent::Unregistered { status } => {
                self.say(What::Unregistered { status: *status });
                if matches!(self.setup.does, Does::Register) && self.is_registering {
                    self.leave();
                }
            }
            ErrandEvent::Over => self.stage = Stage::Over(Instant::now()),
            ErrandEvent::Up | ErrandEvent::Down => {}
        }
    }

    /// Takes back that it is registered, once.
    fn leave(&mut self) {
        if std::mem::take(&mut self.is_registering) {
            self.stage = Stage::Leaves(Instant::now());
            self.signalling.unregister();
        }
    }

    fn dial(&mut self, to: String, server: SocketAddr) {
        let leg = self.signalling.next_leg();
        self.leg = Some(leg);
        let own = format!("sip:{}@{}", self.setup.number, self.signalling.address);
        let account = self.setup.account.as_ref();
        let invite = Invite {
            credentials: account.map(|account| Arc::new(account.credentials.clone())),
            routes: Vec::new(),
            flow: Signalling::flow(server),
            uri: to.clone(),
            to: to.clone(),
            from: account.map_or_else(|| own.clone(), |account| account.aor.clone()),
            own,
            shown: Vec::new(),
            withheld: false,
            offer: self.media.offer(),
            hops: 70,
        };
        self.tell(LegCommand::Invite(Box::new(invite)));
        self.say(What::Invited { to });
    }

    fn hear_from(&mut self, leg: LegId, event: LegEvent) {
        if let LegEvent::Offered(incoming) = event {
            return self.called(leg, *incoming);
        }
        if self.leg != Some(leg) {
            return;
        }
        match event {
            LegEvent::Offered(_) | LegEvent::Digit(_) | LegEvent::Trying => {}
            LegEvent::Ringing => self.say(What::Ringing),
            LegEvent::Progressed { sdp } => {
                self.media.answered(&sdp);
            }
            LegEvent::Answered { sdp } => self.answer_came(sdp),
            LegEvent::Confirmed { sdp } => {
                if let Some(answer) = sdp {
                    self.media.answered(&answer);
                }
            }
            LegEvent::Reoffered { offer } => self.offered_again(offer),
            LegEvent::Ended(ending) => {
                self.say(What::Ended(ending));
                self.ending = Some(ending);
                self.stage = Stage::Over(Instant::now());
            }
        }
    }

    fn called(&mut self, leg: LegId, incoming: Incoming) {
        let waits = matches!(self.setup.does, Does::Answer { .. }) && self.leg.is_none();
        if !waits {
            return self.signalling.tell(leg, refuse(BUSY));
        }
        self.leg = Some(leg);
        let from = incoming.identity.from.map(|named| named.user).unwrap_or_default();
        self.say(What::Called { from, to: incoming.called });
        self.offer = incoming.offer;
        self.tell(LegCommand::Ring);
        self.say(What::Rang);
        self.stage = Stage::Rings(Instant::now());
    }

    fn answer_came(&mut self, sdp: Option<Bytes>) {
        self.say(What::Answered);
        self.answered = true;
        if !sdp.is_some_and(|answer| self.media.answered(&answer)) {
            return self.hang_up();
        }
        self.listens();
    }

    fn listens(&mut self) {
        let (Does::Dial { keys, .. } | Does::Answer { keys, .. }) = &self.setup.does else { return };
        self.stage = if keys.is_empty() && self.setup.listen_for.is_none() {
            Stage::Talks(Instant::now())
        } else {
            Stage::Listens(Instant::now())
        };
    }

    fn offered_again(&mut self, offer: Option<Bytes>) {
        let answer = match offer {
            Some(offer) => self.media.answer(&offer),
            None => Some(self.media.offer()),
        };
        self.tell(answer.map_or(refuse(NOT_ACCEPTABLE), LegCommand::Accept));
    }

    fn hang_up(&mut self) {
        self.say(What::HangsUp);
        self.stage = Stage::Ends(Instant::now());
        self.tell(LegCommand::End(NORMAL));
    }

    /// Looks for the tone in what came last.
    fn listen(&mut self) {
        if let Some(hertz) = self.setup.listen_for
            && self.media.heard.begins(hertz)
        {
            self.say(What::Tone { hertz });
            if let Stage::Listens(_) = self.stage {
                self.stage = Stage::Talks(Instant::now());
            }
        }
    }

    /// What is due 50 times a second. Whether all is done.
    fn beat(&mut self, began: Instant) -> bool {
        let now = Instant::now();
        match self.stage {
            Stage::Waiting => {}
            Stage::Rings(since) => self.rings(now - since),
            Stage::Listens(since) => self.listens_on(now - since),
            Stage::Talks(since) => {
                if self.setup.talk.is_some_and(|talk| now - since >= talk) {
                    self.hang_up();
                }
            }
            Stage::Leaves(since) | Stage::Ends(since) => return now - since > PATIENCE,
            Stage::Over(since) => {
                if now - since <= LINGERS {
                    return false;
                }
                self.leave();
                return matches!(self.stage, Stage::Over(_));
            }
        }
        if let Some(key) = self.media.tick() {
            self.say(What::Key(key));
        }
        let is_patient = now - began <= self.setup.patience;
        if is_patient || matches!(self.stage, Stage::Leaves(_) | Stage::Ends(_) | Stage::Over(_)) {
            return false;
        }
        if self.leg.is_some() {
            self.hang_up();
            return false;
        }
        self.leave();
        !matches!(self.stage, Stage::Leaves(_))
    }

    fn rings(&mut self, rung: Duration) {
        let Does::Answer { after, refuse: refusal, .. } = &self.setup.does else { return };
        if rung < *after {
            return;
        }
        if let Some(status) = *refusal {
            self.tell(refuse(status));
            self.stage = Stage::Ends(Instant::now());
            return self.say(What::Refused(status));
        }
        let answer = match self.offer.take() {
            Some(offer) => self.media.answer(&offer),
            None => Some(self.media.offer()),
        };
        let Some(answer) = answer else {
            self.tell(refuse(NOT_ACCEPTABLE));
            self.stage = Stage::Ends(Instant::now());
            return self.say(What::Refused(NOT_ACCEPTABLE));
        };
        self.tell(LegCommand::Accept(answer));
        self.answered = true;
        self.say(What::Accepted);
        self.listens();
    }

    /// Presses the keys when their time has come. Without a tone to wait for, it talks once they are pressed.
    fn listens_on(&mut self, listened: Duration) {
        let (keys, after) = match &mut self.setup.does {
            Does::Dial { keys, after, .. } => (keys, *after),
            Does::Answer { keys, .. } => (keys, Duration::ZERO),
            Does::Register => return,
        };
        if listened >= after && !keys.is_empty() {
            self.media.press(&std::mem::take(keys));
        } else if keys.is_empty() && self.setup.listen_for.is_none() && !self.media.is_pressing() {
            self.stage = Stage::Talks(Instant::now());
        }
    }
}

fn refuse(status: u16) -> LegCommand {
    LegCommand::Refuse(Refusal { status, retry_after: None })
}
