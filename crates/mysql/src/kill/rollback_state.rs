//! Reads the rollback states of killed sessions.

use std::collections::HashMap;

use clew_model::Failure;

use crate::connection::Connection;
use crate::transactions::{self, TransactionReadResult};

/// Rollback state of a killed session. MySQL removes the session from the process list before the rollback starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RollbackState {
    /// The session has no open transaction, or the account cannot read transactions.
    NoTransaction,
    /// The session has an open transaction, but the server has not started to roll it back.
    NotStarted,
    /// The server is rolling back the transaction. The value is the number of modified rows not rolled back yet.
    RollingBack(u64),
}

/// Reads the rollback state of each session that has an open transaction.
pub(super) async fn read_rollback_states(connection: &mut Connection) -> Result<HashMap<u64, RollbackState>, Failure> {
    let read = transactions::read_transactions(connection).await.map_err(|error| connection.to_failure(&error))?;
    let (TransactionReadResult::Readable(all) | TransactionReadResult::FromStatus(all)) = read else {
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
