//! How long the sessions of a MySQL server have been at what they do, by timers that no session can set.
//!
//! `Time` of MySQL's process list follows `SET timestamp` of the session. The statement timers of performance_schema do not. They are read after
//! the process list: a session that began another statement in between then seems younger, never older. A session whose lock wait InnoDB shows to
//! be as old as `Time` says needs no check. MariaDB's `Time` comes from a monotonic timer (seen on 10.11.19) and is used as it is.

use std::collections::{HashMap, HashSet};

use crate::client::Error;
use clew_diagnose::is_internal;
use clew_model::{Failure, Limitation, LimitationKind, Session};

use crate::connection::Connection;
use crate::server::Flavor;
use crate::{doctor, failure, losses, statements};

/// Sessions whose threads are looked up by id; of more, all busy threads are read at once.
const MAX_SINGLE_SESSIONS: usize = 16;
/// Threads whose statements are looked up by id: from here on, it is cheaper to read all.
const MAX_SINGLE_THREADS: usize = 400;
/// Difference between `Time` and a lock wait that is no contradiction: both are whole seconds.
const ROUNDED_SECONDS: u64 = 2;
/// Picoseconds of a timer in a second.
const PICOSECONDS: i64 = 1_000_000_000_000;

/// Sessions that are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checked {
    /// Busy sessions.
    Busy,
    /// Idle ones too: since when they have been idle.
    All,
}

/// Whether `Time` of this session must be checked. `lock_wait` are the seconds that InnoDB says it has waited for a lock.
pub(crate) fn must_be_checked(flavor: Flavor, session: &Session, lock_wait: Option<u64>, checked: Checked) -> bool {
    let is_idle = session.command.eq_ignore_ascii_case(b"Sleep");
    flavor == Flavor::MySql
        && (!is_idle || checked == Checked::All)
        // Before sign-in no statement can set the clock.
        && !session.command.eq_ignore_ascii_case(b"Connect")
        && !is_internal(session)
        && lock_wait.is_none_or(|waited| waited.abs_diff(session.seconds) > ROUNDED_SECONDS)
}

/// What the check needs of a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionAge {
    pub(crate) id: u64,
    is_idle: bool,
    pub(crate) seconds: u64,
}

impl SessionAge {
    pub(crate) fn of(session: &Session) -> Self {
        Self { id: session.id, is_idle: session.command.eq_ignore_ascii_case(b"Sleep"), seconds: session.seconds }
    }
}

/// Replaces the seconds of those of these sessions that must be checked. Returns the ids whose seconds could not be checked.
pub(crate) async fn check_sessions(
    connection: &mut Connection,
    sessions: Vec<&mut Session>,
    checked: Checked,
) -> Result<HashSet<u64>, Failure> {
    let (flavor, own) = (connection.flavor, connection.id);
    let mut doubtful = sessions;
    doubtful.retain(|session| session.id == own || must_be_checked(flavor, session, None, checked));
    let mut ages: Vec<SessionAge> = doubtful.iter().map(|session| SessionAge::of(session)).collect();
    let unchecked = check(connection, &mut ages, checked).await?;
    for (session, age) in doubtful.into_iter().zip(ages) {
        session.seconds = age.seconds;
    }
    Ok(unchecked)
}

