//! Checks each capability against the sessions that a test has opened.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::{Command, Output};
use std::time::Duration;

use clew_testkit::{ClientCharset, DatabaseServer, RawSession, test_tools};
use serde_json::Value;

use crate::harness::{CLEW, Home, http};
use crate::limitations::CAPABILITIES;

const BUSY_STATEMENT: &str = "SELECT SLEEP(600), 'busy'";

/// Sessions of the account `app`: one waits for a row lock, and another for a metadata lock.
pub(crate) struct BlockedSessions {
    row_blocker: RawSession,
    row_waiter: RawSession,
    table_blocker: RawSession,
    table_waiter: RawSession,
    busy: RawSession,
}

/// Results of all checks.
pub(crate) struct CheckedCapabilities {
    pub(crate) server_version: String,
    /// Kinds of limitations that each capability reports.
    pub(crate) limitations: Vec<(&'static str, Vec<String>)>,
}

impl BlockedSessions {
    pub(crate) async fn open(server: &DatabaseServer) -> Self {
        server
            .run_statements(&[
                "CREATE DATABASE shop",
                "CREATE TABLE shop.orders (id INT PRIMARY KEY, state INT) ENGINE=InnoDB",
                "INSERT INTO shop.orders VALUES (1, 1)",
                "CREATE TABLE shop.items (id INT PRIMARY KEY) ENGINE=InnoDB",
                "CREATE USER app@'%'",
                "GRANT ALL ON shop.* TO app@'%'",
            ])
            .await
            .unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
        let open = async || RawSession::open(address, "app", Some("shop"), ClientCharset::Utf8mb4).await.unwrap();
        let mut sessions = Self {
            row_blocker: open().await,
            row_waiter: open().await,
            table_blocker: open().await,
            table_waiter: open().await,
            busy: open().await,
        };
        sessions.row_blocker.execute("BEGIN").await.unwrap();
        sessions.row_blocker.execute("UPDATE orders SET state = 2").await.unwrap();
        sessions.row_waiter.send_statement(b"UPDATE orders SET state = 3").await.unwrap();
        // A schema change on a Galera cluster would abort the transaction of a blocker instead of waiting.
        sessions.table_blocker.execute("LOCK TABLES items WRITE").await.unwrap();
        sessions.table_waiter.send_statement(b"SELECT * FROM items").await.unwrap();
        sessions.busy.send_statement(BUSY_STATEMENT.as_bytes()).await.unwrap();
        sessions
    }

    fn ids(&self) -> BTreeSet<u64> {
        [&self.row_blocker, &self.row_waiter, &self.table_blocker, &self.table_waiter, &self.busy]
            .map(|session| session.id)
            .into()
    }
}

fn clew(arguments: &[&str]) -> Output {
    let output = Command::new(CLEW).args(arguments).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 3)), "clew {arguments:?}: {output:?}");
    output
}

fn clew_json(arguments: &[&str]) -> Value {
    serde_json::from_slice(&clew(&[arguments, &["--format", "json"]].concat()).stdout).unwrap()
}

fn limitation_kinds(limitations: &Value) -> Vec<String> {
    let limitations = limitations.as_array().unwrap();
    let kinds = limitations.iter().filter(|limitation| !limitation.is_null()).map(|limitation| &limitation["kind"]);
    kinds.map(|kind| kind.as_str().unwrap().to_owned()).collect()
}

fn session_ids(sessions: &Value) -> BTreeSet<u64> {
    sessions.as_array().unwrap().iter().map(|session| session["session_id"].as_u64().unwrap()).collect()
}

/// Checks all capabilities of Clew on the server. Kills a session at the end.
pub(crate) async fn check_capabilities(server: &DatabaseServer, sessions: &BlockedSessions) -> CheckedCapabilities {
    let url = &server.url();
    // InnoDB refreshes information_schema.innodb_trx only if no client has read it for 0.1 s.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let snapshot = clew_json(&["snapshot", url]);
    let detailed_snapshot = clew_json(&["snapshot", url, "--detail"]);
    let locks = clew_json(&["locks", url]);
    let diagnosis = clew_json(&["doctor", url]);
    let service = check_service(server, sessions).await;
    let limitations = [
        check_snapshot(&snapshot, sessions),
        check_snapshot(&detailed_snapshot, sessions),
        check_ps(url, sessions),
        check_lock_wait(&locks, &sessions.row_waiter, &sessions.row_blocker),
        check_lock_wait(&locks, &sessions.table_waiter, &sessions.table_blocker),
        limitation_kinds(
            &diagnosis["checks"].as_array().unwrap().iter().map(|check| check["limitation"].clone()).collect(),
        ),
        service.collection,
        service.live_list,
        check_kill(url, sessions),
    ];
    CheckedCapabilities {
        server_version: snapshot["summary"]["server_version"].as_str().unwrap().to_owned(),
        limitations: CAPABILITIES.into_iter().zip(limitations).collect(),
    }
}

