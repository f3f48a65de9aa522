//! Domains, projects and enterprise projects.

use clew_model::{DomainId, ProjectId};

/// A domain, also called account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// Unique id.
    pub id: DomainId,
    /// Name, unique.
    pub name: String,
}

/// A project: the scope that owns instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Unique id.
    pub id: ProjectId,
    /// Name, unique in its domain.
    pub name: String,
    /// The domain that owns it.
    pub domain_id: DomainId,
    /// Name of the domain.
    pub domain_name: String,
    /// Description.
    pub description: String,
    /// Whether the project is enabled.
    pub enabled: bool,
    /// Whether statements are masked as templates for users who may not see them.
    pub masking: bool,
}

/// Changes of a project. `None` leaves a value as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectChange {
    /// Description.
    pub description: Option<String>,
    /// Whether the project is enabled.
    pub enabled: Option<bool>,
    /// Whether statements are masked.
    pub masking: Option<bool>,
}

/// An enterprise project: a group of instances that policies can refer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnterpriseProject {
    /// Unique id: a UUID with dashes, or `0` for the default project.
    pub id: String,
    /// Name, unique in its domain.
    pub name: String,
    /// Description.
    pub description: String,
    /// Whether instances can be added.
    pub enabled: bool,
}

/// Changes of an enterprise project. `None` leaves a value as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnterpriseProjectChange {
    /// Description.
    pub description: Option<String>,
    /// Whether instances can be added.
    pub enabled: Option<bool>,
}
