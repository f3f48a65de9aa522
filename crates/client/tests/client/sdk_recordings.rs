//! Recorded requests from the official Python SDK 3.1.219. `tests/fixtures/sdk/record.py` records the requests.
//!
//! clew-iam verifies the requests and creates the same signatures. The client sends the same requests.

use std::collections::BTreeMap;
use std::path::Path;

use clew_client::{Client, ClientConfig, Credentials, ProjectRef, StartCollectionRequest};
use clew_iam::signature::{self, AuthorizationHeader, RequestToSign, SignatureCoverage, SignatureError};
use clew_model::{InstanceFilter, Language, Pagination, Tag};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use crate::loopback_server::{
    ACCESS_KEY, Reply, Request, SECRET_KEY, Server, client, config, config_for, instance, node, project, request_id,
};

#[derive(Deserialize)]
struct Recorded {
    access_key: String,
    secret_key: String,
    method: String,
    target: String,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Recorded {
    fn read(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/sdk/{name}.json"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn names() -> Vec<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sdk");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        files.filter_map(|file| file.strip_suffix(".json").map(str::to_owned)).collect()
    }

    fn as_request(&self) -> Request {
        let (method, target) = (self.method.clone(), self.target.clone());
        Request { method, target, headers: self.headers.clone(), body: self.body.clone() }
    }
}

/// Signed parts of a request.
struct Signed {
    authorization: AuthorizationHeader,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    now: Timestamp,
}

