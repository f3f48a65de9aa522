//! Ages in every read come from clocks that a session cannot change.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clew_model::{LimitationKind, NodeUrl, SessionClass, SessionSelection, SlowSessionThreshold};
use clew_mysql::{
    ClientSessions, ConnectionPurpose, NodeClockHistory, SampleCache, SnapshotFormat, SnapshotOptions,
    UnreliableClockReason, diagnose_node, find_sessions_by_id, read_client_sessions, read_lock_waits,
    read_session_detail, take_session_sample, take_snapshot,
};
use clew_testkit::{
    ClientCharset, DatabaseServer, DatabaseServerOptions, Flavor, PacketAction, RawSession, RewriteRules,
    RewritingProxy, ServerClock,
};
use mysql_async::prelude::Queryable;
use rstest::rstest;
use tokio::time::sleep;

use super::{TRANSACTION_LIST_AGE, connector, csv_of, take};

/// Longer than any test, shorter than any wrong age.
const PLAUSIBLE: u64 = 600;

async fn open(server: &DatabaseServer, user: &str) -> RawSession {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
    RawSession::open(address, user, None, ClientCharset::Utf8mb4).await.unwrap()
}

/// Opens a session that holds a user lock, and one with a clock of its own that waits for it.
async fn waiter_with_clock(server: &DatabaseServer, shift: &str) -> (RawSession, RawSession) {
    let mut holder = open(server, "root").await;
    holder.execute(&format!("DO GET_LOCK('held {shift}', 0)")).await.unwrap();
    let mut waiter = open(server, "root").await;
    waiter.execute(&format!("SET timestamp = UNIX_TIMESTAMP() {shift}")).await.unwrap();
    waiter.send_statement(format!("DO GET_LOCK('held {shift}', 100000)").as_bytes()).await.unwrap();
    wait_until(async || listed_age(server, waiter.id).await.iter().any(|(_, state)| state == "User lock")).await;
    (holder, waiter)
}

async fn wait_until(is_done: impl AsyncFn() -> bool) {
    while !is_done().await {
        sleep(TRANSACTION_LIST_AGE).await;
    }
}

/// Returns the age and state of a session in a plain snapshot.
async fn listed_age(server: &DatabaseServer, id: u64) -> Option<(u64, String)> {
    let rows = csv_of(&server.url(), &SessionSelection::default(), false).await;
    let row = rows.into_iter().find(|row| row[0] == id.to_string())?;
    Some((row[7].parse().unwrap(), row[4].clone()))
}

/// Returns the age of a session in every read that has it.
async fn seconds_in_every_read(server: &DatabaseServer, id: u64) -> Vec<(&'static str, u64)> {
    let (node, connector): (NodeUrl, _) = (server.url().parse().unwrap(), connector());
    let (plain, _) = listed_age(server, id).await.unwrap();
    let options = SnapshotOptions::new(SnapshotFormat::Csv { formula_guard: false });
    let mut detailed = take_snapshot(&node, &SnapshotOptions { detailed: true, ..options }, &connector).await.unwrap();
    let mut body = Vec::new();
    detailed.body.write_to(&mut body).unwrap();
    let mut rows = csv::ReaderBuilder::new().has_headers(false).from_reader(body.as_slice());
    let detailed = rows.records().map(Result::unwrap).find(|row| row[0] == id.to_string()).unwrap();
    let waits = read_lock_waits(&node, &connector).await.unwrap();
    let of_waits = waits.sessions.iter().find(|facts| facts.session.id == id).unwrap();
    let live = take_session_sample(&node, &mut SampleCache::default(), 60, &connector).await.unwrap();
    let of_live = live.sessions.iter().find(|live| live.session.id == id).unwrap();
    let users = read_client_sessions(&node, ConnectionPurpose::Reading, &connector).await.unwrap();
    assert!(users.unchecked.is_empty(), "{users:?}");
    let slow = u64::from(plain >= 60);
    assert_eq!(live.counts.slow, slow, "{:?}", live.counts);
    vec![
        ("snapshot", plain),
        ("detailed snapshot", detailed[7].parse().unwrap()),
        ("waits", of_waits.session.seconds),
        ("session", read_session_detail(&node, id, &connector).await.unwrap().unwrap().session.seconds),
        ("live list", of_live.session.seconds),
        ("sessions by id", find_sessions_by_id(&node, &[id], &connector).await.unwrap().sessions[0].seconds),
        ("sessions for rules", users.sessions.iter().find(|session| session.id == id).unwrap().seconds),
    ]
}

