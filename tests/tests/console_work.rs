//! What people do at the console: orders, calls, recordings, prompts, webhooks, blocks, erasure.

use serde_json::json;
use tests::baresip::{Answering, Baresip};
use tests::browser::Look;
use tests::config::{ADMIN, Config, LINE};
use tests::console::{Console, with_operator};
use tests::loopback::Loopback;
use tests::program::Bauta;
use tests::scene::{CLIENT, CODE, COURIER, STRANGER, Scene};
use tests::{tone, wait, wav};

#[test]
fn orders_are_put_in_found_changed_and_expired() {
    let scene = Scene::brief(|config| config);
    let console = Console::admin(&scene.loopback, Look::DESK);
    let browser = &console.browser;
    console.go("orders");
    browser.click("main .bar button.primary");
    browser.fill("dialog input[name=code]", "123");
    browser.fill("dialog input[name='courier.number']", COURIER);
    browser.fill("dialog input[name='courier.name']", "Пётр");
    browser.fill("dialog input[name='client.number']", CLIENT);
    browser.expect_complaint("status of 422");
    browser.click("dialog button[type=submit]");
    browser.await_text("dialog .problem", "5 decimal digits");
    let ready = "return document.activeElement.name === 'code'";
    browser.until("the field at fault to be ready", ready, &[]);
    browser.fill("dialog input[name=code]", CODE);
    browser.click("dialog button[type=submit]");
    browser.await_text(&format!("[data-order='{CODE}']"), "Пётр");

    browser.fill("main input[type=search]", "999");
    browser.await_none(&format!("[data-order='{CODE}']"));
    for found in ["123", "Пёт", "+7 999 111-11-17"] {
        browser.fill("main input[type=search]", found);
        browser.await_element(&format!("[data-order='{CODE}']"));
    }

    browser.click(&format!("[data-order='{CODE}'] a"));
    browser.await_text("aside", "Пётр");
    browser.click("aside .bar button");
    browser.fill("dialog input[name='client.name']", "Анна");
    browser.click("dialog button[type=submit]");
    browser.await_text("aside", "Анна");
    let (_, order) = scene.bauta.http_as(ADMIN, "GET", &format!("/v1/orders/{CODE}"), None);
    assert_eq!(
        (&order["client"]["name"], &order["client"]["number"], &order["courier"]["name"]),
        (&json!("Анна"), &json!(format!("+{CLIENT}")), &json!("Пётр"))
    );

    browser.click("aside button.danger");
    console.confirm();
    browser.await_none("aside");
    browser.await_none(&format!("[data-order='{CODE}']"));
    assert_eq!(scene.bauta.http("GET", &format!("/v1/orders/{CODE}"), None).0, 404);
    scene.bauta.assert_no_fault();
}

#[test]
fn a_file_of_orders_is_imported_and_rows_that_are_wrong_are_named() {
    use std::fmt::Write as _;
    let scene = Scene::brief(|config| config);
    let console = Console::admin(&scene.loopback, Look::DESK);
    let browser = &console.browser;
    let mut file = "code;courier_number;client_number;data\r\n".to_owned();
    for row in 1..=5000 {
        let number = if row % 1000 == 0 { "12".to_owned() } else { format!("+7999{row:07}") };
        write!(file, "{:05};{number};+79990000000;\"{{\"\"note\"\":\n{row}}}\"\r\n", 10_000 + row).unwrap();
    }
    let path = scene.bauta.dir().join("<img src=x onerror=alert(1)>.csv");
    std::fs::write(&path, file).unwrap();
    console.go("orders");
    browser.click("main .bar button:not(.primary)");
    browser.attach("dialog input[type=file]", &path);
    browser.click("dialog button[type=submit]");
    browser.await_element("dialog [data-ended=done]");
    browser.await_text("dialog [data-ended]", "5,000 rows taken: 4995 new, 0 replaced, 5 failed");
    let rows = browser.run(
        "return [...document.querySelectorAll('[data-import-row]')].map((row) => [...row.cells].map((c) => c.innerText))",
        &[],
    );
    let said: Vec<Vec<String>> = serde_json::from_value(rows).unwrap();
    let places: Vec<_> =
        said.iter().map(|cells| (cells[0].as_str(), cells[1].as_str(), cells[2].as_str())).collect();
    let expected =
        [("1,000", "2,000"), ("2,000", "4,000"), ("3,000", "6,000"), ("4,000", "8,000"), ("5,000", "10,000")];
    assert_eq!(places, expected.map(|(row, line)| (row, line, "courier.number")), "{said:?}");
    browser.click("dialog header button");
    browser.await_element("[data-order]");
    let (_, order) = scene.bauta.http_as(ADMIN, "GET", "/v1/orders/14999", None);
    assert_eq!(order["data"], json!({ "note": 4999 }));
    scene.bauta.assert_no_fault();
}

