//! The store: made once, opened by every process that needs it.

use std::fmt;
use std::path::Path;

use clew_model::{AccessKeyId, DomainId, ProjectId, UserId};
use secrecy::SecretString;

use crate::clock::Clock;
use crate::data_dir::DataDir;
use crate::error::StoreError;
use crate::master_key;
use crate::results::ResultStore;
use crate::sealing::{Place, Sealer};
use crate::serving_lock::{self, ServingLock};
use crate::sqlite::Database;

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
    pub(crate) clock: Clock,
    data_dir: DataDir,
    results: ResultStore,
    region: String,
}

/// Name of the setting that holds the region.
const REGION: &str = "region";
/// Name of the setting that holds a known text, sealed: it tells whether a master key is the right one.
const CANARY: &str = "canary";
const CANARY_PLACE: Place<'static> = Place { table: "settings", column: "value", row: CANARY };

impl Store {
    /// Makes a data directory with its first identities, then opens it.
    ///
    /// Fails with [`StoreError::AlreadyInitialised`], and changes nothing, where there is one. A crash on the way leaves what
    /// the next call starts over.
    pub async fn initialise(data_dir: &Path, tenant: FirstTenant) -> Result<(Self, Founded), StoreError> {
        let dir = DataDir::new(data_dir);
        let already = || StoreError::AlreadyInitialised { dir: dir.root.clone() };
        if dir.is_initialised()? {
            return Err(already());
        }
        dir.make()?;
        let _lock = serving_lock::take(&dir)?;
        if dir.is_initialised()? {
            return Err(already());
        }
        dir.remove_unfinished()?;
        dir.make_database()?;
        let sealer = Sealer::new(&master_key::read_or_make(&dir.master_key())?);
        let database = Database::create(&dir.new_database()).await?;
        let store = Self::assemble(database, sealer, &dir, tenant.region.clone());
        let founded = store.found(tenant).await?;
        store.database.close().await;
        dir.finish()?;
        Ok((Self::open(data_dir).await?, founded))
    }

    /// Opens a data directory, and brings its database to this version's form.
    pub async fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let dir = DataDir::new(data_dir);
        if !dir.is_initialised()? {
            return Err(StoreError::NotInitialised { dir: dir.root });
        }
        dir.make()?;
        let sealer = Sealer::new(&master_key::read(&dir.master_key())?);
        let database = Database::open(&dir.database()).await?;
        let canary = database.setting(CANARY).await?.ok_or_else(|| StoreError::Damaged {
            what: "metadata",
            reason: format!("{} is empty; restore it from a backup", dir.database().display()),
        })?;
        sealer.open(CANARY_PLACE, &canary).map_err(|_| StoreError::WrongMasterKey)?;
        let region = database.setting(REGION).await?.unwrap_or_default();
        let region = String::from_utf8(region).map_err(StoreError::damaged("region"))?;
        Ok(Self::assemble(database, sealer, &dir, region))
    }

    fn assemble(database: Database, sealer: Sealer, dir: &DataDir, region: String) -> Self {
        let results = ResultStore::new(dir.results());
        Self { database, sealer, clock: Clock::default(), data_dir: dir.clone(), results, region }
    }

    async fn found(&self, tenant: FirstTenant) -> Result<Founded, StoreError> {
        let canary = self.sealer.seal(CANARY_PLACE, &SecretString::from(CANARY))?;
        self.database.set(CANARY, &canary).await?;
        self.database.set(REGION, tenant.region.as_bytes()).await?;
        let domain_id = self.add_domain(&tenant.domain_name).await?;
        let project_id = self.add_project(&domain_id, &tenant.region).await?;
        let user_id = self.add_user(&domain_id, &tenant.user_name, &tenant.password_hash).await?;
        self.add_access_key(&user_id, &tenant.access_key, &tenant.secret_key).await?;
        Ok(Founded { domain_id, project_id, user_id })
    }

    /// The same store with another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Makes this process the one that serves the data directory, as long as the lock is held.
    pub fn lock_for_serving(&self) -> Result<ServingLock, StoreError> {
        serving_lock::take(&self.data_dir)
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.database.setting(REGION).await.map(|_| ())
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
