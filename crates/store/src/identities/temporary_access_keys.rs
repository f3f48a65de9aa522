//! Queries for temporary access keys, which are valid only with a security token.

use std::sync::Arc;

use clew_model::{AccessKeyId, AuditOrigin, UserId};
use secrecy::SecretString;
use serde_json::json;

use crate::database::{Transaction, params, query, query_as};
use crate::error::StoreError;
use crate::identities::access_keys::{AccessKey, TemporaryAccessKeyValidity};
use crate::identities::users::require_user;
use crate::sealing::AssociatedData;
use crate::store_handles::IdentityStore;

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
    /// Credentials with which the user requested the temporary access key.
    pub issued_for: IssuingCredentials,
}

/// Credentials that authenticated the request to create a temporary access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuingCredentials {
    /// Token, identified by its SHA-256 hash. Revoking the token also revokes temporary access keys created with the token.
    Token([u8; 32]),
    /// Permanent access key.
    Key(AccessKeyId),
    /// A local `clew` command created the temporary access key. Local commands require no credentials.
    CommandLine,
}

impl IdentityStore<'_> {
    /// Creates a temporary access key. Stores the encrypted secret and the hash of the security token.
    /// Fails with [`StoreError::IssuingCredentialsRevoked`] if the credentials in `issued_for` are no longer valid.
    pub async fn create_temporary_key(self, by: &AuditOrigin, new: &NewTemporaryAccessKey) -> Result<(), StoreError> {
        let sealed = self.store.sealer.seal(associated_data_for_temporary_key_secret(&new.id), &new.secret)?;
        let mut tx = self.store.begin_audited_transaction("create a temporary access key").await?;
        let user = require_user(tx.transaction(), &new.user_id).await?;
        let now = self.store.clock.unix_seconds();
        ensure_issuing_credentials_are_valid(tx.transaction(), &new.issued_for, now).await?;
        let token = match &new.issued_for {
            IssuingCredentials::Token(hash) => Some(hash.as_slice()),
            IssuingCredentials::Key(_) | IssuingCredentials::CommandLine => None,
        };
        let sql = "INSERT INTO temporary_keys (id, user_id, secret, token_hash, created_at, expires_at, issued_for) \
            VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let parameters = params![&new.id, &new.user_id, sealed, new.token_hash.as_slice(), now, new.expires_at, token];
        query("create a temporary access key", sql, parameters)
            .execute_insert(tx.transaction(), "an access key", new.id.as_str())
            .await?;
        let detail = json!({ "user": user.name, "user_id": user.id, "expires_at": new.expires_at });
        tx.commit_domain_change(by, "CreateTemporaryAccessKey", new.id.as_str(), user.domain_id, detail).await
    }

    /// Also returns a key that has expired or was revoked.
    pub(crate) async fn find_temporary_access_key(self, id: &AccessKeyId) -> Result<Option<AccessKey>, StoreError> {
        let sql = "SELECT user_id, secret, token_hash, expires_at, revoked_at IS NOT NULL AS revoked \
            FROM temporary_keys WHERE id = $1";
        let row =
            query("look up a temporary access key", sql, params![id]).fetch_optional(&self.store.database).await?;
        let Some(row) = row else { return Ok(None) };
        let Some(user) = self.find_user(&row.get("user_id")?).await? else { return Ok(None) };
        let sealed: Vec<u8> = row.get("secret")?;
        let temporary = TemporaryAccessKeyValidity {
            token_hash: row.get("token_hash")?,
            expires_at: row.get("expires_at")?,
            revoked: row.get("revoked")?,
        };
        let secret = self.store.unseal_secret(associated_data_for_temporary_key_secret(id), &sealed).await?;
        Ok(Some(AccessKey {
            id: id.clone(),
            user: Arc::new(user),
            secret,
            enabled: true,
            temporary: Some(temporary),
            last_recorded_use: Arc::default(),
        }))
    }
}

/// The caller must insert the access key in `transaction`, so that the credentials cannot be revoked before the insertion.
async fn ensure_issuing_credentials_are_valid(
    transaction: &mut Transaction,
    source: &IssuingCredentials,
    now: i64,
) -> Result<(), StoreError> {
    let action = "check the credentials of a temporary access key";
    let valid: i64 = match source {
        IssuingCredentials::Token(hash) => {
            let sql = "SELECT COUNT(*) FROM tokens WHERE hash = $1 AND revoked_at IS NULL AND expires_at > $2";
            query_as(action, sql, params![hash.as_slice(), now]).fetch_one(transaction).await?
        }
        IssuingCredentials::Key(id) => {
            let sql = "SELECT COUNT(*) FROM access_keys WHERE id = $1 AND enabled";
            query_as(action, sql, params![id]).fetch_one(transaction).await?
        }
        IssuingCredentials::CommandLine => 1,
    };
    if valid > 0 { Ok(()) } else { Err(StoreError::IssuingCredentialsRevoked) }
}

fn associated_data_for_temporary_key_secret(id: &AccessKeyId) -> AssociatedData<'_> {
    AssociatedData { table: "temporary_keys", column: "secret", row: id.as_str() }
}
