//! Projects, enterprise projects and tags.

use clew_model::{InstanceId, ProjectId, Tag};
use clew_store::{EnterpriseProjectChange, ProjectChange, StoreError};
use rstest::rstest;

use crate::database::Database;
use crate::fixture::{Fixture, new_instance, origin};

#[rstest]
#[tokio::test]
async fn project_update_changes_named_fields_only(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let (store, id) = (&fixture.store, &fixture.initial_ids.project_id);
    assert!(!store.tenants().find_project(id).await.unwrap().unwrap().masking);
    let masked = ProjectChange { masking: Some(true), ..ProjectChange::default() };
    assert!(store.tenants().update_project(&origin(), id, &masked).await.unwrap());
    let off = ProjectChange { enabled: Some(false), description: Some("old".into()), ..ProjectChange::default() };
    assert!(store.tenants().update_project(&origin(), id, &off).await.unwrap());
    let project = store.tenants().find_project(id).await.unwrap().unwrap();
    assert_eq!((project.masking, project.enabled, &*project.description), (true, false, "old"));
    assert!(!store.tenants().update_project(&origin(), &ProjectId::generate(), &off).await.unwrap());
}

#[rstest]
#[tokio::test]
async fn instance_requires_an_enabled_enterprise_project(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let (store, domain, project) = (&fixture.store, &fixture.initial_ids.domain_id, &fixture.initial_ids.project_id);
    let id = store.tenants().create_enterprise_project(&origin(), domain, "shop", "all of the shop").await.unwrap();
    assert_eq!((id.len(), id.matches('-').count()), (36, 4), "{id}");
    let taken = store.tenants().create_enterprise_project(&origin(), domain, "shop", "").await;
    assert!(matches!(taken, Err(StoreError::AlreadyExists { .. })), "{taken:?}");
    let foreign =
        store.tenants().create_enterprise_project(&origin(), &fixture.other_domain().await, "shop", "").await.unwrap();
    let add = |name: &'static str, enterprise_project: String| async move {
        let mut instance = new_instance(project, name, &["mysql://u:p@h/"]);
        instance.enterprise_project_id = enterprise_project;
        store.instances().add_instance(&origin(), instance).await
    };
    add("a", "0".into()).await.unwrap();
    assert_eq!(add("b", id.clone()).await.unwrap().enterprise_project_id, id);
    let off = EnterpriseProjectChange { enabled: Some(false), ..EnterpriseProjectChange::default() };
    assert!(store.tenants().update_enterprise_project(&origin(), domain, &id, &off).await.unwrap());
    for refused in [add("c", id.clone()).await, add("d", "nowhere".into()).await, add("e", foreign.clone()).await] {
        assert!(matches!(refused, Err(StoreError::InvalidInstance { .. })), "{refused:?}");
    }
    assert!(!store.tenants().update_enterprise_project(&origin(), domain, "0", &off).await.unwrap());
    assert!(!store.tenants().update_enterprise_project(&origin(), domain, &foreign, &off).await.unwrap());
    let stored: Vec<_> = store.tenants().list_enterprise_projects(domain).await.unwrap();
    assert_eq!(stored.len(), 2);
    assert_eq!((&*stored[0].id, stored[0].enabled), ("0", true));
    assert_eq!((&stored[1].id, &*stored[1].description, stored[1].enabled), (&id, "all of the shop", false));
}

fn tag(key: impl Into<String>, value: &str) -> Tag {
    Tag { key: key.into(), value: value.into() }
}

#[rstest]
#[tokio::test]
async fn tags_are_added_overwritten_and_removed(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    let (store, project) = (&fixture.store, &fixture.initial_ids.project_id);
    let id =
        store.instances().add_instance(&origin(), new_instance(project, "a", &["mysql://u:p@h/"])).await.unwrap().id;
    let other =
        store.instances().add_instance(&origin(), new_instance(project, "b", &["mysql://u:p@h/"])).await.unwrap().id;
    let tags =
        |id: InstanceId| async move { store.instances().find_instance(project, &id).await.unwrap().unwrap().tags };
    fixture.advance_clock(9000);
    assert!(
        store.instances().add_tags(&origin(), project, &id, &[tag("env", "test"), tag("team", "a")]).await.unwrap()
    );
    assert!(store.instances().add_tags(&origin(), project, &id, &[tag("env", "prod")]).await.unwrap());
    assert_eq!(tags(id.clone()).await, [tag("env", "prod"), tag("team", "a")]);
    assert_eq!(store.instances().find_instance(project, &id).await.unwrap().unwrap().updated_at, 1009);
    assert!(
        store.instances().add_tags(&origin(), project, &other, &[tag("env", "test"), tag("free", "")]).await.unwrap()
    );
    assert_eq!(
        store.instances().list_project_tags(project).await.unwrap(),
        [
            ("env".into(), vec!["prod".into(), "test".into()]),
            ("free".into(), vec![String::new()]),
            ("team".into(), vec!["a".into()]),
        ]
    );
    let removed = [("env".into(), Some("other".into())), ("team".into(), None), ("none".into(), None)];
    assert!(store.instances().remove_tags(&origin(), project, &id, &removed).await.unwrap());
    assert_eq!(tags(id.clone()).await, [tag("env", "prod")]);
    assert!(
        store.instances().remove_tags(&origin(), project, &id, &[("env".into(), Some("prod".into()))]).await.unwrap()
    );
    assert!(tags(id.clone()).await.is_empty());
    assert_eq!(tags(other).await.len(), 2);

    let twenty: Vec<_> = (0..20).map(|number| tag(format!("k{number}"), "v")).collect();
    assert!(store.instances().add_tags(&origin(), project, &id, &twenty).await.unwrap());
    assert!(store.instances().add_tags(&origin(), project, &id, &[tag("k7", "new")]).await.unwrap());
    let refused = store.instances().add_tags(&origin(), project, &id, &[tag("k8", "new"), tag("k20", "v")]).await;
    assert!(matches!(refused, Err(StoreError::TooManyTags(20))), "{refused:?}");
    assert!(tags(id.clone()).await.contains(&tag("k8", "v")), "the change was rolled back");
    let foreign = store.tenants().create_project(&origin(), &fixture.initial_ids.domain_id, "south", "").await.unwrap();
    assert!(!store.instances().add_tags(&origin(), &foreign, &id, &[tag("x", "y")]).await.unwrap());
    assert!(!store.instances().remove_tags(&origin(), &foreign, &id, &removed).await.unwrap());
    assert!(store.instances().list_project_tags(&foreign).await.unwrap().is_empty());
}
