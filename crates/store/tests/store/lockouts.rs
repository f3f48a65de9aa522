//! Failures in a row, and the lock that follows.

use crate::fixture::Fixture;

const USER: &str = "user:acme/admin";

#[tokio::test]
async fn the_fifth_failure_in_a_row_locks_for_five_minutes() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    for _ in 0..4 {
        assert_eq!(store.failed(USER).await.unwrap(), None);
        fixture.pass(1000);
    }
    assert_eq!(store.locked_until(USER).await.unwrap(), None);
    assert_eq!(store.failed(USER).await.unwrap(), Some(1004 + 300));
    assert_eq!(store.locked_until(USER).await.unwrap(), Some(1304));
    assert_eq!(store.locked_until("user:acme/grace").await.unwrap(), None, "others are not locked");
    fixture.pass(299_000);
    assert_eq!(store.failed(USER).await.unwrap(), Some(1304), "more failures do not prolong it");
    fixture.pass(1000);
    assert_eq!(store.locked_until(USER).await.unwrap(), None);
    for _ in 0..4 {
        assert_eq!(store.failed(USER).await.unwrap(), None, "it begins anew");
    }
    assert_eq!(store.failed(USER).await.unwrap(), Some(1304 + 300));
}

#[tokio::test]
async fn a_success_ends_the_row_and_the_lock_lasts_in_other_processes() {
    let fixture = Fixture::new().await;
    for _ in 0..4 {
        fixture.store.failed(USER).await.unwrap();
    }
    fixture.store.succeeded(USER).await.unwrap();
    for _ in 0..4 {
        assert_eq!(fixture.store.failed(USER).await.unwrap(), None);
    }
    assert_eq!(fixture.store.failed(USER).await.unwrap(), Some(1300));
    let other = fixture.open().await.unwrap();
    let other = other.with_clock(clew_store::Clock::new(|| 1_000_000));
    assert_eq!(other.locked_until(USER).await.unwrap(), Some(1300));
    other.succeeded(USER).await.unwrap();
    assert_eq!(fixture.store.locked_until(USER).await.unwrap(), None);
    fixture.store.succeeded("user:nobody/never").await.unwrap();
}

#[tokio::test]
async fn failures_far_apart_are_not_in_a_row_and_leave_nothing() {
    let fixture = Fixture::new().await;
    for _ in 0..10 {
        assert_eq!(fixture.store.failed(USER).await.unwrap(), None);
        fixture.pass(300_000);
    }
    for number in 0..50 {
        fixture.store.failed(&format!("user:acme/guess{number}")).await.unwrap();
    }
    assert_eq!(fixture.count("failures").await, 50);
    fixture.pass(300_000);
    fixture.store.failed(USER).await.unwrap();
    assert_eq!(fixture.count("failures").await, 1);
}
