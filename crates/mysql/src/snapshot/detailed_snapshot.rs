//! Takes detailed snapshots.
//!
//! Clew encodes the columns of a basic snapshot while it receives the process list.
//! Clew appends the detail columns later, when it writes the encoded rows.

use std::collections::HashMap;
use std::sync::Arc;

use clew_diagnose::lock_waits::build_wait_graph;
use clew_model::{Failure, LimitationKind, Session, SessionDetail};

use super::encoder::read_sorted_rows;
use super::{EncodedRows, Snapshot, SnapshotOptions, build_snapshot};
use crate::connection::Connection;
use crate::locks::LockTableSnapshot;
use crate::transactions::TransactionsBySession;
use crate::wait_graph_session_collector::WaitGraphSessionCollector;
use crate::{doctor, lost_instrumentation, privileges, program_names, statement_digests};

pub(super) async fn read_detailed_snapshot(
    connection: &mut Connection,
    options: &SnapshotOptions,
) -> Result<Snapshot, Failure> {
    let limitations = doctor::find_process_list_limitations(connection).await?;
    let mut locks = LockTableSnapshot::read(connection, limitations).await?;
    let mut collector =
        WaitGraphSessionCollector::new(locks.waiting_or_blocking_session_ids(), connection.raw.client.bytes.in_memory);
    let transactions = TransactionsBySession::new(locks.transactions.clone());
    let observe = |session: &Session| collector.collect_session(session);
    let rows = read_sorted_rows(connection, options, transactions, observe).await?;
    let (unreadable, limitations) = (locks.unreadable.take(), &mut locks.limitations);
    let digests = statement_digests::read_statement_digests(connection, unreadable.as_ref(), limitations).await?;
    let programs = program_names::read_all_program_names(connection, unreadable.as_ref(), limitations).await?;

    if unreadable.is_none() {
        let named = limitations.iter().any(|gap| gap.kind == LimitationKind::NoProgramNames);
        let losses = lost_instrumentation::detect_lost_instrumentation(connection).await?;
        limitations
            .extend(losses.into_iter().filter(|loss| !named || loss.kind != LimitationKind::LostConnectAttributes));
    }
    privileges::suggest_default_roles(connection, limitations.iter_mut()).await?;
    let facts = collector.into_observed_sessions(connection.raw.own_session_filter(), &locks.threads);
    let (observed, threads) = locks.into_lock_snapshot(facts);
    let wait_graph = build_wait_graph(&observed);
    let wait_graph = if options.masked { wait_graph.with_masked_literals() } else { wait_graph };
    let mut busy: HashMap<u64, SessionDetail> = wait_graph.session_details();
    for (thread, digest) in digests {
        if let Some(session) = threads.session_id(thread) {
            busy.entry(session).or_default().statement_digest = Some(digest);
        }
    }
    let body = EncodedRows { rows, format: options.format, details: Some(DetailsBySession { busy, programs }) };
    Ok(build_snapshot(connection, body, wait_graph.limitations))
}

/// Program names are in a separate map, because idle sessions usually have a program name but no other details.
#[derive(Debug)]
pub(super) struct DetailsBySession {
    /// Details of sessions that are waiting for a lock or running a statement, keyed by session id.
    busy: HashMap<u64, SessionDetail>,
    programs: HashMap<u64, Arc<[u8]>>,
}

impl DetailsBySession {
    pub(super) fn get(&self, session: u64) -> SessionDetail {
        let detail = self.busy.get(&session).cloned().unwrap_or_default();
        SessionDetail { program_name: self.programs.get(&session).cloned(), ..detail }
    }
}
