//! sipp as a carrier that uses session timers (RFC 4028) and UPDATE (RFC 3311).

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tests::config::{Config, LINE};
use tests::loopback::{Loopback, SIP_PORT};
use tests::program::Bauta;
use tests::scene::{CLIENT, CODE, COURIER};
use tests::sipp::{Caller, Keys, Sipp};

#[test]
fn a_caller_refreshes_by_update_and_by_re_invite() {
    let loopback = Loopback::claim();
    let bauta = Bauta::start(&loopback, &Config::new(&loopback));
    let at = SocketAddr::new(loopback.carrier(), SIP_PORT);
    Sipp::refresh(at, loopback.sip(), LINE, COURIER).succeed();
    let record = bauta.await_record();
    assert_eq!((&record["cause"], &record["ended_by"]), (&json!("hung-up"), &json!("caller")));
    bauta.assert_no_fault();
}

#[test]
fn a_callee_that_wants_a_longer_interval_is_called_with_that() {
    let loopback = Loopback::claim();
    let bauta = Bauta::start(&loopback, &Config::new(&loopback));
    bauta.put_order(CODE, COURIER, CLIENT, 3600);
    let callee = Sipp::want_longer_sessions(loopback.callee(), 1000.0);
    let caller = Caller {
        from: COURIER,
        code: CODE,
        keys: Keys::Played,
        patience: Duration::from_secs(2),
        talk: Duration::from_secs(20),
        hertz: 440.0,
    };
    let at = SocketAddr::new(loopback.carrier(), SIP_PORT);
    Sipp::call(at, loopback.sip(), LINE, &caller).succeed();
    callee.succeed();
    let record = bauta.await_record();
    for (key, value) in
        [("callee_reached", json!(true)), ("cause", json!("hung-up")), ("ended_by", json!("caller"))]
    {
        assert_eq!(record[key], value, "{key} of {record:#}");
    }
    bauta.assert_no_fault();
}
