//! Verifies who calls, on a thread of its own: a signature takes longer than a call may hold up the others. Nothing is fetched;
//! whom we believe lies on the disk.

use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use b2bua::{CallId, Input};
use stir::{CertificateFault, Question, Store};

use crate::signalling::Turn;
use crate::time::wall_ms;

/// Questions waiting. More only wait if the machine is far behind; those are answered `Late`.
const QUESTIONS: usize = 1024;
/// Octets of one file of certificates.
const LONGEST: u64 = 65_536;
/// Files of certificates, and folders in folders.
const MOST: usize = 10_000;
const DEEPEST: usize = 16;

/// The files of whom we believe. They are read again with each reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Files {
    /// The roots, PEM.
    pub(crate) roots: PathBuf,
    /// A folder: what `https://HOST/PATH` names lies at `HOST/PATH` in it, PEM.
    pub(crate) certificates: PathBuf,
    /// For how long after it was signed a PASSporT is taken.
    pub(crate) freshness: Duration,
}

/// Why there is nobody to believe.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BelievedError {
    /// The roots.
    #[error("{}: {error}", path.display())]
    Roots { path: PathBuf, error: io::Error },
    /// What lies in them.
    #[error("{}: {fault}", path.display())]
    NoRoots { path: PathBuf, fault: CertificateFault },
    /// A file or folder of certificates.
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    /// What lies in it.
    #[error("{}: {fault}", path.display())]
    Certificates { path: PathBuf, fault: CertificateFault },
    /// Some other folder.
    #[error("{}: holds more than {MOST} files, or folders deeper than {DEEPEST}", .0.display())]
    TooMany(PathBuf),
}

impl BelievedError {
    /// Whether it is about the roots.
    pub(crate) fn is_of_roots(&self) -> bool {
        matches!(self, Self::Roots { .. } | Self::NoRoots { .. })
    }
}

/// Whom we believe, as it lay on the disk.
#[derive(Debug)]
pub(crate) struct Believed(Store);

impl Believed {
    /// Reads the files.
    ///
    /// # Errors
    /// The first that does not fit.
    pub(crate) fn load(files: &Files) -> Result<Self, BelievedError> {
        let path = files.roots.clone();
        let roots = read(&path).map_err(|error| BelievedError::Roots { path: path.clone(), error })?;
        let mut store =
            Store::new(&roots, files.freshness).map_err(|fault| BelievedError::NoRoots { path, fault })?;
        for path in within(&files.certificates)? {
            let pem = read(&path).map_err(|error| BelievedError::File { path: path.clone(), error })?;
            // What a URL cannot name is nobody's.
            let address = path.strip_prefix(&files.certificates).ok().and_then(Path::to_str);
            if let Some(address) = address {
                store
                    .put(address, &pem)
                    .map_err(|fault| BelievedError::Certificates { path: path.clone(), fault })?;
            }
        }
        Ok(Self(store))
    }

    /// The addresses of those who cannot be believed at this moment, in seconds since 1970.
    pub(crate) fn untrusted(&self, now: u64) -> impl Iterator<Item = &str> {
        self.0.untrusted(now)
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    std::fs::File::open(path)?.take(LONGEST + 1).read_to_end(&mut octets)?;
    if octets.len() as u64 > LONGEST {
        return Err(io::Error::other(format!("it has more than {LONGEST} octets")));
    }
    Ok(octets)
}

/// Every file in a folder and those in it, hidden ones aside.
fn within(folder: &Path) -> Result<BTreeSet<PathBuf>, BelievedError> {
    let (mut files, mut folders) = (BTreeSet::new(), vec![(folder.to_owned(), 0)]);
    while let Some((path, depth)) = folders.pop() {
        let failed = |error| BelievedError::File { path: path.clone(), error };
        if depth > DEEPEST {
            return Err(BelievedError::TooMany(folder.to_owned()));
        }
        for entry in std::fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            if entry.path().is_dir() {
                folders.push((entry.path(), depth + 1));
            } else {
                files.insert(entry.path());
            }
            if files.len() + folders.len() > MOST {
                return Err(BelievedError::TooMany(folder.to_owned()));
            }
        }
    }
    Ok(files)
}

