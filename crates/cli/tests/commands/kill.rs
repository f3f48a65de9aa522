//! `clew kill`.

use std::net::SocketAddr;
use std::time::Duration;

use clew_testkit::{
    ClientCharset, ConnectionIdRewrite, DatabaseServer, DatabaseServerOptions, Flavor, LockWaitScenario, RawSession,
    RewriteRules, RewritingProxy, VirtualIpProxy,
};
use mysql_async::prelude::Queryable;
use rstest::rstest;
use serde_json::Value;

use crate::pty::TerminalSession;
use crate::run::{initialize, run};

/// Effect of a kill that rolls back no rows and unblocks no session.
const NO_EFFECT: &str = "0 rows rolled back; 0 sessions unblocked\n";
/// Note of a kill result if Clew cannot read all lock waits. MariaDB disables performance_schema by default.
fn hidden_waits_note(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MariaDb => "note: some waiting sessions are not visible; clew locks shows the reason\n",
        Flavor::MySql => "",
    }
}

const LONG_STATEMENT: &str = "SELECT SLEEP(600), 'secret'";

async fn start_server(flavor: Flavor) -> DatabaseServer {
    let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
    server
        .run_statements(&["CREATE USER app@'%'", "CREATE USER billing@'%'", "CREATE USER watcher@'%'"])
        .await
        .unwrap();
    server.run_statements(&["GRANT PROCESS ON *.* TO watcher@'%'"]).await.unwrap();
    server
}

async fn open_session(server: &DatabaseServer, user: &str) -> RawSession {
    let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
    RawSession::open(address, user, None, ClientCharset::Utf8mb4).await.unwrap()
}

/// Opens a session that runs a statement, and waits until the server lists the statement.
async fn start_busy_session(server: &DatabaseServer, user: &str, statement: &str) -> RawSession {
    let mut session = open_session(server, user).await;
    session.send_statement(statement.as_bytes()).await.unwrap();
    wait_until_running(server, session.id, statement).await;
    session
}

