//! Callbacks from end to end: asked for by the API, called by the program, kept through its death.

use serde_json::{Value, json};
use tests::baresip::{Answering, Baresip};
use tests::canary::Canary;
use tests::config::{Config, LINE};
use tests::loopback::Loopback;
use tests::peer::{Call, Peer};
use tests::program::Bauta;
use tests::prompts::Library;
use tests::scene::{CLIENT, COURIER, Scene};
use tests::sipp::Sipp;
use tests::{tone, wait};

/// The line that the first side sees.
const DESK: &str = "74957777777";
/// Another of the second side.
const SPARE: &str = "79994444440";

/// The program between those who are called first and those who are called then, each by a carrier of their own.
struct Office {
    bauta: Bauta,
    first: Peer,
    second: Peer,
    prompts: Library,
    /// Held while the office is open: its addresses are nobody else's.
    _loopback: Loopback,
}

fn config(loopback: &Loopback) -> Config {
    let (first, second) = (loopback.carrier(), loopback.callee());
    Config::new(loopback)
        .set("trunk.0.allow", vec![format!("{second}/32")])
        .add(
            "trunk",
            &format!(
                "name = \"desk\"\nuri = \"sip:{first}:5060\"\nallow = [\"{first}/32\"]\nnumbers = [\"{DESK}\"]"
            ),
        )
        .add("line", &format!("number = \"{DESK}\"\ntrunk = \"desk\"\nrecord = true"))
}

impl Office {
    fn open() -> Self {
        Self::with(|config| config)
    }

    fn with(change: impl FnOnce(Config) -> Config) -> Self {
        let loopback = Loopback::claim();
        let (first, second) = (Peer::at("caller", loopback.carrier()), Peer::at("callee", loopback.callee()));
        let bauta = Bauta::start(&loopback, &change(config(&loopback)));
        Self { bauta, first, second, prompts: Library::read("ru"), _loopback: loopback }
    }

    /// Asks for a callback; its id.
    fn ask(&self, body: &Value) -> String {
        let (status, answer) = self.bauta.http("POST", "/v1/callbacks", Some(body));
        assert_eq!(status, 202, "{answer:#}");
        answer["id"].as_str().expect("it has an id").to_owned()
    }

    fn read(&self, id: &str) -> Value {
        let (status, answer) = self.bauta.http("GET", &format!("/v1/callbacks/{id}"), None);
        assert_eq!(status, 200, "{answer:#}");
        answer
    }

    fn await_state(&self, id: &str, state: &str) -> Value {
        wait::until(&format!("the state {state}"), wait::LATER, || {
            Some(self.read(id)).filter(|callback| callback["state"] == state)
        })
    }

    fn cancel(&self, id: &str, when: &str) -> Value {
        let (status, answer) = self.bauta.http("DELETE", &format!("/v1/callbacks/{id}?when={when}"), None);
        assert_eq!(status, 200, "{answer:#}");
        answer
    }

    fn assert_masked(&self) {
        let mut of_first = self.first.canaries();
        of_first.push(Canary::number("the first side's number", COURIER));
        self.second.assert_learnt_nothing_of(&of_first);
        let mut of_second = self.second.canaries();
        of_second.push(Canary::number("the second side's number", CLIENT));
        self.first.assert_learnt_nothing_of(&of_second);
    }

    /// Two that talk by a callback.
    fn talking(&self) -> (String, Call, Call) {
        let id = self.ask(&one_each());
        let mut first = self.first.incoming();
        first.provisional("180 Ringing");
        first.answer();
        let mut second = self.second.incoming();
        second.provisional("180 Ringing");
        second.answer();
        Scene::talk(&mut first, &mut second);
        (id, first, second)
    }
}

fn one_each() -> Value {
    json!({
        "line": LINE,
        "first": { "numbers": [COURIER], "line": DESK },
        "second": CLIENT,
        "data": { "ticket": 17 },
    })
}

fn called(call: &Call) -> String {
    let invite = call.invite.as_ref().expect("it is not answered yet");
    invite.uri().to_owned()
}

