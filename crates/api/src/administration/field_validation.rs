//! Validates request body fields that are shared by several routes.

use clew_iam::name_rule::{self, MAX_DESCRIPTION_LENGTH, NameRule};
use clew_iam::password::{self, MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH, PasswordError};
use secrecy::SecretString;

use crate::body::JsonBody;
use crate::error::ApiError;
use crate::query_string::truncate_for_message;

pub(super) fn parse_identity_name(body: &JsonBody) -> Result<String, ApiError> {
    let name: String = body.get_required("name")?;
    check_name_against_rule(name_rule::IDENTITY_NAME_RULE, &name)?;
    Ok(name)
}

pub(super) fn check_policy_name(name: &str) -> Result<(), ApiError> {
    check_name_against_rule(name_rule::POLICY_NAME_RULE, name)
}

fn check_name_against_rule(rule: NameRule, name: &str) -> Result<(), ApiError> {
    if rule.is_valid_name(name) {
        return Ok(());
    }
    let arguments = vec![
        ("given", truncate_for_message(name)),
        ("max", rule.max_length.to_string()),
        ("signs", rule.extra_chars.to_owned()),
    ];
    Err(ApiError::invalid_parameter("name-form", arguments))
}

pub(super) fn parse_description(body: &JsonBody) -> Result<Option<String>, ApiError> {
    let Some(description) = body.get::<String>("description")? else { return Ok(None) };
    let length = description.chars().count();
    if length > MAX_DESCRIPTION_LENGTH {
        let arguments = vec![
            ("field", "description".into()),
            ("length", length.to_string()),
            ("min", "0".into()),
            ("max", MAX_DESCRIPTION_LENGTH.to_string()),
        ];
        return Err(ApiError::invalid_parameter("parameter-length", arguments));
    }
    if description.chars().any(char::is_control) {
        return Err(ApiError::invalid_parameter("control-characters", vec![("field", "description".into())]));
    }
    Ok(Some(description))
}

pub(super) fn check_new_password(user: &str, chosen: &SecretString) -> Result<(), ApiError> {
    password::validate_new_password(chosen, user).map_err(|rule| {
        let id = match rule {
            PasswordError::Length => "password-length",
            PasswordError::UserName => "password-user-name",
        };
        let limits = vec![("min", MIN_PASSWORD_LENGTH.to_string()), ("max", MAX_PASSWORD_LENGTH.to_string())];
        ApiError::invalid_parameter(id, limits)
    })
}
