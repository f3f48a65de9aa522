//! Limits the CPU time that Clew spends on evaluating the policies for one request.
//!
//! The evaluation budget counts work units instead of time. Comparing one byte costs about one work unit.
//! The number of consumed work units depends only on the policies and the request, so tests can assert exact numbers.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Default evaluation budget per request, in work units. Spending the entire budget takes about 0.1 s of CPU time.
const DEFAULT_EVALUATION_BUDGET_UNITS: u64 = 64 << 20;

/// Fixed cost of a string comparison, in work units. Each compared byte costs one additional work unit.
const BASE_WORK_UNITS_PER_COMPARISON: u64 = 16;

/// Limits the amount of work for evaluating the policies for one request.
///
/// After the evaluation budget is exhausted, Clew treats all further policy statements as not matching.
/// If the evaluation budget is exhausted, [`decide_access`](crate::decision::decide_access) denies the action.
#[derive(Debug)]
pub struct EvaluationBudget {
    limit: u64,
    remaining: AtomicU64,
    exhausted: AtomicBool,
    charger: Option<EvaluationRateLimit>,
}

struct EvaluationRateLimit {
    step: u64,
    due: AtomicU64,
    pay: Box<dyn Fn(u64) -> bool + Send + Sync>,
    overdrawn: AtomicBool,
}

impl fmt::Debug for EvaluationRateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EvaluationRateLimit").field("step", &self.step).field("due", &self.due).finish_non_exhaustive()
    }
}

impl EvaluationRateLimit {
    fn consume_due_permits(&self, spent: u64) -> bool {
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

impl Default for EvaluationBudget {
    fn default() -> Self {
        Self::new(DEFAULT_EVALUATION_BUDGET_UNITS)
    }
}

impl EvaluationBudget {
    /// Creates a budget of `units` work units for policy evaluation.
    #[must_use]
    pub fn new(units: u64) -> Self {
        Self { limit: units, remaining: AtomicU64::new(units), exhausted: AtomicBool::new(false), charger: None }
    }

    /// Creates an evaluation budget of the default size that also consumes one rate-limit permit per `step` work units.
    ///
    /// `pay` acquires the given number of permits. If `pay` returns false, the evaluation budget is exhausted.
    #[must_use]
    pub fn with_rate_limit(step: u64, pay: impl Fn(u64) -> bool + Send + Sync + 'static) -> Self {
        let charger = EvaluationRateLimit {
            step,
            due: AtomicU64::new(step),
            pay: Box::new(pay),
            overdrawn: AtomicBool::new(false),
        };
        Self { charger: Some(charger), ..Self::default() }
    }

    /// Returns true if the evaluation budget is exhausted because the rate limit was exceeded.
    #[must_use]
    pub fn has_exceeded_rate_limit(&self) -> bool {
        self.charger.as_ref().is_some_and(|charger| charger.overdrawn.load(Relaxed))
    }

    /// Returns the number of consumed work units.
    #[must_use]
    pub fn consumed_work_units(&self) -> u64 {
        self.limit - self.remaining.load(Relaxed)
    }

    /// Returns true if a request to consume work units exceeded the evaluation budget or the rate limit.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.exhausted.load(Relaxed)
    }

    /// Subtracts the cost of comparing two strings from the budget. `bytes` is the total length of the strings.
    ///
    /// Returns false if the evaluation budget is exhausted.
    pub(crate) fn consume_work_units_for_comparison(&self, bytes: usize) -> bool {
        self.consume_work_units(BASE_WORK_UNITS_PER_COMPARISON.saturating_add(bytes as u64))
    }

    /// Subtracts `units` work units from the budget. Returns false if the budget is exhausted.
    ///
    /// Only one thread at a time uses an evaluation budget, so a separate atomic load and store are sufficient.
    pub fn consume_work_units(&self, units: u64) -> bool {
        match self.remaining.load(Relaxed).checked_sub(units) {
            Some(left) if !self.is_exhausted() && self.consume_rate_limit_permits(self.limit - left) => {
                self.remaining.store(left, Relaxed);
                true
            }
            _ => {
                self.exhausted.store(true, Relaxed);
                false
            }
        }
    }

    fn consume_rate_limit_permits(&self, spent: u64) -> bool {
        self.charger.as_ref().is_none_or(|charger| charger.consume_due_permits(spent))
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
        let budget = EvaluationBudget::with_rate_limit(10, pay);
        assert!(budget.consume_work_units(9) && remaining.load(Relaxed) == 3);
        assert!(budget.consume_work_units(1) && remaining.load(Relaxed) == 2);
        assert!(budget.consume_work_units(25) && remaining.load(Relaxed) == 0, "two steps at once");
        assert!(budget.consume_work_units(4) && !budget.has_exceeded_rate_limit());
        assert!(!budget.consume_work_units(1) && budget.has_exceeded_rate_limit() && budget.is_exhausted());
        assert_eq!(budget.consumed_work_units(), 39);
    }

    #[test]
    fn exhausted_budget_rejects_all_further_work() {
        let budget = EvaluationBudget::new(40);
        assert!(budget.consume_work_units_for_comparison(4));
        assert_eq!((budget.consumed_work_units(), budget.is_exhausted()), (20, false));
        assert!(!budget.consume_work_units_for_comparison(5));
        assert!(budget.is_exhausted());
        assert!(
            !budget.consume_work_units(1),
            "a smaller comparison after the refused one would decide on part of the policies"
        );
        assert_eq!(budget.consumed_work_units(), 20);
    }
}
