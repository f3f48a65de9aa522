//! Tags of instances (TaurusDB API spec, section 3.5).

use http::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::server::{Server, new_instance, test_origin};

impl Server {
    fn tags_path(&self) -> String {
        format!("/v3/{}/instances/{}/tags", self.tenant.project_id, self.instance.id)
    }

    async fn send_action(&self, body: Value) -> Answer {
        self.call(Method::POST, &format!("{}/action", self.tags_path())).body(body.to_string()).send().await
    }

    async fn tags(&self) -> Value {
        self.get(&self.tags_path()).await.expect_status(200)["tags"].clone()
    }
}

#[track_caller]
fn done(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, ""));
}

fn tags(pairs: &[(&str, &str)]) -> Value {
    pairs.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect()
}

#[tokio::test]
async fn tags_are_added_overwritten_and_removed() {
    let server = Server::start().await;
    assert_eq!(server.tags().await, tags(&[("team", "shop")]));
    let create = json!({ "action": "create", "tags": tags(&[("环境", "测试.1"), ("team", "till"), ("empty", "")]) });
    done(&server.send_action(create).await);
    assert_eq!(server.tags().await, tags(&[("empty", ""), ("team", "till"), ("环境", "测试.1")]));
    let delete = |tags: Value| json!({ "action": "delete", "tags": tags });
    done(&server.send_action(delete(json!([{ "key": "team", "value": "shop" }, { "key": "环境" }]))).await);
    assert_eq!(
        server.tags().await,
        tags(&[("empty", ""), ("team", "till")]),
        "a tag with another value is not removed"
    );
    done(
        &server.send_action(delete(json!([{ "key": "empty", "value": "" }, { "key": "team", "value": "till" }]))).await,
    );
    assert_eq!(server.tags().await, json!([]));
    assert_eq!((server.audit_of("TagInstance").await.len(), server.audit_of("UntagInstance").await.len()), (1, 2));
}

#[tokio::test]
async fn tags_are_listed_in_pages() {
    let server = Server::start().await;
    for number in 0..3 {
        let mut instance = new_instance(&server.tenant.project_id, &format!("bank{number}"));
        instance.tags[0].value = format!("v{number}");
        server.store.instances().add_instance(&test_origin(), instance).await.unwrap();
    }
    server.tag("env", "test").await;
    let project = format!("/v3/{}/tags", server.tenant.project_id);
    let all = server.get(&project).await.expect_status(200);
    let team = json!({ "key": "team", "values": ["shop", "v0", "v1", "v2"] });
    assert_eq!(all, json!({ "total_count": 2, "tags": [{ "key": "env", "values": ["test"] }, team] }));
    let second = server.get(&format!("{project}?offset=1&limit=1")).await.expect_status(200);
    assert_eq!(second, json!({ "total_count": 2, "tags": [team] }));
    let of_instance = server.get(&format!("{}?limit=1", server.tags_path())).await.expect_status(200);
    assert_eq!(of_instance, json!({ "total_count": 2, "tags": [{ "key": "env", "value": "test" }] }));
    for path in [project, server.tags_path()] {
        for query in ["limit=0", "limit=101", "offset=-1", "limit=1&limit=1"] {
            server.get(&format!("{path}?{query}")).await.expect_error(400, "DBS.280001");
        }
    }
}

#[tokio::test]
async fn tag_quota_and_repeated_keys_have_their_own_error_codes() {
    let server = Server::start().await;
    let many = |range: std::ops::Range<u32>| -> Value {
        range.map(|number| json!({ "key": format!("k{number}"), "value": "" })).collect()
    };
    done(&server.send_action(json!({ "action": "create", "tags": many(0..19) })).await);
    let over = server.send_action(json!({ "action": "create", "tags": many(19..20) })).await;
    assert!(over.expect_error(400, "DBS.200087").contains("20"));
    done(&server.send_action(json!({ "action": "create", "tags": many(0..19) })).await);
    let twice =
        server.send_action(json!({ "action": "create", "tags": tags(&[("a", "1"), ("b", ""), ("a", "2")]) })).await;
    assert!(twice.expect_error(400, "DBS.280272").contains("\"a\""));
    assert_eq!(server.tags().await.as_array().unwrap().len(), 20);
}

