//! Reading what decides the risks of a kill: engines of the tables that a statement changes, and client program names.
//!
//! Only tables that the statements of the given sessions change are looked up, each by schema and name, at most [`MAX_TABLES`] of them.
//! Further ones stay unknown.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::client::Error;
use clew_diagnose::{EngineKind, KillRisk, TableEngines, TableRef, changed_tables, kill_risks, table_risks};
use clew_model::{Failure, NodeUrl, Session, Transaction};
use tokio::time::timeout;

use crate::connection::Connection;
use crate::limits::Limits;
use crate::server::Flavor;
use crate::{failure, programs, statements};

/// Tables whose engine is looked up for one kill.
const MAX_TABLES: usize = 1024;
/// Tables of one statement.
const TABLES_PER_STATEMENT: usize = 64;

/// Risks of ending each of these sessions; a session without risks is not in the map.
///
/// Engines and program names that the account may not read are unknown, not a failure. Fails where the node cannot be connected to.
#[allow(clippy::implicit_hasher, reason = "every caller has a map with the default hasher")]
pub async fn read_kill_risks(
    node: &NodeUrl,
    sessions: &[Session],
    transactions: &HashMap<u64, Transaction>,
    limits: &Limits,
) -> Result<HashMap<u64, Vec<KillRisk>>, Failure> {
    if sessions.is_empty() {
        return Ok(HashMap::new());
    }
    timeout(limits.node, failure::without_panic(node, read(node, sessions, transactions, limits)))
        .await
        .unwrap_or_else(|_| Err(failure::timed_out(&node.address(), "reading risks of a kill", limits.node)))
}

async fn read(
    node: &NodeUrl,
    sessions: &[Session],
    transactions: &HashMap<u64, Transaction>,
    limits: &Limits,
) -> Result<HashMap<u64, Vec<KillRisk>>, Failure> {
    let mut connection = Connection::open(node, limits).await?;
    let mut engines = Engines::default();
    engines.load(&mut connection, sessions).await?;
    let programs = program_names(&mut connection, sessions).await?;
    connection.close().await;
    let risks = |session: &Session| {
        let program = programs.get(&session.id).map(AsRef::as_ref);
        let risks = kill_risks(session, transactions.get(&session.id), program, &engines.known);
        (!risks.is_empty()).then_some((session.id, risks))
    };
    Ok(sessions.iter().filter_map(risks).collect())
}

/// Risks to tables of these sessions alone, for rules that choose victims.
///
/// Opens a connection only where a session changes a table. Fails where the node cannot be connected to.
pub async fn read_table_risks(
    node: &NodeUrl,
    sessions: &[Session],
    limits: &Limits,
) -> Result<HashMap<u64, KillRisk>, Failure> {
    let changing: Vec<Session> = sessions.iter().filter(|session| changes_tables(session)).cloned().collect();
    let risks = read_kill_risks(node, &changing, &HashMap::new(), limits).await?;
    let first = |(id, risks): (u64, Vec<KillRisk>)| Some((id, risks.into_iter().find(KillRisk::is_unsafe)?));
    Ok(risks.into_iter().filter_map(first).collect())
}

fn changes_tables(session: &Session) -> bool {
    tables_of(session).is_some()
}

fn tables_of(session: &Session) -> Option<Vec<TableRef>> {
    let statement = session.statement.as_deref()?;
    Some(changed_tables(statement, session.database.as_deref())?.tables)
}

async fn program_names(connection: &mut Connection, sessions: &[Session]) -> Result<HashMap<u64, Arc<[u8]>>, Failure> {
    let ids: Vec<u64> = sessions.iter().map(|session| session.id).collect();
    match programs::names_of(connection, &ids).await {
        Ok(names) => Ok(names),
        // Without performance_schema, or without a privilege on it, backups are recognised by their statements alone.
        Err(Error::Server(error)) if !failure::took_too_long(&error) => Ok(HashMap::new()),
        Err(error) => Err(connection.failed(&error)),
    }
}

/// Engines that were read over one connection.
#[derive(Debug, Default)]
pub(super) struct Engines {
    known: TableEngines,
    /// Engines of the server by name, in lower case.
    kinds: Option<HashMap<String, EngineKind>>,
}

