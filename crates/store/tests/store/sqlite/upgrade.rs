//! Upgrades a database from a version without policies and without an audit log.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use clew_model::Actor;
use clew_store::{AuditFilter, Store};
use secrecy::ExposeSecret;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions, Connection};

use crate::fixture::origin;

const KEY: [u8; 32] = [0xab; 32];
const DOMAIN: &str = "d0000000000000000000000000000001";
const PROJECT: &str = "p0000000000000000000000000000001";
const USER: &str = "u0000000000000000000000000000001";
const ACCESS_KEY: &str = "AKOLD000000000000000";
const INSTANCE: &str = "00000000000000000000000000000001in07";
const NODE: &str = "00000000000000000000000000000001no07";

/// Seals a secret in the version 1 format.
fn seal_secret(associated_data: &str, secret: &str) -> Vec<u8> {
    let payload = Payload { msg: secret.as_bytes(), aad: associated_data.as_bytes() };
    let sealed = XChaCha20Poly1305::new(&KEY.into()).encrypt(&XNonce::from([7; 24]), payload).unwrap();
    [[7; 24].as_slice(), &sealed].concat()
}

/// Creates a data directory of version 1 with a row in every table.
async fn create_version_1_directory(dir: &Path) {
    std::fs::create_dir_all(dir.join("results")).unwrap();
    std::fs::write(dir.join("master.key"), hex::encode(KEY)).unwrap();
    std::fs::set_permissions(dir.join("master.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let migrations = dir.join("migrations");
    std::fs::create_dir(&migrations).unwrap();
    let first = "0001_initial.sql";
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite").join(first);
    std::fs::copy(source, migrations.join(first)).unwrap();
    let options = SqliteConnectOptions::new().filename(dir.join("clew.db")).create_if_missing(true);
    let mut connection = options.journal_mode(SqliteJournalMode::Wal).connect().await.unwrap();
    sqlx::migrate::Migrator::new(migrations).await.unwrap().run_direct(None, &mut connection, false).await.unwrap();
    let rows = format!(
        "INSERT INTO settings VALUES ('region', x'{region}'), ('canary', x'{canary}');
         INSERT INTO domains VALUES ('{DOMAIN}', 'acme', 1);
         INSERT INTO projects VALUES ('{PROJECT}', '{DOMAIN}', 'north', 'the old one', 1, 1);
         INSERT INTO users VALUES ('{USER}', '{DOMAIN}', 'ada', 'a hash', 1, 1);
         INSERT INTO users VALUES ('u0000000000000000000000000000002', '{DOMAIN}', 'gone', 'a hash', 0, 1);
         INSERT INTO access_keys VALUES ('{ACCESS_KEY}', '{USER}', x'{secret}', 1, 1);
         INSERT INTO tokens VALUES (x'{token}', '{USER}', '{PROJECT}', 1, 9);
         INSERT INTO instances VALUES ('{INSTANCE}', '{PROJECT}', 'shop', 'retail', 7, 1, 2);
         INSERT INTO instances VALUES ('00000000000000000000000000000002in07', '{PROJECT}', 'b', 'retail', NULL, 1, 2);
         INSERT INTO instances VALUES ('00000000000000000000000000000003in07', '{PROJECT}', 'c', '0', NULL, 1, 2);
         INSERT INTO tags VALUES ('{INSTANCE}', 'env', 'prod');
         INSERT INTO nodes VALUES ('{NODE}', '{INSTANCE}', 'shop_node0', 'master', 'mysql://u@h:3306/?tls=off', 'h', x'{password}', 1);
         INSERT INTO tasks (request_id, project_id, instance_id, node_id, selection, status, created_at) VALUES
             ('realtime_session-0627a175-a4d4-44cd-b78a-51dc3ef8ba9a-98e9', '{PROJECT}', '{INSTANCE}', '{NODE}', '{selection}', 'queued', 5)",
        region = hex::encode("north"),
        canary = hex::encode(seal_secret("settings\0value\0canary", "canary")),
        secret = hex::encode(seal_secret(&format!("access_keys\0secret\0{ACCESS_KEY}"), "old secret key")),
        password = hex::encode(seal_secret(&format!("nodes\0password\0{NODE}"), "old password")),
        token = "05".repeat(32),
        selection = serde_json::to_string(&clew_model::SessionSelection::default()).unwrap(),
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(rows)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn upgrade_of_an_old_database_keeps_all_rows() {
    let folder = tempfile::tempdir().unwrap();
    create_version_1_directory(folder.path()).await;
    let store = Store::open(folder.path()).await.unwrap();
    assert_eq!(store.region(), "north");
    let domain = DOMAIN.parse().unwrap();
    let users = store.identities().list_users(&domain).await.unwrap();
    let names: Vec<_> = users.iter().map(|user| (&*user.name, user.enabled, user.administrator)).collect();
    assert_eq!(names, [("ada", true, true), ("gone", false, true)]);
    let key = store.identities().find_access_key(&ACCESS_KEY.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((key.secret.expose_secret(), key.enabled, key.temporary), ("old secret key", true, None));
    let token = store.identities().find_token(&[5; 32]).await.unwrap().unwrap();
    assert_eq!((token.expires_at, token.revoked, &*token.issued_by_methods), (9, false, &["password".to_owned()][..]));
    let project = store.tenants().find_project(&PROJECT.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((&*project.description, project.enabled, project.masking), ("the old one", true, false));
    let instances = store.instances().list_all_instances().await.unwrap();
    assert_eq!(
        (instances.len(), &*instances[0].enterprise_project_id, &*instances[0].tags[0].value),
        (3, "retail", "prod")
    );
    let node = store.instances().find_node_with_password(&NODE.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(node.url.password.unwrap().expose_secret(), "old password");
    let task =
        store.tasks().find_task(&"realtime_session-0627a175-a4d4-44cd-b78a-51dc3ef8ba9a-98e9".parse().unwrap()).await;
    assert!(!task.unwrap().unwrap().request.masked);
    let enterprise_projects = store.tenants().list_enterprise_projects(&domain).await.unwrap();
    assert_eq!(enterprise_projects.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["0", "retail"]);
    assert_eq!(store.open_cached_view().await.unwrap().access_control_version(), 1);
}

#[tokio::test]
async fn audit_of_an_old_database_starts_once() {
    let folder = tempfile::tempdir().unwrap();
    create_version_1_directory(folder.path()).await;
    let opened = tokio::join!(Store::open(folder.path()), Store::open(folder.path()));
    let store = opened.0.unwrap();
    opened.1.unwrap();
    store.tenants().create_domain(&origin(), "other").await.unwrap();
    Store::open(folder.path()).await.unwrap();
    let rows = store.audit().list_audit_rows_after_seq(&AuditFilter::default(), 0, 10).await.unwrap();
    let operations: Vec<_> = rows.iter().map(|row| row.event.operation.as_str()).collect();
    assert_eq!(operations, ["BeginAudit", "CreateDomain"]);
    assert_eq!(rows[0].event.origin.actor, Actor::Clew);
    assert!(store.audit().verify_audit_log(&[]).await.unwrap().is_intact());
}
