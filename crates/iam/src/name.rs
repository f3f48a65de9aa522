//! What identities and policies may be called. Names stand in URLs, shells and policies.

use std::fmt;

/// Most characters of a description (spec section 4.3 says so of policies).
pub const DESCRIPTION_LENGTH: usize = 1000;

/// What a kind of name may be: so many ASCII letters, digits and signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameRule {
    /// Most characters.
    pub longest: usize,
    /// Characters that it may have besides letters and digits.
    pub signs: &'static str,
    /// Words that it may not be: in the path of a URL they mean something else.
    reserved: &'static [&'static str],
}

/// Names of domains, projects, users and groups.
pub const IDENTITY: NameRule = NameRule { longest: 64, signs: "-_.", reserved: &[".", ".."] };
/// Names of policies (spec section 4.3).
pub const POLICY: NameRule = NameRule { longest: 128, signs: "_+=.@-", reserved: &[".", "..", "validate", "simulate"] };

impl NameRule {
    /// Whether this may be a name.
    #[must_use]
    pub fn allows(self, name: &str) -> bool {
        let known = |letter: char| letter.is_ascii_alphanumeric() || self.signs.contains(letter);
        (1..=self.longest).contains(&name.len()) && name.chars().all(known) && !self.reserved.contains(&name)
    }
}

impl fmt::Display for NameRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1 to {} letters, digits and any of {}", self.longest, self.signs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_length_and_an_alphabet_and_mean_nothing_else() {
        for good in ["a", "ada.l-1_x", &"a".repeat(64)] {
            assert!(IDENTITY.allows(good), "{good:?}");
        }
        for bad in ["", "a b", "it's", "ä", "a@b", ".", "..", &"a".repeat(65)] {
            assert!(!IDENTITY.allows(bad), "{bad:?}");
        }
        assert!(POLICY.allows("a+b=c@d") && POLICY.allows(&"a".repeat(128)));
        for bad in ["TaurusDB FullAccess", "..", "validate", "simulate", &"a".repeat(129)] {
            assert!(!POLICY.allows(bad), "{bad:?}");
        }
    }
}
