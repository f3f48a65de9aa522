//! What an account can and cannot see on a server, why, and what would mend it.

use clew_model::{Failure, FailureKind, Limitation, LimitationKind, NodeUrl};
use serde::Serialize;
use tokio::time::timeout;

use crate::clock;
use crate::connection::Connection;
use crate::limits::Limits;
use crate::server::Flavor;
use crate::snapshot::show_is_cut;
use crate::transactions::CANNOT_CONVERT;
use crate::{failure, losses, sessions, statement_ages, statements};

/// Something that Clew wants to do on a server, and whether it can.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// What, in a few words.
    pub what: &'static str,
    /// Whether the account can.
    pub works: bool,
    /// Why not, and what would mend it; nothing if it works.
    pub limitation: Option<Limitation>,
}

/// The answer of [`examine`].
#[derive(Debug, Clone, Serialize)]
pub struct Diagnosis {
    /// Family of the server.
    pub server_flavor: Flavor,
    /// Its version, as it prints it.
    pub server_version: String,
    /// The account that the server signed Clew in as, `user@host`.
    pub account: String,
    /// Cipher of the connection; nothing on a plain one.
    pub cipher: Option<String>,
    /// Server clock less this machine's clock, in seconds.
    pub clock_difference: f64,
    /// All checks, the important ones first.
    pub checks: Vec<Check>,
}

/// Detects what an account can see, and whether the address leads to one server without a proxy: that takes two connections, one after
/// the other. Changes nothing. Fails where the server cannot be read at all.
pub async fn examine(node: &NodeUrl, limits: &Limits) -> Result<Diagnosis, Failure> {
    timeout(limits.node, failure::without_panic(node, ask(node, limits)))
        .await
        .unwrap_or_else(|_| Err(failure::timed_out(&node.address(), "examining", limits.node)))
}

async fn ask(node: &NodeUrl, limits: &Limits) -> Result<Diagnosis, Failure> {
    let mut connection = Connection::open(node, limits).await?;
    let account = account(&mut connection).await?;
    let cipher = cipher(&mut connection).await?;
    let clock_difference = clock_difference(&mut connection).await?;
    let mut checks = checks(&mut connection, &account).await?;
    let direct = is_direct(&mut connection).await?;
    let instance = connection.instance().await?;
    let (server_flavor, server_version) = (connection.flavor, connection.version.clone());
    connection.close().await;
    let mut second = Connection::open(node, limits).await?;
    let same = second.instance().await? == instance;
    second.close().await;
    let proxied = if same { (!direct).then(indirect) } else { Some(several_servers()) };
    checks.push(check("direct connection", proxied.map_or(Ok(()), Err)));
    Ok(Diagnosis { server_flavor, server_version, account, cipher, clock_difference, checks })
}

/// Whether the process list shows this connection under the id of its greeting.
async fn is_direct(connection: &mut Connection) -> Result<bool, Failure> {
    let address = connection.address.clone();
    let lost = |error: crate::client::Error| failure::from_client(&error, &address);
    let mut filter = connection.own_filter();
    let mut rows = sessions::read(connection, 4 << 10).await.map_err(lost)?;
    while let Some(session) = rows.next().await.map_err(lost)? {
        filter.is_own(&session);
    }
    Ok(connection.link.is_direct(&filter))
}

/// The account that this connection was signed in as, `user@host`.
pub(crate) async fn account(connection: &mut Connection) -> Result<String, Failure> {
    one(connection, statements::ACCOUNT).await.map(Option::unwrap_or_default)
}

async fn cipher(connection: &mut Connection) -> Result<Option<String>, Failure> {
    let rows: Vec<(String, String)> =
        connection.ask(statements::CIPHER).await.map_err(|error| connection.failed(&error))?;
    Ok(rows.into_iter().next().map(|(_, cipher)| cipher).filter(|cipher| !cipher.is_empty()))
}

async fn clock_difference(connection: &mut Connection) -> Result<f64, Failure> {
    let clock = clock::read(connection).await.map_err(|error| connection.failed(&error))?;
    let server = clock.map_or(0.0, |clock| clock.utc());
    let here = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ok(server - here.as_secs_f64())
}

async fn one<T>(connection: &mut Connection, statement: &str) -> Result<Option<T>, Failure>
where
    Option<T>: mysql_common::prelude::FromRow + Send + 'static,
{
    let rows = connection.ask::<Option<T>>(statement).await.map_err(|error| connection.failed(&error))?;
    Ok(rows.into_iter().next().flatten())
}

