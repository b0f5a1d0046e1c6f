//! `bauta bench`: a server of its own in another process, a load, and what the one cost the other.

mod child;
mod growth;
mod left;
mod process;
mod relay;
mod verdict;

use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::time::Duration;

use phone::load::{self, Load, Progress};
use serde_json::{Value, json};

use self::child::Child;
use self::growth::Growth;
use self::left::Holdings;
use self::process::Spent;
use super::loopback::LINE;
use crate::cli::{BenchArgs, BenchCommand, CallsArgs, Exit};

/// Orders at most: as many codes of five digits as are easily told apart from each other.
const ORDERS: u32 = 80_000;
/// As often is the load watched.
const A_SECOND: u32 = 10;

/// Runs a measurement.
pub(crate) fn run(args: &BenchArgs) -> Exit {
    let result = match &args.command {
        BenchCommand::Calls(args) => calls(args),
        BenchCommand::Relay(args) => relay::run(args),
        BenchCommand::RelayProcess => relay::inside(),
    };
    match result {
        Ok(exit) => exit,
        Err(why) => {
            // Where stderr is closed there is nobody to tell.
            let _ = writeln!(io::stderr().lock(), "nothing was measured: {why}");
            Exit::Failed
        }
    }
}

/// For how long what a call leaves behind may stay: 64*T1 (RFC 3261 Table 4), the last of it begun by a message that was
/// itself said again for as long; then the ports' rest, and a moment.
const LINGERS: Duration = Duration::from_secs(2 * 32 + child::PORT_REST.as_secs() + 5);
/// Between one look at what is left and the next.
const LOOK: Duration = Duration::from_millis(500);

/// What was seen of the server.
#[derive(Debug)]
struct Seen {
    memory_idle: u64,
    memory_peak: u64,
    memory_after: u64,
    most_joined: usize,
    memory_at_most: u64,
    growth: Growth,
    left: Holdings,
    cleared_after: Option<Duration>,
    server_cpu: Duration,
    own_cpu: Duration,
}

fn own_cpu() -> Result<Duration, String> {
    Spent::of(std::process::id()).map(|spent| spent.sampled())
}

fn calls(args: &CallsArgs) -> Result<Exit, String> {
    let count = args.count();
    let orders: Vec<(String, String)> = (0..count.min(ORDERS))
        .map(|order| (format!("+79991{order:06}"), (10_000 + order).to_string()))
        .collect();
    let mut child = Child::start(args, &orders)?;
    let load = Load {
        server: child.sip,
        callers: child.callers,
        callees: child.callees,
        callee_port: child.callee_port,
        line: LINE.to_owned(),
        orders,
        rate: f64::from(args.rate),
        calls: count as usize,
        think: args.think,
        hold: args.hold,
        media: args.media,
        loss: args.loss,
    };
    let (outcome, seen) = watched(&mut child, &load, args.kill)?;
    drop(child);
    let wrong = verdict::wrong(&outcome, args.loss, &seen);
    let mut result = result(args, &outcome, &seen);
    result["wrong"] = json!(wrong);
    let mut out = io::stdout().lock();
    let told = if args.json { writeln!(out, "{result}") } else { table(&mut out, &result) };
    told.map_err(|error| error.to_string())?;
    Ok(if wrong.is_empty() { Exit::Done } else { Exit::Failed })
}

