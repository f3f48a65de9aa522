//! Parsers for the objects, lists and strings in a policy document.

use std::collections::HashSet;

use jsonc_parser::ast::{ObjectProp, Value};

use super::{DocumentParser, JsonValueAtPath};
use crate::policy::diagnostic::JsonPath;
use crate::policy::suggestion;

pub(super) struct JsonObjectElements<'v> {
    properties: &'v [ObjectProp<'v>],
    path: JsonPath,
    at: usize,
}

impl<'v> JsonObjectElements<'v> {
    pub(super) fn parse(parser: &mut DocumentParser<'_>, at: &JsonValueAtPath<'v>) -> Option<Self> {
        let Value::Object(object) = at.value else {
            parser.report_error(at, format!("expected an object, {{...}}, but found {}", json_type_name(at.value)));
            return None;
        };
        if object.properties.is_empty() {
            parser.report_error(at, "the object is empty");
            return None;
        }
        let elements = Self { properties: &object.properties, path: at.path.clone(), at: object.range.start };
        let mut names = HashSet::new();
        for property in &object.properties {
            let name = property.name.as_str();
            if !names.insert(name) {
                parser.report_error_at_offset(
                    property.range.start,
                    &elements.path.with_member_name(name),
                    format!("duplicate element {name:?}; remove one"),
                );
            }
        }
        Some(elements)
    }

    pub(super) fn report_unknown_elements(&self, parser: &mut DocumentParser<'_>, known: &[&str], version: &str) {
        for property in self.properties {
            let name = property.name.as_str();
            if !known.contains(&name) {
                let hint = suggestion::suggest_similar_word(name, known.iter().copied());
                let message = format!("version {version} does not support the element {name:?} here; {hint}");
                parser.report_error_at_offset(property.range.start, &self.path.with_member_name(name), message);
            }
        }
    }

    pub(super) fn iter_elements(&self) -> impl Iterator<Item = (&'v str, JsonValueAtPath<'v>, usize)> {
        self.properties.iter().map(|property| {
            let name = property.name.as_str();
            (
                name,
                JsonValueAtPath { value: &property.value, path: self.path.with_member_name(name) },
                property.range.start,
            )
        })
    }

    pub(super) fn find_element(&self, name: &str) -> Option<JsonValueAtPath<'v>> {
        self.iter_elements().find(|(found, ..)| *found == name).map(|(_, at, _)| at)
    }

    pub(super) fn require_element(&self, parser: &mut DocumentParser<'_>, name: &str) -> Option<JsonValueAtPath<'v>> {
        let found = self.find_element(name);
        if found.is_none() {
            parser.report_error_at_offset(self.at, &self.path, format!("the element {name:?} is missing"));
        }
        found
    }

    pub(super) fn has_either_element(&self, one: &str, other: &str) -> bool {
        self.find_element(one).is_some() || self.find_element(other).is_some()
    }

    /// The returned `bool` is true for the element `second`.
    pub(super) fn find_either_element(
        &self,
        parser: &mut DocumentParser<'_>,
        first: &str,
        second: &str,
    ) -> Option<(JsonValueAtPath<'v>, bool)> {
        match (self.find_element(first), self.find_element(second)) {
            (Some(at), Some(other)) => {
                parser.report_error(&other, format!("{first} and {second} are mutually exclusive; remove one"));
                Some((at, false))
            }
            (Some(at), None) => Some((at, false)),
            (None, second) => second.map(|at| (at, true)),
        }
    }
}

impl DocumentParser<'_> {
    pub(super) fn parse_string<'v>(&mut self, at: &JsonValueAtPath<'v>) -> Option<&'v str> {
        if let Value::StringLit(text) = at.value {
            return Some(&text.value);
        }
        let hint = match at.value {
            Value::NumberLit(number) => format!("use the string \"{}\"", number.value),
            Value::BooleanLit(truth) => format!("use the string \"{}\"", truth.value),
            _ => "use a string, \"...\"".to_owned(),
        };
        self.report_error(at, format!("expected a string, but found {}; {hint}", json_type_name(at.value)));
        None
    }

    pub(super) fn parse_list<'v>(
        &mut self,
        at: &JsonValueAtPath<'v>,
        max: usize,
        what: &str,
    ) -> Option<Vec<JsonValueAtPath<'v>>> {
        let Value::Array(array) = at.value else {
            self.report_error(at, format!("expected a list, [...], but found {}", json_type_name(at.value)));
            return None;
        };
        if array.elements.is_empty() {
            self.report_error(at, "the list is empty");
            return None;
        }
        self.enforce_count_limit(at, array.elements.len(), max, what);
        let entry = |(index, value)| JsonValueAtPath { value, path: at.path.with_array_index(index) };
        Some(array.elements.iter().enumerate().map(entry).collect())
    }

    pub(super) fn enforce_count_limit(
        &mut self,
        at: &JsonValueAtPath<'_>,
        count: usize,
        max: usize,
        what: &str,
    ) -> bool {
        if count > max {
            self.report_error(at, format!("{count} {what} exceed the limit of this version, which is {max}"));
        }
        count <= max
    }
}

fn json_type_name(value: &Value<'_>) -> &'static str {
    match value {
        Value::StringLit(_) => "a string",
        Value::NumberLit(_) => "a number",
        Value::BooleanLit(_) => "a boolean",
        Value::Object(_) => "an object",
        Value::Array(_) => "a list",
        Value::NullKeyword(_) => "null",
    }
}
