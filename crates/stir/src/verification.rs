//! What became of verifying who calls, in words that are the same in records, events and metrics.

/// How well whoever signed knows the caller (RFC 8588 §4). The better, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attestation {
    /// `C`: it knows by which gateway the call came, and nothing of the caller.
    Gateway,
    /// `B`: it knows the caller, and not whether the number is theirs.
    Partial,
    /// `A`: it knows the caller, who may use the number.
    Full,
}

impl Attestation {
    /// The letter.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Gateway => "C",
            Self::Partial => "B",
            Self::Full => "A",
        }
    }

    /// The attestation this letter stands for.
    #[must_use]
    pub fn of(letter: &str) -> Option<Self> {
        match letter {
            "A" => Some(Self::Full),
            "B" => Some(Self::Partial),
            "C" => Some(Self::Gateway),
            _ => None,
        }
    }
}

/// What became of verifying who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// The number is the caller's, as well as the attestation says; a PASSporT that is not of the kind `shaken` has none.
    Passed(Option<Attestation>),
    /// It is not, or nobody who says so can be believed.
    Failed(Fault),
    /// Nobody said whose it is, or in a way that cannot be verified here.
    None(Option<Fault>),
}

impl Verification {
    /// The verdict alone.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Passed(_) => Verdict::Passed,
            Self::Failed(_) => Verdict::Failed,
            Self::None(_) => Verdict::None,
        }
    }

    /// How well the caller is known, if that was said and is to be believed.
    #[must_use]
    pub fn attestation(self) -> Option<Attestation> {
        match self {
            Self::Passed(attestation) => attestation,
            Self::Failed(_) | Self::None(_) => None,
        }
    }

    /// What was at fault.
    #[must_use]
    pub fn fault(self) -> Option<Fault> {
        match self {
            Self::Passed(_) => None,
            Self::Failed(fault) => Some(fault),
            Self::None(fault) => fault,
        }
    }

    /// Both together, of what two sources say of one caller: one that says no outweighs one that says yes, and either outweighs
    /// one that does not know.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Failed(fault), _) | (_, Self::Failed(fault)) => Self::Failed(fault),
            (Self::Passed(one), Self::Passed(other)) => Self::Passed(one.max(other)),
            (Self::Passed(attestation), _) | (_, Self::Passed(attestation)) => Self::Passed(attestation),
            (Self::None(one), Self::None(other)) => Self::None(one.or(other)),
        }
    }
}

impl From<Fault> for Verification {
    fn from(fault: Fault) -> Self {
        if fault.disproves() { Self::Failed(fault) } else { Self::None(Some(fault)) }
    }
}

/// What became of verifying who calls, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// The number is the caller's.
    Passed,
    /// It is not proved theirs, though somebody tried.
    Failed,
    /// Nobody said.
    None,
}

impl Verdict {
    /// Each of them, for metrics that name each.
    pub const ALL: [Self; 3] = [Self::Passed, Self::Failed, Self::None];

    /// The word in records, metrics, events and the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::None => "none",
        }
    }
}

/// Why a caller is not verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The header field or its PASSporT is not as RFC 8224 and RFC 8225 have it.
    Unreadable,
    /// The compact form, which is not taken apart here (RFC 8224 §4.1).
    Compact,
    /// Not signed by ES256, the one algorithm there is (RFC 8225 §4).
    Algorithm,
    /// Signed too long ago, or in the future.
    Stale,
    /// Signed for a call from another number.
    OtherCaller,
    /// Signed for a call to another number.
    OtherCallee,
    /// Signed by a certificate that is not at hand here.
    UnknownCertificate,
    /// The certificate is not vouched for, not valid now, or not for this use.
    Untrusted,
    /// The certificate is one of other numbers (RFC 8226 §9).
    OtherNumbers,
    /// The signature is not of this PASSporT and key.
    Signature,
    /// The carrier says that it tried, and the caller failed (`verstat`).
    Carrier,
    /// No verdict came in time.
    Late,
}

impl Fault {
    /// Each of them.
    pub const ALL: [Self; 12] = [
        Self::Unreadable,
        Self::Compact,
        Self::Algorithm,
        Self::Stale,
        Self::OtherCaller,
        Self::OtherCallee,
        Self::UnknownCertificate,
        Self::Untrusted,
        Self::OtherNumbers,
        Self::Signature,
        Self::Carrier,
        Self::Late,
    ];

    /// The word in records, events and the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Compact => "compact",
            Self::Algorithm => "algorithm",
            Self::Stale => "stale",
            Self::OtherCaller => "other-caller",
            Self::OtherCallee => "other-callee",
            Self::UnknownCertificate => "unknown-certificate",
            Self::Untrusted => "untrusted",
            Self::OtherNumbers => "other-numbers",
            Self::Signature => "signature",
            Self::Carrier => "carrier",
            Self::Late => "late",
        }
    }

    /// Whether it speaks against the caller; the others say only that nothing could be verified.
    #[must_use]
    pub fn disproves(self) -> bool {
        !matches!(self, Self::Compact | Self::UnknownCertificate | Self::Late)
    }

    /// The status of a refusal for it (RFC 8224 §6.2.2).
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Stale | Self::Carrier => 403,
            Self::UnknownCertificate => 436,
            Self::Untrusted | Self::OtherNumbers => 437,
            Self::Unreadable
            | Self::Compact
            | Self::Algorithm
            | Self::OtherCaller
            | Self::OtherCallee
            | Self::Signature => 438,
            Self::Late => 428,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_known_is_the_greater() {
        assert!(Attestation::of("A") > Attestation::of("B") && Attestation::of("B") > Attestation::of("C"));
        for letter in ["A", "B", "C"] {
            assert_eq!(Attestation::of(letter).map(Attestation::word), Some(letter));
        }
        assert_eq!((Attestation::of("a"), Attestation::of("")), (None, None));
    }

    #[test]
    fn a_no_outweighs_a_yes_and_a_yes_what_nobody_knows() {
        use Verification::{Failed, None as Unknown, Passed};
        let (full, none) = (Passed(Some(Attestation::Full)), Unknown(None));
        let (failed, late) = (Failed(Fault::Signature), Unknown(Some(Fault::Late)));
        for (one, other, both) in [
            (full, failed, failed),
            (full, none, full),
            (full, Passed(None), full),
            (none, late, late),
            (failed, late, failed),
        ] {
            assert_eq!((one.and(other), other.and(one)), (both, both));
        }
        assert_eq!(Verification::from(Fault::Late), late);
        assert_eq!(Verification::from(Fault::Signature), failed);
    }

    #[test]
    fn every_word_is_another() {
        let words: std::collections::BTreeSet<_> = Fault::ALL.iter().map(|fault| fault.word()).collect();
        assert_eq!(words.len(), Fault::ALL.len());
        assert!(Fault::ALL.iter().all(|fault| (400..500).contains(&fault.status())));
    }
}
