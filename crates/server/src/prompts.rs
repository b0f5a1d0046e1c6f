//! The prompt library: what ships inside the program, replaced file by file by what an operator recorded.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use api::{PromptInfo, PromptRefusal};
use b2bua::PROMPTS_PER_LANGUAGE;
use include_dir::{Dir, include_dir};
use ivr::Prompt;
use rtp::PromptId;

/// What ships: a folder a language, with a manifest and a WAV file for each key.
static SHIPPED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../prompts");

/// Samples in a second of everything played.
const RATE: f64 = 8_000.0;

/// What is wrong with the prompts.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PromptsError {
    /// A manifest, or a prompt it should name.
    #[error("prompts/{language}: {fault}")]
    Manifest { language: String, fault: String },
    /// A recording.
    #[error("prompt {key} ({language}): {fault}")]
    Recording { language: String, key: &'static str, fault: String },
    /// A folder.
    #[error("cannot read {}: {error}", path.display())]
    Folder { path: PathBuf, error: std::io::Error },
}

#[derive(Debug, serde::Deserialize)]
struct Manifest {
    #[serde(default)]
    prompt: Vec<Entry>,
}

#[derive(Debug, serde::Deserialize)]
struct Entry {
    key: String,
    #[serde(default)]
    text: String,
    file: String,
}

/// One prompt as it is played now.
#[derive(Debug)]
struct Held {
    samples: Vec<i16>,
    text: String,
    replaced: bool,
}

/// All prompts of all languages.
#[derive(Debug)]
pub(crate) struct Prompts {
    /// Languages, in the order the switchboard counts them.
    pub(crate) languages: Vec<String>,
    held: BTreeMap<(usize, u16), Held>,
    /// Where replacements are: a folder a language, `key.wav`.
    replacements: PathBuf,
}

impl Prompts {
    /// Loads what ships, then what replaces it.
    ///
    /// # Errors
    /// The first prompt that is missing or cannot be played.
    pub(crate) fn load(replacements: &Path) -> Result<Self, PromptsError> {
        let mut languages: Vec<String> = SHIPPED
            .dirs()
            .filter(|dir| dir.get_file(dir.path().join("manifest.toml")).is_some())
            .map(|dir| dir.path().to_string_lossy().into_owned())
            .collect();
        languages.sort_unstable();
        let mut prompts = Self { languages, held: BTreeMap::new(), replacements: replacements.to_owned() };
        for place in 0..prompts.languages.len() {
            for prompt in Prompt::ALL {
                let held = prompts.read(place, prompt)?;
                prompts.held.insert((place, prompt.index()), held);
            }
        }
        Ok(prompts)
    }

