//! Which prompt a phone hears: what came is compared with what ships, octet by octet.

use std::path::Path;
use std::time::{Duration, Instant};

use b2bua::PROMPTS_PER_LANGUAGE;
use ivr::Prompt;
use rtp::{Law, PromptId};

use crate::prompts::Prompts;

/// Octets that tell a prompt from every other.
const SIGN: usize = 120;
/// Octets of what came that are kept to look in.
const KEPT: usize = 4 * SIGN;

#[derive(Clone)]
struct Known {
    text: String,
    sign: Vec<u8>,
    /// Where the sign lies in the prompt.
    place: usize,
}

/// The prompts of one language, as one phone hears them.
#[derive(Clone)]
pub(super) struct Ear {
    known: Vec<Known>,
    recent: Vec<u8>,
    last: Option<usize>,
}

impl Ear {
    /// For the prompts that ship in `language`, as they sound in A-law.
    pub(super) fn new(language: &str) -> Result<Self, String> {
        let prompts = Prompts::load(Path::new("")).map_err(|error| error.to_string())?;
        let place = prompts.languages.iter().position(|known| known == language);
        let place = place.ok_or_else(|| format!("there are no prompts in {language:?}"))?;
        let library = prompts.library();
        let first = u16::try_from(place).unwrap_or_default() * PROMPTS_PER_LANGUAGE;
        let octets = |prompt: Prompt| {
            library.prompt(PromptId(first + prompt.index())).map_or(&[][..], |prompt| prompt.octets(Law::A))
        };
        let all: Vec<&[u8]> = Prompt::ALL.into_iter().map(octets).collect();
        let texts = prompts.list();
        let known = Prompt::ALL.into_iter().zip(&all).filter_map(|(prompt, octets)| {
            let (sign, place) = sign(octets, &all)?;
            let told = texts.iter().find(|info| info.language == language && info.key == prompt.key());
            let text = told.map(|info| info.text.trim().to_owned()).filter(|text| !text.is_empty());
            let text = text.map_or_else(|| prompt.key().to_owned(), |text| format!("“{text}”"));
            Some(Known { text, sign, place })
        });
        Ok(Self { known: known.collect(), recent: Vec::new(), last: None })
    }

    /// Takes what came at `at`; the words of a prompt that was recognised, and when it began.
    pub(super) fn hear(&mut self, at: Instant, octets: &[u8]) -> Option<(Instant, String)> {
        self.recent.extend_from_slice(octets);
        let old = self.recent.len().saturating_sub(KEPT);
        self.recent.drain(..old);
        let (index, found) = self.known.iter().enumerate().find_map(|(index, known)| {
            let found = self.recent.windows(SIGN).position(|window| window == known.sign)?;
            Some((index, found))
        })?;
        let known = &self.known[index];
        // What came since the prompt began: its sign and what lies behind it, and what led up to it.
        // A packet comes when its first octet is due.
        let since = (self.recent.len() - found + known.place).saturating_sub(octets.len());
        self.recent.clear();
        if self.last.replace(index) == Some(index) {
            return None;
        }
        let since = Duration::from_micros(u64::try_from(since).unwrap_or_default() * 125);
        Some((at.checked_sub(since)?, known.text.clone()))
    }
}

/// The first stretch that is no silence, and after which no other prompt sounds the same: several begin with the same
/// words.
fn sign(octets: &[u8], all: &[&[u8]]) -> Option<(Vec<u8>, usize)> {
    let windows = octets.windows(SIGN).enumerate().step_by(SIGN);
    let mut loud = windows.filter(|(_, window)| {
        let first = window[0];
        window.iter().filter(|octet| **octet != first).count() > SIGN * 3 / 4
    });
    let (place, found) = loud.find(|(place, window)| {
        let has = |other: &&&[u8]| other.get(*place..*place + SIGN) == Some(*window);
        all.iter().filter(has).count() == 1
    })?;
    Some((found.to_vec(), place))
}
