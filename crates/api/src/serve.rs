//! Connections: accepted up to a bound, with patience for neither slow requests nor slow readers.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;

use crate::gate::Gate;
use crate::router;

/// Connections at once. Further ones wait in the kernel's queue.
const CONNECTIONS: usize = 1024;
/// For a whole request head, also on an idle kept-alive connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Without a byte taken by a reader who has something to read.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// For requests under way once the server stops.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// Bytes of a request head, and of what is read ahead.
const HEAD: usize = 32 * 1024;
/// Between attempts when no connection can be accepted (descriptors are used up).
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Serves HTTP/1.1 until `stop` is ready; then event streams end and requests under way have five seconds.
pub async fn serve(listener: TcpListener, gate: Gate, stop: impl Future<Output = ()>) {
    let app = router::router(gate.clone());
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &permits) => accepted,
            Some(_) = connections.join_next() => continue,
            () = &mut stop => break,
        };
        let Some((stream, permit)) = accepted else {
            tokio::select! {
                () = tokio::time::sleep(ACCEPT_AGAIN) => continue,
                () = &mut stop => break,
            }
        };
        let connection = graceful.watch(connection(stream, app.clone()));
        connections.spawn(async move {
            // How a connection ends is the peer's business.
            let _ = connection.await;
            drop(permit);
        });
    }
    gate.bus().close();
    if tokio::time::timeout(LAST_WORDS, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests still under way were cut off");
    }
    // Nothing of them holds the store once this returns.
    connections.shutdown().await;
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.expect("the semaphore is never closed");
    match listener.accept().await {
        Ok((stream, _)) => {
            let _ = stream.set_nodelay(true);
            Some((stream, permit))
        }
        Err(error) => {
            tracing::warn!(%error, "no HTTP connection can be accepted");
            None
        }
    }
}

type Connection =
    http1::Connection<TokioIo<std::pin::Pin<Box<TimeoutStream<TcpStream>>>>, TowerToHyperService<Router>>;

fn connection(stream: TcpStream, app: Router) -> Connection {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIMEOUT));
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(app))
}