#[test]
fn a_press_of_a_contacts_button_makes_two_phones_talk() {
    let loopback = Loopback::claim();
    let mut agent = Baresip::start(COURIER, 440.0, Answering::Auto);
    let mut client = Baresip::start(CLIENT, 1000.0, Answering::Auto);
    let config = with_operator(Config::new(&loopback), COURIER)
        .set("trunk.0.uri", format!("sip:{}", client.address()))
        .set("trunk.0.allow", vec!["127.0.0.0/8"])
        .add(
            "trunk",
            &format!(
                "name = \"desk\"\nuri = \"sip:{}\"\nallow = [\"192.0.2.1/32\"]\nnumbers = [\"74957777777\"]",
                agent.address()
            ),
        )
        .add("line", "number = \"74957777777\"\ntrunk = \"desk\"\nrecord = true");
    let bauta = Bauta::start(&loopback, &config);
    let plan = json!({ "line": LINE, "first": { "line": "74957777777" } });
    let (status, answer) = bauta.http("PUT", "/v1/callback-plans/desk", Some(&plan));
    assert!(matches!(status, 200 | 201), "{answer}");
    let console = Console::operator(&loopback, Look::PHONE.in_russian());
    let browser = &console.browser;
    console.go("callbacks/contacts/new");
    browser.fill("dialog input[name=name]", "Анна Петрова");
    browser.fill("dialog input[name=number]", CLIENT);
    browser.click("dialog button[type=submit]");
    browser.await_text("[data-contact-id]", "Анна Петрова");
    // With several lines it must be said once by which; after that the press alone is enough.
    browser.expect_complaint(
        "/v1/callbacks - Failed to load resource: the server responded with a status of 422",
    );
    browser.click("[data-contact-id] td.bare button");
    browser.choose("dialog select[name=plan]", "desk");
    browser.click("dialog button[type=submit]");
    agent.await_event("CALL_ESTABLISHED");
    client.await_event("CALL_ESTABLISHED");
    console.go("live");
    browser.await_element("[data-call-id][data-state=talking]");
    for (phone, hertz) in [(&agent, 1000.0), (&client, 440.0)] {
        wait::until_true(&format!("{hertz} Hz"), wait::LATER, || phone.hears(hertz) > 1.0);
    }
    assert!(!browser.whole_page().contains(&CLIENT[1..]), "an operator sees nobody's number");
    browser.click("[data-call-id] a");
    browser.click("aside button.danger");
    console.confirm();
    agent.await_event("CALL_CLOSED");
    client.await_event("CALL_CLOSED");
    let record = bauta.await_record();
    console.go("callbacks/contacts");
    browser.click("[data-contact-id] td.bare button");
    agent.await_event("CALL_ESTABLISHED");
    client.await_event("CALL_ESTABLISHED");
    agent.command("hangup", "");
    client.await_event("CALL_CLOSED");
    assert_eq!((&record["callback"], &record["heard"]), (&json!(true), &json!("both")), "{record:#}");
    bauta.assert_no_fault();
}

