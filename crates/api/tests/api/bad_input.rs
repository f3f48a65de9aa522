//! Malformed and unauthorized requests and their errors.

use clew_model::{InstanceId, NodeId, RequestId};
use http::Method;

use crate::call::LANGUAGE;
use crate::server::{Server, new_instance, test_origin};

const REQUEST_ID: &str = "realtime_session-0627a175-a4d4-44cd-b78a-51dc3ef8ba9a-98e9";

/// The three collection operations of a node, each well-formed.
const OPERATIONS: [(Method, &str); 3] = [
    (Method::POST, ""),
    (Method::GET, "-task?request_id=realtime_session-0627a175-a4d4-44cd-b78a-51dc3ef8ba9a-98e9"),
    (Method::GET, "-result?request_id=realtime_session-0627a175-a4d4-44cd-b78a-51dc3ef8ba9a-98e9"),
];

fn path(project: &str, instance: &str, node: &str, rest: &str) -> String {
    format!("/v3/{project}/instances/{instance}/nodes/{node}/realtime-session{rest}")
}

#[tokio::test]
async fn malformed_ids_are_rejected_with_the_expected_format() {
    let server = Server::start().await;
    let (project, instance, node) = (server.tenant.project_id.as_str(), server.instance.id.as_str(), server.node());
    let upper = instance.to_ascii_uppercase();
    for (method, rest) in OPERATIONS {
        for wrong in ["x", node.as_str(), &instance[1..], &upper, "..%2f..", "%00", "in07", "%E4%BD%A0"] {
            let path = path(project, wrong, node.as_str(), rest);
            let message = server.call(method.clone(), &path).send().await.expect_error(400, "DBS.280404");
            assert!(message.contains("an instance id: 32 hexadecimal digits, then in07"), "{message}");
        }
        for wrong in ["x", instance, "%20", "no07"] {
            let path = path(project, instance, wrong, rest);
            let message = server.call(method.clone(), &path).send().await.expect_error(400, "DBS.280404");
            assert!(message.contains("a node id: 32 hexadecimal digits, then no07"), "{message}");
        }
    }
    for version in ["v3", "v3.1"] {
        let path = format!("/{version}/{project}/instances/in07");
        let message = server.get(&path).await.expect_error(400, "DBS.280404");
        assert!(message.contains("\"in07\""), "{message}");
    }
}

#[tokio::test]
async fn unknown_ids_return_404() {
    let server = Server::start().await;
    let other = server
        .store
        .instances()
        .add_instance(&test_origin(), new_instance(&server.tenant.project_id, "other"))
        .await
        .unwrap();
    let project = server.tenant.project_id.as_str();
    for (method, rest) in OPERATIONS {
        let call = |instance: &InstanceId, node: &NodeId| {
            server.call(method.clone(), &path(project, instance.as_str(), node.as_str(), rest)).send()
        };
        call(&InstanceId::generate(), &server.node()).await.expect_error(404, "DBS.200002");
        call(&server.instance.id, &NodeId::generate()).await.expect_error(404, "DBS.290013");
        call(&server.instance.id, &other.nodes[0].id).await.expect_error(404, "DBS.290013");
    }
    for version in ["v3", "v3.1"] {
        let path = format!("/{version}/{project}/instances/{}", InstanceId::generate());
        server.get(&path).await.expect_error(404, "DBS.200002");
    }
}

#[tokio::test]
async fn foreign_and_missing_projects_get_the_same_error() {
    let server = Server::start().await;
    let domain = server.store.tenants().create_domain(&test_origin(), "rival").await.unwrap();
    let foreign = server.store.tenants().create_project(&test_origin(), &domain, "secret", "").await.unwrap();
    let theirs = server.store.instances().add_instance(&test_origin(), new_instance(&foreign, "theirs")).await.unwrap();
    let (instance, node) = (theirs.id.as_str(), theirs.nodes[0].id.as_str());
    let mut calls: Vec<_> =
        OPERATIONS.into_iter().map(|(method, rest)| (method, path("{project}", instance, node, rest))).collect();
    for version in ["v3", "v3.1"] {
        calls.push((Method::GET, format!("/{version}/{{project}}/instances")));
        calls.push((Method::GET, format!("/{version}/{{project}}/instances/{instance}")));
    }
    for (method, path) in calls {
        let mut answers = Vec::new();
        for project in [foreign.as_str(), "00000000000000000000000000000000", "x", "..%2f..", "%00"] {
            let call = server.call(method.clone(), &path.replace("{project}", project));
            let signed = server.sign(server.call(method.clone(), &path.replace("{project}", project)));
            for call in [call, signed] {
                let answer = call.send().await;
                answer.expect_error(403, "DBS.280015");
                answers.push(answer.body);
            }
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "the response reveals which projects exist");
        // The foreign instance is not reachable through the own project either.
        let own = path.replace("{project}", server.tenant.project_id.as_str());
        if own.contains(instance) {
            server.call(method, &own).send().await.expect_error(404, "DBS.200002");
        }
    }
}

