//! Reads the latest statements of idle root blockers, which block other sessions but are not waiting themselves.

use std::collections::{BTreeMap, HashMap};

use clew_model::{Failure, Limitation};

use super::threads::SessionIdsByThread;
use crate::connection::Connection;
use crate::{limitations, sql_statements};
use sql_statements::ER_NO_SUCH_TABLE;

const MAX_STATEMENT_HISTORY_LOOKUPS: usize = 100;

/// Row of `events_statements_history`: thread id, event id, parent event id, parent event type, and statement.
type StatementRow = (u64, u64, Option<u64>, Option<Vec<u8>>, Option<Vec<u8>>);

/// For each session in `sessions`, reads the recorded statements of the open transaction.
/// Returns statements by session id, oldest first. If the server records no statements, adds a note to `limitations`.
pub(super) async fn read_last_statements(
    connection: &mut Connection,
    sessions: &[u64],
    threads: &SessionIdsByThread,
    limitations: &mut Vec<Limitation>,
) -> Result<BTreeMap<u64, Vec<Vec<u8>>>, Failure> {
    let sessions = sessions.get(..MAX_STATEMENT_HISTORY_LOOKUPS).unwrap_or(sessions);
    let threads = threads.find_session_threads(sessions);
    if threads.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ids: Vec<u64> = threads.keys().copied().collect();
    let query = sql_statements::transactions_by_thread_query(&ids);
    // MySQL before 5.7 records no transactions.
    let open = connection.read_rows_or_error_code::<(u64, u64)>(&query, &[ER_NO_SUCH_TABLE]).await?;
    let open: HashMap<u64, u64> = open.unwrap_or_default().into_iter().collect();
    let rows: Vec<StatementRow> = connection.read_rows(&sql_statements::last_statements_query(&ids)).await?;
    if rows.is_empty() {
        limitations.extend(find_statement_history_limitation(connection).await?);
    }
    let mut last_statements: BTreeMap<u64, Vec<Vec<u8>>> = BTreeMap::new();
    for (thread, _, part_of, kind, statement) in rows {
        let (Some(&session), Some(statement)) = (threads.get(&thread), statement) else { continue };
        let of_transaction = match open.get(&thread) {
            Some(&transaction) => kind.as_deref() == Some(b"TRANSACTION") && part_of == Some(transaction),
            // The server does not record transactions, so all recorded statements of the session count.
            None => true,
        };
        if of_transaction {
            last_statements.entry(session).or_default().push(statement);
        }
    }
    Ok(last_statements)
}

async fn find_statement_history_limitation(connection: &mut Connection) -> Result<Option<Limitation>, Failure> {
    let rows: Vec<(bool, i64)> = connection.read_rows(sql_statements::STATEMENT_HISTORY_SETTINGS_QUERY).await?;
    Ok(match rows.first() {
        Some((_, 0)) => Some(limitations::describe_empty_statement_history()),
        Some((true, _)) => None,
        _ => Some(limitations::describe_disabled_statement_history()),
    })
}
