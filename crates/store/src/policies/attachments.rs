//! Queries for policy attachments.

use clew_model::{AuditEvent, AuditOrigin, DomainId, ProjectId, UserId};
use serde_json::json;

use crate::database::{FromRow, Row, Transaction, params, query_as};
use crate::error::StoreError;
use crate::identities::credential_revocation::AffectedUsers;
use crate::identities::groups::require_group;
use crate::identities::users::require_user;
use crate::policies::limit_checks::check_policy_limits;
use crate::policies::{CustomOrBuiltInPolicy, Grantee, PolicyAttachment, PolicyGrant, PolicyRef, require_policy};
use crate::store_handles::PolicyStore;
use crate::tenants::projects::find_domain_id_of_project;

const INSERT_ATTACHMENT_SQL: &str = "INSERT INTO attachments (policy_id, system_policy, user_id, group_id, project_id, created_at) \
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";

const DELETE_ATTACHMENT_SQL: &str = "DELETE FROM attachments WHERE policy_id IS NOT DISTINCT FROM $1 \
     AND system_policy IS NOT DISTINCT FROM $2 AND user_id IS NOT DISTINCT FROM $3 AND group_id IS NOT DISTINCT FROM $4 AND project_id IS NOT DISTINCT FROM $5";

const SELECT_ATTACHMENTS_BY_POLICY_SQL: &str = "SELECT policy_id, system_policy, user_id, group_id, project_id FROM attachments \
     WHERE policy_id IS NOT DISTINCT FROM $1 AND system_policy IS NOT DISTINCT FROM $2 ORDER BY rowid";

const SELECT_ATTACHMENTS_BY_GRANTEE_SQL: &str = "SELECT policy_id, system_policy, user_id, group_id, project_id FROM attachments \
     WHERE user_id IS NOT DISTINCT FROM $1 AND group_id IS NOT DISTINCT FROM $2 ORDER BY rowid";

const SELECT_POLICY_GRANTS_BY_USER_SQL: &str = "SELECT p.name AS own_name, p.document, a.system_policy, g.name AS via_group, a.project_id \
     FROM attachments a LEFT JOIN policies p ON p.id = a.policy_id LEFT JOIN user_groups g ON g.id = a.group_id \
     WHERE a.user_id = $1 OR a.group_id IN (SELECT group_id FROM members WHERE user_id = $1) \
     ORDER BY g.name NULLS FIRST, COALESCE(p.name, a.system_policy), a.project_id NULLS FIRST";

impl PolicyStore<'_> {
    /// Attaches a policy to a user or group, in one project or in all projects.
    /// Returns false if the same policy attachment already exists.
    /// The policy, the user or group, and the project must belong to the same domain.
    /// The caller must verify that a built-in policy with the given name exists.
    pub async fn attach_policy(
        self,
        by: &AuditOrigin,
        policy: &PolicyRef,
        to: &Grantee,
        project: Option<&ProjectId>,
    ) -> Result<bool, StoreError> {
        self.update_policy_attachment(by, "AttachPolicy", policy, to, project).await
    }

    /// Detaches a policy from a user or group. Returns false if the policy is not attached.
    pub async fn detach_policy(
        self,
        by: &AuditOrigin,
        policy: &PolicyRef,
        from: &Grantee,
        project: Option<&ProjectId>,
    ) -> Result<bool, StoreError> {
        self.update_policy_attachment(by, "DetachPolicy", policy, from, project).await
    }

    async fn update_policy_attachment(
        self,
        by: &AuditOrigin,
        operation: &str,
        policy: &PolicyRef,
        grantee: &Grantee,
        project: Option<&ProjectId>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.store.begin_audited_transaction("change a policy attachment").await?;
        let names = find_attachment_names(tx.transaction(), policy, grantee, project).await?;
        let ((own, system), (user, group)) = (policy_ref_to_column_values(policy), grantee_to_column_values(grantee));
        let now = self.store.clock.unix_seconds();
        let changed = if operation == "AttachPolicy" {
            tx.execute(INSERT_ATTACHMENT_SQL, params![own, system, user, group, project, now]).await?
        } else {
            tx.execute(DELETE_ATTACHMENT_SQL, params![own, system, user, group, project]).await?
        };
        if changed == 0 {
            return Ok(false);
        }
        let affected = match grantee {
            Grantee::User(id) => AffectedUsers::User(id),
            Grantee::Group(id) => AffectedUsers::Group(id),
        };
        if operation == "AttachPolicy" {
            check_policy_limits(tx.transaction(), self.store.policy_limits, affected).await?;
        }
        let tokens = tx.revoke_tokens(affected).await?;
        let event = AuditEvent {
            domain_id: Some(names.domain),
            project_id: project.cloned(),
            detail: json!({
                "user": user.map(|_| &names.grantee), "user_id": user,
                "group": group.map(|_| &names.grantee), "group_id": group,
                "policy_id": own, "tokens_revoked": tokens,
            }),
            ..AuditEvent::for_successful_operation(by, operation, names.policy)
        };
        tx.commit_with_event(&event).await?;
        Ok(true)
    }

    /// Returns a policy's attachments.
    pub async fn list_policy_attachments(self, policy: &PolicyRef) -> Result<Vec<PolicyAttachment>, StoreError> {
        let (own, system) = policy_ref_to_column_values(policy);
        let parameters = params![own, system];
        query_as("list attachments", SELECT_ATTACHMENTS_BY_POLICY_SQL, parameters).fetch_all(&self.store.database).await
    }

    /// Returns the policies that are attached directly to a user or group.
    pub async fn list_attachments_by_grantee(self, grantee: &Grantee) -> Result<Vec<PolicyAttachment>, StoreError> {
        let (user, group) = grantee_to_column_values(grantee);
        query_as("list attachments", SELECT_ATTACHMENTS_BY_GRANTEE_SQL, params![user, group])
            .fetch_all(&self.store.database)
            .await
    }

    /// Returns the policies that apply to a user directly or through a group.
    pub async fn list_user_policy_grants(self, user: &UserId) -> Result<Vec<PolicyGrant>, StoreError> {
        let parameters = params![user];
        query_as("look up policies", SELECT_POLICY_GRANTS_BY_USER_SQL, parameters).fetch_all(&self.store.database).await
    }
}

