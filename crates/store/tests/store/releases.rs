//! Databases of earlier releases: they are upgraded in place, and processes of those releases go on beside newer ones.

use std::os::unix::fs::PermissionsExt;

use clew_model::TaskStatus;
use clew_store::Store;
use sqlx::AssertSqlSafe;

use crate::every_kind;
use crate::place::{self, Place, RELEASES, Release};

/// A place with the database that the release left.
async fn as_it_was_left(release: &Release) -> Place {
    let place = Place::new().await;
    let data = place.folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let key = data.join("master.key");
    std::fs::write(&key, "07".repeat(32)).unwrap();
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o600)).unwrap();
    say(&place, release.database).await;
    place
}

async fn say(place: &Place, statements: &'static str) {
    let mut connection = place::connect(place.folder.path()).await;
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
}

#[tokio::test]
async fn a_database_of_each_release_is_upgraded_in_place() {
    for release in &RELEASES {
        let place = as_it_was_left(release).await;
        let location = || place::location(place.folder.path());
        let opened = tokio::join!(Store::open(location()), Store::open(location()));
        let (store, other) = (opened.0.unwrap(), opened.1.unwrap());
        every_kind::verify(&store).await;
        every_kind::goes_on(&store).await;
        assert!(other.verify_audit(&[]).await.unwrap().is_sound());
    }
}

#[tokio::test]
async fn processes_of_each_release_go_on_beside_those_of_this_one() {
    for release in &RELEASES {
        let place = as_it_was_left(release).await;
        let store = Store::open(place::location(place.folder.path())).await.unwrap();
        say(&place, release.statements).await;
        let task = async |number: u8| {
            let id = format!("realtime_session-00000000-0000-4000-8000-00000000000{number}-98e{number}");
            store.task(&id.parse().unwrap()).await.unwrap().unwrap()
        };
        assert_eq!(task(1).await.result.unwrap().name, "an older one.csv");
        assert_eq!((task(0).await.status, task(0).await.attempts), (TaskStatus::Queued, 0));
        assert_eq!(task(9).await.status, TaskStatus::Queued);
        let counts: Vec<_> = store.task_counts().await.unwrap().into_iter().map(|(_, count)| count).collect();
        assert_eq!(counts, [2, 0, 2, 1], "what older ones end is counted");
        let instances = store.all_instances().await.unwrap();
        assert_eq!(instances.iter().map(|instance| &*instance.name).collect::<Vec<_>>(), ["older", "shop"]);
        every_kind::goes_on(&store).await;
    }
}
