//! Results that are open for reading.

use std::fs::File;

use crate::error::StoreError;
pub use crate::results::s3::StoredObject;

/// Result that is open for reading.
#[derive(Debug)]
pub enum StoredResult {
    /// File whose hash has been verified.
    File(File),
    /// S3 object. Reading the entire object verifies its hash.
    Object(Box<StoredObject>),
}

impl StoredResult {
    /// Verifies the entire content of the result.
    /// A caller that sends a byte range of the result to a client must call this method first.
    /// Reads an entire S3 object to verify its hash, unless this process has already verified the object.
    /// The content of a result file was already verified when the file was opened.
    pub async fn verify_content(&self) -> Result<(), StoreError> {
        match self {
            Self::File(_) => Ok(()),
            Self::Object(object) => object.verify_content().await,
        }
    }
}
