//! What a node's sessions wait for, and who holds it: all that the wait graph is made from.

mod access;
mod last_statements;
mod mariadb;
mod metadata;
mod mysql;
mod prepared;
mod read_wait;
mod roles;
mod text;
mod threads;

use std::collections::{HashMap, HashSet};

use clew_diagnose::waits::{MetadataLock, Observed, RowWait, SessionFacts, TransactionFacts, graph};
use clew_model::{Failure, Limitation, NodeUrl, Session, Transaction};
use tokio::time::timeout;

use crate::connection::Connection;
use crate::limits::Limits;
use crate::server::Flavor;
use crate::server_instance::ServerInstance;
use crate::sessions::Kept;
use crate::snapshot::list_limitations;
use crate::statement_ages::{self, Checked};
use crate::transactions::Transactions;
use crate::{doctor, failure, losses, sessions, transactions};
use access::Access;
use metadata::ReadLock;
use prepared::Prepared;
use read_wait::ReadWait;
pub(crate) use roles::role;
pub(crate) use threads::Threads;

/// Bytes that are kept of a statement: enough to tell which tables it names.
const STATEMENT_KEPT: usize = 64 << 10;

/// Reads what the sessions of a node wait for: each table once, over one connection. [`graph`] joins it.
///
/// What cannot be read is named among the limitations. Fails with the reason, within the limits; what was under way on the server
/// when this fails or is dropped is killed there.
pub async fn read_waits(node: &NodeUrl, limits: &Limits) -> Result<Observed, Failure> {
    within_limits(node, limits, async { read(Connection::open(node, limits).await?).await }).await
}

/// The same for a caller that may kill some of the sessions: with the server that lists them.
pub async fn read_waits_with_server(node: &NodeUrl, limits: &Limits) -> Result<(ServerInstance, Observed), Failure> {
    let reading = async {
        let mut connection = Connection::open(node, limits).await?;
        let server = connection.instance().await?;
        Ok((server, read(connection).await?))
    };
    within_limits(node, limits, reading).await
}

async fn within_limits<T>(
    node: &NodeUrl,
    limits: &Limits,
    reading: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    timeout(limits.node, failure::without_panic(node, reading))
        .await
        .unwrap_or_else(|_| Err(failure::timed_out(&node.address(), "reading locks", limits.node)))
}

async fn read(mut connection: Connection) -> Result<Observed, Failure> {
    let observed = observe(&mut connection, None).await?;
    connection.close().await;
    Ok(observed)
}

/// The same over a connection that is there, with the latest statements of one session more, whether it is in anybody's way or not.
pub(crate) async fn observe(connection: &mut Connection, also: Option<u64>) -> Result<Observed, Failure> {
    let limitations = list_limitations(connection).await?;
    let locks = WaitTables::read(connection, limitations).await?;
    let lock_waits = transactions::lock_waits(&locks.transactions);
    let sessions = sessions(connection, &locks.threads, &lock_waits).await?;
    let access = locks.access;
    let (mut observed, threads) = locks.joined(sessions);
    observed.limitations.append(&mut connection.limitations);
    if access.performance_schema {
        observed.limitations.extend(losses::read(connection).await?);
    }
    let first = graph(&observed);
    if !first.unexplained.is_empty() {
        observed.limitations.extend(access.first_modes());
    }
    let idle_roots = first.idle_roots().into_iter().filter(|session| also != Some(*session));
    let asked: Vec<u64> = also.into_iter().chain(idle_roots).collect();
    if access.performance_schema && !asked.is_empty() {
        last_statements::read(connection, &asked, &threads, &mut observed).await?;
    }
    Ok(observed)
}

/// All that is read of waits before the sessions are, so that whoever holds a lock still is among them.
#[derive(Debug)]
pub(crate) struct WaitTables {
    pub(crate) transactions: Vec<Transaction>,
    pub(crate) threads: Threads,
    /// What cannot be read.
    pub(crate) limitations: Vec<Limitation>,
    /// Why performance_schema cannot be read, if it cannot.
    pub(crate) unreadable: Option<Limitation>,
    access: Access,
    prepared: Vec<Prepared>,
    row_waits: Vec<ReadWait>,
    metadata_locks: Vec<ReadLock>,
}

