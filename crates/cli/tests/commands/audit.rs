//! `clew audit …`

use std::process::Stdio;

use serde_json::Value;

use crate::run::clew;
use crate::tenant::Tenant;

async fn tenant() -> Tenant {
    let tenant = Tenant::new().await;
    for user in ["ada", "grace", "barbara"] {
        tenant.run_ok(&["user", "create", user]).await;
    }
    tenant.run_ok(&["instance", "add", "--name", "shop", "--node", "mysql://clew:hunter2@127.0.0.1:1/"]).await;
    tenant
}

#[tokio::test]
async fn rows_are_filtered_and_listed_in_order() {
    let tenant = tenant().await;
    let all = tenant.json(&["audit", "list"]).await;
    let rows = all["rows"].as_array().unwrap();
    let positions: Vec<_> = rows.iter().map(|row| row["seq"].as_i64().unwrap()).collect();
    assert_eq!(positions, [1, 2, 3, 4, 5]);
    assert_eq!((&rows[0]["operation"], &rows[4]["operation"]), (&"Initialize".into(), &"AddInstance".into()));
    assert!(rows.iter().all(|row| row["actor_kind"] == "local" && row["actor"] != ""), "{all}");

    let newest = tenant.json(&["audit", "list", "--limit", "2"]).await;
    assert_eq!((&newest["rows"][0]["seq"], &newest["rows"][1]["seq"]), (&4.into(), &5.into()));
    for (arguments, found) in [
        (vec!["--operation", "CreateUser"], 3),
        (vec!["--instance", "shop"], 1),
        (vec!["--project", "local"], 2),
        (vec!["--domain", "clew"], 5),
        (vec!["--outcome", "done"], 5),
        (vec!["--outcome", "denied"], 0),
        (vec!["--actor", "no-such-user"], 0),
        (vec!["--from", "1h"], 5),
        (vec!["--to", "2020-01-01"], 0),
        (vec!["--request-id", "none"], 0),
        (vec!["--operation", "CreateUser", "--instance", "shop"], 0),
    ] {
        let listed = tenant.json(&[&["audit", "list"], arguments.as_slice()].concat()).await;
        assert_eq!(listed["rows"].as_array().unwrap().len(), found, "{arguments:?}: {listed}");
    }
    assert!(tenant.run_ok(&["audit", "list", "--outcome", "denied"]).await.contains("No rows."));
    for (arguments, words) in [
        (vec!["--outcome", "good"], "done, denied, failed"),
        (vec!["--from", "yesterday"], "expected a time such as"),
        (vec!["--instance", "shup"], "select a removed instance by its id"),
        (vec!["--domain", "acme"], "there is no domain"),
        (vec!["--limit", "0"], "--limit"),
    ] {
        tenant.run(&[&["audit", "list"], arguments.as_slice()].concat()).await.assert_refused(&[words]);
    }
}

#[tokio::test]
async fn rows_of_a_removed_instance_are_found_by_id() {
    let tenant = tenant().await;
    let shop = tenant.json(&["instance", "show", "shop"]).await["id"].as_str().unwrap().to_owned();
    tenant.run_ok(&["instance", "remove", "shop", "--yes"]).await;
    let listed = tenant.json(&["audit", "list", "--instance", &shop]).await;
    assert_eq!(listed["rows"].as_array().unwrap().len(), 2, "{listed}");
}

#[tokio::test]
async fn rows_are_exported_as_ndjson_or_csv() {
    let tenant = tenant().await;
    let lines = tenant.run_ok(&["audit", "export"]).await;
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 5);
    assert_eq!(rows, *tenant.json(&["audit", "list"]).await["rows"].as_array().unwrap());
    // An export contains the chain links, so it can be compared with the audit log later.
    assert_eq!(rows[4]["link"], tenant.json(&["audit", "verify"]).await["newest"]);

    let file = tenant.folder.path().join("audit.csv");
    let path = file.to_str().unwrap();
    let stdout = tenant.run_ok(&["audit", "export", "--format", "csv", "--operation", "CreateUser", "-o", path]).await;
    assert_eq!(stdout, "");
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.matches("\r\n").count(), 4, "{text}");
    assert!(text.starts_with("seq,at,actor_kind,actor,") && text.contains(",CreateUser,"), "{text}");
    let missing_dir = tenant.folder.path().join("no/such/folder/audit.csv");
    tenant.run(&["audit", "export", "-o", missing_dir.to_str().unwrap()]).await.assert_failed(&["could not write"]);
}

