//! Domains, projects, users and access keys.

use clew_model::{AccessKeyId, DomainId, ProjectId, UserId};
use secrecy::SecretString;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row};

use super::failure::insert_failed;
use crate::error::StoreError;
use crate::identities::{AccessKey, Project, User};
use crate::sealing::Place;
use crate::store::Store;

const PROJECTS: &str = "SELECT p.id, p.name, p.description, p.enabled, d.id AS domain_id, d.name AS domain_name \
     FROM projects p JOIN domains d ON d.id = p.domain_id";

const USERS: &str = "SELECT u.id, u.name, u.password_hash, u.enabled, d.id AS domain_id, d.name AS domain_name \
     FROM users u JOIN domains d ON d.id = u.domain_id";

impl Store {
    /// Adds a domain. Fails if the name is taken.
    pub async fn add_domain(&self, name: &str) -> Result<DomainId, StoreError> {
        let id = DomainId::generate();
        sqlx::query("INSERT INTO domains (id, name, created_at) VALUES (?, ?, ?)")
            .bind(id.as_str())
            .bind(name)
            .bind(self.clock.seconds())
            .execute(&self.database.pool)
            .await
            .map_err(insert_failed("add a domain", "a domain", name))?;
        Ok(id)
    }

    /// Adds a project to a domain. Fails if the domain has one of this name.
    pub async fn add_project(&self, domain: &DomainId, name: &str) -> Result<ProjectId, StoreError> {
        let id = ProjectId::generate();
        sqlx::query("INSERT INTO projects (id, domain_id, name, created_at) VALUES (?, ?, ?, ?)")
            .bind(id.as_str())
            .bind(domain.as_str())
            .bind(name)
            .bind(self.clock.seconds())
            .execute(&self.database.pool)
            .await
            .map_err(insert_failed("add a project", "a project", name))?;
        Ok(id)
    }

    /// Adds a user to a domain. Fails if the domain has one of this name.
    pub async fn add_user(&self, domain: &DomainId, name: &str, password_hash: &str) -> Result<UserId, StoreError> {
        let id = UserId::generate();
        sqlx::query("INSERT INTO users (id, domain_id, name, password_hash, created_at) VALUES (?, ?, ?, ?, ?)")
            .bind(id.as_str())
            .bind(domain.as_str())
            .bind(name)
            .bind(password_hash)
            .bind(self.clock.seconds())
            .execute(&self.database.pool)
            .await
            .map_err(insert_failed("add a user", "a user", name))?;
        Ok(id)
    }

    /// Adds an access key to a user. Its secret is kept sealed.
    pub async fn add_access_key(
        &self,
        user: &UserId,
        id: &AccessKeyId,
        secret: &SecretString,
    ) -> Result<(), StoreError> {
        let sealed = self.sealer.seal(secret_of(id), secret)?;
        sqlx::query("INSERT INTO access_keys (id, user_id, secret, created_at) VALUES (?, ?, ?, ?)")
            .bind(id.as_str())
            .bind(user.as_str())
            .bind(sealed)
            .bind(self.clock.seconds())
            .execute(&self.database.pool)
            .await
            .map_err(insert_failed("add an access key", "an access key", id.as_str()))?;
        Ok(())
    }

    /// Name of a domain.
    pub async fn domain_name(&self, id: &DomainId) -> Result<Option<String>, StoreError> {
        sqlx::query_scalar("SELECT name FROM domains WHERE id = ?")
            .bind(id.as_str())
            .fetch_optional(&self.database.pool)
            .await
            .map_err(StoreError::database("look up a domain"))
    }

    /// A project by its id.
    pub async fn project(&self, id: &ProjectId) -> Result<Option<Project>, StoreError> {
        let row = sqlx::query(AssertSqlSafe(format!("{PROJECTS} WHERE p.id = ?")))
            .bind(id.as_str())
            .fetch_optional(&self.database.pool)
            .await
            .map_err(StoreError::database("look up a project"))?;
        row.as_ref().map(project).transpose()
    }

    /// A project of a domain by its name.
    pub async fn project_by_name(&self, domain: &DomainId, name: &str) -> Result<Option<Project>, StoreError> {
        let row = sqlx::query(AssertSqlSafe(format!("{PROJECTS} WHERE p.domain_id = ? AND p.name = ?")))
            .bind(domain.as_str())
            .bind(name)
            .fetch_optional(&self.database.pool)
            .await
            .map_err(StoreError::database("look up a project"))?;
        row.as_ref().map(project).transpose()
    }

