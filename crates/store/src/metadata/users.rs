//! Users. A domain always has an enabled administrator: without one nobody could mend anything.

use clew_model::{AuditEvent, DomainId, Origin, UserId};
use serde_json::json;
use sqlx::AssertSqlSafe;

use super::failure::insert_failed;
use super::projects::check_domain;
use super::revocation::{Reached, revoke_temporary_keys, revoke_tokens};
use super::rows::parsed;
use crate::database::{Connection, Row, Target, query, query_scalar};
use crate::error::StoreError;
use crate::store::Store;
use crate::users::{NewUser, User, UserChange};

const USERS: &str = "SELECT u.id, u.name, u.password_hash, u.enabled, u.administrator, u.description, \
         d.id AS domain_id, d.name AS domain_name \
     FROM users u JOIN domains d ON d.id = u.domain_id";

impl Store {
    /// Makes a user. Fails if the domain has one of this name.
    pub async fn create_user(&self, by: &Origin, domain: &DomainId, new: &NewUser) -> Result<UserId, StoreError> {
        let mut change = self.change("make a user").await?;
        check_domain(change.connection(), domain).await?;
        let id = insert_user(change.connection(), domain, new, self.clock.seconds()).await?;
        let event = AuditEvent {
            domain_id: Some(domain.clone()),
            detail: json!({ "id": id, "administrator": new.administrator }),
            ..AuditEvent::done(by, "CreateUser", &new.name)
        };
        change.done(&event).await?;
        Ok(id)
    }

    /// Changes a user. False if there is none of this id. A new password, less or more rights and being disabled end what the
    /// user holds: its tokens, and but for rights its temporary keys.
    pub async fn update_user(&self, by: &Origin, id: &UserId, what: &UserChange) -> Result<bool, StoreError> {
        let mut change = self.change("change a user").await?;
        let Some(before) = find_user(change.connection(), id).await? else { return Ok(false) };
        query(
            "UPDATE users SET password_hash = COALESCE($2, password_hash), enabled = COALESCE($3, enabled), \
                 administrator = COALESCE($4, administrator), description = COALESCE($5, description) WHERE id = $1",
        )
        .bind(id.as_str())
        .bind(&what.password_hash)
        .bind(what.enabled)
        .bind(what.administrator)
        .bind(&what.description)
        .execute(change.connection())
        .await
        .map_err(change.failed())?;
        check_administrator_left(change.connection(), &before).await?;
        let now = self.clock.seconds();
        let (mut tokens, mut keys) = (0, 0);
        let shut_out = what.password_hash.is_some() || what.enabled == Some(false);
        if shut_out || what.administrator.is_some_and(|administrator| administrator != before.administrator) {
            tokens = revoke_tokens(change.connection(), Reached::User(id), now).await?;
        }
        if shut_out {
            keys = revoke_temporary_keys(change.connection(), id, now).await?;
        }
        let event = AuditEvent {
            domain_id: Some(before.domain_id),
            detail: json!({
                "id": id, "new_password": what.password_hash.is_some(), "enabled": what.enabled,
                "administrator": what.administrator, "description": what.description,
                "tokens_revoked": tokens, "temporary_keys_revoked": keys,
            }),
            ..AuditEvent::done(by, "UpdateUser", before.name)
        };
        change.done(&event).await?;
        Ok(true)
    }

    /// Removes a user with its keys, tokens, memberships and attachments. False if there is none of this id.
    pub async fn remove_user(&self, by: &Origin, id: &UserId) -> Result<bool, StoreError> {
        let mut change = self.change("remove a user").await?;
        let Some(before) = find_user(change.connection(), id).await? else { return Ok(false) };
        query("DELETE FROM users WHERE id = $1")
            .bind(id.as_str())
            .execute(change.connection())
            .await
            .map_err(change.failed())?;
        check_administrator_left(change.connection(), &before).await?;
        let event = AuditEvent {
            domain_id: Some(before.domain_id),
            detail: json!({ "id": id }),
            ..AuditEvent::done(by, "DeleteUser", before.name)
        };
        change.done(&event).await?;
        Ok(true)
    }

    /// A user by its id.
    pub async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        find_user(&self.database, id).await
    }

    /// A user by the names of its domain and its own.
    pub async fn user_by_name(&self, domain: &str, name: &str) -> Result<Option<User>, StoreError> {
        let row = query(AssertSqlSafe(format!("{USERS} WHERE d.name = $1 AND u.name = $2")))
            .bind(domain)
            .bind(name)
            .fetch_optional(&self.database)
            .await
            .map_err(StoreError::database("look up a user"))?;
        row.as_ref().map(user).transpose()
    }

    /// The users of a domain, by name.
    pub async fn users_of(&self, domain: &DomainId) -> Result<Vec<User>, StoreError> {
        let rows = query(AssertSqlSafe(format!("{USERS} WHERE u.domain_id = $1 ORDER BY u.name")))
            .bind(domain.as_str())
            .fetch_all(&self.database)
            .await
            .map_err(StoreError::database("list users"))?;
        rows.iter().map(user).collect()
    }
}

pub(super) async fn insert_user(
    connection: &mut Connection,
    domain: &DomainId,
    new: &NewUser,
    now: i64,
) -> Result<UserId, StoreError> {
    let id = UserId::generate();
    query(
        "INSERT INTO users (id, domain_id, name, password_hash, administrator, description, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(id.as_str())
    .bind(domain.as_str())
    .bind(&new.name)
    .bind(&new.password_hash)
    .bind(new.administrator)
    .bind(&new.description)
    .bind(now)
    .execute(connection)
    .await
    .map_err(insert_failed("make a user", "a user", &new.name))?;
    Ok(id)
}

pub(super) async fn find_user<'e>(target: impl Into<Target<'e>>, id: &UserId) -> Result<Option<User>, StoreError> {
    let row = query(AssertSqlSafe(format!("{USERS} WHERE u.id = $1")))
        .bind(id.as_str())
        .fetch_optional(target)
        .await
        .map_err(StoreError::database("look up a user"))?;
    row.as_ref().map(user).transpose()
}

/// A user that must be there.
pub(super) async fn need_user(connection: &mut Connection, id: &UserId) -> Result<User, StoreError> {
    let found = find_user(connection, id).await?;
    found.ok_or_else(|| StoreError::Unknown { what: "user", name: id.to_string() })
}

/// Fails where `before` was an enabled administrator and its domain has none any more.
async fn check_administrator_left(connection: &mut Connection, before: &User) -> Result<(), StoreError> {
    if !(before.enabled && before.administrator) {
        return Ok(());
    }
    let left: i64 = query_scalar("SELECT COUNT(*) FROM users WHERE domain_id = $1 AND enabled AND administrator")
        .bind(before.domain_id.as_str())
        .fetch_one(connection)
        .await
        .map_err(StoreError::database("count administrators"))?;
    if left == 0 { Err(StoreError::LastAdministrator { name: before.name.clone() }) } else { Ok(()) }
}

pub(super) fn user(row: &Row) -> Result<User, StoreError> {
    let failed = StoreError::database("read a user");
    Ok(User {
        id: parsed(row, "id")?,
        name: row.try_get("name").map_err(&failed)?,
        domain_id: parsed(row, "domain_id")?,
        domain_name: row.try_get("domain_name").map_err(&failed)?,
        password_hash: row.try_get("password_hash").map_err(&failed)?,
        enabled: row.try_get("enabled").map_err(&failed)?,
        administrator: row.try_get("administrator").map_err(&failed)?,
        description: row.try_get("description").map_err(&failed)?,
    })
}
