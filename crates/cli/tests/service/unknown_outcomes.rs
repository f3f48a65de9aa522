//! If Clew crashes between a kill and its outcome, the recorded outcome becomes unknown.

use std::net::SocketAddr;
use std::time::Duration;

use clew_testkit::{ClientCharset, DatabaseServer, DatabaseServerOptions, Flavor, RawSession};
use serde_json::{Value, json};
use sqlx::Connection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Home, http};

/// Starts a proxy that drops all responses on a connection after a `KILL`. Returns the port of the proxy.
async fn start_proxy_muted_by_kill(port: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let (from_client, mut to_client) = client.into_split();
            let (mut from_server, to_server) = TcpStream::connect(("127.0.0.1", port)).await.unwrap().into_split();
            let (killed, silent) = tokio::sync::oneshot::channel();
            tokio::spawn(forward(from_client, to_server, killed));
            tokio::spawn(async move {
                tokio::select! {
                    biased;
                    // The connection stays open without a response.
                    Ok(()) = silent => std::future::pending::<()>().await,
                    _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
                }
            });
        }
    });
    own
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, killed: tokio::sync::oneshot::Sender<()>) {
    let mut killed = Some(killed);
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if buffer[..count].windows(5).any(|window| window == b"KILL ")
            && let Some(killed) = killed.take()
        {
            let _ = killed.send(());
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

/// Returns the session id, the outcome and the statement template of each recorded kill.
async fn recorded_kills(home: &Home) -> Vec<(i64, Option<String>, String)> {
    let mut database = home.metadata().await;
    let all = sqlx::query_as("SELECT session_id, outcome, template FROM killed_sessions ORDER BY id");
    let all = all.fetch_all(&mut database).await.unwrap();
    database.close().await.unwrap();
    all
}

#[tokio::test]
async fn lost_kill_outcome_is_recorded_as_unknown_after_restart() {
    let server = DatabaseServer::start(Flavor::MariaDb, &DatabaseServerOptions::default()).await.unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
    let mut victim = RawSession::open(address, "root", None, ClientCharset::Utf8mb4).await.unwrap();
    victim.send_statement(b"SELECT SLEEP(1000), 'secret'").await.unwrap();
    let home = Home::new().await;
    let proxy = start_proxy_muted_by_kill(server.port()).await;
    let added = home.add_instance(&[&format!("mysql://root@127.0.0.1:{proxy}/?tls=off")]);
    let mut serving = home.serve().await;
    let token = home.token(&serving.endpoint).await;
    let project = home.credential("project_id");
    let path = format!("v3/{project}/instances/{}/nodes/{}/processes", added.instance, added.nodes[0]);
    let request = http().delete(format!("{}/{path}", serving.endpoint)).header("x-auth-token", &token);
    let request = tokio::spawn(request.json(&json!({ "processes": [victim.id], "reason": "stuck" })).send());

    // The server executed the kill, and Clew received no response.
    let killed = tokio::time::timeout(Duration::from_mins(1), victim.wait_for_response()).await.unwrap();
    assert!(killed.is_err() || victim.execute("DO 1").await.is_err(), "{killed:?}");
    serving.kill();
    // The caller got no response, or a gateway error from the load balancer.
    let response = request.await.unwrap();
    assert!(!response.as_ref().is_ok_and(|response| response.status().is_success()), "{response:?}");
    let id = i64::try_from(victim.id).unwrap();
    assert_eq!(recorded_kills(&home).await, [(id, None, "SELECT SLEEP(?), ?".to_owned())], "{}", home.log());

    // Backdates the kill by two minutes.
    let mut database = home.metadata().await;
    sqlx::query("UPDATE killed_sessions SET asked_at = asked_at - 120000").execute(&mut database).await.unwrap();
    database.close().await.unwrap();
    let _serving = home.serve().await;
    while recorded_kills(&home).await[0].1.is_none() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(recorded_kills(&home).await[0].1.as_deref(), Some("unknown"));
    let audit = home
        .clew()
        .args(["audit", "list", "--operation", "KillSession", "--format", "json", "--data-dir"])
        .arg(home.dir())
        .output()
        .unwrap();
    let audit: Value = serde_json::from_slice(&audit.stdout).unwrap();
    let row = audit.to_string();
    assert!(row.contains("unknown") && row.contains("stuck") && row.contains(&format!("{id}")), "{row}");
    assert!(row.contains("it is unknown whether the kill was sent") && !row.contains("secret"), "{row}");
}
