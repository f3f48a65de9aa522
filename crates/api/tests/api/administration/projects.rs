//! Projects and enterprise projects.

use http::Method;
use serde_json::{Value, json};

use super::{names, text};
use crate::server::{REGION, Server, new_instance};

#[tokio::test]
async fn projects_are_created_listed_and_changed() {
    let server = Server::start().await;
    let created = server.create("projects", json!({ "name": "south-1", "description": "南方" })).await;
    let id = text(&created["id"]);
    let expected = json!({ "id": id, "name": "south-1", "description": "南方", "enabled": true, "masking": false });
    assert_eq!(created, expected);

    let list = server.get_json("projects").await;
    assert_eq!((names(&list["projects"]), &list["total_count"]), (vec![REGION, "south-1"], &json!(2)));
    let page = server.get_json("projects?offset=1&limit=1").await;
    assert_eq!((names(&page["projects"]), &page["total_count"]), (vec!["south-1"], &json!(2)));

    let path = format!("projects/{id}");
    let masked = server.send_as_admin(Method::PATCH, &path, json!({ "masking": true })).await.expect_status(200);
    assert_eq!(
        (&masked["masking"], &masked["enabled"], &masked["description"]),
        (&json!(true), &json!(true), &json!("南方"))
    );
    let off = server
        .send_as_admin(Method::PATCH, &path, json!({ "enabled": false, "description": "" }))
        .await
        .expect_status(200);
    assert_eq!((&off["masking"], &off["enabled"], &off["description"]), (&json!(true), &json!(false), &json!("")));
    server.get(&format!("/v3/{id}/instances")).await.expect_error(403, "DBS.280015");

    let again = server.send_as_admin(Method::POST, "projects", json!({ "name": "south-1" })).await;
    assert!(again.expect_error(409, "IAM.0005").contains("south-1"));
}

#[tokio::test]
async fn enterprise_project_is_created_and_disabled() {
    let server = Server::start().await;
    let created = server.create("enterprise-projects", json!({ "name": "retail" })).await;
    let id = text(&created["id"]);
    assert_eq!((id.len(), &created["enabled"]), (36, &json!(true)));
    let list = server.get_json("enterprise-projects").await;
    assert_eq!((names(&list["enterprise_projects"]), &list["total_count"]), (vec!["default", "retail"], &json!(2)));

    let mut instance = new_instance(&server.tenant.project_id, "till");
    instance.enterprise_project_id = id.clone();
    let by = crate::server::test_origin();
    server.store.instances().add_instance(&by, instance).await.unwrap();
    let change = json!({ "enabled": false });
    let off = server
        .send_as_admin(Method::PATCH, &format!("enterprise-projects/{id}"), change.clone())
        .await
        .expect_status(200);
    assert_eq!((&off["enabled"], &off["name"]), (&json!(false), &json!("retail")));
    for unknown in ["0", "00000000-0000-4000-8000-000000000000", "x"] {
        let path = format!("enterprise-projects/{unknown}");
        server.send_as_admin(Method::PATCH, &path, change.clone()).await.expect_error(404, "IAM.0004");
    }
    server
        .send_as_admin(Method::POST, "enterprise-projects", json!({ "name": "retail" }))
        .await
        .expect_error(409, "IAM.0005");
}

#[tokio::test]
async fn projects_of_other_domains_are_not_found() {
    let server = Server::start().await;
    let foreign_admin = server.foreign_admin().await;
    let retail = text(&server.create("enterprise-projects", json!({ "name": "retail" })).await["id"]);
    for path in [format!("projects/{}", server.tenant.project_id), format!("enterprise-projects/{retail}")] {
        let answer = server.send_as(&foreign_admin, Method::PATCH, &path, json!({ "enabled": false })).await;
        answer.expect_error(404, "IAM.0004");
    }
    let list = server.send_as(&foreign_admin, Method::GET, "projects", Value::Null).await.expect_status(200);
    assert_eq!(list, json!({ "projects": [], "total_count": 0 }));
    assert_eq!(server.get_json("projects").await["projects"][0]["enabled"], true);
}
