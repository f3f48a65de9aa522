//! What cannot be meant: each item is refused with its code and a message that names what is wrong, in both languages.

use clew_model::{InstanceId, NodeId, ProjectId, RequestId};
use reqwest::Method;
use serde_json::json;

use crate::fixture::{Fixture, answer, refusal};

#[tokio::test]
async fn fields_of_a_collection_that_cannot_be_meant_are_named() {
    let fixture = Fixture::new().await;
    let long = "x".repeat(1025);
    for (body, named) in [
        (json!({ "filter": "slwo" }), "filter"),
        (json!({ "filter": "SLOW" }), "filter"),
        (json!({ "filter": 1 }), "filter"),
        (json!({ "slow_process_threshold": 0 }), "slow_process_threshold"),
        (json!({ "slow_process_threshold": 86_401 }), "slow_process_threshold"),
        (json!({ "slow_process_threshold": "10" }), "slow_process_threshold"),
        (json!({ "slow_process_threshold": 1.5 }), "slow_process_threshold"),
        (json!({ "slow_process_threshold": true }), "slow_process_threshold"),
        (json!({ "slow_process_threshold": 1e30 }), "slow_process_threshold"),
        (json!({ "user": "" }), "user"),
        (json!({ "user": ["app"] }), "user"),
        (json!({ "host": {} }), "host"),
        (json!({ "db": "x".repeat(256) }), "db"),
        (json!({ "command": 7 }), "command"),
        (json!({ "sql_key": long }), "sql_key"),
        (json!({ "sort_key": "user" }), "sort_key"),
        (json!({ "sort_dir": "up" }), "sort_dir"),
        (json!({ "fliter": "slow" }), "fliter"),
        (json!({ "filter": "slow", "x": null }), "x"),
    ] {
        for (language, start) in [("en-us", "Parameter error."), ("zh-cn", "参数错误。")] {
            let request = fixture.collect(body.to_string()).header("X-Language", language);
            let (status, code, message) = refusal(request).await;
            assert_eq!((status, &*code), (400, "DBS.280001"), "{body}: {message}");
            assert!(message.starts_with(start) && message.contains(named), "{body}: {message}");
            assert!(message.chars().count() < 400, "{message}");
        }
    }
    assert_eq!(fixture.store.task_counts().await.unwrap().iter().map(|(_, count)| count).sum::<u64>(), 0);
}

