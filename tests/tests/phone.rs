//! `bauta phone` at a carrier that asks who it is, played by Kamailio: so a trunk can be tried from the command line.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::IpAddr;
use std::process::{Child, Command, Output, Stdio};

use tests::kamailio::{Carrier, Kamailio, PASSWORD, USERNAME};
use tests::loopback::{Loopback, SIP_PORT};
use tests::program;

fn carrier(loopback: &Loopback, algorithm: &'static str) -> Carrier<'static> {
    Carrier {
        address: loopback.host(13),
        server: loopback.server(),
        callee: loopback.callee(),
        algorithm,
        nonce_expire: 300,
        expires: (60, 3600),
        tls: None,
    }
}

fn phone(args: &[&str], password: &str) -> Command {
    let mut command = Command::new(program::binary());
    command.arg("phone").args(args).env("BAUTA_PHONE_PASSWORD", password);
    command
}

fn run(args: &[&str], password: &str) -> Output {
    phone(args, password).output().expect("the program is built")
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn at(host: IpAddr, port: u16) -> String {
    format!("{host}:{port}")
}

/// A phone that waits for its call, once it has said a line with this in it.
struct Waiting {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Waiting {
    fn until(args: &[&str], sign: &str) -> Self {
        let mut child = phone(args, PASSWORD).stdout(Stdio::piped()).spawn().expect("the program is built");
        let mut said = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        while !line.contains(sign) {
            line.clear();
            assert!(said.read_line(&mut line).expect("it speaks UTF-8") > 0, "it never said {sign}");
        }
        Self { child, said }
    }

    fn end(mut self) -> (bool, String) {
        let mut rest = String::new();
        self.said.read_to_string(&mut rest).expect("it speaks UTF-8");
        (self.child.wait().expect("it is our child").success(), rest)
    }
}

#[test]
fn it_registers_and_takes_that_back() {
    let loopback = Loopback::claim();
    for algorithm in ["MD5", "SHA-256"] {
        let carrier = carrier(&loopback, algorithm);
        let kamailio = Kamailio::start(&carrier);
        let registrar = format!("sip:{}", at(carrier.address, SIP_PORT));
        let bind = at(loopback.host(21), 0);
        let args = ["register", &registrar, "--username", USERNAME, "--bind", &bind, "--expires", "5m"];
        let output = run(&args, PASSWORD);
        assert_eq!(output.status.code(), Some(0), "{}", told(&output));
        assert!(told(&output).contains("registered for 300 s"), "{}", told(&output));
        assert_eq!(kamailio.heard("heard REGISTER"), 3, "asked, proved, taken back");
        let output = run(&args, "another");
        assert_eq!(output.status.code(), Some(1), "{}", told(&output));
        assert!(told(&output).contains("refused with 401"), "{}", told(&output));
    }
}

#[test]
fn it_is_called_where_it_registered() {
    let loopback = Loopback::claim();
    let carrier = carrier(&loopback, "MD5");
    let _kamailio = Kamailio::start(&carrier);
    let server = at(carrier.address, SIP_PORT);
    let (registrar, here) = (format!("sip:{server}"), at(loopback.host(22), 0));
    let answering = ["answer", "--bind", &here, "--register", &registrar, "--username", USERNAME];
    let waiting = Waiting::until(&[&answering[..], &["--play", "tone:1000"]].concat(), "registered for");
    let (to, from) = (format!("sip:+74950000000@{server}"), at(loopback.host(23), 0));
    let output = run(&["dial", &to, "--bind", &from, "--expect-tone", "1000", "--talk", "200ms"], "");
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let (good, rest) = waiting.end();
    assert!(good && rest.contains("not registered"), "{rest}");
}

#[test]
fn it_proves_who_it_is_when_it_calls() {
    let loopback = Loopback::claim();
    let carrier = carrier(&loopback, "SHA-256");
    let kamailio = Kamailio::start(&carrier);
    let here = at(loopback.callee(), SIP_PORT);
    let waiting = Waiting::until(&["answer", "--bind", &here, "--after", "0s"], &here);
    let to = format!("sip:+74950000000@{}", at(carrier.address, SIP_PORT));
    let from = at(loopback.server(), 0);
    let dial =
        ["dial", &to, "--bind", &from, "--username", USERNAME, "--realm", "carrier.test", "--talk", "1s"];
    let output = run(&dial, PASSWORD);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert_eq!(kamailio.heard("heard INVITE"), 2, "asked and proved");
    assert!(waiting.end().0);
    let output = run(&dial[..6], "");
    assert_eq!(output.status.code(), Some(2), "without a password: {}", told(&output));
}
