//! What the action would be done to, and in which circumstances.

use std::net::IpAddr;

use clew_model::{DomainId, InstanceId, ProjectId, Tag};
use jiff::Timestamp;

/// The project of a request.
#[derive(Debug, Clone, Copy)]
pub struct ProjectFacts<'a> {
    /// Its id, as the request names it.
    pub id: &'a ProjectId,
    /// Its name; empty if there is no such project.
    pub name: &'a str,
    /// The domain that owns it; nothing if there is no such project, or it is disabled.
    pub domain_id: Option<&'a DomainId>,
}

/// The instance of a request.
#[derive(Debug, Clone, Copy)]
pub struct InstanceFacts<'a> {
    /// Its id, as the request names it.
    pub id: &'a InstanceId,
    /// Its enterprise project; nothing if there is no such instance.
    pub enterprise_project_id: Option<&'a str>,
    /// Its tags; none if there is no such instance.
    pub tags: &'a [Tag],
}

/// What the action would be done to.
#[derive(Debug, Clone, Copy)]
pub struct Resource<'a> {
    /// The project; nothing for an action on the domain.
    pub project: Option<ProjectFacts<'a>>,
    /// The region that this server plays.
    pub region: &'a str,
    /// The instance; nothing where the request is about none, or about all of a project.
    pub instance: Option<InstanceFacts<'a>>,
    /// Tags that the request would add or remove.
    pub request_tags: &'a [Tag],
}

/// The circumstances of a request.
#[derive(Debug, Clone, Copy)]
pub struct Environment {
    /// When it came.
    pub now: Timestamp,
    /// From where; nothing if that is not known.
    pub source_ip: Option<IpAddr>,
    /// True if it came over TLS.
    pub secure_transport: bool,
}
