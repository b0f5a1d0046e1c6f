//! How numbers are written to a trunk and read from it.

use b2bua::{Cause, Profile, Sender, Shown};
use number::{Form, Plan};
use sim::{Act, CalleePlan, CallerPlan, Reaction, Weather, World};

use crate::worlds::{CLIENT, COURIER, LINE, seconds, with_order};

const CALLEES: &str = "192.0.2.12:5060";

/// A call that comes and goes by a trunk of this kind: how our INVITE reads, and what it came to.
fn called(change: impl FnOnce(&mut Profile), to: &str, from: &str) -> (Vec<String>, Cause) {
    let mut config = sim::config();
    change(&mut config.trunks[0].profile);
    let mut world = with_order(World::new(config, Weather::FAIR, 1));
    for written in [CLIENT, "99%23989992222222", "989992222222", "79992222222", "9992222222", "89992222222"] {
        world.callee(written, CalleePlan::new(Reaction::Answer(seconds(1))));
    }
    world.caller(seconds(0), CallerPlan::keying(from, to, "12345").doing(seconds(40), Act::HangUp));
    world.run_until_quiet();
    world.assert_clean();
    let peer = CALLEES.parse().expect("an address");
    let invite = world.received.get(&peer).and_then(|received| received.first());
    let text = invite.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
    let outcome = world.audit.records[0].outcome.expect("a record has its outcome");
    (text.split("\r\n").map(str::to_owned).collect(), outcome.cause)
}

/// What stands behind the name, up to the tag.
fn header<'a>(lines: &'a [String], name: &str) -> Option<&'a str> {
    let value = lines.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))?;
    value.split(";tag=").next()
}

#[test]
fn numbers_are_written_as_the_trunk_wants_them() {
    for (form, callee, ours) in [
        (Form::Plus, "sip:+79992222222@192.0.2.12:5060;user=phone", "+78005553535"),
        (Form::Digits, "sip:79992222222@192.0.2.12:5060", "78005553535"),
        (Form::National, "sip:89992222222@192.0.2.12:5060", "88005553535"),
        (Form::Significant, "sip:9992222222@192.0.2.12:5060", "8005553535"),
    ] {
        let (lines, cause) = called(|profile| profile.form = form, LINE, COURIER);
        assert_eq!(lines[0], format!("INVITE {callee} SIP/2.0"));
        assert_eq!(header(&lines, "To"), Some(&*format!("<{callee}>")));
        assert_eq!(header(&lines, "From"), Some(&*format!("<sip:{ours}@198.51.100.1:5060>")));
        assert_eq!(cause, Cause::HungUp, "{form:?}");
    }
}

#[test]
fn what_is_dialled_before_a_number_stands_before_the_callees_alone() {
    let (lines, cause) = called(
        |profile| {
            profile.form = Form::National;
            profile.prefix = "99#9".into();
        },
        LINE,
        COURIER,
    );
    assert_eq!(lines[0], "INVITE sip:99%23989992222222@192.0.2.12:5060 SIP/2.0");
    assert_eq!(header(&lines, "From"), Some("<sip:88005553535@198.51.100.1:5060>"));
    assert_eq!(cause, Cause::HungUp);
}

#[test]
fn numbers_are_read_as_the_trunk_writes_them() {
    let (_, cause) = called(|profile| profile.strip = "77".into(), "7788005553535", "7789991111111");
    assert_eq!(cause, Cause::HungUp);
    let (_, cause) = called(|_| (), "7788005553535", COURIER);
    assert_eq!(cause, Cause::UnknownLine);
    // What is the line's number at home is none abroad.
    let germany = |profile: &mut Profile| profile.plan = Plan::of("DE").expect("a known country");
    assert_eq!(called(germany, "88005553535", COURIER).1, Cause::UnknownLine);
    assert_eq!(called(germany, "0078005553535", "0079991111111").1, Cause::HungUp);
}

#[test]
fn ours_is_shown_by_the_headers_the_trunk_wants_and_no_other() {
    let own = "<sip:+78005553535@192.0.2.12>";
    let (lines, _) = called(
        |profile| {
            profile.from = Sender::Account("sip:bauta@carrier.example".into());
            profile.shown = vec![Shown::Preferred, Shown::RemoteParty];
        },
        LINE,
        COURIER,
    );
    assert_eq!(header(&lines, "From"), Some("<sip:bauta@carrier.example>"));
    assert_eq!(header(&lines, "P-Preferred-Identity"), Some(own));
    let party = format!("{own};party=calling;screen=yes;privacy=off");
    assert_eq!(header(&lines, "Remote-Party-ID"), Some(&*party));
    assert_eq!((header(&lines, "P-Asserted-Identity"), header(&lines, "Diversion")), (None, None));

    let (lines, _) = called(|profile| profile.from = Sender::AtCarrier, LINE, COURIER);
    assert_eq!((header(&lines, "From"), header(&lines, "P-Asserted-Identity")), (Some(own), Some(own)));

    let (lines, _) = called(|profile| profile.withheld = true, LINE, COURIER);
    assert_eq!(header(&lines, "From"), Some("<sip:anonymous@anonymous.invalid>"));
    assert_eq!(header(&lines, "P-Asserted-Identity"), Some("<sip:+78005553535@198.51.100.1:5060>"));
    assert_eq!(header(&lines, "Privacy"), Some("id"));
}
