//! Access keys, permanent and temporary, and tokens.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use clew_model::{AccessKeyId, ProjectId, UserId};
use secrecy::SecretString;

use crate::users::User;

/// An access key of a user, with its secret.
#[derive(Debug, Clone)]
pub struct AccessKey {
    /// Its public half.
    pub id: AccessKeyId,
    /// Whose it is.
    pub user: User,
    /// Its secret half.
    pub secret: SecretString,
    /// Whether it may be used. A temporary one: see [`Temporary`].
    pub enabled: bool,
    /// What else is to be checked of a temporary key.
    pub temporary: Option<Temporary>,
    /// When its use was last noted, in seconds since 1970 (UTC). Copies of it note together.
    pub(crate) last_noted: Arc<AtomicI64>,
}

/// What makes an access key temporary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Temporary {
    /// SHA-256 of the security token that must come with it.
    pub token_hash: [u8; 32],
    /// In seconds since 1970 (UTC).
    pub expires_at: i64,
    /// Whether it was taken back.
    pub revoked: bool,
}

/// A permanent access key without its secret. Times are seconds since 1970 (UTC).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its public half.
    pub id: AccessKeyId,
    /// Whose it is.
    pub user_id: UserId,
    /// Whether it may be used.
    pub enabled: bool,
    /// When it was made.
    pub created_at: i64,
    /// When it was last used, to the minute.
    pub last_used_at: Option<i64>,
}

/// A temporary access key to be kept.
#[derive(Debug, Clone)]
pub struct NewTemporaryKey {
    /// Whose it is.
    pub user_id: UserId,
    /// Its public half.
    pub id: AccessKeyId,
    /// Its secret half.
    pub secret: SecretString,
    /// SHA-256 of the security token that must come with it.
    pub token_hash: [u8; 32],
    /// In seconds since 1970 (UTC).
    pub expires_at: i64,
    /// The credentials that the key is issued for. They must still be valid when it is inserted.
    pub issued_for: IssuedFor,
}

/// Credentials that a temporary access key is issued for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuedFor {
    /// A token, by its hash. The key is revoked with it.
    Token([u8; 32]),
    /// A permanent access key.
    Key(AccessKeyId),
    /// None: at the command line.
    Nothing,
}

/// How a token was issued. It decides what the token can be exchanged for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenOrigin {
    /// By `POST /v3/auth/tokens`: good for its scope and nothing else.
    Api,
    /// By the sign-in of the page with a password: its holder may work on another project.
    Console,
}

impl TokenOrigin {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Console => "console",
        }
    }

    /// An unknown name is the origin that permits least.
    pub(crate) fn from_name(name: &str) -> Self {
        if name == Self::Console.name() { Self::Console } else { Self::Api }
    }
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
    /// The methods that it was asked for with (spec section 3.2): `password`, `token`, …
    pub issued_by_methods: Vec<String>,
    /// In seconds since 1970 (UTC).
    pub issued_at: i64,
    /// In seconds since 1970 (UTC).
    pub expires_at: i64,
    /// How it is issued.
    pub origin: TokenOrigin,
}

/// A token that was found. It may have expired: compare [`StoredToken::expires_at`].
#[derive(Debug, Clone)]
pub struct StoredToken {
    /// Whose it is.
    pub user: User,
    /// The project that it is for; nothing for a token of the whole domain.
    pub scope_project: Option<ProjectId>,
    /// The methods that it was asked for with.
    pub issued_by_methods: Vec<String>,
    /// In seconds since 1970 (UTC).
    pub issued_at: i64,
    /// In seconds since 1970 (UTC).
    pub expires_at: i64,
    /// How it was issued.
    pub origin: TokenOrigin,
    /// Whether it was taken back: by itself, or because what its user may do has changed.
    pub revoked: bool,
}
