//! Tables that Clew copies from SQLite to PostgreSQL.
//! Clew copies each table after the tables that its foreign keys reference.

use sqlx::AssertSqlSafe;

use crate::database::{Row, Transaction, params, query, query_as};
use crate::error::StoreError;
use crate::metadata_copy::digest::TableDigest;
use crate::metadata_copy::{COPY_ERROR_CONTEXT, CellValue, ROWS_PER_BATCH, execute_copy_statement};

pub(super) struct TableToCopy {
    pub(super) name: &'static str,
    pub(super) identity_column: Option<&'static str>,
    has_rowid: bool,
}

const fn table(name: &'static str) -> TableToCopy {
    TableToCopy { name, identity_column: None, has_rowid: true }
}

const fn table_without_rowid(name: &'static str) -> TableToCopy {
    TableToCopy { has_rowid: false, ..table(name) }
}

/// Omits the migration history, version counters, login backoffs and worker heartbeats.
pub(super) static TABLES_TO_COPY: &[TableToCopy] = &[
    table_without_rowid("settings"),
    table("domains"),
    table("projects"),
    table("users"),
    table("access_keys"),
    table("temporary_keys"),
    table_without_rowid("tokens"),
    table_without_rowid("enterprise_projects"),
    table("user_groups"),
    table_without_rowid("members"),
    table("policies"),
    table("attachments"),
    table("instances"),
    table_without_rowid("tags"),
    table("nodes"),
    table("tasks"),
    table_without_rowid("task_counts"),
    TableToCopy { identity_column: Some("id"), ..table("killed_sessions") },
    table_without_rowid("kill_switches"),
    table("kill_tasks"),
    table("intelligent_kills"),
    table_without_rowid("known_addresses"),
    table_without_rowid("failures"),
    table("audit"),
    table_without_rowid("audit_ends"),
];

#[derive(Debug, Clone, Copy)]
enum ColumnType {
    Text,
    Integer,
    Bool,
    Bytes,
}

pub(super) struct TableWithColumns {
    pub(super) table: &'static TableToCopy,
    columns: Vec<(String, ColumnType)>,
}

impl TableToCopy {
    pub(super) async fn count_rows(&self, transaction: &mut Transaction) -> Result<u64, StoreError> {
        let count = format!("SELECT COUNT(*) FROM {}", self.name);
        let count: i64 = query_as(COPY_ERROR_CONTEXT, AssertSqlSafe(count), params![]).fetch_one(transaction).await?;
        Ok(count.unsigned_abs())
    }

    /// Omits the PostgreSQL column `rowid`, which corresponds to SQLite's implicit column `rowid`.
    pub(super) async fn read_columns(&'static self, to: &mut Transaction) -> Result<TableWithColumns, StoreError> {
        let sql = "SELECT attname::text, atttypid::regtype::text FROM pg_attribute WHERE attrelid = to_regclass($1) \
            AND attnum > 0 AND NOT attisdropped AND attname <> 'rowid' ORDER BY attnum";
        let columns: Vec<(String, String)> =
            query_as(COPY_ERROR_CONTEXT, sql, params![self.name]).fetch_all(to).await?;
        let columns = columns.into_iter().map(|(name, type_name)| Ok((name, ColumnType::from_name(type_name)?)));
        Ok(TableWithColumns { table: self, columns: columns.collect::<Result<_, StoreError>>()? })
    }
}

impl TableWithColumns {
    /// Quotes the column names, because some column names are SQL keywords.
    fn quoted_column_names(&self) -> String {
        self.columns.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
    }

    /// Returns up to `max_rows` rows with a `rowid` greater than `after`, and the `rowid` of the last returned row.
    /// Returns all rows of tables without a `rowid`, because these tables are small.
    pub(super) async fn read_rows_after_rowid(
        &self,
        source: &mut Transaction,
        after: Option<i64>,
        max_rows: usize,
    ) -> Result<(Vec<Vec<CellValue>>, Option<i64>), StoreError> {
        let columns = self.quoted_column_names();
        let name = self.table.name;
        let statement = if self.table.has_rowid {
            let sql = format!("SELECT {columns}, rowid AS number FROM {name} WHERE rowid > $1 ORDER BY rowid LIMIT $2");
            let parameters = params![after.unwrap_or(i64::MIN), i64::try_from(max_rows).unwrap_or(i64::MAX)];
            query(COPY_ERROR_CONTEXT, AssertSqlSafe(sql), parameters)
        } else {
            query(COPY_ERROR_CONTEXT, AssertSqlSafe(format!("SELECT {columns} FROM {name}")), params![])
        };
        let rows = statement.fetch_all(source).await?;
        let last = match rows.last() {
            Some(last) if self.table.has_rowid => Some(last.get("number")?),
            _ => None,
        };
        Ok((rows.iter().map(|row| self.read_cell_values(row)).collect::<Result<_, _>>()?, last))
    }

