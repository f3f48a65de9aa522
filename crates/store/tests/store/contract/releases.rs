//! Databases of earlier releases: upgrades and processes with mixed versions.

use std::os::unix::fs::PermissionsExt;

use clew_model::CollectionTaskStatus;
use clew_store::Store;
use rstest::rstest;

use crate::all_tables;
use crate::backend::{self, Backend, Connection};
use crate::database::{Database, Release};

/// Creates a backend with the database of a release.
async fn restore(database: Database, release: &Release) -> Backend {
    let backend = Backend::new(database).await;
    let data = backend.folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let key = data.join("master.key");
    std::fs::write(&key, "07".repeat(32)).unwrap();
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o600)).unwrap();
    execute(&backend, release.database).await;
    backend
}

async fn execute(backend: &Backend, statements: &str) {
    let mut connection = Connection::open(backend.folder.path()).await;
    connection.execute(statements).await.unwrap();
    connection.close().await;
}

#[rstest]
#[tokio::test]
async fn database_of_each_release_is_upgraded_in_place(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    for release in database.releases() {
        let backend = restore(database, release).await;
        let location = || backend::location(backend.folder.path());
        let opened = tokio::join!(Store::open(location()), Store::open(location()));
        let (store, other) = (opened.0.unwrap(), opened.1.unwrap());
        all_tables::verify(&store).await;
        all_tables::use_after_restore(&store).await;
        assert!(other.audit().verify_audit_log(&[]).await.unwrap().is_intact());
    }
}

#[rstest]
#[tokio::test]
async fn processes_of_each_release_share_a_database_with_this_version(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    for release in database.releases() {
        let backend = restore(database, release).await;
        let store = Store::open(backend::location(backend.folder.path())).await.unwrap();
        execute(&backend, release.statements).await;
        let task = async |number: u8| {
            let id = format!("realtime_session-00000000-0000-4000-8000-00000000000{number}-98e{number}");
            store.tasks().find_task(&id.parse().unwrap()).await.unwrap().unwrap()
        };
        assert_eq!(task(1).await.result.unwrap().name, "an older one.csv");
        assert_eq!((task(0).await.status, task(0).await.attempts), (CollectionTaskStatus::Queued, 0));
        assert_eq!(task(9).await.status, CollectionTaskStatus::Queued);
        let counts: Vec<_> =
            store.tasks().count_tasks_by_status().await.unwrap().into_iter().map(|(_, count)| count).collect();
        assert_eq!(counts, [2, 0, 2, 1], "tasks ended by older processes are counted");
        let instances = store.instances().list_all_instances().await.unwrap();
        assert_eq!(instances.iter().map(|instance| &*instance.name).collect::<Vec<_>>(), ["older", "shop"]);
        all_tables::use_after_restore(&store).await;
    }
}
