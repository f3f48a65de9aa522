//! Whom a task kills, as bodies and queries say it: the same fields in both.

use clew_model::{HostPattern, KillCriteria};
use serde_json::{Value, json};

use crate::body::{Body, missing};
use crate::query::{Query, shown};
use crate::refusal::Refusal;
use crate::statement_text::HIDDEN;

/// Names of the fields. `include_unsafe` is an addition of Clew's.
pub(super) const FIELDS: [&str; 7] = ["user", "host", "db", "command", "info", "time", INCLUDE_UNSAFE];
const INCLUDE_UNSAFE: &str = "include_unsafe";

/// Longest name of an account (spec section 2.8).
const LONGEST_USER: usize = 32;
/// Longest name of a database.
const LONGEST_DATABASE: usize = 64;
/// Longest host and command: as in the filters of a collection.
const LONGEST_TEXT: usize = 255;
/// Longest part of a statement.
const LONGEST_INFO: usize = 1024;

/// The fields as they were given.
#[derive(Debug, Default)]
pub(super) struct Texts {
    user: Option<String>,
    host: Option<String>,
    db: Option<String>,
    command: Option<String>,
    info: Option<String>,
    time: Option<String>,
    include_unsafe: Option<String>,
}

impl Texts {
    pub(super) fn of_body(body: &Body) -> Result<Self, Refusal> {
        Ok(Self {
            user: body.get("user")?,
            host: body.get("host")?,
            db: body.get("db")?,
            command: body.get("command")?,
            info: body.get("info")?,
            time: digits(body, "time"),
            include_unsafe: body.raw(INCLUDE_UNSAFE).map(str::to_owned),
        })
    }

    pub(super) fn of_query(query: &Query) -> Self {
        let get = |name| query.get(name).map(str::to_owned);
        Self {
            user: get("user"),
            host: get("host"),
            db: get("db"),
            command: get("command"),
            info: get("info"),
            time: get("time"),
            include_unsafe: get(INCLUDE_UNSAFE),
        }
    }

    /// What they mean, if they can be meant.
    pub(super) fn criteria(self) -> Result<KillCriteria, Refusal> {
        let seconds = whole("time", &self.time.ok_or_else(|| missing("time"))?, 1, KillCriteria::MAX_SECONDS)?;
        Ok(KillCriteria {
            user: name("user", self.user, LONGEST_USER)?,
            host: text("host", self.host, LONGEST_TEXT)?.map(|host| HostPattern::parse(&host)),
            database: name("db", self.db, LONGEST_DATABASE)?,
            command: text("command", self.command, LONGEST_TEXT)?,
            sql_key: text("info", self.info, LONGEST_INFO)?,
            seconds,
            include_unsafe: include_unsafe(self.include_unsafe.as_deref())?,
        })
    }
}

fn include_unsafe(given: Option<&str>) -> Result<bool, Refusal> {
    match given {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(Refusal::not_one_of(INCLUDE_UNSAFE, shown(other), &["true", "false"])),
    }
}

/// A number, which the cloud's own interfaces write now with quotes and now without.
pub(super) fn digits(body: &Body, name: &str) -> Option<String> {
    body.raw(name).map(|raw| raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')).unwrap_or(raw).to_owned())
}

/// A whole number in a range, in digits alone.
pub(super) fn whole(name: &'static str, given: &str, min: u32, max: u32) -> Result<u32, Refusal> {
    let number = if given.bytes().all(|byte| byte.is_ascii_digit()) { given.parse().ok() } else { None };
    number
        .filter(|number| (min..=max).contains(number))
        .ok_or_else(|| Refusal::out_of_range(name, shown(given), &(min.into()..=max.into())))
}

fn name(field: &'static str, given: Option<String>, longest: usize) -> Result<Option<String>, Refusal> {
    let Some(given) = given else { return Ok(None) };
    let letters = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    if (1..=longest).contains(&given.len()) && given.chars().all(letters) {
        return Ok(Some(given));
    }
    let arguments = vec![("field", field.into()), ("given", shown(&given)), ("max", longest.to_string())];
    Err(Refusal::parameter("kill-task-name", arguments))
}

fn text(field: &'static str, given: Option<String>, longest: usize) -> Result<Option<String>, Refusal> {
    let Some(given) = given else { return Ok(None) };
    let length = given.chars().count();
    if (1..=longest).contains(&length) {
        return Ok(Some(given));
    }
    let (length, max) = (length.to_string(), longest.to_string());
    let arguments = vec![("field", field.into()), ("length", length), ("min", "1".into()), ("max", max)];
    Err(Refusal::parameter("parameter-length", arguments))
}

/// The criteria as the audit records them, without the part of a statement.
pub(super) fn audit_detail(criteria: &KillCriteria) -> Value {
    json!({
        "user": criteria.user, "host": criteria.host.as_ref().map(ToString::to_string), "db": criteria.database,
        "command": criteria.command, "info": criteria.sql_key.as_ref().map(|_| HIDDEN), "time": criteria.seconds,
        "include_unsafe": criteria.include_unsafe,
    })
}
