//! Secrets are sealed in every file, bound to their row, and unsealed with the right key only.

use std::os::unix::fs::PermissionsExt;

use crate::backend::{self, Backend};
use crate::database::Database;
use crate::fixture::{Fixture, NODE_PASSWORD, SECRET_KEY, all_bytes, new_instance, origin, tenant};
use crate::subprocess;
use clew_model::AccessKeyId;
use clew_store::{IssuingCredentials, NewTemporaryAccessKey, NewToken, Store, StoreError, TokenOrigin, UserChange};
use rstest::rstest;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

#[rstest]
#[tokio::test]
async fn no_file_contains_a_plaintext_secret(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    let url = format!("mysql://clew:{NODE_PASSWORD}@10.0.0.5/");
    let added = fixture
        .store
        .instances()
        .add_instance(&origin(), new_instance(&fixture.initial_ids.project_id, "a", &[&url]))
        .await
        .unwrap();
    let node = fixture.store.instances().find_node_with_password(&added.nodes[0].id).await.unwrap().unwrap();
    assert_eq!(node.url.password.unwrap().expose_secret(), NODE_PASSWORD);
    assert!(added.nodes[0].url.password.is_none());
    let key = fixture.store.identities().find_access_key(&tenant().access_key).await.unwrap().unwrap();
    assert_eq!((key.secret.expose_secret(), key.user.name.as_str()), (SECRET_KEY, "admin"));
    use_all_secrets(&fixture).await;
    fixture.store.instances().remove_instance(&origin(), &fixture.initial_ids.project_id, &added.id).await.unwrap();
    let log = fixture.backend.wal_path();
    let mut files = all_bytes(&fixture.dir());
    if log.is_dir() {
        files.extend(all_bytes(&log));
    }
    assert!(files.iter().any(|(path, _)| path.starts_with(&log)), "the log must be searched");
    let master_key = std::fs::read_to_string(fixture.dir().join("master.key")).unwrap();
    let master_key = hex::decode(master_key.trim()).unwrap();
    for (path, bytes) in files {
        let texts = [NODE_PASSWORD, SECRET_KEY, SECOND_KEY, TEMPORARY_KEY, TOKEN, MISTYPED_PASSWORD];
        for secret in texts.iter().map(|text| text.as_bytes()).chain([master_key.as_slice()]) {
            let found = bytes.windows(secret.len()).any(|window| window == secret);
            assert!(!found, "{} in {}", String::from_utf8_lossy(secret), path.display());
        }
    }
}

const SECOND_KEY: &str = "the-secret-key-that-is-made-and-removed";
const TEMPORARY_KEY: &str = "the-secret-of-a-temporary-key";
const TOKEN: &str = "the-token-itself";
/// Password that a user typed as the user name.
const MISTYPED_PASSWORD: &str = "hunter2-mistyped";

/// Uses all other secrets with the store.
async fn use_all_secrets(fixture: &Fixture) {
    let (store, user) = (&fixture.store, &fixture.initial_ids.user_id);
    let hash: [u8; 32] = Sha256::digest(TOKEN).into();
    let second: AccessKeyId = "AKSECOND000000000000".parse().unwrap();
    store.identities().create_access_key(&origin(), user, &second, &SecretString::from(SECOND_KEY)).await.unwrap();
    let temporary = NewTemporaryAccessKey {
        user_id: user.clone(),
        id: "AKTEMPORARY000000000".parse().unwrap(),
        secret: SecretString::from(TEMPORARY_KEY),
        token_hash: hash,
        expires_at: 9000,
        issued_for: IssuingCredentials::CommandLine,
    };
    store.identities().create_temporary_key(&origin(), &temporary).await.unwrap();
    let token = NewToken {
        hash,
        user_id: user.clone(),
        scope_project: None,
        issued_by_methods: vec!["password".into()],
        issued_at: 1000,
        expires_at: 9000,
        origin: TokenOrigin::Api,
    };
    store.identities().insert_token(&token).await.unwrap();
    store.identities().revoke_token(&origin(), &hash).await.unwrap();
    store.identities().remove_access_key(&origin(), &second).await.unwrap();
    store.lockouts().record_auth_failure(&format!("user:acme/{MISTYPED_PASSWORD}")).await.unwrap();
    let shown =
        format!("{token:?} {temporary:?} {:?}", store.identities().find_access_key(&temporary.id).await.unwrap());
    assert!(!shown.contains(TEMPORARY_KEY), "{shown}");
}

