//! Rollbacks are watched until they are over.

use clew_model::{Failure, FailureKind};
use clew_mysql::{KillKind, Limits, Rollback, read_rollbacks};
use clew_testkit::{Flavor, Server, big_transaction};

use super::{connection_of, end, listed, server};

async fn watch(server: &Server, wanted: Option<&[u64]>) -> Vec<Rollback> {
    read_rollbacks(&server.url().parse().unwrap(), wanted, &Limits::default()).await.unwrap()
}

#[tokio::test]
async fn a_rollback_is_watched_until_it_is_over() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let raw = big_transaction(&server, "app", 16).await.unwrap();
        // An open transaction is none that is undone.
        assert_eq!(watch(&server, None).await, [], "{flavor}");
        let session = listed(&server, raw.id).await.unwrap();
        end(&server, &connection_of(&server, &session).await, KillKind::Connection).await;

        let [first] = &watch(&server, None).await[..] else { panic!("{flavor}: not one rollback") };
        assert_eq!(first.session_id, raw.id, "{flavor}: {first:?}");
        assert!(first.rows_modified > 0 && first.remaining_seconds > 0, "{flavor}: {first:?}");
        assert!(first.started.starts_with("20") && first.started.len() == 19, "{flavor}: {first:?}");
        assert_eq!(watch(&server, Some(&[first.transaction_id + 1])).await, [], "{flavor}");

        let mut rows = first.rows_modified;
        while let Some(now) = watch(&server, Some(&[first.transaction_id])).await.pop() {
            assert_eq!((now.transaction_id, now.session_id), (first.transaction_id, raw.id), "{flavor}: {now:?}");
            assert!(now.rows_modified <= rows, "{flavor}: {now:?} after {rows} rows");
            rows = now.rows_modified;
        }
        assert!(rows < first.rows_modified, "{flavor}: never seen twice, {first:?}");
    }
}

#[tokio::test]
async fn who_may_not_look_is_told_what_to_grant() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let url = server.url().replace("root@", "clew@").parse().unwrap();
        let refused: Failure = read_rollbacks(&url, None, &Limits::default()).await.unwrap_err();
        assert_eq!(refused.kind, FailureKind::MissingPrivilege, "{flavor}: {refused}");
        assert!(refused.detail.contains("GRANT PROCESS ON *.* TO"), "{flavor}: {refused}");
    }
}
