//! Makes prompts of texts: by a program that reads a text and writes a WAV file, or by an HTTP service that does. What was made
//! once is kept on disk. Nothing here runs on a thread that calls wait for.

mod cache;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use cache::Cache;
use reqwest::header::{ACCEPT, CONTENT_LANGUAGE, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::{JoinSet, spawn_blocking};

/// Texts spoken at once: each is a process, or a request to somebody who may not like more.
const AT_ONCE: usize = 4;
/// Octets of a WAV file that is taken.
const LONGEST: u64 = 32 * 1024 * 1024;
/// In arguments and addresses: the language of the text.
const LANGUAGE: &str = "{language}";

/// A text to be spoken: its language, and what it says.
pub(crate) type Text = (String, String);

/// What speaks.
#[derive(Clone, PartialEq)]
pub(crate) enum Voice {
    /// A program and its arguments: a text comes in by its standard input, a WAV file goes out by its standard output.
    Program(Vec<String>),
    /// A text is posted here, and a WAV file comes back.
    Service {
        /// Where.
        url: String,
        /// What is said of who asks (RFC 6750 §2.1).
        token: Option<String>,
    },
}

/// Without the token, and without the address, which may have a secret in it.
impl fmt::Debug for Voice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(words) => f.debug_tuple("Program").field(words).finish(),
            Self::Service { .. } => f.debug_struct("Service").finish_non_exhaustive(),
        }
    }
}

/// `[speech]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    /// `None`: nothing on this machine speaks.
    pub(crate) voice: Option<Voice>,
    /// Patience with one text, those before it included.
    pub(crate) timeout: Duration,
    /// Where what was spoken is kept.
    pub(crate) folder: PathBuf,
    /// Octets of all that is kept.
    pub(crate) most: u64,
}

/// Why a text was not spoken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpeechError {
    /// Nobody speaks.
    #[error("nothing speaks texts here: install espeak-ng, or write [speech]")]
    Nobody,
    /// It takes too long.
    #[error("it was not spoken within {} ms", .0.as_millis())]
    Late(Duration),
    /// The program.
    #[error("the program that speaks {0}")]
    Program(String),
    /// The service.
    #[error("the service that speaks {0}")]
    Service(String),
    /// What it made.
    #[error("what was spoken is no prompt: {0}")]
    Unusable(relay::PromptError),
    /// A fault of ours.
    #[error("it could not be worked on")]
    Lost,
}

struct Inner {
    voice: Option<Voice>,
    timeout: Duration,
    cache: Cache,
    client: Client,
    /// Of which each text that is being spoken has one: the same is not spoken twice at the same time.
    turns: std::sync::Mutex<HashMap<PathBuf, Weak<Mutex<()>>>>,
    /// For those that are spoken at once.
    places: Semaphore,
}

/// Whoever makes prompts of texts.
#[derive(Clone)]
pub(crate) struct Speech(Arc<Inner>);

/// Why there is no speech at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpeechStartError {
    /// The folder.
    #[error("{}: {error}; check node.data_dir and who may write there", path.display())]
    Folder { path: PathBuf, error: std::io::Error },
    /// There is no TLS to ask with.
    #[error("speech: {0}")]
    Client(#[from] reqwest::Error),
}

impl Speech {
    /// Begins; the folder is made.
    ///
    /// # Errors
    /// It cannot be, or there is no TLS.
    pub(crate) fn start(settings: Settings) -> Result<Self, SpeechStartError> {
        let Settings { voice, timeout, folder, most } = settings;
        let in_folder = |error| SpeechStartError::Folder { path: folder.clone(), error };
        let cache = Cache::open(folder.clone(), most).map_err(in_folder)?;
        let client = Client::builder().redirect(Policy::none()).no_proxy().timeout(timeout).build()?;
        let places = Semaphore::new(AT_ONCE);
        Ok(Self(Arc::new(Inner { voice, timeout, cache, client, turns: Default::default(), places })))
    }

