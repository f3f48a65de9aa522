//! What a statement finds.

use sqlx::sqlite::SqliteRow;
use sqlx::{ColumnIndex, Decode, Row as _, Sqlite, Type};

/// A row.
pub(crate) enum Row {
    /// Of a file.
    Sqlite(SqliteRow),
}

/// What a column can be read as, from whichever database.
pub(crate) trait Stored: Type<Sqlite> + for<'r> Decode<'r, Sqlite> {}

impl<T: Type<Sqlite> + for<'r> Decode<'r, Sqlite>> Stored for T {}

impl Row {
    /// A column, by its name or its place.
    pub(crate) fn try_get<T: Stored, I: ColumnIndex<SqliteRow>>(&self, column: I) -> Result<T, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
        }
    }
}
