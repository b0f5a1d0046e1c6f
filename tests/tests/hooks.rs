//! Hooks: what other people's programs say becomes of calls, through the real program and a real receiver that answers rightly,
//! wrongly, late or not at all; and the texts that callers hear of them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tests::config::{ADMIN, Config, LINE, OPERATOR};
use tests::peer::call::Dial;
use tests::prompts::Library;
use tests::receiver::{Posted, Receiver, Reply};
use tests::scene::{CLIENT, CODE, COURIER, STRANGER, Scene};
use tests::wait;

const SECRET: &str = "a-secret-of-the-hooks-in-tests";
/// Another line, which the carrier of the tests owns as well.
const OTHER: &str = "74951234568";

/// A scene with a hook `shop` that says this.
fn with_hook(
    change: impl FnOnce(Config) -> Config,
    answer: impl Fn(&Value) -> Reply + Send + Sync + 'static,
) -> (Scene, Receiver) {
    let mut receiver = None;
    let scene = Scene::brief(|config| {
        let hook = Receiver::answering(config.vacant(), 0, move |posted| answer(&posted.event()));
        let entry = format!(
            "name = \"shop\"\nurl = \"http://{}/calls\"\nsecret = \"{SECRET}\"\ntimeout = \"1s\"\n",
            hook.address()
        );
        receiver = Some(hook);
        change(config.add("hook", &entry))
    });
    (scene, receiver.expect("it was started with the program"))
}

/// The line is the hook's.
fn hooked(config: Config) -> Config {
    config.set("line.0.service", "hook").set("line.0.hook", "shop")
}

