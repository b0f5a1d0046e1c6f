//! The SIP messages of a call, as they are shown afterwards.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tests::config::{Config, LINE, TOKEN};
use tests::loopback::{Loopback, SIP_PORT};
use tests::peer::call::Dial;
use tests::program::Bauta;
use tests::scene::{CLIENT, CODE, COURIER, Scene};
use tests::sipp::{Caller, Keys, Sipp};
use tests::wait;

const JSON: &str = "application/json";
const PCAP: &str = "application/vnd.tcpdump.pcap";

fn shown(bauta: &Bauta, call: &str) -> Value {
    serde_json::from_slice(&bauta.trace(call, JSON)).expect("JSON")
}

fn ladder(bauta: &Bauta, call: &str) -> String {
    String::from_utf8(bauta.trace(call, "text/plain")).expect("text")
}

/// Leg, direction and what each message is; a trace that is still growing is waited for until it has `last` as often.
fn steps(bauta: &Bauta, call: &str, last: (&str, usize)) -> Vec<String> {
    let read = || -> Vec<String> {
        let trace = shown(bauta, call);
        let messages = trace["messages"].as_array().expect("messages");
        let word = |key: &str, message: &Value| message[key].as_str().unwrap_or_default().to_owned();
        let step = |message: &Value| {
            let status = message["status"].as_u64().map(|status| format!("{status} ")).unwrap_or_default();
            format!(
                "{} {} {status}{}",
                word("leg", message),
                word("direction", message),
                word("method", message)
            )
        };
        messages.iter().map(step).collect()
    };
    wait::until_true(last.0, wait::SOON, || {
        read().iter().filter(|step| step.as_str() == last.0).count() >= last.1
    });
    read()
}

/// The steps, each once, where it was first.
fn once(steps: &[String]) -> Vec<&str> {
    let mut seen = Vec::new();
    for step in steps {
        if !seen.contains(&step.as_str()) {
            seen.push(step.as_str());
        }
    }
    seen
}

#[test]
fn an_order_call_by_sipp_is_a_ladder_of_both_legs() {
    let loopback = Loopback::claim();
    let bauta = Bauta::start(&loopback, &Config::new(&loopback));
    bauta.put_order(CODE, COURIER, CLIENT, 3600);
    let callee = Sipp::be_called(loopback.callee(), 1000.0, Duration::from_millis(500), 1);
    let caller = Caller {
        from: COURIER,
        code: CODE,
        keys: Keys::Played,
        patience: Duration::from_secs(2),
        talk: Duration::from_secs(2),
        hertz: 440.0,
    };
    let at = SocketAddr::new(loopback.carrier(), SIP_PORT);
    Sipp::call(at, loopback.sip(), LINE, &caller).succeed();
    callee.succeed();
    let record = bauta.await_record();
    let call = record["id"].as_str().expect("an id");
    let steps = steps(&bauta, call, ("callee 1 in 200 BYE", 1));
    assert_eq!(
        once(&steps),
        [
            "caller in INVITE",
            "caller out 100 INVITE",
            "caller out 200 INVITE",
            "caller in ACK",
            "callee 1 out INVITE",
            "callee 1 in 180 INVITE",
            "callee 1 in 200 INVITE",
            "callee 1 out ACK",
            "caller in BYE",
            "caller out 200 BYE",
            "callee 1 out BYE",
            "callee 1 in 200 BYE",
        ]
    );
    let trace = shown(&bauta, call);
    let first = &trace["messages"][0];
    assert_eq!((&first["from"], &first["to"]), (&json!(at.to_string()), &json!(loopback.sip().to_string())));
    // What goes to the one side has nothing of the other.
    for message in trace["messages"].as_array().expect("messages") {
        let foreign = if message["leg"] == "caller" { CLIENT } else { COURIER };
        assert!(!message["text"].as_str().expect("text").contains(&foreign[1..]), "{message:#}");
    }
    let ladder = ladder(&bauta, call);
    let arrows: Vec<&str> =
        ladder.lines().skip(2).filter_map(|line| line.split_once('|')).map(|(_, row)| row).collect();
    assert_eq!(arrows.len(), steps.len(), "{ladder}");
    assert!(arrows[0].contains(" INVITE (SDP) ") && arrows[0].contains('>'), "{ladder}");
    let pcap = bauta.trace(call, PCAP);
    assert_eq!(packets(&pcap), steps.len());
    for (token, status) in [(TOKEN, 403), ("no-token-of-anybody", 401)] {
        assert_eq!(bauta.http_as(token, "GET", &format!("/v1/calls/{call}/trace"), None).0, status);
    }
}