struct AttachmentNames {
    domain: DomainId,
    policy: String,
    grantee: String,
}

/// Fails if the policy, the user or group, or the project does not exist or belongs to a different domain.
async fn find_attachment_names(
    transaction: &mut Transaction,
    policy: &PolicyRef,
    grantee: &Grantee,
    project: Option<&ProjectId>,
) -> Result<AttachmentNames, StoreError> {
    let (domain, grantee) = match grantee {
        Grantee::User(id) => require_user(transaction, id).await.map(|user| (user.domain_id, user.name))?,
        Grantee::Group(id) => require_group(transaction, id).await.map(|group| (group.domain_id, group.name))?,
    };
    let policy = match policy {
        PolicyRef::System(name) => name.clone(),
        PolicyRef::Custom(id) => {
            let found = require_policy(transaction, id).await?;
            if found.domain_id != domain {
                return Err(StoreError::Unknown { what: "policy", name: id.to_string() });
            }
            found.name
        }
    };
    if let Some(project) = project
        && find_domain_id_of_project(transaction, project).await? != domain
    {
        return Err(StoreError::Unknown { what: "project", name: project.to_string() });
    }
    Ok(AttachmentNames { domain, policy, grantee })
}

fn policy_ref_to_column_values(policy: &PolicyRef) -> (Option<&str>, Option<&str>) {
    match policy {
        PolicyRef::Custom(id) => (Some(id.as_str()), None),
        PolicyRef::System(name) => (None, Some(name)),
    }
}

fn grantee_to_column_values(grantee: &Grantee) -> (Option<&str>, Option<&str>) {
    match grantee {
        Grantee::User(id) => (Some(id.as_str()), None),
        Grantee::Group(id) => (None, Some(id.as_str())),
    }
}

impl FromRow for PolicyAttachment {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let system: Option<String> = row.get("system_policy")?;
        let policy = match row.get("policy_id")? {
            Some(id) => PolicyRef::Custom(id),
            None => PolicyRef::System(system.unwrap_or_default()),
        };
        let grantee = match (row.get("user_id")?, row.get("group_id")?) {
            (Some(user), _) => Grantee::User(user),
            (None, Some(group)) => Grantee::Group(group),
            (None, None) => {
                return Err(StoreError::Damaged {
                    what: "attachment",
                    reason: "it has neither a user nor a group".to_owned(),
                });
            }
        };
        Ok(Self { policy, grantee, project: row.get("project_id")? })
    }
}

impl FromRow for PolicyGrant {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let own: Option<String> = row.get("own_name")?;
        let system: Option<String> = row.get("system_policy")?;
        let policy = match (own, system) {
            (Some(name), _) => CustomOrBuiltInPolicy::Custom { name, document: row.get("document")? },
            (None, Some(name)) => CustomOrBuiltInPolicy::System { name },
            (None, None) => {
                return Err(StoreError::Damaged { what: "attachment", reason: "it has no policy".to_owned() });
            }
        };
        Ok(Self { policy, via_group: row.get("via_group")?, project: row.get("project_id")? })
    }
}
