//! Samples a node's sessions for periodic monitoring, with little load on the server.
//!
//! Each sample contains the user sessions, with truncated statements, and all open transactions.
//! Once a minute, a full sample reads the lock tables and all program names and checks privileges and server settings.
//! Between full samples, Clew reads the lock tables only if a session is waiting for a lock.
//! Between full samples, Clew reads program names only for new sessions.

mod cache;

use std::collections::HashMap;
use std::time::Duration;

use crate::client::Error;
use clew_diagnose::is_internal_session;
use clew_diagnose::lock_waits::build_wait_graph;
use clew_diagnose::session_feed::{MAX_STATEMENT_BYTES, SampledSession, SessionCounts};
use clew_model::{Failure, Limitation, LimitationKind, NodeUrl, Session, SessionDetail};

use crate::clock::NodeClockHistory;
use crate::connection::Connection;
use crate::connector::NodeConnector;
use crate::flavor::Flavor;
use crate::locks::LockTableSnapshot;
use crate::process_list::ProcessListReader;
use crate::server_instance::ServerInstance;
use crate::transactions::{TransactionList, TransactionsBySession};
use crate::wait_graph_session_collector::WaitGraphSessionCollector;
use crate::{
    elapsed_times, failure, limitations, lost_instrumentation, process_list, sql_statements, transactions,
    wait_graph_session_collector,
};
pub use cache::SampleCache;

/// If a sample already contains `MAX_SAMPLED_SESSIONS` sessions, Clew adds only busy sessions to the sample.
/// If a sample contains `2 * MAX_SAMPLED_SESSIONS` sessions, Clew omits all further sessions, including busy sessions.
const MAX_SAMPLED_SESSIONS: usize = 20_000;

/// Maximum size of a process list row without its SQL statement, in bytes.
const MAX_ROW_BYTES_WITHOUT_STATEMENT: usize = 4 << 10;

/// Sample of a node's sessions.
#[derive(Debug)]
pub struct SessionSample {
    /// Server instance from which the sessions were read.
    pub server: ServerInstance,
    /// Sessions of users.
    pub sessions: Vec<SampledSession>,
    /// Counts of active, slow and waiting sessions, including sessions that the sample omits.
    pub counts: SessionCounts,
    /// Notes about data that is missing from the sample.
    pub limitations: Vec<Limitation>,
    /// Time to take the sample, from acquiring the connection permit to receiving the last row.
    pub duration: Duration,
}

/// Samples a node's sessions. `cache` contains the data that consecutive samples of the node share.
/// `threshold` is the minimum duration, in seconds, of a slow session or a long transaction.
///
/// Fails after the read timeout.
/// If the function fails or its future is dropped, Clew kills the function's running statement on the server.
pub async fn take_session_sample(
    node: &NodeUrl,
    cache: &mut SampleCache,
    threshold: u64,
    connector: &NodeConnector,
) -> Result<SessionSample, Failure> {
    Connection::run(node, connector, "reading sessions", async |connection| {
        let server = connection.read_server_instance().await?;
        cache.clear_if_server_changed(&server);
        let mut sample = if cache.is_full_sample_due() || cache.has_waiters {
            take_session_sample_with_lock_waits(connection, cache, threshold).await?
        } else {
            let (open, gap) = read_open_transactions(connection, cache).await?;
            let found = read_sampled_sessions(connection, cache, open, threshold, None).await?;
            if found.counts.waiting > 0 {
                // Waiters and blockers must be read in the same sample.
                take_session_sample_with_lock_waits(connection, cache, threshold).await?
            } else {
                let limitations = cache.limitations.iter().chain(&gap).cloned().collect();
                SampledSessions { limitations, ..found }
            }
        };
        cache.has_waiters = sample.counts.waiting > 0;
        cache.read_program_names_of_new_sessions(connection, &sample.sessions).await?;
        sample.limitations.append(&mut connection.limitations);
        sample.limitations.dedup();
        let duration = connection.since.elapsed();
        Ok(sample.into_session_sample(server, cache, duration))
    })
    .await
}

