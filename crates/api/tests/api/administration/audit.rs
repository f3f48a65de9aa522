//! Audit routes.

use http::Method;
use serde_json::{Value, json};

use super::text;
use crate::server::{Server, USER, test_origin};

fn operations(rows: &Value) -> Vec<String> {
    rows.as_array().unwrap().iter().map(|row| text(&row["operation"])).collect()
}

#[tokio::test]
async fn filters_select_rows() {
    let server = Server::start().await;
    let created = server.send_as_admin(Method::POST, "groups", json!({ "name": "developers" })).await;
    let request_id = created.header("x-request-id");
    server.create("users", json!({ "name": "grace" })).await;
    let unprivileged = server.key_of(&server.user("guest").await).await;
    server.send_as(&unprivileged, Method::GET, "users", Value::Null).await.expect_error(403, "IAM.0003");

    let row = server.get_json(&format!("audit?request_id={request_id}")).await["rows"][0].clone();
    assert_eq!((&row["operation"], &row["target"]), (&json!("CreateGroup"), &json!("developers")));
    assert_eq!((&row["actor_kind"], &row["actor"]), (&json!("user"), &json!(USER)));
    assert_eq!((&row["actor_id"], &row["peer"]), (&json!(server.tenant.user_id), &json!("127.0.0.1")));
    let at = text(&row["at"]);
    for (query, expected) in [
        ("operation=CreateGroup".to_owned(), vec!["CreateGroup"]),
        (format!("actor={USER}"), vec!["CreateGroup", "CreateUser"]),
        (format!("actor={}&operation=CreateUser", server.tenant.user_id), vec!["CreateUser"]),
        ("outcome=denied".to_owned(), vec!["ListUsers"]),
        (format!("actor={USER}&to={at}"), vec![]),
        (format!("actor={USER}&from={at}&limit=1"), vec!["CreateGroup"]),
        ("from=2000-01-01T00:00:00Z&to=2000-01-02T00:00:00%2B08:00".to_owned(), vec![]),
        (format!("project_id={}", "0".repeat(32)), vec![]),
    ] {
        assert_eq!(operations(&server.get_json(&format!("audit?{query}")).await["rows"]), expected, "{query}");
    }
}

/// Reads all pages in an order.
async fn pages(server: &Server, order: &str) -> Vec<Value> {
    let (mut pages, mut after) = (Vec::new(), String::new());
    loop {
        let page = server.get_json(&format!("audit?operation=CreateGroup&limit=400&order={order}{after}")).await;
        pages.extend(page["rows"].as_array().unwrap().clone());
        let Some(next) = page["next_after"].as_i64() else { return pages };
        after = format!("&after={next}");
    }
}

#[tokio::test]
async fn pages_and_export_have_the_same_rows() {
    let server = Server::start().await;
    for number in 0..1_005 {
        let (name, domain) = (format!("g{number}"), &server.tenant.domain_id);
        server.store.identities().create_group(&test_origin(), domain, &name, "").await.unwrap();
    }
    let pages = pages(&server, "oldest").await;
    assert_eq!(pages.len(), 1_005);
    let export = server.send_as_admin(Method::GET, "audit/export?operation=CreateGroup", Value::Null).await;
    assert_eq!((export.status.as_u16(), export.header("content-type").as_str()), (200, "application/x-ndjson"));
    let lines: Vec<Value> = export.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines == pages, "{} lines, {} rows", lines.len(), pages.len());
    let newest_first = self::pages(&server, "newest").await;
    assert!(newest_first.iter().eq(pages.iter().rev()), "{} rows", newest_first.len());
    server.send_as_admin(Method::GET, "audit?order=random", Value::Null).await.expect_error(400, "IAM.0007");
    assert_eq!(server.audit_of("ExportAudit").await.len(), 1, "the export itself is audited");
    let empty = server.send_as_admin(Method::GET, "audit/export?operation=Nothing", Value::Null).await;
    assert_eq!((empty.status.as_u16(), empty.text().as_str()), (200, ""));
}

#[tokio::test]
async fn rows_of_other_domains_are_hidden() {
    let server = Server::start().await;
    let foreign_admin = server.foreign_admin().await;
    server.send_as(&foreign_admin, Method::POST, "groups", json!({ "name": "theirs" })).await.expect_status(201);
    server.create("groups", json!({ "name": "ours" })).await;
    let ours = server.send_as_admin(Method::GET, "audit/export", Value::Null).await.text();
    assert!(ours.contains("\"ours\"") && !ours.contains("\"theirs\"") && !ours.contains("\"eve\""), "{ours}");
    let theirs = server
        .send_as(&foreign_admin, Method::GET, "audit?operation=CreateGroup", Value::Null)
        .await
        .expect_status(200);
    assert_eq!((theirs["rows"].as_array().unwrap().len(), &theirs["rows"][0]["target"]), (1, &json!("theirs")));
}

#[tokio::test]
async fn only_administrators_verify_the_audit() {
    let server = Server::start().await;
    let report = server.get_json("audit/verify").await;
    assert_eq!((&report["intact"], &report["problems"], &report["first"]), (&json!(true), &json!([]), &json!(1)));
    assert_eq!(report["rows"], report["last"]);
    let auditor = server.user_with_actions("auditor", &["clew:audit:list"]).await;
    server.send_as(&auditor, Method::GET, "audit", Value::Null).await.expect_status(200);
    server.send_as(&auditor, Method::GET, "audit/verify", Value::Null).await.expect_error(403, "IAM.0002");
}
