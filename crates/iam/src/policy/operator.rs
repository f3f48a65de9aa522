//! The operators of conditions: one table (spec section 4.7).

use std::cmp::Ordering;

/// How a value of the request is compared with those of a statement.
#[derive(Debug, Clone, Copy)]
pub(super) enum Comparison {
    /// The same text.
    Same,
    /// The same text but for case.
    SameIgnoringCase,
    /// The text matches a pattern of `*` and `?`; case matters.
    Pattern,
    /// The text starts so, but for case.
    Start,
    /// The text ends so, but for case.
    End,
    /// The request's number stands in this order to that of the statement.
    Number(fn(Ordering) -> bool),
    /// The request's moment stands in this order to that of the statement.
    Date(fn(Ordering) -> bool),
    /// The same truth value.
    Bool,
    /// The address is in the network.
    Network,
    /// The key is not there.
    Null,
}

/// An operator.
#[derive(Debug)]
pub(super) struct Operator {
    pub(super) name: &'static str,
    pub(super) comparison: Comparison,
    /// True if the request's value must miss all values of the statement.
    pub(super) negated: bool,
}

const fn row(name: &'static str, comparison: Comparison, negated: bool) -> Operator {
    Operator { name, comparison, negated }
}

/// All of them, without prefix and suffix.
///
/// The spec's table says of some operators that case matters; "not annotated otherwise" it does not. So it does not for
/// StringStartWith, StringEndWith and their negations, which the table lacks and the cloud's examples use.
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

/// How the values of a key that has many are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantifier {
    /// `ForAnyValue:` at least one holds; none is false.
    Any,
    /// `ForAllValues:` each holds; none is true.
    All,
}

/// An operator with its prefix and suffix.
#[derive(Debug, Clone, Copy)]
pub(super) struct Test {
    pub(super) operator: &'static Operator,
    pub(super) quantifier: Option<Quantifier>,
    /// A key that is not there makes the condition true.
    pub(super) if_exists: bool,
}

impl Test {
    /// The test of this name; or what is wrong with it.
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
            // What other clouds call them.
            let translated = bare.replace("Like", "Match").replace("Numeric", "Number");
            return Err(format!("there is no operator {name:?}; {}", super::hint::nearest(&translated, known)));
        };
        if matches!(operator.comparison, Comparison::Null) && (quantifier.is_some() || if_exists) {
            return Err("Null takes neither a prefix nor IfExists: it asks itself whether the key is there".to_owned());
        }
        Ok(Self { operator, quantifier, if_exists })
    }
}
