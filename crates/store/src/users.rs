//! Users and groups of users.

use std::fmt;

use clew_model::{DomainId, GroupId, UserId};

/// A user of a domain.
#[derive(Clone)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Its name, unique in its domain.
    pub name: String,
    /// The domain that it belongs to.
    pub domain_id: DomainId,
    /// Name of that domain.
    pub domain_name: String,
    /// Hash of its password, as a PHC string.
    pub password_hash: String,
    /// Whether it may sign in.
    pub enabled: bool,
    /// Whether it may do everything in its domain, whatever the policies say.
    pub administrator: bool,
    /// Who it is.
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

/// A user to be made. Not for logs: it has a hash of a password.
#[derive(Clone)]
pub struct NewUser {
    /// Its name, unique in its domain.
    pub name: String,
    /// Hash of its password, as a PHC string.
    pub password_hash: String,
    /// Whether it may do everything in its domain.
    pub administrator: bool,
    /// Who it is.
    pub description: String,
}

/// What to change of a user. What is `None` stays. Not for logs: it may have a hash of a password.
#[derive(Clone, Default)]
pub struct UserChange {
    /// Hash of a new password, as a PHC string.
    pub password_hash: Option<String>,
    /// Whether it may sign in.
    pub enabled: Option<bool>,
    /// Whether it may do everything in its domain.
    pub administrator: Option<bool>,
    /// Who it is.
    pub description: Option<String>,
}

/// A group of users of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its name, unique in its domain.
    pub name: String,
    /// The domain that it belongs to.
    pub domain_id: DomainId,
    /// Who is in it.
    pub description: String,
}
