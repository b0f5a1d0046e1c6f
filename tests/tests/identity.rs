//! Whether a caller is who they say, and what a line makes of it.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use serde_json::{Value, json};
use tests::config::{Config, LINE};
use tests::loopback::{Loopback, SIP_PORT};
use tests::peer::Peer;
use tests::peer::call::Dial;
use tests::program::Bauta;
use tests::scene::{CLIENT, CODE, COURIER, STRANGER, Scene};
use tests::sipp::{Caller, Keys, Sipp};
use tests::stir::Signer;
use tests::wait;

/// A program that refuses whoever is not verified.
fn strict(signer: &Signer) -> (Loopback, Bauta) {
    let loopback = Loopback::claim();
    let config = signer.believed(Config::new(&loopback)).set("line.0.unverified", "refuse");
    let bauta = Bauta::start(&loopback, &config);
    bauta.put_order(CODE, COURIER, CLIENT, 3600);
    (loopback, bauta)
}

fn identity(verdict: &str, attestation: Value, fault: Value, claimed: Value) -> Value {
    json!({ "verdict": verdict, "attestation": attestation, "fault": fault, "claimed": claimed })
}

/// How many calls were verified so.
fn counted(bauta: &Bauta, verdict: &str) -> String {
    let (_, metrics) = bauta.http_as(tests::config::ADMIN, "GET", "/metrics", None);
    let metrics = metrics.as_str().unwrap_or_default();
    let name = format!("bauta_calls_verified_total{{verdict=\"{verdict}\"}} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
    line.unwrap_or_else(|| panic!("{name} in {metrics}")).to_owned()
}

#[test]
fn a_caller_for_whom_openssl_signed_is_joined_and_the_record_says_so() {
    let signer = Signer::new();
    let (loopback, bauta) = strict(&signer);
    let callee = Sipp::be_called(loopback.callee(), 1000.0, Duration::from_millis(500), 1);
    let caller = Caller {
        from: COURIER,
        code: CODE,
        keys: Keys::Played,
        patience: Duration::from_secs(2),
        talk: Duration::from_secs(20),
        hertz: 440.0,
    };
    let at = SocketAddr::new(loopback.carrier(), SIP_PORT);
    let token = signer.sign(COURIER, LINE);
    Sipp::prove(at, loopback.sip(), LINE, &caller, std::slice::from_ref(&token)).succeed();
    callee.succeed();
    let record = bauta.await_record();
    assert_eq!(record["identity"], identity("passed", json!("A"), json!(null), json!(null)), "{record:#}");
    assert_eq!((&record["callee_reached"], &record["caller"]), (&json!(true), &json!(format!("+{COURIER}"))));
    assert_eq!(counted(&bauta, "passed"), "1");
    // Whoever has a fresh PASSporT can say so as well.
    let trace = bauta.trace(record["id"].as_str().expect("an id"), "application/json");
    let trace = String::from_utf8(trace).expect("JSON");
    let claims = token.split('.').nth(1).expect("claims");
    assert!(trace.contains("\"identity\":{\"verdict\":\"passed\",\"attestation\":\"A\""), "{trace}");
    assert!(trace.contains("Identity: (cut)") && !trace.contains(claims), "{trace}");
    bauta.assert_no_fault();
}

#[test]
fn whoever_is_not_verified_is_refused_before_the_answer_and_told_why() {
    let signer = Signer::new();
    let (loopback, bauta) = strict(&signer);
    let right = signer.sign(COURIER, LINE);
    let forged = {
        let (token, rest) = right.split_once(';').expect("parameters");
        let (signed, signature) = token.rsplit_once('.').expect("a signature");
        let other = if signature.starts_with('A') { 'B' } else { 'A' };
        format!("{signed}.{other}{};{rest}", &signature[1..])
    };
    let elsewhere = right.replace("709j", "709k").replace("Identity", "y");
    let stranger = Signer::new();
    let calls = [
        (vec![], 428, "none", json!(null)),
        (vec![forged], 438, "failed", json!("signature")),
        (vec!["Identity: no semicolon".to_owned()], 438, "failed", json!("unreadable")),
        (vec![elsewhere], 438, "failed", json!("unreadable")),
        (vec![signer.sign_at(COURIER, LINE, 1_700_000_000)], 403, "failed", json!("stale")),
        (vec![signer.sign(STRANGER, LINE)], 438, "failed", json!("other-caller")),
        (vec![signer.sign(COURIER, CLIENT)], 438, "failed", json!("other-callee")),
        (vec![stranger.sign(COURIER, LINE)], 438, "failed", json!("signature")),
    ];
    for (place, (lines, status, verdict, fault)) in calls.iter().enumerate() {
        let at = SocketAddr::new(loopback.carrier(), SIP_PORT + u16::try_from(place).expect("few"));
        Sipp::be_refused(at, loopback.sip(), LINE, COURIER, lines, *status).succeed();
        let records = bauta.await_records(place + 1);
        let refused =
            |record: &&Value| record["identity"]["fault"] == *fault && record["sip_status"] == *status;
        let record = records.iter().find(refused).unwrap_or_else(|| panic!("{fault} in {records:#?}"));
        assert_eq!(
            record["identity"],
            identity(verdict, json!(null), fault.clone(), json!(format!("+{COURIER}")))
        );
        assert_eq!((&record["cause"], &record["caller"]), (&json!("unverified"), &json!(null)));
        assert_eq!(record["answered_at"], json!(null));
    }
    assert_eq!((counted(&bauta, "none"), counted(&bauta, "failed")), ("1".to_owned(), "7".to_owned()));
    bauta.assert_no_fault();
}

/// An INVITE with these header lines, as octets.
fn invite(place: usize, lines: &[u8]) -> Vec<u8> {
    let sdp = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n";
    let before = format!(
        "INVITE sip:+{LINE}@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKproof{place};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:+{COURIER}@h>;tag=p{place}\r\nTo: <sip:+{LINE}@h>\r\nCall-ID: proof-{place}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:p@h>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n",
        sdp.len()
    );
    [before.as_bytes(), lines, b"\r\n", sdp.as_bytes()].concat()
}

#[test]
fn whatever_stands_in_an_identity_header_proves_nothing_and_hurts_nobody() {
    let signer = Signer::new();
    let (loopback, bauta) = strict(&signer);
    let corpus =
        std::fs::read_dir(tests::tool::repository().join("tests/fuzz/corpus/identity")).expect("a corpus");
    let mut values: Vec<Vec<u8>> = corpus
        .map(|entry| std::fs::read(entry.expect("an entry").path()).expect("a file"))
        .filter(|value| !value.iter().any(|octet| matches!(octet, 0 | b'\r' | b'\n')))
        .collect();
    let right = signer.sign(COURIER, LINE);
    let right = right.trim_start_matches("Identity: ");
    let (token, parameters) = right.split_once(';').expect("parameters");
    values.extend([
        b";".repeat(4000),
        b"a.".repeat(4000),
        b"\xff\xfe.\x01.\x02;info=<x>".to_vec(),
        [b"a".repeat(8000), b".b.c;info=<https://c.example/a>".to_vec()].concat(),
        format!("{token}.{token};{parameters}").into_bytes(),
        format!("{token};{parameters};{parameters}").into_bytes(),
        format!("{token};{}", parameters.replace("https", "http")).into_bytes(),
        token.to_owned().into_bytes(),
    ]);
    let socket = UdpSocket::bind((loopback.carrier(), 0)).expect("a port");
    let mut sent = 0;
    for value in &values {
        // Alone, as one of very many, and behind others.
        for lines in [
            [b"Identity: ", value.as_slice(), b"\r\n"].concat(),
            [b"y:", value.as_slice(), b"\r\n"].concat().repeat(if value.len() < 400 { 90 } else { 4 }),
        ] {
            socket.send_to(&invite(sent, &lines), loopback.sip()).expect("it can be sent");
            sent += 1;
        }
    }
    let records = bauta.await_records(sent);
    for record in &records {
        assert_eq!(
            (&record["cause"], &record["answered_at"]),
            (&json!("unverified"), &json!(null)),
            "{record:#}"
        );
        assert_ne!(record["identity"]["verdict"], "passed");
    }
    // And whoever is right is still taken.
    let peer = Peer::at("caller", loopback.carrier());
    let dial = Dial { headers: vec![signer.sign(COURIER, LINE)], ..Dial::new(COURIER, LINE) };
    let mut call = peer.dial(loopback.sip(), &dial);
    call.answered();
    call.hang_up();
    assert_eq!(bauta.await_records(sent + 1).len(), sent + 1);
    bauta.assert_no_fault();
}

#[test]
fn a_certificate_that_is_put_into_the_folder_counts_after_a_reload() {
    let signer = Signer::new();
    signer.publish(false);
    let (loopback, bauta) = strict(&signer);
    let peer = Peer::at("caller", loopback.carrier());
    let dial = || {
        let dial = Dial { headers: vec![signer.sign(COURIER, LINE)], ..Dial::new(COURIER, LINE) };
        peer.dial(loopback.sip(), &dial)
    };
    assert_eq!(dial().refused(), 436);
    let record = bauta.await_record();
    let claimed = json!(format!("+{COURIER}"));
    assert_eq!(record["identity"], identity("none", json!(null), json!("unknown-certificate"), claimed));
    signer.publish(true);
    bauta.signal(libc::SIGHUP);
    wait::until_true("the reload", wait::LATER, || bauta.log().contains("reloaded"));
    let mut call = dial();
    call.answered();
    call.hang_up();
    assert_eq!(bauta.await_records(2).len(), 2);
    bauta.assert_no_fault();
}

#[test]
fn whoever_is_disproved_is_a_stranger_and_nothing_of_the_passport_goes_further() {
    let signer = Signer::new();
    let scene = Scene::brief(|config| signer.believed(config));
    scene.put_order();
    let arrive = |token: String| {
        let dial = Dial { headers: vec![token], ..Dial::new(COURIER, LINE) };
        let mut call = scene.caller.dial(scene.loopback.sip(), &dial);
        call.answered();
        call.media.press(CODE);
        call
    };
    let mut forged = arrive(signer.sign(STRANGER, LINE));
    scene.await_prompt(&forged, "number-unknown");
    forged.hang_up();
    let record = scene.bauta.await_record();
    let claimed = json!(format!("+{COURIER}"));
    assert_eq!(record["identity"], identity("failed", json!(null), json!("other-caller"), claimed));
    assert_eq!((&record["order_found"], &record["number_found"]), (&json!(true), &json!(false)));

    let mut right = arrive(signer.sign(COURIER, LINE));
    let mut back = scene.callee.incoming();
    back.answer();
    Scene::talk(&mut right, &mut back);
    right.hang_up();
    back.expect_bye();
    scene.assert_masked();
    let marks = ["canary-signer", "shaken", "identity:"];
    for message in scene.callee.received() {
        let text = String::from_utf8_lossy(&message).to_ascii_lowercase().replace("p-asserted-identity:", "");
        assert!(!marks.iter().any(|mark| text.contains(mark)), "{text}");
    }
    scene.bauta.assert_no_fault();
}