#[rstest]
#[tokio::test]
async fn set_timestamp_does_not_change_the_age_of_a_statement(
    #[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor,
) {
    let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
    let (_holder, waiter) = waiter_with_clock(&server, "- 7200").await;
    for (read, seconds) in seconds_in_every_read(&server, waiter.id).await {
        assert!(seconds < 60, "{read} on {flavor}: {seconds}");
    }
    // A session whose own clock is in the future is not hidden.
    let (_holder, waiter) = waiter_with_clock(&server, "+ 7200").await;
    wait_until(async || listed_age(&server, waiter.id).await.is_some_and(|(seconds, _)| seconds > 1)).await;
    for (read, seconds) in seconds_in_every_read(&server, waiter.id).await {
        assert!((1..PLAUSIBLE).contains(&seconds), "{read} on {flavor}: {seconds}");
    }
}

#[tokio::test]
async fn forged_age_of_a_statement_that_ends_during_the_read_is_not_shown_on_mysql() {
    let options = DatabaseServerOptions { max_connections: 600, ..DatabaseServerOptions::default() };
    let server = DatabaseServer::start(Flavor::MySql, &options).await.unwrap();
    let mut busy = Vec::new();
    // So many sessions that the timers of all running statements are read at once.
    for _ in 0..410 {
        let mut session = open(&server, "root").await;
        session.send_statement(b"DO SLEEP(600)").await.unwrap();
        busy.push(session);
    }
    let (mut idle_old, mut idle_young) = (open(&server, "root").await, open(&server, "root").await);
    idle_old.execute("SET timestamp = UNIX_TIMESTAMP() - 7200").await.unwrap();
    idle_young.execute("SET timestamp = UNIX_TIMESTAMP() + 7200").await.unwrap();
    let (mut holder, mut waiter) = waiter_with_clock(&server, "- 7200").await;
    sleep(Duration::from_secs(2)).await;
    // Rules get the true ages of idle sessions too.
    let node: NodeUrl = server.url().parse().unwrap();
    let users = read_client_sessions(&node, ConnectionPurpose::Reading, &connector()).await.unwrap();
    for idle in [&idle_old, &idle_young] {
        let session = users.sessions.iter().find(|session| session.id == idle.id).unwrap();
        assert!((1..PLAUSIBLE).contains(&session.seconds) && !users.unchecked.contains(&idle.id), "{session:?}");
    }
    let rewrite = RewriteRules {
        effect: Some(("events_statements_current", PacketAction::HoldRequest)),
        ..RewriteRules::default()
    };
    let proxy = RewritingProxy::start((Ipv4Addr::LOCALHOST, server.port()).into(), rewrite).await.unwrap();
    let url = proxy.url("root");
    let reading = tokio::spawn(async move { csv_of(&url, &SessionSelection::default(), false).await });
    proxy.wait_until_packet_is_held().await;
    holder.execute("DO RELEASE_ALL_LOCKS()").await.unwrap();
    waiter.wait_for_response().await.unwrap();
    proxy.release_held_packets();
    let rows = reading.await.unwrap();
    let row = rows.iter().find(|row| row[0] == waiter.id.to_string()).unwrap();
    assert_eq!(row[7], "0", "{row:?}");
}

