//! Several processes share a data directory, and processes are killed.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::backend::{self, Backend, MetadataServer};
use crate::database::Database;
use crate::fixture::{Fixture, claim, new_instance, origin, tenant};
use crate::subprocess;
use clew_model::{AuditEvent, CollectionTaskOutcome, Failure, FailureKind, InstanceId, NodeId, Pagination};
use clew_store::{AuditFilter, AuditRecord, KillFilter, RecordedKillOutcome, Store, StoreError};
use rstest::rstest;

use super::kills;

/// Number of instances that the child process adds.
const ADDED_INSTANCES: usize = 40;

/// Waits until a child process has created a file.
async fn wait_for_file(file: &Path, child: &mut Child) {
    while !file.exists() {
        assert!(child.try_wait().unwrap().is_none() || file.exists(), "the child process ended early");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[rstest]
#[tokio::test]
async fn other_process_changes_the_inventory_during_serving(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let Some(folder) = subprocess::folder() else {
        let fixture = Fixture::new(database).await;
        let _lock = fixture.store.acquire_data_dir_lock().unwrap();
        let test = subprocess::contract_test("processes::other_process_changes_the_inventory_during_serving", database);
        let command = subprocess::command(&test, fixture.folder(), &[]);
        let other = tokio::task::spawn_blocking(move || subprocess::run_to_success(command));
        let node = NodeId::generate();
        let mut ended = 0;
        while !other.is_finished() {
            fixture.store.tasks().enqueue_task(&fixture.new_task(&node), 1).await.unwrap();
            let claimed = claim(&fixture.store, Duration::from_secs(10), 1).await.unwrap().unwrap();
            let outcome = CollectionTaskOutcome::Failed(Failure::new(FailureKind::TimedOut, "no answer"));
            assert!(
                fixture
                    .store
                    .tasks()
                    .complete_task(&claimed.task.request.request_id, claimed.fence, &outcome)
                    .await
                    .unwrap()
            );
            ended += 1;
        }
        other.await.unwrap();
        assert!(ended > 0);
        return assert_eq!(fixture.store.instances().list_all_instances().await.unwrap().len(), ADDED_INSTANCES);
    };
    let store = Store::open(backend::location(&folder)).await.unwrap();
    assert!(matches!(store.acquire_data_dir_lock(), Err(StoreError::AlreadyServing { .. })));
    let project = store.tenants().list_all_projects().await.unwrap()[0].id.clone();
    for number in 0..ADDED_INSTANCES {
        store
            .instances()
            .add_instance(&origin(), new_instance(&project, &format!("i{number}"), &["mysql://u:p@h/"]))
            .await
            .unwrap();
    }
}

#[rstest]
#[tokio::test]
async fn killed_initialization_can_be_repeated(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    if let Some(folder) = subprocess::folder() {
        std::fs::write(folder.join("started"), "").unwrap();
        Store::initialize(&origin(), backend::location(&folder), tenant()).await.unwrap();
        return;
    }
    let test = subprocess::contract_test("processes::killed_initialization_can_be_repeated", database);
    let server = MetadataServer::start(database).await;
    let mut done = 0;
    for step in 0..16 {
        let backend = Backend::on_server(&server).await;
        let folder = backend.folder.path();
        let mut command = subprocess::command(&test, folder, &[]);
        let mut killed = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_for_file(&folder.join("started"), &mut killed).await;
        tokio::time::sleep(Duration::from_millis(step * 6)).await;
        killed.kill().unwrap();
        killed.wait().unwrap();
        match Store::initialize(&origin(), backend::location(folder), tenant()).await {
            Ok(_) => {}
            Err(StoreError::AlreadyInitialized { .. }) => done += 1,
            Err(error) => panic!("after {} ms: {error}", step * 6),
        }
        let store = Store::open(backend::location(folder)).await.unwrap();
        assert!(store.identities().find_access_key(&tenant().access_key).await.unwrap().is_some());
        let names: Vec<_> = std::fs::read_dir(folder.join("data")).unwrap().collect();
        assert!(names.iter().all(|entry| !entry.as_ref().unwrap().file_name().to_string_lossy().contains(".new")));
    }
    assert!(done < 16, "no initialization was interrupted");
}

#[rstest]
#[tokio::test]
async fn lock_is_released_when_its_process_ends(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    if let Some(folder) = subprocess::folder() {
        let store = Store::open(backend::location(&folder)).await.unwrap();
        let _lock = store.acquire_data_dir_lock().unwrap();
        std::fs::write(folder.join("locked"), "").unwrap();
        return std::future::pending().await;
    }
    let fixture = Fixture::new(database).await;
    let test = subprocess::contract_test("processes::lock_is_released_when_its_process_ends", database);
    let mut command = subprocess::command(&test, fixture.folder(), &[]);
    let mut other = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for_file(&fixture.folder().join("locked"), &mut other).await;
    let refused = fixture.store.acquire_data_dir_lock();
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(matches!(refused, Err(StoreError::AlreadyServing { .. })));
    fixture.store.acquire_data_dir_lock().unwrap();
}

#[rstest]
#[tokio::test]
async fn two_processes_write_one_audit(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    const EVENTS_PER_PROCESS: usize = 300;
    async fn write(store: &Store) {
        let callers = (0..6).map(|caller| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in 0..EVENTS_PER_PROCESS / 6 {
                    let event = AuditEvent::for_successful_operation(
                        &origin(),
                        "Test",
                        format!("{}/{caller}/{number}", std::process::id()),
                    );
                    store.audit().append_audit_event(&event).await.unwrap();
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.unwrap();
        }
    }
    if let Some(folder) = subprocess::folder() {
        return write(&Store::open(backend::location(&folder)).await.unwrap()).await;
    }
    let fixture = Fixture::new(database).await;
    let test = subprocess::contract_test("processes::two_processes_write_one_audit", database);
    let command = subprocess::command(&test, fixture.folder(), &[]);
    let other = tokio::task::spawn_blocking(move || subprocess::run_to_success(command));
    let mut written = 0;
    while !other.is_finished() {
        write(&fixture.store).await;
        written += EVENTS_PER_PROCESS;
    }
    other.await.unwrap();
    let found = fixture.store.audit().verify_audit_log(&[]).await.unwrap();
    assert!(found.is_intact(), "{found:?}");
    assert_eq!(found.rows, (1 + written + EVENTS_PER_PROCESS) as u64);
    let rows = fixture.store.audit().list_audit_rows_after_seq(&AuditFilter::default(), 1, 100_000).await.unwrap();
    let mine = |row: &AuditRecord| row.event.target.starts_with(&format!("{}/", std::process::id()));
    let changes = rows.windows(2).filter(|pair| mine(&pair[0]) != mine(&pair[1])).count();
    assert!(changes > 1, "the processes did not write concurrently");
}

/// Reads and writes rows of each table whose rows are mapped by column name.
async fn use_all_row_mappings(fixture: &Fixture, instance: &InstanceId) {
    let (store, node, page) = (&fixture.store, NodeId::generate(), Pagination { offset: 0, limit: 10 });
    let task = fixture.new_task(&node);
    store.tasks().enqueue_task(&task, 9).await.unwrap();
    let claimed = claim(store, Duration::from_mins(1), 1).await.unwrap().unwrap();
    let failed = CollectionTaskOutcome::Failed(Failure::new(FailureKind::TimedOut, "no response"));
    assert!(store.tasks().complete_task(&task.request_id, claimed.fence, &failed).await.unwrap());
    assert!(store.tasks().find_task(&task.request_id).await.unwrap().is_some());
    let listed = store.tasks().list_node_tasks(&task.project_id, &task.instance_id, &node, 9).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert!(store.tasks().remove_task(&origin(), &task.request_id).await.unwrap());

    let request = fixture.intelligent_kill(instance, &node);
    let id = store.kills().insert_intelligent_kill(&request, 8).await.unwrap();
    let claimed = store.kills().claim_intelligent_kill(Duration::from_mins(1), Duration::from_mins(1)).await.unwrap();
    assert_eq!(claimed.unwrap().id, id);
    assert!(store.kills().finish_intelligent_kill(id, None, 1).await.unwrap());
    assert!(store.kills().find_intelligent_kill(id).await.unwrap().is_some());

    let ids = store.kills().insert_kill_records(&[kills::new_kill(fixture, instance, 7)]).await.unwrap();
    let outcome = (ids[0], RecordedKillOutcome::Killed, String::new());
    store.kills().record_kill_outcomes(&origin(), &[outcome]).await.unwrap();
    store.kills().list_kills(&KillFilter::for_instance(instance.clone()), page).await.unwrap();
    store.kill_tasks().list_kill_tasks(instance).await.unwrap();
    store.kill_tasks().list_instances_with_kill_tasks().await.unwrap();
    store.audit().list_audit_rows_after_seq(&AuditFilter::default(), 0, 10).await.unwrap();
    assert!(store.audit().verify_audit_log(&[]).await.unwrap().is_intact());
}

/// During an upgrade, processes of the old version use prepared statements while a new process migrates the schema.
#[rstest]
#[tokio::test]
async fn running_process_works_after_a_migration_adds_columns(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let instance = InstanceId::generate();
    use_all_row_mappings(&fixture, &instance).await;
    for table in ["tasks", "intelligent_kills", "killed_sessions", "kill_tasks", "audit"] {
        fixture.sql(format!("ALTER TABLE {table} ADD COLUMN added_later TEXT")).await;
    }
    use_all_row_mappings(&fixture, &instance).await;
}
