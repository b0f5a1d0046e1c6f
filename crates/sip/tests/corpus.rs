//! Replays what the fuzz targets of `tests/fuzz` have found worth keeping.

mod invariants;

use std::fs;
use std::path::PathBuf;

fn replay(target: &str, invariant: fn(&[u8])) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests");
    let mut directories = vec![root.join("fuzz/corpus").join(target)];
    if target == "message" {
        directories.extend([root.join("vectors/rfc4475"), root.join("vectors/rfc5118")]);
    }
    for directory in directories {
        let mut files = 0;
        for entry in fs::read_dir(&directory).expect("the corpus is part of the repository") {
            let path = entry.expect("the corpus can be read").path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
                continue;
            }
            files += 1;
            invariant(&fs::read(path).expect("the corpus can be read"));
        }
        assert!(files > 0, "{} holds something", directory.display());
    }
}

#[test]
fn messages_are_read_or_refused_and_written_back() {
    replay("message", invariants::message);
}

#[test]
fn streams_are_cut_alike_however_they_are_split() {
    replay("framer", invariants::framer);
}

#[test]
fn uris_are_written_back_as_they_were_read() {
    replay("uri", invariants::uri);
}
