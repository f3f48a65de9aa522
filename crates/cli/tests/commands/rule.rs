//! `clew rule test`.

use std::path::{Path, PathBuf};

use clew_testkit::{DatabaseServer, DatabaseServerOptions, Flavor};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::run::run;

const RULES: &str = "[[rule]]\nname = \"stuck reports\"\nuser = \"report\"\nseconds = 600\n\
                     [[rule]]\nname = \"anything old\"\nseconds = 3000\n\
                     [[rule]]\nname = \"no match\"\nuser = \"ghost\"\nseconds = 1\n";
const SNAPSHOT: &str = "session_id,user,host,database_name,execution_status,command,sql_statement,state_duration,transaction_duration,\
    transaction_id,transaction_lock_wait_time,transaction_status,rows_locked_by_transactions,tables_locked_by_transactions,\
    rows_updated_by_transactions\r\n\
    1,report,10.0.0.7:1,shop,executing,Query,\"SELECT *\nFROM orders\",700,,,,,,,\r\n\
    2,report,10.0.0.7:2,shop,,Sleep,,599,,,,,,,\r\n\
    3,rdsadmin,localhost,,,Query,SELECT 1,4000,,,,,,,\r\n\
    4,system user,,,Waiting,Slave_SQL,,9000,,,,,,,\r\n\
    5,web,10.0.0.9:3,shop,,Killed,UPDATE t SET a = 1,3001,,,,,,,\r\n\
    6,billing,10.0.0.9:4,shop,,Sleep,,3000,,,,,,,\r\n";

struct Files(TempDir);

impl Files {
    fn new(rules: &str, snapshot: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("rules.toml"), rules).unwrap();
        std::fs::write(folder.path().join("now.csv"), snapshot).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn path_str(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn rule_test_lists_killed_and_spared_sessions() {
    let files = Files::new(RULES, SNAPSHOT.as_bytes());
    let (rules, now) = (files.path("rules.toml"), files.path("now.csv"));
    let output = run(&["rule", "test", path_str(&rules), path_str(&now), "--format", "json"]).await;
    assert_eq!(output.code, Some(0), "{output:?}");
    let report: Value = serde_json::from_str(&output.stdout).unwrap();
    let pairs = |list: &str, field: &str| {
        let all = report[list].as_array().unwrap().iter();
        all.map(|one| (one["session_id"].as_u64().unwrap(), one[field].as_str().unwrap().to_owned()))
            .collect::<Vec<_>>()
    };
    let owned = |pairs: &[(u64, &str)]| pairs.iter().map(|(id, text)| (*id, (*text).to_owned())).collect::<Vec<_>>();
    assert_eq!(pairs("killed", "rule"), owned(&[(1, "stuck reports"), (6, "anything old")]));
    assert_eq!(pairs("spared", "why"), owned(&[(3, "protected"), (4, "internal"), (5, "dying")]));
    assert_eq!(report["killed"][0]["sql_statement"], "SELECT *\nFROM orders");
    assert_eq!(report["totals"], json!({ "sessions": 6, "killed": 2, "spared": 3 }));
    assert_eq!(report["rules"][2], json!({ "name": "no match", "killed": 0, "spared": 0 }));

    let table = run(&["rule", "test", path_str(&rules), path_str(&now), "--protect", "billing"]).await;
    for line in [
        "Would be killed:",
        "SELECT * FROM orders",
        "protected: sessions of the account are never killed",
        "internal: a server thread",
        "dying: the session was already killed",
        "stuck reports: kills 1, spares 0",
        "anything old: kills 0, spares 4",
        "no match: kills 0, spares 0",
        "Of 6 sessions, 1 would be killed and 4 would be spared",
        "anything old: seconds is the only criterion, so the rule matches every user session",
    ] {
        assert!(table.stdout.contains(line), "{line}: {table:?}");
    }
}

#[tokio::test]
async fn sessions_that_change_tables_are_flagged_unless_the_rule_opts_in() {
    let snapshot = SNAPSHOT.replace("\"SELECT *\nFROM orders\"", "REPAIR TABLE orders");
    let note = "Sessions to be killed that change tables: 1. A kill task spares them";
    for (opt_in, depends) in [("", true), ("include_unsafe = false\n", true), ("include_unsafe = true\n", false)] {
        let rule = format!("[[rule]]\nuser = \"report\"\nseconds = 600\n{opt_in}");
        let files = Files::new(&rule, snapshot.as_bytes());
        let (rules, now) = (files.path("rules.toml"), files.path("now.csv"));
        let table = run(&["rule", "test", path_str(&rules), path_str(&now)]).await;
        assert_eq!(table.stdout.contains(note), depends, "{table:?}");
        assert!(!table.stdout.contains("seconds is the only criterion"), "{table:?}");
        let json = run(&["rule", "test", path_str(&rules), path_str(&now), "--format", "json"]).await;
        let json: Value = serde_json::from_str(&json.stdout).unwrap();
        assert_eq!(json["killed"][0]["depends_on_engine"], depends, "{json}");
    }
    let files = Files::new("[[rule]]\nseconds = 1\ninclude_unsafe = 1\n", SNAPSHOT.as_bytes());
    let refused = run(&["rule", "test", path_str(&files.path("rules.toml")), path_str(&files.path("now.csv"))]).await;
    refused.assert_refused(&["line 3: include_unsafe must be true or false"]);
}

#[tokio::test]
async fn errors_contain_file_and_line() {
    let files = Files::new("[[rule]]\nusr = \"a\"\nseconds = 1\n", SNAPSHOT.as_bytes());
    let (rules, now) = (files.path("rules.toml"), files.path("now.csv"));
    let test = ["rule", "test", path_str(&rules), path_str(&now)];
    run(&test).await.assert_refused(&["rules.toml: line 2: unknown key usr; did you mean user?"]);
    std::fs::write(&rules, "[[rule]]\nseconds = 1\n").unwrap();
    std::fs::write(&now, SNAPSHOT.replace("6,billing", "six,billing")).unwrap();
    run(&test).await.assert_refused(&["now.csv: line 8: session_id must be an integer, not \"six\""]);
    std::fs::remove_file(&now).unwrap();
    run(&test).await.assert_refused(&["could not read", "now.csv"]);
}

#[tokio::test]
async fn snapshot_files_round_trip_on_a_mariadb_server() {
    let server = DatabaseServer::start(Flavor::MariaDb, &DatabaseServerOptions::default()).await.unwrap();
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], server.port()));
    let mut session =
        clew_testkit::RawSession::open(address, "root", None, clew_testkit::ClientCharset::Utf8mb4).await.unwrap();
    session.send_statement(b"SELECT SLEEP(600), '=1'").await.unwrap();
    let files = Files::new("[[rule]]\nsql = \"sleep(600), '=1'\"\nseconds = 1\n", b"");
    let (rules, now) = (files.path("rules.toml"), files.path("now.csv"));
    for format in [vec!["csv"], vec!["csv", "--language", "zh-cn"], vec!["json"]] {
        loop {
            let (url, file) = (server.url(), path_str(&now).to_owned());
            let snapshot = [vec!["snapshot", &url, "-o", &file, "--format"], format.clone()].concat();
            assert_eq!(run(&snapshot).await.code, Some(0));
            let output = run(&["rule", "test", path_str(&rules), &file, "--format", "json"]).await;
            let report: Value = serde_json::from_str(&output.stdout).unwrap();
            if report["totals"]["killed"] == 1 {
                assert_eq!(report["killed"][0]["session_id"], session.id, "{format:?}");
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
}