    /// Each of these texts as a prompt, all at once.
    pub(crate) async fn all(&self, texts: Vec<Text>) -> Vec<(Text, Result<Arc<rtp::Prompt>, SpeechError>)> {
        let mut under_way = JoinSet::new();
        for text in texts {
            let speech = self.clone();
            under_way.spawn(async move {
                let spoken = speech.samples(&text.0, &text.1).await;
                (text, spoken.map(|samples| Arc::new(rtp::Prompt::new(&samples))))
            });
        }
        let mut all = Vec::new();
        while let Some(spoken) = under_way.join_next().await {
            all.extend(spoken);
        }
        all
    }

    /// A text as sound: 8000 samples a second.
    ///
    /// # Errors
    /// Why it was not spoken.
    pub(crate) async fn samples(&self, language: &str, text: &str) -> Result<Vec<i16>, SpeechError> {
        let patience = self.0.timeout;
        let made = tokio::time::timeout(patience, Arc::clone(&self.0).make(language, text));
        made.await.unwrap_or(Err(SpeechError::Late(patience)))
    }
}

impl Inner {
    /// That of the text which is kept there.
    fn turn(&self, path: &Path) -> Arc<Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        let known = turns.get(path).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let turn = Arc::default();
            turns.insert(path.to_owned(), Arc::downgrade(&turn));
            turn
        })
    }

    async fn make(self: Arc<Self>, language: &str, text: &str) -> Result<Vec<i16>, SpeechError> {
        let voice = self.voice.as_ref().ok_or(SpeechError::Nobody)?;
        let how = match voice {
            Voice::Program(words) => words.join("\0"),
            Voice::Service { url, .. } => url.clone(),
        };
        let path = self.cache.path(&[&how, language, text]);
        if let Some(samples) = kept(&path).await {
            return Ok(samples);
        }
        let turn = self.turn(&path);
        let _turn = turn.lock().await;
        // Whoever had the turn before may have wanted the same.
        if let Some(samples) = kept(&path).await {
            return Ok(samples);
        }
        let _place = self.places.acquire().await.map_err(|_| SpeechError::Lost)?;
        let wav = match voice {
            Voice::Program(words) => run(words, language, text).await?,
            Voice::Service { url, token } => self.post(url, token.as_deref(), language, text).await?,
        };
        let this = Arc::clone(&self);
        let read = spawn_blocking(move || {
            let samples = relay::read_prompt(&mended(wav)).map_err(SpeechError::Unusable)?;
            let kept = relay::write_wav(&samples).map_err(std::io::Error::other);
            if let Err(error) = kept.and_then(|wav| this.cache.put(&path, &wav)) {
                tracing::error!(%error, "what was spoken cannot be kept");
            }
            Ok(samples)
        });
        read.await.unwrap_or(Err(SpeechError::Lost))
    }

    async fn post(
        &self,
        url: &str,
        token: Option<&str>,
        language: &str,
        text: &str,
    ) -> Result<Vec<u8>, SpeechError> {
        let failed = |why: &str| SpeechError::Service(why.to_owned());
        let url = Url::parse(&url.replace(LANGUAGE, language)).map_err(|_| failed("has no address"))?;
        let request = self
            .client
            .post(url)
            .header(CONTENT_TYPE, "text/plain; charset=utf-8")
            .header(CONTENT_LANGUAGE, language)
            .header(ACCEPT, "audio/wav")
            .body(text.to_owned());
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let broken = |_| failed("is not there, or does not answer to the end");
        let mut response = request.send().await.map_err(broken)?;
        let status = response.status();
        if !status.is_success() {
            return Err(SpeechError::Service(format!("answered {}", status.as_u16())));
        }
        let mut wav = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(broken)? {
            if (wav.len() + piece.len()) as u64 > LONGEST {
                return Err(failed("answered too much"));
            }
            wav.extend_from_slice(&piece);
        }
        Ok(wav)
    }
}

async fn kept(path: &std::path::Path) -> Option<Vec<i16>> {
    let path = path.to_owned();
    spawn_blocking(move || Cache::get(&path)).await.ok().flatten()
}

