//! Tokens, by their hash. Expired ones are kept a day, so that "expired" can be told from "unknown".

use clew_model::UserId;
use sqlx::Row;

use super::identities::parsed;
use crate::error::StoreError;
use crate::identities::{NewToken, StoredToken};
use crate::store::Store;

impl Store {
    /// Keeps a token.
    pub async fn insert_token(&self, token: &NewToken) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO tokens (hash, user_id, scope_project, issued_at, expires_at) VALUES (?, ?, ?, ?, ?)")
            .bind(token.hash.as_slice())
            .bind(token.user_id.as_str())
            .bind(token.scope_project.as_ref().map(clew_model::ProjectId::as_str))
            .bind(token.issued_at)
            .bind(token.expires_at)
            .execute(&self.database.pool)
            .await
            .map_err(StoreError::database("keep a token"))?;
        Ok(())
    }

    /// The token of this hash, expired or not.
    pub async fn token(&self, hash: &[u8; 32]) -> Result<Option<StoredToken>, StoreError> {
        let failed = StoreError::database("look up a token");
        let row = sqlx::query("SELECT user_id, scope_project, issued_at, expires_at FROM tokens WHERE hash = ?")
            .bind(hash.as_slice())
            .fetch_optional(&self.database.pool)
            .await
            .map_err(&failed)?;
        let Some(row) = row else { return Ok(None) };
        let Some(user) = self.user(&parsed::<UserId>(&row, "user_id")?).await? else { return Ok(None) };
        let scope: Option<String> = row.try_get("scope_project").map_err(&failed)?;
        Ok(Some(StoredToken {
            user,
            scope_project: scope.map(|id| id.parse().map_err(StoreError::damaged("scope of a token"))).transpose()?,
            issued_at: row.try_get("issued_at").map_err(&failed)?,
            expires_at: row.try_get("expires_at").map_err(&failed)?,
        }))
    }

    /// Removes tokens that expired before a moment, in seconds since 1970 (UTC). Returns how many.
    pub async fn remove_tokens_expired_before(&self, moment: i64) -> Result<u64, StoreError> {
        let removed = sqlx::query("DELETE FROM tokens WHERE expires_at < ?")
            .bind(moment)
            .execute(&self.database.pool)
            .await
            .map_err(StoreError::database("remove old tokens"))?;
        Ok(removed.rows_affected())
    }
}
