//! Samples the sessions of a node repeatedly, with as little load on the server as possible.
//!
//! Each sample reads the sessions, with the start of their statements, and the open transactions.
//! Locks are read only while a session waits, and program names only of new sessions.
//! Privileges and settings are checked once a minute.

mod cache;

use std::collections::HashMap;
use std::time::Duration;

use crate::client::Error;
use clew_diagnose::is_internal;
use clew_diagnose::session_feed::{MAX_STATEMENT_BYTES, SampledSession, SessionCounts};
use clew_diagnose::waits::build_graph;
use clew_model::{Failure, Limitation, LimitationKind, NodeUrl, Session, SessionDetail};
use tokio::time::timeout;

use crate::clock::ClockHistory;
use crate::connection::Connection;
use crate::flavor::Flavor;
use crate::limits::Limits;
use crate::locks::LockTables;
use crate::party_collector::PartyCollector;
use crate::server_instance::ServerInstance;
use crate::statement_ages::{self, CheckScope};
use crate::transactions::{Transactions, TransactionsBySession};
use crate::{clock, doctor, failure, lost_instrumentation, party_collector, process_list, transactions};
pub use cache::SampleCache;

/// Maximum number of sessions in a sample. Busy sessions are stored up to twice this number. All are counted.
const MAX_SESSIONS: usize = 20_000;

/// Maximum bytes of a row without its statement.
const MAX_OTHER_COLUMN_BYTES: usize = 4 << 10;

/// Sample of a node.
#[derive(Debug)]
pub struct SessionSample {
    /// Server that listed the sessions.
    pub server: ServerInstance,
    /// Sessions of users.
    pub sessions: Vec<SampledSession>,
    /// Number of sessions of each kind, omitted sessions included.
    pub counts: SessionCounts,
    /// Limitations of the sample.
    pub limitations: Vec<Limitation>,
    /// Duration of the sample, from connecting to the last row.
    pub duration: Duration,
}

/// Samples a node. `memory` has the state that samples of this node share.
/// `threshold` is the age in seconds from which a session is slow and a transaction is long.
///
/// Fails after the time limit. If the read fails or is dropped, its running statement is killed on the server.
pub async fn sample_sessions(
    node: &NodeUrl,
    memory: &mut SampleCache,
    threshold: u64,
    limits: &Limits,
) -> Result<SessionSample, Failure> {
    let sampling = failure::catch_panic(node, Box::pin(sample(node, memory, threshold, limits)));
    let sampled = timeout(limits.read_timeout, sampling).await;
    sampled.unwrap_or_else(|_| Err(failure::read_timeout(node, limits.read_timeout)))
}

async fn sample(
    node: &NodeUrl,
    memory: &mut SampleCache,
    threshold: u64,
    limits: &Limits,
) -> Result<SessionSample, Failure> {
    let mut connection = Connection::open(node, limits).await?;
    let server = connection.read_instance().await?;
    memory.begin_for(&server);
    let mut sample = if memory.is_full_sample_due() || memory.has_waiters {
        sample_with_locks(&mut connection, memory, threshold).await?
    } else {
        let (open, gap) = open_transactions(&mut connection, memory).await?;
        let found = sample_users(&mut connection, memory, open, threshold, None).await?;
        if found.counts.waiting > 0 {
            // Waiters and blockers must come from the same sample.
            sample_with_locks(&mut connection, memory, threshold).await?
        } else {
            let limitations = memory.limitations.iter().chain(&gap).cloned().collect();
            Sample { found, waits: HashMap::new(), waits_masked: HashMap::new(), limitations }
        }
    };
    memory.has_waiters = sample.found.counts.waiting > 0;
    memory.read_new_programs(&mut connection, &sample.found.sessions).await?;
    sample.limitations.append(&mut connection.limitations);
    sample.limitations.dedup();
    let took = connection.since.elapsed();
    connection.close().await;
    Ok(sample.into_live_look(server, memory, took))
}

/// Sessions of users with their transactions.
#[derive(Debug, Default)]
struct SampledSessions {
    open: TransactionsBySession,
    sessions: Vec<Session>,
    counts: SessionCounts,
    omitted: u64,
}

