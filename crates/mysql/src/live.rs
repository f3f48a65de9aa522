//! Repeated samples of a node: its sessions with the beginnings of their statements, with as little work for the server as possible.
//!
//! Each sample reads the sessions and the open transactions. Locks are read only while a session waits; programs only of new sessions;
//! privileges and settings are checked once a minute.

mod memory;

use std::collections::HashMap;
use std::time::Duration;

use crate::client::Error;
use clew_diagnose::is_internal;
use clew_diagnose::live::{Counts, LiveSession, STATEMENT_KEPT};
use clew_diagnose::waits::graph;
use clew_model::{Failure, Limitation, LimitationKind, NodeUrl, Session, SessionDetail};
use tokio::time::timeout;

use crate::clock::ClockHistory;
use crate::connection::Connection;
use crate::limits::Limits;
use crate::locks::WaitTables;
use crate::seen::Seen;
use crate::server::Flavor;
use crate::server_instance::ServerInstance;
use crate::statement_ages::{self, Checked};
use crate::transactions::{BySession, Transactions};
use crate::{clock, doctor, failure, losses, seen, sessions, transactions};
pub use memory::LiveMemory;

/// Sessions that a look keeps, and of those beyond as many again that do something. All are counted.
const MOST: usize = 20_000;

/// Longest row besides its statement.
const OTHER_COLUMNS: usize = 4 << 10;

/// What was seen.
#[derive(Debug)]
pub struct LiveLook {
    /// The server that listed the sessions.
    pub server: ServerInstance,
    /// The sessions of users.
    pub sessions: Vec<LiveSession>,
    /// How many there are of each kind, those that were not kept among them.
    pub counts: Counts,
    /// What could not be seen, and why.
    pub limitations: Vec<Limitation>,
    /// How long the node was busy with it, from connecting to the last row.
    pub took: Duration,
}

/// Looks at a node once more. `memory` is what looks at this node remember, and `threshold` the seconds from which a session is slow and a
/// transaction long.
///
/// Fails with the reason, within the limits; what was under way on the server when this fails or is dropped is killed there.
pub async fn look_live(
    node: &NodeUrl,
    memory: &mut LiveMemory,
    threshold: u64,
    limits: &Limits,
) -> Result<LiveLook, Failure> {
    let looking = failure::without_panic(node, Box::pin(look(node, memory, threshold, limits)));
    let looked = timeout(limits.node, looking).await;
    looked.unwrap_or_else(|_| Err(failure::read_timed_out(node, limits.node)))
}

async fn look(node: &NodeUrl, memory: &mut LiveMemory, threshold: u64, limits: &Limits) -> Result<LiveLook, Failure> {
    let mut connection = Connection::open(node, limits).await?;
    let server = connection.instance().await?;
    memory.begin_for(&server);
    let mut seen = if memory.is_due() || memory.has_waiters {
        with_locks(&mut connection, memory, threshold).await?
    } else {
        let (open, gap) = open_transactions(&mut connection, memory).await?;
        let found = users(&mut connection, memory, open, threshold, None).await?;
        if found.counts.waiting > 0 {
            // Waiters and blockers must be of one moment.
            with_locks(&mut connection, memory, threshold).await?
        } else {
            let limitations = memory.limitations.iter().chain(&gap).cloned().collect();
            Everything { found, waits: HashMap::new(), waits_masked: HashMap::new(), limitations }
        }
    };
    memory.has_waiters = seen.found.counts.waiting > 0;
    memory.read_new_programs(&mut connection, &seen.found.sessions).await?;
    seen.limitations.append(&mut connection.limitations);
    seen.limitations.dedup();
    let took = connection.since.elapsed();
    connection.close().await;
    Ok(seen.into_look(server, memory, took))
}

/// Sessions of users, with their transactions.
#[derive(Debug, Default)]
struct Found {
    open: BySession,
    sessions: Vec<Session>,
    counts: Counts,
    left_out: u64,
}

