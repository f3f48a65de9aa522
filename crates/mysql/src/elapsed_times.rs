//! Replaces elapsed times from MySQL's process list with statement timer values, which clients cannot falsify.
//!
//! A MySQL session can falsify its `Time` value in the process list by executing `SET timestamp`.
//! `SET timestamp` does not affect the statement timers in performance_schema.
//! Clew reads the process list first, then the statement timers.
//! If a session starts a new statement after Clew reads the process list, the corrected elapsed time is too short.
//!
//! Clew trusts an elapsed time that is close to the duration of the session's InnoDB lock wait.
//! MariaDB computes the `Time` column from a monotonic timer, so Clew does not correct MariaDB's values.

use std::collections::{HashMap, HashSet};

use crate::client::Error;
use clew_diagnose::is_internal_session;
use clew_model::{Failure, Limitation, LimitationKind, Session};

use crate::connection::Connection;
use crate::flavor::Flavor;
use crate::{failure, limitations, lost_instrumentation, privileges, sql_statements};

/// Maximum number of busy sessions to look up by session id. To check more busy sessions, Clew reads all busy threads.
const MAX_THREAD_LOOKUPS_BY_SESSION_ID: usize = 16;
/// Maximum number of threads whose timers are read by thread id. For more threads, a query without thread ids is faster.
const MAX_TIMER_LOOKUPS_BY_THREAD_ID: usize = 400;
/// Tolerance, in seconds, for comparing a session's `Time` value with the duration of the session's lock wait.
/// The tolerance is necessary because the server rounds both `Time` values and lock wait durations.
const LOCK_WAIT_ROUNDING_TOLERANCE_SECONDS: u64 = 2;
const PICOSECONDS_PER_SECOND: i64 = 1_000_000_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ElapsedTimeCheckScope {
    Busy,
    /// Busy and idle sessions. The elapsed time of an idle session is the time since its last statement ended.
    All,
}

/// `lock_wait` is the duration of the session's InnoDB lock wait, in seconds.
pub(crate) fn needs_elapsed_time_check(
    flavor: Flavor,
    session: &Session,
    lock_wait: Option<u64>,
    checked: ElapsedTimeCheckScope,
) -> bool {
    let is_idle = session.is_idle();
    flavor == Flavor::MySql
        && (!is_idle || checked == ElapsedTimeCheckScope::All)
        // A session cannot run `SET timestamp` before its login.
        && !session.command.eq_ignore_ascii_case(b"Connect")
        && !is_internal_session(session)
        && lock_wait.is_none_or(|waited| waited.abs_diff(session.seconds) > LOCK_WAIT_ROUNDING_TOLERANCE_SECONDS)
}

/// Elapsed time of a session's running statement, or idle time of an idle session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionElapsedTime {
    pub(crate) id: u64,
    is_idle: bool,
    pub(crate) seconds: u64,
}

impl SessionElapsedTime {
    pub(crate) fn from_session(session: &Session) -> Self {
        Self { id: session.id, is_idle: session.is_idle(), seconds: session.seconds }
    }
}

/// Corrects the elapsed times of busy sessions by using the server's statement timers.
/// `lock_waits` maps session ids to the durations of their lock waits, in seconds.
pub(crate) async fn correct_elapsed_times_of_busy_sessions(
    connection: &mut Connection,
    sessions: &mut [Session],
    lock_waits: &HashMap<u64, u64>,
) -> Result<(), Failure> {
    let (flavor, own, checked) = (connection.flavor, connection.id, ElapsedTimeCheckScope::Busy);
    let is_unverified = |session: &&mut Session| {
        let lock_wait = lock_waits.get(&session.id).copied();
        session.id != own && needs_elapsed_time_check(flavor, session, lock_wait, checked)
    };
    let unverified = sessions.iter_mut().filter(is_unverified).collect();
    correct_elapsed_times(connection, unverified, checked).await?;
    Ok(())
}

