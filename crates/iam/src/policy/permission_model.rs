//! Permission models of policies (role-based or identity-based) and effects of statements (`Allow` or `Deny`).

use serde::Serialize;

use crate::action::Action;

/// Permission model of a policy (API spec, section 4.1). Each model has its own action names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum PermissionModel {
    /// Permission model of role-based policies (versions 1.0 and 1.1), which refer to actions by alias.
    #[serde(rename = "role")]
    RoleBased,
    /// Model for identity policies (version 5.0), which refer to actions by name.
    #[serde(rename = "identity")]
    IdentityBased,
}

impl PermissionModel {
    /// Returns the name of `action` in policies of this permission model.
    #[must_use]
    pub fn action_name(self, action: Action) -> &'static str {
        match self {
            Self::RoleBased => action.alias,
            Self::IdentityBased => action.name,
        }
    }

    /// The service name is the first part of action names and URNs.
    pub(crate) fn service_name(self) -> &'static str {
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
