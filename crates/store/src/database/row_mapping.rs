//! Converts between database columns and Rust types.

use std::time::Duration;

use crate::database::Row;
use crate::error::StoreError;

pub(crate) fn parse_column<T>(row: &Row, column: &'static str) -> Result<T, StoreError>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let text: String = row.get(column)?;
    text.parse().map_err(StoreError::corrupt_value_error(column))
}

pub(crate) fn parse_nullable_column<T>(row: &Row, column: &'static str) -> Result<Option<T>, StoreError>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let text: Option<String> = row.get(column)?;
    text.map(|text| text.parse().map_err(StoreError::corrupt_value_error(column))).transpose()
}

/// The column must contain 32 bytes.
pub(crate) fn read_hash_column(row: &Row, column: &'static str) -> Result<[u8; 32], StoreError> {
    let bytes: Vec<u8> = row.get(column)?;
    <[u8; 32]>::try_from(bytes.as_slice()).map_err(StoreError::corrupt_value_error(column))
}

pub(crate) fn saturate_count_to_signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Converts a duration to milliseconds. Returns `i64::MAX` if the value does not fit in an `i64`.
pub(crate) fn duration_to_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
