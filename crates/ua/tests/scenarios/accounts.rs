//! Callers who must prove who they are: RFC 3261 §22.1, RFC 7616, RFC 8760.

use std::sync::Arc;
use std::time::Duration;

use md5::Md5;
use sha2::{Digest, Sha256};
use ua::{Account, Counted, Credentials, LegEvent, Source, TrunkId};

use crate::world::{ANSWER, Caller, OFFER, TRUNK, Text, World, config, sdp, udp, with_body};

const PBX: TrunkId = TrunkId(1);
const OTHER: TrunkId = TrunkId(2);
const FAR: &str = "203.0.113.9:5060";
const URI: &str = "sip:+74951234567@192.0.2.1:5060";

fn account(trunk: TrunkId, username: &str, md5: bool) -> Account {
    let credentials =
        Credentials { username: username.into(), password: "secret of ours".into(), realm: None, md5 };
    Account { trunk, credentials: Arc::new(credentials), sha256: true }
}

fn world() -> World {
    let accounts = vec![account(PBX, "pbx", true), account(OTHER, "other", false)];
    World::with(ua::Config { accounts, realm: "bauta".to_owned(), ..config() })
}

/// Whoever speaks from here may be either.
fn hear(world: &mut World, peer: &str, near: bool, text: &str) {
    let at = world.now;
    let source = Source::Unproved { of: vec![PBX, OTHER], near: near.then_some(PBX), at };
    world.hear_from(udp(peer), source, text.as_bytes());
}

fn param<'t>(line: &'t str, name: &str) -> &'t str {
    let (_, rest) = line.split_once(&format!("{name}=")).unwrap_or_else(|| panic!("no {name} in {line}"));
    match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap(),
        None => rest.split(',').next().unwrap(),
    }
}

fn hex<D: Digest>(text: &str) -> String {
    D::digest(text).iter().map(|octet| format!("{octet:02x}")).collect()
}

/// What is said of whom; each part may be wrong.
#[derive(Debug, Clone)]
struct Says {
    username: &'static str,
    password: &'static str,
    uri: &'static str,
    nc: &'static str,
    sha: bool,
    method: &'static str,
}

const PROVES: Says = Says {
    username: "pbx",
    password: "secret of ours",
    uri: URI,
    nc: "00000001",
    sha: true,
    method: "INVITE",
};

impl Says {
    /// RFC 7616 §3.4.1, written apart from the code under test.
    fn line(&self, nonce: &str) -> String {
        let Self { username, password, uri, nc, sha, method } = self;
        let hash = if *sha { hex::<Sha256> } else { hex::<Md5> };
        let (user, asked) = (hash(&format!("{username}:bauta:{password}")), hash(&format!("{method}:{uri}")));
        let response = hash(&format!("{user}:{nonce}:{nc}:cn:auth:{asked}"));
        let algorithm = if *sha { "SHA-256" } else { "MD5" };
        format!(
            "Authorization: Digest username=\"{username}\", realm=\"bauta\", nonce=\"{nonce}\", uri=\"{uri}\", \
             response=\"{response}\", algorithm={algorithm}, qop=auth, nc={nc}, cnonce=\"cn\"\r\n"
        )
    }
}

/// A caller who is asked; the nonce.
fn asked(world: &mut World, peer: &str, near: bool) -> (Caller, String) {
    let mut caller = Caller::new(world);
    let invite = caller.invite(world, "", Some(OFFER));
    hear(world, peer, near, &invite);
    let refused = world.only();
    assert_eq!(refused.status(), 401);
    let nonce = param(refused.all("WWW-Authenticate")[0], "nonce").to_owned();
    hear(world, peer, near, &caller.ack_refusal());
    (caller, nonce)
}

/// The same call again with this said.
fn says(world: &mut World, caller: &mut Caller, peer: &str, near: bool, line: &str) -> Vec<Text> {
    let invite = caller.invite(world, line, Some(OFFER));
    hear(world, peer, near, &invite);
    world.take().into_iter().map(|sent| sent.text).collect()
}

