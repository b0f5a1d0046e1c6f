//! Several trunks and several addresses of one: by which of them a call goes out, and what is done when one does not
//! take it.

use std::net::SocketAddr;
use std::time::Duration;

use b2bua::{Cause, Choice, Config, Control, Input, Target, TrunkHappening, TrunkId};
use sim::{Act, CalleePlan, CallerPlan, Reaction, Weather, World};
use sip::{Flow, Transport};

use crate::worlds::{CLIENT, COURIER, LINE, seconds, with_order};

/// The trunk every world has, and two more.
const FIRST: &str = "192.0.2.12:5060";
const SECOND: &str = "203.0.113.2:5060";
const THIRD: &str = "203.0.113.3:5060";

fn flow(address: &str) -> Flow {
    let peer = address.parse().expect("an address");
    Flow { listener: 0, transport: Transport::Udp, peer, connection: None }
}

/// One after the other.
fn targets(addresses: &[&str]) -> Vec<Target> {
    let ordered = addresses.iter().zip(0..);
    ordered.map(|(address, priority)| Target { flow: flow(address), priority, weight: 0 }).collect()
}

/// Three trunks in order, changed by the test.
fn three(change: impl FnOnce(&mut Config)) -> World {
    let mut config = sim::config();
    config.trunks[0].targets = targets(&[FIRST]);
    for (name, address) in [("second", SECOND), ("third", THIRD)] {
        let ip = address.parse::<SocketAddr>().expect("an address").ip();
        let mut trunk = b2bua::Trunk { name: name.into(), ..config.trunks[0].clone() };
        trunk.allow = vec![b2bua::Network { address: ip, prefix: 32 }];
        trunk.targets = targets(&[address]);
        config.trunks.push(trunk);
    }
    config.lines[0].trunks = Choice::InOrder(vec![TrunkId(0), TrunkId(1), TrunkId(2)]);
    change(&mut config);
    let mut world = with_order(World::new(config, Weather::FAIR, 1));
    world.callee(CLIENT, CalleePlan::new(Reaction::Answer(seconds(2))));
    world
}

fn calls(mut world: World) -> World {
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(60), Act::HangUp));
    world.run_until_quiet();
    world.assert_clean();
    world
}

/// The first lines of what an address was sent, by their first word.
fn told(world: &World, address: &str, method: &str) -> usize {
    let peer: SocketAddr = address.parse().expect("an address");
    let messages = world.received.get(&peer).map(Vec::as_slice).unwrap_or_default();
    messages.iter().filter(|bytes| bytes.starts_with(format!("{method} ").as_bytes())).count()
}

fn invited(world: &World) -> [usize; 3] {
    [FIRST, SECOND, THIRD].map(|address| told(world, address, "INVITE"))
}

fn cause(world: &World) -> Cause {
    world.audit.records.last().and_then(|record| record.outcome).expect("a record has its outcome").cause
}

#[test]
fn a_trunk_that_cannot_take_a_call_is_followed_by_the_next_and_nobody_hears_of_it() {
    for status in [401, 407, 500, 503, 504] {
        let mut world = three(|_| ());
        world.carrier(FIRST, CalleePlan::new(Reaction::Reject(status)));
        world.carrier(SECOND, CalleePlan::new(Reaction::Reject(503)));
        let world = calls(world);
        assert_eq!((invited(&world), cause(&world)), ([1, 1, 1], Cause::HungUp), "{status}");
        assert_eq!(world.bridges(), 1);
        let dialling = world.audit.happened.iter().filter(|what| what.name() == "dialling");
        assert_eq!(dialling.count(), 1, "one callee is called once");
    }
}

#[test]
fn what_is_said_of_the_callee_is_the_last_word() {
    for status in [403, 404, 480, 486, 488, 501, 502, 600, 603] {
        let mut world = three(|_| ());
        world.carrier(FIRST, CalleePlan::new(Reaction::Reject(status)));
        let world = calls(world);
        assert_eq!(invited(&world), [1, 0, 0], "{status}");
        assert_eq!(world.bridges(), 0, "{status}");
    }
}

#[test]
fn whoever_rang_and_then_fails_was_the_callee() {
    let mut world = three(|_| ());
    world.carrier(FIRST, CalleePlan::new(Reaction::Refuse(seconds(5), 503)));
    assert_eq!(invited(&calls(world)), [1, 0, 0]);
}

