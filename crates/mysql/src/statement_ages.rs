//! Replaces the ages of MySQL sessions by timers that sessions cannot set.
//!
//! The column `Time` of MySQL's process list follows the session's `SET timestamp`.
//! The statement timers of performance_schema do not.
//! They are read after the process list: a session that starts another statement in between seems younger, never older.
//!
//! An age that agrees with the session's lock wait in InnoDB needs no check.
//! MariaDB's `Time` comes from a monotonic timer (seen on 10.11.19) and is used unchanged.

use std::collections::{HashMap, HashSet};

use crate::client::Error;
use clew_diagnose::is_internal;
use clew_model::{Failure, Limitation, LimitationKind, Session};

use crate::connection::Connection;
use crate::flavor::Flavor;
use crate::{doctor, failure, lost_instrumentation, statements};

/// Maximum number of sessions whose threads are looked up by id. For more, all busy threads are read.
const MAX_SESSIONS_BY_ID: usize = 16;
/// Maximum number of threads whose statements are looked up by id. For more, reading all is cheaper.
const MAX_THREADS_BY_ID: usize = 400;
/// Tolerance in seconds between `Time` and a lock wait: both are whole seconds.
const ROUNDING_TOLERANCE: u64 = 2;
/// Picoseconds per second.
const PICOSECONDS_PER_SECOND: i64 = 1_000_000_000_000;

/// Sessions whose ages are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CheckScope {
    /// Busy sessions.
    Busy,
    /// All sessions: also the idle time of idle ones.
    All,
}

/// Returns whether the age of this session must be checked.
/// `lock_wait` is the session's lock wait in InnoDB, in seconds.
pub(crate) fn needs_check(flavor: Flavor, session: &Session, lock_wait: Option<u64>, checked: CheckScope) -> bool {
    let is_idle = session.command.eq_ignore_ascii_case(b"Sleep");
    flavor == Flavor::MySql
        && (!is_idle || checked == CheckScope::All)
        // No statement can set the clock before the login.
        && !session.command.eq_ignore_ascii_case(b"Connect")
        && !is_internal(session)
        && lock_wait.is_none_or(|waited| waited.abs_diff(session.seconds) > ROUNDING_TOLERANCE)
}

/// Age of a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionAge {
    pub(crate) id: u64,
    is_idle: bool,
    pub(crate) seconds: u64,
}

impl SessionAge {
    pub(crate) fn from_session(session: &Session) -> Self {
        Self { id: session.id, is_idle: session.command.eq_ignore_ascii_case(b"Sleep"), seconds: session.seconds }
    }
}

/// Checks the ages of these sessions and replaces them. Returns the ids of sessions whose age could not be checked.
pub(crate) async fn check_sessions(
    connection: &mut Connection,
    sessions: Vec<&mut Session>,
    checked: CheckScope,
) -> Result<HashSet<u64>, Failure> {
    let (flavor, own) = (connection.flavor, connection.id);
    let mut unverified = sessions;
    unverified.retain(|session| session.id == own || needs_check(flavor, session, None, checked));
    let mut ages: Vec<SessionAge> = unverified.iter().map(|session| SessionAge::from_session(session)).collect();
    let unchecked = check_ages(connection, &mut ages, checked).await?;
    for (session, age) in unverified.into_iter().zip(ages) {
        session.seconds = age.seconds;
    }
    Ok(unchecked)
}

/// Replaces the ages of MySQL sessions by their statement timers.
/// Returns the ids of sessions whose age could not be checked. The reasons become limitations of the connection.
pub(crate) async fn check_ages(
    connection: &mut Connection,
    sessions: &mut [SessionAge],
    checked: CheckScope,
) -> Result<HashSet<u64>, Failure> {
    if connection.flavor == Flavor::MariaDb || sessions.is_empty() {
        return Ok(HashSet::new());
    }
    let ids: Vec<u64> = sessions.iter().map(|session| session.id).collect();
    let timers = match read_timers(connection, &ids, checked).await {
        Ok(timers) => timers,
        Err(Error::Server(error)) if !failure::is_server_timeout(&error) => {
            let account = doctor::read_account(connection).await?;
            connection.limitations.push(unreadable_timers(&doctor::no_performance_schema_privilege(&account)));
            return Ok(ids.into_iter().collect());
        }
        Err(error) => return Err(connection.to_failure(&error)),
    };
    let Some(timers) = timers else {
        let gap = missing_timers(connection).await?;
        connection.limitations.push(gap);
        return Ok(ids.into_iter().collect());
    };
    let (mut unchecked, mut gone, own) = (HashSet::new(), Vec::new(), connection.id);
    let (mut negative, mut untimed) = (0, 0);
    for session in sessions.iter_mut() {
        untimed += u64::from(timers.untimed.contains(&session.id));
        let has_ended = timers.ended.contains(&session.id);
        // The session was listed as busy, and its statement has ended since.
        if has_ended && !session.is_idle {
            unchecked.insert(session.id);
        }
        if let Some(seconds) = timers.seconds(session) {
            negative += u64::from(seconds < 0 && session.id != own);
            session.seconds = Session::sanitize_seconds(seconds.into());
            continue;
        }
        unchecked.insert(session.id);
        if has_ended && !session.is_idle {
            // For many sessions, only timers of running statements are read.
            session.seconds = 0;
        } else if !has_ended && !timers.untimed.contains(&session.id) {
            gone.push(session);
        }
    }
    if !gone.is_empty() {
        let losses = lost_instrumentation::read_lost_threads(connection).await?;
        if losses.is_empty() {
            // The sessions ended since they were listed.
            for session in gone {
                session.seconds = 0;
            }
        }
        connection.limitations.extend(losses);
    }
    if negative > 0 {
        connection.limitations.push(negative_ages(negative));
    }
    if untimed > 0 {
        connection.limitations.push(untimed_sessions(untimed));
    }
    Ok(unchecked)
}

