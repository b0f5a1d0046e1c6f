//! Prompts, ready to be sent.

use crate::{Codec, PromptId, g711};

/// Speech, tone or music at 8 kHz, in both laws, so that playing it is copying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    mu: Box<[u8]>,
    a: Box<[u8]>,
}

impl Prompt {
    /// A prompt of linear samples, mono, 8000 a second.
    #[must_use]
    pub fn new(samples: &[i16]) -> Self {
        let encode = |law| samples.iter().map(|sample| g711::encode(law, *sample)).collect();
        Self { mu: encode(Codec::Pcmu), a: encode(Codec::Pcma) }
    }

    /// It in one law, one octet a sample.
    #[must_use]
    pub fn octets(&self, law: Codec) -> &[u8] {
        match law {
            Codec::Pcmu => &self.mu,
            Codec::Pcma => &self.a,
        }
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

    /// A prompt in one law; empty where there is none.
    #[must_use]
    pub fn octets(&self, prompt: PromptId, law: Codec) -> &[u8] {
        self.prompts
            .get(usize::from(prompt.0))
            .and_then(Option::as_ref)
            .map_or(&[], |prompt| prompt.octets(law))
    }
}