#[test]
fn a_trunk_that_says_nothing_is_left_within_seconds() {
    let mut world = three(|config| config.trunks[0].attempt_timeout = seconds(3));
    world.carrier(FIRST, CalleePlan::new(Reaction::Silent));
    let world = calls(world);
    assert_eq!(cause(&world), Cause::HungUp);
    // Said at 0, 0.5, 1.5 and 3.5 s if it were not for the way that was left; it is answered for until Timer B.
    assert!(invited(&world)[0] >= 3 && invited(&world)[1..] == [1, 0], "{:?}", invited(&world));
    let record = &world.audit.records[0];
    let [answered, bridged] = [record.answered, record.bridged].map(Option::unwrap);
    assert!(bridged.since(answered) < seconds(20), "{:?}", bridged.since(answered));
}

#[test]
fn a_trunk_that_has_the_call_and_takes_its_time_is_waited_for() {
    let mut world = three(|_| ());
    world.carrier(FIRST, CalleePlan::new(Reaction::Hesitate(seconds(15))));
    let world = calls(world);
    assert_eq!((invited(&world), world.bridges()), ([1, 0, 0], 1));
}

#[test]
fn where_no_trunk_takes_the_call_the_last_failure_is_what_it_came_to() {
    let mut world = three(|_| ());
    for address in [FIRST, SECOND, THIRD] {
        world.carrier(address, CalleePlan::new(Reaction::Reject(503)));
    }
    let world = calls(world);
    assert_eq!((invited(&world), cause(&world)), ([1, 1, 1], Cause::Unreachable));
}

#[test]
fn the_addresses_of_one_trunk_are_tried_before_the_next_trunk() {
    let mut world = three(|config| config.trunks[0].targets = targets(&[FIRST, "192.0.2.13:5060"]));
    world.carrier(FIRST, CalleePlan::new(Reaction::Reject(503)));
    let world = calls(world);
    assert_eq!((invited(&world), told(&world, "192.0.2.13:5060", "INVITE")), ([1, 0, 0], 1));
}

#[test]
fn what_did_not_take_a_call_is_passed_over_for_half_a_minute() {
    let mut world = three(|_| ());
    world.carrier(FIRST, CalleePlan::new(Reaction::Reject(503)));
    for start in [0, 15, 120] {
        let plan = CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(30), Act::HangUp);
        world.caller(seconds(start), plan);
    }
    world.run_until_quiet();
    world.assert_clean();
    assert_eq!(invited(&world), [2, 3, 0], "the first and the last call ask it, the second does not");
}

#[test]
fn a_trunk_with_no_room_is_passed_over_and_takes_no_calls_itself() {
    let one = |config: &mut Config| config.trunks[1].max_calls = Some(1);
    let mut world = three(|config| {
        one(config);
        config.lines[0].trunks = Choice::InOrder(vec![TrunkId(1), TrunkId(2)]);
    });
    for start in [0, 1] {
        let plan = CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(60), Act::HangUp);
        world.caller(seconds(start), plan);
    }
    world.run_until_quiet();
    world.assert_clean();
    assert_eq!(invited(&world), [0, 1, 1]);
    assert!(world.board.trunks().iter().all(|trunk| trunk.calls == 0), "every place is given back");

    for limit in [
        |config: &mut Config| config.trunks[0].max_calls = Some(0),
        |config: &mut Config| config.trunks[0].calls_per_second = Some(0),
    ] {
        let world = calls(three(limit));
        assert_eq!((world.statuses(), cause(&world)), (vec![Some(503)], Cause::Overloaded));
    }
    let full = three(|config| {
        config.trunks[1].max_calls = Some(0);
        config.lines[0].trunks = Choice::InOrder(vec![TrunkId(1)]);
    });
    assert_eq!(cause(&calls(full)), Cause::Overloaded);
}

#[test]
fn weights_share_the_calls() {
    let mut world = three(|config| {
        config.lines[0].trunks = Choice::ByWeight(vec![(TrunkId(0), 3), (TrunkId(1), 1), (TrunkId(2), 0)]);
    });
    for call in 0..100 {
        let plan = CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(20), Act::HangUp);
        world.caller(seconds(call * 30), plan);
    }
    world.run_until_quiet();
    world.assert_clean();
    let [first, second, third] = invited(&world);
    assert!((60..90).contains(&first) && first + second == 100 && third == 0, "{first} {second} {third}");
}

