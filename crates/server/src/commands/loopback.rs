//! A server on loopback that lasts as long as one command: its configuration, and the way in to it.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::Path;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

use crate::cli::ServerArgs;

/// The only line: what both sides see.
pub(super) const LINE: &str = "+78005550101";

/// Where everything is, and what is not as usual.
pub(super) struct Loopback<'a> {
    /// The node's name, in records.
    pub(super) name: &'a str,
    /// What the server keeps is below this.
    pub(super) folder: &'a Path,
    /// The server's.
    pub(super) sip: SocketAddr,
    pub(super) http: SocketAddr,
    pub(super) ports: RangeInclusive<u16>,
    /// Of the only trunk: from where calls come.
    pub(super) callers: IpAddr,
    /// And where they go.
    pub(super) callees: SocketAddr,
    /// More keys of these sections, a line each.
    pub(super) sip_keys: String,
    pub(super) media_keys: &'a str,
    pub(super) line_keys: String,
}

impl Loopback<'_> {
    /// The configuration, and how the server's interface is asked with all rights.
    pub(super) fn configure(&self) -> (String, ServerArgs) {
        let token = secret();
        let Self { name, sip, http, callers, callees, sip_keys, media_keys, line_keys, .. } = self;
        let text = format!(
            r#"
[node]
name = "{name}"
data_dir = {data:?}
[sip]
listen = ["udp://{sip}"]
{sip_keys}
[media]
listen = ["{server}"]
ports = "{first}-{last}"
{media_keys}
[[trunk]]
name = "carrier"
uri = "sip:{callees}"
allow = ["{callers}", "{called}"]
numbers = ["{LINE}"]
[[line]]
number = "{LINE}"
{line_keys}
[http]
listen = ["{http}"]
[[http.token]]
role = "admin"
token = "{token}"
"#,
            data = self.folder.join("data"),
            server = sip.ip(),
            first = self.ports.start(),
            last = self.ports.end(),
            called = callees.ip(),
        );
        (text, ServerArgs { url: format!("http://{http}"), token: Some(token), json: true })
    }
}

/// A token nobody guesses: others may be on this machine.
fn secret() -> String {
    let mut octets = [0; 24];
    ChaCha20Rng::from_os_rng().fill_bytes(&mut octets);
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
