//! What is asked: who wants to do what, to what, and in which circumstances. Policies and decisions look at nothing else.

use std::net::IpAddr;

use clew_model::{DomainId, InstanceId, ProjectId, Tag, UserId};
use jiff::Timestamp;

use crate::action::Action;
use crate::work_budget::WorkBudget;

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

/// The user who asks, as policies see them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Requester<'a> {
    pub(crate) user_id: &'a UserId,
    pub(crate) user_name: &'a str,
    pub(crate) domain_id: &'a DomainId,
    pub(crate) domain_name: &'a str,
}

/// Everything a statement can look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) requester: Requester<'a>,
    pub(crate) action: Action,
    pub(crate) resource: &'a Resource<'a>,
    pub(crate) environment: &'a Environment,
    /// Pays for every comparison.
    pub(crate) budget: &'a WorkBudget,
}
