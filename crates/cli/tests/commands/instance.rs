//! `clew instance …`

use std::net::Ipv4Addr;
use std::path::Path;

use clew_testkit::{
    ConnectionIdRewrite, DatabaseServer, DatabaseServerOptions, FakeServer, FakeServerOptions, Flavor, RewriteRules,
    RewritingProxy,
};
use rstest::rstest;

use crate::run::{CommandOutput, initialize, run};

async fn instance(dir: &Path, arguments: &[&str]) -> CommandOutput {
    run(&[&["instance"], arguments, &["--data-dir", dir.to_str().unwrap()]].concat()).await
}

#[tokio::test]
async fn instance_lifecycle() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    let project = initialize(&dir).await["project_id"].clone();
    let empty = instance(&dir, &["list"]).await;
    assert!(empty.stdout.contains("No instances yet"), "{empty:?}");
    let fake = FakeServer::start(FakeServerOptions::default()).await.unwrap();
    let replica = "mysql://clew:hunter2@127.0.0.1:1/";
    let arguments =
        ["add", "--name", "shop", "--node", &fake.url(), "--node", replica, "--tag", "env=prod", "--format", "json"];
    let added = instance(&dir, &arguments).await;
    assert_eq!(added.code, Some(0), "{added:?}");
    let added: serde_json::Value = serde_json::from_str(&added.stdout).unwrap();
    assert_eq!((&added["nodes"][0]["role"], &added["nodes"][1]["role"]), (&"master".into(), &"slave".into()));
    let id = added["instance_id"].as_str().unwrap();

    let listed = instance(&dir, &["list", "--format", "json"]).await;
    let listed: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!((&listed["instances"][0]["id"], &listed["instances"][0]["project_id"]), (&id.into(), &project));
    for arguments in [vec!["list"], vec!["show", id], vec!["show", id, "--format", "json"]] {
        let shown = instance(&dir, &arguments).await;
        assert!(shown.stdout.contains("shop") && shown.stdout.contains(id), "{shown:?}");
        assert!(!shown.stdout.contains("hunter2") && !shown.stdout.contains("secret"), "{shown:?}");
    }

    let checked = instance(&dir, &["check", id]).await;
    assert_eq!(checked.code, Some(1), "{checked:?}");
    assert!(
        checked.stdout.contains("MySQL 9.7.4-fake") && checked.stdout.contains("not accessible: unreachable"),
        "{checked:?}"
    );
    assert!(checked.stderr.contains("1 of 2 nodes are not accessible"), "{checked:?}");

    for arguments in [vec!["show", "shop"], vec!["show", "shop", "--project", "local", "--domain", "clew"]] {
        assert!(instance(&dir, &arguments).await.stdout.contains(id));
    }
    instance(&dir, &["remove", id]).await.assert_refused(&["this would remove shop", "--yes"]);
    let removed = instance(&dir, &["remove", id, "--yes"]).await;
    assert!(removed.stdout.contains("Removed shop"), "{removed:?}");
    instance(&dir, &["show", id]).await.assert_failed(&["there is no instance", "clew instance list"]);
    instance(&dir, &["remove", id, "--yes"]).await.assert_failed(&["there is no instance"]);
}

#[rstest]
#[tokio::test]
async fn check_reports_login_backoff_and_new_credentials_clear_it(
    #[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor,
) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    initialize(&dir).await;
    let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
    server.run_statements(&["CREATE USER clew IDENTIFIED BY 'new'", "GRANT PROCESS ON *.* TO clew"]).await.unwrap();
    let tls = if flavor == Flavor::MySql { "required" } else { "off" };
    let url = |password: &str| format!("{}?tls={tls}", server.url_for_account("clew", password));
    assert_eq!(instance(&dir, &["add", "--name", "shop", "--node", &url("old")]).await.code, Some(0));
    for refused in 1..=2 {
        let checked = instance(&dir, &["check", "shop"]).await;
        assert_eq!(checked.code, Some(1), "{checked:?}");
        let refusals = format!("; refused logins: {refused} (");
        assert!(checked.stdout.contains("Login backoff until") && checked.stdout.contains(&refusals), "{checked:?}");
    }
    let checked = instance(&dir, &["check", "shop", "--format", "json"]).await;
    let checked: serde_json::Value = serde_json::from_str(&checked.stdout).unwrap();
    let backoff = &checked["nodes"][0]["login_backoff"];
    assert!(backoff["refused_logins"] == 3 && backoff["reason"].as_str().unwrap().contains("1045"), "{checked}");

    let changed = instance(&dir, &["set-node", "shop", "--url", &url("new")]).await;
    assert!(changed.code == Some(0) && !changed.stdout.contains("new@"), "{changed:?}");
    let checked = instance(&dir, &["check", "shop"]).await;
    assert!(checked.code == Some(3) && !checked.stdout.contains("Login backoff"), "{checked:?}");

    // After the account is repaired on the server, a check logs in despite the backoff.
    server.run_statements(&["ALTER USER clew IDENTIFIED BY 'other'"]).await.unwrap();
    assert_eq!(instance(&dir, &["check", "shop"]).await.code, Some(1));
    server.run_statements(&["ALTER USER clew IDENTIFIED BY 'new'"]).await.unwrap();
    let checked = instance(&dir, &["check", "shop"]).await;
    assert!(checked.code == Some(3) && !checked.stdout.contains("Login backoff"), "{checked:?}");
    instance(&dir, &["set-node", "shop", "--url", "mysql://u@h/shop"]).await.assert_refused(&["names a database"]);
    let foreign = format!("{}no07", "a".repeat(32));
    instance(&dir, &["set-node", "shop", "--url", &url("new"), "--node", &foreign]).await.assert_failed(&["no node"]);
}

