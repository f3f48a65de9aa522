//! Sign-in with a password, and the scope of tokens (TaurusDB API spec, section 3.2).

use clew_store::{Grantee, NewUser, PolicyRef};
use http::Method;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::server::{DOMAIN, REGION, Server, new_instance, test_origin};

const PASSWORD: &str = "correct horse 電池";

/// Starts a server with a user who has a password.
async fn start_server() -> Server {
    let server = Server::start().await;
    let hash = clew_iam::password::hash_password(&SecretString::from(PASSWORD)).unwrap();
    let grace = NewUser { name: "grace".into(), password_hash: hash, administrator: false, description: String::new() };
    let grace = server.store.identities().create_user(&test_origin(), &server.tenant.domain_id, &grace).await.unwrap();
    server.attach_system("TaurusDBReadOnlyAccessPolicy", &grace).await;
    server
}

fn identity(domain: &str, user: &str, password: &str) -> Value {
    json!({
        "methods": ["password"],
        "password": { "user": { "name": user, "password": password, "domain": { "name": domain } } }
    })
}

fn valid_body(scope: &Value) -> Value {
    let mut body = json!({ "auth": { "identity": identity(DOMAIN, "grace", PASSWORD) } });
    if !scope.is_null() {
        body["auth"]["scope"] = scope.clone();
    }
    body
}

async fn sign_in(server: &Server, body: &Value) -> Answer {
    server.call(Method::POST, "/v3/auth/tokens").anonymous().body(body.to_string()).send().await
}

/// Statuses of the project API and the identity API with a token of this scope.
async fn access_statuses(server: &Server, scope: &Value) -> (u16, u16) {
    let answer = sign_in(server, &valid_body(scope)).await;
    answer.expect_status(201);
    let token = answer.header("x-subject-token");
    let get = async |path: &str| server.call(Method::GET, path).token(&token).send().await.status.as_u16();
    (get(&format!("/v3/{}/instances", server.tenant.project_id)).await, get("/v3/projects").await)
}

#[tokio::test]
async fn project_scope_is_selected_by_id_or_name() {
    let server = start_server().await;
    let id = server.tenant.project_id.as_str();
    for scope in [
        json!({ "project": { "id": id } }),
        json!({ "project": { "name": REGION } }),
        json!({ "project": { "id": id, "name": "another" } }),
        json!({ "project": { "name": REGION, "domain": { "name": DOMAIN } } }),
        json!({ "project": { "id": id }, "domain": { "name": DOMAIN } }),
    ] {
        let answer = sign_in(&server, &valid_body(&scope)).await.expect_status(201);
        let token = &answer["token"];
        assert_eq!(token["project"]["id"], id, "{scope}");
        assert_eq!((&token["project"]["name"], &token["project"]["domain"]["name"]), (&json!(REGION), &json!(DOMAIN)));
        assert_eq!(token.get("domain"), None);
        assert_eq!(access_statuses(&server, &scope).await, (200, 200), "{scope}");
    }
}

#[tokio::test]
async fn domain_token_is_limited_to_the_identity_api() {
    let server = start_server().await;
    let domain = server.tenant.domain_id.as_str();
    for scope in [
        json!(null),
        json!({ "domain": { "name": DOMAIN } }),
        json!({ "domain": { "id": domain } }),
        json!({ "domain": { "id": domain, "name": DOMAIN } }),
    ] {
        let answer = sign_in(&server, &valid_body(&scope)).await.expect_status(201);
        assert_eq!(answer["token"]["domain"], json!({ "id": domain, "name": DOMAIN }), "{scope}");
        assert_eq!(answer["token"].get("project"), None);
        assert_eq!(access_statuses(&server, &scope).await, (403, 200), "{scope}");
    }
}

#[tokio::test]
async fn project_token_has_no_access_to_other_projects() {
    let server = start_server().await;
    let sibling =
        server.store.tenants().create_project(&test_origin(), &server.tenant.domain_id, "south-1", "").await.unwrap();
    let sibling_instance =
        server.store.instances().add_instance(&test_origin(), new_instance(&sibling, "there")).await.unwrap();
    assert_eq!(access_statuses(&server, &json!({ "project": { "id": sibling.as_str() } })).await, (403, 200));
    let path = format!("/v3/{sibling}/instances/{}", sibling_instance.id);
    server.get(&path).await.expect_error(403, "DBS.280015");
    server.sign(server.call(Method::GET, &path)).send().await.expect_status(200);
}

