//! Many at once: each has its own outcome, and nobody waits for the others one after the other.

use clew_diagnose::ProtectedAccounts;
use clew_model::{Failure, FailureKind, NodeUrl, Session};
use clew_mysql::{
    Errand, KillKind, KillOutcome, Limits, Refusal, Victim, find_sessions, kill_all, read_user_sessions,
    share_session_token,
};
use clew_testkit::{Flavor, RawSession, Server};
use mysql_async::prelude::Queryable;

use super::{LONG, TOKEN, busy, connection_of, idle, list_read, listed, open, server, with_token};

async fn end_all(url: &str, victims: &[Victim], kind: KillKind) -> Vec<(u64, KillOutcome)> {
    let node: NodeUrl = url.parse().unwrap();
    kill_all(&node, victims, kind, &ProtectedAccounts::default(), &Limits::default()).await.unwrap()
}

/// How often the server did something that it counts.
async fn counted(server: &Server, counter: &str) -> u64 {
    let mut root = server.connect().await.unwrap();
    let row: Option<(String, u64)> = root.query_first(format!("SHOW GLOBAL STATUS LIKE '{counter}'")).await.unwrap();
    root.disconnect().await.unwrap();
    row.unwrap().1
}

/// Waits for nobody's sake: MariaDB lets all who sleep wait on one mutex, and a `KILL` of one of many there can take two seconds.
const WAITS: &str = "DO GET_LOCK('clew', 600)";

/// Sessions that wait for a lock that somebody else has.
async fn all_busy(server: &Server, count: usize) -> (Vec<RawSession>, Vec<Session>) {
    let mut holder = open(server, "app").await;
    holder.run(WAITS).await.unwrap();
    let mut raw = vec![holder];
    for _ in 0..count {
        let mut session = open(server, "app").await;
        session.begin(WAITS.as_bytes()).await.unwrap();
        raw.push(session);
    }
    let ids: Vec<u64> = raw.iter().skip(1).map(|session| session.id).collect();
    loop {
        let found = find_sessions(&server.url().parse().unwrap(), &ids, &Limits::default()).await.unwrap().sessions;
        if found.iter().all(|session| session.statement.is_some()) {
            return (raw, found);
        }
    }
}

#[tokio::test]
async fn all_are_killed_over_one_connection_and_looked_after_together() {
    const COUNT: usize = 60;
    for flavor in Flavor::ALL {
        for kind in [KillKind::Connection, KillKind::Query] {
            let server = server(flavor).await;
            let (raw, sessions) = all_busy(&server, COUNT).await;
            let read = list_read(&server).await;
            let victims: Vec<Victim> = sessions.iter().map(|session| Victim::statement_of(session, &read)).collect();
            let before = (counted(&server, "Connections").await, counted(&server, "Com_show_processlist").await);
            let outcomes = end_all(&server.url(), &victims, kind).await;
            let after = (counted(&server, "Connections").await, counted(&server, "Com_show_processlist").await);
            let expected: Vec<_> = victims.iter().map(|victim| (victim.id, KillOutcome::Killed)).collect();
            assert_eq!(outcomes, expected, "{flavor} {kind:?}");
            // Counting takes three connections by itself, the kill one.
            assert!(after.0 - before.0 <= 4, "{flavor}: {before:?} {after:?}");
            // One by one takes two lists each.
            assert!(after.1 - before.1 < COUNT as u64 / 2, "{flavor}: {before:?} {after:?}");
            let left =
                find_sessions(&server.url().parse().unwrap(), &ids(&raw[1..]), &Limits::default()).await.unwrap();
            let left = left.sessions;
            assert_eq!(left.len(), if kind == KillKind::Query { COUNT } else { 0 }, "{flavor}");
            assert!(left.iter().all(|session| session.statement.is_none()), "{flavor}: {left:?}");
        }
    }
}

fn ids(raw: &[RawSession]) -> Vec<u64> {
    raw.iter().map(|session| session.id).collect()
}

#[tokio::test]
async fn each_has_its_own_outcome_in_its_own_place() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let (first, victim) = busy(&server, "app", LONG).await;
        let (guarded, protected) = busy(&server, "rdsadmin", LONG).await;
        let (changed, newcomer) = busy(&server, "app", LONG).await;
        let (idle, resting) = idle(&server, "app").await;
        let (gone, left) = super::idle(&server, "app").await;
        drop(gone);
        while listed(&server, left.id).await.is_some() {}
        let elsewhere = Victim { host: b"127.0.0.1:1".to_vec(), ..connection_of(&server, &newcomer).await };
        let all = [
            connection_of(&server, &left).await,
            connection_of(&server, &protected).await,
            elsewhere,
            connection_of(&server, &victim).await,
            connection_of(&server, &resting).await,
        ];
        let outcomes = end_all(&server.url(), &all, KillKind::Connection).await;
        let host = String::from_utf8(newcomer.host.clone()).unwrap();
        let expected = [
            (left.id, KillOutcome::AlreadyGone),
            (protected.id, KillOutcome::Refused(Refusal::Protected { user: "rdsadmin".into() })),
            (newcomer.id, KillOutcome::Refused(Refusal::AnotherSession { user: "app".into(), host })),
            (victim.id, KillOutcome::Killed),
            (resting.id, KillOutcome::Killed),
        ];
        assert_eq!(outcomes, expected, "{flavor}");
        for (id, lives) in [(first.id, false), (guarded.id, true), (changed.id, true), (idle.id, false)] {
            assert_eq!(listed(&server, id).await.is_some(), lives, "{flavor} {id}");
        }
        assert_eq!(end_all(&server.url(), &[], KillKind::Connection).await, []);
    }
}

