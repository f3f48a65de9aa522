//! Encodes rows as CSV (RFC 4180): UTF-8, CRLF line endings, and quotes only around cells that require them.

use clew_model::{
    Cell, Column, ColumnKind, Language, SESSION_DETAIL_COLUMNS, SESSION_SNAPSHOT_COLUMNS, SessionDetail, SessionRow,
};

use crate::utf8::{push_bytes_as_text, push_decimal};

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Returns the CSV header row of a session list, terminated by CRLF. Includes the detail columns if `detailed` is true.
///
/// The Chinese header starts with a byte order mark, by which spreadsheet programs detect UTF-8.
#[must_use]
pub fn encode_header_row(language: Language, detailed: bool) -> Vec<u8> {
    let details = if detailed { SESSION_DETAIL_COLUMNS.as_slice() } else { &[] };
    let names = column_names(&SESSION_SNAPSHOT_COLUMNS, language).chain(column_names(details, language));
    encode_header_row_from_names(language, names)
}

/// Encodes column names as a CSV header row, terminated by CRLF.
/// The column names must not contain commas, because the function does not quote names.
#[must_use]
pub fn encode_header_row_from_names(language: Language, names: impl Iterator<Item = &'static str>) -> Vec<u8> {
    let mut row = if language == Language::ZhCn { BYTE_ORDER_MARK.to_vec() } else { Vec::new() };
    row.extend_from_slice(names.collect::<Vec<_>>().join(",").as_bytes());
    row.extend_from_slice(b"\r\n");
    row
}

fn column_names<C>(columns: &[Column<C>], language: Language) -> impl Iterator<Item = &'static str> {
    columns.iter().map(move |column| match language {
        Language::EnUs => column.key,
        Language::ZhCn => column.label_zh,
    })
}

/// Appends a session to `out` as a CSV row, terminated by CRLF.
///
/// If `formula_guard` is true, adds a `'` prefix to text cells that a spreadsheet program would evaluate as a formula.
pub fn encode_row(out: &mut Vec<u8>, row: &SessionRow<'_>, formula_guard: bool) {
    encode_session_columns(out, row, formula_guard);
    out.extend_from_slice(b"\r\n");
}

/// Appends a session as a CSV row without CRLF. [`encode_detail_columns`] can append more columns.
pub fn encode_session_columns(out: &mut Vec<u8>, row: &SessionRow<'_>, formula_guard: bool) {
    let is_guarded = |column: &Column| formula_guard && column.kind == ColumnKind::Text;
    push_csv_cells(out, SESSION_SNAPSHOT_COLUMNS.iter().map(|column| ((column.cell)(row), is_guarded(column))));
}

/// Appends a CSV row of arbitrary cells, terminated by CRLF.
/// Each item of `cells` contains a cell and a flag that enables the formula guard for the cell.
/// The formula guard adds a `'` prefix to a cell that a spreadsheet program would evaluate as a formula.
pub fn encode_row_from_cells<'a>(out: &mut Vec<u8>, cells: impl Iterator<Item = (Cell<'a>, bool)>) {
    push_csv_cells(out, cells);
    out.extend_from_slice(b"\r\n");
}

fn push_csv_cells<'a>(out: &mut Vec<u8>, cells: impl Iterator<Item = (Cell<'a>, bool)>) {
    for (at, (cell, formula_guard)) in cells.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_csv_cell(out, cell, formula_guard);
    }
}

/// Appends the detail columns of a session and the CRLF that terminates the CSV row.
pub fn encode_detail_columns(out: &mut Vec<u8>, detail: &SessionDetail, formula_guard: bool) {
    for column in &SESSION_DETAIL_COLUMNS {
        out.push(b',');
        push_csv_cell(out, (column.cell)(detail), formula_guard && column.kind == ColumnKind::Text);
    }
    out.extend_from_slice(b"\r\n");
}

fn push_csv_cell(out: &mut Vec<u8>, cell: Cell<'_>, formula_guard: bool) {
    match cell {
        Cell::Empty => {}
        Cell::Number(number) => push_decimal(out, number),
        Cell::Text(text) => push_csv_text(out, text, formula_guard),
    }
}

fn push_csv_text(out: &mut Vec<u8>, text: &[u8], formula_guard: bool) {
    let SpecialBytes { has_quote, has_comma_or_line_break, may_need_escape } = SpecialBytes::find_in(text);
    let is_quoted = has_quote || has_comma_or_line_break;
    if is_quoted {
        out.push(b'"');
    }
    if formula_guard && matches!(text.first(), Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r')) {
        out.push(b'\'');
    }
    if has_quote || may_need_escape {
        // A quote byte is never part of a multi-byte UTF-8 character, so the text can be split at the quotes.
        for (at, piece) in text.split(|&byte| byte == b'"').enumerate() {
            if at > 0 {
                out.extend_from_slice(b"\"\"");
            }
            push_bytes_as_text(out, piece);
        }
    } else {
        out.extend_from_slice(text);
    }
    if is_quoted {
        out.push(b'"');
    }
}

struct SpecialBytes {
    has_quote: bool,
    has_comma_or_line_break: bool,
    /// True if the cell contains NUL or non-ASCII bytes, which may need a `\xNN` escape.
    may_need_escape: bool,
}

