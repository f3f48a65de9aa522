//! What a waiting session's statement asks for, where the server does not show its request: which tables it names, and how
//! much it locks. Taken from the statement's template, so that nothing inside a literal passes for a name.

use super::metadata::{MetadataKind, MetadataMode};
use crate::template::template;

/// Bytes of a statement that are looked at. The tables of one that is longer and waits stand before that.
const LOOKED_AT: usize = 64 << 10;

/// A statement, taken apart.
#[derive(Debug)]
pub(super) struct Statement {
    pieces: Vec<Piece>,
    database: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    /// A keyword or name.
    Word(String),
    /// A name in backticks, without them.
    Quoted(String),
    /// The dot between two names.
    Dot,
    /// Anything else.
    Other,
}

impl Piece {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Word(name) | Self::Quoted(name) => Some(name),
            Self::Dot | Self::Other => None,
        }
    }

    fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }
}

/// The tables that a `FLUSH TABLES` waits for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flushed {
    /// Every table.
    All,
    /// These: schema, where it is known, and name.
    Named(Vec<(Option<String>, String)>),
}

impl Statement {
    /// A statement that runs with a default database.
    pub(super) fn new(statement: &[u8], database: Option<&[u8]>) -> Self {
        let head = statement.get(..LOOKED_AT).unwrap_or(statement);
        Self {
            pieces: pieces(&String::from_utf8_lossy(&template(head))),
            database: database.map(|name| String::from_utf8_lossy(name).into_owned()),
        }
    }

    fn begins(&self, keywords: &[&str]) -> bool {
        keywords.iter().enumerate().all(|(at, keyword)| self.pieces.get(at).is_some_and(|piece| piece.is(keyword)))
    }

    fn has(&self, keyword: &str) -> bool {
        self.pieces.iter().any(|piece| piece.is(keyword))
    }

    fn drops_schema(&self) -> bool {
        self.begins(&["DROP", "DATABASE"]) || self.begins(&["DROP", "SCHEMA"])
    }

    /// Whether the statement names an object of a schema, in either way to write it. Letters of either case are the same, as
    /// servers may be set so.
    pub(super) fn names(&self, schema: Option<&str>, name: &str) -> bool {
        match schema {
            Some(schema) if self.drops_schema() => self.has_name(None, schema),
            _ => self.has_name(schema, name),
        }
    }

    fn has_name(&self, schema: Option<&str>, name: &str) -> bool {
        let same = |left: &str, right: &str| left.eq_ignore_ascii_case(right);
        self.qualified().any(|(qualifier, found)| {
            same(found, name)
                && match (schema, qualifier.or(self.database.as_deref())) {
                    (Some(schema), Some(qualifier)) => same(schema, qualifier),
                    _ => true,
                }
        })
    }

    /// Every name with what stands before its dot.
    fn qualified(&self) -> impl Iterator<Item = (Option<&str>, &str)> {
        self.pieces.iter().enumerate().filter_map(|(at, piece)| {
            let after_dot = at >= 2 && self.pieces.get(at - 1) == Some(&Piece::Dot);
            let qualifier = if after_dot { self.pieces.get(at - 2).and_then(Piece::name) } else { None };
            Some((qualifier, piece.name()?))
        })
    }

    /// The mode that the statement asks for on an object of that kind: the strongest of those that it may ask for in turn.
    pub(super) fn wanted(&self, kind: &MetadataKind) -> MetadataMode {
        use MetadataMode as Mode;
        let defines = ["ALTER", "CREATE", "DROP", "RENAME", "TRUNCATE", "OPTIMIZE", "REPAIR", "FLUSH"];
        let defines = defines.iter().any(|verb| self.begins(&[verb]));
        let changes = ["INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD"].iter().any(|verb| self.begins(&[verb]));
        match kind {
            MetadataKind::UserLock => Mode::SharedNoWrite,
            MetadataKind::Backup => self.wanted_of_backup(defines),
            MetadataKind::Global | MetadataKind::Commit => {
                if self.begins(&["FLUSH"]) {
                    Mode::Shared
                } else {
                    Mode::IntentionExclusive
                }
            }
            MetadataKind::Schema if !self.drops_schema() && !self.has("SCHEMA") && !self.has("DATABASE") => {
                Mode::IntentionExclusive
            }
            MetadataKind::Table if self.begins(&["LOCK"]) => {
                if self.has("WRITE") {
                    Mode::SharedNoReadWrite
                } else {
                    Mode::SharedReadOnly
                }
            }
            _ if defines => Mode::Exclusive,
            MetadataKind::Table if changes || self.has("UPDATE") => Mode::SharedWrite,
            MetadataKind::Table => Mode::SharedRead,
            _ => Mode::Shared,
        }
    }

    fn wanted_of_backup(&self, defines: bool) -> MetadataMode {
        use MetadataMode as Mode;
        if self.begins(&["FLUSH"]) {
            return Mode::BackupFtwrl2;
        }
        if self.begins(&["BACKUP", "STAGE"]) {
            let stage = self.pieces.get(2).and_then(Piece::name).unwrap_or_default().to_ascii_uppercase();
            return match stage.as_str() {
                "START" => Mode::BackupStart,
                "FLUSH" => Mode::BackupWaitFlush,
                "BLOCK_DDL" => Mode::BackupWaitDdl,
                _ => Mode::BackupWaitCommit,
            };
        }
        match () {
            () if defines => Mode::BackupDdl,
            () if self.begins(&["COMMIT"]) || self.begins(&["XA"]) => Mode::BackupCommit,
            // Waits for all that changes of tables with transactions, of system tables, and commits of themselves wait for.
            () => Mode::BackupDml,
        }
    }

