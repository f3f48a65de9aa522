//! Measures how long the task queue's SQL statements take on tables with 1,000 and 1,000,000 tasks.
//! `cargo xtask bench` runs this example.
//!
//! For each operation, prints the duration on the large table and on the small table, in seconds.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

use std::time::{Duration, Instant};

use clew_model::{
    AuditOrigin, CollectionTaskOutcome, Failure, FailureKind, InstanceId, NodeId, ProjectId, RequestId,
    SessionSelection,
};
use clew_store::{InitialTenant, NewSessionCollectionTask, Store, StoreLocation, TaskClaimRequest};
use clew_testkit::PostgreSqlServer;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use tempfile::TempDir;

const LARGE_QUEUE_LEN: u32 = 1_000_000;
const SMALL_QUEUE_LEN: u32 = 1_000;
const TASK_WRITES_PER_RUN: u32 = 40;
const TASK_READS_PER_RUN: u32 = 200;
const COUNT_QUERIES_PER_RUN: u32 = 20;

/// Inserts one task per node. The nodes belong to up to 1,000 instances in ten projects.
/// Ten tasks are running, every tenth task is queued, and all other tasks are finished.
const INSERT_TASKS_SQL_TEMPLATE: &str = "INSERT INTO tasks (request_id, project_id, instance_id, node_id, selection, turn, status, created_at, \
         lease_until, result_name, result_rows, result_bytes, result_sha256, ended_at) \
     SELECT 'realtime_session-00000000-0000-4000-8000-' || digits(n) || '-98e0', '00000000000000000000' || digits(n / 10 % 10), \
         '00000000000000000000' || digits(n / 10 % 1000) || 'in07', '00000000000000000000' || digits(n) || 'no07', \
         'selection', n, \
         CASE WHEN n % 10 = 0 THEN 'queued' WHEN n <= 11 THEN 'running' ELSE 'finished' END, 1, \
         CASE WHEN n % 10 <> 0 AND n <= 11 THEN 9000000000000 END, \
         CASE WHEN n % 10 <> 0 AND n > 11 THEN 'r' || n END, 1, 1, 'x', \
         CASE WHEN n % 10 <> 0 AND n > 11 THEN 8000000000000 END \
     FROM numbers";

/// `digits` is an SQL expression that pads the number `#` with zeros to twelve digits.
fn build_insert_tasks_sql(digits: &str) -> String {
    let selection = serde_json::to_string(&SessionSelection::default()).unwrap();
    let filled = INSERT_TASKS_SQL_TEMPLATE.replace("'selection'", &format!("'{selection}'"));
    ["n / 10 % 1000", "n / 10 % 10", "n"]
        .iter()
        .fold(filled, |filled, n| filled.replace(&format!("digits({n})"), &digits.replace('#', n)))
}

struct BenchmarkTaskQueue {
    store: Store,
    tasks: u32,
    last_read: u32,
    _folder: TempDir,
    _server: Option<PostgreSqlServer>,
}

