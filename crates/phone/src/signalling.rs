//! A user agent, its socket and its timers.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clock::Timers;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sip::{Flow, Transport};
use tokio::net::UdpSocket;
use ua::{
    Config, ErrandCommand, ErrandEvent, ErrandId, Input, LegCommand, LegEvent, LegId, Listener, Output,
    Registering, Source, Timing, TrunkId, UserAgent,
};

use crate::traffic::{Kind, Traffic};
use crate::{Account, Clothes, Setup};

/// Transactions at once: a phone has one call.
const TRANSACTIONS: usize = 64;
/// The largest datagram there is.
const LARGEST: usize = 65_535;
/// Without a timer the phone looks up as often.
const IDLE: Duration = Duration::from_secs(1);

pub(crate) struct Signalling {
    pub(crate) address: SocketAddr,
    socket: UdpSocket,
    agent: UserAgent,
    timers: Timers<ua::Timer>,
    began: Instant,
    number: String,
    clothes: Option<Clothes>,
    buffer: Box<[u8]>,
    pub(crate) traffic: Traffic,
    said: VecDeque<Said>,
}

/// What the user agent says.
pub(crate) enum Said {
    /// Of a call.
    Leg(LegId, LegEvent),
    /// Of being registered.
    Errand(ErrandEvent),
}

/// There is one: to be registered.
const REGISTERED: ErrandId = ErrandId(0);

impl Signalling {
    pub(crate) fn over(socket: std::net::UdpSocket, setup: &Setup) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let socket = UdpSocket::from_std(socket)?;
        let address = socket.local_addr()?;
        let config = Config {
            timing: Timing::default(),
            listeners: vec![Listener { transport: Transport::Udp, public: address.to_string() }],
            product: setup.clothes.as_ref().map_or_else(String::new, |clothes| clothes.product.clone()),
            transactions: TRANSACTIONS,
            sessions: None,
            accounts: Vec::new(),
            realm: String::new(),
        };
        let mut seed = [0; 32];
        ChaCha20Rng::from_os_rng().fill_bytes(&mut seed);
        Ok(Self {
            address,
            socket,
            agent: UserAgent::new(config, seed),
            timers: Timers::default(),
            began: Instant::now(),
            number: setup.number.clone(),
            clothes: setup.clothes.clone(),
            buffer: vec![0; LARGEST].into(),
            traffic: Traffic::default(),
            said: VecDeque::new(),
        })
    }

    pub(crate) fn next_leg(&mut self) -> LegId {
        self.agent.next_leg()
    }

    pub(crate) fn flow(peer: SocketAddr) -> Flow {
        Flow { listener: 0, transport: Transport::Udp, peer, connection: None }
    }

    /// Registers, and goes on doing so.
    pub(crate) fn register(&mut self, account: &Account) {
        let registering = Registering {
            trunk: TrunkId(0),
            flows: vec![Self::flow(account.server)],
            registrar: account.registrar.clone(),
            aor: account.aor.clone(),
            expires: account.expires,
            credentials: Some(Arc::new(account.credentials.clone())),
        };
        self.handle(Input::Errand(REGISTERED, ErrandCommand::Register(Box::new(registering))));
    }

    /// Takes that back; `ErrandEvent::Over` follows.
    pub(crate) fn unregister(&mut self) {
        self.handle(Input::Errand(REGISTERED, ErrandCommand::Stop));
    }

    /// What is said next. Loses nothing when it is dropped before it is done.
    pub(crate) async fn next(&mut self) -> io::Result<Said> {
        loop {
            if let Some(said) = self.said.pop_front() {
                return Ok(said);
            }
            let due = self.timers.next().map_or(IDLE, |at| at.since(self.now()));
            let came = tokio::time::timeout(due, self.socket.recv_from(&mut self.buffer)).await;
            match came {
                Ok(came) => {
                    let (length, peer) = came?;
                    let bytes = Bytes::copy_from_slice(&self.buffer[..length]);
                    self.traffic.received(Kind::Sip, bytes.clone());
                    // Whoever finds a phone may call it.
                    let source = Source::Trunk(TrunkId(0));
                    self.handle(Input::Message { flow: Self::flow(peer), source, bytes });
                }
                Err(_elapsed) => {
                    while let Some(timer) = self.timers.pop_due(self.now()) {
                        self.handle(Input::Fired(timer));
                    }
                }
            }
        }
    }

    pub(crate) fn tell(&mut self, leg: LegId, command: LegCommand) {
        self.handle(Input::Command(leg, command));
    }

    fn now(&self) -> clock::Instant {
        clock::Instant(self.began.elapsed())
    }

    fn handle(&mut self, input: Input) {
        let mut outputs = Vec::new();
        self.agent.handle(input, &mut outputs);
        let now = self.now();
        for output in outputs {
            match output {
                Output::Send { flow, bytes, .. } => self.send(flow.peer, &bytes),
                Output::Arm(timer, after) => self.timers.arm(now, timer, after),
                Output::Disarm(timer) => self.timers.disarm(timer),
                Output::Event(leg, event) => self.said.push_back(Said::Leg(leg, event)),
                Output::Errand(_, event) => self.said.push_back(Said::Errand(event)),
                Output::Heard(_) | Output::Changed(_) | Output::Counted(_) => {}
            }
        }
    }

    /// What the system does not take is lost as on any network: the transaction says it again.
    fn send(&mut self, peer: SocketAddr, bytes: &Bytes) {
        let dressed = self.clothes.as_ref().map(|clothes| clothes.dress(&self.number, bytes));
        let bytes = dressed.as_ref().unwrap_or(bytes);
        self.traffic.sent(Kind::Sip, bytes);
        let _ = self.socket.try_send_to(bytes, peer);
    }
}