/// Returns the remedy of the only limitation of ages, and the sessions for rules.
async fn unreliable_ages(url: &str) -> (String, ClientSessions) {
    let node: NodeUrl = url.parse().unwrap();
    let summary = take(url, &SessionSelection::default(), false).await.unwrap().summary;
    let ages: Vec<_> =
        summary.limitations.into_iter().filter(|gap| gap.kind == LimitationKind::UnreliableAges).collect();
    let [gap] = ages.as_slice() else { panic!("{ages:?}") };
    let diagnosis = diagnose_node(&node, &connector()).await.unwrap();
    let check = diagnosis.checks.iter().find(|check| check.what == "reliable durations").unwrap();
    assert_eq!(check.limitation.as_ref().map(|gap| gap.kind), Some(LimitationKind::UnreliableAges));
    let users = read_client_sessions(&node, ConnectionPurpose::Reading, &connector()).await.unwrap();
    assert!(users.limitations.iter().any(|gap| gap.kind == LimitationKind::UnreliableAges), "{users:?}");
    (gap.remedy.clone().unwrap_or_default().to_string(), users)
}

#[tokio::test]
async fn ages_without_timers_are_reported_and_never_used_by_rules_on_mysql() {
    let options = DatabaseServerOptions {
        arguments: vec!["--performance-schema=OFF".into()],
        ..DatabaseServerOptions::default()
    };
    let server = DatabaseServer::start(Flavor::MySql, &options).await.unwrap();
    let (holder, waiter) = waiter_with_clock(&server, "- 7200").await;
    let (remedy, users) = unreliable_ages(&server.url()).await;
    assert!(remedy.starts_with("performance_schema = ON"), "{remedy}");
    assert!([holder.id, waiter.id].iter().all(|id| users.unchecked.contains(id)), "{users:?}");
    assert!(users.into_sessions_with_checked_times().is_empty());

    let server = DatabaseServer::start(Flavor::MySql, &DatabaseServerOptions::default()).await.unwrap();
    server.run_statements(&["CREATE USER clew@'%'", "GRANT PROCESS ON *.* TO clew@'%'"]).await.unwrap();
    let (_holder, _waiter) = waiter_with_clock(&server, "- 7200").await;
    let url = server.url_for_account("clew", "");
    let (remedy, users) = unreliable_ages(&url).await;
    assert!(users.into_sessions_with_checked_times().is_empty());
    server.run_statements(&[&remedy]).await.unwrap();
    assert_eq!(take(&url, &SessionSelection::default(), false).await.unwrap().summary.limitations, []);

    server
        .run_statements(&[
            "UPDATE performance_schema.setup_consumers SET enabled = 'NO' WHERE name = 'events_statements_current'",
        ])
        .await
        .unwrap();
    let (remedy, users) = unreliable_ages(&server.url()).await;
    assert!(users.into_sessions_with_checked_times().is_empty());
    let mending: Vec<&str> = remedy.split_terminator(';').collect();
    server.run_statements(&mending).await.unwrap();
    let (_holder, waiter) = waiter_with_clock(&server, "- 7100").await;
    let (seconds, _) = listed_age(&server, waiter.id).await.unwrap();
    assert!(seconds < PLAUSIBLE, "{seconds}");
}

#[tokio::test]
async fn unrecorded_sessions_are_excluded_individually_on_mysql() {
    let server = DatabaseServer::start(Flavor::MySql, &DatabaseServerOptions::default()).await.unwrap();
    let (_holder, waiter) = waiter_with_clock(&server, "- 7200").await;
    let (_other_holder, recorded) = waiter_with_clock(&server, "- 7100").await;
    let off = format!("UPDATE performance_schema.threads SET instrumented = 'NO' WHERE processlist_id = {}", waiter.id);
    server.run_statements(&[&off]).await.unwrap();
    let node: NodeUrl = server.url().parse().unwrap();
    let users = read_client_sessions(&node, ConnectionPurpose::Reading, &connector()).await.unwrap();
    assert!(users.unchecked.iter().eq([&waiter.id]), "{users:?}");
    assert!(users.limitations[0].what.english.contains("of 1 sessions"), "{users:?}");
    assert!(users.into_sessions_with_checked_times().iter().any(|session| session.id == recorded.id));
}

