//! Validates request body fields that several routes share.

use clew_iam::name_rule::{IDENTITY_NAME_RULE, MAX_DESCRIPTION_LENGTH, NameRule};
use clew_iam::password::{self, MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH, PasswordError};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::field_errors::{check_text_length, truncate_for_message};

/// Name and description of a new object.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NameAndDescription {
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.-]+$")]
    name: String,
    #[schema(max_length = 1000)]
    description: Option<String>,
}

impl NameAndDescription {
    pub(super) fn validate(self) -> Result<(String, String), ApiError> {
        check_name(IDENTITY_NAME_RULE, &self.name)?;
        Ok((self.name, check_description(self.description)?.unwrap_or_default()))
    }
}

pub(super) fn check_name(rule: NameRule, name: &str) -> Result<(), ApiError> {
    if rule.is_valid_name(name) {
        return Ok(());
    }
    let arguments = [
        ("given", truncate_for_message(name)),
        ("max", rule.max_length.to_string()),
        ("signs", rule.extra_chars.to_owned()),
    ];
    Err(ApiError::invalid_parameter("name-form", arguments))
}

pub(super) fn check_description(description: Option<String>) -> Result<Option<String>, ApiError> {
    let Some(text) = &description else { return Ok(None) };
    check_text_length("description", text, 0, MAX_DESCRIPTION_LENGTH)?;
    if text.chars().any(char::is_control) {
        return Err(ApiError::invalid_parameter("control-characters", [("field", "description".into())]));
    }
    Ok(description)
}

pub(super) fn check_new_password(user: &str, chosen: &SecretString) -> Result<(), ApiError> {
    password::validate_new_password(chosen, user).map_err(|rule| {
        let id = match rule {
            PasswordError::Length => "password-length",
            PasswordError::UserName => "password-user-name",
        };
        let limits = [("min", MIN_PASSWORD_LENGTH.to_string()), ("max", MAX_PASSWORD_LENGTH.to_string())];
        ApiError::invalid_parameter(id, limits)
    })
}
