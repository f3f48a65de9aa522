//! `clew serve` with the unmodified official SDKs and the client of OpenStack.
//! `conformance.py`, `rollback.py`, `identity.py` and `conformance.mjs` contain the assertions.

use std::net::SocketAddr;
use std::process::Command;

use clew_testkit::{
    ClientCharset, DatabaseServer, DatabaseServerOptions, Flavor, RawSession, begin_large_transaction, test_tools,
};
use rstest::rstest;

use crate::harness::{Home, RegisteredInstance, RunningService};

#[rstest]
#[tokio::test]
async fn official_sdk_is_conformant(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
    let _sessions = open_sessions(&server).await;
    let home = Home::new().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let added = home.add_instance(&[&server.url(), &format!("mysql://clew@{closed}/")]);
    assert_conformant(&home, "conformance.py", &added).await;
}

async fn assert_conformant(home: &Home, program: &str, added: &RegisteredInstance) {
    let serving = home.serve().await;
    let python = test_tools::python_interpreter_path();
    assert!(python.exists(), "the official SDK is not installed ({}); run cargo xtask test", python.display());
    assert_successful(Command::new(python), home, &serving, program, added);
}

fn assert_successful(
    mut interpreter: Command,
    home: &Home,
    serving: &RunningService,
    program: &str,
    added: &RegisteredInstance,
) {
    let output = interpreter
        .arg(format!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/{}"), program))
        .env("HOME", home.folder.path())
        .env("CLEW_ENDPOINT", &serving.endpoint)
        .env("CLEW_PROJECT_ID", home.credential("project_id"))
        .env("CLEW_ACCESS_KEY", home.credential("access_key"))
        .env("CLEW_SECRET_KEY", home.credential("secret_key"))
        .env("CLEW_REGION", home.credential("region"))
        .env("CLEW_DOMAIN_NAME", home.credential("domain_name"))
        .env("CLEW_USER", home.credential("user"))
        .env("CLEW_PASSWORD", home.credential("password"))
        .env("CLEW_INSTANCE", added.instance.as_str())
        .env("CLEW_NODE", added.nodes[0].as_str())
        .env("CLEW_BROKEN_NODE", added.nodes.last().unwrap().as_str())
        .output()
        .unwrap_or_else(|error| panic!("cannot run {interpreter:?}: {error}; fix: cargo xtask test"));
    let output_text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && output_text.ends_with("conformant\n"),
        "{output_text}{}\nlog of clew serve:\n{}",
        String::from_utf8_lossy(&output.stderr),
        home.log()
    );
}

#[rstest]
#[tokio::test]
async fn official_sdk_for_node_is_conformant_under_both_signature_rules(#[values(false, true)] strict: bool) {
    let server = DatabaseServer::start(Flavor::MariaDb, &DatabaseServerOptions::default()).await.unwrap();
    let _sessions = open_sessions(&server).await;
    let home = Home::new().await;
    let added = home.add_instance(&[&server.url()]);
    let configuration = home.folder.path().join("clew.toml");
    std::fs::write(&configuration, format!("[http]\nstrict_signatures = {strict}\n")).unwrap();
    let serving = home.serve_with_config(&configuration).await;
    assert!(test_tools::are_node_clients_installed(), "the SDK for Node.js is not installed; fix: cargo xtask test");
    let mut node = Command::new("node");
    node.env("CLEW_NODE_CLIENTS", test_tools::node_clients_dir()).env("CLEW_STRICT_SIGNATURES", strict.to_string());
    assert_successful(node, &home, &serving, "conformance.mjs", &added);
}

/// Opens four sessions: a slow statement in a long transaction, which matches every filter; a waiter for its inserted row;
/// and two sessions with similar statements for an intelligent kill.
async fn open_sessions(server: &DatabaseServer) -> [RawSession; 4] {
    server.run_statements(&["CREATE DATABASE shop", "CREATE TABLE shop.t (id INT PRIMARY KEY)"]).await.unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
    let open = async || RawSession::open(address, "root", Some("shop"), ClientCharset::Utf8mb4).await.unwrap();
    let (mut session, mut waiter, mut one, mut other) = (open().await, open().await, open().await, open().await);
    session.execute("START TRANSACTION").await.unwrap();
    session.execute("INSERT INTO t VALUES (1)").await.unwrap();
    session.send_statement(b"SELECT SLEEP(1000)").await.unwrap();
    waiter.send_statement(b"INSERT INTO t VALUES (1)").await.unwrap();
    one.send_statement(b"DO SLEEP(3001)").await.unwrap();
    other.send_statement(b"DO SLEEP(3002)").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    [session, waiter, one, other]
}

#[tokio::test]
async fn identity_api_clients_are_conformant() {
    let home = Home::new().await;
    let added = home.add_instance(&["mysql://clew@127.0.0.1:1/"]);
    assert_conformant(&home, "identity.py", &added).await;
}

#[rstest]
#[tokio::test]
async fn official_sdk_reads_rollback_progress(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
    server.run_statements(&["CREATE USER bulk@'%'"]).await.unwrap();
    let _bulk = begin_large_transaction(&server, "bulk", 16).await.unwrap();
    let home = Home::new().await;
    let added = home.add_instance(&[&server.url(), "mysql://clew@127.0.0.1:1/"]);
    assert_conformant(&home, "rollback.py", &added).await;
}