#[test]
fn one_side_is_called_hears_music_and_talks_to_the_other() {
    let office = Office::open();
    let id = office.ask(&one_each());
    let mut first = office.first.incoming();
    assert!(called(&first).starts_with(&format!("sip:+{COURIER}@")), "{}", called(&first));
    let invite = first.invite.clone().expect("it is not answered yet");
    assert_eq!(invite.user("from"), Some(format!("+{DESK}").as_str()));
    first.provisional("180 Ringing");
    office.await_state(&id, "ringing");
    assert!(!office.second.was_called(), "nobody is called before the first side is there");
    first.answer();
    let mut second = office.second.incoming();
    let invite = second.invite.clone().expect("it is not answered yet");
    assert!(invite.uri().starts_with(&format!("sip:+{CLIENT}@")), "{}", invite.start);
    assert_eq!(invite.user("from"), Some(format!("+{LINE}").as_str()));
    let hears_music = || office.prompts.find("music", &first.media.heard()).is_some();
    wait::until_true("music", wait::LATER, hears_music);
    second.answer();
    Scene::talk(&mut first, &mut second);
    office.await_state(&id, "talking");
    first.hang_up();
    second.expect_bye();

    let record = office.bauta.await_record();
    for (key, value) in [
        ("id", json!(id)),
        ("callback", json!(true)),
        ("caller", json!(format!("+{COURIER}"))),
        ("callee", json!(format!("+{CLIENT}"))),
        ("trunk", json!("desk")),
        ("callee_trunk", json!("carrier")),
        ("ended_by", json!("caller")),
        ("cause", json!("hung-up")),
        ("heard", json!("both")),
        ("data", json!({ "ticket": 17 })),
    ] {
        assert_eq!(record[key], value, "{key} of {record:#}");
    }
    let callback = office.await_state(&id, "ended");
    assert_eq!(callback["tried"], record["tried"]);
    let [one, other] = &callback["tried"].as_array().expect("a list")[..] else { panic!("{callback:#}") };
    assert_eq!((&one["side"], &other["side"]), (&json!("caller"), &json!("callee")));
    assert!(one["rang_seconds"].is_number() && one["answered_seconds"].as_f64() > Some(1.0), "{one}");
    assert!(office.bauta.recording(&id).len() > 44, "it is recorded");
    let (_, list) = office.bauta.http("GET", &format!("/v1/callbacks?number={CLIENT}"), None);
    assert_eq!(list["items"][0]["id"], json!(id));
    office.assert_masked();
    office.bauta.assert_no_fault();
}

#[test]
fn of_two_called_at_once_the_first_to_answer_takes_the_call() {
    let office = Office::open();
    let body = json!({
        "line": LINE,
        "first": { "numbers": [COURIER], "line": DESK },
        "second": { "numbers": [CLIENT, SPARE], "strategy": "at-once" },
    });
    let id = office.ask(&body);
    let mut first = office.first.incoming();
    first.answer();
    let (one, other) = (office.second.incoming(), office.second.incoming());
    let (mut takes, mut rings) = if called(&one).contains(SPARE) { (one, other) } else { (other, one) };
    rings.provisional("180 Ringing");
    takes.answer();
    rings.expect_cancel();
    Scene::talk(&mut first, &mut takes);
    takes.hang_up();
    first.expect_bye();
    let callback = office.await_state(&id, "ended");
    let mut causes: Vec<_> = callback["tried"].as_array().expect("a list").iter().collect();
    causes.sort_by_key(|tried| tried["number"].as_str().map(str::to_owned));
    let causes: Vec<_> = causes.iter().map(|tried| tried["cause"].as_str().unwrap_or_default()).collect();
    assert_eq!(causes, ["hung-up", "answered-elsewhere", "hung-up"], "{callback:#}");
    assert_eq!(callback["ended_by"], "callee");
    office.assert_masked();
    office.bauta.assert_no_fault();
}