async fn wait_until_running(server: &DatabaseServer, id: u64, statement: &str) {
    while running_statement(server, id).await != Some(Some(statement.to_owned())) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Returns the statement that a session runs. The outer `None` means that the session does not exist.
async fn running_statement(server: &DatabaseServer, id: u64) -> Option<Option<String>> {
    let mut root = server.connect_as_root().await.unwrap();
    let info = format!("SELECT info FROM information_schema.processlist WHERE id = {id}");
    let found = root.query_first(info).await.unwrap();
    root.disconnect().await.unwrap();
    found
}

/// Session `a` has changed rows, and session `b` waits for one of them.
#[rstest]
#[tokio::test]
async fn kill_previews_its_impact(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let server = start_server(flavor).await;
    let scenario =
        LockWaitScenario::scenarios_for_flavor(flavor).into_iter().find(|scenario| scenario.name == "a row").unwrap();
    let built = scenario.set_up(&server).await.unwrap();
    let (blocker, waiter) = (built.thread_ids()["a"], built.thread_ids()["b"]);
    let (id, gone) = (blocker.to_string(), "4000000000");

    let shown = run(&["kill", &server.url(), &id, gone, &id, "--dry-run"]).await;
    assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""), "{shown:?}");
    let lines: Vec<&str> = shown.stdout.lines().collect();
    assert!(lines[0].starts_with(&format!("session {blocker}, root@127.0.0.1:")), "{shown:?}");
    assert!(lines[0].contains(" on shop, Sleep for "), "{shown:?}");
    assert!(
        lines[1].starts_with("  transaction open for ") && lines[1].ends_with(" s, 1 row changed, to be rolled back")
    );
    assert_eq!(lines[2], "  blocks 1 session", "{shown:?}");
    assert!(shown.stdout.contains(&format!("session {gone}: already terminated\n")), "{shown:?}");
    assert!(shown.stdout.contains("can take as long as"), "{shown:?}");
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{shown:?}");

    let json = run(&["kill", &server.url(), &id, gone, "--dry-run", "--format", "json"]).await;
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&json["dry_run"], &json["kind"]), (&true.into(), &"connection".into()), "{json}");
    let one = &json["sessions"][0];
    assert_eq!((&one["session_id"], &one["holds_up"], &one["there"]), (&blocker.into(), &1.into(), &true.into()));
    assert_eq!(one["transaction"]["rows_modified"], 1, "{json}");
    assert_eq!(json["sessions"][1]["there"], false, "{json}");

    // Without a terminal there is no prompt.
    let refused = run(&["kill", &server.url(), &id]).await;
    refused.assert_refused(&["kill 1 session on 127.0.0.1:", "nothing was changed", "--yes", "blocks 1 session"]);
    assert!(running_statement(&server, blocker).await.is_some());

    let kill = ["kill", &server.url(), &id, "--yes", "--reason", "it blocks", "--format", "json"];
    let killed = run(&kill).await;
    assert_eq!((killed.code, killed.stderr.as_str()), (Some(0), ""), "{killed:?}");
    let killed: Value = serde_json::from_str(&killed.stdout).unwrap();
    assert_eq!((&killed["reason"], &killed["dry_run"]), (&"it blocks".into(), &false.into()));
    assert_eq!((&killed["sessions"][0]["outcome"], &killed["sessions"][0]["user"]), (&"killed".into(), &"root".into()));
    assert!(running_statement(&server, blocker).await.is_none());
    assert!(running_statement(&server, waiter).await.is_some());
    let effect = &killed["effect"];
    assert_eq!((&effect["rows_rolled_back"], &effect["unblocked"]), (&1.into(), &vec![waiter].into()), "{killed}");
    assert_eq!((&effect["still_waiting"], &effect["unknown"]), (&Value::Array(Vec::new()), &Value::Null), "{killed}");

    // A missing session is not a failure.
    let again = run(&["kill", &server.url(), &id]).await;
    assert_eq!((again.code, again.stdout), (Some(0), format!("session {blocker}: already terminated\n")));
    built.tear_down(&server).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn preview_lists_risks_and_surviving_root_blockers(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let server = start_server(flavor).await;
    let scenario =
        LockWaitScenario::scenarios_for_flavor(flavor).into_iter().find(|scenario| scenario.name == "a row").unwrap();
    let built = scenario.set_up(&server).await.unwrap();
    let (blocker, waiter) = (built.thread_ids()["a"], built.thread_ids()["b"]);
    server.run_statements(&["CREATE TABLE shop.log (id INT) ENGINE = MyISAM"]).await.unwrap();
    let mut holder = open_session(&server, "root").await;
    holder.execute("LOCK TABLES shop.log READ").await.unwrap();
    let repair = start_busy_session(&server, "root", "REPAIR TABLE shop.log").await;
    let (waiter, repair) = (waiter.to_string(), repair.id.to_string());

    let shown = run(&["kill", &server.url(), &waiter, &repair, "--dry-run"]).await;
    let text = shown.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        text.contains("risk: REPAIR TABLE runs on shop.log (MyISAM), whose engine has no transactions."),
        "{shown:?}"
    );
    let warning = format!("warning: 1 of 2 wait for session {blocker}, root@127.0.0.1, idle for");
    assert!(text.contains(&warning) && text.contains(", which is not among the victims"), "{shown:?}");
    assert!(shown.stdout.lines().all(|line| line.chars().count() <= 80), "{shown:?}");
    let json = run(&["kill", &server.url(), &waiter, &repair, "--dry-run", "--format", "json"]).await;
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    let risk = &json["sessions"][1]["risks"][0];
    assert_eq!((&risk["kind"], &risk["unsafe"]), (&"table_damage".into(), &true.into()), "{json}");
    assert!(json["warnings"][0].as_str().unwrap().starts_with(&warning["warning: ".len()..]), "{json}");
    assert_eq!((&json["effect"], &json["sessions"][0]["risks"]), (&Value::Null, &Value::Array(Vec::new())), "{json}");
}

/// Connection limit of the server in the tests with a full server.
const MAX_CONNECTIONS: u32 = 10;