#[derive(Debug, Default)]
struct SampledSessions {
    open: TransactionsBySession,
    sessions: Vec<Session>,
    counts: SessionCounts,
    omitted: u64,
    /// Lock wait descriptions with unmasked literals, keyed by session id.
    waits: HashMap<u64, SessionDetail>,
    /// Maps session ids to descriptions of lock waits with masked literals.
    waits_masked: HashMap<u64, SessionDetail>,
    limitations: Vec<Limitation>,
}

impl SampledSessions {
    /// Adds a session to the sample. If the sample is full, adds the session only to the session counts.
    fn add_session(&mut self, session: Session, threshold: u64) {
        let open = self.open.get(session.id);
        let is_busy = open.is_some() || !session.is_idle();
        let room = if is_busy { 2 * MAX_SAMPLED_SESSIONS } else { MAX_SAMPLED_SESSIONS };
        if self.sessions.len() < room {
            self.sessions.push(session);
        } else {
            self.counts.add_session(&session, open, threshold);
            self.omitted += 1;
        }
    }

    fn adjust_ages_and_count_sessions(&mut self, clock: &NodeClockHistory, flavor: Flavor, threshold: u64) {
        if clock.has_clock_steps() {
            // MariaDB computes elapsed times from a monotonic timer.
            let of_wall_clock = self.sessions.iter_mut().filter(|_| flavor == Flavor::MySql);
            of_wall_clock.for_each(|session| session.seconds = clock.adjusted_age_or_zero(session.seconds));
        }
        for session in &self.sessions {
            self.counts.add_session(session, self.open.get(session.id), threshold);
        }
    }

    fn into_session_sample(mut self, server: ServerInstance, cache: &SampleCache, duration: Duration) -> SessionSample {
        let Self { open, sessions, counts, omitted, .. } = self;
        if omitted > 0 {
            self.limitations.push(limitations::describe_omitted_sessions(omitted, counts.total, MAX_SAMPLED_SESSIONS));
        }
        let live = |session: Session| {
            let detail = self.waits.remove(&session.id).unwrap_or_default();
            SampledSession {
                transaction: open.get(session.id).cloned(),
                detail: SessionDetail { program_name: cache.program_name(session.id), ..detail },
                masked_waits_for: self.waits_masked.remove(&session.id).and_then(|detail| detail.waits_for),
                session,
            }
        };
        let sessions = sessions.into_iter().map(live).collect();
        SessionSample { server, sessions, counts, limitations: self.limitations, duration }
    }
}

/// Samples the sessions of a node, including their lock waits.
/// If a full sample is due, also reads all program names and the `Performance_schema_%_lost` counters.
async fn take_session_sample_with_lock_waits(
    connection: &mut Connection,
    cache: &mut SampleCache,
    threshold: u64,
) -> Result<SampledSessions, Failure> {
    connection.clock = None;
    let mut locks = LockTableSnapshot::read(connection, Vec::new()).await?;
    cache.record_clock_reading(connection);
    cache.adjust_transaction_ages_for_clock_steps(&mut locks.transactions);
    let mut parties =
        WaitGraphSessionCollector::new(locks.waiting_or_blocking_session_ids(), connection.raw.client.bytes.in_memory);
    let open = TransactionsBySession::new(locks.transactions.clone());
    let unreadable = locks.unreadable.take();
    if cache.is_full_sample_due() {
        cache.refresh_all_program_names(connection, unreadable.as_ref()).await?;
        cache.losses = if unreadable.is_none() {
            lost_instrumentation::detect_lost_instrumentation(connection).await?
        } else {
            Vec::new()
        };
        // `performance_schema.processlist` omits sessions whose threads performance_schema did not record.
        cache.use_show_processlist |= cache.losses.iter().any(|loss| loss.kind == LimitationKind::LostThreads);
    }
    let found = read_sampled_sessions(connection, cache, open, threshold, Some(&mut parties)).await?;
    let facts = parties.into_observed_sessions(connection.raw.own_session_filter(), &locks.threads);
    let (mut observed, _) = locks.into_lock_snapshot(facts);
    observed.limitations.extend_from_slice(&cache.losses);
    let graph = build_wait_graph(&observed);
    cache.limitations = [&observed.limitations[..], &cache.program_name_limitations].concat();
    let limitations = [&graph.limitations[..], &cache.program_name_limitations].concat();
    let waits = graph.session_details();
    Ok(SampledSessions { waits, waits_masked: graph.with_masked_literals().session_details(), limitations, ..found })
}