#[test]
fn a_record_tells_the_call_and_its_recording_is_seen_heard_and_deleted() {
    let scene = Scene::brief(|config| config);
    scene.put_order();
    let (mut out, mut back) = scene.talking(COURIER);
    Scene::talk_long(&mut out, &mut back, 3.0);
    out.hang_up();
    back.expect_bye();
    let record = scene.bauta.await_record();
    let call = record["id"].as_str().unwrap();
    let console = Console::admin(&scene.loopback, Look::DESK);
    let browser = &console.browser;
    console.go("records");
    browser.await_text(&format!("[data-record='{call}']"), "hung up");
    browser.choose("select[name=cause]", "busy");
    browser.await_none(&format!("[data-record='{call}']"));
    browser.choose("select[name=cause]", "hung-up");
    browser.click(&format!("[data-record='{call}'] a"));
    browser.await_element(&format!("[data-detail='{call}']"));

    for step in ["began", "answered", "dialled", "rang", "calleeAnswered", "bridged", "ended"] {
        browser.await_element(&format!("[data-step='{step}']"));
    }
    browser.await_text("[data-quality='caller codec']", "PCMA");
    browser.await_text("[data-quality='callee mos']", "4.");
    for rung in ["INVITE", "180 Ringing", "200 OK", "ACK", "BYE"] {
        browser.await_element(&format!("[data-rung='{rung}'] .arrow"));
    }
    browser.click("[data-rung='180 Ringing'] button");
    browser.await_text("[data-rung='180 Ringing'] pre", "SIP/2.0 180 Ringing");

    // Both voices were there, each in a channel of its own.
    for channel in [0, 1] {
        let path = browser.until(
            "a waveform",
            "return document.querySelector(`svg[data-channel='${arguments[0]}'] path`)?.getAttribute('d')",
            &[json!(channel)],
        );
        let heights =
            path.as_str().unwrap().split(['M', 'L', 'Z']).filter_map(|point| point.split(' ').nth(1));
        let heights: Vec<f64> = heights.filter_map(|height| height.parse().ok()).collect();
        assert!(heights.len() >= 200, "{channel}: {} points", heights.len());
        assert!(heights.iter().any(|height| *height < 0.9), "channel {channel} is silent");
    }
    browser.click("[data-play]");
    browser.until("that it plays", "return document.querySelector('audio').currentTime > 1", &[]);
    assert_eq!(browser.run("return document.querySelector('audio').error", &[]), json!(null));
    browser.click("[data-play]");
    browser.until("that it is paused", "return document.querySelector('audio').paused", &[]);
    let (_, audit) = scene.bauta.http_as(ADMIN, "GET", "/v1/audit", None);
    let heard = audit["items"].as_array().unwrap().iter().any(|entry| entry["what"] == "recording.heard");
    assert!(heard, "{audit:#}");

    browser.click("[data-detail] a[download]");
    let file = browser.downloads().join(record["recording"].as_str().unwrap());
    wait::until_true("the download", wait::LATER, || file.exists());
    let saved = wav::read(&file);
    assert!(tone::seconds(&saved.channels[0], saved.rate, 440.0) > 1.0);

    browser.click("[data-detail] section .bar button:last-of-type");
    console.confirm();
    browser.await_text("[data-deleted]", "deleted");
    browser.await_none("[data-detail] audio");
    browser.expect_complaint("status of 410");
    assert_eq!(scene.bauta.http_as(ADMIN, "GET", &format!("/v1/recordings/{call}"), None).0, 410);
    browser.click("dialog header button");
    browser.click("main .bar button");
    let export = browser.downloads().join("records.csv");
    let text = wait::until("the export", wait::LATER, || {
        std::fs::read_to_string(&export).ok().filter(|text| !text.is_empty())
    });
    assert!(text.starts_with("id,") && text.contains(call), "{text}");
    scene.bauta.assert_no_fault();
}

#[test]
fn a_prompt_is_heard_replaced_and_restored() {
    let scene = Scene::brief(|config| config.set("speech.command", vec!["false"]));
    let console = Console::admin(&scene.loopback, Look::DESK);
    let browser = &console.browser;
    let own = scene.bauta.dir().join("own.wav");
    wav::write(&own, &tone::sine(700.0, 1.5));
    console.go("prompts/ru");
    browser.await_text("[data-prompt=start]", "your own");
    browser.click("[data-prompt=start] .actions button:nth-child(2)");
    browser.attach("dialog input[type=file]", &own);
    browser.click("dialog button[type=submit]");
    browser.await_text("[data-prompt=start]", "1.5 s");
    browser.click("[data-prompt=start] .actions button");
    browser.await_element("[data-prompt=start] button[aria-pressed=true]");
    browser.await_element("[data-prompt=start] button[aria-pressed=false]");
    browser.click("[data-prompt=start] .actions button:nth-child(3)");
    console.confirm();
    browser.await_text("[data-prompt=start]", "shipped");
    browser.expect_complaint("status of 503");
    browser.click("[data-prompt=start] .actions button:nth-child(2)");
    browser.click("dialog input[value=text]");
    browser.fill("dialog textarea", "Здравствуйте");
    browser.click("dialog button[type=submit]");
    browser.await_text("dialog [role=alert], dialog .problem", "the program that speaks failed");
    scene.bauta.assert_no_fault();
}

#[test]
fn dead_letters_are_read_and_told_again() {
    let secret = "0123456789abcdef0123456789abcdef";
    let mut address = None;
    let mut scene = Scene::brief(|config| {
        let listens = config.vacant();
        address = Some(listens);
        config.add(
            "webhook",
            &format!("name = \"crm\"\nurl = \"http://{listens}:8099/\"\nsecret = \"{secret}\"\nevents = [\"order.put\"]\nretry = [\"1s\"]\ngive_up = \"1m\""),
        )
    });
    // It refuses for good what it is told, until it is another.
    let refusing =
        tests::receiver::Receiver::answering(address.unwrap(), 8099, |_| tests::receiver::Reply::Status(410));
    scene.put_order();
    // A minute is the least after which anything is given up.
    let patience = wait::LATER + std::time::Duration::from_secs(60);
    wait::until_true("a dead letter", patience, || {
        let (_, hooks) = scene.bauta.http_as(ADMIN, "GET", "/v1/webhooks", None);
        hooks["items"][0]["dead_letters"] == 1
    });
    drop(refusing);
    let receiver = tests::receiver::Receiver::start(address.unwrap(), 8099);
    let console = Console::admin(&scene.loopback, Look::DESK);
    let browser = &console.browser;
    console.go("webhooks");
    browser.click("[data-webhook=crm] a");
    browser.await_text("[data-letter]", "order.put");
    browser.click("[data-letter] button");
    browser.await_text("dialog pre", CODE);
    browser.click("dialog header button");
    browser.click("[data-letter] td:last-child button");
    browser.await_none("[data-letter]");
    wait::until_true("the event", wait::LATER, || {
        receiver.posted().iter().any(|posted| posted.body.contains(CODE))
    });
    scene.bauta.kill();
    browser.expect_complaint("ERR_");
}

