//! Explains why a policy statement matches or does not match a request.

use std::fmt::Display;

use crate::access_request::AccessRequest;
use crate::policy::condition::{Condition, ExpectedValue};
use crate::policy::evaluation::StatementMismatch;
use crate::policy::pattern::{self, CaseSensitivity};
use crate::policy::permission_model::PermissionModel;
use crate::policy::statement::Statement;
use crate::policy::urn::Urn;

impl Statement {
    /// Returns whether the statement matches, with the reasons.
    pub(crate) fn explain_match(&self, model: PermissionModel, request: &AccessRequest<'_>) -> (bool, Vec<String>) {
        let mismatches: Vec<_> = self.find_mismatches(model, request).collect();
        let against = |mismatch: &StatementMismatch<'_>| match mismatch {
            StatementMismatch::Action => self.explain_action_match(model, request),
            StatementMismatch::Resource => self.explain_resource_match(model, request),
            StatementMismatch::UnsupportedConditionKey(condition) => {
                let (action, key) = (model.action_name(request.action), &condition.key.text);
                format!(
                    "{action} does not support conditions on {key}, so an Allow with such a condition does not match"
                )
            }
            StatementMismatch::Condition(condition) => explain_condition_match(condition, model, request),
        };
        match mismatches.first() {
            // If the action does not match, the resource is irrelevant.
            Some(StatementMismatch::Action) => (false, vec![self.explain_action_match(model, request)]),
            Some(_) => (false, mismatches.iter().map(against).collect()),
            None => {
                let first = [self.explain_action_match(model, request), self.explain_resource_match(model, request)];
                let conditions =
                    self.conditions.iter().map(|condition| explain_condition_match(condition, model, request));
                (true, first.into_iter().chain(conditions).collect())
            }
        }
    }

    fn explain_action_match(&self, model: PermissionModel, request: &AccessRequest<'_>) -> String {
        let name = model.action_name(request.action);
        let fits = self
            .actions
            .patterns
            .iter()
            .find(|pattern| pattern::matches_pattern(pattern, name, CaseSensitivity::Insensitive, request.budget));
        let reason = match (self.actions.negated, fits) {
            (false, Some(pattern)) => format!("the statement lists {pattern:?}"),
            (false, None) => format!("the statement lists {}", format_quoted_list(&self.actions.patterns)),
            (true, Some(pattern)) => format!("the statement excludes {pattern:?}"),
            (true, None) => format!("the statement excludes only {}", format_quoted_list(&self.actions.patterns)),
        };
        format!("the action is {name}, {reason}")
    }

    fn explain_resource_match(&self, model: PermissionModel, request: &AccessRequest<'_>) -> String {
        let urn = Urn::from_access_request(model, request);
        let is = match &urn {
            Urn::Instance(parts) => format!("the resource is {}", parts.join(":")),
            Urn::None => "the action has no resource type".to_owned(),
        };
        let Some(resources) = &self.resources else { return format!("{is}, the statement applies to all resources") };
        let reason = match (resources.negated, resources.find_matching_pattern(&urn, request.budget)) {
            (false, Some(pattern)) => format!("the statement lists \"{pattern}\""),
            (false, None) => format!("the statement lists {}", format_quoted_list(&resources.patterns)),
            (true, Some(pattern)) => format!("the statement excludes \"{pattern}\""),
            (true, None) => format!("the statement excludes {}", format_quoted_list(&resources.patterns)),
        };
        format!("{is}, {reason}")
    }
}

fn explain_condition_match(condition: &Condition, model: PermissionModel, request: &AccessRequest<'_>) -> String {
    let values = condition.key.read_values_from_request(model, request);
    let is = match values.as_slice() {
        [] => "missing".to_owned(),
        values => format_quoted_list(values),
    };
    let (key, operator) = (&condition.key.text, &condition.operator);
    format!("{key} is {is}, {operator} requires {}", format_quoted_list(&condition.expected))
}

fn format_quoted_list(items: &[impl Display]) -> String {
    items.iter().map(|item| format!("\"{item}\"")).collect::<Vec<_>>().join(", ")
}

impl Display for ExpectedValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => text.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Date(date) => date.fmt(f),
            Self::Bool(truth) => truth.fmt(f),
            Self::Network(network) => network.fmt(f),
        }
    }
}
