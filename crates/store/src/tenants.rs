//! Types for domains, projects and enterprise projects.

use clew_model::{DomainId, ProjectId};

/// Tenant that is isolated from all other tenants.
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
    /// True if users without permission to see statements receive statement templates (without literals).
    pub masking: bool,
}

/// Changes to a project. Fields that are `None` stay unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectChange {
    /// Description.
    pub description: Option<String>,
    /// True if the project is enabled.
    pub enabled: Option<bool>,
    /// True if users without permission to see statements receive statement templates (without literals).
    pub masking: Option<bool>,
}

/// Group of instances to which policies can refer.
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

/// Changes to an enterprise project. Fields that are `None` stay unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnterpriseProjectChange {
    /// Description.
    pub description: Option<String>,
    /// True if instances can be added to the enterprise project.
    pub enabled: Option<bool>,
}
