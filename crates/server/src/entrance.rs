//! Where browsers and programs come in: HTTP and HTTPS.

use std::net::SocketAddr;

use api::Gate;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::config::{Http, Listen};
use crate::node::StartError;
use crate::seats::Seats;

/// Connections by HTTPS at once to one address of ours, in all and from one address, behind which there may be an office.
const HTTPS: usize = 1_024;
const HTTPS_FROM_ONE: usize = 256;

/// The addresses that are listened on, and as whom.
#[derive(Default)]
pub(crate) struct Entrance {
    addresses: Vec<SocketAddr>,
    /// As whom browsers know us, where HTTPS is spoken.
    acceptor: Option<watch::Sender<TlsAcceptor>>,
}

impl Entrance {
    /// Answers at every address until told to stop.
    ///
    /// # Errors
    /// The first address that cannot be had, or a certificate that does not fit.
    pub(crate) async fn open(
        http: &Http,
        gate: &Gate,
        stop: &watch::Sender<bool>,
        tasks: &mut JoinSet<()>,
    ) -> Result<Self, StartError> {
        let acceptor = http.proof.as_ref().map(crate::signalling::Proof::acceptor).transpose()?;
        let acceptor = acceptor.map(watch::Sender::new);
        let mut addresses = Vec::new();
        let mut listeners = Vec::new();
        // Whoever is answered at one address finds all of them there.
        for Listen { address, https } in http.listen.iter().copied() {
            let failed = |error| StartError::Listen { address, error, key: "http.listen" };
            let listener = TcpListener::bind(address).await.map_err(failed)?;
            addresses.push(listener.local_addr().map_err(failed)?);
            listeners.push((listener, https));
        }
        for (listener, https) in listeners {
            let (gate, mut stop) = (gate.clone(), stop.subscribe());
            let seats = Seats::new(HTTPS, HTTPS_FROM_ONE);
            let secure = acceptor.as_ref().filter(|_| https).map(|acceptor| api::Secure {
                acceptor: acceptor.subscribe(),
                seat: Box::new(move |source| Some(Box::new(seats.take(source)?))),
            });
            tasks.spawn(async move {
                api::serve(listener, secure, gate, async move {
                    let _ = stop.wait_for(|stop| *stop).await;
                })
                .await;
            });
        }
        Ok(Self { addresses, acceptor })
    }

    /// The first address.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.addresses.first().copied()
    }

    /// Certificates are renewed in place. One that does not fit its key leaves things as they are.
    pub(crate) fn reread(&self, http: &Http) {
        if let (Some(acceptor), Some(proof)) = (&self.acceptor, &http.proof) {
            match proof.acceptor() {
                Ok(renewed) => drop(acceptor.send_replace(renewed)),
                Err(error) => tracing::error!(%error, "the certificate of HTTPS stays as it was"),
            }
        }
    }
}
