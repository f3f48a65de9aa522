//! Handle to the store.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clew_model::{AccessKeyId, AuditOrigin, DomainId, NetworkZone, ProjectId, UserId};
use secrecy::SecretString;

use crate::audit::CheckpointTracker;
use crate::caches::StoreCaches;
use crate::clock::Clock;
use crate::data_dir::DataDir;
use crate::data_dir_lock::DataDirLock;
use crate::data_version_tracker::DataVersionTracker;
use crate::database::group_commit::GroupCommit;
use crate::database::{ChangeDetector, Database};
use crate::derived_keys::DerivedKeys;
use crate::error::StoreError;
use crate::master_key::MasterKey;
use crate::policy_limits::PolicyLimits;
use crate::postgres::notification_listener::StoreEventReceiver;
use crate::results::ResultStore;
use crate::sealing::Sealer;
use crate::store_location::StoreLocation;
use crate::{data_dir_lock, master_key, settings};

/// Initial domain, project and administrator of a new store. The project has the name of the region.
#[derive(Debug, Clone)]
pub struct InitialTenant {
    /// Name of the region.
    pub region: String,
    /// Name of the domain.
    pub domain_name: String,
    /// Name of the administrator.
    pub user_name: String,
    /// Password hash of the administrator, as a PHC string.
    pub password_hash: String,
    /// Id of the administrator's access key.
    pub access_key: AccessKeyId,
    /// Secret key of the administrator's access key.
    pub secret_key: SecretString,
}

/// Ids of the initial domain, project and administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitialTenantIds {
    /// Id of the domain.
    pub domain_id: DomainId,
    /// Id of the project.
    pub project_id: ProjectId,
    /// Id of the administrator.
    pub user_id: UserId,
}

/// Provides access to metadata, secrets and collection results. Clones share the database and the caches.
#[derive(Clone)]
pub struct Store {
    pub(crate) database: Database,
    pub(crate) sealer: Sealer,
    pub(crate) keys: Arc<DerivedKeys>,
    pub(crate) group_commit: GroupCommit,
    pub(crate) clock: Clock,
    pub(crate) version_tracker: DataVersionTracker,
    pub(crate) caches: Arc<StoreCaches>,
    pub(crate) checkpoint_tracker: CheckpointTracker,
    pub(crate) zones: Arc<[NetworkZone]>,
    pub(crate) policy_limits: PolicyLimits,
    data_dir: Arc<DataDir>,
    results: ResultStore,
    region: Arc<str>,
}

pub(crate) const REGION_SETTING_NAME: &str = "region";

impl Store {
    /// Initializes a store with a domain, a project and an administrator.
    /// Appends the first audit event to the audit log. `by` is the origin of the event.
    ///
    /// Fails with [`StoreError::AlreadyInitialized`] without making changes if the store is already initialized.
    /// If the process crashes during initialization, the next call repeats the initialization from the beginning.
    pub async fn initialize(
        by: &AuditOrigin,
        location: impl Into<StoreLocation>,
        tenant: InitialTenant,
    ) -> Result<(Self, InitialTenantIds), StoreError> {
        let location = location.into();
        let dir = DataDir::new(&location.data_dir);
        let already_initialized = || StoreError::AlreadyInitialized(dir.root.display().to_string());
        if dir.is_initialized()? {
            return Err(already_initialized());
        }
        dir.restrict_permissions_before_init()?;
        dir.create_directories()?;
        let _lock = data_dir_lock::acquire_data_dir_lock(&dir)?;
        if dir.is_initialized()? {
            return Err(already_initialized());
        }
        dir.remove_partial_initialization_files()?;
        let database = match &location.metadata_url {
            None => {
                dir.create_database_file()?;
                Database::create_sqlite(&dir.temporary_database_path()).await?
            }
            Some(url) => {
                let database = Database::connect_postgres(url).await?;
                // A new master key would not match an initialized database.
                if settings::is_initialized(&database).await? {
                    return Err(StoreError::AlreadyInitialized(url.to_string()));
                }
                database
            }
        };
        let key = master_key::load_or_create_master_key(&dir.master_key_path())?;
        let store = Self::from_parts(database, &key, &dir, tenant.region.clone());
        let ids = store.insert_initial_identities(by, tenant).await?;
        store.database.close().await;
        if location.metadata_url.is_none() {
            dir.persist_temporary_database_file()?;
        }
        Ok((Self::open(location).await?, ids))
    }

