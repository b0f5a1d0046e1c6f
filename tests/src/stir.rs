//! Callers whom somebody signs for (STIR, RFC 8224): a root, a signer and signatures, all made by `openssl` (Debian package
//! openssl), which nobody here wrote.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::config::Config;
use crate::tool;

/// Where the certificate of the signer is, as its PASSporTs say.
const HOST: &str = "cert.canary-signer.example";
const PATH: &str = "shaken/709j.pem";
/// Extensions of the signer's certificate: it speaks for the numbers of the provider 709J (RFC 8226 §9).
const EXTENSIONS: &str = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n\
    1.3.6.1.5.5.7.1.26=DER:30:08:A0:06:16:04:37:30:39:4A\n";

/// A root, whoever signs below it, and a folder with both.
#[derive(Debug)]
pub struct Signer {
    dir: tempfile::TempDir,
}

impl Signer {
    /// A new one.
    ///
    /// # Panics
    /// If openssl is not installed, or the disk is full.
    #[must_use]
    pub fn new() -> Self {
        let signer = Self { dir: tempfile::tempdir().expect("a directory can be made") };
        let certificate = signer.certificate();
        let folder = certificate.parent().expect("it lies in a folder");
        std::fs::create_dir_all(folder).expect("the disk has room");
        std::fs::write(signer.path("extensions"), EXTENSIONS).expect("the disk has room");
        let curve = ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out"];
        signer.openssl(&[&curve[..], &["root.key"]].concat());
        signer.openssl(&[&curve[..], &["signer.key"]].concat());
        let root = [
            "req", "-x509", "-new", "-key", "root.key", "-days", "30", "-subj", "/CN=root", "-out",
            "root.pem",
        ];
        signer.openssl(&root);
        signer.openssl(&[
            "req",
            "-new",
            "-key",
            "signer.key",
            "-subj",
            "/CN=SHAKEN 709J",
            "-out",
            "signer.csr",
        ]);
        let below =
            ["x509", "-req", "-in", "signer.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial"];
        let certificate = certificate.to_string_lossy();
        let about = ["-days", "30", "-extfile", "extensions", "-out", &*certificate];
        signer.openssl(&[&below[..], &about[..]].concat());
        signer
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn certificates(&self) -> PathBuf {
        self.path("certificates")
    }

    fn certificate(&self) -> PathBuf {
        self.certificates().join(HOST).join(PATH)
    }

    /// Takes its certificate out of the folder, or puts it back there.
    ///
    /// # Panics
    /// If it is there already.
    pub fn publish(&self, is_there: bool) {
        let (folder, aside) = (self.certificate(), self.path("aside.pem"));
        let (from, to) = if is_there { (aside, folder) } else { (folder, aside) };
        std::fs::rename(from, to).expect("it is where it was");
    }

    fn openssl(&self, arguments: &[&str]) {
        let mut command = tool::command("openssl", "openssl");
        let ran = command.args(arguments).current_dir(self.dir.path()).stdin(Stdio::null()).output();
        let ran = ran.expect("openssl runs");
        assert!(ran.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    }

    /// A configuration that believes this root and verifies who calls by its first trunk.
    #[must_use]
    pub fn believed(&self, config: Config) -> Config {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        config
            .set("identity.roots_file", text(&self.path("root.pem")))
            .set("identity.certificates", text(&self.certificates()))
            .set("trunk.0.verify", "identity")
    }

    /// The header line that says, now, that `from` calls `to`, both in digits, with full attestation.
    ///
    /// # Panics
    /// If openssl makes no signature.
    #[must_use]
    pub fn sign(&self, from: &str, to: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970").as_secs();
        self.sign_at(from, to, now)
    }

    /// The same, at this moment, in seconds since 1970.
    ///
    /// # Panics
    /// If openssl makes no signature.
    #[must_use]
    pub fn sign_at(&self, from: &str, to: &str, at: u64) -> String {
        let url = format!("https://{HOST}/{PATH}");
        let part = |text: String| URL_SAFE_NO_PAD.encode(text);
        let header = part(format!(r#"{{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"{url}"}}"#));
        let claims = part(format!(
            r#"{{"attest":"A","dest":{{"tn":["{to}"]}},"iat":{at},"orig":{{"tn":"{from}"}},"origid":"123e4567-e89b-12d3-a456-426655440000"}}"#
        ));
        let signed = format!("{header}.{claims}");
        std::fs::write(self.path("token"), &signed).expect("the disk has room");
        self.openssl(&["dgst", "-sha256", "-sign", "signer.key", "-out", "signature", "token"]);
        let der = std::fs::read(self.path("signature")).expect("a signature");
        let signature = URL_SAFE_NO_PAD.encode(fixed(&der));
        format!("Identity: {signed}.{signature};info=<{url}>;alg=ES256;ppt=shaken")
    }
}

impl Default for Signer {
    fn default() -> Self {
        Self::new()
    }
}

/// The two numbers of a signature side by side (RFC 7518 §3.4), from `SEQUENCE { r INTEGER, s INTEGER }`.
fn fixed(der: &[u8]) -> [u8; 64] {
    let mut both = [0; 64];
    let mut rest = &der[2..];
    for half in both.chunks_exact_mut(32) {
        let (number, after) = rest[2..].split_at(usize::from(rest[1]));
        let number = &number[number.len().saturating_sub(32)..];
        half[32 - number.len()..].copy_from_slice(number);
        rest = after;
    }
    both
}
