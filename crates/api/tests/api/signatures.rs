//! Accepted and rejected tokens and signatures.

use clew_iam::signature::{SignatureCoverage, UNSIGNED_PAYLOAD};
use clew_model::AccessKeyId;
use http::Method;
use http::header::AUTHORIZATION;
use jiff::SignedDuration;
use secrecy::SecretString;

use crate::call::{Call, TOKEN};
use crate::server::Server;

fn list(server: &Server) -> Call {
    server.call(Method::GET, &format!("/v3/{}/instances?limit=10&name=*sh%20op", server.tenant.project_id))
}

fn collect(server: &Server) -> Call {
    server.call(Method::POST, &server.sessions("")).header("content-type", "application/json").body(r#"{"user":"web"}"#)
}

#[tokio::test]
async fn request_without_credentials_is_rejected() {
    let server = Server::start().await;
    for (method, path) in [
        (Method::GET, "/v3/projects".to_owned()),
        (Method::GET, "/v3/auth/projects".to_owned()),
        (Method::GET, "/v3/auth/domains".to_owned()),
        (Method::GET, "/v5/caller-identity".to_owned()),
        (Method::POST, server.sessions("")),
        (Method::GET, server.sessions("-task")),
        (Method::GET, server.sessions("-result")),
        (Method::GET, format!("/v3/{}/instances", server.tenant.project_id)),
        (Method::GET, format!("/v3.1/{}/instances/x", server.tenant.project_id)),
    ] {
        let message = server.call(method, &path).anonymous().send().await.expect_error(401, "APIGW.0301");
        assert_eq!(message, "Incorrect IAM authentication information: x-auth-token not found", "{path}");
    }
}

#[tokio::test]
async fn unknown_and_expired_tokens_are_rejected() {
    let server = Server::start().await;
    for garbled in ["", "x", &"x".repeat(64), &"é".repeat(32), &"x".repeat(20_000)] {
        let message = list(&server).token(garbled).send().await.expect_error(401, "APIGW.0301");
        assert_eq!(message, "Incorrect IAM authentication information: decrypt token fail");
    }
    let (user, project) = (&server.tenant.user_id, Some(&server.tenant.project_id));
    let good = server.token_of(user, project, 60).await;
    list(&server).token(&good).send().await.expect_status(200);
    list(&server).token(&good.to_ascii_uppercase()).send().await.expect_error(401, "APIGW.0301");
    for seconds in [0, -1, -3600] {
        let over = server.token_of(user, project, seconds).await;
        let message = list(&server).token(&over).send().await.expect_error(401, "APIGW.0307");
        assert!(message.starts_with("The token must be updated. The token expired at 20"), "{message}");
        let chinese = list(&server).token(&over).chinese().send().await.expect_error(401, "APIGW.0307");
        assert!(chinese.starts_with("Token需要更新。Token已于20"), "{chinese}");
    }
}

#[tokio::test]
async fn token_takes_precedence_over_a_signature() {
    let server = Server::start().await;
    let both = server.sign(list(&server)).header(TOKEN, "x");
    both.send().await.expect_error(401, "APIGW.0301");
}

#[tokio::test]
async fn signed_request_has_the_identity_of_the_key_owner() {
    let server = Server::start().await;
    server.sign(list(&server)).send().await.expect_status(200);
    server.sign(collect(&server)).send().await.expect_status(202);
    let identity = server.sign(server.call(Method::GET, "/v5/caller-identity")).send().await.expect_status(200);
    assert_eq!(identity["principal_id"], server.tenant.user_id.as_str());
    assert_eq!(identity["account_id"], server.tenant.domain_id.as_str());
    assert_eq!(identity["principal_urn"], format!("iam::{}:user:ada", server.tenant.domain_id));
}

#[tokio::test]
async fn modified_signed_request_is_rejected() {
    let server = Server::start().await;
    let mut altered_query = server.sign(list(&server));
    altered_query.url.set_query(Some("limit=11&name=*sh%20op"));
    let mut altered_path = server.sign(list(&server));
    altered_path.url.set_path(&format!("/v3.1/{}/instances", server.tenant.project_id));
    let mut altered_method = server.sign(list(&server));
    altered_method.method = Method::HEAD;
    assert_eq!(altered_method.send().await.status, 401);
    let other_secret = SecretString::from("another secret");
    for (what, call) in [
        ("body", server.sign(collect(&server)).body(r#"{"user":"bot"}"#)),
        ("no body", server.sign(collect(&server)).body("")),
        ("query", altered_query),
        ("path", altered_path),
        ("header", server.sign(collect(&server)).header("content-type", "text/plain")),
        ("date", server.sign(list(&server)).header("x-sdk-date", &past_date())),
        ("secret", list(&server).signed(&server.access_key, &other_secret, SignedDuration::ZERO)),
    ] {
        let message = call.send().await.expect_error(401, "APIGW.0301");
        assert!(
            message.contains("verify aksk signature fail: the signature does not match the request; fix: "),
            "{what}"
        );
        server.clear_auth_failures(&format!("key:{}", server.access_key)).await;
    }
    assert!(server.store.tasks().count_tasks_by_status().await.unwrap().iter().all(|(_, count)| *count == 0));
}

/// A date within the limit that differs from the signed date.
fn past_date() -> String {
    clew_iam::signature::format_x_sdk_date(jiff::Timestamp::now() - SignedDuration::from_mins(5))
}

#[tokio::test]
async fn unknown_access_key_is_rejected() {
    let server = Server::start().await;
    let unknown = AccessKeyId::generate();
    let call = list(&server).signed(&unknown, &server.secret_key, SignedDuration::ZERO);
    let message = call.send().await.expect_error(401, "APIGW.0301");
    assert_eq!(message, format!("Incorrect IAM authentication information: ak {unknown} not exist"));
    for garbage in ["", "Basic YTpi", "Bearer x", "SDK-HMAC-SHA256", "SDK-HMAC-SHA256 Access=a, Signature=b"] {
        let call = list(&server).anonymous().header(AUTHORIZATION, garbage);
        let message = call.send().await.expect_error(401, "APIGW.0301");
        assert!(message.contains("verify aksk signature fail: the Authorization header"), "{garbage}: {message}");
    }
}

#[tokio::test]
async fn clock_skew_of_15_minutes_is_accepted() {
    let server = Server::start().await;
    for (minutes, accepted) in [(-14, true), (14, true), (-16, false), (16, false), (-100_000, false)] {
        let skew = SignedDuration::from_mins(minutes);
        let answer = list(&server).signed(&server.access_key, &server.secret_key, skew).send().await;
        if accepted {
            answer.expect_status(200);
        } else {
            let message = answer.expect_error(401, "APIGW.0301");
            assert!(message.contains("X-Sdk-Date differs by more than 15 minutes"), "{message}");
        }
    }
    let garbled = server.sign(list(&server)).header("x-sdk-date", "yesterday");
    assert!(garbled.send().await.expect_error(401, "APIGW.0301").contains("YYYYMMDDTHHMMSSZ"));
}

/// Signs a request without its `Host` header, as the official SDKs for Go and PHP do.
fn sign_without_host(server: &Server, call: Call) -> Call {
    call.signed_except("host", &server.access_key, &server.secret_key, SignedDuration::ZERO)
}

fn collect_with_unsigned_body(server: &Server) -> Call {
    server.sign(collect(server).header("x-sdk-content-sha256", UNSIGNED_PAYLOAD)).body(r#"{"user":"bot"}"#)
}

#[tokio::test]
async fn unsigned_host_and_body_are_accepted_by_default() {
    let server = Server::start().await;
    sign_without_host(&server, list(&server)).send().await.expect_status(200);
    collect_with_unsigned_body(&server).send().await.expect_status(202);
    let undated =
        collect(&server).signed_except("x-sdk-date", &server.access_key, &server.secret_key, SignedDuration::ZERO);
    let message = undated.send().await.expect_error(401, "APIGW.0301");
    assert!(message.contains("the header x-sdk-date must be signed"), "{message}");
}

#[tokio::test]
async fn strict_signatures_reject_an_unsigned_host_and_body() {
    let server = Server::start_with(|settings, _| settings.signature_coverage = SignatureCoverage::HostAndBody).await;
    server.sign(list(&server)).send().await.expect_status(200);
    server.sign(collect(&server)).send().await.expect_status(202);
    for (call, part) in
        [(sign_without_host(&server, list(&server)), "header host"), (collect_with_unsigned_body(&server), "body")]
    {
        let message = call.send().await.expect_error(401, "APIGW.0301");
        let reason = format!("the {part} must be signed, because the server's setting http.strict_signatures is true");
        assert!(message.contains(&reason) && message.contains("; fix: "), "{message}");
    }
}