/// Reads the open transactions of a node. Also returns a `Limitation` if Clew read them from the InnoDB status.
async fn read_open_transactions(
    connection: &mut Connection,
    cache: &mut SampleCache,
) -> Result<(TransactionsBySession, Option<Limitation>), Failure> {
    let (mut open, gap) = match transactions::read_transactions(connection).await? {
        TransactionList::Readable(open) => (open, None),
        TransactionList::Hidden => (Vec::new(), None),
        TransactionList::FromStatus(open) => (open, Some(limitations::describe_incomplete_transactions())),
    };
    cache.record_clock_reading(connection);
    cache.adjust_transaction_ages_for_clock_steps(&mut open);
    Ok((TransactionsBySession::new(open), gap))
}

/// Reads a node's sessions for a sample, and adds all waiting and blocking sessions to `parties`.
async fn read_sampled_sessions(
    connection: &mut Connection,
    cache: &mut SampleCache,
    open: TransactionsBySession,
    threshold: u64,
    mut parties: Option<&mut WaitGraphSessionCollector>,
) -> Result<SampledSessions, Failure> {
    if connection.flavor == Flavor::MySql && connection.clock.is_none() {
        connection.read_clock().await?;
        cache.record_clock_reading(connection);
    }
    let mut found = SampledSessions { open, ..SampledSessions::default() };
    for without_lock in [true, false] {
        if without_lock && (connection.flavor == Flavor::MariaDb || cache.use_show_processlist) {
            continue;
        }
        if read_process_list(&mut found, connection, without_lock, threshold, parties.as_deref_mut()).await?
            || !without_lock
        {
            break;
        }
        // `performance_schema.processlist` is incomplete: performance_schema is off or disabled for some sessions.
        cache.use_show_processlist = true;
        found = SampledSessions { open: found.open, ..SampledSessions::default() };
        if let Some(parties) = &mut parties {
            parties.reset();
        }
    }
    let lock_waits = transactions::lock_wait_durations(&found.open.0);
    elapsed_times::correct_elapsed_times_of_busy_sessions(connection, &mut found.sessions, &lock_waits).await?;
    found.adjust_ages_and_count_sessions(&cache.clock, connection.flavor, threshold);
    if let Some(parties) = parties {
        parties.replace_elapsed_times(&found.sessions);
    }
    Ok(found)
}

/// Reads the process list. Returns true if the process list contains the session of `connection`.
async fn read_process_list(
    found: &mut SampledSessions,
    connection: &mut Connection,
    without_lock: bool,
    threshold: u64,
    mut parties: Option<&mut WaitGraphSessionCollector>,
) -> Result<bool, Failure> {
    let (address, mut own) = (connection.address.clone(), connection.raw.own_session_filter());
    let read_failure = |error: Error| failure::failure_from_client_error(&error, &address);
    let statement =
        if parties.is_some() { wait_graph_session_collector::MAX_WAITER_STATEMENT_BYTES } else { MAX_STATEMENT_BYTES };
    let max_row = statement + MAX_ROW_BYTES_WITHOUT_STATEMENT;
    let query = if without_lock {
        sql_statements::PERFORMANCE_SCHEMA_PROCESS_LIST_QUERY
    } else {
        sql_statements::PROCESS_LIST_QUERY
    };
    let mut rows = match ProcessListReader::open(&mut connection.raw.client, query, max_row).await {
        Ok(rows) => rows,
        Err(Error::Server(error)) if without_lock && !failure::is_server_timeout(&error) => return Ok(false),
        Err(error) => return Err(connection.explain_process_list_error(&error).await),
    };
    while let Some(mut session) = rows.next().await.map_err(read_failure)? {
        if let Some(parties) = &mut parties {
            parties.collect_session(&session).map_err(read_failure)?;
        }
        if own.is_own_session(&session) || is_internal_session(&session) {
            continue;
        }
        // Keeps one byte more than the maximum, so that truncation is detected.
        process_list::truncate_statement(&mut session, MAX_STATEMENT_BYTES + 1);
        found.add_session(session, threshold);
    }
    let limitation = rows.describe_invalid_idle_times();
    connection.limitations.extend(limitation);
    Ok(own.listed.is_some())
}
