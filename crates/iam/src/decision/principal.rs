//! Principal of a request: the user, the credential scope and the policies that apply to the user.

use std::sync::Arc;

use clew_model::{DomainId, ProjectId, UserId};
use serde::Serialize;

use crate::access_request::{AccessRequest, RequestEnvironment, RequestingUser, Resource};
use crate::action::{Action, ActionResourceType};
use crate::evaluation_budget::EvaluationBudget;
use crate::policy::Policy;

/// Scope of a principal's credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialScope {
    /// Token for one project.
    Project(ProjectId),
    /// Domain token, which grants access to identities but not to project resources (API spec, section 3.2).
    Domain,
    /// Access key. An access key is valid for its domain and for all projects in the domain.
    AccessKey,
}

/// User or group to which a policy is attached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantSource {
    /// The policy is attached to the user.
    User,
    /// The policy is attached to a group. The value is the name of the group.
    Group(String),
}

/// A policy that applies to a user.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The granted policy.
    pub policy: Arc<Policy>,
    /// Name of the policy.
    pub policy_name: String,
    /// Source of the grant: the user or group to which the policy is attached.
    pub via: GrantSource,
    /// Project to which the grant is limited, or `None` if the grant covers the domain and all of its projects.
    pub project: Option<ProjectId>,
}

impl Grant {
    pub(crate) fn applies_to_action(&self, action: Action, resource: &Resource<'_>) -> bool {
        let Some(only) = &self.project else { return true };
        action.target != ActionResourceType::Domain
            && resource.project.as_ref().is_some_and(|project| project.id == only)
    }
}

/// The authenticated caller of a request.
#[derive(Debug, Clone)]
pub struct Principal {
    /// Id of the user.
    pub user_id: UserId,
    /// Name of the user.
    pub user_name: String,
    /// Id of the user's domain.
    pub domain_id: DomainId,
    /// Name of the domain.
    pub domain_name: String,
    /// Scope of the credentials.
    pub scope: CredentialScope,
    /// True if the user may perform every action in the domain, regardless of policies.
    pub administrator: bool,
    /// Policies attached to the user directly or through a group.
    pub grants: Arc<[Grant]>,
    /// Limit on the work for policy evaluation, shared by all authorization decisions of one request.
    pub budget: Arc<EvaluationBudget>,
}

impl Principal {
    /// Returns the total size in bytes of all policy documents that apply to the user.
    #[must_use]
    pub fn total_policy_bytes(&self) -> usize {
        self.grants.iter().map(|grant| grant.policy.document_size_bytes()).sum()
    }

    pub(super) fn build_access_request<'a>(
        &'a self,
        action: Action,
        resource: &'a Resource<'a>,
        environment: &'a RequestEnvironment,
    ) -> AccessRequest<'a> {
        let caller = RequestingUser {
            user_id: &self.user_id,
            user_name: &self.user_name,
            domain_id: &self.domain_id,
            domain_name: &self.domain_name,
        };
        AccessRequest { caller, action, resource, environment, budget: &self.budget }
    }
}