/// Corrects elapsed times, and returns the ids of the sessions whose elapsed times Clew could not check.
pub(crate) async fn correct_elapsed_times(
    connection: &mut Connection,
    sessions: Vec<&mut Session>,
    checked: ElapsedTimeCheckScope,
) -> Result<HashSet<u64>, Failure> {
    let (flavor, own) = (connection.flavor, connection.id);
    let mut unverified = sessions;
    unverified.retain(|session| session.id == own || needs_elapsed_time_check(flavor, session, None, checked));
    let mut ages: Vec<SessionElapsedTime> =
        unverified.iter().map(|session| SessionElapsedTime::from_session(session)).collect();
    let unchecked = correct_elapsed_times_with_timer_values(connection, &mut ages, checked).await?;
    for (session, age) in unverified.into_iter().zip(ages) {
        session.seconds = age.seconds;
    }
    Ok(unchecked)
}

/// Corrects elapsed times, and returns the ids of the sessions whose elapsed times Clew could not check.
/// Adds a `Limitation` to the connection for each reason why elapsed times are unchecked or uncertain.
pub(crate) async fn correct_elapsed_times_with_timer_values(
    connection: &mut Connection,
    sessions: &mut [SessionElapsedTime],
    checked: ElapsedTimeCheckScope,
) -> Result<HashSet<u64>, Failure> {
    if connection.flavor == Flavor::MariaDb || sessions.is_empty() {
        return Ok(HashSet::new());
    }
    let ids: Vec<u64> = sessions.iter().map(|session| session.id).collect();
    let timers = match read_statement_timers(connection, &ids, checked).await {
        Ok(timers) => timers,
        Err(Error::Server(error)) if !failure::is_server_timeout(&error) => {
            let account = privileges::read_current_account(connection).await?;
            let gap = limitations::describe_unreadable_performance_schema(&account);
            connection.limitations.push(limitations::describe_unreadable_timers(&gap));
            return Ok(ids.into_iter().collect());
        }
        Err(error) => return Err(connection.failure_from_client_error(&error)),
    };
    let Some(timers) = timers else {
        let gap = find_statement_timer_limitation(connection).await?;
        connection.limitations.push(gap);
        return Ok(ids.into_iter().collect());
    };
    let (mut unchecked, mut gone, own) = (HashSet::new(), Vec::new(), connection.id);
    let (mut negative, mut untimed) = (0, 0);
    for session in sessions.iter_mut() {
        untimed += u64::from(timers.untimed.contains(&session.id));
        let has_ended = timers.ended.contains(&session.id);
        // The session was listed as busy, but its statement has ended since.
        if has_ended && !session.is_idle {
            unchecked.insert(session.id);
        }
        if let Some(seconds) = timers.elapsed_seconds(session) {
            negative += u64::from(seconds < 0 && session.id != own);
            session.seconds = Session::sanitize_duration_seconds(seconds.into());
            continue;
        }
        unchecked.insert(session.id);
        if has_ended && !session.is_idle {
            // For many sessions, Clew reads only the timers of running statements.
            session.seconds = 0;
        } else if !has_ended && !timers.untimed.contains(&session.id) {
            gone.push(session);
        }
    }
    if !gone.is_empty() {
        let losses = lost_instrumentation::detect_lost_thread_instrumentation(connection).await?;
        if losses.is_empty() {
            // The sessions have ended since the process list was read.
            for session in gone {
                session.seconds = 0;
            }
        }
        connection.limitations.extend(losses);
    }
    if negative > 0 {
        connection.limitations.push(limitations::describe_negative_session_durations(negative));
    }
    if untimed > 0 {
        connection.limitations.push(limitations::describe_uninstrumented_sessions(untimed));
    }
    Ok(unchecked)
}

#[derive(Debug, Default)]
struct StatementTimers {
    by_session: HashMap<u64, StatementTimerValues>,
    /// Ids of sessions for which the server does not record statement timers.
    untimed: HashSet<u64>,
    /// Ids of the sessions without a running statement, according to the server's statement timers.
    ended: HashSet<u64>,
    /// Current value of the server's statement timer, in picoseconds.
    now: u64,
}

/// Timer values of a session's latest statement, in picoseconds.
#[derive(Debug, Clone, Copy)]
struct StatementTimerValues {
    event: u64,
    runs: bool,
    ended: u64,
    lasted: u64,
}

