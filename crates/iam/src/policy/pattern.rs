//! Wildcard patterns: `*` matches any sequence of characters, and `?` matches one character (API spec, section 4.3).
//!
//! The matcher must never take exponential time, because users can define arbitrary policy patterns.
//! The matcher takes linear time for a case-sensitive pattern without `?`.
//! For a case-insensitive pattern or a pattern with `?`, the matcher takes at most pattern length × text length steps.
//! The matcher consumes work units for the pattern length, the text length and the number of steps.

use crate::evaluation_budget::EvaluationBudget;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CaseSensitivity {
    Sensitive,
    Insensitive,
}

impl CaseSensitivity {
    fn chars_equal(self, one: char, other: char) -> bool {
        match self {
            Self::Sensitive => one == other,
            Self::Insensitive if one.is_ascii() && other.is_ascii() => one.eq_ignore_ascii_case(&other),
            Self::Insensitive => one.to_lowercase().eq(other.to_lowercase()),
        }
    }
}

/// Returns `false` if the evaluation budget is exhausted.
pub(super) fn matches_pattern(pattern: &str, text: &str, case: CaseSensitivity, budget: &EvaluationBudget) -> bool {
    if !budget.consume_comparison_cost(pattern.len() + text.len()) {
        return false;
    }
    match case {
        CaseSensitivity::Sensitive if !pattern.contains('?') => matches_asterisk_only_pattern(pattern, text),
        _ => matches_wildcard_pattern(pattern, text, case, budget),
    }
}

/// Each literal between two `*` is matched at its earliest position in the text.
fn matches_asterisk_only_pattern(pattern: &str, text: &str) -> bool {
    let Some((prefix, rest)) = pattern.split_once('*') else { return pattern == text };
    let (middle, suffix) = rest.rsplit_once('*').unwrap_or(("", rest));
    let inner = text.strip_prefix(prefix).and_then(|text| text.strip_suffix(suffix));
    let Some(mut inner) = inner else { return false };
    for part in middle.split('*') {
        let Some((_, after)) = inner.split_once(part) else { return false };
        inner = after;
    }
    true
}

/// After a mismatch, the matcher backtracks only to the last `*`.
/// Backtracking to an earlier `*` would not find additional matches.
fn matches_wildcard_pattern(pattern: &str, text: &str, case: CaseSensitivity, budget: &EvaluationBudget) -> bool {
    const MATCH_STEPS_PER_BUDGET_UPDATE: u64 = 256;
    if pattern.chars().filter(|&wanted| wanted != '*').count() > text.chars().count() {
        return false;
    }
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    let mut last_star = None;
    let mut steps = 0;
    loop {
        steps += 1;
        if steps % MATCH_STEPS_PER_BUDGET_UPDATE == 0 && !budget.consume_work_units(MATCH_STEPS_PER_BUDGET_UPDATE) {
            return false;
        }
        match pattern.next() {
            Some('*') => {
                last_star = Some((pattern.clone(), text.clone()));
                continue;
            }
            Some(wanted) => match text.next() {
                Some(found) if wanted == '?' || case.chars_equal(wanted, found) => continue,
                Some(_) => {}
                // Backtracking cannot produce a match, because the remaining text would be even shorter.
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
    use proptest::prelude::*;

    use super::*;

    fn matches_unlimited(pattern: &str, text: &str, case: CaseSensitivity) -> bool {
        let budget = EvaluationBudget::new(u64::MAX);
        matches_pattern(pattern, text, case, &budget)
    }

    #[test]
    fn stars_match_any_sequence_and_question_marks_one_character() {
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
            ("a*a", "a", false),
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
            assert_eq!(matches_unlimited(pattern, text, CaseSensitivity::Sensitive), expected, "{pattern:?} {text:?}");
        }
        assert!(matches_unlimited("GAUSS*", "gaussdb", CaseSensitivity::Insensitive));
        assert!(matches_unlimited("É?", "éa", CaseSensitivity::Insensitive));
    }

    /// Reference implementation, which takes exponential time.
    fn by_definition(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|taken| by_definition(rest, &text[taken..])),
            Some((wanted, rest)) => text
                .split_first()
                .is_some_and(|(found, after)| (*wanted == '?' || wanted == found) && by_definition(rest, after)),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn patterns_match_as_defined(pattern in "[ab*?é]{0,8}", text in "[abé]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            let expected = by_definition(&chars(&pattern), &chars(&text));
            prop_assert_eq!(matches_unlimited(&pattern, &text, CaseSensitivity::Sensitive), expected);
        }
    }

    #[test]
    fn many_stars_do_not_take_exponential_time() {
        // A backtracking matcher needs exponential time, so the test would not terminate.
        for star in ["*a", "*?"] {
            let (pattern, text) = (format!("{}c", star.repeat(500)), format!("{}b", "a".repeat(1_024)));
            assert!(!matches_unlimited(&pattern, &text, CaseSensitivity::Sensitive));
        }
    }

    #[test]
    fn steps_of_a_pattern_with_question_marks_are_paid_for() {
        let (pattern, text) = (format!("*?{}b", "a".repeat(500)), "a".repeat(1_000));
        let unlimited = EvaluationBudget::new(u64::MAX);
        assert!(!matches_pattern(&pattern, &text, CaseSensitivity::Sensitive, &unlimited));
        assert!(unlimited.consumed_work_units() > 200_000, "{}", unlimited.consumed_work_units());
        let small = EvaluationBudget::new(100_000);
        assert!(!matches_pattern(&pattern, &text, CaseSensitivity::Sensitive, &small) && small.is_exhausted());
    }
}
