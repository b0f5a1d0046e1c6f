//! The one loop that owns the switchboard: what comes in becomes its input, what it says is performed.

mod arrivals;
mod tcp;
mod tls;
mod udp;

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use b2bua::{Behind, CallId, Control, Input, Output, Recording, Stage, Switchboard, TrunkStatus, When};
use bytes::Bytes;
use clock::Instant;
use number::Number;
use sip::{Flow, Transport};
use tokio::sync::{mpsc, oneshot, watch};

use crate::known::Met;
use crate::perform::World;
use crate::recovery::Recovered;
use crate::time::Clock;
use crate::trace::{Kept, Trace};
use tcp::{StreamEvent, Streams};

pub(crate) use arrivals::Arrivals;
pub(crate) use tcp::Names;
pub(crate) use tls::{Files, Proof, Tls, TlsError};

/// Inputs waiting for the switchboard. Whoever brings more waits: that is how pressure reaches its source.
const TURNS: usize = 16_384;
/// Turns taken from the queue, and messages handled, before the others get their chance.
const BURST: usize = 64;
/// Datagrams taken from one socket before the others get their chance: more than are handled, so that what waits does so
/// here, where it is known for how long.
const GULP: usize = 256;
/// How exactly the switchboard is told for how long messages wait.
const TICK: Duration = Duration::from_millis(10);

/// What the loop is told by the rest of the program.
#[derive(Debug)]
pub(crate) enum Turn {
    /// A message came over a connection.
    Message(Flow, Bytes),
    /// A connection opened or closed.
    Stream(StreamEvent),
    /// Who is to be expected where, by TLS.
    Expect(Names),
    /// Anything else the switchboard hears.
    Board(Input),
    /// Prompts come from this library from now on.
    Library(Arc<rtp::Library>),
    /// Who somebody in a call is.
    Met(Box<Met>),
    /// Something happened that others may want to see.
    Event(Box<store::NewEvent>),
    /// End a call; says whether there was one.
    HangUp(CallId, oneshot::Sender<bool>),
    /// Pause or resume the recording of a call; says what it came to.
    PauseRecording { call: CallId, paused: bool, reply: oneshot::Sender<Option<Recording>> },
    /// End a callback that has not come too far; says how far it had come.
    Cancel { call: CallId, when: When, reply: oneshot::Sender<Option<Stage>> },
    /// Forget the messages of calls in which this number stands; how many calls that were, and which go on.
    EraseTraces(Number, oneshot::Sender<(u64, Vec<CallId>)>),
    /// Say which messages of a call are kept, and what the wall clock showed at `Instant::ZERO`, in microseconds.
    Trace(CallId, oneshot::Sender<Option<(Kept, u64)>>),
    /// Say how the trunks are.
    Trunks(oneshot::Sender<Vec<TrunkStatus>>),
    /// Leave once no call is left.
    LeaveWhenEmpty(oneshot::Sender<()>),
}

/// A SIP address we listen on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bind {
    pub(crate) transport: Transport,
    pub(crate) address: SocketAddr,
}

/// The queue into the loop.
pub(crate) fn queue() -> (mpsc::Sender<Turn>, mpsc::Receiver<Turn>) {
    mpsc::channel(TURNS)
}

/// The sockets of all listeners, in the order the switchboard counts them.
pub(crate) struct Flows {
    udp: Vec<Option<udp::Listener>>,
    streams: Streams,
}

impl Flows {
    /// Binds every listener, within a Tokio runtime.
    ///
    /// # Errors
    /// The address that could not be bound, and what the system says.
    pub(crate) fn bind(
        binds: &[Bind],
        tls: watch::Receiver<Option<Tls>>,
        turns: mpsc::Sender<Turn>,
    ) -> Result<Self, (SocketAddr, io::Error)> {
        let mut streams = Streams::new(turns, tls);
        let mut udp = Vec::new();
        for (bind, place) in binds.iter().zip(0_u8..) {
            let failed = |error| (bind.address, error);
            udp.push(match bind.transport {
                Transport::Udp => Some(udp::Listener::bind(bind.address, place).map_err(failed)?),
                transport @ (Transport::Tcp | Transport::Tls) => {
                    streams.listen(transport, bind.address, place).map_err(failed)?;
                    None
                }
            });
        }
        Ok(Self { udp, streams })
    }

    /// Sends one message; gives back a flow that turned out to be lost.
    fn send(&mut self, flow: Flow, bytes: Bytes) -> Option<Flow> {
        let sent = match flow.transport {
            Transport::Udp => match self.udp.get(usize::from(flow.listener)) {
                Some(Some(listener)) => listener.send(flow.peer, &bytes).is_ok(),
                Some(None) | None => false,
            },
            Transport::Tcp | Transport::Tls => self.streams.send(flow, bytes),
        };
        (!sent).then_some(flow)
    }

