//! Opened results.

use std::fs::File;
use std::io;
use std::ops::Range;

use bytes::Bytes;
use futures_util::stream::BoxStream;

pub use super::s3::StoredObject;
use crate::error::StoreError;

/// A result that is open for reading.
#[derive(Debug)]
pub enum StoredResult {
    /// A file with a verified hash.
    File(File),
    /// An object. Its hash is verified while it is read.
    Object(Box<StoredObject>),
}

impl StoredResult {
    /// Verifies the whole content, as required before a part of it is returned.
    /// An object is read once for that, unless this process has verified it before. Files are already verified.
    pub async fn verify(&self) -> Result<(), StoreError> {
        match self {
            Self::File(_) => Ok(()),
            Self::Object(object) => object.verify_content().await,
        }
    }
}

/// Stream of chunks of an object.
pub(super) type ObjectChunks = BoxStream<'static, io::Result<Bytes>>;

/// Byte range of an object, with an exclusive end.
pub(super) type ByteRange = Range<u64>;
