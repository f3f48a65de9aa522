//! Sessions that reuse the id or the statement of a victim are not killed.

use clew_model::NodeUrl;
use clew_mysql::{ConnectionPurpose, KillOutcome, KillRefusal, KillTarget, Victim, read_client_sessions};
use clew_testkit::{DatabaseServer, Flavor, RawSession};

use super::{
    LONG, busy_session, connection_victim, connector, find_session, kill_as_root, open_session, server,
    statement_victim, wait_until_running,
};

const KINDS: [KillTarget; 2] = [KillTarget::Connection, KillTarget::Query];

/// Checks that the session still runs the statement.
async fn assert_alive(server: &DatabaseServer, raw: &RawSession, statement: &str) {
    let session = find_session(server, raw.id).await.unwrap();
    assert_eq!((session.command.as_slice(), session.statement.as_deref()), (&b"Query"[..], Some(statement.as_bytes())));
}

#[tokio::test]
async fn another_session_with_the_victims_id_is_not_killed() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let (raw, session) = busy_session(&server, "app", LONG).await;
        let newcomer = connection_victim(&server, &session).await;
        let strangers = [
            Victim { user: b"shop".to_vec(), ..newcomer.clone() },
            Victim { user: b"APP".to_vec(), ..newcomer.clone() },
            Victim { host: b"127.0.0.1:1".to_vec(), ..newcomer.clone() },
            Victim { host: b"127.0.0.1".to_vec(), ..newcomer.clone() },
        ];
        for victim in strangers {
            for kind in KINDS {
                let outcome = kill_as_root(&server, &victim, kind).await;
                let host = String::from_utf8(session.host.clone()).unwrap();
                let another = KillRefusal::AnotherSession { user: "app".into(), host };
                assert_eq!(outcome, KillOutcome::Refused(another), "{flavor} {victim:?}");
            }
        }
        assert_alive(&server, &raw, LONG).await;
    }
}

#[tokio::test]
async fn session_listed_by_another_server_is_not_killed() {
    for flavor in Flavor::ALL {
        let (server, other) = (server(flavor).await, server(flavor).await);
        let (raw, session) = busy_session(&server, "app", LONG).await;
        // As after a fail-over of a virtual address: the same id, account and client address on another server.
        let victim = connection_victim(&other, &session).await;
        for kind in KINDS {
            assert_eq!(
                kill_as_root(&server, &victim, kind).await,
                KillOutcome::Refused(KillRefusal::AnotherServer),
                "{flavor}"
            );
        }
        assert_alive(&server, &raw, LONG).await;
    }
}

#[tokio::test]
async fn session_that_runs_another_statement_survives() {
    const NEXT: &str = "SELECT SLEEP(599)";
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let (mut raw, session) = busy_session(&server, "app", LONG).await;
        let chosen = statement_victim(&server, &session).await;
        assert_eq!(kill_as_root(&server, &chosen, KillTarget::Query).await, KillOutcome::Killed);
        let _ = raw.wait_for_response().await;
        raw.send_statement(NEXT.as_bytes()).await.unwrap();
        wait_until_running(&server, raw.id, NEXT).await;
        for kind in KINDS {
            assert_eq!(
                kill_as_root(&server, &chosen, kind).await,
                KillOutcome::Refused(KillRefusal::AnotherStatement),
                "{flavor}"
            );
        }
        assert_alive(&server, &raw, NEXT).await;
    }
}

#[tokio::test]
async fn rule_does_not_kill_an_idle_session_with_an_unreliable_age_on_mysql() {
    let server = server(Flavor::MySql).await;
    let mut raw = open_session(&server, "app").await;
    raw.execute("SET timestamp = UNIX_TIMESTAMP() - 7200").await.unwrap();
    let off = format!("UPDATE performance_schema.threads SET instrumented = 'NO' WHERE processlist_id = {}", raw.id);
    server.run_statements(&[&off]).await.unwrap();
    let node: NodeUrl = server.url().parse().unwrap();
    let users = read_client_sessions(&node, ConnectionPurpose::Reading, &connector()).await.unwrap();
    let session = users.sessions.iter().find(|session| session.id == raw.id).unwrap();
    assert!(session.seconds >= 7200, "the process list follows the session's own clock: {session:?}");
    let victim = Victim::for_statement(session, &users.read);
    assert_eq!(
        kill_as_root(&server, &victim, KillTarget::Connection).await,
        KillOutcome::Refused(KillRefusal::UnreliableAge)
    );
    let chosen_by_user = Victim::for_session(session, &users.read);
    assert_eq!(kill_as_root(&server, &chosen_by_user, KillTarget::Connection).await, KillOutcome::Killed);
}

#[tokio::test]
async fn new_execution_of_the_same_statement_survives() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let (raw, mut session) = busy_session(&server, "app", LONG).await;
        session.seconds += 100;
        for kind in KINDS {
            let outcome = kill_as_root(&server, &statement_victim(&server, &session).await, kind).await;
            assert_eq!(outcome, KillOutcome::Refused(KillRefusal::AnotherStatement), "{flavor}");
        }
        assert_alive(&server, &raw, LONG).await;
    }
}
