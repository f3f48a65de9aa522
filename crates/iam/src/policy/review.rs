//! What is right in a document but hardly meant: warnings.

use crate::action::{Action, Target};
use crate::policy::condition::{Condition, Wanted};
use crate::policy::hint::nearest;
use crate::policy::key::{KEYS, Source};
use crate::policy::model::{Effect, Model};
use crate::policy::operator::Quantifier;
use crate::policy::pattern::{self, Case};
use crate::policy::statement::Statement;
use crate::policy::urn::ResourcePattern;
use crate::work_budget::WorkBudget;

pub(super) fn depends() -> String {
    "Depends is not interpreted: attach the roles that it names as well".to_owned()
}

/// An action that names nothing of Clew's.
pub(super) fn action(pattern: &str, model: Model) -> Option<String> {
    let budget = WorkBudget::default();
    let fits = |name: &str| pattern::matches(pattern, name, Case::Ignored, &budget);
    if Action::ALL.iter().any(|action| fits(model.name_of(*action))) {
        return None;
    }
    let other = match model {
        Model::RoleBased => Model::IdentityBased,
        Model::IdentityBased => Model::RoleBased,
    };
    if let Some(action) = Action::ALL.iter().find(|action| fits(other.name_of(**action))) {
        let (here, version) = (model.name_of(*action), if model == Model::RoleBased { "1.x" } else { "5.0" });
        return Some(format!("this is a name of the other model and matches nothing; version {version} says {here:?}"));
    }
    let service = pattern.split(':').next().unwrap_or_default();
    if !service.eq_ignore_ascii_case(model.service()) && !service.eq_ignore_ascii_case("clew") {
        return Some(format!("{service:?} is no service of Clew's; it matches nothing here"));
    }
    let hint = nearest(pattern, Action::ALL.iter().map(|action| model.name_of(*action)));
    Some(format!("Clew knows no such action, so it matches nothing; {hint}"))
}

/// A resource that can be none of Clew's.
pub(super) fn resource(resource: &ResourcePattern, model: Model) -> Option<String> {
    let ours = match resource {
        ResourcePattern::Any => true,
        ResourcePattern::Urn([service, _, _, kind, _]) => {
            let budget = WorkBudget::default();
            pattern::matches(service, model.service(), Case::Matters, &budget)
                && pattern::matches(kind, "instance", Case::Matters, &budget)
        }
        ResourcePattern::Foreign(_) => false,
    };
    (!ours).then(|| {
        format!(
            "this names nothing of Clew's; its resources are \"{}:<region>:<domain id>:instance:<instance id>\"",
            model.service()
        )
    })
}

/// A key without a value, a value that is not what it looks like, an operator that is not meant for the key.
pub(super) fn condition(condition: &Condition) -> Vec<String> {
    let mut warnings = Vec::new();
    let key = &condition.key;
    match key.row {
        None => {
            let hint = nearest(&key.text, KEYS.iter().map(|row| row.name));
            warnings.push(format!("Clew knows no condition key {:?}, so it never has a value; {hint}", key.text));
        }
        Some(row) if row.source == Source::Nowhere => {
            warnings.push(format!("Clew cannot know {:?}, so it never has a value", key.text));
        }
        Some(_) => {}
    }
    if key.has_many_values() && condition.test.quantifier.is_none() {
        warnings.push(format!("{:?} can have several values; say ForAnyValue: or ForAllValues:", key.text));
    }
    let variable = |wanted: &Wanted| matches!(wanted, Wanted::Text(text) if text.contains("${"));
    if condition.wanted.iter().any(variable) {
        warnings.push("Clew fills in no variables: ${...} is taken as it stands".to_owned());
    }
    warnings
}

/// A statement that reaches further, or less far, than it seems to.
pub(super) fn statement(statement: &Statement, model: Model) -> Vec<String> {
    let mut warnings = Vec::new();
    let allow = statement.effect == Effect::Allow;
    if allow && statement.actions.except {
        let message = "Allow with NotAction allows every other action, those on identities and the audit too";
        warnings.push(message.to_owned());
    }
    let vacuous = |condition: &Condition| condition.test.quantifier == Some(Quantifier::All);
    if allow && statement.conditions.iter().any(vacuous) {
        let message =
            "ForAllValues: also holds where the key is not there; add \"Null\": {key: \"false\"} if it must be";
        warnings.push(message.to_owned());
    }
    let budget = WorkBudget::default();
    let named = || Action::ALL.iter().filter(|action| statement.names(model, **action, &budget));
    let wants_instance = !statement.is_for_everything()
        || statement.conditions.iter().any(|condition| condition.key.describes_resource());
    if allow && wants_instance && named().next().is_some() && named().all(|action| action.target != Target::Instance) {
        let message = "the actions take no resource: they need the resource \"*\" and no condition on a resource, \
                       so this never matches";
        warnings.push(message.to_owned());
    }
    warnings
}
