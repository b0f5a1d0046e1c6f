//! The machine of one relay worker.

mod ports;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use clock::Instant;
use slab::Slab;

use self::ports::Ports;
use crate::chance::Chance;
use crate::deadlines::Deadlines;
use crate::session::{Audio, Heard, Session};
use crate::{Command, Library, Media, Port, Progress, Report, SessionId, Settings, Sink, Statistics};

/// What a time in the settings is brought within: shorter ones would leave no time for anything else.
const TIMES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);

/// All sessions of one relay worker: commands and packets in, packets and reports out.
///
/// A packet takes no memory, and no search but a look into a table.
#[derive(Debug)]
pub struct Worker {
    settings: Settings,
    library: Arc<Library>,
    chance: Chance,
    sessions: Slab<Session>,
    ports: Ports,
    by_id: BTreeMap<SessionId, usize>,
    deadlines: Deadlines,
}

impl Worker {
    /// A worker without sessions. Everything random in what it sends follows from `seed`, which must be secret and
    /// differ from worker to worker. Times in `settings` are brought within a second and a day.
    #[must_use]
    pub fn new(mut settings: Settings, library: Arc<Library>, seed: [u8; 32]) -> Self {
        settings.silence = settings.silence.clamp(*TIMES.start(), *TIMES.end());
        settings.rtcp_interval = settings.rtcp_interval.clamp(*TIMES.start(), *TIMES.end());
        let ports = Ports::new(settings.addresses.len());
        Self {
            settings,
            library,
            chance: Chance::new(seed),
            sessions: Slab::new(),
            ports,
            by_id: BTreeMap::new(),
            deadlines: Deadlines::default(),
        }
    }

    /// Plays begun from now on take their prompts from here; running ones keep theirs.
    pub fn library(&mut self, library: Arc<Library>) {
        self.library = library;
    }

    /// How many sessions are open.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Carries out a command. One for a session that is not open does nothing, but that a `Record` and a `Close` are
    /// still answered.
    pub fn command(&mut self, now: Instant, command: Command, sink: &mut impl Sink) {
        match command {
            Command::Open { session, port, media } => self.open(now, session, port, media, sink),
            Command::Update { session, media } => {
                if let Some(slot) = self.slot(session) {
                    self.sessions[slot].update(now, media, &self.settings);
                    self.equip(slot);
                    self.rearm(slot);
                }
            }
            Command::Play { session, play, prompts, repeat } => {
                if let Some(slot) = self.slot(session) {
                    let library = Arc::clone(&self.library);
                    self.sessions[slot].play(now, library, play, prompts, repeat, sink);
                    self.rearm(slot);
                }
            }
            Command::Stop { session } => {
                if let Some(slot) = self.slot(session) {
                    self.sessions[slot].stop();
                    self.rearm(slot);
                }
            }
            Command::Bridge { first, second } => self.bridge(first, second),
            Command::Unbridge { first, second } => self.unbridge(first, second),
            Command::Press { session, digit } => self.press(now, session, digit, sink),
            Command::Record { session, name } => match self.slot(session) {
                Some(slot) => {
                    self.sessions[slot].record(now, name, sink);
                    self.equip(slot);
                    self.rearm(slot);
                }
                None => {
                    let fault = Some("no such session".to_owned());
                    sink.report(Report::Recorded { session, fault });
                }
            },
            Command::PauseRecording { session, paused } => {
                if let Some(slot) = self.slot(session) {
                    self.sessions[slot].pause_recording(now, paused);
                }
            }
            Command::Close { session } => self.close(now, session, sink),
        }
    }

    /// Takes what came to the RTP socket of `port`. The buffer may be rewritten in place.
    pub fn packet(
        &mut self,
        now: Instant,
        port: Port,
        from: SocketAddr,
        bytes: &mut [u8],
        sink: &mut impl Sink,
    ) {
        let Some(slot) = self.ports.find(port) else { return };
        let session = &mut self.sessions[slot];
        if session.is_report(bytes) {
            return session.control(now, from, bytes, &self.settings);
        }
        let Some(heard) = session.hear(now, from, bytes, &self.settings, sink) else { return };
        let peer = session.peer;
        if let Heard::Audio(audio) = &heard
            && session.hears_tones()
        {
            self.hear_tones(now, slot, audio, bytes, sink);
        }
        let Some(peer) = peer else { return };
        if self.pass_on(now, slot, peer, heard, bytes, sink) {
            self.rearm(peer);
        }
    }

    /// Listens for keys in audio, which the bridged session is to send on.
    fn hear_tones(&mut self, now: Instant, slot: usize, audio: &Audio, bytes: &[u8], sink: &mut impl Sink) {
        let Some(peer) = self.sessions[slot].peer else {
            return self.sessions[slot].hear_tones(now, audio, bytes, sink, |_, _| {});
        };
        if let Ok([session, peer]) = self.sessions.get_disjoint_mut([slot, peer]) {
            session.hear_tones(now, audio, bytes, sink, |press, sink| peer.press(now, press, sink));
        }
        self.rearm(peer);
    }

    /// A key was pressed, as is said beside the media.
    fn press(&mut self, now: Instant, session: SessionId, digit: char, sink: &mut impl Sink) {
        let Some(slot) = self.slot(session) else { return };
        let session = &mut self.sessions[slot];
        let Some(press) = session.hear_message(now, digit, sink) else { return };
        if let Some(peer) = session.peer.filter(|_| !session.is_played_to()) {
            self.sessions[peer].press(now, press, sink);
            self.rearm(peer);
        }
    }