/// Servers count connections from the same number after each start: what was seen of one is taken to another that was started anew.
#[tokio::test]
async fn who_got_the_ids_of_the_victims_since_survives() {
    for flavor in Flavor::ALL {
        let (old, new) = (server(flavor).await, server(flavor).await);
        let (_seen, mut sessions) = all_busy(&old, 10).await;
        let (_raw, newcomers) = all_busy(&new, 10).await;
        // Those that both have.
        for _ in 0..40 {
            if sessions.iter().any(|session| newcomers.iter().any(|other| other.id == session.id)) {
                break;
            }
            sessions.push(busy(&old, "app", LONG).await.1);
        }
        let read = list_read(&new).await;
        let meant: Vec<Victim> = sessions.iter().map(|session| Victim::connection_of(session, &read)).collect();
        let reused: Vec<u64> =
            newcomers.iter().map(|one| one.id).filter(|id| meant.iter().any(|victim| victim.id == *id)).collect();
        assert!(!reused.is_empty(), "{flavor}: {sessions:?} {newcomers:?}");
        for kind in [KillKind::Connection, KillKind::Query] {
            let outcomes = end_all(&new.url(), &meant, kind).await;
            for (id, outcome) in &outcomes {
                let met = reused.contains(id);
                let another = matches!(outcome, KillOutcome::Refused(Refusal::AnotherSession { .. }));
                assert!(!met || another, "{flavor} {id}: {outcome}");
                assert!(!matches!(outcome, KillOutcome::Killed), "{flavor} {id}: {outcome}");
            }
        }
        for newcomer in &newcomers {
            let now = listed(&new, newcomer.id).await.unwrap();
            assert_eq!(now.statement, newcomer.statement, "{flavor}");
        }
    }
}

#[tokio::test]
async fn one_that_may_not_be_killed_does_not_keep_the_others_alive() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        server.run(&["GRANT PROCESS ON *.* TO clew@'%'"]).await.unwrap();
        let (theirs, other) = busy(&server, "app", LONG).await;
        let (_own, own) = busy(&server, "clew", LONG).await;
        let victims = [connection_of(&server, &other).await, connection_of(&server, &own).await];
        let outcomes = end_all(&server.url_for("clew", ""), &victims, KillKind::Connection).await;
        let [(_, KillOutcome::Failed(denied)), (_, KillOutcome::Killed)] = outcomes.as_slice() else {
            panic!("{flavor}: {outcomes:?}")
        };
        assert!(denied.kind == FailureKind::MissingPrivilege && denied.detail.contains("GRANT CONNECTION"), "{denied}");
        assert!(listed(&server, theirs.id).await.is_some(), "{flavor}");
    }
}

#[tokio::test]
async fn rules_choose_from_every_users_session_and_no_other() {
    share_session_token(TOKEN);
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        server.run(&["SET GLOBAL event_scheduler = ON"]).await.unwrap();
        let (_busy, app) = busy(&server, "app", LONG).await;
        let (_idle, resting) = idle(&server, "rdsadmin").await;
        let other = mysql_async::Conn::new(with_token(&server, TOKEN)).await.unwrap();
        let look = async |url: String| {
            let sessions =
                read_user_sessions(&url.parse().unwrap(), Errand::Reading, &Limits::default()).await?.sessions;
            Ok::<_, Failure>(sessions)
        };
        let mut found = look(server.url()).await.unwrap();
        found.sort_by_key(|session| session.id);
        let mut expected = vec![app.id, resting.id];
        expected.sort_unstable();
        assert_eq!(found.iter().map(|session| session.id).collect::<Vec<_>>(), expected, "{flavor}: {found:?}");
        assert_eq!(found.iter().filter(|session| session.statement.as_deref() == Some(LONG.as_bytes())).count(), 1);
        other.disconnect().await.unwrap();

        // Who is shown only some is told so.
        let blind = look(server.url_for("clew", "")).await;
        assert!(blind.unwrap_err().detail.contains("GRANT PROCESS ON *.* TO 'clew'@'%';"), "{flavor}");
        server.run(&["GRANT PROCESS ON *.* TO clew@'%'"]).await.unwrap();
        let all = look(server.url_for("clew", "")).await.unwrap();
        assert!(expected.iter().all(|id| all.iter().any(|session| session.id == *id)), "{flavor}: {all:?}");
    }
}
