//! Reads a document: every error and every warning with its place.

mod conditions;
mod elements;

use jsonc_parser::ast::Value;
use jsonc_parser::common::Ranged;

use super::finding::{Finding, Path, PolicyErrors};
use super::grammar::{GRAMMARS, Grammar};
use super::model::Effect;
use super::statement::{Named, Statement};
use super::urn::ResourcePattern;
use super::{Policy, json, review};
use elements::Elements;

impl Policy {
    /// Parses a document, with warnings. Fails with up to a hundred errors.
    pub fn parse(text: &str) -> Result<Self, PolicyErrors> {
        Self::parse_document(text, true)
    }

    /// Parses a stored document for evaluation: without warnings, whose hints cost much more than the rest.
    pub fn parse_stored(text: &str) -> Result<Self, PolicyErrors> {
        Self::parse_document(text, false)
    }

    fn parse_document(text: &str, with_warnings: bool) -> Result<Self, PolicyErrors> {
        let root = json::read(text).map_err(|finding| PolicyErrors(vec![finding]))?;
        let max_warnings = if with_warnings { MAX_FINDINGS } else { 0 };
        let mut reader = Reader { text, errors: Vec::new(), warnings: Vec::new(), max_warnings };
        let policy = reader.document(&root);
        let Reader { mut errors, mut warnings, .. } = reader;
        let in_order_of_text = |finding: &Finding| (finding.line, finding.column);
        errors.sort_by_key(in_order_of_text);
        warnings.sort_by_key(in_order_of_text);
        match policy {
            Some((grammar, statements)) if errors.is_empty() => {
                let bytes = text.len();
                Ok(Self { version: grammar.version, model: grammar.model, statements, warnings, bytes })
            }
            _ => Err(PolicyErrors(errors)),
        }
    }
}

/// Errors, and warnings, of one document that are reported: each takes time in proportion to the whole document.
const MAX_FINDINGS: usize = 100;

/// A value and where it stands.
#[derive(Clone)]
pub(super) struct At<'v> {
    pub(super) value: &'v Value<'v>,
    pub(super) path: Path,
}

impl At<'_> {
    fn offset(&self) -> usize {
        self.value.range().start
    }
}

/// Collects what is wrong on its way through a document. A part that is wrong comes back as nothing.
pub(super) struct Reader<'t> {
    text: &'t str,
    errors: Vec<Finding>,
    warnings: Vec<Finding>,
    max_warnings: usize,
}

/// All parts, or nothing if one is wrong; every part is looked at, for each has errors of its own.
pub(super) fn all<T>(parts: impl Iterator<Item = Option<T>>) -> Option<Vec<T>> {
    let parts: Vec<_> = parts.collect();
    parts.into_iter().collect()
}

