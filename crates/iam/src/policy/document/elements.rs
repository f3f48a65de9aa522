//! The parts that documents are made of: elements of objects, lists, strings.

use std::collections::HashSet;

use jsonc_parser::ast::{ObjectProp, Value};

use super::{At, Reader};
use crate::policy::finding::Path;
use crate::policy::hint;

/// The elements of an object.
pub(super) struct Elements<'v> {
    properties: &'v [ObjectProp<'v>],
    path: Path,
    at: usize,
}

impl<'v> Elements<'v> {
    /// Those of a value that should be an object with something in it, each name once.
    pub(super) fn read(reader: &mut Reader<'_>, at: &At<'v>) -> Option<Self> {
        let Value::Object(object) = at.value else {
            reader.wrong(at, format!("this is {}; write an object, {{...}}", kind(at.value)));
            return None;
        };
        if object.properties.is_empty() {
            reader.wrong(at, "the object is empty");
            return None;
        }
        let elements = Self { properties: &object.properties, path: at.path.clone(), at: object.range.start };
        let mut names = HashSet::new();
        for property in &object.properties {
            let name = property.name.as_str();
            if !names.insert(name) {
                reader.error(
                    property.range.start,
                    &elements.path.key(name),
                    format!("{name:?} is here twice; keep one"),
                );
            }
        }
        Some(elements)
    }

    /// Reports those that are none of the known ones.
    pub(super) fn only(&self, reader: &mut Reader<'_>, known: &[&str], version: &str) {
        for property in self.properties {
            let name = property.name.as_str();
            if !known.contains(&name) {
                let hint = hint::nearest(name, known.iter().copied());
                let message = format!("version {version} has no element {name:?} here; {hint}");
                reader.error(property.range.start, &self.path.key(name), message);
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'v str, At<'v>, usize)> {
        self.properties.iter().map(|property| {
            let name = property.name.as_str();
            (name, At { value: &property.value, path: self.path.key(name) }, property.range.start)
        })
    }

    pub(super) fn find(&self, name: &str) -> Option<At<'v>> {
        self.iter().find(|(found, ..)| *found == name).map(|(_, at, _)| at)
    }

    pub(super) fn require(&self, reader: &mut Reader<'_>, name: &str) -> Option<At<'v>> {
        let found = self.find(name);
        if found.is_none() {
            reader.error(self.at, &self.path, format!("the element {name:?} is missing"));
        }
        found
    }

    pub(super) fn has_either(&self, one: &str, other: &str) -> bool {
        self.find(one).is_some() || self.find(other).is_some()
    }

    /// The one of two that exclude each other that is there, and whether it is the second.
    pub(super) fn one_of(&self, reader: &mut Reader<'_>, first: &str, second: &str) -> Option<(At<'v>, bool)> {
        match (self.find(first), self.find(second)) {
            (Some(at), Some(other)) => {
                reader.wrong(&other, format!("{first} and {second} exclude each other; keep one"));
                Some((at, false))
            }
            (Some(at), None) => Some((at, false)),
            (None, second) => second.map(|at| (at, true)),
        }
    }
}

impl Reader<'_> {
    pub(super) fn string<'v>(&mut self, at: &At<'v>) -> Option<&'v str> {
        if let Value::StringLit(text) = at.value {
            return Some(&text.value);
        }
        let hint = match at.value {
            Value::NumberLit(number) => format!("write it as a string, \"{}\"", number.value),
            Value::BooleanLit(truth) => format!("write it as a string, \"{}\"", truth.value),
            _ => "write a string, \"...\"".to_owned(),
        };
        self.wrong(at, format!("this is {}; {hint}", kind(at.value)));
        None
    }

    /// The entries of a list with at least one.
    pub(super) fn list<'v>(&mut self, at: &At<'v>, most: usize, what: &str) -> Option<Vec<At<'v>>> {
        let Value::Array(array) = at.value else {
            self.wrong(at, format!("this is {}; write a list, [...]", kind(at.value)));
            return None;
        };
        if array.elements.is_empty() {
            self.wrong(at, "the list is empty");
            return None;
        }
        self.at_most(at, array.elements.len(), most, what);
        let entry = |(index, value)| At { value, path: at.path.index(index) };
        Some(array.elements.iter().enumerate().map(entry).collect())
    }

    /// Reports what is too much.
    pub(super) fn at_most(&mut self, at: &At<'_>, count: usize, most: usize, what: &str) -> bool {
        if count > most {
            self.wrong(at, format!("{count} {what} are too many; this version takes {most} at most"));
        }
        count <= most
    }
}

fn kind(value: &Value<'_>) -> &'static str {
    match value {
        Value::StringLit(_) => "a string",
        Value::NumberLit(_) => "a number",
        Value::BooleanLit(_) => "true or false without quotes",
        Value::Object(_) => "an object",
        Value::Array(_) => "a list",
        Value::NullKeyword(_) => "null",
    }
}
