//! Certificates for a test: an authority of its own, and whoever it vouches for.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

/// An authority, and a folder for what it signs.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    dir: tempfile::TempDir,
}

/// A certificate and its key, as files.
#[derive(Debug, Clone)]
pub struct Identity {
    /// PEM.
    pub certificate: PathBuf,
    /// PEM.
    pub key: PathBuf,
}

impl Authority {
    /// A new one.
    ///
    /// # Panics
    /// If the disk is full.
    #[must_use]
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory can be made");
        let key = KeyPair::generate().expect("there is chance");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name = called("authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root = params.self_signed(&key).expect("a certificate");
        write(&dir.path().join("root.pem"), &root.pem());
        Self { issuer: Issuer::new(params, key), dir }
    }

    /// Its own certificate.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root.pem")
    }

    /// Vouches for these names and addresses; what lay at `name` before is replaced.
    ///
    /// # Panics
    /// If the disk is full.
    #[must_use]
    pub fn vouch(&self, name: &str, names: &[&str]) -> Identity {
        let key = KeyPair::generate().expect("there is chance");
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names and addresses");
        params.distinguished_name = called(name);
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let path = |kind: &str| self.dir.path().join(format!("{name}.{kind}.pem"));
        let identity = Identity { certificate: path("certificate"), key: path("key") };
        write(&identity.certificate, &certificate.pem());
        write(&identity.key, &key.serialize_pem());
        identity
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

fn called(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn write(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).expect("the disk has room");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("the file is ours");
}
