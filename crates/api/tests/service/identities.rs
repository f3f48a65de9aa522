//! Signing in, and the lists by which the SDKs find project and domain.

use clew_model::{DomainId, ProjectId};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::fixture::{Fixture, PASSWORD, REGION, answer, refusal};

fn sign_in(fixture: &Fixture, body: &Value) -> RequestBuilder {
    fixture.anonymous(Method::POST, "/v3/auth/tokens").body(body.to_string())
}

fn with_password(user: &str, password: &str, domain: &str, scope: Option<Value>) -> Value {
    let user = json!({ "name": user, "password": password, "domain": { "name": domain } });
    let mut auth = json!({ "identity": { "methods": ["password"], "password": { "user": user } } });
    if let Some(scope) = scope {
        auth["scope"] = scope;
    }
    json!({ "auth": auth })
}

fn ada(scope: Value) -> Value {
    with_password("ada", PASSWORD, "acme", Some(scope))
}

#[tokio::test]
async fn a_token_for_a_project_by_name_or_id_opens_it() {
    let fixture = Fixture::new().await;
    let id = fixture.founded.project_id.to_string();
    for scope in [
        json!({ "project": { "name": REGION } }),
        json!({ "project": { "id": id } }),
        json!({ "project": { "id": id }, "domain": { "name": "acme" } }),
    ] {
        let response = sign_in(&fixture, &ada(scope)).send().await.unwrap();
        assert_eq!(response.status(), 201);
        let token = response.headers()["x-subject-token"].to_str().unwrap().to_owned();
        let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        let described = &body["token"];
        assert_eq!(described["project"]["id"], id.as_str());
        assert_eq!(described["project"]["domain"]["name"], "acme");
        assert_eq!(described["user"]["name"], "ada");
        assert_eq!(described["methods"], json!(["password"]));
        assert!(described.get("domain").is_none());
        let catalog = described["catalog"].as_array().unwrap();
        let urls: Vec<_> = catalog.iter().map(|entry| entry["endpoints"][0]["url"].as_str().unwrap()).collect();
        assert_eq!(urls, [format!("{}/v3", fixture.url), format!("{}/v3/{id}", fixture.url)]);
        assert!(!body.to_string().contains(PASSWORD));
        let collect = fixture.anonymous(Method::GET, &format!("/v3/{id}/instances")).header("X-Auth-Token", token);
        answer(collect, 200).await;
    }
}

