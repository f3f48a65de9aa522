//! Queries for user groups.

use clew_model::{AuditOrigin, DomainId, GroupId, UserId};
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::database::{StatementExecutor, Transaction, impl_from_row, params, query, query_as};
use crate::error::StoreError;
use crate::identities::credential_revocation::AffectedUsers;
use crate::identities::users::{User, require_user};
use crate::policies::limit_checks::check_policy_limits;
use crate::store_handles::IdentityStore;
use crate::tenants::projects::ensure_iam_domain_exists;

const SELECT_GROUPS_SQL: &str = "SELECT id, name, domain_id, description FROM user_groups";

const SELECT_GROUP_MEMBERS_SQL: &str = "SELECT u.id, u.name, u.password_hash, u.enabled, u.administrator, u.description, \
         d.id AS domain_id, d.name AS domain_name \
     FROM members m JOIN users u ON u.id = m.user_id JOIN domains d ON d.id = u.domain_id \
     WHERE m.group_id = $1 ORDER BY u.name";

impl IdentityStore<'_> {
    /// Creates a group. Fails with [`StoreError::AlreadyExists`] if the domain already has a group with this name.
    pub async fn create_group(
        self,
        by: &AuditOrigin,
        domain: &DomainId,
        name: &str,
        description: &str,
    ) -> Result<GroupId, StoreError> {
        let mut tx = self.store.begin_audited_transaction("create a group").await?;
        ensure_iam_domain_exists(tx.transaction(), domain).await?;
        let id = GroupId::generate();
        let sql = "INSERT INTO user_groups (id, domain_id, name, description, created_at) VALUES ($1, $2, $3, $4, $5)";
        let parameters = params![&id, domain, name, description, self.store.clock.unix_seconds()];
        query("create a group", sql, parameters).execute_insert(tx.transaction(), "a group", name).await?;
        tx.commit_domain_change(by, "CreateGroup", name, domain.clone(), json!({ "id": id })).await?;
        Ok(id)
    }

    /// Returns all groups in a domain, sorted by name.
    pub async fn list_groups(self, domain: &DomainId) -> Result<Vec<Group>, StoreError> {
        let sql = format!("{SELECT_GROUPS_SQL} WHERE domain_id = $1 ORDER BY name");
        query_as("list groups", AssertSqlSafe(sql), params![domain]).fetch_all(&self.store.database).await
    }

    /// Returns a group by id.
    pub async fn find_group(self, id: &GroupId) -> Result<Option<Group>, StoreError> {
        find_group(&self.store.database, id).await
    }

    /// Removes a group and its policy attachments. Returns false if the group does not exist.
    pub async fn remove_group(self, by: &AuditOrigin, id: &GroupId) -> Result<bool, StoreError> {
        let mut tx = self.store.begin_audited_transaction("remove a group").await?;
        let Some(before) = find_group(tx.transaction(), id).await? else { return Ok(false) };
        let tokens = tx.revoke_tokens(AffectedUsers::Group(id)).await?;
        tx.execute("DELETE FROM user_groups WHERE id = $1", params![id]).await?;
        let detail = json!({ "id": id, "tokens_revoked": tokens });
        tx.commit_domain_change(by, "DeleteGroup", before.name, before.domain_id, detail).await?;
        Ok(true)
    }

    /// Adds a user to a group in the same domain. Returns false if the user is already a member.
    pub async fn add_group_member(self, by: &AuditOrigin, group: &GroupId, user: &UserId) -> Result<bool, StoreError> {
        let statement = "INSERT INTO members (group_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        self.update_group_membership(by, "AddUserToGroup", statement, group, user).await
    }

    /// Removes a user from a group. Returns false if the user is not a member.
    pub async fn remove_group_member(
        self,
        by: &AuditOrigin,
        group: &GroupId,
        user: &UserId,
    ) -> Result<bool, StoreError> {
        let statement = "DELETE FROM members WHERE group_id = $1 AND user_id = $2";
        self.update_group_membership(by, "RemoveUserFromGroup", statement, group, user).await
    }

    async fn update_group_membership(
        self,
        by: &AuditOrigin,
        operation: &str,
        statement: &'static str,
        group: &GroupId,
        user: &UserId,
    ) -> Result<bool, StoreError> {
        let mut tx = self.store.begin_audited_transaction("change the members of a group").await?;
        let group = require_group(tx.transaction(), group).await?;
        let user = require_user(tx.transaction(), user).await?;
        if user.domain_id != group.domain_id {
            return Err(StoreError::Unknown { what: "user", name: user.id.to_string() });
        }
        let changed = tx.execute(statement, params![&group.id, &user.id]).await?;
        if changed == 0 {
            return Ok(false);
        }
        if operation == "AddUserToGroup" {
            check_policy_limits(tx.transaction(), self.store.policy_limits, AffectedUsers::User(&user.id)).await?;
        }
        let tokens = tx.revoke_tokens(AffectedUsers::User(&user.id)).await?;
        let detail = json!({ "group_id": group.id, "user": user.name, "user_id": user.id, "tokens_revoked": tokens });
        tx.commit_domain_change(by, operation, group.name, group.domain_id, detail).await?;
        Ok(true)
    }

    /// Returns the members of a group, sorted by name.
    pub async fn list_group_members(self, group: &GroupId) -> Result<Vec<User>, StoreError> {
        query_as("list the members of a group", SELECT_GROUP_MEMBERS_SQL, params![group])
            .fetch_all(&self.store.database)
            .await
    }
}

/// Group of users in a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Unique id.
    pub id: GroupId,
    /// Name, unique in its domain.
    pub name: String,
    /// Domain of the group.
    pub domain_id: DomainId,
    /// Description.
    pub description: String,
}

impl_from_row! { Group { id, name, domain_id, description } }

async fn find_group<'e>(executor: impl Into<StatementExecutor<'e>>, id: &GroupId) -> Result<Option<Group>, StoreError> {
    let sql = format!("{SELECT_GROUPS_SQL} WHERE id = $1");
    query_as("look up a group", AssertSqlSafe(sql), params![id]).fetch_optional(executor).await
}

pub(crate) async fn require_group(transaction: &mut Transaction, id: &GroupId) -> Result<Group, StoreError> {
    let found = find_group(transaction, id).await?;
    found.ok_or_else(|| StoreError::Unknown { what: "group", name: id.to_string() })
}
