//! Outcomes of kills of sessions and statements.

use clew_mysql::{KillOutcome, KillRefusal, KillTarget};
use clew_testkit::Flavor;

use super::{
    LONG, busy_session, connection_victim, find_session, idle_session, kill_as_root, open_session, server,
    statement_victim,
};

#[tokio::test]
async fn killed_connection_is_gone() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let (mut raw, session) = busy_session(&server, "app", LONG).await;
        assert_eq!(
            kill_as_root(&server, &statement_victim(&server, &session).await, KillTarget::Connection).await,
            KillOutcome::Killed,
            "{flavor}"
        );
        assert!(find_session(&server, raw.id).await.is_none(), "{flavor}");
        let _ = raw.wait_for_response().await;
        raw.execute("DO 1").await.unwrap_err();

        let (mut raw, session) = idle_session(&server, "app").await;
        assert_eq!(
            kill_as_root(&server, &connection_victim(&server, &session).await, KillTarget::Connection).await,
            KillOutcome::Killed,
            "{flavor}"
        );
        raw.execute("DO 1").await.unwrap_err();
    }
}

#[tokio::test]
async fn killed_statement_ends_and_its_session_continues() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let (mut raw, session) = busy_session(&server, "app", LONG).await;
        assert_eq!(
            kill_as_root(&server, &statement_victim(&server, &session).await, KillTarget::Query).await,
            KillOutcome::Killed,
            "{flavor}"
        );
        let _ = raw.wait_for_response().await;
        raw.execute("DO 1").await.unwrap();
        assert_eq!(find_session(&server, raw.id).await.unwrap().host, session.host, "{flavor}");
    }
}

#[tokio::test]
async fn statement_kill_of_an_idle_session_is_refused_with_advice() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let (mut raw, session) = idle_session(&server, "app").await;
        for victim in [statement_victim(&server, &session).await, connection_victim(&server, &session).await] {
            let outcome = kill_as_root(&server, &victim, KillTarget::Query).await;
            assert_eq!(outcome, KillOutcome::Refused(KillRefusal::Idle), "{flavor}");
            assert!(outcome.to_string().contains("kill the connection"), "{outcome}");
        }
        // A kill sent nevertheless would hit the next statement.
        raw.execute("DO 1").await.unwrap();
    }
}

#[tokio::test]
async fn kill_of_an_ended_session_is_no_failure() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let (raw, session) = idle_session(&server, "app").await;
        drop(raw);
        while find_session(&server, session.id).await.is_some() {}
        for kind in [KillTarget::Connection, KillTarget::Query] {
            assert_eq!(
                kill_as_root(&server, &connection_victim(&server, &session).await, kind).await,
                KillOutcome::AlreadyGone,
                "{flavor}"
            );
        }
    }
}

#[tokio::test]
async fn kill_of_a_large_transaction_reports_its_rollback() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let filled = [
            "CREATE DATABASE shop",
            "CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY, a INT, KEY (a))",
            "GRANT ALL ON shop.* TO app@'%'",
        ];
        server.run_statements(&filled).await.unwrap();
        let mut raw = open_session(&server, "app").await;
        raw.execute("START TRANSACTION").await.unwrap();
        raw.execute("INSERT INTO shop.t (a) VALUES (1), (2), (3), (4), (5), (6), (7), (8)").await.unwrap();
        for _ in 0..14 {
            raw.execute("INSERT INTO shop.t (a) SELECT (a * 7 + id) % 100003 FROM shop.t").await.unwrap();
        }
        let session = find_session(&server, raw.id).await.unwrap();
        let outcome = kill_as_root(&server, &connection_victim(&server, &session).await, KillTarget::Connection).await;
        let KillOutcome::RollingBack { rows_modified } = outcome else { panic!("{flavor}: {outcome}") };
        assert!(rows_modified > 0, "{flavor}: {outcome}");
        // A second kill has the same outcome with fewer rows, unless the rollback is done.
        match kill_as_root(&server, &connection_victim(&server, &session).await, KillTarget::Connection).await {
            KillOutcome::RollingBack { rows_modified: left } => assert!(left <= rows_modified, "{flavor}: {left}"),
            other => assert!(matches!(other, KillOutcome::Killed | KillOutcome::AlreadyGone), "{flavor}: {other}"),
        }
    }
}
