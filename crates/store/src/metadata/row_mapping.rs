//! Converts between database columns and Rust types.

use std::time::Duration;

use crate::database::Row;
use crate::error::StoreError;

/// Reads and parses a text column, such as an id.
pub(super) fn parse_column<T>(row: &Row, column: &'static str) -> Result<T, StoreError>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let text: String = row.try_get(column).map_err(StoreError::database_error("read a row"))?;
    text.parse().map_err(StoreError::damaged_value_error(column))
}

/// Reads and parses a nullable text column.
pub(super) fn parse_nullable_column<T>(row: &Row, column: &'static str) -> Result<Option<T>, StoreError>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let text: Option<String> = row.try_get(column).map_err(StoreError::database_error("read a row"))?;
    text.map(|text| text.parse().map_err(StoreError::damaged_value_error(column))).transpose()
}

/// Reads a column that contains a SHA-256 hash or a MAC.
pub(super) fn read_hash_column(row: &Row, column: &'static str) -> Result<[u8; 32], StoreError> {
    let bytes: Vec<u8> = row.try_get(column).map_err(StoreError::database_error("read a row"))?;
    <[u8; 32]>::try_from(bytes.as_slice()).map_err(StoreError::damaged_value_error(column))
}

/// Converts a count to an SQL integer, saturating at the maximum value.
pub(super) fn saturate_count_to_i64(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Converts a duration to an SQL integer in milliseconds, saturating at the maximum value.
pub(super) fn duration_to_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