#[tokio::test]
async fn closed_output_pipe_is_success() {
    let tenant = tenant().await;
    let mut child = clew(&["audit", "export", "--data-dir", tenant.dir().to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().await.unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{output:?}");
}

/// Changes the database file without the key of the hash chain.
async fn tamper(tenant: &Tenant, statements: &[&'static str]) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(tenant.dir().join("clew.db"));
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    for statement in statements {
        sqlx::query(*statement).execute(&pool).await.unwrap();
    }
    pool.close().await;
}

#[tokio::test]
async fn changed_and_removed_rows_are_detected() {
    let changed = ["DROP TRIGGER audit_stays_as_it_is", "UPDATE audit SET target = 'eve' WHERE seq = 3"];
    let removed = ["DROP TRIGGER audit_is_kept", "DELETE FROM audit WHERE seq = 4"];
    for (statements, position, words) in [(changed, 3, "row 3 was changed"), (removed, 4, "row 4 is missing")] {
        let tenant = tenant().await;
        let intact = tenant.run_ok(&["audit", "verify"]).await;
        assert!(intact.contains("The audit log is intact: 5 rows, 1 to 5."), "{intact}");
        assert_eq!(tenant.json(&["audit", "verify"]).await["intact"], true);
        tamper(&tenant, &statements).await;
        let output = tenant.run(&["audit", "verify"]).await;
        assert_eq!(output.code, Some(1), "{output:?}");
        assert!(output.stdout.contains("NOT intact") && output.stdout.contains(words), "{output:?}");
        let output = tenant.run(&["audit", "verify", "--format", "json"]).await;
        let value: Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!((output.code, &value["intact"]), (Some(1), &false.into()));
        assert_eq!(
            (&value["problems"][0]["position"], &value["problems"][0]["what"]),
            (&position.into(), &words.into())
        );
    }
}

#[tokio::test]
async fn checkpoint_detects_truncation_with_the_chain_head() {
    let tenant = tenant().await;
    tamper(&tenant, &["CREATE TABLE earlier AS SELECT * FROM audit_ends"]).await;
    tenant.run_ok(&["user", "create", "eve"]).await;
    let file = tenant.folder.path().join("checkpoint.json").to_str().unwrap().to_owned();
    assert_eq!(tenant.run_ok(&["audit", "checkpoint", "-o", &file]).await, "");
    let printed: Value = serde_json::from_str(&tenant.run_ok(&["audit", "checkpoint"]).await).unwrap();
    let exported: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!((&exported["seq"], &exported["link"]), (&6.into(), &printed["link"]));
    let verify = ["audit", "verify", "--checkpoint", &file];
    assert!(tenant.run_ok(&verify).await.contains("6 rows, 1 to 6"));
    tamper(
        &tenant,
        &[
            "DROP TRIGGER audit_is_kept",
            "DROP TRIGGER audit_ends_stay",
            "DELETE FROM audit WHERE seq > 5",
            "DELETE FROM audit_ends",
            "INSERT INTO audit_ends SELECT * FROM earlier",
        ],
    )
    .await;
    assert!(
        tenant.run_ok(&["audit", "verify"]).await.contains("5 rows, 1 to 5"),
        "the data directory does not show the truncation"
    );
    let output = tenant.run(&verify).await;
    assert!(output.code == Some(1) && output.stdout.contains("row 6 is missing"), "{output:?}");
    let other = tenant.file("other.json", "{}");
    tenant
        .run(&["audit", "verify", "--checkpoint", &other])
        .await
        .assert_refused(&["is not an audit checkpoint", "fix: "]);
    tenant
        .run(&["audit", "verify", "--checkpoint", "/no/such/file"])
        .await
        .assert_refused(&["cannot read the checkpoint"]);
}
