//! Calls of which hooks say what becomes of them.

use std::sync::Arc;

use b2bua::{
    Action, Advised, Approval, Cause, Connect, Done, Gather, Happening, HookFailure, HookLine, Hooks, Matter,
    Prompt, Record, Service, Side, Speech,
};
use number::Number;
use sim::{Act, CalleePlan, CallerPlan, MADE, Reaction, Weather, World, sweep};

use crate::order_call::ivr_prompts::*;
use crate::worlds::{CLIENT, COURIER, LINE, OPERATOR, STRANGER, seconds, with_order};

const OTHER_LINE: &str = "+78005550000";

fn number(text: &str) -> Number {
    Number::parse(text).expect("a number")
}

fn connect(to: &str) -> Connect {
    Connect {
        number: number(to),
        shown: None,
        ring_timeout: None,
        max_call: None,
        whisper: Vec::new(),
        confirm: false,
    }
}

fn connecting(to: &str) -> Action {
    Action::Connect(Box::new(connect(to)))
}

fn made() -> Speech {
    Speech::Made(Arc::new(rtp::Prompt::new(&[0; 8000])))
}

fn gather(count: u8) -> Action {
    let say = vec![Speech::Prompt(Prompt::Start, None)];
    Action::Gather(Gather { say, count, finish: Some('#'), timeout: seconds(5), barge_in: true })
}

fn config(change: impl FnOnce(&mut HookLine, &mut Hooks)) -> b2bua::Config {
    let mut config = sim::config();
    let (mut line, mut hooks) = (HookLine { hook: "shop".into(), answers_first: false }, Hooks::default());
    change(&mut line, &mut hooks);
    config.lines[0].service = Service::Hook(line);
    config.lines[0].hooks = hooks;
    let other = b2bua::Line { number: number(OTHER_LINE), ..config.lines[0].clone() };
    config.lines.push(other);
    config
}

fn world(config: b2bua::Config, seed: u64, answers: impl IntoIterator<Item = Vec<Action>>) -> World {
    let mut world = World::new(config, Weather::FAIR, seed);
    for actions in answers {
        world.hooks.say(Advised::Do(actions));
    }
    world
}

/// A stranger calls, keys this, and hangs up after a minute.
fn called(mut world: World, keys: &str) -> World {
    world.caller(seconds(0), CallerPlan::keying(STRANGER, LINE, keys).doing(seconds(60), Act::HangUp));
    world.run_until_quiet();
    world.assert_clean();
    world
}

fn record(world: &World) -> &Record {
    assert_eq!(world.audit.records.len(), 1);
    &world.audit.records[0]
}

fn cause(world: &World) -> (Side, Cause) {
    let outcome = record(world).outcome.expect("a record has its outcome");
    (outcome.side, outcome.cause)
}

/// What came of an action: its word, and the result.
type Came = (&'static str, &'static str);

/// Digits and what came of the last action, of each question.
fn asked(world: &World) -> Vec<(Option<String>, Option<Came>)> {
    let question = |matter: &Matter| match matter {
        Matter::Directions { digits, last, .. } => {
            (digits.as_deref().map(str::to_owned), last.map(|Done { action, result }| (action, result)))
        }
        Matter::Approval { .. } => panic!("nobody is connected here"),
    };
    world.hooks.asked.iter().map(|asked| question(&asked.matter)).collect()
}

fn answering(after: u64) -> CalleePlan {
    CalleePlan::new(Reaction::Answer(seconds(after)))
}

#[test]
fn whoever_is_refused_is_never_answered() {
    let world = called(world(config(|_, _| {}), 1, [vec![Action::Reject { status: 486 }]]), "");
    assert_eq!((world.statuses(), cause(&world)), (vec![Some(486)], (Side::Us, Cause::Refused)));
    assert_eq!((record(&world).answered, world.played().len()), (None, 0));
    assert_eq!(record(&world).hook_fault, None);
}

#[test]
fn a_hook_may_hang_up_or_have_nothing_to_do() {
    for (actions, status) in [
        (vec![Action::HangUp], Some(480)),
        (vec![], Some(480)),
        (vec![Action::Play(vec![made()])], Some(200)),
    ] {
        let world = called(world(config(|_, _| {}), 1, [actions]), "");
        assert_eq!((world.statuses(), cause(&world)), (vec![status], (Side::Us, Cause::Ended)));
    }
}