#[test]
fn a_number_is_blocked_and_the_block_lifted() {
    let scene = Scene::brief(|config| config);
    let console = Console::admin(&scene.loopback, Look::DESK);
    let browser = &console.browser;
    console.go("blocks");
    browser.click("main .bar button.primary");
    browser.fill("dialog input[name=number]", STRANGER);
    browser.fill("dialog input[name=reason]", "спам");
    browser.click("dialog button[type=submit]");
    browser.await_text("[data-block]", "спам");
    let mut refused = scene.caller.dial(scene.loopback.sip(), &tests::peer::call::Dial::new(STRANGER, LINE));
    assert!(refused.refused() >= 400);
    browser.click("[data-block] button");
    console.confirm();
    browser.await_none("[data-block]");
    let mut taken = scene.arrive(STRANGER);
    taken.hang_up();
    scene.bauta.assert_no_fault();
}

#[test]
fn a_person_is_shown_handed_over_and_erased_once_the_number_is_typed_again() {
    let scene = Scene::brief(|config| config);
    scene.put_order();
    let console = Console::admin(&scene.loopback, Look::DESK);
    let browser = &console.browser;
    console.go("people");
    browser.fill("main input[name=number]", CLIENT);
    browser.click("main form button");
    browser.await_text("[data-kept=orders]", "1");
    browser.click("main section .bar button");
    let export = browser.downloads().join("person.json");
    wait::until_true("the export", wait::LATER, || {
        std::fs::read_to_string(&export).is_ok_and(|text| text.contains(CODE) && text.ends_with('}'))
    });
    browser.click("main section button.danger");
    browser.fill("dialog input[name=again]", COURIER);
    browser.click("dialog button[type=submit]");
    browser.await_element("dialog .problem");
    browser.fill("dialog input[name=again]", CLIENT);
    browser.click("dialog button[type=submit]");
    browser.await_text("[data-erased=orders]", "1");
    assert!(!browser.address().contains(&CLIENT[1..]), "no number stays in the browser's history");
    console.go("audit");
    browser.await_element("[data-audit='person.exported']");
    browser.await_element("[data-audit='person.erased']");
    scene.bauta.assert_no_fault();
}

#[test]
fn pairs_are_made_changed_ended_and_opened_again_and_the_pool_is_reckoned() {
    let scene = Scene::brief(|config| {
        config
            .add("line", "number = \"74951110001\"\ntrunk = \"carrier\"\nservice = \"pairs\"")
            .set("trunk.0.numbers", vec![LINE, "74951110001"])
    });
    let console = Console::admin(&scene.loopback, Look::DESK);
    let browser = &console.browser;
    console.go("pairs");
    browser.click("main .bar button.primary");
    browser.fill("dialog input[name='a.number']", COURIER);
    browser.fill("dialog input[name='a.name']", "Пётр");
    browser.fill("dialog input[name='b.number']", CLIENT);
    browser.click("dialog button[type=submit]");
    browser.await_text("[data-pair]", "Пётр");
    browser.click("[data-pair] a");
    browser.click("aside .actions button");
    browser.choose("dialog select[name=direction]", "a-to-b");
    browser.click("dialog button[type=submit]");
    browser.await_text("aside", "A calls B");
    browser.click("aside .actions button.danger");
    console.confirm();
    browser.await_text("aside", "closed");
    browser.click("aside .actions button");
    browser.click("dialog button[type=submit]");
    browser.await_text("aside", "live");

    console.go("numbers");
    browser.await_text("[data-forecast=pairs]", "1");
    browser.await_element("[data-number='+74951110001']");
    browser.fill("main input[name=phone]", COURIER);
    browser.click("section[aria-labelledby=of-phone] button");
    browser.await_text("[data-phone]", "1 live pair; 0 more possible");
    browser.fill("main input[name=pairs_per_phone]", "10");
    browser.click("section[aria-labelledby=planner] button");
    browser.await_text("[data-plan]", "19 numbers suffice");
    browser.await_text("[data-plan]", "18 numbers are missing");
    scene.bauta.assert_no_fault();
}
