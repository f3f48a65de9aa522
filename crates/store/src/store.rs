//! The store: made once, opened by every process that needs it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clew_model::{AccessKeyId, DomainId, Origin, ProjectId, UserId, Zone};
use secrecy::SecretString;

use crate::clock::Clock;
use crate::data_dir::DataDir;
use crate::database::Database;
use crate::derived_keys::DerivedKeys;
use crate::error::StoreError;
use crate::freshness::Freshness;
use crate::location::Location;
use crate::master_key::{self, MasterKey};
use crate::metadata;
use crate::metadata::audit::SeenLinks;
use crate::metadata::batches::Batches;
use crate::policies::PolicyLimits;
use crate::results::ResultStore;
use crate::sealing::Sealer;
use crate::serving_lock::{self, ServingLock};
use crate::view::Memory;

/// The first identities of a data directory. The project is named like the region.
#[derive(Debug, Clone)]
pub struct FirstTenant {
    /// Name of the region.
    pub region: String,
    /// Name of the domain.
    pub domain_name: String,
    /// Name of its administrator.
    pub user_name: String,
    /// Hash of the administrator's password, as a PHC string.
    pub password_hash: String,
    /// The administrator's access key, …
    pub access_key: AccessKeyId,
    /// … and its secret half.
    pub secret_key: SecretString,
}

/// Ids of what was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Founded {
    /// The domain.
    pub domain_id: DomainId,
    /// Its project.
    pub project_id: ProjectId,
    /// Its administrator.
    pub user_id: UserId,
}

/// What Clew keeps. Clones share everything.
#[derive(Clone)]
pub struct Store {
    pub(crate) database: Database,
    pub(crate) sealer: Sealer,
    pub(crate) keys: Arc<DerivedKeys>,
    pub(crate) batches: Batches,
    pub(crate) clock: Clock,
    pub(crate) freshness: Freshness,
    pub(crate) memory: Arc<Memory>,
    /// Newest rows of the audit that this process wrote or read.
    pub(crate) seen_links: SeenLinks,
    /// Zones of this process.
    pub(crate) zones: Arc<[Zone]>,
    pub(crate) policy_limits: PolicyLimits,
    data_dir: Arc<DataDir>,
    results: ResultStore,
    region: Arc<str>,
}

/// Name of the setting that holds the region.
pub(crate) const REGION: &str = "region";

impl Store {
    /// Makes a data directory, and the first identities in it or in the database, then opens it. The first user is an administrator, and the first row of the
    /// audit says who made it.
    ///
    /// Fails with [`StoreError::AlreadyInitialised`], and changes nothing, where there are some. A crash on the way leaves what
    /// the next call starts over.
    pub async fn initialise(
        by: &Origin,
        location: impl Into<Location>,
        tenant: FirstTenant,
    ) -> Result<(Self, Founded), StoreError> {
        let location = location.into();
        let dir = DataDir::new(&location.data_dir);
        let already = || StoreError::AlreadyInitialised { place: dir.root.display().to_string() };
        if dir.is_initialised()? {
            return Err(already());
        }
        dir.restrict_new()?;
        dir.make()?;
        let _lock = serving_lock::take(&dir)?;
        if dir.is_initialised()? {
            return Err(already());
        }
        dir.remove_unfinished()?;
        let database = match &location.metadata {
            None => {
                dir.make_database()?;
                Database::create(&dir.new_database()).await?
            }
            Some(url) => {
                let database = Database::on(url).await?;
                // Before there is a new master key, which the database would have no use for.
                if metadata::is_founded(&database).await? {
                    return Err(StoreError::AlreadyInitialised { place: url.to_string() });
                }
                database
            }
        };
        let key = master_key::read_or_make(&dir.master_key())?;
        let store = Self::assemble(database, &key, &dir, tenant.region.clone());
        let founded = store.found(by, tenant).await?;
        store.database.close().await;
        if location.metadata.is_none() {
            dir.finish()?;
        }
        Ok((Self::open(location).await?, founded))
    }

