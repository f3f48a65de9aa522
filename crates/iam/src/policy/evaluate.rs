//! Evaluation of statements.

use std::iter;

use crate::action::Action;
use crate::policy::condition::Condition;
use crate::policy::pattern::{self, CaseSensitivity};
use crate::policy::policy_model::{Effect, PolicyModel};
use crate::policy::statement::{PatternSet, Statement};
use crate::policy::urn::{ResourcePattern, Urn};
use crate::request::Request;
use crate::work_budget::WorkBudget;

/// Reason for which a statement does not match.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mismatch<'s> {
    /// The statement does not name the action.
    Action,
    /// The statement does not name the resource.
    Resource,
    /// A condition uses a key that the action does not support.
    UnsupportedKey(&'s Condition),
    /// A condition does not hold.
    Condition(&'s Condition),
}

impl Statement {
    /// Whether the statement matches the request.
    pub(crate) fn matches(&self, model: PolicyModel, request: &Request<'_>) -> bool {
        self.mismatches(model, request).next().is_none()
    }

    /// Whether the statement names the action.
    pub(crate) fn names_action(&self, model: PolicyModel, action: Action, budget: &WorkBudget) -> bool {
        let name = model.name_of(action);
        self.actions.matches(|pattern| pattern::matches(pattern, name, CaseSensitivity::Insensitive, budget))
    }

    /// All mismatches, that of the action first.
    pub(super) fn mismatches<'s>(
        &'s self,
        model: PolicyModel,
        request: &Request<'s>,
    ) -> impl Iterator<Item = Mismatch<'s>> {
        let action = (!self.names_action(model, request.action, request.budget)).then_some(Mismatch::Action);
        let request = *request;
        let others = iter::once_with(move || (!self.names_resource(model, &request)).then_some(Mismatch::Resource))
            .flatten()
            .chain(
                self.conditions.iter().filter_map(move |condition| self.condition_mismatch(condition, model, &request)),
            );
        action.into_iter().chain(others)
    }

    /// Whether the statement names the resource of the request.
    ///
    /// An action without a resource type matches the resource `*` only (spec section 4.3).
    /// `NotResource` is ambiguous for such an action, so an Allow does not match and a Deny does.
    /// For example, a change of all instances is not covered by "all but mine".
    fn names_resource(&self, model: PolicyModel, request: &Request<'_>) -> bool {
        let Some(resources) = &self.resources else { return true };
        let urn = Urn::of(model, request);
        let is_ambiguous = urn == Urn::None && resources.negated;
        resources.matches(|pattern| pattern.matches(&urn, request.budget))
            && !(is_ambiguous && self.effect == Effect::Allow)
    }

    /// Mismatch of a condition, if it does not hold.
    ///
    /// An action without condition keys supports no conditions on a resource (spec section 4.7).
    /// An Allow with such a condition does not match; for a Deny the key is missing.
    fn condition_mismatch<'s>(
        &self,
        condition: &'s Condition,
        model: PolicyModel,
        request: &Request<'s>,
    ) -> Option<Mismatch<'s>> {
        let unsupported = request.action.keys.is_empty() && condition.key.describes_resource();
        if unsupported && self.effect == Effect::Allow {
            return Some(Mismatch::UnsupportedKey(condition));
        }
        let holds = condition.holds(&condition.key.values(model, request), request.budget);
        (!holds).then_some(Mismatch::Condition(condition))
    }
}

impl PatternSet<ResourcePattern> {
    /// First pattern that matches the resource.
    pub(super) fn find_match(&self, urn: &Urn<'_>, budget: &WorkBudget) -> Option<&ResourcePattern> {
        self.patterns.iter().find(|pattern| pattern.matches(urn, budget))
    }
}
