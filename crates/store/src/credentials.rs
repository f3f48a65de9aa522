//! Access keys, permanent and temporary, and tokens.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use clew_model::{AccessKeyId, ProjectId, UserId};
use secrecy::SecretString;

use crate::users::User;

/// An access key with its user and its secret.
#[derive(Debug, Clone)]
pub struct AccessKey {
    /// Public id of the key.
    pub id: AccessKeyId,
    /// User that owns it.
    pub user: Arc<User>,
    /// Secret of the key.
    pub secret: SecretString,
    /// Whether the key is enabled. Always true for a temporary key (see [`TemporaryKeyValidity`]).
    pub enabled: bool,
    /// Validity of a temporary key. `None` for a permanent one.
    pub temporary: Option<TemporaryKeyValidity>,
    /// Time of the last recorded use, in seconds since 1970 (UTC). Clones share it.
    pub(crate) last_recorded_use: Arc<AtomicI64>,
}

/// Validity of a temporary access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemporaryKeyValidity {
    /// SHA-256 of the security token that requests must carry.
    pub token_hash: [u8; 32],
    /// Time in seconds since 1970 (UTC).
    pub expires_at: i64,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// A permanent access key without its secret. Times are seconds since 1970 (UTC).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Public id of the key.
    pub id: AccessKeyId,
    /// User that owns it.
    pub user_id: UserId,
    /// Whether the key is enabled.
    pub enabled: bool,
    /// Creation time.
    pub created_at: i64,
    /// Time of the last use, with a resolution of one minute.
    pub last_used_at: Option<i64>,
}

/// A temporary access key to insert.
#[derive(Debug, Clone)]
pub struct NewTemporaryKey {
    /// User that owns it.
    pub user_id: UserId,
    /// Public id of the key.
    pub id: AccessKeyId,
    /// Secret of the key.
    pub secret: SecretString,
    /// SHA-256 of the security token that requests must carry.
    pub token_hash: [u8; 32],
    /// Time in seconds since 1970 (UTC).
    pub expires_at: i64,
    /// Credentials that the key is issued for. The insertion fails if they are no longer valid.
    pub issued_for: IssuedFor,
}

/// Credentials that a temporary access key is issued for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuedFor {
    /// A token, by its hash. Its revocation also revokes the key.
    Token([u8; 32]),
    /// A permanent access key.
    Key(AccessKeyId),
    /// None, for keys issued on the command line.
    CommandLine,
}

/// Origin of a token. It determines which other tokens the token can be exchanged for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenOrigin {
    /// Issued by `POST /v3/auth/tokens`: valid for its scope only.
    Api,
    /// Issued by the web page for a password: can be exchanged for a token of another project.
    Console,
}

impl TokenOrigin {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Console => "console",
        }
    }

    /// Parses a stored name. Unknown names become the origin with the fewest rights.
    pub(crate) fn from_name(name: &str) -> Self {
        if name == Self::Console.name() { Self::Console } else { Self::Api }
    }
}

/// A token to insert. Only its hash is stored.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// SHA-256 of the token.
    pub hash: [u8; 32],
    /// User that owns it.
    pub user_id: UserId,
    /// Project scope. `None` for the scope of the whole domain.
    pub scope_project: Option<ProjectId>,
    /// Authentication methods of its issue (spec section 3.2): `password`, `token`, …
    pub issued_by_methods: Vec<String>,
    /// Time in seconds since 1970 (UTC).
    pub issued_at: i64,
    /// Time in seconds since 1970 (UTC).
    pub expires_at: i64,
    /// Origin of the token.
    pub origin: TokenOrigin,
}

/// A stored token. It may have expired: see [`StoredToken::expires_at`].
#[derive(Debug, Clone)]
pub struct StoredToken {
    /// User that owns it.
    pub user: Arc<User>,
    /// Project scope. `None` for the scope of the whole domain.
    pub scope_project: Option<ProjectId>,
    /// Authentication methods of its issue.
    pub issued_by_methods: Vec<String>,
    /// Time in seconds since 1970 (UTC).
    pub issued_at: i64,
    /// Time in seconds since 1970 (UTC).
    pub expires_at: i64,
    /// Origin of the token.
    pub origin: TokenOrigin,
    /// Whether it was revoked, by a request or by a change of its user's rights.
    pub revoked: bool,
}