impl SampledSessions {
    /// Stores a session, or only counts it if the sample is full.
    fn add(&mut self, session: Session, threshold: u64) {
        let open = self.open.get(session.id);
        let is_busy = open.is_some() || !session.command.eq_ignore_ascii_case(b"Sleep");
        let room = if is_busy { 2 * MAX_SESSIONS } else { MAX_SESSIONS };
        if self.sessions.len() < room {
            self.sessions.push(session);
        } else {
            self.counts.add(&session, open, threshold);
            self.omitted += 1;
        }
    }

    /// Corrects ages by detected steps of the server's clock, and counts the stored sessions.
    fn count(&mut self, clock: &ClockHistory, flavor: Flavor, threshold: u64) {
        if clock.has_steps() {
            // Ages of MariaDB come from a monotonic timer.
            let of_wall_clock = self.sessions.iter_mut().filter(|_| flavor == Flavor::MySql);
            of_wall_clock.for_each(|session| session.seconds = clock.correct_seconds(session.seconds));
        }
        for session in &self.sessions {
            self.counts.add(session, self.open.get(session.id), threshold);
        }
    }
}

/// Data of one sample.
struct Sample {
    found: SampledSessions,
    /// Lock waits by session.
    waits: HashMap<u64, SessionDetail>,
    /// Lock waits by session, with literals masked.
    waits_masked: HashMap<u64, SessionDetail>,
    limitations: Vec<Limitation>,
}

impl Sample {
    fn into_live_look(mut self, server: ServerInstance, memory: &SampleCache, took: Duration) -> SessionSample {
        let SampledSessions { open, sessions, counts, omitted } = self.found;
        if omitted > 0 {
            self.limitations.push(sessions_omitted(omitted, counts.total));
        }
        let live = |session: Session| {
            let detail = self.waits.remove(&session.id).unwrap_or_default();
            SampledSession {
                transaction: open.get(session.id).cloned(),
                detail: SessionDetail { program_name: memory.program(session.id), ..detail },
                masked_waits_for: self.waits_masked.remove(&session.id).and_then(|detail| detail.waits_for),
                session,
            }
        };
        let sessions = sessions.into_iter().map(live).collect();
        SessionSample { server, sessions, counts, limitations: self.limitations, duration: took }
    }
}

/// Takes a full sample, which reads locks as a detailed snapshot does.
async fn sample_with_locks(
    connection: &mut Connection,
    memory: &mut SampleCache,
    threshold: u64,
) -> Result<Sample, Failure> {
    connection.clock = None;
    let mut locks = LockTables::read(connection, Vec::new()).await?;
    memory.record_clock(connection);
    memory.correct_ages(&mut locks.transactions);
    let mut parties = PartyCollector::new(locks.party_ids());
    let open = TransactionsBySession::new(locks.transactions.clone());
    let unreadable = locks.unreadable.take();
    if memory.is_full_sample_due() {
        memory.read_all_programs(connection, unreadable.as_ref()).await?;
        memory.losses =
            if unreadable.is_none() { lost_instrumentation::read_losses(connection).await? } else { Vec::new() };
        // A session without a thread is missing in the table, and in its counts.
        memory.use_show_processlist |= memory.losses.iter().any(|loss| loss.kind == LimitationKind::LostThreads);
    }
    let found = sample_users(connection, memory, open, threshold, Some(&mut parties)).await?;
    let stale_modes = locks.stale_mode_limitation();
    let facts = parties.into_facts(connection.own_session_filter(), &locks.threads);
    let (mut observed, _) = locks.into_observed(facts);
    observed.limitations.extend_from_slice(&memory.losses);
    let graph = build_graph(&observed);
    let mut limitations = observed.limitations;
    limitations.extend_from_slice(memory.program_limitations());
    memory.limitations.clone_from(&limitations);
    if !graph.unexplained.is_empty() {
        limitations.extend(stale_modes);
    }
    Ok(Sample { found, waits: graph.session_details(), waits_masked: graph.masked().session_details(), limitations })
}

