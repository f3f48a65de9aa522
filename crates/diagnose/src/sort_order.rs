//! Sort order of a session list: by sort key, then by session id.
//!
//! Rows without a value for the sort key come last in both sort directions.

use clew_model::{SessionRow, SessionSelection, SortDirection, SortKey};

/// Sort order of rows.
#[derive(Debug, Clone, Copy)]
pub struct SortOrder {
    key: SortKey,
    direction: SortDirection,
}

/// A row's rank in the sort order. Rows with lower ranks come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SortRank {
    pub(crate) is_empty: bool,
    /// Value of the sort key, bitwise inverted for descending order.
    pub(crate) key: u64,
    pub(crate) session_id: u64,
}

impl SortOrder {
    /// Creates the sort order of a selection.
    #[must_use]
    pub fn new(selection: &SessionSelection) -> Self {
        Self { key: selection.sort_key, direction: selection.sort_direction }
    }

    /// Returns the rank of a row.
    #[must_use]
    pub fn compute_sort_rank(&self, row: &SessionRow<'_>) -> SortRank {
        let transaction = row.transaction;
        let key = match self.key {
            SortKey::Id => Some(row.session.id),
            SortKey::StateDuration => Some(row.session.seconds),
            SortKey::TransactionDuration => transaction.map(|trx| trx.seconds),
            SortKey::TransactionId => transaction.map(|trx| trx.id),
            SortKey::LockWait => transaction.and_then(|trx| trx.lock_wait_seconds),
            SortKey::RowsLocked => transaction.map(|trx| trx.rows_locked),
            SortKey::TablesLocked => transaction.and_then(|trx| trx.tables_locked),
            SortKey::RowsModified => transaction.map(|trx| trx.rows_modified),
        };
        let ascending_key = match self.direction {
            SortDirection::Ascending => key.unwrap_or(0),
            SortDirection::Descending => !key.unwrap_or(0),
        };
        SortRank { is_empty: key.is_none(), key: ascending_key, session_id: row.session.id }
    }
}

#[cfg(test)]
mod tests {
    use clew_model::{Session, Transaction};

    use super::*;

    fn sorted(key: SortKey, direction: SortDirection) -> Vec<u64> {
        let selection = SessionSelection { sort_key: key, sort_direction: direction, ..SessionSelection::default() };
        let order = SortOrder::new(&selection);
        let sessions: Vec<_> = [9, 100, 20, 7].map(|id| Session { id, seconds: 100 - id, ..Session::default() }).into();
        let transaction = |rows_locked| Transaction { rows_locked, ..Transaction::default() };
        let transactions = [Some(transaction(2)), None, Some(transaction(10)), Some(transaction(2))];
        let mut ranks: Vec<_> = sessions
            .iter()
            .zip(&transactions)
            .map(|(session, transaction)| {
                order.compute_sort_rank(&SessionRow { session, transaction: transaction.as_ref() })
            })
            .collect();
        ranks.sort_unstable();
        ranks.iter().map(|rank| rank.session_id).collect()
    }

    #[test]
    fn keys_sort_numerically_with_empty_keys_last() {
        use SortDirection::{Ascending, Descending};
        assert_eq!(sorted(SortKey::Id, Ascending), [7, 9, 20, 100]);
        assert_eq!(sorted(SortKey::Id, Descending), [100, 20, 9, 7]);
        assert_eq!(sorted(SortKey::StateDuration, Ascending), [100, 20, 9, 7]);
        assert_eq!(sorted(SortKey::RowsLocked, Ascending), [7, 9, 20, 100]);
        assert_eq!(sorted(SortKey::RowsLocked, Descending), [20, 7, 9, 100]);
    }
}
