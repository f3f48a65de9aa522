//! Sessions that are never killed.

use std::time::Duration;

use clew_diagnose::ProtectedAccounts;
use clew_model::NodeUrl;
use clew_mysql::{KillOptions, KillOutcome, KillRefusal, KillTarget, find_sessions_by_id, kill_single_victim};
use clew_testkit::{DatabaseServer, Flavor};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use tokio::time::sleep;

use super::{
    INSTALLATION_MARKER, LONG, busy_session, connection_victim, connector, find_session, kill_as_root, server,
    with_installation_marker,
};

const KINDS: [KillTarget; 2] = [KillTarget::Connection, KillTarget::Query];

fn no_protected_accounts() -> ProtectedAccounts {
    ProtectedAccounts::new::<&str>([])
}

#[tokio::test]
async fn sessions_of_protected_accounts_survive() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let node: NodeUrl = server.url().parse().unwrap();
        let (raw, session) = busy_session(&server, "rdsadmin", LONG).await;
        let victim = connection_victim(&server, &session).await;
        for kind in KINDS {
            let protected = KillOutcome::Refused(KillRefusal::Protected { user: "rdsadmin".into() });
            assert_eq!(kill_as_root(&server, &victim, kind).await, protected, "{flavor}");
        }
        assert_eq!(find_session(&server, raw.id).await.unwrap().command, b"Query");
        let outcome = kill_single_victim(
            &node,
            &victim,
            KillOptions::new(KillTarget::Connection, &no_protected_accounts()),
            &connector(),
        )
        .await
        .unwrap();
        assert_eq!(outcome, KillOutcome::Killed, "{flavor}: protected accounts are configurable");

        let (raw, session) = busy_session(&server, "app", LONG).await;
        let protected = ProtectedAccounts::default().with_accounts(["app"]);
        let outcome = kill_single_victim(
            &node,
            &connection_victim(&server, &session).await,
            KillOptions::new(KillTarget::Query, &protected),
            &connector(),
        )
        .await;
        assert_eq!(outcome.unwrap(), KillOutcome::Refused(KillRefusal::Protected { user: "app".into() }), "{flavor}");
        assert_eq!(find_session(&server, raw.id).await.unwrap().command, b"Query");
    }
}

/// Returns the id of the event scheduler, a thread of every server.
async fn event_scheduler_id(server: &DatabaseServer) -> u64 {
    server.run_statements(&["SET GLOBAL event_scheduler = ON"]).await.unwrap();
    let mut root = server.connect_as_root().await.unwrap();
    loop {
        let ids: Vec<u64> =
            root.query("SELECT id FROM information_schema.processlist WHERE user = 'event_scheduler'").await.unwrap();
        if let Some(id) = ids.first() {
            root.disconnect().await.unwrap();
            return *id;
        }
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn internal_threads_survive_without_protected_accounts() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let node: NodeUrl = server.url().parse().unwrap();
        let id = event_scheduler_id(&server).await;
        let session = find_sessions_by_id(&node, &[id], &connector()).await.unwrap().sessions.pop().unwrap();
        for kind in KINDS {
            let outcome = kill_single_victim(
                &node,
                &connection_victim(&server, &session).await,
                KillOptions::new(kind, &no_protected_accounts()),
                &connector(),
            )
            .await
            .unwrap();
            assert_eq!(outcome, KillOutcome::Refused(KillRefusal::Internal), "{flavor}");
        }
        assert!(find_session(&server, id).await.is_some());
    }
}

#[tokio::test]
async fn session_of_another_process_of_this_installation_is_not_killed() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let mut other = Conn::new(with_installation_marker(&server, INSTALLATION_MARKER)).await.unwrap();
        let session = find_session(&server, other.id().into()).await.unwrap();
        let outcome = kill_as_root(&server, &connection_victim(&server, &session).await, KillTarget::Connection).await;
        assert_eq!(outcome, KillOutcome::Refused(KillRefusal::OwnSession), "{flavor}");
        other.query_drop("DO 1").await.unwrap();
        other.disconnect().await.unwrap();

        // The program name is no proof.
        let options = OptsBuilder::default().ip_or_hostname("127.0.0.1").tcp_port(server.port()).user(Some("root"));
        let options = options.prefer_socket(false).connect_attribute("program_name", "clew");
        let mut another = Conn::new(options).await.unwrap();
        let session = find_session(&server, another.id().into()).await.unwrap();
        let victim = connection_victim(&server, &session).await;
        assert_eq!(kill_as_root(&server, &victim, KillTarget::Connection).await, KillOutcome::Killed, "{flavor}");
        another.query_drop("DO 1").await.unwrap_err();
    }
}
