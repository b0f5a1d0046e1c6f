//! SIP over TLS: a carrier that is Kamailio, and strangers that are openssl.

use std::net::SocketAddr;

use serde_json::json;
use tests::config::{Config, LINE};
use tests::kamailio::{Carrier, Kamailio, PASSWORD, USERNAME};
use tests::loopback::{Loopback, SIP_PORT};
use tests::openssl::Client;
use tests::peer::Peer;
use tests::peer::call::Dial;
use tests::pki::{Authority, Identity};
use tests::program::Bauta;
use tests::scene::{CLIENT, CODE, COURIER, Scene};
use tests::{tone, wait};

const TLS_PORT: u16 = 5061;

/// The usual configuration, listening by TLS as well, as this identity.
fn listening(loopback: &Loopback, authority: &Authority, own: &Identity) -> Config {
    let server = loopback.server();
    let listen = ["udp", "tcp"].map(|scheme| format!("{scheme}://{server}:{SIP_PORT}"));
    let listen: Vec<String> = listen.into_iter().chain([format!("tls://{server}:{TLS_PORT}")]).collect();
    let path = |path: &std::path::Path| path.to_string_lossy().into_owned();
    Config::new(loopback)
        .set("sip.listen", listen)
        .set("sip.certificate_file", path(&own.certificate))
        .set("sip.key_file", path(&own.key))
        .set("sip.roots_file", path(&authority.root()))
}

/// A carrier by TLS that proves to be `names`, and the program registering there.
fn carrier(names: &[&str]) -> (Loopback, Kamailio, Bauta, Authority) {
    let loopback = Loopback::claim();
    let authority = Authority::new();
    let address = loopback.host(13);
    let text = address.to_string();
    let names: Vec<&str> =
        names.iter().map(|name| if *name == "ADDRESS" { text.as_str() } else { name }).collect();
    let own = authority.vouch("own", &["bauta.test"]);
    let theirs = authority.vouch("carrier", &names);
    let root = authority.root();
    let kamailio = Kamailio::start(&Carrier {
        address,
        server: loopback.server(),
        callee: loopback.callee(),
        algorithm: "SHA-256",
        nonce_expire: 300,
        expires: (60, 3600),
        tls: Some((&theirs, &root)),
    });
    let config = listening(&loopback, &authority, &own)
        .set("trunk.0.uri", format!("sip:{address}:{TLS_PORT};transport=tls"))
        .set("trunk.0.allow", Vec::<String>::new())
        .set("trunk.0.username", USERNAME)
        .set("trunk.0.password", PASSWORD)
        .set("trunk.0.register", true)
        .set("trunk.0.aor", format!("sip:{USERNAME}@carrier.test"));
    let bauta = Bauta::start(&loopback, &config);
    (loopback, kamailio, bauta, authority)
}

fn is_registered(bauta: &Bauta) -> bool {
    bauta.http("GET", "/v1/trunks", None).1["items"][0]["registered"] == json!(true)
}

#[test]
fn a_call_comes_and_goes_by_tls() {
    let (loopback, kamailio, bauta, _authority) = carrier(&["carrier.test", "ADDRESS"]);
    wait::until_true("the registration", wait::LATER, || is_registered(&bauta));
    let caller = Peer::at("caller", loopback.carrier());
    let callee = Peer::at("callee", loopback.callee());
    bauta.put_order(CODE, COURIER, CLIENT, 3600);
    let mut out = caller.dial((loopback.host(13), SIP_PORT).into(), &Dial::new(COURIER, LINE));
    out.answered();
    out.media.press(CODE);
    let mut back = callee.incoming();
    back.provisional("180 Ringing");
    back.answer();
    Scene::talk(&mut out, &mut back);
    out.hang_up();
    back.expect_bye();
    assert_eq!(bauta.await_record()["cause"], json!("hung-up"));
    let invites = callee.messages();
    let invite = invites.iter().find(|message| message.is_request("INVITE")).expect("an INVITE");
    assert!(invite.all("via").any(|via| via.starts_with("SIP/2.0/TLS ")), "{invite:?}");
    assert!(kamailio.heard("heard REGISTER") >= 2);
    bauta.assert_no_fault();
}

#[test]
fn a_call_by_tls_and_a_proxy_outlives_a_kill() {
    let (loopback, _kamailio, mut bauta, _authority) = carrier(&["carrier.test", "ADDRESS"]);
    wait::until_true("the registration", wait::LATER, || is_registered(&bauta));
    let caller = Peer::at("caller", loopback.carrier());
    let callee = Peer::at("callee", loopback.callee());
    bauta.put_order(CODE, COURIER, CLIENT, 3600);
    let mut out = caller.dial((loopback.host(13), SIP_PORT).into(), &Dial::new(COURIER, LINE));
    out.answered();
    out.media.press(CODE);
    let mut back = callee.incoming();
    back.answer();
    Scene::talk(&mut out, &mut back);
    bauta.kill_and_restart();
    let heard = tone::seconds(&out.media.heard(), tone::RATE, 1000.0);
    Scene::talk_long(&mut out, &mut back, heard + 1.0);
    assert_eq!(out.reinvite().status(), Some(200));
    back.hang_up();
    out.expect_bye();
    let record = bauta.await_record();
    assert_eq!(
        (&record["cause"], &record["ended_by"], &record["restored"]),
        (&json!("hung-up"), &json!("callee"), &json!(1)),
        "{record:#}"
    );
    // Asked for a code, the next caller is told over a connection that is not there yet.
    let mut next = caller.dial((loopback.host(13), SIP_PORT).into(), &Dial::new(COURIER, LINE));
    next.answered();
    bauta.kill_and_restart();
    next.expect_bye();
    assert_eq!(bauta.await_records(2)[0]["cause"], json!("node-lost"));
    bauta.assert_no_fault();
}

