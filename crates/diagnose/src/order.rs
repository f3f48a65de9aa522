//! The order of a snapshot: the sort key, then the session id; empty keys last in both directions (DESIGN.md section 6).

use std::cmp::Ordering;

use clew_model::{Selection, SessionRow, SortDirection, SortKey};

/// How rows are compared.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    key: SortKey,
    direction: SortDirection,
}

/// What a row is sorted by: small, so that a hundred thousand of them are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rank {
    key: Option<u64>,
    session_id: u64,
}

impl Rank {
    pub(crate) fn new(key: Option<u64>, session_id: u64) -> Self {
        Self { key, session_id }
    }

    /// What it is sorted by; nothing comes last.
    pub(crate) fn key(self) -> Option<u64> {
        self.key
    }

    /// Whose rank it is.
    pub(crate) fn session_id(self) -> u64 {
        self.session_id
    }
}

impl Order {
    /// The order that a selection asks for.
    #[must_use]
    pub fn new(selection: &Selection) -> Self {
        Self { key: selection.sort_key, direction: selection.sort_direction }
    }

    /// The rank of a row.
    #[must_use]
    pub fn rank(&self, row: &SessionRow<'_>) -> Rank {
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
        Rank { key, session_id: row.session.id }
    }

    /// Which of two rows comes first. Ties are broken by the session id, upwards in both directions.
    #[must_use]
    pub fn compare(&self, left: Rank, right: Rank) -> Ordering {
        let by_key = match (left.key, right.key) {
            (Some(left), Some(right)) if self.direction == SortDirection::Descending => right.cmp(&left),
            (Some(left), Some(right)) => left.cmp(&right),
            (left, right) => left.is_none().cmp(&right.is_none()),
        };
        by_key.then(left.session_id.cmp(&right.session_id))
    }
}

#[cfg(test)]
mod tests {
    use clew_model::{Session, Transaction};

    use super::*;

    fn sorted(key: SortKey, direction: SortDirection) -> Vec<u64> {
        let selection = Selection { sort_key: key, sort_direction: direction, ..Selection::default() };
        let order = Order::new(&selection);
        let sessions: Vec<_> = [9, 100, 20, 7].map(|id| Session { id, seconds: 100 - id, ..Session::default() }).into();
        let transaction = |rows_locked| Transaction { rows_locked, ..Transaction::default() };
        let transactions = [Some(transaction(2)), None, Some(transaction(10)), Some(transaction(2))];
        let mut ranks: Vec<_> = sessions
            .iter()
            .zip(&transactions)
            .map(|(session, transaction)| order.rank(&SessionRow { session, transaction: transaction.as_ref() }))
            .collect();
        ranks.sort_by(|left, right| order.compare(*left, *right));
        ranks.iter().map(|rank| rank.session_id).collect()
    }

    #[test]
    fn numbers_sort_as_numbers_with_empty_ones_last() {
        use SortDirection::{Ascending, Descending};
        assert_eq!(sorted(SortKey::Id, Ascending), [7, 9, 20, 100]);
        assert_eq!(sorted(SortKey::Id, Descending), [100, 20, 9, 7]);
        assert_eq!(sorted(SortKey::StateDuration, Ascending), [100, 20, 9, 7]);
        assert_eq!(sorted(SortKey::RowsLocked, Ascending), [7, 9, 20, 100]);
        assert_eq!(sorted(SortKey::RowsLocked, Descending), [20, 7, 9, 100]);
    }
}
