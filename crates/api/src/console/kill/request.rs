//! Request body of the kill route.

use std::collections::{HashMap, HashSet};

use clew_model::Session;
use clew_mysql::{KillTarget, ServerInstance};
use serde::Deserialize;
use utoipa::ToSchema;

use super::SkipReason;
use crate::error::ApiError;
use crate::field_errors::{check_array_length, value_not_allowed_error};
use crate::manual_kill::check_kill_reason;
use crate::request_body::parse_json_body;

const MAX_SESSIONS_PER_REQUEST: usize = 1000;
const MAX_OTHER_VICTIMS_PER_KILL_PREVIEW: usize = 100_000;
/// Tolerance in seconds for comparing statement start times, because servers round the times to whole seconds.
pub(super) const STATEMENT_START_TOLERANCE_SECONDS: i64 = 3;

/// Sessions to kill.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KillRequestBody {
    #[schema(min_items = 1, max_items = 1000)]
    sessions: Vec<SelectedSession>,
    /// Target of the kill: `connection` ends the sessions, `query` ends only their statements
    // Required because its obvious default, `connection`, is the more destructive target.
    #[schema(example = "connection")]
    what: String,
    /// Reason for the audit log
    #[schema(max_length = 255)]
    reason: Option<String>,
    /// If true, the kill is only previewed, and no session is killed
    preview: Option<bool>,
    /// Thread ids of the selected sessions that are not in this request, if the client splits a preview into several requests
    #[schema(max_items = 100_000)]
    other_victims: Option<Vec<u64>>,
}

/// Session that the user selected from the session list.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SelectedSession {
    /// Thread id
    pub(super) id: u64,
    pub(super) user: String,
    pub(super) host: String,
    /// Start time of the statement, as a Unix timestamp in milliseconds.
    /// A request that kills only the running query does not affect statements that started after `since`.
    pub(super) since: Option<i64>,
    /// Identifier of the server instance that returned the session list.
    /// Clew does not kill the session if the server has restarted or failed over since Clew read the session list.
    pub(super) server: Option<String>,
}

pub(super) struct SessionKillRequest {
    /// Selected sessions, without duplicates.
    pub(super) sessions: Vec<SelectedSession>,
    pub(super) kind: KillTarget,
    pub(super) reason: String,
    pub(super) preview: bool,
    pub(super) other_victims: Vec<u64>,
}

