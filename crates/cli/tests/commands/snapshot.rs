//! `clew snapshot` and `clew doctor`.

use std::process::Stdio;
use std::time::Duration;

use clew_testkit::{
    DatabaseServer, DatabaseServerOptions, FakeServer, FakeServerOptions, Fault, Flavor, LockWaitScenario,
};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::run::{clew, run, run_command};

async fn fake(sessions: u64, fault: Fault) -> FakeServer {
    FakeServer::start(FakeServerOptions { sessions, transactions: 1, fault }).await.unwrap()
}

#[tokio::test]
async fn snapshot_is_written_as_csv_json_and_table() {
    let fake = fake(3, Fault::None).await;
    let csv = run(&["snapshot", &fake.url()]).await;
    assert_eq!((csv.code, csv.stderr.as_str()), (Some(0), ""), "{csv:?}");
    let lines: Vec<_> = csv.stdout.split("\r\n").collect();
    assert!(lines[0].starts_with("session_id,user,host,") && lines.len() == 5, "{csv:?}");
    assert!(lines[1].ends_with(",1,12,421000000000001,,RUNNING,3,1,2"), "{csv:?}");

    let chinese = run(&["snapshot", &fake.url(), "--language", "zh-cn"]).await;
    assert!(chinese.stdout.starts_with("\u{feff}会话ID,"), "{chinese:?}");

    let json = run(&["snapshot", &fake.url(), "--format", "json", "--sort-dir", "desc"]).await;
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&json["summary"]["rows"], &json["sessions"][0]["session_id"]), (&3.into(), &3.into()));

    let table = run(&["snapshot", &fake.url(), "--format", "table"]).await;
    assert!(table.stdout.contains("3 sessions on MySQL 9.7.4-fake"), "{table:?}");
    assert!(!table.stdout.contains('\u{1b}'), "colors where there is no terminal: {table:?}");
}

#[tokio::test]
async fn masked_snapshot_contains_no_literals_in_any_format() {
    let fake = fake(3, Fault::None).await;
    for format in ["csv", "json", "table"] {
        let whole = run(&["snapshot", &fake.url(), "--format", format]).await;
        assert!(whole.stdout.contains("'open'"), "{whole:?}");
        let masked = run(&["snapshot", &fake.url(), "--format", format, "--mask"]).await;
        assert_eq!((masked.code, masked.stderr.as_str()), (Some(0), ""), "{masked:?}");
        assert!(masked.stdout.contains("SELECT * FROM orders WHERE customer = ?"), "{masked:?}");
        assert!(!masked.stdout.contains("'open'"), "{masked:?}");
    }
    let rows = async |key: &str, mask: &[&str]| {
        let url = fake.url();
        let arguments = [&["snapshot", &url, "--format", "csv", "--sql-key", key], mask].concat();
        run(&arguments).await.stdout.lines().count() - 1
    };
    for (key, whole, masked) in [("'open'", 3, 0), ("customer = 2", 1, 0), ("from ORDERS", 3, 3), ("= ?", 0, 3)] {
        assert_eq!((rows(key, &[]).await, rows(key, &["--mask"]).await), (whole, masked), "{key}");
    }
}

#[tokio::test]
async fn output_file_is_replaced_atomically() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.csv");
    let file = path.to_str().unwrap();
    let well = fake(3, Fault::None).await;
    assert_eq!(run(&["snapshot", &well.url(), "-o", file]).await.code, Some(0));
    let written = std::fs::read_to_string(&path).unwrap();
    assert_eq!(written.lines().count(), 4);
    let dying = fake(3, Fault::CloseAfter(1)).await;
    let output = run(&["snapshot", &dying.url(), "-o", file]).await;
    output.assert_failed(&["connection lost"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), written);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file remains");
    let output = run(&["snapshot", &well.url(), "-o", "/no/such/folder/x.csv"]).await;
    output.assert_failed(&["could not write in /no/such/folder"]);
}

#[tokio::test]
async fn closed_pipe_is_success() {
    let fake = fake(50_000, Fault::None).await;
    let mut child = clew(&["snapshot", &fake.url()]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).await.unwrap();
    drop(stdout);
    let output = tokio::time::timeout(Duration::from_mins(1), child.wait_with_output()).await.unwrap().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()));
}

#[tokio::test]
async fn interrupt_aborts_the_read() {
    let fake = fake(5, Fault::StallAfter(1)).await;
    let child = clew(&["snapshot", &fake.url()]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = child.id().unwrap().to_string();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = tokio::time::timeout(Duration::from_mins(1), child.wait_with_output()).await.unwrap().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(130), b"interrupted\n".as_slice()));
    // The session of the statement cannot be identified, so none is killed.
    assert_eq!(fake.received_kill_statement_count(), 0);
}

