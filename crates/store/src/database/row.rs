//! Decodes result rows from SQLite and PostgreSQL.

use std::net::IpAddr;

use clew_model::{AccessKeyId, DomainId, GroupId, InstanceId, NodeId, NodeUrl, PolicyId, ProjectId, RequestId, UserId};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{ColumnIndex, Decode, Postgres, Row as _, Sqlite, Type};

use crate::error::StoreError;

pub(crate) struct Row {
    action: &'static str,
    row: DriverRow,
}

pub(super) enum DriverRow {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

pub(crate) trait ColumnValue:
    Type<Sqlite> + for<'r> Decode<'r, Sqlite> + Type<Postgres> + for<'r> Decode<'r, Postgres>
{
}

impl<T> ColumnValue for T where
    T: Type<Sqlite> + for<'r> Decode<'r, Sqlite> + Type<Postgres> + for<'r> Decode<'r, Postgres>
{
}

pub(crate) trait FromColumn: Sized {
    fn from_column(row: &Row, column: &'static str) -> Result<Self, StoreError>;
}

/// A scalar uses the first column; a pair uses the first two columns.
pub(crate) trait FromRow: Sized {
    fn from_row(row: &Row) -> Result<Self, StoreError>;
}

pub(crate) trait FromOwnedRow: Sized {
    fn from_owned_row(row: Row) -> Result<Self, StoreError>;
}

impl FromOwnedRow for Row {
    fn from_owned_row(row: Row) -> Result<Self, StoreError> {
        Ok(row)
    }
}

impl<T: FromRow> FromOwnedRow for T {
    fn from_owned_row(row: Row) -> Result<Self, StoreError> {
        T::from_row(&row)
    }
}

impl<A: ColumnValue, B: ColumnValue> FromRow for (A, B) {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok((row.decode(0)?, row.decode(1)?))
    }
}

impl Row {
    pub(super) fn new(action: &'static str, row: DriverRow) -> Self {
        Self { action, row }
    }

    pub(crate) fn get<T: FromColumn>(&self, column: &'static str) -> Result<T, StoreError> {
        T::from_column(self, column)
    }

    pub(crate) fn decode<T, I>(&self, column: I) -> Result<T, StoreError>
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

    pub(crate) fn parse_column<T>(
        &self,
        column: &'static str,
        what: &'static str,
        parse: fn(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        let name: String = self.get(column)?;
        parse(&name).ok_or_else(|| StoreError::Damaged { what, reason: name })
    }
}

/// Implements [`FromRow`] for structs whose field names equal the column names.
macro_rules! impl_from_row {
    ($($type:ident { $($field:ident),+ $(,)? })+) => {$(
        impl $crate::database::FromRow for $type {
            fn from_row(row: &$crate::database::Row) -> Result<Self, $crate::error::StoreError> {
                Ok(Self { $($field: row.get(stringify!($field))?),+ })
            }
        }
    )+};
}

pub(crate) use impl_from_row;

macro_rules! decoded_columns {
    ($($type:ty),+ $(,)?) => {$(
        impl FromColumn for $type {
            fn from_column(row: &Row, column: &'static str) -> Result<Self, StoreError> {
                row.decode(column)
            }
        }

        impl FromRow for $type {
            fn from_row(row: &Row) -> Result<Self, StoreError> {
                row.decode(0)
            }
        }
    )+};
}

decoded_columns!(i64, Option<i64>, bool, String, Option<String>, Vec<u8>, Option<Vec<u8>>);

macro_rules! parsed_columns {
    ($($type:ty),+ $(,)?) => {$(
        impl FromColumn for $type {
            fn from_column(row: &Row, column: &'static str) -> Result<Self, StoreError> {
                let text: String = row.decode(column)?;
                text.parse().map_err(StoreError::corrupt_value_error(column))
            }
        }

        impl FromColumn for Option<$type> {
            fn from_column(row: &Row, column: &'static str) -> Result<Self, StoreError> {
                let text: Option<String> = row.decode(column)?;
                text.map(|text| text.parse().map_err(StoreError::corrupt_value_error(column))).transpose()
            }
        }
    )+};
}

parsed_columns!(
    AccessKeyId,
    DomainId,
    GroupId,
    InstanceId,
    IpAddr,
    NodeId,
    NodeUrl,
    PolicyId,
    ProjectId,
    RequestId,
    UserId,
);

impl FromColumn for [u8; 32] {
    fn from_column(row: &Row, column: &'static str) -> Result<Self, StoreError> {
        let bytes: Vec<u8> = row.decode(column)?;
        Self::try_from(bytes.as_slice()).map_err(StoreError::corrupt_value_error(column))
    }
}

impl FromColumn for u64 {
    fn from_column(row: &Row, column: &'static str) -> Result<Self, StoreError> {
        row.decode(column).map(i64::unsigned_abs)
    }
}

impl FromColumn for u32 {
    fn from_column(row: &Row, column: &'static str) -> Result<Self, StoreError> {
        row.decode(column).map(|count: i64| Self::try_from(count).unwrap_or(Self::MAX))
    }
}

pub(crate) fn count_to_i64_saturating(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(crate) fn duration_to_millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
