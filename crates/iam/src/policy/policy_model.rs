//! Permission models, and effects of statements.

use serde::Serialize;

use crate::action::Action;

/// Permission model (spec section 4.1). Policies of one model never match actions of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum PolicyModel {
    /// Role policies, versions 1.0 and 1.1: actions by alias.
    #[serde(rename = "role")]
    RoleBased,
    /// Identity policies, version 5.0: actions by name.
    #[serde(rename = "identity")]
    IdentityBased,
}

impl PolicyModel {
    /// Name of the action in this model.
    #[must_use]
    pub fn name_of(self, action: Action) -> &'static str {
        match self {
            Self::RoleBased => action.alias,
            Self::IdentityBased => action.name,
        }
    }

    /// Name of the database service in this model: the first part of its actions and URNs.
    pub(crate) fn service(self) -> &'static str {
        match self {
            Self::RoleBased => "gaussdb",
            Self::IdentityBased => "gaussdbformysql",
        }
    }
}

/// Effect of a matching statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Effect {
    /// Allows the action, unless another statement denies it.
    Allow,
    /// Denies the action, even if another statement allows it.
    Deny,
}
