//! Restarts, fail-overs, balancers and proxies: only sessions with proven identity are killed.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clew_diagnose::ProtectedAccounts;
use clew_model::{Failure, FailureKind, LimitationKind, NodeUrl};
use clew_mysql::{
    ConnectionPurpose, KillOptions, KillOutcome, KillRefusal, KillTarget, Snapshot, SnapshotFormat, SnapshotOptions,
    Victim, diagnose_node, find_sessions_by_id, kill_single_victim, read_client_sessions, take_snapshot,
};
use clew_testkit::{
    ConnectionIdRewrite, DatabaseServer, Flavor, PacketAction, RawSession, RewriteRules, RewritingProxy,
    VirtualIpProxy, open_idle_sessions,
};
use mysql_async::prelude::Queryable;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::{LONG, busy_session, connector, find_session, kill_as_root, list_read, open_session, server};

fn address(server: &DatabaseServer) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, server.port()).into()
}

async fn take(node: &NodeUrl) -> Result<Snapshot, Failure> {
    let options = SnapshotOptions::new(SnapshotFormat::Csv { formula_guard: true });
    take_snapshot(node, &options, &connector()).await
}

async fn rows(node: &NodeUrl) -> u64 {
    take(node).await.unwrap().summary.rows
}

async fn limitation_kinds(node: &NodeUrl) -> Vec<LimitationKind> {
    take(node).await.unwrap().summary.limitations.iter().map(|limitation| limitation.kind).collect()
}

/// Starts a read that times out after half a second.
async fn abandoned_read(node: &NodeUrl) {
    let connector = connector().with_max_timeout(Duration::from_millis(500));
    let options = SnapshotOptions::new(SnapshotFormat::Csv { formula_guard: true });
    let failure = take_snapshot(node, &options, &connector).await.unwrap_err();
    assert!(matches!(failure.kind, FailureKind::TimedOut | FailureKind::ConnectionLost), "{failure}");
}

#[tokio::test]
async fn proxy_with_connection_ids_of_its_own_is_read_and_kills_are_refused() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let (_raw, session) = busy_session(&server, "app", LONG).await;
        let rewrite = RewriteRules { greeting_id: ConnectionIdRewrite::From(7000), ..RewriteRules::default() };
        let proxy = RewritingProxy::start(address(&server), rewrite).await.unwrap();
        let node: NodeUrl = proxy.url("root").parse().unwrap();
        assert_eq!(rows(&node).await, 1, "{flavor}: Clew's own session is not listed");
        let connector = connector();
        let users = read_client_sessions(&node, ConnectionPurpose::Reading, &connector).await.unwrap();
        assert!(users.limitations.iter().any(|gap| gap.kind == LimitationKind::Indirect), "{flavor}: {users:?}");
        let victim = Victim::for_session(&session, &list_read(&server).await);
        for kind in [KillTarget::Connection, KillTarget::Query] {
            let outcome =
                kill_single_victim(&node, &victim, KillOptions::new(kind, &ProtectedAccounts::default()), &connector)
                    .await
                    .unwrap();
            assert_eq!(outcome, KillOutcome::Refused(KillRefusal::Proxied), "{flavor}");
        }
        assert!(KillOutcome::Refused(KillRefusal::Proxied).to_string().contains("kill on the server itself"));
        let diagnosis = diagnose_node(&node, &connector).await.unwrap();
        let check = diagnosis.checks.iter().find(|check| check.what == "direct connection").unwrap();
        let limitation = check.limitation.as_ref().unwrap();
        assert_eq!((check.works, limitation.kind), (false, LimitationKind::Indirect), "{flavor}: {limitation:?}");
        assert_eq!(
            kill_as_root(&server, &victim, KillTarget::Connection).await,
            KillOutcome::Killed,
            "{flavor}: directly"
        );
    }
}

#[tokio::test]
async fn session_with_the_id_of_the_greeting_is_not_killed_after_a_timeout() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let (mut raw, session) = busy_session(&server, "app", LONG).await;
        let rewrite = RewriteRules {
            greeting_id: ConnectionIdRewrite::Fixed(u32::try_from(raw.id).unwrap()),
            effect: Some(("CONNECTION_ID", PacketAction::HoldResponse)),
            ..RewriteRules::default()
        };
        let proxy = RewritingProxy::start(address(&server), rewrite).await.unwrap();
        abandoned_read(&proxy.url("root").parse().unwrap()).await;
        proxy.set_rewrite_rules(RewriteRules { effect: None, ..rewrite });
        proxy.release_held_packets();
        connector().registry.wait_for_pending_kills(Duration::from_secs(30)).await;
        let limitations = limitation_kinds(&proxy.url("root").parse().unwrap()).await;
        assert!(limitations.contains(&LimitationKind::StatementNotKilled), "{flavor}: {limitations:?}");
        assert_eq!(find_session(&server, raw.id).await.map(|now| now.statement), Some(session.statement), "{flavor}");
        let _ = raw.send_statement(b"SELECT 1").await;
    }
}

