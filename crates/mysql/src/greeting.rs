//! When a connection comes to nothing: who is it that answers there?

use std::time::Duration;

use clew_model::{Failure, FailureKind, NodeUrl};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a server may take to greet when all that is asked is who it is.
const PATIENCE: Duration = Duration::from_secs(1);

/// A better failure than `failure`, if whatever listens at the node shows by its first bytes that it is no MySQL server.
pub(crate) async fn explain(node: &NodeUrl, failure: Failure) -> Failure {
    let vague = matches!(failure.kind, FailureKind::TimedOut | FailureKind::ConnectionLost | FailureKind::NotMysql);
    if !vague {
        return failure;
    }
    match timeout(PATIENCE, first_bytes(node)).await {
        Ok(Ok(bytes)) if !bytes.is_empty() && !is_greeting(&bytes) => {
            let shown = String::from_utf8_lossy(&bytes).escape_debug().to_string();
            Failure::new(FailureKind::NotMysql, format!("{} answers \"{shown}\"", node.address()))
        }
        _ => failure,
    }
}

async fn first_bytes(node: &NodeUrl) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((node.host.as_str(), node.port)).await?;
    let mut bytes = vec![0; 32];
    let length = stream.read(&mut bytes).await?;
    bytes.truncate(length);
    Ok(bytes)
}

/// A server's first packet: three bytes of length, the sequence number 0, then protocol version 10 or an error.
fn is_greeting(bytes: &[u8]) -> bool {
    matches!(bytes, [_, _, 0, 0, 0x0a | 0xff, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greetings_are_told_from_other_protocols() {
        assert!(is_greeting(b"\x4a\0\0\0\x0a9.7.4\0"));
        assert!(is_greeting(b"\x17\0\0\x00\xff\x10\x04Too many connections"));
        assert!(!is_greeting(b"SSH-2.0-OpenSSH_9.2"));
        assert!(!is_greeting(b"HTTP/1.1 400 Bad Request"));
        assert!(!is_greeting(b""));
    }
}
