//! Policy document parser that reports errors and warnings with their positions.

mod conditions;
mod elements;

use jsonc_parser::ast::Value;
use jsonc_parser::common::Ranged;

use super::diagnostic::{Diagnostic, JsonPath, PolicyErrors};
use super::permission_model::Effect;
use super::schema::{DOCUMENT_SCHEMAS, DocumentSchema};
use super::statement::{PatternSet, Statement};
use super::urn::ResourcePattern;
use super::{Policy, lint, spanned_json};
use elements::JsonObjectElements;

impl Policy {
    /// Parses a policy document and collects warnings. If the document is invalid, returns up to 100 errors.
    pub fn parse(text: &str) -> Result<Self, PolicyErrors> {
        Self::parse_document(text, true)
    }

    /// Parses a stored policy document for evaluation. Skips warnings, which are expensive to compute.
    pub fn parse_stored_document(text: &str) -> Result<Self, PolicyErrors> {
        Self::parse_document(text, false)
    }

    fn parse_document(text: &str, with_warnings: bool) -> Result<Self, PolicyErrors> {
        let root = spanned_json::parse(text).map_err(|finding| PolicyErrors(vec![finding]))?;
        let max_warnings = if with_warnings { MAX_DIAGNOSTICS } else { 0 };
        let mut parser = DocumentParser { text, errors: Vec::new(), warnings: Vec::new(), max_warnings };
        let policy = parser.parse_document(&root);
        let DocumentParser { mut errors, mut warnings, .. } = parser;
        let in_order_of_text = |finding: &Diagnostic| (finding.line, finding.column);
        errors.sort_by_key(in_order_of_text);
        warnings.sort_by_key(in_order_of_text);
        match policy {
            Some((schema, statements)) if errors.is_empty() => {
                let bytes = text.len();
                Ok(Self { version: schema.version, model: schema.model, statements, warnings, bytes })
            }
            _ => Err(PolicyErrors(errors)),
        }
    }
}

/// The error limit bounds the parse time, because the parser rescans the document for each error.
const MAX_DIAGNOSTICS: usize = 100;

#[derive(Clone)]
pub(super) struct JsonValueAtPath<'v> {
    pub(super) value: &'v Value<'v>,
    pub(super) path: JsonPath,
}

impl JsonValueAtPath<'_> {
    fn start_offset(&self) -> usize {
        self.value.range().start
    }
}

/// The parser methods return `None` for invalid parts of the document.
pub(super) struct DocumentParser<'t> {
    text: &'t str,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    max_warnings: usize,
}

/// Parses all entries, even after an invalid entry, and reports the errors of every entry.
pub(super) fn collect_parsed_entries<T>(parts: impl Iterator<Item = Option<T>>) -> Option<Vec<T>> {
    let parts: Vec<_> = parts.collect();
    parts.into_iter().collect()
}

