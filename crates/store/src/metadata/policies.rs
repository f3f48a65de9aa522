//! Policies of domains, as text.

use clew_model::{AuditEvent, DomainId, Origin, PolicyId};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::AssertSqlSafe;

use super::policy_limits::check_policy_limits;
use super::projects::check_domain;
use super::revocation::{Reached, revoke_tokens};
use super::rows::parsed;
use crate::database::{Connection, Row, Target, query, query_scalar};
use crate::error::StoreError;
use crate::policies::PolicyRecord;
use crate::store::Store;

const POLICIES: &str = "SELECT id, name, domain_id, model, document, description, created_at, updated_at FROM policies";

impl Store {
    /// Keeps a policy, in the place of the domain's one of this name if there is one. The caller has parsed the document and
    /// knows its model: `role` or `identity`.
    pub async fn put_policy(
        &self,
        by: &Origin,
        domain: &DomainId,
        name: &str,
        model: &str,
        document: &str,
        description: &str,
    ) -> Result<PolicyId, StoreError> {
        let mut change = self.change("keep a policy").await?;
        check_domain(change.connection(), domain).await?;
        let before: Option<String> = query_scalar("SELECT document FROM policies WHERE domain_id = $1 AND name = $2")
            .bind(domain.as_str())
            .bind(name)
            .fetch_optional(change.connection())
            .await
            .map_err(change.failed())?;
        let rows = query(
            "INSERT INTO policies (id, domain_id, name, model, document, description, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (domain_id, name) DO UPDATE SET \
             model = excluded.model, document = excluded.document, description = excluded.description, \
             updated_at = excluded.updated_at RETURNING id",
        )
        .bind(PolicyId::generate().as_str())
        .bind(domain.as_str())
        .bind(name)
        .bind(model)
        .bind(document)
        .bind(description)
        .bind(self.clock.seconds())
        .fetch_all(change.connection())
        .await
        .map_err(change.failed())?;
        let row = rows.first().ok_or_else(|| StoreError::Unknown { what: "policy", name: name.to_owned() })?;
        let id: PolicyId = parsed(row, "id")?;
        // A shorter document is an improvement even where there is too much.
        if before.is_some_and(|before| before.len() < document.len()) {
            check_policy_limits(change.connection(), self.policy_limits, Reached::Policy(&id)).await?;
        }
        let tokens = revoke_tokens(change.connection(), Reached::Policy(&id), self.clock.seconds()).await?;
        let sha256 = hex::encode(Sha256::digest(document.as_bytes()));
        let event = AuditEvent {
            domain_id: Some(domain.clone()),
            detail: json!({ "id": id, "model": model, "sha256": sha256, "tokens_revoked": tokens }),
            ..AuditEvent::done(by, "PutPolicy", name)
        };
        change.done(&event).await?;
        Ok(id)
    }

    /// The policies of a domain, by name.
    pub async fn policies_of(&self, domain: &DomainId) -> Result<Vec<PolicyRecord>, StoreError> {
        let rows = query(AssertSqlSafe(format!("{POLICIES} WHERE domain_id = $1 ORDER BY name")))
            .bind(domain.as_str())
            .fetch_all(&self.database)
            .await
            .map_err(StoreError::database("list policies"))?;
        rows.iter().map(policy).collect()
    }

    /// A policy by its id.
    pub async fn policy(&self, id: &PolicyId) -> Result<Option<PolicyRecord>, StoreError> {
        find_policy(&self.database, id).await
    }

    /// A policy of a domain by its name.
    pub async fn policy_by_name(&self, domain: &DomainId, name: &str) -> Result<Option<PolicyRecord>, StoreError> {
        let row = query(AssertSqlSafe(format!("{POLICIES} WHERE domain_id = $1 AND name = $2")))
            .bind(domain.as_str())
            .bind(name)
            .fetch_optional(&self.database)
            .await
            .map_err(StoreError::database("look up a policy"))?;
        row.as_ref().map(policy).transpose()
    }

    /// Removes a policy. Fails with [`StoreError::InUse`] while it is attached. False if there is none of this id.
    pub async fn remove_policy(&self, by: &Origin, id: &PolicyId) -> Result<bool, StoreError> {
        let mut change = self.change("remove a policy").await?;
        let Some(before) = find_policy(change.connection(), id).await? else { return Ok(false) };
        let times: i64 = query_scalar("SELECT COUNT(*) FROM attachments WHERE policy_id = $1")
            .bind(id.as_str())
            .fetch_one(change.connection())
            .await
            .map_err(change.failed())?;
        if times > 0 {
            return Err(StoreError::InUse { name: before.name, times: times.unsigned_abs() });
        }
        query("DELETE FROM policies WHERE id = $1")
            .bind(id.as_str())
            .execute(change.connection())
            .await
            .map_err(change.failed())?;
        let event = AuditEvent {
            domain_id: Some(before.domain_id),
            detail: json!({ "id": id }),
            ..AuditEvent::done(by, "DeletePolicy", before.name)
        };
        change.done(&event).await?;
        Ok(true)
    }
}

async fn find_policy<'e>(target: impl Into<Target<'e>>, id: &PolicyId) -> Result<Option<PolicyRecord>, StoreError> {
    let row = query(AssertSqlSafe(format!("{POLICIES} WHERE id = $1")))
        .bind(id.as_str())
        .fetch_optional(target)
        .await
        .map_err(StoreError::database("look up a policy"))?;
    row.as_ref().map(policy).transpose()
}

/// A policy that must be there.
pub(super) async fn need_policy(connection: &mut Connection, id: &PolicyId) -> Result<PolicyRecord, StoreError> {
    let found = find_policy(connection, id).await?;
    found.ok_or_else(|| StoreError::Unknown { what: "policy", name: id.to_string() })
}

fn policy(row: &Row) -> Result<PolicyRecord, StoreError> {
    let failed = StoreError::database("read a policy");
    Ok(PolicyRecord {
        id: parsed(row, "id")?,
        name: row.try_get("name").map_err(&failed)?,
        domain_id: parsed(row, "domain_id")?,
        model: row.try_get("model").map_err(&failed)?,
        document: row.try_get("document").map_err(&failed)?,
        description: row.try_get("description").map_err(&failed)?,
        created_at: row.try_get("created_at").map_err(&failed)?,
        updated_at: row.try_get("updated_at").map_err(&failed)?,
    })
}
