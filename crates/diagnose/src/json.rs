//! Rows as JSON objects: the column keys, numbers as numbers, `null` where a cell is empty.

use clew_model::{COLUMNS, Cell, DETAIL_COLUMNS, SessionDetail, SessionRow};

use crate::text::{push_clean, push_number};

/// Appends one row as an object, without line end.
pub fn encode_row(out: &mut Vec<u8>, row: &SessionRow<'_>) {
    begin_row(out, row);
    out.push(b'}');
}

/// The same without its end: [`finish_row`] adds the rest.
pub fn begin_row(out: &mut Vec<u8>, row: &SessionRow<'_>) {
    for (at, column) in COLUMNS.iter().enumerate() {
        push_cell(out, if at == 0 { b'{' } else { b',' }, column.key, (column.cell)(row));
    }
}

/// Appends the fields of a detailed snapshot and the object's end.
pub fn finish_row(out: &mut Vec<u8>, detail: &SessionDetail) {
    for column in &DETAIL_COLUMNS {
        push_cell(out, b',', column.key, (column.cell)(detail));
    }
    out.push(b'}');
}

fn push_cell(out: &mut Vec<u8>, before: u8, key: &str, cell: Cell<'_>) {
    out.extend_from_slice(&[before, b'"']);
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
    match cell {
        Cell::Empty => out.extend_from_slice(b"null"),
        Cell::Number(number) => push_number(out, number),
        Cell::Text(text) => push_string(out, text),
    }
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

        let mut out = Vec::new();
        begin_row(&mut out, &SessionRow { session: &session, transaction: None });
        finish_row(&mut out, &SessionDetail { root_blocker_id: Some(3), ..SessionDetail::default() });
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((&value["session_id"], &value["root_blocker_id"]), (&9.into(), &3.into()));
        assert_eq!(value.as_object().unwrap().len(), COLUMNS.len() + DETAIL_COLUMNS.len());
    }
}
