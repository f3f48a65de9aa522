//! Stores results as objects on S3 (see `docs/decisions/0023-results-on-s3.md`).
//!
//! The name of an object consists of the request id, the fencing token of the writer and a random number.
//! The random number keeps object names unique even if the metadata is restored from a backup.

mod error;
mod garbage_collection;
mod incomplete_uploads;
mod object;
mod settings;
mod writer;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clew_model::RequestId;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{ClientOptions, HttpClient, HttpConnector};
use object_store::path::Path;
use object_store::{BackoffConfig, ObjectStore, ObjectStoreExt, PutMode, PutPayload, RetryConfig};
use quick_cache::sync::Cache;
use secrecy::ExposeSecret;
use tokio::time::timeout;
use uuid::Uuid;

use crate::collection_tasks::ResultMetadata;
use crate::error::StoreError;
use crate::results::is_valid_result_name;
pub use crate::results::s3::object::StoredObject;
pub use crate::results::s3::settings::S3Settings;
pub(super) use crate::results::s3::writer::S3Writer;

/// Maximum duration of a call to `object_store`, including its retries.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(45);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum time to wait for the start of a response and for each chunk of a response.
const READ_TIMEOUT: Duration = Duration::from_secs(15);
const RETRY_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_CACHED_VERIFIED_OBJECTS: usize = 4096;
/// Name prefix of temporary S3 objects, which Clew creates to check its access and to read the server's time.
const TEMPORARY_OBJECT_PREFIX: &str = ".clew-";

#[derive(Clone)]
pub(super) struct S3 {
    objects: AmazonS3,
    http: HttpClient,
    settings: Arc<S3Settings>,
    /// Names and `ETag`s of verified objects.
    verified: Arc<Cache<(String, String), ()>>,
    clock_skew_detected: Arc<AtomicBool>,
}

impl S3 {
    pub(super) async fn connect(settings: &S3Settings) -> Result<Self, StoreError> {
        let s3 = Self::new(settings).map_err(|reason| error::invalid_settings_error(settings, &reason))?;
        s3.check_bucket_access().await?;
        Ok(s3)
    }

    fn new(settings: &S3Settings) -> Result<Self, Box<dyn std::error::Error>> {
        let http = HttpClient::new(settings.build_http_client()?);
        let objects = AmazonS3Builder::new()
            .with_endpoint(&settings.endpoint)
            .with_allow_http(true)
            .with_region(&settings.region)
            .with_bucket_name(&settings.bucket)
            .with_access_key_id(&settings.access_key_id)
            .with_secret_access_key(settings.secret_access_key.expose_secret())
            .with_retry(RetryConfig {
                backoff: BackoffConfig {
                    init_backoff: Duration::from_millis(100),
                    max_backoff: Duration::from_secs(3),
                    base: 2.0,
                },
                // `retry_timeout` limits the retries. A lower number could be used up during a server restart.
                max_retries: 100,
                retry_timeout: RETRY_TIMEOUT,
            })
            .with_http_connector(PreconfiguredHttpConnector(http.clone()))
            .build()?;
        Ok(Self {
            objects,
            http,
            settings: Arc::new(settings.clone()),
            verified: Arc::new(Cache::new(MAX_CACHED_VERIFIED_OBJECTS)),
            clock_skew_detected: Arc::default(),
        })
    }

    async fn check_bucket_access(&self) -> Result<(), StoreError> {
        let name = generate_temporary_object_name();
        let path = self.settings.object_key(&name);
        self.run_with_operation_timeout(
            "write",
            &name,
            self.objects.put_opts(&path, PutPayload::from_static(b"clew"), PutMode::Create.into()),
        )
        .await?;
        let read = self
            .run_with_operation_timeout("read", &name, async { self.objects.get(&path).await?.bytes().await })
            .await;
        let listed = self.list_objects().await;
        let uploads = self.list_incomplete_uploads().await;
        self.run_with_operation_timeout("remove", &name, self.objects.delete(&path)).await?;
        uploads?;
        listed?;
        if read?.as_ref() == b"clew" {
            Ok(())
        } else {
            Err(self.object_storage_error("read", &name, "the content differs from the written data"))
        }
    }

