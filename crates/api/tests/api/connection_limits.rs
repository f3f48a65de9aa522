//! Limits on request size, request duration and connections per peer.

use clew_http::TrustedProxies;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::limits::{MAX_WAIT, MOMENT, read_response, read_until_closed};
use crate::server::Server;

const PEER: &str = "127.0.0.1";
const ELSEWHERE: &str = "127.0.0.2";

/// Connects from a local address.
async fn connect_from(server: &Server, address: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
    socket.connect(server.address).await.unwrap()
}

/// Response of `/healthz`. Empty if the connection is closed.
async fn get_health(server: &Server, connection: &mut TcpStream) -> String {
    read_first_bytes(server, connection, "/healthz").await
}

/// First bytes of a response. Empty if the connection is closed.
async fn read_first_bytes(server: &Server, connection: &mut TcpStream, path: &str) -> String {
    let request = server.raw(&format!("GET {path}"), "\r\n");
    if connection.write_all(request.as_bytes()).await.is_err() {
        return String::new();
    }
    let mut piece = [0; 4096];
    let length = timeout(MAX_WAIT, connection.read(&mut piece)).await.unwrap().unwrap_or_default();
    String::from_utf8(piece[..length].to_vec()).unwrap()
}

#[tokio::test]
async fn connections_per_peer_are_limited() {
    let server = Server::start_with(|settings, _| {
        settings.connections.max_connections_per_peer = 2;
        settings.connections.max_reserved_connections = 1;
    })
    .await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut connection = connect_from(&server, PEER).await;
        assert!(get_health(&server, &mut connection).await.ends_with("ok\n"));
        held.push(connection);
    }
    // An excess connection is a reserved one: it serves the operations endpoints only.
    let mut third = connect_from(&server, PEER).await;
    third.write_all(server.raw("GET /v5/caller-identity", "\r\n").as_bytes()).await.unwrap();
    let refused = read_response(&mut third).await;
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("retry-after: 5\r\n"), "{refused}");
    assert_eq!(read_until_closed(&mut third).await, b"");
    drop(third);
    // Open connections and other peers are still served.
    assert!(get_health(&server, &mut held[0]).await.ends_with("ok\n"));
    let mut other = connect_from(&server, ELSEWHERE).await;
    assert!(get_health(&server, &mut other).await.ends_with("ok\n"));
    other.write_all(server.raw("GET /metrics", "\r\n").as_bytes()).await.unwrap();
    let metrics = read_response(&mut other).await;
    assert!(metrics.contains("clew_http_rate_limited_total{limit=\"connections\"} 1\n"), "{metrics}");
    // A closed connection releases its slot once the server has detected the close.
    drop(held.pop());
    let mut again = false;
    for _ in 0..1000 {
        let mut next = connect_from(&server, PEER).await;
        again = read_first_bytes(&server, &mut next, "/v5/caller-identity").await.starts_with("HTTP/1.1 200 ");
        if again {
            break;
        }
        tokio::time::sleep(MOMENT / 10).await;
    }
    assert!(again);
}

#[tokio::test]
async fn connections_of_a_trusted_proxy_are_unlimited() {
    let server = Server::start_with(|settings, _| {
        settings.connections.max_connections_per_peer = 1;
        settings.connections.trusted_proxies = TrustedProxies::parse(&[PEER.into()]).unwrap();
    })
    .await;
    let mut held = Vec::new();
    for _ in 0..5 {
        let mut connection = connect_from(&server, PEER).await;
        assert!(get_health(&server, &mut connection).await.ends_with("ok\n"));
        held.push(connection);
    }
}

#[tokio::test]
async fn trusted_proxy_has_a_share_of_the_reserved_connections() {
    let server = Server::start_with(|settings, _| {
        settings.connections.max_connections = 1;
        settings.connections.max_reserved_connections = 8;
        settings.connections.trusted_proxies = TrustedProxies::parse(&[PEER.into()]).unwrap();
    })
    .await;
    let mut held = connect_from(&server, PEER).await;
    assert!(get_health(&server, &mut held).await.ends_with("ok\n"));
    let _silent = [connect_from(&server, PEER).await, connect_from(&server, PEER).await];
    assert_eq!(
        get_health(&server, &mut connect_from(&server, PEER).await).await,
        "",
        "a peer may use two reserved connections"
    );
    assert!(get_health(&server, &mut connect_from(&server, ELSEWHERE).await).await.ends_with("ok\n"));
}