fn offered(world: &mut World) -> Option<TrunkId> {
    match world.heard().as_slice() {
        [LegEvent::Offered(incoming)] => Some(incoming.trunk),
        [] => None,
        other => panic!("{other:#?}"),
    }
}

#[test]
fn a_call_is_challenged_by_the_best_function_first_and_nothing_is_kept() {
    let mut world = world();
    let mut caller = Caller::new(&mut world);
    let invite = caller.invite(&mut world, "", Some(OFFER));
    hear(&mut world, FAR, false, &invite);
    let refused = world.only();
    let [sha, md5] = refused.all("WWW-Authenticate")[..] else { panic!("{refused:?}") };
    assert_eq!((param(sha, "algorithm"), param(md5, "algorithm")), ("SHA-256", "MD5"));
    for line in [sha, md5] {
        assert_eq!((param(line, "realm"), param(line, "qop")), ("bauta", "auth"));
        assert!(!line.contains("stale") && param(line, "nonce").len() == 60, "{line}");
    }
    assert_eq!((world.ua.legs(), world.ua.transactions(), world.timers()), (0, 0, 0));
    assert_eq!(world.counted, [Counted::Answered(401)]);
    hear(&mut world, FAR, false, &caller.ack_refusal());
    world.silent();
}

#[test]
fn whoever_proves_an_account_is_its_trunk_wherever_they_call_from() {
    for (peer, near) in [(FAR, false), (TRUNK, true)] {
        for (username, trunk) in [("pbx", PBX), ("other", OTHER)] {
            let mut world = world();
            let (mut caller, nonce) = asked(&mut world, peer, near);
            let line = Says { username, ..PROVES }.line(&nonce);
            let said = says(&mut world, &mut caller, peer, near, &line);
            assert_eq!(said.iter().map(Text::status).collect::<Vec<_>>(), [100]);
            assert_eq!(offered(&mut world), Some(trunk));
        }
    }
}

#[test]
fn md5_is_taken_where_the_account_has_it_so() {
    let mut world = world();
    let (mut caller, nonce) = asked(&mut world, FAR, false);
    let md5 = Says { sha: false, ..PROVES };
    says(&mut world, &mut caller, FAR, false, &md5.line(&nonce));
    assert_eq!(offered(&mut world), Some(PBX));
    let (mut caller, nonce) = asked(&mut world, FAR, false);
    let said = says(&mut world, &mut caller, FAR, false, &Says { username: "other", ..md5 }.line(&nonce));
    assert_eq!((said[0].status(), offered(&mut world)), (401, None));
    // A trunk that takes nothing but SHA-256 asks for nothing else.
    let invite = caller.invite(&mut world, "", Some(OFFER));
    let source = Source::Unproved { of: vec![OTHER], near: None, at: world.now };
    world.hear_from(udp(FAR), source, invite.as_bytes());
    assert_eq!(world.only().all("WWW-Authenticate").len(), 1);
    // And one that takes nothing but MD5 neither.
    let old = Account { sha256: false, ..account(PBX, "pbx", true) };
    let mut world = World::with(ua::Config { accounts: vec![old], realm: "bauta".to_owned(), ..config() });
    let (mut caller, nonce) = asked(&mut world, FAR, false);
    says(&mut world, &mut caller, FAR, false, &PROVES.line(&nonce));
    assert_eq!(offered(&mut world), None);
    let (mut caller, nonce) = asked(&mut world, FAR, false);
    says(&mut world, &mut caller, FAR, false, &md5.line(&nonce));
    assert_eq!(offered(&mut world), Some(PBX));
}

#[test]
fn the_uri_it_is_proved_for_may_be_our_host_alone() {
    let mut world = world();
    let (mut caller, nonce) = asked(&mut world, FAR, false);
    let line = Says { uri: "sip:192.0.2.1:5060", ..PROVES }.line(&nonce);
    says(&mut world, &mut caller, FAR, false, &line);
    assert_eq!(offered(&mut world), Some(PBX));
}

