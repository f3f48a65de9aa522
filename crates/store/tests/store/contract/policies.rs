//! Policies, attachments and grants.

use clew_model::{PolicyId, ProjectId};
use clew_store::{CustomOrBuiltInPolicy, Grantee, PolicyAttachment, PolicyGrant, PolicyLimits, PolicyRef, StoreError};
use rstest::rstest;

use super::users::new_user;
use crate::database::Database;
use crate::fixture::{Fixture, origin};

fn system_policy() -> PolicyRef {
    PolicyRef::System("TaurusDB ReadOnlyAccess".into())
}

#[rstest]
#[tokio::test]
async fn policy_is_replaced_by_name_and_removed_when_detached(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let (store, domain) = (&fixture.store, &fixture.initial_ids.domain_id);
    let id = store.policies().put_policy(&origin(), domain, "viewer", "role", "{1}", "first").await.unwrap();
    fixture.advance_clock(5000);
    assert_eq!(
        store.policies().put_policy(&origin(), domain, "viewer", "identity", "{2}", "second").await.unwrap(),
        id
    );
    let found = store.policies().find_policy_by_name(domain, "viewer").await.unwrap().unwrap();
    assert_eq!((&*found.model, &*found.document, &*found.description), ("identity", "{2}", "second"));
    assert_eq!((found.created_at, found.updated_at, &found.id), (1000, 1005, &id));
    let other = fixture.other_domain().await;
    assert!(store.policies().find_policy_by_name(&other, "viewer").await.unwrap().is_none());
    assert_ne!(store.policies().put_policy(&origin(), &other, "viewer", "role", "{}", "").await.unwrap(), id);
    assert!(store.policies().put_policy(&origin(), domain, "odd", "neither", "{}", "").await.is_err());
    assert_eq!(store.policies().list_policies(domain).await.unwrap().len(), 1);

    let (own, admin) = (PolicyRef::Custom(id.clone()), Grantee::User(fixture.initial_ids.user_id.clone()));
    assert!(store.policies().attach_policy(&origin(), &own, &admin, None).await.unwrap());
    let refused = store.policies().remove_policy(&origin(), &id).await;
    assert!(matches!(refused, Err(StoreError::InUse { times: 1, .. })), "{refused:?}");
    assert!(store.policies().detach_policy(&origin(), &own, &admin, None).await.unwrap());
    assert!(store.policies().remove_policy(&origin(), &id).await.unwrap());
    assert!(!store.policies().remove_policy(&origin(), &id).await.unwrap());
    assert!(store.policies().find_policy(&id).await.unwrap().is_none());
}

#[rstest]
#[tokio::test]
async fn policy_applies_directly_and_through_groups(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let (store, domain, project) = (&fixture.store, &fixture.initial_ids.domain_id, &fixture.initial_ids.project_id);
    let (ada, grace) = (fixture.user("ada").await, fixture.user("grace").await);
    let dbas = store.identities().create_group(&origin(), domain, "dbas", "").await.unwrap();
    let idle = store.identities().create_group(&origin(), domain, "idle", "").await.unwrap();
    store.identities().add_group_member(&origin(), &dbas, &ada).await.unwrap();
    let viewer = store.policies().put_policy(&origin(), domain, "viewer", "role", "{viewer}", "").await.unwrap();
    let own = PolicyRef::Custom(viewer);
    for (policy, to, project) in [
        (&own, Grantee::User(ada.clone()), None),
        (&own, Grantee::Group(dbas.clone()), Some(project)),
        (&system_policy(), Grantee::Group(dbas.clone()), None),
        (&system_policy(), Grantee::Group(idle.clone()), None),
        (&system_policy(), Grantee::User(grace.clone()), None),
    ] {
        assert!(store.policies().attach_policy(&origin(), policy, &to, project).await.unwrap());
        assert!(
            !store.policies().attach_policy(&origin(), policy, &to, project).await.unwrap(),
            "the policy is already attached"
        );
    }
    let own_policy = CustomOrBuiltInPolicy::Custom { name: "viewer".into(), document: "{viewer}".into() };
    let stored_system_policy = CustomOrBuiltInPolicy::System { name: "TaurusDB ReadOnlyAccess".into() };
    let grant = |policy: &CustomOrBuiltInPolicy, via_group: Option<&str>, project: Option<&ProjectId>| PolicyGrant {
        policy: policy.clone(),
        via_group: via_group.map(str::to_owned),
        project: project.cloned(),
    };
    assert_eq!(
        store.policies().list_user_policy_grants(&ada).await.unwrap(),
        [
            grant(&own_policy, None, None),
            grant(&stored_system_policy, Some("dbas"), None),
            grant(&own_policy, Some("dbas"), Some(project)),
        ]
    );
    assert_eq!(
        store.policies().list_user_policy_grants(&grace).await.unwrap(),
        [grant(&stored_system_policy, None, None)]
    );
    assert!(store.policies().list_user_policy_grants(&fixture.initial_ids.user_id).await.unwrap().is_empty());

    let attached = PolicyAttachment { policy: own.clone(), grantee: Grantee::User(ada.clone()), project: None };
    assert_eq!(
        store.policies().list_attachments_by_grantee(&Grantee::User(ada.clone())).await.unwrap(),
        std::slice::from_ref(&attached)
    );
    let of_own = store.policies().list_policy_attachments(&own).await.unwrap();
    assert_eq!((of_own.len(), &of_own[0]), (2, &attached));
    assert_eq!(store.policies().list_policy_attachments(&system_policy()).await.unwrap().len(), 3);
    assert!(
        !store.policies().detach_policy(&origin(), &own, &Grantee::Group(dbas.clone()), None).await.unwrap(),
        "it is attached in a project only"
    );
    assert!(
        store.policies().detach_policy(&origin(), &own, &Grantee::Group(dbas.clone()), Some(project)).await.unwrap()
    );
    store.identities().remove_group(&origin(), &dbas).await.unwrap();
    assert_eq!(store.policies().list_user_policy_grants(&ada).await.unwrap(), [grant(&own_policy, None, None)]);
    store.identities().remove_user(&origin(), &ada).await.unwrap();
    assert!(
        store.policies().list_policy_attachments(&own).await.unwrap().is_empty(),
        "attachments are removed with their grantee"
    );
}

