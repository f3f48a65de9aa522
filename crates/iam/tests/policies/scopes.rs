//! Limits of policies: scopes of credentials, grants for one project, and administrators.

use std::sync::Arc;

use clew_iam::decision::{
    AccessDecision, AccessLevel, Action, ActionResourceType, CredentialScope, DenyReason, Grant, GrantSource,
    Principal, RequestEnvironment, Resource, TargetProject, decide_access, policies_may_allow_action,
};
use clew_iam::policy::Policy;
use clew_model::{DomainId, ProjectId, UserId};

const ALLOW_ALL: &str = r#"{"Version":"5.0","Statement":[{"Effect":"Allow","Action":["*"]}]}"#;

fn grant(document: &str, project: Option<ProjectId>) -> Grant {
    let policy = Arc::new(Policy::parse(document).unwrap());
    Grant { policy, policy_name: "p".to_owned(), via: GrantSource::User, project }
}

fn principal(domain_id: &DomainId, scope: CredentialScope, administrator: bool, grants: &[Grant]) -> Principal {
    Principal {
        user_id: UserId::generate(),
        user_name: "ada".into(),
        domain_id: domain_id.clone(),
        domain_name: "acme".into(),
        scope,
        administrator,
        grants: grants.into(),
        budget: Arc::default(),
    }
}

fn decide_for(
    principal: &Principal,
    action: Action,
    project: Option<(&ProjectId, Option<&DomainId>)>,
) -> AccessDecision {
    let project = project.map(|(id, domain_id)| TargetProject { id, name: "eu-1", domain_id });
    let resource = Resource { project, region: "eu-1", instance: None, request_tags: &[] };
    let now = "2026-06-12T12:00:00Z".parse().unwrap();
    decide_access(principal, action, &resource, &RequestEnvironment { now, source_ip: None, secure_transport: true })
}

fn denied(reason: DenyReason) -> AccessDecision {
    AccessDecision::Deny { reason }
}

#[test]
fn credentials_are_limited_to_their_domain_and_scope() {
    let (own, foreign) = (DomainId::generate(), DomainId::generate());
    let (project, sibling) = (ProjectId::generate(), ProjectId::generate());
    // Scope of the credentials, expected decision in the project, expected decision in the domain.
    let scopes = [
        (CredentialScope::AccessKey, AccessDecision::Allow, AccessDecision::Allow),
        (CredentialScope::Project(project.clone()), AccessDecision::Allow, denied(DenyReason::ProjectToken)),
        (CredentialScope::Project(sibling), denied(DenyReason::OtherProject), denied(DenyReason::ProjectToken)),
        (CredentialScope::Domain, denied(DenyReason::DomainToken), AccessDecision::Allow),
    ];
    for (scope, in_project, in_domain) in scopes {
        // Administrators and users with all permissions are limited to the scope of their credentials.
        for principal in [
            principal(&own, scope.clone(), true, &[]),
            principal(&own, scope.clone(), false, &[grant(ALLOW_ALL, None)]),
        ] {
            for &action in Action::ALL {
                if action.target == ActionResourceType::Domain {
                    assert_eq!(decide_for(&principal, action, None), in_domain, "{principal:?} {action:?}");
                    continue;
                }
                assert_eq!(
                    decide_for(&principal, action, Some((&project, Some(&own)))),
                    in_project,
                    "{principal:?} {action:?}"
                );
                assert_eq!(
                    decide_for(&principal, action, Some((&project, Some(&foreign)))),
                    denied(DenyReason::ForeignProject)
                );
                assert_eq!(decide_for(&principal, action, Some((&project, None))), denied(DenyReason::UnknownProject));
                assert_eq!(decide_for(&principal, action, None), denied(DenyReason::UnknownProject));
            }
        }
    }
}

#[test]
fn only_administrators_are_allowed_without_policies() {
    let (domain, project) = (DomainId::generate(), ProjectId::generate());
    for &action in Action::ALL {
        let user = principal(&domain, CredentialScope::AccessKey, false, &[]);
        assert_eq!(decide_for(&user, action, Some((&project, Some(&domain)))), denied(DenyReason::NoPolicy));
        assert!(!policies_may_allow_action(&user, action, &project));
        let denial = r#"{"Version":"5.0","Statement":[{"Effect":"Deny","Action":["*"]}]}"#;
        let administrator = principal(&domain, CredentialScope::AccessKey, true, &[grant(denial, None)]);
        assert_eq!(decide_for(&administrator, action, Some((&project, Some(&domain)))), AccessDecision::Allow);
        assert!(policies_may_allow_action(&administrator, action, &project));
    }
}

