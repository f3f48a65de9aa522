//! Warnings about valid but suspicious parts of a policy document.

use crate::action::{Action, Target};
use crate::policy::condition::{Condition, ExpectedValue};
use crate::policy::key::{CONDITION_KEYS, ValueSource};
use crate::policy::operator::Quantifier;
use crate::policy::pattern::{self, CaseSensitivity};
use crate::policy::policy_model::{Effect, PolicyModel};
use crate::policy::statement::Statement;
use crate::policy::suggestion::suggest_similar_word;
use crate::policy::urn::ResourcePattern;
use crate::work_budget::WorkBudget;

pub(super) fn lint_depends() -> String {
    "Depends is not interpreted: attach the roles that it names as well".to_owned()
}

/// Returns a warning if the action pattern matches no action of Clew.
pub(super) fn lint_action(pattern: &str, model: PolicyModel) -> Option<String> {
    let budget = WorkBudget::default();
    let fits = |name: &str| pattern::matches(pattern, name, CaseSensitivity::Insensitive, &budget);
    if Action::ALL.iter().any(|action| fits(model.action_name(*action))) {
        return None;
    }
    let other = match model {
        PolicyModel::RoleBased => PolicyModel::IdentityBased,
        PolicyModel::IdentityBased => PolicyModel::RoleBased,
    };
    if let Some(action) = Action::ALL.iter().find(|action| fits(other.action_name(**action))) {
        let (here, version) = (model.action_name(*action), if model == PolicyModel::RoleBased { "1.x" } else { "5.0" });
        return Some(format!("this is a name of the other model and matches nothing; version {version} says {here:?}"));
    }
    let service = pattern.split(':').next().unwrap_or_default();
    if !service.eq_ignore_ascii_case(model.service_name()) && !service.eq_ignore_ascii_case("clew") {
        return Some(format!("{service:?} is no service of Clew's; it matches nothing here"));
    }
    let hint = suggest_similar_word(pattern, Action::ALL.iter().map(|action| model.action_name(*action)));
    Some(format!("Clew knows no such action, so it matches nothing; {hint}"))
}

/// Returns a warning if the resource pattern matches no resource of Clew.
pub(super) fn lint_resource(resource: &ResourcePattern, model: PolicyModel) -> Option<String> {
    let ours = match resource {
        ResourcePattern::Any => true,
        ResourcePattern::Urn([service, _, _, kind, _]) => {
            let budget = WorkBudget::default();
            pattern::matches(service, model.service_name(), CaseSensitivity::Sensitive, &budget)
                && pattern::matches(kind, "instance", CaseSensitivity::Sensitive, &budget)
        }
        ResourcePattern::Foreign(_) => false,
    };
    (!ours).then(|| {
        format!(
            "this names nothing of Clew's; its resources are \"{}:<region>:<domain id>:instance:<instance id>\"",
            model.service_name()
        )
    })
}

/// Returns warnings about a condition key without a value, a suspicious value, or an unsuitable operator.
pub(super) fn lint_condition(condition: &Condition) -> Vec<String> {
    let mut warnings = Vec::new();
    let key = &condition.key;
    match key.definition {
        None => {
            let hint = suggest_similar_word(&key.text, CONDITION_KEYS.iter().map(|definition| definition.name));
            warnings.push(format!("Clew knows no condition key {:?}, so it never has a value; {hint}", key.text));
        }
        Some(definition) if definition.source == ValueSource::Unavailable => {
            warnings.push(format!("Clew cannot know {:?}, so it never has a value", key.text));
        }
        Some(_) => {}
    }
    if key.is_multivalued() && condition.test.quantifier.is_none() {
        warnings.push(format!("{:?} can have several values; say ForAnyValue: or ForAllValues:", key.text));
    }
    let variable = |expected: &ExpectedValue| matches!(expected, ExpectedValue::Text(text) if text.contains("${"));
    if condition.expected.iter().any(variable) {
        warnings.push("Clew fills in no variables: ${...} is taken as it stands".to_owned());
    }
    warnings
}

/// Returns warnings about a statement that probably matches more or fewer requests than intended.
pub(super) fn lint_statement(statement: &Statement, model: PolicyModel) -> Vec<String> {
    let mut warnings = Vec::new();
    let allow = statement.effect == Effect::Allow;
    if allow && statement.actions.negated {
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
    let named = || Action::ALL.iter().filter(|action| statement.matches_action(model, **action, &budget));
    let requires_instance = !statement.matches_all_resources()
        || statement.conditions.iter().any(|condition| condition.key.describes_resource());
    if allow && requires_instance && named().next().is_some() && named().all(|action| action.target != Target::Instance)
    {
        let message = "the actions take no resource: they need the resource \"*\" and no condition on a resource, \
                       so this never matches";
        warnings.push(message.to_owned());
    }
    warnings
}