#[tokio::test]
async fn statement_type_without_instrument_has_its_own_age_on_mysql() {
    let server = DatabaseServer::start(Flavor::MySql, &DatabaseServerOptions::default()).await.unwrap();
    let mut connection = server.connect_as_root().await.unwrap();
    connection.query_drop("DO SLEEP(3)").await.unwrap();
    let prepared = connection.prep("SELECT SLEEP(600)").await.unwrap();
    server
        .run_statements(&["UPDATE performance_schema.setup_instruments SET enabled = 'NO' \
                WHERE name IN ('statement/com/Execute', 'statement/com/Query', 'statement/sql/select')"])
        .await
        .unwrap();
    let session = u64::from(connection.id());
    let running = tokio::spawn(async move { connection.exec_drop(prepared, ()).await });
    wait_until(async || listed_age(&server, session).await.is_some_and(|(_, state)| state == "User sleep")).await;
    let (seconds, _) = listed_age(&server, session).await.unwrap();
    assert!(seconds < 3, "{seconds}");
    running.abort();
}

#[tokio::test]
async fn sessions_that_become_idle_during_the_read_have_no_forged_age_on_mysql() {
    let server = DatabaseServer::start(Flavor::MySql, &DatabaseServerOptions::default()).await.unwrap();
    let mut sessions = Vec::new();
    for _ in 0..40 {
        let mut session = open(&server, "root").await;
        session.execute("SET timestamp = UNIX_TIMESTAMP() - 7200").await.unwrap();
        session.send_statement(b"DO SLEEP(0.2), SLEEP(0.2), SLEEP(0.2)").await.unwrap();
        sessions.push(session);
    }
    // Enough reads for sessions to end between the process list and the timers.
    for _ in 0..60 {
        let snapshot = take(&server.url(), &SessionSelection::default(), false).await.unwrap();
        assert_eq!(snapshot.summary.limitations, []);
        let rows = csv_of(&server.url(), &SessionSelection::default(), false).await;
        let busy = rows.iter().filter(|row| row[5] != "Sleep");
        let oldest = busy.map(|row| row[7].parse::<u64>().unwrap()).max().unwrap_or(0);
        assert!(oldest < PLAUSIBLE, "{oldest}");
    }
}

/// Returns the age of each session's transaction.
async fn transaction_ages(url: &str, ids: &[u64]) -> Vec<u64> {
    sleep(TRANSACTION_LIST_AGE).await;
    let rows = csv_of(url, &SessionSelection::default(), false).await;
    let age = |id: &u64| rows.iter().find(|row| row[0] == id.to_string()).unwrap()[8].parse().unwrap();
    ids.iter().map(age).collect()
}

async fn in_transaction(server: &DatabaseServer, row: u64) -> RawSession {
    let mut session = open(server, "root").await;
    session.execute("BEGIN").await.unwrap();
    session.execute(&format!("UPDATE shop.t SET a = a WHERE a = {row}")).await.unwrap();
    session
}

const TABLE: [&str; 3] = [
    "CREATE DATABASE shop",
    "CREATE TABLE shop.t (a INT PRIMARY KEY) ENGINE = InnoDB",
    "INSERT INTO shop.t VALUES (1), (2), (3)",
];

