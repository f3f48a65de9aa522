//! Rows as CSV: RFC 4180, CRLF, quotes where needed, UTF-8 (DESIGN.md section 6).

use clew_model::{COLUMNS, Cell, Column, ColumnKind, Language, SessionRow};

use crate::text::push_clean;

const BOM: &[u8] = "\u{feff}".as_bytes();

/// The header row with its line end. In zh-cn it starts with a byte order mark: spreadsheets want one to read the labels.
#[must_use]
pub fn header_row(language: Language) -> Vec<u8> {
    let name = |column: &Column| match language {
        Language::EnUs => column.key,
        Language::ZhCn => column.label_zh,
    };
    header_of(language, COLUMNS.iter().map(name))
}

/// A header row of these names, which need no quotes.
#[must_use]
pub fn header_of(language: Language, names: impl Iterator<Item = &'static str>) -> Vec<u8> {
    let mut row = if language == Language::ZhCn { BOM.to_vec() } else { Vec::new() };
    row.extend_from_slice(names.collect::<Vec<_>>().join(",").as_bytes());
    row.extend_from_slice(b"\r\n");
    row
}

/// Appends one row with its line end. With `formula_guard`, text that a spreadsheet would take for a formula gets a leading
/// quote mark; numbers never do.
pub fn encode_row(out: &mut Vec<u8>, row: &SessionRow<'_>, formula_guard: bool) {
    let guarded = |column: &Column| formula_guard && column.kind == ColumnKind::Text;
    encode_cells(out, COLUMNS.iter().map(|column| ((column.cell)(row), guarded(column))));
}

/// The same of any cells, each with whether it is guarded.
pub fn encode_cells<'a>(out: &mut Vec<u8>, cells: impl Iterator<Item = (Cell<'a>, bool)>) {
    for (at, (cell, formula_guard)) in cells.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        match cell {
            Cell::Empty => {}
            Cell::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Cell::Text(text) => push_text(out, text, formula_guard),
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// Quotes in place: the text is cleaned straight into the row, then looked at once.
fn push_text(out: &mut Vec<u8>, text: &[u8], formula_guard: bool) {
    let start = out.len();
    if formula_guard && matches!(text.first(), Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r')) {
        out.push(b'\'');
    }
    push_clean(out, text);
    let written = out.get(start..).unwrap_or_default();
    let plain = memchr::memchr3(b',', b'"', b'\n', written).is_none() && memchr::memchr(b'\r', written).is_none();
    if plain {
        return;
    }
    let unquoted = out.split_off(start);
    out.reserve(unquoted.len() + 2);
    out.push(b'"');
    let mut rest: &[u8] = &unquoted;
    while let Some(at) = memchr::memchr(b'"', rest) {
        let (before, after) = rest.split_at(at);
        out.extend_from_slice(before);
        out.extend_from_slice(b"\"\"");
        rest = after.get(1..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use clew_model::{Session, Transaction};
    use proptest::prelude::*;

    use super::*;

    fn encoded(session: &Session, transaction: Option<&Transaction>, guard: bool) -> String {
        let mut out = Vec::new();
        encode_row(&mut out, &SessionRow { session, transaction }, guard);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn headers_are_keys_in_english_and_labels_with_a_mark_in_chinese() {
        let english = String::from_utf8(header_row(Language::EnUs)).unwrap();
        assert!(english.starts_with("session_id,user,host,database_name,execution_status,command,sql_statement,"));
        assert!(english.ends_with(",rows_updated_by_transactions\r\n"));
        let chinese = String::from_utf8(header_row(Language::ZhCn)).unwrap();
        assert!(chinese.starts_with("\u{feff}会话ID,用户名,主机IP,"));
        assert_eq!(chinese.matches(',').count(), COLUMNS.len() - 1);
    }

    #[test]
    fn a_transaction_fills_its_columns() {
        let session = Session { id: 1, seconds: 37, command: b"Sleep".to_vec(), ..Session::default() };
        let transaction = Transaction {
            session_id: 1,
            id: 562_947_831_113_064,
            state: "LOCK WAIT".into(),
            seconds: 40,
            lock_wait_seconds: Some(0),
            rows_locked: 2,
            tables_locked: Some(1),
            rows_modified: 3,
        };
        assert_eq!(
            encoded(&session, Some(&transaction), true),
            "1,,,,,Sleep,,37,40,562947831113064,0,LOCK WAIT,2,1,3\r\n"
        );
    }

    #[test]
    fn formulas_are_disarmed_in_text_only_when_asked() {
        for start in ["=", "+", "-", "@", "\t", "\r"] {
            let statement = format!("{start}1");
            let session = Session { statement: Some(statement.clone().into()), ..Session::default() };
            assert!(encoded(&session, None, true).contains(&format!("'{statement}")), "{start:?}");
            assert!(!encoded(&session, None, false).contains('\''), "{start:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_survives_a_csv_reader(
            user in "\\PC*", database in proptest::option::of("[,\"\r\n a-z]*"), statement in any::<String>(),
        ) {
            let session = Session {
                user: user.clone().into(),
                database: database.clone().map(Into::into),
                statement: Some(statement.clone().into()),
                ..Session::default()
            };
            let row = encoded(&session, None, false);
            let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(row.as_bytes());
            let records: Vec<_> = reader.records().collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(records.len(), 1);
            prop_assert_eq!(records[0].len(), COLUMNS.len());
            prop_assert_eq!(&records[0][1], user);
            prop_assert_eq!(&records[0][3], database.unwrap_or_default());
            prop_assert_eq!(&records[0][6], statement.replace('\0', "\\x00"));
        }
    }
}
