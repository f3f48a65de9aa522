//! Where a download goes.

use std::future::Future;
use std::io;
use std::path::Path;

use tokio::fs::File;
use tokio::io::{AsyncSeekExt, AsyncWrite, AsyncWriteExt};

/// Takes the bytes of a download in order, and can forget them if the result changed meanwhile.
pub trait Target: Send {
    /// Takes the next bytes.
    fn append(&mut self, bytes: &[u8]) -> impl Future<Output = io::Result<()>> + Send;
    /// Forgets all bytes so far: the download begins anew.
    fn restart(&mut self) -> impl Future<Output = io::Result<()>> + Send;
    /// Called once at the end of the download, whether it came whole or not.
    fn finish(&mut self) -> impl Future<Output = io::Result<()>> + Send;
}

/// A file, written from its start.
#[derive(Debug)]
pub struct FileTarget {
    file: File,
}

impl FileTarget {
    /// A new file, or an old one emptied.
    pub async fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(Self { file: File::create(path).await? })
    }
}

impl From<File> for FileTarget {
    fn from(file: File) -> Self {
        Self { file }
    }
}

impl Target for FileTarget {
    async fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
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

/// A stream, such as standard output. What is written there cannot be taken back.
#[derive(Debug)]
pub struct StreamTarget<W> {
    stream: W,
    written: bool,
}

impl<W> StreamTarget<W> {
    /// A target that writes there.
    pub fn new(stream: W) -> Self {
        Self { stream, written: false }
    }

    /// The stream.
    pub fn into_inner(self) -> W {
        self.stream
    }
}

impl<W: AsyncWrite + Unpin + Send> Target for StreamTarget<W> {
    async fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written |= !bytes.is_empty();
        self.stream.write_all(bytes).await
    }

    async fn restart(&mut self) -> io::Result<()> {
        if self.written {
            return Err(io::Error::other(
                "the result changed, or cannot be resumed, and what was written cannot be taken back; write to a file instead",
            ));
        }
        Ok(())
    }

    async fn finish(&mut self) -> io::Result<()> {
        self.stream.flush().await
    }
}
