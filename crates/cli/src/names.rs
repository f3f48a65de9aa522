//! What names and descriptions may be.

use clew_iam::name::{self, DESCRIPTION_LENGTH, NameRule};

/// Name of a domain, project, user or group.
pub(crate) fn parse(name: &str) -> Result<String, String> {
    checked(name::IDENTITY, name)
}

/// Name of a policy.
pub(crate) fn parse_policy(name: &str) -> Result<String, String> {
    checked(name::POLICY, name)
}

fn checked(rule: NameRule, name: &str) -> Result<String, String> {
    if rule.allows(name) { Ok(name.to_owned()) } else { Err(rule.to_string()) }
}

/// A line of text.
pub(crate) fn parse_description(text: &str) -> Result<String, String> {
    if text.chars().count() <= DESCRIPTION_LENGTH && !text.chars().any(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err(format!("one line of at most {DESCRIPTION_LENGTH} characters"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_a_line() {
        assert!(parse_description("").is_ok() && parse_description(&"ü".repeat(1000)).is_ok());
        assert!(parse_description("a\nb").is_err() && parse_description(&"a".repeat(1001)).is_err());
    }
}
