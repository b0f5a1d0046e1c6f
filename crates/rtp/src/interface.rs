//! What the relay is told (commands, down) and what it says (reports, up).

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::VoipMetrics;
use crate::codec::Codec;
use crate::codec::opus::OpusWishes;
use crate::library::Sound;
use crate::srtp::{Srtp, Suite};

/// The media of one leg: one RTP session as its participant (RFC 3550 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u32);

/// One playing, so that a late report of an earlier one is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlayId(pub u32);

/// A prompt by its place in the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PromptId(pub u16);

/// A pair of our ports: RTP on `number` (even), RTCP on the next (RFC 3550 §11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port {
    /// Which worker owns the sockets.
    pub worker: u16,
    /// Which of our media addresses, by its place in the configuration.
    pub address: u8,
    /// The RTP port, even.
    pub number: u16,
}

/// What was agreed for one leg. Payload types may differ by direction (RFC 3264 §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// What we send, and under which payload type.
    pub send: (Codec, u8),
    /// What else they take, and under which payload type: what comes from a bridged session in one of these is passed on as it
    /// is, where its timestamps run as fast (RFC 7160).
    pub also: [Option<(Codec, u8)>; 3],
    /// What may come in: up to four payload types.
    pub receive: [Option<(Codec, u8)>; 4],
    /// The payload type under which we send telephone-events (RFC 4733), in the timestamps of `send`, where the other side takes
    /// them so; where it does not, it is sent tones.
    pub event_send: Option<u8>,
    /// The payload type under which theirs come; where they send none, their keys are heard in their audio.
    pub event_receive: Option<u8>,
    /// Milliseconds of audio in each packet we make, 10 to 60: of prompts, and of what we convert. What passes as it is keeps the
    /// length it came in: `ptime` asks, and does not forbid (RFC 8866 §6.4).
    pub ptime: u8,
    /// Milliseconds of audio they take in a packet at most, where they forbid more (`maxptime`) and it is less than anyone may
    /// send: longer ones are cut.
    pub longest: Option<u8>,
    /// Whether they take comfort noise (RFC 3389) under its own payload type, and may send it.
    pub noise: bool,
    /// What they say of the Opus they want.
    pub opus: OpusWishes,
}

/// Where the other side takes media, as its session description says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remote {
    /// RTP.
    pub rtp: SocketAddr,
    /// RTCP: the next port, or what `a=rtcp` says (RFC 3605), or that of RTP where they share one (RFC 5761).
    pub rtcp: SocketAddr,
}

/// Which ways media flows, from our side (RFC 3264 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    SendReceive,
    /// We send only: they hold us.
    SendOnly,
    /// We receive only.
    ReceiveOnly,
    /// Neither way.
    Inactive,
}

/// One leg's media as agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Media {
    /// Where they take it; `None` until their description is known.
    pub remote: Option<Remote>,
    /// In which form.
    pub format: Format,
    /// Which ways.
    pub direction: Direction,
    /// How it is protected; `None`: not at all.
    pub srtp: Option<Srtp>,
    /// Whether they want to be told how their voice comes in, by extended reports (RFC 3611 §4.7).
    pub xr: bool,
}

/// Everything the relay can be told. Both sessions of a bridge belong to one worker.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Begin a session on a port.
    Open {
        /// The new session.
        session: SessionId,
        /// Its port.
        port: Port,
        /// What was agreed.
        media: Media,
    },
    /// A new description was agreed: source learning begins anew (RFC 7362), the stream goes on.
    Update {
        /// Which session.
        session: SessionId,
        /// What was agreed.
        media: Media,
    },
    /// Play prompts one after the other, instead of whatever the session hears now. Replaces a play that runs.
    Play {
        /// Who hears it.
        session: SessionId,
        /// Named in `Report::Finished`.
        play: PlayId,
        /// What, in order.
        prompts: Vec<Sound>,
        /// Play the last one again and again; then it never finishes.
        repeat: bool,
    },
    /// Stop what plays; nothing is reported.
    Stop {
        /// Who hears it.
        session: SessionId,
    },
    /// Join two sessions: each hears the other where nothing plays to it.
    Bridge {
        /// One.
        first: SessionId,
        /// The other.
        second: SessionId,
    },
    /// Part two sessions again: neither hears the other any more, and it counts as if they had never been joined.
    Unbridge {
        /// One.
        first: SessionId,
        /// The other.
        second: SessionId,
    },
    /// A key was pressed, as this session's other side says beside its media (SIP INFO). One that comes by its media as
    /// well is one press.
    Press {
        /// By whom.
        session: SessionId,
        /// `0`-`9`, `*`, `#`, `A`-`D`; others are ignored.
        digit: char,
    },
    /// Write what this session (left) and, once bridged, its peer (right) say to a file until it closes.
    Record {
        /// The caller's session.
        session: SessionId,
        /// File name without folder.
        name: Box<str>,
    },
    /// Leave out of a recording what is said from now on, or take it in again. The recording goes on: a pause is
    /// silence of the same length, so that what follows stays where it was said. Nothing where no recording runs.
    PauseRecording {
        /// The session it was begun for.
        session: SessionId,
        /// Whether what is said is left out.
        paused: bool,
    },
    /// End a session; answered with `Report::Closed`.
    Close {
        /// Which.
        session: SessionId,
    },
}