/// Places the load, and stays until the server has let go of everything or should have.
fn watched(child: &mut Child, load: &Load, kill: bool) -> Result<(load::Outcome, Seen), String> {
    let before = child.holdings()?;
    let lasts = Duration::from_secs_f64(load.calls as f64 / load.rate);
    let mut seen = Seen {
        memory_idle: child.memory()?,
        memory_peak: 0,
        memory_after: 0,
        most_joined: 0,
        memory_at_most: 0,
        growth: Growth::over(lasts),
        left: Holdings::default(),
        cleared_after: None,
        server_cpu: Duration::ZERO,
        own_cpu: Duration::ZERO,
    };
    let (server_before, own_before) = (child.cpu()?, own_cpu()?);
    let spent = |child: &Child, seen: &mut Seen| {
        seen.server_cpu = child.cpu()?.saturating_sub(server_before);
        seen.own_cpu = own_cpu()?.saturating_sub(own_before);
        Ok::<_, String>(())
    };
    let (mut ended, mut looked, mut failed) = (None, Duration::ZERO, None);
    let (mut dies, mut all_joined) = (kill, 0);
    let mut watch = |now: Progress| {
        if !now.over {
            all_joined += u32::from(dies && now.joined >= load.calls);
            if dies && all_joined >= A_SECOND {
                dies = false;
                failed = child.kill().err();
            }
            let memory = child.memory().unwrap_or_default();
            seen.memory_peak = seen.memory_peak.max(memory);
            seen.growth.look(now.elapsed, memory);
            if now.joined >= seen.most_joined {
                (seen.most_joined, seen.memory_at_most) = (now.joined, memory);
            }
            return ControlFlow::Continue(());
        }
        let first = ended.is_none();
        let ended = *ended.get_or_insert(now.elapsed);
        if !first && now.elapsed - looked < LOOK {
            return ControlFlow::Continue(());
        }
        looked = now.elapsed;
        let look = if first { spent(child, &mut seen) } else { Ok(()) }.and_then(|()| child.holdings());
        match look {
            Ok(holds) => seen.left = holds.beyond(&before),
            Err(why) => {
                failed = Some(why);
                return ControlFlow::Break(());
            }
        }
        let after = now.elapsed - ended;
        if seen.left.is_nothing() {
            seen.cleared_after = Some(after);
        }
        if seen.left.is_nothing() || after > LINGERS {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let outcome = load::run(load, &mut watch).map_err(|error| error.to_string())?;
    if let Some(why) = failed {
        return Err(why);
    }
    if dies {
        return Err("the calls were never all joined at once: a longer --hold, or a higher --rate".to_owned());
    }
    seen.memory_after = child.memory()?;
    Ok((outcome, seen))
}

#[expect(clippy::cast_precision_loss, reason = "counts and times for people")]
fn result(args: &CallsArgs, outcome: &load::Outcome, seen: &Seen) -> Value {
    let placed = outcome.placed.max(1) as f64;
    let ms = |time: Duration| (time.as_secs_f64() * 1e5).round() / 100.0;
    let per_call = |time: Duration| (time.as_secs_f64() * 1e5 / placed).round() / 100.0;
    let percentile = |delays: &load::Delays, share| ms(delays.percentile(share));
    let tenth = |value: f64| (value * 10.0).round() / 10.0;
    let took = outcome.took.as_secs_f64();
    let grown = seen.memory_at_most.saturating_sub(seen.memory_idle) as f64;
    let per_joined = (seen.most_joined > 0).then(|| tenth(grown / seen.most_joined as f64));
    json!({
        "whisper": false,
        "think_seconds": args.think.as_secs_f64(),
        "hold_seconds": args.hold.as_secs_f64(),
        "media": args.media,
        "loss_percent": args.loss,
        "placed": outcome.placed,
        "completed": outcome.completed,
        "failed": outcome.failed,
        "took_seconds": (took * 1000.0).round() / 1000.0,
        "rate_asked": args.rate,
        "rate_placed": outcome.rate().map(tenth),
        "most_joined": outcome.most_joined,
        "media_packets": outcome.packets,
        "killed": args.kill,
        "gap_ms_p50": percentile(&outcome.gaps, 0.5),
        "gap_ms_max": percentile(&outcome.gaps, 1.0),
        "retransmissions": outcome.retransmissions,
        "datagrams_thrown_away": outcome.thrown_away,
        "answer_ms_p50": percentile(&outcome.answer_delays, 0.5),
        "answer_ms_p99": percentile(&outcome.answer_delays, 0.99),
        "dial_ms_p50": percentile(&outcome.dial_delays, 0.5),
        "dial_ms_p99": percentile(&outcome.dial_delays, 0.99),
        "server_cpu_ms_per_call": per_call(seen.server_cpu),
        "server_cpu_share_of_a_core": (seen.server_cpu.as_secs_f64() / took.max(0.001) * 1000.0).round() / 1000.0,
        "server_memory_kb_idle": seen.memory_idle,
        "server_memory_kb_peak": seen.memory_peak,
        "server_memory_kb_per_joined_call": per_joined,
        "server_memory_kb_at_fifths": seen.growth.fifths(),
        "server_memory_kb_per_minute_in_second_half": seen.growth.slope().map(tenth),
        "server_memory_kb_after": seen.memory_after,
        "left_over": seen.left.json(),
        "cleared_after_seconds": seen.cleared_after.map(|after| tenth(after.as_secs_f64())),
        "generator_cpu_ms_per_call": per_call(seen.own_cpu),
    })
}

fn table(out: &mut impl io::Write, result: &Value) -> io::Result<()> {
    let names = [
        ("calls placed", "placed", ""),
        ("completed", "completed", ""),
        ("failed, by step", "failed", ""),
        ("took", "took_seconds", "s"),
        ("calls per second, asked", "rate_asked", ""),
        ("calls per second, placed", "rate_placed", ""),
        ("most joined at once", "most_joined", ""),
        ("voice packets delivered", "media_packets", ""),
        ("longest silence of a call, p50", "gap_ms_p50", "ms"),
        ("longest silence of a call, max", "gap_ms_max", "ms"),
        ("said again", "retransmissions", ""),
        ("datagrams thrown away", "datagrams_thrown_away", ""),
        ("INVITE to 200, p50", "answer_ms_p50", "ms"),
        ("INVITE to 200, p99", "answer_ms_p99", "ms"),
        ("last key to callee's INVITE, p50", "dial_ms_p50", "ms"),
        ("last key to callee's INVITE, p99", "dial_ms_p99", "ms"),
        ("server CPU per call", "server_cpu_ms_per_call", "ms"),
        ("server CPU, of one core", "server_cpu_share_of_a_core", ""),
        ("server memory, idle", "server_memory_kb_idle", "KB"),
        ("server memory, peak", "server_memory_kb_peak", "KB"),
        ("server memory per joined call", "server_memory_kb_per_joined_call", "KB"),
        ("server memory, after", "server_memory_kb_after", "KB"),
        ("server memory, growth at the end", "server_memory_kb_per_minute_in_second_half", "KB/min"),
        ("all cleared after", "cleared_after_seconds", "s"),
        ("generator CPU per call", "generator_cpu_ms_per_call", "ms"),
    ];
    let (hold, think) = (&result["hold_seconds"], &result["think_seconds"]);
    let media = result["media"] == true;
    let voice = if media { "with voice both ways" } else { "without voice" };
    writeln!(
        out,
        "Order calls, joined for {hold} s {voice}; keyed {think} s into the greeting, whisper = false, so that"
    )?;
    writeln!(out, "no prompt's length is in these figures. Nothing recorded, no webhook.\n")?;
    for (name, key, unit) in names {
        writeln!(out, "{name:<34} {:>12} {unit}", result[key].to_string())?;
    }
    writeln!(out, "{:<34} {} KB", "server memory, each fifth", result["server_memory_kb_at_fifths"])?;
    writeln!(out, "{:<34} {}", "left over", result["left_over"])?;
    for wrong in result["wrong"].as_array().into_iter().flatten() {
        writeln!(out, "\nwrong: {}", wrong.as_str().unwrap_or_default())?;
    }
    Ok(())
}
