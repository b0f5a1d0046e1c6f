//! `kill -9` while writing.

use crate::ledger::{Ledger, Writer, check_survival, moments};

pub(crate) fn nothing_acknowledged_is_lost_by_kill_9() {
    const ROUNDS: usize = 5;
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let dir = dir.path().join("store");
    let mut ledger = Ledger::default();
    for moment in moments().take(ROUNDS) {
        let mut writer = Writer::start("write", &dir, ledger.next);
        writer.acknowledged(&mut ledger, moment);
        writer.kill();
        check_survival(&dir, &ledger);
    }
    eprintln!("kill -9: {ROUNDS} rounds, {} orders and calls acknowledged, none lost", ledger.len());
}
