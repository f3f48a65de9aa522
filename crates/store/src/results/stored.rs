//! A result that was opened.

use std::fs::File;
use std::io;
use std::ops::Range;

use bytes::Bytes;
use futures_util::stream::BoxStream;

pub use super::s3::StoredObject;
use crate::error::StoreError;

/// A result that can be read.
#[derive(Debug)]
pub enum StoredResult {
    /// A file, whose hash was found right.
    File(File),
    /// An object, whose hash is checked while it is read.
    Object(Box<StoredObject>),
}

impl StoredResult {
    /// Makes sure that a part of it can be given out. An object is read once for that, as a whole, unless this process has read it
    /// before; nothing has to be done for a file.
    pub async fn verify(&self) -> Result<(), StoreError> {
        match self {
            Self::File(_) => Ok(()),
            Self::Object(object) => object.verify().await,
        }
    }
}

/// Pieces of an object.
pub(super) type ObjectPieces = BoxStream<'static, io::Result<Bytes>>;

/// Bytes of an object, from the first to before the last.
pub(super) type Part = Range<u64>;
