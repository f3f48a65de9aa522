//! The end of a connection whose other side is still sending.
//!
//! Closing a socket that holds unread bytes resets the connection, and a reset throws away what the other side has not read yet: a
//! client that was told "too large" while it was sending would see its connection break and not know why.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// For the other side to read its answer and close.
const PATIENCE: Duration = Duration::from_secs(2);

/// A stream that is shut down in two steps: it says that it will write no more, then it throws away what still comes, until the other
/// side has closed too or patience ends.
#[derive(Debug)]
pub(super) struct Linger<S> {
    stream: S,
    /// Runs since the first step.
    closing: Option<Pin<Box<Sleep>>>,
}

impl<S> Linger<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, closing: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Linger<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Linger<S> {
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
        let patience = this.closing.get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
        if patience.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let mut thrown_away = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut thrown_away);
            let read = ready!(Pin::new(&mut this.stream).poll_read(context, &mut buffer));
            // Its end, or a reset, is what this waits for.
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
    async fn what_still_comes_is_thrown_away_until_the_other_side_closes() {
        let (ours, mut theirs) = duplex(16);
        let closing = tokio::spawn(async move { Linger::new(ours).shutdown().await });
        assert_eq!(theirs.read(&mut [0]).await.unwrap(), 0, "it said that it writes no more");
        theirs.write_all(&[7; 10_000]).await.unwrap();
        assert!(!closing.is_finished());
        drop(theirs);
        closing.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends() {
        let (ours, mut theirs) = duplex(16);
        let start = Instant::now();
        let drip = tokio::spawn(async move {
            while theirs.write_all(b"a").await.is_ok() {
                sleep(PATIENCE / 10).await;
            }
        });
        Linger::new(ours).shutdown().await.unwrap();
        // The clock of this test stands still unless all wait.
        assert_eq!(start.elapsed(), PATIENCE);
        drip.await.unwrap();
    }
}