impl DocumentParser<'_> {
    pub(super) fn report_error_at_offset(&mut self, at: usize, path: &JsonPath, message: impl Into<String>) {
        if self.errors.len() < MAX_DIAGNOSTICS {
            self.errors.push(Diagnostic::new(self.text, at, path, message));
        }
    }

    pub(super) fn report_error(&mut self, at: &JsonValueAtPath<'_>, message: impl Into<String>) {
        self.report_error_at_offset(at.start_offset(), &at.path, message);
    }

    pub(super) fn report_warnings<M: IntoIterator<Item = String>>(
        &mut self,
        at: &JsonValueAtPath<'_>,
        messages: impl FnOnce() -> M,
    ) {
        let left = self.max_warnings - self.warnings.len();
        if left > 0 {
            let found = messages().into_iter().take(left);
            self.warnings.extend(found.map(|message| Diagnostic::new(self.text, at.start_offset(), &at.path, message)));
        }
    }

    fn parse_document(&mut self, root: &Value<'_>) -> Option<(&'static DocumentSchema, Vec<Statement>)> {
        let root = JsonValueAtPath { value: root, path: JsonPath::document_root() };
        let elements = JsonObjectElements::parse(self, &root)?;
        let schema = self.parse_version(&elements)?;
        elements.report_unknown_elements(self, schema.document, schema.version);
        let length = self.text.chars().count();
        self.enforce_count_limit(&root, length, schema.limits.document_chars, "characters");
        if let Some(depends) = elements.find_element("Depends") {
            self.report_warnings(&depends, || [lint::ignored_depends_element_warning()]);
        }
        let statements = elements.require_element(self, "Statement")?;
        let statements = self.parse_list(&statements, schema.limits.statements, "statements")?;
        let statements = collect_parsed_entries(statements.iter().map(|at| self.parse_statement(at, schema)))?;
        Some((schema, statements))
    }

    fn parse_version(&mut self, elements: &JsonObjectElements<'_>) -> Option<&'static DocumentSchema> {
        let at = elements.require_element(self, "Version")?;
        let version = self.parse_string(&at)?;
        let schema = DOCUMENT_SCHEMAS.iter().find(|schema| schema.version == version);
        if schema.is_none() {
            self.report_error(
                &at,
                format!("unknown version {version:?}; use \"5.0\" for an identity policy or \"1.1\" for a role policy"),
            );
        }
        schema
    }

    fn parse_statement(&mut self, at: &JsonValueAtPath<'_>, schema: &'static DocumentSchema) -> Option<Statement> {
        let elements = JsonObjectElements::parse(self, at)?;
        elements.report_unknown_elements(self, schema.statement, schema.version);
        let sid = elements.find_element("Sid").and_then(|sid| self.parse_string(&sid));
        let effect = elements.require_element(self, "Effect").and_then(|effect| self.parse_effect(&effect, schema));
        if !elements.has_either_element("Action", "NotAction") {
            self.report_error(at, "the statement has neither Action nor NotAction; add one of these elements");
        }
        let actions = elements
            .find_either_element(self, "Action", "NotAction")
            .and_then(|(at, negated)| self.parse_actions(&at, negated, schema));
        let resources = elements
            .find_either_element(self, "Resource", "NotResource")
            .map(|(at, negated)| self.parse_resources(&at, negated, schema));
        let conditions = elements.find_element("Condition").map(|at| self.parse_condition_element(&at, schema));
        let statement = Statement {
            sid: sid.map(str::to_owned),
            effect: effect?,
            actions: actions?,
            // An invalid element must not be treated like a missing element.
            resources: resources.map_or(Some(None), |resources| resources.map(Some))?,
            conditions: conditions.unwrap_or_else(|| Some(Vec::new()))?,
        };
        self.report_warnings(at, || lint::lint_statement(&statement, schema.model));
        Some(statement)
    }

    fn parse_effect(&mut self, at: &JsonValueAtPath<'_>, schema: &DocumentSchema) -> Option<Effect> {
        let text = self.parse_string(at)?;
        let named =
            |name: &str| text == name || (schema.is_effect_case_insensitive() && text.eq_ignore_ascii_case(name));
        let effect = [("Allow", Effect::Allow), ("Deny", Effect::Deny)].into_iter().find(|(name, _)| named(name));
        if effect.is_none() {
            self.report_error(at, format!("{text:?} is not a valid effect; use \"Allow\" or \"Deny\""));
        }
        effect.map(|(_, effect)| effect)
    }

    fn parse_actions(
        &mut self,
        at: &JsonValueAtPath<'_>,
        negated: bool,
        schema: &DocumentSchema,
    ) -> Option<PatternSet<String>> {
        let list = self.parse_list(at, schema.limits.actions, "actions")?;
        Some(PatternSet {
            negated,
            patterns: collect_parsed_entries(list.iter().map(|at| self.parse_action(at, schema)))?,
        })
    }

    fn parse_action(&mut self, at: &JsonValueAtPath<'_>, schema: &DocumentSchema) -> Option<String> {
        let text = self.parse_string(at)?;
        let is_within_limit =
            self.enforce_count_limit(at, text.chars().count(), schema.limits.action_chars, "characters");
        if let Some(message) = schema.check_action_format(text) {
            self.report_error(at, message);
            return None;
        }
        self.report_warnings(at, || lint::lint_action(text, schema.model));
        is_within_limit.then(|| text.to_owned())
    }

    fn parse_resources(
        &mut self,
        at: &JsonValueAtPath<'_>,
        negated: bool,
        schema: &DocumentSchema,
    ) -> Option<PatternSet<ResourcePattern>> {
        let is_legacy = schema.limits.uris > 0 && matches!(at.value, Value::Object(_));
        let list = if is_legacy {
            let elements = JsonObjectElements::parse(self, at)?;
            elements.report_unknown_elements(self, &["uri"], schema.version);
            let uris = elements.require_element(self, "uri")?;
            self.parse_list(&uris, schema.limits.uris, "URIs")?
        } else {
            self.parse_list(at, schema.limits.resources, "resources")?
        };
        Some(PatternSet {
            negated,
            patterns: collect_parsed_entries(list.iter().map(|at| self.parse_resource(at, is_legacy, schema)))?,
        })
    }

    fn parse_resource(
        &mut self,
        at: &JsonValueAtPath<'_>,
        is_legacy: bool,
        schema: &DocumentSchema,
    ) -> Option<ResourcePattern> {
        let text = self.parse_string(at)?;
        let is_within_limit =
            self.enforce_count_limit(at, text.chars().count(), schema.limits.resource_chars, "characters");
        let pattern = match ResourcePattern::parse(text) {
            None if is_legacy && !text.is_empty() => ResourcePattern::Foreign(text.to_owned()),
            None => {
                let example = schema.model.service_name();
                let message = format!(
                    "{text:?} is not a valid resource; use \"*\" or service:region:domain:type:path, such as \
                     \"{example}:*:*:instance:*\""
                );
                self.report_error(at, message);
                return None;
            }
            Some(pattern) => pattern,
        };
        self.report_warnings(at, || lint::lint_resource(&pattern, schema.model));
        is_within_limit.then_some(pattern)
    }
}
