//! Condition operators in one table (spec section 4.7).

use std::cmp::Ordering;

/// Comparison of a request's value with the values of a statement.
#[derive(Debug, Clone, Copy)]
pub(super) enum Comparison {
    /// Equal text.
    Same,
    /// Equal text, ignoring case.
    SameIgnoringCase,
    /// Text that matches a pattern with `*` and `?`; case-sensitive.
    Pattern,
    /// Text with this prefix, ignoring case.
    Start,
    /// Text with this suffix, ignoring case.
    End,
    /// Number with this ordering relative to the statement's.
    Number(fn(Ordering) -> bool),
    /// Date with this ordering relative to the statement's.
    Date(fn(Ordering) -> bool),
    /// Equal boolean.
    Bool,
    /// Address within the network.
    Network,
    /// Missing key.
    Null,
}

/// A condition operator.
#[derive(Debug)]
pub(super) struct Operator {
    pub(super) name: &'static str,
    pub(super) comparison: Comparison,
    /// Whether the value must match none of the statement's values.
    pub(super) negated: bool,
}

const fn row(name: &'static str, comparison: Comparison, negated: bool) -> Operator {
    Operator { name, comparison, negated }
}

/// All operators, without prefix and suffix.
///
/// The spec marks some operators as case-sensitive; the others ignore case.
/// `StringStartWith`, `StringEndWith` and their negations ignore case too.
/// These four are missing in the spec's table, but occur in the cloud's examples.
pub(super) static OPERATORS: &[Operator] = &[
    row("StringEquals", Comparison::Same, false),
    row("StringNotEquals", Comparison::Same, true),
    row("StringEqualsIgnoreCase", Comparison::SameIgnoringCase, false),
    row("StringNotEqualsIgnoreCase", Comparison::SameIgnoringCase, true),
    row("StringMatch", Comparison::Pattern, false),
    row("StringNotMatch", Comparison::Pattern, true),
    row("StringStartWith", Comparison::Start, false),
    row("StringNotStartWith", Comparison::Start, true),
    row("StringEndWith", Comparison::End, false),
    row("StringNotEndWith", Comparison::End, true),
    row("NumberEquals", Comparison::Number(Ordering::is_eq), false),
    row("NumberNotEquals", Comparison::Number(Ordering::is_eq), true),
    row("NumberLessThan", Comparison::Number(Ordering::is_lt), false),
    row("NumberLessThanEquals", Comparison::Number(Ordering::is_le), false),
    row("NumberGreaterThan", Comparison::Number(Ordering::is_gt), false),
    row("NumberGreaterThanEquals", Comparison::Number(Ordering::is_ge), false),
    row("DateLessThan", Comparison::Date(Ordering::is_lt), false),
    row("DateLessThanEquals", Comparison::Date(Ordering::is_le), false),
    row("DateGreaterThan", Comparison::Date(Ordering::is_gt), false),
    row("DateGreaterThanEquals", Comparison::Date(Ordering::is_ge), false),
    row("Bool", Comparison::Bool, false),
    row("IpAddress", Comparison::Network, false),
    row("NotIpAddress", Comparison::Network, true),
    row("Null", Comparison::Null, false),
];

/// Quantifier for keys with several values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantifier {
    /// `ForAnyValue:` at least one value matches; false without values.
    Any,
    /// `ForAllValues:` every value matches; true without values.
    All,
}

/// An operator with its prefix and suffix.
#[derive(Debug, Clone, Copy)]
pub(super) struct OperatorTest {
    pub(super) operator: &'static Operator,
    pub(super) quantifier: Option<Quantifier>,
    /// Whether the condition holds if the key is missing.
    pub(super) if_exists: bool,
}

impl OperatorTest {
    /// Parses an operator with prefix and suffix. The error describes the problem.
    pub(super) fn parse(name: &str) -> Result<Self, String> {
        let (quantifier, bare) = if let Some(rest) = name.strip_prefix("ForAnyValue:") {
            (Some(Quantifier::Any), rest)
        } else if let Some(rest) = name.strip_prefix("ForAllValues:") {
            (Some(Quantifier::All), rest)
        } else {
            (None, name)
        };
        let (bare, if_exists) = bare.strip_suffix("IfExists").map_or((bare, false), |bare| (bare, true));
        let Some(operator) = OPERATORS.iter().find(|operator| operator.name == bare) else {
            let known = OPERATORS.iter().map(|operator| operator.name);
            // Translates the operator names of other clouds.
            let translated = bare.replace("Like", "Match").replace("Numeric", "Number");
            return Err(format!(
                "there is no operator {name:?}; {}",
                super::suggestion::suggest_nearest(&translated, known)
            ));
        };
        if matches!(operator.comparison, Comparison::Null) && (quantifier.is_some() || if_exists) {
            return Err("Null takes neither a prefix nor IfExists: it asks itself whether the key is there".to_owned());
        }
        Ok(Self { operator, quantifier, if_exists })
    }
}
