//! Reads the element Condition: operators, their keys, the values of each.

use jsonc_parser::ast::Value;

use super::{At, Elements, Reader, all};
use crate::policy::condition::{Condition, Wanted};
use crate::policy::grammar::Grammar;
use crate::policy::key::Key;
use crate::policy::operator::Test;
use crate::policy::review;

impl Reader<'_> {
    pub(super) fn conditions(&mut self, at: &At<'_>, grammar: &Grammar) -> Option<Vec<Condition>> {
        let operators = Elements::read(self, at)?;
        let mut right = self.at_most(at, operators.iter().count(), grammar.limits.operators, "operators");
        let mut conditions = Vec::new();
        for (name, at, start) in operators.iter() {
            let test = match Test::parse(name) {
                Ok(test) => test,
                Err(message) => {
                    self.error(start, &at.path, message);
                    right = false;
                    continue;
                }
            };
            let Some(keys) = Elements::read(self, &at) else {
                right = false;
                continue;
            };
            right &= self.at_most(&at, keys.iter().count(), grammar.limits.keys, "keys");
            for (key, at, start) in keys.iter() {
                match self.condition(name, test, key, (&at, start), grammar) {
                    Some(condition) => conditions.push(condition),
                    None => right = false,
                }
            }
        }
        right.then_some(conditions)
    }

    fn condition(
        &mut self,
        operator: &str,
        test: Test,
        key: &str,
        (at, start): (&At<'_>, usize),
        grammar: &Grammar,
    ) -> Option<Condition> {
        if key.is_empty() || key.ends_with('/') {
            self.error(
                start,
                &at.path,
                format!("{key:?} is no condition key; write one such as \"g:ResourceTag/env\""),
            );
            return None;
        }
        let values = match at.value {
            Value::Array(_) => self.list(at, usize::MAX, "values")?,
            _ => vec![at.clone()],
        };
        let wanted = all(values.iter().map(|at| self.value(at, test, grammar)))?;
        let condition = Condition { operator: operator.to_owned(), test, key: Key::parse(key), wanted };
        self.warn(at, || review::condition(&condition));
        Some(condition)
    }

    fn value(&mut self, at: &At<'_>, test: Test, grammar: &Grammar) -> Option<Wanted> {
        let given = self.string(at)?;
        let length = given.chars().count();
        if length < grammar.limits.value_chars_least {
            self.wrong(at, "the value is empty; this version takes at least one character");
            return None;
        }
        let short = self.at_most(at, length, grammar.limits.value_chars, "characters");
        match Wanted::parse(test.operator.comparison, given) {
            Ok(wanted) => short.then_some(wanted),
            Err(expected) => {
                self.wrong(at, format!("{} wants {expected}, not {given:?}", test.operator.name));
                None
            }
        }
    }
}