#[test]
fn a_carrier_that_proves_another_name_is_told_nothing() {
    let (_loopback, kamailio, bauta, _authority) = carrier(&["carrier.test", "192.0.2.1"]);
    wait::until_true("a connection that is not made", wait::LATER, || {
        bauta.log().contains("a connection could not be opened")
    });
    assert_eq!(bauta.http("GET", "/v1/trunks", None).1["items"][0]["registered"], json!(false));
    assert_eq!(kamailio.heard("heard REGISTER"), 0);
}

fn options(branch: &str) -> String {
    format!(
        "OPTIONS sip:bauta.test SIP/2.0\r\nVia: SIP/2.0/TLS h;branch=z9hG4bK{branch};rport\r\nFrom: <sip:x@h>;tag=1\r\n\
         To: <sip:bauta.test>\r\nCall-ID: {branch}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 5\r\nContent-Length: 0\r\n\r\n"
    )
}

/// Whether a client of this identity that believes us is answered as a trunk.
fn is_answered(to: SocketAddr, authority: &Authority, identity: Option<&Identity>) -> bool {
    let mut client = Client::connect(to, "bauta.test", &authority.root(), identity);
    client.send(&options("a"));
    // A ping is answered to everyone, and after whatever came before it.
    client.send("\r\n\r\n");
    wait::until_true("the pong", wait::LATER, || {
        assert!(!client.has_ended(), "{}", client.said());
        client.heard().contains("\r\n")
    });
    // Its answer and that to the question may come in either order: the question was read first.
    client.send("\r\n\r\n");
    wait::until_true("the second pong", wait::LATER, || client.heard().matches("\r\n").count() >= 2);
    client.heard().contains("SIP/2.0 200")
}

#[test]
fn a_trunk_is_known_by_its_certificate() {
    let loopback = Loopback::claim();
    let authority = Authority::new();
    let own = authority.vouch("own", &["bauta.test"]);
    let config = listening(&loopback, &authority, &own)
        .set("trunk.0.certificate", "sbc.carrier.test")
        .set("trunk.0.allow", Vec::<String>::new());
    let bauta = Bauta::start(&loopback, &config);
    let to = SocketAddr::new(loopback.server(), TLS_PORT);
    let known = authority.vouch("known", &["other.test", "SBC.carrier.test"]);
    let foreign = authority.vouch("foreign", &["carrier.test"]);
    assert!(is_answered(to, &authority, Some(&known)));
    assert!(!is_answered(to, &authority, Some(&foreign)));
    assert!(!is_answered(to, &authority, None));
    // Whoever is vouched for by somebody else is not even heard.
    let stranger = Authority::new().vouch("stranger", &["sbc.carrier.test"]);
    let mut client = Client::connect(to, "bauta.test", &authority.root(), Some(&stranger));
    wait::until_true("the end of the connection", wait::LATER, || client.has_ended());
    assert!(!client.heard().contains("SIP/2.0"));
    bauta.assert_no_fault();
}

#[test]
fn a_certificate_is_renewed_without_a_restart() {
    let loopback = Loopback::claim();
    let authority = Authority::new();
    let own = authority.vouch("own", &["old.test"]);
    let bauta = Bauta::start(&loopback, &listening(&loopback, &authority, &own));
    let to = SocketAddr::new(loopback.server(), TLS_PORT);
    let answers = |name: &str| {
        let mut client = Client::connect(to, name, &authority.root(), None);
        client.send("\r\n\r\n");
        wait::until("an answer, or none", wait::LATER, || match client.heard().is_empty() {
            false => Some(true),
            true => client.has_ended().then_some(false),
        })
    };
    assert!(answers("old.test") && !answers("new.test"));
    // A key that does not fit leaves things as they are.
    let _ = authority.vouch("other", &["new.test"]);
    std::fs::copy(authority.root().with_file_name("other.certificate.pem"), &own.certificate)
        .expect("a copy");
    bauta.signal(libc::SIGHUP);
    wait::until_true("the refusal", wait::LATER, || bauta.log().contains("not reloaded"));
    assert!(answers("old.test"));
    let _ = authority.vouch("own", &["new.test"]);
    bauta.signal(libc::SIGHUP);
    wait::until_true("the reload", wait::LATER, || bauta.log().contains("reloaded") && answers("new.test"));
    assert!(!answers("old.test"));
}
