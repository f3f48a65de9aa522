//! Which sessions a rule kills: one way to decide it, for the preview, for the worker, and for a rule that is only tried.

use std::borrow::Cow;

use clew_model::{KillCriteria, Session, SessionRow};

use crate::filter::Filter;
use crate::internal::{ProtectedAccounts, is_internal, may_be_killed};
use crate::template::template;

/// Criteria made ready to be asked about each session.
#[derive(Debug)]
pub struct KillRule {
    filter: Filter<'static>,
    seconds: u64,
    looks_at_templates: bool,
}

/// What a rule means for a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is not what the rule looks for.
    Unmatched,
    /// It is, but it must live.
    Spared(Spared),
    /// It is killed.
    Killed,
}

/// Why a session that a rule looks for is not killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Spared {
    /// Replication, event scheduler or another thread of the server.
    Internal,
    /// The account is protected.
    Protected,
    /// It was killed before, and is about to end.
    Dying,
}

impl Spared {
    /// The reason in one word, for output that machines read.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Protected => "protected",
            Self::Dying => "dying",
        }
    }
}

impl KillRule {
    /// The rule of these criteria.
    #[must_use]
    pub fn new(criteria: &KillCriteria) -> Self {
        // Internal sessions match like all others: that they live is said, not left out.
        let filter = Filter::owning(criteria.selection()).with_internal();
        Self { filter, seconds: criteria.seconds.into(), looks_at_templates: false }
    }

    /// The same for somebody who may see templates only: the part of the statement is looked for in the template. If it were looked for
    /// in the statement, a rule would tell whether a literal stands in it.
    #[must_use]
    pub fn masked(self, masked: bool) -> Self {
        Self { looks_at_templates: masked, ..self }
    }

    /// Whether the session meets all criteria, whoever it is.
    #[must_use]
    pub fn matches(&self, session: &Session) -> bool {
        if session.seconds < self.seconds {
            return false;
        }
        let seen = if self.looks_at_templates { Cow::Owned(masked(session)) } else { Cow::Borrowed(session) };
        self.filter.keeps(&SessionRow { session: &seen, transaction: None })
    }

    /// What the rule means for the session. Clew's own sessions are known to whoever reads them, and come to no rule.
    #[must_use]
    pub fn judge(&self, session: &Session, protected: &ProtectedAccounts) -> Verdict {
        if !self.matches(session) {
            return Verdict::Unmatched;
        }
        spared(session, protected).map_or(Verdict::Killed, Verdict::Spared)
    }
}

/// The sessions that die by any of the rules, each with the position of the first rule that kills it.
pub fn victims(
    rules: &[KillRule],
    sessions: impl IntoIterator<Item = Session>,
    protected: &ProtectedAccounts,
) -> Vec<(usize, Session)> {
    let kills = |session: &Session| rules.iter().position(|rule| rule.judge(session, protected) == Verdict::Killed);
    sessions.into_iter().filter_map(|session| Some((kills(&session)?, session))).collect()
}

fn spared(session: &Session, protected: &ProtectedAccounts) -> Option<Spared> {
    if !may_be_killed(session, protected) {
        return Some(if is_internal(session) { Spared::Internal } else { Spared::Protected });
    }
    session.command.eq_ignore_ascii_case(b"Killed").then_some(Spared::Dying)
}

fn masked(session: &Session) -> Session {
    let statement = session.statement.as_deref().map(template);
    Session { statement, ..session.clone() }
}
