//! Reads the data for assessing kill risks: storage engines of modified tables and program names of clients.
//!
//! Clew looks up the storage engines of at most [`MAX_TABLE_ENGINE_LOOKUPS`] tables.
//! Clew treats the storage engines of all further modified tables as unknown.

use std::collections::{BTreeSet, HashMap};

use clew_diagnose::{
    KillRisk, StorageEngineKind, TableRef, TableStorageEngines, detect_kill_risks, detect_risks_to_changed_tables,
    parse_changed_tables,
};
use clew_model::{Failure, NodeUrl, Session, Transaction};

use crate::connection::Connection;
use crate::connector::NodeConnector;
use crate::flavor::Flavor;
use crate::{program_names, sql_statements};

const MAX_TABLE_ENGINE_LOOKUPS: usize = 1024;
const MAX_TABLES_PER_LOOKUP: usize = 64;

/// Reads the kill risks of sessions.
/// Returns the kill risks by session id. Omits sessions without a kill risk.
///
/// Treats storage engines and program names as unknown if the account cannot read them.
/// Fails if Clew cannot open a connection.
#[allow(clippy::implicit_hasher, reason = "every caller has a map with the default hasher")]
pub async fn read_kill_risks(
    node: &NodeUrl,
    sessions: &[Session],
    transactions: &HashMap<u64, Transaction>,
    connector: &NodeConnector,
) -> Result<HashMap<u64, Vec<KillRisk>>, Failure> {
    if sessions.is_empty() {
        return Ok(HashMap::new());
    }
    Connection::run(node, connector, "reading kill risks", async |connection| {
        let mut engines = StorageEngineCache::default();
        engines.load_storage_engines(connection, sessions).await?;
        // Without access to performance_schema, backups are recognized only by their statements.
        let ids: Vec<u64> = sessions.iter().map(|session| session.id).collect();
        let query = sql_statements::program_names_query(&ids);
        let programs = connection.read_rows_ignoring_server_errors(&query).await?;
        let programs = program_names::intern_program_names(programs);
        let risks = |session: &Session| {
            let program = programs.get(&session.id).map(AsRef::as_ref);
            let risks = detect_kill_risks(session, transactions.get(&session.id), program, &engines.by_table);
            (!risks.is_empty()).then_some((session.id, risks))
        };
        Ok(sessions.iter().filter_map(risks).collect())
    })
    .await
}

/// Finds sessions that are unsafe to kill, because the server may be unable to roll back their table changes.
///
/// Connects to the node only if at least one session is running a statement that modifies a table.
pub async fn find_sessions_unsafe_to_kill(
    node: &NodeUrl,
    sessions: &[Session],
    connector: &NodeConnector,
) -> Result<HashMap<u64, KillRisk>, Failure> {
    let changing: Vec<Session> =
        sessions.iter().filter(|session| find_modified_tables(session).is_some()).cloned().collect();
    let risks = read_kill_risks(node, &changing, &HashMap::new(), connector).await?;
    let first = |(id, risks): (u64, Vec<KillRisk>)| Some((id, risks.into_iter().find(KillRisk::is_unsafe)?));
    Ok(risks.into_iter().filter_map(first).collect())
}

fn find_modified_tables(session: &Session) -> Option<Vec<TableRef>> {
    let statement = session.statement.as_deref()?;
    Some(parse_changed_tables(statement, session.database.as_deref())?.tables)
}

#[derive(Debug, Default)]
pub(super) struct StorageEngineCache {
    by_table: TableStorageEngines,
    /// Maps storage engine names (in lower case) to the transaction support of the storage engine.
    kinds: Option<HashMap<String, StorageEngineKind>>,
}

impl StorageEngineCache {
    pub(super) async fn load_storage_engines<'s>(
        &mut self,
        connection: &mut Connection,
        sessions: impl IntoIterator<Item = &'s Session>,
    ) -> Result<(), Failure> {
        let named = sessions.into_iter().filter_map(find_modified_tables).flatten();
        let tables: BTreeSet<TableRef> = named.filter(|table| table.schema.is_some()).collect();
        let tables: Vec<TableRef> = tables.into_iter().take(MAX_TABLE_ENGINE_LOOKUPS).collect();
        for tables in tables.chunks(MAX_TABLES_PER_LOOKUP) {
            self.read_engines_of_visible_tables(connection, tables).await?;
            let is_unknown = |table: &&TableRef| !self.by_table.contains_key(table);
            let unlisted: Vec<TableRef> = tables.iter().filter(is_unknown).cloned().collect();
            if !unlisted.is_empty() {
                self.read_innodb_tables(connection, &unlisted).await?;
            }
        }
        Ok(())
    }

    /// Returns the first risk of a kill to the tables that a session changes. An unknown storage engine counts as a risk.
    pub(super) fn assess_risk_to_changed_tables(&self, session: &Session) -> Option<KillRisk> {
        detect_risks_to_changed_tables(session, &self.by_table).into_iter().next()
    }

    /// Reads storage engines from `information_schema.tables`, which lists only tables that the account can access.
    async fn read_engines_of_visible_tables(
        &mut self,
        connection: &mut Connection,
        tables: &[TableRef],
    ) -> Result<(), Failure> {
        let names = tables.iter().filter_map(|table| Some((table.schema.as_deref()?, table.name.as_str())));
        let statement = sql_statements::table_engines_query(names);
        let Ok(rows) = connection.try_read_rows::<(u64, Option<String>)>(&statement).await? else {
            return Ok(());
        };
        for (index, engine) in rows {
            let table = usize::try_from(index).ok().and_then(|index| tables.get(index));
            let (Some(table), Some(engine)) = (table, engine) else { continue };
            if let Some(kind) = self.find_storage_engine_kind(connection, &engine).await? {
                self.by_table.insert(table.clone(), (engine, kind));
            }
        }
        Ok(())
    }

    /// Reads InnoDB's table list, which includes tables that Clew's account cannot access.
    /// Reading InnoDB's table list requires the PROCESS privilege but no privileges on the tables.
    async fn read_innodb_tables(&mut self, connection: &mut Connection, tables: &[TableRef]) -> Result<(), Failure> {
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
            let statement = sql_statements::innodb_tables_query(view, is_mysql, by_name.keys().map(String::as_str));
            let Ok(rows) = connection.try_read_rows::<String>(&statement).await? else { continue };
            for row in rows {
                // InnoDB lists a partition as shop/orders#p#p0.
                let listed = row.split('#').next().unwrap_or_default();
                if let Some(table) = by_name.get(listed) {
                    self.by_table.insert(table.clone(), ("InnoDB".to_owned(), StorageEngineKind::Transactional));
                }
            }
            return Ok(());
        }
        Ok(())
    }

    async fn find_storage_engine_kind(
        &mut self,
        connection: &mut Connection,
        engine: &str,
    ) -> Result<Option<StorageEngineKind>, Failure> {
        if self.kinds.is_none() {
            let rows: Vec<(String, Option<String>)> =
                connection.try_read_rows(sql_statements::STORAGE_ENGINES_QUERY).await?.unwrap_or_default();
            let kind = |(engine, transactions): (String, Option<String>)| {
                let kind = match transactions.as_deref() {
                    Some("YES") => StorageEngineKind::Transactional,
                    Some("NO") => StorageEngineKind::NonTransactional,
                    _ => return None,
                };
                Some((engine.to_ascii_lowercase(), kind))
            };
            self.kinds = Some(rows.into_iter().filter_map(kind).collect());
        }
        Ok(self.kinds.as_ref().and_then(|kinds| kinds.get(&engine.to_ascii_lowercase()).copied()))
    }
}
