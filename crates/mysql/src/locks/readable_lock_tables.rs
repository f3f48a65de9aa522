//! Detects which lock-related system tables an account can read.

use clew_model::{Failure, Limitation};

use crate::connection::Connection;
use crate::flavor::Flavor;
use crate::sql_statements::ER_UNKNOWN_TABLE;
use crate::{doctor, limitations, privileges, sql_statements};

#[derive(Debug, Clone, Copy)]
pub(super) struct ReadableLockTables {
    pub(super) performance_schema: bool,
    /// True if the account can read `performance_schema` and the metadata lock instrument is enabled.
    pub(super) metadata_locks: bool,
    /// True if MariaDB's `metadata_lock_info` plugin is installed. The plugin lists granted metadata locks.
    pub(super) plugin: bool,
    pub(super) flavor: Flavor,
}

impl ReadableLockTables {
    /// After a metadata lock is upgraded, MariaDB's performance_schema still lists the original lock mode.
    /// MariaDB 10.11 upgrades metadata locks in `FLUSH TABLES WITH READ LOCK` and `BACKUP STAGE`.
    /// MariaDB 10.11 upgrades metadata locks when it executes `LOCK TABLES … READ` or `CREATE TABLE … SELECT`.
    pub(super) fn describe_unknown_lock_holders(self) -> Option<Limitation> {
        let hidden = self.flavor == Flavor::MariaDb && self.metadata_locks && !self.plugin;
        hidden.then(limitations::describe_unknown_metadata_lock_holders)
    }
}

/// Appends a `Limitation` for each unreadable system table that lists locks.
/// Returns which lock tables are readable, and a `Limitation` if performance_schema is unreadable.
pub(super) async fn detect_readable_lock_tables(
    connection: &mut Connection,
    account: &str,
    limitations: &mut Vec<Limitation>,
) -> Result<(ReadableLockTables, Option<Limitation>), Failure> {
    let unreadable = privileges::check_performance_schema_access(connection, account).await?;
    let gap = match &unreadable {
        None => doctor::check_metadata_lock_instrument(connection).await?,
        gap => gap.clone(),
    };
    let probe = sql_statements::GRANTED_METADATA_LOCKS_PROBE_QUERY;
    let plugin = connection.flavor == Flavor::MariaDb
        && connection.read_rows_or_error_code::<mysql_common::Row>(probe, &[ER_UNKNOWN_TABLE]).await?.is_ok();
    let capabilities = ReadableLockTables {
        performance_schema: unreadable.is_none(),
        metadata_locks: gap.is_none(),
        plugin,
        flavor: connection.flavor,
    };
    match (connection.flavor, gap) {
        (_, None) => {}
        (Flavor::MySql, Some(gap)) => {
            let row_locks = sql_statements::INFORMATION_SCHEMA_LOCK_WAITS_PROBE_QUERY;
            if !capabilities.performance_schema
                && connection
                    .read_rows_or_error_code::<mysql_common::Row>(row_locks, &[ER_UNKNOWN_TABLE])
                    .await?
                    .is_err()
            {
                limitations.push(limitations::describe_unreadable_row_locks(&gap));
            }
            limitations.push(gap);
        }
        (Flavor::MariaDb, Some(gap)) => {
            limitations.push(if plugin {
                limitations::describe_unreadable_pending_locks(gap)
            } else {
                limitations::suggest_metadata_lock_plugin(gap)
            });
        }
    }
    Ok((capabilities, unreadable))
}
