//! The header of a WAV file: RIFF with one `fmt ` and one `data` chunk, of a length that is known.

use std::io;

use crate::RATE;

/// Octets before the first sample.
pub(crate) const HEADER: usize = 44;
/// Octets of a frame: a sample of 16 bits for each channel.
pub(crate) const FRAME: u64 = 4;
/// Octets of sound a file can hold: sizes in its header have 32 bits. 37 hours.
pub(crate) const LONGEST: u64 = 4_292_000_000;

/// The header in front of so many octets of sound.
///
/// # Errors
/// More than the header can count.
pub(crate) fn header(sound: u64) -> io::Result<[u8; HEADER]> {
    let length = u32::try_from(sound).ok().filter(|length| length.checked_add(36).is_some());
    let length = length.ok_or_else(too_long)?;
    let mut header = [0; HEADER];
    let fields: [(usize, &[u8]); 12] = [
        (0, b"RIFF"),
        (4, &(length + 36).to_le_bytes()),
        (8, b"WAVEfmt "),
        (16, &16_u32.to_le_bytes()),
        (20, &1_u16.to_le_bytes()),
        (22, &2_u16.to_le_bytes()),
        (24, &RATE.to_le_bytes()),
        (28, &(RATE * 4).to_le_bytes()),
        (32, &4_u16.to_le_bytes()),
        (34, &16_u16.to_le_bytes()),
        (36, b"data"),
        (40, &length.to_le_bytes()),
    ];
    for (place, octets) in fields {
        header[place..place + octets.len()].copy_from_slice(octets);
    }
    Ok(header)
}

/// Whether a file begins with a header of ours, or what there is of it, whatever sizes it tells.
pub(crate) fn is_ours(found: &[u8]) -> bool {
    let Ok(ours) = header(0) else { return false };
    let is_size = |place: usize| (4..8).contains(&place) || (40..44).contains(&place);
    found.iter().zip(ours).enumerate().all(|(place, (theirs, ours))| is_size(place) || *theirs == ours)
}

pub(crate) fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "a recording cannot be longer")
}