#[rstest]
#[tokio::test]
async fn clock_of_the_reading_session_is_reset(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
    server.run_statements(&TABLE).await.unwrap();
    server
        .run_statements(&[
            "CREATE USER clew@'%'",
            "GRANT PROCESS ON *.* TO clew@'%'",
            "GRANT SELECT ON performance_schema.* TO clew@'%'",
        ])
        .await
        .unwrap();
    let session = in_transaction(&server, 1).await;
    server.run_statements(&["SET GLOBAL init_connect = 'SET timestamp = 86400'"]).await.unwrap();
    let url = server.url_for_account("clew", "");
    wait_until(async || transaction_ages(&url, &[session.id]).await[0] > 1).await;
    let ages = transaction_ages(&url, &[session.id]).await;
    assert!(ages[0] < PLAUSIBLE, "{flavor}: {ages:?}");
    let diagnosis = diagnose_node(&url.parse().unwrap(), &connector()).await.unwrap();
    assert!(diagnosis.clock_difference.abs() < 60.0, "{flavor}: {}", diagnosis.clock_difference);
}

/// Parses a UTC time to seconds since 1970.
fn utc(moment: &str) -> Duration {
    let moment: jiff::Timestamp = moment.parse().unwrap();
    Duration::from_secs(moment.as_second().unsigned_abs())
}

async fn in_central_europe(flavor: Flavor, moment: &str) -> (ServerClock, DatabaseServer) {
    let clock = ServerClock::new(ServerClock::CENTRAL_EUROPEAN_TIME_ZONE).unwrap();
    clock.set_time(utc(moment)).unwrap();
    let server =
        DatabaseServer::start_with_settable_clock(flavor, &DatabaseServerOptions::default(), &clock).await.unwrap();
    server.run_statements(&TABLE).await.unwrap();
    (clock, server)
}

/// Returns the seconds for which a session has waited for a row lock.
async fn lock_wait(url: &str, id: u64) -> u64 {
    let rows = csv_of(url, &SessionSelection::default(), false).await;
    rows.iter().find(|row| row[0] == id.to_string()).unwrap()[10].parse().unwrap()
}

async fn waiter_for_row_1(server: &DatabaseServer) -> RawSession {
    let mut waiter = open(server, "root").await;
    waiter.execute("SET SESSION innodb_lock_wait_timeout = 1000000").await.unwrap();
    waiter.send_statement(b"UPDATE shop.t SET a = a WHERE a = 1").await.unwrap();
    let waits = async || {
        let rows = csv_of(&server.url(), &SessionSelection::default(), false).await;
        rows.iter().any(|row| row[0] == waiter.id.to_string() && row[11] == "LOCK WAIT")
    };
    wait_until(waits).await;
    waiter
}

#[rstest]
#[tokio::test]
async fn start_of_dst_changes_no_age(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    // 01:55 CET; at 02:00 it is 03:00 CEST.
    let (clock, server) = in_central_europe(flavor, "2026-03-29T00:55:00Z").await;
    let session = in_transaction(&server, 1).await;
    let waiter = waiter_for_row_1(&server).await;
    clock.set_time(utc("2026-03-29T01:05:00Z")).unwrap();
    let ages = transaction_ages(&server.url(), &[session.id, waiter.id]).await;
    assert!(ages.iter().all(|age| (300..1200).contains(age)), "{flavor}: {ages:?}");
    let lock_wait = lock_wait(&server.url(), waiter.id).await;
    assert!((300..1200).contains(&lock_wait), "{flavor}: {lock_wait}");
}

