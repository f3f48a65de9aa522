//! Closes connections whose peer has stopped reading.
//!
//! Without a write timeout, the connection of a stalled peer would stay open and count toward the connection limit.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Stream whose writes fail with [`io::ErrorKind::TimedOut`] if no bytes can be written within `limit`.
///
/// Each successful write resets the timer, so connections to peers that read slowly do not time out.
#[derive(Debug)]
pub(super) struct WriteTimeoutStream<S> {
    stream: S,
    limit: Duration,
    /// Timer for the pending write; `None` if no write is pending.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<S> WriteTimeoutStream<S> {
    pub(super) fn new(stream: S, limit: Duration) -> Self {
        Self { stream, limit, timer: None }
    }

    fn poll_write_timeout<T>(
        &mut self,
        outcome: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.timer = None;
            return outcome;
        }
        let limit = self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer has stopped reading")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteTimeoutStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteTimeoutStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.poll_write_timeout(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.poll_write_timeout(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.stream).poll_shutdown(context);
        self.poll_write_timeout(closed, context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn stalled_writes_time_out() {
        let (stream, _peer) = duplex(16);
        let mut stream = WriteTimeoutStream::new(stream, Duration::from_millis(50));
        let written = timeout(Duration::from_secs(10), stream.write_all(&[7; 64])).await.unwrap();
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn slow_readers_do_not_time_out() {
        let (stream, mut peer) = duplex(1);
        let mut stream = WriteTimeoutStream::new(stream, Duration::from_secs(1));
        let reading = tokio::spawn(async move {
            let mut read = Vec::new();
            for _ in 0..8 {
                // The total time exceeds the limit.
                sleep(Duration::from_millis(200)).await;
                read.push(peer.read_u8().await.unwrap());
            }
            read
        });
        stream.write_all(b"a clew..").await.unwrap();
        assert_eq!(reading.await.unwrap(), b"a clew..");
    }
}
