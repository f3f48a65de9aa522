//! Uploads an object in parts.

use std::io;
use std::io::Write;
use std::time::Duration;

use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::error::StoreError;
use crate::results::PublishedResult;
use crate::results::s3::{OPERATION_TIMEOUT, RETRY_TIMEOUT, S3, error};

/// S3 requires at least 5 MiB for each part except the last, and allows at most 10,000 parts per upload.
const UPLOAD_PART_SIZE_BYTES: usize = 5 << 20;
const RETRY_DELAY: Duration = Duration::from_millis(500);
/// S3 sets the timestamp of an object to the start time of its upload.
/// Garbage collection keeps objects whose age is less than twice the upload timeout.
const UPLOAD_TIMEOUT: Duration = Duration::from_mins(5);

#[derive(Debug)]
pub(in crate::results) struct S3Writer {
    s3: S3,
    name: String,
    path: Path,
    runtime: Handle,
    deadline: Instant,
    part: Vec<u8>,
    /// `None` until the first part is uploaded.
    upload: Option<Box<dyn MultipartUpload>>,
    hash: Sha256,
    bytes: u64,
}

impl S3Writer {
    /// Fails outside a Tokio runtime.
    pub(super) fn create(s3: S3, name: String) -> Result<Self, StoreError> {
        let runtime =
            Handle::try_current().map_err(|error| s3.object_storage_error("write", &name, &error.to_string()))?;
        let path = s3.settings.object_key(&name);
        let deadline = Instant::now() + UPLOAD_TIMEOUT;
        Ok(Self { s3, name, path, runtime, deadline, part: Vec::new(), upload: None, hash: Sha256::new(), bytes: 0 })
    }

    pub(in crate::results) fn publish(mut self: Box<Self>) -> Result<PublishedResult, StoreError> {
        if self.upload.is_none() {
            self.put_object()?;
        } else {
            if !self.part.is_empty() {
                self.upload_part()?;
            }
            if let Some(upload) = &mut self.upload {
                let completed =
                    self.runtime.block_on(timeout_at(self.deadline, timeout(OPERATION_TIMEOUT, upload.complete())));
                self.s3.check_object_storage_response("write", &self.name, completed.unwrap_or_else(Err))?;
            }
            self.upload = None;
        }
        let sha256 = hex::encode(std::mem::take(&mut self.hash).finalize());
        Ok(PublishedResult { name: std::mem::take(&mut self.name), bytes: self.bytes, sha256 })
    }

    /// Retries the PUT request after a lost connection, because `object_store` does not retry this request.
    /// A retry cannot overwrite a different object, because the object name is unique.
    fn put_object(&mut self) -> Result<(), StoreError> {
        let payload = PutPayload::from(std::mem::take(&mut self.part));
        let began = Instant::now();
        loop {
            let put = self.s3.objects.put_opts(&self.path, payload.clone(), PutMode::Create.into());
            match self.runtime.block_on(timeout(OPERATION_TIMEOUT, put)) {
                Ok(Err(object_store::Error::AlreadyExists { .. })) => {
                    return self.ensure_existing_object_is_identical(&payload.into());
                }
                Ok(Err(error)) if error::is_connection_loss_error(&error) && began.elapsed() < RETRY_TIMEOUT => {
                    self.runtime.block_on(sleep(RETRY_DELAY));
                }
                put => return self.s3.check_object_storage_response("write", &self.name, put).map(|_| ()),
            }
        }
    }

    /// An earlier upload attempt may have written the object before the connection was lost.
    fn ensure_existing_object_is_identical(&self, written: &bytes::Bytes) -> Result<(), StoreError> {
        let stored = async { self.s3.objects.get(&self.path).await?.bytes().await };
        let stored = self.runtime.block_on(self.s3.run_with_operation_timeout("write", &self.name, stored))?;
        if stored == written {
            Ok(())
        } else {
            Err(self.s3.object_storage_error("write", &self.name, "another object has this name"))
        }
    }

    fn upload_part(&mut self) -> Result<(), StoreError> {
        let payload = PutPayload::from(std::mem::take(&mut self.part));
        let (s3, path, runtime) = (&self.s3, &self.path, &self.runtime);
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => none.insert(runtime.block_on(s3.run_with_operation_timeout(
                "write",
                &self.name,
                s3.objects.put_multipart(path),
            ))?),
        };
        let sent = runtime.block_on(timeout_at(self.deadline, timeout(OPERATION_TIMEOUT, upload.put_part(payload))));
        match sent {
            Ok(sent) => s3.check_object_storage_response("write", &self.name, sent),
            Err(_) => Err(error::timeout_error("write", s3.settings.object_uri(&self.name))),
        }
    }
}

impl Write for S3Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.part.len() >= UPLOAD_PART_SIZE_BYTES {
            self.upload_part().map_err(io::Error::other)?;
        }
        let accepted = bytes.get(..bytes.len().min(UPLOAD_PART_SIZE_BYTES - self.part.len())).unwrap_or_default();
        self.part.extend_from_slice(accepted);
        self.hash.update(accepted);
        self.bytes += accepted.len() as u64;
        Ok(accepted.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for S3Writer {
    /// If the abort request fails, garbage collection aborts the upload later.
    fn drop(&mut self) {
        if let Some(mut upload) = self.upload.take() {
            self.runtime.spawn(async move {
                let _ = timeout(OPERATION_TIMEOUT, upload.abort()).await;
            });
        }
    }
}