fn check_snapshot(snapshot: &Value, sessions: &BlockedSessions) -> Vec<String> {
    assert_eq!(session_ids(&snapshot["sessions"]), sessions.ids(), "{snapshot:#}");
    let busy = snapshot["sessions"].as_array().unwrap().iter().find(|row| row["session_id"] == sessions.busy.id);
    assert_eq!(busy.unwrap()["sql_statement"], BUSY_STATEMENT, "{snapshot:#}");
    limitation_kinds(&snapshot["summary"]["limitations"])
}

fn check_ps(url: &str, sessions: &BlockedSessions) -> Vec<String> {
    let table = String::from_utf8(clew(&["ps", url]).stdout).unwrap();
    let listed: BTreeSet<u64> = table.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
    assert!(listed.is_superset(&sessions.ids()), "{table}");
    let json = clew_json(&["ps", url]);
    assert_eq!(session_ids(&json["sessions"]), sessions.ids(), "{json:#}");
    limitation_kinds(&json["summary"]["limitations"])
}

/// Returns no limitations if the waiter has its blocker. Without the blocker, the response must contain a limitation.
fn check_lock_wait(locks: &Value, waiter: &RawSession, blocker: &RawSession) -> Vec<String> {
    let waits = locks["waits"].as_array().unwrap();
    let mut blockers = waits.iter().filter(|wait| wait["waiter"]["session"] == waiter.id).map(|wait| &wait["blocker"]);
    if let Some(found) = blockers.next() {
        assert_eq!(found["session"], blocker.id, "{locks:#}");
        return Vec::new();
    }
    let unexplained = locks["unexplained"].as_array().unwrap();
    assert!(unexplained.iter().any(|wait| wait["session"] == waiter.id), "{locks:#}");
    let kinds = limitation_kinds(&locks["limitations"]);
    assert!(!kinds.is_empty(), "{locks:#}");
    kinds
}

/// Kills the statement of the busy session and then the connection.
fn check_kill(url: &str, sessions: &BlockedSessions) -> Vec<String> {
    let id = sessions.busy.id.to_string();
    for arguments in [&["--query"][..], &[]] {
        let killed = clew_json(&[&["kill", url, &id, "--yes"], arguments].concat());
        assert_eq!(killed["sessions"][0]["outcome"], "killed", "{killed:#}");
    }
    let snapshot = clew_json(&["snapshot", url]);
    assert!(!session_ids(&snapshot["sessions"]).contains(&sessions.busy.id), "{snapshot:#}");
    Vec::new()
}

struct CheckedService {
    collection: Vec<String>,
    live_list: Vec<String>,
}

async fn check_service(server: &DatabaseServer, sessions: &BlockedSessions) -> CheckedService {
    let home = Home::new().await;
    let added = home.add_instance(&[&server.url()]);
    let serving = home.serve().await;
    let (instance, node) = (&added.instance, &added.nodes[0]);
    let output = Command::new(test_tools::python_interpreter_path())
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/collect.py"))
        .env("HOME", home.folder.path())
        .env("CLEW_ENDPOINT", &serving.endpoint)
        .env("CLEW_PROJECT_ID", home.credential("project_id"))
        .env("CLEW_ACCESS_KEY", home.credential("access_key"))
        .env("CLEW_SECRET_KEY", home.credential("secret_key"))
        .env("CLEW_INSTANCE", instance.as_str())
        .env("CLEW_NODE", node.as_str())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}\nlog of clew serve:\n{}", home.log());
    let stdout = String::from_utf8(output.stdout).unwrap();
    let (request_id, csv) = stdout.split_once('\n').unwrap();
    let collected: BTreeSet<u64> =
        csv.lines().filter_map(|line| line.split(',').next()?.trim_matches('"').parse().ok()).collect();
    assert_eq!(collected, sessions.ids(), "{csv}");
    let client = home.client(&serving);
    let limitations = client.fetch_result_limitations(instance, node, &request_id.into()).await.unwrap();

    let project = home.credential("project_id");
    let stream = format!("{}/clew/v1/{project}/instances/{instance}/nodes/{node}/stream", serving.endpoint);
    let token = home.token(&serving.endpoint).await;
    let mut response = http().get(stream).header("x-auth-token", token).send().await.unwrap();
    let mut events = String::new();
    let snapshot: Value = loop {
        let complete = events.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        if let Some(data) = complete.map(str::trim).find_map(|line| line.strip_prefix("data:")) {
            break serde_json::from_str(data).unwrap();
        }
        let chunk = tokio::time::timeout(Duration::from_mins(1), response.chunk()).await.unwrap();
        events.push_str(std::str::from_utf8(&chunk.unwrap().unwrap()).unwrap());
    };
    let listed: BTreeSet<u64> =
        snapshot["sessions"].as_object().unwrap().keys().map(|id| id.parse().unwrap()).collect();
    assert_eq!(listed, sessions.ids(), "{events}");
    CheckedService {
        collection: limitations.iter().map(|limitation| limitation.kind.name().to_owned()).collect(),
        live_list: limitation_kinds(&snapshot["limitations"]),
    }
}