#[tokio::test]
async fn bodies_that_are_no_json_object_are_refused() {
    let fixture = Fixture::new().await;
    for body in [&b"{"[..], b"[]", b"null", b"\"slow\"", b"{}{}", b"{\"user\":\"\xff\"}", b"\xef\xbb\xbf{}", b"\0"] {
        let (status, code, message) = refusal(fixture.collect(body.to_vec())).await;
        assert_eq!((status, &*code), (400, "DBS.280001"), "{body:?}");
        assert!(message.contains("The body cannot be read: "), "{message}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(refusal(fixture.collect(deep)).await.0, 400);
}

#[tokio::test]
async fn a_field_that_is_there_twice_is_refused() {
    let fixture = Fixture::new().await;
    let (status, code, message) = refusal(fixture.collect(r#"{"user":"app","user":"root"}"#)).await;
    assert_eq!((status, &*code), (400, "DBS.280001"));
    assert!(message.contains("user"), "{message}");
}

#[tokio::test]
async fn a_body_over_one_mebibyte_is_refused_and_one_of_that_size_is_read() {
    let fixture = Fixture::new().await;
    let padded = |length: usize| format!("{{}}{}", " ".repeat(length - 2));
    answer(fixture.collect(padded(1 << 20)), 202).await;
    let (status, code, message) = refusal(fixture.collect(padded((1 << 20) + 1))).await;
    assert_eq!((status, &*code), (413, "APIGW.0201"));
    assert!(message.contains("1048576"), "{message}");
    let sign_in = fixture.anonymous(Method::POST, "/v3/auth/tokens").body(padded((1 << 20) + 1));
    assert_eq!(refusal(sign_in).await.0, 413);
}

#[tokio::test]
async fn malformed_ids_are_told_from_unknown_ones() {
    let fixture = Fixture::new().await;
    let (instance, node) = (fixture.instance.id.to_string(), fixture.instance.nodes[0].id.to_string());
    let (unknown_instance, unknown_node) = (InstanceId::generate().to_string(), NodeId::generate().to_string());
    for (instance, node, expected) in [
        ("x", &*node, (400, "DBS.280404")),
        (&*node, &*node, (400, "DBS.280404")),
        (&*instance.to_ascii_uppercase(), &*node, (400, "DBS.280404")),
        ("..%2F..%2Fetc%2Fpasswd", &*node, (400, "DBS.280404")),
        (&*instance, "x", (400, "DBS.280404")),
        (&*instance, &*instance, (400, "DBS.280404")),
        (&*instance, "%00", (400, "DBS.280404")),
        (&*unknown_instance, "x", (400, "DBS.280404")),
        (&*unknown_instance, &*node, (404, "DBS.200002")),
        (&*instance, &*unknown_node, (404, "DBS.290013")),
    ] {
        let base = format!("/v3/{}/instances/{instance}/nodes/{node}/realtime-session", fixture.founded.project_id);
        for request in [
            fixture.request(Method::POST, &base).body("{ not even json"),
            fixture.get(&format!("{base}-task?request_id=x")),
            fixture.get(&format!("{base}-result")),
        ] {
            let (status, code, message) = refusal(request).await;
            assert_eq!((status, &*code), expected, "{base}: {message}");
        }
    }
}

#[tokio::test]
async fn projects_of_others_and_of_nobody_are_refused_alike() {
    let fixture = Fixture::new().await;
    let neighbour = fixture.neighbour().await;
    let mut messages = Vec::new();
    for project in [neighbour.project_id.to_string(), ProjectId::generate().to_string(), "x".into(), "%00".into()] {
        // The ids behind the project are good, so that only the project can be what is refused.
        let path = format!("/v3/{project}/instances/{}/nodes/{}", neighbour.id, neighbour.nodes[0].id);
        for request in [
            fixture.request(Method::POST, &format!("{path}/realtime-session")),
            fixture.get(&format!("{path}/realtime-session-task?request_id={}", RequestId::generate())),
            fixture.get(&format!("{path}/realtime-session-result?request_id={}", RequestId::generate())),
            fixture.get(&format!("/v3/{project}/instances")),
            fixture.get(&format!("/v3.1/{project}/instances/{}", neighbour.id)),
        ] {
            let (status, code, message) = refusal(request).await;
            assert_eq!((status, &*code), (403, "DBS.280015"));
            messages.push(message);
        }
    }
    messages.dedup();
    assert_eq!(messages, ["Resource not found or permission denied."]);
    // Through the own project, another's instance is as unknown as none.
    let path = format!("/v3/{}/instances/{}", fixture.founded.project_id, neighbour.id);
    assert_eq!(refusal(fixture.get(&path)).await.1, "DBS.200002");
}

#[tokio::test]
async fn request_ids_that_are_none_never_reach_a_file() {
    let fixture = Fixture::new().await;
    let id = fixture.publish(b"row\r\n").await;
    for given in [
        "",
        "x",
        "..%2F..%2F..%2Fetc%2Fpasswd",
        "realtime_session-..%2F..%2F..%2F..%2Fetc%2Fpasswd-98e9",
        &format!("{id}%00"),
        &format!("{id}%0a"),
        &format!("{id}.1.csv"),
        &id.to_string().to_ascii_uppercase(),
        &"x".repeat(5000),
    ] {
        for last in ["realtime-session-task", "realtime-session-result"] {
            let (status, code, message) =
                refusal(fixture.get(&fixture.path(&format!("{last}?request_id={given}")))).await;
            assert_eq!((status, &*code), (400, "DBS.280001"), "{given}");
            assert!(message.contains("request_id"), "{message}");
        }
    }
    for query in ["", "?", "?request_ids=x", &format!("?request_id={id}&request_id={id}")] {
        for last in ["realtime-session-task", "realtime-session-result"] {
            let (status, code, message) = refusal(fixture.get(&fixture.path(&format!("{last}{query}")))).await;
            assert_eq!((status, &*code), (400, "DBS.280001"), "{query}");
            assert!(message.contains("request_id"), "{message}");
        }
    }
}

#[tokio::test]
async fn a_language_that_is_none_is_refused_with_those_that_are() {
    let fixture = Fixture::new().await;
    for language in ["fr-fr", "en", "zh", "", "zh-CN,en"] {
        let (status, code, message) = refusal(fixture.collect("").header("X-Language", language)).await;
        assert_eq!((status, &*code), (400, "DBS.280001"), "{language}");
        assert!(message.contains("en-us") && message.contains("zh-cn"), "{message}");
    }
    let (_, _, message) = refusal(fixture.collect("{").header("X-Language", "ZH-CN")).await;
    assert!(message.starts_with("参数错误。"), "{message}");
}

#[tokio::test]
async fn paths_and_methods_that_are_none_are_refused_to_anyone() {
    let fixture = Fixture::new().await;
    for (method, path) in [
        (Method::GET, "/nothing/here"),
        (Method::GET, "/v3"),
        (Method::GET, "/v4/x/instances"),
        (Method::DELETE, "/v3/auth/tokens"),
        (Method::POST, "/healthz"),
        (Method::PATCH, &*fixture.path("realtime-session-task")),
        (Method::GET, &*fixture.path("realtime-session")),
        (Method::GET, &*format!("{}/", fixture.path("realtime-session-task"))),
    ] {
        let (status, code, _) = refusal(fixture.anonymous(method, path)).await;
        assert_eq!((status, &*code), (404, "APIGW.0101"), "{path}");
    }
}

#[tokio::test]
async fn a_path_that_is_not_utf8_gets_an_error_body_too() {
    let fixture = Fixture::new().await;
    let (status, code, _) = refusal(fixture.get("/v3/%ff/instances")).await;
    assert_eq!((status, &*code), (400, "APIGW.0201"));
}
