//! What each key becomes.

use std::collections::BTreeMap;
use std::time::Duration;

use b2bua::Network;
use number::Number;
use rtp::Codec;

use super::super::http::Token;
use super::super::line::Manner;
use super::super::media::Address;
use super::super::reload::Reload;
use super::super::trunk::Usage;
use super::super::*;
use super::{LEAST, good};

/// Every key with a value that is not its default.
const EVERY_KEY: &str = r#"
[node]
name = "south"
data_dir = "/nowhere/bauta"
drain_seconds = 60
country = "DE"
[sip]
listen = ["udp://192.0.2.1", "tcp://[2001:db8::1]:5070"]
public_address = ["198.51.100.1", "2001:db8::5"]
t1 = "250ms"
t2 = "2s"
t4 = 2.5
session_expires = "20m"
min_se = "2m"
max_calls = 10
calls_per_second = 5
max_delay = "150ms"
busy_status = 486
max_message = 8192
nameservers = ["192.0.2.53", "[2001:db8::53]:5353"]
[media]
listen = ["192.0.2.2", "2001:db8::2"]
public_address = "198.51.100.2"
ports = "30000-30099"
workers = 2
backend = "epoll"
max_wait = "0.2ms"
codecs = "pcmu"
inband = "off"
rtcp_xr = "on"
rtp_timeout = "20s"
port_rest = "10s"
[[trunk]]
name = "main"
uri = "sip:sip.carrier.example;transport=tcp"
allow = ["192.0.2.0/24", "2001:db8:1::/48"]
numbers = ["030 123456", "+4930123457"]
trust = "remote-party-id"
verify = ["verstat"]
country = "RU"
format = "national"
prefix = "9#"
strip = "*1"
from = "account"
present = ["preferred", "diversion"]
withhold = true
srtp = "required"
username = "bauta"
password = "x y"
realm = "carrier"
md5 = false
register = true
register_expires = "1h"
aor = "sip:4930123456@carrier.example"
ping = "30s"
attempt_timeout = "2s"
max_calls = 30
calls_per_second = 5
[[line]]
number = "+4930123456"
service = "orders"
trunk = "main"
language = "en"
operator = "sip:desk@pbx.example"
unverified = "stranger"
disproved = "refuse"
attestation = "B"
record = true
record_notice = "both"
record_refuse = "9"
dial_allow = ["+49", "+43"]
dial_deny = ["+49900"]
blocked = "hear-out"
quiet = "21:00-07:30"
time_zone = "Europe/Berlin"
ask = "when-needed"
redial = true
redial_window = "1h"
confirm = true
whisper = false
code_length = 6
code_attempts = 4
lockout = "5m"
hint_after = "2s"
input_timeout = "9s"
answer = "at-once"
answer_after = "2s"
ring_timeout = "30s"
early_media = "pass"
max_call = "1h"
warning = "30s"
[[line]]
number = "+4930123457"
service = "pairs"
strangers = "refuse"
reserved = true
[pool]
cool_off = "1h"
keep = "7d"
validate = false
countries = ["DE", "AT"]
[policy]
dial_allow = "+4"
dial_deny = "+41"
callee_max_calls = 1
caller_max_calls = 3
callee_calls_per_hour = 10
caller_calls_per_hour = 30
quiet = "22:00-08:00"
time_zone = "Europe/Vienna"
[[policy.class]]
name = "dear"
prefixes = ["+49180", "+4319"]
max_calls = 2
max_calls_a_day = 20
[prompts]
dir = "/nowhere/prompts"
[store]
engine = "sled"
[console]
enabled = false
title = "Shop"
session = "1h"
idle = "15m"
card_url = "https://crm.example/{code}"
[http]
listen = "[::1]:9000"
proxies = "127.0.0.0/8"
[[http.user]]
name = "anna"
password_hash = "$argon2id$v=19$m=19456,t=2,p=1$bm90IGEgcmVhbCBzYWx0$HzDMAg0NC2nGwmKZMTnMGgTXeYMyJ4kMPNl8CUgL1y0"
role = "operator"
reveal = true
number = "+4930123499"
[[http.token]]
name = "shop"
role = "app"
token = "0123456789abcdef"
requests_per_second = 7
[[webhook]]
name = "shop"
url = "https://shop.example/hook"
secret = "fedcba9876543210"
events = ["call.*"]
timeout = "3s"
retry = ["1s", "1m"]
give_up = "2h"
[notices]
url = "https://sms.example/send?to={digits}"
method = "PUT"
headers = { Authorization = "Bearer {secret}" }
content = "form"
body = "text={text}"
secret = "given"
line = "+4930123456"
text_ru = "Звоните {line}"
text_en = "Dial {line}, code {code}"
timeout = "3s"
retry = ["2s"]
give_up = "1h"
[recording]
dir = "/nowhere/recordings"
format = "wav"
retention_days = 0
[privacy]
numbers = "hashed"
records_days = 90
events_days = 7
audit_days = 800
[trace]
calls = 7
messages = 8
keep = "5m"
"#;