#[test]
fn voicemail_that_answers_first_does_not_take_the_call_from_whoever_presses_the_key() {
    let office = Office::open();
    let body = json!({
        "line": LINE,
        "first": { "numbers": [COURIER], "line": DESK },
        "second": { "numbers": [CLIENT, SPARE], "strategy": "at-once", "confirm": true, "prompt": "courier-calling" },
    });
    let id = office.ask(&body);
    let mut first = office.first.incoming();
    first.answer();
    let (one, other) = (office.second.incoming(), office.second.incoming());
    let (mut voicemail, mut human) = if called(&one).contains(SPARE) { (one, other) } else { (other, one) };
    voicemail.answer();
    let hears = |call: &Call| {
        wait::until_true("the prompt", wait::LATER, || {
            office.prompts.find("courier-calling", &call.media.heard()).is_some()
        });
    };
    hears(&voicemail);
    // It rings on, is answered, and hears the same.
    human.provisional("180 Ringing");
    human.answer();
    hears(&human);
    human.media.press("1");
    voicemail.expect_bye();
    Scene::talk(&mut first, &mut human);
    human.hang_up();
    first.expect_bye();
    let callback = office.await_state(&id, "ended");
    let of = |number: &str| {
        let tried = callback["tried"].as_array().expect("a list");
        let number = format!("+{number}");
        tried.iter().find(|tried| tried["number"] == json!(number)).expect("it was called")["cause"].clone()
    };
    assert_eq!((of(SPARE), of(CLIENT)), (json!("answered-elsewhere"), json!("hung-up")), "{callback:#}");
    office.assert_masked();
    office.bauta.assert_no_fault();
}

#[test]
fn a_callback_outside_its_hours_waits_and_rings_nobody() {
    let office = Office::open();
    let seconds =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970");
    let minutes = seconds.as_secs() / 60;
    let at = |minutes: u64| format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60);
    let mut body = one_each();
    (body["window"], body["time_zone"]) =
        (json!(format!("{}-{}", at(minutes + 60), at(minutes + 90))), json!("UTC"));
    let waits = office.ask(&body);
    assert_eq!(office.read(&waits)["begins_at"], json!(rfc3339((minutes + 60) * 60).replace('Z', ".000Z")));
    // The same in its hours begins.
    body["window"] = json!(format!("{}-{}", at(minutes + 1380), at(minutes + 60)));
    let begins = office.ask(&body);
    let mut first = office.first.incoming();
    first.refuse("486 Busy", &[]);
    assert_eq!(office.await_state(&begins, "ended")["cause"], "busy");
    assert!(!office.first.was_called(), "the other waits");
    assert_eq!(office.cancel(&waits, "not-ringing"), json!({ "cancelled": true, "found": "waiting" }));
    assert_eq!(office.read(&waits)["cause"], "cancelled");
}

#[test]
fn a_first_side_that_hangs_up_in_its_prompt_is_left_for_the_next() {
    let office = Office::open();
    let body = json!({
        "line": LINE,
        "first": { "numbers": [COURIER, SPARE], "line": DESK, "prompt": "courier-calling" },
        "second": CLIENT,
    });
    let id = office.ask(&body);
    let mut voicemail = office.first.incoming();
    voicemail.answer();
    wait::until_true("the prompt", wait::LATER, || {
        office.prompts.find("courier-calling", &voicemail.media.heard()).is_some()
    });
    voicemail.hang_up();
    let mut first = office.first.incoming();
    assert!(called(&first).contains(SPARE), "{}", called(&first));
    first.answer();
    let mut second = office.second.incoming();
    second.answer();
    Scene::talk(&mut first, &mut second);
    first.hang_up();
    second.expect_bye();
    let callback = office.await_state(&id, "ended");
    assert_eq!((&callback["tried"][0]["cause"], &callback["cause"]), (&json!("hung-up"), &json!("hung-up")));
    assert_eq!(callback["tried"].as_array().map(Vec::len), Some(3), "{callback:#}");
    office.bauta.assert_no_fault();
}

#[test]
fn a_callback_is_cancelled_only_while_it_has_not_come_too_far() {
    let office = Office::open();
    let id = office.ask(&one_each());
    let mut first = office.first.incoming();
    first.provisional("180 Ringing");
    office.await_state(&id, "ringing");
    assert_eq!(office.cancel(&id, "not-ringing"), json!({ "cancelled": false, "found": "ringing" }));
    assert_eq!(office.cancel(&id, "not-answered"), json!({ "cancelled": true, "found": "ringing" }));
    first.expect_cancel();
    let callback = office.await_state(&id, "ended");
    assert_eq!((&callback["cause"], &callback["ended_by"]), (&json!("ended"), &json!("us")));
    assert_eq!(office.cancel(&id, "any"), json!({ "cancelled": false, "found": "ended" }));

    let later = "2026-01-01T00:00:00Z".replace("2026", "2099");
    let (status, answer) = office.bauta.http(
        "POST",
        "/v1/callbacks",
        Some(&json!({ "first": COURIER, "second": CLIENT, "line": LINE, "at": later })),
    );
    assert_eq!((status, &answer["code"]), (422, &json!("out-of-range")));
    assert_eq!(office.bauta.records().len(), 1, "{:#?}", office.bauta.records());
}

