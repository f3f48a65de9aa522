//! Response body stream that sends a byte range of a file.
//!
//! Data in the page cache is read on the async thread because such a read only copies memory.
//! Data that is not in the page cache is read on a blocking thread because the read waits for the disk.
//! `docs/decisions/0018-downloads-and-long-polling.md` compares the throughput of several file reading methods.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use tokio::task::{JoinHandle, spawn_blocking};

/// Hyper buffers about six chunks per response.
pub(super) const MAX_CHUNK_BYTES: usize = 64 * 1024;

/// Stream of a byte range of a file.
///
/// The stream ends after the last byte of the requested range. After an error, the stream must not be polled again.
#[derive(Debug)]
pub struct FileStream {
    file: Arc<File>,
    offset: u64,
    end: u64,
    pool: BufferPool,
    reading: Option<JoinHandle<(BytesMut, io::Result<usize>)>>,
}

impl FileStream {
    /// Creates a stream of the bytes in `range` from `file`.
    #[must_use]
    pub fn new(file: File, range: Range<u64>) -> Self {
        let Range { start: offset, end } = range;
        Self { file: Arc::new(file), offset, end, pool: BufferPool::default(), reading: None }
    }

    fn try_read_chunk(&mut self) -> Option<io::Result<Bytes>> {
        let mut buffer = self.pool.acquire(self.end - self.offset);
        if let Some(read) = try_read_from_page_cache(&self.file, &mut buffer, self.offset) {
            return Some(self.build_chunk(buffer, read));
        }
        let (file, at) = (self.file.clone(), self.offset);
        self.reading = Some(spawn_blocking(move || {
            let read = file.read_at(&mut buffer, at);
            (buffer, read)
        }));
        None
    }

    fn build_chunk(&mut self, buffer: BytesMut, read: io::Result<usize>) -> io::Result<Bytes> {
        let length = read?;
        if length == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was sent"));
        }
        self.offset += length as u64;
        Ok(self.pool.freeze_into_chunk(buffer, length))
    }
}

impl Stream for FileStream {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let this = self.get_mut();
        if this.reading.is_none() {
            if this.offset >= this.end {
                return Poll::Ready(None);
            }
            if let Some(chunk) = this.try_read_chunk() {
                return Poll::Ready(Some(chunk));
            }
        }
        let Some(reading) = &mut this.reading else { return Poll::Ready(None) };
        let read = ready!(Pin::new(reading).poll(context));
        this.reading = None;
        let chunk = read.map_err(io::Error::other).and_then(|(buffer, read)| this.build_chunk(buffer, read));
        Poll::Ready(Some(chunk))
    }
}

/// Reuses the buffers of sent chunks, because their memory is often still in the CPU cache.
#[derive(Debug, Default)]
struct BufferPool {
    /// Buffers of sent chunks, oldest first; hyper may still hold some of the chunks.
    shared: VecDeque<Bytes>,
}

impl BufferPool {
    fn acquire(&mut self, left: u64) -> BytesMut {
        let length = usize::try_from(left).unwrap_or(MAX_CHUNK_BYTES).min(MAX_CHUNK_BYTES);
        let returned =
            self.shared.pop_front_if(|buffer| buffer.is_unique()).and_then(|buffer| buffer.try_into_mut().ok());
        let mut buffer = returned.unwrap_or_default();
        buffer.resize(length, 0);
        buffer
    }

    /// The pool can reuse the buffer after the chunk has been dropped.
    fn freeze_into_chunk(&mut self, buffer: BytesMut, length: usize) -> Bytes {
        let buffer = buffer.freeze();
        let chunk = buffer.slice(..length.min(buffer.len()));
        self.shared.push_back(buffer);
        chunk
    }
}

