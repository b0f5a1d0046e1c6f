//! Whom we believe: roots, and the certificates of those who sign, each under the address PASSporTs name it by.

use std::collections::BTreeMap;
use std::time::Duration;

use number::Number;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::certificate::{CertificateFault, Chain, Facts, read};
use crate::passport::Passport;
use crate::{Fault, Field, MOST, Verification};

/// By which certificates are signed: the algorithms of SHAKEN certificates, and what else roots on that curve family use.
const ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    webpki::ring::ECDSA_P256_SHA256,
    webpki::ring::ECDSA_P256_SHA384,
    webpki::ring::ECDSA_P384_SHA256,
    webpki::ring::ECDSA_P384_SHA384,
];

/// Who says to be calling whom, and what proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The values of the Identity header fields, in order.
    pub identities: Vec<Box<[u8]>>,
    /// Who calls, as the signalling says.
    pub from: Number,
    /// Who is called.
    pub to: Number,
}

/// Whom we believe.
#[derive(Debug, Clone)]
pub struct Store {
    roots: Vec<TrustAnchor<'static>>,
    /// When each root is valid, in the same order.
    valid: Vec<(i64, i64)>,
    /// By the address without its scheme: `cert.example.org/passport.pem`.
    chains: BTreeMap<Box<str>, Chain>,
    freshness: Duration,
}

impl Store {
    /// With these roots, in PEM. A PASSporT is taken so long after it was signed, and as long before, by our clock.
    ///
    /// # Errors
    /// A root that cannot be read.
    pub fn new(roots: &[u8], freshness: Duration) -> Result<Self, CertificateFault> {
        let mut store = Self { roots: Vec::new(), valid: Vec::new(), chains: BTreeMap::new(), freshness };
        for root in read(roots)? {
            let anchor = anchor_from_trusted_cert(&root).map_err(|_| CertificateFault::Unreadable)?;
            store.roots.push(anchor.to_owned());
            store.valid.push(Facts::of(&root)?.valid);
        }
        Ok(store)
    }

    /// Keeps a chain, in PEM, under its address without `https://`: what it replaces is forgotten.
    ///
    /// # Errors
    /// What makes it useless; nothing is kept then.
    pub fn put(&mut self, address: &str, pem: &[u8]) -> Result<(), CertificateFault> {
        self.chains.insert(address.into(), Chain::parse(pem)?);
        Ok(())
    }

    /// The addresses of chains that do not lead to a root of ours at this moment, in seconds since 1970.
    pub fn untrusted(&self, now: u64) -> impl Iterator<Item = &str> {
        self.chains
            .iter()
            .filter(move |(_, chain)| self.vouch(chain, None, now).is_err())
            .map(|(address, _)| &**address)
    }

    /// Whether the caller is who they say, at this moment, in seconds since 1970.
    #[must_use]
    pub fn verify(&self, question: &Question, now: u64) -> Verification {
        let mut verification = None;
        for value in question.identities.iter().take(MOST) {
            let one = match self.one(value, question, now) {
                Ok(None) => continue,
                Ok(Some(passport)) => Verification::Passed(passport.attestation),
                Err(fault) => Verification::from(fault),
            };
            // Several may have signed (RFC 8224 §4.1): one that is right proves it, and the first fault is told where none is.
            verification = match (verification, one) {
                (Some(Verification::Passed(best)), Verification::Passed(other)) => {
                    Some(Verification::Passed(best.max(other)))
                }
                (None, one) | (Some(_), one @ Verification::Passed(_)) => Some(one),
                (Some(before), _) => Some(before),
            };
        }
        verification.unwrap_or(Verification::None(None))
    }

    /// What is cheap comes first.
    fn one(&self, value: &[u8], question: &Question, now: u64) -> Result<Option<Passport>, Fault> {
        let field = Field::parse(value)?;
        let Some(passport) = Passport::read(&field)? else { return Ok(None) };
        if now.abs_diff(passport.signed_at) > self.freshness.as_secs() {
            return Err(Fault::Stale);
        }
        if passport.from != Some(question.from) {
            return Err(Fault::OtherCaller);
        }
        if !passport.to.contains(&question.to) {
            return Err(Fault::OtherCallee);
        }
        let chain = address(&passport.certificate).and_then(|address| self.chains.get(&*address));
        let chain = chain.ok_or(Fault::UnknownCertificate)?;
        prove(field.parts, &passport.signature, &chain.key)?;
        self.vouch(chain, Some(question.from), now)?;
        Ok(Some(passport))
    }

    /// Whether the chain leads to a root, all of it valid now, and speaks for the number.
    fn vouch(&self, chain: &Chain, number: Option<Number>, now: u64) -> Result<(), Fault> {
        let leaf = EndEntityCert::try_from(&chain.leaf).map_err(|_| Fault::Untrusted)?;
        let moment = UnixTime::since_unix_epoch(Duration::from_secs(now));
        // No usage of its own is defined for PASSporTs: one that is limited to others is none of ours.
        let usage = KeyUsage::client_auth();
        let path = leaf.verify_for_usage(ALGORITHMS, &self.roots, &chain.between, moment, usage, None, None);
        let path = path.map_err(|_| Fault::Untrusted)?;
        let is_root = |root: &TrustAnchor<'_>| {
            root.subject == path.anchor().subject
                && root.subject_public_key_info == path.anchor().subject_public_key_info
        };
        let now = i64::try_from(now).map_err(|_| Fault::Untrusted)?;
        let is_valid = |valid: &(i64, i64)| (valid.0..=valid.1).contains(&now);
        if !self.roots.iter().zip(&self.valid).any(|(root, valid)| is_root(root) && is_valid(valid)) {
            return Err(Fault::Untrusted);
        }
        let speaks =
            |authority: &crate::authority::Authority| number.is_none_or(|number| authority.covers(number));
        if !speaks(&chain.authority) {
            return Err(Fault::OtherNumbers);
        }
        for between in path.intermediate_certificates() {
            let facts = Facts::of(&CertificateDer::from(&*between.der())).map_err(|_| Fault::Untrusted)?;
            if !facts.vouches {
                return Err(Fault::Untrusted);
            }
            // Who may vouch for some numbers only does not vouch for others (RFC 9060 §4).
            if !facts.authority.as_ref().is_none_or(speaks) {
                return Err(Fault::OtherNumbers);
            }
        }
        Ok(())
    }
}

/// ES256 over header and claims as they were sent (RFC 7515 §5.2).
fn prove([header, claims, _]: [&str; 3], signature: &[u8], key: &[u8]) -> Result<(), Fault> {
    let signed = [header, claims].join(".");
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key)
        .verify(signed.as_bytes(), signature)
        .map_err(|_| Fault::Signature)
}

/// Host and path of an `https` address that has nothing else (RFC 8224 §7.1, ATIS-1000074), the host in small letters.
fn address(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (host, path) = rest.split_once('/')?;
    let is_plain = !host.is_empty() && !path.is_empty() && !rest.contains(['@', '?', '#', '\\', '%']);
    (scheme.eq_ignore_ascii_case("https") && is_plain)
        .then(|| format!("{}/{path}", host.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests;
