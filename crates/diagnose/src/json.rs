//! Rows as JSON objects: the column keys, numbers as numbers, `null` where a cell is empty.

use clew_model::{COLUMNS, Cell, SessionRow};

use crate::text::push_clean;

/// Appends one row as an object, without line end.
pub fn encode_row(out: &mut Vec<u8>, row: &SessionRow<'_>) {
    for (at, column) in COLUMNS.iter().enumerate() {
        out.extend_from_slice(if at == 0 { b"{\"" } else { b",\"" });
        out.extend_from_slice(column.key.as_bytes());
        out.extend_from_slice(b"\":");
        match (column.cell)(row) {
            Cell::Empty => out.extend_from_slice(b"null"),
            Cell::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Cell::Text(text) => push_string(out, text),
        }
    }
    out.push(b'}');
}

fn push_string(out: &mut Vec<u8>, text: &[u8]) {
    let mut clean = Vec::with_capacity(text.len());
    push_clean(&mut clean, text);
    let clean = String::from_utf8_lossy(&clean);
    // A `Vec` takes every byte and a string has no key that could fail.
    let _ = serde_json::to_writer(out, &clean);
}

#[cfg(test)]
mod tests {
    use clew_model::Session;

    use super::*;

    #[test]
    fn a_row_is_an_object_that_any_reader_takes() {
        let session = Session {
            id: 9,
            user: b"o\"brien\xff".to_vec(),
            statement: Some("SELECT\n'会话'".into()),
            ..Session::default()
        };
        let mut out = Vec::new();
        encode_row(&mut out, &SessionRow { session: &session, transaction: None });
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["session_id"], 9);
        assert_eq!(value["user"], "o\"brien\\xff");
        assert_eq!(value["sql_statement"], "SELECT\n'会话'");
        assert_eq!(value["transaction_id"], serde_json::Value::Null);
        assert_eq!(value.as_object().unwrap().len(), COLUMNS.len());
    }
}
