//! Failures in a row, and the lock that follows.

use clew_store::Reservation;

use crate::fixture::{Fixture, by};

const USER: &str = "user:acme/admin";
/// In milliseconds.
const DAY: i64 = 24 * 3600 * 1000;

#[tokio::test]
async fn the_fifth_failure_in_a_row_locks_for_five_minutes() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    for _ in 0..4 {
        assert_eq!(store.record_auth_failure(USER).await.unwrap(), None);
        fixture.pass(1000);
    }
    assert_eq!(store.locked_until(USER).await.unwrap(), None);
    assert_eq!(store.record_auth_failure(USER).await.unwrap(), Some(1004 + 300));
    assert_eq!(store.locked_until(USER).await.unwrap(), Some(1304));
    assert_eq!(store.locked_until("user:acme/grace").await.unwrap(), None, "others are not locked");
    fixture.pass(299_000);
    assert_eq!(store.record_auth_failure(USER).await.unwrap(), Some(1304), "more failures do not prolong it");
    fixture.pass(1000);
    assert_eq!(store.locked_until(USER).await.unwrap(), None);
    for _ in 0..4 {
        assert_eq!(store.record_auth_failure(USER).await.unwrap(), None, "it begins anew");
    }
    assert_eq!(store.record_auth_failure(USER).await.unwrap(), Some(1304 + 300));
}

#[tokio::test]
async fn a_success_ends_the_row_and_the_lock_lasts_in_other_processes() {
    let fixture = Fixture::new().await;
    for _ in 0..4 {
        fixture.store.record_auth_failure(USER).await.unwrap();
    }
    fixture.store.clear_auth_failures(USER).await.unwrap();
    for _ in 0..4 {
        assert_eq!(fixture.store.record_auth_failure(USER).await.unwrap(), None);
    }
    assert_eq!(fixture.store.record_auth_failure(USER).await.unwrap(), Some(1300));
    let other = fixture.open().await.unwrap();
    let other = other.with_clock(clew_store::Clock::new(|| 1_000_000));
    assert_eq!(other.locked_until(USER).await.unwrap(), Some(1300));
    other.clear_auth_failures(USER).await.unwrap();
    assert_eq!(fixture.store.locked_until(USER).await.unwrap(), None);
    fixture.store.clear_auth_failures("user:nobody/never").await.unwrap();
}

#[tokio::test]
async fn failures_far_apart_are_not_in_a_row_and_leave_nothing() {
    let fixture = Fixture::new().await;
    for _ in 0..10 {
        assert_eq!(fixture.store.record_auth_failure(USER).await.unwrap(), None);
        fixture.pass(300_000);
    }
    for number in 0..50 {
        fixture.store.record_auth_failure(&format!("user:acme/guess{number}")).await.unwrap();
    }
    assert_eq!(fixture.count("failures").await, 50);
    fixture.pass(300_000);
    fixture.store.record_auth_failure(USER).await.unwrap();
    assert_eq!(fixture.count("failures").await, 1);
}

/// Reserves an attempt, and confirms it as failed if it is granted. Returns whether it was.
async fn guess(store: clew_store::Store) -> bool {
    loop {
        match store.reserve_attempt(USER).await.unwrap() {
            Reservation::Granted => break,
            Reservation::Locked => return false,
            Reservation::Busy => tokio::task::yield_now().await,
        }
    }
    store.confirm_auth_failure(USER).await.unwrap();
    true
}

/// Guesses on all stores at the same time. Returns how many were granted.
async fn guesses(stores: &[clew_store::Store], each: usize) -> usize {
    let all = stores.iter().flat_map(|store| (0..each).map(|_| guess(store.clone())));
    futures_util::future::join_all(all).await.into_iter().filter(|granted| *granted).count()
}

#[tokio::test]
async fn of_attempts_at_the_same_time_five_are_granted() {
    let fixture = Fixture::new().await;
    let mut stores = vec![fixture.store.clone()];
    for _ in 0..2 {
        let other = fixture.open().await.unwrap();
        stores.push(other.with_clock(clew_store::Clock::new(|| 1_000_000)));
    }
    assert_eq!(guesses(&stores, 14).await, 5);
    assert_eq!(fixture.store.locked_until(USER).await.unwrap(), Some(1300));
    fixture.pass(300_000);
    assert_eq!(guesses(&stores[..1], 14).await, 5, "after the lock they are counted from the beginning");
}

