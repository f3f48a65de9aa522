//! Settings in the metadata database, such as the region.

use crate::database::{Database, StatementExecutor, Transaction, params, query, query_as};
use crate::error::StoreError;

/// Setting with an encrypted constant. Clew decrypts the constant to check that the master key is correct.
pub(crate) const MASTER_KEY_CHECK_VALUE_SETTING: &str = "canary";

pub(crate) async fn is_initialized(database: &Database) -> Result<bool, StoreError> {
    read_setting(database, MASTER_KEY_CHECK_VALUE_SETTING).await.map(|canary| canary.is_some())
}

pub(crate) async fn read_setting<'e>(
    executor: impl Into<StatementExecutor<'e>>,
    name: &str,
) -> Result<Option<Vec<u8>>, StoreError> {
    let parameters = params![name];
    query_as("read a setting", "SELECT value FROM settings WHERE name = $1", parameters).fetch_optional(executor).await
}

pub(crate) async fn write_setting(transaction: &mut Transaction, name: &str, value: &[u8]) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    query("write a setting", sql, params![name, value]).execute(transaction).await?;
    Ok(())
}
