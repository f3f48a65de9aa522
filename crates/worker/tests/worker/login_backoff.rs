//! Login backoff: the worker backs off after refused logins, so that the server does not lock the account.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use clew_diagnose::ProtectedAccounts;
use clew_model::{Actor, AuditOrigin, CollectionTaskStatus, DomainId, FailureKind, NodeId, SessionSelection, UserId};
use clew_store::{Clock, IntelligentKillRequest, LoginTrigger};
use clew_testkit::{DatabaseServer, FakeServer, FakeServerOptions, Fault, Flavor};
use clew_worker::{IntelligentKillQueue, KillExecutor, LoginPermit, SessionCollectionQueue, WorkerSettings};
use mysql_async::prelude::Queryable;
use rstest::rstest;
use tokio_util::sync::CancellationToken;

use crate::harness::{RecordingObserver, start_worker, test_origin, wait_for, wait_until};
use crate::kill_tasks::{KillHarness, criteria_for, start_long_statement, start_server};

const FAKE: FakeServerOptions = FakeServerOptions { sessions: 0, transactions: 0, fault: Fault::None };
/// Number of ticks: more than the failed logins that the server allows.
const TICKS: u64 = 6;

/// Gives the store a manual clock, and returns it.
fn with_manual_clock(kill_tasks: &mut KillHarness) -> Arc<AtomicI64> {
    let now = Arc::new(AtomicI64::new(1_796_000_000_000));
    let clock = now.clone();
    kill_tasks.harness.store =
        kill_tasks.harness.store.clone().with_clock(Clock::new(move || clock.load(Ordering::SeqCst)));
    now
}

/// Creates an account that may kill, and that the server locks after 4 consecutive failed logins.
async fn create_account(server: &DatabaseServer) {
    match server.flavor() {
        Flavor::MariaDb => {
            server.run_statements(&["SET GLOBAL max_password_errors = 4", "CREATE USER clew IDENTIFIED BY 'old'"]).await
        }
        Flavor::MySql => {
            let create = "CREATE USER clew IDENTIFIED BY 'old' FAILED_LOGIN_ATTEMPTS 4 PASSWORD_LOCK_TIME 1";
            server.run_statements(&[create]).await
        }
    }
    .unwrap();
    server.run_statements(&["GRANT ALL ON *.* TO clew"]).await.unwrap();
}

fn url(server: &DatabaseServer, password: &str) -> String {
    let tls = match server.flavor() {
        Flavor::MariaDb => "off",
        Flavor::MySql => "required",
    };
    format!("{}?tls={tls}", server.url_for_account("clew", password))
}

/// Number of failed logins since the start of the server, as counted by the server.
async fn failed_logins(server: &DatabaseServer) -> u64 {
    let mut connection = server.connect_as_root().await.unwrap();
    let row: Option<(String, u64)> =
        connection.query_first("SHOW GLOBAL STATUS LIKE 'Aborted_connects'").await.unwrap();
    connection.disconnect().await.unwrap();
    row.unwrap().1
}

/// Waits for `count` ticks on the second node. The first node has as many ticks.
async fn wait_for_ticks(fake: &FakeServer, count: u64) {
    let end = fake.connections.accepted_count() + count;
    wait_until("further ticks", || fake.connections.accepted_count() >= end).await;
}

/// Starts a worker with a kill task on two nodes: a server that locks the worker's account, and a fake server that counts ticks.
async fn start_worker_with_task(flavor: Flavor) -> (DatabaseServer, FakeServer, KillHarness, Arc<AtomicI64>) {
    let server = start_server(flavor).await;
    create_account(&server).await;
    let fake = FakeServer::start(FAKE).await.unwrap();
    let mut kill_tasks = KillHarness::new(&[url(&server, "old"), fake.url()]).await;
    let now = with_manual_clock(&mut kill_tasks);
    kill_tasks.add_task(criteria_for("app")).await;
    kill_tasks.start_worker();
    (server, fake, kill_tasks, now)
}

#[rstest]
#[tokio::test]
async fn kill_tasks_back_off(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let (server, fake, kill_tasks, now) = start_worker_with_task(flavor).await;
    kill_tasks.wait_for_kill(&start_long_statement(&server, "app").await).await;

    server.run_statements(&["ALTER USER clew IDENTIFIED BY 'new'"]).await.unwrap();
    let before = failed_logins(&server).await;
    wait_for_ticks(&fake, TICKS).await;
    assert_eq!(failed_logins(&server).await - before, 1, "{flavor}");
    let (store, instance) = (kill_tasks.harness.store.clone(), kill_tasks.instance.clone());
    let backoff = store.instances().list_login_backoffs(&instance.id).await.unwrap();
    let [(node, backoff)] = &backoff[..] else { panic!("{backoff:?}") };
    assert_eq!((node, backoff.refusals, backoff.retry_at - backoff.refused_at), (&instance.nodes[0].id, 1, 30_000));
    assert!(backoff.reason.contains("1045"), "{backoff:?}");

    // After the backoff one more login is attempted; the next backoff is twice as long.
    now.fetch_add(30_000, Ordering::SeqCst);
    wait_for_ticks(&fake, TICKS).await;
    assert_eq!(failed_logins(&server).await - before, 2, "{flavor}");
    // The event stream and a retried collection share the backoff.
    let login = LoginPermit::request_permit(&store, node, LoginTrigger::Automatic).await.unwrap_err();
    assert_eq!(login.kind, FailureKind::AccessDenied);
    assert!(
        login.detail.contains("refused 2 times in a row") && login.detail.contains("clew instance set-node"),
        "{login}"
    );

    // New credentials are used at once, and work: the server has not locked the account.
    let new = url(&server, "new").parse().unwrap();
    assert!(
        store.instances().set_node_url(&test_origin(), &instance.project_id, &instance.id, node, &new).await.unwrap()
    );
    kill_tasks.wait_for_kill(&start_long_statement(&server, "app").await).await;
    assert!(store.instances().list_login_backoffs(&instance.id).await.unwrap().is_empty());
    assert_eq!(failed_logins(&server).await - before, 2, "{flavor}");
    kill_tasks.shut_down().await;
}

