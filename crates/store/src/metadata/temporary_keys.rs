//! Access keys for a while, good only together with a security token.

use std::sync::Arc;

use clew_model::{AccessKeyId, AuditEvent, Origin, UserId};
use serde_json::json;

use super::failure::insert_failed;
use super::rows::{hash, parsed};
use super::users::need_user;
use crate::database::query;
use crate::error::StoreError;
use crate::keys::{AccessKey, NewTemporaryKey, Temporary};
use crate::sealing::Place;
use crate::store::Store;

impl Store {
    /// Gives a user a temporary access key. Its secret is kept sealed, of its security token only the hash.
    pub async fn create_temporary_key(&self, by: &Origin, new: &NewTemporaryKey) -> Result<(), StoreError> {
        let sealed = self.sealer.seal(secret_of(&new.id), &new.secret)?;
        let mut change = self.change("make a temporary access key").await?;
        let user = need_user(change.connection(), &new.user_id).await?;
        query(
            "INSERT INTO temporary_keys (id, user_id, secret, token_hash, created_at, expires_at, issued_for) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(new.id.as_str())
        .bind(new.user_id.as_str())
        .bind(sealed)
        .bind(new.token_hash.as_slice())
        .bind(self.clock.seconds())
        .bind(new.expires_at)
        .bind(new.issued_for.as_ref().map(<[u8; 32]>::as_slice))
        .execute(change.connection())
        .await
        .map_err(insert_failed("make a temporary access key", "an access key", new.id.as_str()))?;
        let event = AuditEvent {
            domain_id: Some(user.domain_id),
            detail: json!({ "user": user.name, "user_id": user.id, "expires_at": new.expires_at }),
            ..AuditEvent::done(by, "CreateTemporaryAccessKey", new.id.as_str())
        };
        change.done(&event).await
    }

    /// A temporary key, expired or not, with its user and its secret.
    pub(super) async fn temporary_key(&self, id: &AccessKeyId) -> Result<Option<AccessKey>, StoreError> {
        let failed = StoreError::database("look up a temporary access key");
        let row = query(
            "SELECT user_id, secret, token_hash, expires_at, revoked_at IS NOT NULL AS revoked \
             FROM temporary_keys WHERE id = $1",
        )
        .bind(id.as_str())
        .fetch_optional(&self.database)
        .await
        .map_err(&failed)?;
        let Some(row) = row else { return Ok(None) };
        let Some(user) = self.user(&parsed::<UserId>(&row, "user_id")?).await? else { return Ok(None) };
        let sealed: Vec<u8> = row.try_get("secret").map_err(&failed)?;
        let temporary = Temporary {
            token_hash: hash(&row, "token_hash")?,
            expires_at: row.try_get("expires_at").map_err(&failed)?,
            revoked: row.try_get("revoked").map_err(&failed)?,
        };
        let secret = self.open_sealed(secret_of(id), &sealed).await?;
        Ok(Some(AccessKey {
            id: id.clone(),
            user,
            secret,
            enabled: true,
            temporary: Some(temporary),
            last_noted: Arc::default(),
        }))
    }
}

fn secret_of(id: &AccessKeyId) -> Place<'_> {
    Place { table: "temporary_keys", column: "secret", row: id.as_str() }
}
