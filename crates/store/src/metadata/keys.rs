//! Access keys that last. Their secrets are kept sealed.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use clew_model::{AccessKeyId, AuditEvent, Origin, UserId};
use secrecy::SecretString;
use serde_json::json;

use super::failure::insert_failed;
use super::revocation::{Reached, revoke_temporary_keys, revoke_tokens};
use super::rows::parsed;
use super::users::need_user;
use crate::database::{Connection, Row, query, query_scalar};
use crate::error::StoreError;
use crate::keys::{AccessKey, KeyRecord};
use crate::sealing::Place;
use crate::store::Store;

/// Access keys that a user can have: one in use, and one to change over to.
const MOST_KEYS: u32 = 2;
/// Seconds between two notes that a key was used.
const USE_INTERVAL: i64 = 60;

impl Store {
    /// Gives a user an access key. Fails with [`StoreError::TooManyKeys`] if it has two.
    pub async fn create_key(
        &self,
        by: &Origin,
        user: &UserId,
        id: &AccessKeyId,
        secret: &SecretString,
    ) -> Result<(), StoreError> {
        let mut change = self.change("make an access key").await?;
        let user = need_user(change.connection(), user).await?;
        let count: i64 = query_scalar("SELECT COUNT(*) FROM access_keys WHERE user_id = $1")
            .bind(user.id.as_str())
            .fetch_one(change.connection())
            .await
            .map_err(change.failed())?;
        if count >= i64::from(MOST_KEYS) {
            return Err(StoreError::TooManyKeys { limit: MOST_KEYS });
        }
        self.insert_key(change.connection(), &user.id, id, secret).await?;
        let event = AuditEvent {
            domain_id: Some(user.domain_id),
            detail: json!({ "user": user.name, "user_id": user.id }),
            ..AuditEvent::done(by, "CreateAccessKey", id.as_str())
        };
        change.done(&event).await
    }

    pub(super) async fn insert_key(
        &self,
        connection: &mut Connection,
        user: &UserId,
        id: &AccessKeyId,
        secret: &SecretString,
    ) -> Result<(), StoreError> {
        let sealed = self.sealer.seal(secret_of(id), secret)?;
        query("INSERT INTO access_keys (id, user_id, secret, created_at) VALUES ($1, $2, $3, $4)")
            .bind(id.as_str())
            .bind(user.as_str())
            .bind(sealed)
            .bind(self.clock.seconds())
            .execute(connection)
            .await
            .map_err(insert_failed("make an access key", "an access key", id.as_str()))?;
        Ok(())
    }

    /// The permanent access keys of a user, the oldest first.
    pub async fn keys_of(&self, user: &UserId) -> Result<Vec<KeyRecord>, StoreError> {
        let statement =
            "SELECT id, user_id, enabled, created_at, last_used_at FROM access_keys WHERE user_id = $1 ORDER BY rowid";
        let rows = query(statement)
            .bind(user.as_str())
            .fetch_all(&self.database)
            .await
            .map_err(StoreError::database("list access keys"))?;
        rows.iter().map(key).collect()
    }

    /// A permanent access key without its secret.
    pub async fn key(&self, id: &AccessKeyId) -> Result<Option<KeyRecord>, StoreError> {
        let row = query("SELECT id, user_id, enabled, created_at, last_used_at FROM access_keys WHERE id = $1")
            .bind(id.as_str())
            .fetch_optional(&self.database)
            .await
            .map_err(StoreError::database("look up an access key"))?;
        row.as_ref().map(key).transpose()
    }

    /// Lets an access key be used, or not. False if there is none of this id. To take it away ends the tokens and temporary
    /// keys of its user (spec section 3.2): they may have been got with it.
    pub async fn set_key_enabled(&self, by: &Origin, id: &AccessKeyId, enabled: bool) -> Result<bool, StoreError> {
        let mut change = self.change("change an access key").await?;
        let users: Vec<String> = query_scalar("UPDATE access_keys SET enabled = $1 WHERE id = $2 RETURNING user_id")
            .bind(enabled)
            .bind(id.as_str())
            .fetch_all(change.connection())
            .await
            .map_err(change.failed())?;
        let Some(user) = users.first() else { return Ok(false) };
        let event = self.key_changed(change.connection(), by, "UpdateAccessKey", id, user, enabled).await?;
        change.done(&event).await?;
        Ok(true)
    }

