//! Sessions of a saved snapshot: CSV with or without its header row, in either language; or JSON.

use clew_model::{COLUMNS, Session};
use csv::{ByteRecord, ReaderBuilder};
use serde::Deserialize;

/// Columns that rules look at.
const NEEDED: [&str; 8] =
    ["session_id", "user", "host", "database_name", "execution_status", "command", "sql_statement", "state_duration"];
const BOM: &[u8] = "\u{feff}".as_bytes();
/// What the guard against formulas puts a quote mark before.
const FORMULA_STARTS: &[u8] = b"=+-@\t\r";

/// The sessions of a file. What is wrong is told with its line.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Session>, String> {
    let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
    match bytes.trim_ascii_start().first() {
        None => Err("it is empty; a snapshot without sessions still has a header row".to_owned()),
        Some(b'{') => json::<Whole>(bytes).map(|whole| whole.sessions).map(made),
        Some(b'[') => json::<Vec<Row>>(bytes).map(made),
        Some(_) => from_csv(bytes),
    }
}

/// What `clew snapshot --format json` writes.
#[derive(Deserialize)]
struct Whole {
    sessions: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    session_id: u64,
    user: String,
    host: String,
    database_name: Option<String>,
    execution_status: Option<String>,
    command: String,
    sql_statement: Option<String>,
    state_duration: u64,
}

fn json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("it is no snapshot: {error}"))
}