/// How many packets a capture has, each with an IPv4 header and a UDP header around SIP.
fn packets(mut pcap: &[u8]) -> usize {
    assert_eq!(pcap[..4], [0xD4, 0xC3, 0xB2, 0xA1]);
    pcap = &pcap[24..];
    let mut count = 0;
    while !pcap.is_empty() {
        let length = u32::from_le_bytes(pcap[8..12].try_into().expect("four octets")) as usize;
        let packet = &pcap[16..16 + length];
        assert_eq!((packet[0], packet[9]), (0x45, 17), "IPv4, UDP");
        let text = String::from_utf8_lossy(&packet[28..]);
        assert!(text.lines().next().is_some_and(|start| start.contains("SIP/2.0")), "{text}");
        pcap = &pcap[16 + length..];
        count += 1;
    }
    count
}

#[test]
fn credentials_are_cut_and_numbers_masked_while_the_call_goes_on() {
    let scene = Scene::brief(|config| {
        config
            .set("trunk.0.username", "bauta")
            .set("trunk.0.password", "open sesame")
            .set("privacy.numbers", "last4")
    });
    scene.put_order();
    let (mut out, mut back) = scene.dialling(COURIER);
    let challenge = "Proxy-Authenticate: Digest realm=\"carrier\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"";
    back.refuse("407 Proxy Authentication Required", &[challenge.to_owned()]);
    let again = back.expect("INVITE");
    let proof = again.header("proxy-authorization").expect("credentials");
    assert!(proof.contains("response="), "{proof}");
    back.invite = Some(again);
    back.answer();
    Scene::talk(&mut out, &mut back);

    let (status, calls) = scene.bauta.http("GET", "/v1/calls", None);
    assert_eq!(status, 200);
    let call = calls["items"][0]["id"].as_str().expect("a call").to_owned();
    let all = [
        shown(&scene.bauta, &call).to_string(),
        String::from_utf8_lossy(&scene.bauta.trace(&call, PCAP)).into_owned(),
    ];
    for text in all {
        assert!(text.contains("Proxy-Authorization: (cut)"), "{text}");
        for secret in [&COURIER[1..], &CLIENT[1..], "response=", "open sesame"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert!(text.contains(&format!("sip:***{}@", &CLIENT[7..])), "{text}");
    }
    let steps = steps(&scene.bauta, &call, ("callee 1 out ACK", 2));
    assert!(steps.iter().filter(|step| step.as_str() == "callee 1 out INVITE").count() >= 2, "{steps:?}");
    out.hang_up();
    back.expect_bye();
}

#[test]
fn a_refused_call_has_a_trace() {
    let scene = Scene::open();
    let mut call = scene.caller.dial(scene.loopback.sip(), &Dial::new(COURIER, "74950000000"));
    assert_eq!(call.refused(), 404);
    let record = scene.bauta.await_record();
    let id = record["id"].as_str().expect("an id");
    let steps = steps(&scene.bauta, id, ("caller in ACK", 1));
    assert_eq!(
        once(&steps),
        ["caller in INVITE", "caller out 100 INVITE", "caller out 404 INVITE", "caller in ACK"]
    );
}

#[test]
fn turned_off_nothing_is_kept() {
    let scene = Scene::brief(|config| config.set("trace.calls", 0));
    let mut out = scene.arrive(COURIER);
    let (_, calls) = scene.bauta.http("GET", "/v1/calls", None);
    let id = calls["items"][0]["id"].as_str().expect("a call").to_owned();
    let (status, problem) =
        scene.bauta.http_as(tests::config::ADMIN, "GET", &format!("/v1/calls/{id}/trace"), None);
    assert_eq!((status, &problem["code"]), (404, &json!("call-unknown")));
    out.hang_up();
}
