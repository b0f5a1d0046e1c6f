//! Real phones that put the other party on hold by their own controls, and take it back: who hears whom meanwhile.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use tests::baresip::{Answering, Baresip};
use tests::config::{self, Config, LINE};
use tests::linphone::Linphone;
use tests::loopback::{Loopback, SIP_PORT};
use tests::program::Bauta;
use tests::scene::{CLIENT, CODE, COURIER};
use tests::{tone, wait, wav};

/// What the courier's phone says, and what the client's.
const COURIERS: f64 = 440.0;
const CLIENTS: f64 = 1000.0;
/// How long one is on hold.
const HELD: Duration = Duration::from_secs(3);

/// A phone of either make.
enum Phone {
    Baresip(Baresip),
    Linphone(Linphone),
}

impl Phone {
    fn type_in(&mut self, baresip: &str, linphone: &str) {
        match self {
            Self::Baresip(phone) => phone.command(baresip, ""),
            Self::Linphone(phone) => phone.command(linphone),
        }
    }

    fn hears(&self, hertz: f64) -> f64 {
        match self {
            Self::Baresip(phone) => phone.hears(hertz),
            Self::Linphone(phone) => phone.hears(hertz),
        }
    }

    fn log(&self) -> String {
        match self {
            Self::Baresip(phone) => phone.log(),
            Self::Linphone(phone) => phone.log(),
        }
    }

    /// How often a description with this direction went by, either way.
    fn directions(&self, direction: &str) -> usize {
        self.log().matches(&format!("a={direction}")).count()
    }

    fn dial(&mut self, uri: &str) {
        match self {
            Self::Baresip(phone) => {
                phone.dial(uri);
                phone.await_event("CALL_ESTABLISHED");
            }
            Self::Linphone(phone) => {
                phone.dial(uri);
                phone.await_output("connected");
            }
        }
    }

    fn press(&mut self, keys: &str) {
        match self {
            Self::Baresip(phone) => phone.press(keys),
            Self::Linphone(phone) => phone.press(keys),
        }
    }
}

/// Two that talk through the program.
struct Talk {
    bauta: Bauta,
    courier: Phone,
    client: Phone,
    _loopback: Loopback,
}

fn talk(linphone_calls: bool, linphone_is_called: bool) -> Talk {
    let loopback = Loopback::claim();
    let (client, at) = if linphone_is_called {
        let phone = Linphone::start(loopback.callee(), CLIENT, CLIENTS, Answering::Auto);
        (Phone::Linphone(phone), SocketAddr::new(loopback.callee(), SIP_PORT))
    } else {
        let phone = Baresip::start(CLIENT, CLIENTS, Answering::Auto);
        let at = phone.address();
        (Phone::Baresip(phone), at)
    };
    let config = Config::new(&loopback)
        .set("trunk.0.trust", "from")
        .set("trunk.0.uri", format!("sip:{at}"))
        .set("trunk.0.allow", vec!["127.0.0.0/8"]);
    let bauta = Bauta::start(&loopback, &config);
    bauta.put_order(CODE, COURIER, CLIENT, 3600);
    let mut courier = if linphone_calls {
        Phone::Linphone(Linphone::start(loopback.carrier(), COURIER, COURIERS, Answering::Manual))
    } else {
        Phone::Baresip(Baresip::start(COURIER, COURIERS, Answering::Manual))
    };
    courier.dial(&format!("sip:+{LINE}@{}", loopback.sip().ip()));
    courier.press(CODE);
    wait::until_true("a bridge", wait::LATER, || {
        let (_, calls) = bauta.http_as(config::ADMIN, "GET", "/v1/calls", None);
        calls["items"][0]["bridged_at"].is_string()
    });
    Talk { bauta, courier, client, _loopback: loopback }
}

impl Talk {
    fn holder(&mut self, courier: bool) -> &mut Phone {
        if courier { &mut self.courier } else { &mut self.client }
    }

    /// Seconds of the other's voice that each has heard: the courier, the client.
    fn heard(&self) -> [f64; 2] {
        [self.courier.hears(CLIENTS), self.client.hears(COURIERS)]
    }

    /// Waits until these have heard the other for two seconds more.
    fn await_talk(&self, courier: bool, client: bool) {
        let before = self.heard();
        wait::until_true("them to hear each other", wait::LATER, || {
            let more = |place: usize| self.heard()[place] > before[place] + 2.0;
            (!courier || more(0)) && (!client || more(1))
        });
    }
}

/// Waits so long: that nothing is heard can only be seen by hearing nothing for a while.
fn meanwhile(time: Duration) {
    let since = Instant::now();
    wait::until_true("time to pass", wait::LATER, || since.elapsed() > time);
}

