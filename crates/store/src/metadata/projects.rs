//! Domains and projects.

use clew_model::{AuditEvent, DomainId, Origin, ProjectId};
use serde_json::json;
use sqlx::AssertSqlSafe;

use super::failure::insert_failed;
use super::rows::parsed;
use crate::database::{Connection, Row, query, query_scalar};
use crate::error::StoreError;
use crate::store::Store;
use crate::tenants::{Domain, Project, ProjectChange};

const PROJECTS: &str = "SELECT p.id, p.name, p.description, p.enabled, p.masking, d.id AS domain_id, \
         d.name AS domain_name \
     FROM projects p JOIN domains d ON d.id = p.domain_id";

impl Store {
    /// Makes a domain. Fails if the name is taken.
    pub async fn create_domain(&self, by: &Origin, name: &str) -> Result<DomainId, StoreError> {
        let mut change = self.change("make a domain").await?;
        let id = insert_domain(change.connection(), name, self.clock.seconds()).await?;
        let event = AuditEvent { domain_id: Some(id.clone()), ..AuditEvent::done(by, "CreateDomain", name) };
        change.done(&event).await?;
        Ok(id)
    }

    /// All domains, by name.
    pub async fn domains(&self) -> Result<Vec<Domain>, StoreError> {
        let failed = StoreError::database("list domains");
        let rows =
            query("SELECT id, name FROM domains ORDER BY name").fetch_all(&self.database).await.map_err(&failed)?;
        rows.iter()
            .map(|row| Ok(Domain { id: parsed(row, "id")?, name: row.try_get("name").map_err(&failed)? }))
            .collect()
    }

    /// Name of a domain.
    pub async fn domain_name(&self, id: &DomainId) -> Result<Option<String>, StoreError> {
        query_scalar("SELECT name FROM domains WHERE id = $1")
            .bind(id.as_str())
            .fetch_optional(&self.database)
            .await
            .map_err(StoreError::database("look up a domain"))
    }

    /// Makes a project in a domain. Fails if the domain has one of this name.
    pub async fn create_project(
        &self,
        by: &Origin,
        domain: &DomainId,
        name: &str,
        description: &str,
    ) -> Result<ProjectId, StoreError> {
        let mut change = self.change("make a project").await?;
        check_domain(change.connection(), domain).await?;
        let id = insert_project(change.connection(), domain, name, description, self.clock.seconds()).await?;
        let event = AuditEvent {
            domain_id: Some(domain.clone()),
            project_id: Some(id.clone()),
            ..AuditEvent::done(by, "CreateProject", name)
        };
        change.done(&event).await?;
        Ok(id)
    }

    /// Changes a project. False if there is none of this id.
    pub async fn update_project(&self, by: &Origin, id: &ProjectId, what: &ProjectChange) -> Result<bool, StoreError> {
        let mut change = self.change("change a project").await?;
        let updated = query(
            "UPDATE projects SET description = COALESCE($2, description), enabled = COALESCE($3, enabled), \
                 masking = COALESCE($4, masking) WHERE id = $1 RETURNING domain_id, name",
        )
        .bind(id.as_str())
        .bind(&what.description)
        .bind(what.enabled)
        .bind(what.masking)
        .fetch_all(change.connection())
        .await
        .map_err(change.failed())?;
        let Some(row) = updated.first() else { return Ok(false) };
        let name: String = row.try_get("name").map_err(change.failed())?;
        let event = AuditEvent {
            domain_id: Some(parsed(row, "domain_id")?),
            project_id: Some(id.clone()),
            detail: json!({ "description": what.description, "enabled": what.enabled, "masking": what.masking }),
            ..AuditEvent::done(by, "UpdateProject", name)
        };
        change.done(&event).await?;
        Ok(true)
    }

    /// A project by its id.
    pub async fn project(&self, id: &ProjectId) -> Result<Option<Project>, StoreError> {
        let row = query(AssertSqlSafe(format!("{PROJECTS} WHERE p.id = $1")))
            .bind(id.as_str())
            .fetch_optional(&self.database)
            .await
            .map_err(StoreError::database("look up a project"))?;
        row.as_ref().map(project).transpose()
    }

