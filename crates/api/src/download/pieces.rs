//! A part of a header row and of the file behind it, in pieces.
//!
//! What the operating system has in memory is read at once, on the thread that sends it: that takes as long as a copy does. Only for
//! what must come from the disk is there a hop to a thread that may block. `docs/decisions/0018-results-are-sent-from-memory.md` has
//! the figures.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use tokio::task::{JoinHandle, spawn_blocking};

/// What is read and sent at a time. The HTTP library holds some six of them.
pub(super) const PIECE: usize = 64 * 1024;

/// The pieces of one download, in order. It ends after its last byte, or with an error: never early.
#[derive(Debug)]
pub(super) struct Pieces {
    /// What is left of the header row.
    header: Bytes,
    file: Arc<File>,
    /// Where in the file the next piece begins, …
    next: u64,
    /// … and where the last one ends.
    end: u64,
    buffers: Buffers,
    /// A read that waits for the disk.
    reading: Option<JoinHandle<(BytesMut, io::Result<usize>)>>,
}

impl Pieces {
    /// A header row, then the bytes of a file from `next` to before `end`.
    pub(super) fn new(header: Bytes, file: File, next: u64, end: u64) -> Self {
        Self { header, file: Arc::new(file), next, end, buffers: Buffers::default(), reading: None }
    }

    /// The next piece if it is in memory; else its read from the disk begins.
    fn read_next(&mut self) -> Option<io::Result<Bytes>> {
        let mut buffer = self.buffers.take(self.end - self.next);
        if let Some(read) = read_at_once(&self.file, &mut buffer, self.next) {
            return Some(self.piece(buffer, read));
        }
        let (file, at) = (self.file.clone(), self.next);
        self.reading = Some(spawn_blocking(move || {
            let read = file.read_at(&mut buffer, at);
            (buffer, read)
        }));
        None
    }

    fn piece(&mut self, buffer: BytesMut, read: io::Result<usize>) -> io::Result<Bytes> {
        let length = read?;
        if length == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a result became shorter while it was sent"));
        }
        self.next += length as u64;
        Ok(self.buffers.lend(buffer, length))
    }
}

impl Stream for Pieces {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let this = self.get_mut();
        if !this.header.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut this.header))));
        }
        if this.reading.is_none() {
            if this.next >= this.end {
                return Poll::Ready(None);
            }
            if let Some(piece) = this.read_next() {
                return Poll::Ready(Some(piece));
            }
        }
        let Some(reading) = &mut this.reading else { return Poll::Ready(None) };
        let read = ready!(Pin::new(reading).poll(context));
        this.reading = None;
        let piece = read.map_err(io::Error::other).and_then(|(buffer, read)| this.piece(buffer, read));
        Poll::Ready(Some(piece))
    }
}

/// Buffers that are used again once what was in them is sent: they stay in the processor's cache.
#[derive(Debug, Default)]
struct Buffers {
    /// Whole buffers, of each of which a part was lent; the longest lent first, as they come back.
    lent: VecDeque<Bytes>,
}

impl Buffers {
    /// One for what is left to be read, at most a piece.
    fn take(&mut self, left: u64) -> BytesMut {
        let length = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let returned =
            self.lent.pop_front_if(|buffer| buffer.is_unique()).and_then(|buffer| buffer.try_into_mut().ok());
        let mut buffer = returned.unwrap_or_default();
        buffer.resize(length, 0);
        buffer
    }

    /// The first bytes of a buffer, which comes back when they are dropped.
    fn lend(&mut self, buffer: BytesMut, length: usize) -> Bytes {
        let buffer = buffer.freeze();
        let piece = buffer.slice(..length.min(buffer.len()));
        self.lent.push_back(buffer);
        piece
    }
}

/// Reads what is in memory; nothing where the disk would have to be waited for, or the file system cannot tell.
fn read_at_once(file: &File, buffer: &mut [u8], at: u64) -> Option<io::Result<usize>> {
    loop {
        match preadv2(file, &mut [IoSliceMut::new(buffer)], at, ReadWriteFlags::NOWAIT) {
            Ok(length) => return Some(Ok(length)),
            Err(Errno::INTR) => {}
            // What is wrong, if anything is, a plain read says better: old kernels, sandboxes and network file systems have no such read.
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

    /// Bytes that tell where they stand.
    fn bytes(count: usize) -> Vec<u8> {
        (0..count).map(|at| u8::try_from(at % 251).unwrap()).collect()
    }

    async fn all(mut pieces: Pieces) -> io::Result<Vec<u8>> {
        let mut read = Vec::new();
        while let Some(piece) = pieces.next().await {
            read.extend_from_slice(&piece?);
        }
        Ok(read)
    }

    #[tokio::test]
    async fn a_part_of_the_file_comes_whole_and_in_order() {
        let bytes = bytes(5 * PIECE + 17);
        let file = file(&bytes);
        for (from, to) in [(0, bytes.len()), (PIECE - 1, 3 * PIECE + 1), (7, 8), (bytes.len(), bytes.len())] {
            let pieces = Pieces::new("head,".into(), file.reopen().unwrap(), from as u64, to as u64);
            assert!(all(pieces).await.unwrap() == [b"head,", &bytes[from..to]].concat(), "{from}..{to}");
        }
    }

    #[tokio::test]
    async fn what_must_come_from_the_disk_is_the_same() {
        let bytes = bytes(5 * PIECE + 17);
        let file = file(&bytes);
        file.as_file().sync_all().unwrap();
        rustix::fs::fadvise(file.as_file(), 0, None, rustix::fs::Advice::DontNeed).unwrap();
        let pieces = Pieces::new(Bytes::new(), file.reopen().unwrap(), 3, bytes.len() as u64);
        assert!(all(pieces).await.unwrap() == bytes[3..]);
    }

    /// A file of the kernel's own is never read at once.
    #[tokio::test]
    async fn where_nothing_is_read_at_once_all_comes_from_threads_that_block() {
        let path = "/proc/version";
        assert!(read_at_once(&File::open(path).unwrap(), &mut [0; 8], 0).is_none());
        let expected = std::fs::read(path).unwrap();
        let pieces = Pieces::new("head,".into(), File::open(path).unwrap(), 2, expected.len() as u64);
        assert_eq!(all(pieces).await.unwrap(), [b"head,", &expected[2..]].concat());
    }

    #[tokio::test]
    async fn a_file_that_becomes_shorter_is_an_error_not_an_end() {
        let bytes = bytes(3 * PIECE);
        let file = file(&bytes);
        let mut pieces = Pieces::new(Bytes::new(), file.reopen().unwrap(), 0, bytes.len() as u64);
        assert!(pieces.next().await.unwrap().unwrap() == bytes[..PIECE]);
        file.as_file().set_len(PIECE as u64 + 1).unwrap();
        assert!(pieces.next().await.unwrap().unwrap() == bytes[PIECE..=PIECE]);
        assert_eq!(pieces.next().await.unwrap().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_buffer_is_used_again_only_when_nobody_has_it_any_more() {
        let mut buffers = Buffers::default();
        let mut lend = |byte| {
            let mut buffer = buffers.take(u64::MAX);
            buffer[0] = byte;
            buffers.lend(buffer, PIECE)
        };
        let (first, second) = (lend(1), lend(2));
        let place = first.as_ptr();
        assert_ne!(place, second.as_ptr());
        assert_eq!((first[0], second[0]), (1, 2));
        drop(first);
        let third = lend(3);
        assert_eq!((third.as_ptr(), third[0], second[0]), (place, 3, 2));
    }
}
