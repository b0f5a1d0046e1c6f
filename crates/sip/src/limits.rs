//! How much of anything a message may have. Each is checked before memory is taken for it.

/// Octets of a whole message: what a UDP datagram can carry (RFC 3261 §18.1.1 asks for this much).
pub const MESSAGE: usize = 65_535;

/// Octets of one header field with its continuation lines, or of the start line.
pub const LINE: usize = 8_192;

/// Header fields in a message.
pub const HEADERS: usize = 256;

/// Header fields of one name, and values in the Via headers of a message together.
pub const SAME_HEADERS: usize = 100;

/// Parameters of one value of a header field, or of one URI.
pub const PARAMS: usize = 32;
