//! What a kill does to whom it was meant for.

use clew_mysql::{KillKind, KillOutcome, Refusal};
use clew_testkit::Flavor;

use super::{LONG, busy, connection_of, end, idle, listed, open, server, statement_of};

#[tokio::test]
async fn a_killed_connection_is_gone() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let (mut raw, session) = busy(&server, "app", LONG).await;
        assert_eq!(
            end(&server, &statement_of(&server, &session).await, KillKind::Connection).await,
            KillOutcome::Killed,
            "{flavor}"
        );
        assert!(listed(&server, raw.id).await.is_none(), "{flavor}");
        let _ = raw.answer().await;
        raw.run("DO 1").await.unwrap_err();

        let (mut raw, session) = idle(&server, "app").await;
        assert_eq!(
            end(&server, &connection_of(&server, &session).await, KillKind::Connection).await,
            KillOutcome::Killed,
            "{flavor}"
        );
        raw.run("DO 1").await.unwrap_err();
    }
}

#[tokio::test]
async fn a_killed_statement_ends_and_its_session_goes_on() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let (mut raw, session) = busy(&server, "app", LONG).await;
        assert_eq!(
            end(&server, &statement_of(&server, &session).await, KillKind::Query).await,
            KillOutcome::Killed,
            "{flavor}"
        );
        let _ = raw.answer().await;
        raw.run("DO 1").await.unwrap();
        assert_eq!(listed(&server, raw.id).await.unwrap().host, session.host, "{flavor}");
    }
}

#[tokio::test]
async fn a_statement_of_an_idle_session_is_not_killed_and_the_advice_is_to_kill_the_connection() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let (mut raw, session) = idle(&server, "app").await;
        for victim in [statement_of(&server, &session).await, connection_of(&server, &session).await] {
            let outcome = end(&server, &victim, KillKind::Query).await;
            assert_eq!(outcome, KillOutcome::Refused(Refusal::Idle), "{flavor}");
            assert!(outcome.to_string().contains("kill the connection"), "{outcome}");
        }
        // A kill that was sent all the same would hit the next statement.
        raw.run("DO 1").await.unwrap();
    }
}

#[tokio::test]
async fn what_is_gone_already_is_no_failure() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let (raw, session) = idle(&server, "app").await;
        drop(raw);
        while listed(&server, session.id).await.is_some() {}
        for kind in [KillKind::Connection, KillKind::Query] {
            assert_eq!(
                end(&server, &connection_of(&server, &session).await, kind).await,
                KillOutcome::AlreadyGone,
                "{flavor}"
            );
        }
    }
}

#[tokio::test]
async fn a_big_transaction_is_said_to_roll_back() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let filled = [
            "CREATE DATABASE shop",
            "CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY, a INT, KEY (a))",
            "GRANT ALL ON shop.* TO app@'%'",
        ];
        server.run(&filled).await.unwrap();
        let mut raw = open(&server, "app").await;
        raw.run("START TRANSACTION").await.unwrap();
        raw.run("INSERT INTO shop.t (a) VALUES (1), (2), (3), (4), (5), (6), (7), (8)").await.unwrap();
        for _ in 0..14 {
            raw.run("INSERT INTO shop.t (a) SELECT (a * 7 + id) % 100003 FROM shop.t").await.unwrap();
        }
        let session = listed(&server, raw.id).await.unwrap();
        let outcome = end(&server, &connection_of(&server, &session).await, KillKind::Connection).await;
        let KillOutcome::RollingBack { rows_modified } = outcome else { panic!("{flavor}: {outcome}") };
        assert!(rows_modified > 0, "{flavor}: {outcome}");
        // Killing it once more says the same, with less to go, unless it is done.
        match end(&server, &connection_of(&server, &session).await, KillKind::Connection).await {
            KillOutcome::RollingBack { rows_modified: left } => assert!(left <= rows_modified, "{flavor}: {left}"),
            other => assert!(matches!(other, KillOutcome::Killed | KillOutcome::AlreadyGone), "{flavor}: {other}"),
        }
    }
}
