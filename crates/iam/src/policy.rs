//! Policies: documents that grant permissions (spec sections 4.3 to 4.7).
//!
//! A policy is a list of statements.
//! A statement matches a request if it names the action and the resource, and all its conditions hold.
//! [`crate::decision`] combines the matching statements to a decision.
//!
//! Behaviour that the spec leaves open:
//!
//! | case | behaviour |
//! |---|---|
//! | a missing key without `IfExists` | a positive operator does not hold; a negated one does; `ForAnyValue:` does not; `ForAllValues:` does |
//! | a plain operator on a key with several values | one matching value is sufficient; for a negated operator no value may match |
//! | a value of the wrong type for the operator | is not equal, less, greater, or in a network |
//! | `StringStartWith`, `StringEndWith` and their negations | ignore case, no wildcards |
//! | names of keys | ignore case; if two tags differ only in case, the exact match has precedence |
//! | wildcards in a URN | `*` and `?`, within one part, case-sensitive |
//! | a request for no particular instance | its URN ends in `*`, so only patterns for every instance match |
//! | an action without a resource type | an Allow matches only with the resource `*` and without conditions on a resource; a Deny with NotResource matches, and keys of a resource are missing |
//! | a legacy `{"uri": [...]}` that is not a URN | accepted, matches nothing |
//! | `${...}` | taken literally |

mod condition;
mod diagnostic;
mod document;
mod evaluate;
mod explain;
mod key;
mod lint;
mod operator;
mod pattern;
mod policy_model;
mod schema;
mod spanned_json;
mod statement;
mod suggestion;
mod urn;

pub mod system;

pub use diagnostic::{Diagnostic, PolicyErrors};
pub use policy_model::{Effect, PolicyModel};
pub use spanned_json::MAX_BYTES;
pub use statement::Statement;

/// A valid policy.
#[derive(Debug, Clone)]
pub struct Policy {
    version: &'static str,
    model: PolicyModel,
    statements: Vec<Statement>,
    warnings: Vec<Diagnostic>,
    bytes: usize,
}

impl Policy {
    /// Version: `1.0`, `1.1` or `5.0`.
    #[must_use]
    pub fn version(&self) -> &'static str {
        self.version
    }

    /// Permission model of the version.
    #[must_use]
    pub fn model(&self) -> PolicyModel {
        self.model
    }

    /// Statements of the policy. Never empty.
    #[must_use]
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// Length of the document, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Warnings about valid but suspicious content.
    ///
    /// Examples are unknown actions, keys that never have a value, and statements that never match.
    #[must_use]
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }
}
