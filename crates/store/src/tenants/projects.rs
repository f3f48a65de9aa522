//! Queries for domains and projects.

use clew_model::{AuditEvent, AuditOrigin, DomainId, ProjectId};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::database::{Row, Transaction, impl_from_row, params, query, query_as};
use crate::error::StoreError;
use crate::store_handles::TenantStore;

const SELECT_PROJECTS_SQL: &str = "SELECT p.id, p.name, p.description, p.enabled, p.masking, d.id AS domain_id, \
         d.name AS domain_name \
     FROM projects p JOIN domains d ON d.id = p.domain_id";

impl TenantStore<'_> {
    /// Creates a domain. Fails with [`StoreError::AlreadyExists`] if the name is already used.
    pub async fn create_domain(self, by: &AuditOrigin, name: &str) -> Result<DomainId, StoreError> {
        let mut tx = self.store.begin_audited_transaction("create a domain").await?;
        let id = insert_iam_domain(tx.transaction(), name, self.store.clock.unix_seconds()).await?;
        tx.commit_domain_change(by, "CreateDomain", name, id.clone(), Value::Null).await?;
        Ok(id)
    }

    /// Returns all domains, sorted by name.
    pub async fn list_domains(self) -> Result<Vec<Domain>, StoreError> {
        let sql = "SELECT id, name FROM domains ORDER BY name";
        query_as("list domains", sql, params![]).fetch_all(&self.store.database).await
    }

    /// Creates a project. Fails with [`StoreError::AlreadyExists`] if the domain already has a project with this name.
    pub async fn create_project(
        self,
        by: &AuditOrigin,
        domain: &DomainId,
        name: &str,
        description: &str,
    ) -> Result<ProjectId, StoreError> {
        let mut tx = self.store.begin_audited_transaction("create a project").await?;
        ensure_iam_domain_exists(tx.transaction(), domain).await?;
        let id = insert_project(tx.transaction(), domain, name, description, self.store.clock.unix_seconds()).await?;
        let event = AuditEvent {
            domain_id: Some(domain.clone()),
            project_id: Some(id.clone()),
            ..AuditEvent::for_successful_operation(by, "CreateProject", name)
        };
        tx.commit_with_event(&event).await?;
        Ok(id)
    }

    /// Updates a project. Returns false if the project does not exist.
    pub async fn update_project(
        self,
        by: &AuditOrigin,
        id: &ProjectId,
        update: &ProjectChange,
    ) -> Result<bool, StoreError> {
        let mut tx = self.store.begin_audited_transaction("change a project").await?;
        let sql = "UPDATE projects SET description = COALESCE($2, description), enabled = COALESCE($3, enabled), \
            masking = COALESCE($4, masking) WHERE id = $1 RETURNING domain_id, name";
        let updated: Vec<Row> =
            tx.fetch_all(sql, params![id, &update.description, update.enabled, update.masking]).await?;
        let Some(row) = updated.first() else { return Ok(false) };
        let name: String = row.get("name")?;
        let event = AuditEvent {
            domain_id: Some(row.get("domain_id")?),
            project_id: Some(id.clone()),
            detail: json!({ "description": update.description, "enabled": update.enabled, "masking": update.masking }),
            ..AuditEvent::for_successful_operation(by, "UpdateProject", name)
        };
        tx.commit_with_event(&event).await?;
        Ok(true)
    }

    /// Returns a project by id.
    pub async fn find_project(self, id: &ProjectId) -> Result<Option<Project>, StoreError> {
        let sql = format!("{SELECT_PROJECTS_SQL} WHERE p.id = $1");
        query_as("look up a project", AssertSqlSafe(sql), params![id]).fetch_optional(&self.store.database).await
    }

    /// Returns a project in a domain by name.
    pub async fn find_project_by_name(self, domain: &DomainId, name: &str) -> Result<Option<Project>, StoreError> {
        let sql = format!("{SELECT_PROJECTS_SQL} WHERE p.domain_id = $1 AND p.name = $2");
        let parameters = params![domain, name];
        query_as("look up a project", AssertSqlSafe(sql), parameters).fetch_optional(&self.store.database).await
    }

    /// Returns all projects in a domain, sorted by name.
    pub async fn list_projects(self, domain: &DomainId) -> Result<Vec<Project>, StoreError> {
        let sql = format!("{SELECT_PROJECTS_SQL} WHERE p.domain_id = $1 ORDER BY p.name");
        query_as("list projects", AssertSqlSafe(sql), params![domain]).fetch_all(&self.store.database).await
    }

    /// Returns the projects of all domains, sorted by name.
    pub async fn list_all_projects(self) -> Result<Vec<Project>, StoreError> {
        let sql = format!("{SELECT_PROJECTS_SQL} ORDER BY p.name, p.id");
        query_as("list projects", AssertSqlSafe(sql), params![]).fetch_all(&self.store.database).await
    }
}