#[rstest]
#[tokio::test]
async fn attachment_across_domains_is_rejected(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    let store = &fixture.store;
    let other = fixture.other_domain().await;
    let theirs = store.policies().put_policy(&origin(), &other, "viewer", "role", "{}", "").await.unwrap();
    let their_project = store.tenants().create_project(&origin(), &other, "p", "").await.unwrap();
    let them = Grantee::User(store.identities().create_user(&origin(), &other, &new_user("eve")).await.unwrap());
    let us = Grantee::User(fixture.initial_ids.user_id.clone());
    for (policy, to, project) in [
        (PolicyRef::Custom(theirs.clone()), &us, None),
        (PolicyRef::Custom(PolicyId::generate()), &us, None),
        (system_policy(), &us, Some(&their_project)),
        (PolicyRef::Custom(theirs.clone()), &them, Some(&fixture.initial_ids.project_id)),
        (system_policy(), &Grantee::Group(clew_model::GroupId::generate()), None),
    ] {
        let refused = store.policies().attach_policy(&origin(), &policy, to, project).await;
        assert!(matches!(refused, Err(StoreError::Unknown { .. })), "{policy:?}: {refused:?}");
    }
    assert!(
        store
            .policies()
            .attach_policy(&origin(), &PolicyRef::Custom(theirs), &them, Some(&their_project))
            .await
            .unwrap()
    );
}

#[rstest]
#[tokio::test]
async fn policy_limits_of_users_and_groups_are_enforced(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let store = fixture.store.clone().with_policy_limits(PolicyLimits { policies: 3, bytes: 100 });
    let domain = &fixture.initial_ids.domain_id;
    let ada = fixture.user("ada").await;
    let (user, dbas) =
        (Grantee::User(ada.clone()), store.identities().create_group(&origin(), domain, "dbas", "").await.unwrap());
    let group = Grantee::Group(dbas.clone());
    let put = async |name: &str, document: &str| {
        PolicyRef::Custom(store.policies().put_policy(&origin(), domain, name, "role", document, "").await.unwrap())
    };
    let (one, two, three) = (put("one", "{1}").await, put("two", "{2}").await, put("three", "{3}").await);
    for policy in [&one, &two] {
        assert!(store.policies().attach_policy(&origin(), policy, &user, None).await.unwrap());
    }
    for policy in [&one, &three] {
        assert!(store.policies().attach_policy(&origin(), policy, &group, None).await.unwrap());
    }
    // Two user policies and two group policies would exceed the limit, so the user cannot join the group.
    let refused = store.identities().add_group_member(&origin(), &dbas, &ada).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "\"ada\" would have 4 policies with 12 bytes; a user or group may have 3 policies with 100 bytes in all; \
         fix: detach policies that are no longer needed, or merge them"
    );
    assert!(store.identities().list_group_members(&dbas).await.unwrap().is_empty());
    assert!(store.policies().detach_policy(&origin(), &two, &user, None).await.unwrap());
    assert!(store.identities().add_group_member(&origin(), &dbas, &ada).await.unwrap());
    // A third group policy would exceed the limit of a member. A group without members may have a third policy.
    for (policy, grantee) in [(&two, &user), (&two, &group), (&system_policy(), &group)] {
        let refused = store.policies().attach_policy(&origin(), policy, grantee, None).await;
        assert!(matches!(refused, Err(StoreError::TooManyPolicies { policies: 4, .. })), "{refused:?}");
    }
    assert_eq!(store.policies().list_user_policy_grants(&ada).await.unwrap().len(), 3);
    let idle = Grantee::Group(store.identities().create_group(&origin(), domain, "idle", "").await.unwrap());
    for policy in [&one, &two, &system_policy()] {
        assert!(store.policies().attach_policy(&origin(), policy, &idle, None).await.unwrap());
    }
    let refused = store.policies().attach_policy(&origin(), &three, &idle, None).await.unwrap_err();
    assert!(refused.to_string().starts_with("\"idle\" would have 4 policies"), "{refused}");

    // A policy cannot grow beyond a user's limit. It counts twice for ada. A policy can always shrink.
    let long = |length: usize| format!("{{{}}}", "é".repeat(length / 2 - 1));
    let refused = store.policies().put_policy(&origin(), domain, "one", "role", &long(50), "").await;
    assert!(matches!(refused, Err(StoreError::TooManyPolicies { bytes: 103, .. })), "{refused:?}");
    assert_eq!(store.policies().find_policy_by_name(domain, "one").await.unwrap().unwrap().document, "{1}");
    store.policies().put_policy(&origin(), domain, "one", "role", &long(48), "").await.unwrap();
    let narrow = fixture.store.clone().with_policy_limits(PolicyLimits { policies: 1, bytes: 10 });
    narrow.policies().put_policy(&origin(), domain, "one", "role", &long(46), "").await.unwrap();
    narrow.policies().put_policy(&origin(), domain, "new", "role", &long(90), "").await.unwrap();
    assert!(narrow.policies().detach_policy(&origin(), &one, &user, None).await.unwrap());
}
