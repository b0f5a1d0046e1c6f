//! What a world is configured with.

use std::net::SocketAddr;
use std::time::Duration;

use b2bua::{
    Config, Language, Limits, Line, MediaAddress, Network as Range, Profile, Sender, Target, Trunk, Trust,
};
use number::{Form, Number, Plan};
use rtp::Codec;
use sip::{Flow, Transport};

/// The trunk's address for calls that come in, and for calls that go out.
pub(crate) const CARRIER_IN: &str = "192.0.2.11:5060";
pub(crate) const CARRIER_OUT: &str = "192.0.2.12:5060";

/// A line `+78005553535` with an operator, on one trunk, on UDP: what a scenario starts from.
#[must_use]
pub fn config() -> Config {
    let carrier = |text: &str| text.parse::<SocketAddr>().expect("an address");
    let flow = Flow { listener: 0, transport: Transport::Udp, peer: carrier(CARRIER_OUT), connection: None };
    Config {
        epoch_ms: 1_800_000_000_000,
        trunks: vec![Trunk {
            name: "carrier".into(),
            allow: [CARRIER_IN, CARRIER_OUT]
                .map(|text| Range { address: carrier(text).ip(), prefix: 32 })
                .to_vec(),
            certificate: Vec::new(),
            inbound: false,
            targets: vec![Target { flow, priority: 0, weight: 0 }],
            host: CARRIER_OUT.into(),
            trust: Trust::From,
            verify: b2bua::Verify::default(),
            domain: CARRIER_OUT.split(':').next().unwrap_or_default().into(),
            profile: profile(),
            credentials: None,
            registration: None,
            ping: None,
            attempt_timeout: Duration::from_secs(4),
            max_calls: None,
            calls_per_second: None,
            srtp: b2bua::SrtpPolicy::Off,
        }],
        lines: vec![line()],
        ua: b2bua::AgentConfig {
            timing: b2bua::Timing::default(),
            listeners: vec![b2bua::AgentListener {
                transport: Transport::Udp,
                public: "198.51.100.1:5060".to_owned(),
            }],
            product: String::new(),
            transactions: 10_000,
            sessions: Some(b2bua::Sessions { interval: 1800, least: 90 }),
            accounts: Vec::new(),
            realm: "bauta".to_owned(),
        },
        media: vec![MediaAddress {
            local: carrier("198.51.100.1:1").ip(),
            public: carrier("198.51.100.1:1").ip(),
            ports: vec![(0..100).map(|n| 20_000 + 2 * n).collect()],
        }],
        codecs: vec![Codec::Pcma, Codec::Pcmu],
        xr: false,
        recordings: "wav".into(),
        own: None,
        limits: limits(),
        guards: b2bua::Guards::default(),
    }
}

/// The line of whatever starts here.
fn line() -> Line {
    let number = |text| Number::parse(text).expect("a number");
    Line {
        number: number("+78005553535"),
        trunks: b2bua::Choice::InOrder(vec![b2bua::TrunkId(0)]),
        language: Language(0),
        operator: Some(b2bua::Operator::Number(number("+78120000001"))),
        policy: b2bua::Policy::LENIENT,
        record: true,
        record_notice: b2bua::RecordNotice::Off,
        record_refuse: None,
        dial: b2bua::DialRules::default(),
        blocked: b2bua::Blocked::Refuse,
        whisper: true,
        confirm: None,
        answer: b2bua::Answer::AtOnce,
        answer_after: Duration::ZERO,
        ring_timeout: Duration::from_secs(45),
        early_media: b2bua::EarlyMedia::Ours,
        max_call: Duration::from_secs(7200),
        warning: Duration::from_secs(60),
        service: b2bua::Service::Orders(orders()),
        hooks: b2bua::Hooks::default(),
    }
}

/// Wide ones.
fn limits() -> Limits {
    Limits {
        calls: 1000,
        calls_per_second: 1000,
        busy_status: 503,
        delay: Duration::from_millis(200),
        store_delay: Duration::from_secs(1),
        port_rest: Duration::from_secs(5),
        lockouts: 100,
    }
}

/// Numbers with plus, ours asserted.
fn profile() -> Profile {
    Profile {
        plan: Plan::of("RU").expect("a known country"),
        form: Form::Plus,
        prefix: "".into(),
        strip: "".into(),
        from: Sender::Own,
        shown: vec![b2bua::Shown::Asserted],
        withheld: false,
    }
}

/// What the line does with orders: every caller is asked, and none is redialled.
#[must_use]
pub fn orders() -> b2bua::Orders {
    b2bua::Orders {
        script: b2bua::ScriptSettings::default(),
        redial: None,
        ask_when_needed: false,
        lockout: Duration::from_secs(600),
    }
}
