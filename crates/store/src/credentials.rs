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
    /// True if the access key is enabled. Always true for temporary keys.
    pub enabled: bool,
    /// Security token and expiration of a temporary access key. `None` if the access key is permanent.
    pub temporary: Option<TemporaryAccessKeyValidity>,
    /// Time of the last recorded use, as a Unix timestamp in seconds. All clones of the access key share the value.
    pub(crate) last_recorded_use: Arc<AtomicI64>,
}

/// Security token and expiration of a temporary access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemporaryAccessKeyValidity {
    /// SHA-256 hash of the security token that is required with each signed request.
    pub token_hash: [u8; 32],
    /// Expiration time, as a Unix timestamp in seconds.
    pub expires_at: i64,
    /// True if the key was revoked.
    pub revoked: bool,
}

/// Permanent access key without the secret. Times are Unix timestamps in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKeyMetadata {
    /// Public id of the key.
    pub id: AccessKeyId,
    /// User that owns the credential.
    pub user_id: UserId,
    /// True if the access key is enabled.
    pub enabled: bool,
    /// Creation time.
    pub created_at: i64,
    /// Time of the last use, accurate to one minute.
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
    /// SHA-256 hash of the security token that is required with each signed request.
    pub token_hash: [u8; 32],
    /// Expiration time, as a Unix timestamp in seconds.
    pub expires_at: i64,
    /// Credentials that authenticated the request to create the temporary access key.
    /// If the credentials are no longer valid, the store does not insert the temporary access key.
    pub issued_for: IssuingCredentials,
}

/// Credentials that authenticated the request to create a temporary access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuingCredentials {
    /// SHA-256 hash of the token that authenticated the request. Revoking the token also revokes the temporary key.
    Token([u8; 32]),
    /// Permanent access key.
    Key(AccessKeyId),
    /// The temporary key was created on the command line, without credentials.
    CommandLine,
}

/// Origin of a token. Only console tokens can be exchanged for a token with another project scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenOrigin {
    /// The token was issued by `POST /v3/auth/tokens`.
    Api,
    /// The token belongs to a session of the web console.
    Console,
}

impl TokenOrigin {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Console => "console",
        }
    }

    /// Returns `Api`, the origin with the fewest privileges, for an unknown name.
    pub(crate) fn from_name(name: &str) -> Self {
        if name == Self::Console.name() { Self::Console } else { Self::Api }
    }
}

/// New token to insert into the database, which contains only the token's hash.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// SHA-256 hash of the token.
    pub hash: [u8; 32],
    /// User that owns the credential.
    pub user_id: UserId,
    /// Project to which the token is scoped, or `None` if the token is scoped to the domain.
    pub scope_project: Option<ProjectId>,
    /// Authentication methods, such as `password` or `token` (API spec, section 3.2).
    pub issued_by_methods: Vec<String>,
    /// Issue time, as a Unix timestamp in seconds.
    pub issued_at: i64,
    /// Expiration time, as a Unix timestamp in seconds.
    pub expires_at: i64,
    /// Origin of the token.
    pub origin: TokenOrigin,
}

/// Stored token, which may have expired.
#[derive(Debug, Clone)]
pub struct StoredToken {
    /// User that owns the credential.
    pub user: Arc<User>,
    /// Project to which the token is scoped, or `None` if the token is scoped to the domain.
    pub scope_project: Option<ProjectId>,
    /// Authentication methods, such as `password` or `token`.
    pub issued_by_methods: Vec<String>,
    /// Issue time, as a Unix timestamp in seconds.
    pub issued_at: i64,
    /// Expiration time, as a Unix timestamp in seconds.
    pub expires_at: i64,
    /// Origin of the token.
    pub origin: TokenOrigin,
    /// True if the token was revoked by a request or by a change of the user's permissions.
    pub revoked: bool,
}
