//! A server reads only nodes in its zones. This also applies to live reads and kills.

use std::process::Command;
use std::time::Duration;

use clew_testkit::{DatabaseServer, DatabaseServerOptions, Flavor};
use mysql_async::prelude::Queryable;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{CLEW, Home, RegisteredInstance, RunningService, http};

/// Requests for live reads and kills, each with method, path and body.
fn live_reads(session: u64) -> [(Method, &'static str, Option<Value>); 6] {
    [
        (Method::GET, "v3/{project}/instances/{instance}/nodes/{node}/processes?offset=0&limit=10", None),
        (Method::GET, "v3/{project}/instances/{instance}/nodes/{node}/process/lock-wait?pid={session}", None),
        (
            Method::POST,
            "v3/{project}/instances/{instance}/nodes/{node}/txn-progress",
            Some(json!({ "action": "rollback" })),
        ),
        (Method::GET, "clew/v1/{project}/instances/{instance}/nodes/{node}/locks", None),
        (Method::GET, "clew/v1/{project}/instances/{instance}/nodes/{node}/sessions/{session}", None),
        (
            Method::DELETE,
            "v3/{project}/instances/{instance}/nodes/{node}/processes",
            Some(json!({ "processes": [session] })),
        ),
    ]
}

async fn send_request(
    home: &Home,
    serving: &RunningService,
    added: &RegisteredInstance,
    session: u64,
    (method, path, body): &(Method, &str, Option<Value>),
) -> (StatusCode, String) {
    let path = path
        .replace("{project}", &home.credential("project_id"))
        .replace("{instance}", added.instance.as_str())
        .replace("{node}", added.nodes[0].as_str())
        .replace("{session}", &session.to_string());
    let request = http().request(method.clone(), format!("{}/{path}", serving.endpoint));
    let mut request = request.header("x-auth-token", home.token(&serving.endpoint).await);
    if let Some(body) = body {
        request = request.json(body);
    }
    let response = request.timeout(Duration::from_mins(1)).send().await.unwrap();
    (response.status(), response.text().await.unwrap())
}

#[tokio::test]
async fn live_reads_and_kills_are_limited_to_the_zone() {
    let server = DatabaseServer::start(Flavor::MariaDb, &DatabaseServerOptions::default()).await.unwrap();
    let mut victim = server.connect_as_root().await.unwrap();
    let session = u64::from(victim.id());
    let home = Home::new().await;
    let added = home.add_instance(&[&format!("{},zone=dmz", server.url())]);

    let mut outside = home.serve().await;
    for read in live_reads(session) {
        let (status, response) = send_request(&home, &outside, &added, session, &read).await;
        assert!(!status.is_success(), "{read:?}: {status} {response}");
        assert!(response.contains("is in zone dmz, and this server is not"), "{read:?}: {status} {response}");
    }
    victim.query_drop("DO 1").await.unwrap();
    outside.kill();

    let inside = || {
        let mut command = Command::new(CLEW);
        command.env("CLEW_ZONES", "dmz");
        command
    };
    let inside = home.serve_with_command(inside).await;
    for read in live_reads(session) {
        let (status, response) = send_request(&home, &inside, &added, session, &read).await;
        assert!(status.is_success(), "{read:?}: {status} {response}");
    }
    assert!(victim.query_drop("DO 1").await.is_err(), "the last request killed the session");
}