#[tokio::test]
async fn a_token_lives_a_day_and_says_so() {
    let fixture = Fixture::new().await;
    let body = answer(sign_in(&fixture, &ada(json!({ "project": { "name": REGION } }))), 201).await;
    let moment = |name: &str| body["token"][name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!(moment("expires_at").duration_since(moment("issued_at")).as_hours(), 24);
    assert_eq!(body["token"]["expires_at"].as_str().unwrap().len(), "2019-02-13T06:52:13.855000Z".len());
}

#[tokio::test]
async fn without_a_project_a_token_is_for_the_domain() {
    let fixture = Fixture::new().await;
    for body in [
        with_password("ada", PASSWORD, "acme", None),
        ada(json!({ "domain": { "name": "acme" } })),
        ada(json!({ "domain": { "id": fixture.founded.domain_id } })),
    ] {
        let request = fixture.anonymous(Method::POST, "/v3/auth/tokens?nocatalog=true").body(body.to_string());
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 201);
        let token = response.headers()["x-subject-token"].to_str().unwrap().to_owned();
        let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        assert_eq!(body["token"]["domain"]["name"], "acme");
        assert!(body["token"].get("project").is_none() && body["token"].get("catalog").is_none());
        let projects = fixture.anonymous(Method::GET, "/v3/projects").header("X-Auth-Token", &token);
        assert_eq!(answer(projects, 200).await["projects"][0]["id"], fixture.founded.project_id.as_str());
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_are_refused_alike() {
    let fixture = Fixture::new().await;
    fixture.neighbour().await;
    let mut refusals = Vec::new();
    for (user, password, domain) in [
        ("ada", "wrong", "acme"),
        ("ada", "", "acme"),
        ("nobody", PASSWORD, "acme"),
        ("ada", PASSWORD, "neighbour"),
        ("ada", PASSWORD, "nowhere"),
    ] {
        refusals.push(refusal(sign_in(&fixture, &with_password(user, password, domain, None))).await);
    }
    refusals.dedup();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    assert_eq!((refusals[0].0, &*refusals[0].1), (401, "IAM.0001"));
}

#[tokio::test]
async fn scopes_of_others_and_of_nobody_are_refused_alike() {
    let fixture = Fixture::new().await;
    let neighbour = fixture.neighbour().await;
    let mut refusals = Vec::new();
    for scope in [
        json!({ "project": { "id": neighbour.project_id } }),
        json!({ "project": { "id": ProjectId::generate() } }),
        json!({ "project": { "id": "x" } }),
        json!({ "project": { "name": "nowhere-1" } }),
        json!({ "domain": { "name": "neighbour" } }),
        json!({ "domain": { "id": DomainId::generate() } }),
    ] {
        refusals.push(refusal(sign_in(&fixture, &ada(scope))).await);
    }
    refusals.dedup();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    assert_eq!((refusals[0].0, &*refusals[0].1), (403, "IAM.0002"));
}

#[tokio::test]
async fn sign_ins_that_lack_something_name_it() {
    let fixture = Fixture::new().await;
    for (body, code, named) in [
        ("", "IAM.0011", ""),
        ("{", "IAM.0011", ""),
        ("[]", "IAM.0072", "auth.identity.methods"),
        (r#"{"auth":{"identity":{"methods":["token"]}}}"#, "IAM.0011", "password"),
        (r#"{"auth":{"identity":{"methods":["password"]}}}"#, "IAM.0072", "auth.identity.password.user.name"),
        (r#"{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":1}}}}}"#, "IAM.0011", ""),
    ] {
        let (status, given, message) = refusal(fixture.anonymous(Method::POST, "/v3/auth/tokens").body(body)).await;
        assert_eq!((status, &*given), (400, code), "{body}");
        assert!(message.contains(named), "{body}: {message}");
    }
    for scope in [json!({}), json!({ "project": {} }), json!(null), json!("x")] {
        assert_eq!(refusal(sign_in(&fixture, &ada(scope))).await.1, "IAM.0072");
    }
    let repeated = fixture.anonymous(Method::POST, "/v3/auth/tokens?nocatalog=1&nocatalog=2").body("{}");
    assert_eq!(refusal(repeated).await.1, "IAM.0007");
}

#[tokio::test]
async fn projects_are_found_by_each_filter() {
    let fixture = Fixture::new().await;
    fixture.store.add_project(&fixture.founded.domain_id, "other-1").await.unwrap();
    fixture.neighbour().await;
    let domain = fixture.founded.domain_id.to_string();
    for (query, expected) in [
        (String::new(), &[REGION, "other-1"][..]),
        (format!("?name={REGION}"), &[REGION]),
        ("?name=nowhere-1".into(), &[]),
        (format!("?domain_id={domain}"), &[REGION, "other-1"]),
        (format!("?parent_id={domain}"), &[REGION, "other-1"]),
        (format!("?domain_id={}", DomainId::generate()), &[]),
        ("?enabled=true".into(), &[REGION, "other-1"]),
        ("?enabled=False".into(), &[]),
        ("?is_domain=true".into(), &[]),
        ("?page=1&per_page=1".into(), &[REGION]),
        ("?page=2&per_page=1".into(), &["other-1"]),
        ("?page=3&per_page=1".into(), &[]),
    ] {
        let body = answer(fixture.get(&format!("/v3/projects{query}")), 200).await;
        let names: Vec<_> = body["projects"].as_array().unwrap().iter().map(|project| &project["name"]).collect();
        assert_eq!(names, expected, "{query}");
        assert_eq!(body["links"]["self"], format!("/v3/projects{query}"));
    }
    let body = answer(fixture.get(&format!("/v3/projects?name={REGION}")), 200).await;
    let project = &body["projects"][0];
    assert_eq!(project["id"], fixture.founded.project_id.as_str());
    assert_eq!((&project["parent_id"], &project["domain_id"]), (&json!(domain), &json!(domain)));
    assert_eq!((&project["is_domain"], &project["enabled"]), (&json!(false), &json!(true)));
    for query in ["page=1", "per_page=1", "page=0&per_page=1", "page=1&per_page=5001", "enabled=maybe", "name=a&name=b"]
    {
        let (status, code, message) = refusal(fixture.get(&format!("/v3/projects?{query}"))).await;
        assert_eq!((status, &*code), (400, "IAM.0007"), "{query}");
        assert!(message.contains(query.split('=').next().unwrap()), "{query}: {message}");
    }
}

#[tokio::test]
async fn the_caller_learns_domain_and_projects() {
    let fixture = Fixture::new().await;
    let domain = fixture.founded.domain_id.as_str();
    let body = answer(fixture.get("/v3/auth/domains"), 200).await;
    assert_eq!(body["domains"].as_array().unwrap().len(), 1);
    assert_eq!((&body["domains"][0]["id"], &body["domains"][0]["name"]), (&json!(domain), &json!("acme")));
    let body = answer(fixture.get("/v3/auth/projects"), 200).await;
    assert_eq!(body["projects"][0]["id"], fixture.founded.project_id.as_str());
    assert_eq!(answer(fixture.get("/v5/caller-identity"), 200).await["account_id"], domain);
}
