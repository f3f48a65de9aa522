//! Work budget: limits the work of evaluating policies for one request.
//!
//! Work is counted, not timed. One unit is about one compared byte of a policy or request.
//! The count depends only on the policies and the request, so tests can assert it.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Units for one request: about 0.1 s of one processor.
const DEFAULT_UNITS: u64 = 64 << 20;

/// Fixed cost of one comparison, in units, because many short patterns cost more than their bytes.
const COMPARISON_COST: u64 = 16;

/// Remaining work for one request.
///
/// After exhaustion no statement matches, and [`decide`](crate::decision::decide) denies.
#[derive(Debug)]
pub struct WorkBudget {
    limit: u64,
    remaining: AtomicU64,
    exhausted: AtomicBool,
    account: Option<PaymentAccount>,
}

/// Rate limit that is charged for the work as it is done, shared by several requests of a principal.
struct PaymentAccount {
    step: u64,
    /// Spent units at which the next step must be paid.
    due: AtomicU64,
    pay: Box<dyn Fn(u64) -> bool + Send + Sync>,
    overdrawn: AtomicBool,
}

impl fmt::Debug for PaymentAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PaymentAccount").field("step", &self.step).field("due", &self.due).finish_non_exhaustive()
    }
}

impl PaymentAccount {
    /// Pays for the steps that are complete at `spent` units.
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
    /// Creates a budget with a number of units.
    #[must_use]
    pub fn new(units: u64) -> Self {
        Self { limit: units, remaining: AtomicU64::new(units), exhausted: AtomicBool::new(false), account: None }
    }

    /// Creates a budget whose units must be paid for in steps of `step` units while they are used.
    ///
    /// `pay` is called with the number of steps. If it returns false, the budget is exhausted.
    #[must_use]
    pub fn with_payment(step: u64, pay: impl Fn(u64) -> bool + Send + Sync + 'static) -> Self {
        let account =
            PaymentAccount { step, due: AtomicU64::new(step), pay: Box::new(pay), overdrawn: AtomicBool::new(false) };
        Self { account: Some(account), ..Self::default() }
    }

    /// Whether the budget is exhausted because `pay` returned false.
    #[must_use]
    pub fn is_overdrawn(&self) -> bool {
        self.account.as_ref().is_some_and(|account| account.overdrawn.load(Relaxed))
    }

    /// Number of units used.
    #[must_use]
    pub fn spent(&self) -> u64 {
        self.limit - self.remaining.load(Relaxed)
    }

    /// Whether a comparison was rejected because too few units were left.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.exhausted.load(Relaxed)
    }

    /// Pays for a comparison of texts with this total length. False if the budget does not cover it.
    pub(crate) fn compare(&self, bytes: usize) -> bool {
        self.spend(COMPARISON_COST.saturating_add(bytes as u64))
    }

    /// Pays for a number of units. False if the budget does not cover them.
    ///
    /// A request is evaluated by one thread at a time, so separate loads and stores are sufficient.
    pub fn spend(&self, units: u64) -> bool {
        match self.remaining.load(Relaxed).checked_sub(units) {
            Some(left) if !self.is_exhausted() && self.is_paid(self.limit - left) => {
                self.remaining.store(left, Relaxed);
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
    fn work_is_paid_in_steps() {
        let remaining = Arc::new(AtomicU64::new(3));
        let account = remaining.clone();
        let pay = move |steps| account.try_update(Relaxed, Relaxed, |left| left.checked_sub(steps)).is_ok();
        let budget = WorkBudget::with_payment(10, pay);
        assert!(budget.spend(9) && remaining.load(Relaxed) == 3);
        assert!(budget.spend(1) && remaining.load(Relaxed) == 2);
        assert!(budget.spend(25) && remaining.load(Relaxed) == 0, "two steps at once");
        assert!(budget.spend(4) && !budget.is_overdrawn());
        assert!(!budget.spend(1) && budget.is_overdrawn() && budget.is_exhausted());
        assert_eq!(budget.spent(), 39);
    }

    #[test]
    fn exhausted_budget_rejects_all_further_work() {
        let budget = WorkBudget::new(40);
        assert!(budget.compare(4));
        assert_eq!((budget.spent(), budget.is_exhausted()), (20, false));
        assert!(!budget.compare(5));
        assert!(budget.is_exhausted());
        assert!(!budget.spend(1), "a smaller comparison after the refused one would decide on part of the policies");
        assert_eq!(budget.spent(), 20);
    }
}
