//! Queries for permanent access keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use clew_model::{AccessKeyId, AuditOrigin, UserId};
use secrecy::SecretString;
use serde_json::json;

use crate::database::{Statement, Transaction, impl_from_row, params, query, query_as};
use crate::error::StoreError;
use crate::identities::credential_revocation::AffectedUsers;
use crate::identities::users::{User, require_user};
use crate::sealing::AssociatedData;
use crate::store_handles::IdentityStore;

/// With two keys, a user can replace a key without downtime.
const MAX_ACCESS_KEYS_PER_USER: u32 = 2;

const LAST_USED_AT_UPDATE_INTERVAL_SECONDS: i64 = 60;

/// Token hash, expiration time and revocation status of a temporary access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemporaryAccessKeyValidity {
    /// SHA-256 hash of the security token that is required with each signed request.
    pub token_hash: [u8; 32],
    /// Expiration time, as a Unix timestamp in seconds.
    pub expires_at: i64,
    /// True if the key was revoked.
    pub revoked: bool,
}

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
    /// Validity of a temporary access key: token hash, expiration time and revocation status. `None` for a permanent key.
    pub temporary: Option<TemporaryAccessKeyValidity>,
    /// Unix timestamp in seconds, which clones of the access key share.
    pub(crate) last_recorded_use: Arc<AtomicI64>,
}

/// Metadata of a permanent access key, without its secret. Times are Unix timestamps in seconds.
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

impl_from_row! { AccessKeyMetadata { id, user_id, enabled, created_at, last_used_at } }