#[tokio::test]
async fn a_reserved_attempt_counts_until_it_succeeds() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    for _ in 0..5 {
        assert_eq!(store.reserve_attempt(USER).await.unwrap(), Reservation::Granted);
    }
    // None has failed yet, so one may still succeed.
    assert_eq!(store.reserve_attempt(USER).await.unwrap(), Reservation::Busy);
    assert_eq!(store.locked_until(USER).await.unwrap(), None);
    store.clear_auth_failures(USER).await.unwrap();
    for _ in 0..5 {
        assert_eq!(store.reserve_attempt(USER).await.unwrap(), Reservation::Granted);
    }
    store.confirm_auth_failure(USER).await.unwrap();
    assert_eq!(store.reserve_attempt(USER).await.unwrap(), Reservation::Locked);
    assert_eq!(store.locked_until(USER).await.unwrap(), Some(1300));
    assert_eq!(store.reserve_attempt("user:acme/grace").await.unwrap(), Reservation::Granted, "others are not locked");
}

#[tokio::test]
async fn attempts_of_a_server_that_is_gone_count_as_failed() {
    let fixture = Fixture::new().await;
    for _ in 0..5 {
        assert_eq!(fixture.store.reserve_attempt(USER).await.unwrap(), Reservation::Granted);
    }
    fixture.pass(29_000);
    assert_eq!(fixture.store.reserve_attempt(USER).await.unwrap(), Reservation::Busy);
    fixture.pass(1000);
    assert_eq!(fixture.store.reserve_attempt(USER).await.unwrap(), Reservation::Locked);
    fixture.pass(300_000);
    assert_eq!(fixture.store.reserve_attempt(USER).await.unwrap(), Reservation::Granted);
}

#[tokio::test]
async fn addresses_of_a_user_are_known_for_ninety_days_and_the_last_sixty_four_are_kept() {
    let fixture = Fixture::new().await;
    let (store, user) = (&fixture.store, &fixture.founded.user_id);
    let knows = async |address: &str| store.is_known_address(user, address).await.unwrap();
    assert!(!knows("192.0.2.1").await);
    store.record_known_address(user, "192.0.2.1").await.unwrap();
    assert!(knows("192.0.2.1").await && !knows("192.0.2.2").await);
    let other = fixture.user("grace").await;
    assert!(!store.is_known_address(&other, "192.0.2.1").await.unwrap(), "another user's");
    // In use, it stays known; unused, it does not.
    fixture.pass(89 * DAY);
    store.record_known_address(user, "192.0.2.1").await.unwrap();
    fixture.pass(89 * DAY);
    assert!(knows("192.0.2.1").await);
    fixture.pass(DAY);
    assert!(!knows("192.0.2.1").await);
    for number in 0..80 {
        fixture.pass(DAY);
        store.record_known_address(user, &format!("198.51.100.{number}")).await.unwrap();
    }
    assert!(knows("198.51.100.79").await && knows("198.51.100.16").await && !knows("198.51.100.15").await);
    assert_eq!(fixture.count("known_addresses").await, 64);
    // Recorded by another process, and gone with the user.
    let reopened = fixture.open().await.unwrap().with_clock(clew_store::Clock::new(|| 1_000_000));
    assert!(reopened.is_known_address(user, "198.51.100.79").await.unwrap());
    store.record_known_address(&other, "192.0.2.9").await.unwrap();
    assert!(store.remove_user(&by(), &other).await.unwrap());
    assert_eq!(fixture.count("known_addresses").await, 64);
    store.record_known_address(&other, "192.0.2.10").await.unwrap();
    assert_eq!(fixture.count("known_addresses").await, 64, "no row of a user that is gone");
    // An address that this process has recorded today needs no query.
    fixture.sql("DELETE FROM known_addresses").await;
    assert!(knows("198.51.100.79").await && !knows("198.51.100.15").await);
}

#[tokio::test]
async fn more_addresses_than_are_stored_do_not_write_with_every_request() {
    let fixture = Fixture::new().await;
    let (store, user) = (&fixture.store, &fixture.founded.user_id);
    let address = |number: u32| format!("198.51.100.{number}");
    // Seconds 1000 to 1064, and again from 1065 on.
    for number in (0..65).chain(0..65) {
        store.record_known_address(user, &address(number)).await.unwrap();
        fixture.pass(1000);
    }
    assert_eq!(fixture.count("known_addresses").await, 64);
    assert_eq!(fixture.count("known_addresses WHERE last_at > 1064").await, 0, "no writes in the second round");
    assert!(store.is_known_address(user, &address(0)).await.unwrap());
    assert!(!store.is_known_address(user, &address(64)).await.unwrap());
    // The next day it replaces the one that was used longest ago.
    fixture.pass(DAY);
    store.record_known_address(user, &address(64)).await.unwrap();
    assert!(store.is_known_address(user, &address(64)).await.unwrap());
    assert!(!store.is_known_address(user, &address(0)).await.unwrap());
    assert_eq!(fixture.count("known_addresses").await, 64);
}
