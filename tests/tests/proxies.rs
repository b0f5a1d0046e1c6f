//! A proxy in front, played by Kamailio: calls in and out go through it, and so does all that is said inside them.

use std::collections::BTreeSet;

use serde_json::json;
use tests::config::{Config, LINE};
use tests::kamailio::Kamailio;
use tests::loopback::{Loopback, SIP_PORT};
use tests::peer::call::Dial;
use tests::peer::{Call, Peer};
use tests::program::Bauta;
use tests::scene::{CLIENT, CODE, COURIER, Scene};

/// The program behind a proxy, and the world in front of it.
struct Place {
    kamailio: Kamailio,
    bauta: Bauta,
    caller: Peer,
    callee: Peer,
    loopback: Loopback,
}

impl Place {
    /// With this transport between the proxy and the program.
    fn open(transport: &str) -> Self {
        let loopback = Loopback::claim();
        let proxy = loopback.host(13);
        let kamailio = Kamailio::in_front(proxy, loopback.server(), loopback.callee(), transport);
        let config = Config::new(&loopback)
            .set("trunk.0.uri", format!("sip:{proxy}:{SIP_PORT};transport={transport}"))
            .set("trunk.0.allow", format!("{proxy}/32"));
        let caller = Peer::at("caller", loopback.carrier());
        let callee = Peer::at("callee", loopback.callee());
        let bauta = Bauta::start(&loopback, &config);
        bauta.put_order(CODE, COURIER, CLIENT, 3600);
        Self { kamailio, bauta, caller, callee, loopback }
    }

    /// A call in through the proxy that has keyed its code, and the call out through the proxy.
    fn dialling(&self) -> (Call, Call) {
        let proxy = (self.loopback.host(13), SIP_PORT).into();
        let mut out = self.caller.dial(proxy, &Dial::new(COURIER, LINE));
        out.answered();
        out.media.press(CODE);
        let mut back = self.callee.incoming();
        back.provisional("180 Ringing");
        (out, back)
    }

    fn talking(&self) -> (Call, Call) {
        let (mut out, mut back) = self.dialling();
        back.answer();
        Scene::talk(&mut out, &mut back);
        (out, back)
    }

    /// How many requests of this the proxy found the way for by the recorded route, however often each was said.
    fn routed(&self, method: &str, from: std::net::IpAddr) -> usize {
        let routed = format!("routed {method} from {from};");
        let log = self.kamailio.log();
        log.lines().filter_map(|line| line.find(&routed).map(|at| &line[at..])).collect::<BTreeSet<_>>().len()
    }

    fn assert_all_went_through(&self) {
        assert_eq!(self.kamailio.heard("astray"), 0, "{}", self.kamailio.log());
        self.bauta.assert_no_fault();
        for peer in [&self.caller, &self.callee] {
            for message in peer.messages() {
                let hops: Vec<&str> = message.all("via").collect();
                let proxy = self.loopback.host(13).to_string();
                assert!(message.method().is_none() || hops[0].contains(&proxy), "{hops:?} past the proxy");
            }
        }
    }
}

/// Both sides re-invite inside a call and hear each other still; then one hangs up. All of it goes by the route set
/// (RFC 3261 §12.2.1.1, §16.12).
fn talked(transport: &str, caller_hangs_up: bool) {
    let place = Place::open(transport);
    let (mut out, mut back) = place.talking();
    out.move_voice();
    back.move_voice();
    Scene::talk(&mut out, &mut back);
    if caller_hangs_up {
        out.hang_up();
        back.expect_bye();
    } else {
        back.hang_up();
        out.expect_bye();
    }
    let record = place.bauta.await_record();
    let by = if caller_hangs_up { "caller" } else { "callee" };
    assert_eq!(
        (&record["cause"], &record["ended_by"], &record["callee_reached"]),
        (&json!("hung-up"), &json!(by), &json!(true)),
        "{record:#}"
    );
    let (server, caller, callee) =
        (place.loopback.server(), place.loopback.carrier(), place.loopback.callee());
    // Each carrier's re-INVITE and its ACK, beside the caller's first ACK; ours of the callee's 200; one BYE each way.
    assert_eq!((place.routed("INVITE", caller), place.routed("INVITE", callee)), (1, 1));
    assert_eq!(
        (place.routed("ACK", caller), place.routed("ACK", callee), place.routed("ACK", server)),
        (2, 1, 1)
    );
    let asker = if caller_hangs_up { caller } else { callee };
    assert_eq!((place.routed("BYE", asker), place.routed("BYE", server)), (1, 1));
    assert_eq!(place.kamailio.heard(&format!("heard INVITE from {server}; by {transport}")), 1);
    place.assert_all_went_through();
}

#[test]
fn a_call_through_a_proxy_ends_when_its_caller_hangs_up() {
    talked("udp", true);
}

#[test]
fn a_call_through_a_proxy_ends_when_its_callee_hangs_up() {
    talked("udp", false);
}

#[test]
fn a_proxy_may_turn_datagrams_into_a_stream_and_back() {
    talked("tcp", true);
    talked("tcp", false);
}

#[test]
fn a_caller_that_gives_up_while_it_rings_is_cancelled_through_the_proxy() {
    for transport in ["udp", "tcp"] {
        let place = Place::open(transport);
        let (mut out, mut back) = place.dialling();
        out.hang_up();
        back.expect_cancel();
        assert_eq!(place.bauta.await_record()["callee_reached"], json!(false));
        assert_eq!(place.kamailio.heard(&format!("heard CANCEL from {};", place.loopback.server())), 1);
        place.assert_all_went_through();
    }
}

#[test]
fn a_callee_that_refuses_behind_the_proxy_is_acknowledged_once() {
    let place = Place::open("udp");
    let (mut out, mut back) = place.dialling();
    back.refuse("486 Busy Here", &[]);
    out.expect_bye();
    assert_eq!(place.bauta.await_record()["sip_status"], json!(486));
    place.assert_all_went_through();
}
