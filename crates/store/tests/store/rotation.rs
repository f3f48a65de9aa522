//! Rotation of the master key: nothing is lost, whatever happens on the way, and nothing is left that the old key opens.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use clew_store::{AuditFilter, FirstTenant, Store, StoreError};
use secrecy::ExposeSecret;

use crate::fixture::{Fixture, SECRET_KEY, by, claim, tenant};
use crate::place::{self, Place, SHARED};
use crate::{child, every_kind};

/// A store with a row of every kind.
async fn filled(place: &Place) -> Store {
    let admin = FirstTenant { password_hash: "$argon2id$admin".into(), ..tenant() };
    let (store, founded) = Store::initialise(&by(), place::location(place.folder.path()), admin).await.unwrap();
    every_kind::fill(&store, &founded).await;
    store
}

fn key(folder: &Path, name: &str) -> Option<String> {
    std::fs::read_to_string(folder.join("data").join(name)).ok()
}

#[tokio::test]
async fn everything_opens_with_the_new_key_and_nothing_with_the_old_one() {
    let place = Place::new().await;
    let folder = place.folder.path();
    let store = filled(&place).await;
    let before = store.verify_audit(&[]).await.unwrap();
    let old = key(folder, "master.key").unwrap();
    let rotated = Store::rotate_master_key(&by(), place::location(folder)).await.unwrap();
    assert_eq!((rotated.sealed, rotated.damaged), (4, 0), "two keys and two passwords");
    assert_ne!(key(folder, "master.key").unwrap(), old);
    assert_eq!(key(folder, "master.key.next"), None);

    let after = Store::open(place::location(folder)).await.unwrap();
    every_kind::verify(&after).await;
    let audit = after.verify_audit(&[]).await.unwrap();
    let links = after.audit(&AuditFilter::default(), 0, 1000).await.unwrap();
    assert_eq!((audit.rows, &links[links.len() - 2].link), (before.rows + 1, &before.newest), "old links stay");
    assert_eq!(links[links.len() - 1].event.operation, "RotateMasterKey");
    every_kind::goes_on(&after).await;

    // Again, and with rows under each of the keys removed.
    Store::rotate_master_key(&by(), place::location(folder)).await.unwrap();
    let third = Store::open(place::location(folder)).await.unwrap();
    assert!(third.verify_audit(&[]).await.unwrap().is_sound());
    assert!(third.prune_audit(&by(), i64::MAX).await.unwrap() > before.rows);
    assert!(third.verify_audit(&[]).await.unwrap().is_sound());

    std::fs::write(folder.join("data/master.key"), old).unwrap();
    assert!(matches!(Store::open(place::location(folder)).await, Err(StoreError::WrongMasterKey)));
}

#[tokio::test]
async fn who_still_has_the_old_key_writes_nothing_with_it() {
    let fixture = Fixture::new().await;
    let running = fixture.open().await.unwrap();
    running.insert_task(&fixture.new_task(&clew_model::NodeId::generate()), 9).await.unwrap();
    Store::rotate_master_key(&by(), place::location(fixture.folder())).await.unwrap();
    let rotated = |error: Option<StoreError>| matches!(error, Some(StoreError::MasterKeyRotated));
    assert!(rotated(running.ping().await.err()));
    assert!(rotated(running.create_domain(&by(), "other").await.err()));
    assert!(rotated(running.access_key(&tenant().access_key).await.err()));
    assert!(rotated(running.verify_audit(&[]).await.err()));
    // Where several processes share a database, one with the old key could read no node.
    assert_eq!(rotated(claim(&running, Duration::from_secs(9), 1).await.err()), SHARED);
    let event = clew_model::AuditEvent::done(&by(), "Test", "test");
    let recorded = running.record(&event).await.unwrap_err().to_string();
    assert!(recorded.contains("the master key was rotated"), "{recorded}");

    let after = fixture.open().await.unwrap();
    assert!(after.verify_audit(&[]).await.unwrap().is_sound());
    let opened = after.access_key(&tenant().access_key).await.unwrap().unwrap();
    assert_eq!(opened.secret.expose_secret(), SECRET_KEY);
}

