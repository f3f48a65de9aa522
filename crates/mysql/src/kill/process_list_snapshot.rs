//! Reads the process list for kills: finds sessions by id, and lists the sessions that kill rules evaluate.
//! Queries further tables to detect rollbacks and replication applier threads.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use clew_diagnose::{ProtectedAccounts, is_internal_session};
use clew_model::{Failure, FailureKind, LimitationKind, NodeUrl, Session};

use super::client_sessions::ClientSessions;
use super::victim::{MAX_COMPARED_STATEMENT_BYTES, MAX_VICTIM_ROW_BYTES, ProcessListSource};
use super::{KillRefusal, KillTarget};
use crate::connection::Connection;
use crate::connection_limit::ConnectionPurpose;
use crate::connector::NodeConnector;
use crate::elapsed_times::{self, ElapsedTimeCheckScope};
use crate::flavor::Flavor;
use crate::process_list::{SessionMemoryLimiter, truncate_statement};
use crate::server_instance::ServerInstance;
use crate::transactions::{self, TransactionList};
use crate::{doctor, limitations, privileges, sql_statements};

/// Value of the `Command` column for replication threads and for clients that are still logging in.
const PROCESS_LIST_CONNECT_COMMAND: &[u8] = b"Connect";

/// Result of looking up sessions by id.
#[derive(Debug, Clone)]
pub struct SessionLookupResult {
    /// Server instance that returned the process list, and the time at which Clew read the list.
    pub read: ProcessListSource,
    /// Sessions with the requested ids. Statements longer than 64 KiB are truncated.
    pub sessions: Vec<Session>,
    own: HashSet<u64>,
    is_direct: bool,
}

impl SessionLookupResult {
    /// Predicts why Clew would refuse to kill `session`. Returns `None` if the process list contains no reason for a refusal.
    /// A return value of `None` does not guarantee that Clew executes the kill.
    /// Clew recognizes idle sessions of other Clew processes and some replication appliers only when it executes a kill.
    #[must_use]
    pub fn predict_kill_refusal(
        &self,
        session: &Session,
        target: KillTarget,
        protected: &ProtectedAccounts,
    ) -> Option<KillRefusal> {
        if !self.is_direct {
            return Some(KillRefusal::Proxied);
        }
        KillRefusal::for_protected_session(session, self.own.contains(&session.id), protected)
            .or_else(|| (target == KillTarget::Query && session.is_idle()).then_some(KillRefusal::Idle))
    }
}

/// Reads the sessions with the given ids. Truncates each statement to 64 KiB.
///
/// Fails if a requested session is missing from the process list and the account lacks the PROCESS privilege.
/// Accounts without the PROCESS privilege see only their own sessions in the process list.
/// If the account lacks the PROCESS privilege, the error message contains the required `GRANT` statement.
/// Does not wait until other read operations on the node finish.
pub async fn find_sessions_by_id(
    node: &NodeUrl,
    ids: &[u64],
    connector: &NodeConnector,
) -> Result<SessionLookupResult, Failure> {
    Connection::run_for_purpose(ConnectionPurpose::Killing, node, connector, "reading sessions", async |connection| {
        let server = connection.read_server_instance().await?;
        let wanted = |session: &Session| ids.contains(&session.id);
        let SessionList { sessions, own, is_direct, .. } =
            read_sessions_and_elapsed_times(connection, ElapsedTimeCheckScope::All, wanted).await?;
        let read = build_process_list_source(server);
        if ids.iter().any(|id| sessions.iter().all(|session| session.id != *id)) {
            require_complete_process_list(connection).await?;
        }
        Ok(SessionLookupResult { read, sessions, own, is_direct })
    })
    .await
}

/// Reads the sessions that kill rules evaluate: all sessions except internal sessions and Clew's own sessions.
/// If the account lacks the PROCESS privilege, returns an error that includes the required `GRANT` statement.
pub async fn read_client_sessions(
    node: &NodeUrl,
    purpose: ConnectionPurpose,
    connector: &NodeConnector,
) -> Result<ClientSessions, Failure> {
    Connection::run_for_purpose(purpose, node, connector, "reading sessions", async |connection| {
        let server = connection.read_server_instance().await?;
        let own_ids = read_clew_session_ids(connection).await?;
        let SessionList { sessions: listed, unchecked, own, is_direct, .. } =
            read_sessions_and_elapsed_times(connection, ElapsedTimeCheckScope::All, |_| true).await?;
        let read = build_process_list_source(server);
        if !is_direct {
            connection.limitations.push(limitations::describe_indirect_connection());
        }
        let missing = doctor::find_process_list_limitations(connection).await?;
        connection.limitations.extend(missing.into_iter().filter(|gap| gap.kind == LimitationKind::LostThreads));
        // Clew's own statement is running. If the server does not time this statement, it does not time any.
        let no_timers = unchecked.contains(&connection.id);
        let clock = connection.read_clock().await?;
        // An account that can list a session of another account has PROCESS.
        let account = listed.iter().find(|session| session.id == connection.id).map(|session| &session.user);
        if !listed.iter().any(|session| account.is_some_and(|account| *account != session.user)) {
            require_process_privilege(connection).await?;
        }
        let appliers = find_replication_appliers(connection, listed.iter()).await?;
        let is_own = |session: &Session| own_ids.contains(&session.id) || own.contains(&session.id);
        let is_internal = |session: &Session| is_internal_session(session) || appliers.contains(&session.id);
        let users = |session: &Session| !is_internal(session) && !is_own(session);
        let sessions: Vec<Session> = listed.into_iter().filter(users).collect();
        let is_unchecked = |session: &&Session| no_timers || unchecked.contains(&session.id);
        let unchecked = sessions.iter().filter(is_unchecked).map(|session| session.id).collect();
        let limitations = std::mem::take(&mut connection.limitations);
        let is_monotonic = connection.flavor == Flavor::MariaDb;
        Ok(ClientSessions {
            read,
            sessions,
            unchecked,
            is_monotonic,
            clock,
            limitations,
            duration: connection.since.elapsed(),
        })
    })
    .await
}