    /// What it flushes, if it is a `FLUSH TABLES`.
    pub(super) fn flushed(&self) -> Option<Flushed> {
        let mut pieces = self.pieces.iter().peekable();
        pieces.next().filter(|piece| piece.is("FLUSH"))?;
        while pieces.next_if(|piece| ["NO_WRITE_TO_BINLOG", "LOCAL"].iter().any(|word| piece.is(word))).is_some() {}
        pieces.next().filter(|piece| piece.is("TABLES") || piece.is("TABLE"))?;
        let mut named = Vec::new();
        while let Some(piece) = pieces.next_if(|piece| !piece.is("WITH") && !piece.is("FOR")) {
            let Some(name) = piece.name() else { continue };
            if pieces.next_if(|piece| **piece == Piece::Dot).is_some() {
                let table = pieces.next().and_then(Piece::name).unwrap_or_default();
                named.push((Some(name.to_owned()), table.to_owned()));
            } else {
                named.push((self.database.clone(), name.to_owned()));
            }
        }
        Some(if named.is_empty() { Flushed::All } else { Flushed::Named(named) })
    }
}

fn pieces(template: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut chars = template.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '`' => {
                let mut name = String::new();
                while let Some(char) = chars.next() {
                    if char == '`' && chars.next_if_eq(&'`').is_none() {
                        break;
                    }
                    name.push(char);
                }
                pieces.push(Piece::Quoted(name));
            }
            '.' => pieces.push(Piece::Dot),
            ' ' => {}
            _ if is_of_word(char) => {
                let mut word = String::from(char);
                while let Some(next) = chars.next_if(|&next| is_of_word(next)) {
                    word.push(next);
                }
                pieces.push(Piece::Word(word));
            }
            _ => pieces.push(Piece::Other),
        }
    }
    pieces
}

fn is_of_word(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '_' | '$' | '@')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(sql: &str) -> Statement {
        Statement::new(sql.as_bytes(), Some(b"shop"))
    }

    #[test]
    fn tables_are_found_however_they_are_written() {
        for (sql, schema, table, named) in [
            ("select * from orders", "shop", "orders", true),
            ("select * from `Orders` o", "shop", "orders", true),
            ("select * from other.orders", "shop", "orders", false),
            ("select * from shop . orders", "shop", "orders", true),
            ("select * from `sh``op`.`or ders`", "sh`op", "or ders", true),
            ("select 'orders' from items", "shop", "orders", false),
            ("select /* orders */ 1 from items", "shop", "orders", false),
            ("drop database shop", "shop", "orders", true),
            ("drop database other", "shop", "orders", false),
        ] {
            assert_eq!(statement(sql).names(Some(schema), table), named, "{sql}");
        }
    }

    #[test]
    fn the_verb_tells_the_mode() {
        for (sql, kind, mode) in [
            ("select 1 from t", MetadataKind::Table, MetadataMode::SharedRead),
            ("select 1 from t for update", MetadataKind::Table, MetadataMode::SharedWrite),
            ("update t set a = 1", MetadataKind::Table, MetadataMode::SharedWrite),
            ("alter table t add b int", MetadataKind::Table, MetadataMode::Exclusive),
            ("lock tables t write", MetadataKind::Table, MetadataMode::SharedNoReadWrite),
            ("lock tables t read", MetadataKind::Table, MetadataMode::SharedReadOnly),
            ("call p()", MetadataKind::Procedure, MetadataMode::Shared),
            ("drop procedure p", MetadataKind::Procedure, MetadataMode::Exclusive),
            ("create table t (a int)", MetadataKind::Schema, MetadataMode::IntentionExclusive),
            ("drop database shop", MetadataKind::Schema, MetadataMode::Exclusive),
            ("create table t (a int)", MetadataKind::Backup, MetadataMode::BackupDdl),
            ("update t set a = 1", MetadataKind::Backup, MetadataMode::BackupDml),
            ("commit", MetadataKind::Backup, MetadataMode::BackupCommit),
            ("flush tables with read lock", MetadataKind::Backup, MetadataMode::BackupFtwrl2),
            ("backup stage block_ddl", MetadataKind::Backup, MetadataMode::BackupWaitDdl),
            ("do get_lock('x', 5)", MetadataKind::UserLock, MetadataMode::SharedNoWrite),
        ] {
            assert_eq!(statement(sql).wanted(&kind), mode, "{sql}");
        }
    }

    #[test]
    fn flush_names_its_tables() {
        let named = |tables: &[(&str, &str)]| {
            Some(Flushed::Named(tables.iter().map(|&(schema, table)| (Some(schema.into()), table.into())).collect()))
        };
        assert_eq!(statement("FLUSH TABLES").flushed(), Some(Flushed::All));
        assert_eq!(statement("flush local tables with read lock").flushed(), Some(Flushed::All));
        assert_eq!(statement("flush tables t, `o`.`u` for export").flushed(), named(&[("shop", "t"), ("o", "u")]));
        assert_eq!(statement("flush no_write_to_binlog table t").flushed(), named(&[("shop", "t")]));
        assert_eq!(statement("flush logs").flushed(), None);
        assert_eq!(statement("select 1").flushed(), None);
    }
}
