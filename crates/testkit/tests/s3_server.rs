//! Private S3 servers.

#![allow(clippy::unwrap_used)]

use clew_testkit::S3Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Returns the response to an unsigned request.
async fn send_unsigned_request(server: &S3Server) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(server.endpoint().trim_start_matches("http://")).await?;
    let path = format!("GET /{}/none HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n", S3Server::BUCKET_NAME);
    stream.write_all(path.as_bytes()).await?;
    let mut response = String::new();
    stream.read_to_string(&mut response).await?;
    Ok(response)
}

#[tokio::test]
async fn s3_servers_run_in_parallel_and_reject_unsigned_requests() {
    let (mut one, other) = tokio::try_join!(S3Server::start(), S3Server::start()).unwrap();
    for server in [&one, &other] {
        let response = send_unsigned_request(server).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 403") && response.contains("AccessDenied"), "{response}");
    }
    one.process.pause().unwrap();
    one.process.resume().unwrap();
    assert!(send_unsigned_request(&one).await.is_ok());
    one.process.kill().unwrap();
    assert!(send_unsigned_request(&one).await.is_err());
    assert!(send_unsigned_request(&other).await.is_ok());
}
