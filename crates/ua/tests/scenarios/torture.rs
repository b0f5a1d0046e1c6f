//! The messages of RFC 4475 and RFC 5118 as a trunk might send them: what those that can be read become, above the
//! parser. That the others are refused is the parser's own test.

use std::path::Path;

use ua::{LegCommand, LegEvent, TrunkId};

use crate::world::{BUSY, World, udp};

/// The status of what is said first; 0 where nothing may be said.
const VERDICTS: &[(&str, u16)] = &[
    ("rfc4475/wsinv.dat", 481),
    ("rfc4475/intmeth.dat", 501),
    ("rfc4475/esc01.dat", 100),
    ("rfc4475/escnull.dat", 405),
    ("rfc4475/esc02.dat", 501),
    ("rfc4475/lwsdisp.dat", 200),
    ("rfc4475/longreq.dat", 100),
    ("rfc4475/dblreq.dat", 405),
    ("rfc4475/semiuri.dat", 200),
    ("rfc4475/transports.dat", 200),
    ("rfc4475/mpart01.dat", 405),
    ("rfc4475/unreason.dat", 0),
    ("rfc4475/noreason.dat", 0),
    ("rfc4475/badinv01.dat", 400),
    ("rfc4475/clerr.dat", 400),
    ("rfc4475/ncl.dat", 400),
    ("rfc4475/scalar02.dat", 400),
    ("rfc4475/scalarlg.dat", 0),
    ("rfc4475/quotbal.dat", 400),
    ("rfc4475/ltgtruri.dat", 400),
    ("rfc4475/baddate.dat", 100),
    ("rfc4475/badvers.dat", 505),
    ("rfc4475/mismatch01.dat", 400),
    ("rfc4475/mismatch02.dat", 400),
    ("rfc4475/bigcode.dat", 0),
    ("rfc4475/badbranch.dat", 400),
    ("rfc4475/insuf.dat", 400),
    ("rfc4475/unkscm.dat", 416),
    ("rfc4475/novelsc.dat", 416),
    ("rfc4475/unksm2.dat", 405),
    ("rfc4475/bext01.dat", 420),
    ("rfc4475/invut.dat", 415),
    ("rfc4475/regaut01.dat", 405),
    ("rfc4475/multi01.dat", 400),
    ("rfc4475/mcl01.dat", 400),
    ("rfc4475/bcast.dat", 0),
    ("rfc4475/zeromf.dat", 200),
    ("rfc4475/cparam01.dat", 405),
    ("rfc4475/cparam02.dat", 405),
    ("rfc4475/regescrt.dat", 405),
    ("rfc4475/sdp01.dat", 406),
    ("rfc4475/inv2543.dat", 100),
    ("rfc4475/test.dat", 0),
    ("rfc5118/ipv6-good.sip", 405),
    ("rfc5118/ipv6-bad.sip", 400),
    ("rfc5118/port-ambiguous.sip", 405),
    ("rfc5118/port-unambiguous.sip", 405),
    ("rfc5118/via-received-param-with-delim.sip", 481),
    ("rfc5118/via-received-param-no-delim.sip", 200),
    ("rfc5118/ipv6-in-sdp.sip", 100),
    ("rfc5118/mult-ip-in-header.sip", 481),
    ("rfc5118/mult-ip-in-sdp.sip", 100),
    ("rfc5118/ipv4-mapped-ipv6.sip", 100),
    ("rfc5118/ipv6-bug-abnf-3-colons.sip", 200),
    ("rfc5118/ipv6-correct-abnf-2-colons.sip", 200),
];

fn read(file: &str) -> Vec<u8> {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors");
    std::fs::read(vectors.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[test]
fn every_torture_message_gets_its_verdict() {
    for (file, status) in VERDICTS {
        let mut world = World::new();
        world.hear_octets(udp("198.51.100.7:5060"), Some(TrunkId(0)), &read(file));
        let said: Vec<_> = world.take().iter().map(|sent| sent.text.status()).collect();
        let expected: Vec<u16> = if *status == 0 { Vec::new() } else { vec![*status] };
        assert_eq!(said, expected, "{file}");
        let offered = world.events.first().map(|(leg, _)| *leg);
        assert_eq!(offered.is_some(), *status == 100, "{file}");
        if let Some(leg) = offered {
            world.tell(leg, LegCommand::Refuse(BUSY));
            assert_eq!(world.only().status(), 486, "{file}");
        }
        world.assert_clean();
    }
}

#[test]
fn no_torture_message_of_a_stranger_is_answered() {
    for (file, _) in VERDICTS {
        let mut world = World::new();
        world.hear_octets(udp("203.0.113.66:5060"), None, &read(file));
        world.silent();
        assert_eq!(world.heard(), [], "{file}");
        world.assert_clean();
    }
}

#[test]
fn the_short_tortuous_invite_is_a_call_once_it_is_in_no_dialog() {
    let mut world = World::new();
    let invite =
        String::from_utf8(read("rfc4475/wsinv.dat")).unwrap().replacen(";   tag    = 1918181833n", "", 1);
    world.hear(&invite);
    let LegEvent::Offered(incoming) = world.only_event() else { panic!("offered") };
    assert_eq!((incoming.called.as_str(), incoming.to.as_str()), ("vivekg", "vivekg"));
    let from = incoming.identity.from.as_ref().map(|named| named.user.as_str());
    assert_eq!((from, incoming.hops), (Some("jdrosen"), 68));
    assert!(incoming.offer.unwrap().starts_with(b"v=0\r\n"));
    let vias = world.only().all("Via").join(", ");
    assert!(vias.contains("192.0.2.2;branch=390skdjuw"), "{vias}");
    assert!(vias.contains("received=198.51.100.7"), "{vias}");
}
