//! A snapshot with what else is known of each session. Rows are encoded as they stream in, and left open; the few words that are
//! added to each are joined when all tables were read, each once and over the same connection.

use std::collections::HashMap;
use std::sync::Arc;

use clew_diagnose::waits::graph;
use clew_model::{Failure, LimitationKind, NodeUrl, Session, SessionDetail};

use super::encoder::{Rows, sorted_rows};
use super::{Body, Snapshot, Statements, finish, list_limitations};
use crate::connection::Connection;
use crate::limits::Limits;
use crate::locks::WaitTables;
use crate::seen::Seen;
use crate::transactions::BySession;
use crate::{losses, programs, running};

pub(super) async fn read(node: &NodeUrl, rows: Rows, limits: &Limits) -> Result<Snapshot, Failure> {
    let mut connection = Connection::open(node, limits).await?;
    let limitations = list_limitations(&mut connection).await?;
    let mut locks = WaitTables::read(&mut connection, limitations).await?;
    let (form, masked) = (rows.form, rows.statements == Statements::Templates);
    let mut seen = Seen::of(locks.parties());
    let transactions = BySession::new(locks.transactions.clone());
    let look = |session: &Session| seen.look(session);
    let own = Some(connection.own_filter());
    let rows = sorted_rows(&mut connection, &rows, own, transactions, look).await?;
    let (unreadable, limitations) = (locks.unreadable.take(), &mut locks.limitations);
    let digests = running::read_digests(&mut connection, unreadable.as_ref(), limitations).await?;
    let programs = programs::read(&mut connection, unreadable.as_ref(), limitations).await?;

    if unreadable.is_none() {
        let named = limitations.iter().any(|gap| gap.kind == LimitationKind::NoProgramNames);
        let losses = losses::read(&mut connection).await?;
        limitations
            .extend(losses.into_iter().filter(|loss| !named || loss.kind != LimitationKind::LostConnectAttributes));
    }
    let first_modes = locks.unexplained();
    let facts = seen.facts(connection.own_filter(), &locks.threads);
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
