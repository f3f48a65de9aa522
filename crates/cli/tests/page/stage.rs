//! Stage for a browser test: a database server, a service, and the commands that the test can run.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use clew_testkit::{ClientCharset, Flavor, RawSession, Server, ServerOptions};
use mysql_async::prelude::Queryable;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::harness::{CLEW, Home, RegisteredInstance, StartedProcesses};

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
    server: Server,
    home: Home,
    added: RegisteredInstance,
    /// Address of the service. A restart keeps the address.
    address: SocketAddr,
    processes: Option<StartedProcesses>,
    sessions: BTreeMap<u64, RawSession>,
}

impl Stage {
    async fn new(flavor: Flavor) -> Self {
        let server = Server::start(flavor, &ServerOptions::default()).await.unwrap();
        let accounts = ["app", "web"].map(|name| format!("CREATE USER {name}@'%'"));
        let grants = ["app", "web"].map(|name| format!("GRANT ALL ON *.* TO {name}@'%'"));
        server.run(&accounts.iter().chain(&grants).map(String::as_str).collect::<Vec<_>>()).await.unwrap();
        let home = Home::new().await;
        let added = home.add_instance(&[&server.url()]);
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut stage = Self { server, home, added, address: unknown, processes: None, sessions: BTreeMap::new() };
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
            "session_state" => self.session_state(command["id"].as_u64().unwrap()).await,
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
            "stop_clew" => {
                self.processes = None;
                json!({})
            }
            "start_clew" => {
                self.start();
                json!({})
            }
            "pause_database" => {
                self.server.pause().unwrap();
                json!({})
            }
            "resume_database" => {
                self.server.resume().unwrap();
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
        self.server.run(&table.each_ref().map(String::as_str)).await.unwrap();
        let update = |id: u8| format!("UPDATE shop.tree_of_three SET v = v + 1 WHERE id = {id}");
        let [mut root, mut middle, mut last] = [self.open("app").await, self.open("app").await, self.open("web").await];
        for (session, row) in [(&mut root, 1), (&mut middle, 2)] {
            session.execute("BEGIN").await.unwrap();
            session.execute(&update(row)).await.unwrap();
        }
        middle.send_statement(update(1).as_bytes()).await.unwrap();
        self.await_lock_waits(1).await;
        last.send_statement(update(2).as_bytes()).await.unwrap();
        self.await_lock_waits(2).await;
        let ids = [root.id, middle.id, last.id];
        for session in [root, middle, last] {
            self.sessions.insert(session.id, session);
        }
        ids
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

    async fn session_state(&self, id: u64) -> Value {
        let command =
            format!("SELECT command FROM information_schema.processlist WHERE id = {id} AND command <> 'Killed'");
        let command = self.root(&command).await;
        json!({ "alive": command.is_some(), "command": command })
    }

    /// Runs a statement as root. Returns the first value of the result.
    async fn root(&self, sql: &str) -> Option<Value> {
        let mut root = self.server.connect().await.unwrap();
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
}