impl WaitTables {
    /// Reads each table once, and adds what cannot be read to `limitations`.
    pub(crate) async fn read(connection: &mut Connection, mut limitations: Vec<Limitation>) -> Result<Self, Failure> {
        let account = doctor::account(connection).await?;
        let transactions = transactions(connection, &account, &mut limitations).await?;
        let (access, unreadable) = access::find_out(connection, &account, &mut limitations).await?;
        let prepared =
            prepared::read(connection, &transactions, &account, access.performance_schema, &mut limitations).await?;
        let row_waits = match connection.flavor {
            _ if !anybody_waits(&transactions) => Vec::new(),
            Flavor::MySql if access.performance_schema => mysql::row_waits(connection).await?,
            Flavor::MySql => Vec::new(),
            Flavor::MariaDb => mariadb::row_waits(connection, &transactions).await?,
        };
        let metadata_locks = metadata::read(connection, access).await?;
        let threads = threads::read(connection, access).await?;
        Ok(Self { transactions, threads, limitations, unreadable, access, prepared, row_waits, metadata_locks })
    }

    /// Limitations that matter where a wait could not be explained.
    pub(crate) fn unexplained(&self) -> Option<Limitation> {
        self.access.first_modes()
    }

    /// Sessions that wait or may be waited for, by these tables. Of the others, only a state can tell that they wait.
    pub(crate) fn parties(&self) -> HashSet<u64> {
        let waiting = self.transactions.iter().filter(|transaction| transaction.waits_for_a_lock());
        let for_rows = self.row_waits.iter().flat_map(|wait| wait.sessions(&self.threads));
        let with_locks = self.metadata_locks.iter().filter_map(|lock| lock.session(&self.threads));
        waiting.map(|transaction| transaction.session_id).chain(for_rows).chain(with_locks).collect()
    }

    /// Everything that the graph is made from. The threads serve whatever is read after that.
    pub(crate) fn joined(self, sessions: Vec<SessionFacts>) -> (Observed, Threads) {
        let Self { transactions, threads, limitations, access, prepared, row_waits, metadata_locks, .. } = self;
        let busy = transactions.iter().map(|transaction| transaction.session_id).collect();
        let mut row_waits: Vec<RowWait> = row_waits.into_iter().map(|wait| wait.named(&threads)).collect();
        let metadata_locks: Vec<MetadataLock> =
            metadata_locks.into_iter().filter_map(|lock| lock.owned(&threads, &prepared, &busy)).collect();
        if access.flavor == Flavor::MariaDb {
            mariadb::name_readers(&mut row_waits, &transactions, &metadata_locks);
        }
        let observed = Observed {
            row_waits,
            metadata_locks,
            pending_seen: access.metadata_locks,
            transactions: facts(transactions, &prepared),
            sessions,
            limitations,
            ..Observed::default()
        };
        (observed, threads)
    }
}

async fn transactions(
    connection: &mut Connection,
    account: &str,
    limitations: &mut Vec<Limitation>,
) -> Result<Vec<Transaction>, Failure> {
    match transactions::read(connection).await {
        Ok(Transactions::Readable(transactions)) => Ok(one_of_each_session(transactions)),
        Ok(Transactions::Hidden) => {
            limitations.extend(doctor::without_process(account));
            Ok(Vec::new())
        }
        Ok(Transactions::FromStatus(transactions)) => {
            limitations.push(doctor::part_of_transactions());
            Ok(one_of_each_session(transactions))
        }
        Err(error) => Err(connection.failed(&error)),
    }
}

