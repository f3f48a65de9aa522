//! How long the queue's statements take with a thousand tasks and with a million, in turn. `cargo xtask bench` runs it.
//!
//! Each line on stdout is one pair: what was done, and the seconds that one took with many and with few tasks.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

use std::time::{Duration, Instant};

use clew_model::{Failure, FailureKind, InstanceId, NodeId, Origin, ProjectId, RequestId, Selection, TaskOutcome};
use clew_store::{Claim, FirstTenant, Location, NewTask, Store};
use clew_testkit::PostgreSql;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use tempfile::TempDir;

const MANY: u32 = 1_000_000;
const FEW: u32 = 1_000;
/// Of each pair so many are done, one after the other.
const CLAIMS: u32 = 40;
const QUESTIONS: u32 = 200;
const COUNTS: u32 = 20;

/// A tenth waits, of as many nodes, of a thousand instances of ten projects; ten run; the others have ended.
const FILL: &str = "INSERT INTO tasks (request_id, project_id, instance_id, node_id, selection, turn, status, created_at, \
         lease_until, result_name, result_rows, result_bytes, result_sha256, ended_at) \
     SELECT 'realtime_session-00000000-0000-4000-8000-' || digits(n) || '-98e0', '00000000000000000000' || digits(n / 10 % 10), \
         '00000000000000000000' || digits(n / 10 % 1000) || 'in07', '00000000000000000000' || digits(n) || 'no07', \
         'selection', n, \
         CASE WHEN n % 10 = 0 THEN 'queued' WHEN n <= 11 THEN 'running' ELSE 'finished' END, 1, \
         CASE WHEN n % 10 <> 0 AND n <= 11 THEN 9000000000000 END, \
         CASE WHEN n % 10 <> 0 AND n > 11 THEN 'r' || n END, 1, 1, 'x', \
         CASE WHEN n % 10 <> 0 AND n > 11 THEN 8000000000000 END \
     FROM numbers";

/// The statement that fills, where a number of twelve digits is made so.
fn fill(digits: &str) -> String {
    let selection = serde_json::to_string(&Selection::default()).unwrap();
    let filled = FILL.replace("'selection'", &format!("'{selection}'"));
    ["n / 10 % 1000", "n / 10 % 10", "n"]
        .iter()
        .fold(filled, |filled, n| filled.replace(&format!("digits({n})"), &digits.replace('#', n)))
}

struct Queue {
    store: Store,
    tasks: u32,
    asked: u32,
    _folder: TempDir,
    _server: Option<PostgreSql>,
}

