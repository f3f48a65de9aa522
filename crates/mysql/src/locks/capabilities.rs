//! Detects which lock tables of a server can be read.

use clew_model::{Failure, Limitation, LimitationKind};

use crate::connection::Connection;
use crate::flavor::Flavor;
use crate::{doctor, statements};

/// Error for a table that does not exist: the plugin is not installed.
const UNKNOWN_TABLE_ERROR: u16 = 1109;

/// Lock tables that can be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Capabilities {
    /// Tables of performance_schema.
    pub(super) performance_schema: bool,
    /// Metadata locks of performance_schema, which are recorded.
    pub(super) metadata_locks: bool,
    /// MariaDB's plugin, which lists granted metadata locks.
    pub(super) plugin: bool,
    pub(super) flavor: Flavor,
}

impl Capabilities {
    /// Returns a limitation for MariaDB without the plugin, for waits without a blocker.
    /// Its performance_schema lists a strengthened lock in its first mode.
    /// Seen on 10.11: `FLUSH TABLES WITH READ LOCK`, `BACKUP STAGE`, `LOCK TABLES … READ`, `CREATE TABLE … SELECT`.
    pub(super) fn stale_lock_modes(self) -> Option<Limitation> {
        let hidden = self.flavor == Flavor::MariaDb && self.metadata_locks && !self.plugin;
        hidden.then(|| Limitation {
            kind: LimitationKind::NoMetadataLocks,
            what: "Who holds some metadata locks cannot be told.".to_owned(),
            why: "MariaDB's performance_schema lists a lock by the mode in which it was first got, not by the stronger one that it may have now."
                .to_owned(),
            remedy: Some("INSTALL SONAME 'metadata_lock_info';".to_owned()),
        })
    }
}

/// Detects the readable lock tables, and appends limitations for the others.
/// Also returns the reason if performance_schema cannot be read.
pub(super) async fn detect(
    connection: &mut Connection,
    account: &str,
    limitations: &mut Vec<Limitation>,
) -> Result<(Capabilities, Option<Limitation>), Failure> {
    let readable = doctor::check_performance_schema(connection, account).await?;
    let recorded = match &readable {
        Ok(()) => doctor::check_metadata_lock_instrument(connection).await?,
        Err(_) => Ok(()),
    };
    let plugin = connection.flavor == Flavor::MariaDb && has_plugin(connection).await?;
    let capabilities = Capabilities {
        performance_schema: readable.is_ok(),
        metadata_locks: readable.is_ok() && recorded.is_ok(),
        plugin,
        flavor: connection.flavor,
    };
    let unreadable = readable.err();
    let gap = unreadable.clone().or(recorded.err());
    match (connection.flavor, gap) {
        (_, None) => {}
        (Flavor::MySql, Some(gap)) => {
            if !capabilities.performance_schema {
                limitations.push(no_row_locks(&gap));
            }
            limitations.push(gap);
        }
        (Flavor::MariaDb, Some(gap)) => limitations.push(if plugin { no_pending_locks(gap) } else { no_plugin(gap) }),
    }
    Ok((capabilities, unreadable))
}

async fn has_plugin(connection: &mut Connection) -> Result<bool, Failure> {
    match connection.query_all::<mysql_common::Row>(statements::HELD_METADATA_LOCKS_PROBE).await {
        Ok(_) => Ok(true),
        Err(crate::client::Error::Server(error)) if error.code == UNKNOWN_TABLE_ERROR => Ok(false),
        Err(error) => Err(connection.to_failure(&error)),
    }
}

/// MySQL lists InnoDB lock waits only in performance_schema.
fn no_row_locks(gap: &Limitation) -> Limitation {
    Limitation {
        kind: LimitationKind::NoRowLocks,
        what: "Who holds the rows that others wait for cannot be read.".to_owned(),
        why: gap.why.clone(),
        remedy: gap.remedy.clone(),
    }
}

/// The plugin lists granted locks. Pending locks are inferred from states and statements.
fn no_pending_locks(gap: Limitation) -> Limitation {
    Limitation {
        what: "Who asks for which metadata lock cannot be read; it is concluded from states and statements.".to_owned(),
        ..gap
    }
}

/// The plugin can be installed without a restart.
fn no_plugin(gap: Limitation) -> Limitation {
    Limitation {
        remedy: Some(match gap.remedy {
            Some(remedy) => format!("{remedy} -- or, for who holds them: INSTALL SONAME 'metadata_lock_info';"),
            None => "INSTALL SONAME 'metadata_lock_info';".to_owned(),
        }),
        ..gap
    }
}