#[rstest]
#[tokio::test]
async fn end_of_dst_changes_no_age(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    // 02:30 CEST; at 03:00 it is 02:00 CET.
    let (clock, server) = in_central_europe(flavor, "2026-10-25T00:30:00Z").await;
    let first = in_transaction(&server, 1).await;
    let waiter = waiter_for_row_1(&server).await;
    // 02:30 CET: the same local time.
    clock.set_time(utc("2026-10-25T01:30:00Z")).unwrap();
    let second = in_transaction(&server, 2).await;
    // 02:45 CET.
    clock.set_time(utc("2026-10-25T01:45:00Z")).unwrap();
    let ages = transaction_ages(&server.url(), &[first.id, waiter.id, second.id]).await;
    let (hour, quarter) = (4300..4900, 800..1300);
    assert!(hour.contains(&ages[0]) && hour.contains(&ages[1]) && quarter.contains(&ages[2]), "{flavor}: {ages:?}");
    let lock_wait = lock_wait(&server.url(), waiter.id).await;
    assert!(hour.contains(&lock_wait), "{flavor}: {lock_wait}");
    let long = SessionSelection {
        class: SessionClass::Long,
        threshold: SlowSessionThreshold::new(3000),
        ..SessionSelection::default()
    };
    let mut listed: Vec<u64> =
        csv_of(&server.url(), &long, false).await.iter().map(|row| row[0].parse().unwrap()).collect();
    listed.sort_unstable();
    assert_eq!(listed, [first.id, waiter.id], "{flavor}");
    // One day later, the starts still differ by one hour.
    clock.set_time(utc("2026-10-26T01:45:00Z")).unwrap();
    let ages = transaction_ages(&server.url(), &[first.id, second.id]).await;
    assert!((4300 + 86_400..4900 + 86_400).contains(&ages[0]), "{flavor}: {ages:?}");
    assert!((800 + 86_400..1300 + 86_400).contains(&ages[1]), "{flavor}: {ages:?}");
    let summary = take(&server.url(), &SessionSelection::default(), false).await.unwrap().summary;
    assert_eq!(summary.limitations, [], "{flavor}");
}

/// The clock is set back and forward again between two reads, and a session is opened in between.
#[tokio::test]
async fn clock_steps_that_cancel_each_other_out_change_no_age_on_mysql() {
    let clock = ServerClock::new("UTC").unwrap();
    let server = DatabaseServer::start_with_settable_clock(Flavor::MySql, &DatabaseServerOptions::default(), &clock)
        .await
        .unwrap();
    let (node, connector): (NodeUrl, _) = (server.url().parse().unwrap(), connector());
    let read = async || read_client_sessions(&node, ConnectionPurpose::Reading, &connector).await.unwrap();
    let mut history = NodeClockHistory::default();
    assert_eq!(read().await.adjust_elapsed_times_for_clock_steps(&mut history), None);
    clock.set_offset(-14_400.0).unwrap();
    let address = ([127, 0, 0, 1], server.port()).into();
    let mut session = RawSession::open(address, "root", None, ClientCharset::Utf8mb4).await.unwrap();
    session.send_statement(b"SELECT SLEEP(1000000)").await.unwrap();
    while !read().await.sessions.iter().any(|listed| listed.id == session.id && listed.statement.is_some()) {}
    clock.set_offset(0.0).unwrap();
    for _ in 0..3 {
        let mut users = read().await;
        let seconds =
            |users: &ClientSessions| users.sessions.iter().find(|listed| listed.id == session.id).unwrap().seconds;
        assert!(seconds(&users) >= 14_400, "{users:?}");
        assert_eq!(users.adjust_elapsed_times_for_clock_steps(&mut history), None);
        assert!(seconds(&users) < PLAUSIBLE, "{users:?}");
    }
}