#[tokio::test]
async fn invalid_arguments_are_rejected_before_connecting() {
    let url = "mysql://root:hunter2@127.0.0.1:1/";
    for (arguments, words) in [
        (vec!["snapshot", url, "--filter", "slwo"], vec!["slwo", "slow, active, total, long"]),
        (vec!["snapshot", url, "--threshold", "0"], vec!["slow_process_threshold cannot be 0; it is 1 to 86400"]),
        (vec!["snapshot", url, "--threshold", "-3"], vec!["slow_process_threshold cannot be -3"]),
        (vec!["snapshot", url, "--sort-key", "age"], vec!["trx_lock_duration"]),
        (vec!["snapshot", url, "--user", ""], vec!["user has 0 characters; it takes 1 to 255"]),
        (vec!["snapshot", url, "--timeout", "0"], vec!["--timeout"]),
        (vec!["snapshot", "mysql://root:hunter2@127.0.0.1:1/shop"], vec!["names a database"]),
        (vec!["snapshot", "postgres://root@h/"], vec!["scheme \"postgres\" is not known"]),
        (vec!["snapshot"], vec!["<URL>"]),
    ] {
        let output = run(&arguments).await;
        output.assert_refused(&words);
        assert!(!output.stderr.contains("hunter2"), "{output:?}");
    }
}

#[tokio::test]
async fn failures_are_reported_with_cause_and_fix_without_password() {
    for (fault, words) in [
        (Fault::TooManyConnections, vec!["too many connections", "1040", "fix: "]),
        (Fault::RawGreeting(b"SSH-2.0-OpenSSH_9.2p1\r\n"), vec!["not MySQL", "SSH-2.0", "check the port"]),
        (Fault::StallAfter(1), vec!["timed out", "no response within 2 s", "--timeout"]),
    ] {
        let fake = fake(3, fault).await;
        for command in ["snapshot", "doctor"] {
            if command == "doctor" && matches!(fault, Fault::StallAfter(_)) {
                continue;
            }
            let output = run(&[command, &fake.url(), "--timeout", "2"]).await;
            output.assert_failed(&words);
            assert!(!output.stderr.contains("secret"), "{output:?}");
        }
    }
}

#[tokio::test]
async fn password_is_read_from_the_environment() {
    let fake = fake(1, Fault::None).await;
    let url = fake.url().replace(":secret", "");
    let mut command = clew(&["doctor", &url, "--format", "json"]);
    command.env("CLEW_DB_PASSWORD", "secret");
    let output = run_command(command).await;
    assert_eq!(output.code, Some(3), "the fake server has limitations: {output:?}");
    let diagnosis: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(diagnosis["server_version"], "9.7.4-fake");
}

#[tokio::test]
async fn detail_columns_follow_the_api_columns_on_a_mysql_server() {
    let server = DatabaseServer::start(Flavor::MySql, &DatabaseServerOptions::default()).await.unwrap();
    let scenario = LockWaitScenario::scenarios_for_flavor(Flavor::MySql)
        .into_iter()
        .find(|scenario| scenario.name == "a row")
        .unwrap();
    let built = scenario.set_up(&server).await.unwrap();
    let (blocker, waiter) = (built.thread_ids()["a"], built.thread_ids()["b"]);
    let url = server.url();
    let detailed = async |more: &[&str]| {
        let output = run(&[&["snapshot", &url, "--detail"], more].concat()).await;
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{output:?}");
        output.stdout
    };

    let csv = detailed(&[]).await;
    let header = csv.lines().next().unwrap();
    assert!(header.starts_with("session_id,user,host,"), "{header}");
    assert!(header.ends_with(",statement_digest,program_name,waits_for,blocker_id,root_blocker_id"), "{header}");
    let row = csv.lines().find(|line| line.starts_with(&format!("{waiter},"))).unwrap();
    assert!(row.ends_with(&format!(",row 1 of shop.t (PRIMARY),{blocker},{blocker}")), "{row}");
    let plain = run(&["snapshot", &url]).await.stdout;
    let row = plain.lines().find(|line| line.starts_with(&format!("{waiter},"))).unwrap();
    assert_eq!((plain.lines().next().unwrap().split(',').count(), row.split(',').count()), (15, 15), "{plain}");
    let chinese = detailed(&["--language", "zh-cn"]).await;
    assert!(chinese.lines().next().unwrap().ends_with(",根阻塞会话ID"), "{chinese}");

    let json: serde_json::Value = serde_json::from_str(&detailed(&["--format", "json"]).await).unwrap();
    let sessions = json["sessions"].as_array().unwrap();
    let session = sessions.iter().find(|session| session["session_id"] == waiter).unwrap();
    assert_eq!((&session["blocker_id"], &session["root_blocker_id"]), (&blocker.into(), &blocker.into()));
    assert_eq!((&session["waits_for"], &session["program_name"]), (&"row 1 of shop.t (PRIMARY)".into(), &().into()));

    let table = detailed(&["--format", "table", "--filter", "active"]).await;
    let (heading, line) = (table.lines().next().unwrap(), table.lines().nth(1).unwrap());
    for word in ["PROGRAM", "BLOCKER", "ROOT", "WAITS FOR", "DIGEST", "STATEMENT"] {
        assert!(heading.contains(word), "{table}");
    }
    assert!(line.contains("row 1 of shop.t (PRIMARY)") && line.ends_with("UPDATE t SET v = 2 WHERE id = 1"), "{table}");
    for format in ["csv", "json", "table"] {
        let masked = detailed(&["--format", format, "--mask"]).await;
        assert!(masked.contains("a row of shop.t (PRIMARY)") && !masked.contains("row 1"), "{masked}");
    }
    built.tear_down(&server).await.unwrap();
}
