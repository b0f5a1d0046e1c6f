//! Callers who are verified, and callers who are not.

use std::time::Duration;

use b2bua::{
    Attestation, Cause, Config, Happening, IdentityFault, Policy, Record, Treatment, Verification, Verify,
};
use sim::{Act, CalleePlan, CallerPlan, Reaction, Weather, World};

use crate::worlds::{CLIENT, COURIER, LINE, OPERATOR, seconds, with_order};

const FULL: Verification = Verification::Passed(Some(Attestation::Full));
const WEAK: Verification = Verification::Passed(Some(Attestation::Gateway));
const FORGED: Verification = Verification::Failed(IdentityFault::Signature);
const UNKNOWN: Verification = Verification::None(Some(IdentityFault::UnknownCertificate));
/// What no party may see of it.
const TOKEN: &str = "Identity: canary-token.p.s;info=<https://canary-signer.example/a>;alg=ES256;ppt=shaken";

fn config(verify: Verify, policy: Policy) -> Config {
    let mut config = sim::config();
    config.trunks[0].verify = verify;
    config.lines[0].policy = policy;
    config
}

fn policy(unverified: Treatment, disproved: Treatment) -> Policy {
    Policy { unverified, disproved, attestation: None }
}

const IDENTITY: Verify = Verify { verstat: false, identity: true };
const VERSTAT: Verify = Verify { verstat: true, identity: false };

fn world(config: Config) -> World {
    let mut world = with_order(World::new(config, Weather::FAIR, 1));
    for number in [CLIENT, OPERATOR] {
        world.callee(number, CalleePlan::new(Reaction::Answer(seconds(1))));
    }
    world
}

/// The record of one call that keys the order's code and then asks for the operator.
fn call(world: &mut World, caller: CallerPlan) -> Record {
    let mut caller = caller.doing(seconds(120), Act::HangUp);
    caller.keys.push((seconds(9), '#'));
    world.caller(seconds(0), caller);
    world.run_until_quiet();
    world.assert_clean();
    assert_eq!(world.audit.records.len(), 1);
    world.audit.records[0].clone()
}

fn courier() -> CallerPlan {
    CallerPlan::keying(COURIER, LINE, "12345")
}

fn cause(record: &Record) -> Cause {
    record.outcome.expect("a record has its outcome").cause
}

/// What became of a call with a PASSporT of which whoever verifies says this.
fn verified(verification: Verification, policy: Policy) -> (World, Record) {
    let mut world = world(config(IDENTITY, policy));
    world.verify(verification);
    let record = call(&mut world, courier().saying(TOKEN));
    (world, record)
}

fn number(text: &str) -> Option<number::Number> {
    Some(number::Number::parse(text).expect("a number"))
}

#[test]
fn a_verified_caller_is_believed_and_joined() {
    let (world, record) = verified(FULL, policy(Treatment::Refuse, Treatment::Refuse));
    assert!(record.callee_reached && record.number_found);
    assert_eq!((record.verification, record.caller, record.claimed), (Some(FULL), number(COURIER), None));
    let question = &world.questions[0];
    assert_eq!((Some(question.from), Some(question.to)), (number(COURIER), number(LINE)));
    assert_eq!(question.identities.len(), 1);
    let verification = Some(FULL);
    let (line, trunk) = (record.line.expect("a line"), b2bua::TrunkId(0));
    let arrived = Happening::Arrived { line, trunk, caller: record.caller, verification, claimed: None };
    assert!(world.audit.happened.contains(&arrived), "{:?}", world.audit.happened);
}

#[test]
fn a_caller_who_is_disproved_is_taken_for_a_stranger_and_reaches_only_the_operator() {
    let (_, record) = verified(FORGED, Policy::LENIENT);
    assert!(record.order_found && !record.number_found && !record.callee_reached);
    assert!(record.operator_reached, "{record:?}");
    assert_eq!((record.verification, record.caller, record.claimed), (Some(FORGED), None, number(COURIER)));
}

#[test]
fn a_line_that_refuses_says_why_and_answers_nobody() {
    let refusing = policy(Treatment::Refuse, Treatment::Refuse);
    for (verification, status) in [
        (FORGED, 438),
        (Verification::Failed(IdentityFault::Stale), 403),
        (Verification::Failed(IdentityFault::Untrusted), 437),
        (UNKNOWN, 436),
        (Verification::None(None), 428),
    ] {
        let (world, record) = verified(verification, refusing);
        assert_eq!(world.statuses(), [Some(status)], "{verification:?}");
        assert_eq!((cause(&record), record.answered), (Cause::Unverified, None));
        assert_eq!((record.verification, record.claimed), (Some(verification), number(COURIER)));
        assert_eq!(record.outcome.expect("an outcome").status, Some(status));
        assert!(!world.audit.happened.iter().any(|what| matches!(what, Happening::Arrived { .. })));
    }
}

#[test]
fn callers_nobody_speaks_for_are_treated_as_the_line_says() {
    for (treatment, is_believed) in [(Treatment::Take, true), (Treatment::Stranger, false)] {
        for verification in [UNKNOWN, Verification::None(None)] {
            let (_, record) = verified(verification, policy(treatment, Treatment::Refuse));
            assert_eq!((record.callee_reached, record.operator_reached), (is_believed, !is_believed));
        }
        // Without any PASSporT nobody is asked.
        let mut world = world(config(IDENTITY, policy(treatment, Treatment::Refuse)));
        let record = call(&mut world, courier());
        assert_eq!(record.callee_reached, is_believed);
        assert_eq!((record.verification, world.questions.len()), (Some(Verification::None(None)), 0));
    }
}

