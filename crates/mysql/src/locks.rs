//! Reads a node's lock waits and lock holders, and builds the wait graph.

mod identifiers;
mod information_schema_row_lock_waits;
mod last_statements;
mod metadata_locks;
mod performance_schema_row_lock_waits;
mod prepared_xa_transactions;
mod readable_lock_tables;
mod threads;

use std::collections::{BTreeMap, HashMap, HashSet};

use clew_diagnose::lock_waits::{
    InnoDbLockWait, LockSnapshot, MetadataLock, ObservedSession, ObservedTransaction, WaitGraph, build_wait_graph,
};
use clew_model::{Failure, Limitation, NodeUrl, Session, Transaction};

use crate::connection::Connection;
use crate::connector::NodeConnector;
use crate::flavor::Flavor;
use crate::process_list::{SessionMemoryLimiter, truncate_statement};
use crate::server_instance::ServerInstance;
use crate::wait_graph_session_collector::to_observed_session;
use crate::{doctor, elapsed_times, lost_instrumentation, privileges, transactions};
use metadata_locks::MetadataLockWithThreadId;
use prepared_xa_transactions::PreparedXaTransaction;
use readable_lock_tables::ReadableLockTables;
pub(crate) use threads::SessionIdsByThread;

/// Maximum number of bytes of a statement that Clew stores and searches for table names.
const MAX_STORED_STATEMENT_BYTES: usize = 64 << 10;

/// Lock waits of a node.
#[derive(Debug)]
pub struct LockWaits {
    /// Wait graph, including descriptions of the data that could not be read.
    pub graph: WaitGraph,
    /// All sessions visible to Clew's account, including internal sessions and Clew's own sessions.
    pub sessions: Vec<ObservedSession>,
    /// All open transactions, including transactions without a session.
    pub transactions: Vec<ObservedTransaction>,
    /// Most recent statements of each open transaction, oldest statement first, keyed by session id.
    pub(crate) last_statements: BTreeMap<u64, Vec<Vec<u8>>>,
}

/// Reads a node's lock waits. Opens one connection and reads each system table once.
///
/// Fails after the read timeout.
/// If the read operation fails or is canceled, Clew kills the query that the server is still running.
pub async fn read_lock_waits(node: &NodeUrl, connector: &NodeConnector) -> Result<LockWaits, Failure> {
    Connection::run(node, connector, "reading lock waits", async |connection| query_lock_waits(connection, None).await)
        .await
}

/// Like [`read_lock_waits`], but also returns the identity of the server instance.
pub async fn read_server_instance_and_lock_waits(
    node: &NodeUrl,
    connector: &NodeConnector,
) -> Result<(ServerInstance, LockWaits), Failure> {
    Connection::run(node, connector, "reading lock waits", async |connection| {
        Ok((connection.read_server_instance().await?, query_lock_waits(connection, None).await?))
    })
    .await
}

/// Reads the lock waits, and the latest statements of the session `extra_session` and of all idle root blockers.
pub(crate) async fn query_lock_waits(
    connection: &mut Connection,
    extra_session: Option<u64>,
) -> Result<LockWaits, Failure> {
    let limitations = doctor::find_process_list_limitations(connection).await?;
    let mut locks = LockTableSnapshot::read(connection, limitations).await?;
    privileges::suggest_default_roles(connection, &mut locks.limitations).await?;
    let lock_waits = transactions::lock_wait_durations(&locks.transactions);
    let sessions = read_sessions_with_roles(connection, &locks.threads, &lock_waits).await?;
    let capabilities = locks.capabilities;
    let (mut observed, threads) = locks.into_lock_snapshot(sessions);
    observed.limitations.append(&mut connection.limitations);
    if capabilities.performance_schema {
        observed.limitations.extend(lost_instrumentation::detect_lost_instrumentation(connection).await?);
    }
    let mut graph = build_wait_graph(&observed);
    let idle_roots = graph.idle_root_blocker_ids().into_iter().filter(|session| extra_session != Some(*session));
    let session_ids: Vec<u64> = extra_session.into_iter().chain(idle_roots).collect();
    let mut last_statements = BTreeMap::new();
    if capabilities.performance_schema && !session_ids.is_empty() {
        last_statements =
            last_statements::read_last_statements(connection, &session_ids, &threads, &mut graph.limitations).await?;
        graph.set_last_statements(&last_statements);
    }
    Ok(LockWaits { graph, sessions: observed.sessions, transactions: observed.transactions, last_statements })
}

