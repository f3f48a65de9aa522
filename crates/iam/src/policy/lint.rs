//! Warns about valid but suspicious parts of a policy document.

use crate::action::{Action, ActionResourceType};
use crate::evaluation_budget::EvaluationBudget;
use crate::policy::condition::{Condition, ExpectedValue};
use crate::policy::condition_key::CONDITION_KEYS;
use crate::policy::condition_operator::Quantifier;
use crate::policy::pattern::{self, CaseSensitivity};
use crate::policy::permission_model::{Effect, PermissionModel};
use crate::policy::statement::Statement;
use crate::policy::suggestion::suggest_similar_word;
use crate::policy::urn::ResourcePattern;

pub(super) fn ignored_depends_element_warning() -> String {
    "Depends is ignored; also attach the roles that it lists".to_owned()
}

pub(super) fn lint_action(pattern: &str, model: PermissionModel) -> Option<String> {
    let budget = EvaluationBudget::default();
    let fits = |name: &str| pattern::matches_pattern(pattern, name, CaseSensitivity::Insensitive, &budget);
    if Action::ALL.iter().any(|action| fits(model.action_name(*action))) {
        return None;
    }
    let other = match model {
        PermissionModel::RoleBased => PermissionModel::IdentityBased,
        PermissionModel::IdentityBased => PermissionModel::RoleBased,
    };
    if let Some(action) = Action::ALL.iter().find(|action| fits(other.action_name(**action))) {
        let (here, version) =
            (model.action_name(*action), if model == PermissionModel::RoleBased { "1.x" } else { "5.0" });
        return Some(format!(
            "this action name belongs to the other permission model and matches nothing; in version {version}, use {here:?}"
        ));
    }
    let service = pattern.split(':').next().unwrap_or_default();
    if !service.eq_ignore_ascii_case(model.service_name()) && !service.eq_ignore_ascii_case("clew") {
        return Some(format!("{service:?} is not a service of Clew, so the pattern matches nothing"));
    }
    let hint = suggest_similar_word(pattern, Action::ALL.iter().map(|action| model.action_name(*action)));
    Some(format!("unknown action, which matches nothing; {hint}"))
}

pub(super) fn lint_resource(resource: &ResourcePattern, model: PermissionModel) -> Option<String> {
    let ours = match resource {
        ResourcePattern::Any => true,
        ResourcePattern::Urn([service, _, _, kind, _]) => {
            let budget = EvaluationBudget::default();
            pattern::matches_pattern(service, model.service_name(), CaseSensitivity::Sensitive, &budget)
                && pattern::matches_pattern(kind, "instance", CaseSensitivity::Sensitive, &budget)
        }
        ResourcePattern::Foreign(_) => false,
    };
    (!ours).then(|| {
        format!(
            "the pattern matches no resource of Clew, whose resources are \"{}:<region>:<domain id>:instance:<instance id>\"",
            model.service_name()
        )
    })
}

pub(super) fn lint_condition(condition: &Condition) -> Vec<String> {
    let mut warnings = Vec::new();
    let key = &condition.key;
    match key.definition {
        None => {
            let hint = suggest_similar_word(&key.text, CONDITION_KEYS.iter().map(|definition| definition.name));
            warnings.push(format!("unknown condition key {:?}, which never has a value; {hint}", key.text));
        }
        Some(definition) if definition.read_values.is_none() => {
            warnings.push(format!("Clew does not support the condition key {:?}, which never has a value", key.text));
        }
        Some(_) => {}
    }
    if key.is_multivalued() && condition.test.quantifier.is_none() {
        warnings.push(format!("{:?} can have several values; use ForAnyValue: or ForAllValues:", key.text));
    }
    let variable = |expected: &ExpectedValue| matches!(expected, ExpectedValue::Text(text) if text.contains("${"));
    if condition.expected.iter().any(variable) {
        warnings.push("Clew does not support policy variables; ${...} is literal text".to_owned());
    }
    warnings
}

pub(super) fn lint_statement(statement: &Statement, model: PermissionModel) -> Vec<String> {
    let mut warnings = Vec::new();
    let allow = statement.effect == Effect::Allow;
    if allow && statement.actions.negated {
        let message = "Allow with NotAction allows every other action, including actions on identities and the audit";
        warnings.push(message.to_owned());
    }
    let vacuous = |condition: &Condition| condition.test.quantifier == Some(Quantifier::All);
    if allow && statement.conditions.iter().any(vacuous) {
        let message =
            "ForAllValues: is also true if the key is missing; add \"Null\": {key: \"false\"} to require the key";
        warnings.push(message.to_owned());
    }
    let budget = EvaluationBudget::default();
    let named = || Action::ALL.iter().filter(|action| statement.matches_action(model, **action, &budget));
    let requires_instance = !statement.matches_all_resources()
        || statement.conditions.iter().any(|condition| condition.key.refers_to_resource());
    if allow
        && requires_instance
        && named().next().is_some()
        && named().all(|action| action.target != ActionResourceType::Instance)
    {
        let message = "the actions have no resource type and require the resource \"*\" without conditions on a resource, \
                       so the statement never matches";
        warnings.push(message.to_owned());
    }
    warnings
}
