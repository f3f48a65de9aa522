//! Which policies reach whom.

use clew_model::{AuditEvent, DomainId, Origin, ProjectId, UserId};
use serde_json::json;

use super::groups::need_group;
use super::policies::need_policy;
use super::policy_limits::check_policy_limits;
use super::projects::domain_of_project;
use super::revocation::{Reached, revoke_tokens};
use super::rows::parsed_if_there;
use super::users::need_user;
use crate::database::{Connection, Row, query};
use crate::error::StoreError;
use crate::policies::{Attachment, Grantee, PolicyRef, StoredGrant, StoredPolicy};
use crate::store::Store;

const ATTACH: &str = "INSERT INTO attachments (policy_id, system_policy, user_id, group_id, project_id, created_at) \
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";

const DETACH: &str = "DELETE FROM attachments WHERE policy_id IS NOT DISTINCT FROM $1 \
     AND system_policy IS NOT DISTINCT FROM $2 AND user_id IS NOT DISTINCT FROM $3 AND group_id IS NOT DISTINCT FROM $4 AND project_id IS NOT DISTINCT FROM $5";

const OF_POLICY: &str = "SELECT policy_id, system_policy, user_id, group_id, project_id FROM attachments \
     WHERE policy_id IS NOT DISTINCT FROM $1 AND system_policy IS NOT DISTINCT FROM $2 ORDER BY rowid";

const TO_GRANTEE: &str = "SELECT policy_id, system_policy, user_id, group_id, project_id FROM attachments \
     WHERE user_id IS NOT DISTINCT FROM $1 AND group_id IS NOT DISTINCT FROM $2 ORDER BY rowid";

const GRANTS: &str = "SELECT p.name AS own_name, p.document, a.system_policy, g.name AS via_group, a.project_id \
     FROM attachments a LEFT JOIN policies p ON p.id = a.policy_id LEFT JOIN user_groups g ON g.id = a.group_id \
     WHERE a.user_id = $1 OR a.group_id IN (SELECT group_id FROM members WHERE user_id = $1) \
     ORDER BY g.name NULLS FIRST, COALESCE(p.name, a.system_policy), a.project_id NULLS FIRST";

impl Store {
    /// Attaches a policy to a user or group, in one project or in all. False if it is attached so already. All must be of one
    /// domain; whether there is a policy of the system of this name is for the caller to know.
    pub async fn attach(
        &self,
        by: &Origin,
        policy: &PolicyRef,
        to: &Grantee,
        project: Option<&ProjectId>,
    ) -> Result<bool, StoreError> {
        self.change_attachment(by, "AttachPolicy", policy, to, project).await
    }

    /// Detaches a policy. False if it is not attached so.
    pub async fn detach(
        &self,
        by: &Origin,
        policy: &PolicyRef,
        from: &Grantee,
        project: Option<&ProjectId>,
    ) -> Result<bool, StoreError> {
        self.change_attachment(by, "DetachPolicy", policy, from, project).await
    }

    async fn change_attachment(
        &self,
        by: &Origin,
        operation: &str,
        policy: &PolicyRef,
        grantee: &Grantee,
        project: Option<&ProjectId>,
    ) -> Result<bool, StoreError> {
        let mut change = self.change("change who a policy is attached to").await?;
        let named = named(change.connection(), policy, grantee, project).await?;
        let ((own, system), (user, group)) = (of_policy(policy), of_grantee(grantee));
        let query = if operation == "AttachPolicy" { query(ATTACH) } else { query(DETACH) };
        let query = query.bind(own).bind(system).bind(user).bind(group).bind(project.map(ProjectId::as_str));
        let query = if operation == "AttachPolicy" { query.bind(self.clock.seconds()) } else { query };
        let changed = query.execute(change.connection()).await.map_err(change.failed())?;
        if changed == 0 {
            return Ok(false);
        }
        let reached = match grantee {
            Grantee::User(id) => Reached::User(id),
            Grantee::Group(id) => Reached::Group(id),
        };
        if operation == "AttachPolicy" {
            check_policy_limits(change.connection(), self.policy_limits, reached).await?;
        }
        let tokens = revoke_tokens(change.connection(), reached, self.clock.seconds()).await?;
        let event = AuditEvent {
            domain_id: Some(named.domain),
            project_id: project.cloned(),
            detail: json!({
                "user": user.map(|_| &named.grantee), "user_id": user,
                "group": group.map(|_| &named.grantee), "group_id": group,
                "policy_id": own, "tokens_revoked": tokens,
            }),
            ..AuditEvent::done(by, operation, named.policy)
        };
        change.done(&event).await?;
        Ok(true)
    }

