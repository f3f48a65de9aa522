//! Reading an object, and finding out whether it is what was written.

use std::io;

use bytes::Bytes;
use futures_util::TryFutureExt;
use futures_util::stream::{BoxStream, StreamExt, empty, try_unfold};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore};
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use super::{LIMIT, S3};
use crate::error::StoreError;
use crate::results::stored::{ObjectPieces, Part};
use crate::tasks::ResultRecord;

/// A result on S3 whose length was found right.
#[derive(Debug)]
pub struct StoredObject {
    pub(super) s3: S3,
    pub(super) path: Path,
    /// Names its bytes: another object under the same name has another one.
    pub(super) tag: Option<String>,
    pub(super) record: ResultRecord,
}

/// An object being read. What came last is held back until the next came, or until the hash was found right.
struct Reading {
    object: StoredObject,
    pieces: BoxStream<'static, object_store::Result<Bytes>>,
    held: Option<Bytes>,
    left: u64,
    /// Where all of it is read.
    hash: Option<Sha256>,
}

impl StoredObject {
    /// A part of it, in pieces: from the first byte to before the last. All of it ends with an error in place of its last piece if
    /// its hash is another than what was written has; of a part, ask [`crate::StoredResult::verify`] first. It is an error, too, when S3
    /// breaks off, falls silent, or has another object by now.
    #[must_use]
    pub fn pieces(self: Box<Self>, part: Part) -> ObjectPieces {
        if part.is_empty() {
            return empty().boxed();
        }
        let begun = async move {
            let reading = Self::read(*self, part).await.map_err(io::Error::other)?;
            io::Result::Ok(try_unfold(reading, Reading::next))
        };
        begun.try_flatten_stream().boxed()
    }

    /// Reads all of it, once, and remembers that it is what was written.
    pub(in crate::results) async fn verify(&self) -> Result<(), StoreError> {
        if self.tag.as_ref().is_some_and(|tag| self.s3.remembers(&self.record.name, tag)) || self.record.bytes == 0 {
            return Ok(());
        }
        let all =
            Self { s3: self.s3.clone(), path: self.path.clone(), tag: self.tag.clone(), record: self.record.clone() };
        let mut reading = Self::read(all, 0..self.record.bytes).await?;
        while let Some((_, next)) = reading.next_piece().await? {
            reading = next;
        }
        Ok(())
    }

    async fn read(self, part: Part) -> Result<Reading, StoreError> {
        let left = part.end - part.start;
        let hash = (left == self.record.bytes).then(Sha256::new);
        let options = GetOptions {
            if_match: self.tag.clone(),
            range: hash.is_none().then_some(GetRange::Bounded(part)),
            ..GetOptions::default()
        };
        let asked = self.s3.objects.get_opts(&self.path, options);
        let pieces = self.s3.within("read", &self.record.name, asked).await?.into_stream();
        Ok(Reading { object: self, pieces, held: None, left, hash })
    }
}

impl Reading {
    async fn next(self) -> io::Result<Option<(Bytes, Self)>> {
        self.next_piece().await.map_err(io::Error::other)
    }

    async fn next_piece(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        let StoredObject { s3, record, .. } = &self.object;
        loop {
            match timeout(LIMIT, self.pieces.next()).await {
                Ok(Some(Ok(piece))) if piece.is_empty() => {}
                Ok(Some(Ok(piece))) => {
                    if let Some(hash) = &mut self.hash {
                        hash.update(&piece);
                    }
                    self.left = self.left.saturating_sub(piece.len() as u64);
                    if let Some(ready) = self.held.replace(piece) {
                        return Ok(Some((ready, self)));
                    }
                }
                Ok(Some(Err(error))) => s3.told("read", &record.name, Ok(Err(error)))?,
                Err(late) => s3.told("read", &record.name, Err(late))?,
                Ok(None) => break,
            }
        }
        let Some(last) = self.held.take() else { return Ok(None) };
        if self.left > 0 {
            return Err(s3.failed("read", &record.name, "it ended before its last byte"));
        }
        if let Some(hash) = self.hash.take() {
            if hex::encode(hash.finalize()) != record.sha256 {
                let reason = "its bytes are not those that were written".to_owned();
                return Err(StoreError::ResultCorrupt { name: record.name.clone(), reason });
            }
            if let Some(tag) = &self.object.tag {
                s3.remember(&record.name, tag);
            }
        }
        Ok(Some((last, self)))
    }
}
