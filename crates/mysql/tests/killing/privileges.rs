//! What an account needs, and what it uses where it may not.

use clew_model::{Failure, FailureKind};
use clew_mysql::{KillKind, KillOutcome, Limits, find_sessions};
use clew_testkit::{Flavor, Server};

use super::{LONG, busy, chosen, connection_of, listed, server, try_end};

const KINDS: [KillKind; 2] = [KillKind::Connection, KillKind::Query];

/// What the failure says must be granted, granted as it stands there.
async fn paste_grant(server: &Server, failure: &Failure, privilege: &str) {
    assert_eq!(failure.kind, FailureKind::MissingPrivilege, "{failure}");
    let grant = failure.detail.split_once("GRANT ").unwrap().1;
    assert!(grant.starts_with(&format!("{privilege} ON *.* TO ")), "{failure}");
    server.run(&[&format!("GRANT {grant}")]).await.unwrap();
}

#[tokio::test]
async fn the_missing_privilege_is_named_with_its_grant() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let clew = server.url_for("clew", "");
        let (raw, session) = busy(&server, "app", LONG).await;
        let (kill, more) = match flavor {
            Flavor::MariaDb => ("CONNECTION ADMIN", None),
            Flavor::MySql => ("CONNECTION_ADMIN", Some("SYSTEM_USER")),
        };

        // What is not seen may be hidden: it is not said to be gone.
        let blind = find_sessions(&clew.parse().unwrap(), &[raw.id], &Limits::default()).await.unwrap_err();
        assert_eq!(blind.kind, FailureKind::MissingPrivilege);
        let hidden = try_end(&clew, &connection_of(&server, &session).await, KillKind::Connection).await.unwrap_err();
        paste_grant(&server, &hidden, "PROCESS").await;
        for kind in KINDS {
            let denied = try_end(&clew, &connection_of(&server, &session).await, kind).await.unwrap_err();
            assert!(denied.detail.contains(&format!("GRANT {kill} ON *.* TO 'clew'@'%';")), "{flavor}: {denied}");
        }
        assert_eq!(listed(&server, raw.id).await.unwrap().command, b"Query", "{flavor}");
        let denied = try_end(&clew, &connection_of(&server, &session).await, KillKind::Connection).await.unwrap_err();
        paste_grant(&server, &denied, kill).await;
        for kind in KINDS {
            let (_raw, session) = busy(&server, "app", LONG).await;
            assert_eq!(
                try_end(&clew, &chosen(&server, &session, kind).await, kind).await.unwrap(),
                KillOutcome::Killed,
                "{flavor}"
            );
        }
        let (_root, session) = busy(&server, "root", LONG).await;
        if let Some(more) = more {
            let denied =
                try_end(&clew, &connection_of(&server, &session).await, KillKind::Connection).await.unwrap_err();
            paste_grant(&server, &denied, more).await;
        }
        let outcome = try_end(&clew, &connection_of(&server, &session).await, KillKind::Connection).await.unwrap();
        assert_eq!(outcome, KillOutcome::Killed, "{flavor}");
    }
}

#[tokio::test]
async fn sessions_of_the_own_account_take_no_privilege() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        for kind in KINDS {
            let (_raw, session) = busy(&server, "clew", LONG).await;
            let outcome =
                try_end(&server.url_for("clew", ""), &chosen(&server, &session, kind).await, kind).await.unwrap();
            assert_eq!(outcome, KillOutcome::Killed, "{flavor} {kind:?}");
        }
    }
}

#[tokio::test]
async fn a_managed_servers_procedure_is_used_where_the_kill_is_denied() {
    for flavor in Flavor::ALL {
        for [connection, query] in [["rds_kill", "rds_kill_query"], ["az_kill", "az_kill_query"]] {
            let server = server(flavor).await;
            let clew = server.url_for("clew", "");
            let procedure = |name: &str, kill: &str| {
                format!(
                    "CREATE DEFINER = root@'%' PROCEDURE mysql.{name}(n BIGINT) SQL SECURITY DEFINER \
                     BEGIN INSERT INTO test_of.calls VALUES ('{name}'); {kill} n; END"
                )
            };
            let offered = [
                "CREATE DATABASE test_of".to_owned(),
                "CREATE TABLE test_of.calls (name VARCHAR(40) PRIMARY KEY)".to_owned(),
                procedure(connection, "KILL"),
                procedure(query, "KILL QUERY"),
                "GRANT PROCESS ON *.* TO clew@'%'".to_owned(),
            ];
            server.run(&offered.each_ref().map(String::as_str)).await.unwrap();
            let (raw, session) = busy(&server, "app", LONG).await;
            // There, but not for this account.
            let denied =
                try_end(&clew, &connection_of(&server, &session).await, KillKind::Connection).await.unwrap_err();
            assert_eq!(denied.kind, FailureKind::MissingPrivilege, "{flavor}: {denied}");
            assert_eq!(listed(&server, raw.id).await.unwrap().command, b"Query", "{flavor}");

            for (name, kind) in [(connection, KillKind::Connection), (query, KillKind::Query)] {
                server.run(&[&format!("GRANT EXECUTE ON PROCEDURE mysql.{name} TO clew@'%'")]).await.unwrap();
                let (_raw, session) = busy(&server, "app", LONG).await;
                assert_eq!(
                    try_end(&clew, &chosen(&server, &session, kind).await, kind).await.unwrap(),
                    KillOutcome::Killed,
                    "{flavor}"
                );
                assert_eq!(listed(&server, session.id).await.is_some(), kind == KillKind::Query, "{flavor}");
                // Fails where the procedure was not called.
                server.run(&[&format!("INSERT INTO test_of.calls VALUES ('{name}')")]).await.unwrap_err();
            }
        }
    }
}
