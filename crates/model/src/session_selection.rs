//! Filters and sort order of a snapshot (TaurusDB API spec, section 1.2).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::session::split_host_port;

/// Default threshold for slow sessions and long transactions, in seconds (TaurusDB API spec, section 2.9).
pub const DEFAULT_SLOW_SESSION_SECONDS: u32 = 10;

/// Minimum duration of slow sessions and long transactions, from 1 to 86,400 seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SlowSessionThreshold(u32);

impl SlowSessionThreshold {
    /// Maximum threshold in seconds: one day.
    pub const MAX_SLOW_SESSION_SECONDS: u32 = 86_400;

    /// Creates a threshold from a number of seconds. Returns `None` if the number is not from 1 to 86,400.
    #[must_use]
    pub fn new(seconds: i64) -> Option<Self> {
        u32::try_from(seconds).ok().filter(|seconds| (1..=Self::MAX_SLOW_SESSION_SECONDS).contains(seconds)).map(Self)
    }

    /// Returns the threshold in seconds.
    #[must_use]
    pub fn seconds(self) -> u64 {
        u64::from(self.0)
    }
}

impl Default for SlowSessionThreshold {
    fn default() -> Self {
        Self(DEFAULT_SLOW_SESSION_SECONDS)
    }
}

crate::named_enum! {
    /// Class of sessions to include in a snapshot, as specified in the request field `filter`.
    #[derive(Default)]
    pub enum SessionClass {
        /// Active sessions that have been in the current state for at least the slow-session threshold.
        Slow = "slow",
        /// Sessions whose command is not `Sleep`.
        Active = "active",
        /// All sessions except internal ones.
        #[default]
        Total = "total",
        /// Sessions whose transaction age has reached the configured threshold for long transactions.
        Long = "long",
    }
}

crate::named_enum! {
    /// Sort key of a snapshot. Sessions with equal keys are sorted by session id.
    #[derive(Default)]
    pub enum SortKey {
        /// Session id.
        #[default]
        Id = "id",
        /// Seconds in the current state.
        StateDuration = "state_duration",
        /// Age of the open transaction.
        TransactionDuration = "trx_executed_time",
        /// Transaction id of the server.
        TransactionId = "trx_id",
        /// Lock wait time of the transaction.
        LockWait = "trx_lock_duration",
        /// Number of locked rows.
        RowsLocked = "trx_lock_rows",
        /// Number of locked tables.
        TablesLocked = "trx_lock_tables",
        /// Number of modified rows.
        RowsModified = "trx_update_rows",
    }
}

crate::named_enum! {
    /// Sort direction. Sessions without a value for the sort key come last in both directions.
    #[derive(Default)]
    pub enum SortDirection {
        /// Largest first.
        Descending = "desc",
        /// Smallest first.
        #[default]
        Ascending = "asc",
    }
}

/// Client address filter with a host and an optional port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientAddressFilter {
    /// Host name or IP address. IPv6 addresses have no brackets.
    pub host: String,
    /// Port digits; `None` matches every port.
    pub port: Option<String>,
}

impl ClientAddressFilter {
    /// Parses a client address filter, such as `10.0.0.7`, `10.0.0.7:51234`, `::1`, `[::1]` or `[::1]:51234`.
    ///
    /// An IPv6 address with a port must be enclosed in brackets.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let without_port = |host: &str| Self { host: host.to_owned(), port: None };
        if let Some((host, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            return match rest.strip_prefix(':') {
                Some(port) => Self { host: host.to_owned(), port: Some(port.to_owned()) },
                None => without_port(host),
            };
        }
        match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => Self { host: host.to_owned(), port: Some(port.to_owned()) },
            _ => without_port(text),
        }
    }

    /// Returns true if the filter matches `address`, a client address in the format of MySQL and MariaDB.
    #[must_use]
    pub fn matches(&self, address: &[u8]) -> bool {
        let (host, port) = split_host_port(address);
        let same_host = self.host.as_bytes() == host || (self.port.is_none() && self.host.as_bytes() == address);
        same_host && self.port.as_ref().is_none_or(|own| port == Some(own.as_bytes()))
    }
}

