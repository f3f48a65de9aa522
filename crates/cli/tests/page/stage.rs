//! Stage for a browser test: a database server, a service, and the commands that the test can run.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use clew_testkit::{ClientCharset, DatabaseServer, DatabaseServerOptions, Flavor, RawSession};
use mysql_async::prelude::Queryable;
use serde_json::{Value, json};
use sqlx::Connection;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::harness::{CLEW, Home, RegisteredInstance, StartedProcesses};
use crate::load_balancer::LoadBalancer;

/// Number of lines from the service log in the message of a failed test.
const LOG_TAIL_LINES: usize = 20;
/// Timeout for waiting until the server reports a lock wait.
const LOCK_WAIT_TIMEOUT: Duration = Duration::from_mins(1);

/// Runs a test file from `web/browser/e2e` with its own stage. Panics if a test fails.
pub(crate) async fn run(suite: &str, flavor: Flavor) {
    let mut stage = Stage::new(flavor).await;
    let web = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../web");
    assert!(web.join("node_modules").exists(), "the npm packages of the page are missing; fix: cargo xtask test");
    let mut node = tokio::process::Command::new("node");
    let node = node.current_dir(&web).args(["browser/run.mjs", suite]).env("CLEW_STAGE", stage.settings().to_string());
    let mut node = node.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut responses = node.stdin.take().unwrap();
    let mut lines = BufReader::new(node.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        let Some(command) = line.strip_prefix("? ") else {
            println!("{line}");
            continue;
        };
        let response = stage.execute(&serde_json::from_str(command).unwrap()).await;
        responses.write_all(format!("{response}\n").as_bytes()).await.unwrap();
    }
    let status = node.wait().await.unwrap();
    if !status.success() {
        let log = stage.home.log();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines.get(lines.len().saturating_sub(LOG_TAIL_LINES)..).unwrap_or_default().join("\n");
        panic!("browser tests “{suite}” failed, see above; end of the service log:\n{last}");
    }
}

struct Stage {
    server: DatabaseServer,
    load_balancer: Option<LoadBalancer>,
    home: Home,
    added: RegisteredInstance,
    /// Address of the service. A restart keeps the address.
    address: SocketAddr,
    processes: Option<StartedProcesses>,
    sessions: BTreeMap<u64, RawSession>,
}

impl Stage {
    async fn new(flavor: Flavor) -> Self {
        let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
        let accounts = ["app", "web"].map(|name| format!("CREATE USER {name}@'%'"));
        let grants = ["app", "web"].map(|name| format!("GRANT ALL ON *.* TO {name}@'%'"));
        server.run_statements(&accounts.iter().chain(&grants).map(String::as_str).collect::<Vec<_>>()).await.unwrap();
        let home = Home::new().await;
        let added = home.add_instance(&[&server.url()]);
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut stage = Self {
            server,
            load_balancer: None,
            home,
            added,
            address: unknown,
            processes: None,
            sessions: BTreeMap::new(),
        };
        stage.start();
        stage
    }

    fn start(&mut self) {
        let mut processes = StartedProcesses::default();
        let listen = self.address.to_string();
        let arguments = ["serve", "--listen", &listen];
        let endpoint = self.home.start(Command::new(CLEW), &arguments, self.home.dir(), &mut processes);
        self.address = endpoint.strip_prefix("http://").unwrap().parse().unwrap();
        self.processes = Some(processes);
    }

    /// Returns the settings for the browser test: addresses, credentials and ids.
    fn settings(&self) -> Value {
        json!({
            "endpoint": format!("http://{}", self.address),
            "domain": self.home.credential("domain_name"),
            "user": self.home.credential("user"),
            "password": self.home.credential("password"),
            "project": self.home.credential("project_id"),
            "instance": self.added.instance,
            "node": self.added.nodes[0],
        })
    }

