//! Sessions that got the id, or run the statement, of a victim after it was chosen are not killed.

use clew_model::NodeUrl;
use clew_mysql::{Errand, KillKind, KillOutcome, Limits, Refusal, Victim, read_user_sessions};
use clew_testkit::{Flavor, RawSession, Server};

use super::{LONG, busy, connection_of, end, listed, open, runs, server, statement_of};

const KINDS: [KillKind; 2] = [KillKind::Connection, KillKind::Query];

/// The session still runs what it ran.
async fn lives(server: &Server, raw: &RawSession, statement: &str) {
    let session = listed(server, raw.id).await.unwrap();
    assert_eq!((session.command.as_slice(), session.statement.as_deref()), (&b"Query"[..], Some(statement.as_bytes())));
}

#[tokio::test]
async fn another_session_with_the_victims_id_is_not_killed() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let (raw, session) = busy(&server, "app", LONG).await;
        let newcomer = connection_of(&server, &session).await;
        let strangers = [
            Victim { user: b"shop".to_vec(), ..newcomer.clone() },
            Victim { user: b"APP".to_vec(), ..newcomer.clone() },
            Victim { host: b"127.0.0.1:1".to_vec(), ..newcomer.clone() },
            Victim { host: b"127.0.0.1".to_vec(), ..newcomer.clone() },
        ];
        for victim in strangers {
            for kind in KINDS {
                let outcome = end(&server, &victim, kind).await;
                let host = String::from_utf8(session.host.clone()).unwrap();
                let another = Refusal::AnotherSession { user: "app".into(), host };
                assert_eq!(outcome, KillOutcome::Refused(another), "{flavor} {victim:?}");
            }
        }
        lives(&server, &raw, LONG).await;
    }
}

#[tokio::test]
async fn session_listed_by_another_server_is_not_killed() {
    for flavor in Flavor::ALL {
        let (server, other) = (server(flavor).await, server(flavor).await);
        let (raw, session) = busy(&server, "app", LONG).await;
        // As behind a virtual address that moved: the same id, account and client address on another server.
        let victim = connection_of(&other, &session).await;
        for kind in KINDS {
            assert_eq!(end(&server, &victim, kind).await, KillOutcome::Refused(Refusal::AnotherServer), "{flavor}");
        }
        lives(&server, &raw, LONG).await;
    }
}

#[tokio::test]
async fn a_session_that_went_on_to_another_statement_survives() {
    const NEXT: &str = "SELECT SLEEP(599)";
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let (mut raw, session) = busy(&server, "app", LONG).await;
        let chosen = statement_of(&server, &session).await;
        assert_eq!(end(&server, &chosen, KillKind::Query).await, KillOutcome::Killed);
        let _ = raw.answer().await;
        raw.begin(NEXT.as_bytes()).await.unwrap();
        runs(&server, raw.id, NEXT).await;
        for kind in KINDS {
            assert_eq!(end(&server, &chosen, kind).await, KillOutcome::Refused(Refusal::AnotherStatement), "{flavor}");
        }
        lives(&server, &raw, NEXT).await;
    }
}

#[tokio::test]
async fn idle_session_whose_age_cannot_be_checked_is_not_killed_by_a_rule_on_mysql() {
    let server = server(Flavor::MySql).await;
    let mut raw = open(&server, "app").await;
    raw.run("SET timestamp = UNIX_TIMESTAMP() - 7200").await.unwrap();
    let off = format!("UPDATE performance_schema.threads SET instrumented = 'NO' WHERE processlist_id = {}", raw.id);
    server.run(&[&off]).await.unwrap();
    let node: NodeUrl = server.url().parse().unwrap();
    let users = read_user_sessions(&node, Errand::Reading, &Limits::default()).await.unwrap();
    let session = users.sessions.iter().find(|session| session.id == raw.id).unwrap();
    assert!(session.seconds >= 7200, "the process list follows the session's own clock: {session:?}");
    let victim = Victim::statement_of(session, &users.read);
    assert_eq!(end(&server, &victim, KillKind::Connection).await, KillOutcome::Refused(Refusal::UnreliableAge));
    let by_a_person = Victim::connection_of(session, &users.read);
    assert_eq!(end(&server, &by_a_person, KillKind::Connection).await, KillOutcome::Killed);
}

#[tokio::test]
async fn the_same_statement_begun_anew_survives() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let (raw, mut session) = busy(&server, "app", LONG).await;
        session.seconds += 100;
        for kind in KINDS {
            let outcome = end(&server, &statement_of(&server, &session).await, kind).await;
            assert_eq!(outcome, KillOutcome::Refused(Refusal::AnotherStatement), "{flavor}");
        }
        lives(&server, &raw, LONG).await;
    }
}