    /// The projects of a domain, by name.
    pub async fn projects_of(&self, domain: &DomainId) -> Result<Vec<Project>, StoreError> {
        let rows = sqlx::query(AssertSqlSafe(format!("{PROJECTS} WHERE p.domain_id = ? ORDER BY p.name")))
            .bind(domain.as_str())
            .fetch_all(&self.database.pool)
            .await
            .map_err(StoreError::database("list projects"))?;
        rows.iter().map(project).collect()
    }

    /// The projects of all domains, by name.
    pub async fn all_projects(&self) -> Result<Vec<Project>, StoreError> {
        let rows = sqlx::query(AssertSqlSafe(format!("{PROJECTS} ORDER BY p.name, p.id")))
            .fetch_all(&self.database.pool)
            .await
            .map_err(StoreError::database("list projects"))?;
        rows.iter().map(project).collect()
    }

    /// A user by its id.
    pub async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        let row = sqlx::query(AssertSqlSafe(format!("{USERS} WHERE u.id = ?")))
            .bind(id.as_str())
            .fetch_optional(&self.database.pool)
            .await
            .map_err(StoreError::database("look up a user"))?;
        row.as_ref().map(user).transpose()
    }

    /// A user by the names of its domain and its own.
    pub async fn user_by_name(&self, domain: &str, name: &str) -> Result<Option<User>, StoreError> {
        let row = sqlx::query(AssertSqlSafe(format!("{USERS} WHERE d.name = ? AND u.name = ?")))
            .bind(domain)
            .bind(name)
            .fetch_optional(&self.database.pool)
            .await
            .map_err(StoreError::database("look up a user"))?;
        row.as_ref().map(user).transpose()
    }

    /// An access key with its user and its secret.
    pub async fn access_key(&self, id: &AccessKeyId) -> Result<Option<AccessKey>, StoreError> {
        let failed = StoreError::database("look up an access key");
        let row = sqlx::query("SELECT user_id, secret, enabled FROM access_keys WHERE id = ?")
            .bind(id.as_str())
            .fetch_optional(&self.database.pool)
            .await
            .map_err(&failed)?;
        let Some(row) = row else { return Ok(None) };
        let user_id = parsed::<UserId>(&row, "user_id")?;
        let Some(user) = self.user(&user_id).await? else { return Ok(None) };
        let sealed: Vec<u8> = row.try_get("secret").map_err(&failed)?;
        let enabled = row.try_get("enabled").map_err(&failed)?;
        Ok(Some(AccessKey { id: id.clone(), user, secret: self.sealer.open(secret_of(id), &sealed)?, enabled }))
    }
}

fn secret_of(id: &AccessKeyId) -> Place<'_> {
    Place { table: "access_keys", column: "secret", row: id.as_str() }
}

fn project(row: &SqliteRow) -> Result<Project, StoreError> {
    let failed = StoreError::database("read a project");
    Ok(Project {
        id: parsed(row, "id")?,
        name: row.try_get("name").map_err(&failed)?,
        domain_id: parsed(row, "domain_id")?,
        domain_name: row.try_get("domain_name").map_err(&failed)?,
        description: row.try_get("description").map_err(&failed)?,
        enabled: row.try_get("enabled").map_err(&failed)?,
    })
}

pub(super) fn user(row: &SqliteRow) -> Result<User, StoreError> {
    let failed = StoreError::database("read a user");
    Ok(User {
        id: parsed(row, "id")?,
        name: row.try_get("name").map_err(&failed)?,
        domain_id: parsed(row, "domain_id")?,
        domain_name: row.try_get("domain_name").map_err(&failed)?,
        password_hash: row.try_get("password_hash").map_err(&failed)?,
        enabled: row.try_get("enabled").map_err(&failed)?,
    })
}

/// A column that holds an id, or anything else that is parsed from text.
pub(super) fn parsed<T>(row: &SqliteRow, column: &'static str) -> Result<T, StoreError>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let text: String = row.try_get(column).map_err(StoreError::database("read a row"))?;
    text.parse().map_err(StoreError::damaged(column))
}
