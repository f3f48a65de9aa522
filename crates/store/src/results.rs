//! Stores the results of session collection tasks as files or as S3 objects.

mod file_verification;
mod file_writer;
mod result_directory;
mod s3;

use std::fs::File;
use std::io;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clew_model::RequestId;
use tokio::runtime::Handle;

use crate::collection_tasks::ResultMetadata;
use crate::error::StoreError;
use crate::results::file_writer::FileWriter;
use crate::results::result_directory::ResultDirectory;
use crate::results::s3::{S3, S3Writer};
pub use crate::results::s3::{S3Settings, StoredObject};

/// Store for the results of collection tasks. Clones share the same files or S3 objects.
#[derive(Debug, Clone)]
pub struct ResultStore(ResultBackend);

#[derive(Debug, Clone)]
enum ResultBackend {
    Files(ResultDirectory),
    S3(S3),
}

impl ResultStore {
    pub(crate) fn from_directory(folder: PathBuf) -> Self {
        Self(ResultBackend::Files(ResultDirectory::new(folder)))
    }

    /// Connects to S3. Returns an error if the credentials lack permission to write, read, list or remove objects.
    pub async fn connect_to_object_storage(settings: &S3Settings) -> Result<Self, StoreError> {
        S3::connect(settings).await.map(|s3| Self(ResultBackend::S3(s3)))
    }

    /// Returns false if S3 rejects requests because the clock of this machine is wrong.
    /// Always returns true if results are stored in the data directory.
    pub async fn is_writable(&self) -> bool {
        match &self.0 {
            ResultBackend::Files(_) => true,
            ResultBackend::S3(s3) => s3.is_writable().await,
        }
    }

    pub(crate) fn is_shared(&self) -> bool {
        match self.0 {
            ResultBackend::Files(_) => false,
            ResultBackend::S3(_) => true,
        }
    }

    /// Creates a writer for the result of a collection task. This function and the writer perform blocking I/O.
    pub fn create_writer(&self, request_id: &RequestId, fence: i64) -> Result<ResultWriter, StoreError> {
        match &self.0 {
            ResultBackend::Files(files) => {
                files.create_writer(request_id, fence).map(|writer| ResultWriter(WriterBackend::File(writer)))
            }
            ResultBackend::S3(s3) => {
                s3.create_writer(request_id, fence).map(|writer| ResultWriter(WriterBackend::S3(Box::new(writer))))
            }
        }
    }

    /// Opens the result of a collection task and verifies its length.
    /// Also verifies the hash of a result file. The hash of an S3 object is verified while the object is read.
    pub async fn open_result(&self, result: &ResultMetadata) -> Result<StoredResult, StoreError> {
        match &self.0 {
            ResultBackend::Files(files) => {
                let result = result.clone();
                run_on_blocking_thread(files, move |files| files.open_verified_file(&result))
                    .await
                    .map(StoredResult::File)
            }
            ResultBackend::S3(s3) => s3.open_object(result).await.map(|object| StoredResult::Object(Box::new(object))),
        }
    }

    /// Removes the result of a collection task. Does nothing if the result does not exist.
    pub async fn remove_result(&self, name: &str) -> Result<(), StoreError> {
        match &self.0 {
            ResultBackend::Files(files) => {
                let name = name.to_owned();
                run_on_blocking_thread(files, move |files| files.remove_file(&name)).await
            }
            ResultBackend::S3(s3) => s3.remove_object(name).await,
        }
    }

    /// Removes the result of a collection task: a file immediately, an S3 object in the background.
    /// If the removal of an S3 object fails, garbage collection removes the object later.
    pub fn remove_result_in_background(&self, name: &str) -> Result<(), StoreError> {
        match &self.0 {
            ResultBackend::Files(files) => files.remove_file(name),
            ResultBackend::S3(s3) => {
                let runtime = Handle::try_current().map_err(|_| StoreError::Stopped)?;
                let (s3, name) = (s3.clone(), name.to_owned());
                runtime.spawn(async move { s3.remove_object(&name).await });
                Ok(())
            }
        }
    }

    /// Removes unreferenced results and incomplete uploads older than `age`. `referenced` lists the results to keep.
    /// Returns the total number of removed results and removed incomplete uploads.
    pub async fn collect_garbage(&self, referenced: Vec<String>, age: Duration) -> Result<usize, StoreError> {
        match &self.0 {
            ResultBackend::Files(files) => {
                run_on_blocking_thread(files, move |files| files.remove_unreferenced_results(&referenced, age)).await
            }
            ResultBackend::S3(s3) => s3.remove_unreferenced_results(&referenced, age).await,
        }
    }
}

async fn run_on_blocking_thread<T: Send + 'static>(
    files: &ResultDirectory,
    work: impl FnOnce(&ResultDirectory) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let files = files.clone();
    // The task fails only if the runtime is shutting down.
    tokio::task::spawn_blocking(move || work(&files)).await.map_err(|_| StoreError::Stopped)?
}

/// Valid names cannot refer to paths outside the result directory.
fn is_valid_result_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0'])
}

/// Result that is open for reading.
#[derive(Debug)]
pub enum StoredResult {
    /// File whose hash has been verified.
    File(File),
    /// S3 object whose hash is verified only after the entire object has been read.
    Object(Box<StoredObject>),
}

impl StoredResult {
    /// Verifies the hash of the complete result.
    /// Callers must call this method before they send a byte range of the result to a client.
    /// Reads an entire S3 object to verify its hash, unless this process has already verified the object.
    pub async fn verify_content(&self) -> Result<(), StoreError> {
        match self {
            Self::File(_) => Ok(()),
            Self::Object(object) => object.verify_content().await,
        }
    }
}

/// Published result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedResult {
    /// Name in the result store.
    pub name: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Hex-encoded SHA-256 of the content.
    pub sha256: String,
}

/// Writer for the result of a collection task. The result is kept only if [`ResultWriter::publish`] is called.
#[derive(Debug)]
pub struct ResultWriter(WriterBackend);

#[derive(Debug)]
enum WriterBackend {
    File(FileWriter),
    S3(Box<S3Writer>),
}

impl ResultWriter {
    /// Makes the result available to readers. When this function returns, the result is durable.
    pub fn publish(self) -> Result<PublishedResult, StoreError> {
        match self.0 {
            WriterBackend::File(writer) => writer.publish(),
            WriterBackend::S3(writer) => writer.publish(),
        }
    }
}

impl Write for ResultWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            WriterBackend::File(writer) => writer.write(bytes),
            WriterBackend::S3(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            WriterBackend::File(writer) => writer.flush(),
            WriterBackend::S3(writer) => writer.flush(),
        }
    }
}
