//! Conditions: a key of the request, an operator, and the values that the statement names (spec section 4.7).

use std::borrow::Cow;
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;

use crate::policy::key::Key;
use crate::policy::operator::{Comparison, Quantifier, Test};
use crate::policy::pattern::{self, Case};
use crate::work_budget::WorkBudget;

/// One condition: it holds or it does not.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    /// The operator as it stands in the document.
    pub(super) operator: String,
    pub(super) test: Test,
    pub(super) key: Key,
    pub(super) wanted: Vec<Wanted>,
}

/// A value of a statement, read as its operator needs it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Wanted {
    Text(String),
    Number(f64),
    Date(Timestamp),
    Bool(bool),
    Network(IpNet),
}

impl Wanted {
    /// Reads a value; or says what it should be.
    pub(super) fn parse(comparison: Comparison, text: &str) -> Result<Self, &'static str> {
        match comparison {
            Comparison::Same
            | Comparison::SameIgnoringCase
            | Comparison::Pattern
            | Comparison::Start
            | Comparison::End => Ok(Self::Text(text.to_owned())),
            Comparison::Number(_) => {
                number(text).map(Self::Number).ok_or("a number of at most 15 digits, such as \"10.5\"")
            }
            Comparison::Date(_) => {
                date(text).map(Self::Date).ok_or("a date as ISO 8601 writes it, such as \"2026-08-01T00:00:00Z\"")
            }
            Comparison::Bool | Comparison::Null => truth(text).map(Self::Bool).ok_or("\"true\" or \"false\""),
            Comparison::Network => {
                network(text).map(Self::Network).ok_or("an address or a network, such as \"10.0.0.0/8\"")
            }
        }
    }

    /// Whether a value of the request is as wanted. One that cannot be read as the operator needs it is not.
    fn is_met_by(&self, comparison: Comparison, value: &str, budget: &WorkBudget) -> bool {
        let wanted_bytes = if let Self::Text(wanted) = self { wanted.len() } else { 0 };
        // A pattern pays for itself.
        if !matches!(comparison, Comparison::Pattern) && !budget.compare(value.len() + wanted_bytes) {
            return false;
        }
        match (self, comparison) {
            (Self::Text(wanted), Comparison::Same) => value == wanted,
            (Self::Text(wanted), Comparison::SameIgnoringCase) => lower(value).eq(lower(wanted)),
            (Self::Text(wanted), Comparison::Pattern) => pattern::matches(wanted, value, Case::Matters, budget),
            (Self::Text(wanted), Comparison::Start) => {
                let mut value = lower(value);
                lower(wanted).all(|wanted| value.next() == Some(wanted))
            }
            (Self::Text(wanted), Comparison::End) => {
                let value: String = lower(value).collect();
                value.ends_with(&lower(wanted).collect::<String>())
            }
            (Self::Number(wanted), Comparison::Number(order)) => {
                number(value).and_then(|value| value.partial_cmp(wanted)).is_some_and(order)
            }
            (Self::Date(wanted), Comparison::Date(order)) => date(value).is_some_and(|value| order(value.cmp(wanted))),
            (Self::Bool(wanted), Comparison::Bool) => truth(value) == Some(*wanted),
            (Self::Network(wanted), Comparison::Network) => {
                value.parse::<IpAddr>().is_ok_and(|value| wanted.contains(&value.to_canonical()))
            }
            _ => false,
        }
    }
}

fn lower(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

/// Decimal digits with a sign and a point. Up to 15 digits are told apart exactly by a double.
fn number(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let short = unsigned.len() <= 16 && unsigned.bytes().filter(u8::is_ascii_digit).count() <= 15;
    if digits(whole) && digits(fraction) && short { text.parse().ok() } else { None }
}

fn date(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

fn truth(text: &str) -> Option<bool> {
    [("true", true), ("false", false)]
        .into_iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(text))
        .map(|(_, value)| value)
}

fn network(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(|address| IpNet::from(address.to_canonical())))
}

impl Condition {
    /// Whether it holds for these values of its key; none means that the key is not there.
    ///
    /// The spec leaves a missing key without IfExists open. As in the cloud that the model comes from, it is nothing that
    /// a positive operator could match, and nothing that a negated one could miss: "not equal to prod" holds of what has no
    /// such tag. Whoever wants the tag to be there says so with `Null`.
    pub(super) fn holds(&self, values: &[Cow<'_, str>], budget: &WorkBudget) -> bool {
        let Test { operator, quantifier, if_exists } = self.test;
        if matches!(operator.comparison, Comparison::Null) {
            return self.wanted.contains(&Wanted::Bool(values.is_empty()));
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
            self.wanted.iter().any(|wanted| wanted.is_met_by(operator.comparison, value, budget))
        };
        let one_holds = |value: &Cow<'_, str>| met(value) != operator.negated;
        let all = match quantifier {
            Some(Quantifier::All) => true,
            Some(Quantifier::Any) => false,
            // Of a key with many values, a plain operator asks for one that fits, and its negation for none that does.
            None => operator.negated,
        };
        if all { values.iter().all(one_holds) } else { values.iter().any(one_holds) }
    }
}
