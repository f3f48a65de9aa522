//! `clew audit …`

use std::process::Stdio;

use serde_json::Value;

use crate::run::clew;
use crate::tenant::Tenant;

async fn tenant() -> Tenant {
    let tenant = Tenant::new().await;
    for user in ["ada", "grace", "barbara"] {
        tenant.says(&["user", "create", user]).await;
    }
    tenant.says(&["instance", "add", "--name", "shop", "--node", "mysql://clew:hunter2@127.0.0.1:1/"]).await;
    tenant
}

#[tokio::test]
async fn rows_are_listed_with_filters_the_newest_last() {
    let tenant = tenant().await;
    let all = tenant.json(&["audit", "list"]).await;
    let rows = all["rows"].as_array().unwrap();
    let positions: Vec<_> = rows.iter().map(|row| row["seq"].as_i64().unwrap()).collect();
    assert_eq!(positions, [1, 2, 3, 4, 5]);
    assert_eq!((&rows[0]["operation"], &rows[4]["operation"]), (&"Initialise".into(), &"AddInstance".into()));
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
        (vec!["--actor", "nobody at all"], 0),
        (vec!["--from", "1h"], 5),
        (vec!["--to", "2020-01-01"], 0),
        (vec!["--request-id", "none"], 0),
        (vec!["--operation", "CreateUser", "--instance", "shop"], 0),
    ] {
        let listed = tenant.json(&[&["audit", "list"], arguments.as_slice()].concat()).await;
        assert_eq!(listed["rows"].as_array().unwrap().len(), found, "{arguments:?}: {listed}");
    }
    assert!(tenant.says(&["audit", "list", "--outcome", "denied"]).await.contains("No rows."));
    for (arguments, words) in [
        (vec!["--outcome", "good"], "done, denied, failed"),
        (vec!["--from", "yesterday"], "a moment such as"),
        (vec!["--instance", "shup"], "one that is gone is named by its id"),
        (vec!["--domain", "acme"], "there is no domain"),
        (vec!["--limit", "0"], "--limit"),
    ] {
        tenant.run(&[&["audit", "list"], arguments.as_slice()].concat()).await.is_refused_with(&[words]);
    }
}

#[tokio::test]
async fn what_is_gone_is_still_found_by_its_id() {
    let tenant = tenant().await;
    let shop = tenant.json(&["instance", "show", "shop"]).await["id"].as_str().unwrap().to_owned();
    tenant.says(&["instance", "remove", "shop", "--yes"]).await;
    let listed = tenant.json(&["audit", "list", "--instance", &shop]).await;
    assert_eq!(listed["rows"].as_array().unwrap().len(), 2, "{listed}");
}

#[tokio::test]
async fn everything_is_exported_as_lines_of_json_or_csv() {
    let tenant = tenant().await;
    let lines = tenant.says(&["audit", "export"]).await;
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 5);
    assert_eq!(rows, *tenant.json(&["audit", "list"]).await["rows"].as_array().unwrap());
    // Whoever keeps the export can tell later whether the chain still goes through it.
    assert_eq!(rows[4]["link"], tenant.json(&["audit", "verify"]).await["newest"]);

    let file = tenant.folder.path().join("audit.csv");
    let path = file.to_str().unwrap();
    let said = tenant.says(&["audit", "export", "--format", "csv", "--operation", "CreateUser", "-o", path]).await;
    assert_eq!(said, "");
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.matches("\r\n").count(), 4, "{text}");
    assert!(text.starts_with("seq,at,actor_kind,actor,") && text.contains(",CreateUser,"), "{text}");
    let nowhere = tenant.folder.path().join("no/such/folder/audit.csv");
    tenant.run(&["audit", "export", "-o", nowhere.to_str().unwrap()]).await.has_failed_with(&["could not write"]);
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_error() {
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

/// Changes the database as someone would who has the file and not the key.
async fn tamper(tenant: &Tenant, statements: &[&'static str]) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(tenant.dir().join("clew.db"));
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    for statement in statements {
        sqlx::query(*statement).execute(&pool).await.unwrap();
    }
    pool.close().await;
}

#[tokio::test]
async fn a_row_that_was_changed_or_removed_is_named() {
    let changed = ["DROP TRIGGER audit_stays_as_it_is", "UPDATE audit SET target = 'eve' WHERE seq = 3"];
    let removed = ["DROP TRIGGER audit_is_kept", "DELETE FROM audit WHERE seq = 4"];
    for (statements, position, words) in [(changed, 3, "row 3 was changed"), (removed, 4, "row 4 is missing")] {
        let tenant = tenant().await;
        let sound = tenant.says(&["audit", "verify"]).await;
        assert!(sound.contains("The audit is as it was written: 5 rows, 1 to 5."), "{sound}");
        assert_eq!(tenant.json(&["audit", "verify"]).await["intact"], true);
        tamper(&tenant, &statements).await;
        let ended = tenant.run(&["audit", "verify"]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stdout.contains("NOT as it was written") && ended.stdout.contains(words), "{ended:?}");
        let ended = tenant.run(&["audit", "verify", "--format", "json"]).await;
        let value: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!((ended.code, &value["intact"]), (Some(1), &false.into()));
        assert_eq!(
            (&value["problems"][0]["position"], &value["problems"][0]["what"]),
            (&position.into(), &words.into())
        );
    }
}

#[tokio::test]
async fn a_checkpoint_detects_rows_that_were_removed_with_their_head() {
    let tenant = tenant().await;
    tamper(&tenant, &["CREATE TABLE earlier AS SELECT * FROM audit_ends"]).await;
    tenant.says(&["user", "create", "eve"]).await;
    let file = tenant.folder.path().join("checkpoint.json").to_str().unwrap().to_owned();
    assert_eq!(tenant.says(&["audit", "checkpoint", "-o", &file]).await, "");
    let printed: Value = serde_json::from_str(&tenant.says(&["audit", "checkpoint"]).await).unwrap();
    let exported: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!((&exported["seq"], &exported["link"]), (&6.into(), &printed["link"]));
    let verify = ["audit", "verify", "--checkpoint", &file];
    assert!(tenant.says(&verify).await.contains("6 rows, 1 to 6"));
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
    assert!(tenant.says(&["audit", "verify"]).await.contains("5 rows, 1 to 5"), "nothing in the folder shows it");
    let ended = tenant.run(&verify).await;
    assert!(ended.code == Some(1) && ended.stdout.contains("row 6 is missing"), "{ended:?}");
    let other = tenant.file("other.json", "{}");
    tenant.run(&["audit", "verify", "--checkpoint", &other]).await.is_refused_with(&["is no checkpoint", "fix: "]);
    tenant.run(&["audit", "verify", "--checkpoint", "/nowhere"]).await.is_refused_with(&["cannot read the checkpoint"]);
}