impl Reader<'_> {
    pub(super) fn error(&mut self, at: usize, path: &Path, message: impl Into<String>) {
        if self.errors.len() < MAX_FINDINGS {
            self.errors.push(Finding::new(self.text, at, path, message));
        }
    }

    pub(super) fn wrong(&mut self, at: &At<'_>, message: impl Into<String>) {
        self.error(at.offset(), &at.path, message);
    }

    /// Adds warnings while there are not too many. They are not computed otherwise.
    pub(super) fn warn<M: IntoIterator<Item = String>>(&mut self, at: &At<'_>, messages: impl FnOnce() -> M) {
        let left = self.max_warnings - self.warnings.len();
        if left > 0 {
            let found = messages().into_iter().take(left);
            self.warnings.extend(found.map(|message| Finding::new(self.text, at.offset(), &at.path, message)));
        }
    }

    fn document(&mut self, root: &Value<'_>) -> Option<(&'static Grammar, Vec<Statement>)> {
        let root = At { value: root, path: Path::root() };
        let elements = Elements::read(self, &root)?;
        // What else the document may hold depends on the version.
        let grammar = self.version(&elements)?;
        elements.only(self, grammar.document, grammar.version);
        let length = self.text.chars().count();
        self.at_most(&root, length, grammar.limits.text, "characters");
        if let Some(depends) = elements.find("Depends") {
            self.warn(&depends, || [review::depends()]);
        }
        let statements = elements.require(self, "Statement")?;
        let statements = self.list(&statements, grammar.limits.statements, "statements")?;
        let statements = all(statements.iter().map(|at| self.statement(at, grammar)))?;
        Some((grammar, statements))
    }

    fn version(&mut self, elements: &Elements<'_>) -> Option<&'static Grammar> {
        let at = elements.require(self, "Version")?;
        let version = self.string(&at)?;
        let grammar = GRAMMARS.iter().find(|grammar| grammar.version == version);
        if grammar.is_none() {
            self.wrong(
                &at,
                format!("there is no version {version:?}; write \"5.0\" for an identity policy, \"1.1\" else"),
            );
        }
        grammar
    }

    fn statement(&mut self, at: &At<'_>, grammar: &'static Grammar) -> Option<Statement> {
        let elements = Elements::read(self, at)?;
        elements.only(self, grammar.statement, grammar.version);
        let sid = elements.find("Sid").and_then(|sid| self.string(&sid));
        let effect = elements.require(self, "Effect").and_then(|effect| self.effect(&effect, grammar));
        if !elements.has_either("Action", "NotAction") {
            self.wrong(at, "the statement has no Action; write which actions it is about");
        }
        let actions =
            elements.one_of(self, "Action", "NotAction").and_then(|(at, except)| self.actions(&at, except, grammar));
        let resources =
            elements.one_of(self, "Resource", "NotResource").map(|(at, except)| self.resources(&at, except, grammar));
        let conditions = elements.find("Condition").map(|at| self.conditions(&at, grammar));
        let statement = Statement {
            sid: sid.map(str::to_owned),
            effect: effect?,
            actions: actions?,
            // What is there and wrong must not pass for what is not there.
            resources: resources.map_or(Some(None), |resources| resources.map(Some))?,
            conditions: conditions.unwrap_or_else(|| Some(Vec::new()))?,
        };
        self.warn(at, || review::statement(&statement, grammar.model));
        Some(statement)
    }

    fn effect(&mut self, at: &At<'_>, grammar: &Grammar) -> Option<Effect> {
        let text = self.string(at)?;
        let named = |name: &str| text == name || (grammar.effect_ignores_case() && text.eq_ignore_ascii_case(name));
        let effect = [("Allow", Effect::Allow), ("Deny", Effect::Deny)].into_iter().find(|(name, _)| named(name));
        if effect.is_none() {
            self.wrong(at, format!("{text:?} is no effect; write \"Allow\" or \"Deny\""));
        }
        effect.map(|(_, effect)| effect)
    }

    fn actions(&mut self, at: &At<'_>, except: bool, grammar: &Grammar) -> Option<Named<String>> {
        let list = self.list(at, grammar.limits.actions, "actions")?;
        Some(Named { except, patterns: all(list.iter().map(|at| self.action(at, grammar)))? })
    }

    fn action(&mut self, at: &At<'_>, grammar: &Grammar) -> Option<String> {
        let text = self.string(at)?;
        let short = self.at_most(at, text.chars().count(), grammar.limits.action_chars, "characters");
        if let Some(message) = grammar.action_error(text) {
            self.wrong(at, message);
            return None;
        }
        self.warn(at, || review::action(text, grammar.model));
        short.then(|| text.to_owned())
    }

    fn resources(&mut self, at: &At<'_>, except: bool, grammar: &Grammar) -> Option<Named<ResourcePattern>> {
        let of_old = grammar.limits.uris > 0 && matches!(at.value, Value::Object(_));
        let list = if of_old {
            let elements = Elements::read(self, at)?;
            elements.only(self, &["uri"], grammar.version);
            let uris = elements.require(self, "uri")?;
            self.list(&uris, grammar.limits.uris, "URIs")?
        } else {
            self.list(at, grammar.limits.resources, "resources")?
        };
        Some(Named { except, patterns: all(list.iter().map(|at| self.resource(at, of_old, grammar)))? })
    }

    fn resource(&mut self, at: &At<'_>, of_old: bool, grammar: &Grammar) -> Option<ResourcePattern> {
        let text = self.string(at)?;
        let short = self.at_most(at, text.chars().count(), grammar.limits.resource_chars, "characters");
        let pattern = match ResourcePattern::parse(text) {
            None if of_old && !text.is_empty() => ResourcePattern::Foreign(text.to_owned()),
            None => {
                let example = grammar.model.service();
                let message = format!(
                    "{text:?} is no resource: write \"*\", or service:region:domain:type:path such as \
                     \"{example}:*:*:instance:*\""
                );
                self.wrong(at, message);
                return None;
            }
            Some(pattern) => pattern,
        };
        self.warn(at, || review::resource(&pattern, grammar.model));
        short.then_some(pattern)
    }
}
