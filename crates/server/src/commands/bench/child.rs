//! The server under load: this program as `serve`, in a process of its own, on loopback addresses of its own.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use phone::load;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};
use reqwest::Method;
use tempfile::TempDir;

use super::super::client::{Client, Refusal};
use super::super::loopback::Loopback;
use super::left::Holdings;
use super::process::{self, Spent};
use crate::cli::CallsArgs;

/// For the server to take calls.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// A call holds ports for so many seconds longer than its two stay joined: its keys and its dialling, and the rest of
/// its ports, with room to be late.
const AROUND: f64 = 2.5;
/// And for so many seconds more on average where every datagram is said twice: what is lost is said again after T1, later
/// after longer.
const LOSS: f64 = 20.0;
/// Calls at once: each has two pairs of ports, and systems commonly let a process open 20 000 files.
const MOST: u16 = 4_800;
/// The first UDP port for voice.
const FIRST_PORT: u16 = 20_000;
const HTTP_PORT: u16 = 8080;
/// How long a port stays unused after a call.
pub(super) const PORT_REST: Duration = Duration::from_secs(1);

/// The server; it ends with this.
pub(super) struct Child {
    process: std::process::Child,
    /// What those before it spent.
    spent: Duration,
    config: PathBuf,
    api: Client,
    runtime: tokio::runtime::Runtime,
    pub(super) sip: SocketAddr,
    pub(super) callers: IpAddr,
    pub(super) callees: IpAddr,
    pub(super) callee_port: u16,
    _folder: TempDir,
}

impl Drop for Child {
    fn drop(&mut self) {
        // What it kept is thrown away with its folder.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn serve(config: &Path) -> Result<std::process::Child, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    Command::new(program)
        .arg("serve")
        .arg("--config")
        .arg(config)
        .env("BAUTA_LOG", "error")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| format!("the server did not start: {error}"))
}

impl Child {
    /// Starts it and puts the orders.
    pub(super) fn start(args: &CallsArgs, orders: &[(String, String)]) -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("bauta-bench-").tempdir();
        let folder = folder.map_err(|error| error.to_string())?;
        let [one, two, ..] = ChaCha20Rng::from_os_rng().next_u32().to_be_bytes();
        let at = |last| IpAddr::V4(Ipv4Addr::new(127, one.max(1), two, last));
        let (server, callers, callees, port) = (at(1), at(11), at(12), 5060);
        let config = folder.path().join("bench.toml");
        let around = AROUND + LOSS * f64::from(args.loss) / 100.0;
        let at_once = (f64::from(args.rate) * (args.think.as_secs_f64() + args.hold.as_secs_f64() + around))
            .min(f64::from(args.count()))
            + 10.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "held to a count of calls"
        )]
        let at_once = (at_once as u16).min(MOST);
        let last_port = FIRST_PORT + at_once * 4 + 63;
        let served = Loopback {
            name: "bench",
            folder: folder.path(),
            sip: SocketAddr::new(server, port),
            http: SocketAddr::new(server, HTTP_PORT),
            ports: FIRST_PORT..=last_port,
            callers,
            callees: SocketAddr::new(callees, port),
            sip_keys: format!(
                "max_calls = {at_once}\ncalls_per_second = {}",
                (args.rate * 4).clamp(10, 10_000)
            ),
            media_keys: &format!("rtp_timeout = \"1h\"\nport_rest = \"{}s\"", PORT_REST.as_secs()),
            line_keys: "whisper = false\nlockout = \"0s\"".to_owned(),
        };
        let (text, api) = served.configure();
        std::fs::write(&config, text).map_err(|error| error.to_string())?;
        let api = Client::new(&api).map_err(|refusal| refusal.to_string())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let mut child = Self {
            process: serve(&config)?,
            spent: Duration::ZERO,
            config,
            api,
            runtime,
            sip: SocketAddr::new(server, port),
            callers,
            callees,
            callee_port: port,
            _folder: folder,
        };
        child.fill(orders)?;
        Ok(child)
    }

    fn fill(&mut self, orders: &[(String, String)]) -> Result<(), String> {
        let text = |refusal: Refusal| refusal.to_string();
        let api = &self.api;
        self.runtime.block_on(async {
            let began = Instant::now();
            while let Err(refusal) = api.send(Method::GET, api.path(&["readyz"]), None).await {
                if let Ok(Some(status)) = self.process.try_wait() {
                    return Err(format!("the server ended with {status}; what it said is above"));
                }
                if began.elapsed() > READY_WITHIN {
                    return Err(text(refusal));
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let mut rows = String::from("code,courier_number,client_number\n");
            for (courier, code) in orders {
                let _ = writeln!(rows, "{code},{courier},{}", load::callee_of(courier));
            }
            let answer =
                api.send(Method::POST, api.path(&["v1", "orders:import"]), Some(("text/csv", rows.into())));
            let answer = answer.await.map_err(text)?.text().await.map_err(|error| error.to_string())?;
            let Some((_, last)) = orders.last() else { return Ok(()) };
            let put = api.send(Method::GET, api.path(&["v1", "orders", last]), None).await;
            put.map_err(|refusal| format!("the orders were not taken: {refusal}; {answer}"))?;
            Ok(())
        })
    }

    /// Kills it and starts it again, without waiting until it takes calls.
    pub(super) fn kill(&mut self) -> Result<(), String> {
        self.spent = self.cpu()?;
        self.process.kill().and_then(|()| self.process.wait()).map_err(|error| error.to_string())?;
        self.process = serve(&self.config)?;
        Ok(())
    }

    /// What it holds for calls.
    pub(super) fn holdings(&self) -> Result<Holdings, String> {
        let metrics = self.runtime.block_on(async {
            let answer = self.api.send(Method::GET, self.api.path(&["metrics"]), None).await;
            let answer = answer.map_err(|refusal| refusal.to_string())?;
            answer.text().await.map_err(|error| error.to_string())
        })?;
        Holdings::of(&metrics, process::files(self.process.id())?)
    }

    /// Resident memory, in kilobytes.
    pub(super) fn memory(&self) -> Result<u64, String> {
        process::memory(self.process.id()).map(|octets| octets / 1024)
    }

    /// Processor time so far, its own and the system's for it.
    pub(super) fn cpu(&self) -> Result<Duration, String> {
        Spent::of(self.process.id()).map(|spent| self.spent + spent.sampled())
    }
}