    pub(super) async fn insert_rows(&self, to: &mut Transaction, rows: Vec<Vec<CellValue>>) -> Result<(), StoreError> {
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let page: Vec<Vec<CellValue>> = rows.by_ref().take(ROWS_PER_BATCH).collect();
            let width = self.columns.len();
            let row = |at: usize| {
                let parameters: Vec<_> =
                    (at * width + 1..=(at + 1) * width).map(|number| format!("${number}")).collect();
                format!("({})", parameters.join(", "))
            };
            let placeholders: Vec<_> = (0..page.len()).map(row).collect();
            let overriding = if self.table.identity_column.is_some() { "OVERRIDING SYSTEM VALUE " } else { "" };
            let (name, columns, placeholders) = (self.table.name, self.quoted_column_names(), placeholders.join(", "));
            let insert = format!("INSERT INTO {name} ({columns}) {overriding}VALUES {placeholders}");
            let insert = query(COPY_ERROR_CONTEXT, AssertSqlSafe(insert), page.into_iter().flatten());
            insert.execute(&mut *to).await?;
        }
        Ok(())
    }

    pub(super) async fn compute_row_digest(&self, to: &mut Transaction) -> Result<TableDigest, StoreError> {
        let mut digest = TableDigest::default();
        let cursor = format!("copied_{}", self.table.name);
        let declare = format!(
            "DECLARE {cursor} NO SCROLL CURSOR FOR SELECT {} FROM {}",
            self.quoted_column_names(),
            self.table.name
        );
        execute_copy_statement(to, declare).await?;
        loop {
            let fetch =
                query(COPY_ERROR_CONTEXT, AssertSqlSafe(format!("FETCH {ROWS_PER_BATCH} FROM {cursor}")), params![]);
            let rows = fetch.fetch_all(&mut *to).await?;
            if rows.is_empty() {
                execute_copy_statement(to, format!("CLOSE {cursor}")).await?;
                return Ok(digest);
            }
            for row in &rows {
                digest.add_row(&self.read_cell_values(row)?);
            }
        }
    }

    fn read_cell_values(&self, row: &Row) -> Result<Vec<CellValue>, StoreError> {
        self.columns.iter().map(|(name, column_type)| column_type.read_cell_value(row, name.as_str())).collect()
    }
}

impl ColumnType {
    fn from_name(name: String) -> Result<Self, StoreError> {
        match name.as_str() {
            "text" => Ok(Self::Text),
            "bigint" => Ok(Self::Integer),
            "boolean" => Ok(Self::Bool),
            "bytea" => Ok(Self::Bytes),
            _ => Err(StoreError::Damaged { what: "type of a column", reason: name }),
        }
    }

    /// Replaces U+0000 in strings with U+2400, because PostgreSQL cannot store U+0000.
    fn read_cell_value(self, row: &Row, column: &str) -> Result<CellValue, StoreError> {
        Ok(match self {
            Self::Integer => row.decode::<Option<i64>, _>(column)?.into(),
            Self::Bool => row.decode::<Option<bool>, _>(column)?.into(),
            Self::Bytes => row.decode::<Option<Vec<u8>>, _>(column)?.into(),
            Self::Text => row.decode::<Option<String>, _>(column)?.map(|text| text.replace('\0', "\u{2400}")).into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use clew_testkit::PostgreSqlServer;

    use super::*;
    use crate::database::{Database, params, query_as};

    const EXCLUDED_TABLES: [&str; 4] = ["_sqlx_migrations", "access_version", "login_backoffs", "workers"];

    #[tokio::test]
    async fn every_table_is_copied_or_excluded() {
        let server = PostgreSqlServer::start().await.unwrap();
        let database = Database::connect_postgres(&server.url().parse().unwrap()).await.unwrap();
        let existing = query_as::<String>(
            "list tables",
            "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'",
            params![],
        );
        let mut existing = existing.fetch_all(&database).await.unwrap();
        existing.retain(|table| !EXCLUDED_TABLES.contains(&table.as_str()));
        let mut copied: Vec<_> = TABLES_TO_COPY.iter().map(|table| table.name).collect();
        existing.sort();
        copied.sort_unstable();
        assert_eq!(copied, existing);
        // SQLite reads the quoted name of a missing column as a string, so the copy would contain the name.
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clew.db");
        std::fs::File::create(&file).unwrap();
        let source = Database::create_sqlite(&file).await.unwrap();
        let mut transaction = database.begin_read_transaction("list columns").await.unwrap();
        for table in TABLES_TO_COPY {
            let TableWithColumns { columns, .. } = table.read_columns(&mut transaction).await.unwrap();
            let mut copied: Vec<_> = columns.into_iter().map(|(name, _)| name).collect();
            let sql = "SELECT name FROM pragma_table_info($1)";
            let existing = query_as::<String>("list columns", sql, params![table.name]);
            let mut existing = existing.fetch_all(&source).await.unwrap();
            copied.sort();
            existing.sort();
            assert_eq!(copied, existing, "{}", table.name);
        }
    }
}
