//! The databases of the store, and the differences between them.

/// Parameter of the tests that run on both databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    Sqlite,
    PostgreSql,
}

/// A release's database dump and the SQL statements that its processes execute.
pub(crate) struct Release {
    pub(crate) database: &'static str,
    pub(crate) statements: &'static str,
}

const SQLITE_RELEASES: [Release; 1] = [Release {
    database: include_str!("../upgrade/0.1.0-sqlite.sql"),
    statements: include_str!("../upgrade/0.1.0-sqlite-statements.sql"),
}];

const POSTGRESQL_RELEASES: [Release; 1] = [Release {
    database: include_str!("../upgrade/0.1.0-postgres.sql"),
    statements: include_str!("../upgrade/0.1.0-postgres-statements.sql"),
}];

/// Triggers of the audit log and their tables.
const AUDIT_TRIGGERS: [(&str, &str); 5] = [
    ("audit_only_grows", "audit"),
    ("audit_stays_as_it_is", "audit"),
    ("audit_is_kept", "audit"),
    ("audit_ends_stay", "audit_ends"),
    ("audit_ends_only_advance", "audit_ends"),
];

impl Database {
    /// Returns true if processes on other machines can use the database.
    pub(crate) fn is_shared(self) -> bool {
        self == Self::PostgreSql
    }

    /// Returns the error text for a foreign key violation.
    pub(crate) fn foreign_key_error(self) -> &'static str {
        match self {
            Self::Sqlite => "FOREIGN KEY",
            Self::PostgreSql => "foreign key",
        }
    }

    /// Returns an SQL expression for invalid UTF-8 text, if the database can store such text.
    pub(crate) fn invalid_text(self) -> Option<&'static str> {
        (self == Self::Sqlite).then_some("CAST(x'ff' AS TEXT)")
    }

    /// Returns the releases with fixture databases.
    pub(crate) fn releases(self) -> &'static [Release] {
        match self {
            Self::Sqlite => &SQLITE_RELEASES,
            Self::PostgreSql => &POSTGRESQL_RELEASES,
        }
    }

    /// Translates test statements from the dialect of SQLite to the dialect of the database.
    pub(crate) fn translate_sql(self, statements: &str) -> String {
        match self {
            Self::Sqlite => statements.to_owned(),
            Self::PostgreSql => translate_to_postgresql(statements),
        }
    }

    /// Returns SQL for a trigger that rejects inserts of rows that match a condition.
    pub(crate) fn reject_inserts(self, table: &str, condition: &str, message: &str) -> String {
        match self {
            Self::Sqlite => format!(
                "CREATE TRIGGER refuse BEFORE INSERT ON {table} WHEN {condition} BEGIN SELECT RAISE(ABORT, '{message}'); END"
            ),
            Self::PostgreSql => format!(
                "CREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION refuse('{message}')"
            ),
        }
    }

    /// Returns SQL for a trigger that makes the commit fail after an operation on a table.
    pub(crate) fn fail_on_commit(self, table: &str, operation: &str) -> String {
        let insert = "INSERT INTO refused VALUES ('nothing of this name');";
        let trigger = match self {
            Self::Sqlite => format!("CREATE TRIGGER refuse AFTER {operation} ON {table} BEGIN {insert} END"),
            Self::PostgreSql => format!(
                "CREATE FUNCTION fail_at_the_end() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {insert} RETURN NULL; END $$; \
                 CREATE TRIGGER refuse AFTER {operation} ON {table} FOR EACH ROW EXECUTE FUNCTION fail_at_the_end()"
            ),
        };
        format!("CREATE TABLE refused (name TEXT REFERENCES settings (name) DEFERRABLE INITIALLY DEFERRED); {trigger}")
    }

    /// Returns SQL that removes the trigger of [`Self::reject_inserts`] or [`Self::fail_on_commit`].
    pub(crate) fn allow_inserts(self, table: &str) -> String {
        match self {
            Self::Sqlite => "DROP TRIGGER refuse".to_owned(),
            Self::PostgreSql => format!("DROP TRIGGER refuse ON {table}"),
        }
    }
}

fn translate_to_postgresql(statements: &str) -> String {
    let bytes = |word: &str| {
        let (bytes, rest) = word.strip_prefix("x'")?.split_once('\'')?;
        Some(format!("'\\x{bytes}'::bytea{rest}"))
    };
    let words = statements.split_inclusive(' ').map(|word| bytes(word).unwrap_or_else(|| word.to_owned()));
    let mut translated: String = words.collect();
    for (name, table) in AUDIT_TRIGGERS {
        translated = translated.replace(&format!("DROP TRIGGER {name}"), &format!("DROP TRIGGER {name} ON {table}"));
    }
    translated.replace("zeroblob(32)", "decode(repeat('00', 32), 'hex')")
}
