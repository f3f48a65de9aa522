//! Policies, attachments, and what reaches a user.

use clew_model::{PolicyId, ProjectId};
use clew_store::{Attachment, Grantee, PolicyRef, StoreError, StoredGrant, StoredPolicy};

use super::users::new_user;
use crate::fixture::{Fixture, by};

fn system() -> PolicyRef {
    PolicyRef::System("TaurusDB ReadOnlyAccess".into())
}

#[tokio::test]
async fn a_policy_is_put_again_under_its_name_and_removed_once_nobody_has_it() {
    let fixture = Fixture::new().await;
    let (store, domain) = (&fixture.store, &fixture.founded.domain_id);
    let id = store.put_policy(&by(), domain, "look", "role", "{1}", "first").await.unwrap();
    fixture.pass(5000);
    assert_eq!(store.put_policy(&by(), domain, "look", "identity", "{2}", "second").await.unwrap(), id);
    let found = store.policy_by_name(domain, "look").await.unwrap().unwrap();
    assert_eq!((&*found.model, &*found.document, &*found.description), ("identity", "{2}", "second"));
    assert_eq!((found.created_at, found.updated_at, &found.id), (1000, 1005, &id));
    let other = fixture.other_domain().await;
    assert!(store.policy_by_name(&other, "look").await.unwrap().is_none());
    assert_ne!(store.put_policy(&by(), &other, "look", "role", "{}", "").await.unwrap(), id);
    assert!(store.put_policy(&by(), domain, "odd", "neither", "{}", "").await.is_err());
    assert_eq!(store.policies_of(domain).await.unwrap().len(), 1);

    let (own, admin) = (PolicyRef::Own(id.clone()), Grantee::User(fixture.founded.user_id.clone()));
    assert!(store.attach(&by(), &own, &admin, None).await.unwrap());
    let refused = store.remove_policy(&by(), &id).await;
    assert!(matches!(refused, Err(StoreError::InUse { times: 1, .. })), "{refused:?}");
    assert!(store.detach(&by(), &own, &admin, None).await.unwrap());
    assert!(store.remove_policy(&by(), &id).await.unwrap());
    assert!(!store.remove_policy(&by(), &id).await.unwrap());
    assert!(store.policy(&id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_policy_reaches_a_user_directly_and_through_groups() {
    let fixture = Fixture::new().await;
    let (store, domain, project) = (&fixture.store, &fixture.founded.domain_id, &fixture.founded.project_id);
    let (ada, grace) = (fixture.user("ada").await, fixture.user("grace").await);
    let dbas = store.create_group(&by(), domain, "dbas", "").await.unwrap();
    let idle = store.create_group(&by(), domain, "idle", "").await.unwrap();
    store.add_member(&by(), &dbas, &ada).await.unwrap();
    let look = store.put_policy(&by(), domain, "look", "role", "{look}", "").await.unwrap();
    let own = PolicyRef::Own(look);
    for (policy, to, project) in [
        (&own, Grantee::User(ada.clone()), None),
        (&own, Grantee::Group(dbas.clone()), Some(project)),
        (&system(), Grantee::Group(dbas.clone()), None),
        (&system(), Grantee::Group(idle.clone()), None),
        (&system(), Grantee::User(grace.clone()), None),
    ] {
        assert!(store.attach(&by(), policy, &to, project).await.unwrap());
        assert!(!store.attach(&by(), policy, &to, project).await.unwrap(), "once is enough");
    }
    let own_policy = StoredPolicy::Own { name: "look".into(), document: "{look}".into() };
    let system_policy = StoredPolicy::System { name: "TaurusDB ReadOnlyAccess".into() };
    let grant = |policy: &StoredPolicy, via_group: Option<&str>, project: Option<&ProjectId>| StoredGrant {
        policy: policy.clone(),
        via_group: via_group.map(str::to_owned),
        project: project.cloned(),
    };
    assert_eq!(
        store.grants_of(&ada).await.unwrap(),
        [
            grant(&own_policy, None, None),
            grant(&system_policy, Some("dbas"), None),
            grant(&own_policy, Some("dbas"), Some(project)),
        ]
    );
    assert_eq!(store.grants_of(&grace).await.unwrap(), [grant(&system_policy, None, None)]);
    assert!(store.grants_of(&fixture.founded.user_id).await.unwrap().is_empty());

    let attached = Attachment { policy: own.clone(), grantee: Grantee::User(ada.clone()), project: None };
    assert_eq!(store.attachments_to(&Grantee::User(ada.clone())).await.unwrap(), std::slice::from_ref(&attached));
    let of_own = store.attachments_of(&own).await.unwrap();
    assert_eq!((of_own.len(), &of_own[0]), (2, &attached));
    assert_eq!(store.attachments_of(&system()).await.unwrap().len(), 3);
    assert!(!store.detach(&by(), &own, &Grantee::Group(dbas.clone()), None).await.unwrap(), "only in a project");
    assert!(store.detach(&by(), &own, &Grantee::Group(dbas.clone()), Some(project)).await.unwrap());
    store.remove_group(&by(), &dbas).await.unwrap();
    assert_eq!(store.grants_of(&ada).await.unwrap(), [grant(&own_policy, None, None)]);
    store.remove_user(&by(), &ada).await.unwrap();
    assert!(store.attachments_of(&own).await.unwrap().is_empty(), "attachments go with whom they are for");
}

#[tokio::test]
async fn nothing_is_attached_across_domains() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let other = fixture.other_domain().await;
    let theirs = store.put_policy(&by(), &other, "look", "role", "{}", "").await.unwrap();
    let their_project = store.create_project(&by(), &other, "p", "").await.unwrap();
    let them = Grantee::User(store.create_user(&by(), &other, &new_user("eve")).await.unwrap());
    let us = Grantee::User(fixture.founded.user_id.clone());
    for (policy, to, project) in [
        (PolicyRef::Own(theirs.clone()), &us, None),
        (PolicyRef::Own(PolicyId::generate()), &us, None),
        (system(), &us, Some(&their_project)),
        (PolicyRef::Own(theirs.clone()), &them, Some(&fixture.founded.project_id)),
        (system(), &Grantee::Group(clew_model::GroupId::generate()), None),
    ] {
        let refused = store.attach(&by(), &policy, to, project).await;
        assert!(matches!(refused, Err(StoreError::Unknown { .. })), "{policy:?}: {refused:?}");
    }
    assert!(store.attach(&by(), &PolicyRef::Own(theirs), &them, Some(&their_project)).await.unwrap());
}
