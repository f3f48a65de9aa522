//! Batches of kills: each victim has its own outcome, and all are confirmed together.

use clew_diagnose::ProtectedAccounts;
use clew_model::{Failure, FailureKind, NodeUrl, Session};
use clew_mysql::{
    ConnectionPurpose, KillOptions, KillOutcome, KillRefusal, KillTarget, Victim, find_sessions_by_id, kill_victims,
    read_client_sessions,
};
use clew_testkit::{DatabaseServer, Flavor, RawSession};
use mysql_async::prelude::Queryable;

use super::{
    INSTALLATION_MARKER, LONG, busy_session, connection_victim, connector, find_session, idle_session, list_read,
    open_session, server, with_installation_marker,
};

async fn kill_sessions(url: &str, victims: &[Victim], kind: KillTarget) -> Vec<(u64, KillOutcome)> {
    let node: NodeUrl = url.parse().unwrap();
    kill_victims(&node, victims, KillOptions::new(kind, &ProtectedAccounts::default()), &connector()).await.unwrap()
}

/// Returns the value of a status counter.
async fn status_counter(server: &DatabaseServer, counter: &str) -> u64 {
    let mut root = server.connect_as_root().await.unwrap();
    let row: Option<(String, u64)> = root.query_first(format!("SHOW GLOBAL STATUS LIKE '{counter}'")).await.unwrap();
    root.disconnect().await.unwrap();
    row.unwrap().1
}

/// Statement that waits for a user lock. `SLEEP` is unsuitable: in MariaDB all sleeping sessions share one mutex,
/// and a `KILL` of one of many can take two seconds.
const WAIT_FOR_LOCK: &str = "DO GET_LOCK('clew', 600)";

/// Opens sessions that wait for a lock held by the first one.
async fn waiting_sessions(server: &DatabaseServer, count: usize) -> (Vec<RawSession>, Vec<Session>) {
    let mut holder = open_session(server, "app").await;
    holder.execute(WAIT_FOR_LOCK).await.unwrap();
    let mut raw = vec![holder];
    for _ in 0..count {
        let mut session = open_session(server, "app").await;
        session.send_statement(WAIT_FOR_LOCK.as_bytes()).await.unwrap();
        raw.push(session);
    }
    let ids: Vec<u64> = raw.iter().skip(1).map(|session| session.id).collect();
    loop {
        let found = find_sessions_by_id(&server.url().parse().unwrap(), &ids, &connector()).await.unwrap().sessions;
        if found.iter().all(|session| session.statement.is_some()) {
            return (raw, found);
        }
    }
}

#[tokio::test]
async fn all_are_killed_and_confirmed_over_one_connection() {
    const COUNT: usize = 60;
    for flavor in Flavor::ALL {
        for kind in [KillTarget::Connection, KillTarget::Query] {
            let server = server(flavor).await;
            let (raw, sessions) = waiting_sessions(&server, COUNT).await;
            let read = list_read(&server).await;
            let victims: Vec<Victim> = sessions.iter().map(|session| Victim::for_statement(session, &read)).collect();
            let before =
                (status_counter(&server, "Connections").await, status_counter(&server, "Com_show_processlist").await);
            let outcomes = kill_sessions(&server.url(), &victims, kind).await;
            let after =
                (status_counter(&server, "Connections").await, status_counter(&server, "Com_show_processlist").await);
            let expected: Vec<_> = victims.iter().map(|victim| (victim.id, KillOutcome::Killed)).collect();
            assert_eq!(outcomes, expected, "{flavor} {kind:?}");
            // Reading the counters takes three connections, the kill one.
            assert!(after.0 - before.0 <= 4, "{flavor}: {before:?} {after:?}");
            // Individual kills would take two lists each.
            assert!(after.1 - before.1 < COUNT as u64 / 2, "{flavor}: {before:?} {after:?}");
            let left =
                find_sessions_by_id(&server.url().parse().unwrap(), &ids(&raw[1..]), &connector()).await.unwrap();
            let left = left.sessions;
            assert_eq!(left.len(), if kind == KillTarget::Query { COUNT } else { 0 }, "{flavor}");
            assert!(left.iter().all(|session| session.statement.is_none()), "{flavor}: {left:?}");
        }
    }
}

fn ids(raw: &[RawSession]) -> Vec<u64> {
    raw.iter().map(|session| session.id).collect()
}

#[tokio::test]
async fn outcomes_are_in_the_order_of_the_victims() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let (first, victim) = busy_session(&server, "app", LONG).await;
        let (guarded, protected) = busy_session(&server, "rdsadmin", LONG).await;
        let (changed, newcomer) = busy_session(&server, "app", LONG).await;
        let (idle, resting) = idle_session(&server, "app").await;
        let (gone, left) = super::idle_session(&server, "app").await;
        drop(gone);
        while find_session(&server, left.id).await.is_some() {}
        let elsewhere = Victim { host: b"127.0.0.1:1".to_vec(), ..connection_victim(&server, &newcomer).await };
        let all = [
            connection_victim(&server, &left).await,
            connection_victim(&server, &protected).await,
            elsewhere,
            connection_victim(&server, &victim).await,
            connection_victim(&server, &resting).await,
        ];
        let outcomes = kill_sessions(&server.url(), &all, KillTarget::Connection).await;
        let host = String::from_utf8(newcomer.host.clone()).unwrap();
        let expected = [
            (left.id, KillOutcome::AlreadyGone),
            (protected.id, KillOutcome::Refused(KillRefusal::Protected { user: "rdsadmin".into() })),
            (newcomer.id, KillOutcome::Refused(KillRefusal::AnotherSession { user: "app".into(), host })),
            (victim.id, KillOutcome::Killed),
            (resting.id, KillOutcome::Killed),
        ];
        assert_eq!(outcomes, expected, "{flavor}");
        for (id, lives) in [(first.id, false), (guarded.id, true), (changed.id, true), (idle.id, false)] {
            assert_eq!(find_session(&server, id).await.is_some(), lives, "{flavor} {id}");
        }
        assert_eq!(kill_sessions(&server.url(), &[], KillTarget::Connection).await, []);
    }
}

