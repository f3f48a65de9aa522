//! Encodes sessions as JSON and escapes control characters and other unsafe characters.
//!
//! Each session is encoded as a JSON object whose field names are the column keys.
//! Empty cells are encoded as `null`.

use std::borrow::Cow;
use std::fmt::Write as _;

use clew_model::{
    Cell, SESSION_DETAIL_COLUMNS, SESSION_SNAPSHOT_COLUMNS, SessionDetail, SessionRow, is_unsafe_display_char,
};
use serde::Serialize;

use crate::utf8::{push_bytes_as_text, push_decimal};

/// Serializes a value to single-line JSON and escapes unsafe characters with [`escape_unsafe_chars`].
pub fn to_string<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<String> {
    serde_json::to_string(value).map(escape_json_text)
}

/// Serializes a value to indented JSON and escapes unsafe characters with [`escape_unsafe_chars`].
pub fn to_string_pretty<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<String> {
    serde_json::to_string_pretty(value).map(escape_json_text)
}

/// In JSON text, escapes all unsafe characters ([`is_unsafe_display_char`]) except line breaks and tabs.
///
/// Standard JSON serializers do not escape control characters above U+001F, such as U+009B.
/// Unsafe characters occur only inside JSON strings, so escaping them does not change the parsed value.
#[must_use]
pub fn escape_unsafe_chars(json: &str) -> Cow<'_, str> {
    if !may_contain_unsafe_chars(json.as_bytes()) || !json.chars().any(needs_json_escape) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len() + 64);
    for char in json.chars() {
        if needs_json_escape(char) {
            for unit in char.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(char);
        }
    }
    Cow::Owned(escaped)
}

fn escape_json_text(json: String) -> String {
    match escape_unsafe_chars(&json) {
        Cow::Borrowed(_) => json,
        Cow::Owned(escaped) => escaped,
    }
}

/// Escapes unsafe characters in JSON text encoded as UTF-8 bytes.
#[must_use]
pub fn escape_json_bytes(json: Vec<u8>) -> Vec<u8> {
    if !may_contain_unsafe_chars(&json) {
        return json;
    }
    match String::from_utf8(json) {
        Ok(json) => escape_json_text(json).into_bytes(),
        Err(error) => error.into_bytes(),
    }
}

/// Line breaks and tabs are valid between JSON tokens.
fn needs_json_escape(char: char) -> bool {
    !matches!(char, '\n' | '\r' | '\t') && is_unsafe_display_char(char)
}

/// JSON serializers escape all unsafe ASCII characters except DEL.
fn may_contain_unsafe_chars(json: &[u8]) -> bool {
    !json.is_ascii() || memchr::memchr(0x7f, json).is_some()
}

/// Appends a session to `out` as a JSON object, without a trailing newline.
pub fn encode_row(out: &mut Vec<u8>, row: &SessionRow<'_>) {
    encode_session_fields(out, row);
    out.push(b'}');
}

/// Appends a session as a JSON object without the closing brace, so that [`encode_detail_fields`] can add fields.
pub fn encode_session_fields(out: &mut Vec<u8>, row: &SessionRow<'_>) {
    for (at, column) in SESSION_SNAPSHOT_COLUMNS.iter().enumerate() {
        push_json_field(out, if at == 0 { b'{' } else { b',' }, column.key, (column.cell)(row));
    }
}

/// Appends the detail fields of a session and the closing brace of the JSON object.
pub fn encode_detail_fields(out: &mut Vec<u8>, detail: &SessionDetail) {
    for column in &SESSION_DETAIL_COLUMNS {
        push_json_field(out, b',', column.key, (column.cell)(detail));
    }
    out.push(b'}');
}

fn push_json_field(out: &mut Vec<u8>, before: u8, key: &str, cell: Cell<'_>) {
    out.extend_from_slice(&[before, b'"']);
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
    match cell {
        Cell::Empty => out.extend_from_slice(b"null"),
        Cell::Number(number) => push_decimal(out, number),
        Cell::Text(text) => push_json_string(out, text),
    }
}

fn push_json_string(out: &mut Vec<u8>, text: &[u8]) {
    let mut valid_text = Vec::with_capacity(text.len());
    push_bytes_as_text(&mut valid_text, text);
    let valid_text = String::from_utf8_lossy(&valid_text);
    if may_contain_unsafe_chars(valid_text.as_bytes()) {
        out.extend_from_slice(to_string(&valid_text).unwrap_or_default().as_bytes());
    } else {
        // Serializing a string to a `Vec` cannot fail.
        let _ = serde_json::to_writer(out, &valid_text);
    }
}

#[cfg(test)]
mod tests {
    use clew_model::Session;

    use super::*;

    #[test]
    fn escaping_preserves_the_value() {
        let text = "a\u{9b}2J\u{202e}b\u{2066}\u{61c}\u{200b}\u{7f}\u{feff}\u{e0041}\u{1b}\n会话🧵";
        let value = serde_json::json!({ text: [text] });
        let pretty = to_string_pretty(&value).unwrap();
        for json in
            [to_string(&value).unwrap(), String::from_utf8(escape_json_bytes(value.to_string().into())).unwrap()]
        {
            assert!(!json.chars().any(is_unsafe_display_char), "{json:?}");
            assert!(json.contains("会话🧵") && json.contains("\\u009b") && json.contains("\\udb40\\udc41"), "{json}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), value);
        }
        assert!(
            !pretty.chars().any(|char| char != '\n' && is_unsafe_display_char(char)) && pretty.lines().count() > 3,
            "{pretty:?}"
        );
        assert_eq!(serde_json::from_str::<serde_json::Value>(&pretty).unwrap(), value);

        let session = Session { user: text.into(), ..Session::default() };
        let mut out = Vec::new();
        encode_row(&mut out, &SessionRow { session: &session, transaction: None });
        let row = String::from_utf8(out).unwrap();
        assert!(!row.chars().any(is_unsafe_display_char), "{row:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&row).unwrap()["user"], text);
    }

    #[test]
    fn row_is_a_valid_json_object() {
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
        assert_eq!(value.as_object().unwrap().len(), SESSION_SNAPSHOT_COLUMNS.len());

        let mut out = Vec::new();
        encode_session_fields(&mut out, &SessionRow { session: &session, transaction: None });
        encode_detail_fields(&mut out, &SessionDetail { root_blocker_id: Some(3), ..SessionDetail::default() });
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((&value["session_id"], &value["root_blocker_id"]), (&9.into(), &3.into()));
        assert_eq!(value.as_object().unwrap().len(), SESSION_SNAPSHOT_COLUMNS.len() + SESSION_DETAIL_COLUMNS.len());
    }
}
