//! Error responses, invalid responses, and invalid client configurations.

use clew_client::{Client, ClientConfig, ClientError, Credentials, ProjectRef};
use clew_model::{InstanceFilter, Pagination};

use crate::loopback_server::{
    Reply, Server, access_key, client, config, config_for, instance, node, project, request_id,
};

async fn list(client: &Client) -> Result<clew_client::InstanceList, ClientError> {
    client.list_instances(&InstanceFilter::default(), Pagination::default()).await
}

#[tokio::test]
async fn api_error_is_reported_completely() {
    let body = r#"{"error_code":"DBS.280001","error_msg":"Parameter error.","request_id":"in-the-body"}"#;
    let server = Server::with_replies(vec![Reply::new(400, body).header("x-request-id", "8080d377")]).await;
    let error = list(&client(&server)).await.unwrap_err();
    assert_eq!(error.to_string(), "listing instances: Parameter error. (DBS.280001, HTTP 400, request 8080d377)");
    assert_eq!(error.http_status(), Some(400));
}

#[tokio::test]
async fn error_without_json_shows_its_text() {
    let server = Server::with_replies(vec![Reply::new(404, "<h1>Not\r\n here\u{1b}[2J</h1>")]).await;
    let message = list(&client(&server)).await.unwrap_err().to_string();
    assert_eq!(message, "listing instances: <h1>Not   here [2J</h1> (404, HTTP 404)");
}

#[tokio::test]
async fn invalid_success_response_is_rejected() {
    let huge = format!(r#"{{"instances":[],"total_count":{}"#, " ".repeat(17 << 20));
    for (body, why) in [
        ("", "EOF"),
        ("<html>Welcome</html>", "expected value at line 1 column 1 in \"<html>Welcome</html>\""),
        ("[]", "invalid length"),
        (r#"{"instances":7}"#, "invalid type"),
        (r#"{"instances":[{"id":7,"name":"x"}]}"#, "invalid type"),
        ("\u{0}\u{1}", "expected value"),
        (huge.as_str(), "more than 16777216 bytes"),
    ] {
        let server = Server::with_replies(vec![Reply::new(200, body)]).await;
        let error = list(&client(&server)).await.unwrap_err();
        assert!(matches!(error, ClientError::InvalidResponse { .. }), "{error}");
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(server.requests().len(), 1, "retried an invalid response");
    }
}

#[tokio::test]
async fn unknown_state_is_reported() {
    let server = Server::with_replies(vec![Reply::new(200, r#"{"status":"paused"}"#)]).await;
    let error = client(&server).fetch_collection_status(&instance(), &node(), &request_id()).await.unwrap_err();
    assert!(error.to_string().contains(r#"unknown state "paused""#), "{error}");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Server::with_replies(vec![Reply::new(200, r#"{"instances":[]}"#)]).await;
    let to = format!("{}/login", elsewhere.endpoint);
    let server = Server::with_replies(vec![Reply::new(302, "").header("location", to.as_str())]).await;
    let error = list(&client(&server)).await.unwrap_err();
    assert!(error.to_string().contains(&format!("a redirect (302 Found) to {to}")), "{error}");
    assert_eq!(elsewhere.requests().len(), 0, "followed the redirect with a signature");
}

#[tokio::test]
async fn region_must_have_exactly_one_project() {
    for (projects, found) in [
        ("", "there is none"),
        (r#"{"id":"a","name":"eu-1"},{"id":"b","name":"eu-1_x"}"#, "there are 2: a (eu-1), b (eu-1_x)"),
        (r#"{"id":"../../x","name":"eu-1"}"#, r#"its id is invalid: "../../x" is not a project id"#),
    ] {
        let answer = format!(r#"{{"projects":[{projects}]}}"#);
        let server = Server::with_replies(vec![Reply::new(200, answer)]).await;
        let client =
            Client::new(config_for(&server.endpoint, access_key(), ProjectRef::Region("eu-1".into()))).unwrap();
        let error = list(&client).await.unwrap_err();
        assert!(matches!(error, ClientError::ProjectLookup { .. }), "{error}");
        assert!(error.to_string().contains(found), "{error}");
    }
}

#[tokio::test]
async fn lookups_and_sign_ins_use_the_iam_endpoint() {
    let iam = Server::start(|_, _| Reply::new(200, format!(r#"{{"projects":[{{"id":"{}"}}]}}"#, project()))).await;
    let server = Server::with_replies(vec![Reply::new(200, r#"{"instances":[],"total_count":0}"#)]).await;
    let config = config_for(&server.endpoint, access_key(), ProjectRef::Region("eu-1".into()));
    let client = Client::new(ClientConfig { iam_endpoint: Some(iam.endpoint.clone()), ..config }).unwrap();
    list(&client).await.unwrap();
    assert_eq!(iam.requests()[0].target, "/v3/projects?name=eu-1");
    assert_eq!(iam.requests()[0].header("host"), iam.endpoint.strip_prefix("http://"));
    assert!(server.requests()[0].target.starts_with(&format!("/v3.1/{}/instances?", project())));
    assert_eq!(server.requests()[0].header("host"), server.endpoint.strip_prefix("http://"));
}

#[tokio::test]
async fn invalid_configuration_is_rejected_before_a_request() {
    let valid = || config_for("http://127.0.0.1:1", access_key(), ProjectRef::Project(project()));
    assert!(Client::new(valid()).is_ok());
    for (broken, why) in [
        (ClientConfig { endpoint: "nonsense".into(), ..valid() }, "is not a URL"),
        (
            ClientConfig { iam_endpoint: Some("ftp://x".into()), ..valid() },
            "IAM endpoint \"ftp://x\" is neither http nor https",
        ),
        (ClientConfig { user_agent: "two\nlines".into(), ..valid() }, "user agent"),
        (ClientConfig { ca_certificates: vec!["no PEM".into()], ..valid() }, "contains no PEM certificate"),
    ] {
        let message = Client::new(broken).unwrap_err().to_string();
        assert!(message.contains(why), "{message}");
    }
}

#[tokio::test]
async fn errors_and_debug_output_contain_no_secrets() {
    let server = Server::with_replies(vec![Reply::new(400, "no")]).await;
    let credentials = Credentials::AccessKey {
        id: "AKEXAMPLE0000000000".parse().unwrap(),
        secret: "the-secret-key".into(),
        security_token: Some("the-secret-token\n".into()),
    };
    let client = Client::new(ClientConfig { credentials, ..config(&server) }).unwrap();
    let error = list(&client).await.unwrap_err();
    assert!(error.to_string().contains("x-security-token"), "{error}");
    let credentials = Credentials::password("acme", "ada", "the-secret-word".into());
    let password = ClientConfig { credentials, ..config(&server) };
    for shown in [format!("{client:?}"), format!("{error:?}"), format!("{password:?}"), error.to_string()] {
        assert!(!shown.contains("the-secret"), "{shown}");
    }
    assert_eq!(server.requests().len(), 0);
}
