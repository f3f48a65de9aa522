//! Parses saved snapshots in JSON or CSV. A CSV file may have a header row in English or Chinese.

use clew_model::{SESSION_SNAPSHOT_COLUMNS, Session};
use csv::{ByteRecord, ReaderBuilder};
use serde::Deserialize;

const REQUIRED_SNAPSHOT_COLUMNS: [&str; 8] =
    ["session_id", "user", "host", "database_name", "execution_status", "command", "sql_statement", "state_duration"];
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
const SPREADSHEET_FORMULA_PREFIXES: &[u8] = b"=+-@\t\r";

pub(super) fn parse_snapshot_sessions(bytes: &[u8]) -> Result<Vec<Session>, String> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    match bytes.trim_ascii_start().first() {
        None => Err("the file is empty; a snapshot without sessions has at least a header row".to_owned()),
        Some(b'{') => {
            parse_json_snapshot::<JsonSnapshot>(bytes).map(|snapshot| snapshot.sessions).map(snapshot_rows_to_sessions)
        }
        Some(b'[') => parse_json_snapshot::<Vec<SnapshotRow>>(bytes).map(snapshot_rows_to_sessions),
        Some(_) => parse_csv_snapshot(bytes),
    }
}

#[derive(Deserialize)]
struct SnapshotRow {
    session_id: u64,
    user: String,
    host: String,
    database_name: Option<String>,
    command: String,
    state_duration: u64,
    execution_status: Option<String>,
    sql_statement: Option<String>,
}

/// Output of `clew snapshot --format json`.
#[derive(Deserialize)]
struct JsonSnapshot {
    sessions: Vec<SnapshotRow>,
}

fn parse_json_snapshot<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("not a snapshot: {error}"))
}

fn snapshot_rows_to_sessions(rows: Vec<SnapshotRow>) -> Vec<Session> {
    let session = |row: SnapshotRow| Session {
        id: row.session_id,
        user: row.user.into(),
        host: row.host.into(),
        database: row.database_name.map(Into::into),
        command: row.command.into(),
        seconds: row.state_duration,
        state: row.execution_status.map(Into::into),
        statement: row.sql_statement.map(Into::into),
    };
    rows.into_iter().map(session).collect()
}

fn parse_csv_snapshot(bytes: &[u8]) -> Result<Vec<Session>, String> {
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let (mut record, mut sessions) = (ByteRecord::new(), Vec::new());
    let (mut positions, mut width) = (default_column_positions(), 0);
    let mut is_first = true;
    while reader.read_byte_record(&mut record).map_err(|error| format!("invalid CSV: {error}"))? {
        let line = || line_number_at_offset(bytes, record.position().map_or(0, csv::Position::byte));
        if std::mem::take(&mut is_first) {
            width = record.len();
            if let Some(header_positions) = parse_header_row(&record)? {
                positions = header_positions;
                continue;
            }
            if width < SESSION_SNAPSHOT_COLUMNS.len() {
                let count = SESSION_SNAPSHOT_COLUMNS.len();
                return Err(format!("line {}: {width} fields; a snapshot has at least {count} columns", line()));
            }
        }
        if record.len() != width {
            return Err(format!("line {}: {} fields, but the first line has {width}", line(), record.len()));
        }
        sessions.push(parse_csv_record(&record, positions, line)?);
    }
    Ok(sessions)
}

fn default_column_positions() -> [usize; REQUIRED_SNAPSHOT_COLUMNS.len()] {
    REQUIRED_SNAPSHOT_COLUMNS
        .map(|key| SESSION_SNAPSHOT_COLUMNS.iter().position(|column| column.key == key).unwrap_or_default())
}

/// Returns `None` if the record is not a header row.
fn parse_header_row(record: &ByteRecord) -> Result<Option<[usize; REQUIRED_SNAPSHOT_COLUMNS.len()]>, String> {
    let is_name_of = |key: &str, cell: &[u8]| {
        let column = SESSION_SNAPSHOT_COLUMNS.iter().find(|column| column.key == key);
        column.is_some_and(|column| [column.key, column.label_zh].iter().any(|name| name.as_bytes() == cell))
    };
    let is_header = record.iter().any(|cell| REQUIRED_SNAPSHOT_COLUMNS.iter().any(|key| is_name_of(key, cell)));
    // Every data row of a snapshot starts with a numeric session id.
    if !is_header || record.get(0).is_some_and(|cell| !cell.is_empty() && cell.iter().all(u8::is_ascii_digit)) {
        return Ok(None);
    }
    let mut positions = [0; REQUIRED_SNAPSHOT_COLUMNS.len()];
    for (position, key) in positions.iter_mut().zip(REQUIRED_SNAPSHOT_COLUMNS) {
        let found = record.iter().position(|cell| is_name_of(key, cell));
        *position = found.ok_or_else(|| format!("line 1: the header row has no column {key}"))?;
    }
    Ok(Some(positions))
}

/// Counts the line breaks itself, because the line number of the CSV reader is off by one after CRLF.
fn line_number_at_offset(bytes: &[u8], offset: u64) -> usize {
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    let (before, after) = bytes.split_at_checked(offset).unwrap_or((bytes, &[]));
    let line_breaks = after.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    before.iter().chain(line_breaks).filter(|byte| **byte == b'\n').count() + 1
}