/// Statement timers of sessions.
#[derive(Debug, Default)]
struct StatementTimers {
    by_session: HashMap<u64, StatementTimer>,
    /// Sessions whose statements the server does not record.
    untimed: HashSet<u64>,
    /// Sessions whose latest statement has ended, or that have run none.
    ended: HashSet<u64>,
    /// Value of the server's timer when it was read.
    now: u64,
}

/// Timer of the latest statement of a session, in picoseconds.
#[derive(Debug, Clone, Copy)]
struct StatementTimer {
    event: u64,
    runs: bool,
    ended: u64,
    lasted: u64,
}

impl StatementTimers {
    /// Returns the age of the session's statement or idle time in seconds.
    /// Negative if the server's clock was set back meanwhile.
    fn seconds(&self, session: &SessionAge) -> Option<i64> {
        let timer = self.by_session.get(&session.id)?;
        let picoseconds = match (session.is_idle, timer.runs) {
            // The session was listed as idle and started a statement since.
            (true, true) => 0,
            (true, false) => self.now.wrapping_sub(timer.ended),
            (false, _) => timer.lasted,
        };
        // A timer that was set back wraps around.
        Some(picoseconds.cast_signed().div_euclid(PICOSECONDS_PER_SECOND))
    }
}

/// Row of statement timers: thread, event, whether it runs, end, duration.
type TimerRow = (u64, u64, bool, Option<u64>, Option<u64>);

/// Session of each thread, and whether the server records the thread's statements.
type SessionThreads = HashMap<u64, (u64, bool)>;

/// Reads the threads of the wanted sessions.
async fn read_threads(
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
    connection.raw.client.query_each(statement, collect_row).await?;
    Ok(threads)
}

fn sorted_ids(ids: &HashSet<u64>) -> Vec<u64> {
    let mut ids: Vec<u64> = ids.iter().copied().collect();
    ids.sort_unstable();
    ids
}

/// Reads the timers of these sessions. Returns `None` if the server has no timer even for this query itself.
async fn read_timers(
    connection: &mut Connection,
    sessions: &[u64],
    checked: CheckScope,
) -> Result<Option<StatementTimers>, Error> {
    let mut wanted: HashSet<u64> = sessions.iter().copied().collect();
    wanted.insert(connection.id);
    let statement = match checked {
        CheckScope::Busy if wanted.len() > MAX_SESSIONS_BY_ID => statements::BUSY_THREADS.to_owned(),
        CheckScope::All if wanted.len() > MAX_THREADS_BY_ID => statements::ALL_THREADS.to_owned(),
        _ => statements::threads_by_session(&sorted_ids(&wanted)),
    };
    let mut threads = read_threads(connection, &wanted, &statement).await?;
    // Sessions that became idle since they were listed.
    if wanted.len() > MAX_SESSIONS_BY_ID && checked == CheckScope::Busy && threads.len() < wanted.len() {
        let mut missing = wanted;
        for (session, _) in threads.values() {
            missing.remove(session);
        }
        threads
            .extend(read_threads(connection, &missing, &statements::threads_by_session(&sorted_ids(&missing))).await?);
    }
    if threads.is_empty() {
        return Ok(None);
    }
    let ids: Vec<u64> = threads.keys().copied().collect();
    let query = match checked {
        _ if ids.len() <= MAX_THREADS_BY_ID => statements::statement_timers(&ids),
        CheckScope::Busy => statements::running_statement_timers(),
        CheckScope::All => statements::STATEMENT_TIMERS.to_owned(),
    };
    let mut timers = StatementTimers::default();
    for (session, instrumented) in threads.values() {
        if *instrumented { &mut timers.ended } else { &mut timers.untimed }.insert(*session);
    }
    let collect_row = |(thread, event, runs, ended, lasted): TimerRow| {
        let (Some((session, true)), Some(ended), Some(lasted)) = (threads.get(&thread), ended, lasted) else { return };
        let timer = StatementTimer { event, runs, ended, lasted };
        // For nested statements, as in a procedure, the innermost counts, as in the process list.
        let latest = timers.by_session.entry(*session).or_insert(timer);
        if (timer.runs, timer.event) > (latest.runs, latest.event) {
            *latest = timer;
        }
    };
    connection.raw.client.query_each(&query, collect_row).await?;
    for (session, timer) in &timers.by_session {
        if timer.runs {
            timers.ended.remove(session);
        }
    }
    // This query itself must be listed as running. Otherwise the rows may be from before recording was disabled.
    let own = timers.by_session.get(&connection.id).filter(|own| own.runs);
    Ok(own.map(|own| own.ended).map(|now| StatementTimers { now, ..timers }))
}