impl fmt::Display for ClientAddressFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.port {
            None => f.write_str(&self.host),
            Some(port) if self.host.contains(':') => write!(f, "[{}]:{port}", self.host),
            Some(port) => write!(f, "{}:{port}", self.host),
        }
    }
}

/// Unvalidated filter and sort fields of a request. A field is `None` if the request omits the field.
/// Serializes to the body of a request that starts a collection task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct UnvalidatedSessionSelection {
    /// Class of sessions: `slow`, `active`, `total` or `long`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Minimum duration of slow sessions and long transactions, in seconds (1 to 86,400).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_process_threshold: Option<i64>,
    /// Account name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Client address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Default database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db: Option<String>,
    /// Command, such as `Query` or `Sleep`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Substring of the statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql_key: Option<String>,
    /// Column to sort by, such as `id`, `state_duration` or `trx_executed_time`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sort_key: Option<String>,
    /// Sort order: `asc` or `desc`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sort_dir: Option<String>,
}

/// Validation error for a field of [`UnvalidatedSessionSelection`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionSelectionError {
    /// The value is not in the list of allowed values.
    #[error("{field} cannot be {given:?}; it is one of {}", allowed.join(", "))]
    NotOneOf {
        /// Name of the field.
        field: &'static str,
        /// Invalid value, truncated to 80 characters.
        given: String,
        /// Allowed values.
        allowed: &'static [&'static str],
    },
    /// The text is empty or too long.
    #[error("{field} has {length} characters; it takes {min} to {max}")]
    Length {
        /// Name of the field.
        field: &'static str,
        /// Number of characters.
        length: usize,
        /// Minimum number of characters.
        min: usize,
        /// Maximum number of characters.
        max: usize,
    },
    /// The number is out of range.
    #[error("{field} cannot be {given}; it is {min} to {max}")]
    Range {
        /// Name of the field.
        field: &'static str,
        /// Invalid value.
        given: i64,
        /// Minimum value.
        min: i64,
        /// Maximum value.
        max: i64,
    },
}

/// Session filters and sort order. A session must match all filters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionSelection {
    /// Class of sessions.
    pub class: SessionClass,
    /// Minimum duration of slow sessions and long transactions.
    /// If `threshold` is `None`, the instance's slow-session threshold applies, by default [`DEFAULT_SLOW_SESSION_SECONDS`].
    pub threshold: Option<SlowSessionThreshold>,
    /// Exact account name.
    pub user: Option<String>,
    /// Client address.
    pub host: Option<ClientAddressFilter>,
    /// Exact name of the default database.
    pub database: Option<String>,
    /// Command; compared case-insensitively.
    pub command: Option<String>,
    /// Substring that the SQL statement must contain, ignoring case.
    pub sql_key: Option<String>,
    /// Sort key.
    pub sort_key: SortKey,
    /// Sort direction.
    pub sort_direction: SortDirection,
}

impl SessionSelection {
    /// Maximum length of a text filter, in characters.
    ///
    /// The API schema allows only 36 characters, but a database name can have up to 64 characters.
    pub const MAX_TEXT_FILTER_CHARS: usize = 255;
    /// Maximum length of `sql_key`, in characters.
    pub const MAX_SQL_SUBSTRING_CHARS: usize = 1024;

    /// Validates `draft` and returns an error for its first invalid field.
    pub fn parse(draft: UnvalidatedSessionSelection) -> Result<Self, SessionSelectionError> {
        Ok(Self {
            class: parse_enum_value("filter", draft.filter, SessionClass::from_name, SessionClass::NAMES)?,
            threshold: draft.slow_process_threshold.map(parse_slow_session_threshold).transpose()?,
            user: parse_text_filter("user", draft.user, Self::MAX_TEXT_FILTER_CHARS)?,
            host: parse_text_filter("host", draft.host, Self::MAX_TEXT_FILTER_CHARS)?
                .map(|host| ClientAddressFilter::parse(&host)),
            database: parse_text_filter("db", draft.db, Self::MAX_TEXT_FILTER_CHARS)?,
            command: parse_text_filter("command", draft.command, Self::MAX_TEXT_FILTER_CHARS)?,
            sql_key: parse_text_filter("sql_key", draft.sql_key, Self::MAX_SQL_SUBSTRING_CHARS)?,
            sort_key: parse_enum_value("sort_key", draft.sort_key, SortKey::from_name, SortKey::NAMES)?,
            sort_direction: parse_enum_value(
                "sort_dir",
                draft.sort_dir,
                SortDirection::from_name,
                SortDirection::NAMES,
            )?,
        })
    }