    /// Opens an initialized store and applies schema migrations.
    pub async fn open(location: impl Into<StoreLocation>) -> Result<Self, StoreError> {
        let location = location.into();
        let dir = DataDir::new(&location.data_dir);
        if location.metadata_url.is_some() || dir.is_initialized()? {
            dir.restrict_data_directory_permissions()?;
        }
        let database = match &location.metadata_url {
            None if dir.is_initialized()? => Database::open_sqlite(&dir.database_path()).await?,
            None => return Err(StoreError::NotInitialized(dir.root.display().to_string())),
            Some(url) => {
                let database = Database::connect_postgres(url).await?;
                if !settings::is_initialized(&database).await? {
                    return Err(StoreError::NotInitialized(url.to_string()));
                }
                database
            }
        };
        dir.create_directories()?;
        let key = master_key::read_master_key(&dir.master_key_path())?;
        let region = settings::read_setting(&database, REGION_SETTING_NAME).await?.unwrap_or_default();
        let region = String::from_utf8(region).map_err(StoreError::corrupt_value_error("region"))?;
        let store = Self::from_parts(database.clone(), &key, &dir, region.clone());
        match (store.verify_master_key().await, master_key::read_new_master_key(&dir.master_key_path())?) {
            (Ok(()), _) => Ok(store),
            // A rotation has changed the database, but not yet the key file on this machine.
            (Err(StoreError::WrongMasterKey), Some(next)) => {
                let store = Self::from_parts(database, &next, &dir, region);
                store.verify_master_key().await?;
                master_key::activate_next_master_key(&dir.master_key_path())?;
                Ok(store)
            }
            (Err(error), _) => Err(error),
        }
    }

    fn from_parts(database: Database, key: &MasterKey, dir: &DataDir, region: String) -> Self {
        Self {
            version_tracker: DataVersionTracker::spawn(ChangeDetector::new(&database)),
            caches: Arc::default(),
            checkpoint_tracker: CheckpointTracker::default(),
            zones: Arc::default(),
            policy_limits: PolicyLimits::default(),
            clock: database.clock(),
            database,
            sealer: Sealer::new(key),
            keys: Arc::new(DerivedKeys::new(key)),
            group_commit: GroupCommit::default(),
            data_dir: Arc::new(dir.clone()),
            results: ResultStore::from_directory(dir.results_dir()),
            region: region.into(),
        }
    }

    /// Returns the installation marker, which identifies sessions of this Clew installation on monitored servers.
    /// The installation marker has 32 hexadecimal digits and is derived from the master key.
    #[must_use]
    pub fn installation_marker(&self) -> String {
        hex::encode(self.keys.installation_marker.get(..16).unwrap_or_default())
    }

    /// Replaces the clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Replaces the limits on the number and total size of the policies per user or group.
    #[must_use]
    pub fn with_policy_limits(mut self, limits: PolicyLimits) -> Self {
        self.policy_limits = limits;
        self
    }

    /// Replaces the result store.
    #[must_use]
    pub fn with_result_store(mut self, results: ResultStore) -> Self {
        self.results = results;
        self
    }

    /// Sets the zones whose nodes this process can reach. Every process can reach nodes without a zone.
    #[must_use]
    pub fn with_reachable_zones(mut self, zones: Vec<NetworkZone>) -> Self {
        self.zones = zones.into();
        self
    }

    /// Returns true if this process can connect to the nodes of the network zone. Nodes without a zone are always reachable.
    #[must_use]
    pub fn is_zone_reachable(&self, zone: Option<&NetworkZone>) -> bool {
        zone.is_none_or(|zone| self.zones.contains(zone))
    }

    /// In the JSON array, an empty string represents nodes without a zone.
    pub(crate) fn reachable_zones_json(&self) -> String {
        let zones: Vec<&str> = std::iter::once("").chain(self.zones.iter().map(NetworkZone::as_str)).collect();
        serde_json::json!(zones).to_string()
    }

    /// Returns a receiver of change notifications, which connects when it is first polled, or `None` for SQLite.
    #[must_use]
    pub fn subscribe_to_events(&self) -> Option<StoreEventReceiver> {
        match &self.database {
            Database::Sqlite(_) => None,
            Database::Postgres(database) => Some(StoreEventReceiver::new(database)),
        }
    }

    /// Closes all database connections.
    /// Clones of a closed store return errors.
    /// If a store is dropped without a call to `close`, its connections are closed in the background.
    pub async fn close(self) {
        self.database.close().await;
    }

    /// Acquires the data directory lock, which prevents a second server from using the directory.
    /// The data directory lock is not required if the metadata is in PostgreSQL and the results are in S3.
    pub fn acquire_data_dir_lock(&self) -> Result<DataDirLock, StoreError> {
        if self.database.is_shared() && self.results.is_shared() {
            return Ok(DataDirLock::NOT_REQUIRED);
        }
        let lock = data_dir_lock::acquire_data_dir_lock(&self.data_dir)?;
        self.data_dir.restrict_result_file_permissions()?;
        Ok(lock)
    }

    /// Returns an error if the database does not respond, or if another process has rotated the master key.
    pub async fn check_health(&self) -> Result<(), StoreError> {
        self.ensure_master_key_is_current().await
    }

    /// Returns the name of the region.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Returns the path of the data directory.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir.root
    }

    pub(crate) fn data_dir_paths(&self) -> &DataDir {
        &self.data_dir
    }

    pub(crate) fn database_path(&self) -> PathBuf {
        self.data_dir.database_path()
    }

    /// Returns the result store.
    #[must_use]
    pub fn result_store(&self) -> &ResultStore {
        &self.results
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("data_dir", &self.data_dir.root).finish_non_exhaustive()
    }
}