#[test]
fn a_line_may_be_many_numbers_that_do_the_same() {
    let text =
        LEAST.replace("[\"+78005550101\"]", "[\"+78005550101\", \"8 800 555 10 00..8 800 555 39 99\"]");
    let pool = "[[line]]\nnumber = [\"+78005551000..+78005552999\", \"+78005553500\"]\nservice = \"pairs\"\nlanguage = \"en\"\n";
    let checked = good(&(text + pool));
    assert_eq!((checked.lines.len(), checked.trunks[0].numbers.len()), (2_002, 3_001));
    let pool: Vec<_> = checked.lines.iter().filter(|line| line.language == "en").collect();
    let ends = [pool[0], pool[1_999], pool[2_000]].map(|line| line.number.to_string());
    assert_eq!(ends, ["+78005551000", "+78005552999", "+78005553500"]);
    assert_eq!(checked.pool().len(), 2_001);
}

#[test]
fn every_key_of_node_and_sip_changes_what_it_names() {
    let Checked { node, sip, .. } = good(EVERY_KEY);
    assert_eq!((node.name.as_str(), node.country.as_str(), node.drain.as_secs()), ("south", "DE", 60));
    assert_eq!(node.data_dir, Path::new("/nowhere/bauta"));
    assert_eq!(node.plan.parse("030 123456").unwrap().to_string(), "+4930123456");

    let told: Vec<&str> = sip.listeners.iter().map(|listener| listener.public.as_str()).collect();
    assert_eq!(told, ["198.51.100.1:5060", "[2001:db8::5]:5070"]);
    assert_eq!(sip.listeners[1].address.to_string(), "[2001:db8::1]:5070");
    assert_eq!(sip.listeners[1].transport, ::sip::Transport::Tcp);
    let servers: Vec<String> = sip.nameservers.iter().map(ToString::to_string).collect();
    assert_eq!(servers, ["192.0.2.53:53", "[2001:db8::53]:5353"]);
    let millis = [sip.timing.t1, sip.timing.t2, sip.timing.t4].map(|timer| timer.as_millis());
    assert_eq!(millis, [250, 2000, 2500]);
    assert_eq!(sip.sessions, Some(b2bua::Sessions { interval: 1200, least: 120 }));
    assert_eq!((sip.max_calls, sip.calls_per_second, sip.max_message), (10, 5, 8192));
    assert_eq!((sip.max_delay, sip.busy_status), (Duration::from_millis(150), 486));
}

#[test]
fn session_timers_can_be_left_out_and_hold_to_their_bounds() {
    let with = |lines: &str| EVERY_KEY.replace("session_expires = \"20m\"\nmin_se = \"2m\"", lines);
    let usual = Some(b2bua::Sessions { interval: 1800, least: 90 });
    assert_eq!(good(&with("")).sip.sessions, usual);
    assert_eq!(good(&with("session_expires = 0")).sip.sessions, None);
    for wrong in [
        "session_expires = 60",
        "min_se = 30",
        "session_expires = 100\nmin_se = 101",
        "session_expires = 0\nmin_se = 90",
    ] {
        let report = crate::config::parse(&with(wrong), Path::new("bauta.toml"), &|_| None);
        assert!(report.checked.is_err(), "{wrong}");
    }
}

