//! Resolves the listen addresses, binds the TCP listener and loads the TLS certificate of `clew serve`.

use std::net::SocketAddr;
use std::time::Duration;

use clew_http::TlsConfig;
use tokio::net::{TcpListener, lookup_host};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::configuration::{Configuration, TlsSettings};
use crate::error::{CliError, ResultExt, failed, refused};

const CERTIFICATE_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// Returns an error if an address is not a loopback address and neither TLS nor `allow_plain_http` is configured.
pub(super) async fn resolve_listen_addresses(
    configuration: &Configuration,
    tls: bool,
) -> Result<Vec<SocketAddr>, CliError> {
    let listen = &configuration.listen;
    let addresses: Vec<_> = lookup_host(listen).await.map_err(|error| listener_bind_error(listen, &error))?.collect();
    let public = addresses.iter().find(|address| !address.ip().to_canonical().is_loopback());
    match public {
        Some(address) if !tls && !configuration.allow_plain_http => Err(refused!(
            "{address} is reachable from other machines, and without TLS passwords, tokens and statements are sent \
             unencrypted"
        )
        .with_suggested_fix(
            "set --tls-cert and --tls-key; or listen on 127.0.0.1 behind a TLS proxy; or set --allow-plain-http on a \
             trusted network",
        )),
        _ => Ok(addresses),
    }
}

/// Binds a TCP listener. `listen` is the configured address, which appears only in error messages.
pub(super) async fn bind_listener(listen: &str, addresses: &[SocketAddr]) -> Result<TcpListener, CliError> {
    TcpListener::bind(addresses).await.map_err(|error| listener_bind_error(listen, &error))
}

fn listener_bind_error(listen: &str, error: &std::io::Error) -> CliError {
    failed!("could not listen on {listen}: {error}").with_suggested_fix("select another address with --listen")
}

impl TlsSettings {
    /// Returns `None` if TLS is disabled.
    pub(super) fn load_tls_config(&self) -> Result<Option<TlsConfig>, CliError> {
        match (self.cert.as_os_str().is_empty(), self.key.as_os_str().is_empty()) {
            (true, true) => Ok(None),
            (false, false) => TlsConfig::load(&self.cert, &self.key).map(Some).map_err(|error| {
                CliError::refused_command_error(error.to_string())
                    .with_suggested_fix("set the files with --tls-cert and --tls-key")
            }),
            (false, true) => Err(CliError::refused_command_error("the TLS certificate has no private key")
                .with_suggested_fix("set the file of the private key with --tls-key")),
            (true, false) => Err(CliError::refused_command_error("the TLS private key has no certificate")
                .with_suggested_fix("set the file of the certificate with --tls-cert")),
        }
    }
}

/// The certificate is reloaded on SIGHUP and when its files change.
pub(super) fn spawn_certificate_reloaders(tls: &TlsConfig, shutdown: &CancellationToken) -> Result<(), CliError> {
    tls.warn_if_key_is_world_readable();
    let mut hangup = signal(SignalKind::hangup()).map_err_to_failed("could not listen for signals")?;
    tokio::spawn(tls.clone().watch_certificate_files(CERTIFICATE_CHECK_INTERVAL, shutdown.clone()));
    let tls = tls.clone();
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            let tls = tls.clone();
            if let Err(error) = spawn_blocking(move || tls.reload_certificate_and_log_outcome()).await {
                warn!(%error, "could not reload the TLS certificate");
            }
        }
    });
    Ok(())
}