    /// Removes an access key. False if there is none of this id. Ends what [`Store::set_key_enabled`] ends.
    pub async fn remove_key(&self, by: &Origin, id: &AccessKeyId) -> Result<bool, StoreError> {
        let mut change = self.change("remove an access key").await?;
        let users: Vec<String> = query_scalar("DELETE FROM access_keys WHERE id = $1 RETURNING user_id")
            .bind(id.as_str())
            .fetch_all(change.connection())
            .await
            .map_err(change.failed())?;
        let Some(user) = users.first() else { return Ok(false) };
        let event = self.key_changed(change.connection(), by, "DeleteAccessKey", id, user, false).await?;
        change.done(&event).await?;
        Ok(true)
    }

    async fn key_changed(
        &self,
        connection: &mut Connection,
        by: &Origin,
        operation: &str,
        id: &AccessKeyId,
        user: &str,
        usable: bool,
    ) -> Result<AuditEvent, StoreError> {
        let user: UserId = user.parse().map_err(StoreError::damaged("user_id"))?;
        let user = need_user(connection, &user).await?;
        let (mut tokens, mut keys) = (0, 0);
        if !usable {
            let now = self.clock.seconds();
            tokens = revoke_tokens(connection, Reached::User(&user.id), now).await?;
            keys = revoke_temporary_keys(connection, &user.id, now).await?;
        }
        Ok(AuditEvent {
            domain_id: Some(user.domain_id),
            detail: json!({
                "user": user.name, "user_id": user.id, "enabled": usable,
                "tokens_revoked": tokens, "temporary_keys_revoked": keys,
            }),
            ..AuditEvent::done(by, operation, id.as_str())
        })
    }

    /// Notes that an access key was used; at most once a minute, and only a permanent one.
    pub async fn key_used(&self, key: &AccessKey) -> Result<(), StoreError> {
        let (last, now) = (key.last_noted.load(Ordering::Relaxed), self.clock.seconds());
        let due = key.temporary.is_none() && now.saturating_sub(last) >= USE_INTERVAL;
        // One of those who find out at the same time is enough.
        if !due || key.last_noted.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return Ok(());
        }
        query("UPDATE access_keys SET last_used_at = $1 WHERE id = $2 AND COALESCE(last_used_at, 0) < $1")
            .bind(now)
            .bind(key.id.as_str())
            .execute(&self.database)
            .await
            .map_err(StoreError::database("note the use of an access key"))?;
        Ok(())
    }

    /// An access key, permanent or temporary, with its user and its secret.
    pub async fn access_key(&self, id: &AccessKeyId) -> Result<Option<AccessKey>, StoreError> {
        let failed = StoreError::database("look up an access key");
        let row = query("SELECT user_id, secret, enabled, last_used_at FROM access_keys WHERE id = $1")
            .bind(id.as_str())
            .fetch_optional(&self.database)
            .await
            .map_err(&failed)?;
        let Some(row) = row else { return self.temporary_key(id).await };
        let user_id = parsed::<UserId>(&row, "user_id")?;
        let Some(user) = self.user(&user_id).await? else { return Ok(None) };
        let sealed: Vec<u8> = row.try_get("secret").map_err(&failed)?;
        let enabled = row.try_get("enabled").map_err(&failed)?;
        let last_used_at: Option<i64> = row.try_get("last_used_at").map_err(&failed)?;
        let last_noted = Arc::new(AtomicI64::new(last_used_at.unwrap_or_default()));
        let secret = self.open_sealed(secret_of(id), &sealed).await?;
        Ok(Some(AccessKey { id: id.clone(), user, secret, enabled, temporary: None, last_noted }))
    }
}

fn secret_of(id: &AccessKeyId) -> Place<'_> {
    Place { table: "access_keys", column: "secret", row: id.as_str() }
}

fn key(row: &Row) -> Result<KeyRecord, StoreError> {
    let failed = StoreError::database("read an access key");
    Ok(KeyRecord {
        id: parsed(row, "id")?,
        user_id: parsed(row, "user_id")?,
        enabled: row.try_get("enabled").map_err(&failed)?,
        created_at: row.try_get("created_at").map_err(&failed)?,
        last_used_at: row.try_get("last_used_at").map_err(&failed)?,
    })
}