pub(super) struct ProcessListSnapshot {
    pub(super) listed_at: Instant,
    pub(super) sessions: HashMap<u64, Session>,
    /// Ids of the sessions whose elapsed times Clew could not verify with the server's statement timers.
    pub(super) unchecked: HashSet<u64>,
    /// Session ids of replication appliers that [`is_internal_session`] does not detect.
    pub(super) appliers: HashSet<u64>,
    /// Maps session ids to MariaDB query ids. Empty on MySQL and if Clew kills whole sessions instead of statements.
    pub(super) queries: HashMap<u64, u64>,
    pub(super) own: HashSet<u64>,
    pub(super) is_direct: bool,
    rollbacks: Option<HashMap<u64, RollbackState>>,
}

impl ProcessListSnapshot {
    /// On MariaDB, the function reads the query ids of the sessions before it reads the process list.
    /// If a session starts a new statement after its query id was read, `KILL QUERY ID` with the old id has no effect.
    pub(super) async fn read(connection: &mut Connection, ids: &[u64], kind: KillTarget) -> Result<Self, Failure> {
        let queries = read_query_ids(connection, ids, kind).await?;
        let ids: HashSet<u64> = ids.iter().copied().collect();
        let wanted = |session: &Session| ids.contains(&session.id);
        let SessionList { sessions: found, unchecked, own, is_direct, listed_at } =
            read_sessions_and_elapsed_times(connection, ElapsedTimeCheckScope::All, wanted).await?;
        let appliers = find_replication_appliers(connection, found.iter()).await?;
        let sessions = found.into_iter().map(|session| (session.id, session)).collect();
        Ok(Self { listed_at, sessions, unchecked, appliers, queries, own, is_direct, rollbacks: None })
    }

    pub(super) async fn rollback_state(
        &mut self,
        connection: &mut Connection,
        id: u64,
    ) -> Result<RollbackState, Failure> {
        let rollbacks = match self.rollbacks.take() {
            Some(rollbacks) => rollbacks,
            None => read_rollback_states(connection).await?,
        };
        Ok(self.rollbacks.insert(rollbacks).get(&id).copied().unwrap_or(RollbackState::NoTransaction))
    }
}

fn build_process_list_source(server: ServerInstance) -> ProcessListSource {
    ProcessListSource { server, at: Instant::now(), reported: Arc::default() }
}

pub(super) struct SessionList {
    pub(super) sessions: Vec<Session>,
    /// Ids of the sessions whose elapsed times Clew could not verify with the server's statement timers.
    /// Empty in the result of [`read_matching_sessions`], which does not check elapsed times.
    pub(super) unchecked: HashSet<u64>,
    own: HashSet<u64>,
    is_direct: bool,
    listed_at: Instant,
}

pub(super) async fn read_matching_sessions(
    connection: &mut Connection,
    wanted: impl Fn(&Session) -> bool,
) -> Result<SessionList, Failure> {
    let mut filter = connection.raw.own_session_filter();
    let mut memory = SessionMemoryLimiter::new(connection.raw.client.bytes.in_memory);
    let (mut found, mut own) = (Vec::new(), HashSet::new());
    let collect = |mut session: Session| {
        let is_own = filter.is_own_session(&session);
        if !wanted(&session) {
            return Ok(());
        }
        if is_own {
            own.insert(session.id);
        }
        truncate_statement(&mut session, MAX_COMPARED_STATEMENT_BYTES);
        memory.add_session(&session)?;
        found.push(session);
        Ok(())
    };
    connection.for_each_session(MAX_VICTIM_ROW_BYTES, collect).await?;
    let listed_at = Instant::now();
    let is_direct = connection.raw.is_directly_connected(&filter);
    Ok(SessionList { sessions: found, unchecked: HashSet::new(), own, is_direct, listed_at })
}

