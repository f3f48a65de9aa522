//! Decodes strings, table names and InnoDB locks from the system tables that list locks.

use clew_diagnose::lock_waits::{LockResource, LockResourceKind};

/// Converts a text column to a string. Replaces invalid UTF-8 with U+FFFD, because row data can contain any bytes.
pub(super) fn decode_text_column(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Locked row or table, and lock mode.
pub(super) type InnoDbLock = (LockResource, String);

pub(super) fn build_innodb_lock(
    (schema, name): (Option<String>, Option<String>),
    index: Option<Vec<u8>>,
    mode: Vec<u8>,
    is_table_lock: bool,
    data: Option<Vec<u8>>,
) -> InnoDbLock {
    let kind = if is_table_lock { LockResourceKind::InnoDbTable } else { LockResourceKind::Row };
    let (index, data) = (index.map(decode_text_column), data.map(decode_text_column));
    (LockResource { kind, schema, name, index, data }, decode_text_column(mode))
}

/// Parses a table name in InnoDB's `` `schema`.`table` `` format.
pub(super) fn parse_table_name(printed: &str) -> (Option<String>, Option<String>) {
    let mut names = Vec::new();
    let mut chars = printed.chars().peekable();
    while names.len() < 2 && chars.next_if_eq(&'`').is_some() {
        let mut name = String::new();
        while let Some(char) = chars.next() {
            if char == '`' && chars.next_if_eq(&'`').is_none() {
                break;
            }
            name.push(char);
        }
        names.push(name);
        let _dot = chars.next_if_eq(&'.');
    }
    let mut names = names.into_iter();
    match (names.next(), names.next()) {
        (Some(schema), Some(table)) => (Some(schema), Some(table)),
        (table, _) => (None, table),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_names_are_parsed_as_innodb_prints_them() {
        for (printed, schema, name) in [
            ("`shop`.`t`", Some("shop"), Some("t")),
            ("`sh``op`.`a.b`", Some("sh`op"), Some("a.b")),
            ("`shop`.`t` /* Partition `p0` */", Some("shop"), Some("t")),
            ("`SYS_TABLES`", None, Some("SYS_TABLES")),
            ("", None, None),
            ("`cut", None, Some("cut")),
        ] {
            let (found_schema, found_name) = parse_table_name(printed);
            assert_eq!((found_schema.as_deref(), found_name.as_deref()), (schema, name), "{printed}");
        }
    }

    #[test]
    fn invalid_utf8_is_replaced() {
        assert_eq!(decode_text_column(b"'a', \xff".to_vec()), "'a', \u{fffd}");
    }
}
