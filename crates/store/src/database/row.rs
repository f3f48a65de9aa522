//! Decodes result rows from SQLite and PostgreSQL.

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{ColumnIndex, Decode, Postgres, Row as _, Sqlite, Type};

use crate::error::StoreError;

/// Result row of a statement.
pub(crate) struct Row {
    /// Describes the action of the statement in error messages.
    action: &'static str,
    row: DriverRow,
}

pub(super) enum DriverRow {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// Type that can be decoded from a SQLite column and from a PostgreSQL column.
pub(crate) trait ColumnValue:
    Type<Sqlite> + for<'r> Decode<'r, Sqlite> + Type<Postgres> + for<'r> Decode<'r, Postgres>
{
}

impl<T> ColumnValue for T where
    T: Type<Sqlite> + for<'r> Decode<'r, Sqlite> + Type<Postgres> + for<'r> Decode<'r, Postgres>
{
}

impl Row {
    pub(super) fn new(action: &'static str, row: DriverRow) -> Self {
        Self { action, row }
    }

    pub(crate) fn get<T, I>(&self, column: I) -> Result<T, StoreError>
    where
        T: ColumnValue,
        I: ColumnIndex<SqliteRow> + ColumnIndex<PgRow>,
    {
        let value = match &self.row {
            DriverRow::Sqlite(row) => row.try_get(column),
            DriverRow::Postgres(row) => row.try_get(column),
        };
        value.map_err(StoreError::database_error(self.action))
    }
}
