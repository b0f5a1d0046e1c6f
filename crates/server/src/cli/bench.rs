//! The arguments of `bauta bench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::config::duration;

/// `bauta bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    pub(crate) command: BenchCommand,
}

/// What is measured.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Whole order calls: dial the line, key the code, be joined, hang up.
    Calls(CallsArgs),
    /// Voice through the relay alone, packet by packet, beside rtpengine where that is installed.
    Relay(RelayArgs),
    /// The relay that `relay` measures; told what to do on its standard input.
    #[command(hide = true)]
    RelayProcess,
}

/// `bauta bench calls`.
#[derive(Debug, Args)]
pub(crate) struct CallsArgs {
    /// New calls in a second.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=5000))]
    pub(crate) rate: u32,
    /// How many calls in all.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) calls: u32,
    /// Place calls for so long, however many that are.
    #[arg(long = "for", value_name = "TIME", conflicts_with = "calls", value_parser = duration::parse)]
    pub(crate) lasting: Option<Duration>,
    /// Throw away so many in a hundred datagrams, SIP and voice, of those sent and of those that come, on either side.
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=50))]
    pub(crate) loss: u8,
    /// From the answer to the first key. On a machine that has more to do than it can, keys that come with the answer are
    /// there before the ear that is to hear them.
    #[arg(long, value_name = "TIME", default_value = "50ms", value_parser = duration::parse)]
    pub(crate) think: Duration,
    /// How long each two stay joined.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration::parse)]
    pub(crate) hold: Duration,
    /// Let voice flow both ways while they are joined.
    #[arg(long)]
    pub(crate) media: bool,
    /// Kill the server a second after all calls are joined, and start it again: they talk on. Needs a `hold` that outlasts the
    /// placing
    #[arg(long)]
    pub(crate) kill: bool,
    /// Write the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

impl CallsArgs {
    /// How many calls in all.
    pub(crate) fn count(&self) -> u32 {
        self.lasting.map_or(self.calls, |lasting| {
            let calls = lasting.as_millis() * u128::from(self.rate) / 1000;
            u32::try_from(calls).unwrap_or(u32::MAX).max(1)
        })
    }
}

/// `bauta bench relay`.
#[derive(Debug, Args)]
pub(crate) struct RelayArgs {
    /// Calls at once, each of two legs that send 50 packets a second; several numbers are steps.
    #[arg(
        long,
        value_name = "COUNT",
        value_delimiter = ',',
        default_value = "100,250,500",
        value_parser = clap::value_parser!(u32).range(1..=200_000)
    )]
    pub(crate) calls: Vec<u32>,
    /// More calls from step to step until packets are lost or the cores are full.
    #[arg(long, conflicts_with = "calls")]
    pub(crate) until_saturated: bool,
    /// How long packets are sent in each step.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub(crate) seconds: u32,
    /// How our relay moves packets; several are measured one after the other. Default: each way this kernel has.
    #[arg(long, value_delimiter = ',')]
    pub(crate) backend: Vec<Backend>,
    /// The rtpengine to compare with: "auto" for the one installed, "off", or its path.
    #[arg(long, value_name = "PATH", default_value = "auto", value_parser = rtpengine)]
    pub(crate) rtpengine: Rtpengine,
    /// Threads of each relay, each with a core where there are enough.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) workers: u16,
    /// Threads that send and receive.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) generators: u32,
    /// Between two network namespaces instead of on loopback, so that receiving is counted whole; needs root.
    #[arg(long)]
    pub(crate) veth: bool,
    /// What plays both parties of every call: "sockets" looks at every octet and measures latency, "kernel" (with --veth, root)
    /// sends and takes far more, looks at headers only and measures none.
    #[arg(long, value_enum, default_value = "sockets")]
    pub(crate) generator: Source,
    /// With --generator kernel: packets of a leg in a second. More than 50 load a relay further than its open files would allow.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(50..=400))]
    pub(crate) packets: u32,
    /// With --veth: have the relay's card gather packets for so many microseconds before it interrupts, at most, as
    /// napi_defer_hard_irqs and gro_flush_timeout say of a card. For every relay that is measured.
    #[arg(long, value_name = "MICROSECONDS", requires = "veth", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) gather: Option<u32>,
    /// The longest that our relays may let a packet wait for others, as media.max_wait says. Default: as each has it.
    #[arg(long, value_name = "MICROSECONDS", value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub(crate) max_wait: Option<u32>,
    /// Let relay and generator go before all other work on this machine (SCHED_FIFO); needs root.
    #[arg(long)]
    pub(crate) realtime: bool,
    /// Write the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Leave relay.md, relay.json and relay.svg there.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// How the relay moves packets between the system and itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub(crate) enum Backend {
    /// A readiness queue, and a system call for each packet each way.
    Epoll,
    /// Completion rings: a system call for all packets of a moment.
    #[value(name = "io_uring")]
    IoUring,
    /// Frames taken from the card by the relay itself. Needs --veth.
    #[value(name = "af_xdp")]
    AfXdp,
    /// Plain calls by the kernel at the card, the rest by the best of the others. Needs --veth.
    Xdp,
}

impl Backend {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Epoll => "epoll",
            Self::IoUring => "io_uring",
            Self::AfXdp => "af_xdp",
            Self::Xdp => "xdp",
        }
    }
}

/// What plays both parties of every call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Source {
    /// A program.
    Sockets,
    /// Programs in the kernel.
    Kernel,
}

/// Which rtpengine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rtpengine {
    /// The one installed, if there is one.
    Auto,
    /// None.
    Off,
    /// This one.
    At(PathBuf),
}

fn rtpengine(text: &str) -> Result<Rtpengine, String> {
    match text {
        "auto" => Ok(Rtpengine::Auto),
        "off" => Ok(Rtpengine::Off),
        path if PathBuf::from(path).is_file() => Ok(Rtpengine::At(path.into())),
        _ => Err("neither \"auto\" nor \"off\" nor a file".to_owned()),
    }
}
