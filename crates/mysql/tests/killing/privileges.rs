//! Privileges required for kills, and procedures of managed servers as a replacement.

use clew_model::{Failure, FailureKind};
use clew_mysql::{KillOutcome, KillTarget, find_sessions_by_id};
use clew_testkit::{DatabaseServer, Flavor};

use super::{LONG, busy_session, connection_victim, connector, find_session, server, try_kill, victim_of_kind};

const KINDS: [KillTarget; 2] = [KillTarget::Connection, KillTarget::Query];

/// Runs the `GRANT` statement of the failure unchanged.
async fn paste_grant(server: &DatabaseServer, failure: &Failure, privilege: &str) {
    assert_eq!(failure.kind, FailureKind::MissingPrivilege, "{failure}");
    let grant = failure.detail.split_once("GRANT ").unwrap().1;
    assert!(grant.starts_with(&format!("{privilege} ON *.* TO ")), "{failure}");
    server.run_statements(&[&format!("GRANT {grant}")]).await.unwrap();
}

#[tokio::test]
async fn missing_privilege_is_reported_with_its_grant() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let clew = server.url_for_account("clew", "");
        let (raw, session) = busy_session(&server, "app", LONG).await;
        let (kill, more) = match flavor {
            Flavor::MariaDb => ("CONNECTION ADMIN", None),
            Flavor::MySql => ("CONNECTION_ADMIN", Some("SYSTEM_USER")),
        };

        // An invisible session may be hidden: it is not reported as gone.
        let invisible = find_sessions_by_id(&clew.parse().unwrap(), &[raw.id], &connector()).await.unwrap_err();
        assert_eq!(invisible.kind, FailureKind::MissingPrivilege);
        let hidden =
            try_kill(&clew, &connection_victim(&server, &session).await, KillTarget::Connection).await.unwrap_err();
        paste_grant(&server, &hidden, "PROCESS").await;
        for kind in KINDS {
            let denied = try_kill(&clew, &connection_victim(&server, &session).await, kind).await.unwrap_err();
            assert!(denied.detail.contains(&format!("GRANT {kill} ON *.* TO 'clew'@'%';")), "{flavor}: {denied}");
        }
        assert_eq!(find_session(&server, raw.id).await.unwrap().command, b"Query", "{flavor}");
        let denied =
            try_kill(&clew, &connection_victim(&server, &session).await, KillTarget::Connection).await.unwrap_err();
        paste_grant(&server, &denied, kill).await;
        for kind in KINDS {
            let (_raw, session) = busy_session(&server, "app", LONG).await;
            assert_eq!(
                try_kill(&clew, &victim_of_kind(&server, &session, kind).await, kind).await.unwrap(),
                KillOutcome::Killed,
                "{flavor}"
            );
        }
        let (_root, session) = busy_session(&server, "root", LONG).await;
        if let Some(more) = more {
            let denied =
                try_kill(&clew, &connection_victim(&server, &session).await, KillTarget::Connection).await.unwrap_err();
            paste_grant(&server, &denied, more).await;
        }
        let outcome =
            try_kill(&clew, &connection_victim(&server, &session).await, KillTarget::Connection).await.unwrap();
        assert_eq!(outcome, KillOutcome::Killed, "{flavor}");
    }
}

#[tokio::test]
async fn kills_of_the_same_account_need_no_privilege() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        for kind in KINDS {
            let (_raw, session) = busy_session(&server, "clew", LONG).await;
            let outcome =
                try_kill(&server.url_for_account("clew", ""), &victim_of_kind(&server, &session, kind).await, kind)
                    .await
                    .unwrap();
            assert_eq!(outcome, KillOutcome::Killed, "{flavor} {kind:?}");
        }
    }
}

#[tokio::test]
async fn managed_server_procedure_replaces_a_denied_kill() {
    for flavor in Flavor::ALL {
        for [connection, query] in [["rds_kill", "rds_kill_query"], ["az_kill", "az_kill_query"]] {
            let server = server(flavor).await;
            let clew = server.url_for_account("clew", "");
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
            server.run_statements(&offered.each_ref().map(String::as_str)).await.unwrap();
            let (raw, session) = busy_session(&server, "app", LONG).await;
            // The procedure exists, but the account is not allowed to execute it.
            let denied =
                try_kill(&clew, &connection_victim(&server, &session).await, KillTarget::Connection).await.unwrap_err();
            assert_eq!(denied.kind, FailureKind::MissingPrivilege, "{flavor}: {denied}");
            assert_eq!(find_session(&server, raw.id).await.unwrap().command, b"Query", "{flavor}");

            for (name, kind) in [(connection, KillTarget::Connection), (query, KillTarget::Query)] {
                server
                    .run_statements(&[&format!("GRANT EXECUTE ON PROCEDURE mysql.{name} TO clew@'%'")])
                    .await
                    .unwrap();
                let (_raw, session) = busy_session(&server, "app", LONG).await;
                assert_eq!(
                    try_kill(&clew, &victim_of_kind(&server, &session, kind).await, kind).await.unwrap(),
                    KillOutcome::Killed,
                    "{flavor}"
                );
                assert_eq!(find_session(&server, session.id).await.is_some(), kind == KillTarget::Query, "{flavor}");
                // Fails if the procedure was not called.
                server.run_statements(&[&format!("INSERT INTO test_of.calls VALUES ('{name}')")]).await.unwrap_err();
            }
        }
    }
}
