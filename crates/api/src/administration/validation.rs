//! Validation of fields that several request bodies share.

use clew_iam::name::{self, DESCRIPTION_LENGTH, NameRule};
use clew_iam::password::{self, LEAST_LENGTH, MOST_LENGTH, PasswordRule};
use secrecy::SecretString;

use crate::body::Body;
use crate::query::shown;
use crate::refusal::Refusal;

/// Reads and validates the required field `name` of a new object.
pub(super) fn read_name(body: &Body) -> Result<String, Refusal> {
    let name: String = body.need("name")?;
    check_name(name::IDENTITY, &name)?;
    Ok(name)
}

/// Validates the name of a domain's policy.
pub(super) fn check_policy_name(name: &str) -> Result<(), Refusal> {
    check_name(name::POLICY, name)
}

fn check_name(rule: NameRule, name: &str) -> Result<(), Refusal> {
    if rule.allows(name) {
        return Ok(());
    }
    let arguments = vec![("given", shown(name)), ("max", rule.longest.to_string()), ("signs", rule.signs.to_owned())];
    Err(Refusal::parameter("name-form", arguments))
}

/// Reads and validates the optional field `description`.
pub(super) fn read_description(body: &Body) -> Result<Option<String>, Refusal> {
    let Some(description) = body.get::<String>("description")? else { return Ok(None) };
    let length = description.chars().count();
    if length > DESCRIPTION_LENGTH {
        let arguments = vec![
            ("field", "description".into()),
            ("length", length.to_string()),
            ("min", "0".into()),
            ("max", DESCRIPTION_LENGTH.to_string()),
        ];
        return Err(Refusal::parameter("parameter-length", arguments));
    }
    if description.chars().any(char::is_control) {
        return Err(Refusal::parameter("control-characters", vec![("field", "description".into())]));
    }
    Ok(Some(description))
}

/// Validates a new password for the user named `user`.
pub(super) fn check_password(user: &str, chosen: &SecretString) -> Result<(), Refusal> {
    password::check(chosen, user).map_err(|rule| {
        let id = match rule {
            PasswordRule::Length => "password-length",
            PasswordRule::UserName => "password-user-name",
        };
        let limits = vec![("min", LEAST_LENGTH.to_string()), ("max", MOST_LENGTH.to_string())];
        Refusal::parameter(id, limits)
    })
}
