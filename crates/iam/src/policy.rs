//! Policies: documents that say who may do what (spec sections 4.3 to 4.7).
//!
//! A policy is a list of statements. A statement matches a request if it names the action, names the resource, and all its
//! conditions hold; what then happens is [`crate::decision`]'s part.
//!
//! Where the spec is silent:
//!
//! | question | answer |
//! |---|---|
//! | a key that is not there, without IfExists | a positive operator does not hold; a negated one does; `ForAnyValue:` does not; `ForAllValues:` does |
//! | a plain operator on a key with many values | one value that fits is enough; for a negated operator none may |
//! | a value that cannot be read as the operator needs it | is not equal, less, greater, or in a network |
//! | `StringStartWith`, `StringEndWith` and their negations | without regard to case, and without wildcards |
//! | names of keys | without regard to case; of two tags that differ in case only, the one written as in the policy |
//! | wildcards in a URN | `*` and `?`, within one part; case matters |
//! | a request about no instance in particular | its URN ends in `*`, so only what names every instance names it |
//! | an action that takes no resource | an Allow reaches it with the resource `*` only and with no condition on a resource; a Deny with NotResource does reach it, and sees keys of a resource as not there |
//! | a legacy `{"uri": [...]}` that is no URN | accepted, names nothing |
//! | `${...}` | taken as it stands |

mod condition;
mod document;
mod evaluate;
mod explain;
mod finding;
mod grammar;
mod hint;
mod json;
mod key;
mod model;
mod operator;
mod pattern;
mod review;
mod statement;
mod urn;

pub mod system;

pub use finding::{Finding, PolicyErrors};
pub use json::MAX_BYTES;
pub use model::{Effect, Model};
pub use statement::Statement;

/// A policy that was found to be right.
#[derive(Debug, Clone)]
pub struct Policy {
    version: &'static str,
    model: Model,
    statements: Vec<Statement>,
    warnings: Vec<Finding>,
    bytes: usize,
}

impl Policy {
    /// `1.0`, `1.1` or `5.0`.
    #[must_use]
    pub fn version(&self) -> &'static str {
        self.version
    }

    /// The model that its version belongs to.
    #[must_use]
    pub fn model(&self) -> Model {
        self.model
    }

    /// Its statements: at least one.
    #[must_use]
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// Length of the document, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is right but worth a second look: unknown actions, keys that are never there, statements that can never match.
    #[must_use]
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }
}
