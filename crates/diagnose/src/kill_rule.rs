//! Kill rules: select the sessions to kill, for the preview, the worker and dry runs.

use std::borrow::Cow;

use clew_model::{KillCriteria, Session, SessionRow};

use crate::filter::Filter;
use crate::internal_sessions::is_internal;
use crate::protected_accounts::{ProtectedAccounts, is_killable};
use crate::template::template;

/// Kill criteria prepared for matching sessions.
#[derive(Debug)]
pub struct KillRule {
    filter: Filter<'static>,
    seconds: u64,
    matches_templates: bool,
}

/// Result of evaluating a rule for a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The session does not match the rule.
    Unmatched,
    /// The session matches, but is excluded from kills.
    Spared(SpareReason),
    /// The session is to be killed.
    Killed,
}

/// Reason for which a matching session is not killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpareReason {
    /// Internal session: replication, event scheduler or another server thread.
    Internal,
    /// The account is protected.
    Protected,
    /// The session was killed before and is terminating.
    Terminating,
}

impl SpareReason {
    /// Machine-readable name of the reason.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Protected => "protected",
            Self::Terminating => "dying",
        }
    }
}

impl KillRule {
    /// Creates a rule from its criteria.
    #[must_use]
    pub fn new(criteria: &KillCriteria) -> Self {
        // Internal sessions match like all others, so that the preview can report them as excluded.
        let filter = Filter::from_owned(criteria.selection()).with_internal();
        Self { filter, seconds: criteria.seconds.into(), matches_templates: false }
    }

    /// Restricts the rule to templates, for a user who may not see literals.
    ///
    /// With `masked`, the statement filter is applied to the template.
    /// Applied to the statement, it would reveal whether a literal occurs.
    #[must_use]
    pub fn masked(self, masked: bool) -> Self {
        Self { matches_templates: masked, ..self }
    }

    /// Whether the session meets all criteria, including internal and protected sessions.
    #[must_use]
    pub fn matches(&self, session: &Session) -> bool {
        if session.seconds < self.seconds {
            return false;
        }
        let visible = if self.matches_templates { Cow::Owned(mask_statement(session)) } else { Cow::Borrowed(session) };
        self.filter.matches(&SessionRow { session: &visible, transaction: None })
    }

    /// Evaluates the rule for a session. The caller removes Clew's own sessions first.
    #[must_use]
    pub fn evaluate(&self, session: &Session, protected: &ProtectedAccounts) -> Verdict {
        if !self.matches(session) {
            return Verdict::Unmatched;
        }
        spare_reason(session, protected).map_or(Verdict::Killed, Verdict::Spared)
    }
}

/// Returns the sessions that any rule kills, each with the index of the first such rule.
pub fn victims(
    rules: &[KillRule],
    sessions: impl IntoIterator<Item = Session>,
    protected: &ProtectedAccounts,
) -> Vec<(usize, Session)> {
    let killing_rule =
        |session: &Session| rules.iter().position(|rule| rule.evaluate(session, protected) == Verdict::Killed);
    sessions.into_iter().filter_map(|session| Some((killing_rule(&session)?, session))).collect()
}

fn spare_reason(session: &Session, protected: &ProtectedAccounts) -> Option<SpareReason> {
    if !is_killable(session, protected) {
        return Some(if is_internal(session) { SpareReason::Internal } else { SpareReason::Protected });
    }
    session.command.eq_ignore_ascii_case(b"Killed").then_some(SpareReason::Terminating)
}

fn mask_statement(session: &Session) -> Session {
    let statement = session.statement.as_deref().map(template);
    Session { statement, ..session.clone() }
}