    fn read(&self, place: usize, prompt: Prompt) -> Result<Held, PromptsError> {
        let language = &self.languages[place];
        let (bytes, text) = shipped(language, prompt)?;
        let path = self.replacement(language, prompt.key());
        let replacement = match std::fs::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(PromptsError::Folder { path, error }),
        };
        let replaced = replacement.is_some();
        // Whoever put a recording there by hand may have left no words.
        let said = replaced.then(|| std::fs::read_to_string(words(&path)).ok()).flatten();
        let text = said.unwrap_or(text);
        let recording = replacement.as_deref().unwrap_or(bytes);
        let samples = relay::read_prompt(recording).map_err(|error| PromptsError::Recording {
            language: language.clone(),
            key: prompt.key(),
            fault: error.to_string(),
        })?;
        Ok(Held { samples, text, replaced })
    }

    fn replacement(&self, language: &str, key: &str) -> PathBuf {
        self.replacements.join(language).join(format!("{key}.wav"))
    }

    /// What the relay plays from.
    pub(crate) fn library(&self) -> rtp::Library {
        let places = self.languages.len() * usize::from(PROMPTS_PER_LANGUAGE);
        let mut prompts: Vec<Option<rtp::Prompt>> = vec![None; places];
        for ((place, index), held) in &self.held {
            let at = place * usize::from(PROMPTS_PER_LANGUAGE) + usize::from(*index);
            prompts[at] = Some(rtp::Prompt::new(&held.samples));
        }
        rtp::Library::new(prompts)
    }

    /// How long a prompt is.
    pub(crate) fn length(&self, prompt: PromptId) -> Duration {
        let place = (usize::from(prompt.0 / PROMPTS_PER_LANGUAGE), prompt.0 % PROMPTS_PER_LANGUAGE);
        self.held.get(&place).map_or(Duration::ZERO, |held| Duration::from_secs_f64(seconds(held)))
    }

    /// Each prompt, for people.
    pub(crate) fn list(&self) -> Vec<PromptInfo> {
        self.held.iter().map(|((place, index), held)| self.info(*place, *index, held)).collect()
    }

    fn info(&self, place: usize, index: u16, held: &Held) -> PromptInfo {
        PromptInfo {
            language: self.languages[place].clone(),
            key: key_of(PromptId(index)).to_owned(),
            text: held.text.clone(),
            seconds: (seconds(held) * 1000.0).round() / 1000.0,
            replaced: held.replaced,
        }
    }

    fn find(&self, language: &str, key: &str) -> Option<(usize, Prompt)> {
        let place = self.languages.iter().position(|known| known == language)?;
        let prompt = Prompt::ALL.into_iter().find(|prompt| prompt.key() == key)?;
        Some((place, prompt))
    }

    /// Whether there is such a prompt.
    pub(crate) fn has(&self, language: &str, key: &str) -> bool {
        self.find(language, key).is_some()
    }

    /// One prompt as a WAV file: 8 kHz, one channel, 16 bit.
    pub(crate) fn wav(&self, language: &str, key: &str) -> Option<Vec<u8>> {
        let (place, prompt) = self.find(language, key)?;
        let held = self.held.get(&(place, prompt.index()))?;
        relay::write_wav(&held.samples).ok()
    }

    /// Replaces a prompt, on disk first; `text`: what is said, where that is known.
    pub(crate) fn replace(
        &mut self,
        language: &str,
        key: &str,
        wav: &[u8],
        text: Option<&str>,
    ) -> Result<PromptInfo, PromptRefusal> {
        let (place, prompt) = self.find(language, key).ok_or(PromptRefusal::Unknown)?;
        relay::read_prompt(wav).map_err(|error| PromptRefusal::Unusable(error.to_string()))?;
        let path = self.replacement(language, key);
        let failed = |error: std::io::Error| PromptRefusal::Failed(error.to_string());
        // Between the two a crash leaves a recording whose text is not known, never one with another's.
        remove(&words(&path)).map_err(failed)?;
        keep(&path, wav).map_err(failed)?;
        if let Some(text) = text {
            keep(&words(&path), text.as_bytes()).map_err(failed)?;
        }
        self.reread(place, prompt)
    }

    /// Brings the shipped recording back.
    pub(crate) fn restore(&mut self, language: &str, key: &str) -> Result<PromptInfo, PromptRefusal> {
        let (place, prompt) = self.find(language, key).ok_or(PromptRefusal::Unknown)?;
        let path = self.replacement(language, key);
        for path in [words(&path), path] {
            remove(&path).map_err(|error| PromptRefusal::Failed(error.to_string()))?;
        }
        self.reread(place, prompt)
    }

    fn reread(&mut self, place: usize, prompt: Prompt) -> Result<PromptInfo, PromptRefusal> {
        let held = self.read(place, prompt).map_err(|error| PromptRefusal::Failed(error.to_string()))?;
        let info = self.info(place, prompt.index(), &held);
        self.held.insert((place, prompt.index()), held);
        Ok(info)
    }
}

/// The key of a prompt, whatever its language.
pub(crate) fn key_of(prompt: PromptId) -> &'static str {
    Prompt::ALL.get(usize::from(prompt.0 % PROMPTS_PER_LANGUAGE)).map_or("", |prompt| prompt.key())
}

#[expect(clippy::cast_precision_loss, reason = "a prompt is minutes, not centuries")]
fn seconds(held: &Held) -> f64 {
    held.samples.len() as f64 / RATE
}

fn shipped(language: &str, prompt: Prompt) -> Result<(&'static [u8], String), PromptsError> {
    let fault = |fault: String| PromptsError::Manifest { language: language.to_owned(), fault };
    let text = SHIPPED
        .get_file(format!("{language}/manifest.toml"))
        .and_then(|file| file.contents_utf8())
        .ok_or_else(|| fault("no manifest.toml".to_owned()))?;
    let manifest: Manifest = toml::from_str(text).map_err(|error| fault(error.to_string()))?;
    let entry = manifest.prompt.into_iter().find(|entry| entry.key == prompt.key());
    let entry = entry.ok_or_else(|| fault(format!("no entry for {:?}", prompt.key())))?;
    let file = SHIPPED
        .get_file(format!("{language}/{}", entry.file))
        .ok_or_else(|| fault(format!("no file {:?}", entry.file)))?;
    Ok((file.contents(), entry.text))
}

/// What is said in a replacement that was made of a text.
fn words(recording: &Path) -> PathBuf {
    recording.with_extension("txt")
}

/// Removes a file, if it is there.
fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes a file so that a crash leaves the old one or the new one.
fn keep(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let beside = path.with_extension("new");
    let mut file = std::fs::File::create(&beside)?;
    std::io::Write::write_all(&mut file, bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}
