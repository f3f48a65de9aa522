//! End-to-end tests with a tenant: `clew policy simulate` and the API make the same decisions, and keys sign requests.

use std::process::Stdio;

use clew_client::{ClientConfig, Credentials, ProjectRef};
use clew_model::{InstanceFilter, Pagination, ProjectId};
use clew_testkit::{FakeServer, FakeServerOptions};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use crate::run::clew;
use crate::tenant::Tenant;

/// Grants read-only access to instances tagged env=test. Denies access to instances tagged owner=bank.
const READ_POLICY: &str = r#"{"Version":"5.0","Statement":[
    {"Effect":"Allow",
     "Action":["gaussdbformysql:instance:list","gaussdbformysql:instance:get*","gaussdbformysql:instance:listTags"],
     "Condition":{"StringEquals":{"g:ResourceTag/env":"test"}}},
    {"Effect":"Deny","Action":["*"],"Condition":{"StringEquals":{"g:ResourceTag/owner":"bank"}}}
]}"#;

struct Api {
    endpoint: String,
    client: Client,
    _process: Child,
}

impl Api {
    async fn serve(tenant: &Tenant) -> Self {
        let mut process = clew(&["serve", "--listen", "127.0.0.1:0", "--data-dir", tenant.dir().to_str().unwrap()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { endpoint: line.trim().to_owned(), client: Client::new(), _process: process }
    }

    async fn sign_in(&self, user: &str, password: &str, project: &str) -> Result<String, StatusCode> {
        let user = json!({ "name": user, "password": password, "domain": { "name": "acme" } });
        let identity = json!({ "methods": ["password"], "password": { "user": user } });
        let body = json!({ "auth": { "identity": identity, "scope": { "project": { "id": project } } } });
        let url = format!("{}/v3/auth/tokens", self.endpoint);
        let response = self.client.post(url).json(&body).send().await.unwrap();
        match response.headers().get("x-subject-token") {
            Some(token) => Ok(token.to_str().unwrap().to_owned()),
            None => Err(response.status()),
        }
    }

    async fn get(&self, token: &str, path: &str) -> (StatusCode, Value) {
        let request = self.client.get(format!("{}{path}", self.endpoint)).header("X-Auth-Token", token);
        let response = request.send().await.unwrap();
        (response.status(), response.json().await.unwrap_or_default())
    }

    async fn collect(&self, token: &str, project: &str, added: &RegisteredInstance) -> StatusCode {
        let RegisteredInstance { instance, node, .. } = added;
        let path = format!("/v3/{project}/instances/{instance}/nodes/{node}/realtime-session");
        let request = self.client.post(format!("{}{path}", self.endpoint)).header("X-Auth-Token", token);
        request.json(&json!({})).send().await.unwrap().status()
    }
}

struct RegisteredInstance {
    name: &'static str,
    instance: String,
    node: String,
}

/// Returns true if the simulation allows the action for ada.
async fn is_simulated_as_allowed(tenant: &Tenant, action: &str, instance: &str) -> bool {
    let simulate =
        ["policy", "simulate", "--user", "ada", "--domain", "acme", "--plain-http", "--source-ip", "127.0.0.1"];
    let output = tenant.run(&[&simulate, ["--action", action, "--instance", instance].as_slice()].concat()).await;
    match output.code {
        Some(0) => true,
        Some(1) => false,
        _ => panic!("{output:?}"),
    }
}

#[tokio::test]
async fn api_decisions_match_simulated_decisions() {
    let tenant = Tenant::new().await;
    let fake = FakeServer::start(FakeServerOptions::default()).await.unwrap();
    let made = tenant.json(&["domain", "create", "acme", "--admin", "alice"]).await;
    let project = made["project_id"].as_str().unwrap();
    let mut instances = Vec::new();
    for (name, tags) in
        [("shop", vec!["env=test"]), ("live", vec!["env=prod"]), ("bank", vec!["env=test", "owner=bank"])]
    {
        let url = fake.url();
        let mut add = vec!["instance", "add", "--domain", "acme", "--name", name, "--node", &url];
        for tag in tags {
            add.extend(["--tag", tag]);
        }
        let added = tenant.json(&add).await;
        let id = |value: &Value| value.as_str().unwrap().to_owned();
        instances.push(RegisteredInstance {
            name,
            instance: id(&added["instance_id"]),
            node: id(&added["nodes"][0]["id"]),
        });
    }
    let password =
        tenant.json(&["user", "create", "ada", "--domain", "acme"]).await["password"].as_str().unwrap().to_owned();
    tenant.run_ok(&["group", "create", "developers", "--domain", "acme"]).await;
    tenant.run_ok(&["group", "add", "developers", "ada", "--domain", "acme"]).await;
    let file = tenant.file("readonly.json", READ_POLICY);
    tenant.run_ok(&["policy", "put", "readonly", &file, "--domain", "acme"]).await;
    let api = Api::serve(&tenant).await;

    let token_before_attachment = api.sign_in("ada", &password, project).await.unwrap();
    assert_eq!(api.get(&token_before_attachment, &format!("/v3/{project}/instances")).await.0, 403);
    assert!(!is_simulated_as_allowed(&tenant, "gaussdbformysql:instance:list", "shop").await);

    tenant.run_ok(&["policy", "attach", "readonly", "--group", "developers", "--domain", "acme"]).await;
    assert_eq!(
        api.get(&token_before_attachment, &format!("/v3/{project}/instances")).await.0,
        401,
        "a policy change revokes the token"
    );
    let token = api.sign_in("ada", &password, project).await.unwrap();
    let (status, listed) = api.get(&token, &format!("/v3/{project}/instances")).await;
    assert_eq!(status, 200, "{listed}");
    let listed: Vec<_> =
        listed["instances"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    let mut allowed = Vec::new();
    for added in &instances {
        let list = is_simulated_as_allowed(&tenant, "gaussdbformysql:instance:list", added.name).await;
        assert_eq!(listed.contains(&added.name), list, "{}", added.name);
        let collect = is_simulated_as_allowed(&tenant, "gaussdbformysql:instance:getRealtimeSession", added.name).await;
        let status = api.collect(&token, project, added).await;
        assert_eq!(status, if collect { 202 } else { 403 }, "{}", added.name);
        let tags = is_simulated_as_allowed(&tenant, "gaussdb:tag:list", added.name).await;
        let path = format!("/v3/{project}/instances/{}/tags", added.instance);
        assert_eq!(api.get(&token, &path).await.0, if tags { 200 } else { 403 }, "{}", added.name);
        allowed.extend(collect.then_some(added.name));
    }
    assert_eq!(allowed, ["shop"]);

    tenant.run_ok(&["instance", "tag", "shop", "env=prod", "--domain", "acme"]).await;
    assert!(!is_simulated_as_allowed(&tenant, "gaussdbformysql:instance:getRealtimeSession", "shop").await);
    assert_eq!(api.collect(&token, project, &instances[0]).await, 403, "a tag change takes effect immediately");

    let foreign = tenant.made["project_id"].as_str().unwrap();
    assert_eq!(api.get(&token, &format!("/v3/{foreign}/instances")).await.0, 403);
    tenant.run_ok(&["user", "disable", "ada", "--domain", "acme"]).await;
    assert_eq!(api.get(&token, &format!("/v3/{project}/instances")).await.0, 401);
    assert_eq!(api.sign_in("ada", &password, project).await.unwrap_err(), 401);

    let denied = tenant.json(&["audit", "list", "--domain", "acme", "--outcome", "denied", "--actor", "ada"]).await;
    assert!(denied["rows"].as_array().unwrap().len() >= 3, "{denied}");
    assert_eq!(tenant.json(&["audit", "verify"]).await["intact"], true);
}

#[tokio::test]
async fn created_keys_sign_requests_until_revoked() {
    let tenant = Tenant::new().await;
    let made = tenant.json(&["domain", "create", "acme", "--admin", "alice"]).await;
    let project: ProjectId = made["project_id"].as_str().unwrap().parse().unwrap();
    let api = Api::serve(&tenant).await;
    let lists = async |key: &Value, token: Option<&str>| {
        let text = |name: &str| key[name].as_str().unwrap().to_owned();
        let credentials = Credentials::AccessKey {
            id: text("access_key").parse().unwrap(),
            secret: text("secret_key").into(),
            security_token: token.map(Into::into),
        };
        let config = ClientConfig::new(&api.endpoint, credentials, ProjectRef::Project(project.clone()));
        let client = clew_client::Client::new(config).unwrap();
        match client.list_instances(&InstanceFilter::default(), Pagination::default()).await {
            Ok(_) => None,
            Err(error) => Some(error.http_status().unwrap()),
        }
    };
    let permanent = tenant.json(&["key", "create", "alice", "--domain", "acme"]).await;
    let temporary = tenant.json(&["key", "create", "alice", "--temporary", "15m", "--domain", "acme"]).await;
    let token = temporary["security_token"].as_str().unwrap();
    assert_eq!(lists(&permanent, None).await, None);
    assert_eq!(lists(&temporary, Some(token)).await, None);
    assert_eq!(lists(&temporary, None).await, Some(401), "a temporary key requires its security token");
    let listed = tenant.json(&["key", "list", "alice", "--domain", "acme"]).await;
    assert!(listed["access_keys"][0]["last_used_at"].is_string(), "{listed}");

    let id = permanent["access_key"].as_str().unwrap();
    tenant.run_ok(&["key", "disable", id, "--domain", "acme"]).await;
    assert_eq!((lists(&permanent, None).await, lists(&temporary, Some(token)).await), (Some(401), Some(401)));
    tenant.run_ok(&["key", "enable", id, "--domain", "acme"]).await;
    assert_eq!(lists(&permanent, None).await, None);
    tenant.run_ok(&["key", "remove", id, "--yes", "--domain", "acme"]).await;
    assert_eq!(lists(&permanent, None).await, Some(401));
}
