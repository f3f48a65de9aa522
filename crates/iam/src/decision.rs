//! Who may do what: the one place of decisions.
//!
//! Until policies are kept, a user may do everything in the projects of their own domain and nothing anywhere else.

use clew_model::{DomainId, ProjectId, UserId};

/// How much an action can change (spec section 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccessLevel {
    /// Lists things.
    List,
    /// Reads a thing.
    Read,
    /// Changes a thing.
    Write,
}

/// An action that a request needs: its names in the two models of permissions (spec sections 4.1 and 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Action {
    /// Name in the model of identity policies.
    pub name: &'static str,
    /// Name in the model of roles.
    pub alias: &'static str,
    /// How much it can change.
    pub level: AccessLevel,
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $level:ident $action:literal $alias:literal;)+) => {
        impl Action {
            $($(#[$doc])* pub const $name: Self = Self { name: $action, alias: $alias, level: AccessLevel::$level };)+

            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
        }
    };
}

actions! {
    /// Start a collection, ask for its state, download its result.
    GET_REALTIME_SESSION = Read "gaussdbformysql:instance:getRealtimeSession" "gaussdb:instance:getRealtimeSession";
    /// List instances.
    LIST_INSTANCES = List "gaussdbformysql:instance:list" "gaussdb:instance:list";
    /// Show one instance.
    GET_INSTANCE = Read "gaussdbformysql:instance:get" "gaussdb:instance:list";
}

/// What a principal's credentials are good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// A token of one project.
    Project(ProjectId),
    /// A token of the whole domain: for identities, not for a project's things (spec section 3.2).
    Domain,
    /// An access key: any project of the domain.
    AccessKey,
}

/// Who is asking.
#[derive(Debug, Clone, PartialEq, Eq)]
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
}

/// What the action would be done to: something of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resource<'a> {
    /// The project of the request's path.
    pub project_id: &'a ProjectId,
    /// The domain that owns it; nothing if there is no such project, or it is disabled.
    pub domain_id_of_project: Option<&'a DomainId>,
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// They may.
    Allow,
    /// They may not.
    Deny {
        /// Why, for the log. An answer must not tell [`DenyReason::UnknownProject`] from [`DenyReason::ForeignProject`], or it
        /// would tell which projects exist.
        reason: DenyReason,
    },
}

impl Decision {
    /// True if they may.
    #[must_use]
    pub fn is_allowed(self) -> bool {
        self == Self::Allow
    }
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
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
}

/// Whether the principal may do the action to the resource.
#[must_use]
pub fn decide(principal: &Principal, _action: Action, resource: Resource<'_>) -> Decision {
    let deny = |reason| Decision::Deny { reason };
    let Some(owner) = resource.domain_id_of_project else { return deny(DenyReason::UnknownProject) };
    if *owner != principal.domain_id {
        return deny(DenyReason::ForeignProject);
    }
    match &principal.scope {
        Scope::AccessKey => Decision::Allow,
        Scope::Project(project) if project == resource.project_id => Decision::Allow,
        Scope::Project(_) => deny(DenyReason::OtherProject),
        Scope::Domain => deny(DenyReason::DomainToken),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(domain_id: &DomainId, scope: Scope) -> Principal {
        Principal {
            user_id: UserId::generate(),
            user_name: "ada".into(),
            domain_id: domain_id.clone(),
            domain_name: "acme".into(),
            scope,
        }
    }

    fn denied(reason: DenyReason) -> Decision {
        Decision::Deny { reason }
    }

    #[test]
    fn every_kind_of_credential_is_held_to_its_domain_and_scope() {
        let (own, foreign) = (DomainId::generate(), DomainId::generate());
        let (project, sibling) = (ProjectId::generate(), ProjectId::generate());
        let scopes = [Scope::AccessKey, Scope::Project(project.clone()), Scope::Project(sibling), Scope::Domain];
        let expected =
            [Decision::Allow, Decision::Allow, denied(DenyReason::OtherProject), denied(DenyReason::DomainToken)];
        for (scope, expected) in scopes.into_iter().zip(expected) {
            let principal = principal(&own, scope);
            for &action in Action::ALL {
                let decide_for =
                    |owner| decide(&principal, action, Resource { project_id: &project, domain_id_of_project: owner });
                assert_eq!(decide_for(Some(&own)), expected, "{principal:?} {action:?}");
                assert_eq!(decide_for(Some(&foreign)), denied(DenyReason::ForeignProject), "{principal:?}");
                assert_eq!(decide_for(None), denied(DenyReason::UnknownProject), "{principal:?}");
            }
        }
    }

    #[test]
    fn a_token_of_another_domains_project_opens_nothing_there() {
        let (own, foreign, project) = (DomainId::generate(), DomainId::generate(), ProjectId::generate());
        let principal = principal(&own, Scope::Project(project.clone()));
        let resource = Resource { project_id: &project, domain_id_of_project: Some(&foreign) };
        assert!(!decide(&principal, Action::LIST_INSTANCES, resource).is_allowed());
    }
}
