//! Custom policies and their attachments to users and groups.

pub(crate) mod attachments;
pub(crate) mod limit_checks;

use clew_model::{AuditOrigin, DomainId, GroupId, PolicyId, ProjectId, UserId};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::AssertSqlSafe;

use crate::database::{Row, StatementExecutor, Transaction, impl_from_row, params, query_as};
use crate::error::StoreError;
use crate::identities::credential_revocation::AffectedUsers;
use crate::policies::limit_checks::check_policy_limits;
use crate::store_handles::PolicyStore;
use crate::tenants::projects::ensure_iam_domain_exists;

/// Custom policy in a domain. Times are Unix timestamps in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRecord {
    /// Unique id.
    pub id: PolicyId,
    /// Name, unique in the domain.
    pub name: String,
    /// Domain that owns the policy.
    pub domain_id: DomainId,
    /// Policy model: `role` for policy versions 1.0 and 1.1, or `identity` for policy version 5.0.
    pub model: String,
    /// Policy document as unparsed text.
    pub document: String,
    /// Description.
    pub description: String,
    /// Creation time.
    pub created_at: i64,
    /// Time of the last change.
    pub updated_at: i64,
}

impl_from_row! { PolicyRecord { id, name, domain_id, model, document, description, created_at, updated_at } }

/// Reference to a policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PolicyRef {
    /// Custom policy in a domain.
    Custom(PolicyId),
    /// Built-in policy, by name.
    System(String),
}

/// User or group that a policy is attached to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Grantee {
    /// A user.
    User(UserId),
    /// All members of a group.
    Group(GroupId),
}

/// Attachment of a policy to a user or group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyAttachment {
    /// The policy.
    pub policy: PolicyRef,
    /// User or group that the policy is attached to.
    pub grantee: Grantee,
    /// Project in which the policy applies, or `None` for all projects.
    pub project: Option<ProjectId>,
}

/// Policy that applies to a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyGrant {
    /// The policy.
    pub policy: CustomOrBuiltInPolicy,
    /// Name of the group through which the policy applies, or `None` if the policy is attached directly to the user.
    pub via_group: Option<String>,
    /// Project in which the policy applies, or `None` for all projects.
    pub project: Option<ProjectId>,
}

impl PolicyGrant {
    /// Returns the size of the policy document in bytes, or 0 for a built-in policy.
    #[must_use]
    pub fn document_len(&self) -> usize {
        match &self.policy {
            CustomOrBuiltInPolicy::Custom { document, .. } => document.len(),
            CustomOrBuiltInPolicy::System { .. } => 0,
        }
    }
}

/// Custom or built-in policy that applies to a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CustomOrBuiltInPolicy {
    /// Custom policy in the domain.
    Custom {
        /// Name of the policy.
        name: String,
        /// Document of the policy.
        document: String,
    },
    /// Built-in policy.
    System {
        /// Name of the policy.
        name: String,
    },
}

const SELECT_POLICIES_SQL: &str =
    "SELECT id, name, domain_id, model, document, description, created_at, updated_at FROM policies";

impl PolicyStore<'_> {
    /// Creates a policy, or replaces an existing policy that has the same name.
    /// The caller must validate the policy document. `model` is the policy model: `role` or `identity`.
    pub async fn put_policy(
        self,
        by: &AuditOrigin,
        domain: &DomainId,
        name: &str,
        model: &str,
        document: &str,
        description: &str,
    ) -> Result<PolicyId, StoreError> {
        let mut tx = self.store.begin_audited_transaction("store a policy").await?;
        ensure_iam_domain_exists(tx.transaction(), domain).await?;
        let sql = "SELECT document FROM policies WHERE domain_id = $1 AND name = $2";
        let before: Option<String> = tx.fetch_optional(sql, params![domain, name]).await?;
        let sql = "INSERT INTO policies (id, domain_id, name, model, document, description, created_at, updated_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (domain_id, name) DO UPDATE SET \
            model = excluded.model, document = excluded.document, description = excluded.description, \
            updated_at = excluded.updated_at RETURNING id";
        let (id, now) = (PolicyId::generate(), self.store.clock.unix_seconds());
        let rows: Vec<Row> = tx.fetch_all(sql, params![&id, domain, name, model, document, description, now]).await?;
        let row = rows.first().ok_or_else(|| StoreError::Unknown { what: "policy", name: name.to_owned() })?;
        let id: PolicyId = row.get("id")?;
        // A shorter document is allowed even if the limits are still exceeded.
        if before.is_some_and(|before| before.len() < document.len()) {
            check_policy_limits(tx.transaction(), self.store.policy_limits, AffectedUsers::Policy(&id)).await?;
        }
        let tokens = tx.revoke_tokens(AffectedUsers::Policy(&id)).await?;
        let sha256 = hex::encode(Sha256::digest(document.as_bytes()));
        let detail = json!({ "id": id, "model": model, "sha256": sha256, "tokens_revoked": tokens });
        tx.commit_domain_change(by, "PutPolicy", name, domain.clone(), detail).await?;
        Ok(id)
    }

    /// Returns all policies in a domain, sorted by name.
    pub async fn list_policies(self, domain: &DomainId) -> Result<Vec<PolicyRecord>, StoreError> {
        let sql = format!("{SELECT_POLICIES_SQL} WHERE domain_id = $1 ORDER BY name");
        query_as("list policies", AssertSqlSafe(sql), params![domain]).fetch_all(&self.store.database).await
    }

    /// Returns a policy by id.
    pub async fn find_policy(self, id: &PolicyId) -> Result<Option<PolicyRecord>, StoreError> {
        find_policy(&self.store.database, id).await
    }

    /// Returns a policy in a domain by name.
    pub async fn find_policy_by_name(self, domain: &DomainId, name: &str) -> Result<Option<PolicyRecord>, StoreError> {
        let sql = format!("{SELECT_POLICIES_SQL} WHERE domain_id = $1 AND name = $2");
        let parameters = params![domain, name];
        query_as("look up a policy", AssertSqlSafe(sql), parameters).fetch_optional(&self.store.database).await
    }

    /// Removes a policy. Returns false if the policy does not exist.
    /// Fails with [`StoreError::InUse`] if the policy is attached to a user or group.
    pub async fn remove_policy(self, by: &AuditOrigin, id: &PolicyId) -> Result<bool, StoreError> {
        let mut tx = self.store.begin_audited_transaction("remove a policy").await?;
        let Some(before) = find_policy(tx.transaction(), id).await? else { return Ok(false) };
        let times: i64 = tx.fetch_one("SELECT COUNT(*) FROM attachments WHERE policy_id = $1", params![id]).await?;
        if times > 0 {
            return Err(StoreError::InUse { name: before.name, times: times.unsigned_abs() });
        }
        tx.execute("DELETE FROM policies WHERE id = $1", params![id]).await?;
        tx.commit_domain_change(by, "DeletePolicy", before.name, before.domain_id, json!({ "id": id })).await?;
        Ok(true)
    }
}

async fn find_policy<'e>(
    executor: impl Into<StatementExecutor<'e>>,
    id: &PolicyId,
) -> Result<Option<PolicyRecord>, StoreError> {
    let sql = format!("{SELECT_POLICIES_SQL} WHERE id = $1");
    query_as("look up a policy", AssertSqlSafe(sql), params![id]).fetch_optional(executor).await
}

pub(crate) async fn require_policy(transaction: &mut Transaction, id: &PolicyId) -> Result<PolicyRecord, StoreError> {
    let found = find_policy(transaction, id).await?;
    found.ok_or_else(|| StoreError::Unknown { what: "policy", name: id.to_string() })
}
