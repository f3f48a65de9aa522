//! Private S3 servers.

#![allow(clippy::unwrap_used)]

use clew_testkit::S3Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Returns the response to an unsigned request.
async fn ask(server: &S3Server) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(server.endpoint().trim_start_matches("http://")).await?;
    let path = format!("GET /{}/none HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n", S3Server::BUCKET);
    stream.write_all(path.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn two_s3_servers_stand_side_by_side_and_let_no_stranger_in() {
    let (mut one, other) = tokio::try_join!(S3Server::start(), S3Server::start()).unwrap();
    for server in [&one, &other] {
        let answer = ask(server).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("AccessDenied"), "{answer}");
    }
    one.pause().unwrap();
    one.resume().unwrap();
    assert!(ask(&one).await.is_ok());
    one.kill().unwrap();
    assert!(ask(&one).await.is_err());
    assert!(ask(&other).await.is_ok());
}