impl SpecialBytes {
    /// Scans the whole text in one loop without an early exit, so that the compiler can vectorize the loop.
    fn find_in(text: &[u8]) -> Self {
        let mut found = Self { has_quote: false, has_comma_or_line_break: false, may_need_escape: false };
        for &byte in text {
            found.has_quote |= byte == b'"';
            found.has_comma_or_line_break |= matches!(byte, b',' | b'\n' | b'\r');
            found.may_need_escape |= byte == 0 || !byte.is_ascii();
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use clew_model::{Session, Transaction};
    use proptest::prelude::*;

    use super::*;

    fn encode(session: &Session, transaction: Option<&Transaction>, guard: bool) -> String {
        let mut out = Vec::new();
        encode_row(&mut out, &SessionRow { session, transaction }, guard);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn header_has_keys_in_english_and_labels_with_bom_in_chinese() {
        let english = String::from_utf8(encode_header_row(Language::EnUs, false)).unwrap();
        assert!(english.starts_with("session_id,user,host,database_name,execution_status,command,sql_statement,"));
        assert!(english.ends_with(",rows_updated_by_transactions\r\n"));
        let chinese = String::from_utf8(encode_header_row(Language::ZhCn, false)).unwrap();
        assert!(chinese.starts_with("\u{feff}会话ID,用户名,主机IP,"));
        assert_eq!(chinese.matches(',').count(), SESSION_SNAPSHOT_COLUMNS.len() - 1);
    }

    #[test]
    fn detail_columns_follow_the_api_columns() {
        let english = String::from_utf8(encode_header_row(Language::EnUs, true)).unwrap();
        let base = String::from_utf8(encode_header_row(Language::EnUs, false)).unwrap();
        let added = ",statement_digest,program_name,waits_for,blocker_id,root_blocker_id\r\n";
        assert_eq!(english, base.trim_end().to_owned() + added);
        let chinese = String::from_utf8(encode_header_row(Language::ZhCn, true)).unwrap();
        assert!(chinese.starts_with("\u{feff}会话ID,") && chinese.matches('\u{feff}').count() == 1);

        let session = Session { id: 1, command: b"Query".to_vec(), ..Session::default() };
        let detail = SessionDetail {
            program_name: Some(b"=cmd, \"x\"".as_slice().into()),
            waits_for: Some("row 1, 'a' of shop.t".to_owned()),
            blocker_id: Some(7),
            ..SessionDetail::default()
        };
        let mut row = Vec::new();
        encode_session_columns(&mut row, &SessionRow { session: &session, transaction: None }, true);
        encode_detail_columns(&mut row, &detail, true);
        let expected = "1,,,,,Query,,0,,,,,,,,,\"'=cmd, \"\"x\"\"\",\"row 1, 'a' of shop.t\",7,\r\n";
        assert_eq!(String::from_utf8(row).unwrap(), expected);
    }

    #[test]
    fn transaction_columns_are_filled() {
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
            encode(&session, Some(&transaction), true),
            "1,,,,,Sleep,,37,40,562947831113064,0,LOCK WAIT,2,1,3\r\n"
        );
    }

    #[test]
    fn formula_guard_prefixes_formulas_if_enabled() {
        for start in ["=", "+", "-", "@", "\t", "\r"] {
            let statement = format!("{start}1");
            let session = Session { statement: Some(statement.clone().into()), ..Session::default() };
            assert!(encode(&session, None, true).contains(&format!("'{statement}")), "{start:?}");
            assert!(!encode(&session, None, false).contains('\''), "{start:?}");
        }
    }

    #[test]
    fn invalid_bytes_and_quotes_are_escaped_in_the_same_cell() {
        for (statement, cell) in [
            (&b"caf\xe9"[..], r"caf\xe9"),
            (b"caf\xe9 \"\xff\", \0", r#""caf\xe9 ""\xff"", \x00""#),
            ("\"会话\"".as_bytes(), r#""""会话""""#),
            (b"\"\"", "\"\"\"\"\"\""),
        ] {
            let session = Session { statement: Some(statement.to_vec()), ..Session::default() };
            assert_eq!(encode(&session, None, true), format!("0,,,,,,{cell},0,,,,,,,\r\n"));
        }
    }

    proptest! {
        #[test]
        fn any_text_round_trips_through_a_csv_reader(
            user in "\\PC*", database in proptest::option::of("[,\"\r\n a-z]*"), statement in any::<String>(),
        ) {
            let session = Session {
                user: user.clone().into(),
                database: database.clone().map(Into::into),
                statement: Some(statement.clone().into()),
                ..Session::default()
            };
            let row = encode(&session, None, false);
            let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(row.as_bytes());
            let records: Vec<_> = reader.records().collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(records.len(), 1);
            prop_assert_eq!(records[0].len(), SESSION_SNAPSHOT_COLUMNS.len());
            prop_assert_eq!(&records[0][1], user);
            prop_assert_eq!(&records[0][3], database.unwrap_or_default());
            prop_assert_eq!(&records[0][6], statement.replace('\0', "\\x00"));
        }
    }
}
