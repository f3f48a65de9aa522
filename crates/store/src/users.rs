//! Users and groups of users.

use std::fmt;

use clew_model::{DomainId, GroupId, UserId};

/// A user of a domain.
#[derive(Clone)]
pub struct User {
    /// Unique id.
    pub id: UserId,
    /// Name, unique in its domain.
    pub name: String,
    /// Domain that it belongs to.
    pub domain_id: DomainId,
    /// Name of the domain.
    pub domain_name: String,
    /// Password hash, as a PHC string.
    pub password_hash: String,
    /// Whether the user can sign in.
    pub enabled: bool,
    /// Whether all actions in its domain are allowed, regardless of policies.
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

/// A user to create. Contains a password hash and must not be logged.
#[derive(Clone)]
pub struct NewUser {
    /// Name, unique in its domain.
    pub name: String,
    /// Password hash, as a PHC string.
    pub password_hash: String,
    /// Whether all actions in its domain are allowed.
    pub administrator: bool,
    /// Description.
    pub description: String,
}

/// Changes of a user. `None` leaves a value as it is. May contain a password hash and must not be logged.
#[derive(Clone, Default)]
pub struct UserChange {
    /// New password hash, as a PHC string.
    pub password_hash: Option<String>,
    /// Whether the user can sign in.
    pub enabled: Option<bool>,
    /// Whether all actions in its domain are allowed.
    pub administrator: Option<bool>,
    /// Description.
    pub description: Option<String>,
}

/// A group of users of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Unique id.
    pub id: GroupId,
    /// Name, unique in its domain.
    pub name: String,
    /// Domain that it belongs to.
    pub domain_id: DomainId,
    /// Description.
    pub description: String,
}