impl Engines {
    /// Reads the engines of the tables that these sessions change.
    pub(super) async fn load<'s>(
        &mut self,
        connection: &mut Connection,
        sessions: impl IntoIterator<Item = &'s Session>,
    ) -> Result<(), Failure> {
        let named = sessions.into_iter().filter_map(tables_of).flatten();
        let tables: BTreeSet<TableRef> = named.filter(|table| table.schema.is_some()).collect();
        let tables: Vec<TableRef> = tables.into_iter().take(MAX_TABLES).collect();
        for tables in tables.chunks(TABLES_PER_STATEMENT) {
            self.read_listed(connection, tables).await?;
            let is_unknown = |table: &&TableRef| !self.known.contains(table);
            let unlisted: Vec<TableRef> = tables.iter().filter(is_unknown).cloned().collect();
            if !unlisted.is_empty() {
                self.read_innodb(connection, &unlisted).await?;
            }
        }
        Ok(())
    }

    /// The first risk to a table, if there is one. A table that was not read is one.
    pub(super) fn unsafe_risk(&self, session: &Session) -> Option<KillRisk> {
        table_risks(session, &self.known).into_iter().next()
    }

    /// Tables that the account is shown by the standard view.
    async fn read_listed(&mut self, connection: &mut Connection, tables: &[TableRef]) -> Result<(), Failure> {
        let names = tables.iter().filter_map(|table| Some((table.schema.as_deref()?, table.name.as_str())));
        let statement = statements::table_engines(names);
        let Some(rows) = answer::<(u64, Option<String>)>(connection, &statement).await? else { return Ok(()) };
        for (place, engine) in rows {
            let table = usize::try_from(place).ok().and_then(|place| tables.get(place));
            let (Some(table), Some(engine)) = (table, engine) else { continue };
            if let Some(kind) = self.kind_of(connection, &engine).await? {
                self.known.insert(table.clone(), engine, kind);
            }
        }
        Ok(())
    }

    /// Of tables that the account may not see, those that InnoDB lists: that takes PROCESS, not a privilege on the tables.
    async fn read_innodb(&mut self, connection: &mut Connection, tables: &[TableRef]) -> Result<(), Failure> {
        let plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let name = |table: &TableRef| {
            let schema = table.schema.as_deref().filter(|schema| plain(schema) && plain(&table.name))?;
            Some((format!("{schema}/{}", table.name), table.clone()))
        };
        let by_name: HashMap<String, TableRef> = tables.iter().filter_map(name).collect();
        if by_name.is_empty() {
            return Ok(());
        }
        let views: &[&str] = match connection.flavor {
            Flavor::MySql => &["innodb_tables", "innodb_sys_tables"],
            Flavor::MariaDb => &["innodb_sys_tables"],
        };
        for view in views {
            let is_mysql = connection.flavor == Flavor::MySql;
            let statement = statements::innodb_tables(view, is_mysql, by_name.keys().map(String::as_str));
            let Some(rows) = answer::<String>(connection, &statement).await? else { continue };
            for row in rows {
                // Partitions: shop/orders#p#p0.
                let listed = row.split('#').next().unwrap_or_default();
                if let Some(table) = by_name.get(listed) {
                    self.known.insert(table.clone(), "InnoDB".to_owned(), EngineKind::Transactional);
                }
            }
            return Ok(());
        }
        Ok(())
    }

    async fn kind_of(&mut self, connection: &mut Connection, engine: &str) -> Result<Option<EngineKind>, Failure> {
        if self.kinds.is_none() {
            let rows = answer::<(String, Option<String>)>(connection, statements::ENGINES).await?.unwrap_or_default();
            let kind = |(engine, transactions): (String, Option<String>)| {
                let kind = match transactions.as_deref() {
                    Some("YES") => EngineKind::Transactional,
                    Some("NO") => EngineKind::NonTransactional,
                    _ => return None,
                };
                Some((engine.to_ascii_lowercase(), kind))
            };
            self.kinds = Some(rows.into_iter().filter_map(kind).collect());
        }
        Ok(self.kinds.as_ref().and_then(|kinds| kinds.get(&engine.to_ascii_lowercase()).copied()))
    }
}

/// The rows; nothing where the server refused the statement or ended it by its limit.
async fn answer<T: mysql_common::prelude::FromRow + Send + 'static>(
    connection: &mut Connection,
    statement: &str,
) -> Result<Option<Vec<T>>, Failure> {
    match connection.ask(statement).await {
        Ok(rows) => Ok(Some(rows)),
        Err(Error::Server(_)) => Ok(None),
        Err(error) => Err(connection.failed(&error)),
    }
}
