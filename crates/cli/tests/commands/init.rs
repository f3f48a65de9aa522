//! `clew init`

use crate::run::{initialise, run};

#[tokio::test]
async fn a_second_time_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    initialise(&dir).await;
    let database = std::fs::read(dir.join("clew.db")).unwrap();
    let key = std::fs::read(dir.join("master.key")).unwrap();
    let again = run(&["init", "--data-dir", dir.to_str().unwrap()]).await;
    again.is_refused_with(&["is initialised already", "fix: use it as it is"]);
    assert_eq!(
        (std::fs::read(dir.join("clew.db")).unwrap(), std::fs::read(dir.join("master.key")).unwrap()),
        (database, key)
    );
}

#[tokio::test]
async fn each_form_has_all_that_a_client_needs() {
    let folder = tempfile::tempdir().unwrap();
    let made = initialise(&folder.path().join("a")).await;
    for name in ["endpoint", "region", "domain_name", "project_id", "user", "password", "access_key", "secret_key"] {
        assert!(made[name].as_str().is_some_and(|text| !text.is_empty()), "{name}");
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
async fn names_that_no_shell_or_url_could_take_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    for name in ["it's", "a b", "", "x\ny"] {
        let ended = run(&["init", "--user", name, "--data-dir", dir.to_str().unwrap()]).await;
        ended.is_refused_with(&["letters, digits"]);
    }
    assert!(!dir.exists());
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let ended = run(&["init", "--data-dir", file.join("data").to_str().unwrap()]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("could not"), "{ended:?}");
}