/// An address without a server.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// Read behind a virtual address, paused at the process list.
struct HeldRead {
    address: VirtualIpProxy,
    proxy: RewritingProxy,
    reading: JoinHandle<bool>,
    /// Connection id on its server.
    id: u64,
}

impl HeldRead {
    async fn start(server: &DatabaseServer) -> Self {
        let address = VirtualIpProxy::start(self::address(server)).await.unwrap();
        let rewrite =
            RewriteRules { effect: Some(("PROCESSLIST", PacketAction::HoldResponse)), ..RewriteRules::default() };
        let proxy = RewritingProxy::start(address.address(), rewrite).await.unwrap();
        let node: NodeUrl = proxy.url("root").parse().unwrap();
        let reading = tokio::spawn(async move { take(&node).await.is_ok() });
        proxy.wait_until_packet_is_held().await;
        let mut control = server.connect_as_root().await.unwrap();
        let rows: Vec<mysql_async::Row> = control.query("SHOW PROCESSLIST").await.unwrap();
        let own = u64::from(control.id());
        let ids = rows.iter().filter(|row| row.get::<String, _>(1).unwrap() == "root").map(|row| row.get(0).unwrap());
        let [id] = ids.filter(|id| *id != own).collect::<Vec<u64>>()[..] else { panic!("one read: {rows:?}") };
        control.disconnect().await.unwrap();
        address.fail_over_to(NOWHERE);
        Self { address, proxy, reading, id }
    }

    /// Opens sessions until their ids include that of the read.
    async fn open_sessions_with_same_ids(&self, server: &DatabaseServer) -> Vec<RawSession> {
        // MariaDB may lose an account that was created just before a crash.
        server.run_statements(&["CREATE USER IF NOT EXISTS app@'%'"]).await.unwrap();
        let mut sessions: Vec<RawSession> = Vec::new();
        while sessions.last().is_none_or(|last| last.id < self.id + 5) {
            let mut session = open_session(server, "app").await;
            session.send_statement(LONG.as_bytes()).await.unwrap();
            sessions.push(session);
        }
        assert!(sessions.iter().any(|session| session.id == self.id), "an id below those of new sessions: {}", self.id);
        sessions
    }

    /// Points the address to this server and abandons the read. Checks that no session is killed.
    /// Returns the kinds of the limitations that the next read reports.
    async fn fail_over_to(self, server: &DatabaseServer, sessions: &[RawSession]) -> Vec<LimitationKind> {
        self.address.fail_over_to(self::address(server));
        self.proxy.set_rewrite_rules(RewriteRules::default());
        self.reading.abort();
        // The read may have ended with its server.
        assert!(!self.reading.await.unwrap_or(false), "the read must not succeed");
        connector().registry.wait_for_pending_kills(Duration::from_secs(30)).await;
        for session in sessions {
            assert!(find_session(server, session.id).await.is_some(), "session {} was killed", session.id);
        }
        limitation_kinds(&self.proxy.url("root").parse().unwrap()).await
    }
}

#[tokio::test]
async fn session_with_the_id_of_an_abandoned_read_is_not_killed_after_a_restart() {
    for flavor in Flavor::ALL {
        let mut server = server(flavor).await;
        drop(open_idle_sessions(&server, 30).await.unwrap());
        server.wait_until_other_root_sessions_end().await.unwrap();
        let read = HeldRead::start(&server).await;
        server.process.kill().unwrap();
        server.restart().await.unwrap();
        let sessions = read.open_sessions_with_same_ids(&server).await;
        let limitations = read.fail_over_to(&server, &sessions).await;
        // The statement ended with the server.
        assert!(!limitations.contains(&LimitationKind::StatementNotKilled), "{flavor}: {limitations:?}");
    }
}

#[tokio::test]
async fn session_with_the_id_of_an_abandoned_read_is_not_killed_after_a_fail_over() {
    for flavor in Flavor::ALL {
        let (first, second) = (server(flavor).await, server(flavor).await);
        drop(open_idle_sessions(&first, 30).await.unwrap());
        first.wait_until_other_root_sessions_end().await.unwrap();
        let read = HeldRead::start(&first).await;
        let sessions = read.open_sessions_with_same_ids(&second).await;
        let limitations = read.fail_over_to(&second, &sessions).await;
        assert!(limitations.contains(&LimitationKind::StatementNotKilled), "{flavor}: {limitations:?}");
    }
}

