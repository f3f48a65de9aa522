//! Parses the leading keywords and table lists of a statement to find the tables that the statement modifies.
//!
//! The parser is necessary because servers do not report which tables a running statement uses.
//! Killing one of the following statements can leave a non-transactional table corrupted or partially modified:
//! - Statements that modify rows: `INSERT`, `REPLACE`, `UPDATE`, `DELETE`, `LOAD`.
//! - DDL statements: `ALTER`, `TRUNCATE TABLE`, `CREATE INDEX`, `DROP INDEX`.
//! - Maintenance statements: `REPAIR`, `OPTIMIZE`, `ANALYZE`.
//!
//! The parser does not detect changes made by triggers, foreign keys, or stored functions called in a `SELECT`.

use crate::template::{StatementToken, tokenize_statement};

const MAX_PARSED_STATEMENT_BYTES: usize = 64 << 10;
const MAX_PARSED_TOKENS: usize = 4096;
const MAX_REPORTED_TABLES: usize = 32;

/// Effect of a statement on its tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TableChangeKind {
    /// DDL or table maintenance statement, such as `ALTER`, `REPAIR`, `OPTIMIZE` or `ANALYZE`.
    Definition,
    /// Modification of rows.
    Rows,
}

/// Reference to a table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableRef {
    /// Schema, or `None` if the table name is unqualified and the session has no default database.
    pub schema: Option<String>,
    /// Table name.
    pub name: String,
}

/// Tables that a statement modifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedTables {
    /// Leading keywords of the statement, such as `REPAIR TABLE`.
    pub statement: &'static str,
    /// Effect of the statement on the tables.
    pub effect: TableChangeKind,
    /// Tables that the statement modifies or joins, without duplicates, in the order of their first occurrence.
    pub tables: Vec<TableRef>,
    /// True if the parser found all modified tables.
    pub is_complete: bool,
}

/// Parses a statement and returns the tables that the statement modifies.
///
/// `database` is the default database of the session.
/// Returns `None` for all statements that a kill cannot leave half done, such as `SELECT` and `CREATE TABLE`.
#[must_use]
pub fn parse_changed_tables(statement: &[u8], database: Option<&[u8]>) -> Option<ChangedTables> {
    let head = statement.get(..MAX_PARSED_STATEMENT_BYTES).unwrap_or(statement);
    let (tokens, reached_end) = tokenize_statement(head, MAX_PARSED_TOKENS);
    let mut parser = ChangedTablesParser {
        tokens: &tokens,
        position: 0,
        // A truncated statement may name more tables.
        reached_end: reached_end && head.len() == statement.len(),
        database: database.and_then(|name| String::from_utf8(name.to_vec()).ok()),
        tables: Vec::new(),
        is_complete: true,
    };
    let (statement, effect) = parser.parse_statement()?;
    let is_complete = parser.is_complete && !parser.tables.is_empty();
    Some(ChangedTables { statement, effect, tables: parser.tables, is_complete })
}

struct ChangedTablesParser<'t> {
    tokens: &'t [StatementToken],
    position: usize,
    reached_end: bool,
    database: Option<String>,
    tables: Vec<TableRef>,
    is_complete: bool,
}

