//! Who there is: projects, users, access keys, tokens.

use clew_model::{AccessKeyId, DomainId, ProjectId, UserId};
use secrecy::SecretString;

/// A project: the scope that owns instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Its name, unique in its domain.
    pub name: String,
    /// The domain that owns it.
    pub domain_id: DomainId,
    /// Name of that domain.
    pub domain_name: String,
    /// What it is for.
    pub description: String,
    /// Whether it may be used.
    pub enabled: bool,
}

/// A user of a domain.
#[derive(Debug, Clone)]
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
}

/// An access key of a user.
#[derive(Debug, Clone)]
pub struct AccessKey {
    /// Its public half.
    pub id: AccessKeyId,
    /// Whose it is.
    pub user: User,
    /// Its secret half.
    pub secret: SecretString,
    /// Whether it may be used.
    pub enabled: bool,
}

/// A token to keep. Only its hash is kept.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// SHA-256 of the token.
    pub hash: [u8; 32],
    /// Whose it is.
    pub user_id: UserId,
    /// The project that it is for; nothing for a token of the whole domain.
    pub scope_project: Option<ProjectId>,
    /// In seconds since 1970 (UTC).
    pub issued_at: i64,
    /// In seconds since 1970 (UTC).
    pub expires_at: i64,
}

/// A token that was found. It may have expired: compare [`StoredToken::expires_at`].
#[derive(Debug, Clone)]
pub struct StoredToken {
    /// Whose it is.
    pub user: User,
    /// The project that it is for; nothing for a token of the whole domain.
    pub scope_project: Option<ProjectId>,
    /// In seconds since 1970 (UTC).
    pub issued_at: i64,
    /// In seconds since 1970 (UTC).
    pub expires_at: i64,
}