async fn checks(connection: &mut Connection, account: &str) -> Result<Vec<Check>, Failure> {
    let process = works(connection, statements::TRANSACTIONS_PROBE).await?;
    let [own_sessions, no_transactions] = without_process(account);
    let mut checks = vec![
        check("sessions of every account", process.then_some(()).ok_or(own_sessions)),
        check("open transactions", process.then_some(()).ok_or(no_transactions)),
    ];
    let cut = show_is_cut(connection).await?;
    checks.push(check("whole statements", if cut { Err(statements_cut()) } else { Ok(()) }));
    let kill = may_kill(connection).await?;
    checks.push(check("ending sessions", if kill { Ok(()) } else { Err(no_kill(connection.flavor, account)) }));
    let locks = metadata_locks(connection, account).await?;
    checks.push(check("metadata locks", locks));
    let ages = statement_ages::examine(connection).await?;
    checks.push(check("durations that sessions cannot change", ages));
    let mut losses = Vec::new();
    if performance_schema(connection, account).await?.is_ok() {
        losses = losses::read(connection).await?;
    }
    losses.append(&mut connection.limitations);
    if losses.is_empty() {
        checks.push(check("complete records", Ok(())));
    }
    checks.extend(losses.into_iter().map(|loss| check("complete records", Err(loss))));
    Ok(checks)
}

fn check(what: &'static str, outcome: Result<(), Limitation>) -> Check {
    Check { what, works: outcome.is_ok(), limitation: outcome.err() }
}

/// Whether a statement is allowed. Errors that are not about privileges mean the same to the caller: no; except the one that only
/// comes to who may read.
pub(crate) async fn works(connection: &mut Connection, probe: &str) -> Result<bool, Failure> {
    match connection.ask::<mysql_common::Row>(probe).await {
        Ok(_) => Ok(true),
        Err(crate::client::Error::Server(error)) => Ok(error.code == CANNOT_CONVERT),
        Err(error) => Err(connection.failed(&error)),
    }
}

/// Whether the account was granted what `KILL` of other accounts' sessions takes. Read from its grants: it cannot be tried.
pub(crate) async fn may_kill(connection: &mut Connection) -> Result<bool, Failure> {
    let grants: Vec<String> = connection.ask(statements::GRANTS).await.map_err(|error| connection.failed(&error))?;
    Ok(grants.iter().any(|grant| {
        let grant = grant.to_ascii_uppercase().replace("CONNECTION ADMIN", "CONNECTION_ADMIN");
        grant.contains(" ON *.* ")
            && ["ALL PRIVILEGES", "CONNECTION_ADMIN", "SUPER"].iter().any(|privilege| grant.contains(privilege))
    }))
}

/// The outer error is a broken connection; the inner one is a gap.
async fn metadata_locks(connection: &mut Connection, account: &str) -> Result<Result<(), Limitation>, Failure> {
    match performance_schema(connection, account).await? {
        Ok(()) => metadata_lock_instrument(connection).await,
        gap => Ok(gap),
    }
}

/// Whether performance_schema can be read.
pub(crate) async fn performance_schema(
    connection: &mut Connection,
    account: &str,
) -> Result<Result<(), Limitation>, Failure> {
    let on: Option<String> = one(connection, statements::PERFORMANCE_SCHEMA).await?;
    if !matches!(on.as_deref(), Some("1" | "ON")) {
        return Ok(Err(performance_schema_off()));
    }
    if !works(connection, statements::METADATA_LOCKS_PROBE).await? {
        return Ok(Err(no_select_on_performance_schema(account)));
    }
    Ok(Ok(()))
}

/// Whether metadata locks are recorded there.
pub(crate) async fn metadata_lock_instrument(connection: &mut Connection) -> Result<Result<(), Limitation>, Failure> {
    let enabled: Option<String> = one(connection, statements::METADATA_LOCKS_INSTRUMENT).await?;
    Ok(if enabled.as_deref() == Some("YES") { Ok(()) } else { Err(metadata_lock_instrument_off()) })
}

/// What is missing without PROCESS: other accounts' sessions, and all transactions.
pub(crate) fn without_process(account: &str) -> [Limitation; 2] {
    let grant = |kind, what: &str, why: &str| Limitation {
        kind,
        what: what.to_owned(),
        why: why.to_owned(),
        remedy: Some(format!("GRANT PROCESS ON *.* TO {};", quoted(account))),
    };
    [
        grant(
            LimitationKind::OnlyOwnSessions,
            "Only sessions of this account are shown; those of all others are missing.",
            "The account has no PROCESS privilege.",
        ),
        grant(
            LimitationKind::NoTransactions,
            "Transactions are not shown: their columns are empty, and the filter `long` finds nothing.",
            "Reading information_schema.innodb_trx takes the PROCESS privilege.",
        ),
    ]
}

/// MySQL cannot show its table of transactions for a while.
pub(crate) fn part_of_transactions() -> Limitation {
    Limitation {
        kind: LimitationKind::PartOfTransactions,
        what: "Transactions come from InnoDB's status: read-only ones are missing, and nobody's count of locked tables is shown."
            .to_owned(),
        why: "MySQL cannot read its own table of transactions (error 3854) as long as one of them runs a statement with a \
              character of four bytes, such as an emoji."
            .to_owned(),
        remedy: None,
    }
}

