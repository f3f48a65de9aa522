//! Risks of killing a session, in addition to the rollback of the session's transaction.
//!
//! Intelligent kills, and kill tasks without `include_unsafe`, skip sessions that are unsafe to kill ([`KillRisk::is_unsafe`]).
//! `docs/decisions/0046-risks-of-a-kill.md` describes how Clew detects and reports the risks of a kill.

mod changed_tables;
mod description;

use std::collections::HashMap;

use clew_model::{Session, Transaction};

pub use changed_tables::{ChangedTables, TableChangeKind, TableRef, parse_changed_tables};

/// Minimum number of modified rows at which Clew reports [`KillRisk::LongRollback`] for a transaction.
pub const MIN_MODIFIED_ROWS_FOR_LONG_ROLLBACK: u64 = 100_000;

/// Names of backup programs, as sent in the connection attribute `program_name`.
const BACKUP_PROGRAM_NAMES: [&str; 10] = [
    "mysqldump",
    "mariadb-dump",
    "mysqlpump",
    "mydumper",
    "mariabackup",
    "mariadb-backup",
    "xtrabackup",
    "innobackupex",
    "mysqlbackup",
    "mariadb-hotcopy",
];
const BACKUP_STATEMENT_PREFIXES: [&[&str]; 5] = [
    &["BACKUP", "STAGE"],
    &["BACKUP", "LOCK"],
    &["LOCK", "INSTANCE", "FOR", "BACKUP"],
    &["LOCK", "TABLES", "FOR", "BACKUP"],
    &["CLONE", "INSTANCE"],
];
/// Prefix of the `SELECT` statements that mysqldump, mariadb-dump and mydumper use to read tables.
const MYSQLDUMP_SELECT_PREFIX: &[u8] = b"SELECT /*!40001 SQL_NO_CACHE */";

/// Kind of storage engine: transactional or non-transactional.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StorageEngineKind {
    /// Storage engine with rollback support, such as InnoDB.
    Transactional,
    /// Engine without rollback support, such as MyISAM or Aria.
    NonTransactional,
}

/// Maps each table to the name and kind of its storage engine. Omits tables with an unknown storage engine.
pub type TableStorageEngines = HashMap<TableRef, (String, StorageEngineKind)>;

/// Table that a kill can damage.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableAtRisk {
    /// Schema and name of the table.
    pub table: TableRef,
    /// Storage engine of the table, or `None` if unknown.
    pub engine: Option<String>,
}

/// Risk of a session kill.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KillRisk {
    /// The session runs a DDL or maintenance statement on non-transactional tables.
    /// A kill can mark non-transactional tables as crashed (storage engine errors 144 and 145).
    TableDamage {
        /// Leading keywords of the statement.
        statement: &'static str,
        /// Non-transactional tables.
        tables: Vec<TableAtRisk>,
    },
    /// The session modifies rows in non-transactional tables. A kill can leave the changes partially applied.
    PartialChange {
        /// Leading keywords of the statement.
        statement: &'static str,
        /// Non-transactional tables.
        tables: Vec<TableAtRisk>,
    },
    /// The statement modifies tables whose storage engine is unknown.
    UnknownEngine {
        /// Leading keywords of the statement.
        statement: &'static str,
        /// Tables with an unknown engine.
        tables: Vec<TableAtRisk>,
    },
    /// The statement may modify tables that the parser could not identify.
    UnknownTables {
        /// Leading keywords of the statement.
        statement: &'static str,
    },
    /// The transaction has modified many rows, so its rollback takes a long time.
    LongRollback {
        /// Number of rows modified by the transaction.
        rows_modified: u64,
        /// Duration of the transaction, in seconds.
        seconds: u64,
    },
    /// The session sends the binary log to a replica or to a client program such as `mysqlbinlog`.
    Replication,
    /// The session belongs to a backup.
    Backup {
        /// Name of the backup program, or the beginning of the session's backup statement.
        evidence: String,
    },
}

