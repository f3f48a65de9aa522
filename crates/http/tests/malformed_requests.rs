//! Malformed requests do not reach the router.
#![allow(clippy::unwrap_used, clippy::panic)] // A test fails by panicking.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use axum::Router;
use clew_http::{ConnectionObserver, ConnectionSettings, ExceededConnectionLimit, serve};
use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

#[derive(Default)]
struct RecordedStatuses(Mutex<Vec<StatusCode>>);

impl ConnectionObserver for RecordedStatuses {
    fn record_exceeded_connection_limit(&self, limit: ExceededConnectionLimit) {
        panic!("{limit:?}");
    }

    fn record_malformed_request(&self, status: StatusCode) {
        self.0.lock().unwrap().push(status);
    }
}

#[derive(Clone, Default)]
struct LogBuffer(Arc<Mutex<Vec<u8>>>);

impl Write for LogBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(&mut *self.0.lock().unwrap(), bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn malformed_requests_are_logged_and_counted_with_their_status() {
    let log = LogBuffer::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (observer, shutdown) = (Arc::new(RecordedStatuses::default()), CancellationToken::new());
    let (settings, router) = (ConnectionSettings::default(), Router::new());
    let serving = tokio::spawn(serve(listener.into(), router, settings, observer.clone(), shutdown.clone()));
    let cases = [
        ("nonsense\r\n\r\n".to_owned(), StatusCode::BAD_REQUEST),
        (format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(0x11000)), StatusCode::URI_TOO_LONG),
        (format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(0x80000)), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
    ];
    for (request, status) in &cases {
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        connection.read_to_string(&mut response).await.unwrap();
        assert!(response.starts_with(&format!("HTTP/1.1 {} ", status.as_u16())), "{response}");
    }
    shutdown.cancel();
    serving.await.unwrap().unwrap();
    assert_eq!(*observer.0.lock().unwrap(), cases.each_ref().map(|(_, status)| *status));
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let rejected: Vec<&str> = log.lines().filter(|line| line.contains("malformed request rejected")).collect();
    assert_eq!(rejected.len(), cases.len(), "{log}");
    for (line, (_, status)) in rejected.iter().zip(&cases) {
        let status = format!("http.status={}", status.as_u16());
        for field in ["net.peer=127.0.0.1", "http.route=\"none\"", &status] {
            assert!(line.contains(field), "{line}");
        }
    }
}