fn parse_csv_record(
    record: &ByteRecord,
    positions: [usize; REQUIRED_SNAPSHOT_COLUMNS.len()],
    line: impl Fn() -> usize,
) -> Result<Session, String> {
    let [id, user, host, database, state, command, statement, seconds] =
        positions.map(|position| record.get(position).unwrap_or_default());
    let number = |key: &str, cell: &[u8]| {
        let text = String::from_utf8_lossy(cell);
        text.parse().map_err(|_| format!("line {}: {key} must be an integer, not {text:?}", line()))
    };
    let optional_text = |cell: &[u8]| (!cell.is_empty()).then(|| unescape_formula_cell(cell));
    Ok(Session {
        id: number("session_id", id)?,
        user: unescape_formula_cell(user),
        host: unescape_formula_cell(host),
        database: optional_text(database),
        command: unescape_formula_cell(command),
        seconds: number("state_duration", seconds)?,
        state: optional_text(state),
        statement: optional_text(statement),
    })
}

/// Also removes such a quote from an original value, because a CSV file does not show whether Clew added it.
fn unescape_formula_cell(cell: &[u8]) -> Vec<u8> {
    match cell {
        [b'\'', rest @ ..] if rest.first().is_some_and(|first| SPREADSHEET_FORMULA_PREFIXES.contains(first)) => {
            rest.to_vec()
        }
        _ => cell.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use clew_diagnose::{csv as snapshot_csv, json};
    use clew_model::{Language, SessionRow};

    use super::*;

    fn sessions() -> Vec<Session> {
        let plain = Session {
            id: 7,
            user: "app".into(),
            host: "10.0.0.7:1".into(),
            database: Some("shop".into()),
            command: "Query".into(),
            seconds: 12,
            state: Some("User sleep".into()),
            statement: Some("SELECT \"a\",\r\n'b'".into()),
        };
        let guarded = Session { id: 8, user: "-x".into(), statement: Some("=1+1".into()), ..plain.clone() };
        let empty = Session { id: 9, database: None, state: None, statement: None, ..plain.clone() };
        vec![plain, guarded, empty]
    }

    fn csv_rows(header: Option<Language>) -> Vec<u8> {
        let mut out = header.map(|language| snapshot_csv::encode_header_row(language, false)).unwrap_or_default();
        for session in &sessions() {
            snapshot_csv::encode_row(&mut out, &SessionRow { session, transaction: None }, true);
        }
        out
    }

    #[test]
    fn all_snapshot_formats_round_trip() {
        for header in [None, Some(Language::EnUs), Some(Language::ZhCn)] {
            assert_eq!(parse_snapshot_sessions(&csv_rows(header)).unwrap(), sessions(), "{header:?}");
        }
        let mut list = b"[".to_vec();
        for (index, session) in sessions().iter().enumerate() {
            list.extend_from_slice(if index > 0 { b",\n" } else { b"\n" });
            json::encode_row(&mut list, &SessionRow { session, transaction: None });
        }
        list.extend_from_slice(b"]");
        assert_eq!(parse_snapshot_sessions(&list).unwrap(), sessions());
        let object = [b"{\"summary\":{\"rows\":3},\n\"sessions\":", list.as_slice(), b"\n}\n"].concat();
        assert_eq!(parse_snapshot_sessions(&object).unwrap(), sessions());
        assert_eq!(parse_snapshot_sessions(&snapshot_csv::encode_header_row(Language::EnUs, false)).unwrap(), []);
    }

    #[test]
    fn header_row_allows_extra_columns_in_any_order() {
        let text = "digest,state_duration,session_id,user,host,database_name,execution_status,command,sql_statement\r\n\
                    x,5,1,app,h,,,Sleep,\r\n";
        let parsed = parse_snapshot_sessions(text.as_bytes()).unwrap();
        assert_eq!((parsed[0].id, parsed[0].seconds, parsed[0].user.as_slice()), (1, 5, b"app".as_slice()));
    }

    #[test]
    fn errors_contain_the_line_number() {
        let with = |row: &str| [csv_rows(Some(Language::EnUs)), row.as_bytes().to_vec()].concat();
        for (bytes, expected) in [
            (Vec::new(), "the file is empty"),
            (b"1,app\r\n".to_vec(), "line 1: 2 fields; a snapshot has at least 15 columns"),
            (b"session_id,user\r\n".to_vec(), "line 1: the header row has no column host"),
            (with("x,a,h,,,Sleep,,5,,,,,,,\r\n"), "line 6: session_id must be an integer, not \"x\""),
            (with("1,a,h,,,Sleep,,-5,,,,,,,\r\n"), "line 6: state_duration must be an integer, not \"-5\""),
            (with("1,a,h\r\n"), "line 6: 3 fields, but the first line has 15"),
            (b"{\"sessions\":[\n{\"session_id\":\"x\"}]}".to_vec(), "line 2"),
            (b"{\"rows\":[]}".to_vec(), "missing field `sessions`"),
            (b"[1,".to_vec(), "line 1"),
        ] {
            let error = parse_snapshot_sessions(&bytes).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
