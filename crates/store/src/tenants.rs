//! Domains, projects and enterprise projects.

use clew_model::{DomainId, ProjectId};

/// A domain, also called account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// Its id.
    pub id: DomainId,
    /// Its name, unique.
    pub name: String,
}

/// A project: the scope that owns instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Its name, unique in its domain.
    pub name: String,
    /// The domain that owns it.
    pub domain_id: DomainId,
    /// Name of that domain.
    pub domain_name: String,
    /// What it is for.
    pub description: String,
    /// Whether it may be used.
    pub enabled: bool,
    /// Whether statements are shown as templates to whoever may not see them whole.
    pub masking: bool,
}

/// What to change of a project. What is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectChange {
    /// What it is for.
    pub description: Option<String>,
    /// Whether it may be used.
    pub enabled: Option<bool>,
    /// Whether statements are masked.
    pub masking: Option<bool>,
}

/// An enterprise project: a label for instances that policies can ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnterpriseProject {
    /// Its id: a UUID with dashes, or `0` for the default one.
    pub id: String,
    /// Its name, unique in its domain.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Whether instances may be added to it.
    pub enabled: bool,
}

/// What to change of an enterprise project. What is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnterpriseProjectChange {
    /// What it is for.
    pub description: Option<String>,
    /// Whether instances may be added to it.
    pub enabled: Option<bool>,
}