    /// Opens what was initialised, and brings its database to this version's form.
    pub async fn open(location: impl Into<Location>) -> Result<Self, StoreError> {
        let location = location.into();
        let dir = DataDir::new(&location.data_dir);
        if location.metadata.is_some() || dir.is_initialised()? {
            dir.restrict()?;
        }
        let database = match &location.metadata {
            None if dir.is_initialised()? => Database::open(&dir.database()).await?,
            None => return Err(StoreError::NotInitialised { place: dir.root.display().to_string() }),
            Some(url) => {
                let database = Database::on(url).await?;
                if !metadata::is_founded(&database).await? {
                    return Err(StoreError::NotInitialised { place: url.to_string() });
                }
                database
            }
        };
        dir.make()?;
        let key = master_key::read(&dir.master_key())?;
        let region = metadata::setting(&database, REGION).await?.unwrap_or_default();
        let region = String::from_utf8(region).map_err(StoreError::damaged("region"))?;
        let store = Self::assemble(database.clone(), &key, &dir, region.clone());
        match (store.check_canary().await, master_key::next(&dir.master_key())?) {
            (Ok(()), _) => Ok(store),
            // A rotation came as far as the database, and no further on this machine.
            (Err(StoreError::WrongMasterKey), Some(next)) => {
                let store = Self::assemble(database, &next, &dir, region);
                store.check_canary().await?;
                master_key::take_next(&dir.master_key())?;
                Ok(store)
            }
            (Err(error), _) => Err(error),
        }
    }

    fn assemble(database: Database, key: &MasterKey, dir: &DataDir, region: String) -> Self {
        Self {
            freshness: Freshness::of(database.changes()),
            memory: Arc::default(),
            seen_links: SeenLinks::default(),
            zones: Arc::default(),
            policy_limits: PolicyLimits::default(),
            clock: database.clock(),
            database,
            sealer: Sealer::new(key),
            keys: Arc::new(DerivedKeys::new(key)),
            batches: Batches::default(),
            data_dir: Arc::new(dir.clone()),
            results: ResultStore::files(dir.results()),
            region: region.into(),
        }
    }

    /// The token by which the processes of this installation recognise each other's sessions on watched servers: 32 hexadecimal digits,
    /// the same in every process that has the master key.
    #[must_use]
    pub fn session_token(&self) -> String {
        hex::encode(self.keys.sessions.get(..16).unwrap_or_default())
    }

    /// The same store with another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The same store with other limits on the policies that reach a user or group.
    #[must_use]
    pub fn with_policy_limits(mut self, limits: PolicyLimits) -> Self {
        self.policy_limits = limits;
        self
    }

    /// The same store with its results elsewhere.
    #[must_use]
    pub fn with_results(mut self, results: ResultStore) -> Self {
        self.results = results;
        self
    }

    /// Closes the database, and waits until its files are closed. Clones that are still there can do nothing any more. A store that
    /// is only dropped closes them in the background.
    pub async fn close(self) {
        self.database.close().await;
    }

    /// Makes this process the one that serves the data directory, as long as the lock is held. Any number of processes may share one
    /// that has nothing but the master key: their metadata are in PostgreSQL, and their results on S3.
    pub fn lock_for_serving(&self) -> Result<ServingLock, StoreError> {
        if self.database.is_shared() && self.results.is_shared() {
            return Ok(ServingLock::UNNEEDED);
        }
        let lock = serving_lock::take(&self.data_dir)?;
        self.data_dir.restrict_results()?;
        Ok(lock)
    }

    /// Whether the database answers, and the master key is still its own.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.check_key().await
    }

    /// Name of the region.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The data directory.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir.root
    }

    pub(crate) fn directory(&self) -> &DataDir {
        &self.data_dir
    }

    pub(crate) fn database_file(&self) -> PathBuf {
        self.data_dir.database()
    }

    /// The stored results.
    #[must_use]
    pub fn results(&self) -> &ResultStore {
        &self.results
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("data_dir", &self.data_dir.root).finish_non_exhaustive()
    }
}