fn try_read_from_page_cache(file: &File, buffer: &mut [u8], at: u64) -> Option<io::Result<usize>> {
    loop {
        match preadv2(file, &mut [IoSliceMut::new(buffer)], at, ReadWriteFlags::NOWAIT) {
            Ok(length) => return Some(Ok(length)),
            Err(Errno::INTR) => {}
            // Old kernels, sandboxes and network file systems do not support `RWF_NOWAIT`.
            // After any error, the caller retries with a blocking read, which reports I/O errors.
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use futures_util::StreamExt;

    use super::*;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    /// Test bytes whose values depend on their offset.
    fn bytes(count: usize) -> Vec<u8> {
        (0..count).map(|at| u8::try_from(at % 251).unwrap()).collect()
    }

    async fn read_all(mut stream: FileStream) -> io::Result<Vec<u8>> {
        let mut read = Vec::new();
        while let Some(chunk) = stream.next().await {
            read.extend_from_slice(&chunk?);
        }
        Ok(read)
    }

    #[tokio::test]
    async fn byte_ranges_are_complete_and_in_order() {
        let bytes = bytes(5 * MAX_CHUNK_BYTES + 17);
        let file = file(&bytes);
        for (from, to) in
            [(0, bytes.len()), (MAX_CHUNK_BYTES - 1, 3 * MAX_CHUNK_BYTES + 1), (7, 8), (bytes.len(), bytes.len())]
        {
            let stream = FileStream::new(file.reopen().unwrap(), from as u64..to as u64);
            assert!(read_all(stream).await.unwrap() == bytes[from..to], "{from}..{to}");
        }
    }

    #[tokio::test]
    async fn uncached_files_are_read_from_disk() {
        let bytes = bytes(5 * MAX_CHUNK_BYTES + 17);
        let file = file(&bytes);
        file.as_file().sync_all().unwrap();
        rustix::fs::fadvise(file.as_file(), 0, None, rustix::fs::Advice::DontNeed).unwrap();
        let stream = FileStream::new(file.reopen().unwrap(), 3..bytes.len() as u64);
        assert!(read_all(stream).await.unwrap() == bytes[3..]);
    }

    /// Files in `/proc` do not support `RWF_NOWAIT`.
    #[tokio::test]
    async fn files_without_nowait_support_are_read_on_blocking_threads() {
        let path = "/proc/version";
        assert!(try_read_from_page_cache(&File::open(path).unwrap(), &mut [0; 8], 0).is_none());
        let expected = std::fs::read(path).unwrap();
        let stream = FileStream::new(File::open(path).unwrap(), 2..expected.len() as u64);
        assert_eq!(read_all(stream).await.unwrap(), expected[2..]);
    }

    #[tokio::test]
    async fn truncated_file_is_an_error() {
        let bytes = bytes(3 * MAX_CHUNK_BYTES);
        let file = file(&bytes);
        let mut stream = FileStream::new(file.reopen().unwrap(), 0..bytes.len() as u64);
        assert!(stream.next().await.unwrap().unwrap() == bytes[..MAX_CHUNK_BYTES]);
        file.as_file().set_len(MAX_CHUNK_BYTES as u64 + 1).unwrap();
        assert!(stream.next().await.unwrap().unwrap() == bytes[MAX_CHUNK_BYTES..=MAX_CHUNK_BYTES]);
        assert_eq!(stream.next().await.unwrap().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn buffer_is_reused_only_after_its_chunk_is_dropped() {
        let mut pool = BufferPool::default();
        let mut share = |byte| {
            let mut buffer = pool.acquire(u64::MAX);
            buffer[0] = byte;
            pool.freeze_into_chunk(buffer, MAX_CHUNK_BYTES)
        };
        let (first, second) = (share(1), share(2));
        let address = first.as_ptr();
        assert_ne!(address, second.as_ptr());
        assert_eq!((first[0], second[0]), (1, 2));
        drop(first);
        let third = share(3);
        assert_eq!((third.as_ptr(), third[0], second[0]), (address, 3, 2));
    }
}
