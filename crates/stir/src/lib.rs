//! Whether a caller is who the signalling says (STIR): the Identity header (RFC 8224), the PASSporT in it (PASSporT, RFC 8225, and its kind
//! `shaken`, RFC 8588), and the certificates it is signed by (RFC 8226). Time enters as an argument, and so does every file.

mod authority;
mod certificate;
mod field;
mod passport;
mod store;
mod verification;

pub use certificate::CertificateFault;
pub use field::Field;
pub use passport::Passport;
pub use store::{Question, Store};
pub use verification::{Attestation, Fault, Verdict, Verification};

/// Identity header fields of one request that are looked at (RFC 8224 §4.1 allows several); what follows is passed over.
pub const MOST: usize = 4;