impl Found {
    /// Keeps a session, or counts it where there is no room.
    fn take(&mut self, session: Session, threshold: u64) {
        let open = self.open.get(session.id);
        let does_something = open.is_some() || !session.command.eq_ignore_ascii_case(b"Sleep");
        let room = if does_something { 2 * MOST } else { MOST };
        if self.sessions.len() < room {
            self.sessions.push(session);
        } else {
            self.counts.count(&session, open, threshold);
            self.left_out += 1;
        }
    }

    /// Corrects seconds by the steps of the server's clock that were detected, and counts the sessions that were kept.
    fn count(&mut self, clock: &ClockHistory, flavor: Flavor, threshold: u64) {
        if clock.has_steps() {
            // MariaDB's come from a monotonic timer.
            let of_wall_clock = self.sessions.iter_mut().filter(|_| flavor == Flavor::MySql);
            of_wall_clock.for_each(|session| session.seconds = clock.corrected_seconds(session.seconds));
        }
        for session in &self.sessions {
            self.counts.count(session, self.open.get(session.id), threshold);
        }
    }
}

/// What one look saw.
struct Everything {
    found: Found,
    /// What each session that waits waits for, …
    waits: HashMap<u64, SessionDetail>,
    /// … and for eyes that may see no literals.
    waits_masked: HashMap<u64, SessionDetail>,
    limitations: Vec<Limitation>,
}

impl Everything {
    fn into_look(mut self, server: ServerInstance, memory: &LiveMemory, took: Duration) -> LiveLook {
        let Found { open, sessions, counts, left_out } = self.found;
        if left_out > 0 {
            self.limitations.push(cut(left_out, counts.total));
        }
        let live = |session: Session| {
            let detail = self.waits.remove(&session.id).unwrap_or_default();
            LiveSession {
                transaction: open.get(session.id).cloned(),
                detail: SessionDetail { program_name: memory.program(session.id), ..detail },
                waits_for_masked: self.waits_masked.remove(&session.id).and_then(|detail| detail.waits_for),
                session,
            }
        };
        let sessions = sessions.into_iter().map(live).collect();
        LiveLook { server, sessions, counts, limitations: self.limitations, took }
    }
}

/// Everything, as a snapshot with details reads it.
async fn with_locks(
    connection: &mut Connection,
    memory: &mut LiveMemory,
    threshold: u64,
) -> Result<Everything, Failure> {
    connection.clock = None;
    let mut locks = WaitTables::read(connection, Vec::new()).await?;
    memory.observe_clock(connection);
    memory.correct_ages(&mut locks.transactions);
    let mut seen = Seen::of(locks.parties());
    let open = BySession::new(locks.transactions.clone());
    let unreadable = locks.unreadable.take();
    if memory.is_due() {
        memory.read_all_programs(connection, unreadable.as_ref()).await?;
        memory.losses = if unreadable.is_none() { losses::read(connection).await? } else { Vec::new() };
        // A session without a thread is missing in the table, and in its counts.
        memory.by_show |= memory.losses.iter().any(|loss| loss.kind == LimitationKind::LostThreads);
    }
    let found = users(connection, memory, open, threshold, Some(&mut seen)).await?;
    let first_modes = locks.unexplained();
    let facts = seen.facts(connection.own_filter(), &locks.threads);
    let (mut observed, _) = locks.joined(facts);
    observed.limitations.extend_from_slice(&memory.losses);
    let graph = graph(&observed);
    let mut limitations = observed.limitations;
    limitations.extend_from_slice(memory.programs_missing());
    memory.limitations.clone_from(&limitations);
    if !graph.unexplained.is_empty() {
        limitations.extend(first_modes);
    }
    Ok(Everything { found, waits: graph.details(), waits_masked: graph.masked().details(), limitations })
}

