//! Validates names and descriptions, and suggests corrections for misspelled names.

use clew_iam::name_rule::{self, MAX_DESCRIPTION_LENGTH, NameRule};

pub(crate) fn parse_identity_name(name: &str) -> Result<String, String> {
    check_name_syntax(name_rule::IDENTITY_NAME_RULE, name)
}

pub(crate) fn parse_policy_name(name: &str) -> Result<String, String> {
    check_name_syntax(name_rule::POLICY_NAME_RULE, name)
}

fn check_name_syntax(rule: NameRule, name: &str) -> Result<String, String> {
    if rule.is_valid_name(name) { Ok(name.to_owned()) } else { Err(rule.to_string()) }
}

pub(crate) fn parse_description(text: &str) -> Result<String, String> {
    if text.chars().count() <= MAX_DESCRIPTION_LENGTH && !text.chars().any(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err(format!("expected one line of at most {MAX_DESCRIPTION_LENGTH} characters"))
    }
}

pub(crate) fn find_name_within_edit_distance<'a>(
    input: &str,
    names: impl IntoIterator<Item = &'a str>,
    max_distance: usize,
) -> Option<&'a str> {
    let distance = |name: &str| strsim::damerau_levenshtein(name, input);
    names.into_iter().min_by_key(|name| distance(name)).filter(|name| distance(name) <= max_distance)
}

pub(crate) fn format_unknown_key_message(key: &str, valid_keys: &[&str]) -> String {
    let max_distance = (key.chars().count() / 2).max(1);
    match find_name_within_edit_distance(key, valid_keys.iter().copied(), max_distance) {
        Some(nearest) => format!("unknown key {key}; did you mean {nearest}?"),
        None => format!("unknown key {key}; valid keys: {}", valid_keys.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn description_is_limited_to_one_line() {
        assert!(parse_description("").is_ok() && parse_description(&"ü".repeat(1000)).is_ok());
        assert!(parse_description("a\nb").is_err() && parse_description(&"a".repeat(1001)).is_err());
    }
}
