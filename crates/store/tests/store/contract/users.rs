//! Users, groups and access keys.

use clew_model::{AccessKeyId, DomainId, UserId};
use clew_store::{AccessKeyMetadata, NewUser, Store, StoreError, UserChange};
use rstest::rstest;
use secrecy::{ExposeSecret, SecretString};

use crate::database::Database;
use crate::fixture::{Fixture, origin};

pub(crate) fn new_user(name: &str) -> NewUser {
    NewUser {
        name: name.into(),
        password_hash: format!("$argon2id$hash-of-{name}"),
        administrator: false,
        description: "tests".into(),
    }
}

impl Fixture {
    pub(crate) async fn user(&self, name: &str) -> UserId {
        self.store.identities().create_user(&origin(), &self.initial_ids.domain_id, &new_user(name)).await.unwrap()
    }

    pub(crate) async fn other_domain(&self) -> DomainId {
        self.store.tenants().create_domain(&origin(), "other").await.unwrap()
    }
}

#[rstest]
#[tokio::test]
async fn names_are_unique_within_a_domain(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    let (store, domain) = (&fixture.store, &fixture.initial_ids.domain_id);
    let other = fixture.other_domain().await;
    fixture.user("grace").await;
    store.identities().create_group(&origin(), domain, "dbas", "").await.unwrap();
    let taken = [
        store.identities().create_user(&origin(), domain, &new_user("grace")).await.map(drop),
        store.identities().create_group(&origin(), domain, "dbas", "").await.map(drop),
        store.tenants().create_project(&origin(), domain, "here-1", "").await.map(drop),
        store.tenants().create_domain(&origin(), "other").await.map(drop),
    ];
    for refused in taken {
        assert!(matches!(refused, Err(StoreError::AlreadyExists { .. })), "{refused:?}");
    }
    store.identities().create_user(&origin(), &other, &new_user("grace")).await.unwrap();
    store.identities().create_group(&origin(), &other, "dbas", "").await.unwrap();
    store.tenants().create_project(&origin(), &other, "here-1", "").await.unwrap();
    let missing_domain = store.identities().create_user(&origin(), &DomainId::generate(), &new_user("x")).await;
    assert!(matches!(missing_domain, Err(StoreError::Unknown { what: "domain", .. })), "{missing_domain:?}");
    let names: Vec<_> =
        store.identities().list_users(domain).await.unwrap().into_iter().map(|user| user.name).collect();
    assert_eq!(names, ["admin", "grace"]);
    assert_eq!(store.tenants().list_domains().await.unwrap().len(), 2);
}

#[rstest]
#[tokio::test]
async fn user_update_changes_named_fields_only(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    let id = fixture.user("grace").await;
    let update = UserChange { description: Some("DBA".into()), ..UserChange::default() };
    assert!(fixture.store.identities().update_user(&origin(), &id, &update).await.unwrap());
    let user = fixture.store.identities().find_user(&id).await.unwrap().unwrap();
    assert_eq!((&*user.description, user.enabled, user.administrator), ("DBA", true, false));
    assert_eq!(user.password_hash, "$argon2id$hash-of-grace");
    let update = UserChange { enabled: Some(false), password_hash: Some("new".into()), ..UserChange::default() };
    fixture.store.identities().update_user(&origin(), &id, &update).await.unwrap();
    let user = fixture.store.identities().find_user(&id).await.unwrap().unwrap();
    assert_eq!((&*user.description, user.enabled, &*user.password_hash), ("DBA", false, "new"));
    assert!(!fixture.store.identities().update_user(&origin(), &UserId::generate(), &update).await.unwrap());
    assert!(!fixture.store.identities().remove_user(&origin(), &UserId::generate()).await.unwrap());
}

#[rstest]
#[tokio::test]
async fn last_enabled_administrator_is_not_removed(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let (store, admin) = (&fixture.store, &fixture.initial_ids.user_id);
    assert!(
        store.identities().find_user(admin).await.unwrap().unwrap().administrator,
        "the first user is an administrator"
    );
    let disabled = UserChange { enabled: Some(false), ..UserChange::default() };
    let demoted = UserChange { administrator: Some(false), ..UserChange::default() };
    // Disabled administrators and administrators of other domains do not count.
    let elsewhere = fixture.other_domain().await;
    store
        .identities()
        .create_user(&origin(), &elsewhere, &NewUser { administrator: true, ..new_user("eve") })
        .await
        .unwrap();
    let grace = fixture.user("grace").await;
    let promoted = UserChange { administrator: Some(true), enabled: Some(false), ..UserChange::default() };
    store.identities().update_user(&origin(), &grace, &promoted).await.unwrap();
    let before =
        store.audit().list_audit_rows_after_seq(&clew_store::AuditFilter::default(), 0, 100).await.unwrap().len();
    for refused in [
        store.identities().update_user(&origin(), admin, &disabled).await,
        store.identities().update_user(&origin(), admin, &demoted).await,
        store.identities().remove_user(&origin(), admin).await,
    ] {
        assert!(matches!(&refused, Err(StoreError::LastAdministrator(name)) if name == "admin"), "{refused:?}");
    }
    let remaining = store.identities().find_user(admin).await.unwrap().unwrap();
    assert!(remaining.enabled && remaining.administrator);
    let after =
        store.audit().list_audit_rows_after_seq(&clew_store::AuditFilter::default(), 0, 100).await.unwrap().len();
    assert_eq!(before, after, "rejected changes are not audited");
    let enabled = UserChange { enabled: Some(true), ..UserChange::default() };
    store.identities().update_user(&origin(), &grace, &enabled).await.unwrap();
    assert!(store.identities().remove_user(&origin(), admin).await.unwrap());
}

