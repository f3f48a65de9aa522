//! Projects and domains of the caller (TaurusDB API spec, sections 3.1 and 8.3).

use http::Method;
use serde_json::{Value, json};

use crate::server::{DOMAIN, REGION, Server, test_origin};

fn names(list: &Value, field: &str) -> Vec<String> {
    list[field].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn projects_of_the_domain_are_filtered_and_paginated() {
    let server = Server::start().await;
    let domain = server.tenant.domain_id.clone();
    let south = server.store.tenants().create_project(&test_origin(), &domain, "south-1", "").await.unwrap();
    server.store.tenants().create_project(&test_origin(), &domain, "east-1", "").await.unwrap();
    let rival = server.store.tenants().create_domain(&test_origin(), "rival").await.unwrap();
    server.store.tenants().create_project(&test_origin(), &rival, REGION, "").await.unwrap();
    let list = async |query: &str| {
        let call = server.call(Method::GET, &format!("/v3/projects{query}"));
        let answer = server.sign(call).send().await.expect_status(200);
        assert_eq!(answer["links"]["self"], format!("/v3/projects{query}"));
        names(&answer, "projects")
    };
    let all = list("").await;
    assert_eq!(all.len(), 3);
    for (query, expected) in [
        ("?name=south-1".to_owned(), vec!["south-1"]),
        ("?name=south".to_owned(), vec![]),
        (format!("?domain_id={rival}"), vec![]),
        (format!("?name={REGION}&domain_id={domain}&enabled=true&is_domain=false"), vec![REGION]),
        (format!("?parent_id={domain}&name=east-1"), vec!["east-1"]),
        (format!("?parent_id={rival}"), vec![]),
        ("?enabled=false".to_owned(), vec![]),
        ("?enabled=TRUE&name=east-1".to_owned(), vec!["east-1"]),
        ("?is_domain=true".to_owned(), vec![]),
        ("?unknown=1&name=east-1".to_owned(), vec!["east-1"]),
    ] {
        assert_eq!(list(&query).await, expected, "{query}");
    }
    for (page, expected) in [(1, &all[..2]), (2, &all[2..]), (3, &[][..])] {
        assert_eq!(list(&format!("?page={page}&per_page=2")).await, expected, "{page}");
    }
    let south_1 = server.get("/v3/projects?name=south-1").await.expect_status(200)["projects"][0].clone();
    assert_eq!((south_1["id"].as_str(), south_1["domain_id"].as_str()), (Some(south.as_str()), Some(domain.as_str())));
    assert_eq!((&south_1["enabled"], &south_1["is_domain"]), (&json!(true), &json!(false)));
    let own = server.get("/v3/auth/projects").await.expect_status(200);
    assert_eq!(names(&own, "projects"), all);
}

#[tokio::test]
async fn project_pages_link_to_adjacent_pages() {
    let server = Server::start().await;
    for name in ["south-1", "east-1"] {
        server.store.tenants().create_project(&test_origin(), &server.tenant.domain_id, name, "").await.unwrap();
    }
    let page = |page: usize| format!("/v3/projects?per_page=1&enabled=true&page={page}");
    let (mut path, mut seen) = (page(1), Vec::new());
    loop {
        let answer = server.get(&path).await.expect_status(200);
        seen.extend(names(&answer, "projects"));
        let before = seen.len() - 1;
        let previous = if before == 0 { Value::Null } else { json!(page(before)) };
        assert_eq!((&answer["links"]["self"], &answer["links"]["previous"]), (&json!(path), &previous));
        let Some(next) = answer["links"]["next"].as_str() else { break };
        path = next.to_owned();
    }
    seen.sort();
    assert_eq!(seen, ["east-1", REGION, "south-1"]);
    let both = server.get("/v3/projects?page=1&per_page=3").await.expect_status(200)["links"].clone();
    assert_eq!((&both["previous"], &both["next"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn invalid_project_list_parameters_are_rejected() {
    let server = Server::start().await;
    for query in [
        "page=1",
        "per_page=1",
        "page=0&per_page=1",
        "page=1&per_page=0",
        "page=1&per_page=5001",
        "page=x&per_page=1",
        "page=-1&per_page=1",
        "page=99999999999999999999&per_page=1",
        "enabled=yes",
        "is_domain=1",
        "enabled=",
        "name=a&name=b",
    ] {
        server.get(&format!("/v3/projects?{query}")).await.expect_error(400, "IAM.0007");
    }
    let last = server.get("/v3/projects?page=18446744073709551615&per_page=5000").await.expect_status(200);
    assert_eq!(names(&last, "projects").len(), 0);
}

#[tokio::test]
async fn domain_list_has_the_callers_domain() {
    let server = Server::start().await;
    server.store.tenants().create_domain(&test_origin(), "rival").await.unwrap();
    let domain = server.tenant.domain_id.as_str();
    for call in
        [server.call(Method::GET, "/v3/auth/domains"), server.sign(server.call(Method::GET, "/v3/auth/domains"))]
    {
        let answer = call.send().await.expect_status(200);
        assert_eq!(names(&answer, "domains"), [DOMAIN]);
        assert_eq!((&answer["domains"][0]["id"], &answer["domains"][0]["enabled"]), (&json!(domain), &json!(true)));
        assert_eq!(answer["links"]["self"], "/v3/auth/domains");
    }
}
