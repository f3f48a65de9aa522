//! Server processes: pause, resume, kill, and termination with the parent process.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clew_testkit::test_tools::SERVERS_DIR_ENV_VAR;
use clew_testkit::{DatabaseServer, DatabaseServerOptions, Flavor, PostgreSqlServer};
use mysql_async::prelude::Queryable;

/// Environment variable that makes a test the victim process, with the server to start.
const VICTIM: &str = "CLEW_TESTKIT_VICTIM";
/// Output prefix before the process id of the started server.
const STARTED: &str = "victim started ";

/// Returns the state of a process as the kernel's letter, or `None` if the process does not exist.
fn process_state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Returns a command that runs one test of this test program.
fn rerun(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env("RUST_BACKTRACE", "0");
    command
}

async fn wait_until(mut reached: impl FnMut() -> bool) -> bool {
    for _ in 0..200 {
        if reached() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

#[tokio::test]
async fn paused_server_resumes_its_query() {
    for flavor in Flavor::ALL {
        let mut server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
        let mut connection = server.connect_as_root().await.unwrap();
        server.process.pause().unwrap();
        assert!(wait_until(|| process_state(server.process.id()) == Some('T')).await, "{flavor}");
        let query = tokio::spawn(async move { connection.query_first::<u64, _>("SELECT 42").await });
        server.process.resume().unwrap();
        assert_eq!(query.await.unwrap().unwrap(), Some(42), "{flavor}");
        server.process.pause().unwrap();
        server.process.kill().unwrap();
        assert_eq!(process_state(server.process.id()), None, "{flavor}");
        assert!(server.connect_as_root().await.is_err(), "{flavor}");
    }
}

#[tokio::test]
async fn server_exits_with_its_parent_process() {
    const POSTGRESQL: &str = "postgresql";
    if std::env::var_os(VICTIM).is_some_and(|name| name == POSTGRESQL) {
        let server = PostgreSqlServer::start().await.unwrap();
        println!("\n{STARTED}{} {}", server.process.id(), server.process.data_dir().parent().unwrap().display());
        return std::future::pending().await;
    }
    if let Some(name) = std::env::var_os(VICTIM) {
        let flavor = Flavor::ALL.into_iter().find(|flavor| flavor.name() == name).unwrap();
        let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
        println!("\n{STARTED}{} {}", server.process.id(), server.process.data_dir().parent().unwrap().display());
        return std::future::pending().await;
    }
    for name in Flavor::ALL.map(Flavor::name).into_iter().chain([POSTGRESQL]) {
        let mut victim =
            rerun("server_exits_with_its_parent_process").env(VICTIM, name).stdout(Stdio::piped()).spawn().unwrap();
        let (pid, folder) = read_started_server(&mut victim);
        assert!(process_state(pid).is_some(), "{name}");
        victim.kill().unwrap();
        victim.wait().unwrap();
        // The init process may reap the orphaned server with a delay.
        assert!(wait_until(|| matches!(process_state(pid), None | Some('Z'))).await, "{name} lives on");
        std::fs::remove_dir_all(folder).unwrap();
    }
}

fn read_started_server(victim: &mut Child) -> (u32, String) {
    let stdout = BufReader::new(victim.stdout.take().unwrap());
    let line = stdout.lines().map(Result::unwrap).find(|line| line.starts_with(STARTED)).unwrap();
    let (pid, folder) = line.strip_prefix(STARTED).unwrap().split_once(' ').unwrap();
    (pid.parse().unwrap(), folder.to_owned())
}

#[tokio::test]
async fn missing_server_fails_the_test_with_install_command() {
    if std::env::var_os(VICTIM).is_some() {
        match DatabaseServer::start(Flavor::MySql, &DatabaseServerOptions::default()).await {
            Ok(_) => println!("{STARTED}unexpectedly"),
            Err(error) => panic!("{error}"),
        }
        return;
    }
    let empty = tempfile::tempdir().unwrap();
    let output = rerun("missing_server_fails_the_test_with_install_command")
        .env(VICTIM, "mysql")
        .env(SERVERS_DIR_ENV_VAR, empty.path())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{stderr}");
    assert!(stderr.contains("mysql-9 is not installed") && stderr.contains("run cargo xtask test"), "{stderr}");
}

#[tokio::test]
async fn dropped_postgresql_leaves_no_data_or_shared_memory() {
    let segments = || std::fs::read_to_string("/proc/sysvipc/shm").unwrap();
    let server = PostgreSqlServer::start().await.unwrap();
    let (pid, folder) = (server.process.id(), server.process.data_dir());
    // The fifth field of a segment is the process id of its creator.
    let created_by_server =
        |line: &str| line.split_whitespace().nth(4).is_some_and(|creator| creator == pid.to_string());
    assert!(segments().lines().any(created_by_server));
    drop(server);
    assert_eq!(process_state(pid), None);
    assert!(!folder.exists() && !segments().lines().any(created_by_server));
}
