//! The fault sweep: a scenario broken at every step in every way, and the same questions asked of each wreck.

use std::time::Duration;

use crate::dialog::Act;
use crate::network::Mishap;
use crate::world::World;

/// A scenario: makes a world in which something is about to happen.
pub type Scenario = fn(seed: u64) -> World;

/// What can break a call at one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The caller hangs up or cancels.
    CallerHangsUp,
    /// The callee hangs up or declines.
    CalleeHangsUp,
    /// Either side does something inside its dialog.
    CallerActs(Act),
    /// As above.
    CalleeActs(Act),
    /// The next datagram is lost.
    Lost,
    /// The next datagram comes twice.
    Doubled,
    /// The next datagram is overtaken by whatever happens in three seconds.
    Late,
    /// The flow to the caller's side is lost.
    CallerFlowLost,
    /// The flow to the callee's side is lost.
    CalleeFlowLost,
    /// The store never answers again, nor does whoever verifies callers.
    StoreSilent,
    /// The store fails at what it was asked.
    StoreFails,
    /// Hooks never answer again.
    HookSilent,
    /// What a hook was asked last it answers when nobody waits any more.
    HookLate,
    /// What a hook was asked last it answers by something else.
    HookWrong,
    /// The relay never answers again.
    RelaySilent,
    /// No media comes.
    MediaLost,
    /// An operator ends the call.
    HungUpByOperator,
    /// The recording is paused.
    RecordingPaused,
    /// The node is told to take no more calls.
    Drain,
    /// Our own code panics.
    Panic,
    /// The node dies, and is back after so many milliseconds.
    Death(u64),
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 32] = [
        Self::CallerHangsUp,
        Self::CalleeHangsUp,
        Self::CallerActs(Act::Reinvite),
        Self::CallerActs(Act::Hold),
        Self::CallerActs(Act::ReinviteLate),
        Self::CallerActs(Act::Update),
        Self::CallerActs(Act::Info('#')),
        Self::CallerActs(Act::Options),
        Self::CallerActs(Act::Refer),
        Self::CalleeActs(Act::Reinvite),
        Self::CalleeActs(Act::Hold),
        Self::CalleeActs(Act::ReinviteLate),
        Self::CalleeActs(Act::Update),
        Self::CalleeActs(Act::Info('1')),
        Self::Lost,
        Self::Doubled,
        Self::Late,
        Self::CallerFlowLost,
        Self::CalleeFlowLost,
        Self::StoreSilent,
        Self::StoreFails,
        Self::HookSilent,
        Self::HookLate,
        Self::HookWrong,
        Self::RelaySilent,
        Self::MediaLost,
        Self::HungUpByOperator,
        Self::RecordingPaused,
        Self::Drain,
        Self::Panic,
        Self::Death(300),
        Self::Death(3_000),
    ];

    fn strike(self, world: &mut World) {
        match self {
            Self::CallerHangsUp => world.caller_acts(Act::HangUp),
            Self::CalleeHangsUp => world.callee_acts(Act::HangUp),
            Self::CallerActs(act) => world.caller_acts(act),
            Self::CalleeActs(act) => world.callee_acts(act),
            Self::Lost => world.mishap(Mishap::Lost),
            Self::Doubled => world.mishap(Mishap::Doubled),
            Self::Late => world.mishap(Mishap::Late(Duration::from_secs(3))),
            Self::CallerFlowLost => world.lose_flow(false),
            Self::CalleeFlowLost => world.lose_flow(true),
            Self::StoreSilent => world.silence_store(),
            Self::StoreFails => world.fail_store(),
            Self::HookSilent => world.silence_hooks(),
            Self::HookLate => world.delay_hooks(),
            Self::HookWrong => world.confuse_hooks(),
            Self::RelaySilent => world.silence_relay(),
            Self::MediaLost => world.lose_media(),
            Self::HungUpByOperator => world.hang_up(),
            Self::RecordingPaused => {
                let came_to = world.pause_recording(true);
                assert_ne!(came_to, Some(b2bua::Recording::Running), "what is told to pause does not run on");
            }
            Self::Drain => world.feed(b2bua::Input::Control(b2bua::Control::Drain)),
            Self::Death(ms) => world.die(Duration::from_millis(ms)),
            Self::Panic => {
                if let Some(call) = world.last_call() {
                    world.feed(b2bua::Input::Control(b2bua::Control::Panic(call)));
                }
            }
        }
    }
}

/// Breaks a scenario at each step by each fault; returns how many wrecks were looked at.
///
/// # Panics
/// Naming seed, step and fault, with whatever does not hold.
pub fn sweep(scenario: Scenario, seed: u64) -> usize {
    let mut whole = scenario(seed);
    whole.run_until_quiet();
    whole.assert_clean();
    let steps = whole.inputs();
    let mut wrecks = 0;
    for step in 0..=steps {
        for fault in Fault::ALL {
            let wreck = || {
                let mut world = scenario(seed);
                world.run_until(step);
                fault.strike(&mut world);
                world.run_until_quiet();
                world.assert_clean();
                let faults = world.audit.faults.len();
                assert!(faults == 0 || fault == Fault::Panic, "a fault of ours was caught");
                world.fingerprint()
            };
            let caught = std::panic::catch_unwind(wreck);
            assert!(caught.is_ok(), "seed {seed}, step {step} of {steps}, {fault:?}: see above");
            wrecks += 1;
        }
    }
    wrecks
}
