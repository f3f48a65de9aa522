//! Stores users, policies, instances, tasks, results, the audit log and encrypted secrets.
//!
//! The data directory contains the SQLite database `clew.db`, the directory `results/` and the file `master.key`.
//! The results of collection tasks can be stored on S3 instead of in `results/`.
//! Several processes can open a data directory, but only one server can use it (see [`Store::acquire_data_dir_lock`]).
//! A PostgreSQL database that several servers share can replace `clew.db` (see [`StoreLocation`]).
//!
//! Related crates: `clew-iam` authorizes requests, `clew-worker` schedules tasks, and `clew-mysql` reads sessions.
//!
//! ```no_run
//! # async fn example() -> Result<(), clew_store::StoreError> {
//! use clew_store::Store;
//!
//! let store = Store::open(std::path::Path::new("clew-data")).await?;
//! for instance in store.instances().list_all_instances().await? {
//!     println!("{} has {} nodes", instance.name, instance.nodes.len());
//! }
//! # Ok(())
//! # }
//! ```

mod audit;
mod bootstrap;
mod caches;
mod clock;
mod collection_tasks;
mod data_dir;
mod data_dir_lock;
mod data_version_tracker;
mod database;
mod derived_keys;
mod error;
mod fsync;
mod identities;
mod instances;
mod intelligent_kills;
mod kill_tasks;
mod kills;
mod lockouts;
mod master_key;
mod master_key_rotation;
mod metadata_copy;
mod network_zones;
mod policies;
mod policy_limits;
mod postgres;
mod read_cache;
mod results;
mod sealing;
mod settings;
mod signed_links;
mod sqlite;
mod store;
mod store_event;
mod store_handles;
mod store_location;
mod tenants;
mod versioned_cache;

pub use audit::repeated_refusals::RepeatedRefusalCounter;
pub use audit::{
    AuditCheckpoint, AuditFilter, AuditIntegrityProblem, AuditIntegrityProblemKind, AuditRecord, AuditVerification,
};
pub use clock::Clock;
pub use collection_tasks::{
    ClaimedTask, NewSessionCollectionTask, ResultMetadata, SessionCollectionTask, TaskClaimOutcome, TaskClaimRequest,
};
pub use data_dir_lock::DataDirLock;
pub use error::StoreError;
pub use identities::access_keys::{AccessKey, AccessKeyMetadata, TemporaryAccessKeyValidity};
pub use identities::groups::Group;
pub use identities::temporary_access_keys::{IssuingCredentials, NewTemporaryAccessKey};
pub use identities::tokens::{NewToken, StoredToken, TokenOrigin};
pub use identities::users::{NewUser, User, UserChange};
pub use instances::login_backoffs::{
    LOGIN_RETRY_DELAY_FOR_USER_REQUESTS, LoginBackoff, LoginPermitDecision, LoginTrigger,
};
pub use intelligent_kills::{
    IntelligentKill, IntelligentKillFilter, IntelligentKillId, IntelligentKillRequest, ParseIntelligentKillIdError,
};
pub use kill_tasks::{InstanceKillTasks, KillTask, KillTaskState, NewKillTask};
pub use kills::{KillFilter, KillRecord, KillSource, NewKillRecord, RecordedKillOutcome};
pub use lockouts::AuthAttemptReservation;
pub use master_key_rotation::MasterKeyRotationSummary;
pub use metadata_copy::CopiedTable;
pub use network_zones::ZoneState;
pub use policies::{CustomOrBuiltInPolicy, Grantee, PolicyAttachment, PolicyGrant, PolicyRecord, PolicyRef};
pub use policy_limits::PolicyLimits;
pub use postgres::PostgresUrl;
pub use postgres::notification_listener::StoreEventReceiver;
pub use read_cache::{CachedStoreView, LockoutState};
pub use results::{PublishedResult, ResultStore, ResultWriter, S3Settings, StoredObject, StoredResult};
pub use store::{InitialTenant, InitialTenantIds, Store};
pub use store_event::StoreEvent;
pub use store_handles::{
    AuditStore, IdentityStore, InstanceStore, KillStore, KillTaskStore, LockoutStore, PolicyStore, TaskStore,
    TenantStore, ZoneStore,
};
pub use store_location::StoreLocation;
pub use tenants::enterprise_projects::{EnterpriseProject, EnterpriseProjectChange};
pub use tenants::projects::{Domain, Project, ProjectChange};
pub use versioned_cache::VersionedCache;
