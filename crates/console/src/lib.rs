//! The console: what a browser is given. Its files were built ahead, from `web/`, and lie in `dist/`; here they are in the program, with
//! what HTTP says of each.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::LazyLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};

static BUILT: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/dist");

/// Where files lie whose names change with what is in them.
const HASHED: &str = "assets/";

static FILES: LazyLock<BTreeMap<&'static str, File>> = LazyLock::new(|| {
    let mut files = BTreeMap::new();
    gather(&BUILT, &mut files);
    files
});

/// A file of the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its media type, for `Content-Type`.
    pub media_type: &'static str,
    /// What is in it.
    pub octets: &'static [u8],
    /// The same, compressed with gzip, where that is shorter.
    pub gzip: Option<Vec<u8>>,
    /// Hexadecimal digits that another content would not have, for `ETag`.
    pub digest: String,
    /// Whether its name would be another were its content another, so that it may be kept for ever.
    pub immutable: bool,
}

/// The file at this path, which is relative and has no dots that lead elsewhere: `index.html`, `assets/…`. `None`: there is none.
#[must_use]
pub fn file(path: &str) -> Option<&'static File> {
    FILES.get(path)
}

/// Every path there is, in alphabetical order.
pub fn paths() -> impl Iterator<Item = &'static str> {
    FILES.keys().copied()
}

fn gather(dir: &'static Dir<'static>, files: &mut BTreeMap<&'static str, File>) {
    for file in dir.files() {
        if let Some(path) = file.path().to_str() {
            files.insert(path, read(path, file.contents()));
        }
    }
    dir.dirs().for_each(|dir| gather(dir, files));
}

fn read(path: &'static str, octets: &'static [u8]) -> File {
    let digest = Sha256::digest(octets)[..16].iter().map(|octet| format!("{octet:02x}")).collect();
    let gzip = compressed(octets).filter(|gzip| gzip.len() < octets.len());
    File { media_type: media_type(path), octets, gzip, digest, immutable: path.starts_with(HASHED) }
}

fn compressed(octets: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(octets).ok()?;
    encoder.finish().ok()
}

/// By the end of its name; what is not known here is no more than octets to a browser.
fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, end)| end) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("json") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("txt") => "text/plain; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some(_) | None => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn there_is_a_first_page_and_every_file_has_a_type() {
        assert!(file("index.html").is_some_and(|page| !page.immutable));
        for path in paths() {
            assert_ne!(file(path).unwrap().media_type, "application/octet-stream", "{path}");
        }
        assert_eq!(file("../Cargo.toml"), None);
        assert_eq!(file(""), None);
    }

    #[test]
    fn what_is_compressed_is_the_same() {
        for path in paths() {
            let file = file(path).unwrap();
            let Some(gzip) = &file.gzip else { continue };
            let mut octets = Vec::new();
            flate2::read::GzDecoder::new(gzip.as_slice()).read_to_end(&mut octets).unwrap();
            assert!(octets == file.octets && gzip.len() < file.octets.len(), "{path}");
        }
        assert!(paths().any(|path| file(path).is_some_and(|file| file.gzip.is_some())));
    }
}