/// Returns the reason why the server has no timers.
async fn missing_timers(connection: &mut Connection) -> Result<Limitation, Failure> {
    let account = doctor::read_account(connection).await?;
    Ok(match doctor::check_performance_schema(connection, &account).await? {
        Err(gap) => unreadable_timers(&gap),
        Ok(()) => recording_disabled(),
    })
}

/// Checks whether the statement timers can be read.
pub(crate) async fn check_timers(connection: &mut Connection) -> Result<Result<(), Limitation>, Failure> {
    let own = SessionAge { id: connection.id, is_idle: false, seconds: 0 };
    check_ages(connection, &mut [own], CheckScope::Busy).await?;
    let at = connection.limitations.iter().position(|gap| gap.kind == LimitationKind::UnreliableAges);
    Ok(at.map_or(Ok(()), |at| Err(connection.limitations.remove(at))))
}

const UNCHECKED_AGES: &str = "Seconds in the current state may be wrong, and rules kill nothing.";

fn unreadable_timers(gap: &Limitation) -> Limitation {
    Limitation {
        kind: LimitationKind::UnreliableAges,
        what: UNCHECKED_AGES.to_owned(),
        why: format!("MySQL's process list follows SET timestamp of each session. {}", gap.why),
        remedy: gap.remedy.clone(),
    }
}

fn recording_disabled() -> Limitation {
    Limitation {
        kind: LimitationKind::UnreliableAges,
        what: UNCHECKED_AGES.to_owned(),
        why: "MySQL's process list follows SET timestamp of each session, and the server does not record the statements that run.".to_owned(),
        remedy: Some(
            "UPDATE performance_schema.setup_consumers SET enabled = 'YES' WHERE name IN ('global_instrumentation', \
             'thread_instrumentation', 'events_statements_current'); \
             UPDATE performance_schema.setup_instruments SET enabled = 'YES', timed = 'YES' WHERE name LIKE 'statement/%';"
                .to_owned(),
        ),
    }
}

fn untimed_sessions(sessions: u64) -> Limitation {
    Limitation {
        kind: LimitationKind::UnreliableAges,
        what: format!("Seconds in the current state of {sessions} sessions may be wrong, and rules do not kill them."),
        why: "MySQL's process list follows SET timestamp of each session, and the server does not record what these sessions run.".to_owned(),
        remedy: Some(
            "UPDATE performance_schema.threads SET instrumented = 'YES' WHERE processlist_id IS NOT NULL;"
                .to_owned(),
        ),
    }
}

/// Limitation if more sessions are busy than a snapshot checks.
pub(crate) fn too_many_sessions(sessions: u64) -> Limitation {
    Limitation {
        kind: LimitationKind::UnreliableAges,
        what: format!("Seconds in the current state of {sessions} sessions may be wrong."),
        why: "MySQL's process list follows SET timestamp of each session, and more sessions do something than a snapshot checks.".to_owned(),
        remedy: None,
    }
}

fn negative_ages(sessions: u64) -> Limitation {
    Limitation {
        kind: LimitationKind::UnreliableAges,
        what: format!("Seconds in the current state of {sessions} sessions are negative and are shown as 0."),
        why: "The server's clock was set back since they began.".to_owned(),
        remedy: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(command: &str, seconds: u64) -> Session {
        Session { id: 7, user: b"app".to_vec(), command: command.into(), seconds, ..Session::default() }
    }

    #[test]
    fn only_ages_that_a_session_can_set_are_checked() {
        use CheckScope::{All, Busy};
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
                needs_check(flavor, &session(command, 100), lock_wait, checked),
                expected,
                "{command} {lock_wait:?}"
            );
        }
    }

    #[test]
    fn seconds_follow_the_timers() {
        let second = PICOSECONDS_PER_SECOND.cast_unsigned();
        let timer = |runs, ended, lasted| {
            let timer = StatementTimer { event: 1, runs, ended, lasted };
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
                timers.seconds(&SessionAge::from_session(&session(command, 7202))),
                Some(expected),
                "{command} {timers:?}"
            );
        }
        assert_eq!(StatementTimers::default().seconds(&SessionAge::from_session(&session("Query", 1))), None);
    }
}
