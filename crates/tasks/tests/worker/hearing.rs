//! Processes that share PostgreSQL: what one does wakes the others, and whoever hears nothing looks.

use std::sync::Arc;
use std::time::Duration;

use clew_diagnose::ProtectedAccounts;
use clew_model::TaskStatus;
use clew_store::{Location, Store};
use clew_tasks::{Collections, IntelligentKills, Kills, Settings, listen};
use clew_testkit::PostgreSql;
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::bench::{Bench, Listener, Worker, eventually, work};
use crate::scripted::{Script, ScriptedReader};

/// So long that nobody looks within a test.
const NEVER: Duration = Duration::from_hours(1);
/// After this a test that waits has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server without a worker, and a worker without a server.
struct Processes {
    serving: Bench,
    working: Worker,
    shutdown: CancellationToken,
    database: PostgreSql,
}

impl Processes {
    async fn start(settings: &Settings, hear: bool) -> Self {
        let database = PostgreSql::start().await.unwrap();
        let metadata = || Some(database.url().parse().unwrap());
        let reader = ScriptedReader::new([("one", Script::Rows(vec!["x\r\n"]))]);
        let serving = Bench::at(&["one"], settings.clone(), reader.clone(), metadata()).await;
        let store = Store::open(Location { metadata: metadata(), ..serving.location() }).await.unwrap();
        let working = Collections::with_reader(store.clone(), settings.clone(), Arc::<Listener>::default(), reader);
        let shutdown = CancellationToken::new();
        if hear {
            for (store, collections) in [(&serving.store, &serving.collections), (&store, &working)] {
                let kills = Kills::new(store.clone(), ProtectedAccounts::default());
                let kills = IntelligentKills::new(store.clone(), kills, settings);
                tokio::spawn(listen(store.clone(), collections.clone(), kills, shutdown.clone()));
            }
        }
        Self { serving, working: work(working), shutdown, database }
    }

    /// Returns once both hear over other connections than these.
    async fn hear(&self, before: &[i32]) -> Vec<i32> {
        let both = async || {
            let listening = self.listening().await;
            (listening.len() == 2 && !listening.iter().any(|one| before.contains(one))).then_some(listening)
        };
        eventually("two who listen", both).await
    }

    async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.database.url()).await.unwrap()
    }

    /// Connections that listen; after some seconds each has asked whether it is alive.
    async fn listening(&self) -> Vec<i32> {
        let listening = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%' OR query = 'SELECT 1'";
        sqlx::query_scalar(listening).fetch_all(&mut self.connect().await).await.unwrap()
    }

    /// One is asked of the server, done by the worker, and its end known to the server.
    async fn collect(&self) {
        let id = self.serving.submit("one").await;
        let ended = tokio::time::timeout(PATIENCE, self.serving.collections.wait_for_end(&id, NEVER)).await;
        assert_eq!(ended.unwrap().unwrap().unwrap().status, TaskStatus::Finished);
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.working.stop().await;
    }
}

#[tokio::test]
async fn a_worker_hears_what_is_queued_and_a_server_what_has_ended() {
    let settings = Settings { poll_interval: NEVER, completion_poll_interval: NEVER, ..Settings::default() };
    let processes = Processes::start(&settings, true).await;
    let listening = processes.hear(&[]).await;
    for _ in 0..3 {
        processes.collect().await;
    }
    let lost = "SELECT pg_terminate_backend(pid) FROM unnest($1) AS listening (pid)";
    sqlx::query(lost).bind(&listening).execute(&mut processes.connect().await).await.unwrap();
    processes.hear(&listening).await;
    processes.collect().await;
    processes.stop().await;
}

#[tokio::test]
async fn who_hears_nothing_looks() {
    let settings = Settings { poll_interval: Duration::from_millis(50), ..Settings::default() };
    let processes = Processes::start(&settings, false).await;
    processes.collect().await;
    assert!(processes.listening().await.is_empty());
    processes.stop().await;
}
