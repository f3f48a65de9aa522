//! Records abandoned statements that Clew could not kill, so that later reads of the node report them.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clew_model::{Limitation, LimitationKind};
use jiff::Timestamp;

/// Most abandoned statements end within this time, because Clew sets a server-side timeout for each read.
const REPORT_PERIOD: Duration = Duration::from_mins(10);

/// Most recent abandoned statement that Clew could not kill, by node address.
static ABANDONED_STATEMENTS: LazyLock<Mutex<AbandonedStatements>> = LazyLock::new(Mutex::default);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotKilledReason {
    LoginRefused,
    /// The connection goes through a proxy, or two sessions have the same tag.
    Unidentified,
    AnotherServer,
    TimedOut,
    AttemptsFailed,
}

impl NotKilledReason {
    fn to_sentence(self) -> &'static str {
        match self {
            Self::LoginRefused => "Clew could not kill the statement, because the server refused Clew's login.",
            Self::Unidentified => {
                "Clew did not kill the statement, because it could not identify the statement's session, as behind a proxy."
            }
            Self::AnotherServer => {
                "Clew could not kill the statement, because the address now leads to another server."
            }
            Self::TimedOut => "Clew could not kill the statement, because the kill attempt timed out.",
            Self::AttemptsFailed => "Clew could not kill the statement, because all kill attempts failed.",
        }
    }
}

type AbandonedStatements = HashMap<(String, String), AbandonedStatementRecord>;

#[derive(Debug)]
struct AbandonedStatementRecord {
    recorded: Instant,
    limitation: Limitation,
}

/// `account` is the account of Clew's connection to the node at `address`.
pub(crate) fn record_abandoned_statement(address: &str, account: &str, reason: NotKilledReason) {
    let limitation = limitation_for_abandoned_statement(account, reason, Timestamp::now());
    let mut all = lock_abandoned_statements();
    all.retain(|_, statement| statement.recorded.elapsed() < REPORT_PERIOD);
    all.insert(
        (address.to_owned(), account.to_owned()),
        AbandonedStatementRecord { recorded: Instant::now(), limitation },
    );
}

pub(crate) fn find_abandoned_statement_limitation(address: &str, account: &str) -> Option<Limitation> {
    let all = lock_abandoned_statements();
    let statement = all
        .get(&(address.to_owned(), account.to_owned()))
        .filter(|statement| statement.recorded.elapsed() < REPORT_PERIOD)?;
    Some(statement.limitation.clone())
}

fn limitation_for_abandoned_statement(account: &str, reason: NotKilledReason, now: Timestamp) -> Limitation {
    // A quote in the account name would end the string literal.
    let account = account.replace('\\', "\\\\").replace('\'', "''");
    Limitation {
        kind: LimitationKind::StatementNotKilled,
        what: format!("A statement that Clew abandoned before {now:.0} may still run on the server."),
        why: reason.to_sentence().to_owned(),
        remedy: Some(format!(
            "SELECT id, time, info FROM information_schema.processlist WHERE user = '{account}' AND info LIKE '/* clew:%';"
        )),
    }
}

fn lock_abandoned_statements() -> MutexGuard<'static, AbandonedStatements> {
    ABANDONED_STATEMENTS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abandoned_statement_is_reported_for_its_node_with_the_reason() {
        record_abandoned_statement("abandoned.test:1", "o'hara", NotKilledReason::LoginRefused);
        assert_eq!(find_abandoned_statement_limitation("other.test:1", "o'hara"), None);
        let limitation = find_abandoned_statement_limitation("abandoned.test:1", "o'hara").unwrap();
        assert_eq!(limitation.kind, LimitationKind::StatementNotKilled);
        assert!(limitation.why.contains("refused Clew's login"), "{limitation:?}");
        assert!(limitation.remedy.unwrap().contains("user = 'o''hara' AND"));
        let now = "2026-12-01T12:42:07.7Z".parse().unwrap();
        let limitation = limitation_for_abandoned_statement("clew", NotKilledReason::AttemptsFailed, now);
        assert!(limitation.what.contains("before 2026-12-01T12:42:07Z may still run"), "{limitation:?}");
    }
}