    async fn execute(&mut self, command: &Value) -> Value {
        let text = |name: &str| command[name].as_str().unwrap_or_default();
        match text("command") {
            "start_session" => json!({ "id": self.start_session(text("user"), text("sql")).await }),
            "create_lock_chain" => json!({ "ids": self.create_lock_chain().await }),
            "create_lock_queue" => self.create_lock_queue(command["waiters"].as_u64().unwrap()).await,
            "session_state" => {
                let server = match text("server") {
                    "second" => self.load_balancer.as_ref().unwrap().second_server(),
                    _ => &self.server,
                };
                session_state(server, command["id"].as_u64().unwrap()).await
            }
            "end_session" => {
                let id = command["id"].as_u64().unwrap();
                self.sessions.remove(&id);
                let _ = self.root(&format!("KILL {id}")).await;
                json!({})
            }
            "end_all_sessions" => {
                let ids: Vec<u64> = std::mem::take(&mut self.sessions).into_keys().collect();
                for id in ids {
                    // Some sessions have already terminated.
                    let _ = self.root(&format!("KILL {id}")).await;
                }
                json!({})
            }
            "register_account" => self.register_account(text("user"), text("password")).await,
            "change_account" => {
                self.server
                    .run_statements(&[&format!("ALTER USER {}@'%' {}", text("user"), text("change"))])
                    .await
                    .unwrap();
                json!({})
            }
            "refused_logins" => json!({ "count": self.count_refused_logins().await }),
            "extend_login_backoff" => {
                self.extend_login_backoff(text("node")).await;
                json!({})
            }
            "set_node" => {
                let url = self.account_url(text("user"), text("password"));
                self.run_clew(&["instance", "set-node", text("instance"), "--url", &url]).await
            }
            "check_instance" => self.run_clew(&["instance", "check", text("instance")]).await,
            "start_load_balancer" => self.start_load_balancer().await,
            "route_connections" => {
                self.load_balancer.as_ref().unwrap().replace_backends(&command["servers"]);
                json!({})
            }
            "stop_clew" => {
                self.processes = None;
                json!({})
            }
            "start_clew" => {
                self.start();
                json!({})
            }
            "pause_database" => {
                self.server.process.pause().unwrap();
                json!({})
            }
            "resume_database" => {
                self.server.process.resume().unwrap();
                json!({})
            }
            other => json!({ "error": format!("unknown command “{other}”") }),
        }
    }

    async fn open(&self, user: &str) -> RawSession {
        let address = SocketAddr::from(([127, 0, 0, 1], self.server.port()));
        RawSession::open_with_program_name("browser-test", address, user, Some("mysql"), ClientCharset::Utf8mb4)
            .await
            .unwrap()
    }

    /// Starts a session that runs a statement. Returns the id of the session.
    async fn start_session(&mut self, user: &str, sql: &str) -> u64 {
        let mut session = self.open(user).await;
        session.send_statement(sql.as_bytes()).await.unwrap();
        let id = session.id;
        self.sessions.insert(id, session);
        id
    }

    /// Starts three sessions: the second waits for the first, and the third waits for the second.
    /// Returns the session ids. The root blocker is the first.
    async fn create_lock_chain(&mut self) -> [u64; 3] {
        self.create_locked_table().await;
        let [mut root, mut middle, mut last] = [self.open("app").await, self.open("app").await, self.open("web").await];
        for (session, row) in [(&mut root, 1), (&mut middle, 2)] {
            session.execute("BEGIN").await.unwrap();
            session.execute(&update_row(row)).await.unwrap();
        }
        middle.send_statement(update_row(1).as_bytes()).await.unwrap();
        self.await_lock_waits(1).await;
        last.send_statement(update_row(2).as_bytes()).await.unwrap();
        self.await_lock_waits(2).await;
        let ids = [root.id, middle.id, last.id];
        for session in [root, middle, last] {
            self.sessions.insert(session.id, session);
        }
        ids
    }

    /// Starts a session that holds a row lock and is then idle, and sessions that wait for the lock.
    async fn create_lock_queue(&mut self, waiters: u64) -> Value {
        self.create_locked_table().await;
        let mut blocker = self.open("app").await;
        blocker.execute("BEGIN").await.unwrap();
        blocker.execute(&update_row(1)).await.unwrap();
        let blocker_id = blocker.id;
        self.sessions.insert(blocker_id, blocker);
        let mut ids = Vec::new();
        for _ in 0..waiters {
            ids.push(self.start_session("web", &update_row(1)).await);
        }
        self.await_lock_waits(waiters).await;
        json!({ "blocker": blocker_id, "waiters": ids })
    }

    async fn create_locked_table(&self) {
        let table = [
            // The sleep is longer than the test.
            "SET GLOBAL innodb_lock_wait_timeout = 3600",
            "CREATE DATABASE IF NOT EXISTS shop",
            "CREATE OR REPLACE TABLE shop.tree_of_three (id INT PRIMARY KEY, v INT)",
            "INSERT INTO shop.tree_of_three VALUES (1, 0), (2, 0)",
        ];
        let table = table.map(|sql| match self.server.flavor() {
            Flavor::MariaDb => sql.to_owned(),
            Flavor::MySql => {
                sql.replace("CREATE OR REPLACE TABLE", "CREATE TABLE IF NOT EXISTS").replace("INSERT", "REPLACE")
            }
        });
        self.server.run_statements(&table.each_ref().map(String::as_str)).await.unwrap();
    }

