//! Queries for enterprise projects. The default enterprise project always exists and cannot be changed.

use clew_model::{AuditOrigin, DomainId};
use serde_json::json;

use crate::database::{Transaction, impl_from_row, params, query, query_as};
use crate::error::StoreError;
use crate::store_handles::TenantStore;

use crate::tenants::projects::ensure_iam_domain_exists;

const DEFAULT_ENTERPRISE_PROJECT_ID: &str = "0";

/// Enterprise project: a named group of instances. Policies can refer to enterprise projects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnterpriseProject {
    /// Unique id: a UUID with dashes, or `0` for the default enterprise project.
    pub id: String,
    /// Name, unique in its domain.
    pub name: String,
    /// Description.
    pub description: String,
    /// True if instances can be added to the enterprise project.
    pub enabled: bool,
}

impl_from_row! { EnterpriseProject { id, name, description, enabled } }

/// Changes to an enterprise project. Fields that are `None` stay unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnterpriseProjectChange {
    /// Description.
    pub description: Option<String>,
    /// True if instances can be added to the enterprise project.
    pub enabled: Option<bool>,
}

impl TenantStore<'_> {
    /// Creates an enterprise project and returns its UUID.
    /// Fails with [`StoreError::AlreadyExists`] if the domain already has an enterprise project with this name.
    pub async fn create_enterprise_project(
        self,
        by: &AuditOrigin,
        domain: &DomainId,
        name: &str,
        description: &str,
    ) -> Result<String, StoreError> {
        let mut tx = self.store.begin_audited_transaction("create an enterprise project").await?;
        ensure_iam_domain_exists(tx.transaction(), domain).await?;
        let id = uuid::Uuid::new_v4().to_string();
        let sql = "INSERT INTO enterprise_projects (domain_id, id, name, description, created_at) VALUES ($1, $2, $3, \
            $4, $5)";
        let parameters = params![domain, &id, name, description, self.store.clock.unix_seconds()];
        query("create an enterprise project", sql, parameters)
            .execute_insert(tx.transaction(), "an enterprise project", name)
            .await?;
        tx.commit_domain_change(by, "CreateEnterpriseProject", name, domain.clone(), json!({ "id": id })).await?;
        Ok(id)
    }

    /// Returns a domain's enterprise projects: the default project first, then the others sorted by name.
    pub async fn list_enterprise_projects(self, domain: &DomainId) -> Result<Vec<EnterpriseProject>, StoreError> {
        let sql = "SELECT id, name, description, enabled FROM enterprise_projects WHERE domain_id = $1 ORDER BY name";
        let mut projects: Vec<EnterpriseProject> =
            query_as("list enterprise projects", sql, params![domain]).fetch_all(&self.store.database).await?;
        let default = EnterpriseProject {
            id: DEFAULT_ENTERPRISE_PROJECT_ID.to_owned(),
            name: "default".to_owned(),
            description: String::new(),
            enabled: true,
        };
        projects.insert(0, default);
        Ok(projects)
    }

    /// Updates an enterprise project. Returns false if it does not exist or is the default project.
    pub async fn update_enterprise_project(
        self,
        by: &AuditOrigin,
        domain: &DomainId,
        id: &str,
        update: &EnterpriseProjectChange,
    ) -> Result<bool, StoreError> {
        let mut tx = self.store.begin_audited_transaction("change an enterprise project").await?;
        let sql = "UPDATE enterprise_projects SET description = COALESCE($3, description), \
            enabled = COALESCE($4, enabled) WHERE domain_id = $1 AND id = $2 RETURNING name";
        let names: Vec<String> = tx.fetch_all(sql, params![domain, id, &update.description, update.enabled]).await?;
        let Some(name) = names.into_iter().next() else { return Ok(false) };
        let detail = json!({ "id": id, "description": update.description, "enabled": update.enabled });
        tx.commit_domain_change(by, "UpdateEnterpriseProject", name, domain.clone(), detail).await?;
        Ok(true)
    }
}

/// The default enterprise project is always enabled.
pub(crate) async fn require_enabled_enterprise_project(
    transaction: &mut Transaction,
    domain: &DomainId,
    id: &str,
) -> Result<(), StoreError> {
    if id == DEFAULT_ENTERPRISE_PROJECT_ID {
        return Ok(());
    }
    let sql = "SELECT enabled FROM enterprise_projects WHERE domain_id = $1 AND id = $2";
    let enabled: Option<bool> =
        query_as("look up an enterprise project", sql, params![domain, id]).fetch_optional(transaction).await?;
    match enabled {
        Some(true) => Ok(()),
        Some(false) => Err(StoreError::InvalidInstance(format!("enterprise project {id:?} is disabled"))),
        None => Err(StoreError::InvalidInstance(format!("there is no enterprise project {id:?}"))),
    }
}
