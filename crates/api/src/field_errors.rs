//! Errors for invalid request body fields and query parameters.

use std::fmt::Display;

use clew_model::SessionSelectionError;

use crate::error::ApiError;

pub(crate) fn repeated_field_error(name: &str) -> ApiError {
    ApiError::invalid_parameter("parameter-repeated", [("field", truncate_for_message(name))])
}

pub(crate) fn missing_field_error(name: &str) -> ApiError {
    ApiError::invalid_parameter("parameter-missing", [("field", truncate_for_message(name))])
}

pub(crate) fn invalid_field_error(name: &str, given: &str) -> ApiError {
    let arguments = [("field", name.to_owned()), ("given", truncate_for_message(given))];
    ApiError::invalid_parameter("parameter-form", arguments)
}

pub(crate) fn unknown_field_error(name: &str, known: &[&str]) -> ApiError {
    let name = truncate_for_message(name);
    let distance = |candidate: &&&str| strsim::damerau_levenshtein(candidate, &name);
    let closest =
        known.iter().min_by_key(distance).filter(|closest| distance(closest) <= (name.chars().count() / 3).max(1));
    let field = ("field", name);
    match closest {
        Some(closest) => {
            ApiError::invalid_parameter("parameter-misspelt-field", [field, ("near", (*closest).to_owned())])
        }
        None => ApiError::invalid_parameter("parameter-unknown-field", [field]),
    }
}

pub(crate) fn value_not_allowed_error(name: &'static str, given: &str, allowed: &[&str]) -> ApiError {
    let arguments = [("field", name.into()), ("given", truncate_for_message(given)), ("allowed", allowed.join(", "))];
    ApiError::invalid_parameter("parameter-not-one-of", arguments)
}

pub(crate) fn value_out_of_range_error(
    name: &'static str,
    given: &str,
    min: impl Display,
    max: impl Display,
) -> ApiError {
    let arguments = [
        ("field", name.into()),
        ("given", truncate_for_message(given)),
        ("min", min.to_string()),
        ("max", max.to_string()),
    ];
    ApiError::invalid_parameter("parameter-range", arguments)
}

pub(crate) fn check_array_length(name: &'static str, count: usize, min: usize, max: usize) -> Result<(), ApiError> {
    if (min..=max).contains(&count) {
        return Ok(());
    }
    Err(size_out_of_range_error("parameter-count", name, ("count", count), min, max))
}

pub(crate) fn check_text_length(name: &'static str, text: &str, min: usize, max: usize) -> Result<(), ApiError> {
    let length = text.chars().count();
    if (min..=max).contains(&length) {
        return Ok(());
    }
    Err(size_out_of_range_error("parameter-length", name, ("length", length), min, max))
}

fn size_out_of_range_error(
    message_id: &'static str,
    name: &'static str,
    size: (&'static str, usize),
    min: usize,
    max: usize,
) -> ApiError {
    let numbers = [size, ("min", min), ("max", max)].map(|(variable, number)| (variable, number.to_string()));
    ApiError::invalid_parameter(message_id, [("field", name.to_owned())].into_iter().chain(numbers))
}

impl From<SessionSelectionError> for ApiError {
    fn from(error: SessionSelectionError) -> Self {
        match error {
            SessionSelectionError::NotOneOf { field, given, allowed } => {
                value_not_allowed_error(field, &given, allowed)
            }
            SessionSelectionError::Length { field, length, min, max } => {
                size_out_of_range_error("parameter-length", field, ("length", length), min, max)
            }
            SessionSelectionError::Range { field, given, min, max } => {
                value_out_of_range_error(field, &given.to_string(), min, max)
            }
        }
    }
}

pub(crate) fn truncate_for_message(text: &str) -> String {
    text.chars().take(80).collect()
}
