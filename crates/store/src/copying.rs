//! Copying the metadata of a data directory into a server's database: all of it, or nothing.
//!
//! Everything is read as it is at one moment and written in one transaction, which is only committed when what can be read there is, row by
//! row, what was read here. Ids, sealed secrets and the chain of the audit stay as they are, and so does the master key.

mod digest;
mod tables;

use clew_model::{AuditEvent, Origin};
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::database::{Connection, Database, query, query_scalar};
use crate::error::StoreError;
use crate::metadata::audit;
use crate::postgres::{self, PostgresUrl};
use crate::serving_lock;
use crate::store::Store;
use digest::Digest;
use tables::{TABLES, Table, Value};

/// Rows that are in memory at once, and that one statement writes.
const PAGE: usize = 500;

/// A table that was, or would be, copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedTable {
    /// Its name.
    pub name: &'static str,
    /// Its rows.
    pub rows: u64,
    /// A hash over the contents of all rows, whatever their order, in hexadecimal; empty before they were read.
    pub digest: String,
}

impl Store {
    /// What would be copied. Fails with [`StoreError::NotEmpty`] where the target holds something. Changes nothing, here or there.
    pub async fn preview_copy(&self, target: &PostgresUrl) -> Result<Vec<CopiedTable>, StoreError> {
        let names = TABLES.iter().map(|table| table.name);
        if let Some(table) = postgres::first_used(target, names).await? {
            return Err(StoreError::NotEmpty { place: target.to_string(), table });
        }
        let mut source = self.database.begin_reading().await.map_err(StoreError::database("read the metadata"))?;
        let mut counted = Vec::with_capacity(TABLES.len());
        for table in TABLES {
            counted.push(CopiedTable {
                name: table.name,
                rows: table.count(&mut source).await?,
                digest: String::new(),
            });
        }
        Ok(counted)
    }

    /// Copies everything, and says of each row-filled table how far it is: its name, rows so far, rows in all. Meanwhile nobody can serve
    /// or change what is copied. Fails with [`StoreError::NotEmpty`] where the target holds something; however it fails, it leaves nothing
    /// there but empty tables.
    pub async fn copy_to(
        &self,
        by: &Origin,
        target: &PostgresUrl,
        mut progress: impl FnMut(&'static str, u64, u64),
    ) -> Result<Vec<CopiedTable>, StoreError> {
        let _lock = serving_lock::take(self.directory())?;
        let failed = StoreError::database("copy the metadata");
        let mut source = self.database.begin_writing().await.map_err(&failed)?;
        let database = Database::on(target).await?;
        let mut to = database.begin_writing().await.map_err(&failed)?;
        // Reading here may take longer than a transaction there may wait.
        run(&mut to, "SET LOCAL idle_in_transaction_session_timeout = 0".to_owned()).await?;
        for table in TABLES {
            if table.count(&mut to).await? > 0 {
                return Err(StoreError::NotEmpty { place: target.to_string(), table: table.name.to_owned() });
            }
        }
        let mut copied = Vec::with_capacity(TABLES.len());
        for table in TABLES {
            copied.push(copy(table, &mut source, &mut to, &mut progress).await?);
        }
        for (table, copy) in TABLES.iter().zip(&copied) {
            let there = table.digest(&mut to).await?;
            if (there.rows(), there.to_string()) != (copy.rows, copy.digest.clone()) {
                return Err(StoreError::CopyDiffers { table: table.name });
            }
        }
        self.record_copy(by, &database, &mut to, target, &copied).await?;
        to.commit().await.map_err(failed)?;
        database.close().await;
        Ok(copied)
    }

    /// The copy begins with a row of its audit that says where it came from.
    async fn record_copy(
        &self,
        by: &Origin,
        database: &Database,
        to: &mut Connection,
        target: &PostgresUrl,
        copied: &[CopiedTable],
    ) -> Result<(), StoreError> {
        let counts: serde_json::Map<_, _> =
            copied.iter().map(|table| (table.name.to_owned(), json!(table.rows))).collect();
        let event = AuditEvent {
            detail: json!({ "from": self.database_file().display().to_string(), "rows": counts }),
            ..AuditEvent::done(by, "CopyMetadata", target.to_string())
        };
        let events = [(database.clock().milliseconds(), &event)];
        audit::append(to, &self.keys, &audit::SeenLinks::default(), &events).await.map(drop)
    }
}

async fn copy(
    table: &Table,
    source: &mut Connection,
    to: &mut Connection,
    progress: &mut impl FnMut(&'static str, u64, u64),
) -> Result<CopiedTable, StoreError> {
    let total = table.count(source).await?;
    let mut digest = Digest::default();
    // What is told to other processes, counted and refused row by row is meant for changes. The copy is as it was here.
    run(to, format!("ALTER TABLE {} DISABLE TRIGGER USER", table.name)).await?;
    let mut after = None;
    loop {
        let (rows, last) = table.page(source, after, PAGE).await?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            digest.add(row);
        }
        let full = rows.len() == PAGE;
        table.insert(to, rows).await?;
        progress(table.name, digest.rows(), total);
        after = last;
        if !full || after.is_none() {
            break;
        }
    }
    if let Some(id) = table.numbered {
        let next = format!(
            "SELECT setval(pg_get_serial_sequence('{table}', '{id}'), COALESCE(MAX({id}), 0) + 1, false) FROM {table}",
            table = table.name
        );
        query_scalar::<i64>(AssertSqlSafe(next)).fetch_one(&mut *to).await.map_err(copying())?;
    }
    run(to, format!("ALTER TABLE {} ENABLE TRIGGER USER", table.name)).await?;
    Ok(CopiedTable { name: table.name, rows: digest.rows(), digest: digest.to_string() })
}

async fn run(connection: &mut Connection, statement: String) -> Result<(), StoreError> {
    query(AssertSqlSafe(statement)).execute(connection).await.map(drop).map_err(copying())
}

/// For `map_err` on the database's errors.
fn copying() -> impl Fn(sqlx::Error) -> StoreError {
    StoreError::database("copy the metadata")
}