#[test]
fn what_is_wrong_is_asked_again_and_all_that_is_wrong_looks_alike() {
    let wrong = [
        Says { password: "guess", ..PROVES },
        Says { username: "nobody", ..PROVES },
        Says { username: "", password: "", ..PROVES },
        Says { method: "REGISTER", ..PROVES },
    ];
    for says_wrong in wrong {
        let mut world = world();
        let (mut caller, nonce) = asked(&mut world, FAR, false);
        world.counted.clear();
        let said = says(&mut world, &mut caller, FAR, false, &says_wrong.line(&nonce));
        assert_eq!((said[0].status(), offered(&mut world)), (401, None), "{says_wrong:?}");
        assert!(!said[0].all("WWW-Authenticate")[0].contains("stale"), "{says_wrong:?}");
        assert_eq!(world.counted, [Counted::Unproved, Counted::Answered(401)]);
    }
}

#[test]
fn what_answers_no_challenge_of_ours_is_nothing_said() {
    let mut world = world();
    let (mut caller, nonce) = asked(&mut world, FAR, false);
    world.counted.clear();
    let good = PROVES.line(&nonce);
    let other_mark = format!("{}{}", &nonce[..59], if nonce.ends_with('0') { '1' } else { '0' });
    for line in [
        PROVES.line("made up"),
        PROVES.line(&other_mark),
        good.replace("Digest", "Basic"),
        good.replace("realm=\"bauta\"", "realm=\"other\""),
        good.replace("algorithm=SHA-256", "algorithm=SHA-512-256"),
        good.replace("qop=auth, ", ""),
        good.replace("qop=auth,", "qop=auth-int,"),
        good.replace("nc=00000001", "nc=1"),
        good.replace("cnonce=\"cn\"", "x=y"),
        "Authorization: Digest nonsense\r\n".to_owned(),
    ] {
        let said = says(&mut world, &mut caller, FAR, false, &line);
        assert_eq!((said[0].status(), offered(&mut world)), (401, None), "{line}");
        world.pass(Duration::from_secs(1));
    }
    assert!(world.counted.iter().all(|counted| *counted == Counted::Answered(401)));
}

#[test]
fn a_nonce_is_of_one_address_and_good_for_five_minutes_and_each_count_once() {
    let mut world = world();
    let (mut caller, nonce) = asked(&mut world, FAR, false);
    let elsewhere = says(&mut world, &mut caller, "203.0.113.10:5060", false, &PROVES.line(&nonce));
    assert_eq!((elsewhere[0].status(), offered(&mut world)), (401, None));
    says(&mut world, &mut caller, FAR, false, &PROVES.line(&nonce));
    assert_eq!(offered(&mut world), Some(PBX));
    // Replayed: a new nonce is offered to whoever could use it.
    let mut again = Caller::new(&mut world);
    let said = says(&mut world, &mut again, FAR, false, &PROVES.line(&nonce));
    assert_eq!(offered(&mut world), None);
    assert!(said[0].all("WWW-Authenticate").iter().all(|line| line.ends_with("stale=true")), "{said:?}");
    let counted_on = Says { nc: "00000002", ..PROVES };
    says(&mut world, &mut again, FAR, false, &counted_on.line(&nonce));
    assert_eq!(offered(&mut world), Some(PBX));
    world.pass(Duration::from_secs(301));
    world.take();
    world.heard();
    let mut late = Caller::new(&mut world);
    let said = says(&mut world, &mut late, FAR, false, &Says { nc: "00000003", ..PROVES }.line(&nonce));
    assert!(said[0].all("WWW-Authenticate")[0].ends_with("stale=true"));
    let fresh = param(said[0].all("WWW-Authenticate")[0], "nonce").to_owned();
    says(&mut world, &mut late, FAR, false, &PROVES.line(&fresh));
    assert_eq!(offered(&mut world), Some(PBX));
}