#[test]
fn a_line_may_want_to_know_its_callers_better() {
    let demanding = |attestation| Policy {
        unverified: Treatment::Refuse,
        disproved: Treatment::Refuse,
        attestation: Some(attestation),
    };
    for (verification, attestation, status) in [
        (FULL, Attestation::Full, 200),
        (WEAK, Attestation::Full, 403),
        (WEAK, Attestation::Gateway, 200),
        (Verification::Passed(None), Attestation::Gateway, 403),
    ] {
        let (world, _) = verified(verification, demanding(attestation));
        assert_eq!(world.statuses(), [Some(status)], "{verification:?}");
    }
}

#[test]
fn what_the_carrier_says_counts_where_it_is_believed_alone() {
    let stated = |verify, verstat: &str, policy| {
        let mut world = world(config(verify, policy));
        let caller = CallerPlan::keying(&format!("{COURIER};verstat={verstat}"), LINE, "12345");
        call(&mut world, caller)
    };
    let refusing = policy(Treatment::Refuse, Treatment::Refuse);
    let passed = stated(VERSTAT, "TN-Validation-Passed-A", refusing);
    assert_eq!((passed.verification, passed.callee_reached), (Some(FULL), true));
    let failed = stated(VERSTAT, "TN-Validation-Failed", refusing);
    assert_eq!(
        (cause(&failed), failed.outcome.and_then(|outcome| outcome.status)),
        (Cause::Unverified, Some(403))
    );
    assert_eq!(cause(&stated(VERSTAT, "No-TN-Validation", refusing)), Cause::Unverified);
    // Anybody can write it: from a trunk that is not said to be believed it proves nothing.
    assert_eq!(cause(&stated(IDENTITY, "TN-Validation-Passed-A", refusing)), Cause::Unverified);
    let off = stated(Verify::default(), "TN-Validation-Failed", refusing);
    assert_eq!((off.verification, off.callee_reached), (None, true), "nothing is verified by this trunk");
}

#[test]
fn of_two_sources_the_one_that_says_no_counts() {
    let both = Verify { verstat: true, identity: true };
    for (verstat, verification, is_believed) in [
        ("TN-Validation-Passed", FORGED, false),
        ("TN-Validation-Failed", FULL, false),
        ("TN-Validation-Passed", UNKNOWN, true),
        ("No-TN-Validation", FULL, true),
    ] {
        let mut world = world(config(both, policy(Treatment::Stranger, Treatment::Stranger)));
        world.verify(verification);
        let caller = CallerPlan::keying(&format!("{COURIER};verstat={verstat}"), LINE, "12345").saying(TOKEN);
        assert_eq!(call(&mut world, caller).callee_reached, is_believed, "{verstat} {verification:?}");
    }
}

#[test]
fn an_anonymous_caller_proves_nothing_and_may_be_refused() {
    for (treatment, status) in [(Treatment::Take, 200), (Treatment::Stranger, 200), (Treatment::Refuse, 433)]
    {
        let mut world = world(config(IDENTITY, policy(treatment, Treatment::Refuse)));
        world.verify(FULL);
        let record = call(&mut world, CallerPlan::keying("anonymous", LINE, "12345").saying(TOKEN));
        assert_eq!(world.statuses(), [Some(status)]);
        assert_eq!((record.caller, record.claimed, record.callee_reached), (None, None, false));
        assert_eq!(world.questions.len(), 0, "there is no number to be verified");
    }
}

#[test]
fn a_verifier_that_never_answers_holds_nobody_up_for_longer_than_a_second() {
    for (treatment, status) in [(Treatment::Take, 200), (Treatment::Refuse, 428)] {
        let mut world = world(config(IDENTITY, policy(treatment, Treatment::Refuse)));
        let record = call(&mut world, courier().saying(TOKEN));
        assert_eq!(world.statuses(), [Some(status)]);
        assert_eq!(record.verification, Some(Verification::None(Some(IdentityFault::Late))));
        let since = record.answered.or(record.ended).expect("one of them").since(record.started);
        assert!(since >= seconds(1) && since < Duration::from_millis(1500), "{since:?}");
    }
}

#[test]
fn a_caller_who_hangs_up_while_being_verified_leaves_one_record_and_nothing_else() {
    for after in [Duration::ZERO, Duration::from_millis(300), Duration::from_millis(990)] {
        let mut world = world(config(IDENTITY, Policy::LENIENT));
        world.caller(seconds(0), courier().saying(TOKEN).doing(after, Act::HangUp));
        world.run_until_quiet();
        world.assert_clean();
        assert_eq!(cause(&world.audit.records[0]), Cause::Cancelled, "{after:?}");
        assert_eq!((world.audit.records[0].answered, world.bridges()), (None, 0));
    }
}

#[test]
fn nothing_that_proves_a_caller_reaches_the_other_side() {
    let mut world = world(config(Verify { verstat: true, identity: true }, Policy::LENIENT));
    world.verify(FULL);
    let number = format!("{COURIER};verstat=TN-Validation-Passed-A");
    let record = call(
        &mut world,
        CallerPlan::keying(&number, LINE, "12345").saying(TOKEN).saying(&format!("y{}", &TOKEN[8..])),
    );
    assert!(record.callee_reached);
    let callee = "192.0.2.12:5060".parse().expect("an address");
    let received = &world.received[&callee];
    assert!(received.len() >= 3);
    for bytes in received {
        let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
        for mark in
            ["canary-token", "canary-signer", "canary-caller", "verstat", "\nidentity:", "\ny:", "shaken"]
        {
            assert!(!text.contains(mark), "{mark} in {text}");
        }
    }
}
