//! Copies the metadata from SQLite to PostgreSQL in one transaction.
//!
//! Reads all source data from a single snapshot of the SQLite database.
//! Commits the transaction only if the copied rows are identical to the source rows.
//! The copy preserves ids, encrypted secrets, the audit chain and the master key.

mod digest;
mod tables;

use clew_model::{AuditEvent, AuditOrigin};
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::database::{Database, Parameter, Transaction, params, query, query_as};
use crate::error::StoreError;
use crate::metadata_copy::digest::TableDigest;
use crate::metadata_copy::tables::{TABLES_TO_COPY, TableWithColumns};
use crate::postgres::PostgresUrl;
use crate::store::Store;
use crate::{audit, data_dir_lock, postgres};

const COPY_ERROR_CONTEXT: &str = "copy the metadata";
const ROWS_PER_BATCH: usize = 500;

type CellValue = Parameter<'static>;

/// Copied table with its row count and a hash of its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedTable {
    /// Name of the table.
    pub name: &'static str,
    /// Number of rows.
    pub rows: u64,
    /// Hex-encoded hash of the copied rows, independent of the row order.
    /// [`Store::preview_metadata_copy`] returns an empty hash, because the preview copies no rows.
    pub digest: String,
}

impl Store {
    /// Returns the tables that [`Store::copy_metadata_to_postgres`] would copy, without changing the target database.
    /// Fails with [`StoreError::NotEmpty`] if the target database contains rows.
    pub async fn preview_metadata_copy(&self, target: &PostgresUrl) -> Result<Vec<CopiedTable>, StoreError> {
        let names = TABLES_TO_COPY.iter().map(|table| table.name);
        if let Some(table) = postgres::find_nonempty_table(target, names).await? {
            return Err(StoreError::NotEmpty { location: target.to_string(), table });
        }
        let mut source = self.database.begin_read_transaction("read the metadata").await?;
        let mut tables = Vec::with_capacity(TABLES_TO_COPY.len());
        for table in TABLES_TO_COPY {
            tables.push(CopiedTable {
                name: table.name,
                rows: table.count_rows(&mut source).await?,
                digest: String::new(),
            });
        }
        Ok(tables)
    }

    /// Copies all tables to the target database in one transaction.
    /// The callback `progress` receives the table name, the number of copied rows and the total number of rows.
    /// During the copy, no server can use the data directory, and no other process can change the source database.
    /// Fails with [`StoreError::NotEmpty`] if the target database contains rows.
    pub async fn copy_metadata_to_postgres(
        &self,
        by: &AuditOrigin,
        target: &PostgresUrl,
        mut progress: impl FnMut(&'static str, u64, u64),
    ) -> Result<Vec<CopiedTable>, StoreError> {
        let _lock = data_dir_lock::acquire_data_dir_lock(self.data_dir_paths())?;
        let mut source = self.database.begin_write_transaction(COPY_ERROR_CONTEXT).await?;
        let database = Database::connect_postgres(target).await?;
        let mut to = database.begin_write_transaction(COPY_ERROR_CONTEXT).await?;
        // Reading the source database can take longer than the idle timeout of the target database.
        execute_copy_statement(&mut to, "SET LOCAL idle_in_transaction_session_timeout = 0".to_owned()).await?;
        let mut tables = Vec::with_capacity(TABLES_TO_COPY.len());
        for table in TABLES_TO_COPY {
            if table.count_rows(&mut to).await? > 0 {
                return Err(StoreError::NotEmpty { location: target.to_string(), table: table.name.to_owned() });
            }
            tables.push(table.read_columns(&mut to).await?);
        }
        let mut copied = Vec::with_capacity(tables.len());
        for table in &tables {
            copied.push(copy_table(table, &mut source, &mut to, &mut progress).await?);
        }
        for (table, copy) in tables.iter().zip(&copied) {
            let written = table.compute_row_digest(&mut to).await?;
            if (written.row_count(), written.to_string()) != (copy.rows, copy.digest.clone()) {
                return Err(StoreError::CopyDiffers(copy.name));
            }
        }
        self.append_audit_event_for_copy(by, &database, &mut to, target, &copied).await?;
        to.commit(COPY_ERROR_CONTEXT).await?;
        database.close().await;
        Ok(copied)
    }

    async fn append_audit_event_for_copy(
        &self,
        by: &AuditOrigin,
        database: &Database,
        to: &mut Transaction,
        target: &PostgresUrl,
        copied: &[CopiedTable],
    ) -> Result<(), StoreError> {
        let counts: serde_json::Map<_, _> =
            copied.iter().map(|table| (table.name.to_owned(), json!(table.rows))).collect();
        let event = AuditEvent {
            detail: json!({ "from": self.database_path().display().to_string(), "rows": counts }),
            ..AuditEvent::for_successful_operation(by, "CopyMetadata", target.to_string())
        };
        let events = [(database.clock().unix_millis(), &event)];
        audit::append_audit_rows(to, &self.keys, &audit::CheckpointTracker::default(), &events).await.map(drop)
    }
}

async fn copy_table(
    columns: &TableWithColumns,
    source: &mut Transaction,
    to: &mut Transaction,
    progress: &mut impl FnMut(&'static str, u64, u64),
) -> Result<CopiedTable, StoreError> {
    let table = columns.table;
    let total = table.count_rows(source).await?;
    let mut digest = TableDigest::default();
    // Triggers would send notifications, count rows and validate changes for each copied row.
    execute_copy_statement(to, format!("ALTER TABLE {} DISABLE TRIGGER USER", table.name)).await?;
    let mut after = None;
    loop {
        let (rows, last) = columns.read_rows_after_rowid(source, after, ROWS_PER_BATCH).await?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            digest.add_row(row);
        }
        let full = rows.len() == ROWS_PER_BATCH;
        columns.insert_rows(to, rows).await?;
        progress(table.name, digest.row_count(), total);
        after = last;
        if !full || after.is_none() {
            break;
        }
    }
    if let Some(column) = table.identity_column {
        let next = format!(
            "SELECT setval(pg_get_serial_sequence('{table}', '{column}'), COALESCE(MAX({column}), 0) + 1, false) \
             FROM {table}",
            table = table.name
        );
        query_as::<i64>(COPY_ERROR_CONTEXT, AssertSqlSafe(next), params![]).fetch_one(&mut *to).await?;
    }
    execute_copy_statement(to, format!("ALTER TABLE {} ENABLE TRIGGER USER", table.name)).await?;
    Ok(CopiedTable { name: table.name, rows: digest.row_count(), digest: digest.to_string() })
}

async fn execute_copy_statement(transaction: &mut Transaction, statement: String) -> Result<(), StoreError> {
    query(COPY_ERROR_CONTEXT, AssertSqlSafe(statement), params![]).execute(transaction).await.map(drop)
}
