//! Exchanges and phones that call in by an account (RFC 3261 §22.1), from wherever they are.

use std::net::SocketAddr;

use serde_json::json;
use tests::baresip::{Answering, Baresip};
use tests::config::{Config, LINE};
use tests::linphone::Linphone;
use tests::loopback::{Loopback, SIP_PORT};
use tests::peer::Peer;
use tests::peer::call::Dial;
use tests::program::Bauta;
use tests::scene::{CLIENT, CODE, COURIER};
use tests::sipp::Sipp;
use tests::wait;

const PASSWORD: &str = "a-password-of-ours-1";

/// A trunk that is known by an account alone.
fn open(loopback: &Loopback, change: impl FnOnce(Config) -> Config) -> Bauta {
    let config = Config::new(loopback)
        .set("trunk.0.trust", "from")
        .set("trunk.0.allow", Vec::<String>::new())
        .set("trunk.0.inbound_username", "office")
        .set("trunk.0.inbound_password", PASSWORD)
        // Neither sipp nor this baresip goes past a challenge by SHA-256.
        .set("trunk.0.inbound_algorithms", vec!["md5"]);
    Bauta::start(loopback, &change(config))
}

fn uri(server: SocketAddr) -> String {
    format!("sip:+{LINE}@{}", server.ip())
}

#[test]
fn sipp_proves_its_account_and_is_heard() {
    let loopback = Loopback::claim();
    let bauta = open(&loopback, |config| config);
    let at = SocketAddr::new(loopback.attacker(), SIP_PORT);
    let known = ["-au", "office", "-ap", PASSWORD];
    Sipp::caller("office_proves.xml", at, loopback.sip(), COURIER, &known).succeed();
    let record = bauta.await_record();
    assert_eq!((&record["cause"], &record["trunk"]), (&json!("hung-up"), &json!("carrier")), "{record:#}");
    bauta.assert_no_fault();
}

#[test]
fn a_baresip_proves_its_account_and_reaches_another() {
    let loopback = Loopback::claim();
    let mut client = Baresip::start(CLIENT, 1000.0, Answering::Auto);
    let bauta = open(&loopback, |config| {
        config.set("trunk.0.uri", format!("sip:{}", client.address())).set("line.0.whisper", false)
    });
    bauta.put_order(CODE, COURIER, CLIENT, 3600);
    let mut courier = Baresip::proving(COURIER, 440.0, "office", PASSWORD);
    courier.dial(&uri(loopback.sip()));
    courier.await_event("CALL_ESTABLISHED");
    courier.press(CODE);
    client.await_event("CALL_ESTABLISHED");
    courier.hear_more(3);
    courier.command("hangup", "");
    client.await_event("CALL_CLOSED");
    let seconds = courier.hears(1000.0);
    assert!(seconds > 0.5, "1000 Hz heard for {seconds} s");
    assert_eq!(bauta.await_record()["callee_reached"], json!(true));
    bauta.assert_no_fault();
}

#[test]
fn a_linphone_proves_its_account() {
    let loopback = Loopback::claim();
    let bauta = open(&loopback, |config| config.set("trunk.0.inbound_algorithms", vec!["sha-256", "md5"]));
    let mut phone = Linphone::proving(loopback.attacker(), COURIER, 440.0, ("office", PASSWORD));
    phone.dial(&uri(loopback.sip()));
    phone.await_output("connected");
    phone.hang_up();
    let record = bauta.await_record();
    assert_eq!((&record["cause"], &record["ended_by"]), (&json!("hung-up"), &json!("caller")), "{record:#}");
    bauta.assert_no_fault();
}

#[test]
fn whoever_proves_nothing_is_challenged_and_whoever_guesses_is_counted() {
    let loopback = Loopback::claim();
    let bauta = open(&loopback, |config| config);
    let stranger = Peer::at("stranger", loopback.attacker());
    let mut call = stranger.dial(loopback.sip(), &Dial::new(COURIER, LINE));
    assert_eq!(call.refused(), 401);
    let mut guesser = Baresip::proving(COURIER, 440.0, "office", "a-wrong-password-1");
    guesser.dial(&uri(loopback.sip()));
    guesser.await_event("CALL_CLOSED");
    wait::until_true("a count of wrong accounts", wait::SOON, || {
        bauta.metric("bauta_sip_unproved_total") >= Some(1)
    });
    bauta.assert_no_fault();
}

#[test]
fn an_account_beside_an_address_is_for_that_address_alone() {
    let loopback = Loopback::claim();
    let carrier = loopback.carrier();
    let bauta = open(&loopback, |config| config.set("trunk.0.allow", vec![format!("{carrier}/32")]));
    let known = ["-au", "office", "-ap", PASSWORD];
    let at = SocketAddr::new(carrier, SIP_PORT);
    Sipp::caller("office_proves.xml", at, loopback.sip(), COURIER, &known).succeed();
    assert_eq!(bauta.await_record()["cause"], json!("hung-up"));
    let stranger = Peer::at("stranger", loopback.attacker());
    let call = stranger.dial(loopback.sip(), &Dial::new(COURIER, LINE));
    wait::until_true("a stranger", wait::SOON, || bauta.metric("bauta_sip_strangers_total") >= Some(1));
    assert!(!call.has_message(), "a stranger is not answered");
    bauta.assert_no_fault();
}
