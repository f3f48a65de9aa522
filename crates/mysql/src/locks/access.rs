//! What of a server's tables of locks can be read, and what stays in the dark.

use clew_model::{Failure, Limitation, LimitationKind};

use crate::connection::Connection;
use crate::server::Flavor;
use crate::{doctor, statements};

/// Error for a table that is not there: the plugin is not installed.
const UNKNOWN_TABLE: u16 = 1109;

/// What of performance_schema can be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Access {
    /// Its tables.
    pub(super) performance_schema: bool,
    /// Its metadata locks: they are recorded.
    pub(super) metadata_locks: bool,
    /// MariaDB's plugin, which lists held metadata locks.
    pub(super) plugin: bool,
    pub(super) flavor: Flavor,
}

impl Access {
    /// What stays in the dark where MariaDB's locks come from performance_schema alone: a lock that was strengthened since it was
    /// got is listed by its first mode (seen on 10.11: `FLUSH TABLES WITH READ LOCK`, `BACKUP STAGE`, `LOCK TABLES … READ`,
    /// `CREATE TABLE … SELECT`). To be said where somebody waits and nobody is in the way.
    pub(super) fn first_modes(self) -> Option<Limitation> {
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

/// Finds out what can be read, and names what cannot; apart from that, why performance_schema cannot be read if it cannot.
pub(super) async fn find_out(
    connection: &mut Connection,
    account: &str,
    limitations: &mut Vec<Limitation>,
) -> Result<(Access, Option<Limitation>), Failure> {
    let readable = doctor::performance_schema(connection, account).await?;
    let recorded = match &readable {
        Ok(()) => doctor::metadata_lock_instrument(connection).await?,
        Err(_) => Ok(()),
    };
    let plugin = connection.flavor == Flavor::MariaDb && has_plugin(connection).await?;
    let access = Access {
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
            if !access.performance_schema {
                limitations.push(no_row_locks(&gap));
            }
            limitations.push(gap);
        }
        (Flavor::MariaDb, Some(gap)) => limitations.push(if plugin { no_requests(gap) } else { no_plugin(gap) }),
    }
    Ok((access, unreadable))
}

async fn has_plugin(connection: &mut Connection) -> Result<bool, Failure> {
    match connection.ask::<mysql_common::Row>(statements::HELD_METADATA_LOCKS_PROBE).await {
        Ok(_) => Ok(true),
        Err(crate::client::Error::Server(error)) if error.code == UNKNOWN_TABLE => Ok(false),
        Err(error) => Err(connection.failed(&error)),
    }
}

/// MySQL lists InnoDB's waits in performance_schema alone.
fn no_row_locks(gap: &Limitation) -> Limitation {
    Limitation {
        kind: LimitationKind::NoRowLocks,
        what: "Who holds the rows that others wait for cannot be read.".to_owned(),
        why: gap.why.clone(),
        remedy: gap.remedy.clone(),
    }
}

/// The plugin lists what is held; what is asked for is taken from states and statements.
fn no_requests(gap: Limitation) -> Limitation {
    Limitation {
        what: "Who asks for which metadata lock cannot be read; it is concluded from states and statements.".to_owned(),
        ..gap
    }
}

/// The plugin can be had without a restart.
fn no_plugin(gap: Limitation) -> Limitation {
    Limitation {
        remedy: Some(match gap.remedy {
            Some(remedy) => format!("{remedy} -- or, for who holds them: INSTALL SONAME 'metadata_lock_info';"),
            None => "INSTALL SONAME 'metadata_lock_info';".to_owned(),
        }),
        ..gap
    }
}