impl KillRisk {
    /// Returns the name of the risk in JSON output, such as `table_damage` or `long_rollback`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::TableDamage { .. } => "table_damage",
            Self::PartialChange { .. } => "partial_change",
            Self::UnknownEngine { .. } => "unknown_engine",
            Self::UnknownTables { .. } => "unknown_tables",
            Self::LongRollback { .. } => "long_rollback",
            Self::Replication => "replication",
            Self::Backup { .. } => "backup",
        }
    }

    /// Returns true if a kill can damage a table or leave data changes partially applied.
    ///
    /// Clew considers a kill unsafe if the modified tables or their storage engines are unknown.
    /// Automatic kills skip sessions that are unsafe to kill, unless the kill criteria set `include_unsafe`.
    #[must_use]
    pub fn is_unsafe(&self) -> bool {
        match self {
            Self::TableDamage { .. }
            | Self::PartialChange { .. }
            | Self::UnknownEngine { .. }
            | Self::UnknownTables { .. } => true,
            Self::LongRollback { .. } | Self::Replication | Self::Backup { .. } => false,
        }
    }

    /// Returns true if the risk applies to `KILL QUERY`, which ends only the running statement of the session.
    #[must_use]
    pub fn applies_to_kill_query(&self) -> bool {
        !matches!(self, Self::LongRollback { .. })
    }
}

/// Detects the risks of a session kill.
///
/// `program` is the name of the client program, if known.
#[must_use]
pub fn detect_kill_risks(
    session: &Session,
    transaction: Option<&Transaction>,
    program: Option<&[u8]>,
    engines: &TableStorageEngines,
) -> Vec<KillRisk> {
    let mut risks = detect_risks_to_changed_tables(session, engines);
    if let Some(open) = transaction.filter(|open| open.rows_modified >= MIN_MODIFIED_ROWS_FOR_LONG_ROLLBACK) {
        risks.push(KillRisk::LongRollback { rows_modified: open.rows_modified, seconds: open.seconds });
    }
    if session.command.get(..11).is_some_and(|head| head.eq_ignore_ascii_case(b"binlog dump")) {
        risks.push(KillRisk::Replication);
    }
    if let Some(evidence) = find_backup_evidence(session, program) {
        risks.push(KillRisk::Backup { evidence });
    }
    risks
}

/// Detects the kill risks that result from the storage engines of the modified tables.
#[must_use]
pub fn detect_risks_to_changed_tables(session: &Session, engines: &TableStorageEngines) -> Vec<KillRisk> {
    let changed = session.statement.as_deref().and_then(|text| parse_changed_tables(text, session.database.as_deref()));
    let Some(changed) = changed else { return Vec::new() };
    let (mut non_transactional, mut unknown) = (Vec::new(), Vec::new());
    for table in changed.tables {
        match engines.get(&table) {
            Some((_, StorageEngineKind::Transactional)) => {}
            Some((engine, StorageEngineKind::NonTransactional)) => {
                non_transactional.push(TableAtRisk { engine: Some(engine.clone()), table });
            }
            None => unknown.push(TableAtRisk { engine: None, table }),
        }
    }
    let mut risks = Vec::new();
    let statement = changed.statement;
    if !non_transactional.is_empty() {
        let tables = non_transactional;
        risks.push(match changed.effect {
            TableChangeKind::Definition => KillRisk::TableDamage { statement, tables },
            TableChangeKind::Rows => KillRisk::PartialChange { statement, tables },
        });
    }
    if !unknown.is_empty() {
        risks.push(KillRisk::UnknownEngine { statement, tables: unknown });
    }
    if !changed.is_complete {
        risks.push(KillRisk::UnknownTables { statement });
    }
    risks
}

