//! `bauta phone`: one scripted call, told line by line.

use std::io::{self, Write as _};
use std::net::{SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::time::Instant;

use phone::{Does, Ending, Outcome, Phone, Report, Setup, What, tone, wav};
use serde_json::{Value, json};
use sip::UriRef;
use tokio::sync::mpsc::unbounded_channel;

use crate::cli::{AnswerArgs, DialArgs, Exit, PhoneArgs, PhoneCommand, VoiceArgs};

/// The port of SIP where none is written (RFC 3261 §19.1.2).
const SIP_PORT: u16 = 5060;

/// Runs one phone through its call.
pub(crate) fn run(args: &PhoneArgs) -> Exit {
    let (setup, voice) = match &args.command {
        PhoneCommand::Dial(args) => (dialling(args), &args.voice),
        PhoneCommand::Answer(args) => (Ok(answering(args)), &args.voice),
    };
    let setup = match setup {
        Ok(setup) => setup,
        Err(why) => return complain(&why, Exit::Wrong),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let called = runtime.and_then(|runtime| runtime.block_on(call(setup.clone(), voice)));
    let (outcome, caller) = match called {
        Ok(called) => called,
        Err(error) => return complain(&format!("{}: {error}", setup.bind), Exit::Failed),
    };
    if let Some(path) = &voice.record
        && let Err(error) = wav::write(path, &outcome.heard.samples)
    {
        return complain(&format!("{}: {error}", path.display()), Exit::Failed);
    }
    conclude(&setup, voice, &outcome, caller)
}

fn complain(why: &str, exit: Exit) -> Exit {
    // Where stderr is closed there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{why}");
    exit
}

fn say(line: impl std::fmt::Display) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn setup(bind: SocketAddr, number: &str, voice: &VoiceArgs, does: Does) -> Setup {
    Setup {
        bind,
        number: number.to_owned(),
        clothes: None,
        says: voice.play.clone(),
        listen_for: voice.expect_tone,
        talk: voice.talk,
        patience: voice.patience,
        does,
    }
}

fn dialling(args: &DialArgs) -> Result<Setup, String> {
    let wrong = || format!("{:?}: write it as sip:NUMBER@HOST:PORT", args.to);
    let uri = UriRef::parse(args.to.as_bytes()).map_err(|_| wrong())?;
    let host = uri.host().filter(|_| args.to.starts_with("sip:")).ok_or_else(wrong)?;
    let port = uri.port().unwrap_or(SIP_PORT);
    let server = match host.ip() {
        Some(ip) => SocketAddr::new(ip, port),
        None => {
            let found =
                (host.as_str(), port).to_socket_addrs().map_err(|error| format!("{}: {error}", args.to))?;
            found.into_iter().next().ok_or_else(wrong)?
        }
    };
    let bind = match args.bind {
        Some(bind) => bind,
        None => leading_to(server).map_err(|error| format!("no way to {server}: {error}"))?,
    };
    let to = args.to.clone();
    let does = Does::Dial { to, server, keys: args.voice.digits.clone(), after: args.after };
    Ok(setup(bind, &args.from, &args.voice, does))
}

/// The address of ours that a peer sees.
fn leading_to(peer: SocketAddr) -> io::Result<SocketAddr> {
    let any: SocketAddr = if peer.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(any)?;
    socket.connect(peer)?;
    Ok(SocketAddr::new(socket.local_addr()?.ip(), 0))
}

fn answering(args: &AnswerArgs) -> Setup {
    let does = Does::Answer { after: args.after, refuse: args.refuse, keys: args.voice.digits.clone() };
    setup(args.bind, "phone", &args.voice, does)
}

async fn call(setup: Setup, voice: &VoiceArgs) -> io::Result<(Outcome, Option<String>)> {
    let (reports, mut said) = unbounded_channel();
    let phone = Phone::bind(setup, reports).await?;
    let (began, address) = (Instant::now(), phone.address());
    if voice.json {
        say(json!({ "listening": address.to_string() }));
    } else {
        say(format_args!("        at {address}"));
    }
    let mut caller = None;
    let mut outcome = std::pin::pin!(phone.run());
    let outcome = loop {
        tokio::select! {
            biased;
            Some(report) = said.recv() => tell(&report, began, voice.json, &mut caller),
            outcome = &mut outcome => break outcome?,
        }
    };
    while let Ok(report) = said.try_recv() {
        tell(&report, began, voice.json, &mut caller);
    }
    Ok((outcome, caller))
}

fn tell(report: &Report, began: Instant, json: bool, caller: &mut Option<String>) {
    let text = match &report.what {
        What::Voice { .. } => return,
        What::Invited { to } => format!("calls {to}"),
        What::Ringing => "it rings there".to_owned(),
        What::Answered => "they answered".to_owned(),
        What::Called { from, to } => {
            *caller = Some(from.clone());
            format!("{from} calls {to}")
        }
        What::Rang => "rings".to_owned(),
        What::Accepted => "answers".to_owned(),
        What::Refused(status) => format!("refuses with {status}"),
        What::Key(key) => format!("presses {key}"),
        What::Tone { hertz } => format!("hears {hertz} Hz"),
        What::HangsUp => "hangs up".to_owned(),
        What::Ended(ending) => format!("over: {}", word(*ending).0),
    };
    let ms = report.at.saturating_duration_since(began).as_millis();
    if json {
        say(json!({ "ms": u64::try_from(ms).unwrap_or(u64::MAX), "what": text }));
    } else {
        say(format_args!("{ms:>6}  {text}"));
    }
}

/// An ending in one word, and its status.
fn word(ending: Ending) -> (&'static str, Option<u16>) {
    match ending {
        Ending::HungUp { .. } => ("hung-up", None),
        Ending::Cancelled => ("cancelled", None),
        Ending::Refused { status, .. } => ("refused", Some(status)),
        Ending::Unreachable => ("unreachable", None),
        Ending::NeverAcknowledged => ("never-acknowledged", None),
        Ending::Gone => ("gone", None),
        Ending::Unrefreshed => ("unrefreshed", None),
        Ending::Ordered => ("ordered", None),
    }
}

/// Sums up, and decides whether the call was as it should be.
fn conclude(setup: &Setup, voice: &VoiceArgs, outcome: &Outcome, caller: Option<String>) -> Exit {
    let (ended, status) = outcome.ending.map_or(("no-call", None), word);
    let heard = &outcome.heard;
    let measured = tone::loudest(heard.talk());
    let tone_heard = voice.expect_tone.map(|_| heard.tone_from.is_some());
    let refuses = matches!(setup.does, Does::Answer { refuse: Some(_), .. });
    let reached = if refuses { caller.is_some() } else { outcome.answered };
    if voice.json {
        let summary: Value = json!({
            "answered": outcome.answered,
            "ended": ended,
            "status": status,
            "caller": caller,
            "packets": heard.packets,
            "tone_heard": tone_heard,
            "hertz": measured.map(|(hertz, _)| hertz),
            "level_db": measured.map(|(_, level)| level),
        });
        say(summary);
    } else {
        let answered = if outcome.answered { "answered" } else { "not answered" };
        say(format_args!("        {answered}, {ended}, {} packets of voice", heard.packets));
        if let Some((hertz, level)) = measured {
            say(format_args!("        heard {hertz:.0} Hz at {level:.1} dB"));
        }
    }
    if reached && tone_heard != Some(false) { Exit::Done } else { Exit::Failed }
}
