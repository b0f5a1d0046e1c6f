//! Messages told to Homer as they go, heard by sngrep, which speaks its protocol; and the capture file of a trace, read by it.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tests::config::Config;
use tests::loopback::Loopback;
use tests::program::Bauta;
use tests::scene::{CLIENT, COURIER, Scene};
use tests::tool::{self, Running};
use tests::wait;

const PORT: u16 = 9060;

/// sngrep, listening at this address, with what it hears going to a file.
fn listen(at: IpAddr, file: &Path) -> Running {
    let mut command = tool::command("sngrep", "sngrep");
    command.args(["-N", "-q", "-L", &format!("udp:{at}:{PORT}"), "-O"]).arg(file);
    let running = Running::start({
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    });
    // Whoever cannot have the port any more knows that sngrep has it.
    let taken = || std::net::UdpSocket::bind(SocketAddr::new(at, PORT)).is_err();
    wait::until_true("sngrep to listen", wait::SOON, taken);
    running
}

fn octets(file: &Path) -> Vec<u8> {
    std::fs::read(file).unwrap_or_default()
}

/// How often this stands in it.
fn count(octets: &[u8], text: &str) -> usize {
    octets.windows(text.len()).filter(|window| *window == text.as_bytes()).count()
}

/// Starts of SIP messages in a capture.
fn messages(octets: &[u8]) -> usize {
    count(octets, "SIP/2.0 ") + count(octets, " SIP/2.0\r\n")
}

#[test]
fn homer_is_told_of_both_legs_and_of_nothing_that_is_to_be_masked() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let capture = folder.path().join("homer.pcap");
    let server = Loopback::claim();
    let _sngrep = listen(server.attacker(), &capture);
    let homer = format!("udp://{}:{PORT}", server.attacker());
    let scene = Scene::brief(|config: Config| {
        config.set("trace.homer", homer.as_str()).set("privacy.numbers", "last4")
    });
    scene.put_order();
    let (mut out, mut back) = scene.talking(COURIER);
    out.hang_up();
    back.expect_bye();
    let record = scene.bauta.await_record();
    let call = record["id"].as_str().expect("an id");
    let kept = kept(&scene.bauta, call);
    wait::until_true("sngrep to have heard all", wait::SOON, || messages(&octets(&capture)) >= kept);
    let heard = octets(&capture);
    assert_eq!(messages(&heard), kept);
    for number in [COURIER, CLIENT] {
        assert_eq!(count(&heard, number), 0, "{number} is masked");
    }
    assert!(count(&heard, &COURIER[COURIER.len() - 4..]) > 0);

    let (trace, copy) = (folder.path().join("trace.pcap"), folder.path().join("copy.pcap"));
    std::fs::write(&trace, scene.bauta.trace(call, "application/vnd.tcpdump.pcap"))
        .expect("the disk has room");
    let mut read = tool::command("sngrep", "sngrep");
    let read = read.args(["-N", "-q", "-I"]).arg(&trace).arg("-O").arg(&copy).output().expect("it starts");
    assert!(read.status.success(), "{read:?}");
    assert_eq!(messages(&octets(&copy)), kept, "every message is one to sngrep too");
}

/// How many messages are kept of a call that is over.
fn kept(bauta: &Bauta, call: &str) -> usize {
    let messages = || {
        let trace: Value = serde_json::from_slice(&bauta.trace(call, "application/json")).expect("JSON");
        trace["messages"].as_array().expect("messages").clone()
    };
    let is_end = |message: &Value| message["method"] == "BYE" && message["status"] == 200;
    wait::until_true("both ends of the call", wait::SOON, || {
        messages().iter().filter(|message| is_end(message)).count() == 2
    });
    messages().len()
}
