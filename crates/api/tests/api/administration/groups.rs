//! Groups and their members.

use http::Method;
use serde_json::{Value, json};

use super::{done, names, text};
use crate::server::Server;

#[tokio::test]
async fn group_is_created_and_deleted_and_members_are_added_and_removed() {
    let server = Server::start().await;
    let created = server.create("groups", json!({ "name": "developers", "description": "They develop" })).await;
    let id = text(&created["id"]);
    server.create("groups", json!({ "name": "auditors" })).await;
    let list = server.get_json("groups").await;
    assert_eq!((names(&list["groups"]), &list["total_count"]), (vec!["auditors", "developers"], &json!(2)));

    let (grace, alan) = (server.user("grace").await, server.user("alan").await);
    for user in [&grace, &alan, &grace] {
        done(&server.send_as_admin(Method::PUT, &format!("groups/{id}/members/{user}"), Value::Null).await);
    }
    let shown = server.get_json(&format!("groups/{id}")).await;
    assert_eq!((names(&shown["members"]), &shown["description"]), (vec!["alan", "grace"], &json!("They develop")));
    assert_eq!(shown["members"][1]["id"], grace.as_str());

    let member = format!("groups/{id}/members/{grace}");
    done(&server.send_as_admin(Method::DELETE, &member, Value::Null).await);
    server.send_as_admin(Method::DELETE, &member, Value::Null).await.expect_error(404, "IAM.0004");
    assert_eq!(names(&server.get_json(&format!("groups/{id}")).await["members"]), ["alan"]);
    done(&server.send_as_admin(Method::DELETE, &format!("groups/{id}"), Value::Null).await);
    server.send_as_admin(Method::GET, &format!("groups/{id}"), Value::Null).await.expect_error(404, "IAM.0004");
    server.send_as_admin(Method::POST, "groups", json!({ "name": "auditors" })).await.expect_error(409, "IAM.0005");
}

#[tokio::test]
async fn groups_and_users_of_other_domains_are_not_found() {
    let server = Server::start().await;
    let foreign_admin = server.foreign_admin().await;
    let own = text(&server.create("groups", json!({ "name": "developers" })).await["id"]);
    let theirs = server
        .send_as(&foreign_admin, Method::POST, "groups", json!({ "name": "developers" }))
        .await
        .expect_status(201);
    let theirs = text(&theirs["id"]);
    let unknown = "0".repeat(32);
    for (method, path) in [
        (Method::GET, format!("groups/{theirs}")),
        (Method::DELETE, format!("groups/{theirs}")),
        (Method::GET, format!("users/{}", foreign_admin.user)),
        (Method::DELETE, format!("users/{}", foreign_admin.user)),
        (Method::GET, format!("users/{}/keys", foreign_admin.user)),
        (Method::POST, format!("users/{}/keys", foreign_admin.user)),
        (Method::DELETE, format!("users/{}/keys/{}", foreign_admin.user, foreign_admin.key)),
        (Method::PUT, format!("groups/{own}/members/{}", foreign_admin.user)),
        (Method::PUT, format!("groups/{theirs}/members/{}", server.tenant.user_id)),
    ] {
        let foreign = server.send_as_admin(method.clone(), &path, Value::Null).await;
        foreign.expect_error(404, "IAM.0004");
        let absent = path.replace(theirs.as_str(), &unknown).replace(foreign_admin.user.as_str(), &unknown);
        let absent = server.send_as_admin(method, &absent, Value::Null).await;
        let same = foreign.text().replace(theirs.as_str(), &unknown).replace(foreign_admin.user.as_str(), &unknown);
        assert_eq!((absent.status, absent.text()), (foreign.status, same), "{path}");
    }
}
