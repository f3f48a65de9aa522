//! Policy statements.

use crate::policy::condition::Condition;
use crate::policy::permission_model::Effect;
use crate::policy::urn::ResourcePattern;

#[derive(Debug, Clone)]
pub(super) struct PatternSet<P> {
    /// True if the patterns come from `NotAction` or `NotResource`.
    pub(super) negated: bool,
    pub(super) patterns: Vec<P>,
}

impl<P> PatternSet<P> {
    /// Returns true if `fits` returns true for at least one pattern or, for a negated set, for no pattern.
    pub(super) fn matches_by_predicate(&self, fits: impl FnMut(&P) -> bool) -> bool {
        self.patterns.iter().any(fits) != self.negated
    }
}

/// A policy statement.
#[derive(Debug, Clone)]
pub struct Statement {
    pub(super) sid: Option<String>,
    pub(super) effect: Effect,
    pub(super) actions: PatternSet<String>,
    /// Resource patterns, or `None` if the statement applies to all resources.
    pub(super) resources: Option<PatternSet<ResourcePattern>>,
    pub(super) conditions: Vec<Condition>,
}

impl Statement {
    /// Returns the `Sid` of the statement, if present.
    #[must_use]
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// Returns the effect of the statement on matching requests.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// Returns true if the statement applies to its actions without resource or condition restrictions.
    pub(crate) fn is_unconditional(&self) -> bool {
        self.conditions.is_empty() && self.matches_all_resources()
    }

    pub(super) fn matches_all_resources(&self) -> bool {
        let everything =
            |named: &PatternSet<ResourcePattern>| !named.negated && named.patterns.contains(&ResourcePattern::Any);
        self.resources.as_ref().is_none_or(everything)
    }
}