/// The server's process list comes from performance_schema.
pub(crate) fn statements_cut() -> Limitation {
    Limitation {
        kind: LimitationKind::StatementsCut,
        what: "Statements are cut after 1,024 bytes.".to_owned(),
        why: "performance_schema_show_processlist is ON, and performance_schema keeps no more.".to_owned(),
        remedy: Some("SET GLOBAL performance_schema_show_processlist = OFF;".to_owned()),
    }
}

/// Statements that are longer than what is read of one.
pub(crate) fn statements_too_long(count: u64) -> Option<Limitation> {
    (count > 0).then(|| Limitation {
        kind: LimitationKind::StatementsCut,
        what: format!("Statements of {count} sessions are cut after 64 MiB."),
        why: "Clew reads no more of a statement: a server that is not trusted must not fill memory.".to_owned(),
        remedy: None,
    })
}

/// A proxy or balancer stands between Clew and the server.
pub(crate) fn indirect() -> Limitation {
    Limitation {
        kind: LimitationKind::Indirect,
        what: "Sessions cannot be killed through this address.".to_owned(),
        why: "A proxy stands between: the connection id of the greeting is not CONNECTION_ID(), or the process list does not show \
              Clew's own session, so the sessions of the list cannot be identified."
            .to_owned(),
        remedy: Some("Register the address of the server itself, and kill there.".to_owned()),
    }
}

/// The address leads to several servers in turn.
pub(crate) fn several_servers() -> Limitation {
    Limitation {
        kind: LimitationKind::Indirect,
        what: "The address leads to several servers: each read shows the sessions of one of them.".to_owned(),
        why: "Two connections reached servers with different identities, as behind a balancer.".to_owned(),
        remedy: Some("Register each server with its own address, and kill there.".to_owned()),
    }
}

fn no_kill(flavor: Flavor, account: &str) -> Limitation {
    let privilege = match flavor {
        Flavor::MySql => "CONNECTION_ADMIN",
        Flavor::MariaDb => "CONNECTION ADMIN",
    };
    Limitation {
        kind: LimitationKind::NoKill,
        what: "Sessions of other accounts cannot be ended.".to_owned(),
        why: format!("No grant of the account itself gives {privilege} (grants through roles are not looked at)."),
        remedy: Some(format!("GRANT {privilege} ON *.* TO {};", quoted(account))),
    }
}

fn performance_schema_off() -> Limitation {
    Limitation {
        kind: LimitationKind::NoPerformanceSchema,
        what: "Metadata locks and other waits beyond InnoDB's cannot be read.".to_owned(),
        why: "performance_schema is OFF; it can only be turned on at server start.".to_owned(),
        remedy: Some("performance_schema = ON, in the server's configuration file".to_owned()),
    }
}

pub(crate) fn no_select_on_performance_schema(account: &str) -> Limitation {
    Limitation {
        kind: LimitationKind::NoMetadataLocks,
        what: "Metadata locks cannot be read.".to_owned(),
        why: "The account may not read performance_schema.".to_owned(),
        remedy: Some(format!("GRANT SELECT ON performance_schema.* TO {};", quoted(account))),
    }
}

fn metadata_lock_instrument_off() -> Limitation {
    Limitation {
        kind: LimitationKind::NoMetadataLocks,
        what: "Metadata locks cannot be read.".to_owned(),
        why: "The instrument that records them is off; once on, it shows locks taken from then on.".to_owned(),
        remedy: Some(
            "UPDATE performance_schema.setup_instruments SET enabled = 'YES' WHERE name = 'wait/lock/metadata/sql/mdl';"
                .to_owned(),
        ),
    }
}

/// The failure of an account that may not do something, with the `GRANT` that would let it.
pub(crate) fn missing(connection: &Connection, doing: &str, privilege: &str, account: &str) -> Failure {
    let detail = format!(
        "{}: the account {account} may not {doing}; GRANT {privilege} ON *.* TO {};",
        connection.address,
        quoted(account)
    );
    Failure::new(FailureKind::MissingPrivilege, detail)
}

/// `user@host` as an account name that a statement takes.
pub(crate) fn quoted(account: &str) -> String {
    let (user, host) = account.rsplit_once('@').unwrap_or((account, "%"));
    let quote = |text: &str| text.replace('\\', "\\\\").replace('\'', "''");
    format!("'{}'@'{}'", quote(user), quote(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_quoted_so_that_a_grant_can_be_pasted() {
        assert_eq!(quoted("clew@%"), "'clew'@'%'");
        assert_eq!(quoted("o'brien@home@10.0.0.%"), "'o''brien@home'@'10.0.0.%'");
    }
}
