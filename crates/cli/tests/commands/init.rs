//! `clew init`

use crate::run::{clew, initialize, run, run_command};

#[tokio::test]
async fn second_init_is_rejected_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    initialize(&dir).await;
    let database = std::fs::read(dir.join("clew.db")).unwrap();
    let key = std::fs::read(dir.join("master.key")).unwrap();
    let second_init = run(&["init", "--data-dir", dir.to_str().unwrap()]).await;
    second_init.assert_refused(&["is already initialized", "fix: start the server with clew serve"]);
    assert_eq!(
        (std::fs::read(dir.join("clew.db")).unwrap(), std::fs::read(dir.join("master.key")).unwrap()),
        (database, key)
    );
}

#[tokio::test]
async fn every_output_format_contains_all_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let credentials = initialize(&folder.path().join("a")).await;
    for name in ["endpoint", "region", "domain_name", "project_id", "user", "password", "access_key", "secret_key"] {
        assert!(credentials[name].as_str().is_some_and(|text| !text.is_empty()), "{name}");
    }
    let dir = folder.path().join("b");
    let arguments = ["init", "--format", "env", "--region", "eu-1", "--data-dir", dir.to_str().unwrap()];
    let env = run(&arguments).await;
    for name in [
        "CLEW_ENDPOINT",
        "CLEW_IAM_ENDPOINT",
        "CLEW_PROJECT_ID",
        "CLEW_ACCESS_KEY",
        "CLEW_SECRET_KEY",
        "CLEW_REGION",
        "CLEW_DOMAIN_NAME",
        "CLEW_USER",
        "CLEW_PASSWORD",
    ] {
        assert!(env.stdout.lines().any(|line| line.starts_with(&format!("export {name}='"))), "{name}: {env:?}");
    }
    assert!(env.stdout.contains("CLEW_REGION='eu-1'"), "{env:?}");
    let dir = folder.path().join("c");
    let table = run(&["init", "--data-dir", dir.to_str().unwrap()]).await;
    assert!(table.stdout.contains("secret key") && table.stdout.contains("Next: clew serve"), "{table:?}");
}

#[tokio::test]
async fn printed_endpoint_has_the_listen_address() {
    let folder = tempfile::tempdir().unwrap();
    let init = |name: &str, format: &'static str| {
        let data_dir = folder.path().join(name).to_str().unwrap().to_owned();
        clew(&["init", "--format", format, "--data-dir", &data_dir])
    };
    let mut table = init("table", "table");
    table.args(["--listen", "127.0.0.1:9000"]);
    let output = run_command(table).await;
    assert!(output.stdout.contains("endpoint    http://127.0.0.1:9000\n"), "{output:?}");
    assert!(output.stdout.contains(" --listen 127.0.0.1:9000\n"), "{output:?}");

    let mut json = init("json", "json");
    json.args(["--listen", "[::1]:9000"]);
    let output = run_command(json).await;
    let credentials: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(credentials["endpoint"], "http://[::1]:9000", "{output:?}");

    let mut env = init("env", "env");
    env.env("CLEW_LISTEN", "localhost:9000");
    let output = run_command(env).await;
    for name in ["CLEW_ENDPOINT", "CLEW_IAM_ENDPOINT"] {
        assert!(output.stdout.contains(&format!("export {name}='http://localhost:9000'\n")), "{output:?}");
    }

    for (address, endpoint) in [("0.0.0.0:9000", "http://127.0.0.1:9000"), ("[::]:9000", "http://[::1]:9000")] {
        let mut json = init(&format!("unspecified{}", address.len()), "json");
        json.args(["--listen", address]);
        let output = run_command(json).await;
        let credentials: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!(credentials["endpoint"], endpoint, "{output:?}");
    }

    let output = run_command(init("default", "table")).await;
    assert!(output.stdout.contains("endpoint    http://127.0.0.1:8407\n"), "{output:?}");
    assert!(!output.stdout.contains("--listen"), "{output:?}");
}

#[tokio::test]
async fn invalid_listen_address_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    for address in ["127.0.0.1", ":8407", "127.0.0.1:x", "127.0.0.1:70000", "it's:8407"] {
        let output = run(&["init", "--listen", address, "--data-dir", data_dir.to_str().unwrap()]).await;
        output.assert_refused(&["expected HOST:PORT"]);
    }
    assert!(!data_dir.exists());
}

#[tokio::test]
async fn names_unsafe_for_shells_and_urls_are_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    for name in ["it's", "a b", "", "x\ny"] {
        let output = run(&["init", "--user", name, "--data-dir", dir.to_str().unwrap()]).await;
        output.assert_refused(&["letters, digits"]);
    }
    assert!(!dir.exists());
}

#[tokio::test]
async fn failure_to_create_the_data_directory_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let output = run(&["init", "--data-dir", file.join("data").to_str().unwrap()]).await;
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("could not"), "{output:?}");
}
