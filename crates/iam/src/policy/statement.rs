//! A statement of a policy.

use crate::policy::condition::Condition;
use crate::policy::model::Effect;
use crate::policy::urn::ResourcePattern;

/// What a statement names: these, or all but these.
#[derive(Debug, Clone)]
pub(super) struct Named<P> {
    /// True for NotAction and NotResource.
    pub(super) except: bool,
    pub(super) patterns: Vec<P>,
}

impl<P> Named<P> {
    /// Whether what the patterns are tried on is named.
    pub(super) fn names(&self, fits: impl FnMut(&P) -> bool) -> bool {
        self.patterns.iter().any(fits) != self.except
    }
}

/// One statement of a policy.
#[derive(Debug, Clone)]
pub struct Statement {
    pub(super) sid: Option<String>,
    pub(super) effect: Effect,
    pub(super) actions: Named<String>,
    /// Nothing means all.
    pub(super) resources: Option<Named<ResourcePattern>>,
    pub(super) conditions: Vec<Condition>,
}

impl Statement {
    /// Its Sid, if it has one.
    #[must_use]
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// What it does when it matches.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// True if it matches every request for an action that it names.
    pub(crate) fn is_unconditional(&self) -> bool {
        self.conditions.is_empty() && self.is_for_everything()
    }

    /// True if it names every resource.
    pub(super) fn is_for_everything(&self) -> bool {
        let everything =
            |named: &Named<ResourcePattern>| !named.except && named.patterns.contains(&ResourcePattern::Any);
        self.resources.as_ref().is_none_or(everything)
    }
}
