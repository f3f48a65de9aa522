//! What Clew keeps: identities, policies, the inventory, tasks, results, the audit; secrets only sealed.
//!
//! A data directory has `clew.db` (SQLite), `results/` (one file per result, unless they are on S3) and `master.key`. Several processes may open
//! one at a time, but only one may serve it ([`Store::lock_for_serving`]). A PostgreSQL database can stand in the place of `clew.db`, for
//! several directories ([`Location`]).
//!
//! Not for: who may do what (`clew-iam`), when a task runs (`clew-tasks`), or how a result was made (`clew-mysql`).
//!
//! ```no_run
//! # async fn example() -> Result<(), clew_store::StoreError> {
//! use clew_store::Store;
//!
//! let store = Store::open(std::path::Path::new("clew-data")).await?;
//! for instance in store.all_instances().await? {
//!     println!("{} has {} nodes", instance.name, instance.nodes.len());
//! }
//! # Ok(())
//! # }
//! ```

mod audit;
mod clock;
mod copying;
mod data_dir;
mod database;
mod derived_keys;
mod error;
mod freshness;
mod intelligent_kills;
mod keys;
mod kill_tasks;
mod kills;
mod links;
mod location;
mod login_backoff;
mod master_key;
mod metadata;
mod notices;
mod policies;
mod postgres;
mod remembered;
mod results;
mod rotation;
mod sealing;
mod serving_lock;
mod sqlite;
mod store;
mod tasks;
mod tenants;
mod users;
mod view;
mod zones;

pub use audit::{AuditCheckpoint, AuditFault, AuditFilter, AuditProblem, AuditRecord, AuditVerification};
pub use clock::Clock;
pub use copying::CopiedTable;
pub use error::StoreError;
pub use intelligent_kills::{
    IntelligentKill, IntelligentKillFilter, IntelligentKillId, NewIntelligentKill, NotAnIntelligentKillId,
};
pub use keys::{AccessKey, IssuedFor, KeyRecord, NewTemporaryKey, NewToken, StoredToken, Temporary, TokenOrigin};
pub use kill_tasks::{KillRounds, KillTask, KillTaskState, NewKillTask};
pub use kills::{KillEnd, KillFilter, KillSource, KilledSession, NewKill};
pub use location::Location;
pub use login_backoff::{LoginBackoff, LoginCause, LoginPermit, REQUESTED_RETRY};
pub use metadata::lockouts::Reservation;
pub use notices::{Notice, Notices};
pub use policies::{Attachment, Grantee, PolicyLimits, PolicyRecord, PolicyRef, StoredGrant, StoredPolicy};
pub use postgres::PostgresUrl;
pub use remembered::Remembered;
pub use results::{PublishedResult, ResultStore, ResultWriter, S3Settings, StoredObject, StoredResult};
pub use rotation::Rotated;
pub use serving_lock::ServingLock;
pub use store::{FirstTenant, Founded, Store};
pub use tasks::{Claim, ClaimedTask, Claims, NewTask, ResultRecord, Task};
pub use tenants::{Domain, EnterpriseProject, EnterpriseProjectChange, Project, ProjectChange};
pub use users::{Group, NewUser, User, UserChange};
pub use view::View;
pub use zones::ZoneState;