#[test]
fn whoever_is_not_to_be_had_is_told_number_by_number() {
    let office = Office::open();
    let body = json!({
        "line": LINE,
        "first": { "numbers": [COURIER], "line": DESK },
        "second": [CLIENT, { "number": SPARE, "ring_seconds": 1 }],
    });
    let id = office.ask(&body);
    let mut first = office.first.incoming();
    first.answer();
    let mut busy = office.second.incoming();
    busy.refuse("486 canary-callee", &[]);
    let mut rings = office.second.incoming();
    rings.provisional("180 Ringing");
    rings.expect_cancel();
    first.expect_bye();
    let callback = office.await_state(&id, "ended");
    let causes = [0, 1, 2].map(|place| callback["tried"][place]["cause"].clone());
    assert_eq!(causes, [json!("no-answer"), json!("busy"), json!("no-answer")], "{callback:#}");
    assert_eq!(office.bauta.records().len(), 1);
    office.assert_masked();
}

#[test]
fn two_that_talk_by_a_callback_talk_on_after_a_kill() {
    let mut office = Office::open();
    let (id, mut first, second) = office.talking();
    office.bauta.kill_and_restart();
    for (call, hertz) in [(&second, 440.0), (&first, 1000.0)] {
        let before = call.media.heard().len();
        wait::until_true("the voice again", wait::LATER, || {
            let heard = call.media.heard();
            heard.len() > before + tone::RATE as usize && tone::now(&heard, hertz)
        });
    }
    assert_eq!(office.read(&id)["state"], "talking");
    let mut second = second;
    first.hang_up();
    second.expect_bye();
    let record = office.bauta.await_record();
    assert_eq!(
        (&record["restored"], &record["cause"], &record["id"]),
        (&json!(1), &json!("hung-up"), &json!(id))
    );
    assert_eq!(office.await_state(&id, "ended")["tried"].as_array().map(Vec::len), Some(2));
    office.assert_masked();
}

#[test]
fn where_nobody_talks_yet_a_kill_ends_it_on_both_sides() {
    let mut office = Office::open();
    let id = office.ask(&one_each());
    let mut first = office.first.incoming();
    first.answer();
    let mut second = office.second.incoming();
    second.provisional("180 Ringing");
    office.await_state(&id, "first-answered");
    wait::until_true("the second side", wait::LATER, || {
        office.read(&id)["tried"].as_array().is_some_and(|tried| tried.len() == 2)
    });
    office.bauta.kill_and_restart();
    first.expect_bye();
    second.expect_cancel();
    let callback = office.await_state(&id, "ended");
    assert_eq!(callback["cause"], "node-lost", "{callback:#}");
}

#[test]
fn a_callback_that_waits_is_carried_out_by_the_program_that_comes_after() {
    let mut office = Office::open();
    let soon = std::time::SystemTime::now() + std::time::Duration::from_secs(4);
    let soon = soon.duration_since(std::time::UNIX_EPOCH).expect("it is after 1970").as_secs();
    let mut body = one_each();
    body["at"] = json!(rfc3339(soon));
    let id = office.ask(&body);
    assert_eq!(office.read(&id)["state"], "waiting");
    office.bauta.kill_and_restart();
    let mut first = office.first.incoming();
    first.answer();
    let mut second = office.second.incoming();
    second.answer();
    Scene::talk(&mut first, &mut second);
    second.hang_up();
    first.expect_bye();
    assert_eq!(office.await_state(&id, "ended")["cause"], "hung-up");
    assert_eq!(office.bauta.records().len(), 1);
}

