//! Queries for users. The last enabled administrator of a domain cannot be removed, disabled or demoted.

use std::fmt;

use clew_model::{AuditOrigin, DomainId, UserId};
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::database::{StatementExecutor, Transaction, impl_from_row, params, query, query_as};
use crate::error::StoreError;
use crate::identities::credential_revocation::AffectedUsers;
use crate::store_handles::IdentityStore;
use crate::tenants::projects::ensure_iam_domain_exists;

/// User in a domain.
#[derive(Clone)]
pub struct User {
    /// Unique id.
    pub id: UserId,
    /// Name, unique in its domain.
    pub name: String,
    /// Domain of the user.
    pub domain_id: DomainId,
    /// Name of the domain.
    pub domain_name: String,
    /// Password hash, as a PHC string.
    pub password_hash: String,
    /// True if the user can sign in.
    pub enabled: bool,
    /// True if the user is allowed to perform all actions in the domain, regardless of policies.
    pub administrator: bool,
    /// Description.
    pub description: String,
}

impl_from_row! { User { id, name, domain_id, domain_name, password_hash, enabled, administrator, description } }

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, name, domain_id, enabled, administrator, .. } = self;
        f.debug_struct("User")
            .field("id", id)
            .field("name", name)
            .field("domain_id", domain_id)
            .field("enabled", enabled)
            .field("administrator", administrator)
            .finish_non_exhaustive()
    }
}

/// User to create. Do not log this value, because it contains a password hash.
#[derive(Clone)]
pub struct NewUser {
    /// Name, unique in its domain.
    pub name: String,
    /// Password hash, as a PHC string.
    pub password_hash: String,
    /// True if the user is allowed to perform all actions in the domain.
    pub administrator: bool,
    /// Description.
    pub description: String,
}

/// Changes to a user. Fields that are `None` stay unchanged.
/// Do not log a `UserChange`, because the value may contain a password hash.
#[derive(Clone, Default)]
pub struct UserChange {
    /// New password hash, as a PHC string.
    pub password_hash: Option<String>,
    /// True if the user can sign in.
    pub enabled: Option<bool>,
    /// True if the user is allowed to perform all actions in the domain.
    pub administrator: Option<bool>,
    /// Description.
    pub description: Option<String>,
}

const SELECT_USERS_SQL: &str = "SELECT u.id, u.name, u.password_hash, u.enabled, u.administrator, u.description, \
         d.id AS domain_id, d.name AS domain_name \
     FROM users u JOIN domains d ON d.id = u.domain_id";

