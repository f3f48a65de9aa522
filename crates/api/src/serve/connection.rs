//! Serves HTTP on a connection, from the TLS handshake until the connection is closed.

use std::convert::Infallible;
use std::net::IpAddr;

use axum::Router;
use http::Method;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::Watcher;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::lingering_close::LingeringCloseStream;
use super::reserved_connections::{self, ConnectionClass};
use super::tls::TlsConfig;
use super::write_timeout::WriteTimeoutStream;
use crate::client_addr::ClientAddr;
use crate::routes::build_router;
use crate::{ApiSettings, Metrics, SharedState};

/// Maximum size of a request head in bytes, the sum of 32 KiB for the request line and 64 KiB for the headers.
const MAX_REQUEST_HEAD_BYTES: usize = 96 << 10;

pub(super) struct ConnectionHandler {
    router: TowerToHyperService<Router>,
    http: http1::Builder,
    /// HTTP settings for reserved connections, each of which serves a single request.
    reserved_http: http1::Builder,
    tls: Option<TlsConfig>,
    settings: ApiSettings,
    metrics: Metrics,
    shutdown: CancellationToken,
}

impl ConnectionHandler {
    pub(super) fn new(service: SharedState, tls: Option<TlsConfig>, shutdown: CancellationToken) -> Self {
        let (settings, metrics) = (service.settings.clone(), service.metrics.clone());
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(settings.header_read_timeout)
            .max_header_size(MAX_REQUEST_HEAD_BYTES);
        let mut reserved_http = http.clone();
        reserved_http
            .keep_alive(false)
            .header_read_timeout(settings.header_read_timeout.min(reserved_connections::RESERVED_CONNECTION_TIMEOUT));
        let router = TowerToHyperService::new(build_router(service));
        Self { router, http, reserved_http, tls, settings, metrics, shutdown }
    }

    /// After `watcher` signals a shutdown, the server completes the current request and closes the connection.
    pub(super) async fn serve_connection(
        &self,
        stream: TcpStream,
        peer: IpAddr,
        admission: ConnectionClass,
        watcher: Watcher,
    ) {
        match &self.tls {
            None => self.serve_http(stream, ClientAddr { ip: peer, tls: false }, admission, watcher).await,
            Some(tls) => {
                if let Some(stream) = self.perform_tls_handshake(tls, stream, peer, admission).await {
                    self.serve_http(stream, ClientAddr { ip: peer, tls: true }, admission, watcher).await;
                }
            }
        }
    }

    async fn perform_tls_handshake(
        &self,
        tls: &TlsConfig,
        stream: TcpStream,
        peer: IpAddr,
        admission: ConnectionClass,
    ) -> Option<TlsStream<TcpStream>> {
        let limit = match admission {
            ConnectionClass::Regular => self.settings.tls_handshake_timeout,
            ConnectionClass::OperationsOnly => {
                self.settings.tls_handshake_timeout.min(reserved_connections::RESERVED_CONNECTION_TIMEOUT)
            }
        };
        let outcome = tokio::select! {
            () = self.shutdown.cancelled() => return None,
            outcome = timeout(limit, tls.accept(stream)) => outcome,
        };
        match outcome {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(error)) => debug!(net.peer = %peer, %error, "TLS handshake failed"),
            Err(_) => debug!(net.peer = %peer, "TLS handshake timed out"),
        }
        None
    }

    async fn serve_http<S>(&self, stream: S, socket: ClientAddr, admission: ConnectionClass, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stream = LingeringCloseStream::new(WriteTimeoutStream::new(stream, self.settings.write_timeout));
        let service = service_fn(|mut request: http::Request<Incoming>| {
            let connection = ClientAddr::resolve(socket, request.headers(), &self.settings.trusted_proxies);
            request.extensions_mut().insert(connection);
            let hsts = connection.tls && self.settings.hsts;
            let outcome = match admission.reject_disallowed_request(&request, &self.metrics, hsts) {
                None => Ok(self.router.call(request)),
                Some(refused) => Err(refused),
            };
            async move {
                match outcome {
                    Ok(response) => response.await,
                    Err(refused) => Ok::<_, Infallible>(refused),
                }
            }
        });
        let http = if admission == ConnectionClass::Regular { &self.http } else { &self.reserved_http };
        let connection = watcher.watch(http.serve_connection(TokioIo::new(stream), service));
        match connection.await {
            Ok(()) => {}
            // Hyper has sent a response without a body.
            Err(error) if error.is_parse() => {
                let status = if error.is_parse_too_large() { 431 } else { 400 };
                let method = Method::from_bytes(b"UNKNOWN").unwrap_or_default();
                self.metrics.record_response(&method, "none", status, 0.0);
                info!(net.peer = %socket.ip, %error, http.route = "none", http.status = status, "malformed request rejected");
            }
            Err(error) => debug!(net.peer = %socket.ip, %error, "connection failed"),
        }
    }
}
