//! The two models of permissions, and what a statement does.

use serde::Serialize;

use crate::action::Action;

/// The two models of permissions (spec section 4.1). Policies of the one never name actions of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Model {
    /// Roles and policies, versions 1.0 and 1.1: they name an action by its alias.
    #[serde(rename = "role")]
    RoleBased,
    /// Identity policies, version 5.0: they name an action by its name.
    #[serde(rename = "identity")]
    IdentityBased,
}

impl Model {
    /// What this model calls the action.
    #[must_use]
    pub fn name_of(self, action: Action) -> &'static str {
        match self {
            Self::RoleBased => action.alias,
            Self::IdentityBased => action.name,
        }
    }

    /// What this model calls the service of instances: the first part of its actions and URNs.
    pub(crate) fn service(self) -> &'static str {
        match self {
            Self::RoleBased => "gaussdb",
            Self::IdentityBased => "gaussdbformysql",
        }
    }
}

/// What a statement does when it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Effect {
    /// Allows, if nothing denies.
    Allow,
    /// Denies, whatever allows.
    Deny,
}
