//! Results: there whole or not at all, in a folder or on S3.

mod file_writer;
mod files;
mod s3;
mod stored;
mod verified;

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clew_model::RequestId;
use tokio::runtime::Handle;

use crate::error::StoreError;
use crate::tasks::ResultRecord;
use file_writer::FileWriter;
use files::Files;
pub use s3::S3Settings;
use s3::{S3, S3Writer};
pub use stored::{StoredObject, StoredResult};

/// Where results are kept. Clones share everything.
#[derive(Debug, Clone)]
pub struct ResultStore(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Files(Files),
    S3(S3),
}

impl ResultStore {
    pub(crate) fn files(folder: PathBuf) -> Self {
        Self(Kind::Files(Files::new(folder)))
    }

    /// Results on S3, once something was written, read, listed and removed there. Fails, and says why, where one of them cannot be.
    pub async fn s3(settings: &S3Settings) -> Result<Self, StoreError> {
        S3::connect(settings).await.map(|s3| Self(Kind::S3(s3)))
    }

    /// Whether results can be written, as far as is known without writing one. S3 refuses a machine whose clock is wrong: whoever takes work
    /// up all the same makes errors of it as fast as it can.
    pub async fn takes_results(&self) -> bool {
        match &self.0 {
            Kind::Files(_) => true,
            Kind::S3(s3) => s3.takes_results().await,
        }
    }

    /// Whether other machines have the same results.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.0, Kind::S3(_))
    }

    /// Starts a result. Blocks, as its writer does: call it on one of a runtime's threads that may.
    pub fn create(&self, request_id: &RequestId, fence: i64) -> Result<ResultWriter, StoreError> {
        match &self.0 {
            Kind::Files(files) => files.create(request_id, fence).map(|writer| ResultWriter(Writing::File(writer))),
            Kind::S3(s3) => s3.create(request_id, fence).map(|writer| ResultWriter(Writing::S3(Box::new(writer)))),
        }
    }

    /// A result to be read. A file is handed out after its length and hash were found to be those that were written; an object after
    /// its length was, and its hash is checked by whoever reads it ([`StoredObject`]).
    pub async fn open(&self, result: &ResultRecord) -> Result<StoredResult, StoreError> {
        match &self.0 {
            Kind::Files(files) => {
                let result = result.clone();
                off_the_runtime(files, move |files| files.open(&result)).await.map(StoredResult::File)
            }
            Kind::S3(s3) => s3.open(result).await.map(|object| StoredResult::Object(Box::new(object))),
        }
    }

    /// Removes a result. One that is not there is no error.
    pub async fn remove(&self, name: &str) -> Result<(), StoreError> {
        match &self.0 {
            Kind::Files(files) => {
                let name = name.to_owned();
                off_the_runtime(files, move |files| files.remove(&name)).await
            }
            Kind::S3(s3) => s3.remove(name).await,
        }
    }

    /// Removes a result that nobody wants: a file at once, an object soon. Where that fails, the sweep does it.
    pub fn discard(&self, name: &str) -> Result<(), StoreError> {
        match &self.0 {
            Kind::Files(files) => files.remove(name),
            Kind::S3(s3) => {
                let runtime = Handle::try_current().map_err(|_| StoreError::Stopped)?;
                let (s3, name) = (s3.clone(), name.to_owned());
                runtime.spawn(async move { s3.remove(&name).await });
                Ok(())
            }
        }
    }

    /// Removes what no task names and what is older than `age`: what crashes left. Returns how many.
    pub async fn sweep(&self, known: Vec<String>, age: Duration) -> Result<usize, StoreError> {
        match &self.0 {
            Kind::Files(files) => off_the_runtime(files, move |files| files.sweep(&known, age)).await,
            Kind::S3(s3) => s3.sweep(&known, age).await,
        }
    }
}

async fn off_the_runtime<T: Send + 'static>(
    files: &Files,
    work: impl FnOnce(&Files) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let files = files.clone();
    // It only fails with the runtime.
    tokio::task::spawn_blocking(move || work(&files)).await.map_err(|_| StoreError::Stopped)?
}

/// Whether a name is one of a result, wherever it came from: it never leads out of the place where results are.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0'])
}

/// A result that was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedResult {
    /// Its name in the result store.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// A result being written. Dropped before it is published, it leaves nothing.
#[derive(Debug)]
pub struct ResultWriter(Writing);

#[derive(Debug)]
enum Writing {
    File(FileWriter),
    S3(Box<S3Writer>),
}

impl ResultWriter {
    /// Gives the result its name. Once this returns, a crash no longer loses it.
    pub fn publish(self) -> Result<PublishedResult, StoreError> {
        match self.0 {
            Writing::File(writer) => writer.publish(),
            Writing::S3(writer) => writer.publish(),
        }
    }
}

impl Write for ResultWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Writing::File(writer) => writer.write(bytes),
            Writing::S3(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Writing::File(writer) => writer.flush(),
            Writing::S3(writer) => writer.flush(),
        }
    }
}