#[tokio::test]
async fn one_login_is_refused_after_the_account_of_an_abandoned_read_has_changed() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        server.run_statements(&["CREATE USER reader@'%'", "GRANT PROCESS ON *.* TO reader@'%'"]).await.unwrap();
        let rewrite =
            RewriteRules { effect: Some(("PROCESSLIST", PacketAction::HoldRequest)), ..RewriteRules::default() };
        let proxy = RewritingProxy::start(address(&server), rewrite).await.unwrap();
        let node: NodeUrl = proxy.url("reader").parse().unwrap();
        let refused = async || {
            let mut connection = server.connect_as_root().await.unwrap();
            let row: Option<(String, u64)> =
                connection.query_first("SHOW GLOBAL STATUS LIKE 'Aborted_connects'").await.unwrap();
            connection.disconnect().await.unwrap();
            row.unwrap().1
        };
        let before = refused().await;
        let reading = tokio::spawn(async move { take(&node).await.is_ok() });
        proxy.wait_until_packet_is_held().await;
        server.run_statements(&["ALTER USER reader@'%' IDENTIFIED BY 'new'"]).await.unwrap();
        reading.abort();
        assert!(reading.await.unwrap_err().is_cancelled());
        connector().registry.wait_for_pending_kills(Duration::from_secs(30)).await;
        assert_eq!(refused().await - before, 1, "{flavor}");
        proxy.set_rewrite_rules(RewriteRules::default());
        let node: NodeUrl = format!("mysql://reader:new@{}/", proxy.address()).parse().unwrap();
        let limitations = take(&node).await.unwrap().summary.limitations;
        let reported = limitations.iter().find(|limitation| limitation.kind == LimitationKind::StatementNotKilled);
        assert!(
            reported.is_some_and(|limitation| limitation.why.english.contains("refused Clew's login")),
            "{limitations:?}"
        );
    }
}

#[tokio::test]
async fn victim_of_another_server_behind_a_virtual_address_is_not_killed() {
    for flavor in Flavor::ALL {
        let (first, second) = (server(flavor).await, server(flavor).await);
        let virtual_address = VirtualIpProxy::start(address(&first)).await.unwrap();
        let node: NodeUrl = virtual_address.url_for_account("root", "").parse().unwrap();
        let mut raw = Vec::new();
        for server in [&first, &second] {
            for _ in 0..10 {
                raw.push(busy_session(server, "app", LONG).await.0);
            }
        }
        let connector = connector();
        let before = read_client_sessions(&node, ConnectionPurpose::Reading, &connector).await.unwrap();
        virtual_address.fail_over_to(address(&second));
        for session in &before.sessions {
            let mut victim = Victim::for_session(session, &before.read);
            // The client address is made equal too.
            if let Some(other) = find_session(&second, session.id).await {
                victim.host = other.host;
            }
            let outcome = kill_single_victim(
                &node,
                &victim,
                KillOptions::new(KillTarget::Connection, &ProtectedAccounts::default()),
                &connector,
            )
            .await;
            assert_eq!(outcome.unwrap(), KillOutcome::Refused(KillRefusal::AnotherServer), "{flavor}");
        }
        for (server, count) in [(&first, 10), (&second, 10)] {
            let ids: Vec<u64> = (1..200).collect();
            let found = find_sessions_by_id(&server.url().parse().unwrap(), &ids, &connector).await.unwrap().sessions;
            assert_eq!(found.iter().filter(|session| session.user == b"app").count(), count, "{flavor}");
        }
    }
}

#[tokio::test]
async fn all_sessions_are_listed_over_a_balancer_and_after_a_restart() {
    for flavor in Flavor::ALL {
        let (mut first, second) = (server(flavor).await, server(flavor).await);
        let balancer = VirtualIpProxy::start_load_balancer(vec![address(&first), address(&second)]).await.unwrap();
        let node: NodeUrl = balancer.url_for_account("root", "").parse().unwrap();
        // Sessions of the second server get the ids of Clew's connections to the first.
        let _of_first = open_idle_sessions(&first, 40).await.unwrap();
        for _ in 0..20 {
            rows(&node).await;
        }
        let _of_second = open_idle_sessions(&second, 40).await.unwrap();
        for _ in 0..6 {
            assert_eq!(rows(&node).await, 40, "{flavor}");
        }
        let diagnosis = diagnose_node(&node, &connector()).await.unwrap();
        let check = diagnosis.checks.iter().find(|check| check.what == "direct connection").unwrap();
        assert!(!check.works, "{flavor}: {check:?}");
        assert!(check.limitation.as_ref().unwrap().what.english.contains("several servers"), "{flavor}: {check:?}");

        let direct: NodeUrl = first.url().parse().unwrap();
        for _ in 0..5 {
            rows(&direct).await;
        }
        first.process.kill().unwrap();
        first.restart().await.unwrap();
        let _again = open_idle_sessions(&first, 60).await.unwrap();
        // The server lists a session as a user session only after it has completed the login.
        let listed = async { while rows(&direct).await != 60 {} };
        assert!(timeout(Duration::from_secs(10), listed).await.is_ok(), "{flavor}: a session is hidden");
        for _ in 0..3 {
            assert_eq!(rows(&direct).await, 60, "{flavor}: ids restart, and no session is hidden");
        }
    }
}

