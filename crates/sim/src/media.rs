//! The relay of this world: it keeps the switchboard to the rules and answers after a moment.

use std::collections::BTreeMap;
use std::time::Duration;

use clock::Instant;
use rtp::{Command, Media, PlayId, Port, Report, SessionId, Sound, Statistics};

use crate::keypad::Keypads;

/// How long a prompt is, whichever it is.
pub(crate) const PROMPT: Duration = Duration::from_secs(2);
/// How long the relay takes to answer.
const MOMENT: Duration = Duration::from_millis(3);

#[derive(Debug, Default)]
pub(crate) struct Relay {
    sessions: BTreeMap<SessionId, Session>,
    due: BTreeMap<(Instant, u64), Report>,
    keypads: Keypads,
    /// The keys that will be pressed.
    keys: BTreeMap<(Instant, u64), (SessionId, char)>,
    sequence: u64,
    /// From now on it says nothing any more.
    pub(crate) silent: bool,
    /// What the switchboard should not have said.
    pub(crate) wrong: Vec<String>,
    /// Everything played, in order.
    pub(crate) played: Vec<(SessionId, Vec<Sound>)>,
    /// Bridges made.
    pub(crate) bridged: usize,
}

#[derive(Debug)]
struct Session {
    port: Port,
    media: Media,
    records: bool,
    peer: Option<SessionId>,
}

impl Relay {
    pub(crate) fn command(&mut self, now: Instant, worker: u16, command: Command) {
        for told in self.keypads.command(now, &command) {
            self.later(now + MOMENT, told);
        }
        match command {
            Command::Open { session, port, media } => {
                if port.worker != worker || self.sessions.values().any(|other| other.port == port) {
                    self.wrong.push(format!("{session:?} opened on {port:?}, told to worker {worker}"));
                }
                self.sessions.insert(session, Session { port, media, records: false, peer: None });
            }
            Command::Update { session, media } => {
                if let Some(session) = self.session(session, "updated") {
                    session.media = media;
                }
            }
            Command::Press { session, .. } => {
                self.session(session, "told of a key");
            }
            Command::Stop { session } => {
                self.session(session, "stopped");
                self.forget_play(session);
            }
            Command::Play { session, play, prompts, repeat } => {
                self.session(session, "played to");
                self.forget_play(session);
                if !repeat {
                    let length = PROMPT * u32::try_from(prompts.len()).unwrap_or(1);
                    self.later(now + length, Report::Finished { session, play });
                }
                self.played.push((session, prompts));
            }
            Command::Bridge { first, second } => {
                self.bridged += 1;
                for (session, peer) in [(first, second), (second, first)] {
                    if let Some(session) = self.session(session, "bridged") {
                        session.peer = Some(peer);
                    }
                }
            }
            Command::Unbridge { first, second } => {
                for (session, peer) in [(first, second), (second, first)] {
                    let wrong =
                        self.session(session, "parted").is_some_and(|one| one.peer.take() != Some(peer));
                    if wrong {
                        self.wrong.push(format!("{session:?} parted, and was not joined to {peer:?}"));
                    }
                }
            }
            Command::Record { session, .. } => {
                if let Some(session) = self.session(session, "recorded") {
                    session.records = true;
                }
            }
            Command::PauseRecording { session, .. } => {
                let records = self.session(session, "paused").map(|session| session.records);
                if records == Some(false) {
                    self.wrong.push(format!("{session:?} paused, and is not recorded"));
                }
            }
            Command::Close { session } => self.close(now, session),
        }
    }

    fn close(&mut self, now: Instant, session: SessionId) {
        let Some(closed) = self.sessions.remove(&session) else {
            self.wrong.push(format!("{session:?} closed while it is not open"));
            return;
        };
        self.forget_play(session);
        let srtp = closed.media.srtp.map(|srtp| srtp.suite);
        let statistics = Statistics { srtp, ..Statistics::default() };
        self.later(now + MOMENT, Report::Closed { session, statistics });
        if closed.records {
            self.later(now + MOMENT * 2, Report::Recorded { session, fault: None });
        }
    }

    fn session(&mut self, session: SessionId, what: &str) -> Option<&mut Session> {
        if !self.sessions.contains_key(&session) {
            self.wrong.push(format!("{session:?} {what} while it is not open"));
        }
        self.sessions.get_mut(&session)
    }

    fn forget_play(&mut self, of: SessionId) {
        self.due.retain(|_, report| !matches!(report, Report::Finished { session, .. } if *session == of));
    }

    fn later(&mut self, at: Instant, report: Report) {
        self.sequence += 1;
        self.due.insert((at, self.sequence), report);
    }

    /// A report of a play that was replaced long ago: a real relay's report can cross a command.
    pub(crate) fn stale(&mut self, now: Instant, session: SessionId) {
        self.later(now, Report::Finished { session, play: PlayId(0) });
    }

    /// The node died, and with it all sessions.
    pub(crate) fn die(&mut self) {
        self.sessions.clear();
        self.due.clear();
        self.keys.clear();
        self.keypads = Keypads::default();
    }

    pub(crate) fn open_sessions(&self) -> Vec<SessionId> {
        self.sessions.keys().copied().collect()
    }

    pub(crate) fn session_at(&self, number: u16) -> Option<SessionId> {
        self.sessions.iter().find(|(_, session)| session.port.number == number).map(|(id, _)| *id)
    }

    /// A key will be pressed at the other end of a session.
    pub(crate) fn press(&mut self, at: Instant, session: SessionId, key: char) {
        self.sequence += 1;
        self.keys.insert((at, self.sequence), (session, key));
    }

    pub(crate) fn next_report(&self) -> Option<Instant> {
        let next = [self.due.keys().next(), self.keys.keys().next()];
        next.into_iter().flatten().map(|(at, _)| *at).min()
    }

    pub(crate) fn report(&mut self, now: Instant) -> Option<Report> {
        while let Some(entry) = self.keys.first_entry().filter(|entry| entry.key().0 <= now) {
            let (session, key) = entry.remove();
            for told in self.keypads.press(now, session, key) {
                self.later(now, told);
            }
        }
        let first = self.due.first_entry().filter(|entry| entry.key().0 <= now)?;
        let report = first.remove();
        (!self.silent).then_some(report)
    }
}
