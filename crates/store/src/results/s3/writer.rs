//! Writing an object: rows are gathered to a part, and each part is sent before the next is begun.

use std::io::{self, Write};
use std::time::Duration;

use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{LIMIT, RETRY, S3, trouble};
use crate::error::StoreError;
use crate::results::PublishedResult;

/// Bytes of a part; S3 takes no smaller one but the last, and 10,000 parts.
const PART: usize = 5 << 20;
/// Between two tries of what broke off.
const AGAIN: Duration = Duration::from_millis(500);
/// For a whole result. The sweep takes nothing that is younger than twice this: S3 dates an object by the beginning of its upload.
const WHOLE: Duration = Duration::from_mins(5);

#[derive(Debug)]
pub(in crate::results) struct S3Writer {
    s3: S3,
    name: String,
    path: Path,
    runtime: Handle,
    until: Instant,
    /// What is not sent yet.
    part: Vec<u8>,
    /// An upload of several parts, once there is more than one. One that is dropped here is given up.
    upload: Option<Box<dyn MultipartUpload>>,
    hash: Sha256,
    bytes: u64,
}

impl S3Writer {
    /// Fails outside of a runtime.
    pub(super) fn create(s3: S3, name: String) -> Result<Self, StoreError> {
        let runtime = Handle::try_current().map_err(|error| s3.failed("write", &name, &error.to_string()))?;
        let path = s3.settings.path(&name);
        let until = Instant::now() + WHOLE;
        Ok(Self { s3, name, path, runtime, until, part: Vec::new(), upload: None, hash: Sha256::new(), bytes: 0 })
    }

    /// Small results are one object that must not be there yet; larger ones are put together from their parts.
    pub(in crate::results) fn publish(mut self: Box<Self>) -> Result<PublishedResult, StoreError> {
        if self.upload.is_none() {
            self.put()?;
        } else {
            if !self.part.is_empty() {
                self.send()?;
            }
            if let Some(upload) = &mut self.upload {
                let completed = self.runtime.block_on(timeout_at(self.until, timeout(LIMIT, upload.complete())));
                self.s3.told("write", &self.name, completed.unwrap_or_else(Err))?;
            }
            self.upload = None;
        }
        let sha256 = hex::encode(std::mem::take(&mut self.hash).finalize());
        Ok(PublishedResult { name: std::mem::take(&mut self.name), bytes: self.bytes, sha256 })
    }

    /// What broke off is sent again, which the library does not do with what may have arrived: the name is this writer's own.
    fn put(&mut self) -> Result<(), StoreError> {
        let payload = PutPayload::from(std::mem::take(&mut self.part));
        let began = Instant::now();
        loop {
            let put = self.s3.objects.put_opts(&self.path, payload.clone(), PutMode::Create.into());
            match self.runtime.block_on(timeout(LIMIT, put)) {
                Ok(Err(object_store::Error::AlreadyExists { .. })) => return self.must_be_there(&payload.into()),
                Ok(Err(error)) if trouble::broke_off(&error) && began.elapsed() < RETRY => {
                    self.runtime.block_on(sleep(AGAIN));
                }
                put => return self.s3.told("write", &self.name, put).map(|_| ()),
            }
        }
    }

    /// Nobody else has this name: an earlier try whose answer was lost has made it.
    fn must_be_there(&self, written: &bytes::Bytes) -> Result<(), StoreError> {
        let there = async { self.s3.objects.get(&self.path).await?.bytes().await };
        let there = self.runtime.block_on(self.s3.within("write", &self.name, there))?;
        if there == written { Ok(()) } else { Err(self.s3.failed("write", &self.name, "another object has its name")) }
    }

    /// Sends a part of several.
    fn send(&mut self) -> Result<(), StoreError> {
        let payload = PutPayload::from(std::mem::take(&mut self.part));
        let (s3, path, runtime) = (&self.s3, &self.path, &self.runtime);
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => none.insert(runtime.block_on(s3.within("write", &self.name, s3.objects.put_multipart(path)))?),
        };
        let sent = runtime.block_on(timeout_at(self.until, timeout(LIMIT, upload.put_part(payload))));
        match sent {
            Ok(sent) => s3.told("write", &self.name, sent),
            Err(_) => Err(trouble::late("write", s3.settings.place(&self.name))),
        }
    }
}

impl Write for S3Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.part.len() >= PART {
            self.send().map_err(io::Error::other)?;
        }
        let taken = bytes.get(..bytes.len().min(PART - self.part.len())).unwrap_or_default();
        self.part.extend_from_slice(taken);
        self.hash.update(taken);
        self.bytes += taken.len() as u64;
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for S3Writer {
    /// Gives an upload up that was not completed. Where that fails, the sweep does.
    fn drop(&mut self) {
        if let Some(mut upload) = self.upload.take() {
            self.runtime.spawn(async move {
                let _ = timeout(LIMIT, upload.abort()).await;
            });
        }
    }
}
