//! Notifications between processes that share PostgreSQL, and polling without notifications.

use std::sync::Arc;
use std::time::Duration;

use clew_diagnose::ProtectedAccounts;
use clew_model::CollectionTaskStatus;
use clew_store::{Store, StoreLocation};
use clew_testkit::PostgreSqlServer;
use clew_worker::{IntelligentKillQueue, KillExecutor, SessionCollectionQueue, WorkerSettings, dispatch_store_events};
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::harness::{Harness, RecordingObserver, Worker, start_worker, wait_for};
use crate::scripted_reader::{Script, ScriptedReader};

/// Poll interval longer than any test.
const NEVER: Duration = Duration::from_hours(1);
/// Timeout of every wait.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A serving process without a worker, and a worker process.
struct Processes {
    serving: Harness,
    working: Worker,
    shutdown: CancellationToken,
    database: PostgreSqlServer,
}

impl Processes {
    async fn start(settings: &WorkerSettings, should_listen: bool) -> Self {
        let database = PostgreSqlServer::start().await.unwrap();
        let metadata = || Some(database.url().parse().unwrap());
        let reader = ScriptedReader::new([("one", Script::Rows(vec!["x\r\n"]))]);
        let serving = Harness::with_metadata(&["one"], settings.clone(), reader.clone(), metadata()).await;
        let store = Store::open(StoreLocation { metadata_url: metadata(), ..serving.location() }).await.unwrap();
        let working = SessionCollectionQueue::with_node_reader(
            store.clone(),
            settings.clone(),
            Arc::<RecordingObserver>::default(),
            reader,
        );
        let shutdown = CancellationToken::new();
        if should_listen {
            for (store, collections) in [(&serving.store, &serving.collections), (&store, &working)] {
                let kills = KillExecutor::new(store.clone(), ProtectedAccounts::default());
                let kills = IntelligentKillQueue::new(store.clone(), kills, settings);
                tokio::spawn(dispatch_store_events(store.clone(), collections.clone(), kills, shutdown.clone()));
            }
        }
        Self { serving, working: start_worker(working), shutdown, database }
    }

    /// Waits until both processes listen over new connections, and returns their ids. `before` are the earlier connections.
    async fn wait_until_listening(&self, before: &[i32]) -> Vec<i32> {
        let both = async || {
            let listening = self.listening().await;
            (listening.len() == 2 && !listening.iter().any(|one| before.contains(one))).then_some(listening)
        };
        wait_for("two listening connections", both).await
    }

    async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.database.url()).await.unwrap()
    }

    /// Ids of the listening connections. After some seconds their last query is the keep-alive `SELECT 1`.
    async fn listening(&self) -> Vec<i32> {
        let listening = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%' OR query = 'SELECT 1'";
        sqlx::query_scalar(listening).fetch_all(&mut self.connect().await).await.unwrap()
    }

    /// Submits a collection to the serving process, and waits there for its completion by the worker.
    async fn collect(&self) {
        let id = self.serving.submit("one").await;
        let ended = tokio::time::timeout(TIMEOUT, self.serving.collections.wait_for_completion(&id, NEVER)).await;
        assert_eq!(ended.unwrap().unwrap().unwrap().status, CollectionTaskStatus::Finished);
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.working.stop().await;
    }
}

#[tokio::test]
async fn processes_notify_each_other_of_queued_and_completed_collections() {
    let settings =
        WorkerSettings { poll_interval: NEVER, completion_poll_interval: NEVER, ..WorkerSettings::default() };
    let processes = Processes::start(&settings, true).await;
    let listening = processes.wait_until_listening(&[]).await;
    for _ in 0..3 {
        processes.collect().await;
    }
    let terminate = "SELECT pg_terminate_backend(pid) FROM unnest($1) AS listening (pid)";
    sqlx::query(terminate).bind(&listening).execute(&mut processes.connect().await).await.unwrap();
    processes.wait_until_listening(&listening).await;
    processes.collect().await;
    processes.stop().await;
}

#[tokio::test]
async fn processes_poll_without_notifications() {
    let settings = WorkerSettings { poll_interval: Duration::from_millis(50), ..WorkerSettings::default() };
    let processes = Processes::start(&settings, false).await;
    processes.collect().await;
    assert!(processes.listening().await.is_empty());
    processes.stop().await;
}
