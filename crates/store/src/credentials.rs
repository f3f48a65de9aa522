//! Types for tokens and for permanent and temporary access keys.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use clew_model::{AccessKeyId, ProjectId, UserId};
use secrecy::SecretString;

use crate::users::User;

/// Access key with its user and secret.
#[derive(Debug, Clone)]
pub struct AccessKey {
    /// Public id of the key.
    pub id: AccessKeyId,
    /// User that owns the credential.
    pub user: Arc<User>,
    /// Secret of the key.
    pub secret: SecretString,
    /// True if the access key is enabled. Temporary keys are always enabled and have a [`TemporaryAccessKeyValidity`].
    pub enabled: bool,
    /// Validity of a temporary access key, or `None` for a permanent access key.
    pub temporary: Option<TemporaryAccessKeyValidity>,
    /// Time of the access key's last recorded use, as a Unix timestamp in seconds. Clones share the timestamp.
    pub(crate) last_recorded_use: Arc<AtomicI64>,
}

/// Validity of a temporary access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemporaryAccessKeyValidity {
    /// SHA-256 hash of the security token that every request signed with the temporary key must include.
    pub token_hash: [u8; 32],
    /// Expiration time, as a Unix timestamp in seconds.
    pub expires_at: i64,
    /// True if the key was revoked.
    pub revoked: bool,
}

/// Permanent access key without its secret. Times are Unix timestamps in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKeyRecord {
    /// Public id of the key.
    pub id: AccessKeyId,
    /// User that owns the credential.
    pub user_id: UserId,
    /// True if the access key is enabled.
    pub enabled: bool,
    /// Creation time.
    pub created_at: i64,
    /// Time when the access key was last used, accurate to one minute.
    pub last_used_at: Option<i64>,
}

/// Temporary access key to insert.
#[derive(Debug, Clone)]
pub struct NewTemporaryAccessKey {
    /// User that owns the credential.
    pub user_id: UserId,
    /// Public id of the key.
    pub id: AccessKeyId,
    /// Secret of the key.
    pub secret: SecretString,
    /// SHA-256 hash of the security token that every request signed with the temporary key must include.
    pub token_hash: [u8; 32],
    /// Expiration time, as a Unix timestamp in seconds.
    pub expires_at: i64,
    /// Credentials that authenticated the request to create this temporary key.
    /// Inserting the temporary key fails if these credentials are no longer valid.
    pub issued_for: IssuingCredential,
}

/// Credentials that authenticated the request to create a temporary access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuingCredential {
    /// Hash of the token that authenticated the request. Revoking the token also revokes the temporary key.
    Token([u8; 32]),
    /// Permanent access key.
    Key(AccessKeyId),
    /// No credentials, because the temporary key was created on the command line.
    CommandLine,
}

/// Origin of a token. Only console tokens can be exchanged for a token that is scoped to another project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenOrigin {
    /// The token was issued by `POST /v3/auth/tokens` and cannot be exchanged for a token with another scope.
    Api,
    /// The token belongs to a web console session and can be exchanged for a token that is scoped to another project.
    Console,
}

impl TokenOrigin {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Console => "console",
        }
    }

    /// Parses a stored origin name. If the name is unknown, falls back to `Api`, the least privileged origin.
    pub(crate) fn from_name(name: &str) -> Self {
        if name == Self::Console.name() { Self::Console } else { Self::Api }
    }
}

/// Token to insert. The database stores only the hash of the token.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// SHA-256 hash of the token.
    pub hash: [u8; 32],
    /// User that owns the credential.
    pub user_id: UserId,
    /// Project that the token is scoped to, or `None` for a domain-scoped token.
    pub scope_project: Option<ProjectId>,
    /// Authentication methods that were used to obtain the token, such as `password` or `token` (API spec section 3.2).
    pub issued_by_methods: Vec<String>,
    /// Time when the token was issued, as a Unix timestamp in seconds.
    pub issued_at: i64,
    /// Expiration time, as a Unix timestamp in seconds.
    pub expires_at: i64,
    /// Origin of the token.
    pub origin: TokenOrigin,
}

/// Stored token, which may have expired (see [`StoredToken::expires_at`]).
#[derive(Debug, Clone)]
pub struct StoredToken {
    /// User that owns the credential.
    pub user: Arc<User>,
    /// Project that the token is scoped to, or `None` for a domain-scoped token.
    pub scope_project: Option<ProjectId>,
    /// Authentication methods that were used to obtain the token.
    pub issued_by_methods: Vec<String>,
    /// Time when the token was issued, as a Unix timestamp in seconds.
    pub issued_at: i64,
    /// Expiration time, as a Unix timestamp in seconds.
    pub expires_at: i64,
    /// Origin of the token.
    pub origin: TokenOrigin,
    /// True if the token was revoked, either by a request or because the user's permissions changed.
    pub revoked: bool,
}