/// Connection ids restart after a server start: sessions listed by one server are killed on another.
#[tokio::test]
async fn sessions_with_reused_ids_survive() {
    for flavor in Flavor::ALL {
        let (old, new) = (server(flavor).await, server(flavor).await);
        let (_seen, mut sessions) = waiting_sessions(&old, 10).await;
        let (_raw, newcomers) = waiting_sessions(&new, 10).await;
        // Opens sessions until both servers have a common id.
        for _ in 0..40 {
            if sessions.iter().any(|session| newcomers.iter().any(|other| other.id == session.id)) {
                break;
            }
            sessions.push(busy_session(&old, "app", LONG).await.1);
        }
        let read = list_read(&new).await;
        let stale_victims: Vec<Victim> = sessions.iter().map(|session| Victim::for_session(session, &read)).collect();
        let reused: Vec<u64> = newcomers
            .iter()
            .map(|one| one.id)
            .filter(|id| stale_victims.iter().any(|victim| victim.id == *id))
            .collect();
        assert!(!reused.is_empty(), "{flavor}: {sessions:?} {newcomers:?}");
        for kind in [KillTarget::Connection, KillTarget::Query] {
            let outcomes = kill_sessions(&new.url(), &stale_victims, kind).await;
            for (id, outcome) in &outcomes {
                let is_reused = reused.contains(id);
                let another = matches!(outcome, KillOutcome::Refused(KillRefusal::AnotherSession { .. }));
                assert!(!is_reused || another, "{flavor} {id}: {outcome}");
                assert!(!matches!(outcome, KillOutcome::Killed), "{flavor} {id}: {outcome}");
            }
        }
        for newcomer in &newcomers {
            let now = find_session(&new, newcomer.id).await.unwrap();
            assert_eq!(now.statement, newcomer.statement, "{flavor}");
        }
    }
}

#[tokio::test]
async fn denied_kill_does_not_stop_other_kills() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        server.run_statements(&["GRANT PROCESS ON *.* TO clew@'%'"]).await.unwrap();
        let (theirs, other) = busy_session(&server, "app", LONG).await;
        let (_own, own) = busy_session(&server, "clew", LONG).await;
        let victims = [connection_victim(&server, &other).await, connection_victim(&server, &own).await];
        let outcomes = kill_sessions(&server.url_for_account("clew", ""), &victims, KillTarget::Connection).await;
        let [(_, KillOutcome::Failed(denied)), (_, KillOutcome::Killed)] = outcomes.as_slice() else {
            panic!("{flavor}: {outcomes:?}")
        };
        assert!(denied.kind == FailureKind::MissingPrivilege && denied.detail.contains("GRANT CONNECTION"), "{denied}");
        assert!(find_session(&server, theirs.id).await.is_some(), "{flavor}");
    }
}

#[tokio::test]
async fn kill_rules_select_only_user_sessions() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        server.run_statements(&["SET GLOBAL event_scheduler = ON"]).await.unwrap();
        let (_busy, app) = busy_session(&server, "app", LONG).await;
        let (_idle, resting) = idle_session(&server, "rdsadmin").await;
        let other = mysql_async::Conn::new(with_installation_marker(&server, INSTALLATION_MARKER)).await.unwrap();
        let read_sessions = async |url: String| {
            let sessions =
                read_client_sessions(&url.parse().unwrap(), ConnectionPurpose::Reading, &connector()).await?.sessions;
            Ok::<_, Failure>(sessions)
        };
        let mut found = read_sessions(server.url()).await.unwrap();
        found.sort_by_key(|session| session.id);
        let mut expected = vec![app.id, resting.id];
        expected.sort_unstable();
        assert_eq!(found.iter().map(|session| session.id).collect::<Vec<_>>(), expected, "{flavor}: {found:?}");
        assert_eq!(found.iter().filter(|session| session.statement.as_deref() == Some(LONG.as_bytes())).count(), 1);
        other.disconnect().await.unwrap();

        // An account that sees only some sessions gets a failure.
        let denied = read_sessions(server.url_for_account("clew", "")).await;
        assert!(denied.unwrap_err().detail.contains("GRANT PROCESS ON *.* TO 'clew'@'%';"), "{flavor}");
        server.run_statements(&["GRANT PROCESS ON *.* TO clew@'%'"]).await.unwrap();
        let all = read_sessions(server.url_for_account("clew", "")).await.unwrap();
        assert!(expected.iter().all(|id| all.iter().any(|session| session.id == *id)), "{flavor}: {all:?}");
    }
}
