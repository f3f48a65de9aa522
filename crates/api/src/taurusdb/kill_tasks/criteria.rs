//! Parses the criteria of a kill task from a request body or a query string.

use clew_model::{ClientAddressFilter, KillCriteria};
use serde_json::{Value, json};

use crate::body::{JsonBody, missing_field_error};
use crate::error::ApiError;
use crate::query_string::{QueryString, truncate_for_message};
use crate::statement_text::MASKED_SUBSTRING_PLACEHOLDER;

/// The field `include_unsafe` is a Clew extension to the TaurusDB API.
pub(super) const KILL_CRITERIA_FIELD_NAMES: [&str; 7] =
    ["user", "host", "db", "command", "info", "time", INCLUDE_UNSAFE_FIELD_NAME];
const INCLUDE_UNSAFE_FIELD_NAME: &str = "include_unsafe";

/// Maximum length of an account name, in characters (section 2.8 of the TaurusDB API spec).
const MAX_USER_NAME_LEN: usize = 32;
const MAX_DATABASE_NAME_LEN: usize = 64;
const MAX_HOST_OR_COMMAND_LEN: usize = 255;
const MAX_STATEMENT_SUBSTRING_LEN: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct RawKillCriteria {
    user: Option<String>,
    host: Option<String>,
    db: Option<String>,
    command: Option<String>,
    info: Option<String>,
    time: Option<String>,
    include_unsafe: Option<String>,
}

impl RawKillCriteria {
    pub(super) fn from_body(body: &JsonBody) -> Result<Self, ApiError> {
        Ok(Self {
            user: body.get("user")?,
            host: body.get("host")?,
            db: body.get("db")?,
            command: body.get("command")?,
            info: body.get("info")?,
            time: get_unquoted_number(body, "time"),
            include_unsafe: body.get_raw_json(INCLUDE_UNSAFE_FIELD_NAME).map(str::to_owned),
        })
    }

    pub(super) fn from_query(query: &QueryString) -> Self {
        let get = |name| query.get(name).map(str::to_owned);
        Self {
            user: get("user"),
            host: get("host"),
            db: get("db"),
            command: get("command"),
            info: get("info"),
            time: get("time"),
            include_unsafe: get(INCLUDE_UNSAFE_FIELD_NAME),
        }
    }

    pub(super) fn parse(self) -> Result<KillCriteria, ApiError> {
        let time = self.time.ok_or_else(|| missing_field_error("time"))?;
        let seconds = parse_integer("time", &time, 1, KillCriteria::MAX_DURATION_CRITERION_SECONDS)?;
        Ok(KillCriteria {
            user: validate_ascii_name("user", self.user, MAX_USER_NAME_LEN)?,
            host: validate_text_length("host", self.host, MAX_HOST_OR_COMMAND_LEN)?
                .map(|host| ClientAddressFilter::parse(&host)),
            database: validate_ascii_name("db", self.db, MAX_DATABASE_NAME_LEN)?,
            command: validate_text_length("command", self.command, MAX_HOST_OR_COMMAND_LEN)?,
            sql_key: validate_text_length("info", self.info, MAX_STATEMENT_SUBSTRING_LEN)?,
            seconds,
            include_unsafe: parse_include_unsafe_field(self.include_unsafe.as_deref())?,
        })
    }
}

fn parse_include_unsafe_field(given: Option<&str>) -> Result<bool, ApiError> {
    match given {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(ApiError::value_not_allowed_error(
            INCLUDE_UNSAFE_FIELD_NAME,
            truncate_for_message(other),
            &["true", "false"],
        )),
    }
}

/// Huawei Cloud clients send numbers with or without quotes.
pub(super) fn get_unquoted_number(body: &JsonBody, name: &str) -> Option<String> {
    body.get_raw_json(name)
        .map(|raw| raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')).unwrap_or(raw).to_owned())
}

/// Parses an unsigned integer and checks its range. Rejects a leading `+`.
pub(super) fn parse_integer(name: &'static str, given: &str, min: u32, max: u32) -> Result<u32, ApiError> {
    let number = if given.bytes().all(|byte| byte.is_ascii_digit()) { given.parse().ok() } else { None };
    number.filter(|number| (min..=max).contains(number)).ok_or_else(|| {
        ApiError::value_out_of_range_error(name, truncate_for_message(given), &(min.into()..=max.into()))
    })
}

fn validate_ascii_name(field: &'static str, given: Option<String>, max_len: usize) -> Result<Option<String>, ApiError> {
    let Some(given) = given else { return Ok(None) };
    let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    if (1..=max_len).contains(&given.len()) && given.chars().all(is_allowed) {
        return Ok(Some(given));
    }
    let arguments =
        vec![("field", field.into()), ("given", truncate_for_message(&given)), ("max", max_len.to_string())];
    Err(ApiError::invalid_parameter("kill-task-name", arguments))
}

fn validate_text_length(
    field: &'static str,
    given: Option<String>,
    max_len: usize,
) -> Result<Option<String>, ApiError> {
    let Some(given) = given else { return Ok(None) };
    let length = given.chars().count();
    if (1..=max_len).contains(&length) {
        return Ok(Some(given));
    }
    let (length, max) = (length.to_string(), max_len.to_string());
    let arguments = vec![("field", field.into()), ("length", length), ("min", "1".into()), ("max", max)];
    Err(ApiError::invalid_parameter("parameter-length", arguments))
}

/// Replaces the statement substring with a placeholder, because the substring can contain literals.
pub(super) fn build_audit_detail_for_criteria(criteria: &KillCriteria) -> Value {
    json!({
        "user": criteria.user, "host": criteria.host.as_ref().map(ToString::to_string), "db": criteria.database,
        "command": criteria.command, "info": criteria.sql_key.as_ref().map(|_| MASKED_SUBSTRING_PLACEHOLDER), "time": criteria.seconds,
        "include_unsafe": criteria.include_unsafe,
    })
}
