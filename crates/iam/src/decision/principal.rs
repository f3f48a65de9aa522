//! Who is asking: the user, what their credentials are good for, and the policies that reach them.

use std::sync::Arc;

use clew_model::{DomainId, ProjectId, UserId};
use serde::Serialize;

use crate::action::{Action, Target};
use crate::policy::Policy;
use crate::request::{Environment, Request, Requester, Resource};
use crate::work_budget::WorkBudget;

/// What a principal's credentials are good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// A token of one project.
    Project(ProjectId),
    /// A token of the whole domain: for identities, not for a project's things (spec section 3.2).
    Domain,
    /// An access key: any project of the domain, and the domain.
    AccessKey,
}

/// How a policy reaches a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// It is attached to the user.
    User,
    /// It is attached to a group of this name.
    Group(String),
}

/// A policy that reaches a user.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The policy.
    pub policy: Arc<Policy>,
    /// Its name.
    pub policy_name: String,
    /// How it reaches the user.
    pub via: Via,
    /// The one project that it is good for; nothing means all of them, and the domain.
    pub project: Option<ProjectId>,
}

impl Grant {
    /// True if the grant is good for where the action would be done.
    pub(crate) fn reaches(&self, action: Action, resource: &Resource<'_>) -> bool {
        let Some(only) = &self.project else { return true };
        action.target != Target::Domain && resource.project.as_ref().is_some_and(|project| project.id == only)
    }
}

/// Who is asking.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The user.
    pub user_id: UserId,
    /// Their name.
    pub user_name: String,
    /// The domain they belong to.
    pub domain_id: DomainId,
    /// Its name.
    pub domain_name: String,
    /// What their credentials are good for.
    pub scope: Scope,
    /// May do everything in their domain, whatever the policies say.
    pub administrator: bool,
    /// The policies that reach them, directly and by their groups.
    pub grants: Arc<[Grant]>,
    /// The work that evaluating them may take, for all decisions of one request together.
    pub budget: Arc<WorkBudget>,
}

impl Principal {
    /// Bytes of the documents of all policies that reach them.
    #[must_use]
    pub fn policy_bytes(&self) -> usize {
        self.grants.iter().map(|grant| grant.policy.bytes()).sum()
    }

    /// What they ask, as policies see it.
    pub(super) fn request<'a>(
        &'a self,
        action: Action,
        resource: &'a Resource<'a>,
        environment: &'a Environment,
    ) -> Request<'a> {
        let requester = Requester {
            user_id: &self.user_id,
            user_name: &self.user_name,
            domain_id: &self.domain_id,
            domain_name: &self.domain_name,
        };
        Request { requester, action, resource, environment, budget: &self.budget }
    }
}