    /// Returns `threshold` in seconds, or [`DEFAULT_SLOW_SESSION_SECONDS`] if `threshold` is `None`.
    #[must_use]
    pub fn threshold_seconds(&self) -> u64 {
        self.threshold.unwrap_or_default().seconds()
    }
}

fn parse_enum_value<T: Default>(
    field: &'static str,
    given: Option<String>,
    from_name: fn(&str) -> Option<T>,
    allowed: &'static [&'static str],
) -> Result<T, SessionSelectionError> {
    let Some(given) = given else { return Ok(T::default()) };
    from_name(&given).ok_or_else(|| SessionSelectionError::NotOneOf {
        field,
        given: given.chars().take(80).collect(),
        allowed,
    })
}

fn parse_slow_session_threshold(given: i64) -> Result<SlowSessionThreshold, SessionSelectionError> {
    SlowSessionThreshold::new(given).ok_or(SessionSelectionError::Range {
        field: "slow_process_threshold",
        given,
        min: 1,
        max: i64::from(SlowSessionThreshold::MAX_SLOW_SESSION_SECONDS),
    })
}

fn parse_text_filter(
    field: &'static str,
    given: Option<String>,
    max: usize,
) -> Result<Option<String>, SessionSelectionError> {
    let Some(given) = given else { return Ok(None) };
    let length = given.chars().count();
    if (1..=max).contains(&length) {
        Ok(Some(given))
    } else {
        Err(SessionSelectionError::Length { field, length, min: 1, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_draft_selects_the_defaults_of_the_api() {
        let selection = SessionSelection::parse(UnvalidatedSessionSelection::default()).unwrap();
        assert_eq!(selection, SessionSelection::default());
        assert_eq!(selection.threshold_seconds(), 10);
        assert_eq!((selection.sort_key.name(), selection.sort_direction.name()), ("id", "asc"));
    }

    #[test]
    fn error_names_the_invalid_field_and_its_allowed_values() {
        let error = SessionSelection::parse(UnvalidatedSessionSelection {
            filter: Some("slwo".into()),
            ..UnvalidatedSessionSelection::default()
        })
        .unwrap_err();
        assert_eq!(error.to_string(), r#"filter cannot be "slwo"; it is one of slow, active, total, long"#);
        for seconds in [0, -1, 86_401, i64::MAX] {
            let draft = UnvalidatedSessionSelection {
                slow_process_threshold: Some(seconds),
                ..UnvalidatedSessionSelection::default()
            };
            let error = SessionSelection::parse(draft).unwrap_err();
            assert!(matches!(error, SessionSelectionError::Range { field: "slow_process_threshold", .. }), "{error}");
        }
        let draft =
            UnvalidatedSessionSelection { sql_key: Some("x".repeat(1025)), ..UnvalidatedSessionSelection::default() };
        assert_eq!(
            SessionSelection::parse(draft).unwrap_err().to_string(),
            "sql_key has 1025 characters; it takes 1 to 1024"
        );
    }

    #[test]
    fn host_pattern_matches_with_and_without_port() {
        for (pattern, address, matches) in [
            ("10.0.0.7", "10.0.0.7:51234", true),
            ("10.0.0.7:51234", "10.0.0.7:51234", true),
            ("10.0.0.7:51235", "10.0.0.7:51234", false),
            ("10.0.0.70", "10.0.0.7:51234", false),
            ("::1", "::1:51234", true),
            ("::1", "[::1]:51234", true),
            ("[::1]", "::1:51234", true),
            ("[::1]:51234", "::1:51234", true),
            ("[::1]:51235", "::1:51234", false),
            ("localhost", "localhost", true),
            ("localhost", "localhost:51234", true),
        ] {
            let parsed = ClientAddressFilter::parse(pattern);
            assert_eq!(parsed.matches(address.as_bytes()), matches, "{pattern} on {address}");
            assert_eq!(ClientAddressFilter::parse(&parsed.to_string()), parsed);
        }
    }
}