impl StatementTimers {
    /// Returns a negative number if the server's clock was set back after the statement started or ended.
    fn elapsed_seconds(&self, session: &SessionElapsedTime) -> Option<i64> {
        let timer = self.by_session.get(&session.id)?;
        let picoseconds = match (session.is_idle, timer.runs) {
            // The session was listed as idle, but has started a statement since.
            (true, true) => 0,
            (true, false) => self.now.wrapping_sub(timer.ended),
            (false, _) => timer.lasted,
        };
        // If the clock was set back, the unsigned timer wraps around.
        Some(picoseconds.cast_signed().div_euclid(PICOSECONDS_PER_SECOND))
    }
}

/// Columns of a statement timer query: thread id, event id, whether the statement is running, end time and duration.
type TimerRow = (u64, u64, bool, Option<u64>, Option<u64>);

/// Maps each thread id to a session id and a flag that is true if the server records the thread's statements.
type SessionThreads = HashMap<u64, (u64, bool)>;

async fn read_session_threads(
    connection: &mut Connection,
    wanted: &HashSet<u64>,
    statement: &str,
) -> Result<SessionThreads, Error> {
    let mut threads = SessionThreads::new();
    let collect_row = |(thread, session, instrumented): (u64, u64, bool)| {
        if wanted.contains(&session) {
            threads.insert(thread, (session, instrumented));
        }
    };
    connection.raw.client.for_each_result_row(statement, collect_row).await?;
    Ok(threads)
}

fn to_sorted_session_ids(ids: &HashSet<u64>) -> Vec<u64> {
    let mut ids: Vec<u64> = ids.iter().copied().collect();
    ids.sort_unstable();
    ids
}

/// Reads the statement timers. Returns `None` if timers may be stale because the server does not record Clew's query.
async fn read_statement_timers(
    connection: &mut Connection,
    sessions: &[u64],
    checked: ElapsedTimeCheckScope,
) -> Result<Option<StatementTimers>, Error> {
    let mut wanted: HashSet<u64> = sessions.iter().copied().collect();
    wanted.insert(connection.id);
    let statement = match checked {
        ElapsedTimeCheckScope::Busy if wanted.len() > MAX_THREAD_LOOKUPS_BY_SESSION_ID => {
            sql_statements::BUSY_THREADS_QUERY.to_owned()
        }
        ElapsedTimeCheckScope::All if wanted.len() > MAX_TIMER_LOOKUPS_BY_THREAD_ID => {
            sql_statements::ALL_THREADS_QUERY.to_owned()
        }
        _ => sql_statements::session_threads_query(&to_sorted_session_ids(&wanted)),
    };
    let mut threads = read_session_threads(connection, &wanted, &statement).await?;
    // Look up sessions that have become idle since the process list was read.
    if wanted.len() > MAX_THREAD_LOOKUPS_BY_SESSION_ID
        && checked == ElapsedTimeCheckScope::Busy
        && threads.len() < wanted.len()
    {
        let mut missing = wanted;
        for (session, _) in threads.values() {
            missing.remove(session);
        }
        let statement = sql_statements::session_threads_query(&to_sorted_session_ids(&missing));
        threads.extend(read_session_threads(connection, &missing, &statement).await?);
    }
    if threads.is_empty() {
        return Ok(None);
    }
    let ids: Vec<u64> = threads.keys().copied().collect();
    let query = match checked {
        _ if ids.len() <= MAX_TIMER_LOOKUPS_BY_THREAD_ID => sql_statements::statement_timers_query(&ids),
        ElapsedTimeCheckScope::Busy => sql_statements::running_statement_timers_query(),
        ElapsedTimeCheckScope::All => sql_statements::ALL_STATEMENT_TIMERS_QUERY.to_owned(),
    };
    let mut timers = StatementTimers::default();
    for (session, instrumented) in threads.values() {
        if *instrumented { &mut timers.ended } else { &mut timers.untimed }.insert(*session);
    }
    let collect_row = |(thread, event, runs, ended, lasted): TimerRow| {
        let (Some((session, true)), Some(ended), Some(lasted)) = (threads.get(&thread), ended, lasted) else { return };
        let timer = StatementTimerValues { event, runs, ended, lasted };
        // For nested statements, such as in a stored procedure, use the innermost one, as the process list does.
        let latest = timers.by_session.entry(*session).or_insert(timer);
        if (timer.runs, timer.event) > (latest.runs, latest.event) {
            *latest = timer;
        }
    };
    connection.raw.client.for_each_result_row(&query, collect_row).await?;
    for (session, timer) in &timers.by_session {
        if timer.runs {
            timers.ended.remove(session);
        }
    }
    // This query must be listed as running. Otherwise, recording is disabled and the rows may be stale.
    let own = timers.by_session.get(&connection.id).filter(|own| own.runs);
    Ok(own.map(|own| own.ended).map(|now| StatementTimers { now, ..timers }))
}

