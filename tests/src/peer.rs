//! A peer that speaks SIP and RTP by hand and keeps every byte it receives.
//!
//! One thread reads the SIP socket: it absorbs retransmissions (answering them again, as RFC 3261 §17 wants), answers
//! OPTIONS, and gives each message to its call by Call-ID. The test holds the calls and says what happens next.

pub mod call;
pub mod media;
pub mod message;
pub mod packet;
pub mod session;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::canary::Canary;
use crate::link::Link;
use crate::loopback::SIP_PORT;
use crate::wait;
pub use call::Call;
pub use media::Media;
pub use message::Message;
pub use session::Voice;
use wire::Wire;

/// How a peer's messages travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// Streams.
    Tcp,
}

/// A peer: one SIP address, many calls.
#[derive(Debug)]
pub struct Peer {
    shared: Arc<Shared>,
    incoming: Receiver<Message>,
    reader: Option<JoinHandle<()>>,
}

/// What the reading thread and the calls of a peer share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) link: Link,
    pub(crate) wire: Wire,
    state: Mutex<State>,
    calls: AtomicU32,
    over: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    received: Vec<Vec<u8>>,
    media: Vec<Arc<media::Shared>>,
    inboxes: BTreeMap<String, Sender<Message>>,
    /// Requests and responses seen, so that a second copy is told apart.
    seen: BTreeSet<String>,
    /// What was answered to a request, by its identity.
    answers: BTreeMap<String, (SocketAddr, Vec<u8>)>,
    /// The ACK sent for a 2xx, by the response's identity.
    acks: BTreeMap<String, (SocketAddr, Vec<u8>)>,
    /// What is sent again until it is answered or acknowledged, by what ends that.
    unanswered: BTreeMap<String, Repeat>,
}

/// T1 and T2 (RFC 3261 §17.1.1.1, §17.1.2.1).
const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);

#[derive(Debug)]
struct Repeat {
    to: SocketAddr,
    bytes: Vec<u8>,
    at: Instant,
    gap: Duration,
}

impl Peer {
    /// A peer at port 5060 of this address, by UDP, over a line that loses nothing.
    #[must_use]
    pub fn at(name: &str, address: IpAddr) -> Self {
        Self::new(name, SocketAddr::new(address, SIP_PORT), Transport::Udp, &Link::perfect())
    }

