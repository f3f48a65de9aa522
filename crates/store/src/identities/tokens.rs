//! Queries for authentication tokens. The database stores only hashes of tokens.
//! Clew keeps expired tokens for one more day, so that it can report them as expired instead of unknown.

use std::sync::Arc;

use clew_model::{AuditOrigin, ProjectId, UserId};
use serde_json::Value;

use crate::database::{params, query};
use crate::error::StoreError;
use crate::store_handles::IdentityStore;

use crate::identities::users::{User, require_user};

/// Origin of a token. Only a token from the web console can be exchanged for a token for another project.
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

    /// For an unknown name, returns `Api`, the origin with fewer privileges.
    pub(crate) fn from_name(name: &str) -> Self {
        if name == Self::Console.name() { Self::Console } else { Self::Api }
    }
}

/// Token to insert into the database, which stores only the token's hash.
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
    /// True if the token was revoked by a request or by a change to the user's permissions.
    pub revoked: bool,
}

impl IdentityStore<'_> {
    /// Inserts a token.
    pub async fn insert_token(self, token: &NewToken) -> Result<(), StoreError> {
        let sql = "INSERT INTO tokens (hash, user_id, scope_project, methods, issued_at, expires_at, origin) \
            VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let parameters = params![
            token.hash.as_slice(),
            &token.user_id,
            token.scope_project.as_ref(),
            token.issued_by_methods.join(","),
            token.issued_at,
            token.expires_at,
            token.origin.name()
        ];
        query("store a token", sql, parameters).execute(&self.store.database).await?;
        Ok(())
    }

    /// Returns the token with the given hash, even if the token has expired or was revoked.
    pub async fn find_token(self, hash: &[u8; 32]) -> Result<Option<StoredToken>, StoreError> {
        let sql = "SELECT user_id, scope_project, methods, issued_at, expires_at, origin, revoked_at IS NOT NULL AS revoked \
            FROM tokens WHERE hash = $1";
        let row = query("look up a token", sql, params![hash.as_slice()]).fetch_optional(&self.store.database).await?;
        let Some(row) = row else { return Ok(None) };
        let Some(user) = self.find_user(&row.get("user_id")?).await? else { return Ok(None) };
        let methods: String = row.get("methods")?;
        Ok(Some(StoredToken {
            user: Arc::new(user),
            scope_project: row.get("scope_project")?,
            issued_by_methods: methods.split(',').map(str::to_owned).collect(),
            issued_at: row.get("issued_at")?,
            expires_at: row.get("expires_at")?,
            origin: TokenOrigin::from_name(&row.get::<String>("origin")?),
            revoked: row.get("revoked")?,
        }))
    }

    /// Revokes a token. Returns false if the token does not exist or was already revoked.
    pub async fn revoke_token(self, by: &AuditOrigin, hash: &[u8; 32]) -> Result<bool, StoreError> {
        let mut tx = self.store.begin_audited_transaction("revoke a token").await?;
        let sql = "UPDATE tokens SET revoked_at = $1 WHERE hash = $2 AND revoked_at IS NULL RETURNING user_id";
        let users: Vec<String> = tx.fetch_all(sql, params![self.store.clock.unix_seconds(), hash.as_slice()]).await?;
        let Some(user) = users.first() else { return Ok(false) };
        tx.revoke_temporary_keys_of_revoked_tokens("SELECT $2", user).await?;
        let user =
            require_user(tx.transaction(), &user.parse().map_err(StoreError::corrupt_value_error("user_id"))?).await?;
        tx.commit_domain_change(by, "RevokeToken", user.name, user.domain_id, Value::Null).await?;
        Ok(true)
    }

    /// Removes tokens and temporary access keys that expired before `cutoff`, a Unix timestamp in seconds.
    /// Returns the number of removed rows.
    pub async fn remove_credentials_expired_before(self, cutoff: i64) -> Result<u64, StoreError> {
        let mut removed = 0;
        for statement in
            ["DELETE FROM tokens WHERE expires_at < $1", "DELETE FROM temporary_keys WHERE expires_at < $1"]
        {
            let deleted = query("remove old tokens", statement, params![cutoff]).execute(&self.store.database).await?;
            removed += deleted;
        }
        Ok(removed)
    }
}
