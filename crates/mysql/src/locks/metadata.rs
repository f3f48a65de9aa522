//! Metadata locks, of both families.

use std::collections::HashSet;

use clew_diagnose::waits::{LockStatus, MetadataKind, MetadataLock, MetadataMode, MetadataObject};
use clew_model::{Failure, Limitation, LimitationKind};

use super::prepared::Prepared;
use super::text::text;
use super::threads::Threads;
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
    plugin: bool,
    flavor: Flavor,
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

/// A metadata lock as it was read.
#[derive(Debug)]
pub(super) struct ReadLock {
    lock: MetadataLock,
    /// Thread of performance_schema; nothing where the session itself was read.
    thread: Option<u64>,
    /// Whether it ends with its transaction.
    of_transaction: bool,
}

/// Finds out what can be read, and names what cannot.
pub(super) async fn access(
    connection: &mut Connection,
    account: &str,
    limitations: &mut Vec<Limitation>,
) -> Result<Access, Failure> {
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
    let gap = readable.err().or(recorded.err());
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
    Ok(access)
}

async fn has_plugin(connection: &mut Connection) -> Result<bool, Failure> {
    match connection.ask::<mysql_async::Row>(statements::HELD_METADATA_LOCKS_PROBE).await {
        Ok(_) => Ok(true),
        Err(mysql_async::Error::Server(error)) if error.code == UNKNOWN_TABLE => Ok(false),
        Err(error) => Err(connection.failed(&error)),
    }
}

/// All locks, from wherever they can be read. Where the instrument was turned on late, the plugin knows those from before.
pub(super) async fn read(connection: &mut Connection, access: Access) -> Result<Vec<ReadLock>, Failure> {
    let mut locks = Vec::new();
    if access.metadata_locks {
        let rows: Vec<LockRow> =
            connection.ask(statements::METADATA_LOCKS).await.map_err(|error| connection.failed(&error))?;
        locks.extend(rows.into_iter().filter_map(recorded));
    }
    if access.plugin {
        let rows: Vec<HeldRow> =
            connection.ask(statements::HELD_METADATA_LOCKS).await.map_err(|error| connection.failed(&error))?;
        locks.extend(rows.into_iter().filter_map(held));
    }
    Ok(locks)
}

/// A row of `metadata_locks`: kind, schema, name, mode, status, thread, duration.
type LockRow = (Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>, Vec<u8>, Vec<u8>, Option<u64>, Vec<u8>);

fn recorded((kind, schema, name, mode, status, thread, duration): LockRow) -> Option<ReadLock> {
    let kind = MetadataKind::parse(&text(kind));
    Some(ReadLock {
        lock: MetadataLock {
            object: MetadataObject::new(kind, schema.map(text), name.map(text)),
            mode: MetadataMode::parse(&text(mode))?,
            status: LockStatus::parse(&text(status))?,
            session: None,
        },
        thread,
        of_transaction: duration == b"TRANSACTION",
    })
}

/// A row of `metadata_lock_info`: kind, schema, name, mode, session.
type HeldRow = (Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>, u64);

fn held((kind, schema, name, mode, session): HeldRow) -> Option<ReadLock> {
    let kind = MetadataKind::parse(&text(kind?));
    Some(ReadLock {
        lock: MetadataLock {
            object: MetadataObject::new(kind, schema.map(text), name.map(text)),
            mode: MetadataMode::parse(&text(mode?))?,
            status: LockStatus::Granted,
            session: Some(session),
        },
        thread: None,
        of_transaction: false,
    })
}

impl ReadLock {
    /// The lock with its owner. MySQL lists the locks of a prepared XA transaction under the thread that prepared it, which may
    /// have ended, or go on with other work; a lock of a thread that ended otherwise is let go by now.
    pub(super) fn owned(
        mut self,
        threads: &Threads,
        prepared: &[Prepared],
        with_transaction: &HashSet<u64>,
    ) -> Option<MetadataLock> {
        let Some(thread) = self.thread else { return Some(self.lock) };
        self.lock.session = threads.session(thread);
        let left_behind = prepared.iter().any(|prepared| prepared.may_own(thread, &self.lock.object));
        match self.lock.session {
            None => left_behind.then_some(self.lock),
            Some(session) if left_behind && self.of_transaction && !with_transaction.contains(&session) => {
                Some(MetadataLock { session: None, ..self.lock })
            }
            Some(_) => Some(self.lock),
        }
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
