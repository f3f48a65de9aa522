//! Writes that share a transaction: what one of them cannot do, the others still do.

use clew_model::{AuditEvent, NodeId};
use clew_store::{NewTask, StoreError};

use crate::fixture::{Fixture, by};
use crate::place;

async fn queue_together(fixture: &Fixture) -> [Result<(), StoreError>; 4] {
    let node = NodeId::generate();
    let [first, mut refused, last] = [(); 3].map(|()| fixture.new_task(&node));
    refused.masked = true;
    let store = &fixture.store;
    let event = AuditEvent::done(&by(), "Test", "one");
    let queue = |task: NewTask| async move { store.insert_task(&task, 9).await };
    let (first, refused, last, event) = tokio::join!(queue(first), queue(refused), queue(last), store.record(&event));
    [first, refused, last, event]
}

#[tokio::test]
async fn one_that_fails_fails_alone() {
    let fixture = Fixture::new().await;
    fixture.sql(place::refuse("tasks", "NEW.masked", "not this one")).await;
    let [first, refused, last, event] = queue_together(&fixture).await;
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("could not queue a collection") && error.contains("not this one"), "{error}");
    assert!(first.is_ok() && last.is_ok() && event.is_ok(), "{first:?} {last:?} {event:?}");
    assert_eq!((fixture.count("tasks").await, fixture.count("audit").await), (2, 2));
}

#[tokio::test]
async fn an_audit_that_takes_nothing_holds_up_no_collection() {
    let fixture = Fixture::new().await;
    fixture.sql(place::refuse("audit", "true", "closed")).await;
    let [first, masked, last, event] = queue_together(&fixture).await;
    let error = event.unwrap_err().to_string();
    assert!(error.contains("could not record what was done") && error.contains("closed"), "{error}");
    assert!(first.is_ok() && masked.is_ok() && last.is_ok(), "{first:?} {masked:?} {last:?}");
    assert_eq!(fixture.count("tasks").await, 3);
}

#[tokio::test]
async fn what_all_have_in_common_fails_for_all_and_says_so_to_each() {
    let fixture = Fixture::new().await;
    fixture.sql(place::fail_at_the_end("tasks", "INSERT")).await;
    let [first, masked, last, event] = queue_together(&fixture).await;
    for (outcome, doing) in [
        (first, "queue a collection"),
        (masked, "queue a collection"),
        (last, "queue a collection"),
        (event, "record what was done"),
    ] {
        let error = outcome.unwrap_err().to_string();
        assert!(error.contains(doing) && error.contains(place::REFERS_TO_NOTHING), "{error}");
    }
    assert_eq!((fixture.count("tasks").await, fixture.count("audit").await), (0, 1));
}
