//! Policies: documents that say who may do what (spec sections 4.3 to 4.7).

use serde::Serialize;

use crate::action::Action;
use crate::decision::{Environment, Principal, Resource};

/// The two models of permissions (spec section 4.1). Policies of the one never name actions of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Model {
    /// Roles and policies, versions 1.0 and 1.1: they name an action by its alias.
    #[serde(rename = "role")]
    RoleBased,
    /// Identity policies, version 5.0: they name an action by its name.
    #[serde(rename = "identity")]
    IdentityBased,
}

/// What a statement does when it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Effect {
    /// Allows, if nothing denies.
    Allow,
    /// Denies, whatever allows.
    Deny,
}

/// Everything a statement can look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) principal: &'a Principal,
    pub(crate) action: Action,
    pub(crate) resource: &'a Resource<'a>,
    pub(crate) environment: &'a Environment,
}

/// Something wrong with a document, or something worth a second look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// Where in the document: `$.Statement[0].Action[1]`.
    pub path: String,
    /// What is wrong, and what to do.
    pub message: String,
}

/// A document that is no policy: everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("the policy has {} error(s)", .0.len())]
pub struct PolicyErrors(Vec<Finding>);

impl PolicyErrors {
    /// Every error, in the order of the text. Never empty.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.0
    }
}

/// One statement of a policy.
#[derive(Debug, Clone)]
pub struct Statement {
    effect: Effect,
}

impl Statement {
    /// What it does when it matches.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    pub(crate) fn matches(&self, _model: Model, _request: &Request<'_>) -> bool {
        false
    }

    pub(crate) fn names(&self, _model: Model, _action: Action) -> bool {
        false
    }

    pub(crate) fn is_unconditional(&self) -> bool {
        false
    }
}

/// A policy that was found to be right.
#[derive(Debug, Clone)]
pub struct Policy {
    model: Model,
    statements: Vec<Statement>,
    warnings: Vec<Finding>,
}

impl Policy {
    /// Reads a document; says everything that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, PolicyErrors> {
        let _ = text;
        Err(PolicyErrors(Vec::new()))
    }

    /// The model that its version belongs to.
    #[must_use]
    pub fn model(&self) -> Model {
        self.model
    }

    /// Its statements.
    #[must_use]
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// What is right but worth a second look: unknown actions, statements that can never match.
    #[must_use]
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }
}

pub mod system {
    //! The policies that come with Clew.
    use super::Policy;

    /// A policy that comes with Clew.
    #[derive(Debug, Clone, Copy)]
    pub struct SystemPolicy {
        /// Its name.
        pub name: &'static str,
        /// What it is for.
        pub description: &'static str,
        /// The document.
        pub document: &'static str,
    }

    /// All of them.
    pub static ALL: &[SystemPolicy] = &[];

    /// The one of this name.
    #[must_use]
    pub fn find(_name: &str) -> Option<&'static Policy> {
        None
    }
}