#[tokio::test]
async fn malformed_request_is_rejected_and_the_connection_is_closed() {
    let server = Server::start().await;
    let host = format!("host: {}\r\n", server.address);
    let uri = |length: usize| format!("GET /{} HTTP/1.1\r\n{host}\r\n", "a".repeat(length - 1));
    let cases = [
        ("nonsense\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\n{host}x: \u{0}\r\n\r\n"), 400),
        (uri(0x11000), 414),
        (uri(0x80000), 431),
        (format!("GET / HTTP/1.1\r\n{host}x: {}\r\n\r\n", "a".repeat(0x80000)), 431),
        (format!("GET / HTTP/1.1\r\n{host}{}\r\n", "x: a\r\n".repeat(100)), 431),
    ];
    for (request, status) in cases {
        for earlier in [0, 2] {
            let mut connection = server.connect().await;
            for _ in 0..earlier {
                assert!(get_health(&server, &mut connection).await.ends_with("ok\n"));
            }
            // Parts of the request may arrive after the server has closed the connection.
            let _ = connection.write_all(request.as_bytes()).await;
            let response = read_response(&mut connection).await;
            assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
            assert_eq!(read_until_closed(&mut connection).await, b"", "bytes after the request are not read");
        }
    }
    // Requests are counted after their responses.
    for (status, count) in [(400, 6), (414, 2), (431, 6)] {
        let line = format!("clew_http_requests_total{{method=\"other\",route=\"none\",status=\"{status}\"}} {count}\n");
        let deadline = tokio::time::Instant::now() + MAX_WAIT;
        while !server.get("/metrics").await.text().contains(&line) {
            assert!(tokio::time::Instant::now() < deadline, "{line}");
            tokio::time::sleep(MOMENT / 10).await;
        }
    }
}

#[tokio::test]
async fn client_that_writes_before_reading_gets_its_response() {
    const MUCH: usize = 8 << 20;
    let server = Server::start().await;
    let body = server.raw(&format!("POST {}", server.sessions("")), &format!("content-length: {MUCH}\r\n\r\n"));
    let head = server.raw("GET /healthz", "x: ");
    for (start, status) in [(body, 413), (head, 431)] {
        let mut connection = server.connect().await;
        connection.write_all(start.as_bytes()).await.unwrap();
        connection.write_all(&vec![b'a'; MUCH]).await.unwrap();
        let answer = read_response(&mut connection).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[tokio::test]
async fn uri_over_32_kib_is_rejected() {
    let server = Server::start().await;
    for (length, status) in [(0x8000, 404), (0x8001, 414)] {
        let mut connection = server.connect().await;
        let request = server.raw(&format!("GET /a?{}", "a".repeat(length - 3)), "\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let answer = read_response(&mut connection).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{length}: {answer}");
    }
}

#[tokio::test]
async fn slow_body_gets_408_and_the_connection_is_closed() {
    let server = Server::start_with(|settings, _| settings.body_read_timeout = std::time::Duration::from_secs(1)).await;
    for path in [server.sessions(""), "/v3/auth/tokens".to_owned()] {
        let (mut reading, mut writing) = server.connect().await.into_split();
        let head = server.raw(&format!("POST {path}"), "content-length: 100000\r\n\r\n{");
        let drip = tokio::spawn(async move {
            let _ = writing.write_all(head.as_bytes()).await;
            while writing.write_all(b" ").await.is_ok() {
                tokio::time::sleep(MOMENT / 10).await;
            }
        });
        let answer = read_response(&mut reading).await;
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("x-request-id: "), "{answer}");
        assert!(answer.contains("Request timeout. The request body was not received within 1 seconds."), "{answer}");
        assert_eq!(read_until_closed(&mut reading).await, b"");
        timeout(MAX_WAIT, drip).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn slow_bodies_do_not_delay_other_requests() {
    let server = Server::start().await;
    let mut dripping = Vec::new();
    for _ in 0..50 {
        let mut connection = server.connect().await;
        let head = server.raw(&format!("POST {}", server.sessions("")), "content-length: 100000\r\n\r\n{");
        connection.write_all(head.as_bytes()).await.unwrap();
        dripping.push(connection);
    }
    for _ in 0..50 {
        server.get("/v3/projects").await.expect_status(200);
    }
    for connection in &mut dripping {
        connection.write_all(b" ").await.unwrap();
        assert!(connection.try_read(&mut [0]).is_err(), "answered or closed");
    }
}