#[test]
fn one_action_follows_the_other_and_the_hook_hears_what_was_keyed() {
    let answers = [
        vec![Action::Play(vec![made()]), gather(2)],
        vec![gather(4)],
        vec![gather(9)],
        vec![connecting(CLIENT)],
    ];
    let mut world = world(config(|_, _| {}), 1, answers);
    world.callee(CLIENT, answering(2));
    // The play is no floor: keys begin with the first prompt, which is what was made.
    let mut plan = CallerPlan::keying(STRANGER, LINE, "").doing(seconds(60), Act::HangUp);
    plan.keys =
        [(1, '9'), (3, '1'), (4, '2'), (6, '3'), (7, '#')].map(|(at, key)| (seconds(at), key)).to_vec();
    world.caller(seconds(0), plan);
    world.run_until_quiet();
    world.assert_clean();
    let digits = |keyed: &str, result| (Some(keyed.to_owned()), Some(("gather", result)));
    assert_eq!(
        asked(&world),
        [(None, None), digits("12", "digits"), digits("3", "digits"), digits("", "timeout")]
    );
    assert_eq!(world.played(), [vec![MADE], vec![START], vec![START], vec![START], vec![MUSIC]]);
    assert_eq!((world.bridges(), cause(&world)), (1, (Side::Caller, Cause::HungUp)));
    assert!(record(&world).callee_reached);
    assert_eq!(record(&world).callee, Some(number(CLIENT)));
}

#[test]
fn keys_count_only_after_what_is_said_where_the_hook_says_so() {
    let say = vec![Speech::Prompt(Prompt::Start, None)];
    let patient =
        Action::Gather(Gather { say, count: 2, finish: None, timeout: seconds(3), barge_in: false });
    let mut world = world(config(|_, _| {}), 1, [vec![patient], vec![Action::HangUp]]);
    let mut plan = CallerPlan::keying(STRANGER, LINE, "");
    plan.keys = [(1, '1'), (3, '2'), (4, '#')].map(|(at, key)| (seconds(at), key)).to_vec();
    world.caller(seconds(0), plan);
    world.run_until_quiet();
    world.assert_clean();
    assert_eq!(asked(&world)[1].0.as_deref(), Some("2#"));
}

#[test]
fn who_is_not_reached_is_followed_by_the_next() {
    let answers = [vec![connecting(CLIENT), connecting(COURIER)]];
    let mut world = world(config(|_, _| {}), 1, answers);
    world.callee(CLIENT, CalleePlan::new(Reaction::Refuse(seconds(1), 486)));
    world.callee(COURIER, answering(2));
    let world = called(world, "");
    assert_eq!((world.bridges(), cause(&world)), (1, (Side::Caller, Cause::HungUp)));
    assert_eq!(record(&world).callee, Some(number(COURIER)));
}

#[test]
fn the_hook_may_be_asked_again_what_to_do_with_whoever_was_not_reached() {
    let again = Action::Redirect("night".into());
    let mut world = world(config(|_, _| {}), 1, [vec![connecting(CLIENT), again], vec![Action::HangUp]]);
    world.callee(CLIENT, CalleePlan::new(Reaction::Refuse(seconds(1), 486)));
    let world = called(world, "");
    assert_eq!(asked(&world), [(None, None), (None, Some(("redirect", "done")))]);
    let hooks: Vec<&str> = world.hooks.asked.iter().map(|asked| &*asked.hook).collect();
    assert_eq!(hooks, ["shop", "night"]);
}

#[test]
fn nobody_reached_is_why_the_call_ended() {
    for (reaction, cause_then) in [
        (Reaction::Refuse(seconds(1), 486), Cause::Busy),
        (Reaction::Refuse(seconds(1), 404), Cause::NoSuchNumber),
        (Reaction::Ring, Cause::NoAnswer),
    ] {
        let mut world = world(config(|_, _| {}), 1, [vec![connecting(CLIENT)]]);
        world.callee(CLIENT, CalleePlan::new(reaction));
        assert_eq!(cause(&called(world, "")), (Side::Callee, cause_then));
    }
}

