//! The same call over streams, over IPv6, and over a connection that breaks.

use std::net::{Ipv6Addr, SocketAddr, UdpSocket};

use serde_json::json;
use tests::config::{Config, LINE};
use tests::link::Link;
use tests::loopback::{Loopback, SIP_PORT};
use tests::peer::call::Dial;
use tests::peer::{Call, Peer, Transport};
use tests::program::Bauta;
use tests::scene::{CLIENT, CODE, COURIER, Scene};

/// Calls, talks, hangs up.
fn whole_call(bauta: &Bauta, server: SocketAddr, caller: &Peer, callee: &Peer) -> (Call, Call) {
    bauta.put_order(CODE, COURIER, CLIENT, 3600);
    let mut out = caller.dial(server, &Dial::new(COURIER, LINE));
    out.answered();
    out.media.press(CODE);
    let mut back = callee.incoming();
    back.provisional("180 Ringing");
    back.answer();
    Scene::talk(&mut out, &mut back);
    (out, back)
}

fn over_tcp(loopback: &Loopback) -> (Bauta, Peer, Peer) {
    let at = |address| SocketAddr::new(address, SIP_PORT);
    let peer = |name, address| Peer::new(name, at(address), Transport::Tcp, &Link::perfect());
    let (caller, callee) = (peer("caller", loopback.carrier()), peer("callee", loopback.callee()));
    let uri = format!("sip:{}:{SIP_PORT};transport=tcp", loopback.callee());
    let bauta = Bauta::start(loopback, &Config::new(loopback).set("trunk.0.uri", uri));
    (bauta, caller, callee)
}

#[test]
fn a_call_goes_over_streams() {
    let loopback = Loopback::claim();
    let (bauta, caller, callee) = over_tcp(&loopback);
    let (mut out, mut back) = whole_call(&bauta, loopback.sip(), &caller, &callee);
    out.hang_up();
    back.expect_bye();
    assert_eq!(bauta.await_record()["cause"], json!("hung-up"));
    callee.assert_learnt_nothing_of(&caller.canaries());
    caller.assert_learnt_nothing_of(&callee.canaries());
    bauta.assert_no_fault();
}

#[test]
fn a_call_survives_the_loss_of_its_connections() {
    let loopback = Loopback::claim();
    let (bauta, caller, callee) = over_tcp(&loopback);
    let (mut out, mut back) = whole_call(&bauta, loopback.sip(), &caller, &callee);
    caller.drop_connections();
    callee.drop_connections();
    Scene::talk(&mut out, &mut back);
    out.hang_up();
    back.expect_bye();
    assert_eq!(bauta.await_record()["cause"], json!("hung-up"));
}

#[test]
fn a_call_comes_over_datagrams_and_goes_over_a_stream() {
    let loopback = Loopback::claim();
    let caller = Peer::at("caller", loopback.carrier());
    let at = SocketAddr::new(loopback.callee(), SIP_PORT);
    let callee = Peer::new("callee", at, Transport::Tcp, &Link::perfect());
    let uri = format!("sip:{at};transport=tcp");
    let bauta = Bauta::start(&loopback, &Config::new(&loopback).set("trunk.0.uri", uri));
    let (mut out, mut back) = whole_call(&bauta, loopback.sip(), &caller, &callee);
    back.hang_up();
    out.expect_bye();
}

/// A UDP port of `[::1]` that nobody has now.
fn free_port() -> u16 {
    let socket = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).expect("this machine has IPv6 on loopback");
    socket.local_addr().expect("a bound socket has an address").port()
}

#[test]
fn a_call_goes_over_ipv6() {
    let loopback = Loopback::claim();
    let host = std::net::IpAddr::V6(Ipv6Addr::LOCALHOST);
    let peer = |name| Peer::new(name, SocketAddr::new(host, 0), Transport::Udp, &Link::perfect());
    let (caller, callee) = (peer("caller"), peer("callee"));
    let server = SocketAddr::new(host, free_port());
    let config = Config::new(&loopback)
        .set("sip.listen", vec![format!("udp://{server}")])
        .set("media.listen", vec!["::1"])
        .set("media.ports", "31000-31199")
        .set("trunk.0.uri", format!("sip:{}", callee.address()))
        .set("trunk.0.allow", vec!["::1/128"]);
    let bauta = Bauta::start(&loopback, &config);
    let (mut out, mut back) = whole_call(&bauta, server, &caller, &callee);
    out.hang_up();
    back.expect_bye();
    assert_eq!(bauta.await_record()["callee_reached"], json!(true));
    bauta.assert_no_fault();
}