/// Open transactions, and what is missing of them beside what the last look at everything said.
async fn open_transactions(
    connection: &mut Connection,
    memory: &mut LiveMemory,
) -> Result<(BySession, Option<Limitation>), Failure> {
    let (mut open, gap) = match transactions::read(connection).await {
        Ok(Transactions::Readable(open)) => (open, None),
        Ok(Transactions::Hidden) => (Vec::new(), None),
        Ok(Transactions::FromStatus(open)) => (open, Some(doctor::part_of_transactions())),
        Err(error) => return Err(connection.failed(&error)),
    };
    memory.observe_clock(connection);
    memory.correct_ages(&mut open);
    Ok((BySession::new(open), gap))
}

/// The sessions of users. `seen` is shown all, those of the server and of Clew too.
async fn users(
    connection: &mut Connection,
    memory: &mut LiveMemory,
    open: BySession,
    threshold: u64,
    mut seen: Option<&mut Seen>,
) -> Result<Found, Failure> {
    if connection.flavor == Flavor::MySql && connection.clock.is_none() {
        clock::read(connection).await.map_err(|error| connection.failed(&error))?;
        memory.observe_clock(connection);
    }
    let mut found = Found { open, ..Found::default() };
    for without_lock in [true, false] {
        if without_lock && (connection.flavor == Flavor::MariaDb || memory.by_show) {
            continue;
        }
        if read_into(&mut found, connection, without_lock, threshold, seen.as_deref_mut()).await? || !without_lock {
            break;
        }
        // The server does not show there what runs: performance_schema is off, or not for all.
        memory.by_show = true;
        found = Found { open: found.open, ..Found::default() };
        if let Some(seen) = &mut seen {
            seen.forget();
        }
    }
    let lock_waits = found.open.lock_waits();
    let flavor = connection.flavor;
    let is_doubtful = |session: &&mut Session| {
        let lock_wait = lock_waits.get(&session.id).copied();
        statement_ages::must_be_checked(flavor, session, lock_wait, Checked::Busy)
    };
    let doubtful = found.sessions.iter_mut().filter(is_doubtful).collect();
    statement_ages::check_sessions(connection, doubtful, Checked::Busy).await?;
    found.count(&memory.clock, flavor, threshold);
    if let Some(seen) = seen {
        seen.set_seconds(&found.sessions);
    }
    Ok(found)
}

/// Whether this connection itself was among the sessions.
async fn read_into(
    found: &mut Found,
    connection: &mut Connection,
    without_lock: bool,
    threshold: u64,
    mut seen: Option<&mut Seen>,
) -> Result<bool, Failure> {
    let (address, mut own) = (connection.address.clone(), connection.own_filter());
    let lost = |error: Error| failure::from_client(&error, &address);
    let statement = if seen.is_some() { seen::STATEMENT_KEPT } else { STATEMENT_KEPT };
    let max_row = statement + OTHER_COLUMNS;
    let reading = if without_lock {
        sessions::read_without_lock(connection, max_row).await
    } else {
        sessions::read(connection, max_row).await
    };
    let mut rows = match reading {
        Ok(rows) => rows,
        Err(Error::Server(error)) if without_lock && !failure::took_too_long(&error) => return Ok(false),
        Err(error) => return Err(lost(error)),
    };
    while let Some(mut session) = rows.next().await.map_err(lost)? {
        if let Some(seen) = &mut seen {
            seen.look(&session).map_err(lost)?;
        }
        if own.is_own(&session) || is_internal(&session) {
            continue;
        }
        if let Some(statement) = &mut session.statement {
            // Some more than is shown, so that it is seen to be cut.
            statement.truncate(STATEMENT_KEPT + 1);
            statement.shrink_to_fit();
        }
        found.take(session, threshold);
    }
    let limitation = rows.limitation();
    connection.limitations.extend(limitation);
    Ok(own.listed().is_some())
}

fn cut(left_out: u64, total: u64) -> Limitation {
    Limitation {
        kind: LimitationKind::SessionsCut,
        what: format!("{left_out} sessions of {total} are not in the list; all are counted."),
        why: format!("A list that is read again and again has {MOST} sessions, and as many again that do something."),
        remedy: None,
    }
}
