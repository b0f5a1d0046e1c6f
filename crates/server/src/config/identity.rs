//! `[identity]`: by whose word a caller is who they say (RFC 8224).

use std::path::PathBuf;
use std::time::Duration;

use super::value;
use super::walk::{Schema, Section, Walk};
use crate::time::wall_ms;
use crate::verifier::{Believed, Files};

pub(super) const SCHEMA: Schema = Schema {
    name: "identity",
    keys: &["roots_file", "certificates", "freshness"],
    refused: &[
        ("roots", "write roots_file"),
        ("certificate_file", "nothing is signed here; write certificates, a folder of those who sign"),
        ("key_file", "nothing is signed here"),
    ],
};

/// What the files are, where there are any; they are read once to say what is wrong with them.
pub(super) fn read<'d>(walk: &mut Walk<'d>, root: &Section<'d>) -> Option<Files> {
    let section = walk.section(root, &SCHEMA);
    let roots = walk.get(&section, "roots_file", value::text).ok().map(PathBuf::from);
    let certificates = walk.get(&section, "certificates", value::text).ok().map(PathBuf::from);
    let second = Duration::from_secs(1);
    let range = second..=second * 3600;
    let freshness = walk.get(&section, "freshness", |value| value::duration(value, range)).or(second * 60);
    for (key, other) in [("roots_file", "certificates"), ("certificates", "roots_file")] {
        if section.has(other) && !section.has(key) {
            walk.fault(section.place(key), format!("is missing: {other} means nothing without it"));
        }
    }
    let files = Files { roots: roots?, certificates: certificates?, freshness };
    match Believed::load(&files) {
        Err(error) => {
            let key = if error.is_of_roots() { "roots_file" } else { "certificates" };
            walk.fault(section.place(key), error.to_string());
            None
        }
        Ok(believed) => {
            for address in believed.untrusted(wall_ms() / 1000) {
                let text =
                    format!("what lies at {address} is not valid now, or leads to no root in roots_file");
                walk.warn(section.place("certificates"), text);
            }
            Some(files)
        }
    }
}
