//! `[prompts]`: what callers hear in place of what ships.

use std::path::{Path, PathBuf};

use super::value;
use super::walk::{Schema, Section, Walk};

pub(super) const SCHEMA: Schema = Schema { name: "prompts", keys: &["dir"], refused: &[] };

/// Languages the program brings along.
pub(super) const LANGUAGES: [&str; 2] = ["en", "ru"];

/// `[prompts]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prompts {
    /// Recordings that replace shipped ones: a folder for each language, in it `key.wav`.
    pub(crate) dir: PathBuf,
}

pub(super) fn read<'d>(walk: &mut Walk<'d>, root: &Section<'d>, data_dir: &Path) -> Prompts {
    let section = walk.section(root, &SCHEMA);
    let dir = walk.get(&section, "dir", value::folder).or(data_dir.join("prompts"));
    Prompts { dir }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_languages_are_the_folders_of_the_repository() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../prompts");
        let mut folders: Vec<String> = std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().join("manifest.toml").is_file())
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        folders.sort_unstable();
        assert_eq!(folders, LANGUAGES);
    }
}
