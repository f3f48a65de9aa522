//! Naming rules for identities and policies, whose names appear in URLs, shell commands and policy documents.

use std::fmt;

/// Maximum length of a description in characters, as defined for policies in the TaurusDB API spec, section 4.3.
pub const MAX_DESCRIPTION_LENGTH: usize = 1000;

/// Naming rule: maximum length and allowed characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameRule {
    /// Maximum length of a name in characters.
    pub max_length: usize,
    /// Characters that names can contain in addition to ASCII letters and digits.
    pub extra_chars: &'static str,
    /// Reserved names have a special meaning as URL path segments.
    reserved: &'static [&'static str],
}

/// Naming rule for domains, projects, users and groups.
pub const IDENTITY_NAME_RULE: NameRule = NameRule { max_length: 64, extra_chars: "-_.", reserved: &[".", ".."] };
/// Naming rule for policies (TaurusDB API spec, section 4.3).
pub const POLICY_NAME_RULE: NameRule =
    NameRule { max_length: 128, extra_chars: "_+=.@-", reserved: &[".", "..", "validate", "simulate"] };

impl NameRule {
    /// Returns true if `name` has a valid length, contains only allowed characters and is not a reserved name.
    #[must_use]
    pub fn is_valid_name(self, name: &str) -> bool {
        let is_allowed_char = |letter: char| letter.is_ascii_alphanumeric() || self.extra_chars.contains(letter);
        (1..=self.max_length).contains(&name.len())
            && name.chars().all(is_allowed_char)
            && !self.reserved.contains(&name)
    }
}

impl fmt::Display for NameRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1 to {} letters, digits and any of {}", self.max_length, self.extra_chars)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_respect_length_alphabet_and_reserved_words() {
        for good in ["a", "ada.l-1_x", &"a".repeat(64)] {
            assert!(IDENTITY_NAME_RULE.is_valid_name(good), "{good:?}");
        }
        for bad in ["", "a b", "it's", "ä", "a@b", ".", "..", &"a".repeat(65)] {
            assert!(!IDENTITY_NAME_RULE.is_valid_name(bad), "{bad:?}");
        }
        assert!(POLICY_NAME_RULE.is_valid_name("a+b=c@d") && POLICY_NAME_RULE.is_valid_name(&"a".repeat(128)));
        for bad in ["TaurusDB FullAccess", "..", "validate", "simulate", &"a".repeat(129)] {
            assert!(!POLICY_NAME_RULE.is_valid_name(bad), "{bad:?}");
        }
    }
}