fn find_backup_evidence(session: &Session, program: Option<&[u8]>) -> Option<String> {
    let named = program.and_then(|program| {
        BACKUP_PROGRAM_NAMES.into_iter().find(|name| program.eq_ignore_ascii_case(name.as_bytes()))
    });
    if let Some(program) = named {
        return Some(program.to_owned());
    }
    let statement = session.statement.as_deref()?;
    let words = crate::template::collect_leading_words(statement, 8);
    let has_prefix = |start: &&&[&str]| {
        words.len() >= start.len() && start.iter().zip(&words).all(|(keyword, word)| word.eq_ignore_ascii_case(keyword))
    };
    if let Some(start) = BACKUP_STATEMENT_PREFIXES.iter().find(has_prefix) {
        return Some(start.join(" "));
    }
    if words.first().is_some_and(|word| word.eq_ignore_ascii_case("FLUSH"))
        && words.windows(3).any(|three| {
            three.iter().zip(["WITH", "READ", "LOCK"]).all(|(word, keyword)| word.eq_ignore_ascii_case(keyword))
        })
    {
        return Some("FLUSH TABLES WITH READ LOCK".to_owned());
    }
    let dump = statement
        .get(..MYSQLDUMP_SELECT_PREFIX.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(MYSQLDUMP_SELECT_PREFIX));
    dump.then(|| "SELECT /*!40001 SQL_NO_CACHE */".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(statement: &str) -> Session {
        Session {
            command: b"Query".to_vec(),
            database: Some(b"shop".to_vec()),
            statement: Some(statement.into()),
            ..Session::default()
        }
    }

    fn engines() -> TableStorageEngines {
        let mut engines = TableStorageEngines::default();
        let table = |name: &str| TableRef { schema: Some("shop".into()), name: name.into() };
        engines.insert(table("orders"), ("InnoDB".into(), StorageEngineKind::Transactional));
        engines.insert(table("log"), ("MyISAM".into(), StorageEngineKind::NonTransactional));
        engines
    }

    fn kinds(statement: &str) -> Vec<&'static str> {
        detect_kill_risks(&session(statement), None, None, &engines()).iter().map(KillRisk::kind).collect()
    }

    #[test]
    fn engine_of_the_changed_table_decides_the_risk() {
        for (statement, expected) in [
            ("REPAIR TABLE log", &["table_damage"][..]),
            ("ALTER TABLE shop.log ADD c INT", &["table_damage"]),
            ("UPDATE log SET a = 1", &["partial_change"]),
            ("UPDATE log JOIN orders USING (id) SET orders.a = 1", &["partial_change"]),
            ("UPDATE orders SET a = 1", &[]),
            ("ALTER TABLE orders ADD c INT", &[]),
            ("UPDATE unseen SET a = 1", &["unknown_engine"]),
            ("UPDATE log, unseen SET a = 1", &["partial_change", "unknown_engine"]),
            ("CALL p()", &["unknown_tables"]),
            ("SELECT * FROM log", &[]),
        ] {
            assert_eq!(kinds(statement), expected, "{statement}");
        }
    }

    #[test]
    fn sessions_of_backups_and_replication_are_detected() {
        let evidence = |statement: &str, program: Option<&str>| {
            let risks = detect_kill_risks(&session(statement), None, program.map(str::as_bytes), &engines());
            risks.into_iter().find_map(|risk| match risk {
                KillRisk::Backup { evidence } => Some(evidence),
                _ => None,
            })
        };
        for (statement, program, expected) in [
            ("", Some("mariabackup"), Some("mariabackup")),
            ("SELECT 1", Some("MysqlDump"), Some("mysqldump")),
            ("SELECT /*!40001 SQL_NO_CACHE */ * FROM `t`", None, Some("SELECT /*!40001 SQL_NO_CACHE */")),
            ("backup stage block_commit", None, Some("BACKUP STAGE")),
            ("LOCK INSTANCE FOR BACKUP", Some("xtra"), Some("LOCK INSTANCE FOR BACKUP")),
            ("FLUSH NO_WRITE_TO_BINLOG TABLES WITH READ LOCK", None, Some("FLUSH TABLES WITH READ LOCK")),
            ("FLUSH TABLES", None, None),
            ("SELECT 'mysqldump'", Some("app"), None),
        ] {
            assert_eq!(evidence(statement, program).as_deref(), expected, "{statement}");
        }
        let dump = Session { command: b"Binlog Dump GTID".to_vec(), ..Session::default() };
        assert_eq!(detect_kill_risks(&dump, None, None, &engines()), [KillRisk::Replication]);
    }

    #[test]
    fn rollback_of_many_changed_rows_is_reported_as_long() {
        let risks = |rows_modified| {
            let open = Transaction { rows_modified, seconds: 40, ..Transaction::default() };
            detect_kill_risks(&session("SELECT 1"), Some(&open), None, &engines())
        };
        assert_eq!(risks(MIN_MODIFIED_ROWS_FOR_LONG_ROLLBACK - 1), []);
        assert_eq!(
            risks(MIN_MODIFIED_ROWS_FOR_LONG_ROLLBACK),
            [KillRisk::LongRollback { rows_modified: MIN_MODIFIED_ROWS_FOR_LONG_ROLLBACK, seconds: 40 }]
        );
    }

    #[test]
    fn only_damage_to_tables_makes_a_kill_unsafe() {
        for (statement, is_unsafe) in [
            ("REPAIR TABLE log", true),
            ("DELETE FROM log", true),
            ("DELETE FROM x", true),
            ("DELETE FROM orders", false),
        ] {
            let risks = detect_kill_risks(&session(statement), None, Some(b"mysqldump"), &engines());
            assert_eq!(risks.iter().any(KillRisk::is_unsafe), is_unsafe, "{statement}");
        }
    }
}