#[test]
fn the_callee_hears_what_the_hook_says_and_sees_the_line_it_says() {
    for (key, bridges) in [('1', 1), ('2', 0)] {
        let named = Connect {
            shown: Some(number(OTHER_LINE)),
            whisper: vec![made()],
            confirm: true,
            max_call: Some(seconds(20)),
            ..connect(CLIENT)
        };
        let mut world = world(config(|_, _| {}), 1, [vec![Action::Connect(Box::new(named))]]);
        world.callee(CLIENT, CalleePlan { keys: vec![(seconds(3), key)], ..answering(1) });
        let world = called(world, "");
        assert_eq!(world.played()[1], [MADE, CONFIRM], "{key}");
        assert_eq!(world.bridges(), bridges, "{key}");
        let invites: Vec<String> = world
            .received
            .values()
            .flatten()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            .filter(|text| text.starts_with("INVITE"))
            .collect();
        assert!(invites.iter().all(|text| text.contains(OTHER_LINE) && !text.contains(LINE)), "{invites:?}");
        if bridges == 1 {
            assert_eq!(cause(&world), (Side::Us, Cause::MaxDuration));
        }
    }
}

#[test]
fn a_number_that_is_no_line_of_ours_is_shown_to_nobody() {
    let named = Connect { shown: Some(number(COURIER)), ..connect(CLIENT) };
    let world = called(world(config(|_, _| {}), 1, [vec![Action::Connect(Box::new(named))]]), "");
    assert_eq!(cause(&world), (Side::Us, Cause::Unreachable));
    assert!(record(&world).hook_fault.as_deref().is_some_and(|fault| fault.contains("no line of ours")));
}

#[test]
fn a_call_is_recorded_from_where_the_hook_says() {
    let times = |world: &World| {
        let (mut records, mut pauses) = (0, Vec::new());
        for command in &world.commands {
            if let rtp::Command::Record { .. } = command {
                records += 1;
            } else if let rtp::Command::PauseRecording { paused, .. } = command {
                pauses.push(*paused);
            }
        }
        (records, pauses)
    };
    let say = || Action::Play(vec![made()]);
    let (on, off) = (|| Action::Record(true), || Action::Record(false));
    for (actions, expected) in [
        (vec![say()], (1, vec![])),
        (vec![off(), say()], (0, vec![])),
        (vec![off(), say(), on(), say()], (1, vec![])),
        (vec![say(), off(), say(), on(), on(), say()], (1, vec![true, false])),
    ] {
        let world = called(world(config(|_, _| {}), 1, [actions]), "");
        assert_eq!(times(&world), expected);
        assert_eq!(record(&world).recording.is_some(), expected.0 == 1);
    }
}

#[test]
fn who_can_be_told_nothing_gets_what_the_line_says() {
    let with = |failure: HookFailure, has_operator: bool| {
        let mut config = config(|_, hooks| hooks.failure = failure);
        if !has_operator {
            config.lines[0].operator = None;
        }
        let mut world = World::new(config, Weather::FAIR, 1);
        world.callee(OPERATOR, answering(1));
        called(world, "")
    };
    for failure in [HookFailure::Reserve, HookFailure::LastGood] {
        let world = with(failure, true);
        assert_eq!((world.bridges(), record(&world).operator_reached), (1, true), "{failure:?}");
        let failed =
            |what: &Happening| matches!(what, Happening::HookFailed { hook, .. } if &**hook == "shop");
        assert!(world.audit.happened.iter().any(failed), "{failure:?}");
        assert!(record(&world).hook_fault.is_some());
    }
    for world in [with(HookFailure::Refuse, true), with(HookFailure::Reserve, false)] {
        assert_eq!((world.statuses(), cause(&world)), (vec![Some(503)], (Side::Us, Cause::HookFailed)));
    }
    let may_repeat = |world: &World| match world.hooks.asked[0].matter {
        Matter::Directions { may_repeat, .. } => may_repeat,
        Matter::Approval { .. } => panic!("nobody is connected here"),
    };
    assert!(may_repeat(&with(HookFailure::LastGood, true)) && !may_repeat(&with(HookFailure::Reserve, true)));
}

#[test]
fn a_hook_that_always_asks_again_is_asked_so_often_and_no_more() {
    let world = called(world(config(|_, _| {}), 1, vec![vec![Action::Redirect("shop".into())]; 60]), "");
    assert_eq!(world.hooks.asked.len(), 50);
    assert!(record(&world).hook_fault.as_deref().is_some_and(|fault| fault.contains("too often")));
}