    /// Whom a policy is attached to.
    pub async fn attachments_of(&self, policy: &PolicyRef) -> Result<Vec<Attachment>, StoreError> {
        let (own, system) = of_policy(policy);
        let rows = query(OF_POLICY)
            .bind(own)
            .bind(system)
            .fetch_all(&self.database)
            .await
            .map_err(StoreError::database("list attachments"))?;
        rows.iter().map(attachment).collect()
    }

    /// What is attached to a user or group itself.
    pub async fn attachments_to(&self, grantee: &Grantee) -> Result<Vec<Attachment>, StoreError> {
        let (user, group) = of_grantee(grantee);
        let rows = query(TO_GRANTEE)
            .bind(user)
            .bind(group)
            .fetch_all(&self.database)
            .await
            .map_err(StoreError::database("list attachments"))?;
        rows.iter().map(attachment).collect()
    }

    /// Every policy that reaches a user, directly or through a group.
    pub async fn grants_of(&self, user: &UserId) -> Result<Vec<StoredGrant>, StoreError> {
        let rows = query(GRANTS)
            .bind(user.as_str())
            .fetch_all(&self.database)
            .await
            .map_err(StoreError::database("look up policies"))?;
        rows.iter().map(grant).collect()
    }
}

/// What an attachment is about, in words.
struct Named {
    domain: DomainId,
    policy: String,
    grantee: String,
}

/// Fails where one of the parts is not there, or of another domain.
async fn named(
    connection: &mut Connection,
    policy: &PolicyRef,
    grantee: &Grantee,
    project: Option<&ProjectId>,
) -> Result<Named, StoreError> {
    let (domain, grantee) = match grantee {
        Grantee::User(id) => need_user(connection, id).await.map(|user| (user.domain_id, user.name))?,
        Grantee::Group(id) => need_group(connection, id).await.map(|group| (group.domain_id, group.name))?,
    };
    let policy = match policy {
        PolicyRef::System(name) => name.clone(),
        PolicyRef::Own(id) => {
            let found = need_policy(connection, id).await?;
            if found.domain_id != domain {
                return Err(StoreError::Unknown { what: "policy", name: id.to_string() });
            }
            found.name
        }
    };
    if let Some(project) = project
        && domain_of_project(connection, project).await? != domain
    {
        return Err(StoreError::Unknown { what: "project", name: project.to_string() });
    }
    Ok(Named { domain, policy, grantee })
}

fn of_policy(policy: &PolicyRef) -> (Option<&str>, Option<&str>) {
    match policy {
        PolicyRef::Own(id) => (Some(id.as_str()), None),
        PolicyRef::System(name) => (None, Some(name)),
    }
}

fn of_grantee(grantee: &Grantee) -> (Option<&str>, Option<&str>) {
    match grantee {
        Grantee::User(id) => (Some(id.as_str()), None),
        Grantee::Group(id) => (None, Some(id.as_str())),
    }
}

fn attachment(row: &Row) -> Result<Attachment, StoreError> {
    let system: Option<String> = row.try_get("system_policy").map_err(StoreError::database("read an attachment"))?;
    let policy = match parsed_if_there(row, "policy_id")? {
        Some(id) => PolicyRef::Own(id),
        None => PolicyRef::System(system.unwrap_or_default()),
    };
    let grantee = match (parsed_if_there(row, "user_id")?, parsed_if_there(row, "group_id")?) {
        (Some(user), _) => Grantee::User(user),
        (None, Some(group)) => Grantee::Group(group),
        (None, None) => return Err(StoreError::Damaged { what: "attachment", reason: "it is for nobody".to_owned() }),
    };
    Ok(Attachment { policy, grantee, project: parsed_if_there(row, "project_id")? })
}

fn grant(row: &Row) -> Result<StoredGrant, StoreError> {
    let failed = StoreError::database("read a policy");
    let own: Option<String> = row.try_get("own_name").map_err(&failed)?;
    let system: Option<String> = row.try_get("system_policy").map_err(&failed)?;
    let policy = match (own, system) {
        (Some(name), _) => StoredPolicy::Own { name, document: row.try_get("document").map_err(&failed)? },
        (None, Some(name)) => StoredPolicy::System { name },
        (None, None) => return Err(StoreError::Damaged { what: "attachment", reason: "it has no policy".to_owned() }),
    };
    Ok(StoredGrant {
        policy,
        via_group: row.try_get("via_group").map_err(&failed)?,
        project: parsed_if_there(row, "project_id")?,
    })
}