    /// A project of a domain by its name.
    pub async fn project_by_name(&self, domain: &DomainId, name: &str) -> Result<Option<Project>, StoreError> {
        let row = query(AssertSqlSafe(format!("{PROJECTS} WHERE p.domain_id = $1 AND p.name = $2")))
            .bind(domain.as_str())
            .bind(name)
            .fetch_optional(&self.database)
            .await
            .map_err(StoreError::database("look up a project"))?;
        row.as_ref().map(project).transpose()
    }

    /// The projects of a domain, by name.
    pub async fn projects_of(&self, domain: &DomainId) -> Result<Vec<Project>, StoreError> {
        let rows = query(AssertSqlSafe(format!("{PROJECTS} WHERE p.domain_id = $1 ORDER BY p.name")))
            .bind(domain.as_str())
            .fetch_all(&self.database)
            .await
            .map_err(StoreError::database("list projects"))?;
        rows.iter().map(project).collect()
    }

    /// The projects of all domains, by name.
    pub async fn all_projects(&self) -> Result<Vec<Project>, StoreError> {
        let rows = query(AssertSqlSafe(format!("{PROJECTS} ORDER BY p.name, p.id")))
            .fetch_all(&self.database)
            .await
            .map_err(StoreError::database("list projects"))?;
        rows.iter().map(project).collect()
    }
}

pub(super) async fn insert_domain(connection: &mut Connection, name: &str, now: i64) -> Result<DomainId, StoreError> {
    let id = DomainId::generate();
    query("INSERT INTO domains (id, name, created_at) VALUES ($1, $2, $3)")
        .bind(id.as_str())
        .bind(name)
        .bind(now)
        .execute(connection)
        .await
        .map_err(insert_failed("make a domain", "a domain", name))?;
    Ok(id)
}

pub(super) async fn insert_project(
    connection: &mut Connection,
    domain: &DomainId,
    name: &str,
    description: &str,
    now: i64,
) -> Result<ProjectId, StoreError> {
    let id = ProjectId::generate();
    query("INSERT INTO projects (id, domain_id, name, description, created_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(id.as_str())
        .bind(domain.as_str())
        .bind(name)
        .bind(description)
        .bind(now)
        .execute(connection)
        .await
        .map_err(insert_failed("make a project", "a project", name))?;
    Ok(id)
}

/// Fails where there is no such domain.
pub(super) async fn check_domain(connection: &mut Connection, domain: &DomainId) -> Result<(), StoreError> {
    let found: Option<String> = query_scalar("SELECT id FROM domains WHERE id = $1")
        .bind(domain.as_str())
        .fetch_optional(connection)
        .await
        .map_err(StoreError::database("look up a domain"))?;
    found.map(drop).ok_or_else(|| StoreError::Unknown { what: "domain", name: domain.to_string() })
}

/// The domain that owns a project.
pub(super) async fn domain_of_project(
    connection: &mut Connection,
    project: &ProjectId,
) -> Result<DomainId, StoreError> {
    let found: Option<String> = query_scalar("SELECT domain_id FROM projects WHERE id = $1")
        .bind(project.as_str())
        .fetch_optional(connection)
        .await
        .map_err(StoreError::database("look up a project"))?;
    let id = found.ok_or_else(|| StoreError::Unknown { what: "project", name: project.to_string() })?;
    id.parse().map_err(StoreError::damaged("domain_id"))
}

fn project(row: &Row) -> Result<Project, StoreError> {
    let failed = StoreError::database("read a project");
    Ok(Project {
        id: parsed(row, "id")?,
        name: row.try_get("name").map_err(&failed)?,
        domain_id: parsed(row, "domain_id")?,
        domain_name: row.try_get("domain_name").map_err(&failed)?,
        description: row.try_get("description").map_err(&failed)?,
        enabled: row.try_get("enabled").map_err(&failed)?,
        masking: row.try_get("masking").map_err(&failed)?,
    })
}
