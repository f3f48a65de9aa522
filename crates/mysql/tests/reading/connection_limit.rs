//! Connection limit of a node: two at a time. Kills never queue behind reads.

use clew_diagnose::ProtectedAccounts;
use clew_model::NodeUrl;
use clew_mysql::{
    ConnectionPurpose, KillOptions, KillOutcome, KillTarget, NodeConnector, ReadLimits, ReadSizeLimits, SnapshotFormat,
    SnapshotOptions, Victim, diagnose_node, find_sessions_by_id, kill_single_victim, read_client_sessions,
    read_lock_waits, read_rollbacks, take_snapshot,
};
use clew_testkit::{DatabaseServer, DatabaseServerOptions, Flavor, RewritingProxy, open_idle_sessions};
use futures_util::future::{FutureExt, try_join_all};

use super::connector;

fn patient_connector() -> NodeConnector {
    let limits = ReadLimits {
        read_timeout: std::time::Duration::from_secs(40),
        connect_timeout: std::time::Duration::from_secs(20),
        bytes: ReadSizeLimits::DEFAULT,
    };
    NodeConnector { limits, ..connector() }
}

/// The server enforces the limit: it refuses a third connection of the account.
#[tokio::test]
async fn twenty_concurrent_reads_use_at_most_two_connections() {
    for flavor in Flavor::ALL {
        let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
        let accounts = ["CREATE USER clew@'%' WITH MAX_USER_CONNECTIONS 2", "GRANT PROCESS, SELECT ON *.* TO clew@'%'"];
        server.run_statements(&accounts).await.unwrap();
        let node: NodeUrl = server.url_for_account("clew", "").parse().unwrap();
        let connector = patient_connector();
        let plain = SnapshotOptions::new(SnapshotFormat::Csv { formula_guard: true });
        let detailed = SnapshotOptions { detailed: true, ..plain.clone() };
        let read = async |at: usize| match at % 5 {
            0 => take_snapshot(&node, &plain, &connector).await.map(|_| ()),
            1 => take_snapshot(&node, &detailed, &connector).await.map(|_| ()),
            2 => read_lock_waits(&node, &connector).await.map(|_| ()),
            3 => read_rollbacks(&node, None, &connector).await.map(|_| ()),
            _ => diagnose_node(&node, &connector).await.map(|_| ()),
        };
        let read = &read;
        try_join_all((0..20).map(read)).await.unwrap_or_else(|failure| panic!("{flavor}: {failure}"));
    }
}

#[tokio::test]
async fn kill_succeeds_while_a_read_hangs() {
    for flavor in Flavor::ALL {
        let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
        let victims = open_idle_sessions(&server, 1).await.unwrap();
        // Only reads of locks query the current account.
        let gate = RewritingProxy::start_with_held_statement(&server, "CURRENT_USER").await.unwrap();
        let (node, connector): (NodeUrl, _) = (gate.url("root").parse().unwrap(), patient_connector());
        let hanging = tokio::spawn({
            let (node, connector) = (node.clone(), connector.clone());
            async move { read_lock_waits(&node, &connector).await }
        });
        gate.wait_until_packet_is_held().await;
        let mut waiting = Box::pin(read_client_sessions(&node, ConnectionPurpose::Reading, &connector));
        assert!((&mut waiting).now_or_never().is_none());

        let seen = read_client_sessions(&node, ConnectionPurpose::Killing, &connector).await.unwrap();
        let [session] = &seen.sessions[..] else { panic!("{flavor}: {seen:?}") };
        assert_eq!(find_sessions_by_id(&node, &[session.id], &connector).await.unwrap().sessions.len(), 1, "{flavor}");
        let victim = Victim::for_session(session, &seen.read);
        let outcome = kill_single_victim(
            &node,
            &victim,
            KillOptions::new(KillTarget::Connection, &ProtectedAccounts::default()),
            &connector,
        )
        .await
        .unwrap();
        assert_eq!(outcome, KillOutcome::Killed, "{flavor}");

        assert!(!hanging.is_finished() && (&mut waiting).now_or_never().is_none(), "{flavor}");
        gate.release_held_packets();
        hanging.await.unwrap().unwrap();
        assert!(waiting.await.unwrap().sessions.is_empty(), "{flavor}");
        drop(victims);
    }
}
