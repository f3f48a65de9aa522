//! Consecutive authentication failures and lockouts.

use clew_store::AuthAttemptReservation;
use rstest::rstest;

use crate::database::Database;
use crate::fixture::{Fixture, origin};

const USER: &str = "user:acme/admin";
/// Length of a day in milliseconds.
const DAY: i64 = 24 * 3600 * 1000;

#[rstest]
#[tokio::test]
async fn fifth_consecutive_failure_locks_for_five_minutes(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let store = &fixture.store;
    for _ in 0..4 {
        assert_eq!(store.lockouts().record_auth_failure(USER).await.unwrap(), None);
        fixture.advance_clock(1000);
    }
    assert_eq!(store.lockouts().find_lockout_end(USER).await.unwrap(), None);
    assert_eq!(store.lockouts().record_auth_failure(USER).await.unwrap(), Some(1004 + 300));
    assert_eq!(store.lockouts().find_lockout_end(USER).await.unwrap(), Some(1304));
    assert_eq!(store.lockouts().find_lockout_end("user:acme/grace").await.unwrap(), None, "others are not locked");
    fixture.advance_clock(299_000);
    assert_eq!(
        store.lockouts().record_auth_failure(USER).await.unwrap(),
        Some(1304),
        "further failures do not extend the lock"
    );
    fixture.advance_clock(1000);
    assert_eq!(store.lockouts().find_lockout_end(USER).await.unwrap(), None);
    for _ in 0..4 {
        assert_eq!(store.lockouts().record_auth_failure(USER).await.unwrap(), None, "the count restarts");
    }
    assert_eq!(store.lockouts().record_auth_failure(USER).await.unwrap(), Some(1304 + 300));
}

#[rstest]
#[tokio::test]
async fn success_clears_failures_and_lock_applies_to_other_processes(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    for _ in 0..4 {
        fixture.store.lockouts().record_auth_failure(USER).await.unwrap();
    }
    fixture.store.lockouts().clear_auth_failures(USER).await.unwrap();
    for _ in 0..4 {
        assert_eq!(fixture.store.lockouts().record_auth_failure(USER).await.unwrap(), None);
    }
    assert_eq!(fixture.store.lockouts().record_auth_failure(USER).await.unwrap(), Some(1300));
    let other = fixture.open().await.unwrap();
    let other = other.with_clock(clew_store::Clock::new(|| 1_000_000));
    assert_eq!(other.lockouts().find_lockout_end(USER).await.unwrap(), Some(1300));
    other.lockouts().clear_auth_failures(USER).await.unwrap();
    assert_eq!(fixture.store.lockouts().find_lockout_end(USER).await.unwrap(), None);
    fixture.store.lockouts().clear_auth_failures("user:unknown/never").await.unwrap();
}

#[rstest]
#[tokio::test]
async fn failures_far_apart_are_not_consecutive_and_are_deleted(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    for _ in 0..10 {
        assert_eq!(fixture.store.lockouts().record_auth_failure(USER).await.unwrap(), None);
        fixture.advance_clock(300_000);
    }
    for number in 0..50 {
        fixture.store.lockouts().record_auth_failure(&format!("user:acme/guess{number}")).await.unwrap();
    }
    assert_eq!(fixture.count("failures").await, 50);
    fixture.advance_clock(300_000);
    fixture.store.lockouts().record_auth_failure(USER).await.unwrap();
    assert_eq!(fixture.count("failures").await, 1);
}

/// Reserves an attempt and confirms its failure. Returns true if the attempt was granted.
async fn reserve_and_fail_attempt(store: clew_store::Store) -> bool {
    loop {
        match store.lockouts().reserve_auth_attempt(USER).await.unwrap() {
            AuthAttemptReservation::Granted => break,
            AuthAttemptReservation::Locked => return false,
            AuthAttemptReservation::Busy => tokio::task::yield_now().await,
        }
    }
    store.lockouts().confirm_auth_attempt_failure(USER).await.unwrap();
    true
}

/// Makes concurrent failing attempts on all stores. Returns the number of granted attempts.
async fn count_granted(stores: &[clew_store::Store], each: usize) -> usize {
    let all = stores.iter().flat_map(|store| (0..each).map(|_| reserve_and_fail_attempt(store.clone())));
    futures_util::future::join_all(all).await.into_iter().filter(|granted| *granted).count()
}

#[rstest]
#[tokio::test]
async fn at_most_five_concurrent_attempts_are_granted(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let mut stores = vec![fixture.store.clone()];
    for _ in 0..2 {
        let other = fixture.open().await.unwrap();
        stores.push(other.with_clock(clew_store::Clock::new(|| 1_000_000)));
    }
    assert_eq!(count_granted(&stores, 14).await, 5);
    assert_eq!(fixture.store.lockouts().find_lockout_end(USER).await.unwrap(), Some(1300));
    fixture.advance_clock(300_000);
    assert_eq!(count_granted(&stores[..1], 14).await, 5, "the count restarts after the lock");
}

