//! `openssl s_client` as someone who connects by TLS (Debian package openssl).

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use crate::pki::Identity;
use crate::tool::{self, Running};

/// One connection.
#[derive(Debug)]
pub struct Client {
    running: Running,
    dir: tempfile::TempDir,
}

impl Client {
    /// Connects to whoever proves to be `name`, as this identity or as nobody.
    ///
    /// # Panics
    /// If openssl is not installed.
    #[must_use]
    pub fn connect(to: SocketAddr, name: &str, root: &Path, identity: Option<&Identity>) -> Self {
        let dir = tempfile::tempdir().expect("a directory can be made");
        let output =
            |name| Stdio::from(std::fs::File::create(dir.path().join(name)).expect("the disk has room"));
        let mut command = tool::command("openssl", "openssl");
        command
            .args(["s_client", "-quiet", "-verify_return_error", "-connect", &to.to_string()])
            .args(["-servername", name, "-verify_hostname", name])
            .arg("-CAfile")
            .arg(root)
            .stdin(Stdio::piped())
            .stdout(output("heard"))
            .stderr(output("said"));
        if let Some(identity) = identity {
            command.arg("-cert").arg(&identity.certificate).arg("-key").arg(&identity.key);
        }
        Self { running: Running::start(command), dir }
    }

    /// Sends this text.
    ///
    /// # Panics
    /// If nobody takes it.
    pub fn send(&mut self, text: &str) {
        let stdin = self.running.stdin().expect("its input is ours");
        stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush()).expect("it takes what is sent");
    }

    /// What has come back.
    #[must_use]
    pub fn heard(&self) -> String {
        let octets = std::fs::read(self.dir.path().join("heard")).unwrap_or_default();
        String::from_utf8_lossy(&octets).into_owned()
    }

    /// What it says itself.
    #[must_use]
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("said")).unwrap_or_default()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.running.ended().is_some()
    }
}