#[test]
fn every_key_of_media_changes_what_it_names() {
    let Checked { media, .. } = good(EVERY_KEY);
    let addresses: Vec<String> =
        media.addresses.iter().map(|a| format!("{} as {}", a.local, a.public)).collect();
    assert_eq!(addresses, ["192.0.2.2 as 198.51.100.2", "2001:db8::2 as 2001:db8::5"]);
    assert_eq!((media.ports.range(), media.ports.pairs()), (30_000..=30_099, 50));
    assert_eq!((media.workers, media.backend), (2, relay::Io::Epoll));
    assert_eq!((media.codecs, media.inband, media.xr), (vec![Codec::Pcmu], false, true));
    assert_eq!(media.max_wait, Some(std::time::Duration::from_micros(200)));
    assert_eq!([media.rtp_timeout, media.port_rest].map(|time| time.as_secs()), [20, 10]);
}

#[test]
fn the_kernel_takes_plain_calls_where_that_is_asked_for() {
    let kernel = |lines: &str| good(&EVERY_KEY.replace("backend = \"epoll\"", lines)).media;
    let media = kernel("backend = \"xdp\"");
    let shortcuts = media.shortcuts.unwrap();
    assert_eq!(media.lanes, None);
    assert_eq!((media.backend, shortcuts.hook), (relay::Io::Auto, relay::Hook::Auto));
    assert_eq!(shortcuts.cards, relay::Cards::OfAddresses);
    let shortcuts = kernel("backend = \"xdp\"\ninterfaces = [\"eth0\", \"eth1\"]\nxdp_mode = \"generic\"")
        .shortcuts
        .unwrap();
    assert_eq!(shortcuts.hook, relay::Hook::Generic);
    assert_eq!(shortcuts.cards, relay::Cards::Named(vec!["eth0".into(), "eth1".into()]));
    assert_eq!(kernel("backend = \"epoll\"").shortcuts, None);
}

#[test]
fn workers_take_frames_where_that_is_asked_for() {
    let lines = "backend = \"af_xdp\"\ninterfaces = [\"eth0\"]\nxdp_mode = \"native\"";
    let media = good(&EVERY_KEY.replace("backend = \"epoll\"", lines)).media;
    let lanes = media.lanes.unwrap();
    assert_eq!((media.backend, media.shortcuts, lanes.hook), (relay::Io::Auto, None, relay::Hook::Native));
    assert_eq!(lanes.cards, relay::Cards::Named(vec!["eth0".into()]));
}

#[test]
fn every_key_of_a_trunk_changes_what_it_names() {
    let Checked { trunks, .. } = good(EVERY_KEY);
    assert_eq!(trunks.len(), 1);
    assert_eq!(trunks[0].name, "main");
    assert_eq!(trunks[0].destination.host_port(), "sip.carrier.example");
    assert_eq!(trunks[0].destination.transport, Some(::sip::Transport::Tcp));
    assert_eq!(trunks[0].allow.iter().map(|range| range.prefix).collect::<Vec<_>>(), [24, 48]);
    assert_eq!(
        trunks[0].numbers.iter().map(Number::to_string).collect::<Vec<_>>(),
        ["+4930123456", "+4930123457"]
    );
    assert_eq!(trunks[0].trust, b2bua::Trust::RemoteParty);
    assert_eq!(trunks[0].verify, b2bua::Verify { verstat: true, identity: false });
    let profile = b2bua::Profile {
        plan: number::Plan::of("RU").unwrap(),
        form: number::Form::National,
        prefix: "9#".into(),
        strip: "*1".into(),
        from: b2bua::Sender::Account("sip:4930123456@carrier.example".into()),
        shown: vec![b2bua::Shown::Preferred, b2bua::Shown::Diversion],
        withheld: true,
    };
    assert_eq!(trunks[0].profile, profile);
    assert_eq!(trunks[0].srtp, b2bua::SrtpPolicy::Required);
    let known = b2bua::Credentials {
        username: "bauta".into(),
        password: "x y".into(),
        realm: Some("carrier".into()),
        md5: false,
    };
    assert_eq!(trunks[0].credentials.as_deref(), Some(&known));
}