#[rstest]
#[tokio::test]
async fn reserved_attempt_counts_as_failure_until_success(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let store = &fixture.store;
    for _ in 0..5 {
        assert_eq!(store.lockouts().reserve_auth_attempt(USER).await.unwrap(), AuthAttemptReservation::Granted);
    }
    // No attempt has failed so far, so an attempt may still succeed.
    assert_eq!(store.lockouts().reserve_auth_attempt(USER).await.unwrap(), AuthAttemptReservation::Busy);
    assert_eq!(store.lockouts().find_lockout_end(USER).await.unwrap(), None);
    store.lockouts().clear_auth_failures(USER).await.unwrap();
    for _ in 0..5 {
        assert_eq!(store.lockouts().reserve_auth_attempt(USER).await.unwrap(), AuthAttemptReservation::Granted);
    }
    store.lockouts().confirm_auth_attempt_failure(USER).await.unwrap();
    assert_eq!(store.lockouts().reserve_auth_attempt(USER).await.unwrap(), AuthAttemptReservation::Locked);
    assert_eq!(store.lockouts().find_lockout_end(USER).await.unwrap(), Some(1300));
    assert_eq!(
        store.lockouts().reserve_auth_attempt("user:acme/grace").await.unwrap(),
        AuthAttemptReservation::Granted,
        "others are not locked"
    );
}

#[rstest]
#[tokio::test]
async fn reservations_of_a_terminated_process_count_as_failures(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    for _ in 0..5 {
        assert_eq!(fixture.store.lockouts().reserve_auth_attempt(USER).await.unwrap(), AuthAttemptReservation::Granted);
    }
    fixture.advance_clock(29_000);
    assert_eq!(fixture.store.lockouts().reserve_auth_attempt(USER).await.unwrap(), AuthAttemptReservation::Busy);
    fixture.advance_clock(1000);
    assert_eq!(fixture.store.lockouts().reserve_auth_attempt(USER).await.unwrap(), AuthAttemptReservation::Locked);
    fixture.advance_clock(300_000);
    assert_eq!(fixture.store.lockouts().reserve_auth_attempt(USER).await.unwrap(), AuthAttemptReservation::Granted);
}

fn address(text: &str) -> std::net::IpAddr {
    text.parse().unwrap()
}

#[rstest]
#[tokio::test]
async fn last_64_addresses_are_stored_for_90_days(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let (store, user) = (&fixture.store, &fixture.initial_ids.user_id);
    let is_recorded = async |text: &str| store.lockouts().is_known_client_address(user, address(text)).await.unwrap();
    assert!(!is_recorded("192.0.2.1").await);
    store.lockouts().record_client_address(user, address("192.0.2.1")).await.unwrap();
    assert!(is_recorded("192.0.2.1").await && !is_recorded("192.0.2.2").await);
    let other = fixture.user("grace").await;
    assert!(
        !store.lockouts().is_known_client_address(&other, address("192.0.2.1")).await.unwrap(),
        "an address of another user"
    );
    // A used address stays recorded. An unused address expires.
    fixture.advance_clock(89 * DAY);
    store.lockouts().record_client_address(user, address("192.0.2.1")).await.unwrap();
    fixture.advance_clock(89 * DAY);
    assert!(is_recorded("192.0.2.1").await);
    fixture.advance_clock(DAY);
    assert!(!is_recorded("192.0.2.1").await);
    for number in 0..80 {
        fixture.advance_clock(DAY);
        store.lockouts().record_client_address(user, address(&format!("198.51.100.{number}"))).await.unwrap();
    }
    assert!(
        is_recorded("198.51.100.79").await && is_recorded("198.51.100.16").await && !is_recorded("198.51.100.15").await
    );
    assert_eq!(fixture.count("known_addresses").await, 64);
    // Addresses are visible to other processes. Removing the user removes the addresses.
    let reopened = fixture.open().await.unwrap().with_clock(clew_store::Clock::new(|| 1_000_000));
    assert!(reopened.lockouts().is_known_client_address(user, address("198.51.100.79")).await.unwrap());
    store.lockouts().record_client_address(&other, address("192.0.2.9")).await.unwrap();
    assert!(store.identities().remove_user(&origin(), &other).await.unwrap());
    assert_eq!(fixture.count("known_addresses").await, 64);
    store.lockouts().record_client_address(&other, address("192.0.2.10")).await.unwrap();
    assert_eq!(fixture.count("known_addresses").await, 64, "no row for a removed user");
    // An address that this process has recorded today needs no query.
    fixture.sql("DELETE FROM known_addresses").await;
    let is_up_to_date =
        |text: &str| store.lockouts().find_recently_recorded_client_address(user, address(text)).is_some();
    assert!(is_up_to_date("198.51.100.79") && !is_up_to_date("198.51.100.15"));
}

#[rstest]
#[tokio::test]
async fn excess_addresses_do_not_write_with_every_request(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let (store, user) = (&fixture.store, &fixture.initial_ids.user_id);
    let numbered = |number: u32| address(&format!("198.51.100.{number}"));
    // The first round takes seconds 1000 to 1064. The second round starts at second 1065.
    for number in (0..65).chain(0..65) {
        store.lockouts().record_client_address(user, numbered(number)).await.unwrap();
        fixture.advance_clock(1000);
    }
    assert_eq!(fixture.count("known_addresses").await, 64);
    assert_eq!(fixture.count("known_addresses WHERE last_at > 1064").await, 0, "no writes in the second round");
    assert!(store.lockouts().is_known_client_address(user, numbered(0)).await.unwrap());
    assert!(!store.lockouts().is_known_client_address(user, numbered(64)).await.unwrap());
    // The next day, the new address replaces the least recently used address.
    fixture.advance_clock(DAY);
    store.lockouts().record_client_address(user, numbered(64)).await.unwrap();
    assert!(store.lockouts().is_known_client_address(user, numbered(64)).await.unwrap());
    assert!(!store.lockouts().is_known_client_address(user, numbered(0)).await.unwrap());
    assert_eq!(fixture.count("known_addresses").await, 64);
}