#[test]
fn grant_for_one_project_applies_only_there() {
    let (domain, project, sibling) = (DomainId::generate(), ProjectId::generate(), ProjectId::generate());
    let user = principal(&domain, CredentialScope::AccessKey, false, &[grant(ALLOW_ALL, Some(project.clone()))]);
    for &action in Action::ALL {
        let here = decide_for(&user, action, Some((&project, Some(&domain))));
        assert_eq!(here.is_allowed(), action.target != ActionResourceType::Domain, "{action:?}");
        assert!(!decide_for(&user, action, Some((&sibling, Some(&domain)))).is_allowed(), "{action:?}");
        assert!(
            policies_may_allow_action(&user, action, &project) && !policies_may_allow_action(&user, action, &sibling)
        );
    }
}

#[test]
fn explicit_deny_names_its_statement() {
    let (domain, project) = (DomainId::generate(), ProjectId::generate());
    let document =
        r#"{"Version":"5.0","Statement":[{"Effect":"Allow","Action":["*"]},{"Effect":"Deny","Action":["*"]}]}"#;
    let user = principal(&domain, CredentialScope::AccessKey, false, &[grant(document, None)]);
    let reason = DenyReason::ExplicitDeny { policy: "p".to_owned(), statement: 2 };
    assert_eq!(reason.to_string(), "statement 2 of the policy \"p\" denies the action");
    assert_eq!(decide_for(&user, Action::LIST_PROCESSES, Some((&project, Some(&domain)))), denied(reason));
}

#[test]
fn possible_permissions_are_detected() {
    let (domain, project) = (DomainId::generate(), ProjectId::generate());
    let could = |statements: &str| {
        let document = format!(r#"{{"Version":"5.0","Statement":[{statements}]}}"#);
        let user = principal(&domain, CredentialScope::AccessKey, false, &[grant(&document, None)]);
        policies_may_allow_action(&user, Action::LIST_INSTANCES, &project)
    };
    let by_tag = r#"{"Effect":"Allow","Action":["*"],"Condition":{"StringEquals":{"g:ResourceTag/env":"x"}}}"#;
    let by_resource = r#"{"Effect":"Allow","Action":["*:*:list"],"Resource":["gaussdbformysql:*:*:instance:x"]}"#;
    let other = r#"{"Effect":"Allow","Action":["gaussdbformysql:instance:get"]}"#;
    let deny_some = r#"{"Effect":"Deny","Action":["*"],"Condition":{"StringEquals":{"g:ResourceTag/env":"x"}}}"#;
    let deny_most = r#"{"Effect":"Deny","Action":["*"],"NotResource":["*:*:*:instance:x"]}"#;
    let deny_all = r#"{"Effect":"Deny","Action":["*"]}"#;
    assert!(could(by_tag) && could(by_resource) && !could(other) && !could(deny_all));
    assert!(could(&format!("{by_tag},{deny_some}")) && could(&format!("{by_tag},{deny_most}")));
    assert!(!could(&format!("{by_tag},{deny_all}")));
}

#[test]
fn action_table_is_consistent() {
    for (index, action) in Action::ALL.iter().enumerate() {
        assert_eq!(Action::find_action_by_name(&action.name.to_uppercase()), Some(*action));
        assert!(Action::ALL.iter().skip(index + 1).all(|other| other.name != action.name), "{}", action.name);
        assert_eq!(action.name.split(':').count(), 3);
        assert_eq!(action.alias.split(':').count(), 3);
        // An action without a resource type supports no condition on a resource.
        assert_eq!(action.keys.is_empty(), action.target != ActionResourceType::Instance, "{}", action.name);
        let reads =
            ["get", "list", "show"].iter().any(|verb| action.name.rsplit(':').next().unwrap().starts_with(verb));
        let changes = matches!(action.level, AccessLevel::Write | AccessLevel::PermissionManagement);
        assert_ne!(reads, changes, "{}", action.name);
    }
}
