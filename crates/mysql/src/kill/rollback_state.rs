//! Reads the rollback states of killed sessions.

use std::collections::HashMap;

use clew_model::Failure;

use crate::connection::Connection;
use crate::transactions::{self, TransactionReadResult};

/// MySQL removes a killed session from the process list before the rollback starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RollbackState {
    /// The session has no open transaction, or the account cannot read transactions.
    NoTransaction,
    NotStarted,
    /// Number of modified rows that the server has not rolled back yet.
    RollingBack(u64),
}

pub(super) async fn read_rollback_states(connection: &mut Connection) -> Result<HashMap<u64, RollbackState>, Failure> {
    let read = transactions::read_transactions(connection).await?;
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