impl Signed {
    fn of(request: &Request) -> Self {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let date = DateTime::strptime("%Y%m%dT%H%M%SZ", request.header("x-sdk-date").unwrap()).unwrap();
        Self {
            authorization: AuthorizationHeader::parse(request.header("authorization").unwrap()).unwrap(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: request.headers.clone().into_iter().collect(),
            now: TimeZone::UTC.to_timestamp(date).unwrap(),
        }
    }

    fn to_sign<'a>(&'a self, request: &'a Request) -> RequestToSign<'a> {
        RequestToSign {
            method: &request.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
            body_sha256: signature::hash_body(request.body.as_bytes()),
        }
    }

    fn verify(&self, request: &Request) -> Result<(), SignatureError> {
        let coverage = SignatureCoverage::HostAndBody;
        signature::verify_signature(&self.authorization, &self.to_sign(request), &SECRET_KEY.into(), self.now, coverage)
    }
}

#[test]
fn recorded_requests_verify_and_have_the_same_signature() {
    let names = Recorded::names();
    assert_eq!(names.len(), 19, "{names:?}");
    for name in names {
        let recorded = Recorded::read(&name);
        assert_eq!((recorded.access_key.as_str(), recorded.secret_key.as_str()), (ACCESS_KEY, SECRET_KEY));
        let request = recorded.as_request();
        let signed = Signed::of(&request);
        assert_eq!(signed.verify(&request), Ok(()), "{name}");

        let names: Vec<&str> = signed.authorization.signed_headers.iter().map(String::as_str).collect();
        let secret = SecretString::from(recorded.secret_key.as_str());
        let date = &recorded.headers["x-sdk-date"];
        let key = &signed.authorization.access_key;
        let ours = signature::sign_request(&signed.to_sign(&request), &names, date, key, &secret);
        assert_eq!(ours, recorded.headers["authorization"], "{name}");

        let altered = Request { body: format!("{} ", recorded.body), ..request };
        assert_eq!(signed.verify(&altered), Err(SignatureError::Mismatch), "{name}");
    }
}

/// Checks that the client sends the same request as the SDK.
///
/// Compares the request line, the body, and the signed headers without sender-specific values.
/// The signature must be valid.
fn assert_same(sent: &Request, name: &str) {
    let recorded = Recorded::read(name);
    assert_eq!((&sent.method, &sent.target), (&recorded.method, &recorded.target), "{name}");
    let theirs = Signed::of(&recorded.as_request());
    let ours = Signed::of(sent);
    assert_eq!(ours.authorization.signed_headers, theirs.authorization.signed_headers, "{name}");
    for header in &ours.authorization.signed_headers {
        if !["host", "user-agent", "x-sdk-date"].contains(&header.as_str()) {
            assert_eq!(sent.header(header), recorded.headers.get(header).map(String::as_str), "{name}: {header}");
        }
    }
    let fields = |body: &str| if body.is_empty() { Value::Null } else { serde_json::from_str(body).unwrap() };
    assert_eq!(fields(&sent.body), fields(&recorded.body), "{name}");
    assert_eq!(ours.verify(sent), Ok(()), "{name}");
}

async fn server_with_body(body: &'static str) -> Server {
    Server::start(move |_, _| Reply::new(200, body)).await
}

fn full_selection() -> StartCollectionRequest {
    StartCollectionRequest {
        filter: Some("long".into()),
        slow_process_threshold: Some(3),
        user: Some("root".into()),
        host: Some("192.168.8.8".into()),
        db: Some("db1".into()),
        command: Some("Query".into()),
        sql_key: Some("select count(*) from tbl where sleep(600) and 6=6 -- 会话".into()),
        sort_key: Some("trx_executed_time".into()),
        sort_dir: Some("asc".into()),
    }
}

#[tokio::test]
async fn collection_requests_equal_those_of_the_sdk() {
    let all = full_selection();
    let none = StartCollectionRequest::default;
    let cases = [
        ("collect-everything", all.clone()),
        ("collect-filter", StartCollectionRequest { filter: all.filter, ..none() }),
        (
            "collect-slow-process-threshold",
            StartCollectionRequest { slow_process_threshold: all.slow_process_threshold, ..none() },
        ),
        ("collect-user", StartCollectionRequest { user: all.user, ..none() }),
        ("collect-host", StartCollectionRequest { host: all.host, ..none() }),
        ("collect-db", StartCollectionRequest { db: all.db, ..none() }),
        ("collect-command", StartCollectionRequest { command: all.command, ..none() }),
        ("collect-sql-key", StartCollectionRequest { sql_key: all.sql_key, ..none() }),
        ("collect-sort-key", StartCollectionRequest { sort_key: all.sort_key, ..none() }),
        ("collect-sort-dir", StartCollectionRequest { sort_dir: all.sort_dir, ..none() }),
    ];
    let server = server_with_body(r#"{"request_id":"realtime_session-x"}"#).await;
    for (number, (name, selection)) in cases.into_iter().enumerate() {
        let started = client(&server).start_collection(&instance(), &node(), &selection).await.unwrap();
        assert_eq!(started.as_str(), "realtime_session-x");
        assert_same(&server.requests()[number], name);
    }
    let chinese = Client::new(ClientConfig { language: Some(Language::ZhCn), ..config(&server) }).unwrap();
    let slow = StartCollectionRequest { filter: Some("slow".into()), ..none() };
    chinese.start_collection(&instance(), &node(), &slow).await.unwrap();
    assert_same(server.requests().last().unwrap(), "collect-in-chinese");
}

#[tokio::test]
async fn read_requests_equal_those_of_the_sdk() {
    let server = Server::start(|request, _| {
        Reply::new(
            200,
            match request.target.split('?').next().unwrap().rsplit('/').next().unwrap() {
                "realtime-session-task" => r#"{"status":"running"}"#,
                "instances" => r#"{"instances":[],"total_count":0}"#,
                "realtime-session-result" => "1,root\r\n",
                _ => r#"{"instance":{"id":"x","name":"y","nodes":[{"id":"z"}]}}"#,
            },
        )
    })
    .await;
    let english = Client::new(ClientConfig { language: Some(Language::EnUs), ..config(&server) }).unwrap();

    client(&server).fetch_collection_status(&instance(), &node(), &request_id()).await.unwrap();
    assert_same(server.requests().last().unwrap(), "status");

    assert_eq!(english.show_instance(&instance()).await.unwrap().nodes[0].id, "z");
    assert_same(server.requests().last().unwrap(), "show");

    let mut bytes = clew_client::StreamSink::new(Vec::new());
    english.download(&instance(), &node(), &request_id(), &mut bytes, |_, _| {}).await.unwrap();
    assert_same(server.requests().last().unwrap(), "download");

    let filter = InstanceFilter {
        id: Some("*in07".into()),
        name: Some("*orders & 会话".into()),
        private_ip: Some("10.0.0.7".into()),
        readonly_private_ip: None,
        tags: vec![Tag { key: "env".into(), value: "a b".into() }, Tag { key: "team".into(), value: "x+y".into() }],
    };
    client(&server).list_instances(&filter, Pagination { offset: 20, limit: 10 }).await.unwrap();
    assert_same(server.requests().last().unwrap(), "list-filtered");
}

#[tokio::test]
async fn temporary_key_signs_its_security_token() {
    let server = server_with_body(r#"{"instances":[],"total_count":0}"#).await;
    let credentials = Credentials::AccessKey {
        id: ACCESS_KEY.parse().unwrap(),
        secret: SECRET_KEY.into(),
        security_token: Some("a+temporary/token==".into()),
    };
    let client = Client::new(ClientConfig { credentials, ..config(&server) }).unwrap();
    client.list_instances(&InstanceFilter::default(), Pagination::default()).await.unwrap();
    let sent = &server.requests()[0];
    let recorded = Recorded::read("list-with-a-temporary-key").as_request();
    assert_eq!(Signed::of(sent).authorization.signed_headers, Signed::of(&recorded).authorization.signed_headers);
    assert_eq!(sent.header("x-security-token"), recorded.header("x-security-token"));
    assert_eq!(Signed::of(sent).verify(sent), Ok(()));
}

#[tokio::test]
async fn project_lookup_equals_the_sdk_and_is_cached() {
    let server = Server::start(|request, _| {
        let look_up = format!(r#"{{"projects":[{{"id":"{}","name":"eu-1"}}]}}"#, project());
        let is_look_up = request.target.starts_with("/v3/projects");
        Reply::new(200, if is_look_up { look_up } else { r#"{"status":"running"}"#.to_owned() })
    })
    .await;
    let region = ProjectRef::Region("eu-1".into());
    let client = Client::new(config_for(&server.endpoint, crate::loopback_server::access_key(), region)).unwrap();
    for _ in 0..2 {
        client.fetch_collection_status(&instance(), &node(), &request_id()).await.unwrap();
    }
    let requests = server.requests();
    assert_eq!(requests.len(), 3, "{requests:?}");
    assert_same(&requests[0], "project-look-up");
    assert_same(&requests[1], "status");
}
