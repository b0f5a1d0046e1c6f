//! Whether calls can be taken: we call ourselves and listen (`b2bua` answers with music). What comes of it readiness
//! and metrics tell, and systemd's watchdog is fed by nothing else.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use phone::{Does, Ending, Outcome, Phone, Setup, Sound};
use sip::Transport;
use tokio::sync::{mpsc, watch};

use crate::config::Listener;
use crate::metrics::Metrics;
use crate::supervisor;

/// How long the answer and the first of the music may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long we listen.
const LISTENS: Duration = Duration::from_millis(300);
/// A whole call, the end of it included.
const WITHIN: Duration = Duration::from_secs(10);
/// A relay that has taken nothing for so long is not busy but stands still.
const STANDS_STILL: Duration = Duration::from_secs(2);
/// After a call that failed the next follows so soon.
const AGAIN: Duration = Duration::from_secs(2);

/// What a call came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// It was answered, and there was music.
    Heard,
    /// It was refused because there is no room, or we drain: whoever says so is alive.
    Refused,
}

/// Why calls cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// Our own end of it.
    #[error("{0}")]
    Socket(#[from] io::Error),
    /// Nobody answered.
    #[error("nobody answered")]
    Unanswered,
    /// It was refused.
    #[error("it was refused with {0}")]
    Refused(u16),
    /// It was refused for want of room, because nothing moves.
    #[error("it was refused, because the relay stands still")]
    Stuck,
    /// Nothing was heard.
    #[error("it was answered, but there was no music")]
    Silent,
}

/// Whoever calls.
#[derive(Debug)]
pub(crate) struct SelfCaller {
    /// Kept all the time, so that no one else calls from there.
    socket: UdpSocket,
    here: SocketAddr,
    to: SocketAddr,
}

impl SelfCaller {
    /// Takes a socket beside the first UDP listener; `None` where there is none.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn beside(listeners: &[Listener]) -> io::Result<Option<Self>> {
        let mut listeners = listeners.iter().filter(|listener| listener.transport == Transport::Udp);
        let Some(listener) = listeners.next() else { return Ok(None) };
        let ip = match listener.address.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
            ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
        };
        let socket = UdpSocket::bind(SocketAddr::new(ip, 0))?;
        let here = socket.local_addr()?;
        Ok(Some(Self { socket, here, to: SocketAddr::new(ip, listener.address.port()) }))
    }

    /// Where its calls come from.
    pub(crate) fn address(&self) -> SocketAddr {
        self.here
    }

    /// One call.
    ///
    /// # Errors
    /// Why calls cannot be taken.
    pub(crate) async fn call(&self) -> Result<Proof, Fault> {
        let setup = Setup {
            bind: self.here,
            number: "self".to_owned(),
            clothes: None,
            says: Sound::Silence,
            listen_for: None,
            talk: Some(LISTENS),
            patience: PATIENCE,
            account: None,
            does: Does::Dial {
                to: format!("sip:self@{}", self.to),
                server: self.to,
                keys: String::new(),
                after: Duration::ZERO,
            },
        };
        let (reports, _nobody_listens) = mpsc::unbounded_channel();
        let phone = Phone::over(self.socket.try_clone()?, setup, reports).await?;
        match tokio::time::timeout(WITHIN, phone.run()).await {
            Ok(outcome) => proof(&outcome?),
            Err(_elapsed) => Err(Fault::Unanswered),
        }
    }
}

fn proof(outcome: &Outcome) -> Result<Proof, Fault> {
    match outcome.ending {
        _ if outcome.answered && outcome.heard.packets > 0 => Ok(Proof::Heard),
        _ if outcome.answered => Err(Fault::Silent),
        // Each of those a server may be told to refuse with that has no room (`sip.busy_status`).
        Some(Ending::Refused { status: 480 | 486 | 500 | 503 | 600 | 603, .. }) => Ok(Proof::Refused),
        Some(Ending::Refused { status, .. }) => Err(Fault::Refused(status)),
        Some(_) | None => Err(Fault::Unanswered),
    }
}

/// Whoever refuses because the relay is behind is alive; whether the relay is, it does not say.
fn believed(proof: Proof, relay_behind: Duration) -> Result<Proof, Fault> {
    match proof {
        Proof::Refused if relay_behind >= STANDS_STILL => Err(Fault::Stuck),
        Proof::Heard | Proof::Refused => Ok(proof),
    }
}

/// Calls again and again until told to stop.
pub(crate) async fn run(
    caller: SelfCaller,
    every: Duration,
    metrics: Arc<Metrics>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let began = Instant::now();
        let result = tokio::select! {
            result = caller.call() => result.and_then(|proof| believed(proof, metrics.relay_behind())),
            _ = stop.wait_for(|stop| *stop) => return,
        };
        metrics.self_called(began.elapsed(), result.as_ref().ok().copied());
        let pause = match result {
            Ok(_) => {
                supervisor::feed();
                every.saturating_sub(began.elapsed())
            }
            Err(fault) => {
                tracing::error!(%fault, "a call to ourselves failed: calls cannot be taken");
                AGAIN
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phone::Heard;

    fn outcome(answered: bool, packets: usize, status: Option<u16>) -> Outcome {
        let mut heard = Heard::default();
        heard.packets = packets;
        let ending = status.map(|status| Ending::Refused { status, retry_after: None, q850: None });
        Outcome { answered, ending, heard, ..Outcome::default() }
    }

    #[test]
    fn only_what_is_heard_or_refused_for_want_of_room_is_proof() {
        assert_eq!(proof(&outcome(true, 1, None)).unwrap(), Proof::Heard);
        assert_eq!(proof(&outcome(false, 0, Some(503))).unwrap(), Proof::Refused);
        assert!(matches!(proof(&outcome(true, 0, None)), Err(Fault::Silent)));
        assert!(matches!(proof(&outcome(false, 0, Some(488))), Err(Fault::Refused(488))));
        assert!(matches!(proof(&outcome(false, 0, None)), Err(Fault::Unanswered)));
    }

    #[test]
    fn a_refusal_proves_nothing_while_the_relay_stands_still() {
        assert_eq!(believed(Proof::Refused, Duration::from_millis(1999)).unwrap(), Proof::Refused);
        assert!(matches!(believed(Proof::Refused, STANDS_STILL), Err(Fault::Stuck)));
        assert_eq!(believed(Proof::Heard, STANDS_STILL).unwrap(), Proof::Heard);
    }

    #[tokio::test]
    async fn where_nobody_is_nobody_answers() {
        let nobody = UdpSocket::bind("127.0.0.1:0").unwrap();
        let listener = Listener {
            transport: Transport::Udp,
            address: nobody.local_addr().unwrap(),
            public: String::new(),
        };
        let caller = SelfCaller::beside(&[listener]).unwrap().unwrap();
        tokio::time::pause();
        assert!(matches!(caller.call().await, Err(Fault::Unanswered)));
    }

    #[test]
    fn without_datagrams_there_is_no_caller() {
        let address = "127.0.0.1:5060".parse().unwrap();
        let listener = Listener { transport: Transport::Tcp, address, public: String::new() };
        assert!(SelfCaller::beside(&[listener]).unwrap().is_none());
    }
}
