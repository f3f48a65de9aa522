//! Rules that select the sessions to kill.
//!
//! Kill previews, dry runs and kill tasks all use this module to evaluate kill rules.

use std::borrow::Cow;

use clew_model::{KillCriteria, Session, SessionRow};

use crate::internal_sessions::is_internal_session;
use crate::protected_accounts::{ProtectedAccounts, is_killable_session};
use crate::session_filter::SessionFilter;
use crate::template::build_statement_template;

/// Kill rule compiled from [`KillCriteria`].
#[derive(Debug)]
pub struct KillRule {
    filter: SessionFilter,
    seconds: u64,
    matches_templates: bool,
}

/// Result of evaluating a kill rule against a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillVerdict {
    /// The session does not match the rule.
    Unmatched,
    /// The session matches the rule but is excluded from kills.
    Excluded(ExclusionReason),
    /// The session matches the rule, and no [`ExclusionReason`] applies.
    Killed,
}

clew_model::named_enum! {
    /// Reason why a matching session is excluded from kills.
    pub enum ExclusionReason {
        /// The session is an internal server thread, such as a replication or event scheduler thread.
        Internal = "internal",
        /// The session's account is protected.
        Protected = "protected",
        /// The session was already killed and is still terminating.
        Terminating = "dying",
    }
}

impl KillRule {
    /// Creates a rule from kill criteria.
    #[must_use]
    pub fn new(criteria: &KillCriteria) -> Self {
        // Internal sessions can match, so that the kill preview can report them as excluded.
        let filter = SessionFilter::new(criteria.to_session_selection()).with_internal_sessions();
        Self { filter, seconds: criteria.seconds.into(), matches_templates: false }
    }

    /// If `masked` is true, the statement filter matches statement templates instead of full statements.
    ///
    /// `masked` must be true for users without permission to read SQL literals.
    /// Without masking, a user could use the statement filter to test whether a statement contains a given literal.
    #[must_use]
    pub fn with_statement_masking(self, masked: bool) -> Self {
        Self { matches_templates: masked, ..self }
    }

    /// Returns true if the session matches all criteria, even if the session is internal or protected.
    #[must_use]
    pub fn matches(&self, session: &Session) -> bool {
        if session.seconds < self.seconds {
            return false;
        }
        let visible = if self.matches_templates {
            let statement = session.statement.as_deref().map(build_statement_template);
            Cow::Owned(Session { statement, ..session.clone() })
        } else {
            Cow::Borrowed(session)
        };
        self.filter.matches(&SessionRow { session: &visible, transaction: None })
    }

    /// Evaluates the rule against a session. The caller must not pass Clew's own sessions.
    #[must_use]
    pub fn evaluate_session(&self, session: &Session, protected: &ProtectedAccounts) -> KillVerdict {
        if !self.matches(session) {
            return KillVerdict::Unmatched;
        }
        find_exclusion_reason(session, protected).map_or(KillVerdict::Killed, KillVerdict::Excluded)
    }
}

/// Returns the sessions to kill, each with the index of the first rule that matches the session.
pub fn select_sessions_to_kill(
    rules: &[KillRule],
    sessions: impl IntoIterator<Item = Session>,
    protected: &ProtectedAccounts,
) -> Vec<(usize, Session)> {
    let killing_rule = |session: &Session| {
        rules.iter().position(|rule| rule.evaluate_session(session, protected) == KillVerdict::Killed)
    };
    sessions.into_iter().filter_map(|session| Some((killing_rule(&session)?, session))).collect()
}

fn find_exclusion_reason(session: &Session, protected: &ProtectedAccounts) -> Option<ExclusionReason> {
    if !is_killable_session(session, protected) {
        return Some(if is_internal_session(session) { ExclusionReason::Internal } else { ExclusionReason::Protected });
    }
    session.command.eq_ignore_ascii_case(b"Killed").then_some(ExclusionReason::Terminating)
}