/// Opens sessions of an unprivileged account until the server rejects new connections.
async fn fill_connections(server: &DatabaseServer, sessions: &mut Vec<RawSession>) {
    let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
    // The server frees a connection shortly after it is closed.
    while sessions.len() < MAX_CONNECTIONS as usize {
        match RawSession::open(address, "app", None, ClientCharset::Utf8mb4).await {
            Ok(session) => sessions.push(session),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    assert!(RawSession::open(address, "app", None, ClientCharset::Utf8mb4).await.is_err(), "the server is full");
}

#[rstest]
#[tokio::test]
async fn kills_on_a_full_server_succeed(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let options = DatabaseServerOptions { max_connections: MAX_CONNECTIONS, ..DatabaseServerOptions::default() };
    let server = DatabaseServer::start(flavor, &options).await.unwrap();
    server
        .run_statements(&[
            "CREATE USER app@'%'",
            "CREATE DATABASE shop",
            "GRANT ALL ON shop.* TO app@'%'",
            "CREATE TABLE shop.t (id INT PRIMARY KEY, v INT)",
            "INSERT INTO shop.t VALUES (1, 0)",
        ])
        .await
        .unwrap();
    let mut sessions = Vec::new();
    for round in 0..6 {
        tokio::time::timeout(Duration::from_mins(1), fill_connections(&server, &mut sessions)).await.unwrap();
        let mut victim = sessions.remove(0);
        victim.execute("START TRANSACTION").await.unwrap();
        victim.execute("UPDATE shop.t SET v = v + 1").await.unwrap();
        // InnoDB refreshes the cached transactions only after 0.1 s without a read; the previous kill has read them.
        tokio::time::sleep(Duration::from_millis(120)).await;
        let killed = run(&["kill", &server.url(), &victim.id.to_string(), "--yes", "--format", "json"]).await;
        assert_eq!((killed.code, killed.stderr.as_str()), (Some(0), ""), "{flavor} {round}: {killed:?}");
        let killed: Value = serde_json::from_str(&killed.stdout).unwrap();
        assert_eq!(killed["sessions"][0]["outcome"], "killed", "{flavor} {round}: {killed}");
        let effect = &killed["effect"];
        assert_eq!((&effect["rows_rolled_back"], &effect["unknown"]), (&1.into(), &Value::Null), "{flavor}: {killed}");
    }
}

#[tokio::test]
async fn kill_behind_a_balancer_is_refused_on_a_server() {
    for flavor in Flavor::ALL {
        let (first, second) = (start_server(flavor).await, start_server(flavor).await);
        let victims = [
            start_busy_session(&first, "app", LONG_STATEMENT).await,
            start_busy_session(&second, "app", LONG_STATEMENT).await,
        ];
        let address = |server: &DatabaseServer| SocketAddr::from(([127, 0, 0, 1], server.port()));
        let balancer = VirtualIpProxy::start_load_balancer(vec![address(&first), address(&second)]).await.unwrap();
        let killed = run(&["kill", &balancer.url_for_account("root", ""), &victims[0].id.to_string(), "--yes"]).await;
        killed.assert_refused(&["behind a load balancer, kill on the server itself", "nothing was killed"]);
        for (server, victim) in [&first, &second].into_iter().zip(&victims) {
            assert_eq!(running_statement(server, victim.id).await, Some(Some(LONG_STATEMENT.to_owned())), "{flavor}");
        }
    }
}

#[tokio::test]
async fn kill_through_a_proxy_is_refused_before_the_confirmation_on_a_server() {
    for flavor in Flavor::ALL {
        let server = start_server(flavor).await;
        let victim = start_busy_session(&server, "app", LONG_STATEMENT).await;
        let rewrite = RewriteRules { greeting_id: ConnectionIdRewrite::From(7000), ..RewriteRules::default() };
        let proxy = RewritingProxy::start(([127, 0, 0, 1], server.port()).into(), rewrite).await.unwrap();
        for confirmation in ["--dry-run", "--yes"] {
            let refused = run(&["kill", &proxy.url("root"), &victim.id.to_string(), confirmation]).await;
            refused.assert_refused(&["through a proxy", "fix: use the address of the server itself"]);
        }
        assert_eq!(running_statement(&server, victim.id).await, Some(Some(LONG_STATEMENT.to_owned())), "{flavor}");
    }
}

#[tokio::test]
async fn accounts_named_like_server_threads_are_killed_on_a_server() {
    for flavor in Flavor::ALL {
        let server = start_server(flavor).await;
        server.run_statements(&["CREATE USER event_scheduler@'%'"]).await.unwrap();
        let victim = start_busy_session(&server, "event_scheduler", LONG_STATEMENT).await;
        let killed = run(&["kill", &server.url(), &victim.id.to_string(), "--yes"]).await;
        assert_eq!(killed.code, Some(0), "{flavor}: {killed:?}");
    }
}

#[tokio::test]
async fn protected_and_idle_sessions_are_not_killed_on_a_server() {
    for flavor in Flavor::ALL {
        let server = start_server(flavor).await;
        let (victim, guarded) = (
            start_busy_session(&server, "app", LONG_STATEMENT).await,
            start_busy_session(&server, "billing", LONG_STATEMENT).await,
        );
        let idle = open_session(&server, "app").await;
        let (id, guarded_id, idle_id) = (victim.id.to_string(), guarded.id.to_string(), idle.id.to_string());
        let url = server.url();
        let refused = run(&["kill", &url, &id, &guarded_id, "--protect", "billing", "--yes"]).await;
        refused.assert_refused(&["the account billing is protected", "nothing was killed"]);
        let refused = run(&["kill", &url, &id, &idle_id, "--query", "--yes"]).await;
        refused.assert_refused(&["runs no statement", "kill the connection instead", "omit --query"]);
        assert_eq!(running_statement(&server, victim.id).await, Some(Some(LONG_STATEMENT.to_owned())), "{flavor}");

        let killed = run(&["kill", &url, &id, "--query", "--yes"]).await;
        assert_eq!(
            (killed.code, killed.stdout),
            (Some(0), format!("session {id}: killed\n{NO_EFFECT}{}", hidden_waits_note(flavor))),
            "{flavor}"
        );
        assert_eq!(running_statement(&server, victim.id).await, Some(None), "{flavor}");

        let denied = run(&["kill", &server.url_for_account("watcher", ""), &guarded_id, "--yes"]).await;
        assert_eq!(denied.code, Some(1), "{denied:?}");
        assert!(
            denied.stdout.contains("GRANT CONNECTION") && denied.stderr.contains("1 of 1 sessions could not be killed")
        );
        assert_eq!(running_statement(&server, guarded.id).await, Some(Some(LONG_STATEMENT.to_owned())), "{flavor}");
    }
}

#[tokio::test]
async fn confirmed_kill_applies_only_to_the_statement_shown_on_a_server() {
    for flavor in Flavor::ALL {
        let server = start_server(flavor).await;
        let mut victim = start_busy_session(&server, "app", LONG_STATEMENT).await;
        let id = victim.id.to_string();
        let question = "This will kill the statement of 1 session on 127.0.0.1:";

        let terminal = TerminalSession::start(&["kill", &server.url(), &id, "--query"]);
        let (seen, terminal) = terminal.wait_for("Continue? [y/N] ").await;
        assert!(seen.contains(question) && seen.contains("runs: SELECT SLEEP(600), 'secret'"), "{seen}");
        let output = terminal.type_and_exit("n\n").await;
        assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{output:?}");
        assert_eq!(running_statement(&server, victim.id).await, Some(Some(LONG_STATEMENT.to_owned())), "{flavor}");

        // The session starts another statement while the prompt is open.
        let terminal = TerminalSession::start(&["kill", &server.url(), &id, "--query"]);
        let (_, terminal) = terminal.wait_for("Continue? [y/N] ").await;
        server.run_statements(&[&format!("KILL QUERY {id}")]).await.unwrap();
        let _ = victim.wait_for_response().await;
        victim.send_statement(b"SELECT SLEEP(599)").await.unwrap();
        wait_until_running(&server, victim.id, "SELECT SLEEP(599)").await;
        let output = terminal.type_and_exit("y\n").await;
        assert_eq!(output.code, Some(1), "{output:?}");
        assert!(output.stdout.contains("the session no longer runs the expected statement"), "{output:?}");
        assert_eq!(running_statement(&server, victim.id).await, Some(Some("SELECT SLEEP(599)".to_owned())), "{flavor}");

        let terminal = TerminalSession::start(&["kill", &server.url(), &id]);
        let (_, terminal) = terminal.wait_for("Continue? [y/N] ").await;
        let output = terminal.type_and_exit("yes\n").await;
        assert_eq!(
            (output.code, output.stdout),
            (Some(0), format!("session {id}: killed\n{NO_EFFECT}{}", hidden_waits_note(flavor))),
            "{flavor}"
        );
        assert_eq!(running_statement(&server, victim.id).await, None, "{flavor}");
    }
}

#[tokio::test]
async fn kill_is_recorded_in_the_audit_log_on_a_server() {
    let server = start_server(Flavor::MySql).await;
    let victim = start_busy_session(&server, "app", LONG_STATEMENT).await;
    let (id, folder) = (victim.id.to_string(), tempfile::tempdir().unwrap());
    let dir = folder.path().join("data");
    let dir = dir.to_str().unwrap();
    let kill = ["kill", &server.url(), &id, "--yes", "--reason", "it blocks", "--data-dir", dir];
    run(&kill).await.assert_refused(&["clew init"]);
    assert_eq!(running_statement(&server, victim.id).await, Some(Some(LONG_STATEMENT.to_owned())));

    initialize(folder.path().join("data").as_path()).await;
    assert_eq!(run(&kill).await.code, Some(0));
    let audit = run(&["audit", "list", "--operation", "KillSession", "--format", "json", "--data-dir", dir]).await;
    let words = [&id, "it blocks", "SELECT SLEEP(?), ?", "killed", "local", "127.0.0.1"];
    assert!(words.iter().all(|word| audit.stdout.contains(*word)), "{audit:?}");
    assert!(!audit.stdout.contains("secret"), "{audit:?}");
}