/// Reads the open transactions. Returns a limitation that the last full sample did not have.
async fn open_transactions(
    connection: &mut Connection,
    memory: &mut SampleCache,
) -> Result<(TransactionsBySession, Option<Limitation>), Failure> {
    let (mut open, gap) = match transactions::read_transactions(connection).await {
        Ok(Transactions::Readable(open)) => (open, None),
        Ok(Transactions::Hidden) => (Vec::new(), None),
        Ok(Transactions::FromStatus(open)) => (open, Some(doctor::incomplete_transactions())),
        Err(error) => return Err(connection.to_failure(&error)),
    };
    memory.record_clock(connection);
    memory.correct_ages(&mut open);
    Ok((TransactionsBySession::new(open), gap))
}

/// Reads the sessions of users. `parties` observes all sessions, internal ones and Clew's own included.
async fn sample_users(
    connection: &mut Connection,
    memory: &mut SampleCache,
    open: TransactionsBySession,
    threshold: u64,
    mut parties: Option<&mut PartyCollector>,
) -> Result<SampledSessions, Failure> {
    if connection.flavor == Flavor::MySql && connection.clock.is_none() {
        clock::read_clock(connection).await.map_err(|error| connection.to_failure(&error))?;
        memory.record_clock(connection);
    }
    let mut found = SampledSessions { open, ..SampledSessions::default() };
    for without_lock in [true, false] {
        if without_lock && (connection.flavor == Flavor::MariaDb || memory.use_show_processlist) {
            continue;
        }
        if read_process_list(&mut found, connection, without_lock, threshold, parties.as_deref_mut()).await?
            || !without_lock
        {
            break;
        }
        // The table has no statements: performance_schema is off, or disabled for some sessions.
        memory.use_show_processlist = true;
        found = SampledSessions { open: found.open, ..SampledSessions::default() };
        if let Some(parties) = &mut parties {
            parties.reset();
        }
    }
    let lock_waits = found.open.lock_waits();
    let flavor = connection.flavor;
    let is_unverified = |session: &&mut Session| {
        let lock_wait = lock_waits.get(&session.id).copied();
        statement_ages::needs_check(flavor, session, lock_wait, CheckScope::Busy)
    };
    let unverified = found.sessions.iter_mut().filter(is_unverified).collect();
    statement_ages::check_sessions(connection, unverified, CheckScope::Busy).await?;
    found.count(&memory.clock, flavor, threshold);
    if let Some(parties) = parties {
        parties.set_seconds(&found.sessions);
    }
    Ok(found)
}

/// Reads the process list. Returns whether it shows this connection.
async fn read_process_list(
    found: &mut SampledSessions,
    connection: &mut Connection,
    without_lock: bool,
    threshold: u64,
    mut parties: Option<&mut PartyCollector>,
) -> Result<bool, Failure> {
    let (address, mut own) = (connection.address.clone(), connection.own_session_filter());
    let read_failure = |error: Error| failure::from_client_error(&error, &address);
    let statement = if parties.is_some() { party_collector::MAX_STATEMENT_BYTES } else { MAX_STATEMENT_BYTES };
    let max_row = statement + MAX_OTHER_COLUMN_BYTES;
    let reading = if without_lock {
        process_list::query_without_lock(connection, max_row).await
    } else {
        process_list::query(connection, max_row).await
    };
    let mut rows = match reading {
        Ok(rows) => rows,
        Err(Error::Server(error)) if without_lock && !failure::is_server_timeout(&error) => return Ok(false),
        Err(error) => return Err(read_failure(error)),
    };
    while let Some(mut session) = rows.next().await.map_err(read_failure)? {
        if let Some(parties) = &mut parties {
            parties.observe(&session).map_err(read_failure)?;
        }
        if own.is_own(&session) || is_internal(&session) {
            continue;
        }
        if let Some(statement) = &mut session.statement {
            // One byte more than is shown, so that truncation is detected.
            statement.truncate(MAX_STATEMENT_BYTES + 1);
            statement.shrink_to_fit();
        }
        found.add(session, threshold);
    }
    let limitation = rows.limitation();
    connection.limitations.extend(limitation);
    Ok(own.listed_id().is_some())
}

fn sessions_omitted(omitted: u64, total: u64) -> Limitation {
    Limitation {
        kind: LimitationKind::SessionsCut,
        what: format!("{omitted} sessions of {total} are not in the list; all are counted."),
        why: format!(
            "A list that is read again and again has {MAX_SESSIONS} sessions, and as many again that do something."
        ),
        remedy: None,
    }
}
