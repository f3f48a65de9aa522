//! The tables, in an order in which none refers to a later one.

use sqlx::AssertSqlSafe;

use super::digest::Digest;
use super::{PAGE, copying};
use crate::database::{Connection, Parameter, Row, query, query_scalar};
use crate::error::StoreError;

/// A value of a row.
pub(super) type Value = Parameter<'static>;

/// What a column holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Text,
    Whole,
    Truth,
    Bytes,
}

/// A table with its columns.
pub(super) struct Table {
    pub(super) name: &'static str,
    columns: &'static [(&'static str, Kind)],
    /// The column that the server gives numbers to.
    pub(super) numbered: Option<&'static str>,
    /// Whether SQLite numbers its rows, in the order in which they were added.
    has_rowid: bool,
}

const fn table(name: &'static str, columns: &'static [(&'static str, Kind)]) -> Table {
    Table { name, columns, numbered: None, has_rowid: true }
}

impl Table {
    const fn without_rowid(self) -> Self {
        Self { has_rowid: false, ..self }
    }
}

use Kind::{Bytes, Text, Truth, Whole};

/// Every table but what is counted or remembered of others.
pub(super) const TABLES: &[Table] = &[
    table("settings", &[("name", Text), ("value", Bytes)]).without_rowid(),
    table("domains", &[("id", Text), ("name", Text), ("created_at", Whole)]),
    table(
        "projects",
        &[
            ("id", Text),
            ("domain_id", Text),
            ("name", Text),
            ("description", Text),
            ("enabled", Truth),
            ("masking", Truth),
            ("created_at", Whole),
        ],
    ),
    table(
        "users",
        &[
            ("id", Text),
            ("domain_id", Text),
            ("name", Text),
            ("password_hash", Text),
            ("enabled", Truth),
            ("administrator", Truth),
            ("description", Text),
            ("created_at", Whole),
        ],
    ),
    table(
        "access_keys",
        &[
            ("id", Text),
            ("user_id", Text),
            ("secret", Bytes),
            ("enabled", Truth),
            ("created_at", Whole),
            ("last_used_at", Whole),
        ],
    ),
    table(
        "temporary_keys",
        &[
            ("id", Text),
            ("user_id", Text),
            ("secret", Bytes),
            ("token_hash", Bytes),
            ("created_at", Whole),
            ("expires_at", Whole),
            ("revoked_at", Whole),
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
            ("issued_at", Whole),
            ("expires_at", Whole),
            ("revoked_at", Whole),
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
            ("enabled", Truth),
            ("created_at", Whole),
        ],
    )
    .without_rowid(),
    table(
        "user_groups",
        &[("id", Text), ("domain_id", Text), ("name", Text), ("description", Text), ("created_at", Whole)],
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
            ("created_at", Whole),
            ("updated_at", Whole),
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
            ("created_at", Whole),
        ],
    ),
    table(
        "instances",
        &[
            ("id", Text),
            ("project_id", Text),
            ("name", Text),
            ("enterprise_project_id", Text),
            ("slow_threshold", Whole),
            ("created_at", Whole),
            ("updated_at", Whole),
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
            ("created_at", Whole),
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
            ("masked", Truth),
            ("turn", Whole),
            ("status", Text),
            ("worker", Text),
            ("fence", Whole),
            ("lease_until", Whole),
            ("attempts", Whole),
            ("failure_kind", Text),
            ("failure_detail", Text),
            ("result_name", Text),
            ("result_rows", Whole),
            ("result_bytes", Whole),
            ("result_sha256", Text),
            ("created_at", Whole),
            ("ended_at", Whole),
            ("zone", Text),
        ],
    ),
    table("task_counts", &[("status", Text), ("count", Whole)]).without_rowid(),
    Table {
        numbered: Some("id"),
        ..table(
            "killed_sessions",
            &[
                ("id", Whole),
                ("project_id", Text),
                ("instance_id", Text),
                ("node_id", Text),
                ("source", Text),
                ("task_id", Text),
                ("kind", Text),
                ("reason", Text),
                ("session_id", Whole),
                ("user", Text),
                ("host", Text),
                ("db", Text),
                ("command", Text),
                ("seconds", Whole),
                ("state", Text),
                ("template", Text),
                ("asked_at", Whole),
                ("outcome", Text),
                ("detail", Text),
                ("ended_at", Whole),
            ],
        )
    },
    table("kill_switches", &[("instance_id", Text), ("is_on", Truth), ("worker", Text), ("lease_until", Whole)])
        .without_rowid(),
    table(
        "kill_tasks",
        &[
            ("id", Whole),
            ("instance_id", Text),
            ("criteria", Text),
            ("masked", Truth),
            ("started_at", Whole),
            ("ends_at", Whole),
            ("stopped_at", Whole),
        ],
    ),
    table(
        "intelligent_kills",
        &[
            ("id", Whole),
            ("project_id", Text),
            ("instance_id", Text),
            ("node_id", Text),
            ("actor_id", Text),
            ("actor_name", Text),
            ("actor_domain_id", Text),
            ("peer", Text),
            ("request_id", Text),
            ("status", Text),
            ("lease_until", Whole),
            ("reason", Text),
            ("ended_at", Whole),
        ],
    ),
    table("known_addresses", &[("user_id", Text), ("address", Text), ("last_at", Whole)]).without_rowid(),
    table("failures", &[("subject", Bytes), ("count", Whole), ("last_at", Whole), ("locked_until", Whole)])
        .without_rowid(),
    table(
        "audit",
        &[
            ("seq", Whole),
            ("at", Whole),
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
    table("audit_ends", &[("name", Text), ("seq", Whole), ("mac", Bytes), ("seal", Bytes)]).without_rowid(),
];

impl Table {
    /// Names of the columns, with commas between: some of them are words of SQL.
    fn columns(&self) -> String {
        self.columns.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
    }

    pub(super) async fn count(&self, connection: &mut Connection) -> Result<u64, StoreError> {
        let count = format!("SELECT COUNT(*) FROM {}", self.name);
        let count: i64 = query_scalar(AssertSqlSafe(count)).fetch_one(connection).await.map_err(copying())?;
        Ok(count.unsigned_abs())
    }

    /// Rows of SQLite's table, in the order in which they were added, and the number of the last one. Tables without numbers are small,
    /// and come at once.
    pub(super) async fn page(
        &self,
        source: &mut Connection,
        after: Option<i64>,
        most: usize,
    ) -> Result<(Vec<Vec<Value>>, Option<i64>), StoreError> {
        let columns = self.columns();
        let statement = if self.has_rowid {
            format!("SELECT {columns}, rowid AS number FROM {} WHERE rowid > $1 ORDER BY rowid LIMIT $2", self.name)
        } else {
            format!("SELECT {columns} FROM {}", self.name)
        };
        let statement = query(AssertSqlSafe(statement));
        let statement = if self.has_rowid {
            statement.bind(after.unwrap_or(i64::MIN)).bind(i64::try_from(most).unwrap_or(i64::MAX))
        } else {
            statement
        };
        let rows = statement.fetch_all(source).await.map_err(copying())?;
        let last = match rows.last() {
            Some(last) if self.has_rowid => Some(last.try_get("number").map_err(copying())?),
            _ => None,
        };
        Ok((rows.iter().map(|row| self.values(row)).collect::<Result<_, _>>()?, last))
    }

    /// Writes rows to the server's table.
    pub(super) async fn insert(&self, to: &mut Connection, rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let page: Vec<Vec<Value>> = rows.by_ref().take(PAGE).collect();
            let width = self.columns.len();
            let row = |at: usize| {
                let places: Vec<_> = (at * width + 1..=(at + 1) * width).map(|place| format!("${place}")).collect();
                format!("({})", places.join(", "))
            };
            let places: Vec<_> = (0..page.len()).map(row).collect();
            let numbers = if self.numbered.is_some() { "OVERRIDING SYSTEM VALUE " } else { "" };
            let (name, columns, places) = (self.name, self.columns(), places.join(", "));
            let insert = format!("INSERT INTO {name} ({columns}) {numbers}VALUES {places}");
            let insert =
                page.into_iter().flatten().fold(query(AssertSqlSafe(insert)), super::super::database::Statement::bind);
            insert.execute(&mut *to).await.map_err(copying())?;
        }
        Ok(())
    }

    /// What is in the server's table.
    pub(super) async fn digest(&self, to: &mut Connection) -> Result<Digest, StoreError> {
        let mut digest = Digest::default();
        let cursor = format!("copied_{}", self.name);
        let declare = format!("DECLARE {cursor} NO SCROLL CURSOR FOR SELECT {} FROM {}", self.columns(), self.name);
        super::run(to, declare).await?;
        loop {
            let fetch = query(AssertSqlSafe(format!("FETCH {PAGE} FROM {cursor}")));
            let rows = fetch.fetch_all(&mut *to).await.map_err(copying())?;
            if rows.is_empty() {
                super::run(to, format!("CLOSE {cursor}")).await?;
                return Ok(digest);
            }
            for row in &rows {
                digest.add(&self.values(row)?);
            }
        }
    }

    fn values(&self, row: &Row) -> Result<Vec<Value>, StoreError> {
        self.columns.iter().map(|(name, kind)| kind.read(row, name).map_err(copying())).collect()
    }
}

impl Kind {
    /// Text is as the server can keep it: see [`crate::database`].
    fn read(self, row: &Row, column: &str) -> Result<Value, sqlx::Error> {
        Ok(match self {
            Self::Whole => row.try_get::<Option<i64>, _>(column)?.into(),
            Self::Truth => row.try_get::<Option<bool>, _>(column)?.into(),
            Self::Bytes => row.try_get::<Option<Vec<u8>>, _>(column)?.into(),
            Self::Text => row.try_get::<Option<String>, _>(column)?.map(|text| text.replace('\0', "\u{2400}")).into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use clew_testkit::PostgreSql;

    use super::*;
    use crate::database::Database;

    /// What counts changes, and who is at work on the folder.
    const LEFT_OUT: [&str; 4] = ["_sqlx_migrations", "access_version", "login_backoffs", "workers"];

    /// Whoever adds a table or a column has to say whether it is copied.
    #[tokio::test]
    async fn every_column_of_every_table_is_copied_or_known_not_to_be() {
        let server = PostgreSql::start().await.unwrap();
        let database = Database::on(&server.url().parse().unwrap()).await.unwrap();
        let there = query_scalar::<String>(
            "SELECT (table_name || '.' || column_name)::text FROM information_schema.columns \
             WHERE table_schema = 'public' AND column_name <> 'rowid'",
        );
        let mut there = there.fetch_all(&database).await.unwrap();
        there.retain(|column| !LEFT_OUT.iter().any(|table| column.starts_with(&format!("{table}."))));
        let name = |table: &Table, column: &str| format!("{}.{column}", table.name);
        let mut copied: Vec<_> =
            TABLES.iter().flat_map(|table| table.columns.iter().map(|(column, _)| name(table, column))).collect();
        there.sort();
        copied.sort();
        assert_eq!(copied, there);
    }
}