#[tokio::test]
async fn response_has_token_details_and_service_catalog() {
    let server = start_server().await;
    let answer = sign_in(&server, &valid_body(&json!({ "project": { "name": REGION } }))).await;
    let body = answer.expect_status(201);
    let token = &body["token"];
    assert_eq!(token["methods"], json!(["password"]));
    assert_eq!(token["user"]["name"], "grace");
    assert_eq!(token["user"]["domain"], json!({ "id": server.tenant.domain_id.as_str(), "name": DOMAIN }));
    let time = |name: &str| {
        let text = token[name].as_str().unwrap();
        assert!(text.len() == 27 && text.ends_with('Z'), "{text}");
        text.parse::<Timestamp>().unwrap()
    };
    assert_eq!(time("expires_at").duration_since(time("issued_at")).as_hours(), 24);
    let endpoints: Vec<(&str, &str, &str)> = token["catalog"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let endpoint = &entry["endpoints"][0];
            (entry["type"].as_str().unwrap(), endpoint["region"].as_str().unwrap(), endpoint["url"].as_str().unwrap())
        })
        .collect();
    let (address, project) = (server.address, &server.tenant.project_id);
    let (iam, gaussdb) = (format!("http://{address}/v3"), format!("http://{address}/v3/{project}"));
    assert_eq!(endpoints, [("iam", REGION, iam.as_str()), ("gaussdb", REGION, gaussdb.as_str())]);
    let subject = answer.header("x-subject-token");
    assert!(subject.len() == 64 && !answer.text().contains(&subject) && !answer.text().contains("argon2"));
}

#[tokio::test]
async fn nocatalog_omits_the_catalog() {
    let server = start_server().await;
    for (query, sibling_instance) in
        [("", true), ("?nocatalog=", true), ("?nocatalog=true", false), ("?nocatalog=x", false)]
    {
        let call = server.call(Method::POST, &format!("/v3/auth/tokens{query}")).anonymous();
        let answer = call.body(valid_body(&json!(null)).to_string()).send().await.expect_status(201);
        assert_eq!(answer["token"].get("catalog").is_some(), sibling_instance, "{query}");
    }
}