#[test]
fn a_line_may_answer_before_it_asks() {
    let config = config(|line, _| line.answers_first = true);
    let world = called(world(config, 1, [vec![Action::Reject { status: 486 }]]), "");
    assert_eq!((world.statuses(), cause(&world)), (vec![Some(200)], (Side::Us, Cause::Refused)));
}

#[test]
fn who_waits_for_a_hook_hears_music_and_is_not_left_there() {
    let mut world = world(config(|line, _| line.answers_first = true), 1, []);
    world.silence_hooks();
    world.callee(OPERATOR, answering(1));
    let world = called(world, "");
    assert_eq!(world.played(), [vec![MUSIC], vec![OPERATOR_CONNECTING, MUSIC]]);
    assert!(record(&world).operator_reached);
}

#[test]
fn whom_a_rule_forbids_is_not_called_for_a_hook_either_and_the_next_is() {
    let forbid: [fn(&mut b2bua::Config, &mut sim::Orders); 3] = [
        |config, _| config.lines[0].dial.deny = vec![b2bua::Prefix::parse("+79992").expect("a prefix")],
        |_, orders| orders.forbidden.extend([(number(CLIENT), b2bua::Forbidden::Blocked)]),
        |_, orders| orders.forbidden.extend([(number(CLIENT), b2bua::Forbidden::Quiet)]),
    ];
    for (place, forbid) in forbid.into_iter().enumerate() {
        let (mut config, mut orders) = (config(|_, _| {}), sim::Orders::default());
        forbid(&mut config, &mut orders);
        let mut world = world(config, 1, [vec![connecting(CLIENT), connecting(COURIER)]]);
        world.orders = orders;
        world.callee(COURIER, answering(1));
        let world = called(world, "");
        assert_eq!((world.bridges(), record(&world).callee), (1, Some(number(COURIER))), "{place}");
    }
}

#[test]
fn nobody_is_asked_about_a_caller_who_is_blocked() {
    for (blocked, statuses) in
        [(b2bua::Blocked::Refuse, vec![Some(603)]), (b2bua::Blocked::HearOut, vec![Some(200)])]
    {
        let mut config = config(|_, _| {});
        config.lines[0].blocked = blocked;
        let mut world = world(config, 1, [vec![connecting(CLIENT)]]);
        world.orders.blocked.push(number(STRANGER));
        let world = called(world, "");
        assert_eq!((world.statuses(), cause(&world).1), (statuses, Cause::Blocked));
        assert_eq!((world.hooks.asked.len(), world.bridges()), (0, 0));
    }
}

#[test]
fn nobody_is_recorded_who_was_not_told_where_the_line_tells_people() {
    let (on, say) = (|| Action::Record(true), || Action::Play(vec![made()]));
    for (actions, is_recorded) in [(vec![on(), say()], true), (vec![say(), on(), say()], false)] {
        let mut config = config(|_, _| {});
        config.lines[0].record = false;
        config.lines[0].record_notice = b2bua::RecordNotice::Caller;
        let world = called(world(config, 1, [actions]), "");
        let told = world.played().iter().any(|played| played.contains(&RECORDING_NOTICE));
        assert_eq!((told, record(&world).recording.is_some()), (is_recorded, is_recorded));
        assert_eq!(record(&world).hook_fault.is_none(), is_recorded);
    }
}

fn with_hooks(change: impl FnOnce(&mut Hooks)) -> b2bua::Config {
    let mut config = sim::config();
    change(&mut config.lines[0].hooks);
    config
}

#[test]
fn a_hook_that_calls_on_and_on_is_stopped_and_the_record_keeps_its_length() {
    let again = || vec![connecting(CLIENT), Action::Redirect("shop".into())];
    let mut world = world(config(|_, _| {}), 1, std::iter::repeat_with(again).take(60));
    world.callee(CLIENT, CalleePlan::new(Reaction::Reject(486)));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "").doing(seconds(300), Act::HangUp));
    world.run_until_quiet();
    world.assert_clean();
    assert_eq!(record(&world).tried.len(), 12);
    assert_eq!(world.hooks.asked.len(), 50);
}