#[tokio::test]
async fn invalid_requests_are_rejected() {
    let server = Server::start().await;
    let one = |tag: Value| json!({ "action": "create", "tags": [tag] });
    for (body, reason) in [
        (json!({}), "action is missing"),
        (json!({ "action": "create" }), "tags is missing"),
        (json!({ "action": "upsert", "tags": [] }), "Invalid value for action"),
        (json!({ "action": "create", "tags": [] }), "Invalid number of entries in tags: 0. Fix: use 1 to 20 entries"),
        (
            json!({ "action": "create", "tags": vec![json!({ "key": "a", "value": "" }); 21] }),
            "Invalid number of entries in tags: 21",
        ),
        (json!({ "action": "create", "tags": {} }), "Invalid value for tags"),
        (json!({ "action": "create", "tag": [] }), "Unknown field: tag. Did you mean tags?"),
        (one(json!({ "key": "a" })), "value is missing"),
        (one(json!({ "key": "a", "value": "", "color": 1 })), "Invalid value for tags"),
        (one(json!({ "value": "" })), "Invalid value for tags"),
        (one(json!({ "key": "", "value": "" })), "Invalid tag key \"\""),
        (one(json!({ "key": " ", "value": "" })), "Invalid tag key"),
        (one(json!({ "key": "a.b", "value": "" })), "Invalid tag key"),
        (one(json!({ "key": "é", "value": "" })), "Invalid tag key"),
        (one(json!({ "key": "k".repeat(37), "value": "" })), "Fix: use 1 to 36 letters"),
        (one(json!({ "key": "a", "value": "v".repeat(44) })), "Fix: use at most 43 letters"),
        (one(json!({ "key": "a", "value": "a b" })), "Invalid tag value"),
    ] {
        let message = server.send_action(body.clone()).await.expect_error(400, "DBS.280001");
        assert!(message.contains(reason), "{body}: {message}");
    }
    done(&server.send_action(one(json!({ "key": "中".repeat(36), "value": "文".repeat(43) }))).await);
}

#[tokio::test]
async fn policies_evaluate_instance_and_request_tags() {
    let server = Server::start().await;
    let may = json!([
        { "Effect": "Allow", "Action": ["gaussdbformysql:instance:tagResource"],
          "Condition": { "StringEquals": { "g:RequestTag/env": ["test"] } } },
        { "Effect": "Allow", "Action": ["gaussdbformysql:instance:listTags"],
          "Condition": { "StringEquals": { "g:ResourceTag/env": ["test"] } } }
    ]);
    let grace = server.key_of(&server.user_with("grace", may).await).await;
    let act = async |env: &str| {
        let body = json!({ "action": "create", "tags": tags(&[("env", env)]) });
        let call = server.call(Method::POST, &format!("{}/action", server.tags_path())).body(body.to_string());
        grace.sign(call).send().await
    };
    let list = async |path: &str| grace.sign(server.call(Method::GET, path)).send().await;
    let project = format!("/v3/{}/tags", server.tenant.project_id);
    list(&server.tags_path()).await.expect_error(403, "DBS.280015");
    assert_eq!(list(&project).await.expect_status(200), json!({ "total_count": 0, "tags": [] }));
    act("live").await.expect_error(403, "DBS.280015");
    done(&act("test").await);
    assert_eq!(list(&server.tags_path()).await.expect_status(200)["total_count"], 2);
    assert_eq!(list(&project).await.expect_status(200)["total_count"], 2);
    server
        .store
        .instances()
        .add_instance(&test_origin(), new_instance(&server.tenant.project_id, "bank"))
        .await
        .unwrap();
    let visible = list(&project).await.expect_status(200);
    assert_eq!(
        visible["tags"][1],
        json!({ "key": "team", "values": ["shop"] }),
        "values of hidden instances are omitted"
    );
}

#[tokio::test]
async fn unknown_instance_returns_404() {
    let server = Server::start().await;
    let unknown = format!("/v3/{}/instances/{}in07/tags", server.tenant.project_id, "0".repeat(32));
    server.get(&unknown).await.expect_error(404, "DBS.200002");
    let body = json!({ "action": "create", "tags": tags(&[("a", "1")]) }).to_string();
    let call = server.call(Method::POST, &format!("{unknown}/action")).body(body);
    call.send().await.expect_error(404, "DBS.200002");
    server.get(&format!("/v3/{}/instances/x/tags", server.tenant.project_id)).await.expect_error(400, "DBS.280404");
}
