//! Whether a statement matches a request.

use std::iter;

use crate::action::Action;
use crate::policy::condition::Condition;
use crate::policy::model::{Effect, Model};
use crate::policy::pattern::{self, Case};
use crate::policy::statement::{Named, Statement};
use crate::policy::urn::{ResourcePattern, Urn};
use crate::request::Request;
use crate::work_budget::WorkBudget;

/// Why a statement does not match.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mismatch<'s> {
    /// It does not name the action.
    Action,
    /// It does not name the resource.
    Resource,
    /// A condition asks for what the action does not have.
    UnsupportedKey(&'s Condition),
    /// A condition does not hold.
    Condition(&'s Condition),
}

impl Statement {
    /// Whether it matches the request.
    pub(crate) fn matches(&self, model: Model, request: &Request<'_>) -> bool {
        self.mismatches(model, request).next().is_none()
    }

    /// Whether it names the action.
    pub(crate) fn names(&self, model: Model, action: Action, budget: &WorkBudget) -> bool {
        let name = model.name_of(action);
        self.actions.names(|pattern| pattern::matches(pattern, name, Case::Ignored, budget))
    }

    /// Everything that keeps it from matching, the action first.
    pub(super) fn mismatches<'s>(&'s self, model: Model, request: &Request<'s>) -> impl Iterator<Item = Mismatch<'s>> {
        let action = (!self.names(model, request.action, request.budget)).then_some(Mismatch::Action);
        let request = *request;
        let others = iter::once_with(move || (!self.names_resource(model, &request)).then_some(Mismatch::Resource))
            .flatten()
            .chain(self.conditions.iter().filter_map(move |condition| self.mismatch(condition, model, &request)));
        action.into_iter().chain(others)
    }

    /// An action that takes no resource works with the resource `*` only (spec section 4.3). "All but these" is in doubt
    /// then, and in doubt nothing is allowed and everything denied: a change of all instances is none of "all but mine".
    fn names_resource(&self, model: Model, request: &Request<'_>) -> bool {
        let Some(resources) = &self.resources else { return true };
        let urn = Urn::of(model, request);
        let in_doubt = urn == Urn::None && resources.except;
        resources.names(|pattern| pattern.matches(&urn, request.budget)) && !(in_doubt && self.effect == Effect::Allow)
    }

    /// What keeps a condition from holding. An action without keys supports no condition on a resource (spec section 4.7):
    /// an Allow that has one does not reach it; a Deny sees a key that is not there.
    fn mismatch<'s>(&self, condition: &'s Condition, model: Model, request: &Request<'s>) -> Option<Mismatch<'s>> {
        let unsupported = request.action.keys.is_empty() && condition.key.describes_resource();
        if unsupported && self.effect == Effect::Allow {
            return Some(Mismatch::UnsupportedKey(condition));
        }
        let holds = condition.holds(&condition.key.values(model, request), request.budget);
        (!holds).then_some(Mismatch::Condition(condition))
    }
}

impl Named<ResourcePattern> {
    /// The first pattern that fits the resource.
    pub(super) fn first_that_fits(&self, urn: &Urn<'_>, budget: &WorkBudget) -> Option<&ResourcePattern> {
        self.patterns.iter().find(|pattern| pattern.matches(urn, budget))
    }
}