/// What the thread is told.
#[derive(Debug)]
enum Told {
    Question(CallId, Box<Question>),
    Believe(Option<Box<Believed>>),
}

/// Whoever verifies.
#[derive(Debug, Clone)]
pub(crate) struct Verifier {
    told: mpsc::SyncSender<Told>,
}

impl Verifier {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(
        believed: Option<Believed>,
        turns: tokio::sync::mpsc::Sender<Turn>,
    ) -> io::Result<Self> {
        let (told, heard) = mpsc::sync_channel(QUESTIONS);
        let run = move || verify(&heard, believed, &turns);
        thread::Builder::new().name("bauta-verifier".to_owned()).spawn(run)?;
        Ok(Self { told })
    }

    /// Asks; `false` if too many have.
    pub(crate) fn ask(&self, call: CallId, question: Box<Question>) -> bool {
        self.told.try_send(Told::Question(call, question)).is_ok()
    }

    /// Believes these from now on.
    pub(crate) fn believe(&self, believed: Option<Believed>) {
        let _ = self.told.send(Told::Believe(believed.map(Box::new)));
    }
}

/// Answers until nobody can ask any more.
fn verify(
    heard: &mpsc::Receiver<Told>,
    mut believed: Option<Believed>,
    turns: &tokio::sync::mpsc::Sender<Turn>,
) {
    while let Ok(told) = heard.recv() {
        match told {
            Told::Believe(next) => believed = next.map(|next| *next),
            Told::Question(call, question) => {
                let unknown = stir::Verification::from(stir::Fault::UnknownCertificate);
                let verification = believed
                    .as_ref()
                    .map_or(unknown, |believed| believed.0.verify(&question, wall_ms() / 1000));
                if turns.blocking_send(Turn::Board(Input::Verified { call, verification })).is_err() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_to_its_bottom_and_no_deeper_than_that() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("c.example/a/b");
        std::fs::create_dir_all(&deep).unwrap();
        for name in ["c.example/x.pem", "c.example/a/b/y.pem", "c.example/.hidden"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let found = within(dir.path()).unwrap();
        let names = ["c.example/a/b/y.pem", "c.example/x.pem"].map(|name| dir.path().join(name));
        assert_eq!(found.into_iter().collect::<Vec<_>>(), names);
        std::fs::create_dir_all((0..20).fold(deep, |path, _| path.join("d"))).unwrap();
        assert!(matches!(within(dir.path()), Err(BelievedError::TooMany(_))));
        assert!(matches!(within(&dir.path().join("none")), Err(BelievedError::File { .. })));
    }

    #[test]
    fn whoever_believes_nobody_verifies_nobody() {
        let (turns, mut told) = crate::signalling::queue();
        let verifier = Verifier::start(None, turns).unwrap();
        let number = |text| number::Number::parse(text).unwrap();
        let question = Question {
            identities: vec![Box::from(&b"no semicolon"[..])],
            from: number("+79991112233"),
            to: number("+78005550101"),
        };
        assert!(verifier.ask(CallId(7), Box::new(question)));
        let Some(Turn::Board(Input::Verified { call, verification })) = told.blocking_recv() else {
            panic!("an answer")
        };
        assert_eq!((call, verification), (CallId(7), stir::Fault::UnknownCertificate.into()));
    }

    #[test]
    fn a_file_that_is_too_long_is_some_other_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("roots.pem");
        std::fs::write(&path, vec![b'x'; usize::try_from(LONGEST).unwrap() + 1]).unwrap();
        let files =
            Files { roots: path, certificates: dir.path().to_owned(), freshness: Duration::from_secs(60) };
        let error = Believed::load(&files).unwrap_err();
        assert!(error.is_of_roots() && error.to_string().ends_with("more than 65536 octets"), "{error}");
    }
}