    /// A peer. Its `name` becomes part of all that it says of itself, as a canary. Port 0: any.
    ///
    /// # Panics
    /// If the address is taken.
    #[must_use]
    pub fn new(name: &str, address: SocketAddr, transport: Transport, link: &Link) -> Self {
        let wire = Wire::bind(address, transport, link);
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            address: wire.address(),
            link: link.clone(),
            wire,
            state: Mutex::default(),
            calls: AtomicU32::new(0),
            over: AtomicBool::new(false),
        });
        let (sender, incoming) = mpsc::channel();
        let ours = Arc::clone(&shared);
        let reader = std::thread::Builder::new()
            .name(format!("{name} sip"))
            .spawn(move || {
                while !ours.over.load(Ordering::Relaxed) {
                    for (from, bytes) in ours.wire.receive() {
                        ours.take(from, bytes, &sender);
                    }
                    ours.repeat();
                }
            })
            .expect("a thread can be started");
        Self { shared, incoming, reader: Some(reader) }
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Starts a call.
    #[must_use]
    pub fn dial(&self, server: SocketAddr, dial: &call::Dial) -> Call {
        Call::dial(&self.shared, server, dial)
    }

    /// Waits for a call.
    ///
    /// # Panics
    /// If none comes.
    #[must_use]
    pub fn incoming(&self) -> Call {
        let invite = self
            .incoming
            .recv_timeout(wait::LATER)
            .unwrap_or_else(|_| panic!("{} waited in vain for a call", self.shared.name));
        Call::incoming(&self.shared, invite)
    }

    /// Whether a call has come that nobody took.
    #[must_use]
    pub fn was_called(&self) -> bool {
        self.incoming.try_recv().is_ok()
    }

    /// Sends bytes as they are.
    pub fn send_raw(&self, to: SocketAddr, bytes: &[u8]) {
        self.shared.wire.send(to, bytes);
    }

    /// Ends every TCP connection, as a carrier that restarts does.
    pub fn drop_connections(&self) {
        self.shared.wire.hang_up();
    }

    /// Every message and packet received so far: SIP, RTP and RTCP.
    #[must_use]
    pub fn received(&self) -> Vec<Vec<u8>> {
        let state = self.shared.state();
        let packets = state.media.iter().flat_map(|media| media.received());
        state.received.iter().cloned().chain(packets).collect()
    }

    /// Every SIP message received so far.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.shared.state().received.iter().filter_map(|bytes| Message::parse(bytes)).collect()
    }

    /// What this peer says of itself and no other side may learn: its name in every form, its address, the
    /// identifiers of its calls and streams. Numbers are the test's to add.
    #[must_use]
    pub fn canaries(&self) -> Vec<Canary> {
        let name = &self.shared.name;
        let mut canaries = vec![
            Canary::text(&format!("the name of {name}"), &format!("canary-{name}")),
            Canary::address(&format!("the address of {name}"), self.shared.address.ip()),
        ];
        for media in &self.shared.state().media {
            canaries.push(Canary::ssrc(&format!("the SSRC of {name}"), media.ssrc));
        }
        canaries
    }

    /// Asserts that nothing received tells any of these.
    pub fn assert_learnt_nothing_of(&self, canaries: &[Canary]) {
        let received = self.received();
        crate::canary::assert_absent(&self.shared.name, received.iter().map(Vec::as_slice), canaries);
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            // A reader that panicked has said so.
            drop(reader.join());
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no peer panics while it holds its state")
    }

    /// A number no other call of this peer has.
    pub(crate) fn next_call(&self) -> u32 {
        self.calls.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn open_inbox(&self, call_id: &str) -> Receiver<Message> {
        let (sender, receiver) = mpsc::channel();
        self.state().inboxes.insert(call_id.to_owned(), sender);
        receiver
    }

    pub(crate) fn keep_media(&self, media: &Arc<media::Shared>) {
        self.state().media.push(Arc::clone(media));
    }

    /// Sends a response and keeps it for retransmissions of its request.
    pub(crate) fn respond(&self, request: &Message, response: Vec<u8>) {
        let to = request.from;
        self.state().answers.insert(request.identity(), (to, response.clone()));
        self.wire.send(to, &response);
    }

    /// Sends a request, again and again until it is answered.
    pub(crate) fn ask(&self, to: SocketAddr, method: &str, call_id: &str, cseq: u32, bytes: Vec<u8>) {
        self.send_until(&format!("{method} {call_id} {cseq}"), to, bytes);
    }

    /// Sends the final response to an INVITE, again and again until it is acknowledged.
    pub(crate) fn conclude(&self, invite: &Message, response: Vec<u8>) {
        self.state().answers.insert(invite.identity(), (invite.from, response.clone()));
        self.send_until(&format!("ACK {} {}", invite.call_id(), invite.cseq()), invite.from, response);
    }

    fn send_until(&self, key: &str, to: SocketAddr, bytes: Vec<u8>) {
        self.wire.send(to, &bytes);
        if !self.wire.is_reliable() {
            let repeat = Repeat { to, bytes, at: Instant::now() + T1, gap: T1 };
            self.state().unanswered.insert(key.to_owned(), repeat);
        }
    }

    /// Sends again what is due.
    fn repeat(&self) {
        let now = Instant::now();
        for repeat in self.state().unanswered.values_mut().filter(|repeat| repeat.at <= now) {
            self.wire.send(repeat.to, &repeat.bytes);
            repeat.gap = (repeat.gap * 2).min(T2);
            repeat.at = now + repeat.gap;
        }
    }

    /// Sends the ACK of a 2xx and keeps it for retransmissions of the 2xx.
    pub(crate) fn acknowledge(&self, response: &Message, to: SocketAddr, ack: Vec<u8>) {
        self.state().acks.insert(response.identity(), (to, ack.clone()));
        self.wire.send(to, &ack);
    }

    fn take(&self, from: SocketAddr, bytes: Vec<u8>, incoming: &Sender<Message>) {
        let message = Message::parse(&bytes);
        let mut state = self.state();
        state.received.push(bytes);
        let Some(mut message) = message else { return };
        message.from = from;
        let identity = message.identity();
        if message.is_request("ACK") || message.status() >= Some(200) || message.answers("INVITE") {
            let key = format!("{} {} {}", message.cseq_method(), message.call_id(), message.cseq());
            state.unanswered.remove(&key);
        }
        if !state.seen.insert(identity.clone()) {
            let again = state.answers.get(&identity).or_else(|| state.acks.get(&identity));
            if let Some((to, bytes)) = again {
                self.wire.send(*to, bytes);
            }
            return;
        }
        let is_new_call = message.is_request("INVITE") && message.to_tag().is_none();
        if let Some(inbox) = state.inboxes.get(message.call_id()) {
            // A call the test has dropped wants no messages.
            drop(inbox.send(message));
        } else if is_new_call {
            drop(incoming.send(message));
        } else if let Some(method) = message.method().filter(|method| *method != "ACK") {
            let status = if method == "OPTIONS" { "200 OK" } else { "481 Call Does Not Exist" };
            let response = message.answered(status, Some("x"), &[], "");
            self.wire.send(from, &response);
            state.answers.insert(identity, (from, response));
        }
    }
}