impl IdentityStore<'_> {
    /// Creates a user. Fails with [`StoreError::AlreadyExists`] if the domain already has a user with this name.
    pub async fn create_user(self, by: &AuditOrigin, domain: &DomainId, new: &NewUser) -> Result<UserId, StoreError> {
        let mut tx = self.store.begin_audited_transaction("create a user").await?;
        ensure_iam_domain_exists(tx.transaction(), domain).await?;
        let id = insert_user(tx.transaction(), domain, new, self.store.clock.unix_seconds()).await?;
        let detail = json!({ "id": id, "administrator": new.administrator });
        tx.commit_domain_change(by, "CreateUser", &new.name, domain.clone(), detail).await?;
        Ok(id)
    }

    /// Updates a user. Returns false if the user does not exist.
    /// Changing the password or disabling the user revokes the user's tokens and temporary access keys.
    /// Granting or removing administrator rights revokes the user's tokens.
    pub async fn update_user(self, by: &AuditOrigin, id: &UserId, update: &UserChange) -> Result<bool, StoreError> {
        let mut tx = self.store.begin_audited_transaction("change a user").await?;
        let Some(before) = find_user(tx.transaction(), id).await? else { return Ok(false) };
        let sql = "UPDATE users SET password_hash = COALESCE($2, password_hash), enabled = COALESCE($3, enabled), \
            administrator = COALESCE($4, administrator), description = COALESCE($5, description) WHERE id = $1";
        tx.execute(sql, params![id, &update.password_hash, update.enabled, update.administrator, &update.description])
            .await?;
        ensure_domain_has_administrator(tx.transaction(), &before).await?;
        let (mut tokens, mut keys) = (0, 0);
        let locked_out = update.password_hash.is_some() || update.enabled == Some(false);
        if locked_out || update.administrator.is_some_and(|administrator| administrator != before.administrator) {
            tokens = tx.revoke_tokens(AffectedUsers::User(id)).await?;
        }
        if locked_out {
            keys = tx.revoke_temporary_access_keys(id).await?;
        }
        let detail = json!({
            "id": id, "new_password": update.password_hash.is_some(), "enabled": update.enabled,
            "administrator": update.administrator, "description": update.description,
            "tokens_revoked": tokens, "temporary_keys_revoked": keys,
        });
        tx.commit_domain_change(by, "UpdateUser", before.name, before.domain_id, detail).await?;
        Ok(true)
    }

    /// Removes a user, including the user's keys, tokens, group memberships and policy attachments.
    /// Returns false if the user does not exist.
    pub async fn remove_user(self, by: &AuditOrigin, id: &UserId) -> Result<bool, StoreError> {
        let mut tx = self.store.begin_audited_transaction("remove a user").await?;
        let Some(before) = find_user(tx.transaction(), id).await? else { return Ok(false) };
        tx.execute("DELETE FROM users WHERE id = $1", params![id]).await?;
        ensure_domain_has_administrator(tx.transaction(), &before).await?;
        tx.commit_domain_change(by, "DeleteUser", before.name, before.domain_id, json!({ "id": id })).await?;
        Ok(true)
    }

    /// Returns a user by id.
    pub async fn find_user(self, id: &UserId) -> Result<Option<User>, StoreError> {
        find_user(&self.store.database, id).await
    }

    /// Finds a user by domain name and user name.
    pub async fn find_user_by_name(self, domain: &str, name: &str) -> Result<Option<User>, StoreError> {
        let sql = format!("{SELECT_USERS_SQL} WHERE d.name = $1 AND u.name = $2");
        query_as("look up a user", AssertSqlSafe(sql), params![domain, name]).fetch_optional(&self.store.database).await
    }

    /// Returns all users in a domain, sorted by name.
    pub async fn list_users(self, domain: &DomainId) -> Result<Vec<User>, StoreError> {
        let sql = format!("{SELECT_USERS_SQL} WHERE u.domain_id = $1 ORDER BY u.name");
        query_as("list users", AssertSqlSafe(sql), params![domain]).fetch_all(&self.store.database).await
    }
}

pub(crate) async fn insert_user(
    transaction: &mut Transaction,
    domain: &DomainId,
    new: &NewUser,
    now: i64,
) -> Result<UserId, StoreError> {
    let id = UserId::generate();
    let sql = "INSERT INTO users (id, domain_id, name, password_hash, administrator, description, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let parameters = params![&id, domain, &new.name, &new.password_hash, new.administrator, &new.description, now];
    query("create a user", sql, parameters).execute_insert(transaction, "a user", &new.name).await?;
    Ok(id)
}

pub(crate) async fn find_user<'e>(
    executor: impl Into<StatementExecutor<'e>>,
    id: &UserId,
) -> Result<Option<User>, StoreError> {
    let sql = format!("{SELECT_USERS_SQL} WHERE u.id = $1");
    query_as("look up a user", AssertSqlSafe(sql), params![id]).fetch_optional(executor).await
}

pub(crate) async fn require_user(transaction: &mut Transaction, id: &UserId) -> Result<User, StoreError> {
    let found = find_user(transaction, id).await?;
    found.ok_or_else(|| StoreError::Unknown { what: "user", name: id.to_string() })
}

async fn ensure_domain_has_administrator(transaction: &mut Transaction, before: &User) -> Result<(), StoreError> {
    if !(before.enabled && before.administrator) {
        return Ok(());
    }
    let sql = "SELECT COUNT(*) FROM users WHERE domain_id = $1 AND enabled AND administrator";
    let left: i64 = query_as("count administrators", sql, params![&before.domain_id]).fetch_one(transaction).await?;
    if left == 0 { Err(StoreError::LastAdministrator(before.name.clone())) } else { Ok(()) }
}
