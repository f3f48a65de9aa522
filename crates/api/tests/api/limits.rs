//! Slow clients, excess connections and shutdown.
//!
//! Negative assertions wait for [`MOMENT`]; positive assertions wait for up to [`MAX_WAIT`].

use std::time::Duration;

use http::Method;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::server::Server;

/// Longer than any operation of these tests.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(50);
/// Short, but sufficient for a response over loopback.
pub(crate) const MOMENT: Duration = Duration::from_millis(300);

/// Reads one response with a content length.
pub(crate) async fn read_response(connection: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = String::new();
    let mut piece = [0; 4096];
    loop {
        let length = timeout(MAX_WAIT, connection.read(&mut piece)).await.unwrap().unwrap();
        assert!(length > 0, "closed after {text:?}");
        text.push_str(std::str::from_utf8(&piece[..length]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if body.len() >= length.parse().unwrap() {
            return text;
        }
    }
}

/// Reads all bytes until the server closes or resets the connection.
pub(crate) async fn read_until_closed(connection: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut all = Vec::new();
    let _ = timeout(MAX_WAIT, connection.read_to_end(&mut all)).await.unwrap();
    all
}

#[tokio::test]
async fn incomplete_head_times_out() {
    let server = Server::start_with(|settings, _| settings.connections.header_read_timeout = MOMENT).await;
    for sent in ["", "GET /healthz HT", "GET /healthz HTTP/1.1\r\nhost: x\r\nx-a: "] {
        let mut connection = server.connect().await;
        connection.write_all(sent.as_bytes()).await.unwrap();
        let answer = String::from_utf8(read_until_closed(&mut connection).await).unwrap();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{sent:?}: {answer}");
    }
}

#[tokio::test]
async fn slow_head_times_out() {
    let server = Server::start_with(|settings, _| settings.connections.header_read_timeout = MOMENT).await;
    let (mut reading, mut writing) = server.connect().await.into_split();
    let drip = tokio::spawn(async move {
        let _ = writing.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-a: ").await;
        while writing.write_all(b"a").await.is_ok() {
            tokio::time::sleep(MOMENT / 10).await;
        }
    });
    let mut all = Vec::new();
    let _ = timeout(MAX_WAIT, reading.read_to_end(&mut all)).await.unwrap();
    assert!(!String::from_utf8(all).unwrap().starts_with("HTTP/1.1 200"));
    timeout(MAX_WAIT, drip).await.unwrap().unwrap();
}

#[tokio::test]
async fn idle_connection_is_closed() {
    let server = Server::start_with(|settings, _| settings.connections.header_read_timeout = MOMENT).await;
    let mut connection = server.connect().await;
    connection.write_all(server.raw("GET /healthz", "\r\n").as_bytes()).await.unwrap();
    assert!(read_response(&mut connection).await.ends_with("ok\n"));
    assert_eq!(read_until_closed(&mut connection).await, b"");
}

#[tokio::test]
async fn incomplete_body_gets_503() {
    let server = Server::start_with(|settings, _| settings.request_timeout = Duration::from_secs(1)).await;
    for path in [server.sessions(""), "/v3/auth/tokens".to_owned()] {
        let mut connection = server.connect().await;
        let request = server.raw(&format!("POST {path}"), "content-length: 100\r\n\r\n{\"user\":");
        connection.write_all(request.as_bytes()).await.unwrap();
        let answer = read_response(&mut connection).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("x-request-id: ") && answer.contains("\"error_code\":\"APIGW.0201\""), "{answer}");
        assert!(answer.contains("Backend unavailable. The request was not completed within 1 second"), "{answer}");
        // The rest of the body must not be parsed as the next request.
        assert_eq!(read_until_closed(&mut connection).await, b"");
    }
}

#[tokio::test]
async fn aborted_body_affects_its_own_connection_only() {
    let server = Server::start().await;
    let mut connection = server.connect().await;
    let request = server.raw(&format!("POST {}", server.sessions("")), "transfer-encoding: chunked\r\n\r\nZZ\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let answer = String::from_utf8(read_until_closed(&mut connection).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    drop(connection);
    assert_eq!(server.get("/healthz").await.status, 200);
    assert!(server.store.tasks().count_tasks_by_status().await.unwrap().iter().all(|(_, count)| *count == 0));
}

#[tokio::test]
async fn announced_oversized_body_is_rejected_immediately() {
    let server = Server::start().await;
    for path in [server.sessions(""), "/v3/auth/tokens".to_owned()] {
        let mut connection = server.connect().await;
        let head = server.raw(&format!("POST {path}"), "content-length: 1048577\r\n\r\n{");
        connection.write_all(head.as_bytes()).await.unwrap();
        let answer = read_response(&mut connection).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    }
}

#[tokio::test]
async fn chunked_body_is_rejected_at_the_size_limit() {
    let server = Server::start().await;
    let mut connection = server.connect().await;
    let head = server.raw(&format!("POST {}", server.sessions("")), "transfer-encoding: chunked\r\n\r\n");
    connection.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("10000\r\n{}\r\n", "a".repeat(0x10000));
    for _ in 0..17 {
        connection.write_all(chunk.as_bytes()).await.unwrap();
    }
    let answer = read_response(&mut connection).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn excess_connection_waits_without_reserved_connections() {
    let server = Server::start_with(|settings, _| {
        settings.connections.max_connections = 2;
        settings.connections.max_reserved_connections = 0;
    })
    .await;
    let request = server.raw("GET /healthz", "\r\n");
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut connection = server.connect().await;
        connection.write_all(request.as_bytes()).await.unwrap();
        assert!(read_response(&mut connection).await.ends_with("ok\n"));
        held.push(connection);
    }
    let mut third = server.connect().await;
    third.write_all(request.as_bytes()).await.unwrap();
    assert!(timeout(MOMENT, third.peek(&mut [0])).await.is_err(), "served above the connection limit");
    // Open connections are still served.
    held[0].write_all(request.as_bytes()).await.unwrap();
    assert!(read_response(&mut held[0]).await.ends_with("ok\n"));
    drop(held.pop());
    assert!(read_response(&mut third).await.ends_with("ok\n"));
}

#[tokio::test]
async fn client_that_stops_reading_is_disconnected() {
    let server = Server::start_with(|settings, _| {
        settings.connections.max_connections = 1;
        settings.connections.max_reserved_connections = 0;
        settings.connections.write_timeout = MOMENT;
    })
    .await;
    let id = server.add_finished(&large_rows()).await;
    let mut deaf = server.connect().await;
    let request = server.raw(&format!("GET {}", server.result_of(&id)), "\r\n");
    deaf.write_all(request.as_bytes()).await.unwrap();
    deaf.readable().await.unwrap();
    let mut next = server.connect().await;
    next.write_all(server.raw("GET /healthz", "\r\n").as_bytes()).await.unwrap();
    assert!(read_response(&mut next).await.ends_with("ok\n"));
    let received = read_until_closed(&mut deaf).await.len();
    assert!(received > 0 && received < large_rows().len(), "{received}");
}

#[tokio::test]
async fn body_of_an_unauthenticated_request_is_not_read() {
    let server = Server::start().await;
    for credentials in ["", "x-auth-token: x\r\n", "authorization: SDK-HMAC-SHA256 x\r\n"] {
        let mut connection = server.connect().await;
        let request = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\n{credentials}content-length: 1000000\r\n\r\n",
            server.sessions(""),
            server.address
        );
        connection.write_all(request.as_bytes()).await.unwrap();
        let answer = read_response(&mut connection).await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        assert_eq!(read_until_closed(&mut connection).await, b"");
    }
}

#[tokio::test]
async fn zero_connections_setting_is_rejected() {
    let mut server = Server::start_with(|settings, _| settings.connections.max_connections = 0).await;
    let ended = timeout(MAX_WAIT, &mut server.serving).await.unwrap().unwrap();
    assert_eq!(ended.unwrap_err().to_string(), "the settings allow no connection; set at least 1");
}

/// Rows that exceed the buffers of client and server, so that a download remains unfinished until it is read.
fn large_rows() -> Vec<u8> {
    b"1,web,10.0.0.1,shop\r\n".repeat(2_000_000)
}

#[tokio::test]
async fn shutdown_waits_for_a_running_download() {
    let mut server = Server::start().await;
    let id = server.add_finished(&large_rows()).await;
    let mut idle = server.connect().await;
    idle.write_all(server.raw("GET /healthz", "\r\n").as_bytes()).await.unwrap();
    read_response(&mut idle).await;
    let mut response = server.call(Method::GET, &server.result_of(&id)).into_request().send().await.unwrap();
    let length = response.content_length().unwrap();
    let mut received = response.chunk().await.unwrap().unwrap().len() as u64;
    server.shutdown.cancel();
    assert_eq!(read_until_closed(&mut idle).await, b"", "an idle connection is closed");
    assert!(TcpStream::connect(server.address).await.is_err(), "new connections are accepted");
    assert!(!server.serving.is_finished() && received < length);
    while let Some(chunk) = response.chunk().await.unwrap() {
        received += chunk.len() as u64;
    }
    assert_eq!(received, length);
    timeout(MAX_WAIT, &mut server.serving).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn stalled_download_does_not_delay_shutdown_of_the_server() {
    let mut server = Server::start_with(|settings, _| settings.connections.shutdown_grace_period = MOMENT).await;
    let id = server.add_finished(&large_rows()).await;
    let mut connection = server.connect().await;
    let request = server.raw(&format!("GET {}", server.result_of(&id)), "\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    connection.readable().await.unwrap();
    server.shutdown.cancel();
    timeout(MAX_WAIT, &mut server.serving).await.unwrap().unwrap().unwrap();
}