/// Contents of a node's lock tables. Clew reads the lock tables before the process list.
/// A lock holder that is missing from the process list ended after Clew had read the lock tables.
#[derive(Debug)]
pub(crate) struct LockTableSnapshot {
    pub(crate) transactions: Vec<Transaction>,
    pub(crate) threads: SessionIdsByThread,
    pub(crate) limitations: Vec<Limitation>,
    /// Reason why performance_schema is unreadable, or `None` if it is readable.
    pub(crate) unreadable: Option<Limitation>,
    capabilities: ReadableLockTables,
    prepared: Vec<PreparedXaTransaction>,
    row_waits: Vec<InnoDbLockWait>,
    metadata_locks: Vec<MetadataLockWithThreadId>,
}

impl LockTableSnapshot {
    /// Reads the system tables with lock data. Adds a `Limitation` to `limitations` for each unreadable table.
    pub(crate) async fn read(connection: &mut Connection, mut limitations: Vec<Limitation>) -> Result<Self, Failure> {
        let account = privileges::read_current_account(connection).await?;
        let transactions =
            transactions::read_visible_transactions(connection, Some(&account), &mut limitations).await?;
        let transactions = select_one_transaction_per_session(transactions);
        let (capabilities, unreadable) =
            readable_lock_tables::detect_readable_lock_tables(connection, &account, &mut limitations).await?;
        let prepared = prepared_xa_transactions::read_prepared_transactions(
            connection,
            &transactions,
            &account,
            capabilities.performance_schema,
            &mut limitations,
        )
        .await?;
        let (mut row_waits, mut row_waits_with_threads) = (Vec::new(), Vec::new());
        if are_lock_waits_possible(&transactions) {
            let mut waits = None;
            if connection.flavor == Flavor::MySql && capabilities.performance_schema {
                waits = performance_schema_row_lock_waits::read_row_lock_waits(connection).await?;
            }
            match waits {
                Some(waits) => row_waits_with_threads = waits,
                None => {
                    row_waits =
                        information_schema_row_lock_waits::read_row_lock_waits(connection, &transactions).await?;
                }
            }
        }
        let metadata_locks = metadata_locks::read_metadata_locks(connection, capabilities).await?;
        let threads = threads::read_session_ids_by_thread(connection, capabilities).await?;
        row_waits
            .extend(row_waits_with_threads.into_iter().map(|(wait, owners)| threads.add_session_ids(wait, owners)));
        Ok(Self { transactions, threads, limitations, unreadable, capabilities, prepared, row_waits, metadata_locks })
    }

    /// Returns the ids of sessions that, according to the lock tables, are waiting for a lock or may block other sessions.
    pub(crate) fn waiting_or_blocking_session_ids(&self) -> HashSet<u64> {
        let waiting = self.transactions.iter().filter(|transaction| transaction.is_waiting_for_lock());
        let for_rows = self.row_waits.iter().flat_map(|wait| [wait.waiting.session, wait.blocking.session]).flatten();
        let with_locks = self.metadata_locks.iter().filter_map(|lock| lock.session_id(&self.threads));
        waiting.map(|transaction| transaction.session_id).chain(for_rows).chain(with_locks).collect()
    }

    pub(crate) fn into_lock_snapshot(self, sessions: Vec<ObservedSession>) -> (LockSnapshot, SessionIdsByThread) {
        let Self { transactions, threads, limitations, capabilities, prepared, mut row_waits, metadata_locks, .. } =
            self;
        let busy = transactions.iter().map(|transaction| transaction.session_id).collect();
        let metadata_locks: Vec<MetadataLock> =
            metadata_locks.into_iter().filter_map(|lock| lock.into_metadata_lock(&threads, &prepared, &busy)).collect();
        if capabilities.flavor == Flavor::MariaDb {
            information_schema_row_lock_waits::identify_blocking_read_only_transactions(
                &mut row_waits,
                &transactions,
                &metadata_locks,
            );
        }
        let observed = LockSnapshot {
            row_waits,
            metadata_locks,
            reports_pending: capabilities.metadata_locks,
            transactions: to_observed_transactions(transactions, &prepared),
            sessions,
            limitations,
            unknown_blockers_limitation: capabilities.describe_unknown_lock_holders(),
        };
        (observed, threads)
    }
}

