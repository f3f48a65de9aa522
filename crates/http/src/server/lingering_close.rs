//! Closes connections gracefully (lingering close) while the peer is still sending data.
//!
//! Closing a socket before reading all incoming data resets the connection, so the peer may lose part of the response.
//! Without lingering close, a client that sends an oversized body could get a connection reset instead of the error response.

use std::time::Duration;

use tokio::io::{AsyncRead, copy, sink};
use tokio::time::timeout;

const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

/// The caller must first shut down the write side of the connection to mark the end of the response.
pub(super) async fn discard_received_bytes(mut stream: impl AsyncRead + Unpin) {
    let _ = timeout(LINGER_TIMEOUT, copy(&mut stream, &mut sink())).await;
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, duplex};
    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn incoming_bytes_are_discarded_until_the_peer_closes() {
        let (stream, mut peer) = duplex(16);
        let closing = tokio::spawn(discard_received_bytes(stream));
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
        discard_received_bytes(stream).await;
        // The paused clock advances only while all tasks are idle.
        assert_eq!(start.elapsed(), LINGER_TIMEOUT);
        drip.await.unwrap();
    }
}
