//! Conditions in policy statements. A condition has a key, an operator and expected values (API spec, section 4.7).

use std::borrow::Cow;
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;

use crate::evaluation_budget::EvaluationBudget;
use crate::policy::condition_key::ConditionKey;
use crate::policy::condition_operator::{Comparison, ParsedOperator, Quantifier};
use crate::policy::pattern::{self, CaseSensitivity};

#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub(super) operator: String,
    pub(super) test: ParsedOperator,
    pub(super) key: ConditionKey,
    pub(super) expected: Vec<ExpectedValue>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum ExpectedValue {
    Text(String),
    Number(f64),
    Date(Timestamp),
    Bool(bool),
    Network(IpNet),
}

impl ExpectedValue {
    /// If the value is invalid, returns a description of the required format.
    pub(super) fn parse(comparison: Comparison, text: &str) -> Result<Self, &'static str> {
        match comparison {
            Comparison::Same
            | Comparison::SameIgnoringCase
            | Comparison::Pattern
            | Comparison::StartsWithIgnoringCase
            | Comparison::EndsWithIgnoringCase => Ok(Self::Text(text.to_owned())),
            Comparison::Number(_) => {
                parse_number(text).map(Self::Number).ok_or("a number of at most 15 digits, such as \"10.5\"")
            }
            Comparison::Date(_) => {
                parse_date(text).map(Self::Date).ok_or("an ISO 8601 date, such as \"2026-08-01T00:00:00Z\"")
            }
            Comparison::Bool | Comparison::Null => parse_bool(text).map(Self::Bool).ok_or("\"true\" or \"false\""),
            Comparison::IpNetwork => {
                parse_ip_network(text).map(Self::Network).ok_or("an IP address or a network, such as \"10.0.0.0/8\"")
            }
        }
    }

    /// A request value of the wrong type never matches.
    fn matches_value(&self, comparison: Comparison, value: &str, budget: &EvaluationBudget) -> bool {
        let expected_bytes = if let Self::Text(expected) = self { expected.len() } else { 0 };
        // `pattern::matches_pattern` charges the evaluation budget itself.
        if !matches!(comparison, Comparison::Pattern) && !budget.consume_comparison_cost(value.len() + expected_bytes) {
            return false;
        }
        match (self, comparison) {
            (Self::Text(expected), Comparison::Same) => value == expected,
            (Self::Text(expected), Comparison::SameIgnoringCase) => {
                to_lowercase_chars(value).eq(to_lowercase_chars(expected))
            }
            (Self::Text(expected), Comparison::Pattern) => {
                pattern::matches_pattern(expected, value, CaseSensitivity::Sensitive, budget)
            }
            (Self::Text(expected), Comparison::StartsWithIgnoringCase) => {
                let mut value = to_lowercase_chars(value);
                to_lowercase_chars(expected).all(|expected| value.next() == Some(expected))
            }
            (Self::Text(expected), Comparison::EndsWithIgnoringCase) => {
                let value: String = to_lowercase_chars(value).collect();
                value.ends_with(&to_lowercase_chars(expected).collect::<String>())
            }
            (Self::Number(expected), Comparison::Number(order)) => {
                parse_number(value).and_then(|value| value.partial_cmp(expected)).is_some_and(order)
            }
            (Self::Date(expected), Comparison::Date(order)) => {
                parse_date(value).is_some_and(|value| order(value.cmp(expected)))
            }
            (Self::Bool(expected), Comparison::Bool) => parse_bool(value) == Some(*expected),
            (Self::Network(expected), Comparison::IpNetwork) => {
                value.parse::<IpAddr>().is_ok_and(|value| expected.contains(&value.to_canonical()))
            }
            _ => false,
        }
    }
}

fn to_lowercase_chars(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

/// Rejects numbers with more than 15 digits, because an `f64` preserves only 15 significant decimal digits.
fn parse_number(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let short = unsigned.len() <= 16 && unsigned.bytes().filter(u8::is_ascii_digit).count() <= 15;
    if digits(whole) && digits(fraction) && short { text.parse().ok() } else { None }
}

fn parse_date(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

fn parse_bool(text: &str) -> Option<bool> {
    [("true", true), ("false", false)]
        .into_iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(text))
        .map(|(_, value)| value)
}

fn parse_ip_network(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(|address| IpNet::from(address.to_canonical())))
}

impl Condition {
    /// `values` is empty if the request lacks the condition key.
    ///
    /// The API spec does not define whether an operator without `IfExists` matches if the condition key is missing.
    /// Without a quantifier, a missing key makes a negated operator true and a positive operator false, as in Huawei Cloud.
    pub(super) fn is_satisfied_by(&self, values: &[Cow<'_, str>], budget: &EvaluationBudget) -> bool {
        let ParsedOperator { operator, quantifier, if_exists } = self.test;
        if matches!(operator.comparison, Comparison::Null) {
            return self.expected.contains(&ExpectedValue::Bool(values.is_empty()));
        }
        if values.is_empty() {
            return if_exists
                || match quantifier {
                    None => operator.negated,
                    Some(Quantifier::Any) => false,
                    Some(Quantifier::All) => true,
                };
        }
        let met = |value: &Cow<'_, str>| {
            self.expected.iter().any(|expected| expected.matches_value(operator.comparison, value, budget))
        };
        let one_holds = |value: &Cow<'_, str>| met(value) != operator.negated;
        let all = match quantifier {
            Some(Quantifier::All) => true,
            Some(Quantifier::Any) => false,
            // Without a quantifier, one matching value is sufficient; for a negated operator, no value may match.
            None => operator.negated,
        };
        if all { values.iter().all(one_holds) } else { values.iter().any(one_holds) }
    }
}