/// Whether the signature is that of the body.
fn is_signed(posted: &Posted) -> bool {
    use hmac::Mac;
    let signature = posted.header("bauta-signature").unwrap_or_default();
    let field =
        |name: &str| signature.split(',').find_map(|field| field.strip_prefix(name)).unwrap_or_default();
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key will do");
    mac.update(format!("{}.{}", field("t="), posted.body).as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    hex == field("v1=")
}

/// What was spoken so far, each text under its place.
fn spoken(scene: &Scene) -> Library {
    let folder = scene.bauta.dir().join("data/speech");
    let files = std::fs::read_dir(folder).map(|files| files.flatten().map(|file| file.path()));
    let wavs = files.into_iter().flatten().filter(|path| path.extension().is_some_and(|is| is == "wav"));
    let files = wavs.enumerate().map(|(place, path): (usize, PathBuf)| (place.to_string(), path)).collect();
    Library { texts: scene.prompts.texts.clone(), files }
}

/// Waits until something that was spoken is heard.
fn await_speech(scene: &Scene, what: &str, heard: impl Fn() -> Vec<i16>) {
    wait::until_true(what, wait::LATER, || {
        let spoken = spoken(scene);
        spoken.files.keys().any(|key| spoken.find(key, &heard()).is_some())
    });
}

/// Calls and is refused; the status.
fn refused(scene: &Scene, from: &str) -> u16 {
    scene.caller.dial(scene.loopback.sip(), &Dial::new(from, LINE)).refused()
}

#[test]
fn a_hook_speaks_to_the_caller_hears_their_keys_and_has_them_connected() {
    let change = |config: Config| {
        let other =
            format!("number = \"{OTHER}\"\nservice = \"hook\"\nhook = \"shop\"\ntrunk = \"carrier\"\n");
        hooked(config).set("trunk.0.numbers", vec![LINE.to_owned(), OTHER.to_owned()]).add("line", &other)
    };
    let (scene, receiver) = with_hook(change, |question| match question["question"].as_u64() {
        Some(1) => Reply::actions(&json!([
            { "action": "gather", "count": 4, "say": [{ "text": "Наберите номер заказа и решётку" }] },
        ])),
        _ => Reply::actions(&json!([
            { "action": "connect", "number": CLIENT, "shown": OTHER, "confirm": true,
              "whisper": [{ "text": "A call from the shop", "language": "en" }] },
        ])),
    });
    let mut out = scene.arrive(COURIER);
    await_speech(&scene, "the caller to hear the text", || out.media.heard());
    out.media.press("42#");
    let mut back = scene.callee.incoming();
    let invite = back.invite.clone().expect("a call begins so");
    assert!(invite.uri().starts_with(&format!("sip:+{CLIENT}@")), "{}", invite.start);
    assert_eq!(invite.user("from"), Some(format!("+{OTHER}").as_str()));
    back.answer();
    await_speech(&scene, "the callee to hear the whisper", || back.media.heard());
    back.media.press("1");
    Scene::talk(&mut out, &mut back);
    out.hang_up();
    back.expect_bye();

    let record = scene.bauta.await_record();
    for (key, value) in [
        ("line", json!(format!("+{LINE}"))),
        ("caller", json!(format!("+{COURIER}"))),
        ("callee", json!(format!("+{CLIENT}"))),
        ("callee_reached", json!(true)),
        ("cause", json!("hung-up")),
        ("ended_by", json!("caller")),
        ("hook_fault", json!(null)),
        ("code", json!(null)),
    ] {
        assert_eq!(record[key], value, "{key} of {record:#}");
    }
    let posted = receiver.posted();
    assert!(posted.len() == 2 && posted.iter().all(is_signed), "{posted:#?}");
    let first = posted[0].event();
    for (key, value) in [
        ("hook", json!("shop")),
        ("matter", json!("directions")),
        ("call", record["id"].clone()),
        ("line", json!(format!("+{LINE}"))),
        ("trunk", json!("carrier")),
        ("caller", json!(format!("+{COURIER}"))),
        ("answered", json!(false)),
        ("language", json!("ru")),
        ("question", json!(1)),
        ("digits", json!(null)),
        ("last", json!(null)),
    ] {
        assert_eq!(first[key], value, "{key} of {first:#}");
    }
    let second = posted[1].event();
    assert_eq!((&second["digits"], &second["answered"]), (&json!("42"), &json!(true)));
    assert_eq!(second["last"], json!({ "action": "gather", "result": "digits" }));
    scene.assert_masked();
    scene.bauta.assert_no_fault();
}

#[test]
fn a_caller_whom_the_hook_refuses_is_never_answered() {
    let (scene, receiver) =
        with_hook(hooked, |_| Reply::actions(&json!([{ "action": "reject", "status": 603 }])));
    let trial = json!({ "from": COURIER, "to": LINE, "digits": "" });
    let (status, simulation) = scene.bauta.http("POST", "/v1/simulate", Some(&trial));
    assert_eq!((status, &simulation["outcome"]), (200, &json!("hook")), "{simulation:#}");
    assert!(receiver.posted().is_empty(), "nobody is asked about a call that is only thought through");
    assert_eq!(refused(&scene, COURIER), 603);
    let record = scene.bauta.await_record();
    assert_eq!((&record["cause"], &record["answered_at"]), (&json!("refused"), &json!(null)));
}

#[test]
fn who_is_busy_is_followed_by_the_next_and_the_hook_learns_of_the_last() {
    let (scene, receiver) = with_hook(hooked, |question| match question["question"].as_u64() {
        Some(1) => Reply::actions(&json!([
            { "action": "record", "on": false },
            { "action": "connect", "number": CLIENT },
            { "action": "connect", "number": STRANGER, "ring_timeout_seconds": 5 },
            { "action": "redirect", "hook": "shop" },
        ])),
        _ => Reply::actions(&json!([{ "action": "hangup" }])),
    });
    let mut out = scene.arrive(COURIER);
    for number in [CLIENT, STRANGER] {
        let mut back = scene.callee.incoming();
        let invite = back.invite.clone().expect("a call begins so");
        assert!(invite.uri().starts_with(&format!("sip:+{number}@")), "{}", invite.start);
        back.refuse("486 Busy Here", &[]);
    }
    out.expect_bye();
    let record = scene.bauta.await_record();
    assert_eq!((&record["cause"], &record["recording"]), (&json!("ended"), &json!(null)));
    let last = receiver.posted().last().expect("it was asked").event();
    assert_eq!(last["last"], json!({ "action": "redirect", "result": "done" }));
}

#[test]
fn an_answer_that_cannot_be_followed_is_named_and_costs_no_more_than_its_call() {
    let long = "x".repeat(70_000);
    let wrong = [
        (Reply::Text("hello +79990000000".to_owned()), "expected value"),
        (Reply::actions(&json!([{ "action": "dance" }])), "expected one of"),
        (
            Reply::actions(&json!([{ "action": "connect", "number": CLIENT, "shown": STRANGER }])),
            "only lines of this server",
        ),
        (Reply::actions(&json!([{ "action": "connect", "number": LINE }])), "would come back"),
        (Reply::actions(&json!([{ "action": "play", "say": [{ "text": long }] }])), "octets"),
        (Reply::actions(&json!(vec![json!({ "action": "record", "on": true }); 21])), "1 to 20"),
        (Reply::Text(json!({ "approve": true }).to_string()), "known here: actions"),
        (Reply::Status(500), "it answered 500"),
        (Reply::Hangup, "the connection ended"),
    ];
    let replies: Vec<Reply> = wrong.iter().map(|(reply, _)| reply.clone()).collect();
    let next = AtomicUsize::new(0);
    let (scene, receiver) = with_hook(
        |config| hooked(config).set("line.0.hook_failure", "refuse"),
        move |_| replies[next.fetch_add(1, Ordering::Relaxed)].clone(),
    );
    for (place, (_, why)) in wrong.iter().enumerate() {
        assert_eq!(refused(&scene, COURIER), 503, "{why}");
        let records = scene.bauta.await_records(place + 1);
        let told = |record: &&Value| record["hook_fault"].as_str().is_some_and(|fault| fault.contains(why));
        let record = records.iter().find(told).unwrap_or_else(|| panic!("{why}: {records:#?}"));
        assert_eq!((&record["cause"], &record["answered_at"]), (&json!("hook-failed"), &json!(null)));
    }
    assert_eq!(receiver.posted().len(), wrong.len());
    let log = scene.bauta.log();
    assert!(!log.contains("9990000000") && !log.contains(SECRET), "{log}");
    assert!(!scene.callee.was_called());
    scene.bauta.assert_no_fault();
}

#[test]
fn a_hook_that_hangs_is_spared_until_it_answers_again() {
    let replies = Arc::new(Mutex::new(Reply::Silence));
    let (answers, mut events) = (Arc::clone(&replies), None);
    let (scene, receiver) = with_hook(
        |config| {
            let told = Receiver::start(config.vacant(), 0);
            let webhook = format!(
                "name = \"desk\"\nurl = \"http://{}/\"\nsecret = \"{SECRET}\"\nevents = [\"hook.*\"]\n",
                told.address()
            );
            events = Some(told);
            hooked(config).set("line.0.hook_failure", "refuse").add("webhook", &webhook)
        },
        move |_| answers.lock().expect("nobody panics holding it").clone(),
    );
    let events = events.expect("it was started with the program");
    let drip = Reply::Dripping(
        json!({ "actions": [{ "action": "hangup" }] }).to_string(),
        Duration::from_millis(200),
    );
    for reply in [Reply::Silence, drip, Reply::Silence] {
        *replies.lock().expect("nobody panics holding it") = reply;
        assert_eq!(refused(&scene, COURIER), 503);
    }
    let fault = &scene.bauta.await_records(3)[0]["hook_fault"];
    assert_eq!(fault, &json!("no whole answer within 1000 ms"));
    let asked = receiver.posted().len();
    assert_eq!(refused(&scene, COURIER), 503, "at once, and nobody is asked");
    let records = scene.bauta.await_records(4);
    let spared = |record: &Value| record["hook_fault"].as_str().is_some_and(|fault| fault.contains("spared"));
    assert!(records.iter().any(spared), "{records:#?}");
    assert_eq!(receiver.posted().len(), asked);

    *replies.lock().expect("nobody panics holding it") =
        Reply::actions(&json!([{ "action": "reject", "status": 486 }]));
    wait::until_true("the hook to be asked again", wait::LATER, || refused(&scene, COURIER) == 486);
    let kinds = || -> Vec<String> {
        let kind = |posted: &Posted| posted.event()["type"].as_str().unwrap_or_default().to_owned();
        events.posted().iter().map(kind).collect()
    };
    wait::until_true("the events", wait::LATER, || {
        let kinds = kinds();
        kinds.iter().any(|kind| kind == "hook.failed") && kinds.iter().any(|kind| kind == "hook.recovered")
    });
    let (_, metrics) = scene.bauta.http_as(ADMIN, "GET", "/metrics", None);
    let metrics = metrics.as_str().unwrap_or_default();
    assert!(metrics.contains("bauta_hook_questions_total{hook=\"shop\",result=\"failed\"} 3"), "{metrics}");
    assert!(metrics.contains("bauta_hook_resting{hook=\"shop\"} 0"), "{metrics}");
}

#[test]
fn what_a_hook_said_last_to_a_caller_stands_in_for_what_it_does_not_say() {
    let is_well = Arc::new(AtomicUsize::new(1));
    let mood = Arc::clone(&is_well);
    let (scene, _receiver) = with_hook(
        |config| hooked(config).set("line.0.hook_failure", "last-good"),
        move |_| match mood.load(Ordering::Relaxed) {
            0 => Reply::Status(502),
            _ => Reply::actions(&json!([{ "action": "reject", "status": 604 }])),
        },
    );
    assert_eq!(refused(&scene, COURIER), 604);
    is_well.store(0, Ordering::Relaxed);
    assert_eq!(refused(&scene, COURIER), 604);
    let records = scene.bauta.await_records(2);
    let repeated = |record: &Value| {
        record["hook_fault"].as_str().is_some_and(|fault| fault.ends_with("what it said before is done"))
    };
    assert!(records.iter().any(repeated), "{records:#?}");
    // What was said to one caller is not for another: they get the reserve.
    let mut out = scene.arrive(STRANGER);
    let mut back = scene.callee.incoming();
    let invite = back.invite.clone().expect("a call begins so");
    assert!(invite.uri().starts_with(&format!("sip:+{OPERATOR}@")), "{}", invite.start);
    back.answer();
    Scene::talk(&mut out, &mut back);
    out.hang_up();
    back.expect_bye();
}

#[test]
fn a_text_that_nobody_speaks_is_left_out_and_the_call_goes_on() {
    let (scene, _receiver) = with_hook(
        |config| hooked(config).set("speech.command", vec!["false".to_owned()]),
        |question| match question["question"].as_u64() {
            Some(1) => Reply::actions(&json!([
                { "action": "play", "say": [{ "text": "nobody says this" }, { "prompt": "beep" }] },
                { "action": "gather", "count": 1, "say": [{ "text": "nor this" }] },
            ])),
            _ => Reply::actions(&json!([{ "action": "hangup" }])),
        },
    );
    let mut out = scene.arrive(COURIER);
    scene.await_prompt(&out, "beep");
    out.media.press("7");
    out.expect_bye();
    let record = scene.bauta.await_record();
    let fault = record["hook_fault"].as_str().unwrap_or_default();
    assert!(fault.starts_with("a text is left out: the program that speaks failed"), "{record:#}");
}

#[test]
fn a_hook_may_veto_a_match_and_look_after_strangers() {
    let (scene, receiver) = with_hook(
        |config| config.set("line.0.approval_hook", "shop").set("line.0.strangers_hook", "shop"),
        |question| match (question["matter"].as_str(), question["caller_role"].as_str()) {
            (Some("approval"), Some("courier")) => {
                Reply::Text(json!({ "approve": false, "cause": "too late" }).to_string())
            }
            (Some("approval"), _) => Reply::Text(json!({ "approve": true }).to_string()),
            _ => Reply::actions(&json!([{ "action": "connect", "number": OPERATOR }])),
        },
    );
    scene.put_order();
    let mut out = scene.arrive(COURIER);
    out.media.press(CODE);
    scene.await_prompt(&out, "client-unavailable");
    out.expect_bye();
    let record = scene.bauta.await_record();
    assert_eq!((&record["cause"], &record["hook_fault"]), (&json!("refused"), &json!("too late")));
    assert!(!scene.callee.was_called());
    let asked = receiver.posted()[0].event();
    assert_eq!((&asked["code"], &asked["callee"]), (&json!(CODE), &json!(format!("+{CLIENT}"))));
    assert_eq!(asked["data"], json!({ "shop": "test" }));

    let (mut out, mut back) = scene.talking(CLIENT);
    out.hang_up();
    back.expect_bye();

    let mut out = scene.arrive(STRANGER);
    out.media.press(CODE);
    let mut back = scene.callee.incoming();
    let invite = back.invite.clone().expect("a call begins so");
    assert!(invite.uri().starts_with(&format!("sip:+{OPERATOR}@")), "{}", invite.start);
    back.answer();
    Scene::talk(&mut out, &mut back);
    out.hang_up();
    back.expect_bye();
    assert_eq!(scene.prompts.find("number-unknown", &out.media.heard()), None);
}

#[test]
fn a_prompt_is_made_of_a_text_and_heard() {
    let scene = Scene::brief(|config| config);
    let text = json!({ "text": "Добро пожаловать в лавку" });
    let (status, prompt) = scene.bauta.http_as(ADMIN, "PUT", "/v1/prompts/ru/start", Some(&text));
    assert_eq!((status, &prompt["text"], &prompt["replaced"]), (200, &text["text"], &json!(true)));
    let preview = json!({ "language": "en", "text": "How does this sound?" });
    assert_eq!(scene.bauta.http_as(ADMIN, "POST", "/v1/prompts:preview", Some(&preview)).0, 200);
    let mut out = scene.arrive(COURIER);
    await_speech(&scene, "the text in place of the prompt", || out.media.heard());
    out.hang_up();
    let (status, prompt) = scene.bauta.http_as(ADMIN, "DELETE", "/v1/prompts/ru/start", None);
    assert_eq!((status, &prompt["replaced"]), (200, &json!(false)));
    assert_ne!(prompt["text"], text["text"]);
}

#[test]
fn a_reload_asks_other_hooks_from_the_next_question_on() {
    let reject = |status| move |_: &Value| Reply::actions(&json!([{ "action": "reject", "status": status }]));
    let mut other = None;
    let (scene, first) = with_hook(
        |config| {
            let refuses = reject(486);
            let receiver = Receiver::answering(config.vacant(), 0, move |posted| refuses(&posted.event()));
            other = Some(receiver);
            hooked(config)
        },
        reject(603),
    );
    let other = other.expect("it was started with the program");
    assert_eq!(refused(&scene, COURIER), 603);
    let path = scene.bauta.dir().join("bauta.toml");
    let before = std::fs::read_to_string(&path).expect("its configuration");
    let reloads = || scene.bauta.log().matches("reloaded").count();
    let reload = |text: &str| {
        let so_far = reloads();
        std::fs::write(&path, text).expect("the disk has room");
        scene.bauta.signal(libc::SIGHUP);
        wait::until_true("the reload", wait::LATER, || reloads() > so_far);
    };
    let at = |receiver: &Receiver| receiver.address().to_string();
    assert!(before.contains(&at(&first)) && before.contains(SECRET), "{before}");
    reload(&before.replace(&at(&first), &at(&other)));
    assert_eq!(refused(&scene, COURIER), 486);
    let posted = other.posted();
    assert!(posted.len() == 1 && posted.iter().all(is_signed), "{posted:#?}");
    // With another secret the same one is signed otherwise.
    reload(&before.replace(&at(&first), &at(&other)).replace(SECRET, "another-secret-of-the-hooks"));
    assert_eq!(refused(&scene, COURIER), 486);
    let posted = other.posted();
    assert_eq!(posted.iter().map(is_signed).collect::<Vec<_>>(), [true, false]);
    // A file with a fault changes nothing: its line names a hook that is not there.
    let so_far = scene.bauta.log().matches("not reloaded").count();
    std::fs::write(&path, before.replace("name = \"shop\"", "name = \"none\"")).expect("the disk has room");
    scene.bauta.signal(libc::SIGHUP);
    wait::until_true("the refusal", wait::LATER, || {
        scene.bauta.log().matches("not reloaded").count() > so_far
    });
    assert_eq!(refused(&scene, COURIER), 486);
    reload(&before);
    assert_eq!(refused(&scene, COURIER), 603);
    assert_eq!((first.posted().len(), other.posted().len()), (2, 3));
}