    /// Lets the bridged session have what was heard. `true`: its deadline may have moved.
    fn pass_on(
        &mut self,
        now: Instant,
        slot: usize,
        peer: usize,
        heard: Heard,
        bytes: &mut [u8],
        sink: &mut impl Sink,
    ) -> bool {
        let Some([session, peer]) = self.sessions.get_disjoint_mut([slot, peer]).ok() else { return false };
        match heard {
            Heard::Audio(audio) => {
                if session.receives() {
                    let ear = session.ear();
                    peer.record_peer(now, &audio, bytes, ear, sink);
                    peer.forward(now, &audio, bytes, ear, sink);
                    if peer.is_settled()
                        && let Some(shortcut) = session.shortcut(peer)
                    {
                        sink.shortcut(shortcut);
                    }
                }
                // Where nothing is said any more, noise is due.
                audio.is_decoded && peer.makes_noise()
            }
            Heard::Noise(noise) => {
                if session.receives() {
                    peer.pass_on_noise(now, &noise, bytes, sink);
                }
                true
            }
            Heard::Key { header, place, press } => {
                peer.skip(&header, place);
                let wanted = !session.is_played_to();
                if wanted {
                    peer.press(now, press, sink);
                }
                wanted
            }
            Heard::Other { header, place } => {
                peer.skip(&header, place);
                false
            }
        }
    }

    /// Packets that came to `port` went on by a shortcut, this far.
    pub fn progress(&mut self, port: Port, progress: &Progress) {
        let Some(slot) = self.ports.find(port) else { return };
        let Some(peer) = self.sessions[slot].peer else { return };
        if let Ok([session, peer]) = self.sessions.get_disjoint_mut([slot, peer]) {
            session.passed(peer, progress);
        }
    }

    /// Whether what came to the RTP socket of `port` is a report, which disturbs no shortcut.
    #[must_use]
    pub fn is_report(&self, port: Port, bytes: &[u8]) -> bool {
        self.ports.find(port).is_some_and(|slot| self.sessions[slot].is_report(bytes))
    }

    /// Takes what came to the RTCP socket of `port`. It is never answered nor passed on: the sink is taken so that all
    /// ways in are alike.
    pub fn control_packet(
        &mut self,
        now: Instant,
        port: Port,
        from: SocketAddr,
        bytes: &[u8],
        _sink: &mut impl Sink,
    ) {
        if let Some(slot) = self.ports.find(port) {
            self.sessions[slot].control(now, from, bytes, &self.settings);
        }
    }

    /// Does everything due by `now`.
    pub fn tick(&mut self, now: Instant, sink: &mut impl Sink) {
        while let Some(slot) = self.deadlines.due(now) {
            self.sessions[slot].tick(now, &self.settings, &mut self.chance, sink);
            self.rearm(slot);
        }
    }

    /// When `tick` is wanted next; `None` while no session is open.
    #[must_use]
    pub fn next_wake(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// A session of this id or on this port that is still open was forgotten by whoever opened it: it is closed.
    fn open(&mut self, now: Instant, id: SessionId, port: Port, media: Media, sink: &mut impl Sink) {
        if self.by_id.contains_key(&id) {
            self.close(now, id, sink);
        }
        if let Some(slot) = self.ports.find(port) {
            self.close(now, self.sessions[slot].id, sink);
        }
        let slot = self.sessions.vacant_key();
        if !self.ports.set(port, Some(slot)) {
            return;
        }
        self.sessions.insert(Session::new(now, id, port, media, &self.settings, &mut self.chance));
        self.by_id.insert(id, slot);
        self.equip(slot);
        self.deadlines.admit(slot);
        self.rearm(slot);
    }

    fn bridge(&mut self, first: SessionId, second: SessionId) {
        let (Some(first), Some(second)) = (self.slot(first), self.slot(second)) else { return };
        if first == second {
            return;
        }
        self.part(first);
        self.part(second);
        self.sessions[first].join(second);
        self.sessions[second].join(first);
        self.equip(first);
    }

    fn unbridge(&mut self, first: SessionId, second: SessionId) {
        let (Some(first), Some(second)) = (self.slot(first), self.slot(second)) else { return };
        if self.sessions[first].peer != Some(second) {
            return;
        }
        self.part(first);
        for slot in [first, second] {
            self.sessions[slot].parted();
            self.equip(slot);
            self.rearm(slot);
        }
    }

    /// Something was agreed, joined or recorded: both sides of it take what they need.
    fn equip(&mut self, slot: usize) {
        let peer = self.sessions[slot].peer;
        let seen = peer.map(|peer| self.sessions[peer].as_peer());
        self.sessions[slot].equip(seen);
        if let Some(peer) = peer {
            let seen = self.sessions[slot].as_peer();
            self.sessions[peer].equip(Some(seen));
            self.rearm(peer);
        }
    }

    /// Ends the bridge of a session, if it has one.
    fn part(&mut self, slot: usize) {
        if let Some(peer) = self.sessions[slot].peer.take() {
            self.sessions[peer].peer = None;
            self.sessions[peer].equip(None);
        }
    }

    fn close(&mut self, now: Instant, id: SessionId, sink: &mut impl Sink) {
        let Some(slot) = self.by_id.remove(&id) else {
            return sink.report(Report::Closed { session: id, statistics: Statistics::default() });
        };
        self.part(slot);
        self.deadlines.set(slot, None);
        let session = self.sessions.remove(slot);
        self.ports.set(session.port, None);
        session.close(now, sink);
    }

    fn slot(&self, session: SessionId) -> Option<usize> {
        self.by_id.get(&session).copied()
    }

    fn rearm(&mut self, slot: usize) {
        self.deadlines.set(slot, Some(self.sessions[slot].due_at()));
    }
}