fn first_trunk() -> b2bua::Choice {
    b2bua::Choice::InOrder(vec![b2bua::TrunkId(0)])
}

#[test]
fn a_trunk_may_be_registered_at_and_says_how_it_is_used() {
    let Checked { trunks, .. } = good(EVERY_KEY);
    let aor = "sip:4930123456@carrier.example".into();
    assert_eq!(trunks[0].registration, Some(b2bua::Registration { aor, expires: 3600 }));
    let usage = Usage {
        ping: Some(Duration::from_secs(30)),
        attempt_timeout: Duration::from_secs(2),
        max_calls: Some(30),
        calls_per_second: Some(5),
    };
    assert_eq!(trunks[0].usage, usage);
    let with = |lines: &str| good(&LEAST.replace("[[line]]", &format!("{lines}\n[[line]]")));
    let least = with("username = \"a\"\npassword = \"b\"\nregister = true").trunks.remove(0);
    assert_eq!(least.registration, Some(b2bua::Registration { aor: "sip:a@192.0.2.7".into(), expires: 600 }));
    let usage = Usage {
        ping: None,
        attempt_timeout: Duration::from_secs(4),
        max_calls: None,
        calls_per_second: None,
    };
    assert_eq!((with("").trunks[0].usage, with("").trunks[0].registration.clone()), (usage, None));
}

#[test]
fn a_line_may_call_out_by_several_trunks_in_order_or_by_weight() {
    let read = |trunk: &str| {
        let other = "[[trunk]]\nname = \"other\"\nuri = \"sip:192.0.2.8\"\nnumbers = [\"+78005550101\"]\n";
        good(&format!("{}trunk = {trunk}\n{other}", LEAST)).lines.remove(0).trunks
    };
    let [first, second] = [b2bua::TrunkId(0), b2bua::TrunkId(1)];
    assert_eq!(read("\"other\""), b2bua::Choice::InOrder(vec![second]));
    assert_eq!(read("[\"other\", \"main\"]"), b2bua::Choice::InOrder(vec![second, first]));
    assert_eq!(read("{ main = 3, other = 1 }"), b2bua::Choice::ByWeight(vec![(first, 3), (second, 1)]));
}

#[test]
fn every_key_of_a_line_changes_what_it_names() {
    let Checked { lines, .. } = good(EVERY_KEY);
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0].service, Service::Orders);
    assert_eq!(lines[1].service, Service::Pairs { strangers: b2bua::Strangers::Refuse, reserved: true });
    assert_eq!((lines[0].number.to_string().as_str(), &lines[0].trunks), ("+4930123456", &first_trunk()));
    assert_eq!(lines[0].language, "en");
    let Some(Operator::Uri { uri, destination }) = &lines[0].operator else { panic!("{lines:?}") };
    assert_eq!((uri.as_str(), destination.host.as_str()), ("sip:desk@pbx.example", "pbx.example"));
    let second = Duration::from_secs(1);
    let policy = b2bua::Policy {
        unverified: b2bua::Treatment::Stranger,
        disproved: b2bua::Treatment::Refuse,
        attestation: Some(b2bua::Attestation::Partial),
    };
    let manner = Manner {
        policy,
        record: true,
        record_notice: b2bua::RecordNotice::Both,
        record_refuse: Some('9'),
        dial: b2bua::DialRules { allow: prefixes(&["+49", "+43"]), deny: prefixes(&["+49900"]) },
        blocked: b2bua::Blocked::HearOut,
        ask_when_needed: true,
        redial: Some(second * 3600),
        confirm: true,
        whisper: false,
        code_length: 6,
        code_attempts: 4,
        lockout: second * 300,
        hint_after: second * 2,
        input_timeout: second * 9,
        answer: b2bua::Answer::AtOnce,
        answer_after: second * 2,
        ring_timeout: second * 30,
        early_media: b2bua::EarlyMedia::Pass,
        max_call: second * 3600,
        warning: second * 30,
    };
    assert_eq!(lines[0].manner, manner);
    assert_eq!(lines[0].quiet, store::Quiet::parse("21:00-07:30", Some("Europe/Berlin")).ok());
}