/// On MySQL, replaces each session's `Time` value with a statement timer value, which sessions cannot falsify.
pub(super) async fn read_sessions_and_elapsed_times(
    connection: &mut Connection,
    checked: ElapsedTimeCheckScope,
    wanted: impl Fn(&Session) -> bool,
) -> Result<SessionList, Failure> {
    let mut found = read_matching_sessions(connection, wanted).await?;
    let sessions = found.sessions.iter_mut().collect();
    found.unchecked = elapsed_times::correct_elapsed_times(connection, sessions, checked).await?;
    Ok(found)
}

/// MySQL's process list has no query ids.
async fn read_query_ids(
    connection: &mut Connection,
    ids: &[u64],
    kind: KillTarget,
) -> Result<HashMap<u64, u64>, Failure> {
    if kind == KillTarget::Connection || connection.flavor == Flavor::MySql || ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(u64, u64)> = connection.read_rows(&sql_statements::mariadb_query_ids_query(ids)).await?;
    Ok(rows.into_iter().collect())
}

/// Reads the ids of Clew's own sessions, whose connection attributes identify the Clew installation.
/// The server stores connection attributes only if performance_schema is on.
/// If performance_schema is off, Clew recognizes its sessions by connection id and client address, or by a comment in their statements.
pub(super) async fn read_clew_session_ids(connection: &mut Connection) -> Result<HashSet<u64>, Failure> {
    let query = sql_statements::own_session_ids_query(connection.raw.own.installation_marker());
    Ok(connection.read_rows_ignoring_server_errors::<Option<u64>>(&query).await?.into_iter().flatten().collect())
}

async fn require_process_privilege(connection: &mut Connection) -> Result<(), Failure> {
    if privileges::is_probe_query_allowed(connection, sql_statements::TRANSACTIONS_PROBE_QUERY).await? {
        return Ok(());
    }
    Err(privileges::missing_privilege_failure(connection, "list sessions of other accounts", "PROCESS").await?)
}

/// Fails if the process list may omit sessions, for example because the account lacks the PROCESS privilege.
pub(super) async fn require_complete_process_list(connection: &mut Connection) -> Result<(), Failure> {
    require_process_privilege(connection).await?;
    let missing = doctor::find_process_list_limitations(connection)
        .await?
        .into_iter()
        .find(|gap| gap.kind == LimitationKind::LostThreads);
    missing.map_or(Ok(()), |gap| {
        let fix = gap.remedy.unwrap_or_default();
        let detail = format!("{}: {} {}", connection.address, gap.what, gap.why);
        Err(Failure::with_fix(FailureKind::ServerError, detail, fix.english))
    })
}

/// Returns the ids of replication appliers that [`is_internal_session`] does not detect.
/// While a MySQL 9.7 replication applier runs a trigger, the process list shows the account of the trigger's definer.
/// A session that `performance_schema` does not list is a replication applier if it runs a statement with the command `Connect`.
/// A client with the command `Connect` cannot run statements, because its login is not complete.
async fn find_replication_appliers(
    connection: &mut Connection,
    sessions: impl Iterator<Item = &Session>,
) -> Result<HashSet<u64>, Failure> {
    let candidates: Vec<&Session> =
        sessions.filter(|session| !is_internal_session(session) && may_be_replication_applier(session)).collect();
    if connection.flavor == Flavor::MariaDb || candidates.is_empty() {
        return Ok(HashSet::new());
    }
    let ids: Vec<u64> = candidates.iter().map(|session| session.id).collect();
    let query = sql_statements::replication_applier_query(&ids);
    let rows: Vec<(u64, bool)> = connection.read_rows_ignoring_server_errors(&query).await?;
    let applies = |session: &Session| match rows.iter().find(|(id, _)| *id == session.id) {
        Some((_, applies)) => *applies,
        None => session.command == PROCESS_LIST_CONNECT_COMMAND && session.statement.is_some(),
    };
    Ok(candidates.into_iter().filter(|session| applies(session)).map(|session| session.id).collect())
}

/// In the process list, the address of every remote client includes a port.
/// For remote clients, the process list shows the command `Connect` only until the login is complete.
fn may_be_replication_applier(session: &Session) -> bool {
    session.host_without_port().len() == session.host.len() || session.command == PROCESS_LIST_CONNECT_COMMAND
}

/// MySQL removes a killed session from the process list before the rollback starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RollbackState {
    /// The session has no open transaction, or Clew's account cannot read transactions.
    NoTransaction,
    NotStarted,
    /// Number of modified rows that the server still has to roll back.
    RollingBack(u64),
}

pub(super) async fn read_rollback_states(connection: &mut Connection) -> Result<HashMap<u64, RollbackState>, Failure> {
    let read = transactions::read_transactions(connection).await?;
    let (TransactionList::Readable(all) | TransactionList::FromStatus(all)) = read else {
        return Ok(HashMap::new());
    };
    let mut states = HashMap::new();
    for transaction in all {
        let state = states.entry(transaction.session_id).or_insert(RollbackState::NotStarted);
        if transaction.is_rolling_back() {
            let rows = transaction.rows_modified;
            *state = RollbackState::RollingBack(match *state {
                RollbackState::RollingBack(more) => more.max(rows),
                RollbackState::NotStarted | RollbackState::NoTransaction => rows,
            });
        }
    }
    Ok(states)
}
