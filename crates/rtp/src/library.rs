//! Prompts, ready to be sent.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::{Law, PromptId, g711};

/// Speech, tone or music at 8 kHz, in both laws, so that playing it in one of them is copying, and as it is for other codecs.
#[derive(Clone, PartialEq, Eq)]
pub struct Prompt {
    mu: Box<[u8]>,
    a: Box<[u8]>,
    linear: Box<[i16]>,
}

impl Prompt {
    /// A prompt of linear samples, mono, 8000 a second.
    #[must_use]
    pub fn new(samples: &[i16]) -> Self {
        let encode = |law| samples.iter().map(|sample| g711::encode(law, *sample)).collect();
        Self { mu: encode(Law::Mu), a: encode(Law::A), linear: samples.into() }
    }

    /// It in one law, one octet a sample.
    #[must_use]
    pub fn octets(&self, law: Law) -> &[u8] {
        match law {
            Law::Mu => &self.mu,
            Law::A => &self.a,
        }
    }

    /// How long it is.
    #[must_use]
    pub fn length(&self) -> Duration {
        Duration::from_millis(self.linear.len() as u64 / 8)
    }

    /// It as it was given.
    #[must_use]
    pub fn samples(&self) -> &[i16] {
        &self.linear
    }
}

/// Its length in samples; what is said would fill a log.
impl fmt::Debug for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Prompt").field(&self.linear.len()).finish()
    }
}

/// What is played: from the library, or made for one call. The latter comes with the command and goes with whoever holds it
/// last, so that prompts may come and go while packets do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sound {
    /// The library's.
    Prompt(PromptId),
    /// Its own.
    Made(Arc<Prompt>),
}

impl From<PromptId> for Sound {
    fn from(prompt: PromptId) -> Self {
        Self::Prompt(prompt)
    }
}

/// All prompts, by `PromptId`. A place without a prompt plays as nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Library {
    prompts: Vec<Option<Prompt>>,
}

impl Library {
    /// A library in which the prompt at index n is `PromptId(n)`.
    #[must_use]
    pub fn new(prompts: Vec<Option<Prompt>>) -> Self {
        Self { prompts }
    }

    /// What is to be heard, where there is anything.
    #[must_use]
    pub fn sound<'a>(&'a self, sound: &'a Sound) -> Option<&'a Prompt> {
        match sound {
            Sound::Prompt(prompt) => self.prompt(*prompt),
            Sound::Made(prompt) => Some(prompt),
        }
    }

    /// A prompt, where there is one.
    #[must_use]
    pub fn prompt(&self, prompt: PromptId) -> Option<&Prompt> {
        self.prompts.get(usize::from(prompt.0)).and_then(Option::as_ref)
    }
}
