//! Serves HTTP on a connection, from the TLS handshake until the connection is closed.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutWriter;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::connection_limits::{ConnectionClass, ReservedConnectionMarker};
use super::lingering_close::discard_received_bytes;
use super::{ConnectionObserver, ConnectionSettings};
use crate::client_addr::ClientAddr;
use crate::tls::TlsConfig;

type TcpStreamWithWriteTimeout = Pin<Box<TimeoutWriter<TcpStream>>>;

/// 32 KiB for the request line plus 64 KiB for the headers.
const MAX_REQUEST_HEAD_BYTES: usize = 96 << 10;

pub(super) struct ConnectionHandler {
    pub(super) router: TowerToHyperService<Router>,
    pub(super) tls: Option<TlsConfig>,
    pub(super) settings: ConnectionSettings,
    pub(super) observer: Arc<dyn ConnectionObserver>,
    pub(super) shutdown: CancellationToken,
}

impl ConnectionHandler {
    pub(super) async fn serve_connection(&self, stream: TcpStream, peer: IpAddr, class: ConnectionClass) {
        // The timeout applies below TLS: a flush of TLS data can consist of many writes, and each resets the timer.
        let stream = with_write_timeout(stream, self.settings.write_timeout);
        match &self.tls {
            None => self.serve_http(stream, ClientAddr { ip: peer, tls: false }, class).await,
            Some(tls) => {
                if let Some(stream) = self.perform_tls_handshake(tls, stream, peer, class).await {
                    self.serve_http(stream, ClientAddr { ip: peer, tls: true }, class).await;
                }
            }
        }
    }

    async fn perform_tls_handshake(
        &self,
        tls: &TlsConfig,
        stream: TcpStreamWithWriteTimeout,
        peer: IpAddr,
        class: ConnectionClass,
    ) -> Option<TlsStream<TcpStreamWithWriteTimeout>> {
        let limit = class.cap_timeout_if_reserved(self.settings.tls_handshake_timeout);
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

    async fn serve_http(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        socket: ClientAddr,
        class: ConnectionClass,
    ) {
        let service = service_fn(|mut request: Request<Incoming>| {
            let client = ClientAddr::resolve(socket, request.headers(), &self.settings.trusted_proxies);
            request.extensions_mut().insert(client);
            if class == ConnectionClass::Reserved {
                request.extensions_mut().insert(ReservedConnectionMarker);
            }
            self.router.call(request)
        });
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .keep_alive(class == ConnectionClass::Regular)
            .header_read_timeout(class.cap_timeout_if_reserved(self.settings.header_read_timeout))
            .max_header_size(MAX_REQUEST_HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        // Hyper flushes its write buffer and shuts down the write side before the connection completes.
        let outcome = tokio::select! {
            outcome = &mut connection => outcome,
            () = self.shutdown.cancelled() => {
                Pin::new(&mut connection).graceful_shutdown();
                (&mut connection).await
            }
        };
        match outcome {
            Ok(()) => {}
            // Hyper has sent a response without a body, except to a client that uses HTTP/2.
            Err(error) if error.is_parse() => {
                let status = status_code_sent_by_hyper(&error);
                self.observer.record_malformed_request(status);
                info!(
                    net.peer = %socket.ip, %error, http.route = "none", http.status = status.as_u16(),
                    "malformed request rejected"
                );
            }
            Err(error) => {
                debug!(net.peer = %socket.ip, %error, "connection failed");
                return;
            }
        }
        discard_received_bytes(connection.into_parts().io.into_inner()).await;
    }
}

/// Each successful write restarts the timeout, so a connection stays open if the peer reads slowly.
fn with_write_timeout<S: AsyncWrite>(stream: S, limit: Duration) -> Pin<Box<TimeoutWriter<S>>> {
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(limit));
    Box::pin(stream)
}

fn status_code_sent_by_hyper(error: &hyper::Error) -> StatusCode {
    if !error.is_parse_too_large() {
        StatusCode::BAD_REQUEST
    // Hyper distinguishes an excessive URI from excessive headers only by the message of the error.
    } else if error.to_string() == "URI too long" {
        StatusCode::URI_TOO_LONG
    } else {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::{sleep, timeout};

    use super::*;

    #[tokio::test]
    async fn stalled_writes_time_out() {
        let (stream, _peer) = duplex(16);
        let mut stream = with_write_timeout(stream, Duration::from_millis(50));
        let written = timeout(Duration::from_secs(10), stream.write_all(&[7; 64])).await.unwrap();
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn slow_readers_do_not_time_out() {
        let (stream, mut peer) = duplex(1);
        let mut stream = with_write_timeout(stream, Duration::from_secs(1));
        let reading = tokio::spawn(async move {
            let mut read = Vec::new();
            for _ in 0..8 {
                // The total time exceeds the limit.
                sleep(Duration::from_millis(200)).await;
                read.push(peer.read_u8().await.unwrap());
            }
            read
        });
        stream.write_all(b"a clew..").await.unwrap();
        assert_eq!(reading.await.unwrap(), b"a clew..");
    }
}
