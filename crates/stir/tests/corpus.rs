//! Replays what the fuzz target of `tests/fuzz` has found worth keeping.

mod invariants;

use std::fs;
use std::path::PathBuf;

#[test]
fn fields_are_read_or_refused_and_prove_nobody() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus/identity");
    let mut files = 0;
    for entry in fs::read_dir(&directory).expect("the corpus is part of the repository") {
        invariants::identity(&fs::read(entry.expect("an entry").path()).expect("the corpus can be read"));
        files += 1;
    }
    assert!(files > 10, "{} holds something", directory.display());
}