#[test]
fn strangers_are_handed_to_their_hook() {
    let config = with_hooks(|hooks| hooks.strangers = Some("desk".into()));
    for keys in ["12345", "999989999799996"] {
        let mut world = with_order(world(config.clone(), 1, [vec![connecting(OPERATOR)]]));
        world.callee(OPERATOR, answering(1));
        let mut plan = CallerPlan::keying(STRANGER, LINE, "").doing(seconds(60), Act::HangUp);
        plan.keys = keys.chars().zip(0..).map(|(key, at)| (seconds(1 + at), key)).collect();
        world.caller(seconds(0), plan);
        world.run_until_quiet();
        world.assert_clean();
        assert_eq!((world.hooks.asked.len(), world.bridges()), (1, 1), "{keys}");
        assert!(!world.played().contains(&vec![NUMBER_UNKNOWN]), "{keys}");
    }
}

fn approval(is_open: bool) -> b2bua::Config {
    with_hooks(|hooks| hooks.approval = Some(Approval { hook: "ward".into(), is_open }))
}

#[test]
fn a_match_is_connected_where_its_hook_approves() {
    let nothing = Advised::Nothing;
    for (is_open, says, bridges, cause_then) in [
        (false, Advised::Approved, 1, (Side::Caller, Cause::HungUp)),
        (true, Advised::Vetoed(Some("night".into())), 0, (Side::Us, Cause::Refused)),
        (true, nothing.clone(), 1, (Side::Caller, Cause::HungUp)),
        (false, nothing, 0, (Side::Us, Cause::HookFailed)),
        (false, Advised::Do(vec![]), 0, (Side::Us, Cause::HookFailed)),
    ] {
        let mut world = with_order(World::new(approval(is_open), Weather::FAIR, 1));
        world.hooks.say(says.clone());
        world.callee(CLIENT, answering(1));
        world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(40), Act::HangUp));
        world.run_until_quiet();
        world.assert_clean();
        assert_eq!((world.bridges(), cause(&world)), (bridges, cause_then), "{says:?}");
        if let Advised::Vetoed(cause) = says {
            assert_eq!(record(&world).hook_fault, cause);
        }
        let Matter::Approval { callee, .. } = world.hooks.asked[0].matter else {
            panic!("it is asked whether")
        };
        assert_eq!((callee, record(&world).code.is_some()), (number(CLIENT), true));
    }
}

fn directed(seed: u64) -> World {
    let named = Connect { whisper: vec![made()], confirm: true, ..connect(COURIER) };
    let answers =
        [vec![gather(2)], vec![connecting(CLIENT), Action::Record(false), Action::Connect(Box::new(named))]];
    let mut world = world(config(|_, _| {}), seed, answers);
    world.callee(CLIENT, CalleePlan::new(Reaction::Refuse(seconds(1), 486)));
    world.callee(COURIER, CalleePlan { keys: vec![(seconds(3), '1')], ..answering(1) });
    world.callee(OPERATOR, answering(1));
    world.caller(seconds(0), CallerPlan::keying(STRANGER, LINE, "12").doing(seconds(60), Act::HangUp));
    world
}

fn answered_first(seed: u64) -> World {
    let config = config(|line, hooks| {
        line.answers_first = true;
        hooks.failure = HookFailure::Refuse;
    });
    let mut world = world(config, seed, [vec![Action::Operator]]);
    world.callee(OPERATOR, CalleePlan::new(Reaction::Refuse(seconds(1), 486)));
    let mut plan = CallerPlan::keying(STRANGER, LINE, "").doing(seconds(30), Act::HangUp);
    plan.offers = false;
    world.caller(seconds(0), plan);
    world
}

fn approved(seed: u64) -> World {
    let mut world = with_order(World::new(approval(true), Weather::FAIR, seed));
    world.hooks.say(Advised::Approved);
    world.callee(CLIENT, answering(1));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(40), Act::HangUp));
    world
}

#[test]
fn a_call_that_a_hook_directs_is_broken_at_every_step() {
    assert!(sweep(directed, 21) > 500);
}

#[test]
fn a_call_that_is_answered_before_a_hook_is_asked_is_broken_at_every_step() {
    assert!(sweep(answered_first, 22) > 300);
}

#[test]
fn a_call_that_a_hook_approves_is_broken_at_every_step() {
    assert!(sweep(approved, 23) > 500);
}
