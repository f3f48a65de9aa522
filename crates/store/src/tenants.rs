//! Domains, projects and enterprise projects.

pub(crate) mod enterprise_projects;
pub(crate) mod projects;
