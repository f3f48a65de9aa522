//! Finds the tables and lock modes requested by a waiting session's statement.
//!
//! Clew parses a waiting session's statement only if the server does not report what the session waits for.
//! To avoid mistaking literals for names, the parser reads the statement template instead of the full statement.

use super::metadata_locks::{MetadataLockMode, MetadataLockObjectKind};
use crate::template::{StatementToken, build_statement_template, tokenize_statement};

/// Statements usually name their tables near the start.
const MAX_PARSED_STATEMENT_BYTES: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct WaitingStatement {
    tokens: Vec<StatementToken>,
    database: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum FlushedTables {
    All,
    /// Tables that the `FLUSH TABLES` statement lists, each with its schema if known.
    Named(Vec<(Option<String>, String)>),
}

impl WaitingStatement {
    pub(super) fn new(statement: &[u8], database: Option<&[u8]>) -> Self {
        let head = statement.get(..MAX_PARSED_STATEMENT_BYTES).unwrap_or(statement);
        Self {
            tokens: tokenize_statement(&build_statement_template(head), usize::MAX).0,
            database: database.map(|name| String::from_utf8_lossy(name).into_owned()),
        }
    }

    fn starts_with_keywords(&self, keywords: &[&str]) -> bool {
        keywords
            .iter()
            .enumerate()
            .all(|(at, keyword)| self.tokens.get(at).is_some_and(|token| token.is_keyword(keyword)))
    }

    fn contains_keyword(&self, keyword: &str) -> bool {
        self.tokens.iter().any(|token| token.is_keyword(keyword))
    }

    fn is_drop_schema_statement(&self) -> bool {
        self.starts_with_keywords(&["DROP", "DATABASE"]) || self.starts_with_keywords(&["DROP", "SCHEMA"])
    }

    /// Compares names case-insensitively, because table names are case-insensitive on some MySQL servers.
    pub(super) fn mentions_database_object(&self, schema: Option<&str>, name: &str) -> bool {
        match schema {
            Some(schema) if self.is_drop_schema_statement() => self.contains_qualified_name(None, schema),
            _ => self.contains_qualified_name(schema, name),
        }
    }

    fn contains_qualified_name(&self, schema: Option<&str>, name: &str) -> bool {
        let is_equal = |left: &str, right: &str| left.eq_ignore_ascii_case(right);
        self.iter_qualified_names().any(|(qualifier, found)| {
            is_equal(found, name)
                && match (schema, qualifier.or(self.database.as_deref())) {
                    (Some(schema), Some(qualifier)) => is_equal(schema, qualifier),
                    _ => true,
                }
        })
    }

    /// Iterates over qualified names, except names next to `@`, such as `@@orders` and `orders@localhost`.
    fn iter_qualified_names(&self) -> impl Iterator<Item = (Option<&str>, &str)> {
        let is_at_sign = |at: usize| self.tokens.get(at) == Some(&StatementToken::At);
        self.tokens.iter().enumerate().filter_map(move |(at, token)| {
            if is_at_sign(at + 1) || (at >= 1 && is_at_sign(at - 1)) {
                return None;
            }
            let after_dot = at >= 2 && self.tokens.get(at - 1) == Some(&StatementToken::Dot);
            let qualifier = if after_dot { self.tokens.get(at - 2).and_then(StatementToken::name) } else { None };
            Some((qualifier, token.name()?))
        })
    }

    pub(super) fn requested_lock_mode(&self, kind: &MetadataLockObjectKind) -> MetadataLockMode {
        use MetadataLockMode as Mode;
        let is_definition = ["ALTER", "CREATE", "DROP", "RENAME", "TRUNCATE", "OPTIMIZE", "REPAIR", "FLUSH"];
        let is_definition = is_definition.iter().any(|verb| self.starts_with_keywords(&[verb]));
        let is_change =
            ["INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD"].iter().any(|verb| self.starts_with_keywords(&[verb]));
        match kind {
            MetadataLockObjectKind::UserLock => Mode::SharedNoWrite,
            MetadataLockObjectKind::Backup => self.requested_backup_lock_mode(is_definition),
            MetadataLockObjectKind::Global | MetadataLockObjectKind::Commit => {
                if self.starts_with_keywords(&["FLUSH"]) { Mode::Shared } else { Mode::IntentionExclusive }
            }
            MetadataLockObjectKind::Schema
                if !self.is_drop_schema_statement()
                    && !self.contains_keyword("SCHEMA")
                    && !self.contains_keyword("DATABASE") =>
            {
                Mode::IntentionExclusive
            }
            MetadataLockObjectKind::Table if self.starts_with_keywords(&["LOCK"]) => {
                if self.contains_keyword("WRITE") {
                    Mode::SharedNoReadWrite
                } else {
                    Mode::SharedReadOnly
                }
            }
            _ if is_definition => Mode::Exclusive,
            MetadataLockObjectKind::Table if is_change || self.contains_keyword("UPDATE") => Mode::SharedWrite,
            MetadataLockObjectKind::Table => Mode::SharedRead,
            _ => Mode::Shared,
        }
    }

    fn requested_backup_lock_mode(&self, is_definition: bool) -> MetadataLockMode {
        use MetadataLockMode as Mode;
        if self.starts_with_keywords(&["FLUSH"]) {
            return Mode::BackupFtwrl2;
        }
        if self.starts_with_keywords(&["BACKUP", "STAGE"]) {
            let stage = self.tokens.get(2).and_then(StatementToken::name).unwrap_or_default().to_ascii_uppercase();
            return match stage.as_str() {
                "START" => Mode::BackupStart,
                "FLUSH" => Mode::BackupFlush,
                "BLOCK_DDL" => Mode::BackupWaitDdl,
                _ => Mode::BackupWaitCommit,
            };
        }
        match () {
            () if is_definition => Mode::BackupDdl,
            () if self.starts_with_keywords(&["COMMIT"]) || self.starts_with_keywords(&["XA"]) => Mode::BackupCommit,
            // `BackupDml` has all conflicts of `BackupTransDml`, `BackupSysDml` and `BackupCommit`.
            () => Mode::BackupDml,
        }
    }

    pub(super) fn flushed_tables(&self) -> Option<FlushedTables> {
        let mut tokens = self.tokens.iter().peekable();
        tokens.next().filter(|token| token.is_keyword("FLUSH"))?;
        while tokens
            .next_if(|token| ["NO_WRITE_TO_BINLOG", "LOCAL"].iter().any(|word| token.is_keyword(word)))
            .is_some()
        {}
        tokens.next().filter(|token| token.is_keyword("TABLES") || token.is_keyword("TABLE"))?;
        let mut named = Vec::new();
        while let Some(token) = tokens.next_if(|token| !token.is_keyword("WITH") && !token.is_keyword("FOR")) {
            let Some(name) = token.name() else { continue };
            if tokens.next_if(|token| **token == StatementToken::Dot).is_some() {
                let table = tokens.next().and_then(StatementToken::name).unwrap_or_default();
                named.push((Some(name.to_owned()), table.to_owned()));
            } else {
                named.push((self.database.clone(), name.to_owned()));
            }
        }
        Some(if named.is_empty() { FlushedTables::All } else { FlushedTables::Named(named) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(sql: &str) -> WaitingStatement {
        WaitingStatement::new(sql.as_bytes(), Some(b"shop"))
    }

    #[test]
    fn table_names_match_in_any_notation() {
        for (sql, schema, table, named) in [
            ("select * from orders", "shop", "orders", true),
            ("select * from `Orders` o", "shop", "orders", true),
            ("select * from other.orders", "shop", "orders", false),
            ("select * from shop . orders", "shop", "orders", true),
            ("select * from `sh``op`.`or ders`", "sh`op", "or ders", true),
            ("select 'orders' from items", "shop", "orders", false),
            ("select /* orders */ 1 from items", "shop", "orders", false),
            ("select @@orders from items", "shop", "orders", false),
            ("create definer = `orders`@`%` view v as select 1", "shop", "orders", false),
            ("select @orders, id from orders", "shop", "orders", true),
            ("drop database shop", "shop", "orders", true),
            ("drop database other", "shop", "orders", false),
        ] {
            assert_eq!(statement(sql).mentions_database_object(Some(schema), table), named, "{sql}");
        }
    }

    #[test]
    fn statement_verb_determines_the_lock_mode() {
        for (sql, kind, mode) in [
            ("select 1 from t", MetadataLockObjectKind::Table, MetadataLockMode::SharedRead),
            ("select 1 from t for update", MetadataLockObjectKind::Table, MetadataLockMode::SharedWrite),
            ("update t set a = 1", MetadataLockObjectKind::Table, MetadataLockMode::SharedWrite),
            ("alter table t add b int", MetadataLockObjectKind::Table, MetadataLockMode::Exclusive),
            ("lock tables t write", MetadataLockObjectKind::Table, MetadataLockMode::SharedNoReadWrite),
            ("lock tables t read", MetadataLockObjectKind::Table, MetadataLockMode::SharedReadOnly),
            ("call p()", MetadataLockObjectKind::Procedure, MetadataLockMode::Shared),
            ("drop procedure p", MetadataLockObjectKind::Procedure, MetadataLockMode::Exclusive),
            ("create table t (a int)", MetadataLockObjectKind::Schema, MetadataLockMode::IntentionExclusive),
            ("drop database shop", MetadataLockObjectKind::Schema, MetadataLockMode::Exclusive),
            ("create table t (a int)", MetadataLockObjectKind::Backup, MetadataLockMode::BackupDdl),
            ("update t set a = 1", MetadataLockObjectKind::Backup, MetadataLockMode::BackupDml),
            ("commit", MetadataLockObjectKind::Backup, MetadataLockMode::BackupCommit),
            ("flush tables with read lock", MetadataLockObjectKind::Backup, MetadataLockMode::BackupFtwrl2),
            ("backup stage flush", MetadataLockObjectKind::Backup, MetadataLockMode::BackupFlush),
            ("backup stage block_ddl", MetadataLockObjectKind::Backup, MetadataLockMode::BackupWaitDdl),
            ("do get_lock('x', 5)", MetadataLockObjectKind::UserLock, MetadataLockMode::SharedNoWrite),
        ] {
            assert_eq!(statement(sql).requested_lock_mode(&kind), mode, "{sql}");
        }
    }

    #[test]
    fn flush_statement_lists_its_tables() {
        let named = |tables: &[(&str, &str)]| {
            Some(FlushedTables::Named(
                tables.iter().map(|&(schema, table)| (Some(schema.into()), table.into())).collect(),
            ))
        };
        assert_eq!(statement("FLUSH TABLES").flushed_tables(), Some(FlushedTables::All));
        assert_eq!(statement("flush local tables with read lock").flushed_tables(), Some(FlushedTables::All));
        assert_eq!(
            statement("flush tables t, `o`.`u` for export").flushed_tables(),
            named(&[("shop", "t"), ("o", "u")])
        );
        assert_eq!(statement("flush no_write_to_binlog table t").flushed_tables(), named(&[("shop", "t")]));
        assert_eq!(statement("flush logs").flushed_tables(), None);
        assert_eq!(statement("select 1").flushed_tables(), None);
    }
}