/// Twice somebody holds and takes back. Before and afterwards both hear each other. Meanwhile whoever holds hears nothing, and
/// the other what there is to hear: of a baresip nothing, of a linphone its music on hold, which is its voice over again.
fn held(linphone: bool, courier: bool) {
    let mut talk = talk(linphone && courier, linphone && !courier);
    talk.await_talk(true, true);
    for _ in 0..2 {
        let holder = talk.holder(courier);
        let (answers, back) = (holder.directions("recvonly"), holder.directions("sendrecv"));
        holder.type_in("hold", "pause");
        wait::until_true("the hold's answer", wait::LATER, || holder.directions("recvonly") > answers);
        // What was under way is heard yet.
        meanwhile(Duration::from_millis(300));
        let before = talk.heard();
        meanwhile(HELD);
        let now = talk.heard();
        let [by_courier, by_client] = [0, 1].map(|place| now[place] - before[place]);
        let (by_holder, by_other) = if courier { (by_courier, by_client) } else { (by_client, by_courier) };
        assert!(by_holder < 0.1, "whoever held heard the other for {by_holder} s");
        let music = if linphone { HELD.as_secs_f64() } else { 0.0 };
        assert!((by_other - music).abs() < 0.5, "whoever was held heard the other for {by_other} s");
        let holder = talk.holder(courier);
        holder.type_in("resume", "resume");
        wait::until_true("the end of hold", wait::LATER, || holder.directions("sendrecv") > back);
        // A baresip that has held hears again but keeps no more of it: what it was sent is counted at the end.
        talk.await_talk(linphone || !courier, linphone || courier);
    }
    let [by_courier, by_client] = talk.heard();
    talk.holder(courier).type_in("hangup", "terminate");
    let heard = if courier { by_client } else { by_courier };
    assert_recorded(&talk.bauta, courier, if linphone { 0 } else { 2 }, heard);
    for (phone, number) in [(&talk.client, COURIER), (&talk.courier, CLIENT)] {
        assert!(!phone.log().contains(&number[1..]), "a phone saw {number}");
    }
    talk.bauta.assert_no_fault();
}

/// The recording has what each said, and of who held so many silences while it did; and that one was sent as much as the
/// other heard of it, and nothing while it held.
fn assert_recorded(bauta: &Bauta, courier: bool, silences: usize, heard: f64) {
    let record = bauta.await_record();
    assert_eq!(
        (&record["cause"], &record["callee_reached"]),
        (&json!("hung-up"), &json!(true)),
        "{record:#}"
    );
    let id = record["id"].as_str().unwrap_or_else(|| panic!("no id in {record:#}"));
    let file = bauta.dir().join("recording.wav");
    std::fs::write(&file, bauta.recording(id)).expect("the disk has room");
    let recording = wav::read(&file);
    let said = |channel: usize, hertz| stretches(&recording.channels[channel], recording.rate, hertz);
    let (couriers, clients) = (said(0, COURIERS), said(1, CLIENTS));
    let (holders, others, leg) = if courier {
        (couriers, clients, &record["caller_leg"])
    } else {
        (clients, couriers, &record["callee_leg"])
    };
    let least = HELD.as_secs_f64();
    let pauses = |stretches: &[(bool, f64)]| {
        let began = stretches.iter().skip_while(|(there, _)| !there);
        began.filter(|(there, seconds)| !there && *seconds >= least).count()
    };
    assert_eq!((pauses(&holders), pauses(&others)), (silences, 0), "{holders:?} {others:?}");
    let all = |stretches: &[(bool, f64)]| {
        stretches.iter().filter(|(there, _)| *there).map(|(_, seconds)| seconds).sum::<f64>()
    };
    let up: f64 = holders.iter().map(|(_, seconds)| seconds).sum();
    let sent = leg["packets_sent"].as_f64().expect("a count") / 50.0;
    assert!(all(&holders) + 0.5 > heard && sent + 0.5 > heard, "{heard} s heard, {sent} s sent: {holders:?}");
    assert!(sent < up - 2.0 * least + 0.5, "{sent} s sent in {up} s");
}

/// For how long the tone is there and not there, by turns, in seconds.
fn stretches(samples: &[i16], rate: u32, hertz: f64) -> Vec<(bool, f64)> {
    let mut stretches: Vec<(bool, f64)> = Vec::new();
    for chunk in samples.chunks_exact(rate as usize / 10) {
        let there = tone::is(chunk, rate, hertz);
        match stretches.last_mut().filter(|(before, _)| *before == there) {
            Some((_, seconds)) => *seconds += 0.1,
            None => stretches.push((there, 0.1)),
        }
    }
    stretches
}

#[test]
fn a_baresip_courier_holds_and_comes_back() {
    held(false, true);
}

#[test]
fn a_baresip_client_holds_and_comes_back() {
    held(false, false);
}

#[test]
fn a_linphone_courier_holds_and_comes_back() {
    held(true, true);
}

#[test]
fn a_linphone_client_holds_and_comes_back() {
    held(true, false);
}
