//! Carriers that want to know who we are, played by Kamailio; and carriers that fail.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tests::config::{self, Config, LINE};
use tests::kamailio::{Carrier, Kamailio, PASSWORD, USERNAME};
use tests::loopback::{Loopback, SIP_PORT};
use tests::peer::call::Dial;
use tests::peer::{Call, Peer};
use tests::program::Bauta;
use tests::scene::{CLIENT, CODE, COURIER, Scene};
use tests::wait;

/// The program at a carrier that is Kamailio, and the world behind that.
struct Place {
    loopback: Loopback,
    kamailio: Kamailio,
    bauta: Bauta,
    /// Calls in through Kamailio.
    caller: Peer,
    /// Is called through Kamailio.
    callee: Peer,
}

fn carrier(loopback: &Loopback) -> Carrier<'static> {
    Carrier {
        address: loopback.host(13),
        server: loopback.server(),
        callee: loopback.callee(),
        algorithm: "MD5",
        nonce_expire: 300,
        expires: (60, 3600),
        tls: None,
    }
}

fn place(
    change: impl FnOnce(&mut Carrier<'static>),
    configure: impl FnOnce(Config, IpAddr) -> Config,
) -> Place {
    let loopback = Loopback::claim();
    let mut carrier = carrier(&loopback);
    change(&mut carrier);
    let kamailio = Kamailio::start(&carrier);
    let config = Config::new(&loopback)
        .set("trunk.0.uri", format!("sip:{}:{SIP_PORT}", carrier.address))
        .set("trunk.0.allow", format!("{}/32", loopback.carrier()))
        .set("trunk.0.username", USERNAME)
        .set("trunk.0.password", PASSWORD)
        .set("trunk.0.realm", "carrier.test");
    let config = configure(config, carrier.address);
    let caller = Peer::at("caller", loopback.carrier());
    let callee = Peer::at("callee", loopback.callee());
    let bauta = Bauta::start(&loopback, &config);
    Place { loopback, kamailio, bauta, caller, callee }
}

impl Place {
    /// A call to this address that is joined with the other party.
    fn talking(&self, to: IpAddr) -> (Call, Call) {
        self.bauta.put_order(CODE, COURIER, CLIENT, 3600);
        let mut out = self.caller.dial((to, SIP_PORT).into(), &Dial::new(COURIER, LINE));
        out.answered();
        out.media.press(CODE);
        let mut back = self.callee.incoming();
        back.provisional("180 Ringing");
        back.answer();
        Scene::talk(&mut out, &mut back);
        (out, back)
    }

    fn trunk(&self) -> Value {
        let (status, body) = self.bauta.http("GET", "/v1/trunks", None);
        assert_eq!(status, 200, "{body}");
        body["items"][0].clone()
    }

    fn await_trunk(&self, key: &str, value: &Value) {
        let what = format!("{key} to be {value}");
        wait::until_true(&what, wait::LATER, || self.trunk()[key] == *value);
    }

    /// The secret has come out nowhere: not in what was logged, told or kept, nor on the wire to the other side.
    fn assert_secret_kept(&self) {
        assert!(!self.bauta.log().contains(PASSWORD));
        for path in ["/v1/records?limit=200", "/v1/trunks"] {
            let (_, body) = self.bauta.http_as(config::ADMIN, "GET", path, None);
            assert!(!body.to_string().contains(PASSWORD), "{body}");
        }
        for peer in [&self.caller, &self.callee] {
            for octets in peer.received() {
                let text = String::from_utf8_lossy(&octets).into_owned();
                assert!(!text.contains(PASSWORD) && !text.contains("Authorization"), "{text}");
            }
        }
        self.bauta.assert_no_fault();
    }
}

fn challenged(algorithm: &'static str) {
    let place = place(|carrier| carrier.algorithm = algorithm, |config, _| config);
    let (mut out, mut back) = place.talking(place.loopback.server());
    out.hang_up();
    back.expect_bye();
    let record = place.bauta.await_record();
    assert_eq!((&record["cause"], &record["callee_reached"]), (&json!("hung-up"), &json!(true)));
    // One INVITE to be asked, one to answer; the BYE answers before it is asked.
    let server = place.loopback.server();
    assert_eq!(place.kamailio.heard(&format!("heard INVITE from {server}")), 2);
    assert_eq!(place.kamailio.heard(&format!("heard BYE from {server}")), 1);
    place.assert_secret_kept();
}

#[test]
fn a_carrier_that_asks_by_md5_is_answered() {
    challenged("MD5");
}

#[test]
fn a_carrier_that_asks_by_sha_256_is_answered() {
    challenged("SHA-256");
}

#[test]
fn a_nonce_that_has_become_too_old_is_replaced() {
    let place = place(|carrier| carrier.nonce_expire = 1, |config, _| config);
    let (mut out, mut back) = place.talking(place.loopback.server());
    Scene::talk_long(&mut out, &mut back, 3.0);
    out.hang_up();
    back.expect_bye();
    assert_eq!(place.bauta.await_record()["cause"], json!("hung-up"));
    assert_eq!(place.kamailio.heard(&format!("heard BYE from {}", place.loopback.server())), 2);
    place.assert_secret_kept();
}

#[test]
fn a_wrong_password_is_tried_once_and_an_md5_that_is_forbidden_never() {
    for (key, value, invites) in
        [("trunk.0.password", toml::Value::from("wrong"), 2), ("trunk.0.md5", false.into(), 1)]
    {
        let place = place(|_| (), |config, _| config.set(key, value));
        place.bauta.put_order(CODE, COURIER, CLIENT, 3600);
        let mut out = place.caller.dial(place.loopback.sip(), &Dial::new(COURIER, LINE));
        out.answered();
        out.media.press(CODE);
        out.expect_bye();
        let record = place.bauta.await_record();
        assert_eq!((&record["cause"], &record["sip_status"]), (&json!("unreachable"), &json!(407)));
        assert_eq!(place.kamailio.heard(&format!("heard INVITE from {}", place.loopback.server())), invites);
        assert!(!place.callee.was_called());
    }
}

/// A place that registers at its carrier and is called through it; nobody is allowed to call in by address.
fn registered(change: impl FnOnce(&mut Carrier<'static>), transport: &str) -> Place {
    place(change, |config, address| {
        config
            .set("trunk.0.uri", format!("sip:{address}:{SIP_PORT}{transport}"))
            .set("trunk.0.allow", Vec::<String>::new())
            .set("trunk.0.register", true)
            .set("trunk.0.register_expires", "60s")
            .set("trunk.0.aor", format!("sip:{USERNAME}@carrier.test"))
    })
}

#[test]
fn a_carrier_that_was_told_where_we_are_sends_its_calls_here() {
    let mut place = registered(|_| (), "");
    place.await_trunk("registered", &json!(true));
    let (mut out, mut back) = place.talking(place.loopback.host(13));
    assert_eq!(place.trunk()["calls"], json!(2));
    back.hang_up();
    out.expect_bye();
    assert_eq!(place.bauta.await_record()["trunk"], json!("carrier"));
    // Nobody else is answered, and the carrier's own address is no excuse.
    let stranger = place.caller.dial(place.loopback.sip(), &Dial::new(COURIER, LINE));
    place.assert_secret_kept();
    // With the end of the program ends the binding.
    place.bauta.signal(libc::SIGTERM);
    assert!(place.bauta.wait(wait::LATER).success());
    assert_eq!(place.kamailio.heard("expires=0 "), 1, "{}", place.kamailio.log());
    assert!(!stranger.has_message(), "a stranger hears nothing");
    let mut late = place.caller.dial((place.loopback.host(13), SIP_PORT).into(), &Dial::new(COURIER, LINE));
    assert_eq!(late.refused(), 480);
}

#[test]
fn a_registration_goes_over_streams_as_well() {
    let place = registered(|_| (), ";transport=tcp");
    place.await_trunk("registered", &json!(true));
    let (mut out, mut back) = place.talking(place.loopback.host(13));
    out.hang_up();
    back.expect_bye();
    place.assert_secret_kept();
}

#[test]
fn a_registrar_that_wants_a_longer_binding_gets_it() {
    let place = registered(|carrier| carrier.expires = (120, 3600), "");
    place.await_trunk("registered", &json!(true));
    let (_, text) = place.bauta.http_as(config::ADMIN, "GET", "/metrics", None);
    let text = text.as_str().unwrap_or_default().to_owned();
    assert!(text.contains("bauta_trunk_registered{trunk=\"carrier\"} 1"), "{text}");
    place.assert_secret_kept();
}

#[test]
fn a_reload_ends_a_registration_and_begins_it_again() {
    let place = registered(|_| (), "");
    place.await_trunk("registered", &json!(true));
    let path = place.bauta.dir().join("bauta.toml");
    let text = std::fs::read_to_string(&path).expect("its configuration");
    let without = text
        .replace("register = true", "register = false")
        .replace("register_expires = \"60s\"\n", "")
        .replace(&format!("aor = \"sip:{USERNAME}@carrier.test\"\n"), "")
        .replace("allow = []", &format!("allow = [\"{}\"]", place.loopback.carrier()));
    std::fs::write(&path, without).expect("the disk has room");
    place.bauta.signal(libc::SIGHUP);
    place.await_trunk("registered", &Value::Null);
    wait::until_true("Expires 0", wait::LATER, || place.kamailio.heard("expires=0 ") == 1);
    std::fs::write(&path, text).expect("the disk has room");
    place.bauta.signal(libc::SIGHUP);
    place.await_trunk("registered", &json!(true));
    place.assert_secret_kept();
}

#[test]
fn a_trunk_that_stops_answering_is_down_and_calls_go_out_by_the_next() {
    let loopback = Loopback::claim();
    let kamailio = Kamailio::start(&Carrier { callee: loopback.attacker(), ..carrier(&loopback) });
    let second = format!(
        "name = \"second\"\nuri = \"sip:{}:{SIP_PORT}\"\nallow = [\"{}/32\"]\nnumbers = [\"{LINE}\"]\n",
        loopback.callee(),
        loopback.callee()
    );
    let config = Config::new(&loopback)
        .set("trunk.0.uri", format!("sip:{}:{SIP_PORT}", loopback.host(13)))
        .set("trunk.0.allow", format!("{}/32", loopback.carrier()))
        .set("trunk.0.ping", "5s")
        .set("trunk.0.attempt_timeout", "1s")
        .add("trunk", &second)
        .set("line.0.trunk", vec!["carrier".to_owned(), "second".to_owned()]);
    let caller = Peer::at("caller", loopback.carrier());
    let callee = Peer::at("callee", loopback.callee());
    let bauta = Bauta::start(&loopback, &config);
    let place = Place { loopback, kamailio, bauta, caller, callee };
    place.await_trunk("up", &json!(true));
    // It falls silent: the first call finds that out, and is none the worse for it.
    place.kamailio.signal(libc::SIGSTOP);
    let (mut out, mut back) = place.talking(place.loopback.server());
    out.hang_up();
    back.expect_bye();
    wait::until_true("down", Duration::from_secs(40), || place.trunk()["up"] == json!(false));
    place.kamailio.signal(libc::SIGCONT);
    wait::until_true("up", Duration::from_secs(40), || place.trunk()["up"] == json!(true));
    place.bauta.assert_no_fault();
}
