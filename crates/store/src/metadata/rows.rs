//! Reading columns, and writing those that SQLite keeps in another type.

use std::time::Duration;

use crate::database::Row;
use crate::error::StoreError;

/// A column that holds an id, or anything else that is parsed from text.
pub(super) fn parsed<T>(row: &Row, column: &'static str) -> Result<T, StoreError>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let text: String = row.try_get(column).map_err(StoreError::database("read a row"))?;
    text.parse().map_err(StoreError::damaged(column))
}

/// The same of a column that may be empty.
pub(super) fn parsed_if_there<T>(row: &Row, column: &'static str) -> Result<Option<T>, StoreError>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let text: Option<String> = row.try_get(column).map_err(StoreError::database("read a row"))?;
    text.map(|text| text.parse().map_err(StoreError::damaged(column))).transpose()
}

/// A column that holds a SHA-256 or a MAC.
pub(super) fn hash(row: &Row, column: &'static str) -> Result<[u8; 32], StoreError> {
    let bytes: Vec<u8> = row.try_get(column).map_err(StoreError::database("read a row"))?;
    <[u8; 32]>::try_from(bytes.as_slice()).map_err(StoreError::damaged(column))
}

/// A count, as SQLite keeps it.
pub(super) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A duration, as SQLite keeps it.
pub(super) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
