//! `bauta bench relay`: calls of two legs, packets both ways, through each relay in turn, and what that cost.
//!
//! The relay runs in a process of its own, so that its time and memory are its own; the generator is in this one. It
//! looks at every packet that comes back, and sends the same packets past the relay as well, so that the latency told
//! is what the relay adds.

mod bencode;
mod flood;
mod generator;
mod histogram;
mod inside;
mod machine;
mod ng;
mod place;
mod plot;
mod report;
mod sockets;
mod steps;
mod subject;

use std::io::{self, Write as _};
use std::net::SocketAddrV4;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

use self::flood::Flood;
use self::generator::{Generator, Moment, Outcome};
use self::machine::Cores;
use self::place::{Place, Side, Veth};
use self::report::{Latency, Relay, Report, Step};
use self::steps::Steps;
use self::subject::{Kind, Subject, Way};
use super::process::{self, Spent};
use crate::cli::{Backend, Exit, RelayArgs, Rtpengine, Source};

/// Calls of the first step towards saturation, for each worker.
const FIRST: u32 = 50;
/// A step that something else disturbed is done again, so often in all.
const TRIES: u32 = 3;
/// The share of all cores that may be taken away from this machine.
const TOO_MUCH_STOLEN: f64 = 0.01;
/// The priority of relay and generator where they go before other work (sched(7): 1 to 99).
const URGENCY: i32 = 40;

/// Is the relay that is measured.
pub(super) fn inside() -> Result<Exit, String> {
    inside::run().map(|()| Exit::Done)
}

