//! Tokens, by their hash. Expired ones are kept a day, so that "expired" can be told from "unknown".

use clew_model::{AuditEvent, Origin, UserId};

use super::revocation::revoke_keys_of_revoked_tokens;
use super::rows::{parsed, parsed_if_there};
use super::users::need_user;
use crate::database::{query, query_scalar};
use crate::error::StoreError;
use crate::keys::{NewToken, StoredToken, TokenOrigin};
use crate::store::Store;

impl Store {
    /// Keeps a token.
    pub async fn insert_token(&self, token: &NewToken) -> Result<(), StoreError> {
        query(
            "INSERT INTO tokens (hash, user_id, scope_project, methods, issued_at, expires_at, origin) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(token.hash.as_slice())
        .bind(token.user_id.as_str())
        .bind(token.scope_project.as_ref().map(clew_model::ProjectId::as_str))
        .bind(token.issued_by_methods.join(","))
        .bind(token.issued_at)
        .bind(token.expires_at)
        .bind(token.origin.name())
        .execute(&self.database)
        .await
        .map_err(StoreError::database("keep a token"))?;
        Ok(())
    }

    /// The token of this hash, expired and revoked ones too.
    pub async fn token(&self, hash: &[u8; 32]) -> Result<Option<StoredToken>, StoreError> {
        let failed = StoreError::database("look up a token");
        let row = query(
            "SELECT user_id, scope_project, methods, issued_at, expires_at, origin, revoked_at IS NOT NULL AS revoked \
             FROM tokens WHERE hash = $1",
        )
        .bind(hash.as_slice())
        .fetch_optional(&self.database)
        .await
        .map_err(&failed)?;
        let Some(row) = row else { return Ok(None) };
        let Some(user) = self.user(&parsed::<UserId>(&row, "user_id")?).await? else { return Ok(None) };
        let methods: String = row.try_get("methods").map_err(&failed)?;
        Ok(Some(StoredToken {
            user,
            scope_project: parsed_if_there(&row, "scope_project")?,
            issued_by_methods: methods.split(',').map(str::to_owned).collect(),
            issued_at: row.try_get("issued_at").map_err(&failed)?,
            expires_at: row.try_get("expires_at").map_err(&failed)?,
            origin: TokenOrigin::from_name(&row.try_get::<String, _>("origin").map_err(&failed)?),
            revoked: row.try_get("revoked").map_err(&failed)?,
        }))
    }

    /// Takes back a token. False if there is none of this hash, or it was taken back before.
    pub async fn revoke_token(&self, by: &Origin, hash: &[u8; 32]) -> Result<bool, StoreError> {
        let mut change = self.change("take back a token").await?;
        let users: Vec<String> =
            query_scalar("UPDATE tokens SET revoked_at = $1 WHERE hash = $2 AND revoked_at IS NULL RETURNING user_id")
                .bind(self.clock.seconds())
                .bind(hash.as_slice())
                .fetch_all(change.connection())
                .await
                .map_err(change.failed())?;
        let Some(user) = users.first() else { return Ok(false) };
        let now = self.clock.seconds();
        revoke_keys_of_revoked_tokens(change.connection(), "SELECT $2", user, now).await?;
        let user = need_user(change.connection(), &user.parse().map_err(StoreError::damaged("user_id"))?).await?;
        let event = AuditEvent { domain_id: Some(user.domain_id), ..AuditEvent::done(by, "RevokeToken", user.name) };
        change.done(&event).await?;
        Ok(true)
    }

    /// Removes tokens and temporary keys that expired before a moment, in seconds since 1970 (UTC). Returns how many.
    pub async fn remove_tokens_expired_before(&self, moment: i64) -> Result<u64, StoreError> {
        let mut removed = 0;
        for statement in
            ["DELETE FROM tokens WHERE expires_at < $1", "DELETE FROM temporary_keys WHERE expires_at < $1"]
        {
            let done = query(statement)
                .bind(moment)
                .execute(&self.database)
                .await
                .map_err(StoreError::database("remove old tokens"))?;
            removed += done;
        }
        Ok(removed)
    }
}
