//! Keeps track of SQL statements that may still be running on a server because Clew failed to kill them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use clew_model::{Limitation, LimitationKind, LocalizedText, localized};
use jiff::Timestamp;
use parking_lot::Mutex;

/// Time for which Clew reports a statement as possibly still running after a failed attempt to kill the statement.
/// A server-side timeout usually ends an abandoned statement before `ABANDONED_STATEMENT_TTL` has elapsed.
const ABANDONED_STATEMENT_TTL: Duration = Duration::from_mins(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AbandonedStatementKillFailure {
    LoginRefused,
    /// Clew cannot identify the session that runs the statement, for example because Clew connects through a proxy.
    Unidentified,
    AnotherServer,
    TimedOut,
    AttemptsFailed,
}

impl AbandonedStatementKillFailure {
    fn to_localized_sentence(self) -> LocalizedText {
        match self {
            Self::LoginRefused => LocalizedText::new(
                "Clew could not kill the statement, because the server refused Clew's login.",
                "服务器拒绝Clew登录，因此未能Kill该语句。",
            ),
            Self::Unidentified => LocalizedText::new(
                "Clew did not kill the statement, because it could not identify the statement's session, as behind a proxy.",
                "无法确认该语句所属的会话（例如经由代理连接），因此Clew未Kill该语句。",
            ),
            Self::AnotherServer => LocalizedText::new(
                "Clew could not kill the statement, because the address now leads to another server.",
                "该地址已指向另一台服务器，因此未能Kill该语句。",
            ),
            Self::TimedOut => LocalizedText::new(
                "Clew could not kill the statement, because the kill attempt timed out.",
                "Kill操作超时，因此未能Kill该语句。",
            ),
            Self::AttemptsFailed => LocalizedText::new(
                "Clew could not kill the statement, because all kill attempts failed.",
                "多次尝试均失败，因此未能Kill该语句。",
            ),
        }
    }
}

/// Maps a node address and account to the time of the last failed statement kill and a note about the statement.
#[derive(Debug, Default)]
pub(crate) struct AbandonedStatements(Mutex<HashMap<(String, String), (Instant, Limitation)>>);

impl AbandonedStatements {
    pub(crate) fn record_abandoned_statement(
        &self,
        address: &str,
        account: &str,
        reason: AbandonedStatementKillFailure,
    ) {
        let limitation = describe_abandoned_statement(account, reason, Timestamp::now());
        let mut all = self.0.lock();
        all.retain(|_, (recorded, _)| recorded.elapsed() < ABANDONED_STATEMENT_TTL);
        all.insert((address.to_owned(), account.to_owned()), (Instant::now(), limitation));
    }

    pub(crate) fn find_abandoned_statement_limitation(&self, address: &str, account: &str) -> Option<Limitation> {
        let all = self.0.lock();
        let (recorded, limitation) = all.get(&(address.to_owned(), account.to_owned()))?;
        (recorded.elapsed() < ABANDONED_STATEMENT_TTL).then(|| limitation.clone())
    }
}

fn describe_abandoned_statement(account: &str, reason: AbandonedStatementKillFailure, now: Timestamp) -> Limitation {
    // A quote in the account name would end the string literal.
    let account = account.replace('\\', "\\\\").replace('\'', "''");
    Limitation {
        kind: LimitationKind::StatementNotKilled,
        what: localized!(
            "A statement that Clew abandoned before {now:.0} may still run on the server.",
            "Clew在{now:.0}之前放弃的一条语句可能仍在服务器上执行。"
        ),
        why: reason.to_localized_sentence(),
        remedy: Some(LocalizedText::untranslated(format!(
            "SELECT id, time, info FROM information_schema.processlist WHERE user = '{account}' AND info LIKE '/* clew:%';"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abandoned_statement_is_reported_for_its_node_with_the_reason() {
        let statements = AbandonedStatements::default();
        statements.record_abandoned_statement(
            "abandoned.test:1",
            "o'hara",
            AbandonedStatementKillFailure::LoginRefused,
        );
        assert_eq!(statements.find_abandoned_statement_limitation("other.test:1", "o'hara"), None);
        let limitation = statements.find_abandoned_statement_limitation("abandoned.test:1", "o'hara").unwrap();
        assert_eq!(limitation.kind, LimitationKind::StatementNotKilled);
        assert!(limitation.why.english.contains("refused Clew's login"), "{limitation:?}");
        assert!(limitation.remedy.unwrap().english.contains("user = 'o''hara' AND"));
        let now = "2026-12-01T12:42:07.7Z".parse().unwrap();
        let limitation = describe_abandoned_statement("clew", AbandonedStatementKillFailure::AttemptsFailed, now);
        assert!(limitation.what.english.contains("before 2026-12-01T12:42:07Z may still run"), "{limitation:?}");
    }

    #[test]
    fn reasons_are_translated() {
        use AbandonedStatementKillFailure::{AnotherServer, AttemptsFailed, LoginRefused, TimedOut, Unidentified};
        for reason in [LoginRefused, Unidentified, AnotherServer, TimedOut, AttemptsFailed] {
            let limitation = describe_abandoned_statement("clew", reason, Timestamp::now());
            assert!(limitation.what.is_translated() && limitation.why.is_translated(), "{limitation:?}");
        }
    }
}
