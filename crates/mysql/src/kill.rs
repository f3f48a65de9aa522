//! Ending a session, or what it runs: only the one that was meant, and never one that must live.
//!
//! The session is read again on the connection that then kills it. What a victim is known by are its id, account and client
//! address, and, where only its statement is meant, what it was running and since when. MySQL cannot be told which run of a
//! statement to end: between the look and the kill a session may begin another one. MariaDB can.

mod confirm;
mod outcome;
mod victim;

use std::time::Instant;

use clew_diagnose::{ProtectedAccounts, clean, is_internal};
use clew_model::{Failure, FailureKind, NodeUrl, Session};
use mysql_async::Error;
use tokio::time::timeout;

use crate::connection::{Connection, PROGRAM_NAME};
use crate::limits::Limits;
use crate::server::Flavor;
use crate::{doctor, failure, sessions, statements};
use confirm::{Undone, confirm, undone_by};
pub use outcome::{KillOutcome, Refusal};
use victim::ROUNDED_SECONDS;
pub use victim::{Doing, Victim};

/// What of a session is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KillKind {
    /// The session. Its open transaction is rolled back.
    Connection,
    /// The statement that it runs. The session, its transaction and its locks stay.
    Query,
}

/// Errors of a kill that came too late: no such connection, no such query of MariaDB.
const GONE: [u16; 2] = [1094, 1957];
/// Errors of a kill that the account may not do: not its owner, a privilege missing, not the owner of that query of MariaDB.
const DENIED: [u16; 3] = [1095, 1227, 1979];
/// Errors of a procedure that is not there for this account: none of that name, may not be called.
const NO_PROCEDURE: [u16; 2] = [1305, 1370];

/// What managed servers offer where `KILL` is denied.
struct Procedures {
    connection: &'static str,
    query: &'static str,
}

/// Of Amazon RDS and Aurora, and of Azure, from their manuals.
const PROCEDURES: [Procedures; 2] = [
    Procedures { connection: "mysql.rds_kill", query: "mysql.rds_kill_query" },
    Procedures { connection: "mysql.az_kill", query: "mysql.az_kill_query" },
];

/// Ends the victim, or what it runs, and looks whether it did.
///
/// Fails where the server could not be asked or the account may not kill; then the failure names the `GRANT`. Once the server took
/// the kill, nothing fails: what could not be seen is told by [`KillOutcome::Ending`].
pub async fn kill(
    node: &NodeUrl,
    victim: &Victim,
    kind: KillKind,
    protected: &ProtectedAccounts,
    limits: &Limits,
) -> Result<KillOutcome, Failure> {
    let doing = format!("killing session {} (the server may still do it)", victim.id);
    failure::without_panic(node, async {
        let begun = timeout(limits.node, begin(node, victim, kind, protected, limits))
            .await
            .unwrap_or_else(|_| Err(failure::timed_out(&node.address(), &doing, limits.node)))?;
        match begun {
            Begun::Over(outcome) => Ok(outcome),
            Begun::Sent(sent) => {
                let (connection, before) = *sent;
                Ok(confirm(connection, &before, kind).await)
            }
        }
    })
    .await
}

/// The sessions of these ids that are there, as the server lists them. An account that sees only its own sessions cannot tell what
/// is gone from what is hidden: then this fails, and names the `GRANT`.
pub async fn find_sessions(node: &NodeUrl, ids: &[u64], limits: &Limits) -> Result<Vec<Session>, Failure> {
    let find = async {
        let mut connection = Connection::open(node, limits).await?;
        let found = look(&mut connection, ids).await?;
        if found.len() < ids.len() {
            sees_all(&mut connection).await?;
        }
        connection.close().await;
        Ok(found)
    };
    timeout(limits.node, failure::without_panic(node, find))
        .await
        .unwrap_or_else(|_| Err(failure::timed_out(&node.address(), "reading sessions", limits.node)))
}

/// How far a kill came before anybody looked at its effect.
enum Begun {
    Over(KillOutcome),
    Sent(Box<(Connection, Session)>),
}