#[rstest]
#[tokio::test]
async fn locked_and_expired_accounts_back_off(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let (server, fake, kill_tasks, now) = start_worker_with_task(flavor).await;
    wait_for_ticks(&fake, 1).await;
    let (store, node) = (kill_tasks.harness.store.clone(), kill_tasks.instance.nodes[0].id.clone());
    for (refuse, allow) in [
        ("ALTER USER clew ACCOUNT LOCK", "ALTER USER clew ACCOUNT UNLOCK"),
        ("ALTER USER clew PASSWORD EXPIRE", "ALTER USER clew IDENTIFIED BY 'old'"),
    ] {
        server.run_statements(&[refuse]).await.unwrap();
        wait_for("a backoff", async || store.instances().find_login_backoff(&node).await.unwrap()).await;
        wait_for_ticks(&fake, TICKS).await;
        assert_eq!(
            store.instances().find_login_backoff(&node).await.unwrap().unwrap().refusals,
            1,
            "{flavor}: {refuse}"
        );
        server.run_statements(&[allow]).await.unwrap();
        now.fetch_add(30_000, Ordering::SeqCst);
        wait_for("the end of a backoff", async || {
            let backoff = store.instances().find_login_backoff(&node).await.unwrap();
            backoff.is_none().then_some(())
        })
        .await;
    }
    kill_tasks.shut_down().await;
}

#[rstest]
#[tokio::test]
async fn collections_back_off(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let server = start_server(flavor).await;
    create_account(&server).await;
    server.run_statements(&["ALTER USER clew IDENTIFIED BY 'new'"]).await.unwrap();
    let mut kill_tasks = KillHarness::new(&[url(&server, "old")]).await;
    let now = with_manual_clock(&mut kill_tasks);
    let store = kill_tasks.harness.store.clone();
    let collections =
        SessionCollectionQueue::new(store.clone(), WorkerSettings::default(), Arc::new(RecordingObserver::default()));
    let worker = start_worker(collections.clone());
    let (project, instance) = (kill_tasks.instance.project_id.clone(), kill_tasks.instance.id.clone());
    let node: NodeId = kill_tasks.instance.nodes[0].id.clone();
    let before = failed_logins(&server).await;
    let collect = async || {
        let (project, instance, node) = (project.clone(), instance.clone(), node.clone());
        let id =
            collections.submit_collection(project, instance, node, SessionSelection::default(), false).await.unwrap();
        collections.wait_for_completion(&id, Duration::from_secs(20)).await.unwrap().unwrap()
    };
    for _ in 0..TICKS {
        let task = collect().await;
        assert_eq!(task.failure.unwrap().kind, FailureKind::AccessDenied, "{flavor}");
    }
    assert_eq!(failed_logins(&server).await - before, 1, "{flavor}");
    // For one second, requests share the outcome of the first login.
    tokio::time::sleep(Duration::from_secs(1)).await;
    // A later request of a user attempts a login, because the account may be repaired. Success ends the backoff for all.
    server.run_statements(&["ALTER USER clew IDENTIFIED BY 'old'"]).await.unwrap();
    now.fetch_add(10_000, Ordering::SeqCst);
    assert_eq!(collect().await.status, CollectionTaskStatus::Finished, "{flavor}");
    assert_eq!(store.instances().find_login_backoff(&node).await.unwrap(), None, "{flavor}");
    worker.stop().await;
    kill_tasks.shut_down().await;
}

#[rstest]
#[tokio::test]
async fn intelligent_kills_back_off(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let server = start_server(flavor).await;
    create_account(&server).await;
    server.run_statements(&["ALTER USER clew IDENTIFIED BY 'new'"]).await.unwrap();
    let mut kill_tasks = KillHarness::new(&[url(&server, "old")]).await;
    let _now = with_manual_clock(&mut kill_tasks);
    let store = kill_tasks.harness.store.clone();
    let kills = KillExecutor::new(store.clone(), ProtectedAccounts::default());
    let intelligent = IntelligentKillQueue::new(store.clone(), kills, &WorkerSettings::default());
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(intelligent.clone().run(shutdown.clone()));
    let before = failed_logins(&server).await;
    let admin = Actor::User { id: UserId::generate(), name: "admin".into(), domain_id: DomainId::generate() };
    for _ in 0..TICKS {
        let new = IntelligentKillRequest {
            by: AuditOrigin { actor: admin.clone(), peer: None, request_id: "a request".into() },
            project_id: kill_tasks.instance.project_id.clone(),
            instance_id: kill_tasks.instance.id.clone(),
            node_id: kill_tasks.instance.nodes[0].id.clone(),
        };
        let id = intelligent.submit_kill(&new).await.unwrap();
        let ended = wait_for("the end of an intelligent kill", async || {
            store.kills().find_intelligent_kill(id).await.unwrap().filter(|kill| kill.ended_at.is_some())
        });
        assert!(ended.await.reason.unwrap().contains("1045"), "{flavor}");
    }
    assert_eq!(failed_logins(&server).await - before, 1, "{flavor}");
    shutdown.cancel();
    running.await.unwrap();
    kill_tasks.shut_down().await;
}
