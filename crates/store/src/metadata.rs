//! The metadata: one file a subject, every statement here and below.

mod attachments;
pub(crate) mod audit;
pub(crate) mod batches;
mod change;
mod enterprise_projects;
mod failure;
mod founding;
mod groups;
mod intelligent_kills;
mod inventory;
mod keys;
mod kill_tasks;
mod kills;
pub(crate) mod lockouts;
mod login_backoffs;
mod policies;
mod policy_limits;
mod projects;
mod revocation;
pub(crate) mod rotation;
mod rows;
mod slow_thresholds;
mod tags;
mod tasks;
mod temporary_keys;
mod tokens;
mod users;
mod zones;

use crate::database::{Connection, Target, query, query_scalar};
use crate::error::StoreError;

pub(crate) use failure::migration_failed;
pub(crate) use founding::is_founded;

/// A setting, if it is set.
pub(crate) async fn setting<'e>(target: impl Into<Target<'e>>, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    query_scalar("SELECT value FROM settings WHERE name = $1")
        .bind(name)
        .fetch_optional(target)
        .await
        .map_err(StoreError::database("read a setting"))
}

/// Sets a setting.
async fn set(connection: &mut Connection, name: &str, value: &[u8]) -> Result<(), StoreError> {
    query("INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
        .bind(name)
        .bind(value)
        .execute(connection)
        .await
        .map_err(StoreError::database("keep a setting"))?;
    Ok(())
}
