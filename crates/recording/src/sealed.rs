//! Files sealed with a key: a header, then chunks, each encrypted and authenticated for itself (ChaCha20-Poly1305,
//! RFC 8439) under a key of this file alone.
//!
//! Which chunk it is, and whether it is the last, is part of its nonce, as in the STREAM construction (Hoang, Reyhanitabar,
//! Rogaway, Vizár 2015): chunks cannot be changed, exchanged, left out, or cut off at the end unnoticed. All but the last have
//! the same length, so each is found without reading those before it; the last is always shorter, if need be empty.
//! No chunk is ever written twice. What is sealed of a WAV recording is its sound alone: the header, which counts it, is
//! made when it is read.

use std::io::{self, Write};

use chacha20poly1305::aead::{AeadInPlace, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Nonce, Tag};
use rand_chacha::rand_core::{OsRng, TryRngCore};
use sha2::{Digest, Sha256};

use crate::Format;
use crate::key::{Key, NAME};

/// Octets of sound in a chunk: what a crash can cost. 64 ms of WAV, half a second of two voices in Opus.
pub(crate) const CHUNK: usize = 2_048;
/// Octets that authenticate a chunk.
pub(crate) const TAG: usize = 16;
/// Octets of a chunk in the file.
pub(crate) const SEALED_CHUNK: usize = CHUNK + TAG;
/// Octets of the header.
pub(crate) const HEADER: usize = MAGIC.len() + 1 + NAME + SALT + CALLED;

/// The first octets of a sealed file; the last of them is the version of its form.
pub(crate) const MAGIC: &[u8; 10] = b"BAUTA\x00REC\x01";
const SALT: usize = 32;
/// Octets of the hash of the file's name.
const CALLED: usize = 32;

/// What a chunk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Others follow.
    Inside,
    /// The last of a recording that was ended.
    Last,
    /// The last of a recording that broke off.
    BrokenOff,
}

/// The first octets of a sealed file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header([u8; HEADER]);

impl Header {
    /// For a file of this name, with chance of its own.
    pub(crate) fn new(key: &Key, format: Format, name: &str) -> Self {
        let mut header = [0; HEADER];
        let (magic, rest) = header.split_at_mut(MAGIC.len());
        let (kind, rest) = rest.split_at_mut(1);
        let (key_name, rest) = rest.split_at_mut(NAME);
        let (salt, called) = rest.split_at_mut(SALT);
        magic.copy_from_slice(MAGIC);
        kind[0] = format.octet();
        key_name.copy_from_slice(&key.name());
        OsRng.try_fill_bytes(salt).expect("the system has chance to give once it runs");
        called.copy_from_slice(&Sha256::digest(name));
        Self(header)
    }

    /// `None`: no file of ours begins like this.
    pub(crate) fn read(octets: [u8; HEADER]) -> Option<Self> {
        octets.starts_with(MAGIC).then_some(Self(octets)).filter(|header| header.format().is_some())
    }

    pub(crate) fn octets(&self) -> &[u8; HEADER] {
        &self.0
    }

    pub(crate) fn format(&self) -> Option<Format> {
        Format::of_octet(self.0[MAGIC.len()])
    }

    pub(crate) fn key_name(&self) -> [u8; NAME] {
        let mut name = [0; NAME];
        name.copy_from_slice(&self.0[MAGIC.len() + 1..][..NAME]);
        name
    }

    /// Whether the file was written under this name.
    pub(crate) fn is_of(&self, name: &str) -> bool {
        self.0[HEADER - CALLED..] == Sha256::digest(name)[..]
    }
}

/// The cipher of one file.
pub(crate) struct Cipher(ChaCha20Poly1305);

impl Cipher {
    pub(crate) fn new(key: &Key, header: &Header) -> Self {
        Self(ChaCha20Poly1305::new(&key.of_file(header.octets()).into()))
    }

    pub(crate) fn seal(&self, number: u64, place: Place, octets: &mut [u8]) -> [u8; TAG] {
        let tag = self.0.encrypt_in_place_detached(&nonce(number, place), &[], octets);
        tag.expect("a chunk is far shorter than the cipher allows").into()
    }

    /// The sound of a chunk; `None`: it is not this chunk of this file.
    pub(crate) fn open(&self, number: u64, place: Place, sealed: &[u8]) -> Option<Vec<u8>> {
        let (octets, tag) = sealed.split_at_checked(sealed.len().checked_sub(TAG)?)?;
        let mut octets = octets.to_vec();
        let tag = Tag::from_slice(tag);
        self.0.decrypt_in_place_detached(&nonce(number, place), &[], &mut octets, tag).ok()?;
        Some(octets)
    }
}

fn nonce(number: u64, place: Place) -> Nonce {
    let mut nonce = [0; 12];
    nonce[3..11].copy_from_slice(&number.to_be_bytes());
    nonce[11] = match place {
        Place::Inside => 0,
        Place::Last => 1,
        Place::BrokenOff => 2,
    };
    nonce.into()
}

/// Seals what is written to it.
pub(crate) struct Sealer<W: Write> {
    medium: W,
    cipher: Cipher,
    number: u64,
    /// Less than a chunk.
    waiting: Vec<u8>,
}

impl<W: Write> Sealer<W> {
    pub(crate) fn begin(mut medium: W, key: &Key, header: &Header) -> io::Result<Self> {
        medium.write_all(header.octets())?;
        medium.flush()?;
        let waiting = Vec::with_capacity(CHUNK);
        Ok(Self { medium, cipher: Cipher::new(key, header), number: 0, waiting })
    }

    /// Writes the last chunk.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.chunk(Place::Last)?;
        self.medium.flush()
    }

    fn chunk(&mut self, place: Place) -> io::Result<()> {
        let tag = self.cipher.seal(self.number, place, &mut self.waiting);
        self.waiting.extend_from_slice(&tag);
        self.number += 1;
        let written = self.medium.write_all(&self.waiting);
        self.waiting.clear();
        written
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let taken = octets.len().min(CHUNK - self.waiting.len());
        self.waiting.extend_from_slice(&octets[..taken]);
        if self.waiting.len() == CHUNK {
            self.chunk(Place::Inside)?;
        }
        Ok(taken)
    }

    /// What does not fill a chunk yet stays: a chunk is written once.
    fn flush(&mut self) -> io::Result<()> {
        self.medium.flush()
    }
}
