//! Who is asking: tokens and signatures that are wrong in each way they can be.

use clew_iam::signature;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;

use crate::fixture::{ACCESS_KEY, Fixture, Signer, answer, refusal};

#[tokio::test]
async fn tokens_that_are_missing_unknown_or_over_are_told_apart() {
    let fixture = Fixture::new().await;
    let path = fixture.path("realtime-session");
    let request = || fixture.anonymous(Method::POST, &path);
    let (status, code, message) = refusal(request()).await;
    assert_eq!((status, &*code), (401, "APIGW.0301"));
    assert!(message.ends_with("x-auth-token not found"), "{message}");

    let cut = fixture.token[1..].to_owned();
    for token in ["", "x", &cut, &fixture.token.to_ascii_lowercase(), &"x".repeat(8000)] {
        let (status, code, message) = refusal(request().header("X-Auth-Token", token)).await;
        assert_eq!((status, &*code), (401, "APIGW.0301"));
        assert_eq!(message, "Incorrect IAM authentication information: decrypt token fail");
    }
    let garbled = request().header("X-Auth-Token", &b"\xff\xfe"[..]);
    assert_eq!(refusal(garbled).await.1, "APIGW.0301");

    let over = fixture.token(Some(&fixture.founded.project_id), -1).await;
    let (status, code, message) = refusal(request().header("X-Auth-Token", &over)).await;
    assert_eq!((status, &*code), (401, "APIGW.0307"));
    assert!(message.starts_with("The token must be updated. It expired at 2"), "{message}");
    let (_, _, message) = refusal(request().header("X-Auth-Token", &over).header("X-Language", "zh-cn")).await;
    assert!(message.starts_with("Token需要更新。"), "{message}");
}

#[tokio::test]
async fn a_token_opens_its_own_project_only() {
    let fixture = Fixture::new().await;
    let sibling = fixture.store.add_project(&fixture.founded.domain_id, "other-1").await.unwrap();
    for scope in [None, Some(&sibling)] {
        let token = fixture.token(scope, 3600).await;
        let request = fixture.anonymous(Method::POST, &fixture.path("realtime-session")).header("X-Auth-Token", token);
        assert_eq!(refusal(request).await.1, "DBS.280015", "{scope:?}");
    }
    answer(fixture.collect(""), 202).await;
}

#[tokio::test]
async fn a_signed_request_is_answered_in_each_project_of_the_domain() {
    let fixture = Fixture::new().await;
    let sibling = fixture.store.add_project(&fixture.founded.domain_id, "other-1").await.unwrap();
    for project in [&fixture.founded.project_id, &sibling] {
        let path = format!("/v3.1/{project}/instances");
        let query = "name=%2Asho&limit=1&offset=0";
        let request = fixture.anonymous(Method::GET, &format!("{path}?{query}"));
        answer(Signer::get(&path, query).sign(&fixture, request), 200).await;
    }
    let path = fixture.path("realtime-session");
    let body = br#"{"filter": "slow"}"#;
    let signer = Signer { method: "POST", body, ..Signer::get(&path, "") };
    let request = fixture.anonymous(Method::POST, &path).body(&body[..]);
    answer(signer.sign(&fixture, request), 202).await;
}

#[tokio::test]
async fn whatever_differs_from_what_was_signed_is_refused() {
    let fixture = Fixture::new().await;
    let path = fixture.path("realtime-session");
    let other_path = fixture.path("realtime-session-task");
    let body = br#"{"filter": "slow"}"#;
    let good = || Signer { method: "POST", body, ..Signer::get(&path, "") };
    for (spoiled, signer) in [
        ("secret key", Signer { secret_key: "another-secret-key-of-another-access-key", ..good() }),
        ("body", Signer { body: br#"{"filter": "long"}"#, ..good() }),
        ("no body", Signer { body: b"", ..good() }),
        ("method", Signer { method: "GET", ..good() }),
        ("path", Signer { path: &other_path, ..good() }),
        ("query", Signer { query: "a=1", ..good() }),
    ] {
        let request = fixture.anonymous(Method::POST, &path).body(&body[..]);
        let (status, code, message) = refusal(signer.sign(&fixture, request)).await;
        assert_eq!((status, &*code), (401, "APIGW.0301"), "{spoiled}");
        assert!(message.contains("verify aksk signature fail"), "{spoiled}: {message}");
    }
    assert!(fixture.store.task_counts().await.unwrap().iter().all(|(_, count)| *count == 0));
    answer(good().sign(&fixture, fixture.anonymous(Method::POST, &path).body(&body[..])), 202).await;
}

#[tokio::test]
async fn clocks_may_differ_by_a_quarter_of_an_hour() {
    let fixture = Fixture::new().await;
    for (minutes, expected) in [(-16, 401), (-14, 200), (14, 200), (16, 401)] {
        let now = Timestamp::now() + SignedDuration::from_mins(minutes);
        let signer = Signer { date: signature::date(now), ..Signer::get("/v3/projects", "") };
        let request = signer.sign(&fixture, fixture.anonymous(Method::GET, "/v3/projects"));
        assert_eq!(request.send().await.unwrap().status(), expected, "{minutes}");
    }
    let late = Signer { date: "20200101T000000Z".into(), ..Signer::get("/v3/projects", "") };
    let (_, _, message) = refusal(late.sign(&fixture, fixture.anonymous(Method::GET, "/v3/projects"))).await;
    assert!(message.contains("clock"), "{message}");
}

#[tokio::test]
async fn keys_that_are_unknown_and_headers_that_are_garbled_are_refused() {
    let fixture = Fixture::new().await;
    let signer = Signer { access_key: "AKUNKNOWN00000000000", ..Signer::get("/v3/projects", "") };
    let request = signer.sign(&fixture, fixture.anonymous(Method::GET, "/v3/projects"));
    let (status, code, message) = refusal(request).await;
    assert_eq!((status, &*code), (401, "APIGW.0301"));
    assert_eq!(message, "Incorrect IAM authentication information: ak AKUNKNOWN00000000000 not exist");

    let no_host =
        format!("SDK-HMAC-SHA256 Access={ACCESS_KEY}, SignedHeaders=x-sdk-date, Signature={}", "0".repeat(64));
    for header in ["", "Bearer x", "SDK-HMAC-SHA256", "SDK-HMAC-SHA256 Access=, SignedHeaders=, Signature=", &no_host] {
        let request = fixture
            .anonymous(Method::GET, "/v3/projects")
            .header("Authorization", header)
            .header("X-Sdk-Date", signature::date(Timestamp::now()));
        let (status, code, _) = refusal(request).await;
        assert_eq!((status, &*code), (401, "APIGW.0301"), "{header}");
    }
}

#[tokio::test]
async fn everything_but_signing_in_and_operations_needs_a_caller() {
    let fixture = Fixture::new().await;
    let project = &fixture.founded.project_id;
    for path in [
        fixture.path("realtime-session-task"),
        fixture.path("realtime-session-result"),
        format!("/v3/{project}/instances"),
        format!("/v3.1/{project}/instances"),
        format!("/v3/{project}/instances/{}", fixture.instance.id),
        format!("/v3.1/{project}/instances/{}", fixture.instance.id),
        "/v3/projects".into(),
        "/v3/auth/projects".into(),
        "/v3/auth/domains".into(),
        "/v5/caller-identity".into(),
        // Not even whether a project exists is told to a stranger.
        "/v3/x/instances".into(),
    ] {
        assert_eq!(refusal(fixture.anonymous(Method::GET, &path)).await.1, "APIGW.0301", "{path}");
    }
}
