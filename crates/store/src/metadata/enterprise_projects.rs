//! Enterprise projects. The default one is always there and cannot be changed.

use clew_model::{AuditEvent, DomainId, Origin};
use serde_json::json;

use super::failure::insert_failed;
use super::projects::check_domain;
use crate::database::{Connection, Row, query, query_scalar};
use crate::error::StoreError;
use crate::store::Store;
use crate::tenants::{EnterpriseProject, EnterpriseProjectChange};

/// Id of the default one.
const DEFAULT: &str = "0";

impl Store {
    /// Makes an enterprise project. Fails if the domain has one of this name. Returns its id, a UUID with dashes.
    pub async fn create_enterprise_project(
        &self,
        by: &Origin,
        domain: &DomainId,
        name: &str,
        description: &str,
    ) -> Result<String, StoreError> {
        let mut change = self.change("make an enterprise project").await?;
        check_domain(change.connection(), domain).await?;
        let id = uuid::Uuid::new_v4().to_string();
        query(
            "INSERT INTO enterprise_projects (domain_id, id, name, description, created_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(domain.as_str())
        .bind(&id)
        .bind(name)
        .bind(description)
        .bind(self.clock.seconds())
        .execute(change.connection())
        .await
        .map_err(insert_failed("make an enterprise project", "an enterprise project", name))?;
        let event = AuditEvent {
            domain_id: Some(domain.clone()),
            detail: json!({ "id": id }),
            ..AuditEvent::done(by, "CreateEnterpriseProject", name)
        };
        change.done(&event).await?;
        Ok(id)
    }

    /// The enterprise projects of a domain: the default one, then the others by name.
    pub async fn enterprise_projects(&self, domain: &DomainId) -> Result<Vec<EnterpriseProject>, StoreError> {
        let rows =
            query("SELECT id, name, description, enabled FROM enterprise_projects WHERE domain_id = $1 ORDER BY name")
                .bind(domain.as_str())
                .fetch_all(&self.database)
                .await
                .map_err(StoreError::database("list enterprise projects"))?;
        let default = EnterpriseProject {
            id: DEFAULT.to_owned(),
            name: "default".to_owned(),
            description: String::new(),
            enabled: true,
        };
        std::iter::once(Ok(default)).chain(rows.iter().map(enterprise_project)).collect()
    }

    /// Changes an enterprise project. False if the domain has none of this id that can be changed.
    pub async fn update_enterprise_project(
        &self,
        by: &Origin,
        domain: &DomainId,
        id: &str,
        what: &EnterpriseProjectChange,
    ) -> Result<bool, StoreError> {
        let mut change = self.change("change an enterprise project").await?;
        let names: Vec<String> = query_scalar(
            "UPDATE enterprise_projects SET description = COALESCE($3, description), enabled = COALESCE($4, enabled) \
             WHERE domain_id = $1 AND id = $2 RETURNING name",
        )
        .bind(domain.as_str())
        .bind(id)
        .bind(&what.description)
        .bind(what.enabled)
        .fetch_all(change.connection())
        .await
        .map_err(change.failed())?;
        let Some(name) = names.into_iter().next() else { return Ok(false) };
        let event = AuditEvent {
            domain_id: Some(domain.clone()),
            detail: json!({ "id": id, "description": what.description, "enabled": what.enabled }),
            ..AuditEvent::done(by, "UpdateEnterpriseProject", name)
        };
        change.done(&event).await?;
        Ok(true)
    }
}

/// Fails where an instance of the domain may not be added to this one.
pub(super) async fn check(connection: &mut Connection, domain: &DomainId, id: &str) -> Result<(), StoreError> {
    if id == DEFAULT {
        return Ok(());
    }
    let enabled: Option<bool> =
        query_scalar("SELECT enabled FROM enterprise_projects WHERE domain_id = $1 AND id = $2")
            .bind(domain.as_str())
            .bind(id)
            .fetch_optional(connection)
            .await
            .map_err(StoreError::database("look up an enterprise project"))?;
    match enabled {
        Some(true) => Ok(()),
        Some(false) => Err(StoreError::InvalidInstance { reason: format!("enterprise project {id:?} is disabled") }),
        None => Err(StoreError::InvalidInstance { reason: format!("there is no enterprise project {id:?}") }),
    }
}

fn enterprise_project(row: &Row) -> Result<EnterpriseProject, StoreError> {
    let failed = StoreError::database("read an enterprise project");
    Ok(EnterpriseProject {
        id: row.try_get("id").map_err(&failed)?,
        name: row.try_get("name").map_err(&failed)?,
        description: row.try_get("description").map_err(&failed)?,
        enabled: row.try_get("enabled").map_err(&failed)?,
    })
}