/// Trunks that are asked every ten seconds, all of them there.
fn asked() -> World {
    let mut world = three(|config| {
        for trunk in &mut config.trunks {
            trunk.ping = Some(seconds(10));
        }
    });
    for address in [FIRST, SECOND, THIRD] {
        world.set_there(address, true);
    }
    world.feed(Input::Wake);
    world
}

fn call_for(world: &mut World, time: Duration) {
    let plan = CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(25), Act::HangUp);
    world.caller(Duration::ZERO, plan);
    world.run_for(time);
}

#[test]
fn a_trunk_that_is_down_is_passed_over_until_it_is_up_again() {
    let mut world = asked();
    world.run_for(seconds(5));
    let up = |name: &str| (name.to_owned(), TrunkHappening::Up);
    assert_eq!(world.audit.trunks, ["carrier", "second", "third"].map(up));
    world.set_there(FIRST, false);
    world.run_for(seconds(40));
    assert_eq!(world.audit.trunks.split_off(3), [("carrier".to_owned(), TrunkHappening::Down)]);
    call_for(&mut world, seconds(60));
    assert_eq!(invited(&world), [0, 1, 0]);
    assert_eq!(world.board.trunks()[0].up, Some(false));
    world.set_there(FIRST, true);
    world.run_for(seconds(30));
    assert_eq!(world.audit.trunks.split_off(3), [up("carrier")]);
    call_for(&mut world, seconds(60));
    assert_eq!(invited(&world), [1, 1, 0]);
}

#[test]
fn where_every_trunk_is_down_they_are_tried_all_the_same() {
    let mut world = asked();
    for address in [FIRST, SECOND, THIRD] {
        world.set_there(address, false);
    }
    world.run_for(seconds(60));
    call_for(&mut world, seconds(60));
    assert_eq!((invited(&world), cause(&world)), ([1, 0, 0], Cause::HungUp));
}

/// A trunk that wants us registered.
fn registering(config: &mut Config) {
    let aor = "sip:bauta@192.0.2.12".into();
    config.trunks[0].registration = Some(b2bua::Registration { aor, expires: 120 });
}

#[test]
fn a_registration_is_kept_told_and_ended_with_the_drain() {
    let mut world = three(registering);
    world.set_there(FIRST, true);
    world.feed(Input::Wake);
    world.run_for(seconds(1000));
    let registered = ("carrier".to_owned(), TrunkHappening::Registered { expires: seconds(120) });
    assert_eq!(world.audit.trunks, std::slice::from_ref(&registered));
    assert!((11..=17).contains(&told(&world, FIRST, "REGISTER")), "{}", told(&world, FIRST, "REGISTER"));
    assert_eq!((world.board.trunks()[0].registered, world.board.gauges().errands), (Some(true), 1));
    world.feed(Input::Control(Control::Drain));
    world.run_for(seconds(60));
    let ended = ("carrier".to_owned(), TrunkHappening::Unregistered { status: None });
    assert_eq!(world.audit.trunks, [registered, ended]);
    world.assert_clean();
}

#[test]
fn a_trunk_we_are_not_registered_at_is_passed_over() {
    let mut world = three(registering);
    world.feed(Input::Wake);
    world.run_for(seconds(40));
    assert_eq!(world.audit.trunks, [("carrier".to_owned(), TrunkHappening::Unregistered { status: None })]);
    call_for(&mut world, seconds(60));
    assert_eq!(invited(&world), [0, 1, 0]);
}

