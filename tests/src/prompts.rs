//! The prompt library as it lies in the repository, and an ear for it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::{tool, wav};

/// A language of the library.
#[derive(Debug)]
pub struct Library {
    /// Text by key.
    pub texts: BTreeMap<String, String>,
    /// File by key.
    pub files: BTreeMap<String, PathBuf>,
}

/// Length of what is searched for in what was heard: 100 ms.
const EXCERPT: usize = 800;

/// It is taken from the first two seconds, so that nobody has to listen for long.
const HEAD: usize = 16_000;

impl Library {
    /// Reads a language's manifest.
    ///
    /// # Panics
    /// If it cannot be read or an entry has no key, text or file, or two have the same key.
    #[must_use]
    pub fn read(language: &str) -> Self {
        let dir = tool::repository().join("prompts").join(language);
        let text = std::fs::read_to_string(dir.join("manifest.toml")).expect("each language has a manifest");
        let manifest: toml::Table = text.parse().expect("a manifest is TOML");
        let mut library = Self { texts: BTreeMap::new(), files: BTreeMap::new() };
        for entry in manifest["prompt"].as_array().expect("a manifest lists prompts") {
            let field = |name: &str| entry[name].as_str().expect("fields are text").to_owned();
            assert!(library.texts.insert(field("key"), field("text")).is_none(), "{} twice", field("key"));
            library.files.insert(field("key"), dir.join(field("file")));
        }
        library
    }

    /// The samples of a prompt.
    ///
    /// # Panics
    /// If there is no such prompt.
    #[must_use]
    pub fn samples(&self, key: &str) -> Vec<i16> {
        let file = self.files.get(key).unwrap_or_else(|| panic!("no prompt {key}"));
        wav::read(file).channels.remove(0)
    }

    /// Where in `heard` the prompt was played, if it was: the place of the loudest tenth of a second
    /// of its beginning.
    #[must_use]
    pub fn find(&self, key: &str, heard: &[i16]) -> Option<usize> {
        let samples = self.samples(key);
        let loudest = samples[..samples.len().min(HEAD)]
            .chunks_exact(EXCERPT)
            .max_by_key(|chunk| chunk.iter().map(|s| i64::from(*s).pow(2)).sum::<i64>())?;
        heard.windows(EXCERPT).position(|window| sounds_like(window, loudest))
    }
}

/// Same within the grain of G.711.
fn sounds_like(heard: &[i16], said: &[i16]) -> bool {
    heard.iter().zip(said).all(|(heard, said)| {
        // A-law steps are 1/32 of the magnitude, and at least 16; twice that forgives another rounding.
        let grain = (i32::from(*said).abs() / 16).max(32);
        (i32::from(*heard) - i32::from(*said)).abs() <= grain
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::g711::Law;

    #[test]
    fn a_prompt_is_heard_through_either_law_and_not_mistaken_for_another() {
        let library = Library::read("ru");
        for law in [Law::Mu, Law::A] {
            let coded = law.encode_all(&library.samples("wait-client"));
            let mut heard = vec![0; 777];
            heard.extend(coded.iter().map(|octet| law.decode(*octet)));
            assert!(library.find("wait-client", &heard).is_some_and(|at| at > 777));
            assert_eq!(library.find("start", &heard), None);
            assert_eq!(library.find("operator-hint", &heard), None);
        }
    }
}
