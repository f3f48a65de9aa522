//! Secrets: sealed in every file, bound to their place, opened by the right key alone.

use std::os::unix::fs::PermissionsExt;

use crate::child;
use crate::fixture::{Fixture, NODE_PASSWORD, SECRET_KEY, all_bytes, by, new_instance, tenant};
use clew_model::AccessKeyId;
use clew_store::{Store, StoreError};
use secrecy::{ExposeSecret, SecretString};

#[tokio::test]
async fn no_secret_stands_in_any_file() {
    let fixture = Fixture::new().await;
    let url = format!("mysql://clew:{NODE_PASSWORD}@10.0.0.5/");
    let added =
        fixture.store.add_instance(&by(), new_instance(&fixture.founded.project_id, "a", &[&url])).await.unwrap();
    let node = fixture.store.node_to_read(&added.nodes[0].id).await.unwrap().unwrap();
    assert_eq!(node.url.password.unwrap().expose_secret(), NODE_PASSWORD);
    assert!(added.nodes[0].url.password.is_none());
    let key = fixture.store.access_key(&tenant().access_key).await.unwrap().unwrap();
    assert_eq!((key.secret.expose_secret(), key.user.name.as_str()), (SECRET_KEY, "admin"));
    let files = all_bytes(&fixture.dir());
    assert!(files.iter().any(|(path, _)| path.ends_with("clew.db-wal")), "the log must be searched too");
    for (path, bytes) in files {
        for secret in [NODE_PASSWORD, SECRET_KEY] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} in {}", path.display());
        }
    }
}

#[tokio::test]
async fn secrets_that_trade_places_or_change_are_noticed() {
    let fixture = Fixture::new().await;
    let urls = ["mysql://u:first@h/", "mysql://u:second@h/"];
    let added = fixture.store.add_instance(&by(), new_instance(&fixture.founded.project_id, "a", &urls)).await.unwrap();
    let other: AccessKeyId = "AKOTHER0000000000000".parse().unwrap();
    fixture.store.create_key(&by(), &fixture.founded.user_id, &other, &SecretString::from("another")).await.unwrap();
    fixture
        .sql(
            "CREATE TEMP TABLE n AS SELECT * FROM nodes; CREATE TEMP TABLE k AS SELECT * FROM access_keys; \
             UPDATE nodes SET password = (SELECT n.password FROM n WHERE n.id <> nodes.id); \
             UPDATE access_keys SET secret = (SELECT k.secret FROM k WHERE k.id <> access_keys.id)",
        )
        .await;
    for node in &added.nodes {
        let error = fixture.store.node_to_read(&node.id).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Unseal { .. }) && error.to_string().contains("password of nodes"),
            "{error}"
        );
    }
    for key in [other, tenant().access_key] {
        let error = fixture.store.access_key(&key).await.unwrap_err();
        assert!(matches!(error, StoreError::Unseal { .. }), "{error}");
    }
    fixture.sql("UPDATE nodes SET password = x'00'").await;
    assert!(matches!(fixture.store.node_to_read(&added.nodes[0].id).await, Err(StoreError::Unseal { .. })));
}

#[tokio::test]
async fn a_lost_foreign_or_open_master_key_is_named() {
    let fixture = Fixture::new().await;
    let key = fixture.dir().join("master.key");
    let kept = std::fs::read(&key).unwrap();
    let set_mode = |mode| std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
    std::fs::remove_file(&key).unwrap();
    let error = Store::open(&fixture.dir()).await.unwrap_err().to_string();
    assert!(error.contains("restore it from a backup"), "{error}");
    assert!(!key.exists(), "a new key would only hide that the old one is lost");
    std::fs::write(&key, format!("{}\n", "ab".repeat(32))).unwrap();
    set_mode(0o600);
    assert!(matches!(Store::open(&fixture.dir()).await, Err(StoreError::WrongMasterKey)));
    std::fs::write(&key, &kept).unwrap();
    assert!(Store::open(&fixture.dir()).await.is_ok());
    for mode in [0o604, 0o640, 0o644] {
        set_mode(mode);
        let error = Store::open(&fixture.dir()).await.unwrap_err().to_string();
        assert!(error.contains("run chmod 600"), "{error}");
    }
    assert_eq!(std::fs::read(&key).unwrap(), kept);
}

#[tokio::test]
async fn the_environment_may_hold_the_master_key() {
    const TEST: &str = "secrets::the_environment_may_hold_the_master_key";
    let Some(folder) = child::folder() else {
        let folder = tempfile::tempdir().unwrap();
        let with = |key: &str| {
            let mut command = child::command(TEST, folder.path(), &[]);
            command.env("CLEW_MASTER_KEY", key);
            child::pass(command);
        };
        with(&"ab".repeat(32));
        assert!(!folder.path().join("data/master.key").exists(), "it must not be written down");
        with(&"cd".repeat(32));
        with("short");
        return;
    };
    let dir = folder.join("data");
    let key = std::env::var("CLEW_MASTER_KEY").unwrap();
    match &*key {
        "short" => {
            let error = Store::open(&dir).await.unwrap_err().to_string();
            assert!(error.contains("CLEW_MASTER_KEY does not hold 64 hexadecimal digits"), "{error}");
            assert!(!error.contains("short"), "{error}");
        }
        key if key.starts_with("cd") => assert!(matches!(Store::open(&dir).await, Err(StoreError::WrongMasterKey))),
        _ => {
            Store::initialise(&by(), &dir, tenant()).await.unwrap();
            let store = Store::open(&dir).await.unwrap();
            let found = store.access_key(&tenant().access_key).await.unwrap().unwrap();
            assert_eq!(found.secret.expose_secret(), SECRET_KEY);
        }
    }
}
