//! Requests for foreign objects get the same response as requests for missing objects, byte for byte.

use clew_model::{InstanceId, NodeId, RequestId};
use http::Method;
use serde_json::json;

use crate::server::{Server, new_instance, test_origin};

/// Ids in a request.
struct RequestIds {
    project: String,
    instance: String,
    node: String,
    collection: String,
}

/// Status and body of the response, without the request id.
async fn answer(server: &Server, method: &Method, path: &str, ids: &RequestIds, token: &str) -> (u16, String) {
    let path = path
        .replace("{project}", &ids.project)
        .replace("{instance}", &ids.instance)
        .replace("{node}", &ids.node)
        .replace("{collection}", &ids.collection);
    let answer = server.call(method.clone(), &path).token(token).send().await;
    let id = answer.header("x-request-id");
    (answer.status.as_u16(), answer.text().replace(&id, ""))
}

const NODE: &str = "/v3/{project}/instances/{instance}/nodes/{node}/realtime-session";

#[tokio::test]
async fn foreign_objects_respond_like_missing_objects() {
    let server = Server::start().await;
    let own = server.tenant.project_id.as_str();
    let rival = server.store.tenants().create_domain(&test_origin(), "rival").await.unwrap();
    let foreign = server.store.tenants().create_project(&test_origin(), &rival, "secret", "").await.unwrap();
    let sibling =
        server.store.tenants().create_project(&test_origin(), &server.tenant.domain_id, "south-1", "").await.unwrap();
    let theirs = server.store.instances().add_instance(&test_origin(), new_instance(&foreign, "theirs")).await.unwrap();
    let mine = server.store.instances().add_instance(&test_origin(), new_instance(&sibling, "mine")).await.unwrap();
    let collection = server.add_finished(b"a\r\n").await;

    let administrator = server.tenant.user_id.clone();
    let reader = server.user_with_system("reader", "TaurusDBReadOnlyAccessPolicy").await;
    let everything = json!({ "Effect": "Allow", "Action": ["gaussdbformysql:*:*"] });
    let by_tag = json!([{ "Effect": "Allow", "Action": ["gaussdbformysql:*:*"],
        "Condition": { "StringEquals": { "g:ResourceTag/team": ["theirs"] } } }]);
    let tagged = server.user_with("tagged", by_tag).await;
    let all = server.user_with("all", json!([everything])).await;
    let nothing = server.user("nothing").await;

    let nowhere = |project: &str| RequestIds {
        project: project.into(),
        instance: InstanceId::generate().to_string(),
        node: NodeId::generate().to_string(),
        collection: RequestId::generate().to_string(),
    };
    let of = |project: &str, instance: &clew_model::Instance| RequestIds {
        project: project.into(),
        instance: instance.id.to_string(),
        node: instance.nodes[0].id.to_string(),
        collection: collection.to_string(),
    };
    let task = format!("{NODE}-task?request_id={{collection}}");
    let result = format!("{NODE}-result?request_id={{collection}}");
    let paths = [
        (Method::POST, NODE),
        (Method::GET, task.as_str()),
        (Method::GET, result.as_str()),
        (Method::GET, "/v3/{project}/instances/{instance}"),
        (Method::GET, "/v3.1/{project}/instances/{instance}"),
        (Method::GET, "/v3/{project}/instances/{instance}/tags"),
    ];
    for (role, user) in
        [("admin", administrator), ("reader", reader), ("tagged", tagged), ("all", all), ("nothing", nothing)]
    {
        let token = server.project_token(&user).await;
        let ask =
            async |method: &Method, path: &str, ids: &RequestIds| answer(&server, method, path, ids, &token).await;
        for (method, path) in &paths {
            // Foreign instances below the own project.
            let absent = ask(method, path, &nowhere(own)).await;
            for instance in [&theirs, &mine] {
                assert_eq!(ask(method, path, &of(own, instance)).await, absent, "{role} {method} {path}");
            }
            // Foreign projects.
            let absent = ask(method, path, &nowhere("0123456789abcdef0123456789abcdef")).await;
            assert_eq!(absent.0, 403);
            for (project, instance) in [(&foreign, &theirs), (&sibling, &mine)] {
                assert_eq!(ask(method, path, &of(project.as_str(), instance)).await, absent, "{role} {method} {path}");
            }
            // Foreign nodes and collections below the own instance.
            let shop = |node: &NodeId, collection: &RequestId| RequestIds {
                node: node.to_string(),
                collection: collection.to_string(),
                ..of(own, &server.instance)
            };
            let absent = ask(method, path, &shop(&NodeId::generate(), &collection)).await;
            for instance in [&theirs, &mine] {
                assert_eq!(ask(method, path, &shop(&instance.nodes[0].id, &collection)).await, absent, "{role} {path}");
            }
            if *method == Method::GET {
                let replica = &server.instance.nodes[1].id;
                let absent = ask(method, path, &shop(replica, &RequestId::generate())).await;
                assert_eq!(ask(method, path, &shop(replica, &collection)).await, absent, "{role} {method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn denied_instance_responds_like_a_missing_instance() {
    let server = Server::start().await;
    let by_tag = json!([{ "Effect": "Allow", "Action": ["gaussdbformysql:*:*"],
        "Condition": { "StringEquals": { "g:ResourceTag/team": ["elsewhere"] } } }]);
    let token = server.project_token(&server.user_with("tagged", by_tag).await).await;
    let (id, absent) = (server.instance.id.to_string(), InstanceId::generate().to_string());
    let node = server.node().to_string();
    for (method, path) in [
        (Method::GET, format!("/v3/{}/instances/{{instance}}", server.tenant.project_id)),
        (
            Method::POST,
            format!("/v3/{}/instances/{{instance}}/nodes/{node}/realtime-session", server.tenant.project_id),
        ),
    ] {
        let ask = async |id: &str| {
            let answer = server.call(method.clone(), &path.replace("{instance}", id)).token(&token).send().await;
            answer.expect_error(403, "DBS.280015");
            answer.body
        };
        assert_eq!(ask(&id).await, ask(&absent).await);
    }
}
