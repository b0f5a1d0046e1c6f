//! The server of the demo: everything on loopback, in a folder that is gone afterwards.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;

use super::super::loopback::Loopback;
use super::Piece;
use crate::cli::ServerArgs;
use crate::config::{self, Checked};
use crate::node::Node;

/// The order's code.
pub(super) const CODE: &str = "12345";

/// What whoever is called first sees, in a callback.
pub(super) const OFFICE: &str = "+78005550102";

/// UDP ports for voice: more than one call needs.
const PORTS: u16 = 40;
/// Ports the system gives lie above this in any configuration worth the name.
const LAST_PORT: u16 = 65_000;

/// A server and how it is reached.
pub(super) struct Stage {
    pub(super) node: Node,
    pub(super) sip: SocketAddr,
    pub(super) server: ServerArgs,
}

impl Stage {
    /// Starts a server whose trunk has its callers at the first address and its callees at the second. In a callback whoever is called
    /// first is reached by a trunk of their own.
    pub(super) async fn set(
        folder: &Path,
        language: &str,
        piece: Piece,
        [callers, callee]: [SocketAddr; 2],
    ) -> Result<Self, String> {
        let failed = |error: io::Error| format!("no free port on 127.0.0.1: {error}");
        let sip = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).map_err(failed)?;
        let http = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).map_err(failed)?;
        let media = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).map_err(failed)?;
        let first = media.port().min(LAST_PORT) & !1;
        let served = Loopback {
            name: "demo",
            folder,
            sip,
            http,
            ports: first..=first + PORTS - 1,
            callers: callers.ip(),
            callees: callee,
            sip_keys: "max_calls = 4".to_owned(),
            media_keys: "workers = 1",
            line_keys: format!(
                "trunk = \"carrier\"\nlanguage = \"{language}\"\nservice = \"{}\"\nrecord = true\n{}",
                piece.service(),
                if piece == Piece::Callback { office(callers) } else { String::new() },
            ),
        };
        let (text, server) = served.configure();
        let node = Node::start(checked(&text)?).await.map_err(|error| error.to_string())?;
        Ok(Self { node, sip, server })
    }
}

/// Another trunk and line, for those of the house.
fn office(at: SocketAddr) -> String {
    format!(
        "[[trunk]]\nname = \"office\"\nuri = \"sip:{at}\"\nallow = [\"127.0.0.13\"]\nnumbers = [\"{OFFICE}\"]\n\
         [[line]]\nnumber = \"{OFFICE}\"\ntrunk = \"office\""
    )
}

fn checked(text: &str) -> Result<Checked, String> {
    let outcome = config::parse(text, Path::new("demo.toml"), &|_| None);
    outcome.checked.map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}