async fn begin(
    node: &NodeUrl,
    victim: &Victim,
    kind: KillKind,
    protected: &ProtectedAccounts,
    limits: &Limits,
) -> Result<Begun, Failure> {
    let mut connection = Connection::open(node, limits).await?;
    let restarted = restarted_since(&mut connection, victim.seen).await?;
    // Read before the look: should the session begin another statement in between, this number is gone, and nothing is killed.
    let query = query_id(&mut connection, victim.id, kind).await?;
    let own = is_clew(&mut connection, victim.id).await?;
    let Some(now) = look(&mut connection, &[victim.id]).await?.pop() else {
        sees_all(&mut connection).await?;
        let undone = undone_by(&mut connection, victim.id).await?;
        connection.close().await;
        return Ok(Begun::Over(match undone {
            Undone::Rows(rows_modified) => KillOutcome::RollingBack { rows_modified },
            Undone::Waiting | Undone::Nothing => KillOutcome::AlreadyGone,
        }));
    };
    let own = own || connection.own().known()(&now);
    let refusal = if restarted { Some(Refusal::Restarted) } else { refusal(victim, &now, kind, protected, own) };
    if let Some(refusal) = refusal {
        connection.close().await;
        return Ok(Begun::Over(KillOutcome::Refused(refusal)));
    }
    if is_killed(&now) || send(&mut connection, victim.id, kind, query).await? {
        return Ok(Begun::Sent(Box::new((connection, now))));
    }
    connection.close().await;
    Ok(Begun::Over(KillOutcome::AlreadyGone))
}

/// Why what is listed under the victim's id now must live.
fn refusal(
    victim: &Victim,
    now: &Session,
    kind: KillKind,
    protected: &ProtectedAccounts,
    own: bool,
) -> Option<Refusal> {
    if !victim.is(now) {
        return Some(Refusal::AnotherSession { user: clean(&now.user), host: clean(&now.host) });
    }
    if is_internal(now) {
        return Some(Refusal::Internal);
    }
    if own {
        return Some(Refusal::Own);
    }
    if protected.protects(&now.user) {
        return Some(Refusal::Protected { user: clean(&now.user) });
    }
    if is_killed(now) {
        return None;
    }
    if kind == KillKind::Query && is_idle(now) {
        return Some(Refusal::Idle);
    }
    (!victim.does_as_seen(now)).then_some(Refusal::AnotherStatement)
}

/// Sends the kill. False: too late, it had ended.
async fn send(connection: &mut Connection, id: u64, kind: KillKind, query: Option<u64>) -> Result<bool, Failure> {
    let plain = match (kind, query) {
        (KillKind::Connection, _) => statements::kill(id),
        (KillKind::Query, None) => statements::kill_query(id),
        (KillKind::Query, Some(query)) => statements::kill_query_id(query),
    };
    let Err(denied) = attempt(connection, &plain, &DENIED).await? else { return Ok(true) };
    if GONE.contains(&denied) {
        return Ok(false);
    }
    for procedures in PROCEDURES {
        let procedure = match kind {
            KillKind::Connection => procedures.connection,
            KillKind::Query => procedures.query,
        };
        match attempt(connection, &statements::call(procedure, id), &NO_PROCEDURE).await? {
            Ok(()) => return Ok(true),
            Err(code) if GONE.contains(&code) => return Ok(false),
            Err(_) => {}
        }
    }
    Err(may_not_kill(connection).await?)
}

/// Runs a kill. The inner error is the number of one that was expected: too late, or among `expected`.
async fn attempt(connection: &mut Connection, statement: &str, expected: &[u16]) -> Result<Result<(), u16>, Failure> {
    match connection.ask::<mysql_async::Row>(statement).await {
        Ok(_) => Ok(Ok(())),
        Err(Error::Server(error)) if GONE.contains(&error.code) || expected.contains(&error.code) => {
            Ok(Err(error.code))
        }
        Err(error) => Err(connection.failed(&error)),
    }
}

/// MariaDB alone has numbers for what sessions run.
async fn query_id(connection: &mut Connection, id: u64, kind: KillKind) -> Result<Option<u64>, Failure> {
    if kind == KillKind::Connection || connection.flavor == Flavor::MySql {
        return Ok(None);
    }
    let ids: Vec<u64> = connection.ask(&statements::query_id(id)).await.map_err(|error| connection.failed(&error))?;
    Ok(ids.first().copied())
}

/// Whether the server is younger than what was seen of it.
async fn restarted_since(connection: &mut Connection, seen: Instant) -> Result<bool, Failure> {
    let passed = seen.elapsed().as_secs();
    if passed == 0 {
        return Ok(false);
    }
    let uptime: Vec<(String, u64)> =
        connection.ask(statements::UPTIME).await.map_err(|error| connection.failed(&error))?;
    Ok(uptime.first().is_some_and(|(_, uptime)| uptime.saturating_add(ROUNDED_SECONDS) < passed))
}

