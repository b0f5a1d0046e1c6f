//! What the sides of a callback hear: its texts are spoken before it is accepted, and once more, from what was kept, before anyone
//! is rung.

use std::sync::Arc;

use b2bua::{Prompt, Speech as Said};
use number::Number;
use store::{Callback, CallbackPrompt, CallbackSide};

use crate::speech::{Speech, SpeechError};

/// Whoever makes what the sides of callbacks hear.
#[derive(Clone)]
pub(crate) struct Texts {
    speech: Speech,
    language_of: LanguageOf,
}

/// The name of a line's language.
pub(crate) type LanguageOf = Arc<dyn Fn(Number) -> String + Send + Sync>;

/// What each side hears first.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Heard {
    pub(crate) first: Option<Said>,
    pub(crate) second: Option<Said>,
}

/// What this side is to hear was not spoken.
#[derive(Debug)]
pub(crate) struct Unspoken {
    pub(crate) side: &'static str,
    pub(crate) why: SpeechError,
}

impl Texts {
    pub(crate) fn new(speech: Speech, language_of: LanguageOf) -> Self {
        Self { speech, language_of }
    }

    /// What each side is to hear, made.
    ///
    /// # Errors
    /// A text was not spoken.
    pub(crate) async fn speak(&self, callback: &Callback) -> Result<Heard, Unspoken> {
        let Callback { line, first, second, .. } = callback;
        let of = |side, told| async move {
            self.heard(*line, side).await.map_err(|why| Unspoken { side: told, why })
        };
        let (first, second) = tokio::join!(of(first, "first"), of(second, "second"));
        Ok(Heard { first: first?, second: second? })
    }

    async fn heard(&self, line: Number, side: &CallbackSide) -> Result<Option<Said>, SpeechError> {
        match &side.prompt {
            None => Ok(None),
            Some(CallbackPrompt::Key(key)) => {
                let prompt = Prompt::ALL.into_iter().find(|prompt| prompt.key() == &**key);
                Ok(prompt.map(|prompt| Said::Prompt(prompt, None)))
            }
            Some(CallbackPrompt::Text { text, language }) => {
                let language = language.as_deref().map_or_else(|| (self.language_of)(line), str::to_owned);
                let samples = self.speech.samples(&language, text).await?;
                Ok(Some(Said::Made(Arc::new(rtp::Prompt::new(&samples)))))
            }
        }
    }
}
