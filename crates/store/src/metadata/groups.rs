//! Groups and their members.

use clew_model::{AuditEvent, DomainId, GroupId, Origin, UserId};
use serde_json::json;
use sqlx::AssertSqlSafe;

use super::failure::insert_failed;
use super::policy_limits::check_policy_limits;
use super::projects::check_domain;
use super::revocation::{Reached, revoke_tokens};
use super::rows::parsed;
use super::users::{need_user, user};
use crate::database::{Connection, Row, Target, query};
use crate::error::StoreError;
use crate::store::Store;
use crate::users::{Group, User};

const GROUPS: &str = "SELECT id, name, domain_id, description FROM user_groups";

const MEMBERS: &str = "SELECT u.id, u.name, u.password_hash, u.enabled, u.administrator, u.description, \
         d.id AS domain_id, d.name AS domain_name \
     FROM members m JOIN users u ON u.id = m.user_id JOIN domains d ON d.id = u.domain_id \
     WHERE m.group_id = $1 ORDER BY u.name";

impl Store {
    /// Makes a group. Fails if the domain has one of this name.
    pub async fn create_group(
        &self,
        by: &Origin,
        domain: &DomainId,
        name: &str,
        description: &str,
    ) -> Result<GroupId, StoreError> {
        let mut change = self.change("make a group").await?;
        check_domain(change.connection(), domain).await?;
        let id = GroupId::generate();
        query("INSERT INTO user_groups (id, domain_id, name, description, created_at) VALUES ($1, $2, $3, $4, $5)")
            .bind(id.as_str())
            .bind(domain.as_str())
            .bind(name)
            .bind(description)
            .bind(self.clock.seconds())
            .execute(change.connection())
            .await
            .map_err(insert_failed("make a group", "a group", name))?;
        let event = AuditEvent {
            domain_id: Some(domain.clone()),
            detail: json!({ "id": id }),
            ..AuditEvent::done(by, "CreateGroup", name)
        };
        change.done(&event).await?;
        Ok(id)
    }

    /// The groups of a domain, by name.
    pub async fn groups_of(&self, domain: &DomainId) -> Result<Vec<Group>, StoreError> {
        let rows = query(AssertSqlSafe(format!("{GROUPS} WHERE domain_id = $1 ORDER BY name")))
            .bind(domain.as_str())
            .fetch_all(&self.database)
            .await
            .map_err(StoreError::database("list groups"))?;
        rows.iter().map(group).collect()
    }

    /// A group by its id.
    pub async fn group(&self, id: &GroupId) -> Result<Option<Group>, StoreError> {
        find_group(&self.database, id).await
    }

    /// Removes a group; what was attached to it reaches its members no more. False if there is none of this id.
    pub async fn remove_group(&self, by: &Origin, id: &GroupId) -> Result<bool, StoreError> {
        let mut change = self.change("remove a group").await?;
        let Some(before) = find_group(change.connection(), id).await? else { return Ok(false) };
        let tokens = revoke_tokens(change.connection(), Reached::Group(id), self.clock.seconds()).await?;
        query("DELETE FROM user_groups WHERE id = $1")
            .bind(id.as_str())
            .execute(change.connection())
            .await
            .map_err(change.failed())?;
        let event = AuditEvent {
            domain_id: Some(before.domain_id),
            detail: json!({ "id": id, "tokens_revoked": tokens }),
            ..AuditEvent::done(by, "DeleteGroup", before.name)
        };
        change.done(&event).await?;
        Ok(true)
    }

    /// Makes a user a member. False if it is one already. Both must be of the same domain.
    pub async fn add_member(&self, by: &Origin, group: &GroupId, user: &UserId) -> Result<bool, StoreError> {
        let statement = "INSERT INTO members (group_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        self.change_member(by, "AddUserToGroup", statement, group, user).await
    }

    /// Makes a user a member no more. False if it is none.
    pub async fn remove_member(&self, by: &Origin, group: &GroupId, user: &UserId) -> Result<bool, StoreError> {
        let statement = "DELETE FROM members WHERE group_id = $1 AND user_id = $2";
        self.change_member(by, "RemoveUserFromGroup", statement, group, user).await
    }

    async fn change_member(
        &self,
        by: &Origin,
        operation: &str,
        statement: &'static str,
        group: &GroupId,
        user: &UserId,
    ) -> Result<bool, StoreError> {
        let mut change = self.change("change the members of a group").await?;
        let group = need_group(change.connection(), group).await?;
        let user = need_user(change.connection(), user).await?;
        if user.domain_id != group.domain_id {
            return Err(StoreError::Unknown { what: "user", name: user.id.to_string() });
        }
        let changed = query(statement)
            .bind(group.id.as_str())
            .bind(user.id.as_str())
            .execute(change.connection())
            .await
            .map_err(change.failed())?;
        if changed == 0 {
            return Ok(false);
        }
        if operation == "AddUserToGroup" {
            check_policy_limits(change.connection(), self.policy_limits, Reached::User(&user.id)).await?;
        }
        let tokens = revoke_tokens(change.connection(), Reached::User(&user.id), self.clock.seconds()).await?;
        let event = AuditEvent {
            domain_id: Some(group.domain_id),
            detail: json!({ "group_id": group.id, "user": user.name, "user_id": user.id, "tokens_revoked": tokens }),
            ..AuditEvent::done(by, operation, group.name)
        };
        change.done(&event).await?;
        Ok(true)
    }

    /// The members of a group, by name.
    pub async fn members_of(&self, group: &GroupId) -> Result<Vec<User>, StoreError> {
        let rows = query(MEMBERS)
            .bind(group.as_str())
            .fetch_all(&self.database)
            .await
            .map_err(StoreError::database("list the members of a group"))?;
        rows.iter().map(user).collect()
    }
}

async fn find_group<'e>(target: impl Into<Target<'e>>, id: &GroupId) -> Result<Option<Group>, StoreError> {
    let row = query(AssertSqlSafe(format!("{GROUPS} WHERE id = $1")))
        .bind(id.as_str())
        .fetch_optional(target)
        .await
        .map_err(StoreError::database("look up a group"))?;
    row.as_ref().map(group).transpose()
}

/// A group that must be there.
pub(super) async fn need_group(connection: &mut Connection, id: &GroupId) -> Result<Group, StoreError> {
    let found = find_group(connection, id).await?;
    found.ok_or_else(|| StoreError::Unknown { what: "group", name: id.to_string() })
}

fn group(row: &Row) -> Result<Group, StoreError> {
    let failed = StoreError::database("read a group");
    Ok(Group {
        id: parsed(row, "id")?,
        name: row.try_get("name").map_err(&failed)?,
        domain_id: parsed(row, "domain_id")?,
        description: row.try_get("description").map_err(&failed)?,
    })
}