async fn find_statement_timer_limitation(connection: &mut Connection) -> Result<Limitation, Failure> {
    let account = privileges::read_current_account(connection).await?;
    if let Some(gap) = privileges::check_performance_schema_access(connection, &account).await? {
        return Ok(limitations::describe_unreadable_timers(&gap));
    }
    // MySQL records metadata locks and the durations of running statements since 5.7.
    let instrument: Option<String> =
        privileges::query_single_value(connection, sql_statements::METADATA_LOCK_INSTRUMENT_QUERY).await?;
    Ok(match instrument {
        Some(_) => limitations::describe_disabled_statement_recording(),
        None => limitations::describe_unsupported_statement_timers(),
    })
}

/// Returns the reason why Clew cannot read the statement timers, or `None` if the timers are readable.
pub(crate) async fn check_statement_timer_access(connection: &mut Connection) -> Result<Option<Limitation>, Failure> {
    let own = SessionElapsedTime { id: connection.id, is_idle: false, seconds: 0 };
    correct_elapsed_times_with_timer_values(connection, &mut [own], ElapsedTimeCheckScope::Busy).await?;
    let at = connection.limitations.iter().position(|gap| gap.kind == LimitationKind::UnreliableAges);
    Ok(at.map(|at| connection.limitations.remove(at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(command: &str, seconds: u64) -> Session {
        Session { id: 7, user: b"app".to_vec(), command: command.into(), seconds, ..Session::default() }
    }

    #[test]
    fn only_ages_that_a_session_can_set_are_checked() {
        use ElapsedTimeCheckScope::{All, Busy};
        for (flavor, command, lock_wait, checked, expected) in [
            (Flavor::MySql, "Query", None, Busy, true),
            (Flavor::MySql, "Execute", Some(97), Busy, true),
            (Flavor::MySql, "Query", Some(98), Busy, false),
            (Flavor::MySql, "Query", Some(102), Busy, false),
            (Flavor::MySql, "Query", Some(103), Busy, true),
            (Flavor::MySql, "Sleep", None, Busy, false),
            (Flavor::MySql, "Sleep", None, All, true),
            (Flavor::MySql, "Connect", None, All, false),
            (Flavor::MySql, "Binlog Dump GTID", None, All, false),
            (Flavor::MariaDb, "Query", None, All, false),
        ] {
            assert_eq!(
                needs_elapsed_time_check(flavor, &session(command, 100), lock_wait, checked),
                expected,
                "{command} {lock_wait:?}"
            );
        }
    }

    #[test]
    fn seconds_follow_the_timers() {
        let second = PICOSECONDS_PER_SECOND.cast_unsigned();
        let timer = |runs, ended, lasted| {
            let timer = StatementTimerValues { event: 1, runs, ended, lasted };
            StatementTimers { by_session: HashMap::from([(7, timer)]), now: 100 * second, ..StatementTimers::default() }
        };
        for (command, timers, expected) in [
            ("Query", timer(true, 100 * second, 61 * second - 1), 60),
            ("Query", timer(false, 90 * second, 30 * second), 30),
            ("Query", timer(true, 0, 0_u64.wrapping_sub(3594 * second)), -3594),
            ("Sleep", timer(false, 90 * second, 30 * second), 10),
            ("Sleep", timer(true, 100 * second, 5 * second), 0),
            ("Sleep", timer(false, 130 * second, 30 * second), -30),
        ] {
            assert_eq!(
                timers.elapsed_seconds(&SessionElapsedTime::from_session(&session(command, 7202))),
                Some(expected),
                "{command} {timers:?}"
            );
        }
        assert_eq!(
            StatementTimers::default().elapsed_seconds(&SessionElapsedTime::from_session(&session("Query", 1))),
            None
        );
    }
}
