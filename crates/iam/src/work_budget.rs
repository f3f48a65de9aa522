//! The work that evaluating policies may take for one request.
//!
//! Work is counted, not timed: a unit is about one byte of a policy or of a request that is compared. The count of a decision depends
//! on the policies and the request alone, so a test can assert it.

use std::fmt;
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
    account: Option<Account>,
}

/// What pays for the work while it is done: an allowance that several requests of a principal share.
struct Account {
    step: u64,
    /// Units from which on the next step must be paid for.
    due: AtomicU64,
    pay: Box<dyn Fn(u64) -> bool + Send + Sync>,
    overdrawn: AtomicBool,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("step", &self.step).field("due", &self.due).finish_non_exhaustive()
    }
}

impl Account {
    /// Pays for the steps that are complete once so many units are spent.
    fn covers(&self, spent: u64) -> bool {
        let due = self.due.load(Relaxed);
        if spent < due {
            return true;
        }
        let steps = 1 + (spent - due) / self.step;
        self.due.store(due + steps * self.step, Relaxed);
        let paid = (self.pay)(steps);
        self.overdrawn.fetch_or(!paid, Relaxed);
        paid
    }
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
        Self { limit: units, left: AtomicU64::new(units), exhausted: AtomicBool::new(false), account: None }
    }

    /// The budget of a request, where each `step` units must be paid for as soon as they are used: `pay` gets the number of steps. The
    /// budget is exhausted once it returns false.
    #[must_use]
    pub fn paid_by(step: u64, pay: impl Fn(u64) -> bool + Send + Sync + 'static) -> Self {
        let account =
            Account { step, due: AtomicU64::new(step), pay: Box::new(pay), overdrawn: AtomicBool::new(false) };
        Self { account: Some(account), ..Self::default() }
    }

    /// Whether the budget is exhausted because units could not be paid for.
    #[must_use]
    pub fn is_overdrawn(&self) -> bool {
        self.account.as_ref().is_some_and(|account| account.overdrawn.load(Relaxed))
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
    pub fn spend(&self, units: u64) -> bool {
        match self.left.load(Relaxed).checked_sub(units) {
            Some(left) if !self.is_exhausted() && self.is_paid(self.limit - left) => {
                self.left.store(left, Relaxed);
                true
            }
            _ => {
                self.exhausted.store(true, Relaxed);
                false
            }
        }
    }

    fn is_paid(&self, spent: u64) -> bool {
        self.account.as_ref().is_none_or(|account| account.covers(spent))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn work_is_paid_for_while_it_is_done() {
        let left = Arc::new(AtomicU64::new(3));
        let account = left.clone();
        let pay = move |steps| account.try_update(Relaxed, Relaxed, |left| left.checked_sub(steps)).is_ok();
        let budget = WorkBudget::paid_by(10, pay);
        assert!(budget.spend(9) && left.load(Relaxed) == 3);
        assert!(budget.spend(1) && left.load(Relaxed) == 2);
        assert!(budget.spend(25) && left.load(Relaxed) == 0, "two steps at once");
        assert!(budget.spend(4) && !budget.is_overdrawn());
        assert!(!budget.spend(1) && budget.is_overdrawn() && budget.is_exhausted());
        assert_eq!(budget.spent(), 39);
    }

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
