//! The usual scene: the program between a carrier that calls and a carrier that is called.

use std::net::SocketAddr;
use std::path::Path;

use crate::canary::Canary;
use crate::config::{Config, LINE};
use crate::link::Link;
use crate::loopback::{Loopback, SIP_PORT};
use crate::peer::call::Dial;
use crate::peer::{Call, Peer, Transport};
use crate::program::Bauta;
use crate::prompts::Library;
use crate::{tone, wait, wav};

/// The courier of every order.
pub const COURIER: &str = "79991111117";
/// The client of every order.
pub const CLIENT: &str = "79992222228";
/// Someone who has no order.
pub const STRANGER: &str = "79993333339";
/// The code of the usual order.
pub const CODE: &str = "12345";

/// A running program, who calls and who is called.
#[derive(Debug)]
pub struct Scene {
    /// The program.
    pub bauta: Bauta,
    /// The carrier that calls.
    pub caller: Peer,
    /// The carrier that is called.
    pub callee: Peer,
    /// What is played.
    pub prompts: Library,
    /// Where all of them are.
    pub loopback: Loopback,
    _brief: Option<tempfile::TempDir>,
}

impl Scene {
    /// Everything as shipped.
    #[must_use]
    pub fn open() -> Self {
        Self::with(|config| config)
    }

    /// With another configuration.
    #[must_use]
    pub fn with(change: impl FnOnce(Config) -> Config) -> Self {
        Self::build(&Link::perfect(), None, change)
    }

    /// With prompts of half a second, for tests of what comes after them.
    ///
    /// # Panics
    /// If the disk is full.
    #[must_use]
    pub fn brief(change: impl FnOnce(Config) -> Config) -> Self {
        Self::build(&Link::perfect(), Some(tempfile::tempdir().expect("a directory can be made")), change)
    }

    /// With lines to both carriers that lose datagrams, and prompts of half a second.
    ///
    /// # Panics
    /// If the disk is full.
    #[must_use]
    pub fn lossy(link: &Link, change: impl FnOnce(Config) -> Config) -> Self {
        Self::build(link, Some(tempfile::tempdir().expect("a directory can be made")), change)
    }

    fn build(link: &Link, brief: Option<tempfile::TempDir>, change: impl FnOnce(Config) -> Config) -> Self {
        let loopback = Loopback::claim();
        let mut config = change(Config::new(&loopback));
        let mut prompts = Library::read("ru");
        if let Some(dir) = &brief {
            prompts = shorten(&prompts, dir.path());
            config = config.set("prompts.dir", dir.path().to_string_lossy().into_owned());
        }
        let peer = |name, address, salt| {
            Peer::new(name, SocketAddr::new(address, SIP_PORT), Transport::Udp, &link.fork(salt))
        };
        let caller = peer("caller", loopback.carrier(), 1);
        let callee = peer("callee", loopback.callee(), 2);
        let bauta = Bauta::start(&loopback, &config);
        Self { bauta, caller, callee, prompts, loopback, _brief: brief }
    }

    /// Puts the usual order.
    pub fn put_order(&self) {
        self.bauta.put_order(CODE, COURIER, CLIENT, 3600);
    }

    /// A call from `from` to the line, answered.
    #[must_use]
    pub fn arrive(&self, from: &str) -> Call {
        let mut call = self.caller.dial(self.loopback.sip(), &Dial::new(from, LINE));
        call.answered();
        call
    }

    /// A call from `from` that has keyed the code, and the call to the other party, not yet answered.
    #[must_use]
    pub fn dialling(&self, from: &str) -> (Call, Call) {
        let out = self.arrive(from);
        out.media.press(CODE);
        let back = self.callee.incoming();
        (out, back)
    }

    /// Two that talk: 440 Hz from the caller, 1000 Hz from the callee, heard across.
    #[must_use]
    pub fn talking(&self, from: &str) -> (Call, Call) {
        let (mut out, mut back) = self.dialling(from);
        back.provisional("180 Ringing");
        back.answer();
        Self::talk(&mut out, &mut back);
        (out, back)
    }

    /// Lets both speak and waits until they hear each other.
    pub fn talk(out: &mut Call, back: &mut Call) {
        out.media.play(&tone::sine(440.0, 1.0));
        back.media.play(&tone::sine(1000.0, 1.0));
        back.media.await_tone(440.0);
        out.media.await_tone(1000.0);
    }

    /// As [`Self::talk`], until each has heard the other for so many seconds.
    pub fn talk_long(out: &mut Call, back: &mut Call, seconds: f64) {
        Self::talk(out, back);
        for (call, hertz) in [(back, 440.0), (out, 1000.0)] {
            let heard = || tone::seconds(&call.media.heard(), tone::RATE, hertz);
            wait::until_true("a long talk", wait::LATER, || heard() >= seconds);
        }
    }

    /// Waits until this side hears a prompt.
    pub fn await_prompt(&self, call: &Call, key: &str) {
        let what = format!("the prompt {key}");
        wait::until_true(&what, wait::LATER, || self.prompts.find(key, &call.media.heard()).is_some());
    }

    /// What the callee must never learn.
    #[must_use]
    pub fn secrets_of_caller(&self) -> Vec<Canary> {
        let mut canaries = self.caller.canaries();
        canaries.push(Canary::number("the courier's number", COURIER));
        canaries
    }

    /// What the caller must never learn.
    #[must_use]
    pub fn secrets_of_callee(&self) -> Vec<Canary> {
        let mut canaries = self.callee.canaries();
        canaries.push(Canary::number("the client's number", CLIENT));
        canaries
    }

    /// Asserts that neither side has learnt anything of the other, the courier having called.
    pub fn assert_masked(&self) {
        self.callee.assert_learnt_nothing_of(&self.secrets_of_caller());
        self.caller.assert_learnt_nothing_of(&self.secrets_of_callee());
    }
}

/// Writes the loudest half second of each spoken prompt where the program looks for replacements.
fn shorten(library: &Library, dir: &Path) -> Library {
    const LENGTH: usize = 4000;
    let mut brief = Library { texts: library.texts.clone(), files: library.files.clone() };
    std::fs::create_dir(dir.join("ru")).expect("the disk has room");
    for (key, file) in &mut brief.files {
        let samples = library.samples(key);
        let loudest = samples
            .windows(LENGTH)
            .step_by(LENGTH / 2)
            .max_by_key(|window| window.iter().map(|s| i64::from(*s).pow(2)).sum::<i64>());
        if let Some(loudest) = loudest.filter(|_| key != "music") {
            *file = dir.join("ru").join(format!("{key}.wav"));
            wav::write(file, loudest);
        }
    }
    brief
}
