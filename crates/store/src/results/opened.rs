//! Opened results.

use std::fs::File;

pub use super::s3::StoredObject;
use crate::error::StoreError;

/// Result that is open for reading.
#[derive(Debug)]
pub enum StoredResult {
    /// File with a verified hash.
    File(File),
    /// Object on S3, whose hash is verified during the read.
    Object(Box<StoredObject>),
}

impl StoredResult {
    /// Verifies the entire content. Required before a part of the content is sent to a client.
    /// Reads an object on S3 completely, unless this process has already verified it. Files are already verified.
    pub async fn verify_content(&self) -> Result<(), StoreError> {
        match self {
            Self::File(_) => Ok(()),
            Self::Object(object) => object.verify_content().await,
        }
    }
}
