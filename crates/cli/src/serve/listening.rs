//! Where `clew serve` listens, and who may read along.

use std::net::SocketAddr;
use std::time::Duration;

use clew_api::Tls;
use tokio::net::{TcpListener, lookup_host};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::configuration::{Configuration, TlsSettings};
use crate::error::CliError;

/// How often the files of the certificate are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The addresses that `listen` names. Without TLS, others must not be able to reach them unless that is wanted.
pub(super) async fn addresses(configuration: &Configuration, tls: bool) -> Result<Vec<SocketAddr>, CliError> {
    let listen = &configuration.listen;
    let addresses: Vec<_> = lookup_host(listen).await.map_err(|error| cannot_listen(listen, &error))?.collect();
    let open = addresses.iter().find(|address| !address.ip().to_canonical().is_loopback());
    match open {
        Some(address) if !tls && !configuration.allow_plain_http => Err(CliError::refused(format!(
            "{address} can be reached from elsewhere, and without TLS everybody on the way can read passwords, tokens and statements"
        ))
        .with_hint(
            "give --tls-cert and --tls-key; or listen on 127.0.0.1 behind a proxy that speaks TLS; or say --allow-plain-http if \
             the network is to be trusted",
        )),
        _ => Ok(addresses),
    }
}

pub(super) async fn listen(named: &str, addresses: &[SocketAddr]) -> Result<TcpListener, CliError> {
    TcpListener::bind(addresses).await.map_err(|error| cannot_listen(named, &error))
}

fn cannot_listen(named: &str, error: &std::io::Error) -> CliError {
    CliError::failed(format!("could not listen on {named}: {error}")).with_hint("choose another address with --listen")
}

impl TlsSettings {
    /// The certificate and its key, if there is to be TLS.
    pub(super) fn load(&self) -> Result<Option<Tls>, CliError> {
        match (self.cert.as_os_str().is_empty(), self.key.as_os_str().is_empty()) {
            (true, true) => Ok(None),
            (false, false) => Tls::load(&self.cert, &self.key).map(Some).map_err(|error| {
                CliError::refused(error.to_string()).with_hint("name the files with --tls-cert and --tls-key")
            }),
            (false, true) => Err(CliError::refused("there is a TLS certificate but no key")
                .with_hint("name the file of its private key with --tls-key")),
            (true, false) => Err(CliError::refused("there is a TLS key but no certificate")
                .with_hint("name the file of its certificate with --tls-cert")),
        }
    }
}

/// Takes a new certificate when its files change, and on SIGHUP.
pub(super) fn keep_certificate_fresh(tls: &Tls, shutdown: &CancellationToken) -> Result<(), CliError> {
    tls.warn_of_open_key();
    let mut hangup = signal(SignalKind::hangup())
        .map_err(|error| CliError::failed(format!("could not listen for signals: {error}")))?;
    tokio::spawn(tls.clone().watch(LOOK_EVERY, shutdown.clone()));
    let tls = tls.clone();
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            let tls = tls.clone();
            if let Err(error) = spawn_blocking(move || tls.reload_and_say_so()).await {
                warn!(%error, "could not look for a new certificate");
            }
        }
    });
    Ok(())
}