fn prefixes(texts: &[&str]) -> Vec<b2bua::Prefix> {
    texts.iter().map(|text| b2bua::Prefix::parse(text).unwrap()).collect()
}

#[test]
fn every_key_of_policy_changes_what_it_names() {
    let Checked { policy, retention, .. } = good(EVERY_KEY);
    assert_eq!(policy.dial, b2bua::DialRules { allow: prefixes(&["+4"]), deny: prefixes(&["+41"]) });
    let class = b2bua::CostClass {
        name: "dear".into(),
        prefixes: prefixes(&["+49180", "+4319"]),
        max_calls: Some(2),
        max_calls_a_day: Some(20),
    };
    let guards = b2bua::Guards {
        classes: vec![class],
        callee_max_calls: Some(1),
        caller_max_calls: Some(3),
        callee_calls_per_hour: Some(10),
        caller_calls_per_hour: Some(30),
    };
    assert_eq!(policy.guards, guards);
    assert_eq!(policy.quiet, store::Quiet::parse("22:00-08:00", Some("Europe/Vienna")).ok());
    let day = Duration::from_secs(86_400);
    let kept = (retention.records, retention.events, retention.audit);
    assert_eq!(kept, (day * 90, Some(day * 7), day * 800));
}

#[test]
fn a_line_takes_what_it_does_not_say_from_the_policy() {
    let policy = "[policy]\ndial_allow = [\"+7\"]\ndial_deny = [\"+7809\"]\nquiet = \"22:00-08:00\"\n";
    let line = |lines: &str| good(&format!("{LEAST}{lines}\n{policy}")).lines.remove(0);
    let usual = line("");
    assert_eq!((usual.manner.dial.allow, usual.manner.dial.deny), (prefixes(&["+7"]), prefixes(&["+7809"])));
    assert_eq!(usual.quiet.map(|quiet| quiet.hours()).as_deref(), Some("22:00-08:00"));
    let own = line("dial_deny = []\nquiet = \"never\"");
    assert_eq!((own.manner.dial.allow, own.manner.dial.deny), (prefixes(&["+7"]), Vec::new()));
    assert_eq!(own.quiet, None);
}

#[test]
fn every_key_of_the_pool_changes_what_it_names() {
    let hour = Duration::from_secs(3600);
    let countries = vec!["DE".to_owned(), "AT".to_owned()];
    let checked = good(EVERY_KEY);
    assert_eq!(checked.pool, Pool { cool_off: hour, keep: 24 * 7 * hour, validate: false, countries });
    let number = Number::parse("+4930123457").unwrap();
    assert_eq!(checked.pool(), [store::PoolNumber { number, reserved: true }]);
    let plain = good(LEAST).pool;
    assert_eq!(
        plain,
        Pool { cool_off: Duration::ZERO, keep: 24 * 30 * hour, validate: true, countries: Vec::new() }
    );
}

