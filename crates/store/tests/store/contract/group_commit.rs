//! Group commit: failures of individual writes and of the shared transaction.

use clew_model::{AuditEvent, NodeId};
use clew_store::{NewSessionCollectionTask, StoreError};
use rstest::rstest;

use crate::database::Database;
use crate::fixture::{Fixture, origin};

async fn queue_concurrently(fixture: &Fixture) -> [Result<(), StoreError>; 4] {
    let node = NodeId::generate();
    let [first, mut refused, last] = [(); 3].map(|()| fixture.new_task(&node));
    refused.masked = true;
    let store = &fixture.store;
    let event = AuditEvent::for_successful_operation(&origin(), "Test", "one");
    let queue = |task: NewSessionCollectionTask| async move { store.tasks().enqueue_task(&task, 9).await };
    let (first, refused, last, event) =
        tokio::join!(queue(first), queue(refused), queue(last), store.audit().append_audit_event(&event));
    [first, refused, last, event]
}

#[rstest]
#[tokio::test]
async fn failed_write_does_not_affect_other_grouped_writes(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    fixture.sql(database.reject_inserts("tasks", "NEW.masked", "not this one")).await;
    let [first, refused, last, event] = queue_concurrently(&fixture).await;
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("could not queue a collection") && error.contains("not this one"), "{error}");
    assert!(first.is_ok() && last.is_ok() && event.is_ok(), "{first:?} {last:?} {event:?}");
    assert_eq!((fixture.count("tasks").await, fixture.count("audit").await), (2, 2));
}

#[rstest]
#[tokio::test]
async fn failed_audit_append_does_not_block_collections(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    fixture.sql(database.reject_inserts("audit", "true", "closed")).await;
    let [first, masked, last, event] = queue_concurrently(&fixture).await;
    let error = event.unwrap_err().to_string();
    assert!(error.contains("could not write to the audit log") && error.contains("closed"), "{error}");
    assert!(first.is_ok() && masked.is_ok() && last.is_ok(), "{first:?} {masked:?} {last:?}");
    assert_eq!(fixture.count("tasks").await, 3);
}

#[rstest]
#[tokio::test]
async fn failed_commit_is_reported_to_every_caller(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    fixture.sql(database.fail_on_commit("tasks", "INSERT")).await;
    let [first, masked, last, event] = queue_concurrently(&fixture).await;
    for (outcome, action) in [
        (first, "queue a collection"),
        (masked, "queue a collection"),
        (last, "queue a collection"),
        (event, "write to the audit log"),
    ] {
        let error = outcome.unwrap_err().to_string();
        assert!(error.contains(action) && error.contains(database.foreign_key_error()), "{error}");
    }
    assert_eq!((fixture.count("tasks").await, fixture.count("audit").await), (0, 1));
}
