//! Parses the criteria of a kill task from a request body or a query string.

use clew_model::{ClientAddressFilter, KillCriteria};
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::field_errors::{check_text_length, truncate_for_message, value_not_allowed_error, value_out_of_range_error};
use crate::query_string::QueryString;
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
    pub(super) user: Option<String>,
    pub(super) host: Option<String>,
    pub(super) db: Option<String>,
    pub(super) command: Option<String>,
    pub(super) info: Option<String>,
    pub(super) time: String,
    pub(super) include_unsafe: bool,
}

impl RawKillCriteria {
    pub(super) fn from_query(query: &QueryString) -> Result<Self, ApiError> {
        let get = |name| query.get(name).map(str::to_owned);
        Ok(Self {
            user: get("user"),
            host: get("host"),
            db: get("db"),
            command: get("command"),
            info: get("info"),
            time: query.get_required("time")?.to_owned(),
            include_unsafe: parse_include_unsafe_parameter(query.get(INCLUDE_UNSAFE_FIELD_NAME))?,
        })
    }

    pub(super) fn parse(self) -> Result<KillCriteria, ApiError> {
        let seconds = parse_integer("time", &self.time, 1, KillCriteria::MAX_DURATION_CRITERION_SECONDS)?;
        Ok(KillCriteria {
            user: validate_ascii_name("user", self.user, MAX_USER_NAME_LEN)?,
            host: validate_text_length("host", self.host, MAX_HOST_OR_COMMAND_LEN)?
                .map(|host| ClientAddressFilter::parse(&host)),
            database: validate_ascii_name("db", self.db, MAX_DATABASE_NAME_LEN)?,
            command: validate_text_length("command", self.command, MAX_HOST_OR_COMMAND_LEN)?,
            sql_key: validate_text_length("info", self.info, MAX_STATEMENT_SUBSTRING_LEN)?,
            seconds,
            include_unsafe: self.include_unsafe,
        })
    }
}

fn parse_include_unsafe_parameter(given: Option<&str>) -> Result<bool, ApiError> {
    match given {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(value_not_allowed_error(INCLUDE_UNSAFE_FIELD_NAME, other, &["true", "false"])),
    }
}

/// Rejects a leading `+`, which [`str::parse`] accepts.
pub(super) fn parse_integer(name: &'static str, given: &str, min: u32, max: u32) -> Result<u32, ApiError> {
    let number = if given.bytes().all(|byte| byte.is_ascii_digit()) { given.parse().ok() } else { None };
    number.filter(|number| (min..=max).contains(number)).ok_or_else(|| value_out_of_range_error(name, given, min, max))
}

fn validate_ascii_name(field: &'static str, given: Option<String>, max_len: usize) -> Result<Option<String>, ApiError> {
    let Some(given) = given else { return Ok(None) };
    let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    if (1..=max_len).contains(&given.len()) && given.chars().all(is_allowed) {
        return Ok(Some(given));
    }
    let arguments = [("field", field.into()), ("given", truncate_for_message(&given)), ("max", max_len.to_string())];
    Err(ApiError::invalid_parameter("kill-task-name", arguments))
}

fn validate_text_length(
    field: &'static str,
    given: Option<String>,
    max_len: usize,
) -> Result<Option<String>, ApiError> {
    if let Some(given) = &given {
        check_text_length(field, given, 1, max_len)?;
    }
    Ok(given)
}

/// The audit log contains a placeholder instead of the statement substring, because the substring can contain literals.
pub(super) fn build_audit_detail_for_criteria(criteria: &KillCriteria) -> Value {
    json!({
        "user": criteria.user, "host": criteria.host.as_ref().map(ToString::to_string), "db": criteria.database,
        "command": criteria.command, "info": criteria.sql_key.as_ref().map(|_| MASKED_SUBSTRING_PLACEHOLDER), "time": criteria.seconds,
        "include_unsafe": criteria.include_unsafe,
    })
}