#[tokio::test]
async fn wrong_password_and_unknown_user_get_the_same_error() {
    let server = start_server().await;
    let mut answers = Vec::new();
    for identity in [
        identity(DOMAIN, "grace", "wrong"),
        identity(DOMAIN, "grace", ""),
        identity(DOMAIN, "grace", &PASSWORD.to_uppercase()),
        identity(DOMAIN, "nobody", PASSWORD),
        identity("rival", "grace", PASSWORD),
        identity(DOMAIN, "ada", "no password fits this"),
        identity(DOMAIN, "gra%", PASSWORD),
    ] {
        // An additional invalid scope must not change the error.
        for scope in [json!(null), json!({ "project": { "id": "x" } })] {
            let mut body = json!({ "auth": { "identity": identity } });
            if !scope.is_null() {
                body["auth"]["scope"] = scope;
            }
            let answer = sign_in(&server, &body).await;
            answer.expect_error(401, "IAM.0001");
            server.clear_auth_failures("user:acme/grace").await;
            assert!(answer.headers.get("x-subject-token").is_none());
            answers.push(answer.body);
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "the response reveals the wrong field");
}

#[tokio::test]
async fn foreign_scope_is_rejected() {
    let server = start_server().await;
    let domain = server.store.tenants().create_domain(&test_origin(), "rival").await.unwrap();
    let foreign = server.store.tenants().create_project(&test_origin(), &domain, "theirs", "").await.unwrap();
    for scope in [
        json!({ "project": { "id": foreign.as_str() } }),
        json!({ "project": { "name": "theirs" } }),
        json!({ "project": { "id": "00000000000000000000000000000000" } }),
        json!({ "project": { "id": "../x" } }),
        json!({ "project": { "name": "nowhere" } }),
        json!({ "domain": { "name": "rival" } }),
        json!({ "domain": { "id": domain.as_str() } }),
        json!({ "domain": { "id": domain.as_str(), "name": DOMAIN } }),
    ] {
        let answer = sign_in(&server, &valid_body(&scope)).await;
        let message = answer.expect_error(403, "IAM.0002");
        assert!(message.ends_with("The user has no access to the requested project or domain."), "{message}");
        assert!(answer.headers.get("x-subject-token").is_none());
    }
}

#[tokio::test]
async fn missing_field_is_named_in_the_error() {
    let server = start_server().await;
    let valid = valid_body(&json!({ "project": { "name": REGION } }));
    for (pointer, field) in [
        ("/auth", "auth.identity.methods"),
        ("/auth/identity", "auth.identity.methods"),
        ("/auth/identity/methods", "auth.identity.methods"),
        ("/auth/identity/password", "auth.identity.password.user.name"),
        ("/auth/identity/password/user/name", "auth.identity.password.user.name"),
        ("/auth/identity/password/user/password", "auth.identity.password.user.password"),
        ("/auth/identity/password/user/domain", "auth.identity.password.user.domain.name"),
        ("/auth/identity/password/user/domain/name", "auth.identity.password.user.domain.name"),
        ("/auth/scope/project/name", "auth.scope.project.id"),
        ("/auth/scope/project", "auth.scope.project"),
    ] {
        let mut body = valid.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
        let message = sign_in(&server, &body).await.expect_error(400, "IAM.0072");
        assert_eq!(message, format!("'{field}' is a required property."), "{pointer}");
    }
    let call = server.call(Method::POST, "/v3/auth/tokens").chinese().body("{}");
    assert_eq!(call.send().await.expect_error(400, "IAM.0072"), "缺少必填字段'auth.identity.methods'。");
}

#[tokio::test]
async fn malformed_sign_in_is_rejected() {
    let server = start_server().await;
    for body in ["", "{", "null", "[]", "7", "\"auth\"", "name=grace", "{\"auth\":\"\u{0}\"}"] {
        let answer = server.call(Method::POST, "/v3/auth/tokens").anonymous().body(body).send().await;
        assert_eq!(answer.status, 400, "{body:?}");
        assert!(["IAM.0011", "IAM.0072"].contains(&answer.code().as_str()), "{}", answer.text());
    }
    let valid = valid_body(&json!({ "project": { "name": REGION } }));
    for (pointer, value) in [
        ("/auth/identity/methods", json!(["token"])),
        ("/auth/identity/methods", json!(["password", "totp"])),
        ("/auth/identity/methods", json!("password")),
        ("/auth/identity/password/user/name", json!(7)),
        ("/auth/identity/password/user/password", json!(["x"])),
        ("/auth/identity/password/user/domain/name", json!(null)),
    ] {
        let mut body = valid.clone();
        *body.pointer_mut(pointer).unwrap() = value;
        sign_in(&server, &body).await.expect_error(400, "IAM.0011");
    }
}

#[tokio::test]
async fn empty_scope_is_rejected() {
    let server = start_server().await;
    for (scope, field) in [
        (json!({ "project": REGION }), "auth.scope.project.id"),
        (json!({ "project": { "id": null } }), "auth.scope.project.id"),
        (json!({ "domain": DOMAIN }), "auth.scope.domain.id"),
        (json!({ "domain": { "name": null } }), "auth.scope.domain.id"),
        (json!({ "domain": {} }), "auth.scope.domain.id"),
        (json!({}), "auth.scope.project"),
        (json!([]), "auth.scope.project"),
        (json!("project"), "auth.scope.project"),
    ] {
        let message = sign_in(&server, &valid_body(&scope)).await.expect_error(400, "IAM.0072");
        assert_eq!(message, format!("'{field}' is a required property."), "{scope}");
    }
    for scope in [
        json!({ "project": { "id": 7 } }),
        json!({ "project": { "name": REGION, "domain": { "name": ["acme"] } } }),
        json!({ "domain": { "id": 7, "name": DOMAIN } }),
    ] {
        sign_in(&server, &valid_body(&scope)).await.expect_error(400, "IAM.0011");
    }
}

#[tokio::test]
async fn user_is_selected_by_id() {
    let server = start_server().await;
    let id = server.store.identities().find_user_by_name(DOMAIN, "grace").await.unwrap().unwrap().id;
    let body = |id: &str, password: &str| {
        let user = json!({ "id": id, "password": password });
        json!({ "auth": { "identity": { "methods": ["password"], "password": { "user": user } } } })
    };
    let answer = sign_in(&server, &body(id.as_str(), PASSWORD)).await.expect_status(201);
    assert_eq!(answer["token"]["user"]["name"], "grace");
    for (id, password) in [(id.as_str(), "wrong"), ("0123456789abcdef0123456789abcdef", PASSWORD), ("x", PASSWORD)] {
        sign_in(&server, &body(id, password)).await.expect_error(401, "IAM.0001");
    }
}

#[tokio::test]
async fn project_domain_must_match_the_users_domain() {
    let server = start_server().await;
    let rival = server.store.tenants().create_domain(&test_origin(), "rival").await.unwrap();
    for domain in [json!({ "name": "rival" }), json!({ "id": rival.as_str() }), json!({ "name": "nowhere" })] {
        let scope = json!({ "project": { "name": REGION, "domain": domain } });
        sign_in(&server, &valid_body(&scope)).await.expect_error(403, "IAM.0002");
    }
}

#[tokio::test]
async fn roles_list_the_role_based_policies_of_the_scope() {
    let server = start_server().await;
    let (domain, project) = (&server.tenant.domain_id, &server.tenant.project_id);
    let group = server.store.identities().create_group(&test_origin(), domain, "readers", "").await.unwrap();
    let grace = server.store.identities().find_user_by_name(DOMAIN, "grace").await.unwrap().unwrap().id;
    server.store.identities().add_group_member(&test_origin(), &group, &grace).await.unwrap();
    for (policy, project) in [("TaurusDB ReadOnlyAccess", None), ("TaurusDB FullAccess", Some(project))] {
        let (policy, group) = (PolicyRef::System(policy.into()), Grantee::Group(group.clone()));
        server.store.policies().attach_policy(&test_origin(), &policy, &group, project).await.unwrap();
    }
    for (scope, expected) in [
        (json!({ "project": { "name": REGION } }), vec!["TaurusDB FullAccess", "TaurusDB ReadOnlyAccess"]),
        (json!(null), vec!["TaurusDB ReadOnlyAccess"]),
    ] {
        let answer = sign_in(&server, &valid_body(&scope)).await.expect_status(201);
        let roles = answer["token"]["roles"].as_array().unwrap().clone();
        assert_eq!(roles.iter().map(|role| role["name"].as_str().unwrap()).collect::<Vec<_>>(), expected);
    }
}