impl BenchmarkTaskQueue {
    async fn create_queue_with_tasks(tasks: u32, use_postgres: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = if use_postgres { Some(PostgreSqlServer::start().await.unwrap()) } else { None };
        let metadata = server.as_ref().map(|server| server.url().parse().unwrap());
        let location = StoreLocation { data_dir: folder.path().join("data"), metadata_url: metadata };
        let (store, _) = Store::initialize(&AuditOrigin::for_local_account("bench"), location, build_initial_tenant())
            .await
            .unwrap();
        if let Some(server) = &server {
            let mut connection = PgConnection::connect(&server.url()).await.unwrap();
            let insert = build_insert_tasks_sql("lpad((#)::text, 12, '0')");
            let insert = insert.replace("FROM numbers", &format!("FROM generate_series(1, {tasks}) AS numbers (n)"));
            // The triggers are not designed for a million rows in one transaction.
            let statements = format!(
                "ALTER TABLE tasks DISABLE TRIGGER USER; {insert}; ALTER TABLE tasks ENABLE TRIGGER USER; \
                 INSERT INTO task_counts SELECT status, COUNT(*) FROM tasks GROUP BY status; ANALYZE"
            );
            sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut connection).await.unwrap();
        } else {
            let file = SqliteConnectOptions::new().filename(folder.path().join("data/clew.db"));
            let mut connection = file.connect().await.unwrap();
            let numbers = format!(
                "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {tasks})"
            );
            sqlx::raw_sql(AssertSqlSafe(format!("{numbers} {}", build_insert_tasks_sql("printf('%012d', #)"))))
                .execute(&mut connection)
                .await
                .unwrap();
            connection.close().await.unwrap();
        }
        Self { store, tasks, last_read: 0, _folder: folder, _server: server }
    }

    /// Completes each claimed task so that the number of running tasks stays constant.
    async fn measure_task_claim(&mut self) -> Duration {
        let mut elapsed = Duration::ZERO;
        for _ in 0..TASK_WRITES_PER_RUN {
            let claim = TaskClaimRequest {
                worker: "bench".into(),
                lease: Duration::from_hours(1),
                max_per_node: 1000,
                excluded_nodes: vec![],
                max_tasks: 1,
            };
            let start = Instant::now();
            let claimed = self.store.tasks().claim_tasks(claim).await.unwrap().tasks.remove(0);
            elapsed += start.elapsed();
            let failed = CollectionTaskOutcome::Failed(Failure::new(FailureKind::TimedOut, "no answer"));
            assert!(
                self.store
                    .tasks()
                    .complete_task(&claimed.task.request.request_id, claimed.fence, &failed)
                    .await
                    .unwrap()
            );
        }
        elapsed / TASK_WRITES_PER_RUN
    }

    async fn measure_task_insert(&mut self) -> Duration {
        let start = Instant::now();
        for _ in 0..TASK_WRITES_PER_RUN {
            let task = NewSessionCollectionTask {
                request_id: RequestId::generate(),
                project_id: ProjectId::generate(),
                instance_id: InstanceId::generate(),
                node_id: NodeId::generate(),
                selection: SessionSelection::default(),
                masked: false,
            };
            self.store.tasks().enqueue_task(&task, 9).await.unwrap();
        }
        start.elapsed() / TASK_WRITES_PER_RUN
    }

    async fn measure_task_lookup(&mut self) -> Duration {
        let ids: Vec<RequestId> = (0..TASK_READS_PER_RUN)
            .map(|_| {
                // The step size is a prime number, so all tasks are read in turn.
                self.last_read = (self.last_read + 7919) % self.tasks;
                format!("realtime_session-00000000-0000-4000-8000-{:012}-98e0", self.last_read + 1).parse().unwrap()
            })
            .collect();
        let start = Instant::now();
        for id in &ids {
            assert!(self.store.tasks().find_task(id).await.unwrap().is_some());
        }
        start.elapsed() / TASK_READS_PER_RUN
    }

    async fn measure_node_task_listing(&mut self) -> Duration {
        let nodes: Vec<(ProjectId, InstanceId, NodeId)> = (0..TASK_READS_PER_RUN)
            .map(|_| {
                self.last_read = (self.last_read + 7919) % self.tasks;
                let n = self.last_read + 1;
                let (project, instance) = (n / 10 % 10, n / 10 % 1000);
                let ids = (format!("{project:032}"), format!("{instance:032}in07"), format!("{n:032}no07"));
                (ids.0.parse().unwrap(), ids.1.parse().unwrap(), ids.2.parse().unwrap())
            })
            .collect();
        let start = Instant::now();
        for (project, instance, node) in &nodes {
            assert_eq!(self.store.tasks().list_node_tasks(project, instance, node, 50).await.unwrap().len(), 1);
        }
        start.elapsed() / TASK_READS_PER_RUN
    }

    async fn measure_status_count_query(&mut self) -> Duration {
        let start = Instant::now();
        for _ in 0..COUNT_QUERIES_PER_RUN {
            let counts = self.store.tasks().count_tasks_by_status().await.unwrap();
            assert!(counts.iter().map(|(_, count)| count).sum::<u64>() >= u64::from(self.tasks));
        }
        start.elapsed() / COUNT_QUERIES_PER_RUN
    }
}

fn build_initial_tenant() -> InitialTenant {
    InitialTenant {
        region: "here-1".into(),
        domain_name: "acme".into(),
        user_name: "admin".into(),
        password_hash: "$argon2id$unused".into(),
        access_key: clew_model::AccessKeyId::generate(),
        secret_key: "unused".into(),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (use_postgres, pairs) = (arguments[0] == "postgres", arguments[1].parse::<usize>().unwrap());
    let (mut large, mut small) = (
        BenchmarkTaskQueue::create_queue_with_tasks(LARGE_QUEUE_LEN, use_postgres).await,
        BenchmarkTaskQueue::create_queue_with_tasks(SMALL_QUEUE_LEN, use_postgres).await,
    );
    macro_rules! measure {
        ($($name:literal $operation:ident)*) => {$(
            for pair in 0..=pairs {
                let (first, second) = if pair % 2 == 0 {
                    (large.$operation().await, small.$operation().await)
                } else {
                    let second = small.$operation().await;
                    (large.$operation().await, second)
                };
                // The first iteration warms the caches and is not reported.
                if pair > 0 {
                    let name: &str = $name;
                    println!("{name} {} {}", first.as_secs_f64(), second.as_secs_f64());
                }
            }
        )*};
    }
    measure!(
        "queue" measure_task_insert
        "claim" measure_task_claim
        "status" measure_task_lookup
        "list" measure_node_task_listing
        "counts" measure_status_count_query
    );
}
