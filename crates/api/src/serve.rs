//! Connections: accepted up to a bound, with patience for neither slow requests nor slow readers.

use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1::{self, UpgradeableConnection};
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::gate::Gate;
use crate::origin::Peer;
use crate::router;

/// Connections at once. Further ones wait in the kernel's queue.
const CONNECTIONS: usize = 1024;
/// For the beginning of TLS.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
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

/// A place among the connections of one address, for as long as it is held.
pub type Seat = Box<dyn Send>;

/// What HTTPS takes.
pub struct Secure {
    /// Who we are, as it is renewed. What is offered over ALPN (RFC 7301) must be `http/1.1` alone.
    pub acceptor: watch::Receiver<TlsAcceptor>,
    /// A place for one more connection from an address; `None` where it has enough.
    pub seat: Box<dyn Fn(IpAddr) -> Option<Seat> + Send + Sync>,
}

impl fmt::Debug for Secure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secure").finish_non_exhaustive()
    }
}

/// Serves HTTP/1.1, by TLS alone where `secure` is given, until `stop` is ready; then event streams end and requests under way have five
/// seconds.
pub async fn serve(
    listener: TcpListener,
    secure: Option<Secure>,
    gate: Gate,
    stop: impl Future<Output = ()>,
) {
    let app = router::router(gate.clone());
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    let closing = watch::Sender::new(false);
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &permits) => accepted,
            Some(_) = connections.join_next() => continue,
            () = &mut stop => break,
        };
        let Some((stream, address, permit)) = accepted else {
            tokio::select! {
                () = tokio::time::sleep(ACCEPT_AGAIN) => continue,
                () = &mut stop => break,
            }
        };
        let peer = Peer { address: address.ip().to_canonical(), tls: secure.is_some() };
        let (app, mut closed) = (app.clone(), closing.subscribe());
        let Some(secure) = &secure else {
            connections.spawn(async move {
                until(closed, connection(stream, peer, app)).await;
                drop(permit);
            });
            continue;
        };
        let Some(seat) = (secure.seat)(peer.address) else { continue };
        let acceptor = secure.acceptor.borrow().clone();
        connections.spawn(async move {
            if let Some(stream) = shake(&acceptor, stream, &mut closed).await {
                until(closed, connection(stream, peer, app)).await;
            }
            drop((seat, permit));
        });
    }
    gate.bus().close();
    closing.send_replace(true);
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_WORDS, ended).await.is_err() {
        tracing::warn!("requests still under way were cut off");
    }
    // Nothing of them holds the store once this returns.
    connections.shutdown().await;
    if tokio::time::timeout(LAST_WORDS, gate.streams_over()).await.is_err() {
        tracing::warn!("event streams still under way were left behind");
    }
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.expect("the semaphore is never closed");
    match listener.accept().await {
        Ok((stream, address)) => {
            let _ = stream.set_nodelay(true);
            Some((stream, address, permit))
        }
        Err(error) => {
            tracing::warn!(%error, "no HTTP connection can be accepted");
            None
        }
    }
}

/// The application, which is told of each request from where it comes.
#[derive(Clone)]
struct Told {
    app: TowerToHyperService<Router>,
    peer: Peer,
}

impl Service<Request<Incoming>> for Told {
    type Response = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Response;
    type Error = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Error;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        self.app.call(request)
    }
}

/// A connection to its end; from the moment everything closes it answers what it is being asked, and no more.
async fn until<S>(mut closed: watch::Receiver<bool>, connection: UpgradeableConnection<Patient<S>, Told>)
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let mut connection = pin!(connection);
    // How a connection ends is the peer's business.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = closed.wait_for(|closed| *closed) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// TLS begins, or comes to nothing: out of time, against its rules, or because everything closes.
async fn shake(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    closed: &mut watch::Receiver<bool>,
) -> Option<TlsStream<TcpStream>> {
    let shaken = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream));
    tokio::select! {
        shaken = shaken => match shaken {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                tracing::debug!(%error, "TLS came to nothing");
                None
            }
            Err(_) => None,
        },
        _ = closed.wait_for(|closed| *closed) => None,
    }
}

type Patient<S> = TokioIo<std::pin::Pin<Box<TimeoutStream<S>>>>;

fn connection<S>(stream: S, peer: Peer, app: Router) -> UpgradeableConnection<Patient<S>, Told>
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIMEOUT));
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(Box::pin(stream)), Told { app: TowerToHyperService::new(app), peer })
        .with_upgrades()
}