#[test]
fn every_key_of_http_and_webhooks_changes_what_it_names() {
    let Checked { http, console, webhooks, .. } = good(EVERY_KEY);
    let second = Duration::from_secs(1);
    assert_eq!(http.listen, [Listen { address: "[::1]:9000".parse().unwrap(), https: false }]);
    assert_eq!(http.proxies, [Network { address: [127, 0, 0, 0].into(), prefix: 8 }]);
    let anna =
        "$argon2id$v=19$m=19456,t=2,p=1$bm90IGEgcmVhbCBzYWx0$HzDMAg0NC2nGwmKZMTnMGgTXeYMyJ4kMPNl8CUgL1y0";
    let anna = api::User::new("anna", anna, api::Role::Operator).unwrap();
    assert_eq!(http.users, [anna.revealing(true).reached_at(Number::parse("+4930123499").ok())]);
    let quarter = second * 900;
    assert_eq!((console.enabled, console.title.as_str()), (false, "Shop"));
    assert_eq!((console.session, console.idle), (quarter * 4, quarter));
    let token = api::Token::new("0123456789abcdef", api::Role::App).named("shop").limited(Some(7));
    assert_eq!(http.tokens, [Token { name: "shop".to_owned(), token }]);

    assert_eq!(webhooks.len(), 1);
    assert_eq!((webhooks[0].name.as_str(), webhooks[0].url.as_str()), ("shop", "https://shop.example/hook"));
    assert_eq!(webhooks[0].secret, "fedcba9876543210");
    assert!(webhooks[0].events.wants("call.ended") && !webhooks[0].events.wants("record.written"));
    assert_eq!(webhooks[0].timeout, second * 3);
    let retry = api::webhooks::Schedule::new(vec![second, second * 60], second * 7200).unwrap();
    assert_eq!(webhooks[0].retry, retry);
}

#[test]
fn every_key_of_notices_changes_what_it_names() {
    let second = Duration::from_secs(1);
    let notices = good(EVERY_KEY).notices.unwrap();
    assert_eq!(
        (notices.url.as_str(), notices.method.as_str()),
        ("https://sms.example/send?to={digits}", "PUT")
    );
    assert_eq!(notices.headers, [("Authorization".to_owned(), "Bearer {secret}".to_owned())]);
    assert_eq!((notices.kind, notices.body.as_str()), (api::webhooks::Kind::Form, "text={text}"));
    assert_eq!((notices.secret.as_str(), notices.timeout), ("given", second * 3));
    assert_eq!(notices.line.map(|line| line.to_string()).as_deref(), Some("+4930123456"));
    let texts = [("ru", "Звоните {line}"), ("en", "Dial {line}, code {code}")];
    assert_eq!(notices.texts, texts.map(|(language, text)| (language.to_owned(), text.to_owned())));
    let retry = api::webhooks::Schedule::new(vec![second * 2], second * 3600).unwrap();
    assert_eq!(notices.retry, retry);
    for wrong in [
        "url = \"https://sms.example/{nummer}\"",
        "url = \"ftp://sms.example/\"",
        "url = \"https://sms.example/\"\nbody = \"{text}\"",
        "url = \"https://sms.example/\"\nbody = \"{secret}\"",
        "url = \"https://sms.example/\"\nheaders = { Content-Type = \"text/html\" }",
        "url = \"https://sms.example/\"\nline = \"+78005550199\"",
        "body = \"{number}\"",
    ] {
        let text = format!("{LEAST}\n[notices]\n{wrong}\n");
        assert!(crate::config::parse(&text, Path::new("bauta.toml"), &|_| None).checked.is_err(), "{wrong}");
    }
}

#[test]
fn every_key_of_what_is_kept_changes_what_it_names() {
    let Checked { prompts, recording, numbers, trace, .. } = good(EVERY_KEY);
    assert_eq!(prompts.dir, Path::new("/nowhere/prompts"));
    assert_eq!(recording.files, recording::Settings::wav("/nowhere/recordings".into()));
    assert_eq!(numbers, Numbers::Hashed);
    assert_eq!(trace, Limits { calls: 7, messages: 8, keep: Duration::from_secs(300) });
}

#[test]
fn every_codec_has_its_word_and_keeps_its_place() {
    let text = format!("{LEAST}\n[media]\ncodecs = [\"opus\", \"g722\", \"pcmu\", \"pcma\"]\n");
    let codecs = [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma];
    assert_eq!(good(&text).media.codecs, codecs);
}