impl Command {
    /// The sessions it is about.
    #[must_use]
    pub fn sessions(&self) -> [Option<SessionId>; 2] {
        match self {
            Self::Open { session, .. }
            | Self::Update { session, .. }
            | Self::Play { session, .. }
            | Self::Stop { session }
            | Self::Press { session, .. }
            | Self::Record { session, .. }
            | Self::PauseRecording { session, .. }
            | Self::Close { session } => [Some(*session), None],
            Self::Bridge { first, second } | Self::Unbridge { first, second } => {
                [Some(*first), Some(*second)]
            }
        }
    }
}

/// Everything the relay says.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// A key was pressed: said once, as soon as it is known, however many ways it was sent.
    Digit {
        /// By whom.
        session: SessionId,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
    },
    /// A play came to its end by itself.
    Finished {
        /// Who heard it.
        session: SessionId,
        /// Which play.
        play: PlayId,
    },
    /// No valid packet for as long as `Settings::silence` says; said once until packets come again.
    Silent {
        /// From whom.
        session: SessionId,
    },
    /// The session is closed.
    Closed {
        /// Which.
        session: SessionId,
        /// What passed through it.
        statistics: Statistics,
    },
    /// A recording is complete on disk, or broken off; said once for each `Record`.
    Recorded {
        /// The session it was made for.
        session: SessionId,
        /// Why it is not whole, if it is not.
        fault: Option<String>,
    },
}

/// What passed through one session (RFC 3550 §6.4, Appendix A).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Statistics {
    /// Valid RTP packets that came in.
    pub packets_received: u64,
    /// Their payload octets.
    pub bytes_received: u64,
    /// How many of them came since the session was first joined to another; 0 if it never was.
    pub packets_while_joined: u64,
    /// RTP packets we sent.
    pub packets_sent: u64,
    /// Their payload octets.
    pub bytes_sent: u64,
    /// Packets expected and not received (A.3); never negative here.
    pub lost: u64,
    /// Interarrival jitter at the end (A.8), milliseconds.
    pub jitter_ms: f32,
    /// Fraction lost as the other side reports what we sent, 0 to 1; `None` without a report.
    pub remote_loss: Option<f32>,
    /// How our voice came in, as their last extended report says (RFC 3611 §4.7); `None` without one.
    pub remote_metrics: Option<VoipMetrics>,
    /// Round trip from the last report block (§6.4.1), milliseconds.
    pub round_trip_ms: Option<f32>,
    /// Packets dropped because their source was not the signalled one.
    pub foreign: u64,
    /// Packets dropped, RTCP among them, because SRTP did not prove them theirs and new.
    pub unproven: u64,
    /// Codec that came in last.
    pub codec: Option<Codec>,
    /// How all of it was protected; `None` where anything went in the clear.
    pub srtp: Option<Suite>,
}

/// What every session of a worker shares.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Our media addresses, in the order `Port::address` counts them: what sockets are bound to.
    pub addresses: Vec<IpAddr>,
    /// What others know these addresses by: what our session descriptions say.
    pub public: Vec<IpAddr>,
    /// RTP and RTCP ports, on each of these addresses.
    pub ports: RangeInclusive<u16>,
    /// Those of them that another program holds, each after the place of its address: they are not ours.
    pub others: BTreeSet<(usize, u16)>,
    /// How long without a valid packet until `Report::Silent`, while media should flow. Default 30 s.
    pub silence: Duration,
    /// How often RTCP goes out. Default 5 s (RFC 3550 §6.2), spread at random by half.
    pub rtcp_interval: Duration,
    /// Hear keys in the audio of whoever was not told to send telephone-events. Default yes.
    pub inband: bool,
}

impl Settings {
    /// Whether an address is one of ours for media, whichever call has that port now. No session ever sends there nor listens
    /// to what comes from there.
    ///
    /// Two descriptions that name each other's port of ours would join sessions to a ring, in which every packet goes
    /// round for ever: it costs whoever sends one packet nothing, us all the time there is, and keeps the calls alive.
    /// Whether sessions make a ring or a chain cannot be seen from one of them, nor from one worker, and may change with
    /// every new description: so neither is made. A call of ours that a carrier hands back to us loses nothing by that
    /// where the carrier passes voice on itself, as it then names its own addresses; where it does not, the call shows
    /// one of our own numbers and is refused as a loop; and where it hides that number, the call has no voice.
    #[must_use]
    pub fn is_ours(&self, address: SocketAddr) -> bool {
        let (ip, port) = (address.ip().to_canonical(), address.port());
        let ours = self.addresses.iter().enumerate().chain(self.public.iter().enumerate());
        self.ports.contains(&port)
            && ours
                .filter(|(_, ours)| ours.to_canonical() == ip)
                .any(|(place, _)| !self.others.contains(&(place, port)))
    }
}
