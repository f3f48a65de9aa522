//! What somebody asks to be killed.

use std::collections::{HashMap, HashSet};

use clew_model::Session;
use clew_mysql::{KillKind, ServerInstance};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::body::{Body, check_count, missing, wrong};
use crate::query::shown;
use crate::refusal::Refusal;

/// Sessions that are killed at once.
const MOST: usize = 1000;
/// Longest reason, in characters.
const LONGEST_REASON: usize = 255;
/// By how many seconds a moment may be off: servers print whole seconds, and have clocks of their own.
pub(super) const ROUNDED_SECONDS: i64 = 3;

/// Sessions to end.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body, which is read field by field to name what is wrong")]
pub(crate) struct KillBody {
    #[schema(min_items = 1, max_items = 1000)]
    sessions: Vec<Chosen>,
    /// connection, or query: then sessions, their transactions and their locks stay
    #[schema(example = "connection")]
    what: String,
    /// Why, for the audit
    #[schema(max_length = 255)]
    reason: Option<String>,
    /// Show what would end, and end nothing
    preview: Option<bool>,
}

/// A session as it was seen.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Chosen {
    /// Thread id
    pub(super) id: u64,
    pub(super) user: String,
    pub(super) host: String,
    /// When what it does began, in milliseconds since 1970: with query, what began later is left alone
    pub(super) since: Option<i64>,
    /// The server instance that listed it, as the live list sends it: after a restart or a fail-over nothing is killed
    pub(super) server: Option<String>,
}

pub(super) struct Asked {
    /// Each once.
    pub(super) sessions: Vec<Chosen>,
    pub(super) kind: KillKind,
    pub(super) reason: String,
    pub(super) preview: bool,
}

impl Asked {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let body = Body::parse(body, &["sessions", "what", "reason", "preview"])?;
        let mut sessions: Vec<Chosen> = body.need("sessions")?;
        check_count("sessions", sessions.len(), 1, MOST)?;
        let mut met = HashSet::new();
        sessions.retain(|chosen| met.insert(chosen.id));
        // Without it would mean the worse of both.
        let what: String = body.get("what")?.ok_or_else(|| missing("what"))?;
        let kind = match what.as_str() {
            "connection" => KillKind::Connection,
            "query" => KillKind::Query,
            other => return Err(Refusal::not_one_of("what", shown(other), &["connection", "query"])),
        };
        let reason: String = body.get("reason")?.unwrap_or_default();
        if reason.chars().count() > LONGEST_REASON {
            return Err(wrong("reason", &reason));
        }
        Ok(Self { sessions, kind, reason, preview: body.get("preview")?.unwrap_or(false) })
    }

    /// Those of the sessions that are there that are meant.
    pub(super) fn meant<'a>(&self, found: &'a HashMap<u64, Session>, server: &ServerInstance) -> Vec<&'a Session> {
        let meant = |chosen: &Chosen| {
            let now = found.get(&chosen.id);
            now.filter(|_| chosen.mismatch(now, self.kind, server).is_none())
        };
        self.sessions.iter().filter_map(meant).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session { id: 7, user: b"app".to_vec(), host: b"h:1".to_vec(), seconds: 100, ..Session::default() }
    }

    fn meant(body: &str) -> usize {
        let found = HashMap::from([(7, session())]);
        let server = "uuid@1790000000".parse().unwrap();
        Asked::parse(body.as_bytes()).unwrap_or_else(|_| panic!("{body}")).meant(&found, &server).len()
    }

    #[test]
    fn only_the_session_that_was_seen_is_meant() {
        let now = jiff::Timestamp::now().as_millisecond();
        let body = |session: &str, what: &str| format!(r#"{{"sessions":[{{{session}}}],"what":"{what}"}}"#);
        let right = r#""id":7,"user":"app","host":"h:1""#;
        assert_eq!(meant(&body(right, "connection")), 1);
        assert_eq!(meant(&body(r#""id":7,"user":"web","host":"h:1""#, "connection")), 0);
        assert_eq!(meant(&body(r#""id":7,"user":"app","host":"h:2""#, "connection")), 0);
        assert_eq!(meant(&body(r#""id":8,"user":"app","host":"h:1""#, "connection")), 0);
        for (ago, what, is_meant) in [(100, "query", 1), (101, "query", 1), (120, "query", 0), (120, "connection", 1)] {
            let since = format!(r#"{right},"since":{}"#, now - ago * 1000);
            assert_eq!(meant(&body(&since, what)), is_meant, "{ago} {what}");
        }
        for (server, is_meant) in [("uuid@1790000000", 1), ("uuid@1790000001", 0), ("other@1790000000", 0)] {
            let listed = format!(r#"{right},"server":"{server}""#);
            assert_eq!(meant(&body(&listed, "connection")), is_meant, "{server}");
        }
        let twice = format!(r#"{{"sessions":[{{{right}}},{{{right}}}],"what":"query"}}"#);
        assert_eq!(meant(&twice), 1);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
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
            r#"{"sessions":[],"what":"query"}"#.into(),
            r#"{"sessions":[7],"what":"query"}"#.into(),
            r#"{"sessions":[{"id":7}],"what":"query"}"#.into(),
            r#"{"sessions":[{"id":-7,"user":"a","host":"b"}],"what":"query"}"#.into(),
            format!(r#"{{"sessions":[{}],"what":"query"}}"#, vec![right; MOST + 1].join(",")),
        ] {
            assert!(Asked::parse(body.as_bytes()).is_err(), "{}", &body[..body.len().min(200)]);
        }
    }
}