#[test]
fn what_is_left_out_has_the_documented_default() {
    let checked = good(LEAST);
    assert_eq!(checked.node.name, "bauta");
    let listeners: Vec<&str> =
        checked.sip.listeners.iter().map(|listener| listener.public.as_str()).collect();
    assert_eq!(listeners, ["192.0.2.1:5060", "192.0.2.1:5060"]);
    let voice = Address { local: "0.0.0.0".parse().unwrap(), public: "192.0.2.1".parse().unwrap() };
    assert_eq!(checked.media.addresses, [voice]);
    assert_eq!(checked.media.codecs, [Codec::Pcma, Codec::Pcmu]);
    let allow = b2bua::Network { address: "192.0.2.7".parse().unwrap(), prefix: 32 };
    assert_eq!(checked.trunks[0].allow, [allow]);
    assert_eq!(checked.trunks[0].trust, b2bua::Trust::Asserted);
    assert_eq!(checked.trunks[0].verify, b2bua::Verify::default());
    assert_eq!(checked.identity, None);
    assert_eq!(checked.trunks[0].credentials, None);
    let profile = b2bua::Profile {
        plan: number::Plan::of("RU").unwrap(),
        form: number::Form::Plus,
        prefix: "".into(),
        strip: "".into(),
        from: b2bua::Sender::Own,
        shown: vec![],
        withheld: false,
    };
    assert_eq!(checked.trunks[0].profile, profile);
    let line = &checked.lines[0];
    assert_eq!((line.language.as_str(), line.operator.as_ref(), &line.trunks), ("ru", None, &first_trunk()));
    let second = Duration::from_secs(1);
    let manner = Manner {
        policy: b2bua::Policy::LENIENT,
        record: false,
        record_notice: b2bua::RecordNotice::Off,
        record_refuse: None,
        dial: b2bua::DialRules::default(),
        blocked: b2bua::Blocked::Refuse,
        ask_when_needed: false,
        redial: None,
        confirm: false,
        whisper: true,
        code_length: 5,
        code_attempts: 3,
        lockout: second * 600,
        hint_after: Duration::from_millis(1500),
        input_timeout: second * 8,
        answer: b2bua::Answer::AtOnce,
        answer_after: Duration::ZERO,
        ring_timeout: second * 45,
        early_media: b2bua::EarlyMedia::Ours,
        max_call: second * 7200,
        warning: second * 60,
    };
    assert_eq!(line.manner, manner);
    assert_eq!(checked.recording.files.folder, Path::new("data/recordings"));
    assert_eq!(checked.recording.retention, Some(second * 86_400 * 30));
    assert_eq!(checked.numbers, Numbers::Full);
    assert_eq!(checked.trace, Limits { calls: 200, messages: 100, keep: second * 3600 });
}

#[test]
fn a_reload_takes_trunks_lines_and_tokens_and_names_the_rest() {
    let old = good(LEAST);
    let again = old.reloaded(good(LEAST));
    assert_eq!(again, Reload { checked: old.clone(), at_restart: vec![] });

    let next = good(&format!(
        "{LEAST}operator = \"+74950000001\"\n[node]\nname = \"north\"\n[http]\nlisten = []\n\
         [[http.token]]\nrole = \"app\"\ntoken = \"0123456789abcdef\"\n"
    ));
    let Reload { checked, at_restart } = old.reloaded(next.clone());
    assert_eq!(at_restart, ["[node]", "http.listen"]);
    assert_eq!((&checked.lines, &checked.http.tokens), (&next.lines, &next.http.tokens));
    assert_eq!((&checked.node, &checked.http.listen), (&old.node, &old.http.listen));
}

