//! Progress of rollbacks until their end.

use clew_model::{Failure, FailureKind};
use clew_mysql::{KillTarget, Rollback, read_rollbacks};
use clew_testkit::{DatabaseServer, Flavor, begin_large_transaction};

use super::{connection_victim, connector, find_session, kill_as_root, server};

async fn read_progress(server: &DatabaseServer, wanted: Option<&[u64]>) -> Vec<Rollback> {
    read_rollbacks(&server.url().parse().unwrap(), wanted, &connector()).await.unwrap()
}

#[tokio::test]
async fn rollback_progress_is_read_until_it_ends() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let raw = begin_large_transaction(&server, "app", 16).await.unwrap();
        // An open transaction is no rollback.
        assert_eq!(read_progress(&server, None).await, [], "{flavor}");
        let session = find_session(&server, raw.id).await.unwrap();
        kill_as_root(&server, &connection_victim(&server, &session).await, KillTarget::Connection).await;

        let [first] = &read_progress(&server, None).await[..] else { panic!("{flavor}: not one rollback") };
        assert_eq!(first.session_id, raw.id, "{flavor}: {first:?}");
        assert!(first.rows_modified > 0 && first.remaining_seconds > 0, "{flavor}: {first:?}");
        assert!(first.started.starts_with("20") && first.started.len() == 19, "{flavor}: {first:?}");
        assert_eq!(read_progress(&server, Some(&[first.transaction_id + 1])).await, [], "{flavor}");

        let mut rows = first.rows_modified;
        while let Some(now) = read_progress(&server, Some(&[first.transaction_id])).await.pop() {
            assert_eq!((now.transaction_id, now.session_id), (first.transaction_id, raw.id), "{flavor}: {now:?}");
            assert!(now.rows_modified <= rows, "{flavor}: {now:?} after {rows} rows");
            rows = now.rows_modified;
        }
        assert!(rows < first.rows_modified, "{flavor}: no progress, {first:?}");
    }
}

#[tokio::test]
async fn missing_privilege_for_rollbacks_is_reported_with_its_grant() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let url = server.url().replace("root@", "clew@").parse().unwrap();
        let refused: Failure = read_rollbacks(&url, None, &connector()).await.unwrap_err();
        assert_eq!(refused.kind, FailureKind::MissingPrivilege, "{flavor}: {refused}");
        assert!(refused.detail.contains("GRANT PROCESS ON *.* TO"), "{flavor}: {refused}");
    }
}
