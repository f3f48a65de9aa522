//! Instances: names, masters, filters and project separation.

use crate::database::Database;
use crate::fixture::{Fixture, new_instance, origin};
use clew_model::{InstanceFilter, InstanceId, Pagination, Tag};
use clew_store::{NewToken, StoreError, TokenOrigin};
use rstest::rstest;

fn tag(key: &str, value: &str) -> Tag {
    Tag { key: key.into(), value: value.into() }
}

async fn names(fixture: &Fixture, filter: InstanceFilter, page: Pagination) -> (Vec<String>, u64) {
    let (instances, total) =
        fixture.store.instances().list_instances(&fixture.initial_ids.project_id, &filter, page).await.unwrap();
    (instances.into_iter().map(|instance| instance.name).collect(), total)
}

#[rstest]
#[tokio::test]
async fn instance_filters_and_pages_match_the_api(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let project = &fixture.initial_ids.project_id;
    for (name, master, slave, tags) in [
        ("orders", "10.0.0.1", "10.0.0.11", vec![tag("env", "prod"), tag("team", "a")]),
        ("orders-test", "10.0.0.2", "10.0.0.12", vec![tag("env", "test"), tag("team", "a")]),
        ("shop", "10.0.0.3", "10.0.0.13", vec![]),
    ] {
        let urls = [format!("mysql://u:p@{master}/"), format!("mysql://u:p@{slave}:3307/")];
        let mut instance = new_instance(project, name, &[&urls[0], &urls[1]]);
        instance.tags = tags;
        fixture.store.instances().add_instance(&origin(), instance).await.unwrap();
    }
    let filter = |set: fn(&mut InstanceFilter)| {
        let mut filter = InstanceFilter::default();
        set(&mut filter);
        filter
    };
    for (filter, expected) in [
        (InstanceFilter::default(), vec!["orders", "orders-test", "shop"]),
        (filter(|filter| filter.name = Some("orders".into())), vec!["orders"]),
        (filter(|filter| filter.name = Some("*order".into())), vec!["orders", "orders-test"]),
        (filter(|filter| filter.name = Some("*%".into())), vec![]),
        (filter(|filter| filter.id = Some("*in07".into())), vec!["orders", "orders-test", "shop"]),
        (filter(|filter| filter.private_ip = Some("10.0.0.2".into())), vec!["orders-test"]),
        (filter(|filter| filter.private_ip = Some("10.0.0.12".into())), vec![]),
        (filter(|filter| filter.readonly_private_ip = Some("10.0.0.12".into())), vec!["orders-test"]),
        (filter(|filter| filter.tags = vec![tag("team", "a")]), vec!["orders", "orders-test"]),
        (filter(|filter| filter.tags = vec![tag("team", "a"), tag("env", "prod")]), vec!["orders"]),
        (filter(|filter| filter.tags = vec![tag("team", "b")]), vec![]),
    ] {
        let (found, total) = names(&fixture, filter.clone(), Pagination::default()).await;
        assert_eq!(found, expected, "{filter:?}");
        assert_eq!(total, expected.len() as u64, "{filter:?}");
    }
    let page = Pagination { offset: 1, limit: 1 };
    assert_eq!(names(&fixture, InstanceFilter::default(), page).await, (vec!["orders-test".into()], 3));
}

#[rstest]
#[tokio::test]
async fn invalid_instance_is_rejected_completely(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    let project = &fixture.initial_ids.project_id;
    let url = "mysql://u:p@h/";
    let added = fixture.store.instances().add_instance(&origin(), new_instance(project, "a", &[url])).await.unwrap();
    let mut same_id = new_instance(project, "b", &[url]);
    same_id.id = Some(added.id.clone());
    let mut same_node = new_instance(project, "c", &[url]);
    same_node.nodes[0].id = Some(added.nodes[0].id.clone());
    for taken in [new_instance(project, "a", &[url]), same_id, same_node] {
        let error = fixture.store.instances().add_instance(&origin(), taken).await.unwrap_err();
        assert!(matches!(error, StoreError::AlreadyExists { .. }), "{error}");
    }
    let mut two_masters = new_instance(project, "d", &[url, url]);
    two_masters.nodes[1].role = clew_model::NodeRole::Master;
    let mut twice_tagged = new_instance(project, "e", &[url]);
    twice_tagged.tags = vec![tag("k", "1"), tag("k", "2")];
    for invalid in [two_masters, twice_tagged, new_instance(project, "f", &[]), new_instance(project, "", &[url])] {
        let error = fixture.store.instances().add_instance(&origin(), invalid).await.unwrap_err();
        assert!(matches!(error, StoreError::InvalidInstance { .. }), "{error}");
    }
    assert_eq!(fixture.store.instances().list_all_instances().await.unwrap().len(), 1);
}

#[rstest]
#[tokio::test]
async fn project_reads_and_removes_only_its_own_instances(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let domain = fixture.store.tenants().create_domain(&origin(), "other").await.unwrap();
    let other = fixture.store.tenants().create_project(&origin(), &domain, "here-1", "").await.unwrap();
    let mine = &fixture.initial_ids.project_id;
    let added =
        fixture.store.instances().add_instance(&origin(), new_instance(mine, "a", &["mysql://u:p@h/"])).await.unwrap();
    assert!(fixture.store.instances().find_instance(&other, &added.id).await.unwrap().is_none());
    assert!(!fixture.store.instances().remove_instance(&origin(), &other, &added.id).await.unwrap());
    assert!(!fixture.store.instances().remove_instance(&origin(), mine, &InstanceId::generate()).await.unwrap());
    assert!(fixture.store.instances().remove_instance(&origin(), mine, &added.id).await.unwrap());
    assert!(fixture.store.instances().find_node_with_password(&added.nodes[0].id).await.unwrap().is_none());
}

#[rstest]
#[tokio::test]
async fn token_is_found_by_hash_until_removed(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    let token = NewToken {
        hash: [7; 32],
        user_id: fixture.initial_ids.user_id.clone(),
        scope_project: Some(fixture.initial_ids.project_id.clone()),
        issued_by_methods: vec!["password".into()],
        issued_at: 100,
        expires_at: 200,
        origin: TokenOrigin::Api,
    };
    fixture.store.identities().insert_token(&token).await.unwrap();
    let found = fixture.store.identities().find_token(&[7; 32]).await.unwrap().unwrap();
    assert_eq!((found.user.name.as_str(), found.scope_project, found.expires_at), ("admin", token.scope_project, 200));
    assert!(fixture.store.identities().find_token(&[8; 32]).await.unwrap().is_none());
    assert_eq!(fixture.store.identities().remove_credentials_expired_before(200).await.unwrap(), 0);
    assert_eq!(fixture.store.identities().remove_credentials_expired_before(201).await.unwrap(), 1);
    assert!(fixture.store.identities().find_token(&[7; 32]).await.unwrap().is_none());
}