/// Runs the program; it ends with whoever waits for it.
async fn run(words: &[String], language: &str, text: &str) -> Result<Vec<u8>, SpeechError> {
    let failed = |why: std::io::Error| SpeechError::Program(format!("failed: {why}"));
    let mut words = words.iter().map(|word| word.replace(LANGUAGE, language));
    let program = words.next().ok_or(SpeechError::Nobody)?;
    let mut child = Command::new(program)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let say = async {
        if let Some(mut stdin) = stdin {
            // A program that does not want to hear it all says so by how it ends.
            let _ = stdin.write_all(text.as_bytes()).await;
        }
    };
    let hear = async {
        let mut wav = Vec::new();
        if let Some(stdout) = stdout {
            stdout.take(LONGEST + 1).read_to_end(&mut wav).await?;
        }
        Ok(wav)
    };
    let ((), heard) = tokio::join!(say, hear);
    let wav = heard.map_err(failed)?;
    if wav.len() as u64 > LONGEST {
        return Err(SpeechError::Program("said too much".to_owned()));
    }
    let status = child.wait().await.map_err(failed)?;
    if status.success() { Ok(wav) } else { Err(SpeechError::Program(format!("failed: {status}"))) }
}

/// Whoever writes a WAV file where it cannot go back does not know how long it will be, and says that it is as long as can be:
/// it is as long as it is.
fn mended(mut wav: Vec<u8>) -> Vec<u8> {
    let length = wav.len();
    let mut at = 12;
    while let Some(head) = wav.get(at..at + 8) {
        let said = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let rest = length - at - 8;
        if head.starts_with(b"data") {
            if said > rest
                && said >= UNKNOWN
                && let Ok(rest) = u32::try_from(rest & !1)
            {
                wav[at + 4..at + 8].copy_from_slice(&rest.to_le_bytes());
            }
            break;
        }
        at = at.saturating_add(8).saturating_add(said).saturating_add(said & 1);
    }
    wav
}

/// No prompt has so many octets.
const UNKNOWN: usize = 0x7F00_0000;

#[cfg(test)]
mod tests {
    use super::*;

    fn speech(folder: &std::path::Path, words: &[&str]) -> Speech {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Speech::start(Settings {
            voice: Some(Voice::Program(words)),
            timeout: Duration::from_secs(20),
            folder: folder.to_owned(),
            most: 1 << 20,
        })
        .unwrap()
    }

    /// A program that writes a WAV file of eight samples after it has read its input, and notes that it ran.
    fn program(dir: &std::path::Path) -> Vec<String> {
        let wav = dir.join("voice.wav");
        std::fs::write(&wav, relay::write_wav(&[5; 8]).unwrap()).unwrap();
        let script = format!("text=$(cat); echo \"$text $1\" >> {0}/said; cat {0}/voice.wav", dir.display());
        ["sh", "-c", &script, "sh", LANGUAGE].map(str::to_owned).to_vec()
    }

