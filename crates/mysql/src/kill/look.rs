//! Process list reads for kills: of sessions by id, and of those that rules may choose from.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::client::Error;
use clew_diagnose::is_internal;
use clew_model::{Failure, FailureKind, LimitationKind, NodeUrl, Session};
use tokio::time::timeout;

use super::KillKind;
use super::confirm::{Undone, read_undone};
use super::user_sessions::UserSessions;
use super::victim::{ListRead, MAX_ROW, STATEMENT_COMPARED};
use crate::budget::Errand;
use crate::connection::Connection;
use crate::limits::Limits;
use crate::server::Flavor;
use crate::server_instance::ServerInstance;
use crate::sessions::Kept;
use crate::snapshot::list_limitations;
use crate::statement_ages::{self, Checked};
use crate::{clock, doctor, failure, own_sessions, server_threads, sessions, statements};

/// Sessions that were looked up by their ids.
#[derive(Debug, Clone)]
pub struct FoundSessions {
    /// The list that shows them.
    pub read: ListRead,
    /// Those that the server lists, with the first 64 KiB of their statements.
    pub sessions: Vec<Session>,
}

/// The sessions of these ids that are there, as the server lists them, with the first 64 KiB of their statements. An account that
/// sees only its own sessions cannot tell what is gone from what is hidden: then this fails, and names the `GRANT`. It uses the permit
/// for kills and does not queue behind reads of the node.
pub async fn find_sessions(node: &NodeUrl, ids: &[u64], limits: &Limits) -> Result<FoundSessions, Failure> {
    reading(node, limits, async {
        let mut connection = Connection::open_for(Errand::Killing, node, limits).await?;
        let server = connection.instance().await?;
        let (List { sessions, .. }, _) =
            look_with_ages(&mut connection, Checked::All, |session| ids.contains(&session.id)).await?;
        let read = list_read(server);
        if ids.iter().any(|id| sessions.iter().all(|session| session.id != *id)) {
            lists_all(&mut connection).await?;
        }
        connection.close().await;
        Ok(FoundSessions { read, sessions })
    })
    .await
}

/// Looks for those that rules choose victims from. Fails where the account sees only its own sessions, and names the `GRANT`: those
/// that it does not see cannot be chosen.
pub async fn read_user_sessions(node: &NodeUrl, errand: Errand, limits: &Limits) -> Result<UserSessions, Failure> {
    reading(node, limits, async {
        let mut connection = Connection::open_for(errand, node, limits).await?;
        let server = connection.instance().await?;
        let own_ids = clew_sessions(&mut connection).await?;
        let (List { sessions: listed, own, is_direct, .. }, unchecked) =
            look_with_ages(&mut connection, Checked::All, |_| true).await?;
        let read = list_read(server);
        if !is_direct {
            connection.limitations.push(doctor::indirect());
        }
        let missing = list_limitations(&mut connection).await?;
        connection.limitations.extend(missing.into_iter().filter(|gap| gap.kind == LimitationKind::LostThreads));
        // Its own statement runs: where that is not timed, none is.
        let no_timers = unchecked.contains(&connection.id);
        let clock = clock::read(&mut connection).await.map_err(|error| connection.failed(&error))?;
        // An account that sees another account's session has PROCESS.
        let account = listed.iter().find(|session| session.id == connection.id).map(|session| &session.user);
        if !listed.iter().any(|session| account.is_some_and(|account| *account != session.user)) {
            sees_all(&mut connection).await?;
        }
        let appliers = server_threads::among(&mut connection, listed.iter()).await?;
        let is_own = |session: &Session| own_ids.contains(&session.id) || own.contains(&session.id);
        let is_internal = |session: &Session| is_internal(session) || appliers.contains(&session.id);
        let users = |session: &Session| !is_internal(session) && !is_own(session);
        let sessions: Vec<Session> = listed.into_iter().filter(users).collect();
        let is_unchecked = |session: &&Session| no_timers || unchecked.contains(&session.id);
        let unchecked = sessions.iter().filter(is_unchecked).map(|session| session.id).collect();
        let limitations = std::mem::take(&mut connection.limitations);
        let is_monotonic = connection.flavor == Flavor::MariaDb;
        let since = connection.since;
        connection.close().await;
        Ok(UserSessions { read, sessions, unchecked, is_monotonic, clock, limitations, took: since.elapsed() })
    })
    .await
}

async fn reading<T>(
    node: &NodeUrl,
    limits: &Limits,
    read: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    timeout(limits.node, failure::without_panic(node, read))
        .await
        .unwrap_or_else(|_| Err(failure::read_timed_out(node, limits.node)))
}

/// What was to be seen of some sessions at one moment.
pub(super) struct Look {
    taken: Instant,
    /// By id.
    pub(super) sessions: HashMap<u64, Session>,
    /// Those of them whose seconds could not be checked.
    pub(super) unchecked: HashSet<u64>,
    /// Those of them that apply what replication brings, and do not look so.
    pub(super) appliers: HashSet<u64>,
    /// The number of what each of them runs; of MariaDB alone, and only where a statement is to end.
    pub(super) queries: HashMap<u64, u64>,
    /// Those of them that are Clew's own.
    pub(super) own: HashSet<u64>,
    /// Whether the list is that of the server that a kill on this connection reaches.
    pub(super) is_direct: bool,
    undone: Option<HashMap<u64, Undone>>,
}

