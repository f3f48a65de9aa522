//! Parser for the `Condition` element of a policy statement.

use jsonc_parser::ast::Value;

use super::{DocumentParser, JsonObjectElements, JsonValueAtPath, collect_parsed_entries};
use crate::policy::condition::{Condition, ExpectedValue};
use crate::policy::condition_key::ConditionKey;
use crate::policy::condition_operator::ParsedOperator;
use crate::policy::lint;
use crate::policy::schema::DocumentSchema;

impl DocumentParser<'_> {
    pub(super) fn parse_condition_element(
        &mut self,
        at: &JsonValueAtPath<'_>,
        schema: &DocumentSchema,
    ) -> Option<Vec<Condition>> {
        let operators = JsonObjectElements::parse(self, at)?;
        let mut is_valid =
            self.enforce_count_limit(at, operators.iter_elements().count(), schema.limits.operators, "operators");
        let mut conditions = Vec::new();
        for (name, at, start) in operators.iter_elements() {
            let test = match ParsedOperator::parse(name) {
                Ok(test) => test,
                Err(message) => {
                    self.report_error_at_offset(start, &at.path, message);
                    is_valid = false;
                    continue;
                }
            };
            let Some(keys) = JsonObjectElements::parse(self, &at) else {
                is_valid = false;
                continue;
            };
            is_valid &= self.enforce_count_limit(&at, keys.iter_elements().count(), schema.limits.keys, "keys");
            for (key, at, start) in keys.iter_elements() {
                match self.parse_condition(name, test, key, (&at, start), schema) {
                    Some(condition) => conditions.push(condition),
                    None => is_valid = false,
                }
            }
        }
        is_valid.then_some(conditions)
    }

    fn parse_condition(
        &mut self,
        operator: &str,
        test: ParsedOperator,
        key: &str,
        (at, start): (&JsonValueAtPath<'_>, usize),
        schema: &DocumentSchema,
    ) -> Option<Condition> {
        if key.is_empty() || key.ends_with('/') {
            self.report_error_at_offset(
                start,
                &at.path,
                format!("{key:?} is not a valid condition key; use a key such as \"g:ResourceTag/env\""),
            );
            return None;
        }
        let values = match at.value {
            Value::Array(_) => self.parse_list(at, usize::MAX, "values")?,
            _ => vec![at.clone()],
        };
        let expected = collect_parsed_entries(values.iter().map(|at| self.parse_expected_value(at, test, schema)))?;
        let condition = Condition { operator: operator.to_owned(), test, key: ConditionKey::parse(key), expected };
        self.report_warnings(at, || lint::lint_condition(&condition));
        Some(condition)
    }

    fn parse_expected_value(
        &mut self,
        at: &JsonValueAtPath<'_>,
        test: ParsedOperator,
        schema: &DocumentSchema,
    ) -> Option<ExpectedValue> {
        let given = self.parse_string(at)?;
        let length = given.chars().count();
        if length < schema.limits.min_value_chars {
            self.report_error(at, "the value is empty; this version requires at least one character");
            return None;
        }
        let is_within_limit = self.enforce_count_limit(at, length, schema.limits.value_chars, "characters");
        match ExpectedValue::parse(test.operator.comparison, given) {
            Ok(expected) => is_within_limit.then_some(expected),
            Err(expected) => {
                self.report_error(at, format!("{} requires {expected}, not {given:?}", test.operator.name));
                None
            }
        }
    }
}
