//! Power cuts while writing.

use store::{Batch, StoreError};

use crate::ledger::{Ledger, Writer, check_survival, moments};
use crate::machine::Machine;
use crate::writer::{self, NOW, order};

/// Without this, the next test would prove nothing: the harness must be able to see a loss.
pub(crate) fn a_store_that_only_flushes_is_caught_losing(machine: &mut Machine) {
    let mut ledger = Ledger::default();
    let mut writer = Writer::start("write-without-synchronising", &machine.store("plain"), 0);
    writer.acknowledged(&mut ledger, 200);
    machine.cut();
    writer.kill();
    machine.start_again();
    let missing = ledger.missing_from(&machine.store("plain"));
    assert!(missing > 0, "plain sled lost nothing: this harness does not cut the power");
    eprintln!(
        "power cut: plain sled lost {missing} of {} writes it had acknowledged, as it should here",
        ledger.len()
    );
}

pub(crate) fn nothing_acknowledged_is_lost_by_a_power_cut(machine: &mut Machine) {
    const CUTS: usize = 12;
    let mut ledger = Ledger::default();
    for moment in moments().take(CUTS) {
        let mut writer = Writer::start("write", &machine.store("durable"), ledger.next);
        writer.acknowledged(&mut ledger, moment);
        machine.cut();
        writer.kill();
        machine.start_again();
        check_survival(&machine.store("durable"), &ledger);
    }
    eprintln!("power cut: {CUTS} cuts, {} orders and calls acknowledged, none lost", ledger.len());
}

pub(crate) fn a_disk_that_fails_ends_all_writing_and_the_store_says_so(machine: &mut Machine) {
    let store = writer::open(&machine.store("failing"));
    store.put_order(order(1), NOW).expect("the disk works");
    machine.cut();
    let refused = store.put_order(order(2), NOW).expect_err("the disk has failed");
    assert!(matches!(refused, StoreError::Failed(_)), "{refused}");
    assert_eq!(store.fault(), Some(refused.clone()));
    // Also what needs nothing of the disk: from here on nobody knows what it holds.
    assert_eq!(store.apply(Batch::new()), Err(refused));
    assert_eq!(
        store.last_event(),
        store.events_after(None, 9).expect("it is in memory").events.last().map(|e| e.id)
    );
    assert!(store.order(None, "00001", NOW).expect("it is in memory").is_some(), "reads go on");
    drop(store);
    machine.start_again();
    let store = writer::open(&machine.store("failing"));
    assert!(store.order(None, "00001", NOW).expect("the disk works").is_some());
    assert_eq!(store.put_order(order(2), NOW), Ok(store::Put::Created));
    eprintln!("a failed disk: writing ended, reading went on, and it was whole after a restart");
}