impl SessionKillRequest {
    pub(super) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let KillRequestBody { mut sessions, what, reason, preview, other_victims } = parse_json_body(body)?;
        check_array_length("sessions", sessions.len(), 1, MAX_SESSIONS_PER_REQUEST)?;
        let mut ids = HashSet::new();
        sessions.retain(|selected| ids.insert(selected.id));
        let kind = match what.as_str() {
            "connection" => KillTarget::Connection,
            "query" => KillTarget::Query,
            other => {
                return Err(value_not_allowed_error("what", other, &["connection", "query"]));
            }
        };
        let other_victims = other_victims.unwrap_or_default();
        check_array_length("other_victims", other_victims.len(), 0, MAX_OTHER_VICTIMS_PER_KILL_PREVIEW)?;
        let reason = check_kill_reason(reason)?;
        Ok(Self { sessions, kind, reason, preview: preview.unwrap_or(false), other_victims })
    }

    /// `listed_at` is the time at which the session list was read, as a Unix timestamp in seconds.
    pub(super) fn find_sessions_to_skip(
        &self,
        found: &HashMap<u64, Session>,
        server: &ServerInstance,
        listed_at: i64,
    ) -> HashMap<u64, SkipReason> {
        let skip_reason = |selected: &SelectedSession| {
            let skip_reason =
                selected.find_reason_to_skip_kill(found.get(&selected.id), self.kind, server, listed_at)?;
            Some((selected.id, skip_reason))
        };
        self.sessions.iter().filter_map(skip_reason).collect()
    }

    pub(super) fn find_sessions_to_kill<'a>(
        &self,
        found: &'a HashMap<u64, Session>,
        skip_reasons: &HashMap<u64, SkipReason>,
    ) -> Vec<&'a Session> {
        let is_match = |selected: &&SelectedSession| !skip_reasons.contains_key(&selected.id);
        self.sessions.iter().filter(is_match).filter_map(|selected| found.get(&selected.id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session { id: 7, user: b"app".to_vec(), host: b"h:1".to_vec(), seconds: 100, ..Session::default() }
    }

    /// Unix timestamp in seconds.
    const LISTED_AT: i64 = 1_790_000_000;

    fn count_matches(body: &str) -> usize {
        let found = HashMap::from([(7, session())]);
        let server = "uuid@1790000000".parse().unwrap();
        let request = SessionKillRequest::parse(body.as_bytes()).unwrap_or_else(|_| panic!("{body}"));
        let skip_reasons = request.find_sessions_to_skip(&found, &server, LISTED_AT);
        request.find_sessions_to_kill(&found, &skip_reasons).len()
    }

    #[test]
    fn only_the_selected_session_matches() {
        let body = |session: &str, what: &str| format!(r#"{{"sessions":[{{{session}}}],"what":"{what}"}}"#);
        let right = r#""id":7,"user":"app","host":"h:1""#;
        assert_eq!(count_matches(&body(right, "connection")), 1);
        assert_eq!(count_matches(&body(r#""id":7,"user":"web","host":"h:1""#, "connection")), 0);
        assert_eq!(count_matches(&body(r#""id":7,"user":"app","host":"h:2""#, "connection")), 0);
        assert_eq!(count_matches(&body(r#""id":8,"user":"app","host":"h:1""#, "connection")), 0);
        for (ago, what, matches) in
            [(100, "query", 1), (103, "query", 1), (104, "query", 0), (120, "query", 0), (120, "connection", 1)]
        {
            let since = format!(r#"{right},"since":{}"#, (LISTED_AT - ago) * 1000);
            assert_eq!(count_matches(&body(&since, what)), matches, "{ago} {what}");
        }
        for (server, matches) in [("uuid@1790000000", 1), ("uuid@1790000001", 0), ("other@1790000000", 0)] {
            let listed = format!(r#"{right},"server":"{server}""#);
            assert_eq!(count_matches(&body(&listed, "connection")), matches, "{server}");
        }
        let twice = format!(r#"{{"sessions":[{{{right}}},{{{right}}}],"what":"query"}}"#);
        assert_eq!(count_matches(&twice), 1);
    }

    #[test]
    fn invalid_requests_are_refused() {
        let right = r#"{"id":7,"user":"app","host":"h:1"}"#;
        let long = "x".repeat(256);
        for body in [
            String::new(),
            "{}".into(),
            format!(r#"{{"sessions":[{right}]}}"#),
            format!(r#"{{"sessions":[{right}],"what":"all"}}"#),
            format!(r#"{{"sessions":[{right}],"what":"query","force":true}}"#),
            format!(r#"{{"sessions":[{right}],"what":"query","reason":"{long}"}}"#),
            format!(r#"{{"sessions":[{right}],"what":"query","preview":"yes"}}"#),
            format!(r#"{{"sessions":[{right}],"what":"query","other_victims":["7"]}}"#),
            r#"{"sessions":[],"what":"query"}"#.into(),
            r#"{"sessions":[7],"what":"query"}"#.into(),
            r#"{"sessions":[{"id":7}],"what":"query"}"#.into(),
            r#"{"sessions":[{"id":-7,"user":"a","host":"b"}],"what":"query"}"#.into(),
            format!(r#"{{"sessions":[{}],"what":"query"}}"#, vec![right; MAX_SESSIONS_PER_REQUEST + 1].join(",")),
        ] {
            assert!(SessionKillRequest::parse(body.as_bytes()).is_err(), "{}", &body[..body.len().min(200)]);
        }
    }
}
