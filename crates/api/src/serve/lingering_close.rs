//! Closes connections gracefully (lingering close) while the peer is still sending data.
//!
//! Closing a socket with unread incoming data resets the connection, and the peer may lose part of the response.
//! For example, a client that sends an oversized body would get a connection reset instead of the error response.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

/// Stream that discards received bytes after its write side has been shut down.
/// Discarding stops when the peer closes the connection or [`LINGER_TIMEOUT`] expires.
#[derive(Debug)]
pub(super) struct LingeringCloseStream<S> {
    stream: S,
    /// Timer for [`LINGER_TIMEOUT`]; `None` until the write side is shut down.
    closing: Option<Pin<Box<Sleep>>>,
}

impl<S> LingeringCloseStream<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, closing: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for LingeringCloseStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for LingeringCloseStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.closing.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
        }
        let timeout = this.closing.get_or_insert_with(|| Box::pin(sleep(LINGER_TIMEOUT)));
        if timeout.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let mut discarded = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut discarded);
            let read = ready!(Pin::new(&mut this.stream).poll_read(context, &mut buffer));
            // The peer has closed or reset the connection.
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn incoming_bytes_are_discarded_until_the_peer_closes() {
        let (stream, mut peer) = duplex(16);
        let closing = tokio::spawn(async move { LingeringCloseStream::new(stream).shutdown().await });
        assert_eq!(peer.read(&mut [0]).await.unwrap(), 0, "the write side is shut down");
        peer.write_all(&[7; 10_000]).await.unwrap();
        assert!(!closing.is_finished());
        drop(peer);
        closing.await.unwrap().unwrap();
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
        LingeringCloseStream::new(stream).shutdown().await.unwrap();
        // The paused clock advances only while all tasks are idle.
        assert_eq!(start.elapsed(), LINGER_TIMEOUT);
        drip.await.unwrap();
    }
}