/// Whether another process of Clew has this session. This process knows its own by their ids.
async fn is_clew(connection: &mut Connection, id: u64) -> Result<bool, Failure> {
    match connection.ask::<Option<String>>(&statements::program(id)).await {
        Ok(programs) => Ok(programs.first().is_some_and(|program| program.as_deref() == Some(PROGRAM_NAME))),
        Err(Error::Server(_)) => Ok(false),
        Err(error) => Err(connection.failed(&error)),
    }
}

/// Those of these sessions that the server lists.
async fn look(connection: &mut Connection, ids: &[u64]) -> Result<Vec<Session>, Failure> {
    let address = connection.address.clone();
    let lost = |error: Error| failure::from_driver(&error, &address);
    let mut rows = sessions::read(connection).await.map_err(lost)?;
    let mut found = Vec::new();
    while let Some(session) = rows.next().await.map_err(lost)? {
        if ids.contains(&session.id) {
            found.push(session);
        }
    }
    Ok(found)
}

/// Fails where the account is shown its own sessions only: what it does not see may be there.
async fn sees_all(connection: &mut Connection) -> Result<(), Failure> {
    if doctor::works(connection, statements::TRANSACTIONS_PROBE).await? {
        return Ok(());
    }
    let account = doctor::account(connection).await?;
    Err(missing(connection, "look for sessions of other accounts", "PROCESS", &account))
}

/// The privilege that a denied kill wants. Who has the usual one and was denied met a victim that MySQL guards by a second.
async fn may_not_kill(connection: &mut Connection) -> Result<Failure, Failure> {
    let account = doctor::account(connection).await?;
    let usual = !doctor::may_kill(connection).await?;
    let privilege = match connection.flavor {
        Flavor::MariaDb => "CONNECTION ADMIN",
        Flavor::MySql if usual => "CONNECTION_ADMIN",
        Flavor::MySql => "SYSTEM_USER",
    };
    Ok(missing(connection, "end sessions of this account", privilege, &account))
}

fn missing(connection: &Connection, doing: &str, privilege: &str, account: &str) -> Failure {
    let detail = format!(
        "{}: the account {account} may not {doing}; GRANT {privilege} ON *.* TO {};",
        connection.address,
        doctor::quoted(account)
    );
    Failure::new(FailureKind::MissingPrivilege, detail)
}

fn is_idle(session: &Session) -> bool {
    session.command.eq_ignore_ascii_case(b"Sleep")
}

/// Whether somebody killed it before, and it is still about to end.
fn is_killed(session: &Session) -> bool {
    session.command.eq_ignore_ascii_case(b"Killed")
}

#[cfg(test)]
mod tests {
    use clew_testkit::{Flavor, Server, ServerOptions};

    use super::*;

    #[tokio::test]
    async fn clews_own_connection_survives_on_a_server() {
        for flavor in Flavor::ALL {
            // Without performance_schema, this process knows its own sessions all the same.
            let options =
                ServerOptions { arguments: vec!["--performance-schema=OFF".into()], ..ServerOptions::default() };
            let server = Server::start(flavor, &options).await.unwrap();
            let (node, limits): (NodeUrl, _) = (server.url().parse().unwrap(), Limits::default());
            let mut own = Connection::open(&node, &limits).await.unwrap();
            let session = find_sessions(&node, &[own.id], &limits).await.unwrap().pop().unwrap();
            let victim = Victim::connection_of(&session, Instant::now());
            for kind in [KillKind::Connection, KillKind::Query] {
                let outcome = kill(&node, &victim, kind, &ProtectedAccounts::default(), &limits).await.unwrap();
                assert_eq!(outcome, KillOutcome::Refused(Refusal::Own), "{flavor}");
            }
            own.ask::<u64>("SELECT 1").await.unwrap();
            own.close().await;
        }
    }
    #[tokio::test]
    async fn a_kill_that_comes_too_late_is_no_failure_on_a_server() {
        const NOBODY: u64 = 1 << 20;
        for flavor in Flavor::ALL {
            let server = Server::start(flavor, &ServerOptions::default()).await.unwrap();
            let node: NodeUrl = server.url().parse().unwrap();
            let mut connection = Connection::open(&node, &Limits::default()).await.unwrap();
            let numbered = (connection.flavor == crate::Flavor::MariaDb).then_some(NOBODY);
            for (kind, query) in [(KillKind::Connection, None), (KillKind::Query, None), (KillKind::Query, numbered)] {
                assert!(!send(&mut connection, NOBODY, kind, query).await.unwrap(), "{flavor} {kind:?}");
            }
            connection.close().await;
        }
    }
}
