//! Statements of a policy.

use crate::policy::condition::Condition;
use crate::policy::policy_model::Effect;
use crate::policy::urn::ResourcePattern;

/// Patterns of a statement, or their complement.
#[derive(Debug, Clone)]
pub(super) struct PatternSet<P> {
    /// True for `NotAction` and `NotResource`.
    pub(super) negated: bool,
    pub(super) patterns: Vec<P>,
}

impl<P> PatternSet<P> {
    /// Whether the patterns, or their complement, match. `fits` tests one pattern.
    pub(super) fn matches(&self, fits: impl FnMut(&P) -> bool) -> bool {
        self.patterns.iter().any(fits) != self.negated
    }
}

/// A statement of a policy.
#[derive(Debug, Clone)]
pub struct Statement {
    pub(super) sid: Option<String>,
    pub(super) effect: Effect,
    pub(super) actions: PatternSet<String>,
    /// Resources; `None` for all.
    pub(super) resources: Option<PatternSet<ResourcePattern>>,
    pub(super) conditions: Vec<Condition>,
}

impl Statement {
    /// Sid, if the statement has one.
    #[must_use]
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// Effect of the statement if it matches.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// Whether the statement matches every request for its actions.
    pub(crate) fn is_unconditional(&self) -> bool {
        self.conditions.is_empty() && self.names_every_resource()
    }

    /// Whether the statement names every resource.
    pub(super) fn names_every_resource(&self) -> bool {
        let everything =
            |named: &PatternSet<ResourcePattern>| !named.negated && named.patterns.contains(&ResourcePattern::Any);
        self.resources.as_ref().is_none_or(everything)
    }
}