impl Look {
    /// Numbers of statements are read before sessions: should one of them begin another statement in between, its number is gone, and
    /// nothing is killed.
    pub(super) async fn take(connection: &mut Connection, ids: &[u64], kind: KillKind) -> Result<Self, Failure> {
        let queries = query_ids(connection, ids, kind).await?;
        let ids: HashSet<u64> = ids.iter().copied().collect();
        let (List { sessions: found, own, is_direct, taken }, unchecked) =
            look_with_ages(connection, Checked::All, |session| ids.contains(&session.id)).await?;
        let appliers = server_threads::among(connection, found.iter()).await?;
        let sessions = found.into_iter().map(|session| (session.id, session)).collect();
        Ok(Self { taken, sessions, unchecked, appliers, queries, own, is_direct, undone: None })
    }

    pub(super) fn age(&self) -> Duration {
        self.taken.elapsed()
    }

    /// What a session that is not listed still has to roll back.
    pub(super) async fn undone_by(&mut self, connection: &mut Connection, id: u64) -> Result<Undone, Failure> {
        let undone = match self.undone.take() {
            Some(undone) => undone,
            None => read_undone(connection).await?,
        };
        Ok(self.undone.insert(undone).get(&id).copied().unwrap_or(Undone::Nothing))
    }
}

/// A list of this server whose ages were read just now.
fn list_read(server: ServerInstance) -> ListRead {
    ListRead { server, at: Instant::now(), reported: Arc::default() }
}

/// Sessions of one list.
pub(super) struct List {
    pub(super) sessions: Vec<Session>,
    /// Ids of those that are Clew's own.
    own: HashSet<u64>,
    is_direct: bool,
    /// When its last row was read.
    taken: Instant,
}

/// Those sessions that are wanted of all that the server lists.
pub(super) async fn look(connection: &mut Connection, wanted: impl Fn(&Session) -> bool) -> Result<List, Failure> {
    let address = connection.address.clone();
    let mut filter = connection.own_filter();
    let lost = |error: Error| failure::from_client(&error, &address);
    let mut rows = sessions::read(connection, MAX_ROW).await.map_err(lost)?;
    let (mut found, mut own, mut kept) = (Vec::new(), HashSet::new(), Kept::default());
    while let Some(mut session) = rows.next().await.map_err(lost)? {
        let is_own = filter.is_own(&session);
        if !wanted(&session) {
            continue;
        }
        if is_own {
            own.insert(session.id);
        }
        if let Some(statement) = &mut session.statement {
            statement.truncate(STATEMENT_COMPARED);
            statement.shrink_to_fit();
        }
        kept.add(&session).map_err(lost)?;
        found.push(session);
    }
    let limitation = rows.limitation();
    connection.limitations.extend(limitation);
    let taken = Instant::now();
    Ok(List { sessions: found, own, is_direct: connection.link.is_direct(&filter), taken })
}

/// The same with seconds that no session can set, where the server has them. `checked` says whether those of idle sessions are checked too.
/// Returns the ids of sessions whose seconds could not be checked as well.
pub(super) async fn look_with_ages(
    connection: &mut Connection,
    checked: Checked,
    wanted: impl Fn(&Session) -> bool,
) -> Result<(List, HashSet<u64>), Failure> {
    let mut found = look(connection, wanted).await?;
    let unchecked = statement_ages::check_sessions(connection, found.sessions.iter_mut().collect(), checked).await?;
    Ok((found, unchecked))
}

/// MariaDB alone has numbers for what sessions run.
async fn query_ids(connection: &mut Connection, ids: &[u64], kind: KillKind) -> Result<HashMap<u64, u64>, Failure> {
    if kind == KillKind::Connection || connection.flavor == Flavor::MySql || ids.is_empty() {
        return Ok(HashMap::new());
    }
    let numbers: Result<Vec<(u64, u64)>, Error> = connection.ask(&statements::query_ids(ids)).await;
    Ok(numbers.map_err(|error| connection.failed(&error))?.into_iter().collect())
}

/// Sessions of all processes of this installation, by the token in their connection attributes. Without performance_schema there are
/// no attributes: then only those count that run a statement with the token, and those of this process.
pub(super) async fn clew_sessions(connection: &mut Connection) -> Result<HashSet<u64>, Failure> {
    match connection.ask::<Option<u64>>(&statements::opened_with(own_sessions::token())).await {
        Ok(ids) => Ok(ids.into_iter().flatten().collect()),
        Err(Error::Server(error)) if !failure::took_too_long(&error) => Ok(HashSet::new()),
        Err(error) => Err(connection.failed(&error)),
    }
}

/// Fails where the account is shown its own sessions only.
async fn sees_all(connection: &mut Connection) -> Result<(), Failure> {
    if doctor::works(connection, statements::TRANSACTIONS_PROBE).await? {
        return Ok(());
    }
    let account = doctor::account(connection).await?;
    Err(doctor::missing(connection, "look for sessions of other accounts", "PROCESS", &account))
}

/// Fails where a session that is not listed may be there: hidden from the account, or missing in the list of the server.
pub(super) async fn lists_all(connection: &mut Connection) -> Result<(), Failure> {
    sees_all(connection).await?;
    let missing = list_limitations(connection).await?.into_iter().find(|gap| gap.kind == LimitationKind::LostThreads);
    missing.map_or(Ok(()), |gap| {
        let fix = gap.remedy.as_deref().unwrap_or_default();
        let detail = format!("{}: {} {} fix: {fix}", connection.address, gap.what, gap.why);
        Err(Failure::new(FailureKind::ServerError, detail))
    })
}
