//! Closes connections gracefully (lingering close) while the peer is still sending data.
//!
//! Closing a socket with unread incoming data resets the connection, and the peer may lose part of the response.
//! For example, a client that sends an oversized body would get a connection reset instead of the error response.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy, sink};
use tokio::time::timeout;

const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

/// Shuts down the write side, then discards received bytes.
/// Discarding stops when the peer closes the connection or [`LINGER_TIMEOUT`] expires.
pub(super) async fn close_lingering(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    if stream.shutdown().await.is_ok() {
        let _ = timeout(LINGER_TIMEOUT, copy(&mut stream, &mut sink())).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, duplex};
    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn incoming_bytes_are_discarded_until_the_peer_closes() {
        let (stream, mut peer) = duplex(16);
        let closing = tokio::spawn(close_lingering(stream));
        assert_eq!(peer.read(&mut [0]).await.unwrap(), 0, "the write side is shut down");
        peer.write_all(&[7; 10_000]).await.unwrap();
        assert!(!closing.is_finished());
        drop(peer);
        closing.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn lingering_ends_after_the_timeout() {
        let (stream, mut peer) = duplex(16);
        let start = Instant::now();
        let drip = tokio::spawn(async move {
            while peer.write_all(b"a").await.is_ok() {
                sleep(LINGER_TIMEOUT / 10).await;
            }
        });
        close_lingering(stream).await;
        // The paused clock advances only while all tasks are idle.
        assert_eq!(start.elapsed(), LINGER_TIMEOUT);
        drip.await.unwrap();
    }
}