/// A change of definition has two transactions at once: the one that waits counts, else the one that holds more.
fn one_of_each_session(transactions: Vec<Transaction>) -> Vec<Transaction> {
    let weight = |transaction: &Transaction| {
        (transaction.waits_for_a_lock(), transaction.tables_locked, transaction.rows_locked, transaction.id)
    };
    let mut by_session: HashMap<u64, Transaction> = HashMap::new();
    let mut chosen = Vec::new();
    for transaction in transactions {
        if transaction.session_id == 0 {
            chosen.push(transaction);
            continue;
        }
        match by_session.get(&transaction.session_id) {
            Some(known) if weight(known) > weight(&transaction) => {}
            _ => {
                by_session.insert(transaction.session_id, transaction);
            }
        }
    }
    chosen.extend(by_session.into_values());
    chosen
}

/// Without the privilege for transactions, MariaDB shows no lock waits either, and MySQL does.
fn anybody_waits(transactions: &[Transaction]) -> bool {
    transactions.is_empty() || transactions.iter().any(Transaction::waits_for_a_lock)
}

fn facts(transactions: Vec<Transaction>, prepared: &[Prepared]) -> Vec<TransactionFacts> {
    let detached: HashMap<u64, &Prepared> = prepared.iter().map(|prepared| (prepared.transaction, prepared)).collect();
    let facts = |transaction: Transaction| {
        let known = detached.get(&transaction.id).filter(|_| transaction.session_id == 0);
        TransactionFacts {
            xid: known.and_then(|prepared| prepared.xid.clone()),
            tables: known.map(|prepared| prepared.tables.clone()).unwrap_or_default(),
            transaction,
        }
    };
    transactions.into_iter().map(facts).collect()
}

async fn sessions(
    connection: &mut Connection,
    threads: &Threads,
    lock_waits: &HashMap<u64, u64>,
) -> Result<Vec<SessionFacts>, Failure> {
    let address = connection.address.clone();
    let (flavor, own_id) = (connection.flavor, connection.id);
    let mut own = connection.own_filter();
    let lost = |error: crate::client::Error| failure::from_client(&error, &address);
    let mut rows = sessions::read(connection, STATEMENT_KEPT + (4 << 10)).await.map_err(lost)?;
    let (mut found, mut kept) = (Vec::new(), Kept::default());
    while let Some(mut session) = rows.next().await.map_err(lost)? {
        if let Some(statement) = &mut session.statement {
            statement.truncate(STATEMENT_KEPT);
            statement.shrink_to_fit();
        }
        kept.add(&session).map_err(lost)?;
        found.push(session);
    }
    let limitation = rows.limitation();
    connection.limitations.extend(limitation);
    let is_doubtful = |session: &&mut Session| {
        let lock_wait = lock_waits.get(&session.id).copied();
        session.id != own_id && statement_ages::must_be_checked(flavor, session, lock_wait, Checked::Busy)
    };
    let doubtful = found.iter_mut().filter(is_doubtful).collect();
    statement_ages::check_sessions(connection, doubtful, Checked::Busy).await?;
    let facts = |session: Session| {
        let role = role(&session, own.is_own(&session), threads.is_applier(session.id));
        SessionFacts { role, session }
    };
    Ok(found.into_iter().map(facts).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_transactions_of_a_session_the_one_that_waits_counts() {
        let transaction = |id, session_id, state: &'static str, rows_locked| Transaction {
            id,
            session_id,
            state: state.into(),
            rows_locked,
            ..Transaction::default()
        };
        let mut all = vec![
            transaction(61, 41, Transaction::LOCK_WAIT, 0),
            transaction(62, 41, "RUNNING", 9),
            transaction(63, 42, "RUNNING", 1),
            transaction(64, 42, "RUNNING", 5),
            transaction(65, 0, "RUNNING", 1),
            transaction(66, 0, "RUNNING", 1),
        ];
        for _ in 0..2 {
            let mut ids: Vec<u64> = one_of_each_session(all.clone()).iter().map(|chosen| chosen.id).collect();
            ids.sort_unstable();
            assert_eq!(ids, [61, 64, 65, 66]);
            all.reverse();
        }
    }
}