    #[tokio::test]
    async fn a_text_that_takes_its_time_holds_up_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let wav = dir.path().join("voice.wav");
        std::fs::write(&wav, relay::write_wav(&[5; 8]).unwrap()).unwrap();
        let script = "case \"$(cat)\" in slow) exec sleep 60;; esac; cat \"$0\"";
        let speech = speech(&dir.path().join("kept"), &["sh", "-c", script, wav.to_str().unwrap()]);
        let slow = tokio::spawn({
            let speech = speech.clone();
            async move { speech.samples("en", "slow").await }
        });
        for text in 0..8 {
            assert_eq!(speech.samples("en", &text.to_string()).await.unwrap(), [5; 8]);
        }
        assert!(!slow.is_finished());
        slow.abort();
    }

    #[tokio::test]
    async fn a_text_is_spoken_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let words = program(dir.path());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let speech = speech(&dir.path().join("kept"), &words);
        let text = |language: &str| (language.to_owned(), "hello".to_owned());
        for _ in 0..2 {
            let all = speech.all(vec![text("en"), text("ru"), text("en"), text("ru")]).await;
            assert!(all.iter().all(|(_, spoken)| spoken.as_ref().is_ok_and(|it| it.samples() == [5; 8])));
        }
        let said = std::fs::read_to_string(dir.path().join("said")).unwrap();
        let mut said: Vec<&str> = said.lines().collect();
        said.sort_unstable();
        assert_eq!(said, ["hello en", "hello ru"]);
    }

    #[tokio::test]
    async fn who_does_not_speak_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let told = async |words: &[&str]| {
            speech(dir.path(), words).samples("en", "hello").await.unwrap_err().to_string()
        };
        assert!(told(&["/nowhere/speaks"]).await.starts_with("the program that speaks failed"));
        assert!(told(&["sh", "-c", "exit 3"]).await.contains("exit status: 3"));
        assert!(told(&["cat"]).await.starts_with("what was spoken is no prompt"));
        let nobody =
            Settings { voice: None, timeout: Duration::from_secs(1), folder: dir.path().to_owned(), most: 0 };
        let nobody = Speech::start(nobody).unwrap();
        assert!(matches!(nobody.samples("en", "hello").await, Err(SpeechError::Nobody)));
    }

    #[tokio::test]
    async fn who_takes_too_long_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings {
            voice: Some(Voice::Program(vec!["sleep".to_owned(), "100".to_owned()])),
            timeout: Duration::from_millis(50),
            folder: dir.path().to_owned(),
            most: 0,
        };
        let speech = Speech::start(settings).unwrap();
        assert!(matches!(speech.samples("en", "hello").await, Err(SpeechError::Late(_))));
    }

    /// A service that answers one request after the other with these octets; what it was asked.
    async fn service(answers: Vec<Vec<u8>>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/{LANGUAGE}", listener.local_addr().unwrap());
        let asked = tokio::spawn(async move {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"hello") {
                    assert!(stream.read_buf(&mut request).await.unwrap() > 0);
                }
                asked.push(String::from_utf8(request).unwrap());
                stream.write_all(&answer).await.unwrap();
            }
            asked
        });
        (url, asked)
    }

    #[tokio::test]
    async fn a_service_is_asked_as_it_wants_and_is_not_believed_blindly() {
        let wav = relay::write_wav(&[3; 80]).unwrap();
        let head = |status: &str, length: usize| {
            format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n").into_bytes()
        };
        let good = [head("200 OK", wav.len()), wav.clone()].concat();
        let cut = [head("200 OK", wav.len() + 1), wav].concat();
        let (url, asked) = service(vec![good, head("429 Slow Down", 0), cut]).await;
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings {
            voice: Some(Voice::Service { url, token: Some("theirs".to_owned()) }),
            timeout: Duration::from_secs(20),
            folder: dir.path().to_owned(),
            most: 1 << 20,
        };
        let speech = Speech::start(settings).unwrap();
        assert_eq!(speech.samples("ru", "hello").await.unwrap(), [3; 80]);
        for why in ["the service that speaks answered 429", "does not answer to the end"] {
            let told = speech.samples("en", "hello").await.unwrap_err().to_string();
            assert!(told.contains(why), "{told}");
        }
        let asked = asked.await.unwrap();
        assert!(asked[0].starts_with("POST /ru HTTP/1.1"), "{asked:?}");
        for line in ["authorization: Bearer theirs", "content-language: ru", "accept: audio/wav"] {
            assert!(asked[0].contains(line), "{line}: {asked:?}");
        }
    }

    #[test]
    fn a_file_whose_writer_did_not_know_its_length_is_as_long_as_it_is() {
        let whole = relay::write_wav(&[9; 100]).unwrap();
        let mut unknown = whole.clone();
        unknown[40..44].copy_from_slice(&0x7FFF_F000_u32.to_le_bytes());
        assert!(relay::read_prompt(&unknown).is_err());
        assert_eq!(relay::read_prompt(&mended(unknown)).unwrap(), [9; 100]);
        assert_eq!(mended(whole.clone()), whole);
        let cut = whole[..whole.len() - 20].to_vec();
        assert!(relay::read_prompt(&mended(cut)).is_err(), "what was cut short is not mended");
        for octets in [&b""[..], b"RIFF", b"RIFF....WAVEdata"] {
            assert_eq!(mended(octets.to_vec()), octets);
        }
    }
}