    /// Until a datagram can be read.
    async fn readable(&self) {
        poll_fn(|context| {
            let mut listeners = self.udp.iter().flatten();
            if listeners.any(|listener| listener.poll_readable(context).is_ready()) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

/// The loop's belongings.
pub(crate) struct Loop {
    pub(crate) board: Switchboard,
    pub(crate) world: World,
    pub(crate) trace: Trace,
    pub(crate) flows: Flows,
    pub(crate) turns: mpsc::Receiver<Turn>,
    pub(crate) clock: Clock,
    /// Octets of the longest message that is taken.
    pub(crate) longest: usize,
    /// Messages not handled yet.
    pub(crate) arrivals: Arrivals,
    /// What the switchboard was last told.
    pub(crate) behind: Behind,
}

impl Loop {
    /// Runs until told to leave and no call is left, or until nobody can tell it anything any more.
    pub(crate) async fn run(mut self) {
        let mut buffer = udp::Buffer::default();
        let mut out = Vec::new();
        let mut leaving: Option<oneshot::Sender<()>> = None;
        loop {
            if self.arrivals.is_empty() {
                let due = self.world.due(&self.board.gauges());
                let wake = self.board.next_wake().into_iter().chain(due).chain(self.trace.due()).min();
                let sleep = wake.map(|at| self.clock.deadline(at));
                tokio::select! {
                    biased;
                    turn = self.turns.recv() => match turn {
                        Some(turn) => self.turn(turn, &mut leaving, &mut out),
                        None => return,
                    },
                    () = self.flows.readable() => {}
                    () = sleep_until(sleep) => self.handle(Input::Wake, &mut out),
                }
            } else {
                // Connections are read on this thread too.
                tokio::task::yield_now().await;
            }
            self.gather(&mut buffer, &mut leaving, &mut out);
            self.attend(&mut out);
            let now = self.clock.now();
            self.world.flush(now, &self.board.gauges());
            self.trace.forget(now);
            // The record of the last call is still to be handed over when that call is gone, and trunks are to know
            // that nobody is here any more.
            let gauges = self.board.gauges();
            if gauges.calls == 0
                && gauges.errands == 0
                && self.world.due(&gauges).is_none()
                && let Some(left) = leaving.take()
            {
                let _ = left.send(());
                return;
            }
        }
    }

    /// Takes what is there: messages to the others that wait, anything else at once.
    fn gather(
        &mut self,
        buffer: &mut udp::Buffer,
        leaving: &mut Option<oneshot::Sender<()>>,
        out: &mut Vec<Output>,
    ) {
        for _ in 0..GULP {
            let Ok(turn) = self.turns.try_recv() else { break };
            self.turn(turn, leaving, out);
        }
        for place in 0..self.flows.udp.len() {
            for _ in 0..GULP {
                if self.arrivals.is_full() {
                    return;
                }
                let taken = self.flows.udp[place].as_ref().and_then(|listener| listener.take(buffer));
                let Some((flow, bytes)) = taken else { break };
                self.message(flow, bytes);
            }
        }
    }

    fn message(&mut self, flow: Flow, bytes: Bytes) {
        if bytes.len() > self.longest {
            self.world.too_long();
        } else {
            self.arrivals.push(self.clock.now(), flow, bytes);
        }
    }

    /// Handles some of the messages that wait.
    fn attend(&mut self, out: &mut Vec<Output>) {
        for _ in 0..BURST {
            let now = self.clock.now();
            let Some(next) = self.arrivals.pop(now) else { break };
            if let Some(messages) = next.waited {
                let (store, relay) = (self.world.keeper.behind(now), self.world.relay.behind());
                self.behind(Behind { messages, store, relay }, out);
            }
            self.handle(Input::Message { flow: next.flow, bytes: next.bytes }, out);
        }
    }

    /// Tells the switchboard how far behind we are, where that changed by more than chance.
    fn behind(&mut self, behind: Behind, out: &mut Vec<Output>) {
        let whole =
            |time: Duration| TICK * u32::try_from(time.as_millis() / TICK.as_millis()).unwrap_or(u32::MAX);
        let behind = Behind {
            messages: whole(behind.messages),
            store: whole(behind.store),
            relay: whole(behind.relay),
        };
        if behind != self.behind {
            self.behind = behind;
            self.world.metrics.behind(behind);
            self.handle(Input::Behind(behind), out);
        }
    }

    fn turn(&mut self, turn: Turn, leaving: &mut Option<oneshot::Sender<()>>, out: &mut Vec<Output>) {
        match turn {
            Turn::Message(flow, bytes) => self.message(flow, bytes),
            Turn::Expect(names) => self.flows.streams.expect(names),
            Turn::Stream(event) => {
                if let StreamEvent::Opened { flow, proved, .. } = &event
                    && !proved.is_empty()
                {
                    self.handle(Input::Proved { flow: *flow, names: proved.clone() }, out);
                }
                if let Some(lost) = self.flows.streams.learn(event) {
                    self.handle(Input::FlowLost(lost), out);
                }
            }
            Turn::Board(input) => self.handle(input, out),
            Turn::Library(library) => self.world.relay.change_library(&library),
            Turn::Met(met) => self.world.met(self.clock.now(), &met),
            Turn::Event(event) => self.world.tell(*event),
            Turn::HangUp(call, reply) => {
                let there = self.board.has(call);
                self.handle(Input::Control(Control::HangUp(call)), out);
                let _ = reply.send(there);
            }
            Turn::PauseRecording { call, paused, reply } => {
                self.handle(Input::Control(Control::PauseRecording { call, paused }), out);
                let _ = reply.send(self.board.recording(call));
            }
            Turn::Cancel { call, when, reply } => {
                let found = self.board.stage(call);
                self.handle(Input::Control(Control::Cancel { call, when }), out);
                let _ = reply.send(found);
            }
            Turn::EraseTraces(number, reply) => {
                let _ = reply.send(self.trace.erase(number));
            }
            Turn::Trace(call, reply) => {
                let epoch_us = self.clock.wall_us(Instant::ZERO);
                let _ = reply.send(self.trace.of(call).map(|kept| (kept, epoch_us)));
            }
            Turn::Trunks(reply) => {
                let _ = reply.send(self.board.trunks());
            }
            Turn::LeaveWhenEmpty(left) => *leaving = Some(left),
        }
    }

    /// The switchboard handles one input; what it says is performed, which may give it more to handle.
    fn handle(&mut self, input: Input, out: &mut Vec<Output>) {
        let mut next = Some(input);
        let mut lost = Vec::new();
        while let Some(input) = next.take() {
            let now = self.clock.now();
            self.world.heard(&input);
            let came = if let Input::Message { flow, bytes } = &input {
                self.trace.is_on().then(|| (*flow, bytes.clone()))
            } else {
                None
            };
            self.board.handle(now, input, out);
            self.perform(now, came.as_ref(), out, &mut lost);
            next = lost.pop().map(Input::FlowLost);
        }
    }

    /// Does what the switchboard said; `came` is the message it handled. Flows that turn out to be lost are added to `lost`.
    fn perform(
        &mut self,
        now: Instant,
        came: Option<&(Flow, Bytes)>,
        out: &mut Vec<Output>,
        lost: &mut Vec<Flow>,
    ) {
        for output in out.drain(..) {
            match output {
                Output::Send { leg, flow, bytes } => {
                    // A session is open before its peer is told of it: packets that come at once find it.
                    self.world.relay.flush();
                    self.world.sent(flow, &bytes);
                    if let Some(leg) = leg {
                        self.trace.sent(leg, now, flow, &bytes);
                    }
                    lost.extend(self.flows.send(flow, bytes));
                }
                Output::Heard(leg) => {
                    if let Some((flow, bytes)) = came {
                        self.trace.heard(leg, now, *flow, bytes);
                    }
                }
                Output::Leg { call, leg, callee } => self.trace.belongs(leg, call, callee),
                Output::Checkpoint(kept) => {
                    self.trace.verified(kept.record.call, kept.record.verification);
                    self.world.perform(now, Output::Checkpoint(kept));
                }
                Output::Record(record) => {
                    self.trace.verified(record.call, record.verification);
                    self.trace.over(record.call, now);
                    self.world.perform(now, Output::Record(record));
                }
                output @ (Output::Media { .. }
                | Output::Find { .. }
                | Output::Verify { .. }
                | Output::Consult(_)
                | Output::Called { .. }
                | Output::Uncalled { .. }
                | Output::Tallied(_)
                | Output::PairCalled { .. }
                | Output::Notice(_)
                | Output::Trunk(_)
                | Output::Shedding(_)
                | Output::Counted(_)
                | Output::Fault(_)) => self.world.perform(now, output),
            }
        }
    }

    /// Takes up the calls that were going on when the node died, before anything is heard of anybody.
    pub(crate) fn restore(&mut self, recovered: Recovered) {
        let (mut out, mut lost) = (Vec::new(), Vec::new());
        for tallied in recovered.tallied {
            self.board.remember(tallied);
        }
        for (call, [caller, callee]) in recovered.calls {
            let now = self.clock.now();
            self.world.people.restore(call.record.call, caller, callee);
            self.board.restore(now, call, recovered.can_go_on, &mut out);
            self.perform(now, None, &mut out, &mut lost);
        }
        for flow in lost {
            self.handle(Input::FlowLost(flow), &mut out);
        }
        self.world.flush(self.clock.now(), &self.board.gauges());
    }
}

async fn sleep_until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
