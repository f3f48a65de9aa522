//! Says in words why a statement does or does not match.

use std::fmt::Display;

use crate::policy::condition::{Condition, Wanted};
use crate::policy::evaluate::Mismatch;
use crate::policy::model::Model;
use crate::policy::pattern::{self, Case};
use crate::policy::statement::Statement;
use crate::policy::urn::Urn;
use crate::request::Request;

impl Statement {
    /// Whether it matches, and the reasons: those against, or if there are none those for.
    pub(crate) fn reasons(&self, model: Model, request: &Request<'_>) -> (bool, Vec<String>) {
        let mismatches: Vec<_> = self.mismatches(model, request).collect();
        let against = |mismatch: &Mismatch<'_>| match mismatch {
            Mismatch::Action => self.about_action(model, request),
            Mismatch::Resource => self.about_resource(model, request),
            Mismatch::UnsupportedKey(condition) => {
                let (action, key) = (model.name_of(request.action), &condition.key.text);
                format!("{action} supports no condition on {key}, so an Allow with one does not reach it")
            }
            Mismatch::Condition(condition) => about_condition(condition, model, request),
        };
        match mismatches.first() {
            // What a statement about other actions says of resources is beside the point.
            Some(Mismatch::Action) => (false, vec![self.about_action(model, request)]),
            Some(_) => (false, mismatches.iter().map(against).collect()),
            None => {
                let first = [self.about_action(model, request), self.about_resource(model, request)];
                let conditions = self.conditions.iter().map(|condition| about_condition(condition, model, request));
                (true, first.into_iter().chain(conditions).collect())
            }
        }
    }

    fn about_action(&self, model: Model, request: &Request<'_>) -> String {
        let name = model.name_of(request.action);
        let fits =
            self.actions.patterns.iter().find(|pattern| pattern::matches(pattern, name, Case::Ignored, request.budget));
        let says = match (self.actions.except, fits) {
            (false, Some(pattern)) => format!("the statement names {pattern:?}"),
            (false, None) => format!("the statement names {}", listed(&self.actions.patterns)),
            (true, Some(pattern)) => format!("the statement excepts {pattern:?}"),
            (true, None) => format!("the statement excepts only {}", listed(&self.actions.patterns)),
        };
        format!("the action is {name}, {says}")
    }

    fn about_resource(&self, model: Model, request: &Request<'_>) -> String {
        let urn = Urn::of(model, request);
        let is = match &urn {
            Urn::Instance(parts) => format!("the resource is {}", parts.join(":")),
            Urn::None => "the action takes no resource".to_owned(),
        };
        let Some(resources) = &self.resources else { return format!("{is}, the statement names all") };
        let says = match (resources.except, resources.first_that_fits(&urn, request.budget)) {
            (false, Some(pattern)) => format!("the statement names \"{pattern}\""),
            (false, None) => format!("the statement names {}", listed(&resources.patterns)),
            (true, Some(pattern)) => format!("the statement excepts \"{pattern}\""),
            (true, None) => format!("the statement excepts {}", listed(&resources.patterns)),
        };
        format!("{is}, {says}")
    }
}

fn about_condition(condition: &Condition, model: Model, request: &Request<'_>) -> String {
    let values = condition.key.values(model, request);
    let is = match values.as_slice() {
        [] => "not there".to_owned(),
        values => listed(values),
    };
    let (key, operator) = (&condition.key.text, &condition.operator);
    format!("{key} is {is}, {operator} wants {}", listed(&condition.wanted))
}

/// Each in quotes, joined by commas.
fn listed(items: &[impl Display]) -> String {
    items.iter().map(|item| format!("\"{item}\"")).collect::<Vec<_>>().join(", ")
}

impl Display for Wanted {
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
