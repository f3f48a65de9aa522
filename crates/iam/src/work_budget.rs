//! The work that evaluating policies may take for one request.
//!
//! Work is counted, not timed: a unit is about one byte of a policy or of a request that is compared. The count of a decision depends
//! on the policies and the request alone, so a test can assert it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Units that one request may use: about a tenth of a second of one processor.
const DEFAULT_UNITS: u64 = 64 << 20;

/// Fixed cost of one comparison, in units: many short patterns cost more than their bytes.
const COMPARISON: u64 = 16;

/// Work that is left for one request. When it is exhausted, nothing matches any more and
/// [`decide`](crate::decision::decide) denies.
#[derive(Debug)]
pub struct WorkBudget {
    limit: u64,
    left: AtomicU64,
    exhausted: AtomicBool,
}

impl Default for WorkBudget {
    fn default() -> Self {
        Self::new(DEFAULT_UNITS)
    }
}

impl WorkBudget {
    /// A budget of so many units.
    #[must_use]
    pub fn new(units: u64) -> Self {
        Self { limit: units, left: AtomicU64::new(units), exhausted: AtomicBool::new(false) }
    }

    /// Units used so far.
    #[must_use]
    pub fn spent(&self) -> u64 {
        self.limit - self.left.load(Relaxed)
    }

    /// Whether a comparison was refused because too little was left.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.exhausted.load(Relaxed)
    }

    /// Pays for one comparison of texts with so many bytes in all. False if the budget does not cover it.
    pub(crate) fn compare(&self, bytes: usize) -> bool {
        self.spend(COMPARISON.saturating_add(bytes as u64))
    }

    /// Pays for so many units. One request is evaluated by one thread at a time, so a load and a store are enough.
    pub(crate) fn spend(&self, units: u64) -> bool {
        match self.left.load(Relaxed).checked_sub(units) {
            Some(left) if !self.is_exhausted() => {
                self.left.store(left, Relaxed);
                true
            }
            _ => {
                self.exhausted.store(true, Relaxed);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exhausted_budget_covers_nothing_more() {
        let budget = WorkBudget::new(40);
        assert!(budget.compare(4));
        assert_eq!((budget.spent(), budget.is_exhausted()), (20, false));
        assert!(!budget.compare(5));
        assert!(budget.is_exhausted());
        assert!(!budget.spend(1), "a smaller comparison after the refused one would decide on part of the policies");
        assert_eq!(budget.spent(), 20);
    }
}