/// Measures and tells.
pub(super) fn run(args: &RelayArgs) -> Result<Exit, String> {
    let bench = Bench::new(args)?;
    let mut relays = Vec::new();
    for kind in kinds(args)? {
        let relay = bench.relay(&kind).map_err(|error| format!("{}: {error}", kind.name()))?;
        relays.push(relay);
    }
    let report = bench.report(relays)?;
    let json = serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?;
    let table = report.markdown();
    if let Some(dir) = &args.out {
        std::fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        let picture = plot::svg(&report);
        for (name, text) in [("relay.md", &table), ("relay.json", &json), ("relay.svg", &picture)] {
            let path = dir.join(name);
            std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    let told = if args.json { json } else { table };
    writeln!(io::stdout().lock(), "{}", told.trim_end()).map_err(|error| error.to_string())?;
    let sound = report.relays.iter().flat_map(|relay| &relay.steps).all(Step::is_sound);
    Ok(if sound { Exit::Done } else { Exit::Failed })
}

fn kinds(args: &RelayArgs) -> Result<Vec<Kind>, String> {
    let mut kinds: Vec<Kind> = args.backend.iter().copied().map(Kind::Bauta).collect();
    if kinds.is_empty() {
        kinds.push(Kind::Bauta(Backend::Epoll));
        if relay::Io::IoUring.is_available() {
            kinds.push(Kind::Bauta(Backend::IoUring));
        } else {
            note("no io_uring here; the rest is measured without it");
        }
    }
    match &args.rtpengine {
        Rtpengine::Off => {}
        Rtpengine::At(path) => kinds.push(Kind::Rtpengine(path.clone())),
        Rtpengine::Auto => match place::find("rtpengine") {
            Some(path) => kinds.push(Kind::Rtpengine(path)),
            None => {
                note("rtpengine is not installed (Debian: rtpengine-daemon); the rest is measured without it")
            }
        },
    }
    if kinds.is_empty() { Err("no relay is left to measure".to_owned()) } else { Ok(kinds) }
}

fn note(what: &str) {
    // Where stderr is closed there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{what}");
}

/// What all steps share.
struct Bench {
    place: Place,
    /// At the generator's card, where something needs it there.
    flood: Option<Mutex<Flood>>,
    source: Source,
    /// Packets of a leg in a second.
    rate: u32,
    steps: Steps,
    lasting: Duration,
    workers: u16,
    max_wait: Option<Duration>,
    generators: u32,
    realtime: bool,
    available: usize,
    pinned: bool,
    relay_cores: Cores,
    generator_cores: Cores,
}

impl Bench {
    fn new(args: &RelayArgs) -> Result<Self, String> {
        let available = Cores::available().map_err(|error| error.to_string())?;
        let workers = usize::from(args.workers);
        let pinned = available.len() > workers;
        let urgency = args.realtime.then_some(URGENCY);
        let (generators, relays) =
            if pinned { available.split_at(available.len() - workers) } else { (&[][..], &[][..]) };
        let (generator_cores, relay_cores) = (Cores::new(generators, urgency), Cores::new(relays, urgency));
        if args.realtime {
            may_be_urgent(&generator_cores)?;
        }
        let [one, two, ..] = ChaCha20Rng::from_os_rng().next_u32().to_be_bytes();
        let place = if args.veth {
            Place::Veth(Box::new(Veth::new(args.workers, &generator_cores, &relay_cores, args.gather)?))
        } else {
            Place::Loopback(one, two)
        };
        let needed = args.generator == Source::Kernel || args.backend.contains(&Backend::Xdp);
        let flood = if needed { Some(Mutex::new(Flood::new(&place, args.packets)?)) } else { None };
        let steps = if args.until_saturated {
            Steps::UntilSaturated(FIRST * u32::from(args.workers))
        } else {
            Steps::These(args.calls.clone())
        };
        Ok(Self {
            place,
            flood,
            source: args.generator,
            rate: if args.generator == Source::Kernel { args.packets } else { 50 },
            steps,
            lasting: Duration::from_secs(args.seconds.into()),
            workers: args.workers,
            max_wait: args.max_wait.map(|wait| Duration::from_micros(wait.into())),
            generators: args.generators,
            realtime: args.realtime,
            available: available.len(),
            pinned,
            relay_cores,
            generator_cores,
        })
    }

    /// Measures one relay, step by step.
    fn relay(&self, kind: &Kind) -> Result<Relay, String> {
        let mut steps: Vec<Step> = Vec::new();
        loop {
            let done: Vec<_> = steps.iter().map(|step| step.load(self.workers)).collect();
            let Some(calls) = self.steps.next(&done) else { break };
            let mut step = self.step(kind, calls)?;
            for _ in 1..TRIES {
                if !step.disturbed {
                    break;
                }
                note("that was disturbed, and is done again");
                let again = self.step(kind, calls)?;
                if !again.disturbed || again.generator_late < step.generator_late {
                    step = again;
                }
            }
            steps.push(step);
        }
        Ok(Relay::new(kind.name(), kind.version(), self.workers, steps))
    }

    fn step(&self, kind: &Kind, calls: u32) -> Result<Step, String> {
        note(&format!("{}: {calls} calls", kind.name()));
        let bare = match self.source {
            Source::Sockets => self.bare(calls)?,
            Source::Kernel => Outcome::default(),
        };
        let parties = match (self.source, &self.flood) {
            (Source::Kernel, Some(flood)) => Parties::Kernel(flood),
            (Source::Kernel | Source::Sockets, _) => Parties::Sockets(self.generator(calls)?),
        };
        let way = Way {
            place: &self.place,
            cores: &self.relay_cores,
            workers: self.workers,
            max_wait: self.max_wait,
        };
        let mut subject = Subject::start(kind, &way, calls)?;
        let targets = subject.join(&match &parties {
            Parties::Sockets(generator) => generator.remotes(),
            Parties::Kernel(_) => Flood::remotes(&self.place, calls),
        })?;
        let readings = Mutex::new(Vec::new());
        let meter = |_: Moment| {
            let reading = || {
                Ok(Reading {
                    at: Instant::now(),
                    own: subject.spent()?,
                    receiving: self.place.spent()?.total,
                    stolen: process::stolen()?,
                })
            };
            readings.lock().expect("nobody panics with it").push(reading());
        };
        let (lasting, cores) = (self.lasting, &self.generator_cores);
        let outcome = match parties {
            Parties::Sockets(generator) => generator.run(&targets, lasting, cores, &meter)?,
            Parties::Kernel(flood) => {
                let mut flood = flood.lock().expect("nobody panics with it");
                flood.run(&self.place, &targets, lasting, cores, &meter)?
            }
        };
        let memory = subject.memory()?;
        let passed = subject.end()?;
        let readings: Result<Vec<Reading>, String> =
            readings.into_inner().expect("nobody panicked with it").into_iter().collect();
        let [before, after] = &readings?[..] else {
            return Err("the generator did not get through".to_owned());
        };
        let (spent, receiving) = (after.own - before.own, after.receiving.saturating_sub(before.receiving));
        // Who takes frames from a card asks it, so that its thread has nothing to do: what it costs is the relay's own time.
        let asks = *kind == Kind::Bauta(Backend::AfXdp);
        if matches!(self.place, Place::Veth(_)) && !asks && receiving < spent.total / 100 {
            return Err("the system does not receive by the threads it was given; --veth cannot count here"
                .to_owned());
        }
        let took = after.at - before.at;
        let stolen = after.stolen.saturating_sub(before.stolen).as_secs_f64();
        let stolen = stolen / took.as_secs_f64().max(0.001) / self.available as f64;
        Ok(step(&Seen { calls, bare, outcome, took, spent, receiving, stolen, memory, passed }))
    }

    /// The same packets past the relay.
    fn bare(&self, calls: u32) -> Result<Outcome, String> {
        let generator = self.generator(calls)?;
        let remotes = generator.remotes();
        let straight: Vec<SocketAddrV4> = (0..remotes.len()).map(|leg| remotes[leg ^ 1]).collect();
        let lasting = self.lasting.min(Duration::from_secs(1));
        generator.run(&straight, lasting, &self.generator_cores, &|_| {})
    }

    fn generator(&self, calls: u32) -> Result<Generator, String> {
        let place = (ChaCha20Rng::from_os_rng().next_u32() % 4_000) as u16;
        let first = self.place.legs();
        let bind = || Generator::bind(first, calls * 2, self.generators, place);
        self.place
            .at(Side::Generator, bind)
            .map_err(|error| format!("the generator cannot take its ports: {error}"))
    }

    fn report(&self, relays: Vec<Relay>) -> Result<Report, String> {
        let release = "/proc/sys/kernel/osrelease";
        let kernel = std::fs::read_to_string(release).map_err(|error| format!("{release}: {error}"))?;
        Ok(Report {
            wire: match self.place {
                Place::Loopback(..) => "loopback",
                Place::Veth(_) => "veth",
            },
            kernel: kernel.trim().to_owned(),
            cores: self.available,
            pinned: self.pinned,
            realtime: self.realtime,
            workers: self.workers,
            generators: self.generators,
            by_kernel: self.source == Source::Kernel,
            rate: self.rate,
            seconds: self.lasting.as_secs() as u32,
            relays,
        })
    }
}

/// Who plays both parties of every call.
enum Parties<'a> {
    Sockets(Generator),
    Kernel(&'a Mutex<Flood>),
}

/// Tries on a thread that ends at once.
fn may_be_urgent(cores: &Cores) -> Result<(), String> {
    let tried = std::thread::scope(|scope| scope.spawn(|| cores.put(0)).join());
    match tried {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(format!("--realtime needs root or CAP_SYS_NICE: {error}")),
        Err(_) => Err("a thread panicked".to_owned()),
    }
}

/// The meters at one moment.
struct Reading {
    at: Instant,
    own: Spent,
    receiving: Duration,
    stolen: Duration,
}

/// What was seen in one step.
struct Seen {
    calls: u32,
    bare: Outcome,
    outcome: Outcome,
    took: Duration,
    spent: Spent,
    /// What the system spent on bringing packets.
    receiving: Duration,
    /// The share of all cores that was kept from this machine.
    stolen: f64,
    /// Before the first call, and for all calls.
    memory: (u64, u64),
    passed: Option<inside::Passed>,
}

#[expect(clippy::cast_precision_loss, reason = "counts and times for people")]
fn step(seen: &Seen) -> Step {
    let Seen { calls, bare, outcome, took, spent, receiving, stolen, memory, passed } = seen;
    let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
    let took = took.as_secs_f64().max(0.001);
    let micros = |time: Duration| time.as_secs_f64() * 1e6 / outcome.meanwhile.max(1) as f64;
    let user = micros(spent.total) * spent.user_share();
    let all_spent = spent.total + *receiving;
    let ms = |delay: Option<Duration>| delay.unwrap_or_default().as_secs_f64() * 1e3;
    let latency = |outcome: &Outcome| {
        outcome.delays.most().map(|most| Latency {
            p50: ms(outcome.delays.percentile(500)),
            p99: ms(outcome.delays.percentile(990)),
            max: ms(Some(most)),
        })
    };
    let (all, without) = (latency(outcome), latency(bare));
    let added = all.zip(without).map(|(all, without)| {
        let less = |with: f64| rounded((with - without.p50).max(0.0));
        Latency { p50: less(all.p50), p99: less(all.p99), max: less(all.max) }
    });
    let bare = without.map(|without| Latency {
        p50: rounded(without.p50),
        p99: rounded(without.p99),
        max: rounded(without.max),
    });
    Step {
        calls: *calls,
        packets_per_second: (outcome.meanwhile as f64 / took).round(),
        sent: outcome.sent,
        received: outcome.received,
        loss_percent: rounded(outcome.loss() * 100.0),
        disordered: outcome.disordered,
        spoilt: outcome.spoilt,
        misled: outcome.misled,
        cpu_us_per_packet: rounded(micros(all_spent)),
        cpu_us_per_packet_user: rounded(user),
        cpu_us_per_packet_system: rounded(micros(spent.total) - user),
        cpu_us_per_packet_receiving: rounded(micros(*receiving)),
        cpu_percent_of_a_core: rounded(all_spent.as_secs_f64() / took * 100.0),
        added_latency_ms: added,
        bare_latency_ms: bare,
        memory_kb_idle: rounded(memory.0 as f64 / 1024.0),
        memory_kb_per_call: rounded(memory.1 as f64 / 1024.0 / f64::from(*calls)),
        relay_lost: passed.map(|passed| passed.lost),
        relay_foreign: passed.map(|passed| passed.foreign),
        stolen_percent: rounded(stolen * 100.0),
        generator_late: outcome.late,
        generator_unsent: outcome.planned.saturating_sub(outcome.sent),
        generator_dropped: outcome.dropped,
        generator_bound: outcome.is_generator_bound(),
        disturbed: outcome.is_generator_bound() || outcome.is_late() || *stolen > TOO_MUCH_STOLEN,
    }
}
