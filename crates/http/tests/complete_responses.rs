//! Responses are complete although the server closes the connection and the client reads slowly.
#![allow(clippy::unwrap_used, clippy::panic)] // A test fails by panicking.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use clew_http::{ConnectionObserver, ConnectionSettings, ExceededConnectionLimit, serve};
use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// More than the operating system buffers for a connection.
const BODY_BYTES: usize = 32 << 20;
const MAX_WAIT: Duration = Duration::from_mins(1);

struct NoEvents;

impl ConnectionObserver for NoEvents {
    fn record_exceeded_connection_limit(&self, limit: ExceededConnectionLimit) {
        panic!("{limit:?}");
    }

    fn record_malformed_request(&self, status: StatusCode) {
        panic!("{status}");
    }
}

#[tokio::test]
async fn responses_are_complete_before_the_connection_is_closed() {
    for (request, shuts_down) in [
        ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", true),
        ("GET / HTTP/1.0\r\n\r\n", true),
        ("GET / HTTP/1.0\r\n\r\n", false),
        // The handler does not read the body, so the server closes the connection.
        ("POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 9\r\n\r\n", false),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", any(async || vec![b'a'; BODY_BYTES]));
        let (settings, shutdown) = (ConnectionSettings::default(), CancellationToken::new());
        let serving = tokio::spawn(serve(listener.into(), router, settings, Arc::new(NoEvents), shutdown.clone()));
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        connection.readable().await.unwrap();
        // The server fills the buffers of the connection while the client does not read.
        sleep(Duration::from_millis(200)).await;
        if shuts_down {
            shutdown.cancel();
        }
        sleep(Duration::from_millis(200)).await;
        let mut response = Vec::new();
        timeout(MAX_WAIT, connection.read_to_end(&mut response)).await.unwrap().unwrap();
        let head = response.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
        assert_eq!(response.len() - head, BODY_BYTES, "{request:?}, shutdown: {shuts_down}");
        drop(connection);
        shutdown.cancel();
        timeout(MAX_WAIT, serving).await.unwrap().unwrap().unwrap();
    }
}
