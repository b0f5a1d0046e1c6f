//! A trunk that is a name: NAPTR, SRV, addresses (RFC 3263), asked of dnsmasq.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use serde_json::json;
use tests::config::{Config, LINE};
use tests::dnsmasq::Dnsmasq;
use tests::link::Link;
use tests::loopback::{Loopback, SIP_PORT};
use tests::peer::call::Dial;
use tests::peer::{Call, Peer, Transport};
use tests::program::Bauta;
use tests::scene::{CLIENT, CODE, COURIER};
use tests::wait;

/// A program whose trunk is `sip:carrier.test`, and a name server that knows it.
fn named(
    loopback: &Loopback,
    records: &[&str],
    hosts: &[(&str, IpAddr)],
    change: impl FnOnce(Config) -> Config,
) -> (Dnsmasq, Bauta) {
    let dnsmasq = Dnsmasq::start(loopback.host(14), records, hosts);
    let config = Config::new(loopback)
        .set("sip.nameservers", dnsmasq.address())
        .set("trunk.0.uri", "sip:carrier.test")
        .set("trunk.0.attempt_timeout", "1s");
    let bauta = Bauta::start(loopback, &change(config));
    bauta.put_order(CODE, COURIER, CLIENT, 3600);
    (dnsmasq, bauta)
}

fn await_addresses(bauta: &Bauta, count: usize) {
    wait::until_true("the trunk's addresses", wait::LATER, || {
        bauta.http("GET", "/v1/trunks", None).1["items"][0]["addresses"] == json!(count)
    });
}

/// A call by the courier, as far as the client's side ringing.
fn calls(loopback: &Loopback, caller: &Peer, callee: &Peer) -> (Call, Call) {
    let mut out = caller.dial(loopback.sip(), &Dial::new(COURIER, LINE));
    out.answered();
    out.media.press(CODE);
    let mut back = callee.incoming();
    back.provisional("180 Ringing");
    back.answer();
    (out, back)
}

fn peer(name: &str, address: IpAddr, port: u16, transport: Transport) -> Peer {
    Peer::new(name, SocketAddr::new(address, port), transport, &Link::perfect())
}

#[test]
fn naptr_names_the_transport_and_srv_the_port() {
    let loopback = Loopback::claim();
    let caller = Peer::at("caller", loopback.carrier());
    let callee = peer("callee", loopback.callee(), 5070, Transport::Tcp);
    let records = [
        "naptr-record=carrier.test,10,10,s,SIP+D2T,,_sip._tcp.carrier.test",
        "naptr-record=carrier.test,20,10,s,SIP+D2U,,_sip._udp.carrier.test",
        "srv-host=_sip._tcp.carrier.test,sbc.test,5070,10,1",
    ];
    let (_dnsmasq, bauta) = named(&loopback, &records, &[("sbc.test", loopback.callee())], |config| config);
    await_addresses(&bauta, 1);
    let (mut out, mut back) = calls(&loopback, &caller, &callee);
    out.hang_up();
    back.expect_bye();
    let invite =
        callee.messages().into_iter().find(|message| message.is_request("INVITE")).expect("an INVITE");
    assert!(invite.uri().contains("@carrier.test"), "{invite:?}");
    assert!(invite.header("via").is_some_and(|via| via.starts_with("SIP/2.0/TCP ")), "{invite:?}");
    bauta.assert_no_fault();
}

#[test]
fn servers_of_lower_priority_take_the_calls_of_one_that_is_silent() {
    let loopback = Loopback::claim();
    let caller = Peer::at("caller", loopback.carrier());
    let callee = Peer::at("callee", loopback.callee());
    let silent = UdpSocket::bind((loopback.host(21), SIP_PORT)).expect("an address of the scene");
    let records = [
        "srv-host=_sip._udp.carrier.test,silent.test,5060,10,1",
        "srv-host=_sip._udp.carrier.test,spare.test,5060,20,1",
    ];
    let hosts = [("silent.test", loopback.host(21)), ("spare.test", loopback.callee())];
    let (_dnsmasq, bauta) = named(&loopback, &records, &hosts, |config| config);
    await_addresses(&bauta, 2);
    let (mut out, mut back) = calls(&loopback, &caller, &callee);
    out.hang_up();
    back.expect_bye();
    let mut buffer = [0; 2048];
    let length = silent.recv(&mut buffer).expect("the silent one was asked first");
    assert!(buffer[..length].starts_with(b"INVITE "));
    bauta.assert_no_fault();
}

#[test]
fn a_name_that_moves_is_followed_and_one_that_is_lost_stays_where_it_was() {
    let loopback = Loopback::claim();
    let caller = Peer::at("caller", loopback.carrier());
    let (first, second) = (Peer::at("first", loopback.callee()), Peer::at("second", loopback.host(22)));
    let (dnsmasq, bauta) = named(&loopback, &[], &[("carrier.test", loopback.callee())], |config| config);
    await_addresses(&bauta, 1);
    let (mut out, mut back) = calls(&loopback, &caller, &first);
    out.hang_up();
    back.expect_bye();
    dnsmasq.change(&[("carrier.test", loopback.callee()), ("carrier.test", loopback.host(22))]);
    await_addresses(&bauta, 2);
    dnsmasq.change(&[("carrier.test", loopback.host(22))]);
    await_addresses(&bauta, 1);
    dnsmasq.change(&[]);
    wait::until_true("the loss", wait::LATER, || bauta.log().contains("the trunk's name leads nowhere"));
    let (mut out, mut back) = calls(&loopback, &caller, &second);
    out.hang_up();
    back.expect_bye();
    bauta.assert_no_fault();
}

#[test]
fn addresses_of_both_families_are_found() {
    let loopback = Loopback::claim();
    let port = UdpSocket::bind("[::1]:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
    let listen = vec![format!("udp://{}:{SIP_PORT}", loopback.server()), format!("udp://[::1]:{port}")];
    let hosts =
        [("carrier.test", loopback.callee()), ("carrier.test", IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]))];
    let (_dnsmasq, bauta) = named(&loopback, &[], &hosts, |config| {
        config
            .set("sip.listen", listen)
            .set("media.listen", vec![loopback.server().to_string(), "::1".to_owned()])
    });
    await_addresses(&bauta, 2);
    bauta.assert_no_fault();
}
