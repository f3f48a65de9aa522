//! Policy statements.

use crate::policy::condition::Condition;
use crate::policy::permission_model::Effect;
use crate::policy::urn::ResourcePattern;

#[derive(Debug, Clone)]
pub(super) struct PatternSet<P> {
    /// True for `NotAction` and `NotResource`, which select everything that their patterns do not match.
    pub(super) negated: bool,
    pub(super) patterns: Vec<P>,
}

impl<P> PatternSet<P> {
    pub(super) fn evaluate_patterns(&self, fits: impl FnMut(&P) -> bool) -> bool {
        self.patterns.iter().any(fits) != self.negated
    }
}

/// A policy statement.
#[derive(Debug, Clone)]
pub struct Statement {
    pub(super) sid: Option<String>,
    pub(super) effect: Effect,
    pub(super) actions: PatternSet<String>,
    /// `None` if the statement applies to all resources.
    pub(super) resources: Option<PatternSet<ResourcePattern>>,
    pub(super) conditions: Vec<Condition>,
}

impl Statement {
    /// Returns the id of the policy statement (`Sid` in JSON), or `None` if the statement has no id.
    #[must_use]
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// Returns the effect of the policy statement: allow or deny.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    pub(crate) fn applies_unconditionally_to_all_resources(&self) -> bool {
        self.conditions.is_empty() && self.matches_all_resources()
    }

    pub(super) fn matches_all_resources(&self) -> bool {
        let everything =
            |named: &PatternSet<ResourcePattern>| !named.negated && named.patterns.contains(&ResourcePattern::Any);
        self.resources.as_ref().is_none_or(everything)
    }
}
