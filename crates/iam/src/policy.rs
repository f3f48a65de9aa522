//! Policies: JSON documents that allow or deny actions (TaurusDB API spec, sections 4.3 to 4.7).
//!
//! A policy contains a list of statements.
//! A policy statement matches a request if the statement's actions, resources and conditions all match the request.
//! [`crate::decision`] derives the authorization decision from the matching statements.
//!
//! Policy evaluation in cases that the TaurusDB API spec does not define:
//!
//! | case | behavior |
//! |---|---|
//! | missing condition key, positive operator without quantifier or `IfExists` | the condition is false |
//! | missing condition key, negated operator without quantifier or `IfExists` | the condition is true |
//! | missing condition key, operator with `ForAnyValue:` but without `IfExists` | the condition is false |
//! | missing condition key, operator with `ForAllValues:` | the condition is true |
//! | several request values, positive operator without quantifier | the condition is true if any value matches |
//! | several request values, negated operator without quantifier | the condition is true if no value matches |
//! | request value of the wrong type | the value matches no expected value, so it satisfies only negated operators |
//! | `StringStartWith`, `StringEndWith` and their negations | case-insensitive, without wildcards |
//! | names of condition keys | case-insensitive; if two tag keys differ only in case, an exact match takes precedence |
//! | wildcards in a URN | `*` and `?` match within one part of the URN; case-sensitive |
//! | request without a specific instance | the request URN ends in `*`, so only patterns for all instances match |
//! | Allow statement for an action without a resource type | matches only if the statement applies to all resources and has no resource conditions |
//! | Deny statement for an action without a resource type | `NotResource` matches, and resource condition keys are treated as missing |
//! | legacy `{"uri": [...]}` that is not a URN | accepted, but matches no resource |
//! | `${...}` | literal text, not a variable |

mod condition;
mod condition_key;
mod condition_operator;
mod diagnostic;
mod document;
mod evaluation;
mod lint;
mod match_explanation;
mod pattern;
mod permission_model;
mod schema;
mod spanned_json;
mod statement;
mod suggestion;
mod urn;

pub mod system_policies;

pub use diagnostic::{Diagnostic, PolicyErrors};
pub use permission_model::{Effect, PermissionModel};
pub use spanned_json::MAX_POLICY_DOCUMENT_BYTES;
pub use statement::Statement;

/// A parsed and valid policy.
#[derive(Debug, Clone)]
pub struct Policy {
    version: &'static str,
    model: PermissionModel,
    statements: Vec<Statement>,
    warnings: Vec<Diagnostic>,
    bytes: usize,
}

impl Policy {
    /// Returns the policy document version: `1.0`, `1.1` or `5.0`.
    #[must_use]
    pub fn version(&self) -> &'static str {
        self.version
    }

    /// Returns the permission model, which depends on the version of the policy document.
    #[must_use]
    pub fn permission_model(&self) -> PermissionModel {
        self.model
    }

    /// Returns the policy's statements. The slice is never empty.
    #[must_use]
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// Returns the size of the policy document in bytes.
    #[must_use]
    pub fn document_size_bytes(&self) -> usize {
        self.bytes
    }

    /// Returns warnings about valid but suspicious parts of the policy document.
    ///
    /// Warnings cover, for example, unknown actions, condition keys without values and statements that never match.
    #[must_use]
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }
}
