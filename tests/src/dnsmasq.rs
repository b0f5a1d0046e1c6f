//! dnsmasq as the name server of a test (Debian package dnsmasq-base).

use std::net::{IpAddr, SocketAddr};
use std::process::Stdio;

use crate::tool::{self, Running};
use crate::wait;

/// Its port: the usual one is for administrators.
const PORT: u16 = 5353;

/// A running dnsmasq that knows the domain `test`, its records good for a second.
#[derive(Debug)]
pub struct Dnsmasq {
    running: Running,
    dir: tempfile::TempDir,
    address: SocketAddr,
}

impl Dnsmasq {
    /// Starts it with these records, as its options have them (`srv-host=…`, `naptr-record=…`), and these addresses.
    ///
    /// # Panics
    /// If it is not installed or does not start.
    #[must_use]
    pub fn start(address: IpAddr, records: &[&str], hosts: &[(&str, IpAddr)]) -> Self {
        let dir = tempfile::tempdir().expect("a directory can be made");
        let mut command = tool::command("dnsmasq", "dnsmasq-base");
        command
            .args([
                "--keep-in-foreground",
                "--conf-file=/dev/null",
                "--no-resolv",
                "--no-hosts",
                "--local=/test/",
            ])
            .args([
                "--bind-interfaces",
                "--local-ttl=1",
                "--neg-ttl=1",
                "--auth-ttl=1",
                "--user=",
                "--group=",
            ])
            .arg(format!("--port={PORT}"))
            .arg(format!("--listen-address={address}"))
            .arg(format!("--pid-file={}", dir.path().join("pid").display()))
            .arg(format!("--addn-hosts={}", dir.path().join("hosts").display()))
            .args(records.iter().map(|record| format!("--{record}")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        write(dir.path(), hosts);
        let running = Running::start(command);
        let mut dnsmasq = Self { running, dir, address: SocketAddr::new(address, PORT) };
        // It answers by streams as well, as soon as it answers at all.
        wait::until_true("dnsmasq", wait::LATER, || {
            assert_eq!(dnsmasq.running.ended(), None, "dnsmasq ended");
            std::net::TcpStream::connect(dnsmasq.address).is_ok()
        });
        dnsmasq
    }

    /// Where it is asked.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// From now on names have these addresses.
    pub fn change(&self, hosts: &[(&str, IpAddr)]) {
        write(self.dir.path(), hosts);
        self.running.signal(libc::SIGHUP);
    }
}

fn write(dir: &std::path::Path, hosts: &[(&str, IpAddr)]) {
    let lines: String = hosts.iter().map(|(name, address)| format!("{address} {name}\n")).collect();
    std::fs::write(dir.join("hosts"), lines).expect("the disk has room");
}
