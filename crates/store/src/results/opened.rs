//! Results that are open for reading.

use std::fs::File;

pub use super::s3::StoredObject;
use crate::error::StoreError;

/// Result that is open for reading.
#[derive(Debug)]
pub enum StoredResult {
    /// File with a verified hash.
    File(File),
    /// S3 object, whose hash is verified while the object is read.
    Object(Box<StoredObject>),
}

impl StoredResult {
    /// Verifies the entire content of the result.
    /// The caller must verify the content before it sends a byte range of the result to a client.
    /// Reads the entire S3 object, unless this process has already verified the object.
    /// Does nothing for a result file because its content was already verified when the file was opened.
    pub async fn verify_content(&self) -> Result<(), StoreError> {
        match self {
            Self::File(_) => Ok(()),
            Self::Object(object) => object.verify_content().await,
        }
    }
}
