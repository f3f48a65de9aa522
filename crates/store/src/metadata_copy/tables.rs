//! Tables that Clew copies from SQLite to PostgreSQL.
//! Clew copies each table after the tables that its foreign keys reference.

use sqlx::AssertSqlSafe;

use crate::database::{Row, Transaction, query, query_scalar};
use crate::error::StoreError;
use crate::metadata_copy::cell_value::CellValue;
use crate::metadata_copy::digest::TableDigest;
use crate::metadata_copy::{METADATA_COPY_ACTION, ROWS_PER_BATCH};

#[derive(Debug, Clone, Copy)]
pub(super) enum ColumnType {
    Text,
    Integer,
    Bool,
    Bytes,
}

pub(super) struct TableToCopy {
    pub(super) name: &'static str,
    columns: &'static [(&'static str, ColumnType)],
    pub(super) identity_column: Option<&'static str>,
    /// True if the SQLite table has a `rowid`, which increases in insertion order.
    has_rowid: bool,
}

const fn table(name: &'static str, columns: &'static [(&'static str, ColumnType)]) -> TableToCopy {
    TableToCopy { name, columns, identity_column: None, has_rowid: true }
}

impl TableToCopy {
    const fn without_rowid(self) -> Self {
        Self { has_rowid: false, ..self }
    }
}

use ColumnType::{Bool, Bytes, Integer, Text};

/// Clew does not copy tables with derived or transient data.
pub(super) const TABLES_TO_COPY: &[TableToCopy] = &[
    table("settings", &[("name", Text), ("value", Bytes)]).without_rowid(),
    table("domains", &[("id", Text), ("name", Text), ("created_at", Integer)]),
    table(
        "projects",
        &[
            ("id", Text),
            ("domain_id", Text),
            ("name", Text),
            ("description", Text),
            ("enabled", Bool),
            ("masking", Bool),
            ("created_at", Integer),
        ],
    ),
    table(
        "users",
        &[
            ("id", Text),
            ("domain_id", Text),
            ("name", Text),
            ("password_hash", Text),
            ("enabled", Bool),
            ("administrator", Bool),
            ("description", Text),
            ("created_at", Integer),
        ],
    ),
    table(
        "access_keys",
        &[
            ("id", Text),
            ("user_id", Text),
            ("secret", Bytes),
            ("enabled", Bool),
            ("created_at", Integer),
            ("last_used_at", Integer),
        ],
    ),
    table(
        "temporary_keys",
        &[
            ("id", Text),
            ("user_id", Text),
            ("secret", Bytes),
            ("token_hash", Bytes),
            ("created_at", Integer),
            ("expires_at", Integer),
            ("revoked_at", Integer),
            ("issued_for", Bytes),
        ],
    ),
    table(
        "tokens",
        &[
            ("hash", Bytes),
            ("user_id", Text),
            ("scope_project", Text),
            ("methods", Text),
            ("issued_at", Integer),
            ("expires_at", Integer),
            ("revoked_at", Integer),
            ("origin", Text),
        ],
    )
    .without_rowid(),
    table(
        "enterprise_projects",
        &[
            ("domain_id", Text),
            ("id", Text),
            ("name", Text),
            ("description", Text),
            ("enabled", Bool),
            ("created_at", Integer),
        ],
    )
    .without_rowid(),
    table(
        "user_groups",
        &[("id", Text), ("domain_id", Text), ("name", Text), ("description", Text), ("created_at", Integer)],
    ),
    table("members", &[("group_id", Text), ("user_id", Text)]).without_rowid(),
    table(
        "policies",
        &[
            ("id", Text),
            ("domain_id", Text),
            ("name", Text),
            ("model", Text),
            ("document", Text),
            ("description", Text),
            ("created_at", Integer),
            ("updated_at", Integer),
        ],
    ),
    table(
        "attachments",
        &[
            ("policy_id", Text),
            ("system_policy", Text),
            ("user_id", Text),
            ("group_id", Text),
            ("project_id", Text),
            ("created_at", Integer),
        ],
    ),
    table(
        "instances",
        &[
            ("id", Text),
            ("project_id", Text),
            ("name", Text),
            ("enterprise_project_id", Text),
            ("slow_threshold", Integer),
            ("created_at", Integer),
            ("updated_at", Integer),
        ],
    ),
    table("tags", &[("instance_id", Text), ("key", Text), ("value", Text)]).without_rowid(),
    table(
        "nodes",
        &[
            ("id", Text),
            ("instance_id", Text),
            ("name", Text),
            ("role", Text),
            ("url", Text),
            ("host", Text),
            ("password", Bytes),
            ("created_at", Integer),
            ("zone", Text),
        ],
    ),
    table(
        "tasks",
        &[
            ("request_id", Text),
            ("project_id", Text),
            ("instance_id", Text),
            ("node_id", Text),
            ("selection", Text),
            ("masked", Bool),
            ("turn", Integer),
            ("status", Text),
            ("worker", Text),
            ("fence", Integer),
            ("lease_until", Integer),
            ("attempts", Integer),
            ("failure_kind", Text),
            ("failure_detail", Text),
            ("result_name", Text),
            ("result_rows", Integer),
            ("result_bytes", Integer),
            ("result_sha256", Text),
            ("result_limitations", Text),
            ("created_at", Integer),
            ("ended_at", Integer),
            ("zone", Text),
        ],
    ),
    table("task_counts", &[("status", Text), ("count", Integer)]).without_rowid(),
    TableToCopy {
        identity_column: Some("id"),
        ..table(
            "killed_sessions",
            &[
                ("id", Integer),
                ("project_id", Text),
                ("instance_id", Text),
                ("node_id", Text),
                ("source", Text),
                ("task_id", Text),
                ("kind", Text),
                ("reason", Text),
                ("session_id", Integer),
                ("user", Text),
                ("host", Text),
                ("db", Text),
                ("command", Text),
                ("seconds", Integer),
                ("state", Text),
                ("template", Text),
                ("asked_at", Integer),
                ("outcome", Text),
                ("detail", Text),
                ("ended_at", Integer),
            ],
        )
    },
    table("kill_switches", &[("instance_id", Text), ("is_on", Bool), ("worker", Text), ("lease_until", Integer)])
        .without_rowid(),
    table(
        "kill_tasks",
        &[
            ("id", Integer),
            ("instance_id", Text),
            ("criteria", Text),
            ("masked", Bool),
            ("started_at", Integer),
            ("ends_at", Integer),
            ("stopped_at", Integer),
        ],
    ),
    table(
        "intelligent_kills",
        &[
            ("id", Integer),
            ("project_id", Text),
            ("instance_id", Text),
            ("node_id", Text),
            ("actor_id", Text),
            ("actor_name", Text),
            ("actor_domain_id", Text),
            ("peer", Text),
            ("request_id", Text),
            ("status", Text),
            ("lease_until", Integer),
            ("reason", Text),
            ("ended_at", Integer),
        ],
    ),
    table("known_addresses", &[("user_id", Text), ("address", Text), ("last_at", Integer)]).without_rowid(),
    table("failures", &[("subject", Bytes), ("count", Integer), ("last_at", Integer), ("locked_until", Integer)])
        .without_rowid(),
    table(
        "audit",
        &[
            ("seq", Integer),
            ("at", Integer),
            ("actor_kind", Text),
            ("actor_id", Text),
            ("actor_name", Text),
            ("actor_domain_id", Text),
            ("peer", Text),
            ("request_id", Text),
            ("operation", Text),
            ("domain_id", Text),
            ("project_id", Text),
            ("instance_id", Text),
            ("node_id", Text),
            ("target", Text),
            ("outcome", Text),
            ("code", Text),
            ("detail", Text),
            ("previous", Bytes),
            ("mac", Bytes),
        ],
    ),
    table("audit_ends", &[("name", Text), ("seq", Integer), ("mac", Bytes), ("seal", Bytes)]).without_rowid(),
];

impl TableToCopy {
    /// Quotes the column names, because some column names are SQL keywords.
    fn quoted_column_names(&self) -> String {
        self.columns.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
    }

    pub(super) async fn count_rows(&self, transaction: &mut Transaction) -> Result<u64, StoreError> {
        let count = format!("SELECT COUNT(*) FROM {}", self.name);
        let count: i64 = query_scalar(METADATA_COPY_ACTION, AssertSqlSafe(count)).fetch_one(transaction).await?;
        Ok(count.unsigned_abs())
    }

    /// Returns up to `max_rows` rows in `rowid` order and the `rowid` of the last row.
    /// If the table has no `rowid`, returns all rows, because tables without a `rowid` are small.
    pub(super) async fn read_rows_after_rowid(
        &self,
        source: &mut Transaction,
        after: Option<i64>,
        max_rows: usize,
    ) -> Result<(Vec<Vec<CellValue>>, Option<i64>), StoreError> {
        let columns = self.quoted_column_names();
        let statement = if self.has_rowid {
            format!("SELECT {columns}, rowid AS number FROM {} WHERE rowid > $1 ORDER BY rowid LIMIT $2", self.name)
        } else {
            format!("SELECT {columns} FROM {}", self.name)
        };
        let statement = query(METADATA_COPY_ACTION, AssertSqlSafe(statement));
        let statement = if self.has_rowid {
            statement.bind(after.unwrap_or(i64::MIN)).bind(i64::try_from(max_rows).unwrap_or(i64::MAX))
        } else {
            statement
        };
        let rows = statement.fetch_all(source).await?;
        let last = match rows.last() {
            Some(last) if self.has_rowid => Some(last.get("number")?),
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
            let overriding = if self.identity_column.is_some() { "OVERRIDING SYSTEM VALUE " } else { "" };
            let (name, columns, placeholders) = (self.name, self.quoted_column_names(), placeholders.join(", "));
            let insert = format!("INSERT INTO {name} ({columns}) {overriding}VALUES {placeholders}");
            let insert = page
                .into_iter()
                .flatten()
                .fold(query(METADATA_COPY_ACTION, AssertSqlSafe(insert)), super::super::database::Statement::bind);
            insert.execute(&mut *to).await?;
        }
        Ok(())
    }

    pub(super) async fn compute_row_digest(&self, to: &mut Transaction) -> Result<TableDigest, StoreError> {
        let mut digest = TableDigest::default();
        let cursor = format!("copied_{}", self.name);
        let declare =
            format!("DECLARE {cursor} NO SCROLL CURSOR FOR SELECT {} FROM {}", self.quoted_column_names(), self.name);
        super::execute_copy_statement(to, declare).await?;
        loop {
            let fetch = query(METADATA_COPY_ACTION, AssertSqlSafe(format!("FETCH {ROWS_PER_BATCH} FROM {cursor}")));
            let rows = fetch.fetch_all(&mut *to).await?;
            if rows.is_empty() {
                super::execute_copy_statement(to, format!("CLOSE {cursor}")).await?;
                return Ok(digest);
            }
            for row in &rows {
                digest.add_row(&self.read_cell_values(row)?);
            }
        }
    }

    fn read_cell_values(&self, row: &Row) -> Result<Vec<CellValue>, StoreError> {
        self.columns.iter().map(|(name, column_type)| column_type.read_cell_value(row, name)).collect()
    }
}

impl ColumnType {
    /// Replaces the character U+0000 in strings, because PostgreSQL cannot store U+0000.
    fn read_cell_value(self, row: &Row, column: &str) -> Result<CellValue, StoreError> {
        Ok(match self {
            Self::Integer => row.get::<Option<i64>, _>(column)?.into(),
            Self::Bool => row.get::<Option<bool>, _>(column)?.into(),
            Self::Bytes => row.get::<Option<Vec<u8>>, _>(column)?.into(),
            Self::Text => row.get::<Option<String>, _>(column)?.map(|text| text.replace('\0', "\u{2400}")).into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use clew_testkit::PostgreSqlServer;

    use super::*;
    use crate::database::Database;

    /// Tables with derived or transient data.
    const EXCLUDED_TABLES: [&str; 4] = ["_sqlx_migrations", "access_version", "login_backoffs", "workers"];

    #[tokio::test]
    async fn every_column_is_copied_or_excluded() {
        let server = PostgreSqlServer::start().await.unwrap();
        let database = Database::connect_postgres(&server.url().parse().unwrap()).await.unwrap();
        let existing = query_scalar::<String>(
            "list columns",
            "SELECT (table_name || '.' || column_name)::text FROM information_schema.columns \
             WHERE table_schema = 'public' AND column_name <> 'rowid'",
        );
        let mut existing = existing.fetch_all(&database).await.unwrap();
        existing.retain(|column| !EXCLUDED_TABLES.iter().any(|table| column.starts_with(&format!("{table}."))));
        let name = |table: &TableToCopy, column: &str| format!("{}.{column}", table.name);
        let mut copied: Vec<_> = TABLES_TO_COPY
            .iter()
            .flat_map(|table| table.columns.iter().map(|(column, _)| name(table, column)))
            .collect();
        existing.sort();
        copied.sort();
        assert_eq!(copied, existing);
    }
}