#[rstest]
#[tokio::test]
async fn proxy_with_rewritten_connection_ids_is_reported(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    initialize(&dir).await;
    let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
    let rewrite = RewriteRules { greeting_id: ConnectionIdRewrite::From(7000), ..RewriteRules::default() };
    let proxy = RewritingProxy::start((Ipv4Addr::LOCALHOST, server.port()).into(), rewrite).await.unwrap();
    assert_eq!(instance(&dir, &["add", "--name", "shop", "--node", &proxy.url("root")]).await.code, Some(0));
    for shown in [run(&["doctor", &proxy.url("root")]).await, instance(&dir, &["check", "shop"]).await] {
        assert_eq!(shown.code, Some(3), "{flavor}: {shown:?}");
        let mut lines = shown.stdout.lines().skip_while(|line| *line != "--  direct connection").skip(1);
        assert_eq!(lines.next(), Some("    Sessions cannot be killed through this address."), "{flavor}: {shown:?}");
        let why = lines.next().unwrap();
        assert!(why.starts_with("    reason: Clew connects through a proxy or load balancer: "), "{flavor}: {shown:?}");
    }
    let direct = run(&["doctor", &format!("{}?tls=off", server.url())]).await;
    assert!(direct.stdout.contains("ok  direct connection\n"), "{flavor}: {direct:?}");
}

#[tokio::test]
async fn limitations_are_reported_by_the_exit_code_on_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    initialize(&dir).await;
    let server = DatabaseServer::start(Flavor::MySql, &DatabaseServerOptions::default()).await.unwrap();
    server.run_statements(&["CREATE USER watcher@'%'"]).await.unwrap();
    for (name, account, code) in [("complete", "root", 0), ("limited", "watcher", 3)] {
        let url = server.url_for_account(account, "");
        assert_eq!(instance(&dir, &["add", "--name", name, "--node", &url]).await.code, Some(0));
        for shown in [run(&["doctor", &url]).await, instance(&dir, &["check", name]).await] {
            assert_eq!((shown.code, shown.stderr.as_str()), (Some(code), ""), "{shown:?}");
            assert_eq!(shown.stdout.contains("\n--  "), code == 3, "{shown:?}");
        }
    }
}

#[tokio::test]
async fn invalid_instances_are_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    initialize(&dir).await;
    let url = "mysql://clew:hunter2@127.0.0.1:1/";
    assert_eq!(instance(&dir, &["add", "--name", "a", "--node", url]).await.code, Some(0));
    let (king, master, with_database) =
        (format!("{url},role=king"), format!("{url},role=master"), format!("{url}shop"));
    for (arguments, words) in [
        (vec!["add", "--name", "a", "--node", url], "there is already an instance \"a\""),
        (vec!["add", "--name", "b", "--node", &king], "invalid role \"king\""),
        (vec!["add", "--name", "b", "--node", &master, "--node", &master], "it has 2 masters"),
        (vec!["add", "--name", "b", "--node", &with_database], "names a database"),
        (vec!["add", "--name", "b", "--node", url, "--tag", "env"], "is not KEY=VALUE"),
        (vec!["add", "--name", "b", "--node", url, "--tag", "k=1", "--tag", "k=2"], "is given twice"),
        (vec!["add", "--name", "b", "--node", url, "--id", "nonsense"], "32 hexadecimal digits, then in07"),
        (
            vec![
                "add",
                "--name",
                "b",
                "--node",
                url,
                "--node-id",
                &format!("{}no07", "a".repeat(32)),
                "--node-id",
                &format!("{}no07", "b".repeat(32)),
            ],
            "set one --node-id per node",
        ),
        (vec!["add", "--name", "b"], "--node"),
        (vec!["list", "--project", &"0".repeat(32)], "there is no project"),
        (vec!["list", "--project", "nonsense"], "there is no project nonsense"),
        (vec!["list", "--domain", "nonsense"], "there is no domain"),
    ] {
        let output = instance(&dir, &arguments).await;
        output.assert_refused(&[words]);
        assert!(!output.stderr.contains("hunter2"), "{output:?}");
    }
    instance(&dir, &["show", "nonsense"]).await.assert_failed(&["there is no instance nonsense"]);
    let nowhere = instance(&folder.path().join("nowhere"), &["list"]).await;
    nowhere.assert_refused(&["is not initialized yet", "clew init"]);
}
