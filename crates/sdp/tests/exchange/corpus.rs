//! The descriptions in `tests/corpus`, and what the tests share.

use sdp::{Capabilities, Codec, Description, Local, Security};

/// Reads one file of the corpus.
pub(crate) fn description(name: &str) -> Description {
    Description::parse(&bytes(name)).expect("a good description")
}

/// One file of the corpus.
pub(crate) fn bytes(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/corpus/{name}.sdp", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Both laws, mu first, with events.
pub(crate) fn both_laws() -> Capabilities {
    Capabilities {
        codecs: vec![Codec::Pcmu, Codec::Pcma],
        events: true,
        noise: false,
        ptime: 20,
        security: Security::Off,
        xr: false,
    }
}

/// Our side.
pub(crate) fn local() -> Local {
    Local { address: "198.51.100.1".parse().expect("an address"), port: 20000, session: 4611, version: 7 }
}

/// What was written.
pub(crate) fn text_of(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("we write ASCII")
}