/// The first read follows the clock step, which is detectable only by comparison with the local clock.
#[tokio::test]
async fn clock_step_before_the_first_read_changes_no_age_of_automatic_kills_on_mysql() {
    let clock = ServerClock::new("UTC").unwrap();
    let server = DatabaseServer::start_with_settable_clock(Flavor::MySql, &DatabaseServerOptions::default(), &clock)
        .await
        .unwrap();
    let (node, connector): (NodeUrl, _) = (server.url().parse().unwrap(), connector());
    let address = ([127, 0, 0, 1], server.port()).into();
    let mut session = RawSession::open(address, "root", None, ClientCharset::Utf8mb4).await.unwrap();
    session.send_statement(b"SELECT SLEEP(1000000)").await.unwrap();
    let read = async || read_client_sessions(&node, ConnectionPurpose::Reading, &connector).await.unwrap();
    let seconds =
        |users: &ClientSessions| users.sessions.iter().find(|listed| listed.id == session.id).unwrap().seconds;
    while !read().await.sessions.iter().any(|listed| listed.id == session.id && listed.statement.is_some()) {}
    let mut users = read().await;
    assert_eq!(
        users.adjust_elapsed_times_for_clock_steps(&mut NodeClockHistory::new_with_local_clock_check()),
        None,
        "equal clocks"
    );
    clock.set_offset(14_400.0).unwrap();
    let mut history = NodeClockHistory::new_with_local_clock_check();
    for is_first in [true, false, false] {
        let mut users = read().await;
        assert!(seconds(&users) >= 14_400, "{users:?}");
        let reason = users.adjust_elapsed_times_for_clock_steps(&mut history);
        assert_eq!(matches!(reason, Some(UnreliableClockReason::DiffersFromLocalClock(_))), is_first, "{reason:?}");
        assert!(seconds(&users) < PLAUSIBLE, "{users:?}");
    }
}

#[rstest]
#[tokio::test]
async fn steps_of_the_servers_clock_are_detected_and_corrected(
    #[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor,
) {
    let clock = ServerClock::new("UTC").unwrap();
    let server =
        DatabaseServer::start_with_settable_clock(flavor, &DatabaseServerOptions::default(), &clock).await.unwrap();
    server.run_statements(&TABLE).await.unwrap();
    let session = in_transaction(&server, 1).await;
    let (_holder, waiter) = waiter_with_clock(&server, "- 7200").await;
    let (node, connector): (NodeUrl, _) = (server.url().parse().unwrap(), connector());
    let (mut memory, mut history) = (SampleCache::default(), NodeClockHistory::default());
    let mut users = read_client_sessions(&node, ConnectionPurpose::Reading, &connector).await.unwrap();
    assert_eq!(users.adjust_elapsed_times_for_clock_steps(&mut history), None);
    take_session_sample(&node, &mut memory, 60, &connector).await.unwrap();
    for (shift, is_step) in [(3600.0, true), (3600.0, false), (0.0, true), (-3600.0, true)] {
        clock.set_offset(shift).unwrap();
        let live = take_session_sample(&node, &mut memory, 60, &connector).await.unwrap();
        let of = |id: u64| live.sessions.iter().find(|live| live.session.id == id).unwrap();
        let open = of(session.id).transaction.as_ref().unwrap().seconds;
        assert!(open < PLAUSIBLE, "{flavor} {shift}: {open}");
        assert!(of(waiter.id).session.seconds < PLAUSIBLE, "{flavor} {shift}: {:?}", of(waiter.id));
        assert_eq!((live.counts.slow, live.counts.long), (0, 0), "{flavor} {shift}");
        let mut users = read_client_sessions(&node, ConnectionPurpose::Reading, &connector).await.unwrap();
        let step = users.adjust_elapsed_times_for_clock_steps(&mut history);
        assert_eq!(step.is_some(), is_step, "{flavor} {shift}: {step:?}");
        assert!(users.sessions.iter().all(|session| session.seconds < PLAUSIBLE), "{flavor} {shift}: {users:?}");
    }
    // Without earlier clock readings, ages are 0 after the clock was set back, with a limitation.
    let mut control = server.connect_as_root().await.unwrap();
    control.query_drop("DO 0").await.unwrap();
    let summary = take(&server.url(), &SessionSelection::default(), false).await.unwrap().summary;
    let named = summary.limitations.iter().filter(|gap| gap.kind == LimitationKind::UnreliableAges).count();
    assert!(named > 0, "{flavor}: {summary:?}");
    assert_eq!(transaction_ages(&server.url(), &[session.id]).await, [0], "{flavor}");
}
