//! Linphone as a phone (Debian package linphone-cli), told what to do at its prompt.

use std::io::Write;
use std::net::IpAddr;
use std::process::Stdio;

use crate::tool::{self, Running};
use crate::wav::Wav;
use crate::{tone, wait, wav};

/// A phone.
#[derive(Debug)]
pub struct Linphone {
    running: Running,
    dir: tempfile::TempDir,
}

/// What a phone does when it is called.
pub use crate::baresip::Answering;

impl Linphone {
    /// A phone with this number at port 5060 of `address`, whose voice is a tone.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(address: IpAddr, number: &str, hertz: f64, answering: Answering) -> Self {
        Self::with(address, number, &tone::sine(hertz, 120.0), answering, ("none", "1", ""))
    }

    /// A phone that always encrypts its voice.
    #[must_use]
    pub fn encrypting(address: IpAddr, number: &str, hertz: f64, answering: Answering) -> Self {
        Self::with(address, number, &tone::sine(hertz, 120.0), answering, ("srtp", "1", ""))
    }

    /// A phone without telephone-events, which keys a code as tones in its voice.
    #[must_use]
    pub fn keying(address: IpAddr, number: &str, hertz: f64, code: &str) -> Self {
        Self::with(address, number, &tone::keyed(code, hertz), Answering::Manual, ("none", "0", ""))
    }

    /// A phone that answers challenges of this realm.
    #[must_use]
    pub fn proving(address: IpAddr, number: &str, hertz: f64, (username, password): (&str, &str)) -> Self {
        let known =
            format!("[auth_info_0]\nusername=+{number}\nuserid={username}\npasswd={password}\nrealm=bauta\n");
        Self::with(address, number, &tone::sine(hertz, 120.0), Answering::Manual, ("none", "1", &known))
    }

    fn with(
        address: IpAddr,
        number: &str,
        voice: &[i16],
        answering: Answering,
        (encryption, events, more): (&str, &str, &str),
    ) -> Self {
        let dir = tempfile::tempdir().expect("a directory can be made");
        let path = |name: &str| dir.path().join(name);
        wav::write(&path("voice.wav"), voice);
        std::fs::create_dir_all(path(".local/share/linphone")).expect("the disk has room");
        let template = std::fs::read_to_string(tool::interop("linphone/rc")).expect("a template");
        let rc = template
            .replace("@ADDRESS@", &address.to_string())
            .replace("@NUMBER@", number)
            .replace("@ENCRYPTION@", encryption)
            .replace("@EVENTS@", events);
        let rc = rc.replace("@MANDATORY@", if encryption == "none" { "0" } else { "1" });
        std::fs::write(path("rc"), rc + more).expect("the disk has room");
        let output = std::fs::File::create(path("output")).expect("the disk has room");
        let mut command = tool::command("linphonec", "linphone-cli");
        command.args(["-d", "5", "-l"]).arg(path("log")).arg("-c").arg(path("rc"));
        if answering == Answering::Auto {
            command.arg("-a");
        }
        command
            .env("HOME", dir.path())
            .current_dir(dir.path())
            .stdin(Stdio::piped())
            .stderr(output.try_clone().expect("a file can be shared"))
            .stdout(output);
        let mut phone = Self { running: Running::start(command), dir };
        wait::until_true("linphone's prompt", wait::SOON, || phone.output().contains("linphonec>"));
        phone.command("soundcard use files");
        let (voice, heard) = (phone.dir.path().join("voice.wav"), phone.dir.path().join("heard.wav"));
        phone.command(&format!("play {}", voice.display()));
        phone.command(&format!("record {}", heard.display()));
        phone
    }

    /// What the phone has printed.
    #[must_use]
    pub fn output(&self) -> String {
        let output = std::fs::read(self.dir.path().join("output")).unwrap_or_default();
        String::from_utf8_lossy(&output).into_owned()
    }

    /// What it has logged, SIP messages included.
    #[must_use]
    pub fn log(&self) -> String {
        let log = std::fs::read(self.dir.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Types a line at its prompt.
    ///
    /// # Panics
    /// If the phone is gone.
    pub fn command(&mut self, line: &str) {
        let stdin = self.running.stdin().expect("its input is ours");
        writeln!(stdin, "{line}").and_then(|()| stdin.flush()).expect("the phone listens");
    }

    /// Calls.
    pub fn dial(&mut self, uri: &str) {
        self.command(&format!("call {uri}"));
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        self.command(keys);
    }

    /// Hangs up.
    pub fn hang_up(&mut self) {
        self.command("terminate");
    }

    /// Waits until it has printed this.
    pub fn await_output(&self, text: &str) {
        wait::until_true(text, wait::LATER, || self.output().contains(text));
    }

    /// What it has heard. Ends the phone.
    ///
    /// # Panics
    /// If it heard nothing.
    #[must_use]
    pub fn heard(mut self) -> Wav {
        self.command("quit");
        self.running.wait(wait::SOON);
        wav::so_far(&self.dir.path().join("heard.wav")).expect("it was told to record")
    }

    /// For how many seconds it has heard this tone so far.
    #[must_use]
    pub fn hears(&self, hertz: f64) -> f64 {
        let heard = wav::so_far(&self.dir.path().join("heard.wav"));
        heard.map_or(0.0, |heard| tone::seconds(&heard.channels[0], heard.rate, hertz))
    }
}

impl Drop for Linphone {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what linphone said:\n{}", self.output());
        }
    }
}