impl IdentityStore<'_> {
    /// Creates an access key. Fails with [`StoreError::TooManyKeys`] if the user already has two keys.
    pub async fn create_access_key(
        self,
        by: &AuditOrigin,
        user: &UserId,
        id: &AccessKeyId,
        secret: &SecretString,
    ) -> Result<(), StoreError> {
        let mut tx = self.store.begin_audited_transaction("create an access key").await?;
        let user = require_user(tx.transaction(), user).await?;
        let count: i64 = tx.fetch_one("SELECT COUNT(*) FROM access_keys WHERE user_id = $1", params![&user.id]).await?;
        if count >= i64::from(MAX_ACCESS_KEYS_PER_USER) {
            return Err(StoreError::TooManyKeys(MAX_ACCESS_KEYS_PER_USER));
        }
        self.insert_access_key(tx.transaction(), &user.id, id, secret).await?;
        let detail = json!({ "user": user.name, "user_id": user.id });
        tx.commit_domain_change(by, "CreateAccessKey", id.as_str(), user.domain_id, detail).await
    }

    pub(crate) async fn insert_access_key(
        self,
        transaction: &mut Transaction,
        user: &UserId,
        id: &AccessKeyId,
        secret: &SecretString,
    ) -> Result<(), StoreError> {
        let sealed = self.store.sealer.seal(associated_data_for_access_key_secret(id), secret)?;
        let sql = "INSERT INTO access_keys (id, user_id, secret, created_at) VALUES ($1, $2, $3, $4)";
        let parameters = params![id, user, sealed, self.store.clock.unix_seconds()];
        query("create an access key", sql, parameters).execute_insert(transaction, "an access key", id.as_str()).await
    }

    /// Returns a user's permanent access keys, oldest first.
    pub async fn list_access_keys(self, user: &UserId) -> Result<Vec<AccessKeyMetadata>, StoreError> {
        let statement =
            "SELECT id, user_id, enabled, created_at, last_used_at FROM access_keys WHERE user_id = $1 ORDER BY rowid";
        query_as("list access keys", statement, params![user]).fetch_all(&self.store.database).await
    }

    /// Returns a permanent access key by id, without its secret.
    pub async fn find_access_key_metadata(self, id: &AccessKeyId) -> Result<Option<AccessKeyMetadata>, StoreError> {
        let sql = "SELECT id, user_id, enabled, created_at, last_used_at FROM access_keys WHERE id = $1";
        query_as("look up an access key", sql, params![id]).fetch_optional(&self.store.database).await
    }

    /// Enables or disables an access key. Returns false if the key does not exist.
    /// Disabling an access key also revokes the user's tokens and temporary keys.
    pub async fn set_access_key_enabled(
        self,
        by: &AuditOrigin,
        id: &AccessKeyId,
        enabled: bool,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE access_keys SET enabled = $1 WHERE id = $2 RETURNING user_id";
        let change = query_as("change an access key", sql, params![enabled, id]);
        self.apply_access_key_change(by, "UpdateAccessKey", id, change, enabled).await
    }

    /// Removes an access key and revokes the user's tokens and temporary keys.
    /// Returns false if the access key does not exist.
    pub async fn remove_access_key(self, by: &AuditOrigin, id: &AccessKeyId) -> Result<bool, StoreError> {
        let change =
            query_as("remove an access key", "DELETE FROM access_keys WHERE id = $1 RETURNING user_id", params![id]);
        self.apply_access_key_change(by, "DeleteAccessKey", id, change, false).await
    }

    /// `change` must return the id of the key's user.
    async fn apply_access_key_change(
        self,
        by: &AuditOrigin,
        operation: &str,
        id: &AccessKeyId,
        change: Statement<'_, String>,
        usable: bool,
    ) -> Result<bool, StoreError> {
        let mut tx = self.store.begin_audited_transaction(change.action()).await?;
        let Some(user) = change.fetch_all(tx.transaction()).await?.into_iter().next() else { return Ok(false) };
        let user: UserId = user.parse().map_err(StoreError::corrupt_value_error("user_id"))?;
        let user = require_user(tx.transaction(), &user).await?;
        let (mut tokens, mut keys) = (0, 0);
        if !usable {
            tokens = tx.revoke_tokens(AffectedUsers::User(&user.id)).await?;
            keys = tx.revoke_temporary_access_keys(&user.id).await?;
        }
        let detail = json!({
            "user": user.name, "user_id": user.id, "enabled": usable,
            "tokens_revoked": tokens, "temporary_keys_revoked": keys,
        });
        tx.commit_domain_change(by, operation, id.as_str(), user.domain_id, detail).await?;
        Ok(true)
    }

    /// Records the use of a permanent access key, at most once per minute.
    pub async fn record_access_key_use(self, key: &AccessKey) -> Result<(), StoreError> {
        let (last, now) = (key.last_recorded_use.load(Ordering::Relaxed), self.store.clock.unix_seconds());
        let due = key.temporary.is_none() && now.saturating_sub(last) >= LAST_USED_AT_UPDATE_INTERVAL_SECONDS;
        // Only one of several concurrent requests writes the timestamp.
        if !due || key.last_recorded_use.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return Ok(());
        }
        let sql = "UPDATE access_keys SET last_used_at = $1 WHERE id = $2 AND COALESCE(last_used_at, 0) < $1";
        query("record the use of an access key", sql, params![now, &key.id]).execute(&self.store.database).await?;
        Ok(())
    }

    /// Returns a permanent or temporary access key by id, with its user and secret.
    pub async fn find_access_key(self, id: &AccessKeyId) -> Result<Option<AccessKey>, StoreError> {
        let sql = "SELECT user_id, secret, enabled, last_used_at FROM access_keys WHERE id = $1";
        let row = query("look up an access key", sql, params![id]).fetch_optional(&self.store.database).await?;
        let Some(row) = row else { return self.find_temporary_access_key(id).await };
        let user_id = row.get("user_id")?;
        let Some(user) = self.find_user(&user_id).await? else { return Ok(None) };
        let sealed: Vec<u8> = row.get("secret")?;
        let enabled = row.get("enabled")?;
        let last_used_at: Option<i64> = row.get("last_used_at")?;
        let last_recorded_use = Arc::new(AtomicI64::new(last_used_at.unwrap_or_default()));
        let secret = self.store.unseal_secret(associated_data_for_access_key_secret(id), &sealed).await?;
        Ok(Some(AccessKey {
            id: id.clone(),
            user: Arc::new(user),
            secret,
            enabled,
            temporary: None,
            last_recorded_use,
        }))
    }
}

fn associated_data_for_access_key_secret(id: &AccessKeyId) -> AssociatedData<'_> {
    AssociatedData { table: "access_keys", column: "secret", row: id.as_str() }
}