    pub(super) fn create_writer(&self, request_id: &RequestId, fence: i64) -> Result<S3Writer, StoreError> {
        let name = format!("{request_id}.{fence}.{:016x}.csv", Uuid::new_v4().as_u64_pair().0);
        S3Writer::create(self.clone(), name)
    }

    pub(super) async fn open_object(&self, result: &ResultMetadata) -> Result<StoredObject, StoreError> {
        let missing = || StoreError::ResultMissing(result.name.clone());
        if !is_valid_result_name(&result.name) {
            return Err(missing());
        }
        let path = self.settings.object_key(&result.name);
        let found = timeout(OPERATION_TIMEOUT, self.objects.head(&path)).await;
        let meta = match found {
            Ok(Err(object_store::Error::NotFound { .. })) => return Err(missing()),
            found => self.check_object_storage_response("read", &result.name, found)?,
        };
        if meta.size != result.bytes {
            let reason = format!("it has {} bytes instead of {}", meta.size, result.bytes);
            return Err(StoreError::ResultCorrupt { name: result.name.clone(), reason });
        }
        Ok(StoredObject { s3: self.clone(), path, etag: meta.e_tag, record: result.clone() })
    }

    pub(super) async fn remove_object(&self, name: &str) -> Result<(), StoreError> {
        if !is_valid_result_name(name) {
            return Err(StoreError::ResultMissing(name.to_owned()));
        }
        match timeout(OPERATION_TIMEOUT, self.objects.delete(&self.settings.object_key(name))).await {
            Ok(Err(object_store::Error::NotFound { .. })) => Ok(()),
            removed => self.check_object_storage_response("remove", name, removed),
        }
    }

    async fn run_with_operation_timeout<T>(
        &self,
        action: &'static str,
        name: &str,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, StoreError> {
        self.check_object_storage_response(action, name, timeout(OPERATION_TIMEOUT, request).await)
    }

    fn check_object_storage_response<T>(
        &self,
        action: &'static str,
        name: &str,
        response: Result<object_store::Result<T>, tokio::time::error::Elapsed>,
    ) -> Result<T, StoreError> {
        match response {
            Ok(Ok(value)) => {
                self.clock_skew_detected.store(false, Ordering::Relaxed);
                Ok(value)
            }
            Ok(Err(error)) => {
                self.clock_skew_detected.store(error::is_clock_skew_error(&error), Ordering::Relaxed);
                Err(error::request_error(action, self.settings.object_uri(name), &error))
            }
            Err(_) => Err(error::timeout_error(action, self.settings.object_uri(name))),
        }
    }

    /// Sends a test request only if S3 rejected the last request because of clock skew.
    pub(super) async fn is_writable(&self) -> bool {
        !self.clock_skew_detected.load(Ordering::Relaxed) || self.read_server_time().await.is_ok()
    }

    fn object_storage_error(&self, action: &'static str, name: &str, reason: &str) -> StoreError {
        StoreError::S3 { action, location: self.settings.object_uri(name), reason: reason.to_owned(), remedy: "" }
    }

    /// Returns `None` if Clew did not create the object.
    fn parse_object_key<'a>(&self, key: &'a Path) -> Option<&'a str> {
        let name = key.filename()?;
        let is_ours = name.starts_with(TEMPORARY_OBJECT_PREFIX)
            || name.split_once('.').is_some_and(|(id, rest)| {
                id.parse::<RequestId>().is_ok() && rest.split('.').next_back() == Some("csv")
            });
        (is_ours && self.settings.object_key(name) == *key).then_some(name)
    }
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("S3").field(&self.settings.object_uri("")).finish()
    }
}

fn generate_temporary_object_name() -> String {
    format!("{TEMPORARY_OBJECT_PREFIX}{}", Uuid::new_v4().simple())
}

#[derive(Debug)]
struct PreconfiguredHttpConnector(HttpClient);

impl HttpConnector for PreconfiguredHttpConnector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(self.0.clone())
    }
}
