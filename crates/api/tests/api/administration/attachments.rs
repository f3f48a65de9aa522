//! Attachments of policies.

use http::Method;
use serde_json::{Value, json};

use super::{call, done, text};
use crate::server::Server;

#[tokio::test]
async fn policy_is_attached_listed_and_detached() {
    let server = Server::start().await;
    let grace = server.key_of(&server.user("grace").await).await;
    let instances = format!("/v3/{}/instances", server.tenant.project_id);
    let may_list = async || grace.sign(server.call(Method::GET, &instances)).send().await.status.as_u16();
    assert_eq!(may_list().await, 403);
    let path = "policies/TaurusDBReadOnlyAccessPolicy/attachments";
    for _ in 0..2 {
        done(&server.send_as_admin(Method::POST, path, json!({ "user_id": grace.user })).await);
    }
    assert_eq!(may_list().await, 200);
    let expected = json!({
        "attachments": [{ "user_id": grace.user, "group_id": null, "name": "grace", "project_id": null }],
        "total_count": 1
    });
    assert_eq!(server.get_json(path).await, expected);
    // Attachments of a system policy in other domains are hidden.
    let foreign_admin = server.foreign_admin().await;
    assert_eq!(
        server.send_as(&foreign_admin, Method::GET, path, Value::Null).await.expect_status(200)["total_count"],
        0
    );

    let one = format!("{path}/user/{}", grace.user);
    done(&server.send_as_admin(Method::DELETE, &one, Value::Null).await);
    assert_eq!(may_list().await, 403);
    server.send_as_admin(Method::DELETE, &one, Value::Null).await.expect_error(404, "IAM.0004");
}

#[tokio::test]
async fn role_policy_applies_to_a_group_in_one_or_all_projects() {
    let server = Server::start().await;
    let grace = server.key_of(&server.user("grace").await).await;
    let group = text(&server.create("groups", json!({ "name": "developers" })).await["id"]);
    done(&server.send_as_admin(Method::PUT, &format!("groups/{group}/members/{}", grace.user), Value::Null).await);
    let south = text(&server.create("projects", json!({ "name": "south-1" })).await["id"]);
    let path = "policies/TaurusDB%20ReadOnlyAccess/attachments";
    done(&server.send_as_admin(Method::POST, path, json!({ "group_id": group, "project_id": south })).await);
    let may_list = async |project: &str| {
        grace.sign(server.call(Method::GET, &format!("/v3/{project}/instances"))).send().await.status.as_u16()
    };
    let own = server.tenant.project_id.as_str();
    assert_eq!((may_list(&south).await, may_list(own).await), (200, 403));
    assert_eq!(server.get_json(path).await["attachments"][0]["project_id"], south);
    done(&server.send_as_admin(Method::POST, path, json!({ "group_id": group })).await);
    assert_eq!((may_list(&south).await, may_list(own).await), (200, 200));
    done(&server.send_as_admin(Method::DELETE, &format!("{path}/group/{group}"), Value::Null).await);
    assert_eq!((may_list(&south).await, may_list(own).await), (200, 403));
    done(&server.send_as_admin(Method::DELETE, &format!("{path}/group/{group}?project_id={south}"), Value::Null).await);
    assert_eq!((may_list(&south).await, may_list(own).await), (403, 403));
}

#[tokio::test]
async fn attachments_that_the_model_forbids_are_rejected() {
    let server = Server::start().await;
    let user = server.user("grace").await;
    let group = text(&server.create("groups", json!({ "name": "developers" })).await["id"]);
    let project = &server.tenant.project_id;
    let (role, identity) = ("TaurusDB%20FullAccess", "TaurusDBFullAccessPolicy");
    for (policy, body, reason) in [
        (role, json!({ "user_id": user }), "can be attached only to a group"),
        (
            identity,
            json!({ "user_id": user, "project_id": project }),
            "applies to all projects. Fix: remove project_id",
        ),
        (
            identity,
            json!({ "group_id": group, "project_id": project }),
            "applies to all projects. Fix: remove project_id",
        ),
        (identity, json!({}), "Exactly one of user_id and group_id"),
        (identity, json!({ "user_id": user, "group_id": group }), "Exactly one of user_id and group_id"),
    ] {
        let path = format!("policies/{policy}/attachments");
        let message = server.send_as_admin(Method::POST, &path, body.clone()).await.expect_error(400, "IAM.0007");
        assert!(message.contains(reason), "{policy} {body}: {message}");
    }
    done(
        &server
            .send_as_admin(Method::POST, &format!("policies/{identity}/attachments"), json!({ "group_id": group }))
            .await,
    );
}

#[tokio::test]
async fn attached_policy_cannot_be_deleted_or_change_its_model() {
    let server = Server::start().await;
    let user = server.user("grace").await;
    let of = |version: &str, action: &str| json!({ "document": { "Version": version, "Statement": [{ "Effect": "Allow", "Action": [action] }] } });
    let (identity, role) = (of("5.0", "gaussdbformysql:*:*"), of("1.1", "gaussdb:*:*"));
    server.send_as_admin(Method::PUT, "policies/all", identity.clone()).await.expect_status(200);
    done(&server.send_as_admin(Method::POST, "policies/all/attachments", json!({ "user_id": user })).await);
    let message = server.send_as_admin(Method::PUT, "policies/all", role).await.expect_error(409, "IAM.0005");
    assert!(message.contains("policy model of an attached policy"), "{message}");
    server.send_as_admin(Method::PUT, "policies/all", identity.clone()).await.expect_status(200);
    let message = server.send_as_admin(Method::DELETE, "policies/all", Value::Null).await.expect_error(409, "IAM.0005");
    assert!(message.contains("attachments: 1"), "{message}");
}

#[tokio::test]
async fn attaching_a_policy_revokes_tokens_of_the_grantee() {
    let server = Server::start().await;
    let user = server.user("grace").await;
    let token = server.project_token(&user).await;
    let path = format!("/v3/{}/instances", server.tenant.project_id);
    server.call(Method::GET, &path).token(&token).send().await.expect_error(403, "DBS.280015");
    let body = json!({ "user_id": user });
    done(&server.send_as_admin(Method::POST, "policies/TaurusDBFullAccessPolicy/attachments", body).await);
    server.call(Method::GET, &path).token(&token).send().await.expect_error(401, "APIGW.0307");
}

#[tokio::test]
async fn attachments_to_other_domains_are_rejected() {
    let server = Server::start().await;
    let foreign_admin = server.foreign_admin().await;
    let group =
        server.send_as(&foreign_admin, Method::POST, "groups", json!({ "name": "theirs" })).await.expect_status(201);
    let project =
        server.send_as(&foreign_admin, Method::POST, "projects", json!({ "name": "theirs" })).await.expect_status(201);
    let own = text(&server.create("groups", json!({ "name": "own" })).await["id"]);
    for body in [
        json!({ "group_id": group["id"] }),
        json!({ "user_id": foreign_admin.user }),
        json!({ "group_id": own, "project_id": project["id"] }),
    ] {
        let path = "policies/TaurusDB%20FullAccess/attachments";
        server.send_as_admin(Method::POST, path, body).await.expect_error(404, "IAM.0004");
    }
    let path = format!("policies/TaurusDBFullAccessPolicy/attachments/robot/{own}");
    server.send_as_admin(Method::DELETE, &path, Value::Null).await.expect_error(404, "IAM.0004");
    let open = call(&server, Method::GET, "policies/TaurusDBFullAccessPolicy/attachments", &Value::Null).anonymous();
    open.send().await.expect_error(401, "APIGW.0301");
}
