//! Types for users and user groups.

use std::fmt;

use clew_model::{DomainId, GroupId, UserId};

/// User in a domain.
#[derive(Clone)]
pub struct User {
    /// Unique id.
    pub id: UserId,
    /// Name, unique in its domain.
    pub name: String,
    /// Domain of the user.
    pub domain_id: DomainId,
    /// Name of the domain.
    pub domain_name: String,
    /// Password hash, as a PHC string.
    pub password_hash: String,
    /// True if the user can sign in.
    pub enabled: bool,
    /// True if the user is allowed to perform all actions in the domain, regardless of policies.
    pub administrator: bool,
    /// Description.
    pub description: String,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, name, domain_id, enabled, administrator, .. } = self;
        f.debug_struct("User")
            .field("id", id)
            .field("name", name)
            .field("domain_id", domain_id)
            .field("enabled", enabled)
            .field("administrator", administrator)
            .finish_non_exhaustive()
    }
}

/// User to create. Do not log this value, because it contains a password hash.
#[derive(Clone)]
pub struct NewUser {
    /// Name, unique in its domain.
    pub name: String,
    /// Password hash, as a PHC string.
    pub password_hash: String,
    /// True if the user is allowed to perform all actions in the domain.
    pub administrator: bool,
    /// Description.
    pub description: String,
}

/// Changes to a user. Fields that are `None` stay unchanged.
/// Do not log this value, because it may contain a password hash.
#[derive(Clone, Default)]
pub struct UserChange {
    /// New password hash, as a PHC string.
    pub password_hash: Option<String>,
    /// True if the user can sign in.
    pub enabled: Option<bool>,
    /// True if the user is allowed to perform all actions in the domain.
    pub administrator: Option<bool>,
    /// Description.
    pub description: Option<String>,
}

/// Group of users in a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Unique id.
    pub id: GroupId,
    /// Name, unique in its domain.
    pub name: String,
    /// Domain of the group.
    pub domain_id: DomainId,
    /// Description.
    pub description: String,
}