#[tokio::test]
async fn invalid_body_is_rejected_with_the_reason() {
    let server = Server::start().await;
    let long = format!("{{\"user\":\"{}\"}}", "é".repeat(256));
    for (body, reason) in [
        (r#"{"filter":"#, "Cannot read the request body"),
        ("[]", "Cannot read the request body"),
        ("\"slow\"", "Cannot read the request body"),
        ("null", "Cannot read the request body"),
        ("{} {}", "Cannot read the request body"),
        ("filter=slow", "Cannot read the request body"),
        (r#"{"fliter":"slow"}"#, "Unknown field: fliter"),
        (r#"{"user":"web","user":"bot"}"#, "user is specified more than once"),
        (r#"{"Filter":"slow"}"#, "Unknown field: Filter"),
        (r#"{"filter":"fast"}"#, "Invalid value for filter: \"fast\". Fix: use one of slow, active, total, long"),
        (r#"{"filter":7}"#, "Invalid value for filter: \"7\""),
        (r#"{"filter":["slow"]}"#, "Invalid value for filter"),
        (r#"{"sort_key":"user"}"#, "Invalid value for sort_key: \"user\""),
        (r#"{"sort_dir":"up"}"#, "Invalid value for sort_dir: \"up\""),
        (r#"{"slow_process_threshold":0}"#, "Invalid value for slow_process_threshold: 0. Fix: use 1 to 86400"),
        (r#"{"slow_process_threshold":86401}"#, "Invalid value for slow_process_threshold: 86401"),
        (r#"{"slow_process_threshold":-1}"#, "Invalid value for slow_process_threshold: -1"),
        (r#"{"slow_process_threshold":"10"}"#, "Invalid value for slow_process_threshold"),
        (r#"{"slow_process_threshold":10.5}"#, "Invalid value for slow_process_threshold: \"10.5\""),
        (r#"{"slow_process_threshold":99999999999999999999}"#, "Invalid value for slow_process_threshold"),
        (r#"{"user":""}"#, "Invalid length of user: 0 characters. Fix: use 1 to 255 characters"),
        (&long, "Invalid length of user: 256 characters"),
        (r#"{"sql_key":true}"#, "Invalid value for sql_key: \"true\""),
    ] {
        let answer = server.call(Method::POST, &server.sessions("")).body(body).send().await;
        let message = answer.expect_error(400, "DBS.280001");
        assert!(message.starts_with("Parameter error. ") && message.contains(reason), "{body}: {message}");
    }
    let answer = server.call(Method::POST, &server.sessions("")).body(b"{\"user\":\"\xff\"}".to_vec()).send().await;
    answer.expect_error(400, "DBS.280001");
    assert!(
        server.store.tasks().count_tasks_by_status().await.unwrap().iter().all(|(_, count)| *count == 0),
        "nothing was queued"
    );
}

#[tokio::test]
async fn body_over_the_size_limit_is_rejected() {
    let server = Server::start().await;
    let body = |length: usize| format!("{{\"x\":\"{}\"}}", "a".repeat(length - 8));
    assert_eq!(body(100).len(), 100);
    for path in [server.sessions(""), "/v3/auth/tokens".to_owned()] {
        let post = |length| server.call(Method::POST, &path).body(body(length)).send();
        let message = post((1 << 20) + 1).await.expect_error(413, "APIGW.0201");
        assert!(message.contains("1048576 bytes"), "{message}");
        assert_eq!(post(1 << 20).await.status, 400);
    }
    let chinese = server.call(Method::POST, &server.sessions("")).chinese().body(body((1 << 20) + 1)).send().await;
    assert!(chinese.expect_error(413, "APIGW.0201").contains("超过上限1048576字节"));
}

#[tokio::test]
async fn error_messages_follow_x_language() {
    let server = Server::start().await;
    let path = server.sessions("-task");
    assert_eq!(server.get(&path).await.message(), "Parameter error. request_id is missing.");
    assert_eq!(server.get_in_chinese(&path).await.message(), "参数错误。缺少request_id。");
    for tag in ["en-us", "EN-US", "zh-CN"] {
        let answer = server.call(Method::GET, &path).header(LANGUAGE, tag).send().await;
        assert_eq!(answer.expect_error(400, "DBS.280001").contains("is missing"), tag != "zh-CN", "{tag}");
    }
    for path in [path.as_str(), "/healthz", "/no/such"] {
        for tag in ["fr-fr", "", "en", "zh"] {
            let message =
                server.call(Method::GET, path).header(LANGUAGE, tag).send().await.expect_error(400, "DBS.280001");
            let expected =
                format!("Parameter error. Invalid value for X-Language: \"{tag}\". Fix: use en-us or zh-cn.");
            assert_eq!(message, expected);
        }
    }
    let chinese = server.call(Method::GET, "/no/such").chinese().send().await.expect_error(404, "APIGW.0101");
    assert_eq!(chinese, "API不存在。");
    let chinese = server.call(Method::GET, &path).anonymous().chinese().send().await.expect_error(401, "APIGW.0301");
    assert!(chinese.starts_with("IAM认证信息错误："), "{chinese}");
}

#[tokio::test]
async fn malformed_request_id_is_rejected_without_file_access() {
    let server = Server::start().await;
    server.add_finished(b"a\r\n").await;
    let long = format!("realtime_session-{}", "a".repeat(8000));
    for operation in ["-task", "-result"] {
        for garbage in [
            "",
            "..%2f..%2f..%2fetc%2fpasswd",
            "../../../clew.db",
            "realtime_session-..%2f..%2fclew.db-98e9",
            "%2fetc%2fpasswd",
            "realtime_session-0627a175-a4d4-44cd-b78a-51dc3ef8ba9a-98e9%00",
            "realtime_session-0627a175-a4d4-44cd-b78a-51dc3ef8ba9a-98e9%0a",
            "realtime_session-0627A175-A4D4-44CD-B78A-51DC3EF8BA9A-98E9",
            "%20realtime_session-0627a175-a4d4-44cd-b78a-51dc3ef8ba9a-98e9",
            "%ff%fe",
            "%",
            "'%20OR%201=1--",
            "%F0%9F%92%A5",
            &long,
        ] {
            let path = server.sessions(&format!("{operation}?request_id={garbage}"));
            let message = server.get(&path).await.expect_error(400, "DBS.280001");
            assert!(message.contains("Fix: use the format realtime_session-<UUID>"), "{garbage}: {message}");
        }
        let missing = server.get(&server.sessions(operation)).await.expect_error(400, "DBS.280001");
        assert!(missing.contains("request_id is missing"), "{missing}");
        let twice = server.sessions(&format!("{operation}?request_id={REQUEST_ID}&request_id={REQUEST_ID}"));
        let twice = server.get(&twice).await.expect_error(400, "DBS.280001");
        assert!(twice.contains("request_id is specified more than once"), "{twice}");
    }
}

#[tokio::test]
async fn collection_of_another_node_is_unknown() {
    let server = Server::start().await;
    let own = server.add_finished(b"a\r\n").await;
    let replica = &server.instance.nodes[1].id;
    for (node, id) in [(replica, own), (&server.node(), RequestId::generate())] {
        let status = server.get(&server.sessions_of(node, &format!("-task?request_id={id}"))).await;
        assert_eq!(status.expect_status(200), serde_json::json!({ "status": "unrecognized" }));
        let result = server.get(&server.sessions_of(node, &format!("-result?request_id={id}"))).await;
        result.expect_error(400, "DBS.200543");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_return_404() {
    let server = Server::start().await;
    let status = server.status_of(&RequestId::generate());
    let calls = [
        (Method::POST, "/"),
        (Method::GET, "/v3"),
        (Method::GET, "/instances"),
        (Method::GET, "/v4/projects"),
        (Method::GET, "/v3/projects/"),
        (Method::GET, "//v3/projects"),
        (Method::DELETE, "/v3/projects"),
        (Method::PUT, "/healthz"),
        (Method::OPTIONS, "/v3/projects"),
        (Method::PUT, "/v3/auth/tokens"),
        (Method::POST, &status),
        (Method::from_bytes(b"BREW").unwrap(), "/healthz"),
    ];
    for (method, path) in calls {
        for call in [server.call(method.clone(), path), server.call(method.clone(), path).anonymous()] {
            let answer = call.send().await;
            assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "APIGW.0101"), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn non_utf_8_path_gets_a_standard_error_body() {
    let server = Server::start().await;
    for path in ["/v3/%ff/instances".to_owned(), format!("/v3/{}/instances/%c3%28", server.tenant.project_id)] {
        server.get(&path).await.expect_error(400, "APIGW.0201");
    }
}