#[test]
fn an_invite_that_comes_again_is_not_asked_again_and_can_be_taken_back() {
    let mut world = world();
    let (mut caller, nonce) = asked(&mut world, FAR, false);
    let invite = caller.invite(&mut world, &PROVES.line(&nonce), Some(OFFER));
    for _ in 0..2 {
        hear(&mut world, FAR, false, &invite);
        assert_eq!(world.only().status(), 100);
    }
    assert_eq!(offered(&mut world), Some(PBX));
    hear(&mut world, FAR, false, &caller.cancel());
    assert_eq!(world.said(), ["200 CANCEL", "487 INVITE"]);
    hear(&mut world, FAR, false, &caller.ack_refusal());
    world.assert_clean();
}

#[test]
fn nothing_is_asked_inside_a_dialog() {
    let mut world = world();
    let (mut caller, nonce) = asked(&mut world, FAR, false);
    says(&mut world, &mut caller, FAR, false, &PROVES.line(&nonce));
    let [(leg, _)] = world.events[..] else { panic!("offered") };
    world.tell(leg, ua::LegCommand::Accept(sdp(ANSWER)));
    caller.learn(&world.only());
    let ack = caller.ack(&mut world, "");
    hear(&mut world, FAR, false, &ack);
    for method in ["INFO", "OPTIONS", "BYE"] {
        let request = caller.request(&mut world, method, &with_body("", None));
        hear(&mut world, FAR, false, &request);
        assert_eq!(world.only().status(), 200, "{method}");
    }
}

#[test]
fn strangers_learn_nothing_by_anything_but_a_call_and_known_addresses_as_much_as_ever() {
    let mut world = world();
    let mut caller = Caller::new(&mut world);
    for method in ["OPTIONS", "REGISTER", "MESSAGE", "SUBSCRIBE", "BYE", "CANCEL", "ACK", "FROB"] {
        let request = caller.bare(&mut world, method);
        hear(&mut world, FAR, false, &request);
        world.silent();
    }
    caller.our_tag = Some("no-such-dialog".to_owned());
    let reinvite = caller.invite(&mut world, "", Some(OFFER));
    hear(&mut world, FAR, false, &reinvite);
    hear(&mut world, FAR, false, "INVITE nonsense\r\n\r\n");
    world.silent();
    caller.our_tag = None;
    for (method, status) in [("OPTIONS", 200), ("REGISTER", 405), ("BYE", 481)] {
        let request = caller.bare(&mut world, method);
        hear(&mut world, TRUNK, true, &request);
        assert_eq!(world.only().status(), status, "{method}");
    }
}

#[test]
fn who_guesses_is_not_heard_any_more_for_a_while() {
    for (peer, near) in [(FAR, false), (TRUNK, true)] {
        let mut world = world();
        let wrong = Says { password: "guess", ..PROVES };
        for _ in 0..10 {
            let (mut caller, nonce) = asked(&mut world, peer, near);
            says(&mut world, &mut caller, peer, near, &wrong.line(&nonce));
            world.pass(Duration::from_secs(1));
        }
        let mut caller = Caller::new(&mut world);
        assert_eq!(says(&mut world, &mut caller, peer, near, ""), [], "{peer}");
        // Others are heard.
        asked(&mut world, "203.0.113.200:5060", false);
        world.pass(Duration::from_secs(600));
        asked(&mut world, peer, near);
    }
}

#[test]
fn challenges_to_strangers_are_few_and_to_known_addresses_any_number() {
    let mut world = world();
    for (peer, near, expected) in [(FAR, false, 10), (TRUNK, true, 50)] {
        let mut caller = Caller::new(&mut world);
        let answers: usize = (0..50).map(|_| says(&mut world, &mut caller, peer, near, "").len()).sum();
        assert_eq!(answers, expected, "{peer}");
    }
}

#[test]
fn passwords_show_themselves_nowhere() {
    assert!(!format!("{:?}", account(PBX, "pbx", true)).contains("secret"));
    assert!(!format!("{:?}", world().ua).contains("secret of ours"));
}
