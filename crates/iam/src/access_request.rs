//! Input of policy evaluation: caller, action, resource and request environment.

use std::net::IpAddr;

use clew_model::{DomainId, Instance, InstanceId, ProjectId, Tag, UserId};
use jiff::Timestamp;

use crate::action::Action;
use crate::evaluation_budget::EvaluationBudget;

/// Project that a request refers to.
#[derive(Debug, Clone, Copy)]
pub struct TargetProject<'a> {
    /// Id that the request contains.
    pub id: &'a ProjectId,
    /// Name of the project, or an empty string if the project does not exist.
    pub name: &'a str,
    /// Domain that owns the project, or `None` if the project does not exist or is disabled.
    pub domain_id: Option<&'a DomainId>,
}

/// Instance that a request refers to.
#[derive(Debug, Clone, Copy)]
pub struct TargetInstance<'a> {
    /// Id that the request contains.
    pub id: &'a InstanceId,
    /// Enterprise project id, or `None` if the instance does not exist.
    pub enterprise_project_id: Option<&'a str>,
    /// Tags of the instance. The list is empty if the instance does not exist.
    pub tags: &'a [Tag],
}

impl<'a> From<&'a Instance> for TargetInstance<'a> {
    fn from(instance: &'a Instance) -> Self {
        let enterprise_project_id = Some(instance.enterprise_project_id.as_str());
        Self { id: &instance.id, enterprise_project_id, tags: &instance.tags }
    }
}

/// Resource that an action applies to.
#[derive(Debug, Clone, Copy)]
pub struct Resource<'a> {
    /// Project, or `None` for an action on the domain.
    pub project: Option<TargetProject<'a>>,
    /// Region of this server.
    pub region: &'a str,
    /// Instance, or `None` if the request applies to no instance or to all instances in a project.
    pub instance: Option<TargetInstance<'a>>,
    /// Tags that the request adds or removes.
    pub request_tags: &'a [Tag],
}

/// Properties of a request that policy conditions can test: time, client address and use of TLS.
#[derive(Debug, Clone, Copy)]
pub struct RequestEnvironment {
    /// Time of the request.
    pub now: Timestamp,
    /// Client IP address, or `None` if it is unknown.
    pub source_ip: Option<IpAddr>,
    /// True if the request uses TLS.
    pub secure_transport: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestingUser<'a> {
    pub(crate) user_id: &'a UserId,
    pub(crate) user_name: &'a str,
    pub(crate) domain_id: &'a DomainId,
    pub(crate) domain_name: &'a str,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct AccessRequest<'a> {
    pub(crate) caller: RequestingUser<'a>,
    pub(crate) action: Action,
    pub(crate) resource: &'a Resource<'a>,
    pub(crate) environment: &'a RequestEnvironment,
    pub(crate) budget: &'a EvaluationBudget,
}