pub(crate) async fn insert_iam_domain(
    transaction: &mut Transaction,
    name: &str,
    now: i64,
) -> Result<DomainId, StoreError> {
    let id = DomainId::generate();
    let sql = "INSERT INTO domains (id, name, created_at) VALUES ($1, $2, $3)";
    query("create a domain", sql, params![&id, name, now]).execute_insert(transaction, "a domain", name).await?;
    Ok(id)
}

pub(crate) async fn insert_project(
    transaction: &mut Transaction,
    domain: &DomainId,
    name: &str,
    description: &str,
    now: i64,
) -> Result<ProjectId, StoreError> {
    let id = ProjectId::generate();
    let sql = "INSERT INTO projects (id, domain_id, name, description, created_at) VALUES ($1, $2, $3, $4, $5)";
    let parameters = params![&id, domain, name, description, now];
    query("create a project", sql, parameters).execute_insert(transaction, "a project", name).await?;
    Ok(id)
}

pub(crate) async fn ensure_iam_domain_exists(
    transaction: &mut Transaction,
    domain: &DomainId,
) -> Result<(), StoreError> {
    let sql = "SELECT id FROM domains WHERE id = $1";
    let found: Option<String> = query_as("look up a domain", sql, params![domain]).fetch_optional(transaction).await?;
    found.map(drop).ok_or_else(|| StoreError::Unknown { what: "domain", name: domain.to_string() })
}

pub(crate) async fn find_domain_id_of_project(
    transaction: &mut Transaction,
    project: &ProjectId,
) -> Result<DomainId, StoreError> {
    let sql = "SELECT domain_id FROM projects WHERE id = $1";
    let found: Option<String> =
        query_as("look up a project", sql, params![project]).fetch_optional(transaction).await?;
    let id = found.ok_or_else(|| StoreError::Unknown { what: "project", name: project.to_string() })?;
    id.parse().map_err(StoreError::corrupt_value_error("domain_id"))
}

/// A domain is a tenant that is isolated from all other tenants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// Unique id.
    pub id: DomainId,
    /// Unique name.
    pub name: String,
}

/// Project, which owns instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Unique id.
    pub id: ProjectId,
    /// Name, unique in its domain.
    pub name: String,
    /// Domain that owns the project.
    pub domain_id: DomainId,
    /// Name of the domain.
    pub domain_name: String,
    /// Description.
    pub description: String,
    /// True if the project is enabled.
    pub enabled: bool,
    /// If true, users without permission to read SQL statements receive SQL templates without literals.
    pub masking: bool,
}

impl_from_row! {
    Domain { id, name }
    Project { id, name, domain_id, domain_name, description, enabled, masking }
}

/// Changes to a project. Fields that are `None` stay unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectChange {
    /// Description.
    pub description: Option<String>,
    /// True if the project is enabled.
    pub enabled: Option<bool>,
    /// If true, users without permission to read SQL statements receive SQL templates without literals.
    pub masking: Option<bool>,
}
