//! Wildcards: `*` stands for any run of characters, `?` for exactly one (spec section 4.3).

/// How two characters are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    /// `a` is not `A`.
    Matters,
    /// `a` is `A`.
    Ignored,
}

impl Case {
    fn same(self, one: char, other: char) -> bool {
        match self {
            Self::Matters => one == other,
            Self::Ignored if one.is_ascii() && other.is_ascii() => one.eq_ignore_ascii_case(&other),
            Self::Ignored => one.to_lowercase().eq(other.to_lowercase()),
        }
    }
}

/// Whether the pattern matches the whole text.
///
/// A mismatch goes back to the last `*` only: an earlier one could take no more than the last one can. So the time is at most
/// the product of both lengths, however many wildcards there are.
pub(super) fn matches(pattern: &str, text: &str, case: Case) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    let mut last_star = None;
    loop {
        match pattern.next() {
            Some('*') => {
                last_star = Some((pattern.clone(), text.clone()));
                continue;
            }
            Some(wanted) => match text.next() {
                Some(found) if wanted == '?' || case.same(wanted, found) => continue,
                Some(_) => {}
                // What is left of the pattern finds even less in a shorter rest.
                None => return false,
            },
            None if text.as_str().is_empty() => return true,
            None => {}
        }
        let Some((after_star, rest)) = &mut last_star else { return false };
        if rest.next().is_none() {
            return false;
        }
        (pattern, text) = (after_star.clone(), rest.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_take_any_run_and_question_marks_one_character() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything at all", true),
            ("?", "", false),
            ("?", "a", true),
            ("?", "é", true),
            ("?", "ab", false),
            ("a*", "a", true),
            ("a*c", "abc", true),
            ("a*c", "acb", false),
            ("a*b*c", "aXbYbZc", true),
            ("*ab", "aab", true),
            ("*aab", "aaaab", true),
            ("a?c*", "abcdef", true),
            ("a?c*", "ac", false),
            ("**", "x", true),
            ("*?*", "", false),
            ("*?*", "x", true),
            ("日*", "日本", true),
            ("A", "a", false),
        ] {
            assert_eq!(matches(pattern, text, Case::Matters), expected, "{pattern:?} {text:?}");
        }
        assert!(matches("GAUSS*", "gaussdb", Case::Ignored));
        assert!(matches("É?", "éa", Case::Ignored));
    }

    #[test]
    fn many_stars_do_not_multiply() {
        // A backtracking matcher takes longer than the universe has: the test would never end.
        let (pattern, text) = ("*a".repeat(500), format!("{}b", "a".repeat(1_024)));
        assert!(!matches(&pattern, &text, Case::Matters));
    }
}