#[test]
fn each_part_of_the_server_gets_its_piece() {
    let checked =
        good(&format!("{LEAST}operator = \"sip:desk@192.0.2.20\"\ncode_length = 6\nredial = true\n"));
    let languages = ["en".to_owned(), "ru".to_owned()];
    let ports = vec![vec![vec![20_000, 20_002], vec![20_004, 20_006]]];
    let board = checked.switchboard(7, &ports, &languages).unwrap();
    let limits = board.limits;
    assert_eq!((board.epoch_ms, limits.calls, limits.calls_per_second), (7, 1000, 100));
    assert_eq!((limits.busy_status, limits.delay), (503, Duration::from_millis(200)));
    assert_eq!(board.media[0].ports, ports[0]);
    assert_eq!(board.media[0].public.to_string(), "192.0.2.1");
    assert_eq!((board.trunks[0].host.as_ref(), board.trunks[0].targets.len()), ("192.0.2.7", 0));
    assert_eq!(board.ua.listeners[1].public, "192.0.2.1:5060");
    let line = &board.lines[0];
    let orders = line.service.orders().unwrap();
    assert_eq!(
        (line.language, &line.trunks, orders.redial),
        (b2bua::Language(1), &first_trunk(), Some(Duration::from_secs(7200)))
    );
    assert_eq!((orders.script.code_length, orders.script.operator), (6, true));
    assert_eq!(line.operator, Some(b2bua::Operator::Uri { uri: "sip:desk@192.0.2.20".into(), flow: None }));
    assert!(checked.switchboard(7, &ports, &["en".to_owned()]).is_none());

    assert_eq!(checked.relay().silence, Duration::from_secs(30));
    assert!(checked.relay().inband);
    let api = checked.api(&languages, api::Privacy::Last4);
    assert_eq!(api.lines, BTreeMap::from([(checked.lines[0].number, 6)]));
    assert_eq!(api.recordings, checked.recording.files);
}

#[test]
fn recordings_are_sealed_with_one_key_and_opened_with_all() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let key = |octet: u8| ::recording::Key::read(&[octet; 32]).unwrap();
    let (new, old) = (file("new", &format!("{}\n", "02".repeat(32))), file("old", &"01".repeat(32)));
    let text =
        format!("{LEAST}[recording]\nformat = \"opus\"\nkey_file = {new:?}\nold_key_files = [{old:?}]\n");
    let files = good(&text).recording.files;
    assert_eq!(files.keys, ::recording::Keyring::new(vec![key(2), key(1)]));
    assert_eq!(files.suffix(), "opus.sealed");
    let from_environment = format!("{LEAST}[recording]\nkey_env = \"SECRET_KEY\"\n");
    let hex = "03".repeat(32);
    let environment = |name: &str| (name == "SECRET_KEY").then(|| hex.clone());
    let outcome = parse(&from_environment, Path::new("bauta.toml"), &environment);
    let files = outcome.checked.unwrap().recording.files;
    assert_eq!(files.keys, ::recording::Keyring::new(vec![key(3)]));
    assert_eq!(files.suffix(), "wav.sealed");
}

#[test]
fn what_is_no_key_is_a_fault_that_does_not_show_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    std::fs::write(&path, "hunter2-hunter2-hunter2").unwrap();
    let told = |keys: &str| {
        let text = format!("{LEAST}[recording]\n{keys}\n");
        let outcome = parse(&text, Path::new("bauta.toml"), &|_| Some("hunter2".to_owned()));
        outcome.checked.unwrap_err()[0].to_string()
    };
    for (keys, why) in [
        (format!("key_file = {path:?}"), "is no key"),
        (format!("old_key_files = [{path:?}]"), "is no key"),
        ("key_env = \"SECRET_KEY\"".to_owned(), "is no key"),
        (format!("key_file = {:?}", dir.path().join("missing")), "cannot be read"),
        (format!("key = {:?}", "00".repeat(32)), "does not stand in this file"),
    ] {
        let told = told(&keys);
        assert!(told.contains(why) && !told.contains("hunter2") && !told.contains("0000"), "{told}");
    }
    std::fs::write(&path, [7; 32]).unwrap();
    let twice = format!("key_file = {path:?}\nkey_env = \"SECRET_KEY\"");
    assert!(
        told(&twice).contains("is no key") || told(&twice).contains("keep one of them"),
        "{}",
        told(&twice)
    );
}
