//! `bauta serve`: the server, and the signals it obeys.

use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::Exit;
use crate::config::{self, Checked, Remark};
use crate::node::Node;
use crate::supervisor;

/// Runs until told to end.
pub(crate) fn run(file: &Path) -> Exit {
    logs();
    let outcome = config::load(file);
    warn(&outcome.warnings);
    let checked = match outcome.checked {
        Ok(checked) => checked,
        Err(faults) => {
            complain(&faults);
            return Exit::Wrong;
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "the system gives no threads");
            return Exit::Failed;
        }
    };
    let exit = runtime.block_on(serve(file, checked));
    runtime.shutdown_timeout(Duration::from_secs(1));
    exit
}

/// Lines for people, or for programs where `BAUTA_LOG_FORMAT` is `json`: one object each.
fn logs() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("BAUTA_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let format = std::env::var("BAUTA_LOG_FORMAT").unwrap_or_default();
    if format == "json" {
        return lines.json().flatten_event(true).init();
    }
    lines.with_ansi(std::io::stderr().is_terminal()).init();
    if !matches!(format.as_str(), "" | "text") {
        tracing::warn!(format, "BAUTA_LOG_FORMAT is neither \"text\" nor \"json\": this is text");
    }
}

fn warn(warnings: &[Remark]) {
    for warning in warnings {
        tracing::warn!("{warning}");
    }
}

fn complain(faults: &[Remark]) {
    for fault in faults {
        tracing::error!("{fault}");
    }
}

async fn serve(file: &Path, checked: Checked) -> Exit {
    let signals = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
    let [Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)] = signals else {
        tracing::error!("the system takes no signal handlers");
        return Exit::Failed;
    };
    let patience = checked.node.drain;
    let mut node = match Node::start(checked).await {
        Ok(node) => node,
        Err(error) => {
            tracing::error!("{error}");
            return Exit::Failed;
        }
    };
    tracing::info!(http = ?node.http(), "ready to take calls");
    supervisor::ready();
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => {
                supervisor::reloading();
                reload(file, &mut node).await;
                supervisor::ready();
            }
        }
    }
    tracing::info!(seconds = patience.as_secs(), "draining: no new calls; tell me again to end at once");
    supervisor::draining();
    node.drain(patience, either(&mut terminate, &mut interrupt)).await;
    node.stop().await;
    tracing::info!("ended");
    Exit::Done
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

async fn reload(file: &Path, node: &mut Node) {
    let outcome = config::load(file);
    warn(&outcome.warnings);
    match outcome.checked {
        Ok(next) => {
            let at_restart = node.reload(next).await;
            if at_restart.is_empty() {
                tracing::info!("reloaded");
            } else {
                tracing::warn!(keys = at_restart.join(", "), "reloaded; these change at a restart only");
            }
        }
        Err(faults) => {
            complain(&faults);
            tracing::error!("not reloaded: everything stays as it was");
        }
    }
}
