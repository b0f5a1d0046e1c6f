//! SIP over TLS (RFC 3261 §26.2, RFC 5922): who we are, whom we believe, and how a connection proves its other end.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

/// The files TLS is made of. They are read again with each reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Files {
    /// Our certificate and those between it and its root, PEM.
    pub(crate) certificate: PathBuf,
    /// Its key, PEM.
    pub(crate) key: PathBuf,
    /// Whom we believe, PEM; the roots of the system where there is none.
    pub(crate) roots: Option<PathBuf>,
}

/// The files by which we prove who we are to browsers. They are read again with each reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proof {
    /// Our certificate and those between it and its root, PEM.
    pub(crate) certificate: PathBuf,
    /// Its key, PEM.
    pub(crate) key: PathBuf,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// A file.
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: rustls::pki_types::pem::Error },
    /// A file without anything in it.
    #[error("{}: there is no certificate in it", .0.display())]
    Empty(PathBuf),
    /// The roots of the system.
    #[error("the system has no root certificates; install ca-certificates or write sip.roots_file")]
    NoRoots,
    /// What the library says of certificate, key or roots.
    #[error("{0}")]
    Unfit(String),
}

/// Both halves: being connected to, and connecting.
#[derive(Clone)]
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |error| TlsError::File { path: path.to_owned(), error };
    let read: Vec<_> =
        CertificateDer::pem_file_iter(path).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?;
    if read.is_empty() { Err(TlsError::Empty(path.to_owned())) } else { Ok(read) }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| TlsError::File { path: path.to_owned(), error })
}

fn unfit(error: &dyn std::fmt::Display) -> TlsError {
    TlsError::Unfit(error.to_string())
}

impl Proof {
    /// Being connected to by browsers, which prove nothing themselves.
    ///
    /// # Errors
    /// The first thing that does not fit.
    pub(crate) fn acceptor(&self) -> Result<TlsAcceptor, TlsError> {
        let (chain, key) = (certificates(&self.certificate)?, key(&self.key)?);
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| unfit(&error))?
                .with_no_client_auth()
                .with_single_cert(chain, key)
                .map_err(|error| unfit(&error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config).into())
    }
}

fn roots(path: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    match path {
        Some(path) => {
            for certificate in certificates(path)? {
                store
                    .add(certificate)
                    .map_err(|error| TlsError::Unfit(format!("{}: {error}", path.display())))?;
            }
        }
        None => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if store.is_empty() { Err(TlsError::NoRoots) } else { Ok(store) }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// The first thing that does not fit.
    pub(crate) fn load(files: &Files) -> Result<Self, TlsError> {
        let chain = certificates(&files.certificate)?;
        let key = key(&files.key)?;
        let roots = Arc::new(roots(files.roots.as_deref())?);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        // Whoever has a certificate must prove it; whoever has none is known by their address, or by nothing.
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
            .allow_unauthenticated()
            .build()
            .map_err(|error| unfit(&error))?;
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| unfit(&error))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(|error| unfit(&error))?;
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unfit(&error))?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(|error| unfit(&error))?;
        Ok(Self { acceptor: Arc::new(server).into(), connector: Arc::new(client).into() })
    }

    /// Being connected to. With the stream come the names the other end has proved, if it has shown a certificate.
    ///
    /// # Errors
    /// What went wrong between the two.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
    ) -> io::Result<(server::TlsStream<TcpStream>, Vec<Box<str>>)> {
        let stream = self.acceptor.accept(stream).await?;
        let proved = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let names = proved.map(names).unwrap_or_default();
        Ok((stream, names))
    }

    /// Connecting to whoever has proved each of these names: several trunks may share one address, and so one
    /// connection.
    ///
    /// # Errors
    /// What went wrong between the two, or a name that was not proved.
    pub(crate) async fn connect(
        &self,
        stream: TcpStream,
        names: &[String],
    ) -> io::Result<client::TlsStream<TcpStream>> {
        let parsed = names.iter().map(|name| ServerName::try_from(name.clone()));
        let parsed: Vec<ServerName<'static>> = parsed.collect::<Result<_, _>>().map_err(io::Error::other)?;
        let first = parsed.first().ok_or_else(|| io::Error::other("nobody to expect there"))?;
        let stream = self.connector.connect(first.clone(), stream).await?;
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let shown = chain.first().ok_or_else(|| io::Error::other("no certificate"))?;
        let shown = rustls::server::ParsedCertificate::try_from(shown).map_err(io::Error::other)?;
        for name in &parsed {
            rustls::client::verify_server_name(&shown, name).map_err(io::Error::other)?;
        }
        Ok(stream)
    }
}

/// The DNS names of a certificate that was verified (RFC 5922 §7.1), in small letters.
fn names(certificate: &CertificateDer<'static>) -> Vec<Box<str>> {
    let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) else { return Vec::new() };
    certificate.valid_dns_names().map(|name| name.to_ascii_lowercase().into()).collect()
}
