//! Access keys for a while, good only together with a security token.

use std::sync::Arc;

use clew_model::{AccessKeyId, AuditEvent, Origin, UserId};
use serde_json::json;

use super::failure::insert_failed;
use super::rows::{hash, parsed};
use super::users::need_user;
use crate::database::{Connection, query, query_scalar};
use crate::error::StoreError;
use crate::keys::{AccessKey, IssuedFor, NewTemporaryKey, Temporary};
use crate::sealing::Place;
use crate::store::Store;

impl Store {
    /// Gives a user a temporary access key. Its secret is kept sealed, of its security token only the hash. Fails with
    /// [`StoreError::SourceRevoked`] where the credentials that it is issued for ended in the meantime.
    pub async fn create_temporary_key(&self, by: &Origin, new: &NewTemporaryKey) -> Result<(), StoreError> {
        let sealed = self.sealer.seal(secret_of(&new.id), &new.secret)?;
        let mut change = self.change("make a temporary access key").await?;
        let user = need_user(change.connection(), &new.user_id).await?;
        let now = self.clock.seconds();
        check_source(change.connection(), &new.issued_for, now).await?;
        let token = match &new.issued_for {
            IssuedFor::Token(hash) => Some(hash.as_slice()),
            IssuedFor::Key(_) | IssuedFor::Nothing => None,
        };
        query(
            "INSERT INTO temporary_keys (id, user_id, secret, token_hash, created_at, expires_at, issued_for) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(new.id.as_str())
        .bind(new.user_id.as_str())
        .bind(sealed)
        .bind(new.token_hash.as_slice())
        .bind(now)
        .bind(new.expires_at)
        .bind(token)
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

/// Checks in the transaction of the new key that its source was not revoked, disabled or removed since the request was authenticated.
async fn check_source(connection: &mut Connection, source: &IssuedFor, now: i64) -> Result<(), StoreError> {
    let valid: i64 = match source {
        IssuedFor::Token(hash) => {
            query_scalar("SELECT COUNT(*) FROM tokens WHERE hash = $1 AND revoked_at IS NULL AND expires_at > $2")
                .bind(hash.as_slice())
                .bind(now)
                .fetch_one(connection)
                .await
        }
        IssuedFor::Key(id) => {
            query_scalar("SELECT COUNT(*) FROM access_keys WHERE id = $1 AND enabled")
                .bind(id.as_str())
                .fetch_one(connection)
                .await
        }
        IssuedFor::Nothing => Ok(1),
    }
    .map_err(StoreError::database("look up the source of a temporary access key"))?;
    if valid > 0 { Ok(()) } else { Err(StoreError::SourceRevoked) }
}

fn secret_of(id: &AccessKeyId) -> Place<'_> {
    Place { table: "temporary_keys", column: "secret", row: id.as_str() }
}
