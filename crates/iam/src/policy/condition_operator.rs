//! Table of all condition operators (TaurusDB API spec, section 4.7).

use std::cmp::Ordering;

#[derive(Debug, Clone, Copy)]
pub(super) enum Comparison {
    Same,
    SameIgnoringCase,
    /// Case-sensitive pattern with the wildcards `*` and `?`.
    Pattern,
    StartsWithIgnoringCase,
    EndsWithIgnoringCase,
    Number(fn(Ordering) -> bool),
    Date(fn(Ordering) -> bool),
    Bool,
    IpNetwork,
    /// Tests whether the condition key is missing.
    Null,
}

#[derive(Debug)]
pub(super) struct ConditionOperator {
    pub(super) name: &'static str,
    pub(super) comparison: Comparison,
    pub(super) negated: bool,
}

const fn define_operator(name: &'static str, comparison: Comparison, negated: bool) -> ConditionOperator {
    ConditionOperator { name, comparison, negated }
}

/// Operators ignore case unless the API spec marks them as case-sensitive.
/// The API spec does not list `StringStartWith` and `StringEndWith`, but Huawei Cloud's policy examples use them.
pub(super) static CONDITION_OPERATORS: &[ConditionOperator] = &[
    define_operator("StringEquals", Comparison::Same, false),
    define_operator("StringNotEquals", Comparison::Same, true),
    define_operator("StringEqualsIgnoreCase", Comparison::SameIgnoringCase, false),
    define_operator("StringNotEqualsIgnoreCase", Comparison::SameIgnoringCase, true),
    define_operator("StringMatch", Comparison::Pattern, false),
    define_operator("StringNotMatch", Comparison::Pattern, true),
    define_operator("StringStartWith", Comparison::StartsWithIgnoringCase, false),
    define_operator("StringNotStartWith", Comparison::StartsWithIgnoringCase, true),
    define_operator("StringEndWith", Comparison::EndsWithIgnoringCase, false),
    define_operator("StringNotEndWith", Comparison::EndsWithIgnoringCase, true),
    define_operator("NumberEquals", Comparison::Number(Ordering::is_eq), false),
    define_operator("NumberNotEquals", Comparison::Number(Ordering::is_eq), true),
    define_operator("NumberLessThan", Comparison::Number(Ordering::is_lt), false),
    define_operator("NumberLessThanEquals", Comparison::Number(Ordering::is_le), false),
    define_operator("NumberGreaterThan", Comparison::Number(Ordering::is_gt), false),
    define_operator("NumberGreaterThanEquals", Comparison::Number(Ordering::is_ge), false),
    define_operator("DateLessThan", Comparison::Date(Ordering::is_lt), false),
    define_operator("DateLessThanEquals", Comparison::Date(Ordering::is_le), false),
    define_operator("DateGreaterThan", Comparison::Date(Ordering::is_gt), false),
    define_operator("DateGreaterThanEquals", Comparison::Date(Ordering::is_ge), false),
    define_operator("Bool", Comparison::Bool, false),
    define_operator("IpAddress", Comparison::IpNetwork, false),
    define_operator("NotIpAddress", Comparison::IpNetwork, true),
    define_operator("Null", Comparison::Null, false),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantifier {
    /// `ForAnyValue:` is true if at least one request value matches, and false if the request has no values.
    Any,
    /// `ForAllValues:` is true if every request value matches, or if the request has no values.
    All,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ParsedOperator {
    pub(super) operator: &'static ConditionOperator,
    pub(super) quantifier: Option<Quantifier>,
    pub(super) if_exists: bool,
}

impl ParsedOperator {
    pub(super) fn parse(name: &str) -> Result<Self, String> {
        let quantifiers = [("ForAnyValue:", Quantifier::Any), ("ForAllValues:", Quantifier::All)];
        let (quantifier, bare) = quantifiers
            .into_iter()
            .find_map(|(prefix, quantifier)| Some((Some(quantifier), name.strip_prefix(prefix)?)))
            .unwrap_or((None, name));
        let (bare, if_exists) = bare.strip_suffix("IfExists").map_or((bare, false), |bare| (bare, true));
        let Some(operator) = CONDITION_OPERATORS.iter().find(|operator| operator.name == bare) else {
            let known = CONDITION_OPERATORS.iter().map(|operator| operator.name);
            // Other clouds use `Like` and `Numeric` in operator names, as in `StringLike`.
            let translated = bare.replace("Like", "Match").replace("Numeric", "Number");
            return Err(format!(
                "unknown operator {name:?}; {}",
                super::suggestion::suggest_similar_word(&translated, known)
            ));
        };
        if matches!(operator.comparison, Comparison::Null) && (quantifier.is_some() || if_exists) {
            return Err(
                "Null supports neither a prefix nor IfExists, because it already tests whether the key is missing"
                    .to_owned(),
            );
        }
        Ok(Self { operator, quantifier, if_exists })
    }
}