fn made(rows: Vec<Row>) -> Vec<Session> {
    let session = |row: Row| Session {
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

fn from_csv(bytes: &[u8]) -> Result<Vec<Session>, String> {
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let (mut record, mut sessions) = (ByteRecord::new(), Vec::new());
    let (mut places, mut width) = (positions(), 0);
    let mut first = true;
    while reader.read_byte_record(&mut record).map_err(|error| format!("it is no CSV: {error}"))? {
        let line = || line(bytes, record.position().map_or(0, csv::Position::byte));
        if std::mem::take(&mut first) {
            width = record.len();
            if let Some(named) = header(&record)? {
                places = named;
                continue;
            }
            if width < COLUMNS.len() {
                let count = COLUMNS.len();
                return Err(format!("line {}: it has {width} fields; a snapshot has {count} columns at least", line()));
            }
        }
        if record.len() != width {
            return Err(format!("line {}: it has {} fields, and the first line has {width}", line(), record.len()));
        }
        sessions.push(session(&record, places, line)?);
    }
    Ok(sessions)
}

/// Where the columns stand that rules look at, in a file without header row.
fn positions() -> [usize; NEEDED.len()] {
    NEEDED.map(|key| COLUMNS.iter().position(|column| column.key == key).unwrap_or_default())
}

/// Where they stand by the header row, if this is one.
fn header(record: &ByteRecord) -> Result<Option<[usize; NEEDED.len()]>, String> {
    let names = |key: &str, cell: &[u8]| {
        let column = COLUMNS.iter().find(|column| column.key == key);
        column.is_some_and(|column| [column.key, column.label_zh].iter().any(|name| name.as_bytes() == cell))
    };
    let is_header = record.iter().any(|cell| NEEDED.iter().any(|key| names(key, cell)));
    // A number stands first in every row of a snapshot.
    if !is_header || record.get(0).is_some_and(|cell| !cell.is_empty() && cell.iter().all(u8::is_ascii_digit)) {
        return Ok(None);
    }
    let mut places = [0; NEEDED.len()];
    for (place, key) in places.iter_mut().zip(NEEDED) {
        let found = record.iter().position(|cell| names(key, cell));
        *place = found.ok_or_else(|| format!("line 1: the header row has no column {key}"))?;
    }
    Ok(Some(places))
}

/// The line of a record. The reader's own count is one behind where lines end in CR LF.
fn line(bytes: &[u8], at: u64) -> usize {
    let (before, after) = bytes.split_at_checked(usize::try_from(at).unwrap_or(usize::MAX)).unwrap_or((bytes, &[]));
    let ends = after.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    before.iter().chain(ends).filter(|byte| **byte == b'\n').count() + 1
}

fn session(record: &ByteRecord, places: [usize; NEEDED.len()], line: impl Fn() -> usize) -> Result<Session, String> {
    let [id, user, host, database, state, command, statement, seconds] =
        places.map(|place| record.get(place).unwrap_or_default());
    let number = |key: &str, cell: &[u8]| {
        let text = String::from_utf8_lossy(cell);
        text.parse().map_err(|_| format!("line {}: {key} cannot be {text:?}; it is a whole number", line()))
    };
    let may_be_text = |cell: &[u8]| (!cell.is_empty()).then(|| unguarded(cell));
    Ok(Session {
        id: number("session_id", id)?,
        user: unguarded(user),
        host: unguarded(host),
        database: may_be_text(database),
        command: unguarded(command),
        seconds: number("state_duration", seconds)?,
        state: may_be_text(state),
        statement: may_be_text(statement),
    })
}

/// A cell as it was before the guard against formulas. Who writes statements that begin with a quote mark and an equals sign loses the
/// mark; nobody can tell the two apart.
fn unguarded(cell: &[u8]) -> Vec<u8> {
    match cell {
        [b'\'', rest @ ..] if rest.first().is_some_and(|first| FORMULA_STARTS.contains(first)) => rest.to_vec(),
        _ => cell.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use clew_diagnose::{csv as written, json};
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

    fn rows(header: Option<Language>) -> Vec<u8> {
        let mut out = header.map(written::header_row).unwrap_or_default();
        for session in &sessions() {
            written::encode_row(&mut out, &SessionRow { session, transaction: None }, true);
        }
        out
    }

    #[test]
    fn every_form_that_clew_writes_is_read_back() {
        for header in [None, Some(Language::EnUs), Some(Language::ZhCn)] {
            assert_eq!(parse(&rows(header)).unwrap(), sessions(), "{header:?}");
        }
        let mut list = b"[".to_vec();
        for (at, session) in sessions().iter().enumerate() {
            list.extend_from_slice(if at > 0 { b",\n" } else { b"\n" });
            json::encode_row(&mut list, &SessionRow { session, transaction: None });
        }
        list.extend_from_slice(b"]");
        assert_eq!(parse(&list).unwrap(), sessions());
        let whole = [b"{\"summary\":{\"rows\":3},\n\"sessions\":", list.as_slice(), b"\n}\n"].concat();
        assert_eq!(parse(&whole).unwrap(), sessions());
        assert_eq!(parse(&written::header_row(Language::EnUs)).unwrap(), []);
    }

    #[test]
    fn further_columns_and_another_order_do_not_matter() {
        let text = "digest,state_duration,session_id,user,host,database_name,execution_status,command,sql_statement\r\n\
                    x,5,1,app,h,,,Sleep,\r\n";
        let read = parse(text.as_bytes()).unwrap();
        assert_eq!((read[0].id, read[0].seconds, read[0].user.as_slice()), (1, 5, b"app".as_slice()));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let with = |row: &str| [rows(Some(Language::EnUs)), row.as_bytes().to_vec()].concat();
        for (bytes, wrong) in [
            (Vec::new(), "it is empty"),
            (b"1,app\r\n".to_vec(), "line 1: it has 2 fields; a snapshot has 15 columns"),
            (b"session_id,user\r\n".to_vec(), "line 1: the header row has no column host"),
            (with("x,a,h,,,Sleep,,5,,,,,,,\r\n"), "line 6: session_id cannot be \"x\""),
            (with("1,a,h,,,Sleep,,-5,,,,,,,\r\n"), "line 6: state_duration cannot be \"-5\""),
            (with("1,a,h\r\n"), "line 6: it has 3 fields, and the first line has 15"),
            (b"{\"sessions\":[\n{\"session_id\":\"x\"}]}".to_vec(), "line 2"),
            (b"{\"rows\":[]}".to_vec(), "missing field `sessions`"),
            (b"[1,".to_vec(), "line 1"),
        ] {
            let error = parse(&bytes).unwrap_err();
            assert!(error.contains(wrong), "{error}");
        }
    }
}
