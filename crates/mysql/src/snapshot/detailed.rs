//! A snapshot with what else is known of each session. Rows are encoded as they stream in, and left open; the few words that are
//! added to each are joined when all tables were read, each once and over the same connection.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use clew_diagnose::waits::{SessionFacts, graph, is_wait_state};
use clew_model::{Failure, NodeUrl, Session, SessionDetail};

use super::encoder::{Rows, sorted_rows};
use super::{Body, Snapshot, Statements, finish, show_is_cut};
use crate::connection::Connection;
use crate::limits::Limits;
use crate::locks::{Threads, WaitTables, role};
use crate::own_sessions::Own;
use crate::transactions::BySession;
use crate::{doctor, programs, running};

/// Bytes that are kept of a statement that a wait is concluded from, and of all of them together.
const STATEMENT_KEPT: usize = 64 << 10;
const STATEMENTS_KEPT: usize = 16 << 20;

pub(super) async fn read(node: &NodeUrl, rows: Rows, limits: &Limits) -> Result<Snapshot, Failure> {
    let mut connection = Connection::open(node, limits).await?;
    let mut limitations = Vec::new();
    if show_is_cut(&mut connection).await? {
        limitations.push(doctor::statements_cut());
    }
    let mut locks = WaitTables::read(&mut connection, limitations).await?;
    let own = connection.own();
    let (form, masked) = (rows.form, rows.statements == Statements::Templates);
    let mut seen = Seen { parties: locks.parties(), ..Seen::default() };
    let transactions = BySession::new(locks.transactions.clone());
    let look = |session: &Session| seen.look(session);
    let rows = sorted_rows(&mut connection, &rows, Some(own.clone()), transactions, look).await?;
    let (unreadable, limitations) = (locks.unreadable.take(), &mut locks.limitations);
    let digests = running::read_digests(&mut connection, unreadable.as_ref(), limitations).await?;
    let programs = programs::read(&mut connection, unreadable.as_ref(), limitations).await?;

    let first_modes = locks.unexplained();
    let facts = seen.facts(&own, &locks.threads);
    let (observed, threads) = locks.joined(facts);
    let found = graph(&observed);
    let mut limitations = observed.limitations;
    if !found.unexplained.is_empty() {
        limitations.extend(first_modes);
    }
    let found = if masked { found.masked() } else { found };
    let mut busy: HashMap<u64, SessionDetail> = found.details();
    for (thread, digest) in digests {
        if let Some(session) = threads.session(thread) {
            busy.entry(session).or_default().statement_digest = Some(digest);
        }
    }
    let body = Body { rows, form, details: Some(Details { busy, programs }) };
    Ok(finish(connection, body, limitations).await)
}

/// What is known of sessions besides. Nearly every session has a program, and few have more: to keep the rest of each would cost
/// many times what its name does.
#[derive(Debug)]
pub(super) struct Details {
    /// Of those that wait, and of those that run a statement.
    busy: HashMap<u64, SessionDetail>,
    programs: HashMap<u64, Arc<[u8]>>,
}

impl Details {
    /// Of a session.
    pub(super) fn of(&self, session: u64) -> SessionDetail {
        let detail = self.busy.get(&session).cloned().unwrap_or_default();
        SessionDetail { program_name: self.programs.get(&session).cloned(), ..detail }
    }
}

/// What the graph needs of sessions: those that wait or may be waited for, and of their statements only those that a wait may be
/// concluded from.
#[derive(Default)]
struct Seen {
    parties: HashSet<u64>,
    sessions: Vec<Session>,
    statements: usize,
}

impl Seen {
    fn look(&mut self, session: &Session) {
        let waits = session.state.as_deref().is_some_and(is_wait_state);
        if !waits && !self.parties.contains(&session.id) {
            return;
        }
        let statement = session.statement.as_ref().filter(|_| waits).and_then(|whole| {
            let kept = whole.get(..STATEMENT_KEPT).unwrap_or(whole);
            self.statements += kept.len();
            (self.statements <= STATEMENTS_KEPT).then(|| kept.to_vec())
        });
        self.sessions.push(Session {
            id: session.id,
            user: session.user.clone(),
            host: session.host.clone(),
            database: session.database.clone(),
            command: session.command.clone(),
            seconds: session.seconds,
            state: session.state.clone(),
            statement,
        });
    }

    fn facts(self, own: &Own, threads: &Threads) -> Vec<SessionFacts> {
        let is_own = own.known();
        let facts = |session: Session| {
            let role = role(&session, is_own(&session), threads.is_applier(session.id));
            SessionFacts { role, session }
        };
        self.sessions.into_iter().map(facts).collect()
    }
}