#[tokio::test]
async fn a_row_under_an_earlier_key_that_was_changed_is_found() {
    let place = Place::new().await;
    drop(filled(&place).await);
    Store::rotate_master_key(&by(), place::location(place.folder.path())).await.unwrap();
    let mut connection = place::connect(place.folder.path()).await;
    let change = "DROP TRIGGER audit_stays_as_it_is; UPDATE audit SET target = 'other' WHERE seq = 3";
    sqlx::raw_sql(sqlx::AssertSqlSafe(place::spoken(change))).execute(&mut connection).await.unwrap();
    let after = Store::open(place::location(place.folder.path())).await.unwrap();
    let found = after.verify_audit(&[]).await.unwrap();
    assert_eq!(found.problems.iter().map(|problem| problem.position).collect::<Vec<_>>(), [3]);
}

/// The database is on the new key, the folder is not: a crash in between, or another machine to which the next key was brought.
#[tokio::test]
async fn whoever_finds_that_only_the_next_key_fits_takes_it() {
    let place = Place::new().await;
    let folder = place.folder.path();
    drop(filled(&place).await);
    let data = folder.join("data");
    let prepared = Store::prepare_rotation(place::location(folder)).unwrap();
    assert_eq!(prepared, data.join("master.key.next"));
    let (old, next) = (key(folder, "master.key").unwrap(), key(folder, "master.key.next").unwrap());
    assert_eq!(Store::prepare_rotation(place::location(folder)).unwrap(), prepared, "made once");
    every_kind::verify(&Store::open(place::location(folder)).await.unwrap()).await;
    assert_eq!(key(folder, "master.key.next").as_ref(), Some(&next), "it is not its time yet");
    Store::rotate_master_key(&by(), place::location(folder)).await.unwrap();
    assert_eq!(key(folder, "master.key").as_ref(), Some(&next));

    std::fs::rename(data.join("master.key"), data.join("master.key.next")).unwrap();
    let kept: Vec<_> = std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path()).collect();
    let kept = kept.iter().find(|path| path.to_string_lossy().contains("master.key.before-")).unwrap();
    assert_eq!(std::fs::read_to_string(kept).unwrap(), old);
    std::fs::copy(kept, data.join("master.key")).unwrap();
    every_kind::verify(&Store::open(place::location(folder)).await.unwrap()).await;
    assert_eq!((key(folder, "master.key"), key(folder, "master.key.next")), (Some(next), None));
}

#[tokio::test]
async fn a_rotation_that_is_killed_at_any_moment_loses_nothing() {
    const TEST: &str = "contract::rotation::a_rotation_that_is_killed_at_any_moment_loses_nothing";
    if let Some(folder) = child::folder() {
        loop {
            Store::rotate_master_key(&by(), place::location(&folder)).await.unwrap();
        }
    }
    let place = Place::new().await;
    drop(filled(&place).await);
    for moment in 0..24 {
        let mut command = child::command(TEST, place.folder.path(), &[]);
        let mut killed = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(60 + moment * 9)).await;
        killed.kill().unwrap();
        killed.wait().unwrap();
        every_kind::verify(&Store::open(place::location(place.folder.path())).await.unwrap()).await;
    }
    let store = Store::open(place::location(place.folder.path())).await.unwrap();
    let filter = AuditFilter { operation: Some("RotateMasterKey".into()), ..AuditFilter::default() };
    assert!(store.audit(&filter, 0, 1000).await.unwrap().len() > 3, "it was killed before it began");
}

#[tokio::test]
async fn what_is_served_from_a_folder_is_not_rotated() {
    let fixture = Fixture::new().await;
    let _lock = fixture.store.lock_for_serving().unwrap();
    let refused = Store::rotate_master_key(&by(), place::location(fixture.folder())).await;
    assert!(matches!(refused, Err(StoreError::AlreadyServing { .. })), "{refused:?}");
    assert_eq!(key(fixture.folder(), "master.key.next"), None);
}