/// While a session runs a DDL statement, InnoDB lists two transactions for the session.
/// Returns at most one transaction per session.
/// If a session has two transactions, selects the waiting transaction, or else the transaction with more locks.
fn select_one_transaction_per_session(transactions: Vec<Transaction>) -> Vec<Transaction> {
    let weight = |transaction: &Transaction| {
        (transaction.is_waiting_for_lock(), transaction.tables_locked, transaction.rows_locked, transaction.id)
    };
    let mut by_session: HashMap<u64, Transaction> = HashMap::new();
    let mut chosen = Vec::new();
    for transaction in transactions {
        if transaction.session_id == 0 {
            chosen.push(transaction);
            continue;
        }
        let existing = by_session.get(&transaction.session_id);
        if existing.is_none_or(|existing| weight(existing) <= weight(&transaction)) {
            by_session.insert(transaction.session_id, transaction);
        }
    }
    chosen.extend(by_session.into_values());
    chosen
}

/// If the account lacks the PROCESS privilege, MySQL hides transactions, and MariaDB hides transactions and lock waits.
fn are_lock_waits_possible(transactions: &[Transaction]) -> bool {
    transactions.is_empty() || transactions.iter().any(Transaction::is_waiting_for_lock)
}

fn to_observed_transactions(
    transactions: Vec<Transaction>,
    prepared: &[PreparedXaTransaction],
) -> Vec<ObservedTransaction> {
    let detached: HashMap<u64, &PreparedXaTransaction> =
        prepared.iter().map(|prepared| (prepared.transaction, prepared)).collect();
    let facts = |transaction: Transaction| {
        let prepared = detached.get(&transaction.id).filter(|_| transaction.session_id == 0);
        ObservedTransaction {
            xid: prepared.and_then(|prepared| prepared.xid.clone()),
            tables: prepared.map(|prepared| prepared.tables.clone()).unwrap_or_default(),
            transaction,
        }
    };
    transactions.into_iter().map(facts).collect()
}

async fn read_sessions_with_roles(
    connection: &mut Connection,
    threads: &SessionIdsByThread,
    lock_waits: &HashMap<u64, u64>,
) -> Result<Vec<ObservedSession>, Failure> {
    let mut own = connection.raw.own_session_filter();
    let mut memory = SessionMemoryLimiter::new(connection.raw.client.bytes.in_memory);
    let mut found = Vec::new();
    let collect = |mut session: Session| {
        truncate_statement(&mut session, MAX_STORED_STATEMENT_BYTES);
        memory.add_session(&session)?;
        found.push(session);
        Ok(())
    };
    connection.for_each_session(MAX_STORED_STATEMENT_BYTES + (4 << 10), collect).await?;
    elapsed_times::correct_elapsed_times_of_busy_sessions(connection, &mut found, lock_waits).await?;
    Ok(found.into_iter().map(|session| to_observed_session(session, &mut own, threads)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_transaction_represents_its_session() {
        let transaction = |id, session_id, state: &'static str, rows_locked| Transaction {
            id,
            session_id,
            state: state.into(),
            rows_locked,
            ..Transaction::default()
        };
        let mut all = vec![
            transaction(61, 41, Transaction::TRANSACTION_STATE_LOCK_WAIT, 0),
            transaction(62, 41, "RUNNING", 9),
            transaction(63, 42, "RUNNING", 1),
            transaction(64, 42, "RUNNING", 5),
            transaction(65, 0, "RUNNING", 1),
            transaction(66, 0, "RUNNING", 1),
        ];
        for _ in 0..2 {
            let mut ids: Vec<u64> =
                select_one_transaction_per_session(all.clone()).iter().map(|chosen| chosen.id).collect();
            ids.sort_unstable();
            assert_eq!(ids, [61, 64, 65, 66]);
            all.reverse();
        }
    }
}