#[test]
fn a_call_to_our_binding_counts_for_its_trunk_wherever_that_stands_now() {
    let mut config = None;
    let mut world = three(|given| {
        given.trunks.swap(0, 2);
        let aor = "sip:bauta@192.0.2.12".into();
        given.trunks[2].registration = Some(b2bua::Registration { aor, expires: 120 });
        config = Some(given.clone());
    });
    world.set_there(FIRST, true);
    world.feed(Input::Wake);
    world.run_for(seconds(5));
    // Its name is lost for a while, and meanwhile the trunks before it are taken away.
    world.feed(Input::Control(Control::Resolved { trunk: TrunkId(2), targets: vec![] }));
    let mut next = config.expect("it was given");
    next.trunks.drain(..2);
    next.trunks[0].targets.clear();
    next.lines[0].trunks = Choice::InOrder(vec![TrunkId(0)]);
    world.feed(Input::Control(Control::Configure(Box::new(next))));
    let first: SocketAddr = FIRST.parse().expect("an address");
    let register = String::from_utf8_lossy(&world.received[&first][0]).into_owned();
    let contact = register.split("Contact: <").nth(1).and_then(|rest| rest.split('>').next());
    let invite = format!(
        "INVITE {} SIP/2.0\r\nVia: SIP/2.0/UDP 198.18.0.1:5060;branch=z9hG4bK-1\r\nMax-Forwards: 70\r\n\
         From: <sip:{COURIER}@x>;tag=1\r\nTo: <sip:{LINE}@x>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:198.18.0.1:5060>\r\nContent-Length: 0\r\n\r\n",
        contact.expect("a Contact")
    );
    world.feed(Input::Message { flow: flow("198.18.0.1:5060"), bytes: invite.into() });
    world.run_for(seconds(120));
    assert_eq!(world.audit.records.iter().map(|record| &*record.trunk).collect::<Vec<_>>(), ["carrier"]);
}

#[test]
fn a_trunk_known_by_its_certificate_is_known_by_nothing_else() {
    let mut config = sim::config();
    config.trunks[0].certificate = vec!["sbc.carrier.test".into()];
    let mut open = config.clone();
    open.trunks[0].allow.clear();
    let from = |peer: &str, connection| Flow { connection: Some(connection), ..flow(peer) };
    let (here, elsewhere) = (from("192.0.2.11:40000", 1), from("198.18.0.1:40000", 2));
    // By address and certificate, or by certificate alone.
    for (config, answered) in [(config, [true, false]), (open, [true, true])] {
        for (flow, answered) in [here, elsewhere].into_iter().zip(answered) {
            let mut world = World::new(config.clone(), Weather::FAIR, 1);
            let mut is_answered = |branch: &str| {
                let options = format!(
                    "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK{branch}\r\nFrom: <sip:a@h>;tag=1\r\n\
                     To: <sip:x>\r\nCall-ID: {branch}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 9\r\n\
                     Content-Length: 0\r\n\r\n"
                );
                match branch {
                    "other" => world.feed(Input::Proved { flow, names: vec!["other.test".into()] }),
                    "right" => world.feed(Input::Proved {
                        flow,
                        names: vec!["other.test".into(), "sbc.carrier.test".into()],
                    }),
                    "lost" => world.feed(Input::FlowLost(flow)),
                    _ => {}
                }
                let before = world.received.len();
                world.feed(Input::Message { flow, bytes: options.into() });
                world.run_for(seconds(1));
                let is_answered = world.received.len() > before;
                world.received.clear();
                is_answered
            };
            let told = ["none", "other", "right", "lost"].map(&mut is_answered);
            assert_eq!(told, [false, false, answered, false], "{flow:?}");
        }
    }
}

#[test]
fn a_new_configuration_ends_what_is_not_wanted_any_more_and_keeps_what_is() {
    let mut config = None;
    let mut world = three(|given| {
        registering(given);
        given.trunks[1].ping = Some(seconds(10));
        config = Some(given.clone());
    });
    for address in [FIRST, SECOND, THIRD] {
        world.set_there(address, true);
    }
    world.feed(Input::Wake);
    world.run_for(seconds(5));
    let before = told(&world, FIRST, "REGISTER");
    let mut next = config.expect("it was given");
    next.trunks.swap(0, 2);
    next.trunks[1].ping = None;
    world.feed(Input::Control(Control::Configure(Box::new(next.clone()))));
    world.run_for(seconds(1));
    assert_eq!(told(&world, FIRST, "REGISTER"), before, "another place is no other binding");
    assert_eq!(world.board.gauges().errands, 1);
    next.trunks[2].registration = None;
    world.feed(Input::Control(Control::Configure(Box::new(next))));
    world.run_for(seconds(1));
    assert_eq!(told(&world, FIRST, "REGISTER"), before + 1, "Expires 0");
    assert_eq!(world.board.gauges().errands, 0);
    assert_eq!(world.board.trunks()[2].registered, None);
    let told = world.audit.trunks.iter().filter(|(name, _)| name == "carrier").map(|(_, what)| *what);
    let registered = TrunkHappening::Registered { expires: seconds(120) };
    assert_eq!(told.collect::<Vec<_>>(), [registered, TrunkHappening::Unregistered { status: None }]);
}

