//! Evaluates policy statements for a request.

use std::iter;

use crate::access_request::AccessRequest;
use crate::action::Action;
use crate::evaluation_budget::EvaluationBudget;
use crate::policy::condition::Condition;
use crate::policy::pattern::{self, CaseSensitivity};
use crate::policy::permission_model::{Effect, PermissionModel};
use crate::policy::statement::{PatternSet, Statement};
use crate::policy::urn::{ResourcePattern, Urn};

#[derive(Debug, Clone, Copy)]
pub(super) enum StatementMismatch<'s> {
    Action,
    Resource,
    UnsupportedConditionKey(&'s Condition),
    Condition(&'s Condition),
}

impl Statement {
    pub(crate) fn matches_request(&self, model: PermissionModel, request: &AccessRequest<'_>) -> bool {
        self.find_mismatches(model, request).next().is_none()
    }

    pub(crate) fn matches_action(&self, model: PermissionModel, action: Action, budget: &EvaluationBudget) -> bool {
        let name = model.action_name(action);
        self.actions
            .evaluate_patterns(|pattern| pattern::matches_pattern(pattern, name, CaseSensitivity::Insensitive, budget))
    }

    /// A mismatched action comes first.
    pub(super) fn find_mismatches<'s>(
        &'s self,
        model: PermissionModel,
        request: &AccessRequest<'s>,
    ) -> impl Iterator<Item = StatementMismatch<'s>> {
        let action = (!self.matches_action(model, request.action, request.budget)).then_some(StatementMismatch::Action);
        let request = *request;
        let others =
            iter::once_with(move || (!self.matches_resource(model, &request)).then_some(StatementMismatch::Resource))
                .flatten()
                .chain(
                    self.conditions
                        .iter()
                        .filter_map(move |condition| self.find_condition_mismatch(condition, model, &request)),
                );
        action.into_iter().chain(others)
    }

    /// An action without a resource type matches only the resource `*` (TaurusDB API spec, section 4.3).
    /// For an action without a resource type, `NotResource` matches in a Deny statement but not in an Allow statement.
    /// An Allow statement that excludes one instance with `NotResource` does not allow actions on the project.
    fn matches_resource(&self, model: PermissionModel, request: &AccessRequest<'_>) -> bool {
        let Some(resources) = &self.resources else { return true };
        let urn = Urn::from_access_request(model, request);
        let is_ambiguous = urn == Urn::None && resources.negated;
        resources.evaluate_patterns(|pattern| pattern.matches_urn(&urn, request.budget))
            && !(is_ambiguous && self.effect == Effect::Allow)
    }

    /// An action whose `keys` list is empty does not support conditions on a resource or tag (API spec, section 4.7).
    /// An Allow statement with such a condition does not match the action.
    /// A Deny statement treats the condition key as missing from the request.
    fn find_condition_mismatch<'s>(
        &self,
        condition: &'s Condition,
        model: PermissionModel,
        request: &AccessRequest<'s>,
    ) -> Option<StatementMismatch<'s>> {
        let unsupported = request.action.keys.is_empty() && condition.key.refers_to_resource();
        if unsupported && self.effect == Effect::Allow {
            return Some(StatementMismatch::UnsupportedConditionKey(condition));
        }
        let holds = condition.is_satisfied_by(&condition.key.read_values_from_request(model, request), request.budget);
        (!holds).then_some(StatementMismatch::Condition(condition))
    }
}

impl PatternSet<ResourcePattern> {
    pub(super) fn find_matching_pattern(&self, urn: &Urn<'_>, budget: &EvaluationBudget) -> Option<&ResourcePattern> {
        self.patterns.iter().find(|pattern| pattern.matches_urn(urn, budget))
    }
}
