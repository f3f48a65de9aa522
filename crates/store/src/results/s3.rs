//! Results as objects on S3.
//!
//! A result is named by its request, the fence of who wrote it, and 64 random bits: no name is ever used twice, not even after a
//! restored backup of the metadata. `docs/decisions/0023-results-on-s3.md` says why it is built this way.

mod clock;
mod object;
mod settings;
mod sweep;
mod trouble;
mod uploads;
mod writer;

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clew_model::RequestId;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{ClientOptions, HttpClient, HttpConnector};
use object_store::path::Path;
use object_store::{BackoffConfig, ObjectStore, ObjectStoreExt, PutMode, PutPayload, RetryConfig};
use tokio::time::timeout;
use uuid::Uuid;

use super::is_plain;
use crate::error::StoreError;
use crate::tasks::ResultRecord;
pub use object::StoredObject;
pub use settings::S3Settings;
pub(super) use writer::S3Writer;

/// For one question with all its tries.
const LIMIT: Duration = Duration::from_secs(45);
/// For a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// For an answer to begin, and for each piece of it.
const READ: Duration = Duration::from_secs(15);
/// No further try is begun after so long.
const RETRY: Duration = Duration::from_secs(10);
/// Objects that were found to be what was written. At most so many are remembered.
const REMEMBERED: usize = 4096;
/// What the names of objects begin with that are gone in a moment: checks, and looks at the clock.
const PASSING: &str = ".clew-";

/// A bucket, and where in it results are. Clones share everything.
#[derive(Clone)]
pub(super) struct S3 {
    objects: AmazonS3,
    http: HttpClient,
    settings: Arc<S3Settings>,
    /// Names and tags of objects whose hash was found right.
    verified: Arc<Mutex<HashSet<(String, String)>>>,
    /// Whether its last answer was that the clock of this machine is wrong.
    clock_is_refused: Arc<AtomicBool>,
}

impl S3 {
    /// Fails where objects cannot be written, read, listed and removed.
    pub(super) async fn connect(settings: &S3Settings) -> Result<Self, StoreError> {
        let s3 = Self::new(settings).map_err(|reason| trouble::setup(settings, &reason))?;
        s3.check().await?;
        Ok(s3)
    }

    fn new(settings: &S3Settings) -> Result<Self, Box<dyn std::error::Error>> {
        let http = HttpClient::new(settings.http_client()?);
        let (key, secret) = settings.keys();
        let objects = AmazonS3Builder::new()
            .with_endpoint(settings.endpoint())
            .with_allow_http(true)
            .with_region(settings.region())
            .with_bucket_name(settings.bucket())
            .with_access_key_id(key)
            .with_secret_access_key(secret)
            .with_retry(RetryConfig {
                backoff: BackoffConfig {
                    init_backoff: Duration::from_millis(100),
                    max_backoff: Duration::from_secs(3),
                    base: 2.0,
                },
                // The time decides: five tries of a server that refuses at once are over in a second, and none comes back in that.
                max_retries: 100,
                retry_timeout: RETRY,
            })
            .with_http_connector(Connected(http.clone()))
            .build()?;
        Ok(Self {
            objects,
            http,
            settings: Arc::new(settings.clone()),
            verified: Arc::default(),
            clock_is_refused: Arc::default(),
        })
    }

    async fn check(&self) -> Result<(), StoreError> {
        let name = passing();
        let path = self.settings.path(&name);
        self.within(
            "write",
            &name,
            self.objects.put_opts(&path, PutPayload::from_static(b"clew"), PutMode::Create.into()),
        )
        .await?;
        let read = self.within("read", &name, async { self.objects.get(&path).await?.bytes().await }).await;
        let listed = self.names().await;
        let uploads = self.uploads().await;
        self.within("remove", &name, self.objects.delete(&path)).await?;
        uploads?;
        listed?;
        if read?.as_ref() == b"clew" {
            Ok(())
        } else {
            Err(self.failed("read", &name, "other bytes came back than were written"))
        }
    }