#[rstest]
#[tokio::test]
async fn audit_contains_no_password_or_token_hash(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    use_all_secrets(&fixture).await;
    let change = UserChange { password_hash: Some("$argon2id$of-the-new-password".into()), ..UserChange::default() };
    fixture.store.identities().update_user(&origin(), &fixture.initial_ids.user_id, &change).await.unwrap();
    let audit = format!("{:?}", fixture.audit_rows().await);
    let token_hash: [u8; 32] = Sha256::digest(TOKEN).into();
    for hash in ["argon2id", &hex::encode(token_hash), MISTYPED_PASSWORD] {
        assert!(!audit.contains(hash), "{hash}");
    }
    assert!(audit.contains("new_password"), "the change is audited");
}

#[rstest]
#[tokio::test]
async fn moved_or_changed_secrets_are_detected(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    let urls = ["mysql://u:first@h/", "mysql://u:second@h/"];
    let added = fixture
        .store
        .instances()
        .add_instance(&origin(), new_instance(&fixture.initial_ids.project_id, "a", &urls))
        .await
        .unwrap();
    let other: AccessKeyId = "AKOTHER0000000000000".parse().unwrap();
    fixture
        .store
        .identities()
        .create_access_key(&origin(), &fixture.initial_ids.user_id, &other, &SecretString::from("another"))
        .await
        .unwrap();
    fixture
        .sql(
            "CREATE TEMPORARY TABLE n AS SELECT * FROM nodes; CREATE TEMPORARY TABLE k AS SELECT * FROM access_keys; \
             UPDATE nodes SET password = (SELECT n.password FROM n WHERE n.id <> nodes.id); \
             UPDATE access_keys SET secret = (SELECT k.secret FROM k WHERE k.id <> access_keys.id)",
        )
        .await;
    for node in &added.nodes {
        let error = fixture.store.instances().find_node_with_password(&node.id).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Unseal { .. }) && error.to_string().contains("password of nodes"),
            "{error}"
        );
    }
    for key in [other, tenant().access_key] {
        let error = fixture.store.identities().find_access_key(&key).await.unwrap_err();
        assert!(matches!(error, StoreError::Unseal { .. }), "{error}");
    }
    fixture.sql("UPDATE nodes SET password = x'00'").await;
    assert!(matches!(
        fixture.store.instances().find_node_with_password(&added.nodes[0].id).await,
        Err(StoreError::Unseal { .. })
    ));
}

#[rstest]
#[tokio::test]
async fn missing_wrong_or_readable_master_key_is_reported(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let key = fixture.dir().join("master.key");
    let original = std::fs::read(&key).unwrap();
    let set_mode = |mode| std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
    std::fs::remove_file(&key).unwrap();
    let error = fixture.open().await.unwrap_err().to_string();
    assert!(error.contains("restore it from a backup"), "{error}");
    assert!(!key.exists(), "no new key is created");
    std::fs::write(&key, format!("{}\n", "ab".repeat(32))).unwrap();
    set_mode(0o600);
    assert!(matches!(fixture.open().await, Err(StoreError::WrongMasterKey)));
    std::fs::write(&key, &original).unwrap();
    assert!(fixture.open().await.is_ok());
    for mode in [0o604, 0o640, 0o644] {
        set_mode(mode);
        let error = fixture.open().await.unwrap_err().to_string();
        assert!(error.contains("run chmod 600"), "{error}");
    }
    assert_eq!(std::fs::read(&key).unwrap(), original);
}

#[rstest]
#[tokio::test]
async fn master_key_is_read_from_the_environment(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let Some(folder) = subprocess::folder() else {
        let backend = Backend::new(database).await;
        let test = subprocess::contract_test("secrets::master_key_is_read_from_the_environment", database);
        let with = |key: &str| {
            let mut command = subprocess::command(&test, backend.folder.path(), &[]);
            command.env("CLEW_MASTER_KEY", key);
            subprocess::run_to_success(command);
        };
        with(&"ab".repeat(32));
        assert!(!backend.folder.path().join("data/master.key").exists(), "the key must not be stored");
        with(&"cd".repeat(32));
        with("short");
        return;
    };
    let location = || backend::location(&folder);
    let key = std::env::var("CLEW_MASTER_KEY").unwrap();
    match &*key {
        "short" => {
            let error = Store::open(location()).await.unwrap_err().to_string();
            assert!(error.contains("CLEW_MASTER_KEY does not contain 64 hexadecimal digits"), "{error}");
            assert!(!error.contains("short"), "{error}");
        }
        key if key.starts_with("cd") => {
            assert!(matches!(Store::open(location()).await, Err(StoreError::WrongMasterKey)));
        }
        _ => {
            Store::initialize(&origin(), location(), tenant()).await.unwrap();
            let store = Store::open(location()).await.unwrap();
            let found = store.identities().find_access_key(&tenant().access_key).await.unwrap().unwrap();
            assert_eq!(found.secret.expose_secret(), SECRET_KEY);
        }
    }
}
