//! Queries of the metadata database.

mod access_keys;
pub(crate) mod audit;
mod audited_transaction;
mod audited_writes;
pub(crate) mod auth_failures;
mod bootstrap;
mod credential_revocation;
mod enterprise_projects;
pub(crate) mod group_commit;
mod groups;
mod intelligent_kills;
mod inventory;
mod kill_tasks;
mod kills;
pub(crate) mod lockouts;
mod login_backoffs;
pub(crate) mod master_key_rotation;
mod network_zones;
mod policies;
mod policy_attachments;
mod policy_limits;
mod projects;
mod row_mapping;
mod slow_session_thresholds;
mod tags;
mod tasks;
mod temporary_access_keys;
mod tokens;
mod users;

use crate::database::{Executor, Transaction, query, query_scalar};
use crate::error::StoreError;

pub(crate) use bootstrap::is_initialised;

pub(crate) async fn read_setting<'e>(
    executor: impl Into<Executor<'e>>,
    name: &str,
) -> Result<Option<Vec<u8>>, StoreError> {
    query_scalar("SELECT value FROM settings WHERE name = $1")
        .bind(name)
        .fetch_optional(executor)
        .await
        .map_err(StoreError::database_error("read a setting"))
}

async fn write_setting(transaction: &mut Transaction, name: &str, value: &[u8]) -> Result<(), StoreError> {
    query("INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
        .bind(name)
        .bind(value)
        .execute(transaction)
        .await
        .map_err(StoreError::database_error("write a setting"))?;
    Ok(())
}