    async fn await_lock_waits(&self, waiting: u64) {
        let count = "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'";
        let reached = async {
            // MariaDB caches `innodb_trx` for 100 ms.
            while self.root(count).await != Some(json!(waiting)) {
                tokio::time::sleep(Duration::from_millis(120)).await;
            }
        };
        tokio::time::timeout(LOCK_WAIT_TIMEOUT, reached)
            .await
            .unwrap_or_else(|_| panic!("timeout waiting for {waiting} lock waits"));
    }

    /// Runs a statement as root. Returns the first value of the result.
    async fn root(&self, sql: &str) -> Option<Value> {
        query_as_root(&self.server, sql).await
    }

    /// Creates a database account, and registers an instance whose only node logs in with the account.
    async fn register_account(&self, user: &str, password: &str) -> Value {
        let create = format!("CREATE USER {user}@'%' IDENTIFIED BY '{password}'");
        self.server.run_statements(&[&create, &format!("GRANT ALL ON *.* TO {user}@'%'")]).await.unwrap();
        describe_instance(&self.home.add_named_instance(user, &[&self.account_url(user, password)]))
    }

    fn account_url(&self, user: &str, password: &str) -> String {
        // MySQL's default authentication plugin sends the password only over TLS.
        let tls = if self.server.flavor() == Flavor::MySql { "required" } else { "off" };
        format!("{}?tls={tls}", self.server.url_for_account(user, password))
    }

    /// Returns the number of failed logins since the start of the server.
    async fn count_refused_logins(&self) -> u64 {
        let mut root = self.server.connect_as_root().await.unwrap();
        let row: Option<(String, u64)> = root.query_first("SHOW GLOBAL STATUS LIKE 'Aborted_connects'").await.unwrap();
        root.disconnect().await.unwrap();
        row.unwrap().1
    }

    /// Postpones the next automatic login to a node, so that the backoff does not expire during the test.
    async fn extend_login_backoff(&self, node: &str) {
        let mut metadata = self.home.metadata().await;
        let update = sqlx::query("UPDATE login_backoffs SET retry_at = retry_at + 3600000 WHERE node_id = $1");
        assert_eq!(update.bind(node).execute(&mut metadata).await.unwrap().rows_affected(), 1);
        metadata.close().await.unwrap();
    }

    /// Runs a command of `clew` to completion. Returns the exit code.
    async fn run_clew(&self, arguments: &[&str]) -> Value {
        let output = tokio::process::Command::from(self.home.clew()).args(arguments).output().await.unwrap();
        json!({ "code": output.status.code(), "stdout": String::from_utf8_lossy(&output.stdout) })
    }

    /// Starts a second server and a load balancer, and registers the address of the load balancer as an instance.
    async fn start_load_balancer(&mut self) -> Value {
        let load_balancer = LoadBalancer::start(&self.server).await;
        let mut registered = describe_instance(&self.home.add_named_instance("balanced", &[&load_balancer.url()]));
        registered["session_of_second_server"] = json!(load_balancer.session_id());
        self.load_balancer = Some(load_balancer);
        registered
    }
}

fn update_row(id: u8) -> String {
    format!("UPDATE shop.tree_of_three SET v = v + 1 WHERE id = {id}")
}

fn describe_instance(added: &RegisteredInstance) -> Value {
    json!({ "instance": added.instance, "node": added.nodes[0] })
}

async fn session_state(server: &DatabaseServer, id: u64) -> Value {
    let command = format!("SELECT command FROM information_schema.processlist WHERE id = {id} AND command <> 'Killed'");
    let command = query_as_root(server, &command).await;
    json!({ "alive": command.is_some(), "command": command })
}

/// Runs a statement as root. Returns the first value of the result.
async fn query_as_root(server: &DatabaseServer, sql: &str) -> Option<Value> {
    let mut root = server.connect_as_root().await.unwrap();
    let value = root.query_first::<mysql_async::Value, _>(sql).await;
    root.disconnect().await.unwrap();
    match value.ok()?? {
        mysql_async::Value::Bytes(bytes) => {
            let text = String::from_utf8(bytes).unwrap();
            Some(text.parse::<u64>().map_or_else(|_| json!(text), |number| json!(number)))
        }
        mysql_async::Value::Int(number) => Some(json!(number)),
        mysql_async::Value::UInt(number) => Some(json!(number)),
        _ => None,
    }
}
