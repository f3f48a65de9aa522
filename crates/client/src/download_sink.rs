//! Download sinks.

use std::future::Future;
use std::io;
use std::path::Path;

use tokio::fs::File;
use tokio::io::{AsyncSeekExt, AsyncWrite, AsyncWriteExt};

/// Destination of a download. The sink must discard all written bytes if the download restarts.
pub trait DownloadSink: Send {
    /// Appends downloaded bytes.
    fn append_bytes(&mut self, bytes: &[u8]) -> impl Future<Output = io::Result<()>> + Send;
    /// Discards all written bytes when the download restarts.
    fn restart(&mut self) -> impl Future<Output = io::Result<()>> + Send;
    /// Flushes the sink. The client calls this method once at the end of each download, even if the download fails.
    fn finish(&mut self) -> impl Future<Output = io::Result<()>> + Send;
}

/// Sink that writes to a file.
#[derive(Debug)]
pub struct FileSink {
    file: File,
}

impl FileSink {
    /// Creates the file at `path`, or truncates it if it exists.
    pub async fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(Self { file: File::create(path).await? })
    }
}

impl From<File> for FileSink {
    fn from(file: File) -> Self {
        Self { file }
    }
}

impl DownloadSink for FileSink {
    async fn append_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).await
    }

    async fn restart(&mut self) -> io::Result<()> {
        self.file.flush().await?;
        self.file.set_len(0).await?;
        self.file.rewind().await?;
        Ok(())
    }

    async fn finish(&mut self) -> io::Result<()> {
        self.file.flush().await
    }
}

/// Sink that writes to a stream, such as standard output.
/// Written bytes cannot be discarded, so a download to a stream cannot restart after the first write.
#[derive(Debug)]
pub struct StreamSink<W> {
    stream: W,
    written: bool,
}

impl<W> StreamSink<W> {
    /// Creates a sink that writes to `stream`.
    pub fn new(stream: W) -> Self {
        Self { stream, written: false }
    }

    /// Returns the stream.
    pub fn into_inner(self) -> W {
        self.stream
    }
}

impl<W: AsyncWrite + Unpin + Send> DownloadSink for StreamSink<W> {
    async fn append_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written |= !bytes.is_empty();
        self.stream.write_all(bytes).await
    }

    async fn restart(&mut self) -> io::Result<()> {
        if self.written {
            return Err(io::Error::other(
                "the download must restart, but written bytes cannot be discarded; write to a file instead",
            ));
        }
        Ok(())
    }

    async fn finish(&mut self) -> io::Result<()> {
        self.stream.flush().await
    }
}