impl Queue {
    async fn of(tasks: u32, on_a_server: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = if on_a_server { Some(PostgreSql::start().await.unwrap()) } else { None };
        let metadata = server.as_ref().map(|server| server.url().parse().unwrap());
        let location = Location { data_dir: folder.path().join("data"), metadata };
        let (store, _) = Store::initialise(&Origin::local("bench"), location, tenant()).await.unwrap();
        if let Some(server) = &server {
            let mut connection = PgConnection::connect(&server.url()).await.unwrap();
            let fill = fill("lpad((#)::text, 12, '0')");
            let fill = fill.replace("FROM numbers", &format!("FROM generate_series(1, {tasks}) AS numbers (n)"));
            // Triggers are made for some hundred tasks in a transaction.
            let statements = format!(
                "ALTER TABLE tasks DISABLE TRIGGER USER; {fill}; ALTER TABLE tasks ENABLE TRIGGER USER; \
                 INSERT INTO task_counts SELECT status, COUNT(*) FROM tasks GROUP BY status; ANALYZE"
            );
            sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut connection).await.unwrap();
        } else {
            let file = SqliteConnectOptions::new().filename(folder.path().join("data/clew.db"));
            let mut connection = file.connect().await.unwrap();
            let numbers = format!(
                "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {tasks})"
            );
            sqlx::raw_sql(AssertSqlSafe(format!("{numbers} {}", fill("printf('%012d', #)"))))
                .execute(&mut connection)
                .await
                .unwrap();
            connection.close().await.unwrap();
        }
        Self { store, tasks, asked: 0, _folder: folder, _server: server }
    }

    /// Takes up, and lets go what was taken up, so that the next one finds as much.
    async fn claim(&mut self) -> Duration {
        let mut took = Duration::ZERO;
        for _ in 0..CLAIMS {
            let claim = Claim {
                worker: "bench".into(),
                lease: Duration::from_hours(1),
                per_node: 1000,
                set_aside: vec![],
                most: 1,
            };
            let start = Instant::now();
            let claimed = self.store.claim_tasks(claim).await.unwrap().tasks.remove(0);
            took += start.elapsed();
            let failed = TaskOutcome::Failed(Failure::new(FailureKind::TimedOut, "no answer"));
            assert!(self.store.end_task(&claimed.task.request_id, claimed.fence, &failed).await.unwrap());
        }
        took / CLAIMS
    }

    async fn queue(&mut self) -> Duration {
        let start = Instant::now();
        for _ in 0..CLAIMS {
            let task = NewTask {
                request_id: RequestId::generate(),
                project_id: ProjectId::generate(),
                instance_id: InstanceId::generate(),
                node_id: NodeId::generate(),
                selection: Selection::default(),
                masked: false,
            };
            self.store.insert_task(&task, 9).await.unwrap();
        }
        start.elapsed() / CLAIMS
    }

    async fn status(&mut self) -> Duration {
        let ids: Vec<RequestId> = (0..QUESTIONS)
            .map(|_| {
                // Steps of a prime number come by all of them.
                self.asked = (self.asked + 7919) % self.tasks;
                format!("realtime_session-00000000-0000-4000-8000-{:012}-98e0", self.asked + 1).parse().unwrap()
            })
            .collect();
        let start = Instant::now();
        for id in &ids {
            assert!(self.store.task(id).await.unwrap().is_some());
        }
        start.elapsed() / QUESTIONS
    }

    async fn list(&mut self) -> Duration {
        let nodes: Vec<(ProjectId, InstanceId, NodeId)> = (0..QUESTIONS)
            .map(|_| {
                self.asked = (self.asked + 7919) % self.tasks;
                let n = self.asked + 1;
                let (project, instance) = (n / 10 % 10, n / 10 % 1000);
                let ids = (format!("{project:032}"), format!("{instance:032}in07"), format!("{n:032}no07"));
                (ids.0.parse().unwrap(), ids.1.parse().unwrap(), ids.2.parse().unwrap())
            })
            .collect();
        let start = Instant::now();
        for (project, instance, node) in &nodes {
            assert_eq!(self.store.tasks_of_node(project, instance, node, 50).await.unwrap().len(), 1);
        }
        start.elapsed() / QUESTIONS
    }

    async fn counts(&mut self) -> Duration {
        let start = Instant::now();
        for _ in 0..COUNTS {
            let counts = self.store.task_counts().await.unwrap();
            assert!(counts.iter().map(|(_, count)| count).sum::<u64>() >= u64::from(self.tasks));
        }
        start.elapsed() / COUNTS
    }
}

fn tenant() -> FirstTenant {
    FirstTenant {
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
    let (on_a_server, pairs) = (arguments[0] == "postgres", arguments[1].parse::<usize>().unwrap());
    let (mut many, mut few) = (Queue::of(MANY, on_a_server).await, Queue::of(FEW, on_a_server).await);
    macro_rules! measure {
        ($($what:ident)*) => {$(
            for pair in 0..=pairs {
                let (first, second) = if pair % 2 == 0 {
                    (many.$what().await, few.$what().await)
                } else {
                    let second = few.$what().await;
                    (many.$what().await, second)
                };
                // The first pair warms what is read.
                if pair > 0 {
                    println!("{} {} {}", stringify!($what), first.as_secs_f64(), second.as_secs_f64());
                }
            }
        )*};
    }
    measure!(queue claim status list counts);
}
