//! Kamailio (Debian package kamailio) as a carrier, which is a registrar and a proxy that wants to know who sends; and as a plain
//! proxy in front.

use std::net::IpAddr;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Stdio;

use crate::pki::Identity;
use crate::tool::{self, Running};
use crate::wait;

/// Who we are there.
pub const USERNAME: &str = "74951234567";
/// And what proves it.
pub const PASSWORD: &str = "a password that stays between the two";

/// What the carrier is like.
#[derive(Debug, Clone, Copy)]
pub struct Carrier<'a> {
    /// Where it is.
    pub address: IpAddr,
    /// The program under test.
    pub server: IpAddr,
    /// Where calls go on to.
    pub callee: IpAddr,
    /// `MD5`, `SHA-256`.
    pub algorithm: &'a str,
    /// Seconds a nonce is good for.
    pub nonce_expire: u32,
    /// Seconds a binding may have, from and to.
    pub expires: (u32, u32),
    /// Where it listens by TLS as well: who it is, and whom it believes.
    pub tls: Option<(&'a Identity, &'a Path)>,
}

/// What its configuration says of TLS: at its head, and behind its modules.
fn tls(address: IpAddr, identity: &Identity, root: &Path) -> (String, String) {
    let head = format!("enable_tls=yes\nlisten=tls:{address}:5061");
    let param = |name: &str, path: &Path| format!("modparam(\"tls\", \"{name}\", \"{}\")\n", path.display());
    let files = [
        param("certificate", &identity.certificate),
        param("private_key", &identity.key),
        param("ca_list", root),
    ];
    let modules = format!(
        "loadmodule \"tls.so\"\nmodparam(\"tls\", \"tls_method\", \"TLSv1.2+\")\n\
         modparam(\"tls\", \"verify_certificate\", 1)\nmodparam(\"tls\", \"require_certificate\", 1)\n{}",
        files.concat()
    );
    (head, modules)
}

/// A running Kamailio.
#[derive(Debug)]
pub struct Kamailio {
    running: Running,
    dir: tempfile::TempDir,
}

impl Kamailio {
    /// Starts it, and waits until it listens.
    ///
    /// # Panics
    /// If it is not installed or does not start.
    #[must_use]
    pub fn start(carrier: &Carrier<'_>) -> Self {
        let (least, most) = carrier.expires;
        let (listen, tls) =
            carrier.tls.map(|(identity, root)| tls(carrier.address, identity, root)).unwrap_or_default();
        let values = [
            ("@LISTEN_TLS@", &*listen),
            ("@TLS@", &*tls),
            ("@USERNAME@", USERNAME),
            ("@PASSWORD@", PASSWORD),
            ("@ADDRESS@", &carrier.address.to_string()),
            ("@SERVER@", &carrier.server.to_string()),
            ("@CALLEE@", &carrier.callee.to_string()),
            ("@ALGORITHM@", carrier.algorithm),
            ("@NONCE_EXPIRE@", &carrier.nonce_expire.to_string()),
            ("@MIN_EXPIRES@", &least.to_string()),
            ("@MAX_EXPIRES@", &most.to_string()),
        ];
        Self::launch("carrier.cfg", &values, (carrier.server, carrier.address))
    }

    /// Starts one that stands in front of `server` and records its route: what comes from there goes on to `callee`,
    /// everything else to the server, over `transport` (`udp`, `tcp`).
    ///
    /// # Panics
    /// If it is not installed or does not start.
    #[must_use]
    pub fn in_front(address: IpAddr, server: IpAddr, callee: IpAddr, transport: &str) -> Self {
        let values = [
            ("@ADDRESS@", &*address.to_string()),
            ("@SERVER@", &server.to_string()),
            ("@CALLEE@", &callee.to_string()),
            ("@TRANSPORT@", transport),
        ];
        Self::launch("proxy.cfg", &values, (server, address))
    }

    fn launch(file: &str, values: &[(&str, &str)], (server, address): (IpAddr, IpAddr)) -> Self {
        let dir = tempfile::tempdir().expect("a directory can be made");
        let path = tool::interop("kamailio").join(file);
        let mut text = std::fs::read_to_string(path).expect("a configuration");
        for (place, value) in values {
            text = text.replace(place, value);
        }
        std::fs::write(dir.path().join(file), text).expect("the disk has room");
        let said = std::fs::File::create(dir.path().join("said")).expect("the disk has room");
        let mut command = tool::command("kamailio", "kamailio");
        command
            // Its children end with it.
            .process_group(0)
            .args(["-DD", "-E", "-m", "32", "-M", "4", "-f", file])
            .arg("-Y")
            .arg(dir.path())
            .arg("-P")
            .arg(dir.path().join("pid"))
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said);
        let mut kamailio = Self { running: Running::start(command), dir };
        let probe = "OPTIONS sip:carrier.test SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKprobe;rport\r\n\
                     From: <sip:probe@h>;tag=1\r\nTo: <sip:carrier.test>\r\nCall-ID: probe\r\nCSeq: 1 OPTIONS\r\n\
                     Max-Forwards: 5\r\nContent-Length: 0\r\n\r\n";
        let socket = std::net::UdpSocket::bind((server, 0)).expect("a port is free");
        socket.set_nonblocking(true).expect("a socket can be told");
        wait::until_true("kamailio", wait::LATER, || {
            assert_eq!(kamailio.running.ended(), None, "{}", kamailio.log());
            let _ = socket.send_to(probe.as_bytes(), (address, crate::loopback::SIP_PORT));
            socket.recv(&mut [0; 2048]).is_ok()
        });
        kamailio
    }

    /// What it has said.
    #[must_use]
    pub fn log(&self) -> String {
        let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        read(&self.dir.path().join("said"))
    }

    /// How often it has heard this.
    #[must_use]
    pub fn heard(&self, what: &str) -> usize {
        self.log().lines().filter(|line| line.contains(what)).count()
    }

    /// Stops it, or lets it go on.
    pub fn signal(&self, signal: i32) {
        self.running.signal_group(signal);
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what kamailio said:\n{}", self.log());
        }
        self.running.signal_group(libc::SIGKILL);
    }
}