#[test]
fn nobody_is_called_back_who_is_blocked_or_must_not_be_dialled() {
    let office = Office::with(|config| config.set("policy.dial_deny", vec!["+79994"]));
    let block = json!({ "number": CLIENT, "other": COURIER, "direction": "both" });
    let (status, answer) = office.bauta.http("POST", "/v1/blocks", Some(&block));
    assert_eq!(status, 201, "{answer:#}");
    let blocked = office.ask(&one_each());
    assert_eq!(office.await_state(&blocked, "ended")["cause"], "blocked");
    let mut body = one_each();
    body["second"] = json!([CLIENT, SPARE]);
    let denied = office.ask(&body);
    let mut first = office.first.incoming();
    first.answer();
    first.expect_bye();
    let callback = office.await_state(&denied, "ended");
    assert_eq!(callback["cause"], "number-not-allowed", "{callback:#}");
    assert!(!office.second.was_called(), "neither was called");
}

/// Seconds since 1970 as RFC 3339 (Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`).
fn rfc3339(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[test]
fn each_side_hears_its_text_which_was_spoken_before_anyone_was_rung() {
    let office = Office::open();
    let plan = json!({ "second": { "prompt": { "text": "A call from the shop", "language": "en" } } });
    assert_eq!(office.bauta.http("PUT", "/v1/callback-plans/shop", Some(&plan)).0, 201);
    let mut body = one_each();
    body["plan"] = json!("shop");
    body["first"]["prompt"] = json!({ "text": "Соединяем с клиентом по заказу" });
    let id = office.ask(&body);
    let spoken = || -> Vec<std::path::PathBuf> {
        let folder = std::fs::read_dir(office.bauta.dir().join("data/speech")).expect("it is there");
        let files = folder.map(|file| file.expect("it can be listed").path());
        files.filter(|path| path.extension().is_some_and(|extension| extension == "wav")).collect()
    };
    let files = spoken();
    assert_eq!(files.len(), 2, "both are spoken by the time the callback is accepted: {files:?}");
    let files = files.into_iter().enumerate().map(|(place, path)| (place.to_string(), path)).collect();
    let texts = Library { texts: office.prompts.texts.clone(), files };
    let hears = |call: &Call| {
        wait::until("a text", wait::LATER, || {
            let heard = call.media.heard();
            ["0", "1"].into_iter().find(|key| texts.find(key, &heard).is_some())
        })
    };
    let mut first = office.first.incoming();
    first.answer();
    let of_first = hears(&first);
    let mut second = office.second.incoming();
    second.answer();
    assert_ne!(of_first, hears(&second), "each hears its own");
    Scene::talk(&mut first, &mut second);
    first.hang_up();
    second.expect_bye();
    assert_eq!(office.await_state(&id, "ended")["cause"], "hung-up");
    assert_eq!(spoken().len(), 2);
    office.assert_masked();
    office.bauta.assert_no_fault();
}

#[test]
fn a_callback_whose_text_cannot_be_spoken_is_refused_and_rings_nobody() {
    let office = Office::with(|config| config.set("speech.command", vec!["false".to_owned()]));
    let mut body = one_each();
    body["first"]["prompt"] = json!({ "text": "Здравствуйте" });
    let (status, problem) = office.bauta.http("POST", "/v1/callbacks", Some(&body));
    assert_eq!((status, &problem["code"]), (503, &json!("speech-failed")), "{problem:#}");
    assert_eq!(problem["field"], "first.prompt.text");
    // Whoever is asked for without a text is rung, and nobody was before.
    office.ask(&one_each());
    let mut first = office.first.incoming();
    first.refuse("486 Busy", &[]);
    assert!(!office.first.was_called() && !office.second.was_called());
    assert_eq!(office.bauta.http("GET", "/v1/callbacks", None).1["items"].as_array().map(Vec::len), Some(1));
}

#[test]
fn two_real_phones_are_called_and_talk() {
    let loopback = Loopback::claim();
    let mut agent = Baresip::start(COURIER, 440.0, Answering::Auto);
    let mut client = Baresip::start(CLIENT, 1000.0, Answering::Auto);
    let config = config(&loopback)
        .set("trunk.0.uri", format!("sip:{}", client.address()))
        .set("trunk.1.uri", format!("sip:{}", agent.address()))
        .set("trunk.0.allow", vec!["127.0.0.0/8"])
        .set("trunk.1.allow", vec!["192.0.2.1/32"]);
    let bauta = Bauta::start(&loopback, &config);
    let (status, asked) = bauta.http("POST", "/v1/callbacks", Some(&one_each()));
    assert_eq!(status, 202, "{asked:#}");
    agent.await_event("CALL_ESTABLISHED");
    client.await_event("CALL_ESTABLISHED");
    let path = format!("/v1/callbacks/{}", asked["id"].as_str().unwrap_or_default());
    wait::until_true("that they talk", wait::LATER, || {
        bauta.http("GET", &path, None).1["state"] == "talking"
    });
    for (phone, hertz) in [(&agent, 1000.0), (&client, 440.0)] {
        wait::until_true(&format!("{hertz} Hz"), wait::LATER, || phone.hears(hertz) > 1.0);
    }
    agent.command("hangup", "");
    client.await_event("CALL_CLOSED");
    for (phone, secret) in [(&client, COURIER), (&agent, CLIENT)] {
        assert!(!phone.log().contains(&secret[1..]), "a phone saw {secret}:\n{}", phone.log());
    }
    bauta.assert_no_fault();
}

/// sipp is the second side's carrier, baresip the first side's phone: neither sees more than the company's number, on the wire as the
/// program kept it or in what they note themselves.
#[test]
fn a_phone_and_a_carrier_that_are_not_ours_see_the_companys_number_alone() {
    let loopback = Loopback::claim();
    let mut agent = Baresip::start(COURIER, 440.0, Answering::Auto);
    let sipp = Sipp::be_called(loopback.callee(), 1000.0, std::time::Duration::from_millis(300), 1);
    let config = config(&loopback)
        .set("trunk.1.uri", format!("sip:{}", agent.address()))
        .set("trunk.1.allow", vec!["127.0.0.0/8"]);
    let config = config.set("trunk.0.allow", vec!["192.0.2.1/32"]);
    let bauta = Bauta::start(&loopback, &config);
    let (status, asked) = bauta.http("POST", "/v1/callbacks", Some(&one_each()));
    assert_eq!(status, 202, "{asked:#}");
    let id = asked["id"].as_str().expect("it has an id");
    agent.await_event("CALL_ESTABLISHED");
    wait::until_true("that they talk", wait::LATER, || {
        bauta.http("GET", &format!("/v1/callbacks/{id}"), None).1["state"] == "talking"
    });
    wait::until_true("sipp's voice", wait::LATER, || agent.hears(1000.0) > 1.0);
    agent.command("hangup", "");
    agent.await_event("CALL_CLOSED");
    let record = bauta.await_record();
    assert_eq!((&record["heard"], &record["cause"]), (&json!("both"), &json!("hung-up")), "{record:#}");
    let (noted, logged) = (sipp.messages(), agent.log());
    assert!(noted.contains(&format!("+{LINE}")) && logged.contains(&format!("+{DESK}")), "{noted}\n{logged}");
    for (text, secret) in [(&noted, COURIER), (&noted, DESK), (&logged, CLIENT), (&logged, LINE)] {
        assert!(!text.contains(&secret[1..]), "{secret} was seen:\n{text}");
    }
    let trace: Value = serde_json::from_slice(&bauta.trace(id, "application/json")).expect("it is JSON");
    let messages = trace["messages"].as_array().expect("a list");
    let of_sipp = loopback.callee().to_string();
    let mut sent = [0, 0];
    for message in messages.iter().filter(|message| message["direction"] == "out") {
        let to_sipp = message["to"].as_str().is_some_and(|to| to.starts_with(&of_sipp));
        let (place, secrets) = if to_sipp { (0, [COURIER, DESK]) } else { (1, [CLIENT, LINE]) };
        sent[place] += 1;
        let text = message["text"].as_str().unwrap_or_default();
        assert!(secrets.iter().all(|secret| !text.contains(&secret[1..])), "{message:#}");
    }
    assert!(sent.iter().all(|sent| *sent > 1), "{sent:?} of {trace:#}");
    sipp.succeed();
    bauta.assert_no_fault();
}