/// Replaces the seconds of sessions of MySQL by those of the statement timers. Returns the sessions whose seconds could not be checked; why becomes
/// a limitation of the connection.
pub(crate) async fn check(
    connection: &mut Connection,
    sessions: &mut [SessionAge],
    checked: Checked,
) -> Result<HashSet<u64>, Failure> {
    if connection.flavor == Flavor::MariaDb || sessions.is_empty() {
        return Ok(HashSet::new());
    }
    let ids: Vec<u64> = sessions.iter().map(|session| session.id).collect();
    let timers = match read(connection, &ids, checked).await {
        Ok(timers) => timers,
        Err(Error::Server(error)) if !failure::took_too_long(&error) => {
            let account = doctor::account(connection).await?;
            connection.limitations.push(unreadable(&doctor::no_select_on_performance_schema(&account)));
            return Ok(ids.into_iter().collect());
        }
        Err(error) => return Err(connection.failed(&error)),
    };
    let Some(timers) = timers else {
        let gap = timers_off(connection).await?;
        connection.limitations.push(gap);
        return Ok(ids.into_iter().collect());
    };
    let (mut unchecked, mut gone, own) = (HashSet::new(), Vec::new(), connection.id);
    let (mut negative, mut untimed) = (0, 0);
    for session in sessions.iter_mut() {
        untimed += u64::from(timers.untimed.contains(&session.id));
        let has_ended = timers.ended.contains(&session.id);
        // Listed as busy, it has ended its statement since.
        if has_ended && !session.is_idle {
            unchecked.insert(session.id);
        }
        if let Some(seconds) = timers.seconds(session) {
            negative += u64::from(seconds < 0 && session.id != own);
            session.seconds = Session::believable_seconds(seconds.into());
            continue;
        }
        unchecked.insert(session.id);
        if has_ended && !session.is_idle {
            // The timers of many sessions are read without those of statements that ended.
            session.seconds = 0;
        } else if !has_ended && !timers.untimed.contains(&session.id) {
            gone.push(session);
        }
    }
    if !gone.is_empty() {
        let losses = losses::read_of_threads(connection).await?;
        if losses.is_empty() {
            // They ended since they were listed.
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
        connection.limitations.push(not_timed(untimed));
    }
    Ok(unchecked)
}

/// Timers of sessions.
#[derive(Debug, Default)]
struct Timers {
    by_session: HashMap<u64, Timer>,
    /// Sessions whose statements the server does not record.
    untimed: HashSet<u64>,
    /// Sessions whose latest statement has ended, or that have run none.
    ended: HashSet<u64>,
    /// The timer's value when it was read.
    now: u64,
}

/// Latest statement of a session, in picoseconds.
#[derive(Debug, Clone, Copy)]
struct Timer {
    event: u64,
    runs: bool,
    ended: u64,
    lasted: u64,
}

impl Timers {
    /// Seconds that a session has been at what it does; negative where the server's clock was set back meanwhile.
    fn seconds(&self, session: &SessionAge) -> Option<i64> {
        let timer = self.by_session.get(&session.id)?;
        let picoseconds = match (session.is_idle, timer.runs) {
            // It began a statement since it was listed as idle.
            (true, true) => 0,
            (true, false) => self.now.wrapping_sub(timer.ended),
            (false, _) => timer.lasted,
        };
        // A timer that was set back wraps.
        Some(picoseconds.cast_signed().div_euclid(PICOSECONDS))
    }
}

/// A row of the timers: thread, event, whether it runs, end, duration.
type TimerRow = (u64, u64, bool, Option<u64>, Option<u64>);

/// Sessions by thread, and whether the server records the thread's statements.
type Threads = HashMap<u64, (u64, bool)>;

/// Threads of those sessions that are wanted.
async fn read_threads(connection: &mut Connection, wanted: &HashSet<u64>, statement: &str) -> Result<Threads, Error> {
    let mut threads = Threads::new();
    let take = |(thread, session, instrumented): (u64, u64, bool)| {
        if wanted.contains(&session) {
            threads.insert(thread, (session, instrumented));
        }
    };
    connection.link.client.query_each(statement, take).await?;
    Ok(threads)
}

fn sorted(ids: &HashSet<u64>) -> Vec<u64> {
    let mut ids: Vec<u64> = ids.iter().copied().collect();
    ids.sort_unstable();
    ids
}

/// Timers of these sessions; nothing where the server keeps none: not even that of the statement that asks.
async fn read(connection: &mut Connection, sessions: &[u64], checked: Checked) -> Result<Option<Timers>, Error> {
    let mut wanted: HashSet<u64> = sessions.iter().copied().collect();
    wanted.insert(connection.id);
    let statement = match checked {
        Checked::Busy if wanted.len() > MAX_SINGLE_SESSIONS => statements::BUSY_THREADS.to_owned(),
        Checked::All if wanted.len() > MAX_SINGLE_THREADS => statements::ALL_THREADS.to_owned(),
        _ => statements::threads_of(&sorted(&wanted)),
    };
    let mut threads = read_threads(connection, &wanted, &statement).await?;
    // Those that became idle since they were listed.
    if wanted.len() > MAX_SINGLE_SESSIONS && checked == Checked::Busy && threads.len() < wanted.len() {
        let mut missing = wanted;
        for (session, _) in threads.values() {
            missing.remove(session);
        }
        threads.extend(read_threads(connection, &missing, &statements::threads_of(&sorted(&missing))).await?);
    }
    if threads.is_empty() {
        return Ok(None);
    }
    let ids: Vec<u64> = threads.keys().copied().collect();
    let ask = match checked {
        _ if ids.len() <= MAX_SINGLE_THREADS => statements::statement_timers(&ids),
        Checked::Busy => statements::running_statement_timers(),
        Checked::All => statements::STATEMENT_TIMERS.to_owned(),
    };
    let mut timers = Timers::default();
    for (session, instrumented) in threads.values() {
        if *instrumented { &mut timers.ended } else { &mut timers.untimed }.insert(*session);
    }
    let take = |(thread, event, runs, ended, lasted): TimerRow| {
        let (Some((session, true)), Some(ended), Some(lasted)) = (threads.get(&thread), ended, lasted) else { return };
        let timer = Timer { event, runs, ended, lasted };
        // Of statements in each other, as in a procedure, the inner one counts, which the process list shows too.
        let known = timers.by_session.entry(*session).or_insert(timer);
        if (timer.runs, timer.event) > (known.runs, known.event) {
            *known = timer;
        }
    };
    connection.link.client.query_each(&ask, take).await?;
    for (session, timer) in &timers.by_session {
        if timer.runs {
            timers.ended.remove(session);
        }
    }
    // The statement of this very read is running: without it, what is listed may be left from before recording was switched off.
    let own = timers.by_session.get(&connection.id).filter(|own| own.runs);
    Ok(own.map(|own| own.ended).map(|now| Timers { now, ..timers }))
}

/// Why the server has no timers.
async fn timers_off(connection: &mut Connection) -> Result<Limitation, Failure> {
    let account = doctor::account(connection).await?;
    Ok(match doctor::performance_schema(connection, &account).await? {
        Err(gap) => unreadable(&gap),
        Ok(()) => recording_off(),
    })
}

/// Whether the statement timers can be read, for an account that is examined.
pub(crate) async fn examine(connection: &mut Connection) -> Result<Result<(), Limitation>, Failure> {
    let own = SessionAge { id: connection.id, is_idle: false, seconds: 0 };
    check(connection, &mut [own], Checked::Busy).await?;
    let at = connection.limitations.iter().position(|gap| gap.kind == LimitationKind::UnreliableAges);
    Ok(at.map_or(Ok(()), |at| Err(connection.limitations.remove(at))))
}

const UNCHECKED: &str = "Seconds in the current state may be wrong, and rules kill nothing.";

fn unreadable(gap: &Limitation) -> Limitation {
    Limitation {
        kind: LimitationKind::UnreliableAges,
        what: UNCHECKED.to_owned(),
        why: format!("MySQL's process list follows SET timestamp of each session. {}", gap.why),
        remedy: gap.remedy.clone(),
    }
}

fn recording_off() -> Limitation {
    Limitation {
        kind: LimitationKind::UnreliableAges,
        what: UNCHECKED.to_owned(),
        why: "MySQL's process list follows SET timestamp of each session, and the server does not record the statements that run.".to_owned(),
        remedy: Some(
            "UPDATE performance_schema.setup_consumers SET enabled = 'YES' WHERE name IN ('global_instrumentation', \
             'thread_instrumentation', 'events_statements_current'); \
             UPDATE performance_schema.setup_instruments SET enabled = 'YES', timed = 'YES' WHERE name LIKE 'statement/%';"
                .to_owned(),
        ),
    }
}

fn not_timed(sessions: u64) -> Limitation {
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

/// More sessions do something than are checked.
pub(crate) fn too_many(sessions: u64) -> Limitation {
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
    fn only_times_that_a_session_can_set_are_checked() {
        use Checked::{All, Busy};
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
                must_be_checked(flavor, &session(command, 100), lock_wait, checked),
                expected,
                "{command} {lock_wait:?}"
            );
        }
    }

    #[test]
    fn seconds_follow_the_timers() {
        let second = PICOSECONDS.cast_unsigned();
        let timer = |runs, ended, lasted| {
            let timer = Timer { event: 1, runs, ended, lasted };
            Timers { by_session: HashMap::from([(7, timer)]), now: 100 * second, ..Timers::default() }
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
                timers.seconds(&SessionAge::of(&session(command, 7202))),
                Some(expected),
                "{command} {timers:?}"
            );
        }
        assert_eq!(Timers::default().seconds(&SessionAge::of(&session("Query", 1))), None);
    }
}
