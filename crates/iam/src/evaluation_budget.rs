//! Limits the CPU time that Clew spends on evaluating the policies for one request.
//!
//! The evaluation budget counts work units instead of time. Comparing one byte costs about one work unit.
//! The number of consumed work units depends only on the policies and the request, so tests can assert exact numbers.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Spending the entire budget takes about 0.1 s of CPU time.
const DEFAULT_EVALUATION_BUDGET_UNITS: u64 = 64 << 20;

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
    rate_limit: Option<EvaluationRateLimit>,
}

struct EvaluationRateLimit {
    units_per_permit: u64,
    next_charge_at: AtomicU64,
    acquire_permits: Box<dyn Fn(u64) -> bool + Send + Sync>,
    exceeded: AtomicBool,
}

impl fmt::Debug for EvaluationRateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EvaluationRateLimit")
            .field("units_per_permit", &self.units_per_permit)
            .field("next_charge_at", &self.next_charge_at)
            .finish_non_exhaustive()
    }
}

impl EvaluationRateLimit {
    fn consume_due_permits(&self, spent: u64) -> bool {
        let next_charge_at = self.next_charge_at.load(Relaxed);
        if spent < next_charge_at {
            return true;
        }
        let permits = 1 + (spent - next_charge_at) / self.units_per_permit;
        self.next_charge_at.store(next_charge_at + permits * self.units_per_permit, Relaxed);
        let acquired = (self.acquire_permits)(permits);
        self.exceeded.fetch_or(!acquired, Relaxed);
        acquired
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
        Self { limit: units, remaining: AtomicU64::new(units), exhausted: AtomicBool::new(false), rate_limit: None }
    }

    /// Creates a budget of the default size that also consumes one rate limit permit per `units_per_permit` work units.
    ///
    /// The budget is exhausted if `acquire_permits` cannot acquire the given number of permits and returns false.
    #[must_use]
    pub fn with_rate_limit(
        units_per_permit: u64,
        acquire_permits: impl Fn(u64) -> bool + Send + Sync + 'static,
    ) -> Self {
        let rate_limit = EvaluationRateLimit {
            units_per_permit,
            next_charge_at: AtomicU64::new(units_per_permit),
            acquire_permits: Box::new(acquire_permits),
            exceeded: AtomicBool::new(false),
        };
        Self { rate_limit: Some(rate_limit), ..Self::default() }
    }

    /// Returns true if the evaluation budget is exhausted because the rate limit was exceeded.
    #[must_use]
    pub fn has_exceeded_rate_limit(&self) -> bool {
        self.rate_limit.as_ref().is_some_and(|rate_limit| rate_limit.exceeded.load(Relaxed))
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

    /// `bytes` is the total length of the compared strings.
    pub(crate) fn consume_comparison_cost(&self, bytes: usize) -> bool {
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
        self.rate_limit.as_ref().is_none_or(|rate_limit| rate_limit.consume_due_permits(spent))
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
        let acquire_permits =
            move |permits| account.try_update(Relaxed, Relaxed, |left| left.checked_sub(permits)).is_ok();
        let budget = EvaluationBudget::with_rate_limit(10, acquire_permits);
        assert!(budget.consume_work_units(9) && remaining.load(Relaxed) == 3);
        assert!(budget.consume_work_units(1) && remaining.load(Relaxed) == 2);
        assert!(budget.consume_work_units(25) && remaining.load(Relaxed) == 0, "two permits at once");
        assert!(budget.consume_work_units(4) && !budget.has_exceeded_rate_limit());
        assert!(!budget.consume_work_units(1) && budget.has_exceeded_rate_limit() && budget.is_exhausted());
        assert_eq!(budget.consumed_work_units(), 39);
    }

    #[test]
    fn exhausted_budget_rejects_all_further_work() {
        let budget = EvaluationBudget::new(40);
        assert!(budget.consume_comparison_cost(4));
        assert_eq!((budget.consumed_work_units(), budget.is_exhausted()), (20, false));
        assert!(!budget.consume_comparison_cost(5));
        assert!(budget.is_exhausted());
        assert!(
            !budget.consume_work_units(1),
            "a smaller comparison after the refused one would decide on part of the policies"
        );
        assert_eq!(budget.consumed_work_units(), 20);
    }
}
