//! Session filter.

use clew_model::{SessionClass, SessionRow, SessionSelection};
use memchr::memmem;

use crate::internal_sessions::is_internal_session;

/// Session filter compiled from a [`SessionSelection`].
#[derive(Debug)]
pub struct SessionFilter {
    selection: SessionSelection,
    threshold_seconds: u64,
    sql_key: Option<StatementMatcher>,
    includes_internal: bool,
}

impl SessionFilter {
    /// Creates a filter that excludes internal sessions.
    ///
    /// Does not exclude Clew's own sessions, because the crate `clew-mysql` excludes them.
    #[must_use]
    pub fn new(selection: SessionSelection) -> Self {
        Self {
            threshold_seconds: selection.threshold_seconds(),
            sql_key: selection.sql_key.as_deref().map(StatementMatcher::new),
            includes_internal: false,
            selection,
        }
    }

    /// Returns a filter that also matches internal sessions, such as replication threads.
    #[must_use]
    pub fn with_internal_sessions(self) -> Self {
        Self { includes_internal: true, ..self }
    }

    /// Returns true if the session and its transaction match all filter criteria.
    #[must_use]
    pub fn matches(&self, row: &SessionRow<'_>) -> bool {
        let session = row.session;
        (self.includes_internal || !is_internal_session(session))
            && self.matches_session_class(row)
            && self.selection.user.as_ref().is_none_or(|user| user.as_bytes() == session.user)
            && self.selection.host.as_ref().is_none_or(|host| host.matches(&session.host))
            && self.selection.database.as_ref().is_none_or(|name| session.database.as_deref() == Some(name.as_bytes()))
            && self.selection.command.as_ref().is_none_or(|name| session.command.eq_ignore_ascii_case(name.as_bytes()))
            && self
                .sql_key
                .as_ref()
                .is_none_or(|key| session.statement.as_deref().is_some_and(|sql| key.matches_statement(sql)))
    }

    fn matches_session_class(&self, row: &SessionRow<'_>) -> bool {
        let active = !row.session.is_idle();
        match self.selection.class {
            SessionClass::Total => true,
            SessionClass::Active => active,
            SessionClass::Slow => active && row.session.seconds >= self.threshold_seconds,
            SessionClass::Long => row.transaction.is_some_and(|trx| trx.seconds >= self.threshold_seconds),
        }
    }
}

#[derive(Debug)]
struct StatementMatcher {
    lowercase: String,
    finder: memmem::Finder<'static>,
}

impl StatementMatcher {
    fn new(key: &str) -> Self {
        let lowercase = key.to_lowercase();
        Self { finder: memmem::Finder::new(lowercase.as_bytes()).into_owned(), lowercase }
    }

    /// Matches ASCII search keys byte by byte, so that statements with invalid UTF-8 can also match.
    fn matches_statement(&self, statement: &[u8]) -> bool {
        if self.lowercase.is_ascii() {
            self.finder.find(&statement.to_ascii_lowercase()).is_some()
        } else {
            self.finder.find(String::from_utf8_lossy(statement).to_lowercase().as_bytes()).is_some()
        }
    }
}

#[cfg(test)]
mod tests {
    use clew_model::{Session, Transaction, UnvalidatedSessionSelection};

    use super::*;

    fn session() -> Session {
        Session {
            id: 5,
            user: b"app".to_vec(),
            host: b"10.0.0.7:51234".to_vec(),
            database: Some(b"shop".to_vec()),
            command: b"Query".to_vec(),
            seconds: 10,
            state: None,
            statement: Some("SELECT Straße FROM Orte -- \u{4f1a}".into()),
        }
    }

    fn draft(field: &str, value: &str) -> SessionSelection {
        let mut draft = UnvalidatedSessionSelection::default();
        let slot = match field {
            "filter" => &mut draft.filter,
            "user" => &mut draft.user,
            "host" => &mut draft.host,
            "db" => &mut draft.db,
            "command" => &mut draft.command,
            _ => &mut draft.sql_key,
        };
        *slot = Some(value.to_owned());
        SessionSelection::parse(draft).unwrap()
    }

    fn is_match(selection: &SessionSelection, session: &Session, transaction: Option<&Transaction>) -> bool {
        SessionFilter::new(selection.clone()).matches(&SessionRow { session, transaction })
    }

    #[test]
    fn text_filters_match_as_specified() {
        for (field, value, matches) in [
            ("user", "app", true),
            ("user", "APP", false),
            ("user", "ap", false),
            ("host", "10.0.0.7", true),
            ("host", "10.0.0.7:1", false),
            ("db", "shop", true),
            ("db", "Shop", false),
            ("command", "query", true),
            ("command", "quer", false),
            ("sql_key", "select STRA", true),
            ("sql_key", "STRASSE", false),
            ("sql_key", "straße from", true),
            ("sql_key", "会", true),
            ("sql_key", "update", false),
        ] {
            assert_eq!(is_match(&draft(field, value), &session(), None), matches, "{field} {value}");
        }
    }

    #[test]
    fn classes_include_the_threshold() {
        let slow = draft("filter", "slow");
        assert!(is_match(&slow, &session(), None));
        assert!(!is_match(&slow, &Session { seconds: 9, ..session() }, None));
        assert!(!is_match(&slow, &Session { command: b"Sleep".to_vec(), ..session() }, None));
        let long = draft("filter", "long");
        let transaction = |seconds| Transaction { seconds, ..Transaction::default() };
        assert!(is_match(&long, &session(), Some(&transaction(10))));
        assert!(!is_match(&long, &session(), Some(&transaction(9))));
        assert!(!is_match(&long, &session(), None));
        assert!(!is_match(&draft("filter", "active"), &Session { command: b"Sleep".to_vec(), ..session() }, None));
    }

    #[test]
    fn all_filters_must_match_and_internal_sessions_are_excluded() {
        let selection = SessionSelection {
            user: Some("app".into()),
            database: Some("other".into()),
            ..SessionSelection::default()
        };
        assert!(!is_match(&selection, &session(), None));
        let internal = Session { command: b"Binlog Dump GTID".to_vec(), ..session() };
        assert!(!is_match(&SessionSelection::default(), &internal, None));
        let row = SessionRow { session: &internal, transaction: None };
        assert!(SessionFilter::new(SessionSelection::default()).with_internal_sessions().matches(&row));
        assert!(!SessionFilter::new(selection).with_internal_sessions().matches(&row));
    }

    #[test]
    fn sql_key_is_found_in_invalid_utf8() {
        let session = Session { statement: Some(b"\xff SELECT \xe9".to_vec()), ..session() };
        assert!(is_match(&draft("sql_key", "select"), &session, None));
    }
}
