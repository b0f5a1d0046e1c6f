//! Certificates of who signs (RFC 8226, RFC 5280): a leaf that holds the key of PASSporTs, and those between it and a root.

use std::fmt;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, Oid};
use x509_parser::prelude::FromDer as _;

use crate::authority::Authority;

/// id-pe-TNAuthList (RFC 8226 §9).
const TN_AUTH_LIST: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 26];
/// id-pe-JWTClaimConstraints (RFC 8226 §8), id-pe-eJWTClaimConstraints (RFC 9118 §5): what a PASSporT may say.
const CONSTRAINTS: [&[u64]; 2] = [&[1, 3, 6, 1, 5, 5, 7, 1, 27], &[1, 3, 6, 1, 5, 5, 7, 1, 33]];
/// Certificates of one chain.
const MOST: usize = 8;
/// A point of P-256, uncompressed (SEC 1 §2.3.3).
const POINT: usize = 65;

/// Why a file is no chain of certificates by which a PASSporT can be verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateFault {
    /// No certificate in PEM.
    Empty,
    /// More than eight.
    TooMany,
    /// One of them is not as RFC 5280 has it.
    Unreadable,
    /// The first has no key of the curve P-256 (RFC 8225 §4: ES256).
    Key,
    /// The key of the first is not for signing (RFC 5280 §4.2.1.3).
    Usage,
    /// The first does not say for which numbers it speaks (RFC 8226 §9).
    NoNumbers,
    /// One of them limits what a PASSporT may say (RFC 8226 §8), which is not followed here.
    Constrained,
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "holds no certificate in PEM",
            Self::TooMany => "holds more than eight certificates",
            Self::Unreadable => "holds a certificate that cannot be read",
            Self::Key => "its first certificate has no key of the curve P-256",
            Self::Usage => "the key of its first certificate is not for signing",
            Self::NoNumbers => "its first certificate does not say for which numbers it speaks (TNAuthList)",
            Self::Constrained => {
                "a certificate limits what PASSporTs may say (JWTClaimConstraints), which is not followed"
            }
        })
    }
}

impl std::error::Error for CertificateFault {}

/// Certificates in the order of PEM files: the one that signs, and those between it and its root.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    pub(crate) leaf: CertificateDer<'static>,
    pub(crate) between: Vec<CertificateDer<'static>>,
    /// The key of the leaf.
    pub(crate) key: [u8; POINT],
    /// For which numbers the leaf speaks.
    pub(crate) authority: Authority,
}

impl Chain {
    pub(crate) fn parse(pem: &[u8]) -> Result<Self, CertificateFault> {
        let mut certificates = read(pem)?;
        let leaf = certificates.remove(0);
        for certificate in &certificates {
            Facts::of(certificate)?;
        }
        let facts = Facts::of(&leaf)?;
        let key = facts.key.ok_or(CertificateFault::Key)?;
        if !facts.signs {
            return Err(CertificateFault::Usage);
        }
        let authority = facts.authority.ok_or(CertificateFault::NoNumbers)?;
        Ok(Self { leaf, between: certificates, key, authority })
    }
}

/// Every certificate of a file.
pub(crate) fn read(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateFault> {
    let all = CertificateDer::pem_slice_iter(pem).take(MOST + 1).collect::<Result<Vec<_>, _>>();
    let all = all.map_err(|_| CertificateFault::Unreadable)?;
    match all.len() {
        0 => Err(CertificateFault::Empty),
        1..=MOST => Ok(all),
        _ => Err(CertificateFault::TooMany),
    }
}

/// What is asked of a certificate besides its signature and its dates.
pub(crate) struct Facts {
    /// Its key, if that is one of P-256.
    key: Option<[u8; POINT]>,
    /// Whether its key may sign PASSporTs, and certificates; anything where it does not say.
    signs: bool,
    pub(crate) vouches: bool,
    /// For which numbers it speaks; any number where it does not say.
    pub(crate) authority: Option<Authority>,
    /// From and until when it is valid, in seconds since 1970.
    pub(crate) valid: (i64, i64),
}

impl Facts {
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Result<Self, CertificateFault> {
        let unreadable = CertificateFault::Unreadable;
        let (rest, certificate) = X509Certificate::from_der(certificate).map_err(|_| unreadable)?;
        let is = |oid: &Oid<'_>, arcs: &[u64]| Oid::from(arcs).is_ok_and(|known| *oid == known);
        let mut authority = None;
        for extension in certificate.extensions() {
            if CONSTRAINTS.iter().any(|arcs| is(&extension.oid, arcs)) {
                return Err(CertificateFault::Constrained);
            }
            if is(&extension.oid, TN_AUTH_LIST) {
                let list = Authority::parse(extension.value).ok_or(unreadable)?;
                if authority.replace(list).is_some() {
                    return Err(unreadable);
                }
            }
        }
        let usage = certificate.key_usage().map_err(|_| unreadable)?.map(|usage| usage.value);
        let validity = certificate.validity();
        if !rest.is_empty() {
            return Err(unreadable);
        }
        Ok(Self {
            key: point(&certificate),
            signs: usage.is_none_or(x509_parser::extensions::KeyUsage::digital_signature),
            vouches: usage.is_none_or(x509_parser::extensions::KeyUsage::key_cert_sign),
            authority,
            valid: (validity.not_before.timestamp(), validity.not_after.timestamp()),
        })
    }
}

fn point(certificate: &X509Certificate<'_>) -> Option<[u8; POINT]> {
    let key = certificate.public_key();
    let curve = key.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
    let is_p256 = key.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY && curve == Some(OID_EC_P256);
    let point: [u8; POINT] = key.subject_public_key.data.as_ref().try_into().ok()?;
    (is_p256 && point[0] == 4).then_some(point)
}
