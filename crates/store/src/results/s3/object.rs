//! Reads result objects from S3 and verifies their content.

use std::io;
use std::ops::Range;

use bytes::Bytes;
use futures_util::TryFutureExt;
use futures_util::stream::{BoxStream, StreamExt, empty, try_unfold};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore};
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use crate::collection_tasks::ResultMetadata;
use crate::error::StoreError;
use crate::results::s3::{OPERATION_TIMEOUT, S3};

/// S3 object with a verified length.
#[derive(Debug)]
pub struct StoredObject {
    pub(super) s3: S3,
    pub(super) path: Path,
    pub(super) etag: Option<String>,
    pub(super) record: ResultMetadata,
}

/// The last chunk is returned only after the hash of the object has been verified.
struct ChunkReader {
    object: StoredObject,
    chunks: BoxStream<'static, object_store::Result<Bytes>>,
    held: Option<Bytes>,
    remaining: u64,
    /// `None` if the reader reads only a part of the object.
    hash: Option<Sha256>,
}

impl StoredObject {
    /// Streams a byte range of the object.
    /// A stream of the entire object ends with an error instead of the last chunk if the hash is wrong.
    /// Callers that read only a part of the object must first call [`crate::StoredResult::verify_content`].
    /// The stream fails if S3 disconnects or times out, or if the object was replaced.
    #[must_use]
    pub fn into_chunk_stream(self: Box<Self>, range: Range<u64>) -> BoxStream<'static, io::Result<Bytes>> {
        if range.is_empty() {
            return empty().boxed();
        }
        let stream = async move {
            let reader = Self::open_chunk_reader(*self, range).await.map_err(io::Error::other)?;
            io::Result::Ok(try_unfold(reader, ChunkReader::next_stream_chunk))
        };
        stream.try_flatten_stream().boxed()
    }

    pub(in crate::results) async fn verify_content(&self) -> Result<(), StoreError> {
        // Unlike `contains_key`, `get` counts as a use of the entry, which delays its eviction.
        let is_verified = || self.verification_cache_key().is_some_and(|key| self.s3.verified.get(&key).is_some());
        if self.record.bytes == 0 || is_verified() {
            return Ok(());
        }
        let whole =
            Self { s3: self.s3.clone(), path: self.path.clone(), etag: self.etag.clone(), record: self.record.clone() };
        let mut reader = Self::open_chunk_reader(whole, 0..self.record.bytes).await?;
        while let Some((_, next)) = reader.next_chunk().await? {
            reader = next;
        }
        Ok(())
    }

    fn verification_cache_key(&self) -> Option<(String, String)> {
        self.etag.as_ref().map(|etag| (self.record.name.clone(), etag.clone()))
    }

    async fn open_chunk_reader(self, range: Range<u64>) -> Result<ChunkReader, StoreError> {
        let remaining = range.end - range.start;
        let hash = (remaining == self.record.bytes).then(Sha256::new);
        let options = GetOptions {
            if_match: self.etag.clone(),
            range: hash.is_none().then_some(GetRange::Bounded(range)),
            ..GetOptions::default()
        };
        let request = self.s3.objects.get_opts(&self.path, options);
        let chunks = self.s3.run_with_operation_timeout("read", &self.record.name, request).await?.into_stream();
        Ok(ChunkReader { object: self, chunks, held: None, remaining, hash })
    }
}

impl ChunkReader {
    async fn next_stream_chunk(self) -> io::Result<Option<(Bytes, Self)>> {
        self.next_chunk().await.map_err(io::Error::other)
    }

    async fn next_chunk(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        let StoredObject { s3, record, .. } = &self.object;
        loop {
            match timeout(OPERATION_TIMEOUT, self.chunks.next()).await {
                Ok(Some(Ok(chunk))) if chunk.is_empty() => {}
                Ok(Some(Ok(chunk))) => {
                    if let Some(hash) = &mut self.hash {
                        hash.update(&chunk);
                    }
                    self.remaining = self.remaining.saturating_sub(chunk.len() as u64);
                    if let Some(previous) = self.held.replace(chunk) {
                        return Ok(Some((previous, self)));
                    }
                }
                Ok(Some(Err(error))) => s3.check_object_storage_response("read", &record.name, Ok(Err(error)))?,
                Err(elapsed) => s3.check_object_storage_response("read", &record.name, Err(elapsed))?,
                Ok(None) => break,
            }
        }
        let Some(last) = self.held.take() else { return Ok(None) };
        if self.remaining > 0 {
            return Err(s3.object_storage_error("read", &record.name, "the response ended before the last byte"));
        }
        if let Some(hash) = self.hash.take() {
            if hex::encode(hash.finalize()) != record.sha256 {
                let reason = "its content differs from the written data".to_owned();
                return Err(StoreError::ResultCorrupt { name: record.name.clone(), reason });
            }
            if let Some(key) = self.object.verification_cache_key() {
                s3.verified.insert(key, ());
            }
        }
        Ok(Some((last, self)))
    }
}
