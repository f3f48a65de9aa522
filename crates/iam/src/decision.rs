//! Who may do what: the one place of decisions.
//!
//! First what the credentials are good for, then whether the principal is an administrator, then the policies: an explicit
//! Deny beats every Allow, and what nothing allows is denied (spec section 4.6).

mod explanation;
mod principal;

use clew_model::ProjectId;
use serde::{Serialize, Serializer};

pub use crate::action::{AccessLevel, Action, Target};
pub use crate::request::{Environment, InstanceFacts, ProjectFacts, Resource};
pub use crate::work_budget::WorkBudget;
pub use explanation::{Explanation, StatementRef, Why, explain};
pub use principal::{Grant, Principal, Scope, Via};

use crate::policy::Effect;

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "decision", rename_all = "lowercase")]
pub enum Decision {
    /// They may.
    Allow,
    /// They may not.
    Deny {
        /// Why, for the log. An answer must not tell [`DenyReason::UnknownProject`] from [`DenyReason::ForeignProject`], or it
        /// would tell which projects exist.
        #[serde(serialize_with = "in_words")]
        reason: DenyReason,
    },
}

impl Decision {
    /// True if they may.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        *self == Self::Allow
    }
}

fn in_words<S: Serializer>(reason: &DenyReason, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(reason)
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DenyReason {
    /// There is no such project.
    #[error("there is no such project")]
    UnknownProject,
    /// The project belongs to another domain.
    #[error("the project belongs to another domain")]
    ForeignProject,
    /// The token is for another project.
    #[error("the token is for another project")]
    OtherProject,
    /// The token is for a domain.
    #[error("the token is for a domain; this needs one for the project")]
    DomainToken,
    /// The token is for a project.
    #[error("the token is for a project; this needs one for the domain")]
    ProjectToken,
    /// Nothing allows it.
    #[error("no policy allows it")]
    NoPolicy,
    /// A policy forbids it.
    #[error("statement {statement} of the policy {policy:?} denies it")]
    ExplicitDeny {
        /// The policy's name.
        policy: String,
        /// Which of its statements, from 1.
        statement: usize,
    },
    /// Evaluating the policies takes more work than one request may use.
    #[error("the policies that reach the user take too much work to evaluate")]
    WorkBudget,
}

/// Whether the principal's credentials are good for the action there, whatever the policies say.
pub fn check_scope(principal: &Principal, action: Action, resource: &Resource<'_>) -> Result<(), DenyReason> {
    if action.target == Target::Domain {
        return match principal.scope {
            Scope::AccessKey | Scope::Domain => Ok(()),
            Scope::Project(_) => Err(DenyReason::ProjectToken),
        };
    }
    let project = resource.project.as_ref().ok_or(DenyReason::UnknownProject)?;
    let owner = project.domain_id.ok_or(DenyReason::UnknownProject)?;
    if *owner != principal.domain_id {
        return Err(DenyReason::ForeignProject);
    }
    match &principal.scope {
        Scope::AccessKey => Ok(()),
        Scope::Project(own) if own == project.id => Ok(()),
        Scope::Project(_) => Err(DenyReason::OtherProject),
        Scope::Domain => Err(DenyReason::DomainToken),
    }
}

/// Whether the principal may do the action to the resource.
///
/// An action on a domain is one on the principal's own: the caller looks nowhere else.
#[must_use]
pub fn decide(principal: &Principal, action: Action, resource: &Resource<'_>, environment: &Environment) -> Decision {
    if let Err(reason) = check_scope(principal, action, resource) {
        return Decision::Deny { reason };
    }
    if principal.administrator {
        return Decision::Allow;
    }
    let request = principal.request(action, resource, environment);
    let mut decision = Decision::Deny { reason: DenyReason::NoPolicy };
    for grant in principal.grants.iter().filter(|grant| grant.reaches(action, resource)) {
        for (index, statement) in grant.policy.statements().iter().enumerate() {
            let matched = statement.matches(grant.policy.model(), &request);
            if principal.budget.is_exhausted() {
                return Decision::Deny { reason: DenyReason::WorkBudget };
            }
            if !matched {
                continue;
            }
            match statement.effect() {
                Effect::Allow => decision = Decision::Allow,
                Effect::Deny => {
                    let policy = grant.policy_name.clone();
                    return Decision::Deny { reason: DenyReason::ExplicitDeny { policy, statement: index + 1 } };
                }
            }
        }
    }
    decision
}

/// Whether some policy could allow the action in the project, whatever the resource and the conditions: a list is then
/// filtered, else refused. The caller checks [`check_scope`] separately. False where the principal's work budget is exhausted.
#[must_use]
pub fn could_ever_allow(principal: &Principal, action: Action, project: &ProjectId) -> bool {
    let grants = || principal.grants.iter().filter(|grant| grant.project.as_ref().is_none_or(|only| only == project));
    let any = |effect: Effect, always: bool| {
        grants().any(|grant| {
            let names = |statement: &crate::policy::Statement| {
                statement.effect() == effect
                    && statement.names(grant.policy.model(), action, &principal.budget)
                    && (!always || statement.is_unconditional())
            };
            grant.policy.statements().iter().any(names)
        })
    };
    let allowed = || any(Effect::Allow, false) && !any(Effect::Deny, true) && !principal.budget.is_exhausted();
    principal.administrator || allowed()
}