    pub(super) fn create(&self, request_id: &RequestId, fence: i64) -> Result<S3Writer, StoreError> {
        let name = format!("{request_id}.{fence}.{:016x}.csv", Uuid::new_v4().as_u64_pair().0);
        S3Writer::create(self.clone(), name)
    }

    pub(super) async fn open(&self, result: &ResultRecord) -> Result<StoredObject, StoreError> {
        let missing = || StoreError::ResultMissing { name: result.name.clone() };
        if !is_plain(&result.name) {
            return Err(missing());
        }
        let path = self.settings.path(&result.name);
        let found = timeout(LIMIT, self.objects.head(&path)).await;
        let meta = match found {
            Ok(Err(object_store::Error::NotFound { .. })) => return Err(missing()),
            found => self.told("read", &result.name, found)?,
        };
        if meta.size != result.bytes {
            let reason = format!("it has {} bytes, {} were written", meta.size, result.bytes);
            return Err(StoreError::ResultCorrupt { name: result.name.clone(), reason });
        }
        Ok(StoredObject { s3: self.clone(), path, tag: meta.e_tag, record: result.clone() })
    }

    pub(super) async fn remove(&self, name: &str) -> Result<(), StoreError> {
        if !is_plain(name) {
            return Err(StoreError::ResultMissing { name: name.to_owned() });
        }
        match timeout(LIMIT, self.objects.delete(&self.settings.path(name))).await {
            Ok(Err(object_store::Error::NotFound { .. })) => Ok(()),
            removed => self.told("remove", name, removed),
        }
    }

    /// What comes of a question, within its limit.
    async fn within<T>(
        &self,
        doing: &'static str,
        name: &str,
        asked: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, StoreError> {
        self.told(doing, name, timeout(LIMIT, asked).await)
    }

    fn told<T>(
        &self,
        doing: &'static str,
        name: &str,
        told: Result<object_store::Result<T>, tokio::time::error::Elapsed>,
    ) -> Result<T, StoreError> {
        match told {
            Ok(Ok(told)) => {
                self.clock_is_refused.store(false, Ordering::Relaxed);
                Ok(told)
            }
            Ok(Err(error)) => {
                self.clock_is_refused.store(trouble::is_of_the_clock(&error), Ordering::Relaxed);
                Err(trouble::refused(doing, self.settings.place(name), &error))
            }
            Err(_) => Err(trouble::late(doing, self.settings.place(name))),
        }
    }

    /// Whether it takes what is written. Where it refused the clock of this machine last it is asked again.
    pub(super) async fn takes_results(&self) -> bool {
        !self.clock_is_refused.load(Ordering::Relaxed) || self.now().await.is_ok()
    }

    fn failed(&self, doing: &'static str, name: &str, reason: &str) -> StoreError {
        StoreError::S3 { doing, place: self.settings.place(name), reason: reason.to_owned(), remedy: "" }
    }

    fn remembers(&self, name: &str, tag: &str) -> bool {
        let verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        verified.contains(&(name.to_owned(), tag.to_owned()))
    }

    fn remember(&self, name: &str, tag: &str) {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= REMEMBERED {
            verified.clear();
        }
        verified.insert((name.to_owned(), tag.to_owned()));
    }

    /// The name of a result, or of what is gone in a moment, whose key this is; nothing if it is somebody else's.
    fn name<'a>(&self, key: &'a Path) -> Option<&'a str> {
        let name = key.filename()?;
        let is_ours = name.starts_with(PASSING)
            || name.split_once('.').is_some_and(|(id, rest)| {
                id.parse::<RequestId>().is_ok() && rest.split('.').next_back() == Some("csv")
            });
        (is_ours && self.settings.path(name) == *key).then_some(name)
    }
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("S3").field(&self.settings.place("")).finish()
    }
}

/// A name for what is gone in a moment.
fn passing() -> String {
    format!("{PASSING}{}", Uuid::new_v4().simple())
}

/// Hands a client out that is there already.
#[derive(Debug)]
struct Connected(HttpClient);

impl HttpConnector for Connected {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(self.0.clone())
    }
}