impl<'t> ChangedTablesParser<'t> {
    fn peek_token(&self) -> Option<&'t StatementToken> {
        self.tokens.get(self.position)
    }

    fn next_token_matches_keyword(&self, keyword: &str) -> bool {
        self.peek_token().is_some_and(|token| token.is_keyword(keyword))
    }

    fn next_token_matches_any_keyword(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.next_token_matches_keyword(keyword))
    }

    fn consume_any_keyword(&mut self, keywords: &[&str]) -> bool {
        let accepted = self.next_token_matches_any_keyword(keywords);
        self.position += usize::from(accepted);
        accepted
    }

    fn skip_keywords(&mut self, keywords: &[&str]) {
        while self.consume_any_keyword(keywords) {}
    }

    fn skip_past_keyword(&mut self, keywords: &[&str]) -> bool {
        while let Some(token) = self.peek_token() {
            if self.consume_any_keyword(keywords) {
                return true;
            }
            match token {
                StatementToken::Open => self.skip_parentheses(),
                StatementToken::Semicolon => return false,
                _ => self.position += 1,
            }
        }
        false
    }

    fn skip_parentheses(&mut self) {
        let mut depth = 0_usize;
        while let Some(token) = self.peek_token() {
            match token {
                StatementToken::Open => depth += 1,
                StatementToken::Close => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.position += 1;
            if depth == 0 {
                return;
            }
        }
    }

    fn parse_statement(&mut self) -> Option<(&'static str, TableChangeKind)> {
        use TableChangeKind::{Definition, Rows};
        // MariaDB supports `SET STATEMENT variable = value FOR statement`.
        if self.next_token_matches_keyword("SET") {
            self.position += 1;
            if !self.consume_any_keyword(&["STATEMENT"]) || !self.skip_past_keyword(&["FOR"]) {
                return None;
            }
        }
        // MariaDB's `ANALYZE [FORMAT = JSON] statement` executes the statement.
        if self.next_token_matches_keyword("ANALYZE") {
            self.position += 1;
            self.skip_keywords(&["NO_WRITE_TO_BINLOG", "LOCAL"]);
            if self.consume_any_keyword(&["TABLE", "TABLES"]) {
                self.parse_table_list();
                return Some(("ANALYZE TABLE", Definition));
            }
            if self.consume_any_keyword(&["FORMAT"]) {
                self.position += 2;
            }
        }
        if self.next_token_matches_keyword("WITH")
            && !self.skip_to_keyword(&["UPDATE", "DELETE", "SELECT", "INSERT", "REPLACE"])
        {
            return None;
        }
        let verb = ["ALTER", "REPAIR", "OPTIMIZE", "TRUNCATE", "CREATE", "DROP", "LOAD", "INSERT", "REPLACE", "UPDATE"]
            .into_iter()
            .chain(["DELETE", "CALL"])
            .find(|verb| self.next_token_matches_keyword(verb))?;
        self.position += 1;
        let index_options: &[&str] = &["OR", "REPLACE", "ONLINE", "OFFLINE", "UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR"];
        let insert_options: &[&str] = &["LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", "INTO"];
        let (skipped, required, statement, effect): (&[&str], &[&str], _, _) = match verb {
            "ALTER" => (&["ONLINE", "OFFLINE", "IGNORE"], &["TABLE"], "ALTER TABLE", Definition),
            "REPAIR" => (&["NO_WRITE_TO_BINLOG", "LOCAL"], &["TABLE", "TABLES"], "REPAIR TABLE", Definition),
            "OPTIMIZE" => (&["NO_WRITE_TO_BINLOG", "LOCAL"], &["TABLE", "TABLES"], "OPTIMIZE TABLE", Definition),
            "TRUNCATE" => (&["TABLE"], &[], "TRUNCATE TABLE", Definition),
            "CREATE" => (index_options, &["INDEX"], "CREATE INDEX", Definition),
            "DROP" => (index_options, &["INDEX"], "DROP INDEX", Definition),
            "LOAD" => (&[], &["DATA", "XML"], "LOAD DATA", Rows),
            "INSERT" | "REPLACE" => (insert_options, &[], verb, Rows),
            "UPDATE" => (&["LOW_PRIORITY", "IGNORE"], &[], verb, Rows),
            "DELETE" => (&["LOW_PRIORITY", "QUICK", "IGNORE"], &[], verb, Rows),
            _ => (&[], &[], verb, Rows),
        };
        self.skip_keywords(skipped);
        if !required.is_empty() && !self.consume_any_keyword(required) {
            return None;
        }
        match verb {
            "ALTER" => {
                self.skip_keywords(&["IF", "EXISTS"]);
                self.parse_table_name();
            }
            "TRUNCATE" | "INSERT" | "REPLACE" => self.parse_table_name(),
            "REPAIR" | "OPTIMIZE" => self.parse_table_list(),
            "CREATE" | "DROP" => self.parse_table_name_after_keyword("ON"),
            "LOAD" => self.parse_table_name_after_keyword("TABLE"),
            "UPDATE" => self.parse_table_references(&["SET"]),
            "DELETE" => self.parse_delete_statement_tables(),
            // While a procedure runs, the process list shows its inner statement.
            // The process list shows `CALL` only between inner statements.
            _ => self.is_complete = false,
        }
        Some((statement, effect))
    }

    fn skip_to_keyword(&mut self, keywords: &[&str]) -> bool {
        let found = self.skip_past_keyword(keywords);
        self.position -= usize::from(found);
        found
    }

    /// Reads only the tables after `FROM` or `USING`, because a table list before these keywords can contain aliases.
    fn parse_delete_statement_tables(&mut self) {
        let start = self.position;
        if !self.skip_past_keyword(&["FROM"]) {
            self.is_complete = false;
            return;
        }
        if self.position == start + 1 && self.skip_past_keyword(&["USING"]) {
            return self.parse_table_references(&["WHERE"]);
        }
        if self.position > start {
            self.position = start;
            self.skip_past_keyword(&["FROM"]);
        }
        self.parse_table_references(&["WHERE", "ORDER", "LIMIT", "RETURNING"]);
    }

    /// Includes joined tables that the statement does not modify.
    fn parse_table_references(&mut self, ends: &[&str]) {
        let may_end_statement = !ends.contains(&"SET");
        let mut expects_table = true;
        while let Some(token) = self.peek_token() {
            if self.next_token_matches_any_keyword(ends) {
                return;
            }
            match token {
                StatementToken::Semicolon => break,
                StatementToken::Open if expects_table => {
                    self.position += 1;
                    if self.next_token_matches_any_keyword(&["SELECT", "WITH", "VALUES", "TABLE"]) {
                        self.position -= 1;
                        self.skip_parentheses();
                        expects_table = false;
                    }
                }
                StatementToken::Open => self.skip_parentheses(),
                StatementToken::Comma => {
                    self.position += 1;
                    expects_table = true;
                }
                token if token.is_keyword("JOIN") || token.is_keyword("STRAIGHT_JOIN") => {
                    self.position += 1;
                    expects_table = true;
                }
                token if expects_table && token.is_keyword("LATERAL") => self.position += 1,
                _ if expects_table => {
                    expects_table = false;
                    self.parse_table_name();
                }
                _ => self.position += 1,
            }
        }
        self.is_complete &= may_end_statement && self.reached_end;
    }

    fn parse_table_list(&mut self) {
        loop {
            self.parse_table_name();
            if self.peek_token() != Some(&StatementToken::Comma) {
                break;
            }
            self.position += 1;
        }
        self.is_complete &= self.reached_end;
    }

    fn parse_table_name_after_keyword(&mut self, keyword: &str) {
        if self.skip_past_keyword(&[keyword]) {
            self.parse_table_name();
        } else {
            self.is_complete = false;
        }
    }

    fn parse_table_name(&mut self) {
        let Some(first) = self.parse_identifier() else {
            self.is_complete = false;
            self.position += 1;
            return;
        };
        let (schema, name) = if self.peek_token() == Some(&StatementToken::Dot) {
            self.position += 1;
            let Some(second) = self.parse_identifier() else {
                // In the table list of a `DELETE`, a table can be written as `t.*`.
                self.is_complete = false;
                return;
            };
            (Some(first), second)
        } else {
            (self.database.clone(), first)
        };
        let table = TableRef { schema, name };
        if self.tables.contains(&table) {
            return;
        }
        if self.tables.len() >= MAX_REPORTED_TABLES {
            self.is_complete = false;
            return;
        }
        self.tables.push(table);
    }

    fn parse_identifier(&mut self) -> Option<String> {
        let name = self.peek_token()?.name()?.to_owned();
        self.position += 1;
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format_changed_tables(statement: &str) -> String {
        let Some(changed) = parse_changed_tables(statement.as_bytes(), Some(b"db")) else { return "none".to_owned() };
        let names =
            changed.tables.iter().map(|table| format!("{}.{}", table.schema.as_deref().unwrap_or("?"), table.name));
        let names = names.chain((!changed.is_complete).then(|| "…".to_owned()));
        format!("{}: {}", changed.statement, names.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn tables_of_definition_and_maintenance_statements_are_read() {
        for (statement, expected) in [
            ("REPAIR TABLE t", "REPAIR TABLE: db.t"),
            ("repair no_write_to_binlog tables a.b, `c d`, e extended;", "REPAIR TABLE: a.b db.c d db.e"),
            ("OPTIMIZE LOCAL TABLE `we``ird`", "OPTIMIZE TABLE: db.we`ird"),
            ("ANALYZE TABLE s.t PERSISTENT FOR ALL", "ANALYZE TABLE: s.t"),
            ("ALTER TABLE t ADD COLUMN c INT", "ALTER TABLE: db.t"),
            ("ALTER ONLINE IGNORE TABLE IF EXISTS s . t ENGINE = Aria", "ALTER TABLE: s.t"),
            ("/*!40000 ALTER TABLE `t` DISABLE KEYS */", "ALTER TABLE: db.t"),
            ("ALTER /* t1 */ TABLE -- t2\n t3", "ALTER TABLE: db.t3"),
            ("TRUNCATE t", "TRUNCATE TABLE: db.t"),
            ("CREATE UNIQUE INDEX i USING BTREE ON t (a)", "CREATE INDEX: db.t"),
            ("DROP INDEX IF EXISTS i ON s.t", "DROP INDEX: s.t"),
            ("REPAIR TABLE \"t\"", "REPAIR TABLE: …"),
            ("REPAIR TABLE t, \"u\"", "REPAIR TABLE: db.t …"),
            ("ALTER USER app@localhost ACCOUNT LOCK", "none"),
            ("CREATE TABLE t (a INT)", "none"),
            ("CHECK TABLE t", "none"),
        ] {
            assert_eq!(format_changed_tables(statement), expected, "{statement}");
        }
    }

    #[test]
    fn tables_of_data_changes_are_read() {
        for (statement, expected) in [
            ("INSERT INTO t VALUES (1), (2)", "INSERT: db.t"),
            ("INSERT LOW_PRIORITY IGNORE s.t (a) SELECT a FROM u", "INSERT: s.t"),
            ("REPLACE t SET a = 1", "REPLACE: db.t"),
            ("UPDATE t SET a = 1 WHERE b = 'x'", "UPDATE: db.t"),
            (
                "UPDATE t1 AS a JOIN s.t2 b ON a.id = b.id, (t3 CROSS JOIN t4) SET a.x = 1",
                "UPDATE: db.t1 s.t2 db.t3 db.t4",
            ),
            ("UPDATE t JOIN (SELECT id FROM u) d USING (id) SET t.a = 1", "UPDATE: db.t"),
            ("UPDATE t PARTITION (p0, p1) SET a = 1", "UPDATE: db.t"),
            ("UPDATE t USE INDEX (a, b), u SET a = 1", "UPDATE: db.t db.u"),
            ("UPDATE t", "UPDATE: db.t …"),
            ("DELETE FROM t WHERE a = 1", "DELETE: db.t"),
            ("DELETE FROM t", "DELETE: db.t"),
            ("DELETE QUICK FROM t ORDER BY a LIMIT 1", "DELETE: db.t"),
            ("DELETE a, b.* FROM t1 a JOIN t2 b ON a.id = b.id WHERE a.x = 1", "DELETE: db.t1 db.t2"),
            ("DELETE FROM a USING t1 a JOIN t2 WHERE 1", "DELETE: db.t1 db.t2"),
            ("DELETE FROM t WHERE a IN (SELECT b FROM u)", "DELETE: db.t"),
            ("WITH c AS (SELECT 1 FROM d) UPDATE t, c SET t.a = 1", "UPDATE: db.t db.c"),
            ("WITH c AS (SELECT 1) SELECT * FROM c", "none"),
            ("LOAD DATA LOCAL INFILE '/tmp/x' REPLACE INTO TABLE s.t FIELDS TERMINATED BY ','", "LOAD DATA: s.t"),
            ("SET STATEMENT max_statement_time = 5 FOR UPDATE t SET a = 1", "UPDATE: db.t"),
            ("ANALYZE FORMAT = JSON DELETE FROM t", "DELETE: db.t"),
            ("CALL p()", "CALL: …"),
            ("SELECT * FROM t FOR UPDATE", "none"),
            ("SET a = 1", "none"),
            ("INSERT", "INSERT: …"),
            ("", "none"),
        ] {
            assert_eq!(format_changed_tables(statement), expected, "{statement}");
        }
    }

    #[test]
    fn table_without_schema_is_reported_without_schema() {
        let changed = parse_changed_tables(b"INSERT INTO t VALUES (1)", None).unwrap();
        assert_eq!(changed.tables, [TableRef { schema: None, name: "t".into() }]);
    }

    #[test]
    fn long_lists_and_truncated_statements_are_incomplete() {
        let names = (0..40).map(|at| format!("t{at}")).collect::<Vec<_>>().join(", ");
        let changed = parse_changed_tables(format!("OPTIMIZE TABLE {names}").as_bytes(), Some(b"db")).unwrap();
        assert_eq!((changed.tables.len(), changed.is_complete), (MAX_REPORTED_TABLES, false));
        let padding = "x".repeat(MAX_PARSED_STATEMENT_BYTES);
        let truncated = format!("OPTIMIZE TABLE a /* {padding} */, b");
        assert!(!parse_changed_tables(truncated.as_bytes(), Some(b"db")).unwrap().is_complete);
        let long = format!("INSERT INTO t VALUES ('{padding}')");
        assert!(parse_changed_tables(long.as_bytes(), Some(b"db")).unwrap().is_complete);
    }
}
