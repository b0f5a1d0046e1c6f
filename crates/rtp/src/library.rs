//! Prompts, ready to be sent.

use crate::{Law, PromptId, g711};

/// Speech, tone or music at 8 kHz, in both laws, so that playing it in one of them is copying, and as it is for other codecs.
#[derive(Debug, Clone, PartialEq, Eq)]
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

    /// It as it was given.
    #[must_use]
    pub fn samples(&self) -> &[i16] {
        &self.linear
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

    /// A prompt, where there is one.
    #[must_use]
    pub fn prompt(&self, prompt: PromptId) -> Option<&Prompt> {
        self.prompts.get(usize::from(prompt.0)).and_then(Option::as_ref)
    }
}