#[tokio::test]
async fn kill_over_a_balancer_reaches_only_the_server_of_the_list() {
    for flavor in Flavor::ALL {
        let (first, second) = (server(flavor).await, server(flavor).await);
        // Both servers have sessions with equal ids.
        let mut sessions = Vec::new();
        for server in [&first, &second] {
            for _ in 0..6 {
                sessions.push((server, busy_session(server, "app", LONG).await));
            }
        }
        let balancer = VirtualIpProxy::start_load_balancer(vec![address(&first), address(&second)]).await.unwrap();
        let node: NodeUrl = balancer.url_for_account("root", "").parse().unwrap();
        let connector = connector();
        let no_protected_accounts = ProtectedAccounts::new::<&str>([]);
        let (mut killed, mut refused) = (0, 0);
        for round in 0..8 {
            let listed = read_client_sessions(&node, ConnectionPurpose::Reading, &connector).await.unwrap();
            let session = listed.sessions.iter().find(|session| session.user == b"app").unwrap();
            let victim = Victim::for_session(session, &listed.read);
            // Every second kill connects to the other server.
            if round % 2 == 1 {
                rows(&node).await;
            }
            let outcome = kill_single_victim(
                &node,
                &victim,
                KillOptions::new(KillTarget::Connection, &no_protected_accounts),
                &connector,
            )
            .await;
            match outcome.unwrap() {
                outcome if outcome.was_accepted() => killed += 1,
                KillOutcome::Refused(KillRefusal::AnotherServer) => refused += 1,
                outcome => panic!("{flavor} {round}: {outcome}"),
            }
        }
        assert!(killed > 0 && refused > 0, "{flavor}: {killed} killed, {refused} refused");
        assert!(KillRefusal::AnotherServer.to_string().contains("kill on the server itself"), "{flavor}");
        let mut alive = 0;
        for (server, (_, session)) in &sessions {
            alive += usize::from(find_session(server, session.id).await.is_some());
        }
        assert_eq!(alive, sessions.len() - killed, "{flavor}: a refused kill terminates nothing");
    }
}

#[tokio::test]
async fn own_sessions_are_recognized_under_another_name_of_the_node() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        // Reads that list each other at every stage of a connection.
        let read = async |host: &'static str| {
            let node: NodeUrl = format!("mysql://root@{host}:{}/", server.port()).parse().unwrap();
            for _ in 0..30 {
                let options = SnapshotOptions::new(SnapshotFormat::Json);
                let mut snapshot = take_snapshot(&node, &options, &connector()).await.unwrap();
                let mut body = Vec::new();
                snapshot.body.write_to(&mut body).unwrap();
                let body = String::from_utf8(body).unwrap();
                // A server may list a connection before this process knows its socket.
                let known = |row: &&str| !row.contains("unauthenticated user");
                assert_eq!(body.lines().find(known), None, "{flavor} {host}");
            }
        };
        tokio::join!(read("127.0.0.1"), read("localhost"), read("127.0.0.1"), read("localhost"));
    }
}

#[tokio::test]
async fn accounts_named_like_threads_of_the_server_are_listed_and_killed() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let users = ["system user", "event_scheduler", "clew"];
        for user in users {
            server.run_statements(&[&format!("CREATE USER IF NOT EXISTS '{user}'@'%'")]).await.unwrap();
        }
        let node: NodeUrl = server.url().parse().unwrap();
        for user in users {
            let (_raw, session) = busy_session(&server, user, LONG).await;
            let users = read_client_sessions(&node, ConnectionPurpose::Reading, &connector()).await.unwrap();
            assert!(users.sessions.iter().any(|one| one.id == session.id), "{flavor} {user}");
            let victim = Victim::for_session(&session, &users.read);
            let no_protected_accounts = ProtectedAccounts::new::<&str>([]);
            let outcome = kill_single_victim(
                &node,
                &victim,
                KillOptions::new(KillTarget::Connection, &no_protected_accounts),
                &connector(),
            )
            .await
            .unwrap();
            assert_eq!(outcome, KillOutcome::Killed, "{flavor} {user}");
            while find_session(&server, session.id).await.is_some() {
                sleep(Duration::from_millis(10)).await;
            }
        }
    }
}