#[rstest]
#[tokio::test]
async fn user_has_at_most_two_access_keys(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    let (store, user) = (&fixture.store, fixture.user("grace").await);
    let ids = [(); 3].map(|()| AccessKeyId::generate());
    let secret = SecretString::from("s3cret-of-a-key");
    store.identities().create_access_key(&origin(), &user, &ids[0], &secret).await.unwrap();
    store.identities().create_access_key(&origin(), &user, &ids[1], &secret).await.unwrap();
    let third = store.identities().create_access_key(&origin(), &user, &ids[2], &secret).await;
    assert!(matches!(third, Err(StoreError::TooManyKeys(2))), "{third:?}");
    assert!(store.identities().set_access_key_enabled(&origin(), &ids[0], false).await.unwrap());
    let third = store.identities().create_access_key(&origin(), &user, &ids[2], &secret).await;
    assert!(matches!(third, Err(StoreError::TooManyKeys { .. })), "a disabled key counts");
    let stored: Vec<_> = keys(store, &user).await.into_iter().map(|key| (key.id, key.enabled)).collect();
    assert_eq!(stored, [(ids[0].clone(), false), (ids[1].clone(), true)]);
    assert!(!store.identities().find_access_key(&ids[0]).await.unwrap().unwrap().enabled);
    assert!(store.identities().remove_access_key(&origin(), &ids[0]).await.unwrap());
    assert!(store.identities().find_access_key(&ids[0]).await.unwrap().is_none());
    assert!(!store.identities().remove_access_key(&origin(), &ids[0]).await.unwrap());
    assert!(!store.identities().set_access_key_enabled(&origin(), &ids[0], true).await.unwrap());
    store.identities().create_access_key(&origin(), &user, &ids[2], &secret).await.unwrap();
    let found = store.identities().find_access_key(&ids[2]).await.unwrap().unwrap();
    assert_eq!((found.secret.expose_secret(), &found.user.id), ("s3cret-of-a-key", &user));
    let taken = store.identities().create_access_key(&origin(), &fixture.initial_ids.user_id, &ids[2], &secret).await;
    assert!(matches!(taken, Err(StoreError::AlreadyExists { .. })), "{taken:?}");
    store.identities().remove_user(&origin(), &user).await.unwrap();
    assert!(store.identities().find_access_key(&ids[1]).await.unwrap().is_none(), "keys are removed with their user");
}

#[rstest]
#[tokio::test]
async fn use_of_a_key_is_recorded_once_a_minute(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    let (store, user) = (&fixture.store, &fixture.initial_ids.user_id);
    let id = keys(store, user).await[0].id.clone();
    let key = store.identities().find_access_key(&id).await.unwrap().unwrap();
    assert_eq!(keys(store, user).await[0].last_used_at, None);
    store.identities().record_access_key_use(&key).await.unwrap();
    assert_eq!(keys(store, user).await[0].last_used_at, Some(1000));
    fixture.advance_clock(59_000);
    store.identities().record_access_key_use(&key).await.unwrap();
    store
        .identities()
        .record_access_key_use(&store.identities().find_access_key(&id).await.unwrap().unwrap())
        .await
        .unwrap();
    assert_eq!(keys(store, user).await[0].last_used_at, Some(1000));
    fixture.advance_clock(1_000);
    store.identities().record_access_key_use(&key).await.unwrap();
    assert_eq!(keys(store, user).await[0].last_used_at, Some(1060));
}

async fn keys(store: &Store, user: &UserId) -> Vec<AccessKeyMetadata> {
    store.identities().list_access_keys(user).await.unwrap()
}

#[rstest]
#[tokio::test]
async fn group_accepts_users_of_its_own_domain_only(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let store = &fixture.store;
    let group = store
        .identities()
        .create_group(&origin(), &fixture.initial_ids.domain_id, "dbas", "who may kill")
        .await
        .unwrap();
    let (ada, grace) = (fixture.user("ada").await, fixture.user("grace").await);
    for (user, new) in [(&grace, true), (&ada, true), (&ada, false)] {
        assert_eq!(store.identities().add_group_member(&origin(), &group, user).await.unwrap(), new);
    }
    let names: Vec<_> =
        store.identities().list_group_members(&group).await.unwrap().into_iter().map(|user| user.name).collect();
    assert_eq!(names, ["ada", "grace"]);
    let foreign =
        store.identities().create_user(&origin(), &fixture.other_domain().await, &new_user("eve")).await.unwrap();
    for (group, user) in [(&group, &foreign), (&group, &UserId::generate()), (&clew_model::GroupId::generate(), &ada)] {
        let refused = store.identities().add_group_member(&origin(), group, user).await;
        assert!(matches!(refused, Err(StoreError::Unknown { .. })), "{refused:?}");
    }
    store.identities().remove_user(&origin(), &ada).await.unwrap();
    assert!(store.identities().remove_group_member(&origin(), &group, &grace).await.unwrap());
    assert!(!store.identities().remove_group_member(&origin(), &group, &grace).await.unwrap());
    assert!(store.identities().list_group_members(&group).await.unwrap().is_empty());
    assert_eq!(store.identities().find_group(&group).await.unwrap().unwrap().description, "who may kill");
    assert!(store.identities().remove_group(&origin(), &group).await.unwrap());
    assert!(!store.identities().remove_group(&origin(), &group).await.unwrap());
    assert!(store.identities().list_groups(&fixture.initial_ids.domain_id).await.unwrap().is_empty());
}