#[test]
fn a_trunk_that_is_no_more_is_not_registered_at_any_more() {
    let mut config = None;
    let mut world = three(|given| {
        registering(given);
        config = Some(given.clone());
    });
    world.set_there(FIRST, true);
    world.feed(Input::Wake);
    world.run_for(seconds(5));
    let mut next = config.expect("it was given");
    next.trunks.remove(0);
    next.lines[0].trunks = Choice::InOrder(vec![TrunkId(0)]);
    world.feed(Input::Control(Control::Configure(Box::new(next))));
    let ended = ("carrier".to_owned(), TrunkHappening::Unregistered { status: None });
    assert_eq!(world.audit.trunks.last(), Some(&ended));
    world.run_until_quiet();
    world.assert_clean();
}

#[test]
fn a_record_names_the_trunk_the_callee_was_called_by() {
    let mut world = three(|_| {});
    world.carrier(FIRST, CalleePlan::new(Reaction::Reject(503)));
    let world = calls(world);
    let record = &world.audit.records[0];
    assert_eq!((&*record.trunk, record.callee_trunk.as_deref()), ("carrier", Some("second")));
    let mut alone = three(|_| {});
    alone.caller(seconds(0), CallerPlan::keying(COURIER, LINE, ""));
    alone.run_until_quiet();
    assert_eq!(alone.audit.records[0].callee_trunk, None);
}

#[test]
fn whoever_must_prove_an_account_is_asked_and_is_no_call_before_that() {
    let account = |config: &mut Config| {
        let known = b2bua::Credentials { username: "u".into(), password: "p".into(), realm: None, md5: true };
        config.trunks[0].inbound = true;
        config.ua.accounts =
            vec![b2bua::Account { trunk: TrunkId(0), credentials: known.into(), sha256: true }];
    };
    for (allow, status) in [(true, Some(401)), (false, Some(401))] {
        let mut world = three(|config| {
            account(config);
            if !allow {
                config.trunks[0].allow.clear();
            }
        });
        world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345"));
        world.run_until_quiet();
        world.assert_clean();
        assert_eq!((world.statuses(), world.audit.records.len()), (vec![status], 0));
    }
    // Another trunk's address is that trunk's, whatever this one asks.
    let mut world = three(account);
    let options = "OPTIONS sip:198.51.100.1 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.2;branch=z9hG4bKo\r\nFrom: <sip:a@b>;tag=1\r\n\
                   To: <sip:c@d>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n\r\n";
    world.feed(Input::Message { flow: flow(SECOND), bytes: options.into() });
    world.run_until_quiet();
    let second: SocketAddr = SECOND.parse().expect("an address");
    assert!(world.received[&second][0].starts_with(b"SIP/2.0 200 "));
}

#[test]
fn an_account_beside_a_certificate_is_asked_of_nobody_who_has_not_proved_that() {
    let mut config = sim::config();
    config.trunks[0].certificate = vec!["sbc.carrier.test".into()];
    config.trunks[0].allow.clear();
    config.trunks[0].inbound = true;
    let mut world = World::new(config, Weather::FAIR, 1);
    let flow = Flow { connection: Some(1), ..flow("198.18.0.1:40000") };
    let invite = "INVITE sip:+78005553535@198.51.100.1 SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKc\r\n\
                  From: <sip:a@h>;tag=1\r\nTo: <sip:x>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nMax-Forwards: 9\r\n\
                  Content-Length: 0\r\n\r\n";
    let heard = |world: &mut World| {
        world.feed(Input::Message { flow, bytes: invite.into() });
        world.run_for(seconds(1));
        std::mem::take(&mut world.received).into_values().flatten().collect::<Vec<_>>()
    };
    assert_eq!(heard(&mut world), Vec::<bytes::Bytes>::new());
    world.feed(Input::Proved { flow, names: vec!["sbc.carrier.test".into()] });
    assert!(heard(&mut world)[0].starts_with(b"SIP/2.0 401 "));
}
