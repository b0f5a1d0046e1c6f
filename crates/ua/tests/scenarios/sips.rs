//! Callers who call us by a `sips` URI: RFC 3261 §8.1.1.8, §12.1.1, §26.2.2.

use sip::{Flow, Transport};
use ua::{LegCommand, LegEvent, Listener, Sessions, TrunkId};

use crate::world::{ANSWER, Caller, OFFER, Text, WHY, World, address, config, sdp, tcp, udp, with_body};

const URI: &str = "sips:+74951234567@192.0.2.1:5061";

fn world() -> World {
    let mut config = config();
    config.listeners.push(Listener { transport: Transport::Tls, public: "192.0.2.1:5061".to_owned() });
    config.sessions = Some(Sessions { interval: 100, least: 90 });
    World::with(config)
}

fn tls() -> Flow {
    Flow { listener: 3, transport: Transport::Tls, peer: address("198.51.100.7:41000"), connection: Some(7) }
}

fn hear(world: &mut World, flow: Flow, text: &str) -> Vec<Text> {
    let text = text.replacen("sip:+74951234567@192.0.2.1:5060", URI, 1);
    world.hear_on(flow, Some(TrunkId(0)), &text);
    world.take().into_iter().map(|sent| sent.text).collect()
}

/// A caller by TLS.
fn caller(world: &mut World) -> Caller {
    let mut caller = Caller::new(world);
    "SIP/2.0/TLS 198.51.100.7:5061".clone_into(&mut caller.via);
    "Contact: <sips:peer@198.51.100.7:5061>\r\n".clone_into(&mut caller.contact);
    caller
}

#[test]
fn by_tls_it_is_taken_and_our_contact_is_such_in_the_whole_dialog() {
    let mut world = world();
    let mut caller = caller(&mut world);
    let invite = caller.invite(&mut world, "Supported: timer\r\n", Some(OFFER));
    assert_eq!(hear(&mut world, tls(), &invite)[0].status(), 100);
    let leg = world.offered();
    world.tell(leg, LegCommand::Ring);
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    for response in world.take() {
        assert_eq!(response.text.header("Contact"), "<sips:192.0.2.1:5061>");
        caller.learn(&response.text);
    }
    let ack = caller.ack(&mut world, "");
    hear(&mut world, tls(), &ack);
    for method in ["OPTIONS", "UPDATE"] {
        let request = caller.request(&mut world, method, &with_body(&caller.contact.clone(), None));
        assert_eq!(hear(&mut world, tls(), &request)[0].header("Contact"), "<sips:192.0.2.1:5061>");
    }
    assert_eq!(world.only_event(), LegEvent::Confirmed { sdp: None });
    // Our refresh, and our BYE.
    world.pass(std::time::Duration::from_secs(50));
    let refresh = world.only_sent();
    assert_eq!((refresh.text.method(), refresh.text.uri()), ("INVITE", "sips:peer@198.51.100.7:5061"));
    assert_eq!((refresh.text.header("Contact"), refresh.flow), ("<sips:192.0.2.1:5061>", tls()));
    world.tell(leg, LegCommand::End(WHY));
    let bye = world.only_sent();
    assert_eq!((bye.text.uri(), bye.flow), ("sips:peer@198.51.100.7:5061", tls()));
}

#[test]
fn by_anything_else_it_is_refused_and_no_promise_is_made() {
    for flow in [udp("198.51.100.7:5060"), tcp("198.51.100.7:41000", 4)] {
        let mut world = world();
        for method in ["INVITE", "OPTIONS"] {
            let mut caller = caller(&mut world);
            let request =
                caller.request(&mut world, method, &with_body(&caller.contact.clone(), Some(OFFER)));
            let refused = hear(&mut world, flow, &request);
            assert_eq!((refused[0].status(), refused[0].has("Contact")), (416, false), "{method}");
        }
        assert_eq!(world.heard(), []);
    }
}

#[test]
fn whoever_asks_by_such_a_uri_hears_such_a_contact_and_others_the_usual() {
    let mut world = world();
    let mut caller = caller(&mut world);
    let options = caller.bare(&mut world, "OPTIONS");
    assert_eq!(hear(&mut world, tls(), &options)[0].header("Contact"), "<sips:192.0.2.1:5061>");
    let options = caller.bare(&mut world, "OPTIONS");
    world.hear_on(tls(), Some(TrunkId(0)), &options);
    assert_eq!(world.only().header("Contact"), "<sip:192.0.2.1:5061;transport=tls>");
}
