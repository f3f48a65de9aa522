//! Decides whether a principal may perform an action.
//!
//! Each authorization decision checks the credential scope first, then the administrator flag, then the policies.
//! Policies allow an action if an Allow statement matches and no Deny statement matches (API spec, section 4.6).

mod explanation;
mod principal;

use clew_model::ProjectId;
use serde::{Serialize, Serializer};

pub use crate::access_request::{RequestEnvironment, Resource, TargetInstance, TargetProject};
pub use crate::action::{AccessLevel, Action, ActionResourceType};
pub use crate::evaluation_budget::EvaluationBudget;
pub use explanation::{DecisionExplanation, PolicyStatementOutcome, PolicyStatementRef, explain_decision};
pub use principal::{CredentialScope, Grant, GrantSource, Principal};

use crate::policy::Effect;

/// Result of an authorization decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "decision", rename_all = "lowercase")]
pub enum AccessDecision {
    /// The action is allowed.
    Allow,
    /// The action is denied.
    Deny {
        /// Reason for the denial, for logs only.
        ///
        /// API responses must not distinguish [`DenyReason::UnknownProject`] from [`DenyReason::ForeignProject`].
        /// Different responses for unknown and foreign projects would reveal which projects exist in other domains.
        #[serde(serialize_with = "serialize_deny_reason")]
        reason: DenyReason,
    },
}

impl AccessDecision {
    /// Returns true if the action is allowed.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        *self == Self::Allow
    }
}

fn serialize_deny_reason<S: Serializer>(reason: &DenyReason, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(reason)
}

/// Reason why an action is denied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DenyReason {
    /// The project does not exist.
    #[error("the project does not exist")]
    UnknownProject,
    /// The project belongs to another domain.
    #[error("the project belongs to another domain")]
    ForeignProject,
    /// The token is scoped to another project.
    #[error("the token is scoped to another project")]
    OtherProject,
    /// The token is scoped to a domain.
    #[error("the token is scoped to a domain, but the action requires a token for the project")]
    DomainToken,
    /// The token is scoped to a project.
    #[error("the token is scoped to a project, but the action requires a token for the domain")]
    ProjectToken,
    /// No policy allows the action.
    #[error("no policy allows the action")]
    NoPolicy,
    /// A policy denies the action.
    #[error("statement {statement} of the policy {policy:?} denies the action")]
    ExplicitDeny {
        /// Name of the policy that denies the action.
        policy: String,
        /// Position of the statement in the policy document, counted from 1.
        statement: usize,
    },
    /// Policy evaluation has exhausted the evaluation budget of the request.
    #[error("the evaluation of the user's policies exceeds the evaluation budget")]
    EvaluationBudget,
}

/// Checks that the principal's credential scope covers the resource. The function does not evaluate policies.
pub fn check_credential_scope(
    principal: &Principal,
    action: Action,
    resource: &Resource<'_>,
) -> Result<(), DenyReason> {
    if action.target == ActionResourceType::Domain {
        return match principal.scope {
            CredentialScope::AccessKey | CredentialScope::Domain => Ok(()),
            CredentialScope::Project(_) => Err(DenyReason::ProjectToken),
        };
    }
    let project = resource.project.as_ref().ok_or(DenyReason::UnknownProject)?;
    let owner = project.domain_id.ok_or(DenyReason::UnknownProject)?;
    if *owner != principal.domain_id {
        return Err(DenyReason::ForeignProject);
    }
    match &principal.scope {
        CredentialScope::AccessKey => Ok(()),
        CredentialScope::Project(own) if own == project.id => Ok(()),
        CredentialScope::Project(_) => Err(DenyReason::OtherProject),
        CredentialScope::Domain => Err(DenyReason::DomainToken),
    }
}

/// Decides whether the principal may perform the action on the resource.
///
/// An action on a domain, such as listing identities, always applies to the principal's own domain.
#[must_use]
pub fn decide_access(
    principal: &Principal,
    action: Action,
    resource: &Resource<'_>,
    environment: &RequestEnvironment,
) -> AccessDecision {
    if let Err(reason) = check_credential_scope(principal, action, resource) {
        return AccessDecision::Deny { reason };
    }
    if principal.administrator {
        return AccessDecision::Allow;
    }
    let request = principal.build_access_request(action, resource, environment);
    let mut decision = AccessDecision::Deny { reason: DenyReason::NoPolicy };
    for grant in principal.grants.iter().filter(|grant| grant.applies_to_action(action, resource)) {
        for (index, statement) in grant.policy.statements().iter().enumerate() {
            let matched = statement.matches_request(grant.policy.permission_model(), &request);
            if principal.budget.is_exhausted() {
                return AccessDecision::Deny { reason: DenyReason::EvaluationBudget };
            }
            if !matched {
                continue;
            }
            match statement.effect() {
                Effect::Allow => decision = AccessDecision::Allow,
                Effect::Deny => {
                    let policy = grant.policy_name.clone();
                    return AccessDecision::Deny { reason: DenyReason::ExplicitDeny { policy, statement: index + 1 } };
                }
            }
        }
    }
    decision
}

/// Returns true if the principal's policies can allow the action on at least one resource in the project.
///
/// If `policies_may_allow_action` returns false, the API rejects requests to list the project's resources.
/// Does not check the credential scope. The caller must check the scope with [`check_credential_scope`].
/// If the evaluation budget is exhausted, the function returns true only for administrators.
#[must_use]
pub fn policies_may_allow_action(principal: &Principal, action: Action, project: &ProjectId) -> bool {
    let grants = || principal.grants.iter().filter(|grant| grant.project.as_ref().is_none_or(|only| only == project));
    let any = |effect: Effect, always: bool| {
        grants().any(|grant| {
            let names = |statement: &crate::policy::Statement| {
                statement.effect() == effect
                    && statement.matches_action(grant.policy.permission_model(), action, &principal.budget)
                    && (!always || statement.applies_unconditionally_to_all_resources())
            };
            grant.policy.statements().iter().any(names)
        })
    };
    let allowed = || any(Effect::Allow, false) && !any(Effect::Deny, true) && !principal.budget.is_exhausted();
    principal.administrator || allowed()
}
