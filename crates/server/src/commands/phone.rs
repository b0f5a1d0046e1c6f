//! `bauta phone`: one scripted call, told line by line.

use std::io::{self, Write as _};
use std::net::{SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::time::{Duration, Instant};

use phone::{Account, Credentials, Does, Ending, Outcome, Phone, Report, Setup, Sound, What, tone, wav};
use serde_json::{Value, json};
use sip::{Uri, UriRef};
use tokio::sync::mpsc::unbounded_channel;

use crate::cli::{AccountArgs, AnswerArgs, DialArgs, Exit, PhoneArgs, PhoneCommand, RegisterArgs, VoiceArgs};

/// The port of SIP where none is written (RFC 3261 §19.1.2).
const SIP_PORT: u16 = 5060;

/// Runs one phone through its call.
pub(crate) fn run(args: &PhoneArgs) -> Exit {
    let (setup, voice) = match &args.command {
        PhoneCommand::Dial(args) => (dialling(args), Some(&args.voice)),
        PhoneCommand::Answer(args) => (answering(args), Some(&args.voice)),
        PhoneCommand::Register(args) => (registering(args), None),
    };
    let json = match &args.command {
        PhoneCommand::Register(args) => args.json,
        PhoneCommand::Dial(_) | PhoneCommand::Answer(_) => voice.is_some_and(|voice| voice.json),
    };
    let setup = match setup {
        Ok(setup) => setup,
        Err(why) => return complain(&why, Exit::Wrong),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let called = runtime.and_then(|runtime| runtime.block_on(call(setup.clone(), json)));
    let (outcome, caller) = match called {
        Ok(called) => called,
        Err(error) => return complain(&format!("{}: {error}", setup.bind), Exit::Failed),
    };
    let Some(voice) = voice else {
        return if outcome.registered { Exit::Done } else { Exit::Failed };
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

fn setup(bind: SocketAddr, number: &str, voice: &VoiceArgs, does: Does, account: Option<Account>) -> Setup {
    Setup {
        bind,
        number: number.to_owned(),
        clothes: None,
        says: voice.play.clone(),
        listen_for: voice.expect_tone,
        talk: voice.talk,
        patience: voice.patience,
        account,
        does,
    }
}

/// Where an address leads, and its host as written. `form` is how it should be written.
fn server(text: &str, form: &str) -> Result<(SocketAddr, String), String> {
    let wrong = || format!("{text:?}: write it as {form}");
    let uri = UriRef::parse(text.as_bytes()).map_err(|_| wrong())?;
    let host = uri.host().filter(|_| text.starts_with("sip:")).ok_or_else(wrong)?;
    let port = uri.port().unwrap_or(SIP_PORT);
    let server = match host.ip() {
        Some(ip) => SocketAddr::new(ip, port),
        None => {
            let found =
                (host.as_str(), port).to_socket_addrs().map_err(|error| format!("{text}: {error}"))?;
            found.into_iter().next().ok_or_else(wrong)?
        }
    };
    Ok((server, host.as_str().to_owned()))
}

/// The one written, or the one that leads to the server.
fn bind(written: Option<SocketAddr>, server: SocketAddr) -> Result<SocketAddr, String> {
    written.map_or_else(|| leading_to(server).map_err(|error| format!("no way to {server}: {error}")), Ok)
}

/// Who the phone is at the carrier whose server and host these are; nobody in particular without a name.
fn account(
    args: &AccountArgs,
    (server, host): (SocketAddr, &str),
    registrar: &str,
    expires: Duration,
) -> Result<Option<Account>, String> {
    let Some(username) = &args.username else { return Ok(None) };
    let password = match &args.password_file {
        Some(path) => {
            let text =
                std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
            text.trim_end_matches(['\r', '\n']).to_owned()
        }
        None => {
            let given = std::env::var("BAUTA_PHONE_PASSWORD").ok().filter(|password| !password.is_empty());
            given.ok_or("--username needs a password: write --password-file, or set BAUTA_PHONE_PASSWORD")?
        }
    };
    let aor = args.aor.clone().unwrap_or_else(|| format!("sip:{username}@{host}"));
    if Uri::parse(&aor).is_err() {
        return Err(format!("{aor:?} is no address: write --aor sip:USER@HOST"));
    }
    let seconds = u32::try_from(expires.as_secs()).ok().filter(|seconds| *seconds > 0);
    Ok(Some(Account {
        server,
        registrar: registrar.to_owned(),
        aor,
        expires: seconds.ok_or("--expires: write a second at least")?,
        credentials: Credentials {
            username: username.as_str().into(),
            password: password.into(),
            realm: args.realm.as_deref().map(Into::into),
            md5: true,
        },
    }))
}

fn dialling(args: &DialArgs) -> Result<Setup, String> {
    let (server, host) = server(&args.to, "sip:NUMBER@HOST:PORT")?;
    let account = account(&args.account, (server, &host), "", Duration::from_secs(1))?;
    let to = args.to.clone();
    let does = Does::Dial { to, server, keys: args.voice.digits.clone(), after: args.after };
    Ok(setup(bind(args.bind, server)?, &args.from, &args.voice, does, account))
}

fn registering(args: &RegisterArgs) -> Result<Setup, String> {
    let (server, host) = server(&args.registrar, "sip:HOST:PORT")?;
    let account = account(&args.account, (server, &host), &args.registrar, args.expires)?;
    Ok(Setup {
        bind: bind(args.bind, server)?,
        number: "phone".to_owned(),
        clothes: None,
        says: Sound::Silence,
        listen_for: None,
        talk: None,
        patience: args.patience,
        account: Some(account.ok_or("as whom? Write --username")?),
        does: Does::Register,
    })
}

/// The address of ours that a peer sees.
fn leading_to(peer: SocketAddr) -> io::Result<SocketAddr> {
    let any: SocketAddr = if peer.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(any)?;
    socket.connect(peer)?;
    Ok(SocketAddr::new(socket.local_addr()?.ip(), 0))
}

fn answering(args: &AnswerArgs) -> Result<Setup, String> {
    let does = Does::Answer { after: args.after, refuse: args.refuse, keys: args.voice.digits.clone() };
    let account = match &args.register {
        Some(registrar) => {
            let (server, host) = server(registrar, "sip:HOST:PORT")?;
            account(&args.account, (server, &host), registrar, args.expires)?
        }
        None => None,
    };
    Ok(setup(args.bind, "phone", &args.voice, does, account))
}

async fn call(setup: Setup, json: bool) -> io::Result<(Outcome, Option<String>)> {
    let (reports, mut said) = unbounded_channel();
    let phone = Phone::bind(setup, reports).await?;
    let (began, address) = (Instant::now(), phone.address());
    if json {
        say(json!({ "listening": address.to_string() }));
    } else {
        say(format_args!("        at {address}"));
    }
    let mut caller = None;
    let mut outcome = std::pin::pin!(phone.run());
    let outcome = loop {
        tokio::select! {
            biased;
            Some(report) = said.recv() => tell(&report, began, json, &mut caller),
            outcome = &mut outcome => break outcome?,
        }
    };
    while let Ok(report) = said.try_recv() {
        tell(&report, began, json, &mut caller);
    }
    Ok((outcome, caller))
}

fn tell(report: &Report, began: Instant, json: bool, caller: &mut Option<String>) {
    let text = match &report.what {
        What::Voice { .. } => return,
        What::Registered { expires } => format!("registered for {} s", expires.as_secs()),
        What::Unregistered { status: Some(status) } => format!("not registered: refused with {status}"),
        What::Unregistered { status: None } => "not registered".to_owned(),
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
